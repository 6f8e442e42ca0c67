//! Who is meant by an entry of a list of senders. Pure.
//!
//! Only numeric ids let somebody in at Telegram (SEC-33): a user name can change hands tomorrow. An entry that is none
//! lets nobody in and is told. What the program of another channel calls its people by is a text, and no name either.
use serde_json::Value;

/// How the people of a platform are called.
#[derive(Debug)]
pub struct Ids {
    /// What lists call one.
    pub label: &'static str,
    /// May stand before one in place of the channel's name: `tg:5`. Empty: nothing does.
    pub short: &'static str,
    /// Else they are texts, each letter as it is written. One of `commands.ownerAllowFrom` that stands alone is a number.
    pub are_numbers: bool,
}

/// Of channels that are programs.
pub const TEXTS: Ids = Ids { label: "userId", short: "", are_numbers: false };

/// Those of the channel of this name.
pub fn of(channel: &str) -> &'static Ids {
    super::named(channel).map_or(&TEXTS, |channel| &channel.ids)
}

/// Somebody's id at a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    Number(u64),
    /// A group or channel in whose name somebody writes who stays unknown; its id is negative.
    Chat(i64),
    /// As the program of a channel gives it.
    Text(&'a str),
}

/// Entries of a list of senders, as the configuration or the pairing store has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Senders {
    ids: Vec<u64>,
    chats: Vec<i64>,
    texts: Vec<String>,
    /// `*` is among them.
    pub is_all: bool,
    /// What is neither, as it is written.
    pub misfits: Vec<String>,
}

impl Senders {
    /// Those of a channel.
    pub fn of<'a>(channel: &str, entries: impl IntoIterator<Item = &'a Value>) -> Senders {
        let mut senders = Senders::default();
        for entry in entries {
            match entry {
                Value::String(text) => senders.add(channel, text),
                other => senders.add(channel, &other.to_string()),
            }
        }
        senders
    }

    fn add(&mut self, channel: &str, text: &str) {
        let id = bare(channel, text);
        match (id, user(id)) {
            ("*", _) => self.is_all = true,
            ("", _) => self.misfits.push(text.to_string()),
            (id, _) if !of(channel).are_numbers => self.texts.push(id.to_string()),
            (_, Some(id)) => self.ids.push(id),
            (id, None) => match chat(id) {
                Some(id) => self.chats.push(id),
                None => self.misfits.push(text.to_string()),
            },
        }
    }

    /// Whether this sender is named by his id.
    pub fn names(&self, sender: Option<Who>) -> bool {
        match sender {
            Some(Who::Number(id)) => self.ids.contains(&id),
            Some(Who::Chat(id)) => self.chats.contains(&id),
            Some(Who::Text(id)) => self.texts.iter().any(|text| text == id),
            None => false,
        }
    }

    /// The same, or all are meant.
    pub fn has(&self, sender: Option<Who>) -> bool {
        self.is_all || self.names(sender)
    }

    /// The same without `*`.
    pub fn by_name(mut self) -> Senders {
        self.is_all = false;
        self
    }

    pub fn first(&self) -> Option<Who<'_>> {
        let text = || self.texts.first().map(|text| Who::Text(text));
        self.ids.first().copied().map(Who::Number).or_else(text)
    }
}

/// An entry without the channel's name before it.
pub fn bare<'a>(channel: &str, text: &'a str) -> &'a str {
    let text = text.trim();
    let Some((before, id)) = text.split_once(':') else { return text };
    let before = before.trim();
    let is_channel = before.eq_ignore_ascii_case(channel);
    let is_short = !before.is_empty() && before.eq_ignore_ascii_case(of(channel).short);
    if is_channel || is_short { id.trim() } else { text }
}

/// The id of a group or channel, which is negative.
fn chat(text: &str) -> Option<i64> {
    let id = user(text.strip_prefix('-')?)?;
    i64::try_from(id).ok().map(|id| -id)
}

/// A user's id.
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
        let senders = Senders::of("telegram", list.as_array().unwrap());
        for id in 1001..=1004 {
            assert!(senders.names(Some(Who::Number(id))), "{id}");
        }
        let has = |id: u64| senders.has(Some(Who::Number(id)));
        assert!(!has(1005) && !has(5) && !senders.has(None) && !senders.is_all);
        assert!(!senders.has(Some(Who::Text("1001"))) && !senders.has(Some(Who::Text("@ann"))));
        assert_eq!(senders.misfits, ["@ann", "ann", "+5", "0", "x:1005", "1.5", ""]);
        // A group's id names who writes in its name, and none of its members.
        assert!(senders.names(Some(Who::Chat(-100_500))) && !senders.names(Some(Who::Chat(-1001))));
        assert!(!has(100_500) && !senders.names(Some(Who::Chat(1001))));
        let all = Senders::of("telegram", &[json!("telegram:*")]);
        assert!(all.is_all && all.has(None) && !all.names(Some(Who::Number(1))));
    }

    #[test]
    fn sec_33_elsewhere_a_sender_is_named_by_the_whole_text_of_his_id() {
        let list = json!(["ann@example.org", " echo:7", 8, "Bob", "telegram:9", ""]);
        assert_eq!((bare("echo", "tg:7"), bare("echo", ":7"), bare("telegram", ":7")), ("tg:7", ":7", ":7"));
        let senders = Senders::of("echo", list.as_array().unwrap());
        for id in ["ann@example.org", "7", "8", "Bob", "telegram:9"] {
            assert!(senders.names(Some(Who::Text(id))), "{id}");
        }
        for id in ["ANN@example.org", "bob", "9", "", "echo:7", "*"] {
            assert!(!senders.has(Some(Who::Text(id))), "{id}");
        }
        assert!(!senders.has(Some(Who::Number(7))));
        assert_eq!(
            (senders.first(), &senders.misfits[..]),
            (Some(Who::Text("ann@example.org")), &[String::new()][..])
        );
    }
}
