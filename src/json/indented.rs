//! Compact JSON with line breaks and indents, as a value prints with `{:#}`: for our own texts that are long and only shown,
//! since to take one apart into values and those away again takes most of the time.
//!
//! Pure; runs on any thread. Judges nothing: what is no JSON comes out as some other text.
use crate::parts::Parts;

/// Appends `text`, which holds no spaces but those in its strings, as it stands at this depth.
pub fn put(text: &str, depth: usize, into: &mut String) {
    into.reserve(text.len() * 2);
    // What is not appended yet begins at `from`; `opened` is right behind the mark that begins an object or a list.
    let (mut depth, mut from, mut opened, mut quoted, mut escaped) = (depth, 0, false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        depth -= usize::from(closes && depth > 0);
        // An empty one stays in its line.
        if opened != closes {
            into.push_str(text.part(from..at));
            line(depth, into);
            from = at;
        }
        opened = matches!(byte, b'{' | b'[');
        depth += usize::from(opened);
        quoted = byte == b'"';
        if matches!(byte, b',' | b':') {
            into.push_str(text.part(from..at + 1));
            from = at + 1;
            if byte == b',' { line(depth, into) } else { into.push(' ') }
        }
    }
    into.push_str(text.tail(from));
}

fn line(depth: usize, into: &mut String) {
    into.push('\n');
    (0..depth).for_each(|_| into.push_str("  "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_as_a_value_prints() {
        for text in [
            r#"{"a":[],"b":{},"c":[1,-2.5,[[]],{"d":null}],"e":"x, {\"y\": [\\"}"#,
            r#"[{"\\":"\\\""},"",[true],false]"#,
            "7",
            r#""a:b,c""#,
            "{}",
        ] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let mut put_text = String::new();
            put(text, 0, &mut put_text);
            assert_eq!(put_text, format!("{value:#}"), "{text}");
            let mut deeper = String::from("{\n  \"x\": ");
            put(text, 1, &mut deeper);
            assert_eq!(deeper + "\n}", format!("{:#}", serde_json::json!({"x": value})));
        }
    }

    #[test]
    fn what_is_no_json_ends_too() {
        for text in ["", "}}]", "\"", "\"\\", "ä:ö,ü{"] {
            let mut out = String::new();
            put(text, 0, &mut out);
            assert_eq!(
                out.split_whitespace().collect::<String>(),
                text.split_whitespace().collect::<String>()
            );
        }
    }
}
