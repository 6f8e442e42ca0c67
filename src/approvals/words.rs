//! A command taken apart as a shell would, as far as that is sure. Pure.
//!
//! Only what every shell reads alike is read at all: plain words, quoted words, and `|`, `&&`, `||`, `;` between commands.
//! Whatever a shell would replace, redirect, group, start in the background or take for a rule of its own makes the whole
//! unreadable; then nobody but the owner can say that it may run.

/// What stands before a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    First,
    Pipe,
    And,
    Or,
    Then,
}

/// One command of a line: how it follows the one before, and its words.
pub type Part = (Join, Vec<String>);

/// The commands of a line, or what keeps it from being read.
pub fn split(text: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut words, mut word): (Vec<Part>, Vec<String>, Option<String>) =
        (Vec::new(), Vec::new(), None);
    let mut join = Join::First;
    let mut chars = text.trim_matches([' ', '\t']).chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => word.get_or_insert_default().push_str(&quoted(c, &mut chars)?),
            '|' | '&' | ';' => {
                words.extend(word.take());
                let is_double = c != ';' && chars.next_if_eq(&c).is_some();
                end(&mut parts, join, &mut words)?;
                join = match (c, is_double) {
                    ('|', false) if chars.peek() == Some(&'&') => return Err("it redirects".into()),
                    ('|', false) => Join::Pipe,
                    ('|', true) => Join::Or,
                    ('&', true) => Join::And,
                    ('&', false) => return Err("it starts something in the background".into()),
                    _ => Join::Then,
                };
            }
            c if is_plain(c) => word.get_or_insert_default().push(c),
            c => {
                return Err(format!(
                    "it has {c:?} outside of quotes, which a shell may read as more than text"
                ));
            }
        }
    }
    words.extend(word.take());
    end(&mut parts, join, &mut words)?;
    Ok(parts)
}

/// Letters and signs that no shell takes for anything but text, wherever they stand.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "_-./:,+@%=".contains(c)
}

/// The rest of a quoted piece.
fn quoted(quote: char, chars: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::new();
    for c in chars {
        match c {
            c if c == quote => return Ok(text),
            '$' | '`' | '\\' if quote == '"' => {
                return Err(format!("it has {c:?} in double quotes, which a shell replaces"));
            }
            // What is not seen when it is shown could hide the rest.
            c if (c.is_control() && c != '\t') || crate::clean::is_unfit(c) => {
                return Err(format!("it has {c:?} in quotes"));
            }
            c => text.push(c),
        }
    }
    Err("a quote has no end".into())
}

fn end(parts: &mut Vec<Part>, join: Join, words: &mut Vec<String>) -> Result<(), String> {
    let words = std::mem::take(words);
    match words.first() {
        None => Err("a command is missing".into()),
        Some(program) if program.is_empty() => Err("a command has no name".into()),
        Some(program) if program.contains('=') => Err("it sets a variable for a command".into()),
        Some(_) => {
            parts.push((join, words));
            Ok(())
        }
    }
}

/// The same line for a shell, each word in quotes: programs by their paths are neither aliases nor functions nor words of
/// the shell's own.
pub fn line(parts: &[Part]) -> String {
    let mut line = String::new();
    for (join, words) in parts {
        line += match join {
            Join::First => "",
            Join::Pipe => " | ",
            Join::And => " && ",
            Join::Or => " || ",
            Join::Then => "; ",
        };
        let quoted: Vec<String> =
            words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        line += &quoted.join(" ");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_are_read() {
        let read = |text: &str| split(text).map(|parts| line(&parts)).unwrap_or_else(|e| e);
        assert_eq!(read(" ls  -l a.txt "), "'ls' '-l' 'a.txt'");
        assert_eq!(read("a|b && c||d;e"), "'a' | 'b' && 'c' || 'd'; 'e'");
        assert_eq!(read("echo 'a b'\"c d\"e '' '$x *'"), "'echo' 'a bc de' '' '$x *'");
        assert_eq!(read("echo \"it's\""), "'echo' 'it'\\''s'");
    }

    /// surface.md 2.4 and 10.4: what a shell makes of a text and we do not is no text that we read.
    #[test]
    fn sec_41_no_trick_of_a_shell_is_read() {
        for text in [
            "ls $(id)",
            "ls `id`",
            "ls \"$(id)\"",
            "ls \"`id`\"",
            "ls $HOME/x",
            "ls ${HOME}",
            "ls \"$HOME\"",
            "ls $'a'",
            "ls > x",
            "ls>x",
            "ls >> x",
            "ls < x",
            "ls 2>&1",
            "cat <<< x",
            "cat << E",
            "ls <(id)",
            "ls &",
            "ls & id",
            "ls |& id",
            "(ls)",
            "{ ls; }",
            "ls {a,b}",
            "ls *",
            "ls ?",
            "ls [a]",
            "ls ~",
            "ls ~root",
            "ls a\\ b",
            "ls \\\nid",
            "ls\nid",
            "ls 'a\nid'",
            "ls \"a\nid\"",
            "ls\rid",
            "ls\0",
            "ls ;",
            "; ls",
            "ls ;; id",
            "ls | | id",
            "ls ||",
            "&& ls",
            "",
            "   ",
            "A=1 ls",
            "LD_PRELOAD=x ls",
            "PATH=. ls",
            "ls 'a",
            "ls \"a",
            "ls #x",
            "!ls",
            "ls !x",
            "'' ls",
            "ls \u{202e}x",
            "ls '\u{202e}x'",
            "ls '\u{1b}[2J'",
            "ls 'a\u{200b}b'",
            "ls ^x^y",
            "a() { id; }",
        ] {
            assert!(split(text).is_err(), "{text:?} {:?}", split(text));
        }
    }
}
