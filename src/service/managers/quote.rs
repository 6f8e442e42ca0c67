//! Quoting of values for service files, and reading them back: systemd units, property lists, shell scripts.
//!
//! Pure functions. A value comes back exactly as it went in, or it is refused (SEC-36): control characters have
//! no safe form that all of these formats share, and no path or name worth installing has any.
use crate::error::{Error, Result};

/// Refuses what no service file can carry.
fn plain(value: &str) -> Result<&str> {
    match value.chars().find(|c| c.is_control()) {
        Some(c) => Err(Error::invalid(format!(
            "a service file cannot hold {value:?}: it contains the control character {:?}; rename it",
            c.to_string()
        ))),
        None => Ok(value),
    }
}

/// One word of a systemd setting that is split into words, as `Environment=` or `ReadWritePaths=`.
pub fn systemd_word(value: &str) -> Result<String> {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_@/.,:=+-".contains(c);
    let mut word = String::new();
    for c in plain(value)?.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '%' => word.push_str("%%"),
            c => word.push(c),
        }
    }
    Ok(if !value.is_empty() && value.chars().all(bare) { word } else { format!("\"{word}\"") })
}

/// The program of `ExecStart=`. systemd takes none with quotes or backslashes in its path, however they are written.
pub fn systemd_program(path: &str) -> Result<String> {
    if path.contains(['"', '\'', '\\']) {
        return Err(Error::invalid(format!(
            "systemd cannot hold the program path {path:?}: it has a quote or a backslash; install it elsewhere"
        )));
    }
    systemd_word(path)
}

/// One argument of `ExecStart=`, where variables would be put in.
pub fn systemd_argument(value: &str) -> Result<String> {
    let word = systemd_word(value)?;
    // A lone semicolon separates commands.
    Ok(word.replace('$', "$$"))
}

/// A systemd setting that is taken as it stands, as `WorkingDirectory=` or `Description=`.
pub fn systemd_line(value: &str) -> Result<String> {
    if plain(value)?.ends_with('\\') || value.trim() != value {
        return Err(Error::invalid(format!(
            "a unit cannot hold {value:?}: it begins or ends with a blank, or ends with a backslash; rename it"
        )));
    }
    Ok(value.replace('%', "%%"))
}

/// The words of a systemd setting. Understands more than is written here: single quotes, quotes within words.
/// `None` when a quote is not closed.
pub fn systemd_split(line: &str, arguments: bool) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (' ' | '\t', None) => words.extend(word.take()),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(q)) if c == q => quote = None,
            ('\\', _) => word.get_or_insert_default().push(chars.next()?),
            (c, _) => {
                // Doubled signs stand for themselves; the program's path, the first word, has no variables.
                if c == '%' || (c == '$' && arguments && !words.is_empty()) {
                    let _doubled = chars.next_if_eq(&c);
                }
                word.get_or_insert_default().push(c);
            }
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The text of a property list's element.
pub fn xml(value: &str) -> Result<String> {
    let mut text = String::new();
    for c in plain(value)?.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&apos;"),
            // XML has no way to write these two.
            '\u{fffe}' | '\u{ffff}' => {
                return Err(Error::invalid(format!("a property list cannot hold {value:?}; rename it")));
            }
            c => text.push(c),
        }
    }
    Ok(text)
}

/// The reverse of `xml`.
pub fn xml_read(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_string(), |text, (entity, sign)| text.replace(entity, sign))
}

/// One word for a POSIX shell.
pub fn shell(value: &str) -> Result<String> {
    Ok(format!("'{}'", plain(value)?.replace('\'', "'\\''")))
}

/// For a line to copy into a terminal: quoted only where it has to be.
pub fn shown(value: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || "_@/.,:=+-".contains(c);
    match !value.is_empty() && value.chars().all(bare) {
        true => value.to_string(),
        false => format!("'{}'", value.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Values as an attacker or an odd file system would have them, from a fixed seed.
    fn values(count: usize) -> Vec<String> {
        let signs: Vec<char> = "ab %$;\\\"'`&<>|#~*?![]{}()=-@:,+^/sétn\u{1f980}".chars().collect();
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let mut all: Vec<String> =
            ["", " ", ";", "$HOME", "${A}", "%h", "%%", "\\", "'", "\"", "a'b", "$(id)", "--x"]
                .map(String::from)
                .into();
        all.extend((0..count).map(|_| (0..next(14)).map(|_| signs[next(signs.len())]).collect()));
        all
    }

    #[test]
    fn sec_36_systemd_words_come_back() {
        for value in values(4000) {
            let word = systemd_word(&value).unwrap();
            assert_eq!(systemd_split(&format!("x {word} y"), false).unwrap(), ["x", &value, "y"], "{word}");
            let word = systemd_argument(&value).unwrap();
            assert_eq!(systemd_split(&format!("x {word} y"), true).unwrap(), ["x", &value, "y"], "{word}");
            assert!(word != ";", "a lone semicolon would begin another command");
        }
    }

    #[test]
    fn sec_36_whole_lines_come_back_or_are_refused() {
        for value in values(2000) {
            match systemd_line(&value) {
                Ok(line) => assert_eq!(line.replace("%%", "%"), value),
                Err(_) => assert!(value.ends_with('\\') || value.trim() != value, "{value:?}"),
            }
        }
    }

    #[test]
    fn sec_36_xml_comes_back() {
        for value in values(4000) {
            let text = xml(&value).unwrap();
            assert!(!text.contains(['<', '>', '"', '\'']), "{text}");
            assert_eq!(xml_read(&text), value);
        }
    }

    /// Read back by the system's own shell.
    #[test]
    fn sec_36_shell_words_come_back() {
        let values = values(1000);
        let words: Vec<String> = values.iter().map(|v| shell(v).unwrap()).collect();
        let script = format!("printf '%s\\0' {}", words.join(" "));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let read: Vec<&[u8]> = output.stdout.split(|b| *b == 0).collect();
        assert_eq!(read.len(), values.len() + 1, "{}", String::from_utf8_lossy(&output.stderr));
        for (value, read) in values.iter().zip(read) {
            assert_eq!(value.as_bytes(), read);
        }
    }

    #[test]
    fn sec_36_control_characters_are_refused() {
        for value in ["a\nb", "a\rb", "\0", "a\u{1b}[2J", "\u{85}", "a\tb"] {
            for quoted in
                [systemd_word(value), systemd_argument(value), systemd_line(value), xml(value), shell(value)]
            {
                assert!(quoted.is_err(), "{value:?}");
            }
        }
        assert!(xml("\u{ffff}").is_err());
    }

    #[test]
    fn units_of_others_are_read() {
        let cases = [
            ("\"A=b c\" D=e", Some(vec!["A=b c", "D=e"])),
            ("A='b c'd", Some(vec!["A=b cd"])),
            ("  a\t b ", Some(vec!["a", "b"])),
            ("\"\"", Some(vec![""])),
            ("\"a", None),
            ("a\\", None),
        ];
        for (line, want) in cases {
            let want: Option<Vec<String>> = want.map(|w| w.iter().map(|s| s.to_string()).collect());
            assert_eq!(systemd_split(line, false), want, "{line}");
        }
    }
}
