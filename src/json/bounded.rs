//! Values as text of a bounded length: what is too long is never made.
//!
//! Pure; runs on any thread.
use crate::parts::first;
use serde_json::Value;
use std::io::{Error, ErrorKind, Write};

/// Takes bytes up to a bound and then no more.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        let room = self.most.saturating_sub(self.bytes.len());
        if room == 0 && !part.is_empty() {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        let part = first(part, room);
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The value as compact JSON, at most `most` bytes of it, and whether that is all of it.
pub fn bounded(value: &Value, most: usize) -> (String, bool) {
    let mut out = Bounded { bytes: Vec::new(), most };
    let is_whole = serde_json::to_writer(&mut out, value).is_ok();
    let text = match String::from_utf8(out.bytes) {
        Ok(text) => text,
        // Cut within a character.
        Err(e) => {
            let valid = e.utf8_error().valid_up_to();
            let mut bytes = e.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).unwrap_or_default()
        }
    };
    (text, is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_more_is_made_than_is_wanted() {
        let value = json!({"a": [1, "é"]});
        assert_eq!(bounded(&value, 100), (r#"{"a":[1,"é"]}"#.to_string(), true));
        assert_eq!(bounded(&value, 14), (r#"{"a":[1,"é"]}"#.to_string(), true));
        assert_eq!(bounded(&value, 10), (r#"{"a":[1,""#.to_string(), false));
        assert_eq!(bounded(&value, 0), (String::new(), false));
    }
}
