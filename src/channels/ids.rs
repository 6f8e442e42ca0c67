//! Who is meant by an entry of a list of senders. Pure.
//!
//! Only numeric ids let somebody in at Telegram (SEC-33): a user name can change hands tomorrow. An entry that is none
//! lets nobody in and is told.
use serde_json::Value;

/// Entries of a list of senders, as the configuration or the pairing store has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Senders {
    ids: Vec<u64>,
    /// `*` is among them.
    pub is_all: bool,
    /// What is neither, as it is written.
    pub misfits: Vec<String>,
}

impl Senders {
    pub fn read<'a>(entries: impl IntoIterator<Item = &'a Value>) -> Senders {
        let mut senders = Senders::default();
        for entry in entries {
            match entry {
                Value::String(text) => senders.add(text),
                other => senders.add(&other.to_string()),
            }
        }
        senders
    }

    fn add(&mut self, text: &str) {
        let id = bare("telegram", text);
        match (id, user(id)) {
            ("*", _) => self.is_all = true,
            (_, Some(id)) => self.ids.push(id),
            _ => self.misfits.push(text.to_string()),
        }
    }

    /// Whether this sender is named by his id.
    pub fn names(&self, sender: Option<u64>) -> bool {
        sender.is_some_and(|id| self.ids.contains(&id))
    }

    /// The same, or all are meant.
    pub fn has(&self, sender: Option<u64>) -> bool {
        self.is_all || self.names(sender)
    }

    /// The same without `*`.
    pub fn by_name(mut self) -> Senders {
        self.is_all = false;
        self
    }

    pub fn first(&self) -> Option<u64> {
        self.ids.first().copied()
    }
}

/// An entry without the channel's name before it.
pub fn bare<'a>(channel: &str, text: &'a str) -> &'a str {
    let text = text.trim();
    let Some((before, id)) = text.split_once(':') else { return text };
    let before = before.trim();
    let is_channel = before.eq_ignore_ascii_case(channel);
    let is_short = channel == "telegram" && before.eq_ignore_ascii_case("tg");
    if is_channel || is_short { id.trim() } else { text }
}

/// A user's id. Those of groups are negative: none of them is a sender.
pub fn user(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| is_plain && *id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn sec_33_only_numeric_ids_name_a_sender() {
        let list = json!([
            "1001",
            1002,
            " telegram:1003",
            "TG: 1004",
            "@ann",
            "ann",
            "-100500",
            "+5",
            "0",
            "x:1005",
            1.5,
            ""
        ]);
        let senders = Senders::read(list.as_array().unwrap());
        for id in 1001..=1004 {
            assert!(senders.names(Some(id)), "{id}");
        }
        assert!(!senders.has(Some(1005)) && !senders.has(Some(5)) && !senders.has(None) && !senders.is_all);
        assert_eq!(senders.misfits, ["@ann", "ann", "-100500", "+5", "0", "x:1005", "1.5", ""]);
        let all = Senders::read(&[json!("telegram:*")]);
        assert!(all.is_all && all.has(None) && !all.names(Some(1)));
    }
}
