//! `openclaw message ...`: something is sent, edited or taken back on a channel, by the gateway, which is asked once and
//! answers when the platform has it (`asking.rs`).
mod asking;
pub mod read;
pub mod sticker;
use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, typed};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::{files, ids, json as texts};
use asking::{Asked, ask};
use serde_json::{Map, Value};
use std::path::Path;

const TO: &[Flag] = &[
    Flag::value("target", "<chat>", "Where to: a chat's number, @name of a group, <chat>:topic:<n>")
        .short('t'),
    Flag::value("channel", "<channel>", "Name the channel; with one only it is meant"),
    Flag::value("account", "<id>", "Use this account; else the default one"),
    DRY,
    Flag::value("timeout", "<time>", "Give up after this time, as 40s, 0 for never; default 40s"),
    Flag::value("idempotency-key", "<key>", "Repeat a call safely: the same key takes effect once"),
    JSON,
];
const DRY: Flag = Flag::switch("dry-run", "Say what would be done, and do nothing");
const TEXT: Flag =
    Flag::value("message", "<text>", "The text, in Markdown; - reads standard input").short('m');
const ID: Flag = Flag::value("message-id", "<id>", "The message, by its id on the platform");
const THREAD: Flag = Flag::value("thread-id", "<id>", "The topic or thread within the chat");
const SILENT: Flag = Flag::switch("silent", "Let it make no sound");

const BASE: Command = Command::of("message", send);

pub const SEND: Command = Command {
    name: "message send",
    summary: "Send a message to a person or group",
    about: "Answered when the platform has it. With the same --idempotency-key it is sent once.",
    flags: &[
        &[
            TEXT,
            Flag::value("media", "<file>", "Send this file, or the one at this address; may be repeated"),
            Flag::value("reply-to", "<id>", "Answer this message"),
            THREAD,
            Flag::value("buttons", "<json>", "Put buttons below: rows of {text, callback_data}"),
            Flag::switch("gif-playback", "Show a video as a moving picture"),
            Flag::switch("voice", "Send a sound as a voice message"),
            Flag::switch("plain", "Send the text as it is, not as Markdown"),
            SILENT,
        ],
        TO,
        rpc::FLAGS,
    ],
    examples: &[
        ("openclaw message send --target 1001 --message \"dinner is **ready**\"", "Write to a person"),
        ("openclaw message send --target -100123:topic:7 --message -", "Send what comes in to a topic"),
        ("openclaw message send --target 1001 --media chart.png --silent", "Send a picture"),
    ],
    run: send,
    ..BASE
};

pub const POLL: Command = Command {
    name: "message poll",
    summary: "Send a poll",
    flags: &[
        &[
            Flag::value("poll-question", "<text>", "Ask this"),
            Flag::value("poll-option", "<text>", "Offer this answer; repeated 2 to 12 times"),
            Flag::switch("poll-multi", "Let people choose several answers"),
            Flag::value("poll-duration-hours", "<n>", "Close it after so many hours"),
            THREAD,
            SILENT,
        ],
        TO,
        rpc::FLAGS,
    ],
    examples: &[(
        "openclaw message poll --target -100123 --poll-question Lunch? --poll-option yes --poll-option no",
        "Ask a group",
    )],
    run: poll,
    ..BASE
};

pub const REACT: Command = Command {
    name: "message react",
    summary: "Put a reaction to a message, or take it away",
    flags: &[
        &[ID, Flag::value("emoji", "<emoji>", "The reaction"), Flag::switch("remove", "Take it away")],
        TO,
        rpc::FLAGS,
    ],
    examples: &[("openclaw message react --target 1001 --message-id 8 --emoji 👍", "Like a message")],
    run: react,
    ..BASE
};

pub const EDIT: Command = Command {
    name: "message edit",
    summary: "Give a message of the bot another text",
    flags: &[&[ID, TEXT, THREAD], TO, rpc::FLAGS],
    examples: &[("openclaw message edit --target 1001 --message-id 8 --message done", "Correct a message")],
    run: edit,
    ..BASE
};

pub const DELETE: Command = Command {
    name: "message delete",
    summary: "Take a message back",
    flags: &[&[ID], TO, rpc::FLAGS],
    examples: &[("openclaw message delete --target 1001 --message-id 8", "Take it back")],
    run: delete,
    ..BASE
};

fn send(context: &Context, args: &Args) -> Result<()> {
    let media = media(context, args)?;
    let text = match args.value("message") {
        None if !media.is_empty() => String::new(),
        given => typed::text("message", given)?.unwrap_or_default(),
    };
    if text.trim().is_empty() && media.is_empty() {
        return Err(Error::usage("give a text by --message, or a file by --media"));
    }
    let mut params = Map::new();
    params.put("message", text);
    if !media.is_empty() {
        params.put("mediaUrls", media);
    }
    let switches = [("gif-playback", "gifPlayback"), ("voice", "asVoice"), ("plain", "plain")];
    for (long, member) in switches.into_iter().chain([("silent", "silent")]) {
        if args.has(long) {
            params.put(member, true);
        }
    }
    for (long, member) in [("reply-to", "replyToId"), ("thread-id", "threadId")] {
        if let Some(id) = args.filled(long)? {
            params.put(member, id.trim());
        }
    }
    if let Some(buttons) = args.filled("buttons")? {
        params.put("buttons", read_buttons(buttons)?);
    }
    let asked = Asked { action: "send", method: "send", params };
    ask(context, args, asked, &|channel, id| format!("✅ Sent via {channel}. Message ID: {id}"))
}

