//! What a message is about besides its words: what it answers, where it is from, what happened in the chat.
use super::{Entity, Sender, words};
use crate::channels::telegram::media::{Media, media};
use crate::channels::telegram::update::text;
use serde_json::Value;

/// What a message answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Missing where it stands in another chat.
    pub id: Option<i64>,
    pub sender: Sender,
    pub text: String,
    pub entities: Vec<Entity>,
    pub media: Vec<Media>,
    /// The part that was quoted.
    pub quote: Option<String>,
}

/// Where a forwarded message comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    pub date: i64,
    /// Its sender; of a hidden one the name only.
    pub sender: Sender,
    pub hidden_name: Option<String>,
    pub signature: Option<String>,
    pub message_id: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// The group went on as this supergroup.
    MigratedTo(i64),
    MigratedFrom(i64),
    TopicCreated,
    /// Another one, by its member's name.
    Other(String),
}

pub(super) const SERVICE: &[&str] = &[
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "pinned_message",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "message_auto_delete_timer_changed",
    "video_chat_started",
    "video_chat_ended",
    "boost_added",
];

pub(super) fn reply(value: &Value) -> Option<Reply> {
    let quote = value.get("quote").and_then(|quote| text(quote, "text"));
    let target = value.get("reply_to_message");
    // Each message of a topic names the topic's creation, which nobody answers.
    let is_root = target.is_some_and(|target| target.get("forum_topic_created").is_some());
    if let Some(target) = target.filter(|_| !is_root) {
        let (text, entities, _) = words(target);
        let id = target.get("message_id").and_then(Value::as_i64);
        let sender = Sender::read(target.get("sender_chat"), target.get("from"));
        return Some(Reply { id, sender, text, entities, media: media(target), quote });
    }
    let outside = value.get("external_reply")?;
    let from = outside.get("origin").map(forward);
    Some(Reply {
        id: None,
        sender: from.map_or(Sender::Nobody, |from| from.sender),
        text: quote.clone().unwrap_or_default(),
        entities: Vec::new(),
        media: media(outside),
        quote,
    })
}

pub(super) fn forward(origin: &Value) -> Forward {
    let chat = origin.get("sender_chat").or_else(|| origin.get("chat"));
    Forward {
        date: origin.get("date").and_then(Value::as_i64).unwrap_or(0),
        sender: Sender::read(chat, origin.get("sender_user")),
        hidden_name: text(origin, "sender_user_name"),
        signature: text(origin, "author_signature"),
        message_id: origin.get("message_id").and_then(Value::as_i64),
    }
}

pub(super) fn service(value: &Value) -> Option<Service> {
    let number = |name: &str| value.get(name).and_then(Value::as_i64);
    if let Some(id) = number("migrate_to_chat_id") {
        return Some(Service::MigratedTo(id));
    }
    if let Some(id) = number("migrate_from_chat_id") {
        return Some(Service::MigratedFrom(id));
    }
    if value.get("forum_topic_created").is_some() {
        return Some(Service::TopicCreated);
    }
    let found = SERVICE.iter().find(|name| value.get(**name).is_some());
    found.map(|name| Service::Other(name.to_string()))
}
