//! `openclaw message read`: what was said in a chat, as the gateway knows it.
use super::asking::{self, Asked, ask};
use super::{BASE, DRY, THREAD};
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::clock;
use crate::error::Result;
use crate::json::json;
use serde_json::{Map, Value};

pub const READ: Command = Command {
    name: "message read",
    summary: "Show what was said in a chat last",
    about: "Shows what the gateway knows of it, which is what was said there to the agent and by it: platforms show bots\n\
            no more. What clients of the gateway and other chats said in the same conversation is left out.",
    flags: &[
        &[
            Flag::value("target", "<chat>", "Which chat: its number, <chat>:topic:<n>").short('t'),
            Flag::value("limit", "<n>", "Show so many messages, 200 at most; default 20").short('n'),
            THREAD,
            Flag::value("channel", "<channel>", "Name the channel; with one only it is meant"),
            Flag::value("account", "<id>", "Use this account; else the default one"),
            DRY,
            Flag::value("timeout", "<time>", "Give up after this time, as 40s, 0 for never; default 40s"),
            JSON,
        ],
        rpc::FLAGS,
    ],
    examples: &[(
        "openclaw message read --target -100123 --limit 5",
        "Show the last five messages of a group",
    )],
    run: read,
    ..BASE
};

fn read(context: &Context, args: &Args) -> Result<()> {
    let limit = args.positive("limit")?.unwrap_or(20).min(200);
    if args.has("dry-run") {
        let asked = Asked { action: "read", method: "message.action", params: Map::new() };
        return ask(context, args, asked, &|_, _| String::new());
    }
    let told = asking::read(context, args, limit)?;
    if args.has("json") {
        let channel = told.get("channel").cloned().unwrap_or_default();
        context.out.json(&json!({"action": "read", "channel": channel, "dryRun": false, "handledBy": "core", "payload": told}));
        return Ok(());
    }
    let messages = told.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for message in messages {
        let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        let at = message.get("timestamp").and_then(Value::as_u64).unwrap_or_default();
        let who = if text("role") == "assistant" { "agent" } else { "chat" };
        let time = clock::show(&clock::zoned(at, None), "%Y-%m-%d %H:%M");
        context.out.line(format!("{time} {who}: {}", text("text")));
    }
    if messages.is_empty() {
        context.out.progress("Nothing was said there that the gateway knows of.");
    }
    Ok(())
}
