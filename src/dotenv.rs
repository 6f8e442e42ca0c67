//! The text of a `.env` file as variables, in the dialect that people's files are written in. Pure; any thread.
//!
//! `NAME=value` and `NAME: value`, `export` in front; a value in quotes may hold anything, line ends too, one without
//! ends at `#`. What is no assignment is passed over. Of two of the same name the later one counts.
use crate::parts::Parts;

/// The assignments in their order.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        rest = match assignment(rest) {
            Some((name, value, rest)) => {
                found.push((name.to_string(), value));
                rest
            }
            None => rest.trim_start_matches(is_blank).split_once('\n').map_or("", |(_, rest)| rest),
        };
    }
    found
}

/// A value as it is written so that it is read again, if there is a way.
pub fn written(value: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/+=@,~%".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return Some(value.to_string());
    }
    let quoted = ['\'', '`'].map(|quote| format!("{quote}{value}{quote}"));
    quoted.into_iter().find(|text| parse(&format!("K={text}\n")) == [("K".to_string(), value.to_string())])
}

/// Name and value of the assignment that stands next, and what follows its line.
fn assignment(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches(is_blank);
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(is_blank));
    let (name, rest) =
        exported.and_then(|rest| named(rest.trim_start_matches(is_blank))).or_else(|| named(text))?;
    let rest = rest.trim_start_matches([' ', '\t']);
    if let Some((value, rest)) = quoted(rest) {
        return Some((name, value, rest));
    }
    let (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
    let value = line.split('#').next().unwrap_or_default().trim();
    let is_wrapped = |quote: &char| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote);
    let bare = match ['"', '\'', '`'].iter().find(|quote| is_wrapped(quote)) {
        Some(_) => value.part(1..value.len() - 1),
        None => value,
    };
    Some((name, if value.starts_with('"') { unescaped(bare) } else { bare.to_string() }, rest))
}

/// The name in front of `=` or of `:` and a blank, and what follows that.
fn named(text: &str) -> Option<(&str, &str)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let rest = text.trim_start_matches(fits);
    let name = text.strip_suffix(rest).filter(|name| !name.is_empty())?;
    match rest.strip_prefix(':') {
        Some(value) => value.starts_with(is_blank).then_some((name, value)),
        None => Some((name, rest.trim_start_matches([' ', '\t']).strip_prefix('=')?)),
    }
}

/// A value in quotes behind which the line ends or a comment begins, and what follows that line. A quote with a
/// backslash in front closes only where none else does.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inside = text.get(1..)?;
    let (mut escaped, mut close) = (Vec::new(), None);
    for (at, _) in inside.match_indices(quote) {
        if inside.get(..at)?.ends_with('\\') {
            escaped.push(at);
        } else {
            close = Some(at);
            break;
        }
    }
    close.into_iter().chain(escaped.into_iter().rev()).find_map(|at| {
        let value = inside.get(..at)?;
        let after = inside.get(at + 1..)?.trim_start_matches([' ', '\t']);
        let (tail, rest) = after.split_once('\n').unwrap_or((after, ""));
        let ends = tail.is_empty() || tail.starts_with('#');
        ends.then(|| (if quote == '"' { unescaped(value) } else { value.to_string() }, rest))
    })
}

/// Line ends that are written as `\n` and `\r`.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\r", "\r")
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B-F31.
    #[test]
    fn b_f31_the_dialect_of_env_files() {
        for (text, want) in [
            ("K8=v # mine", "v"),
            ("K8=a\nK8=v", "v"),
            ("\u{feff}K8=v", "v"),
            ("K8=v#1", "v"),
            ("K8: v", "v"),
            ("export K8=v", "v"),
            ("  export\tK8 = v  ", "v"),
            ("K8=v\r\nX=1\r", "v"),
            ("# K8=a\n\nK8='v'", "v"),
            ("K8=\"v\" # mine", "v"),
            ("K8='v # 1'", "v # 1"),
            ("K8=`v \"1'`", "v \"1'"),
            ("K8=\"a\\nb\"", "a\nb"),
            ("K8='a\\nb'", "a\\nb"),
            ("K8=\"a\nb\"\nX=1", "a\nb"),
            ("K8='  v  '", "  v  "),
            ("K8=\"C:\\dir\\\"", "C:\\dir\\"),
            ("K8=\"a\\\"b\"", "a\\\"b"),
            ("K8=\"a\" b", "\"a\" b"),
            ("K8=\"a", "\"a"),
            ("K8=it's", "it's"),
            ("K8=\nX=1", ""),
            ("K8=", ""),
            ("K8= # none", ""),
            ("K8=a=b", "a=b"),
            ("no line\nK8=v\n=x", "v"),
            ("X='a\nK8=v", "v"),
            ("export=x\nK8=v", "v"),
        ] {
            let found = parse(text).into_iter().rfind(|(name, _)| name == "K8");
            assert_eq!(found.map(|(_, value)| value).as_deref(), Some(want), "{text:?}");
        }
        for text in ["K8", "K8:v", "#K8=v", "K 8=v", "é=v"] {
            assert!(parse(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn b_f31_what_is_written_is_read_again() {
        for value in ["sk-1", "a#b", "a b", " x ", "it's", "a\"b", "a'b\"c", "", "a\nb", "\\", "$x", "é"] {
            let line = format!("K={}\n", written(value).unwrap());
            assert_eq!(parse(&line), [("K".to_string(), value.to_string())], "{line:?}");
        }
        assert_eq!(written("a'b`c\nd"), None);
    }
}
