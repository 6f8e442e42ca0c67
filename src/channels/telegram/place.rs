//! Where a message belongs: its session (A.8), where the answer goes, and what the session's entry says of it.
use super::line::Line;
use super::message::{Chat, Message};
use crate::agents::routing::{self, Inbound, PeerKind, Route};
use crate::channels::accounts::Account;
use crate::channels::house::Place;
use crate::channels::levels::{Levels, find};
use crate::config::Config;
use crate::error::Result;
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// Where an answer goes.
pub fn at(chat: i64, topic: Option<i64>) -> Place {
    Place { peer: chat.to_string(), thread: topic.map(|id| id.to_string()), reply_to: None }
}

/// Where a message belongs, and what is known there.
pub struct Placed {
    pub route: Route,
    /// The session's entry.
    pub entry: Map<String, Value>,
}

pub fn of(line: &Line, config: &Config, message: &Message) -> Result<Placed> {
    let route = route(line, config, &message.chat, message.topic)?;
    let entry = line.house.session(&route.session_key)?.unwrap_or_default();
    Ok(Placed { route, entry })
}

impl Placed {
    /// What the session's `/activation` says.
    pub fn activation(&self) -> Option<&str> {
        self.entry.get("groupActivation").and_then(Value::as_str)
    }
}

pub fn route(line: &Line, config: &Config, chat: &Chat, topic: Option<i64>) -> Result<Route> {
    let (peer, thread) = (chat.id.to_string(), topic.map(|id| id.to_string()).unwrap_or_default());
    let from = Inbound {
        channel: "telegram",
        account: line.name(),
        kind: if chat.is_direct() { PeerKind::Direct } else { PeerKind::Group },
        peer: &peer,
        thread: &thread,
        has_topics: super::CHANNEL.has_topics,
        ..Inbound::default()
    };
    routing::route(config, &line.agents(config), &from)
}

/// Members of the session's entry. What is said in a group moves the last route of its own session and of no other.
pub fn entry(line: &Line, route: &Route, message: &Message) -> Map<String, Value> {
    let Message { chat, topic, sender, .. } = message;
    let mut entry = Map::new();
    if !chat.is_direct() && route.session_key == route.main_key {
        return entry;
    }
    let to = format!("telegram:{}", chat.id);
    let (kind, label, from) = match chat.is_direct() {
        true => ("direct", sender.label(), to.clone()),
        false => {
            let topic = topic.map(|topic| format!(":topic:{topic}")).unwrap_or_default();
            ("group", super::envelope::group(message), format!("telegram:group:{}{topic}", chat.id))
        }
    };
    let mut origin = json!({"label": label, "provider": "telegram", "surface": "telegram", "chatType": kind,
        "from": from, "to": to, "accountId": (line.name())});
    let mut delivery = json!({"channel": "telegram", "to": to, "accountId": (line.name())});
    for of in [&mut origin, &mut delivery] {
        if let (Some(of), Some(topic)) = (of.as_object_mut(), *topic) {
            of.put("threadId", topic);
        }
    }
    entry.put("origin", origin);
    entry.put("deliveryContext", delivery);
    entry.put("chatType", kind);
    entry.put("lastChannel", "telegram");
    entry.put("lastTo", to);
    entry.put("lastAccountId", line.name());
    if let Some(topic) = *topic {
        entry.put("lastThreadId", topic);
    }
    if !chat.is_direct() {
        entry.put("channel", "telegram");
        entry.put("groupId", chat.id.to_string());
        entry.put("displayName", format!("telegram:g-{}", slug(chat)));
    }
    entry
}

fn slug(chat: &Chat) -> String {
    let plain: String = chat
        .name()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .to_lowercase();
    let words: Vec<&str> = plain.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { chat.id.to_string() } else { words.join("-") }
}

/// What the model is told of a group beside its messages: what it is, what is read of it, what the owner says of it.
pub fn system(account: &Account, message: &Message, reads_all: bool) -> Option<String> {
    if message.chat.is_direct() {
        return None;
    }
    let activation = match reads_all {
        true => "always-on (every message comes to you; answer NO_REPLY where nothing is asked of you)",
        false => {
            "trigger-only (messages that mention you, answer you or are commands come to you; others are context)"
        }
    };
    // Its title stands with each message: its members write it, and nothing of theirs speaks as the owner does.
    let id = message.chat.id;
    let mut text = format!("You are replying inside the Telegram group {id}. Activation: {activation}.");
    let topic = message.topic.and_then(|id| u64::try_from(id).ok());
    let levels = Levels::of(account, &message.chat.id.to_string(), topic);
    for level in [&levels.groups, &levels.topics] {
        let prompt = find(level.iter(), "systemPrompt").and_then(|(prompt, _)| prompt.as_str());
        if let Some(prompt) = prompt.map(str::trim).filter(|prompt| !prompt.is_empty()) {
            text.extend(["\n\n", prompt]);
        }
    }
    Some(text)
}
