//! JSON5 text to a value, with the line and column of what is wrong.
//!
//! Pure; any thread. Nesting is bounded before the recursive parser sees the text, and whole numbers written
//! as `1e4` or `5.0` become integers, as in the program these files come from.
use crate::config::tokens::{Token, tokens};
use crate::parts::{Parts, within};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// Deepest nesting of objects and lists in JSON5; more would overrun its parser's stack.
pub const MAX_DEPTH: usize = 100;

/// Most values in a file: each costs many times its text, and settings are some hundreds.
pub const MAX_VALUES: usize = 100_000;
/// How the message ends that says so.
pub const MANY: &str = " values, and this one is one too many";

/// Why a text is not a configuration.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub message: String,
    /// Where to look, as a byte offset and as line and column, counted from 1.
    pub offset: usize,
    pub at: (usize, usize),
    /// Up to where the parser understood the text.
    pub known: usize,
}

impl Failure {
    fn new(message: String, text: &str, offset: usize, known: usize) -> Failure {
        Failure { message, offset, at: place(text.head(offset)), known }
    }

    /// ` at 3:5`.
    pub fn place(&self) -> String {
        format!(" at {}:{}", self.at.0, self.at.1)
    }
}

/// Parses a whole file.
pub fn json5(text: &str) -> Result<Value, Failure> {
    if let Some((at, message)) = too_much(text) {
        return Err(Failure::new(message, text, at, at));
    }
    let mended = mended(if text.contains('\0') { without_end(text) } else { text });
    let mut value: Value = ::json5::from_str(&mended).map_err(|e| {
        let message = e.code().map_or_else(|| "not a JSON5 value".to_string(), |code| code.to_string());
        // The parser names no place for what is missing at the end.
        let at = e.position().map_or(text.len(), |p| offset_of(text, p.line, p.column));
        match message.as_str() {
            "expected comma" => Failure::new(message, text, comma_place(text, at), at),
            eof if eof.starts_with("EOF") => Failure::new(cut(text, at), text, at, at),
            _ => Failure::new(message, text, at, at),
        }
    })?;
    whole_numbers(&mut value);
    Ok(value)
}

/// The text without what a crash leaves behind the end of a file: zero bytes.
pub fn without_end(text: &str) -> &str {
    text.trim_end_matches(|c: char| c == '\0' || c.is_whitespace())
}

/// Where the escapes begin that are half a character: one of a pair of surrogates without the other.
pub fn halves(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return found;
    }
    for (_, span) in tokens(text).filter(|(token, _)| *token == Token::Text) {
        let quoted = text.part(span.clone());
        let unit = |at: usize| {
            let digits = quoted.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let mut at = 0;
        while let Some(next) = quoted.get(at..).and_then(|rest| rest.find('\\')) {
            at += next;
            at += match unit(at) {
                Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
                Some(0xd800..=0xdfff) => {
                    found.push(span.start + at);
                    6
                }
                // What the backslash protects may be longer than a byte, but is no backslash then.
                _ => 1 + usize::from(quoted.as_bytes().get(at + 1) == Some(&b'\\')),
            };
        }
    }
    found
}

/// The text with U+FFFD for each half of a character; all else stays in its place.
fn mended(text: &str) -> Cow<'_, str> {
    let halves = halves(text);
    if halves.is_empty() {
        return text.into();
    }
    let mut mended = text.to_string();
    halves.into_iter().for_each(|at| mended.replace_range(at..at + 6, "\\ufffd"));
    mended.into()
}

/// The byte at which a line and column of the parser begin, both counted from 0. It knows more line ends than editors do.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let (mut lines, mut columns) = (0, 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if lines == line && columns == column {
            return at;
        }
        match c {
            '\r' if chars.peek().is_some_and(|(_, next)| *next == '\n') => {}
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => (lines, columns) = (lines + 1, 0),
            _ => columns += 1,
        }
    }
    text.len()
}

