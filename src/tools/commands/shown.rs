//! A command as its owner is shown it in a chat: what the gateway knows of it first, then the command with a bar before each
//! of its lines, so that no line of it passes for one of the gateway's; what is not seen is written out. Pure.
use super::wish::Wish;
use std::fmt::Write;

/// UTF-16 units that a chat is shown, so that they fit one message with what stands before them.
const MOST: usize = 3000;
/// What stands there instead of more.
pub const TOO_LONG: &str = "The command is too long to be shown here: look at it on the control page, or by `openclaw gateway call exec.approval.list`, before you answer.";
/// Blanks in a row that stay as they are.
const BLANKS: usize = 8;

/// All that a model has chosen of a command; `None` where it is too much for one message.
pub fn whole(wish: &Wish) -> Option<String> {
    let mut all: String = wish
        .env
        .iter()
        .map(|(name, value)| format!("Variable:\n{}\n", shown(&format!("{name}={value}"))))
        .collect();
    // Writing to a text does not fail.
    let _ = write!(all, "CWD:\n{}\nCommand:\n{}", shown(&wish.cwd.to_string_lossy()), shown(&wish.command));
    (all.encode_utf16().count() <= MOST).then_some(all)
}

/// `text` with a bar before each line, marks where lines end, and words for long runs of blanks and for what is drawn as
/// nothing.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str("\u{2502} ");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\n' {
            out.push_str("\u{23ce}\n\u{2502} ");
        } else if is_blank(c) {
            let mut run = String::from(c);
            while let Some(next) = rest.next_if(|next| is_blank(*next)) {
                run.push(next);
            }
            let n = run.chars().count();
            if n > BLANKS {
                let _ = write!(out, "[{n} blanks]");
            } else {
                out.push_str(&run.replace('\t', "\u{21e5}"));
            }
        } else if crate::clean::is_unfit(c) || crate::untrusted::is_unseen(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

fn is_blank(c: char) -> bool {
    c != '\n' && !crate::clean::is_unfit(c) && c.is_whitespace() || matches!(c, '\t' | '\u{2800}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_41_a_command_is_shown_so_that_nothing_of_it_is_hidden() {
        for (text, want) in [
            ("ls -l", "│ ls -l"),
            ("ls\nCWD: /tmp\n", "│ ls⏎\n│ CWD: /tmp⏎\n│ "),
            ("a        b", "│ a        b"),
            ("a         b", "│ a[9 blanks]b"),
            ("a\u{3000}\u{a0}\u{2800}\t\t\t\t\t\tb", "│ a[9 blanks]b"),
            ("a\tb", "│ a⇥b"),
            ("a\r\u{202e}\u{3164}b", "│ a\\u{d}\\u{202e}\\u{3164}b"),
        ] {
            assert_eq!(shown(text), want, "{text:?}");
        }
        assert_eq!(shown(&format!("a{}b", " ".repeat(2800))), "│ a[2800 blanks]b");
    }
}
