//! Keys by their names: what the browser is told of one that is pressed. Pure.
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::Value;

/// Name, code of the key, its number, the text it types.
const KEYS: &[(&str, &str, u32, &str)] = &[
    ("Enter", "Enter", 13, "\r"),
    ("Tab", "Tab", 9, ""),
    ("Escape", "Escape", 27, ""),
    ("Backspace", "Backspace", 8, ""),
    ("Delete", "Delete", 46, ""),
    ("Insert", "Insert", 45, ""),
    ("Space", "Space", 32, " "),
    ("ArrowLeft", "ArrowLeft", 37, ""),
    ("ArrowUp", "ArrowUp", 38, ""),
    ("ArrowRight", "ArrowRight", 39, ""),
    ("ArrowDown", "ArrowDown", 40, ""),
    ("Home", "Home", 36, ""),
    ("End", "End", 35, ""),
    ("PageUp", "PageUp", 33, ""),
    ("PageDown", "PageDown", 34, ""),
    ("Shift", "ShiftLeft", 16, ""),
    ("Control", "ControlLeft", 17, ""),
    ("Alt", "AltLeft", 18, ""),
    ("Meta", "MetaLeft", 91, ""),
    ("ContextMenu", "ContextMenu", 93, ""),
];
/// Names that other programs have for them.
const OTHERS: &[(&str, &str)] = &[
    ("Return", "Enter"),
    ("Esc", "Escape"),
    ("Del", "Delete"),
    ("Left", "ArrowLeft"),
    ("Right", "ArrowRight"),
    ("Up", "ArrowUp"),
    ("Down", "ArrowDown"),
    ("Ctrl", "Control"),
    ("ControlOrMeta", "Control"),
    ("Cmd", "Meta"),
    ("Command", "Meta"),
    ("Option", "Alt"),
    (" ", "Space"),
];
const HELD: &[(&str, u64)] = &[("Alt", 1), ("Control", 2), ("Meta", 4), ("Shift", 8)];
/// What the browser does in a field on a key that the system would have turned into a command.
const COMMANDS: &[(&str, &str)] =
    &[("a", "selectAll"), ("c", "copy"), ("v", "paste"), ("x", "cut"), ("z", "undo"), ("y", "redo")];

/// The events of one key, with those that are held beside it: `Control+A`.
pub fn events(named: &str) -> Result<Vec<Value>> {
    let mut parts: Vec<&str> = named.split('+').collect();
    // The plus itself.
    if named.ends_with('+') {
        parts.truncate(parts.len().saturating_sub(2));
        parts.push("+");
    }
    let Some((key, held)) = parts.split_last() else { return Err(unknown(named)) };
    let mut bits = 0;
    for name in held {
        bits |= self::held(name).ok_or_else(|| unknown(named))?;
    }
    let (key, code, number, text) = described(ours(key)).ok_or_else(|| unknown(named))?;
    let types = !text.is_empty() && bits & 7 == 0;
    let mut down = json!({
        "type": (if types { "keyDown" } else { "rawKeyDown" }), "key": key, "code": code, "windowsVirtualKeyCode": number,
        "modifiers": bits,
    });
    if let Some(down) = down.as_object_mut() {
        if types {
            down.put("text", text);
        }
        let command = COMMANDS.iter().find(|(letter, _)| bits & 6 != 0 && letter.eq_ignore_ascii_case(&key));
        command.into_iter().for_each(|(_, command)| down.put("commands", vec![*command]));
    }
    let up = json!({"type": "keyUp", "key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": bits});
    Ok(vec![down, up])
}

/// The bit of a key that is held beside others or the mouse.
pub fn held(name: &str) -> Option<u64> {
    let name = ours(name);
    HELD.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, bit)| *bit)
}

fn ours(name: &str) -> &str {
    OTHERS.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map_or(name, |(_, ours)| ours)
}

/// Key, code, number and text of a named key or of a character.
fn described(name: &str) -> Option<(String, String, u32, String)> {
    if let Some((key, code, number, text)) = KEYS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))
    {
        let key = if *key == "Space" { " " } else { key };
        return Some((key.into(), (*code).into(), *number, (*text).into()));
    }
    if let Some(n) =
        name.strip_prefix(['F', 'f']).and_then(|n| n.parse::<u32>().ok()).filter(|n| (1..=24).contains(n))
    {
        return Some((format!("F{n}"), format!("F{n}"), 111 + n, String::new()));
    }
    let mut all = name.chars();
    let (letter, None) = (all.next()?, all.next()) else { return None };
    let upper = letter.to_ascii_uppercase();
    let (code, number) = match letter {
        'a'..='z' | 'A'..='Z' => (format!("Key{upper}"), u32::from(upper)),
        '0'..='9' => (format!("Digit{letter}"), u32::from(letter)),
        _ => (String::new(), 0),
    };
    Some((letter.to_string(), code, number, letter.to_string()))
}

fn unknown(named: &str) -> Error {
    Error::invalid(format!(
        "Unknown key: {named:?}; use a character, Enter, Tab, Escape, ArrowDown, F5 or Control+A"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_numbers_and_texts() {
        for (named, key, code, number, text, bits) in [
            ("Enter", "Enter", "Enter", 13, Some("\r"), 0),
            ("a", "a", "KeyA", 65, Some("a"), 0),
            ("Shift+A", "A", "KeyA", 65, Some("A"), 8),
            ("Ctrl+a", "a", "KeyA", 65, None, 2),
            ("F5", "F5", "F5", 116, None, 0),
            ("down", "ArrowDown", "ArrowDown", 40, None, 0),
            ("+", "+", "", 0, Some("+"), 0),
            ("Control++", "+", "", 0, None, 2),
            ("é", "é", "", 0, Some("é"), 0),
        ] {
            let down = &events(named).unwrap()[0];
            assert_eq!((down["key"].as_str(), down["code"].as_str()), (Some(key), Some(code)), "{named}");
            assert_eq!(down["windowsVirtualKeyCode"], number, "{named}");
            assert_eq!(
                (down.get("text").and_then(Value::as_str), &down["modifiers"]),
                (text, &json!(bits)),
                "{named}"
            );
        }
        for wrong in ["", "Hyper+a", "Enterr"] {
            assert!(events(wrong).is_err(), "{wrong}");
        }
    }
}
