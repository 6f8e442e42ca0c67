//! `openclaw channels login`: what the program of a channel wants scanned or typed is shown until the account is linked.
use super::{WHICH, channel, here, known, set_up};
use crate::channels::Channel;
use crate::cli::link::rpc;
use crate::cli::link::talk::Talk;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How long it is waited for: as long as WhatsApp shows codes.
const PATIENCE: Duration = Duration::from_secs(180);
/// For one question to the gateway, and the gateway's own limit for its answer, milliseconds.
const ASK_MS: (u64, u64) = (60_000, 45_000);

pub const LOGIN: Command = Command {
    name: "channels login",
    summary: "Sign in to a channel by a code on a phone",
    about: "Shows what the program of a channel wants scanned or typed, until it is linked. Bots sign in with a\n\
            token (channels add).",
    positionals: super::NAMED,
    flags: &[
        WHICH,
        &[
            Flag::switch("force", "Make another link in the place of one that stands"),
            Flag::value(
                "phone",
                "<number>",
                "Show a code to type on the phone of this number, instead of a picture",
            ),
            JSON,
        ],
    ],
    examples: &[
        ("openclaw channels login --channel whatsapp", "Show the picture that links a phone"),
        ("openclaw channels login --channel whatsapp --phone +15551234567", "Show a code to type instead"),
    ],
    run: login,
    ..super::COMMAND
};

fn login(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = here(context, args)?;
    let channel = channel(args, &config, set_up(&config, &env))?;
    let id = channel.id;
    if !channel.is_program() {
        return Err(Error::usage(format!(
            "Channel {id} does not support login: its bots sign in with a token, `openclaw channels add --channel {id}`"
        )));
    }
    let account = known(args, &config, &env, channel)?;
    let told = rpc::call(context, args, "channels.status", &json!({}))?;
    let rows = told.get("channelAccounts").and_then(|all| all.get(id)?.as_array()).into_iter().flatten();
    let row = rows.into_iter().find(|row| row.get("accountId").and_then(Value::as_str) == Some(&account.id));
    let is = |name: &str| row.and_then(|row| row.get(name)) == Some(&Value::Bool(true));
    if is("canLogin") && (!is("linked") || args.has("force")) {
        return link(context, args, channel, &account.id);
    }
    let nothing = Map::new();
    look(context, args, (channel.label, id, &account.id), row.and_then(Value::as_object).unwrap_or(&nothing))
}

/// A program that asks by itself, or that is linked: what it says now.
fn look(
    context: &Context,
    args: &Args,
    (label, id, account): (&str, &str, &str),
    row: &Map<String, Value>,
) -> Result<()> {
    let shown = row.get("login");
    if args.has("json") {
        let (linked, login) = (row.get("linked"), shown);
        context.out.json(&json!({"channel": id, "accountId": account, "linked": linked, "login": login}));
        return Ok(());
    }
    if shown.is_none() {
        let how = match (row.get("running"), row.get("linked")) {
            (Some(Value::Bool(true)), Some(Value::Bool(true))) => "is linked",
            (Some(Value::Bool(true)), _) => "waits for nothing: its program has asked for no login",
            _ => "does not run: see `openclaw channels status`",
        };
        context.out.line(format!("{label} account \"{account}\" {how}."));
    }
    for name in ["text", "code", "qr"] {
        let text = shown.and_then(|shown| shown.get(name)?.as_str());
        text.into_iter().for_each(|text| context.out.line(format!("{name}: {text}")));
    }
    Ok(())
}

/// Asks for a login, shows it, and what follows it, until the account is linked.
fn link(context: &Context, args: &Args, channel: &Channel, account: &str) -> Result<()> {
    let mut params = json!({"channel": (channel.id), "accountId": account, "timeoutMs": (ASK_MS.1)});
    let mut start = params.clone();
    if let Some(start) = start.as_object_mut() {
        start.put("force", args.has("force"));
        if let Some(phone) = args.value("phone") {
            start.put("phone", phone);
        }
    }
    let ask = |method: &str, params: &Value| Talk::new(context, args).call_within(method, params, ASK_MS.0);
    let mut told = ask("web.login.start", &start)?;
    if args.has("json") {
        let linked = told.get("connected") == Some(&Value::Bool(true));
        context
            .out
            .json(&json!({"channel": (channel.id), "accountId": account, "linked": linked, "login": told}));
        return Ok(());
    }
    let until = Instant::now() + PATIENCE;
    if let Some(params) = params.as_object_mut() {
        params.put("timeoutMs", 20_000);
    }
    loop {
        let text = |name: &str| told.get(name).and_then(Value::as_str);
        let message = text("message").unwrap_or_default().to_string();
        if told.get("connected") == Some(&Value::Bool(true)) {
            context.out.line(message);
            return Ok(());
        }
        let is_shown = show(context, &told);
        if !is_shown && !message.starts_with("Still waiting") {
            return Err(Error::unavailable(message));
        }
        if Instant::now() >= until {
            return Err(Error::unavailable("nobody scanned or typed the code in time"));
        }
        told = ask("web.login.wait", &params)?;
    }
}

/// A picture that fits the terminal, or a code; false where there is neither.
fn show(context: &Context, told: &Value) -> bool {
    let text = |name: &str| told.get(name).and_then(Value::as_str);
    let message = text("message").unwrap_or_default();
    if let Some(code) = text("code") {
        context.out.line(message);
        context.out.whole(format!("Code: {code}"));
        return true;
    }
    let fits = |drawn: &&str| !context.out.interactive || drawn.lines().count() + 2 <= context.out.rows();
    let drawn = text("terminal").filter(fits).or(text("terminalSmall")).or(text("terminal"));
    match (drawn, text("qr")) {
        (Some(drawn), _) => context.out.whole(format!("{drawn}\n{message}")),
        (None, Some(qr)) => context.out.whole(format!("{message}\n{qr}")),
        (None, None) => return false,
    }
    true
}
