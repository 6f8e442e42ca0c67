//! The wrapping of user texts: the time stamp in front, the `[message_id: ...]` line at the end, and taking
//! both off again for display. Pure text.
use crate::clock;
use crate::config::channels;
use crate::parts::Parts;
use crate::sessions::tags;
use crate::untrusted;
use serde_json::Value;

/// Names that begin the bracket of a channel's envelope, beside those of channels that are built in.
const CHANNELS: [&str; 12] = [
    "WebChat",
    "WhatsApp",
    "Signal",
    "Slack",
    "Discord",
    "Google Chat",
    "iMessage",
    "Teams",
    "Matrix",
    "Zalo",
    "Zalo Personal",
    "BlueBubbles",
];
const NOTE: &str = "System: [";
const MESSAGE_ID: &str = "[message_id:";

/// `[Sat 2026-11-21 01:31 UTC] text`, in the zone named or the host's; a text that already tells the time
/// stays as it is. `now` in epoch milliseconds.
pub fn stamp(text: &str, now: u64, zone: Option<&str>) -> String {
    if text.contains("Current time: ") || bracket(text).is_some_and(|(inner, _)| has_date_time(inner)) {
        return text.to_string();
    }
    format!("[{}] {text}", clock::show(&clock::zoned(now, zone), "%a %Y-%m-%d %H:%M %Z"))
}

/// A line of the gateway that stands before a user's message.
pub fn note(text: &str, at: u64, zone: Option<&str>) -> String {
    format!("{NOTE}{}] {text}\n", clock::show(&clock::zoned(at, zone), "%Y-%m-%d %H:%M:%S %Z"))
}

/// Adds the line that names the message to the model.
pub fn with_message_id(text: &str, id: &str) -> String {
    let id: String = id.chars().filter(|c| !c.is_control() && *c != ']').collect();
    format!("{text}\n{MESSAGE_ID} {id}]")
}

/// A user's text as it was typed.
pub fn strip(text: &str) -> String {
    let body = match bracket(text) {
        Some((inner, rest)) if has_date_time(inner) || names_channel(inner) => rest,
        _ => text,
    };
    if !body.contains(MESSAGE_ID) {
        return body.to_string();
    }
    body.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|l| !is_id_line(l))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What of a user's text somebody wrote, as it was typed: without what the gateway noted before it ([`note`]).
pub fn own_words(text: &str) -> String {
    if !text.starts_with(NOTE) {
        return strip(text);
    }
    let is_note = |line: &&str| line.starts_with(NOTE) || line.trim().is_empty();
    let noted: usize = text.split_inclusive('\n').take_while(is_note).map(str::len).sum();
    // A note may have lines of its own; what was written bears its time.
    let stamped =
        |rest: &str| bracket(rest).is_some_and(|(inner, _)| has_date_time(inner) || names_channel(inner));
    let written = || text.rmatch_indices("\n\n[").map(|(at, _)| text.tail(at + 2)).find(|rest| stamped(rest));
    let rest = text.tail(noted);
    strip(if stamped(rest) { rest } else { written().unwrap_or(rest) })
}

/// Whether a channel has wrapped the text already: it has the line that names the message.
pub fn is_named(text: &str) -> bool {
    text.contains(MESSAGE_ID) && text.lines().any(is_id_line)
}

fn is_id_line(line: &str) -> bool {
    let inner = line.trim().strip_prefix(MESSAGE_ID).and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|id| !id.trim().is_empty() && !id.contains(']'))
}

/// Strips a message in place as people see it: string content, every text block, and a `text` member. Of a user's goes the
/// envelope, of a model's the tags that are for a channel.
pub fn strip_message(message: &mut Value) {
    match message.get("role").and_then(Value::as_str) {
        Some("user") => of_texts(message, strip_member),
        Some("assistant") => of_texts(message, tags::show_member),
        _ => {}
    }
}

/// The same for a user's text in which strangers are quoted (`untrusted`): for people only, models need the envelope.
pub fn open_message(message: &mut Value) {
    if message.get("role").and_then(Value::as_str) == Some("user") {
        of_texts(message, |value, name| {
            if let Some(Value::String(text)) = value.get_mut(name) {
                *text = untrusted::shown(text);
            }
        });
    }
}

