//! The places that people name: numbers of chats, names of public ones, topics. Pure.
use crate::channels::house::Place;
use crate::channels::ids::bare;
use crate::error::{Error, Result};

/// Letters of a public name.
const NAME: std::ops::RangeInclusive<usize> = 4..=32;

/// `1001`, `-100123`, `@name`, `t.me/name`, `<chat>:topic:<n>`, `<chat>:<n>`, with `telegram:` or `group:` before it.
pub fn read(text: &str) -> Result<Place> {
    let unknown = || {
        Error::invalid(format!(
            "Unknown target {} for Telegram. Hint: <chatId>; a chat's number, @name of a public group or channel, or \
             <chatId>:topic:<number>",
            crate::logging::quoted(text)
        ))
    };
    let named = bare("telegram", text);
    let named = named.strip_prefix("group:").unwrap_or(named).trim();
    let (chat, thread) = match named.split_once(":topic:").or_else(|| split_topic(named)) {
        Some((chat, thread)) => (chat, Some(thread)),
        None => (named, None),
    };
    let link = chat.trim_start_matches("https://").trim_start_matches("http://").strip_prefix("t.me/");
    let peer = match (link, chat.strip_prefix('@')) {
        (Some(name), _) | (_, Some(name)) if is_name(name) => format!("@{name}"),
        (None, None) if is_number(chat) => chat.to_string(),
        _ => return Err(unknown()),
    };
    let is_topic = |id: &&str| id.parse::<u32>().is_ok_and(|id| id > 0);
    match thread {
        Some(id) if !is_topic(&id) => Err(unknown()),
        thread => Ok(Place { peer, thread: thread.map(str::to_string), reply_to: None }),
    }
}

fn split_topic(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(chat, _)| is_number(chat) || chat.starts_with('@'))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

fn is_name(text: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    NAME.contains(&text.len()) && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_in_many_ways() {
        for (text, peer, thread) in [
            ("1001", "1001", None),
            (" telegram:1001 ", "1001", None),
            ("TG: -1001234567890", "-1001234567890", None),
            ("@durov", "@durov", None),
            ("https://t.me/some_group", "@some_group", None),
            ("t.me/some_group", "@some_group", None),
            ("-100123:topic:42", "-100123", Some("42")),
            ("-100123:7", "-100123", Some("7")),
            ("telegram:group:-100123:topic:1", "-100123", Some("1")),
            ("@some_group:topic:9", "@some_group", Some("9")),
        ] {
            let place = read(text).unwrap();
            assert_eq!((place.peer.as_str(), place.thread.as_deref()), (peer, thread), "{text}");
        }
        for wrong in [
            "",
            "ann",
            "@a",
            "@with space",
            "0",
            "-",
            "12x",
            "--5",
            "99999999999999999999",
            "-1:topic:x",
            "-1:topic:0",
            "@x y:topic:3",
            "a/b",
            "t.me/",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.message().starts_with("Unknown target"), "{wrong}: {}", error.message());
        }
    }
}