/// Where the comma is missing: behind what stands before the next name or value, not at that, which may be lines below.
fn comma_place(text: &str, at: usize) -> usize {
    let next = text.get(at..).and_then(|rest| rest.chars().next());
    if !next.is_some_and(|c| c.is_alphanumeric() || "\"'{[-+._$\\".contains(c)) {
        return at;
    }
    // Within a word it is the word that is wrong.
    if !tokens(text).any(|(_, span)| span.start == at) {
        return at;
    }
    let before = tokens(text).take_while(|(_, span)| span.end <= at);
    before.filter(|(token, _)| *token != Token::Comment).last().map_or(at, |(_, span)| span.end)
}

/// How the message of a text that ends too early ends.
pub const CUT: &str = " that begins here is never closed";

/// What to say of a text that ends too early; `at` is mostly where the innermost thing begins that is open.
fn cut(text: &str, at: usize) -> String {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some('{') => format!("the object{CUT}"),
        Some('[') => format!("the list{CUT}"),
        _ => "the file ends too early".to_string(),
    }
}

/// How many values a text holds at most: each begins behind a comma or a bracket, or is the text itself.
pub fn most_values(text: &str) -> usize {
    tokens(text).filter(|(token, _)| matches!(token, Token::Punct(',' | '{' | '['))).count() + 1
}

/// Where a text holds more than is read, and what of: it is looked over before anything is made of it.
fn too_much(text: &str) -> Option<(usize, String)> {
    let (mut depth, mut values) = (0usize, 1usize);
    for (seen, (token, span)) in tokens(text).enumerate() {
        match token {
            Token::Punct('{' | '[') => (depth, values) = (depth + 1, values + 1),
            Token::Punct(',') => values += 1,
            Token::Punct('}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some((span.start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        // A name, a colon and a comma beside each; the rest are comments, or no JSON5.
        if values > MAX_VALUES || seen > 4 * MAX_VALUES {
            return Some((span.start, format!("holds more than {MAX_VALUES}{MANY}")));
        }
    }
    None
}

/// What is looked at of a text to say where it holds too much: no more than what was counted.
pub fn seen<'t>(text: &'t str, failure: &Failure) -> &'t str {
    match is_over(text) {
        true => within(text, failure.offset + 1024),
        false => text,
    }
}

/// Whether a text holds more than is read.
pub fn is_over(text: &str) -> bool {
    too_much(text).is_some()
}

/// Line and column of the end of `before`.
pub fn place(before: &str) -> (usize, usize) {
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let column = before.tail(line_start).chars().count();
    (before.matches('\n').count() + 1, column + 1)
}

