//! JSON as models and their servers write it: mended where strict readers stumble, read under the same bounds.
//!
//! Only a text that strict readers refuse is copied: raw control characters in strings are escaped, a backslash that
//! escapes nothing is one, and numbers that JSON has no word for, or that are larger than numbers get, are null, as
//! JavaScript writes them. Pure; runs on any thread. What clients send is not read so; transcripts and indexes are.
use super::read::{Unread, read};
use crate::parts::Parts;
use serde_json::Value;

/// What JSON has no word for.
const WORDS: [&[u8]; 4] = [b"NaN", b"Infinity", b"-Infinity", b"undefined"];

/// Like `read`, of a text that may break the rules of strings and numbers.
pub fn read_loose(text: impl AsRef<[u8]>, most_values: usize, most_depth: usize) -> Result<Value, Unread> {
    loosely(text.as_ref(), |text| read(text, most_values, most_depth))
}

/// What `read` makes of a text, or of the mended one where it makes nothing of that.
pub fn loosely<T>(text: &[u8], read: impl Fn(&[u8]) -> Result<T, Unread>) -> Result<T, Unread> {
    match read(text) {
        Err(Unread::Malformed(why)) => match mended(text) {
            Some(mended) => read(&mended),
            None => Err(Unread::Malformed(why)),
        },
        other => other,
    }
}

/// Whether a text is JSON from its first byte to its last, as it is or once it is mended. Nothing is kept of it.
pub fn is_whole(text: &[u8]) -> bool {
    let is_json = |text: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    is_json(text) || mended(text).is_some_and(|mended| is_json(&mended))
}

/// Where a text stands that begins as JSON and comes in pieces: inside a string, inside an object or list, or outside.
#[derive(Debug, Default)]
pub struct Standing {
    is_in_string: bool,
    is_escaped: bool,
    depth: usize,
}

impl Standing {
    pub fn push(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                // What is escaped may be a quote.
                _ if std::mem::take(&mut self.is_escaped) => {}
                b'\\' => self.is_escaped = self.is_in_string,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    pub fn is_in_string(&self) -> bool {
        self.is_in_string
    }

    pub fn is_open(&self) -> bool {
        self.is_in_string || self.depth > 0
    }
}

/// The text with what can be mended mended; `None` where there is nothing to mend.
fn mended(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut at, mut is_inside, mut is_changed) =
        (Vec::with_capacity(text.len() + 16), 0, false, false);
    while let Some(&byte) = text.get(at) {
        at += 1;
        let word = || WORDS.iter().find(|word| text.get(at - 1..).is_some_and(|rest| rest.starts_with(word)));
        match byte {
            b'"' => is_inside = !is_inside,
            b'\\' if is_inside => {
                out.push(b'\\');
                let escaped = text.get(at).copied().unwrap_or(b'\\');
                if is_escape(text.tail(at)) {
                    at += 1;
                    out.push(escaped);
                } else {
                    out.push(b'\\');
                    is_changed = true;
                }
                continue;
            }
            ..b' ' if is_inside => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                is_changed = true;
                continue;
            }
            b'N' | b'I' | b'-' | b'u' | b'0'..=b'9' if !is_inside => {
                let (len, is_known) = match word() {
                    Some(word) => (word.len(), false),
                    None => number(text.tail(at - 1)),
                };
                out.extend_from_slice(if is_known { text.part(at - 1..at - 1 + len) } else { b"null" });
                at += len - 1;
                is_changed |= !is_known;
                continue;
            }
            _ => {}
        }
        out.push(byte);
    }
    is_changed.then_some(out)
}

/// How long the number is that a text begins with, one byte at least, and whether there is such a number.
fn number(text: &[u8]) -> (usize, bool) {
    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let len = text.iter().take_while(is_part).count();
    let written = std::str::from_utf8(text.head(len)).unwrap_or_default();
    (len.max(1), !written.parse::<f64>().is_ok_and(f64::is_infinite))
}

/// Whether what stands behind a backslash makes an escape with it.
fn is_escape(after: &[u8]) -> bool {
    match after.first() {
        Some(b'u') => after.get(1..5).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        Some(byte) => b"\"\\/bfnrt".contains(byte),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn b_f09_what_strict_readers_refuse_is_mended() {
        let one = |text: &str| read_loose(text, 100, 10).unwrap();
        assert_eq!(one("{\"a\":\"x\ty\nz\u{1}\"}"), json!({"a": "x\ty\nz\u{1}"}));
        assert_eq!(one(r#"[NaN,Infinity,-Infinity,undefined,-1,"NaN \" -Infinity"]"#), {
            json!([null, null, null, null, -1, "NaN \" -Infinity"])
        });
        assert_eq!(one(r#"["C:\dir","\u12","\\","\""]"#), json!(["C:\\dir", "\\u12", "\\", "\""]));
        for bad in ["{\"a\":", "\"x\n", "[1,]", "NaNa", "\"\\"] {
            assert!(matches!(read_loose(bad, 100, 10), Err(Unread::Malformed(_))), "{bad}");
        }
        assert_eq!(one(r#"{"a":1e400,"b":[-1e999,12.5,-0,1E3],"c":"1e400"}"#), {
            json!({"a": null, "b": [null, 12.5, 0, 1000], "c": "1e400"})
        });
        assert_eq!(one(&format!("[{},1]", "9".repeat(400))), json!([null, 1]));
        assert!(is_whole(br#"{"a":NaN,"b":1e400}"#) && !is_whole(br#"{"a":NaN"#) && !is_whole(b"{\"a\":1e4"));
        assert_eq!(read_loose("[NaN,0,0]", 3, 9), Err(Unread::TooMany(3)));
    }

    #[test]
    fn b_f09_an_open_string_is_seen() {
        for (text, want) in [
            ("{\"a\":\"b", (true, true)),
            (r#"{"a":"\""#, (true, true)),
            (r#"{"a":"\\""#, (false, true)),
            (r#"{"a":["}"]"#, (false, true)),
            ("{}", (false, false)),
        ] {
            let mut standing = Standing::default();
            text.as_bytes().chunks(1).for_each(|piece| standing.push(piece));
            assert_eq!((standing.is_in_string(), standing.is_open()), want, "{text}");
        }
    }
}
