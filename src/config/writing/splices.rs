//! Pieces of a config's text that are put in place of others: members set, added and removed, all else byte for byte.
//!
//! Pure. Places are those of the text before; however many pieces there are, they are put in at once.
use crate::config::members::{Member, Object};
use serde_json::Value;
use std::fmt::{self, Write};
use std::ops::Range;

/// This text in the place of those bytes.
pub type Splice = (Range<usize>, String);

/// The text with all of them, which may overlap only where they take away.
pub fn apply(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    crate::order::by_key(&mut splices, |(range, _)| (range.start, range.end));
    let added: usize = splices.iter().map(|(_, new)| new.len()).sum();
    let (mut out, mut done) = (String::with_capacity(text.len() + added), 0);
    for (range, new) in &splices {
        out += text.get(done..range.start.max(done))?;
        out += new;
        done = done.max(range.end);
    }
    out += text.get(done..)?;
    Some(out)
}

/// Takes members away, each with its comma, and with its lines when nothing else stands on them.
pub fn remove(text: &str, object: &Object, gone: &[usize]) -> Option<Vec<Splice>> {
    let mut splices = gone.iter().map(|at| removed(text, object, *at)).collect::<Option<Vec<Splice>>>()?;
    // Without a comma of its own one was the last: the comma before it goes, so that strict JSON stays such.
    let is_last_gone = gone.iter().any(|at| *at + 1 == object.members.len());
    let left = || (0..object.members.len()).rev().find(|at| !gone.contains(at));
    if is_last_gone
        && object.members.last()?.comma.is_none()
        && let Some(at) = left()
        && let Some(comma) = object.members.get(at).and_then(|member| member.comma)
    {
        let blanks = text.get(comma + 1..)?;
        let behind = comma + 1 + (blanks.len() - blanks.trim_start_matches([' ', '\t']).len());
        let is_next = object.members.get(at + 1).is_some_and(|next| next.name_start == behind);
        splices.push((comma..if is_next { behind } else { comma + 1 }, String::new()));
    }
    Some(splices)
}

fn removed(text: &str, object: &Object, at: usize) -> Option<Splice> {
    let member = object.members.get(at)?;
    let end = member.comma.map_or(member.value.end, |comma| comma + 1);
    let line = text.get(..member.name_start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let begins_line = text.get(line..member.name_start)?.trim().is_empty();
    let after = text.get(end..)?;
    let rest_of_line = after.get(..after.find('\n').map_or(after.len(), |newline| newline + 1))?;
    let blanks = |s: &str| s.len() - s.trim_start_matches([' ', '\t']).len();
    let range = if begins_line && line > object.open && rest_of_line.trim().is_empty() {
        line..end + rest_of_line.len()
    } else if member.comma.is_some() || begins_line {
        member.name_start..end + blanks(after)
    } else {
        let before = text.get(..member.name_start)?;
        before.trim_end_matches([' ', '\t']).len()..end
    };
    Some((range, String::new()))
}

pub fn replace(text: &str, member: &Member, value: &Value) -> Option<Splice> {
    let mut new = String::new();
    write_value(&mut new, value, indent_of(text, member.name_start)?);
    Some((member.value.clone(), new))
}

/// Adds members at the end of `object`, in the style of those around them; items of a list have no name.
pub fn insert(text: &str, object: &Object, new: &[(&str, &Value)]) -> Option<Vec<Splice>> {
    let close_line = text.get(..object.close)?.rfind('\n').map_or(0, |at| at + 1);
    let closes_own_line = text.get(close_line..object.close)?.trim().is_empty() && close_line > object.open;
    let base = indent_of(text, object.close)?;
    let named = |name: &str, bare: bool| match (object.is_list, bare && is_identifier(name)) {
        (true, _) => String::new(),
        (false, true) => format!("{name}: "),
        (false, false) => format!("{name:?}: "),
    };
    let lines = |before: &str, inner: &str, bare: bool, behind: &str| {
        let mut lines = before.to_string();
        for (at, (name, value)) in new.iter().enumerate() {
            lines += if at > 0 { ",\n" } else { "" };
            lines += inner;
            lines += &named(name, bare);
            write_value(&mut lines, value, inner);
        }
        lines + behind
    };
    let put = |at: usize, text: String| (at..at, text);
    let Some(last) = object.members.last() else {
        let inner = format!("{base}  ");
        return Some(vec![match closes_own_line {
            true => put(close_line, lines("", &inner, false, "\n")),
            false => put(object.close, lines("\n", &inner, false, &format!("\n{base}"))),
        }]);
    };
    if closes_own_line {
        let (comma, own_comma) = if last.comma.is_some() { ("", ",\n") } else { (",", "\n") };
        let inner = indent_of(text, last.name_start)?;
        let members = lines("", inner, last.is_bare, own_comma);
        return Some(vec![put(last.value.end, comma.to_string()), put(close_line, members)]);
    }
    let (at, comma) = last.comma.map_or((last.value.end, ","), |comma| (comma + 1, ""));
    let mut members = comma.to_string();
    for (nth, (name, value)) in new.iter().enumerate() {
        members += if nth > 0 { ", " } else { " " };
        members += &named(name, last.is_bare);
        // A text takes whatever is written.
        let _ = write!(members, "{value}");
    }
    Some(vec![put(at, members)])
}

/// `value` as text whose lines after the first are indented like the place it goes to.
fn write_value(text: &mut String, value: &Value, indent: &str) {
    // A text takes whatever is written.
    let _ = write!(Indented { text, indent }, "{value:#}");
}

/// Writes on in a text, with blanks behind each line end.
struct Indented<'a> {
    text: &'a mut String,
    indent: &'a str,
}

impl fmt::Write for Indented<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for (at, line) in piece.split('\n').enumerate() {
            if at > 0 {
                self.text.push('\n');
                self.text.push_str(self.indent);
            }
            self.text.push_str(line);
        }
        Ok(())
    }
}

/// The blanks at the start of the line that holds `at`.
fn indent_of(text: &str, at: usize) -> Option<&str> {
    let line = text.get(text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1)..)?;
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len())
}

fn is_identifier(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}
