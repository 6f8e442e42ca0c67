//! `message`: sends a message to a person or group by a chat channel. Runs on a tool's thread.
//!
//! Channels attach at `deliver`, the one place that knows how a message leaves; all else here is the interface.
use crate::calls::Provenance;
use crate::error::{Error, Result};
use crate::tools::{Context, Output, Tool, text, usual_time};
use serde_json::Value;

pub const TOOL: Tool = Tool {
    name: "message",
    doc: "Send a message to a person or group by a chat channel. Your normal answer reaches the present chat by itself: do not send that.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"type": "string", "enum": ["send"]},
        "channel": {"type": "string", "description": "Such as telegram; the only one connected when left out"},
        "target": {"type": "string", "description": "Chat, group or user: id or name"},
        "message": {"type": "string", "description": "The text"},
        "accountId": {"type": "string"},
        "replyTo": {"type": "string", "description": "Id of the message that this answers"},
        "threadId": {"type": "string"},
        "silent": {"type": "boolean"}}}"#,
    aliases: &[("to", "target"), ("content", "message"), ("text", "message"), ("chat_id", "target")],
    changes: false,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

/// What is to leave, for whichever channel takes it.
#[derive(Debug, PartialEq, Eq)]
struct Outgoing<'a> {
    channel: Option<&'a str>,
    account: Option<&'a str>,
    target: &'a str,
    text: &'a str,
    reply_to: Option<&'a str>,
    thread: Option<&'a str>,
    is_silent: bool,
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    deliver(context, &outgoing(arguments)?)
}

fn outgoing(arguments: &Value) -> Result<Outgoing<'_>> {
    let missing = |what: &str| Error::invalid(format!("the message needs {what}"));
    Ok(Outgoing {
        channel: text(arguments, "channel"),
        account: text(arguments, "accountId"),
        target: text(arguments, "target")
            .ok_or_else(|| missing("a target: the chat, group or user to send it to"))?,
        text: text(arguments, "message").ok_or_else(|| missing("a text: give it as message"))?,
        reply_to: text(arguments, "replyTo"),
        thread: text(arguments, "threadId"),
        is_silent: arguments.get("silent") == Some(&Value::Bool(true)),
    })
}

/// Hands a message to its channel.
fn deliver(_: &Context, message: &Outgoing) -> Result<Output> {
    let channel =
        message.channel.map(|name| name.chars().filter(|c| !c.is_control()).take(40).collect::<String>());
    let text = match channel {
        Some(channel) => {
            format!("the message was not sent: channel {channel} is not connected to this gateway")
        }
        None => "the message was not sent: no chat channel is connected to this gateway".to_string(),
    };
    Err(Error::unavailable(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::arguments::fit;
    use crate::tools::testing::context;
    use serde_json::json;

    #[test]
    fn without_a_channel_it_says_so() {
        let (context, _dir) = context("{}");
        let said = |arguments: Value| {
            let arguments = fit(&TOOL, &arguments)?;
            run(&context, &arguments).map(drop).map_err(|e| e.message().to_string())
        };
        let check = |arguments: Value, want: &str| {
            let text = said(arguments.clone()).unwrap_err();
            assert!(text.contains(want), "{arguments}: {text}");
        };
        check(
            json!({"action": "send", "channel": "telegram", "to": "5", "message": "hi"}),
            "telegram is not connected",
        );
        check(json!({"action": "send", "target": "5", "message": "hi"}), "no chat channel is connected");
        check(json!({"action": "send", "target": "5"}), "needs a text");
        check(json!({"action": "send", "message": "hi"}), "needs a target");
        check(json!({"action": "fly"}), "at /action");
    }
}