fn of_texts(message: &mut Value, change: fn(&mut Value, &str)) {
    change(message, "text");
    change(message, "content");
    if let Some(blocks) = message.get_mut("content").and_then(Value::as_array_mut) {
        blocks.iter_mut().for_each(|block| change(block, "text"));
    }
}

fn strip_member(value: &mut Value, name: &str) {
    if let Some(Value::String(text)) = value.get_mut(name) {
        *text = strip(text);
    }
}

/// What stands in the brackets at the start, and what follows them and the white space after.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let (inner, rest) = text.strip_prefix('[')?.split_once(']')?;
    (!inner.is_empty()).then(|| (inner, rest.trim_start()))
}

/// Whether what stands in brackets begins with the label of a channel.
fn names_channel(inner: &str) -> bool {
    let built_in = channels::KNOWN.iter().map(|known| known.label);
    CHANNELS
        .into_iter()
        .chain(built_in)
        .any(|name| inner.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))
}

/// Whether `YYYY-MM-DD HH:MM` or `YYYY-MM-DDTHH:MMZ` is part of the text.
fn has_date_time(text: &str) -> bool {
    let fits = |window: &[u8], pattern: &[u8]| {
        window.iter().zip(pattern).all(|(b, p)| if *p == b'0' { b.is_ascii_digit() } else { b == p })
    };
    let contains =
        |pattern: &[u8]| text.as_bytes().windows(pattern.len()).any(|window| fits(window, pattern));
    contains(b"0000-00-00 00:00") || contains(b"0000-00-00T00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamped_texts_come_back_as_typed() {
        let check = |typed: &str, want: &str| {
            let stored = with_message_id(&stamp(typed, 1_795_224_708_236, Some("UTC")), "k1");
            assert_eq!(stored, want);
            assert_eq!(strip(&stored), typed);
        };
        check("hi there", "[Sat 2026-11-21 01:31 UTC] hi there\n[message_id: k1]");
        check("a\nb", "[Sat 2026-11-21 01:31 UTC] a\nb\n[message_id: k1]");
        check("[x] y", "[Sat 2026-11-21 01:31 UTC] [x] y\n[message_id: k1]");
    }

    #[test]
    fn a_text_that_tells_the_time_is_not_stamped() {
        for text in ["[Fri 2026-01-02 10:00 UTC] x", "note\nCurrent time: noon"] {
            assert_eq!(stamp(text, 0, None), text);
        }
    }

    #[test]
    fn only_envelopes_and_id_lines_are_stripped() {
        let check = |text: &str, want: &str| assert_eq!(strip(text), want, "{text:?}");
        check("[Telegram Ann id:5] hi", "hi");
        check("[WhatsApp +49 2026-01-02T10:00Z] hi", "hi");
        check("[Telegrams] hi", "[Telegrams] hi");
        check("[todo] hi", "[todo] hi");
        check("[] hi", "[] hi");
        check("a\r\n  [message_id: x]  \r\nb", "a\nb");
        check("see [message_id: x] here", "see [message_id: x] here");
        check("[Sat 2026-11-21 01:31", "[Sat 2026-11-21 01:31");
    }

    #[test]
    fn notes_before_a_text_are_no_words_of_its_writer() {
        let notes = note("one", 0, Some("UTC")) + &note("two\nof two lines\n\nand more", 0, Some("UTC"));
        let stored = |before: &str, typed: &str| format!("{before}\n{}", stamp(typed, 0, Some("UTC")));
        for typed in ["hi", "a\n\nb", "System: [x] y", ""] {
            assert_eq!(own_words(&stored(&notes, typed)), typed);
            assert_eq!(own_words(&stored(&note("one", 0, Some("UTC")), typed)), typed);
            assert_eq!(own_words(&stamp(typed, 0, None)), typed);
        }
        assert_eq!(own_words(&note("alone", 0, None)), "");
    }

    #[test]
    fn an_id_cannot_forge_lines() {
        assert_eq!(with_message_id("t", "a\nb]c"), "t\n[message_id: abc]");
    }
}
