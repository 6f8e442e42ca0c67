//! What a message is typed as: a command of the gateway, for this bot or another one, or words. Pure.
use super::message::Message;
use crate::config::Config;
use crate::slash;
use std::borrow::Cow;

/// A message as its writer meant it.
pub struct Typed<'a> {
    /// What may be a command: without the bot's name around it.
    pub text: Cow<'a, str>,
    pub is_command: bool,
}

/// `/status@this_bot` and, in groups, `@this_bot /status` are commands; `/status@other_bot` is text.
pub fn read<'a>(config: &Config, username: &str, message: &'a Message) -> Typed<'a> {
    let words = Typed { text: Cow::Borrowed(&message.text), is_command: false };
    let text = message.text.trim();
    let text = if message.chat.is_direct() { text } else { without_name(text, username) };
    if slash::is_stop(text) {
        return Typed { text: Cow::Borrowed(text), is_command: text.starts_with('/') };
    }
    let Some(rest) = text.strip_prefix('/') else { return words };
    let end = rest.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(rest.len());
    let (name, args) = rest.split_at(end);
    let name = match name.split_once('@') {
        None => name,
        Some((name, bot)) if bot.eq_ignore_ascii_case(username) => name,
        Some(_) => return words,
    };
    // The menu knows no hyphens.
    for name in [name, &name.replace('_', "-")] {
        let text = format!("/{name}{args}");
        if slash::parse(config, &text).is_some() || slash::is_stop(&text) {
            return Typed { text: Cow::Owned(text), is_command: true };
        }
    }
    words
}

/// The text behind the bot's name at its start.
fn without_name<'t>(text: &'t str, username: &str) -> &'t str {
    let rest = text.strip_prefix('@').and_then(|rest| {
        let (name, rest) = rest.split_at_checked(username.len())?;
        let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        (name.eq_ignore_ascii_case(username) && ends).then_some(rest)
    });
    let rest = rest.filter(|_| !username.is_empty());
    rest.map_or(text, |rest| rest.trim_start_matches([',', ':']).trim_start())
}

impl Message {
    /// Users who are mentioned by their id.
    pub fn mentioned(&self) -> Vec<u64> {
        let users = self.entities.iter().filter_map(|entity| entity.user);
        users.filter_map(|id| u64::try_from(id).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use crate::json::json;

    #[test]
    fn commands_are_for_this_bot() {
        let dir = Dir::new();
        let config = dir.config("{}");
        for (chat, text, want, is_command) in [
            (-5, "/status", "/status", true),
            (-5, "/STATUS@Test_Bot", "/STATUS", true),
            (-5, "@test_bot /status", "/status", true),
            (-5, "@test_bot, /new hello", "/new hello", true),
            (-5, "@test_bot stop", "stop", false),
            (-5, "/stop@test_bot", "/stop", true),
            (-5, "/status@other_bot", "/status@other_bot", false),
            (-5, "@test_bot2 /status", "@test_bot2 /status", false),
            (-5, " @test_bot  hi ", " @test_bot  hi ", false),
            (5, "@test_bot /status", "@test_bot /status", false),
            (5, "/think@test_bot high", "/think high", true),
            (5, "/unknown thing", "/unknown thing", false),
            (5, "/start", "/start", false),
            (5, "hello", "hello", false),
        ] {
            let kind = if chat < 0 { "group" } else { "private" };
            let value = json!({"message_id": 1, "chat": {"id": chat, "type": kind}, "text": text});
            let message = Message::read(&value).unwrap();
            let typed = read(&config, "test_bot", &message);
            assert_eq!((typed.text.as_ref(), typed.is_command), (want, is_command), "{text}");
        }
    }
}