/// A whole number written as a fraction becomes an integer.
pub fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            // Beyond 2^53 a float no longer tells neighbouring integers apart.
            let whole = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0);
            if let Some(whole) = whole {
                *number = Number::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// Takes out members that are null: written, but not set.
pub fn drop_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        match value {
            Value::Object(inner) => drop_nulls(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(drop_nulls),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json5_is_read() {
        let text = "\u{feff}// c\n{a: 1, 'b': [0x10, 1e4, 5.0, .5,], /* d */ c: 'x\\\ny',}";
        assert_eq!(json5(text), Ok(json!({"a": 1, "b": [16, 10000, 5, 0.5], "c": "xy"})));
    }

    #[test]
    fn b_half_a_character_damages_that_text_only() {
        for (text, want, at) in [
            (r#"{"e": "a\ud83d", b: 1}"#, "a\u{fffd}", &[8][..]),
            (r#"{e: '\uDE00"\ud83d\ude00', b: 1}"#, "\u{fffd}\"\u{1f600}", &[5]),
            (r#"{e: '\ud83dé\\ud83d', b: 1} // '\ud83d"#, "\u{fffd}é\\ud83d", &[5]),
            (r#"{e: '\ud83d\ud83d', b: 1}"#, "\u{fffd}\u{fffd}", &[5, 11]),
        ] {
            assert_eq!(json5(text), Ok(json!({"e": want, "b": 1})), "{text}");
            assert_eq!(halves(text), at, "{text}");
        }
        assert_eq!(json5("{a: '\\ud83d' b: 1}").unwrap_err().at, (1, 13));
    }

    #[test]
    fn failures_name_line_and_column() {
        for (text, at) in [
            ("", (1, 1)),
            // N-11: at the end of the line on which the comma is missing.
            ("{\n  a: 1\n  b: 2\n}", (2, 7)),
            ("{\r\n  a: 1 // one\r\n\r\n  /* two */ b: 2\r\n}", (2, 7)),
            ("{\n  a: [1, 'x'\n  2]}", (2, 13)),
            ("{\n  a: {\n  }\n  'b': 2}", (3, 4)),
            ("{a: 'é\u{2028}'\n b: 1}", (1, 9)),
            ("{a: 1 b: 2}", (1, 6)),
            ("{a: 1x}", (1, 6)),
            ("{\n  a: 1\n  ]", (3, 3)),
            ("{a: }", (1, 5)),
            ("{a:\r\r!}", (1, 6)),
        ] {
            assert_eq!(json5(text).unwrap_err().at, at, "{text:?}");
        }
        for (text, told) in [
            ("{\n a: {b: 'x", "the object that begins here is never closed at 2:5"),
            ("{a: [1,", "the list that begins here is never closed at 1:5"),
            ("// none\n", "the file ends too early at 2:1"),
        ] {
            let failure = json5(text).unwrap_err();
            assert_eq!(failure.message.clone() + &failure.place(), told, "{text:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(json5(&deep).unwrap_err().at, (1, 101));
    }

    /// T2b-2: a damaged byte costs the text it stands in, not the start.
    #[test]
    fn t2b_2_bytes_that_are_no_utf_8_end_no_start() {
        let dir = crate::config::testing::Dir::new();
        let load = |text: &[u8]| {
            std::fs::write(dir.path("openclaw.json"), text).unwrap();
            let config = crate::config::Config::load(&mut dir.env(&[])).unwrap();
            let told = config.warnings().iter().map(|w| format!("{} {}", config.place(w), w.message));
            (config.clone(), told.collect::<Vec<_>>())
        };
        let is_whole = |config: &crate::config::Config| config.str("ui.assistant.name") == Some("Zed");
        std::fs::write(dir.path("ui.json5"), b"{assistant: {name: 'Zed'}} // f\xfcr").unwrap();
        for (text, line) in [
            (&b"{ui: {assistant: {name: 'Zed'}}\n// f\xfcr\n}"[..], Some("openclaw.json:2:5 ")),
            (b"{ui: {assistant: {name: 'Zed'}}, agents: {defaults: {workspace: '/\xfc'}}}", Some(":1:67 ")),
            (b"{ui: {$include: './ui.json5'}}", Some("ui.json5:1:32 ")),
            (b"{ui: {assistant: {name: 'Zed'}}}\n\0\0\0\n\0", None),
        ] {
            let (config, told) = load(text);
            assert!(is_whole(&config) && config.issues().is_empty(), "{told:?}");
            assert_eq!(told.len(), usize::from(line.is_some()), "{told:?}");
            let is_placed =
                |line: &str| told.iter().all(|told| told.contains(line) && told.contains("no character"));
            assert!(line.is_none_or(is_placed), "{told:?}");
        }
        let fatal = |text: &[u8]| {
            std::fs::write(dir.path("openclaw.json"), text).unwrap();
            crate::config::Config::load(&mut dir.env(&[])).err().map(|e| e.message().to_string())
        };
        for text in [&b"\xff\xfe{\0}\0"[..], b"\0\0\0"] {
            assert!(fatal(text).is_some() || !load(text).0.issues().is_empty());
        }
    }
}
