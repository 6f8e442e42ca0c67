//! One account at work: what its threads share.
use super::api::Bot;
use super::memory::Memory;
use super::outcome::Outcome;
use super::rates::Rates;
use super::signs::Signs;
use super::token::BotToken;
use crate::agents::Agents;
use crate::channels::accounts::Account;
use crate::channels::house::House;
use crate::config::Config;
use crate::json::json;
use serde_json::Value;
use std::sync::Arc;

pub struct Line {
    pub house: Arc<dyn House>,
    pub me: Me,
    pub memory: Memory,
    pub rates: Rates,
    pub signs: Signs,
}

/// The bot itself, as Telegram knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Me {
    pub id: i64,
    pub username: String,
    pub name: String,
    /// Privacy mode is off: it sees all that is said in groups.
    pub reads_all: bool,
    /// Private chats have topics.
    pub has_topics: bool,
}

impl Line {
    pub fn new(house: Arc<dyn House>, me: Me, signs: Signs) -> Line {
        Line { house, me, memory: Memory::default(), rates: Rates::default(), signs }
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
    pub fn ask(bot: &mut Bot, token: &BotToken, house: &dyn House) -> Outcome<Me> {
        let time = super::api::CALL;
        bot.call("getMe", &json!({}), time, house.cancel()).map(|me| {
            let text = |name: &str| me.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
            let is = |name: &str| me.get(name) == Some(&Value::Bool(true));
            Outcome::Done(Me {
                id: me.get("id").and_then(Value::as_i64).unwrap_or(token.id()),
                username: text("username"),
                name: text("first_name"),
                reads_all: is("can_read_all_group_messages"),
                has_topics: is("has_topics_enabled"),
            })
        })
    }
}
