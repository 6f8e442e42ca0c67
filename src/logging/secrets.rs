//! Keeping secrets and tricks out of log lines (R-22b, SEC-24, SEC-25). Pure.
use crate::config::is_secret_name;

/// Shorter secrets are not replaced in text: they would hit ordinary words.
const MIN_SECRET: usize = 6;
/// Longest part of a client's string that is shown, bytes.
const MAX_SHOWN: usize = 200;
const MAX_SECRETS: usize = 1000;
const HIDDEN: &str = "***";

pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    pub const EMPTY: Redactor = Redactor { secrets: Vec::new() };

    /// Hides these too. Of more than a thousand the shortest are forgotten.
    pub fn add(&mut self, secrets: Vec<String>) {
        let is_new = |s: &String| s.len() >= MIN_SECRET && !self.secrets.contains(s);
        let fresh: Vec<String> = secrets.into_iter().filter(is_new).collect();
        self.secrets.splice(0..0, fresh);
        self.secrets.truncate(MAX_SECRETS);
        // Longest first, so that a secret that contains another disappears whole.
        crate::order::by_key(&mut self.secrets, |s| std::cmp::Reverse(s.len()));
        self.secrets.dedup();
    }

    /// The line without known secrets, without what follows `Bearer`, looks like a bot token or is a secret in an
    /// address's query, and without line breaks.
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.replace(['\n', '\r'], " ");
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        let text = hide_after(&text, "Bearer ", |c| !c.is_whitespace());
        hide_queries(&hide_after(&text, "/bot", |c| c != '/' && !c.is_whitespace()))
    }
}

/// Hides the values of addresses' queries whose names say that they are secret: `?token=x&v=1` is `?token=***&v=1`.
fn hide_queries(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', '&', '#']) {
        let (before, pair) = rest.split_at_checked(at + 1).unwrap_or((rest, ""));
        out.push_str(before);
        let end = pair.find(|c: char| c.is_whitespace() || "?&#\"'<>`,;)".contains(c)).unwrap_or(pair.len());
        let (pair, tail) = pair.split_at_checked(end).unwrap_or((pair, ""));
        match pair.split_once('=') {
            Some((name, value)) if !value.is_empty() && is_secret_name(name) => {
                out.extend([name, "=", HIDDEN]);
            }
            _ => out.push_str(pair),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Replaces what follows each `marker` as long as `belongs` holds, if it is long enough to be a secret.
fn hide_after(text: &str, marker: &str, belongs: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(marker) {
        out.push_str(before);
        out.push_str(marker);
        let end = after.find(|c| !belongs(c)).unwrap_or(after.len());
        let (value, tail) = after.split_at(end);
        out.push_str(if value.len() >= 16 { HIDDEN } else { value });
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// A string that a client chose, for a log line: quoted, at most 200 bytes, control, format and
/// direction-changing characters escaped.
pub fn quoted(text: &str) -> String {
    let cut = crate::parts::within(text, MAX_SHOWN);
    let mut out = String::from("\"");
    for c in cut.chars() {
        let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if invisible || crate::clean::is_unfit(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    if cut.len() < text.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_disappear() {
        let mut redactor = Redactor::EMPTY;
        redactor.add(vec!["hunter2".into()]);
        redactor.add(vec!["hunter2-long".into(), "short".into(), "hunter2".into()]);
        for (text, want) in [
            ("token hunter2-long used", "token *** used"),
            ("a hunter2 b short", "a *** b short"),
            ("Authorization: Bearer abcdefghijklmnopqr x", "Authorization: Bearer *** x"),
            ("https://api/bot123456:ABCDEFGHIJKLMNOP/send", "https://api/bot***/send"),
            // S-L5
            ("at wss://h/x?token=abc&v=1, twice", "at wss://h/x?token=***&v=1, twice"),
            ("\"http://h/?a=1&api_key=abc#x\"", "\"http://h/?a=1&api_key=***#x\""),
            ("http://h/#password=abc what? a=b & token", "http://h/#password=*** what? a=b & token"),
            ("two\nlines", "two lines"),
            ("/bottle", "/bottle"),
        ] {
            assert_eq!(redactor.clean(text), want);
        }
    }

    #[test]
    fn sec_24_client_strings_cannot_forge_lines() {
        for (text, want) in [
            ("a\u{1b}[2J", "\"a\\u{1b}[2J\""),
            ("x\r\ny", "\"x\\u{d}\\u{a}y\""),
            ("\u{202e}z", "\"\\u{202e}z\""),
            ("q\"", "\"q\\\"\""),
        ] {
            assert_eq!(quoted(text), want);
        }
        assert!(quoted(&"é".repeat(1000)).len() < 220);
    }
}
