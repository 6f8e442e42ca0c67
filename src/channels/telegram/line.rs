//! One account at work: what its threads share.
use super::api::Bot;
use super::meant;
use super::memory::Memory;
use super::outcome::Outcome;
use super::rates::Rates;
use super::signs::Signs;
use crate::agents::Agents;
use crate::channels::accounts::Account;
use crate::channels::house::House;
use crate::config::Config;
use crate::json::{Put, json};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// So many are remembered; a group moves once in its life.
const MOST_MOVED: usize = 1000;

pub struct Line {
    pub house: Arc<dyn House>,
    /// The bot's own user id.
    pub id: i64,
    me: OnceLock<Me>,
    pub memory: Memory,
    pub rates: Rates,
    pub signs: Signs,
    /// Groups that go on under another id, as sending has found.
    moved: Mutex<HashMap<String, String>>,
}

/// The bot itself, as Telegram knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Me {
    pub username: String,
    /// Privacy mode is off: it sees all that is said in groups.
    pub reads_all: bool,
    /// Private chats have topics.
    pub has_topics: bool,
}

impl Line {
    pub fn new(house: Arc<dyn House>, id: i64, signs: Signs) -> Line {
        let me = OnceLock::new();
        let (memory, rates, moved) = Default::default();
        Line { house, id, me, memory, rates, signs, moved }
    }

    /// What is known of the bot. It is at work before Telegram has said who it is (R-07a): until then it has no name by
    /// which it could be meant.
    pub fn me(&self) -> &Me {
        static NOBODY: Me = Me { username: String::new(), reads_all: false, has_topics: false };
        self.me.get().unwrap_or(&NOBODY)
    }

    pub fn is_known(&self) -> bool {
        self.me.get().is_some()
    }

    /// Telegram has said who it is.
    pub fn know(&self, me: Me) {
        log::info!(target: "channels/telegram", "[{}] is @{}", self.name(), me.username);
        self.house.board().set(self.house.login(), |row| {
            row.more.put("bot", json!({"id": (self.id), "username": (me.username.as_str())}));
        });
        // Known already.
        let _ = self.me.set(me);
        let config = self.config();
        meant::tell(self, &self.account(&config));
    }

    /// The configuration in force.
    pub fn config(&self) -> Config {
        self.house.settings().config()
    }

    /// The account as this configuration has it.
    pub fn account<'a>(&self, config: &'a Config) -> Account<'a> {
        Account::of(config, "telegram", &self.house.login().account)
    }

    pub fn agents<'a>(&'a self, config: &Config) -> Agents<'a> {
        Agents::of(config, &self.house.settings().env)
    }

    /// The bot has said something there, to which people may react.
    pub fn sent(&self, chat: &str, thread: Option<&str>, id: i64) {
        let thread = thread.and_then(|id| id.parse().ok());
        if let Ok(chat) = chat.parse() {
            self.memory.sent((chat, thread), id);
        }
    }

    /// A group goes on under another id: the next message for the old one goes there at once.
    pub fn moved(&self, old: &str, new: &str) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if old != new && moved.len() < MOST_MOVED {
            moved.insert(old.to_string(), new.to_string());
        }
    }

    /// The id under which a chat is known now; the same where it did not move.
    pub fn now_at(&self, chat: &str) -> Option<i64> {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.get(chat)?.parse().ok()
    }

    /// A line of the log with the account's name.
    pub fn name(&self) -> &str {
        &self.house.login().account
    }

    /// What must not stand in a text.
    pub fn is_ending(&self) -> bool {
        self.house.cancel().reason().is_some()
    }
}

impl Me {
    /// Asks Telegram.
    pub fn ask(bot: &mut Bot, house: &dyn House, time: Duration) -> Outcome<Me> {
        bot.call("getMe", &json!({}), time, house.cancel()).map(|me| {
            let text = |name: &str| me.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
            let is = |name: &str| me.get(name) == Some(&Value::Bool(true));
            Outcome::Done(Me {
                username: text("username"),
                reads_all: is("can_read_all_group_messages"),
                has_topics: is("has_topics_enabled"),
            })
        })
    }
}
