//! `message`: says or does something on a chat channel, or reads what was said there, by the gateway's own methods. Runs on
//! a tool's thread.
//!
//! Without a target that is the chat of the turn. Other places are for turns of the owner, and for those that he has named
//! this tool for: whoever else writes to an agent reaches no chat but his own by it, nor does what it is misled by (SEC-34).
use super::reach::ask;
use crate::agents::Agents;
use crate::calls::Provenance;
use crate::channels::accounts::{self, Account};
use crate::channels::house::Place;
use crate::channels::ids::bare;
use crate::channels::{self, Channel};
use crate::deliveries::dedupe::params_hash;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, bounded, json};
use crate::tools::surfaces::is_trusted;
use crate::tools::{Context, Output, Tool, text};
use crate::untrusted;
use serde_json::{Map, Value};
use std::time::Duration;

pub const TOOL: Tool = Tool {
    name: "message",
    doc: "Send, edit, delete or react to messages on a chat channel, send a sticker, ask a poll, or read what was said there last; without target in the present chat. Your normal answer reaches the present chat by itself: if you have said all with this tool, answer NO_REPLY.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"type": "string", "enum": ["send", "edit", "delete", "react", "poll", "sticker", "read"]},
        "channel": {"type": "string", "description": "Its key below channels; the present one when left out"},
        "target": {"type": "string", "description": "Id of a chat, group or user; the present chat when left out"},
        "message": {"type": "string", "description": "The text"},
        "media": {"type": "string", "description": "https:// address of a picture or file to send, or the path of one that came with a message"},
        "messageId": {"type": "string", "description": "What to edit, delete or react to"},
        "emoji": {"type": "string"},
        "remove": {"type": "boolean", "description": "Take the reaction away"},
        "replyTo": {"type": "string", "description": "Id of the message that this answers"},
        "threadId": {"type": "string"},
        "accountId": {"type": "string"},
        "silent": {"type": "boolean"},
        "asVoice": {"type": "boolean"},
        "gifPlayback": {"type": "boolean"},
        "buttons": {"type": "array", "description": "Rows of {text, callback_data}"},
        "pollQuestion": {"type": "string"},
        "pollOption": {"type": "array", "items": {"type": "string"}},
        "pollMulti": {"type": "boolean"},
        "pollDurationHours": {"type": "integer"},
        "fileId": {"type": "string", "description": "The sticker, by its file_id"},
        "limit": {"type": "integer", "description": "How many messages to read; 20 when left out"},
        "dryRun": {"type": "boolean"}}}"#,
    aliases: &[
        ("to", "target"),
        ("chat_id", "target"),
        ("content", "message"),
        ("text", "message"),
        ("message_id", "messageId"),
        ("mediaUrl", "media"),
        ("reply_to", "replyTo"),
        ("stickerId", "fileId"),
    ],
    changes: false,
    serves: Provenance::is_any,
    // The method itself waits for 30 seconds.
    time: |_, _| Duration::from_secs(60),
    run,
};

/// Bytes of a conversation that a model is shown at once.
const MAX_READ: usize = 60 << 10;

/// Where something is done.
struct To {
    channel: &'static Channel,
    account: String,
    place: Place,
    /// It is the chat of the turn.
    is_here: bool,
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let action = text(arguments, "action").unwrap_or("send");
    let (method, mut params) = asked(action, arguments)?;
    let to = to(context, arguments)?;
    check(context, action, &to)?;
    params.put("to", to.place.peer.as_str());
    params.put("channel", to.channel.id);
    params.put("accountId", to.account.as_str());
    if let Some(thread) = text(arguments, "threadId").or(to.place.thread.as_deref()) {
        params.put("threadId", thread);
    }
    if arguments.get("dryRun") == Some(&Value::Bool(true)) {
        params.put("action", action);
        params.put("dryRun", true);
        return Ok(Output::json(&params.into()));
    }
    // The same said again by a turn is said once, also when the turn is taken up again after a crash.
    let key = params_hash(&json!([(context.run.as_str()), (Value::from(params.clone()))]));
    params.put("idempotencyKey", key);
    let told = ask(context, method, params.into())?;
    if action == "read" {
        let shown = untrusted::wrap("messages of a chat", &bounded(&told, MAX_READ).0)?;
        return Ok(Output::text(shown).about(format!("read {}", to.channel.id)));
    }
    let part = |name: &str| told.get(name).cloned().unwrap_or_default();
    let mut done = json!({"ok": true, "action": action, "channel": (to.channel.id), "messageId": (part("messageId")),
        "chatId": (part("chatId"))});
    if let (Some(done), Some(warning)) = (done.as_object_mut(), told.get("warning")) {
        done.put("warning", warning.clone());
    }
    Ok(Output::json(&done).about(format!("{action} {}", to.channel.id)))
}

