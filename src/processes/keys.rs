//! Keys by their names, as terminals send them: `Enter`, `C-c`, `M-x`, `^d`, `Up`, `F5`. Pure.

/// Names and bytes; letters of a name in any case.
const KEYS: &[(&str, &str)] = &[
    ("enter", "\r"),
    ("return", "\r"),
    ("tab", "\t"),
    ("escape", "\x1b"),
    ("esc", "\x1b"),
    ("space", " "),
    ("bspace", "\x7f"),
    ("backspace", "\x7f"),
    ("up", "\x1b[A"),
    ("down", "\x1b[B"),
    ("right", "\x1b[C"),
    ("left", "\x1b[D"),
    ("home", "\x1b[1~"),
    ("end", "\x1b[4~"),
    ("insert", "\x1b[2~"),
    ("ic", "\x1b[2~"),
    ("delete", "\x1b[3~"),
    ("dc", "\x1b[3~"),
    ("del", "\x1b[3~"),
    ("pageup", "\x1b[5~"),
    ("pgup", "\x1b[5~"),
    ("ppage", "\x1b[5~"),
    ("pagedown", "\x1b[6~"),
    ("pgdn", "\x1b[6~"),
    ("npage", "\x1b[6~"),
    ("btab", "\x1b[Z"),
    ("f1", "\x1bOP"),
    ("f2", "\x1bOQ"),
    ("f3", "\x1bOR"),
    ("f4", "\x1bOS"),
    ("f5", "\x1b[15~"),
    ("f6", "\x1b[17~"),
    ("f7", "\x1b[18~"),
    ("f8", "\x1b[19~"),
    ("f9", "\x1b[20~"),
    ("f10", "\x1b[21~"),
    ("f11", "\x1b[23~"),
    ("f12", "\x1b[24~"),
    ("kp/", "\x1bOo"),
    ("kp*", "\x1bOj"),
    ("kp-", "\x1bOm"),
    ("kp+", "\x1bOk"),
    ("kp.", "\x1bOn"),
    ("kpenter", "\x1bOM"),
    ("kp0", "\x1bOp"),
    ("kp1", "\x1bOq"),
    ("kp2", "\x1bOr"),
    ("kp3", "\x1bOs"),
    ("kp4", "\x1bOt"),
    ("kp5", "\x1bOu"),
    ("kp6", "\x1bOv"),
    ("kp7", "\x1bOw"),
    ("kp8", "\x1bOx"),
    ("kp9", "\x1bOy"),
];

/// What a key sends; `None` for a name that is none, which is sent as it is written.
pub fn bytes(token: &str) -> Option<Vec<u8>> {
    if let Some(found) = plain(token) {
        return Some(found.as_bytes().to_vec());
    }
    if let Some(letter) = token.strip_prefix('^') {
        return control(letter);
    }
    let (modifier, rest) = token.split_at_checked(2)?;
    match modifier.to_ascii_lowercase().as_str() {
        "c-" => control(rest).or_else(|| modified(rest, 5)),
        "m-" => match one(rest) {
            Some(c) => Some(format!("\x1b{c}").into_bytes()),
            None => modified(rest, 3).or_else(|| Some([b"\x1b".to_vec(), bytes(rest)?].concat())),
        },
        "s-" => match rest.to_ascii_lowercase().as_str() {
            "tab" => Some(b"\x1b[Z".to_vec()),
            _ => modified(rest, 2).or_else(|| Some(one(rest)?.to_uppercase().to_string().into_bytes())),
        },
        _ => None,
    }
}

fn plain(token: &str) -> Option<&'static str> {
    KEYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(token)).map(|(_, bytes)| *bytes)
}

fn one(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

fn control(letter: &str) -> Option<Vec<u8>> {
    match one(letter)? {
        '?' => Some(vec![0x7f]),
        ' ' => Some(vec![0]),
        c if ('@'..='_').contains(&c.to_ascii_uppercase()) => Some(vec![c.to_ascii_uppercase() as u8 & 0x1f]),
        _ => None,
    }
}

/// Arrows and their like with a modifier, as xterm sends them.
fn modified(name: &str, modifier: u8) -> Option<Vec<u8>> {
    let sequence = plain(name)?;
    let (last, rest) = (sequence.chars().last()?, sequence.strip_prefix("\x1b[")?);
    let number = rest.trim_end_matches(last);
    let number = if number.is_empty() { "1" } else { number };
    Some(format!("\x1b[{number};{modifier}{last}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_terminals_send() {
        for (token, want) in [
            ("Enter", "\r"),
            ("C-c", "\x03"),
            ("c-C", "\x03"),
            ("^d", "\x04"),
            ("C-[", "\x1b"),
            ("M-x", "\x1bx"),
            ("S-Tab", "\x1b[Z"),
            ("Up", "\x1b[A"),
            ("C-Up", "\x1b[1;5A"),
            ("S-F5", "\x1b[15;2~"),
            ("M-Enter", "\x1b\r"),
            ("PageDown", "\x1b[6~"),
        ] {
            assert_eq!(bytes(token).unwrap(), want.as_bytes(), "{token}");
        }
        for token in ["", "hello", "C-", "X-a", "é", "C-é", "^"] {
            assert_eq!(bytes(token), None, "{token}");
        }
    }
}
