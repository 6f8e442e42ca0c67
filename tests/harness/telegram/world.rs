//! What Telegram would know: bots, chats, topics, messages, files. Pure data; the methods and the tests change it.
use super::super::{Value, json};
use super::faults::Fault;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

/// One bot and what waits for it.
#[derive(Debug, Default)]
pub struct Bot {
    pub id: i64,
    pub username: String,
    pub can_read_all: bool,
    pub has_topics: bool,
    pub is_revoked: bool,
    /// Updates that were not confirmed.
    pub queue: VecDeque<(i64, Value)>,
    pub last_update: i64,
    pub allowed: Vec<String>,
    pub webhook: Option<Value>,
    pub webhook_set: Option<Instant>,
    /// Grows with each poll: an older one sees that a newer came.
    pub poll: u64,
    /// The poll that waits.
    pub waiting: Option<u64>,
    pub last_conflict: Option<Instant>,
    pub last_offset: Option<(i64, Instant)>,
    /// By scope and language.
    pub commands: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default)]
pub struct Chat {
    pub id: i64,
    /// `private`, `group`, `supergroup` or `channel`.
    pub kind: String,
    pub title: String,
    pub username: String,
    pub is_forum: bool,
    /// Threads and whether they are closed.
    pub topics: BTreeMap<i64, bool>,
    pub messages: BTreeMap<i64, Value>,
    pub last_message: i64,
    pub migrated_to: Option<i64>,
    /// A private chat: blocked by the user. Others: the bot was removed.
    pub is_shut: bool,
    /// A private chat that the user did not begin.
    pub is_unknown: bool,
    pub is_muted: bool,
    pub refuses_voice: bool,
    pub is_admin: bool,
    pub actions: Vec<(String, Option<i64>)>,
    pub reactions: BTreeMap<i64, Value>,
}

impl Chat {
    pub fn shown(&self) -> Value {
        let mut shown = json!({"id": self.id, "type": self.kind});
        let name = if self.kind == "private" { "first_name" } else { "title" };
        shown[name] = self.title.clone().into();
        if !self.username.is_empty() {
            shown["username"] = self.username.clone().into();
        }
        if self.is_forum {
            shown["is_forum"] = true.into();
        }
        shown
    }
}

#[derive(Debug, Clone)]
pub struct File {
    pub path: String,
    pub bytes: Vec<u8>,
    /// What `getFile` says of its size; the bytes' own where nothing is said.
    pub claimed: Option<u64>,
}

#[derive(Debug, Default)]
pub struct World {
    /// By token.
    pub bots: BTreeMap<String, Bot>,
    pub chats: BTreeMap<i64, Chat>,
    pub users: BTreeMap<i64, Value>,
    pub files: BTreeMap<String, File>,
    /// Private chats and basic groups share one counter.
    pub last_message: i64,
    pub queries: BTreeMap<String, Instant>,
    pub answered: BTreeSet<String>,
    pub faults: VecDeque<(String, Fault)>,
    pub standing: BTreeMap<String, Fault>,
    pub calls: Vec<super::Call>,
    pub is_deaf: bool,
}

impl World {
    /// The next message id of a chat.
    pub fn next_message(&mut self, chat: i64) -> i64 {
        let Some(chat) = self.chats.get_mut(&chat) else { return 0 };
        let counter = if chat.kind == "supergroup" { &mut chat.last_message } else { &mut self.last_message };
        *counter += 1;
        *counter
    }

    /// Puts a message into a chat; its id.
    pub fn add_message(&mut self, chat: i64, from: Value, mut message: Value) -> i64 {
        let id = self.next_message(chat);
        let Some(chat) = self.chats.get_mut(&chat) else { return 0 };
        message["message_id"] = id.into();
        message["chat"] = chat.shown();
        if message.get("date").is_none() {
            message["date"] = now().into();
        }
        if !from.is_null() {
            message["from"] = from;
        }
        chat.messages.insert(id, message);
        id
    }

    pub fn message(&self, chat: i64, id: i64) -> Option<&Value> {
        self.chats.get(&chat)?.messages.get(&id)
    }

    /// An update for each bot that lets such a kind come; the id of the last.
    pub fn update(&mut self, kind: &str, value: &Value) -> i64 {
        let mut last = 0;
        for bot in self.bots.values_mut() {
            let by_default = !["chat_member", "message_reaction", "message_reaction_count"].contains(&kind);
            let is_allowed =
                if bot.allowed.is_empty() { by_default } else { bot.allowed.iter().any(|a| a == kind) };
            if is_allowed {
                bot.last_update += 1;
                last = bot.last_update;
                bot.queue.push_back((last, json!({"update_id": last, kind: value})));
            }
        }
        last
    }

    pub fn add_file(&mut self, name: &str, bytes: &[u8]) -> String {
        let n = self.files.len() + 1;
        let id = format!("FILE{n:04}");
        let end = name.rsplit_once('.').map(|(_, end)| format!(".{end}")).unwrap_or_default();
        let file = File { path: format!("files/file_{n}{end}"), bytes: bytes.to_vec(), claimed: None };
        self.files.insert(id.clone(), file);
        id
    }
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's clock, not the program's")]
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs() as i64)
}
