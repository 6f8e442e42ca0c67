//! One call of the gateway that does something on a channel, and what is said of it.
use crate::channels;
use crate::channels::accounts::Account;
use crate::channels::ids::bare;
use crate::cli::link::client::Deadline;
use crate::cli::link::connect::connect;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Context, far};
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// A little longer than the gateway waits for the platform, milliseconds.
const PATIENCE_MS: u64 = 40_000;

/// What is to be done.
pub struct Asked {
    pub action: &'static str,
    pub method: &'static str,
    pub params: Map<String, Value>,
}

/// What was said in a chat last, as the gateway knows it.
pub fn read(context: &Context, args: &Args, limit: u64) -> Result<Value> {
    let to =
        args.filled("target")?.ok_or_else(|| Error::usage("required option '--target' not specified"))?;
    let mut params = Map::new();
    params.put("to", to.trim());
    params.put("action", "read");
    params.put("limit", limit);
    for (long, member) in [("channel", "channel"), ("account", "accountId"), ("thread-id", "threadId")] {
        if let Some(name) = args.filled(long)? {
            params.put(member, name.trim());
        }
    }
    call(context, args, &mut Asked { action: "read", method: "message.action", params })
}

/// Does it, once, or with `--dry-run` says what would be done. `done` makes the line of the channel's name and the message's id.
pub fn ask(
    context: &Context,
    args: &Args,
    mut asked: Asked,
    done: &dyn Fn(&str, &str) -> String,
) -> Result<()> {
    let to =
        args.filled("target")?.ok_or_else(|| Error::usage("required option '--target' not specified"))?;
    asked.params.put("to", to.trim());
    for (long, member) in [("channel", "channel"), ("account", "accountId")] {
        if let Some(name) = args.filled(long)? {
            asked.params.put(member, name.trim());
        }
    }
    let is_dry = args.has("dry-run");
    let payload = if is_dry { dry(context, args, &asked, to)? } else { call(context, args, &mut asked)? };
    let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let channel = text("channel");
    if args.has("json") {
        let action = asked.action;
        context
            .out
            .json(&json!({"action": action, "channel": channel, "dryRun": is_dry, "handledBy": "core",
            "payload": payload}));
        return Ok(());
    }
    let label = channels::named(&channel).map_or(channel.as_str(), |channel| channel.label);
    if let Some(warning) = payload.get("warning").and_then(Value::as_str) {
        context.out.warn(warning);
    }
    match is_dry {
        true => context.out.line(format!("[dry-run] would run {} via {channel}", asked.action)),
        false => context.out.line(done(label, &text("messageId"))),
    }
    Ok(())
}

fn call(context: &Context, args: &Args, asked: &mut Asked) -> Result<Value> {
    let key = args.filled("idempotency-key")?.map_or_else(ids::uuid, |key| Ok(key.to_string()))?;
    asked.params.put("idempotencyKey", key);
    let (target, _) = rpc::target(context, args)?;
    let ms = args.millis("timeout", 1)?.unwrap_or(PATIENCE_MS);
    let _waiting = Waiting::begin(context.out, &format!("asking the gateway at {}", target.url));
    let deadline = Deadline::after(context.started, ms);
    let mut session = connect(&target, &context.env.state_dir, &[], deadline)?;
    let params = Value::Object(std::mem::take(&mut asked.params));
    let mut payload = rpc::request(&mut session, &target, asked.method, &params, false)?;
    session.client.close();
    if let Some(map) = payload.as_object_mut() {
        map.put("ok", true);
    }
    Ok(payload)
}

/// What would be done, as far as this machine's configuration says.
fn dry(context: &Context, args: &Args, asked: &Asked, to: &str) -> Result<Value> {
    let (config, _) = far::load(context, args)?;
    let named = args.filled("channel")?.map(|name| name.trim().to_lowercase());
    let channel = match &named {
        Some(name) => channels::of(&config, name),
        None => channels::on(&config).into_iter().next(),
    };
    let channel = channel.ok_or_else(|| {
        Error::usage(match named {
            Some(name) => format!("unsupported channel: {name}"),
            None => "Channel is required (no configured channels detected).".to_string(),
        })
    })?;
    if let Some(name) = args.filled("account")? {
        Account::of(&config, channel.id, &name.trim().to_lowercase()).check_known()?;
    }
    let about = asked.params.get("messageId").and_then(Value::as_str);
    if channel.ids.are_numbers && about.is_some_and(|id| id.trim().parse::<i64>().is_err()) {
        return Err(Error::invalid("messageId must be a number"));
    }
    let place = (channel.target)(bare(channel.id, to))?;
    let to = format!("{}:{}", channel.id, place.peer);
    let thread = args.filled("thread-id")?.map(|id| id.trim().to_string()).or(place.thread);
    let media = args.value("media");
    Ok(
        json!({"channel": (channel.id), "to": to, "threadId": thread, "via": "gateway", "mediaUrl": media, "dryRun": true}),
    )
}
