//! Paths as people write them, `agents.list[0].id`: into the names they go through.
//!
//! Pure; any thread. Dots separate names; `[n]` and `[name]` hold one whole name, dots included; a backslash takes
//! the character after it as it is.
use crate::error::{Error, Result};

/// The names of a path; at least one.
pub fn parse(text: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut name = String::new();
    // After a bracket a name has ended; a dot or another bracket may follow.
    let mut closed = false;
    let mut chars = text.trim().chars();
    let wrong = |what: &str| Error::usage(format!("path {text:?} {what}; write it as in agents.list[0].id"));
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.extend(chars.next()),
            '.' => {
                if name.is_empty() && !std::mem::take(&mut closed) {
                    return Err(wrong("has an empty name"));
                }
                if !name.is_empty() {
                    names.push(std::mem::take(&mut name));
                }
                closed = false;
            }
            '[' => {
                if !name.is_empty() {
                    names.push(std::mem::take(&mut name));
                }
                let (inner, rest) = chars.as_str().split_once(']').unwrap_or_default();
                let inner = inner.trim().trim_matches(['"', '\'']);
                if inner.is_empty() {
                    return Err(wrong("has an empty or open bracket"));
                }
                names.push(inner.to_string());
                chars = rest.chars();
                closed = true;
            }
            c => name.push(c),
        }
    }
    match name.is_empty() {
        false => names.push(name),
        true if !closed || names.is_empty() => return Err(wrong("has an empty name")),
        true => {}
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (text, want) in [
            ("gateway.port", "gateway|port"),
            ("agents.list[0].id", "agents|list|0|id"),
            ("agents.list.0.id", "agents|list|0|id"),
            ("models.providers[my.host].api", "models|providers|my.host|api"),
            ("models.providers[\"my.host\"]", "models|providers|my.host"),
            ("models.providers.my\\.host", "models|providers|my.host"),
            ("a[0][1]", "a|0|1"),
            (" ui ", "ui"),
        ] {
            assert_eq!(parse(text).unwrap().join("|"), want, "{text}");
        }
        for text in ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[0].", "[0]..a"] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
    }
}
