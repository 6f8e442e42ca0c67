//! Where a call leads: chat, thread and the message that is replied to, each refused as the API refuses it.
use super::super::{Value, json};
use super::params::Params;
use super::wire::{Answer, Refusal, bad, refuse};
use super::world::{Chat, World};

/// The chat that a call names, if it exists at all.
pub fn chat(world: &World, params: &Params) -> Answer<i64> {
    let text = params.text("chat_id");
    if text.is_empty() {
        return Err(bad("chat_id is empty"));
    }
    let by_name = |name: &str| world.chats.values().find(|chat| chat.username.eq_ignore_ascii_case(name));
    let found = match text.strip_prefix('@') {
        Some(name) => by_name(name).filter(|chat| chat.kind != "private"),
        None => text.parse().ok().and_then(|id: i64| world.chats.get(&id)),
    };
    let chat = found.ok_or_else(|| bad("chat not found"))?;
    match chat.migrated_to {
        Some(id) => Err(Refusal {
            parameters: Some(json!({"migrate_to_chat_id": id})),
            ..bad("group chat was upgraded to a supergroup chat")
        }),
        None => Ok(chat.id),
    }
}

/// The chat and thread to which something may be sent.
pub fn open(world: &World, params: &Params, what: &str) -> Answer<(i64, Option<i64>)> {
    let id = chat(world, params)?;
    let chat = world.chats.get(&id).ok_or_else(|| bad("chat not found"))?;
    if chat.is_shut && chat.kind == "private" {
        return Err(refuse(403, "bot was blocked by the user"));
    }
    if chat.is_shut {
        return Err(refuse(403, format!("bot was kicked from the {} chat", chat.kind)));
    }
    if chat.is_unknown {
        return Err(refuse(403, "bot can't initiate conversation with a user"));
    }
    if chat.is_muted {
        return Err(bad(format!("not enough rights to send {what} to the chat")));
    }
    Ok((id, thread(chat, params.number("message_thread_id"))?))
}

/// No thread of the General topic is named in sending.
fn thread(chat: &Chat, thread: Option<i64>) -> Answer<Option<i64>> {
    let Some(thread) = thread.filter(|n| *n != 0) else { return Ok(None) };
    match chat.topics.get(&thread) {
        Some(true) => Err(bad("TOPIC_CLOSED")),
        Some(false) if thread != 1 => Ok(Some(thread)),
        _ => Err(bad("message thread not found")),
    }
}

/// The message replied to: by `reply_parameters` or by the older parameter.
pub fn reply(world: &World, params: &Params, chat: i64) -> Answer<Option<Value>> {
    let given = params.nested("reply_parameters")?;
    let (id, may_be_gone) = match given["message_id"].as_i64() {
        Some(id) => (Some(id), given["allow_sending_without_reply"] == true),
        None => (params.number("reply_to_message_id"), params.flag("allow_sending_without_reply")),
    };
    let Some(id) = id else { return Ok(None) };
    let Some(message) = world.message(chat, id) else {
        return if may_be_gone { Ok(None) } else { Err(bad("message to be replied not found")) };
    };
    let text = message["text"].as_str().or(message["caption"].as_str()).unwrap_or_default();
    if given["quote"].as_str().is_some_and(|quote| !text.contains(quote)) {
        return Err(bad("QUOTE_TEXT_INVALID"));
    }
    Ok(Some(message.clone()))
}