/// The method that does it, and what it is asked for, without the place.
fn asked(action: &str, arguments: &Value) -> Result<(&'static str, Map<String, Value>)> {
    let missing = |what: &str| Error::invalid(format!("the message needs {what}"));
    let mut params = Map::new();
    let mut take = |names: &[(&str, &str)]| {
        let found = names.iter().filter_map(|(ours, theirs)| Some((theirs, arguments.get(*ours)?.clone())));
        found.for_each(|(theirs, value)| params.put(theirs, value));
    };
    let id = || text(arguments, "messageId").ok_or_else(|| missing("messageId: which one it is about"));
    let method = match action {
        "send" => {
            if text(arguments, "message").is_none() && text(arguments, "media").is_none() {
                return Err(missing("a text: give it as message"));
            }
            take(&[("media", "mediaUrl"), ("replyTo", "replyToId"), ("buttons", "buttons")]);
            take(&[("silent", "silent"), ("asVoice", "asVoice"), ("gifPlayback", "gifPlayback")]);
            params.put("message", text(arguments, "message").unwrap_or_default());
            "send"
        }
        "poll" => {
            text(arguments, "pollQuestion").ok_or_else(|| missing("pollQuestion"))?;
            take(&[("pollQuestion", "question"), ("pollOption", "options"), ("silent", "silent")]);
            take(&[("pollDurationHours", "durationHours")]);
            let options = params.get("options").and_then(Value::as_array).map_or(0, Vec::len);
            if options < 2 {
                return Err(missing("pollOption: at least two answers"));
            }
            let is_multi = arguments.get("pollMulti") == Some(&Value::Bool(true));
            params.put("maxSelections", if is_multi { options } else { 1 });
            // The method `poll` is for who administers the gateway, which no turn does.
            params.put("action", action);
            "message.action"
        }
        "sticker" => {
            text(arguments, "fileId").ok_or_else(|| missing("fileId: which sticker"))?;
            take(&[("action", "action"), ("fileId", "fileId"), ("replyTo", "replyToId")]);
            "message.action"
        }
        "read" => {
            take(&[("action", "action"), ("limit", "limit")]);
            "message.action"
        }
        _ => {
            let id = id()?;
            take(&[("message", "message"), ("buttons", "buttons")]);
            params.put("action", action);
            params.put("messageId", id);
            if action == "react" {
                params.put("emoji", reaction(arguments).ok_or_else(|| missing("emoji"))?);
            }
            "message.action"
        }
    };
    Ok((method, params))
}

/// None to take one back.
fn reaction(arguments: &Value) -> Option<&str> {
    let is_off = arguments.get("remove") == Some(&Value::Bool(true));
    if is_off { Some("") } else { text(arguments, "emoji") }
}

fn to(context: &Context, arguments: &Value) -> Result<To> {
    let (config, here) = (&context.config, context.place.as_ref());
    let target = text(arguments, "target");
    if target.is_none() && here.is_none() {
        return Err(Error::invalid("the message needs a target: the chat, group or user to send it to"));
    }
    let name = text(arguments, "channel").map(str::to_lowercase);
    let channel = channel(context, name.or_else(|| here.map(|(login, _)| login.platform.clone())))?;
    let here = here.filter(|(login, _)| login.platform == channel.id);
    let account = match (text(arguments, "accountId"), here) {
        (Some(named), _) => named.to_lowercase(),
        (None, Some((login, _))) => login.account.clone(),
        (None, None) => {
            accounts::default_id(config, channel.id, &Agents::of(config, &context.settings.env).default_id())
        }
    };
    let here = here.filter(|(login, _)| login.account == account).map(|(_, place)| place);
    let place = match (target, here) {
        (Some(target), _) => (channel.target)(bare(channel.id, target))?,
        (None, Some(here)) => here.clone(),
        (None, None) => return Err(Error::invalid("the message needs a target on that channel or account")),
    };
    let is_here = here.is_some_and(|here| here.peer == place.peer);
    // Without a thread of its own it is the turn's.
    let thread = place.thread.or_else(|| here.filter(|_| is_here).and_then(|here| here.thread.clone()));
    Ok(To { channel, account, place: Place { peer: place.peer, thread, reply_to: None }, is_here })
}

fn channel(context: &Context, name: Option<String>) -> Result<&'static Channel> {
    let on = channels::on(&context.config);
    let text = match (name, on.as_slice()) {
        (Some(name), on) => match on.iter().find(|channel| channel.id == name) {
            Some(channel) => return Ok(channel),
            None => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                format!("the message was not sent: channel {name} is not connected to this gateway")
            }
        },
        (None, [one]) => return Ok(one),
        (None, []) => "the message was not sent: no chat channel is connected to this gateway".to_string(),
        (None, on) => {
            let names: Vec<&str> = on.iter().map(|channel| channel.id).collect();
            format!("the message needs a channel: one of {}", names.join(", "))
        }
    };
    Err(Error::unavailable(text))
}

