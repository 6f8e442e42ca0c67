//! The one way from JSON text to values: bounded before memory is spent, lenient towards what others wrote.
//!
//! One pass counts values and depth and finds what strict readers stumble over; only such a text is copied and
//! mended. A BOM is skipped, bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD, `10.0` is 10.
//! Pure; runs on any thread. Config files are read by `config::parse`, which keeps places.
use super::{REQUEST_VALUES, words};
use crate::parts::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// Deepest nesting that is read whatever a caller allows: serde_json's own limit, which protects the stack.
const DEEPEST: usize = 127;
/// Whole numbers up to this have one spelling in JavaScript, `10` and `10.0` are the same there (2^53).
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;
/// What stands for half a surrogate pair; as long as its escape.
const MENDED: &[u8; 6] = b"\\ufffd";

/// Why a text was not read.
#[derive(Debug, Clone, PartialEq)]
pub enum Unread {
    /// No JSON; the parser's words with line and column.
    Malformed(String),
    /// More values than the bound, which is given.
    TooMany(usize),
    /// Nested deeper than the bound, which is given.
    TooDeep(usize),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unread::Malformed(why) => f.write_str(&words::plain(why)),
            Unread::TooMany(most) => write!(f, "it holds more than {most} values"),
            Unread::TooDeep(most) => write!(f, "it is nested deeper than {most} levels"),
        }
    }
}

/// Reads a text into a value that holds at most `most_values` values, nested at most `most_depth` deep. A value
/// costs 72 bytes whatever its text, an object with members some 600: the bound times 300 beside the text's own
/// length is what it may cost at the worst.
pub fn read(text: impl AsRef<[u8]>, most_values: usize, most_depth: usize) -> Result<Value, Unread> {
    let (text, has_fractions) = checked(text.as_ref(), most_values, most_depth)?;
    let mut value = parse(&text)?;
    if has_fractions {
        make_whole(&mut value);
    }
    Ok(value)
}

/// Reads a text into a type of ours, under the same bounds as `read`. Members that the type does not name cost
/// nothing. `10.0` stays a fraction here: a type that wants whole numbers says how it takes them.
pub fn read_as<T: DeserializeOwned>(
    text: impl AsRef<[u8]>,
    most_values: usize,
    most_depth: usize,
) -> Result<T, Unread> {
    let (text, _) = checked(text.as_ref(), most_values, most_depth)?;
    parse(&text)
}

/// Reads a text that is to be an object, under the same bounds as `read`.
pub fn read_object(
    text: impl AsRef<[u8]>,
    most_values: usize,
    most_depth: usize,
) -> Result<Map<String, Value>, Unread> {
    match read(text, most_values, most_depth)? {
        Value::Object(map) => Ok(map),
        _ => Err(Unread::Malformed("it is no JSON object".to_string())),
    }
}

/// About how many values a text holds, and never less; costs no memory.
pub fn count(text: &str) -> usize {
    scan(text.as_bytes()).values
}

/// Whether a text holds more values than a request may bring.
pub fn is_crowded(text: &str) -> bool {
    text.len() / 2 > REQUEST_VALUES && count(text) > REQUEST_VALUES
}

/// The text with each half of a surrogate pair made U+FFFD, in its place: a large text is not copied.
pub fn mend(text: String) -> String {
    if next_half(text.as_bytes(), &mut Place::default(), false).is_none() {
        return text;
    }
    let mut bytes = text.into_bytes();
    mend_bytes(&mut bytes);
    // Cannot fail: an escape is ASCII before and after.
    String::from_utf8(bytes).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Unread> {
    serde_json::from_str(text).map_err(|e| Unread::Malformed(e.to_string()))
}

/// The text as strict JSON, if it is within the bounds, and whether it holds numbers with a fraction or exponent.
fn checked(bytes: &[u8], most_values: usize, most_depth: usize) -> Result<(Cow<'_, str>, bool), Unread> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let found = scan(bytes);
    if found.values > most_values {
        return Err(Unread::TooMany(most_values));
    }
    let most_depth = most_depth.min(DEEPEST);
    if found.depth > most_depth {
        return Err(Unread::TooDeep(most_depth));
    }
    if !found.has_halves {
        return Ok((String::from_utf8_lossy(bytes), found.has_fractions));
    }
    let mut bytes = bytes.to_vec();
    mend_bytes(&mut bytes);
    Ok((Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()), found.has_fractions))
}

/// What one pass over a text finds.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// At least as many values as a parser would make.
    values: usize,
    depth: usize,
    has_fractions: bool,
    has_halves: bool,
}

fn scan(bytes: &[u8]) -> Found {
    let mut found = Found { values: 1, ..Found::default() };
    let (mut depth, mut at) = (0usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let mut place = Place { at, in_string: true };
                while let Some(_half) = next_half(bytes, &mut place, true) {
                    found.has_halves = true;
                }
                at = place.at;
            }
            b',' => found.values += 1,
            b'[' | b'{' => {
                found.values += 1;
                depth += 1;
                found.depth = found.depth.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'.' | b'e' | b'E' => found.has_fractions = true,
            // Read as a fraction by the parser: `-0`.
            b'-' if bytes.get(at) == Some(&b'0') => found.has_fractions = true,
            _ => {}
        }
    }
    found
}

