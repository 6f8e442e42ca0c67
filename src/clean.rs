//! What may not reach a terminal or a script as it is: characters that steer, hide or reorder.
//!
//! Pure text in, text out. `cli/print.rs` puts everything it prints through here, so that no command has to think of it:
//! lines lose such characters, JSON keeps them as `\u` escapes.
use std::borrow::Cow;
use std::fmt::Write;

/// Control characters of both ranges and DEL; what turns the direction of text, what is invisible and joins nothing,
/// and line separators. The joiners U+200C and U+200D and the variation selectors stay: scripts and emoji need them.
pub fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// `text` without what steers a terminal; line breaks and tabs stay.
pub fn clean(text: &str) -> Cow<'_, str> {
    let is_fit = |c: char| matches!(c, '\n' | '\t') || !is_unfit(c);
    if are_plain(text) || text.chars().all(is_fit) {
        text.into()
    } else {
        text.chars().filter(|c| is_fit(*c)).collect()
    }
}

/// The same in one line.
pub fn one_line(text: &str) -> String {
    clean(text).replace(['\n', '\t'], " ")
}

/// JSON text with `\u` escapes for what `clean` takes away; it means the same.
pub fn escape(json: &str) -> Cow<'_, str> {
    // Line breaks are between the values; within them they are escaped already.
    let is_fit = |c: char| c == '\n' || !is_unfit(c);
    if are_plain(json) || json.chars().all(is_fit) {
        return json.into();
    }
    let mut text = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if is_fit(c) {
            text.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text.into()
}

/// Whether a text is of lines of printable ASCII, as most that is long is: told in a fraction of the time.
fn are_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, b| plain & (matches!(b, b' '..=b'~') | (b == b'\n')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_m7_what_steers_is_taken_away_and_scripts_stay() {
        let check = |text: &str, want: &str| assert_eq!(clean(text), want, "{text:?}");
        check("a\u{1b}[31mb\u{7}\r\u{8}", "a[31mb");
        check("a\u{9b}2J\u{7f}\u{85}", "a2J");
        check("x\u{202e}gpj.exe\u{2066}\u{2069}\u{200f}\u{61c}", "xgpj.exe");
        check("\u{feff}in\u{200b}vis\u{2060}i\u{ad}ble\u{e0041}\u{e0001}", "invisible");
        check("a\u{2028}b\u{2029}c", "abc");
        check(
            "می\u{200c}خواهم 👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}\tzeile\n",
            "می\u{200c}خواهم 👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}\tzeile\n",
        );
        assert_eq!(one_line("a\nb\u{1b}"), "a b");
    }

    #[test]
    fn s_m7_json_keeps_them_as_escapes() {
        let value = crate::json::json!({"a\u{9b}": "x\u{7f}\u{202e}\u{e0041}\u{1b}\ny"});
        let text = escape(&format!("{value:#}")).into_owned();
        assert!(text.chars().all(|c| c == '\n' || !is_unfit(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.contains("\\u202e\\udb40\\udc41"), "{text}");
    }
}