/// Whether the turn may, and the channel's `actions` let it.
fn check(context: &Context, action: &str, to: &To) -> Result<()> {
    let is_trusted = is_trusted(&context.config, TOOL.name, context.provenance);
    if !to.is_here && !is_trusted {
        let text = match context.place {
            Some(_) => {
                "who asked for this may reach the chat that you are in, and no other: leave target and channel out"
            }
            // The clock's, another agent's: its words go where they are to by themselves.
            None => {
                "this turn is not the owner's and may reach no chat: say it in your answer; he may name message in tools.surfaces for such turns"
            }
        };
        return Err(Error::new(Kind::Forbidden, text));
    }
    if action == "delete" && !is_trusted {
        return Err(Error::new(Kind::Forbidden, "messages are deleted for the owner only"));
    }
    let label = to.channel.label;
    let (switch, text) = match action {
        "react" => ("reactions", format!("{label} reactions are disabled via actions.reactions.")),
        "delete" => ("deleteMessage", format!("{label} deleteMessage is disabled.")),
        "edit" => ("editMessage", format!("{label} editMessage is disabled.")),
        "poll" => ("polls", format!("{label} polls are disabled.")),
        "read" => ("", String::new()),
        "sticker" => (
            "sticker",
            format!(
                "{label} sticker actions are disabled. Set channels.{}.actions.sticker to true.",
                to.channel.id
            ),
        ),
        _ => ("sendMessage", format!("{label} sendMessage is disabled.")),
    };
    let account = Account::of(&context.config, to.channel.id, &to.account);
    let is_off = |name: &str| {
        account.set("actions").is_some_and(|(actions, _)| actions.get(name) == Some(&Value::Bool(false)))
    };
    let is_on = || account.part("actions", switch) == Some(&Value::Bool(true));
    match is_off(switch) || (action == "sticker" && !is_on()) || (action == "edit" && is_off("sendMessage")) {
        true => Err(Error::new(Kind::Forbidden, text)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries::Login;
    use crate::tools::arguments::fit;
    use crate::tools::testing::context;
    use serde_json::json;

    fn said(context: &Context, arguments: Value) -> std::result::Result<String, String> {
        let arguments = fit(&TOOL, &arguments)?;
        run(context, &arguments).map(|output| output.text).map_err(|e| e.message().to_string())
    }

    #[test]
    fn without_a_channel_it_says_so() {
        let (context, _dir) = context("{}");
        let check = |arguments: Value, want: &str| {
            let text = said(&context, arguments.clone()).unwrap_err();
            assert!(text.contains(want), "{arguments}: {text}");
        };
        check(
            json!({"action": "send", "channel": "telegram", "to": "5", "message": "hi"}),
            "telegram is not connected",
        );
        check(json!({"action": "send", "target": "5", "message": "hi"}), "no chat channel is connected");
        check(json!({"action": "send", "target": "5"}), "needs a text");
        check(json!({"action": "send", "message": "hi"}), "needs a target");
        check(json!({"action": "react", "target": "5"}), "needs messageId");
        check(json!({"action": "poll", "pollQuestion": "?", "pollOption": ["a"]}), "at least two");
        check(json!({"action": "fly"}), "at /action");
    }

    #[test]
    fn sec_34_only_the_owners_turns_reach_other_chats() {
        let (mut context, _dir) = context(
            "{channels: {telegram: {botToken: '1:x', actions: {reactions: false}}, echo: {command: 'x'}}}",
        );
        let login = Login { platform: "telegram".into(), account: "default".into() };
        context.place =
            Some((login, Place { peer: "-100".into(), thread: Some("7".into()), reply_to: None }));
        let dry = |context: &Context, mut arguments: Value| {
            arguments["dryRun"] = true.into();
            said(context, arguments)
        };
        let send = json!({"action": "send", "message": "hi"});
        let other = json!({"action": "send", "message": "hi", "target": "telegram:5"});
        let elsewhere = json!({"action": "send", "message": "hi", "target": "5", "channel": "echo"});
        let delete = json!({"action": "delete", "messageId": "5"});
        for provenance in [Provenance::Guest, Provenance::Hook, Provenance::Cron, Provenance::Agent] {
            context.provenance = provenance;
            let here = dry(&context, send.clone()).unwrap();
            assert!(here.contains(r#""to":"-100""#) && here.contains(r#""threadId":"7""#), "{here}");
            for arguments in [&other, &elsewhere, &delete] {
                let text = dry(&context, arguments.clone()).unwrap_err();
                assert!(text.contains("no other") || text.contains("owner only"), "{arguments}: {text}");
            }
        }
        context.provenance = Provenance::Owner;
        for arguments in [other, elsewhere, delete] {
            dry(&context, arguments.clone()).unwrap();
        }
        let react = json!({"action": "react", "messageId": "5", "emoji": "x"});
        assert_eq!(
            dry(&context, react).unwrap_err(),
            "Telegram reactions are disabled via actions.reactions."
        );
    }
}