/// How far a text was looked through.
#[derive(Default)]
struct Place {
    at: usize,
    in_string: bool,
}

/// Where the backslash of the next half of a surrogate pair stands that has not its other half; `None` when there is
/// none, to the end of this string or of all.
fn next_half(bytes: &[u8], place: &mut Place, of_one_string: bool) -> Option<usize> {
    loop {
        let rest = bytes.tail(place.at.min(bytes.len()));
        if !place.in_string {
            place.at += memchr::memchr(b'"', rest)? + 1;
            place.in_string = true;
            continue;
        }
        let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
            place.at = bytes.len();
            return None;
        };
        let at = place.at + found;
        if bytes.get(at) == Some(&b'"') {
            *place = Place { at: at + 1, in_string: false };
            if of_one_string {
                return None;
            }
            continue;
        }
        match escape(bytes, at) {
            Some(0xD800..=0xDBFF) if matches!(escape(bytes, at + 6), Some(0xDC00..=0xDFFF)) => {
                place.at = at + 12
            }
            Some(0xD800..=0xDFFF) => {
                place.at = at + 6;
                return Some(at);
            }
            _ => place.at = at + 2,
        }
    }
}

/// The number of the `\uXXXX` that begins at `at`.
fn escape(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

fn mend_bytes(bytes: &mut [u8]) {
    let mut place = Place::default();
    while let Some(from) = next_half(bytes, &mut place, false) {
        if let Some(half) = bytes.get_mut(from..from + MENDED.len()) {
            half.copy_from_slice(MENDED);
        }
    }
}

/// `10.0` and `1e3` become whole numbers, as a JavaScript would write them.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= LARGEST_WHOLE) {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(members) => members.values_mut().for_each(make_whole),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(text: impl AsRef<[u8]>) -> Value {
        read(text, 100, 10).unwrap()
    }

    #[test]
    fn halves_bad_bytes_and_a_bom_are_taken() {
        assert_eq!(one(r#"{"a":"cat \ud83d"}"#), json!({"a": "cat \u{fffd}"}));
        assert_eq!(one(r#"["\ude00!","\ud83d\ud83d\ude00"]"#), json!(["\u{fffd}!", "\u{fffd}😀"]));
        assert_eq!(one(r#"{"\ud83d":"\\ud83d \"\ud83d\""}"#), json!({"\u{fffd}": "\\ud83d \"\u{fffd}\""}));
        assert_eq!(one(b"{\"a\":\"x\xF0\x9F y\"}"), json!({"a": "x\u{fffd} y"}));
        assert_eq!(one("\u{feff}[1]"), json!([1]));
        assert_eq!(one(r#""\u00e9\u20AC""#), json!("é€"));
    }

    #[test]
    fn a_text_is_mended_in_its_place() {
        for (text, mended) in [
            (r#"{"a":"\ud83d!"}"#, r#"{"a":"\ufffd!"}"#),
            (r#"["\ud83d\ude00","\ude00","\\ud83d"]"#, r#"["\ud83d\ude00","\ufffd","\\ud83d"]"#),
            (r#"["é"]"#, r#"["é"]"#),
            (r#"["\ud8"#, r#"["\ud8"#),
        ] {
            assert_eq!(mend(text.to_string()), mended);
        }
    }

    #[test]
    fn whole_numbers_are_whole_however_they_were_spelt() {
        assert_eq!(one("[10.0,1e3,0.5,-2.0,1.5e30,-0]").to_string(), "[10,1000,0.5,-2,1.5e+30,0]");
        assert_eq!(one(r#"{"a":"10.0"}"#), json!({"a": "10.0"}));
    }

    #[test]
    fn bounds_hold_before_values_are_made() {
        assert_eq!(read("[0,0,0]", 3, 9), Err(Unread::TooMany(3)));
        assert_eq!(read("[[[0]]]", 9, 2), Err(Unread::TooDeep(2)));
        assert!(read(r#"["[[[,,,","\",[["]"#, 3, 1).is_ok());
        assert_eq!(read("[".repeat(500), 10_000, 10_000), Err(Unread::TooDeep(DEEPEST)));
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for text in ["", "{", "[1,]", "\"a", "{\"a\":\"\\u12\"}", "nul", "\"\\"] {
            match read(text, 100, 10) {
                Err(Unread::Malformed(why)) => assert!(why.contains("line 1 column"), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn types_of_ours_are_read_leniently_too() {
        let pair: (String, u8) = read_as(b"[\"\\ud83d\xFF\",7]", 9, 2).unwrap();
        assert_eq!(pair, ("\u{fffd}\u{fffd}".to_string(), 7));
    }
}
