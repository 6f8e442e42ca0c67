//! Characters that a server cut in two and sent in two pieces: half of a surrogate pair, some bytes of a character.
//!
//! Pure. Before a piece is parsed each half becomes a place holder, a private-use character that no text of people
//! holds; once the text of two pieces is joined, halves that fit are one character and the others U+FFFD.
use crate::parts::Parts;
use std::borrow::Cow;

/// Place holders of the 2048 surrogates, and behind them those of the 256 bytes.
const FIRST: u32 = 0x10_F000;
const BYTES: u32 = FIRST + 0x800;
/// The first byte of every place holder in UTF-8.
const LEAD: u8 = 0xF4;

/// A JSON text with place holders for what is no character.
pub fn mark(text: &[u8]) -> Cow<'_, [u8]> {
    let escaped = mark_escapes(text);
    if std::str::from_utf8(&escaped).is_ok() {
        return escaped;
    }
    let mut out = String::with_capacity(escaped.len() + 16);
    for chunk in escaped.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(BYTES + u32::from(*byte))));
    }
    Cow::Owned(out.into_bytes())
}

fn mark_escapes(text: &[u8]) -> Cow<'_, [u8]> {
    let (mut out, mut kept, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', text.tail(at.min(text.len()))) {
        at += found;
        match (surrogate(text, at), surrogate(text, at + 6)) {
            (Some(..0x400), Some(0x400..)) => at += 12,
            (Some(half), _) => {
                out.extend_from_slice(text.part(kept..at));
                let holder = char::from_u32(FIRST + half).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(holder.encode_utf8(&mut [0; 4]).as_bytes());
                at += 6;
                kept = at;
            }
            (None, _) => at += 2,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(text.tail(kept));
    Cow::Owned(out)
}

/// The number, from 0xD800 on, of the surrogate whose `\uXXXX` begins at `at`.
fn surrogate(text: &[u8], at: usize) -> Option<u32> {
    let digits = std::str::from_utf8(text.get(at..at + 6)?.strip_prefix(b"\\u")?).ok()?;
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
    number.checked_sub(0xD800).filter(|half| *half < 0x800)
}

/// What a place holder stands for.
enum Part {
    Half(u32),
    Byte(u8),
}

fn part(c: char) -> Option<Part> {
    match u32::from(c).checked_sub(FIRST)? {
        half @ ..0x800 => Some(Part::Half(half)),
        byte @ 0x800..0x900 => Some(Part::Byte((byte - 0x800) as u8)),
        _ => None,
    }
}

/// The text with halves that fit as one character, and U+FFFD for the others.
pub fn joined(text: &str) -> Cow<'_, str> {
    if !has_any(text) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut bytes, mut high) = (String::with_capacity(text.len()), Vec::new(), None);
    for c in text.chars() {
        let part = part(c);
        if !bytes.is_empty() && !matches!(part, Some(Part::Byte(_))) {
            out.push_str(&String::from_utf8_lossy(&bytes));
            bytes.clear();
        }
        let before: Option<u32> = high.take();
        match (before, &part) {
            (Some(high), Some(Part::Half(low @ 0x400..))) => {
                out.extend(char::from_u32(0x1_0000 + (high << 10) + (low - 0x400)));
                continue;
            }
            (Some(_), _) => out.push(char::REPLACEMENT_CHARACTER),
            (None, _) => {}
        }
        match part {
            Some(Part::Half(half @ ..0x400)) => high = Some(half),
            Some(Part::Half(_)) => out.push(char::REPLACEMENT_CHARACTER),
            Some(Part::Byte(byte)) => bytes.push(byte),
            None => out.push(c),
        }
    }
    out.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
    out.push_str(&String::from_utf8_lossy(&bytes));
    Cow::Owned(out)
}

/// Whether there is a place holder in the text.
pub fn has_any(text: &str) -> bool {
    memchr::memchr(LEAD, text.as_bytes()).is_some() && text.chars().any(|c| part(c).is_some())
}

/// Where the end begins that the next piece may complete.
pub fn open_end(text: &str) -> usize {
    // At most three bytes of a character, or one half, can be waiting for the rest.
    let mut tail = text.char_indices().rev().take(3);
    let start = match tail.next() {
        Some((at, c)) => match part(c) {
            Some(Part::Half(..0x400)) => return at,
            Some(Part::Byte(_)) => at,
            _ => return text.len(),
        },
        None => return text.len(),
    };
    tail.take_while(|(_, c)| matches!(part(*c), Some(Part::Byte(_)))).last().map_or(start, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &[u8]) -> String {
        String::from_utf8(mark(text).into_owned()).unwrap()
    }

    #[test]
    fn halves_find_each_other_across_pieces() {
        let (first, second) = (marked(b"Hi \\ud83d"), marked(b"\\ude00!"));
        assert_eq!(joined(&format!("{first}{second}")), "Hi 😀!");
        assert_eq!((joined(&first), joined(&second)), ("Hi \u{fffd}".into(), "\u{fffd}!".into()));
        assert_eq!(open_end(&first), 3);
        assert_eq!(open_end(&second), second.len());
        // Whole pairs, escaped backslashes and other escapes stay as they are.
        for same in ["\\ud83d\\ude00", "\\\\ud83d", "\\u00e9 \\n", "plain ü"] {
            assert!(matches!(mark(same.as_bytes()), Cow::Borrowed(_)), "{same}");
        }
    }

    #[test]
    fn bytes_of_a_character_find_each_other_too() {
        let (first, second) = (marked(b"a\xF0\x9F"), marked(b"\x98\x80b"));
        assert_eq!(joined(&format!("{first}{second}")), "a😀b");
        assert_eq!((joined(&first), open_end(&first)), ("a\u{fffd}".into(), 1));
        assert_eq!(joined(&marked(b"x\xF0\x9F y")), "x\u{fffd} y");
    }
}
