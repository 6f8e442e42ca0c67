//! Updates as Telegram sends them, read into what the channel works with. Pure.
//!
//! Lenient: a member that is missing or of another kind is left out, a kind that is not known is named and skipped. Only
//! an update without its id is lost. Ids are i64, groups' are negative.
use super::message::{Chat, Message, Sender};
use super::outcome::{MOST_VALUES, Outcome};
use crate::json;
use serde_json::Value;

/// Updates of one answer: strangers write them, with up to a hundred entities each. What is more comes at once.
pub const AT_ONCE: usize = 20;

/// The kinds that are asked for.
pub const KINDS: &[&str] = &[
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "message_reaction",
    "my_chat_member",
    "poll_answer",
];

#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    pub id: i64,
    pub what: What,
    /// As Telegram sent it: its text, where that is long.
    pub raw: Value,
}

/// From this length on an update waits as text, which takes a tenth of the room of its values.
const LONG: usize = 4096;

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Of a chat, or a channel's post: the chat says which.
    Message(Box<Message>),
    Edited(Box<Message>),
    Press(Box<Press>),
    Reaction(Box<Reaction>),
    Member(Box<Member>),
    PollAnswer(Box<PollAnswer>),
    /// Of this kind, which is not read; or known, but without what it needs.
    Skipped(String),
}

/// A button below a message was pressed.
#[derive(Debug, Clone, PartialEq)]
pub struct Press {
    pub id: String,
    pub sender: Sender,
    pub data: String,
    /// The chat and id of the message, and its topic where it can still be seen.
    pub chat: Option<Chat>,
    pub message_id: Option<i64>,
    pub topic: Option<i64>,
}

/// Somebody changed his reactions to a message. Telegram does not say in which topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Reaction {
    pub chat: Chat,
    pub message_id: i64,
    pub sender: Sender,
    pub date: i64,
    /// Emoji that are new, and those that are gone.
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

/// The bot's own place in a chat changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub chat: Chat,
    pub sender: Sender,
    pub old: String,
    pub new: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PollAnswer {
    pub poll: String,
    pub sender: Sender,
    pub options: Vec<i64>,
}

impl Update {
    /// `None` without an id: nothing can be said about such a one.
    pub fn read(raw: Value) -> Option<Update> {
        let (id, what) = Update::parts(&raw)?;
        let text = raw.to_string();
        let raw = if text.len() < LONG { raw } else { Value::String(text) };
        Some(Update { id, what, raw })
    }

    /// Its id, and what it is about.
    pub fn parts(update: &Value) -> Option<(i64, What)> {
        if let Value::String(text) = update {
            let value = json::read(text, MOST_VALUES, json::DEEPEST).ok().filter(Value::is_object)?;
            return Update::parts(&value);
        }
        let members = update.as_object()?;
        let id = members.get("update_id")?.as_i64()?;
        let (kind, value) = members.iter().find(|(name, _)| *name != "update_id").unzip();
        let kind = kind.map_or("nothing", String::as_str);
        let what = value.and_then(|value| what(kind, value));
        let what = what.unwrap_or_else(|| What::Skipped(kind.chars().take(60).collect()));
        Some((id, what))
    }

    /// The one update of an answer that is too much to be read, as far as its id can be found.
    pub fn unread(body: &[u8]) -> Outcome<Vec<Update>> {
        let text = String::from_utf8_lossy(body);
        let after = text.split_once("\"update_id\":").map(|(_, after)| after.trim_start());
        let id = after.and_then(|after| after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        match id {
            Some(id) => {
                let what = What::Skipped("an unreadable one".into());
                Outcome::Done(vec![Update { id, what, raw: Value::Null }])
            }
            None => Outcome::unknown("getUpdates: the answer cannot be read"),
        }
    }

    /// When it happened, in seconds; a press has no time.
    pub fn date(&self) -> Option<i64> {
        match &self.what {
            What::Message(message) => Some(message.date),
            What::Edited(message) => message.edit_date,
            What::Reaction(reaction) => Some(reaction.date),
            What::Press(_) | What::Member(_) | What::PollAnswer(_) | What::Skipped(_) => None,
        }
    }
}

fn what(kind: &str, value: &Value) -> Option<What> {
    Some(match kind {
        "message" | "channel_post" => What::Message(Box::new(Message::read(value)?)),
        "edited_message" | "edited_channel_post" => What::Edited(Box::new(Message::read(value)?)),
        "callback_query" => What::Press(Box::new(press(value)?)),
        "message_reaction" => What::Reaction(Box::new(reaction(value)?)),
        "my_chat_member" => What::Member(Box::new(member(value)?)),
        "poll_answer" => What::PollAnswer(Box::new(PollAnswer {
            poll: text(value, "poll_id")?,
            sender: Sender::read(value.get("voter_chat"), value.get("user")),
            options: value.get("option_ids")?.as_array()?.iter().filter_map(Value::as_i64).collect(),
        })),
        _ => return None,
    })
}

fn press(value: &Value) -> Option<Press> {
    let message = value.get("message");
    let seen = message.and_then(Message::read);
    Some(Press {
        id: text(value, "id")?,
        // The sender is who pressed, whoever the message is from.
        sender: Sender::read(None, value.get("from")),
        data: text(value, "data").unwrap_or_default(),
        chat: message.and_then(|m| Chat::read(m.get("chat")?)),
        message_id: message.and_then(|m| m.get("message_id")?.as_i64()),
        topic: seen.and_then(|seen| seen.topic),
    })
}

fn reaction(value: &Value) -> Option<Reaction> {
    let list = |name: &str| -> Vec<String> {
        let all = value.get(name).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|one| text(one, "emoji").or_else(|| text(one, "custom_emoji_id"))).collect()
    };
    let (old, new) = (list("old_reaction"), list("new_reaction"));
    let without = |all: &[String], other: &[String]| -> Vec<String> {
        all.iter().filter(|one| !other.contains(one)).cloned().collect()
    };
    Some(Reaction {
        chat: Chat::read(value.get("chat")?)?,
        message_id: value.get("message_id")?.as_i64()?,
        sender: Sender::read(value.get("actor_chat"), value.get("user")),
        date: value.get("date").and_then(Value::as_i64).unwrap_or(0),
        added: without(&new, &old),
        removed: without(&old, &new),
    })
}

fn member(value: &Value) -> Option<Member> {
    let status = |name: &str| text(value.get(name)?, "status");
    Some(Member {
        chat: Chat::read(value.get("chat")?)?,
        sender: Sender::read(None, value.get("from")),
        old: status("old_chat_member").unwrap_or_default(),
        new: status("new_chat_member")?,
    })
}

/// A member that is a text.
pub fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_string)
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod update_tests;
