//! `openclaw pairing ...`: strangers who wrote to a bot and wait to be let in.
//!
//! Works on the files of the gateway's host, which the gateway reads at the next message; no gateway is asked.
use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::channels::pairing::{Approved, Pairing, Request};
use crate::channels::{self, ids};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;

const CHANNEL: Positional = Positional::optional("channel");
const FLAGS: &[Flag] = &[
    Flag::value("channel", "<channel>", "Name the channel, instead of as the first argument"),
    Flag::value("account", "<id>", "Look at one account of the channel only"),
];

const BASE: Command = Command::of("pairing", list);

pub const APPROVE: Command = Command {
    name: "pairing approve",
    summary: "Let in a stranger who was told a code",
    about: "Counts from the next message on, without a restart. The code is taken in any case.",
    positionals: &[CHANNEL, Positional::optional("code")],
    flags: &[FLAGS, &[Flag::switch("notify", "Tell the stranger"), JSON]],
    examples: &[("openclaw pairing approve telegram Z86UMBHV", "Let in who was told this code")],
    run: approve,
    ..BASE
};

pub const LIST: Command = Command {
    name: "pairing list",
    summary: "List strangers who wait to be let in",
    about: "A code counts for one hour, and three strangers may wait at an account.",
    positionals: &[CHANNEL],
    flags: &[FLAGS, &[JSON]],
    examples: &[
        ("openclaw pairing list telegram", "Show who wrote to the bots and waits"),
        ("openclaw pairing list telegram --account work --json", "The same of one bot, for a script"),
    ],
    run: list,
    ..BASE
};

fn list(context: &Context, args: &Args) -> Result<()> {
    let pairing = here(context, args)?;
    let channel = channel(context, &pairing, args.value("channel").or(args.positional(0)))?;
    let waiting = pairing.pending(&channel, args.value("account"), clock::now_ms())?;
    if args.has("json") {
        let requests: Vec<Value> = waiting.into_iter().map(|request| request.value.into()).collect();
        context.out.json(&json!({"channel": channel, "requests": requests}));
        return Ok(());
    }
    if waiting.is_empty() {
        context.out.line(format!("No pending {channel} pairing requests."));
        return Ok(());
    }
    context.out.line(format!("Pairing requests ({})", waiting.len()));
    let rows: Vec<_> = waiting.iter().map(row).collect();
    context.out.table(&["Code", ids::of(&channel).label, "Meta", "Requested"], &rows);
    let approve = context.env.command(&format!("pairing approve {channel} <code>"));
    context.out.progress(&format!("Approve with: {approve}"));
    Ok(())
}

fn row(request: &Request) -> Vec<String> {
    let meta = request.value.get("meta").map(Value::to_string).unwrap_or_default();
    vec![request.code.clone(), request.id.clone(), meta, clock::iso(request.created_ms)]
}

fn approve(context: &Context, args: &Args) -> Result<()> {
    let (named, code) = match (args.value("channel"), args.positional(0), args.positional(1)) {
        (Some(_), Some(_), Some(_)) => {
            return Err(Error::usage(
                "Too many arguments. Use: openclaw pairing approve --channel <channel> <code>",
            ));
        }
        (Some(channel), code, None) => (Some(channel), code),
        (None, channel, code) => (channel, code),
        (Some(channel), None, code) => (Some(channel), code),
    };
    let Some(code) = code.map(str::trim).filter(|code| !code.is_empty()) else {
        return Err(Error::usage(
            "Usage: openclaw pairing approve <channel> <code> (or: openclaw pairing approve --channel <channel> <code>)",
        ));
    };
    let pairing = here(context, args)?;
    let channel = channel(context, &pairing, named)?;
    let mut notes = Vec::new();
    let approved = pairing.approve(&channel, args.value("account"), code, clock::now_ms(), &mut notes);
    notes.iter().for_each(|note| context.out.warn(&format!("warning: {}", context.env.display_all(note))));
    let Some(approved) = approved? else {
        return Err(Error::not_found(format!(
            "No pending pairing request found for code: {}",
            code.to_ascii_uppercase()
        )));
    };
    let account = match approved.account.as_str() {
        "default" => String::new(),
        account => format!(" (account {account})"),
    };
    let is_read = !args.has("json");
    if is_read {
        context.out.line(format!("Approved {channel} sender {}{account}.", approved.id));
    }
    let told = args.has("notify").then(|| notify(context, args, &channel, &approved));
    if let Some(Err(e)) = &told {
        context.out.warn(&format!("Failed to notify requester: {}", context.env.display_all(e.message())));
    }
    if !is_read {
        let notified = told.is_some_and(|told| told.is_ok());
        context.out.json(&json!({
            "channel": channel, "account": (approved.account), "id": (approved.id), "notified": notified,
        }));
    }
    Ok(())
}

/// Tells the stranger by the gateway.
fn notify(context: &Context, args: &Args, channel: &str, approved: &Approved) -> Result<()> {
    let params = json!({
        "channel": channel, "accountId": (approved.account.as_str()), "to": (format!("{channel}:{}", approved.id)),
        "message": "✅ OpenClaw access approved. Send a message to start chatting.", "plain": true,
        "idempotencyKey": (crate::ids::uuid()?),
    });
    rpc::call(context, args, "send", &params).map(drop)
}

/// The files are those of the gateway's host.
fn here(context: &Context, args: &Args) -> Result<Pairing> {
    match far::look(context, args) {
        Some(address) => {
            Err(far::refusal(&context.env, &address, "who waits and who was let in is kept there", None))
        }
        None => Ok(Pairing::new(&context.env.state_dir)),
    }
}

fn channel(context: &Context, pairing: &Pairing, named: Option<&str>) -> Result<String> {
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else {
        return Err(Error::usage(
            "Channel required. Use --channel <channel> or pass it as the first argument. For example: telegram",
        ));
    };
    let name = named.to_ascii_lowercase();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !(name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_plain) && name.len() <= 64)
    {
        return Err(Error::usage(format!("Invalid channel: {}", crate::logging::quoted(named))));
    }
    let is_configured = || channels::is_known(&Config::inspect(&mut context.env.clone()), &name);
    if !pairing.is_known(&name) && !is_configured() {
        let near = super::parse::nearest(&name, channels::names());
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(Error::usage(format!("Channel {name} does not support pairing{hint}")));
    }
    Ok(name)
}