/// Addresses as they are; files of this machine where the gateway may take them from.
fn media(context: &Context, args: &Args) -> Result<Vec<String>> {
    let of = |given: &str| {
        if given.starts_with("https://") || given.starts_with("http://") {
            return Ok(given.to_string());
        }
        if let Some(address) = super::far::look(context, args) {
            let text = format!(
                "--media {given} is a file of this machine, and the gateway is elsewhere ({address})"
            );
            return Err(Error::usage(text));
        }
        let path = context.env.expand(given.strip_prefix("file://").unwrap_or(given));
        if !path.is_file() {
            return Err(Error::usage(format!("--media {given}: there is no such file")));
        }
        if args.has("dry-run") { Ok(given.to_string()) } else { lent(&context.env, &path) }
    };
    args.all("media").into_iter().map(of).collect()
}

/// A copy below the state directory: the gateway sends no other files of its host, and may send it after a restart.
fn lent(env: &Env, path: &Path) -> Result<String> {
    let dir = env.state_dir.join("media").join("outbound").join(ids::uuid()?);
    let copy = dir.join(path.file_name().unwrap_or_default());
    let failed = |e| Error::io(format_args!("copy {}", path.display()), e);
    files::private_dir(&dir)?;
    let mut from = files::open_regular(path).map_err(failed)?;
    let mut to = files::private_options().create_new(true).open(&copy).map_err(failed)?;
    std::io::copy(&mut from, &mut to).map_err(failed)?;
    Ok(copy.to_string_lossy().into_owned())
}

/// The texts are those that scripts know.
fn read_buttons(text: &str) -> Result<Value> {
    let rows = texts::read(text, 1000, texts::DEEPEST)
        .map_err(|e| Error::usage(format!("--buttons is no JSON: {e}")))?;
    let wrong = || Error::usage("buttons must be an array of button rows");
    for (y, row) in rows.as_array().ok_or_else(wrong)?.iter().enumerate() {
        for (x, button) in row.as_array().ok_or_else(wrong)?.iter().enumerate() {
            let text = |name: &str| button.get(name).and_then(Value::as_str).unwrap_or_default();
            let place = format!("buttons[{y}][{x}]");
            if text("text").is_empty() || text("callback_data").is_empty() {
                return Err(Error::usage(format!("{place} requires text and callback_data")));
            }
            if text("callback_data").chars().count() > 64 {
                return Err(Error::usage(format!("{place} callback_data too long (max 64 chars)")));
            }
        }
    }
    Ok(rows)
}

fn poll(context: &Context, args: &Args) -> Result<()> {
    let options = args.all("poll-option");
    if !(2..=12).contains(&options.len()) {
        return Err(Error::usage(format!("--poll-option is needed 2 to 12 times, not {}", options.len())));
    }
    let mut params = Map::new();
    params.put("question", args.required("poll-question")?);
    if args.has("poll-multi") {
        params.put("maxSelections", options.len());
    }
    params.put("options", options);
    if let Some(hours) = args.positive("poll-duration-hours")? {
        params.put("durationHours", hours);
    }
    if args.has("silent") {
        params.put("silent", true);
    }
    if let Some(id) = args.filled("thread-id")? {
        params.put("threadId", id.trim());
    }
    let asked = Asked { action: "poll", method: "poll", params };
    ask(context, args, asked, &|channel, id| format!("✅ Poll sent via {channel}. Message ID: {id}"))
}

fn react(context: &Context, args: &Args) -> Result<()> {
    let emoji = if args.has("remove") { "" } else { args.required("emoji")? }.to_string();
    let done = match emoji.as_str() {
        "" => "✅ Reaction removed".to_string(),
        emoji => format!("✅ Reaction added: {emoji}"),
    };
    act(context, args, "react", json!({"emoji": emoji}), &done)
}

fn edit(context: &Context, args: &Args) -> Result<()> {
    let text = typed::text("message", Some(args.required("message")?))?.unwrap_or_default();
    act(context, args, "edit", json!({"message": text}), "✅ Edited.")
}

fn delete(context: &Context, args: &Args) -> Result<()> {
    act(context, args, "delete", json!({}), "✅ Deleted.")
}

fn act(context: &Context, args: &Args, action: &'static str, params: Value, done: &str) -> Result<()> {
    let Value::Object(mut params) = params else { return Ok(()) };
    params.put("action", action);
    params.put("messageId", args.required("message-id")?);
    if let Some(id) = args.filled("thread-id")? {
        params.put("threadId", id.trim());
    }
    ask(context, args, Asked { action, method: "message.action", params }, &|_, _| done.to_string())
}
