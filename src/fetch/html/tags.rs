//! The markup of a page: where a tag ends, its attributes, the white space between words. Pure.
use super::entities::{ENTITY, decode};
use crate::parts::Parts;

/// Bytes of text between two tags that are worked on at a time, and of a tag in which attributes are looked for.
pub(super) const PIECE: usize = 16 * 1024;

/// The beginning of a text, not cut within an entity, and what follows.
pub(super) fn piece(text: &str) -> (&str, &str) {
    if text.len() <= PIECE {
        return (text, "");
    }
    let end = (PIECE - 4..=PIECE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let from = (end - ENTITY..end).find(|at| text.is_char_boundary(*at)).unwrap_or(end);
    let entity = text.get(from..end).and_then(|last| last.rfind('&')).map_or(end, |at| from + at);
    text.split_at(entity)
}

/// The tag's text up to its `>`, which quotes may hold too, and what follows.
pub(super) fn split_tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => {
                return (text.head(at), text.tail(at + 1));
            }
            (None, '"' | '\'') if text.get(..at).is_some_and(|t| t.trim_end().ends_with('=')) => {
                quote = Some(c)
            }
            (Some(q), c) if q == c => quote = None,
            _ => {}
        }
    }
    (text, "")
}

/// What stands before the end tag of `name`, and what after it; without one, all and nothing.
pub(super) fn until_end<'t>(text: &'t str, name: &str) -> (&'t str, &'t str) {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices("</") {
        let is_it = bytes
            .get(at + 2..at + 2 + name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()));
        if is_it && !bytes.get(at + 2 + name.len()).is_some_and(u8::is_ascii_alphanumeric) {
            let after = text.get(at..).and_then(|end| end.split_once('>')).map_or("", |(_, after)| after);
            return (text.head(at), after);
        }
    }
    (text, "")
}

/// The decoded value of an attribute.
pub(super) fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = piece(tag).0;
    let lower = tag.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let at = from + lower.get(from..)?.find(name)?;
        from = at + name.len();
        let begins = lower
            .get(..at)
            .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_whitespace() || c == '"'));
        let Some(value) =
            tag.get(from..).and_then(|rest| rest.trim_start().strip_prefix('=')).filter(|_| begins)
        else {
            continue;
        };
        let value = value.trim_start();
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
        let bare = || value.split(|c: char| c.is_ascii_whitespace() || c == '>').next().unwrap_or_default();
        return Some(decode(quoted.unwrap_or_else(bare)));
    }
}

/// White space as one space each.
pub(super) fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if c != ' ' || !collapsed.ends_with(' ') {
            collapsed.push(c);
        }
    }
    collapsed
}
