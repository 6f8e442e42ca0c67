//! A tolerant JSON5 tokenizer: where strings, words, comments and punctuation stand in a text.
//!
//! Pure; any thread. It never fails, because it also looks at files that do not parse; whether a text is
//! JSON5 is for the parser to say.
use crate::parts::Parts;
use std::ops::Range;

/// What a token is; its text is found by its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// A quoted text, quotes included; ends at the line's end when the closing quote is missing.
    Text,
    /// A name, number or literal.
    Word,
    /// A line or block comment.
    Comment,
    /// Any of `{}[]:,`.
    Punct(char),
}

/// The tokens of a text with their byte ranges, in order, white space left out.
pub fn tokens(text: &str) -> impl Iterator<Item = (Token, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.find(|c: char| !c.is_whitespace() && c != '\u{feff}')?;
        let (token, length) = first(text.get(start..)?)?;
        at = start + length;
        Some((token, start..at))
    })
}

fn first(rest: &str) -> Option<(Token, usize)> {
    let c = rest.chars().next()?;
    Some(match c {
        '{' | '}' | '[' | ']' | ':' | ',' => (Token::Punct(c), 1),
        '"' | '\'' => (Token::Text, quoted(rest, c)),
        '/' if rest.starts_with("//") => (Token::Comment, rest.find(is_line_end).unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => {
            let body = rest.tail(2);
            (Token::Comment, body.find("*/").map_or(rest.len(), |i| i + 4))
        }
        _ => (Token::Word, word(rest, c)),
    })
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// Length of a quoted text, both quotes included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => {
                let escaped = chars.next();
                // A carriage return and line feed after the backslash are one line end.
                if escaped.is_some_and(|(_, c)| c == '\r') {
                    chars.next_if(|(_, c)| *c == '\n');
                }
            }
            '\n' | '\r' => return i,
            c if c == quote => return i + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a word: at least one character, so that the scan always moves on.
fn word(rest: &str, first: char) -> usize {
    let ends = |c: char| c.is_whitespace() || "{}[]:,\"'\u{feff}".contains(c);
    let mut end = rest.find(ends).unwrap_or(rest.len());
    for comment in ["//", "/*"] {
        // Within the word: a search to the text's end for each word would take the square of its length.
        end = rest.head(end).find(comment).unwrap_or(end);
    }
    end.max(first.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart() {
        let text = "{a:'x\\'y', // c:1\n \"b\\\"\": [1.5e3,/* } */true]";
        let found: Vec<&str> = tokens(text).map(|(_, span)| &text[span]).collect();
        let want = [
            "{",
            "a",
            ":",
            "'x\\'y'",
            ",",
            "// c:1",
            "\"b\\\"\"",
            ":",
            "[",
            "1.5e3",
            ",",
            "/* } */",
            "true",
            "]",
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn many_words_take_no_longer_than_their_length() {
        let text = format!("[{}]", "0,".repeat(400_000));
        let since = std::time::Instant::now();
        assert_eq!(tokens(&text).count(), 800_002);
        assert!(since.elapsed() < std::time::Duration::from_secs(8), "{:?}", since.elapsed());
        let found: Vec<&str> = tokens("a/*b*/c//d").map(|(_, span)| &"a/*b*/c//d"[span]).collect();
        assert_eq!(found, ["a", "/*b*/", "c", "//d"]);
    }

    #[test]
    fn broken_text_ends() {
        for text in ["\"abc", "'a\\", "/* x", "/", "é/é//", "\\", "{'a\nb'}", "\"a\\\r\nb\""] {
            assert!(tokens(text).count() > 0, "{text:?}");
        }
    }
}
