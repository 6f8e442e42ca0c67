//! Whether a message of a group means the bot. Pure; beside `gate`, which says who may talk at all.
//!
//! `mentionPatterns` come as a function, since whoever reads the configuration compiles them.
use super::accounts::Account;
use super::gate::{Dropped, Reason};
use super::levels::Levels;
use crate::parts::Parts;
use serde_json::Value;

/// What a message holds that may mean the bot.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// Text or caption.
    pub text: &'a str,
    /// Users who are mentioned by their id, having no name.
    pub users: &'a [u64],
    /// Who wrote the message that this one answers.
    pub answers: Option<u64>,
    /// That message made the topic: each one in the topic answers it, which means nobody.
    pub answers_topic: bool,
    /// A command that the gate lets pass, and that mentions nobody else.
    pub is_command: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Bot<'a> {
    pub id: u64,
    /// Without the `@`.
    pub username: &'a str,
    /// Its identity in the configuration: a name, an emoji; for use without patterns.
    pub names: &'a [&'a str],
}

/// `None` when the message means the bot, or need not. `activation` is the session's own.
pub fn judge(
    account: &Account,
    chat: &str,
    topic: Option<u64>,
    activation: Option<&str>,
    is_meant: impl FnOnce() -> bool,
) -> Option<Dropped> {
    let levels = Levels::of(account, chat, topic);
    let (is_required, key) = match (activation, levels.first("requireMention")) {
        (Some("always"), _) => return None,
        (Some("mention"), _) => (true, "/activation".to_string()),
        (_, Some((set, key))) => (set != &Value::Bool(false), key),
        (_, None) => (true, format!("{}.{chat}.requireMention", account.place("groups"))),
    };
    (is_required && !is_meant()).then_some(Dropped { reason: Reason::NoMention, key })
}

/// Whether it is meant. `pattern` is whether one of the configured patterns fits; without any, the bot's names count.
pub fn is_meant(said: &Said, bot: &Bot, pattern: Option<&dyn Fn(&str) -> bool>) -> bool {
    let is_answer = said.answers == Some(bot.id) && !said.answers_topic;
    let by_pattern = || match pattern {
        Some(fits) => fits(said.text),
        None => bot.names.iter().any(|name| has_word(said.text, name)),
    };
    said.is_command
        || is_answer
        || said.users.contains(&bot.id)
        || has_handle(said.text, bot.username)
        || by_pattern()
}

/// `@name` as a whole name, in any case; behind a command too.
fn has_handle(text: &str, username: &str) -> bool {
    let (text, name) = (text.to_ascii_lowercase(), format!("@{}", username.to_ascii_lowercase()));
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    !username.is_empty()
        && text.match_indices(&name).any(|(at, _)| {
            let (before, after) = (text.head(at), text.tail(at + name.len()));
            let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
            let begins = word.starts_with('/') || !before.ends_with(is_of_name);
            begins && !after.starts_with(is_of_name)
        })
}

/// A name as words of the text, in any case; an emoji anywhere.
fn has_word(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.trim().to_lowercase());
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let is_name = name.contains(is_letter);
    !name.is_empty()
        && text.match_indices(&name).any(|(at, _)| {
            let (before, after) = (text.head(at), text.tail(at + name.len()));
            !is_name || !(before.ends_with(is_letter) || after.starts_with(is_letter))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    const BOT: Bot = Bot { id: 9, username: "test_bot", names: &["Clawd Bot", "🦞"] };

    #[test]
    fn d12_the_bot_is_meant_by_its_whole_name() {
        for (text, want) in [
            ("@test_bot hi", true),
            ("hi @TEST_BOT, you", true),
            ("hi (@test_bot)", true),
            ("/status@test_bot", true),
            ("/status@other_bot", false),
            ("@test_bot2 hi", false),
            ("@test_bot_x", false),
            ("mail@test_bot", false),
            ("ask @test_bot2 and @test_bot", true),
            ("hello", false),
            ("hey clawd bot!", true),
            ("hey @Clawd Bot", true),
            ("clawd bots", false),
            ("a🦞b", true),
            ("", false),
        ] {
            assert_eq!(is_meant(&Said { text, ..Said::default() }, &BOT, None), want, "{text}");
        }
    }

    #[test]
    fn answers_ids_patterns_and_commands_mean_it_too() {
        let said = Said { text: "hi", ..Said::default() };
        let never = |_: &str| false;
        assert!(is_meant(&Said { answers: Some(9), ..said }, &BOT, None));
        assert!(!is_meant(&Said { answers: Some(8), ..said }, &BOT, None));
        // D12: each message of a topic that the bot made answers the making.
        assert!(!is_meant(&Said { answers: Some(9), answers_topic: true, ..said }, &BOT, None));
        assert!(is_meant(&Said { users: &[3, 9], ..said }, &BOT, None));
        assert!(is_meant(&Said { is_command: true, ..said }, &BOT, None));
        assert!(is_meant(&said, &BOT, Some(&|text: &str| text == "hi")));
        assert!(
            !is_meant(&Said { text: "clawd bot", ..said }, &BOT, Some(&never)),
            "patterns stand for the names"
        );
        assert!(!is_meant(&said, &Bot { username: "", names: &[""], ..BOT }, None));
    }

    #[test]
    fn whether_a_mention_is_asked_for() {
        let dir = Dir::new();
        let groups = "'*': {requireMention: false}, '-1': {requireMention: true, topics: {'5': {requireMention: false}}}, '-2': {}";
        let config = dir.config(&format!(
            "{{channels: {{telegram: {{groups: {{{groups}}}, accounts: {{b: {{groups: {{}}}}}}}}}}}}"
        ));
        let own = "channels.telegram.groups";
        for (id, chat, topic, activation, want) in [
            ("default", "-1", None, None, Some(format!("{own}.-1.requireMention"))),
            ("default", "-1", Some(5), None, None),
            ("default", "-1", Some(6), None, Some(format!("{own}.-1.requireMention"))),
            ("default", "-2", None, None, None),
            ("default", "-3", None, None, None),
            ("default", "-3", None, Some("mention"), Some("/activation".into())),
            ("default", "-1", None, Some("always"), None),
            ("b", "-1", None, None, Some("channels.telegram.accounts.b.groups.-1.requireMention".into())),
        ] {
            let account = Account::of(&config, "telegram", id);
            let found = judge(&account, chat, topic, activation, || false);
            assert_eq!(
                found.as_ref().map(|dropped| dropped.key.clone()),
                want,
                "{id} {chat} {topic:?} {activation:?}"
            );
            assert!(found.is_none_or(|dropped| dropped.reason == Reason::NoMention));
            assert_eq!(judge(&account, chat, topic, activation, || true), None);
        }
    }
}
