//! The message that is being typed: its text, the place in it, and what was cut out of it last. Pure.
//!
//! A long paste, and a picture, is one character of a private range that stands for it (`Part`), so that it is passed
//! over and taken away as one; people see its name in brackets.
use super::keys::Key;
use super::row;
use crate::clean;
use crate::cli::fold;
use crate::parts::Parts;
use std::path::PathBuf;

/// The first character that stands for a part. Terminals show nothing there, and what is typed or pasted loses them.
const FIRST: u32 = 0xf_0000;
/// A paste of more lines, or more characters, is shown as one.
const FOLDED_LINES: usize = 6;
const FOLDED_CHARS: usize = 600;

/// What one character stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text(String),
    File(PathBuf),
}

#[derive(Default)]
pub struct Line {
    text: String,
    /// Bytes of the text before the cursor.
    at: usize,
    cut: String,
    parts: Vec<Part>,
}

impl Line {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn before(&self) -> &str {
        self.text.head(self.at)
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn set(&mut self, text: &str) {
        self.clear();
        self.insert(text);
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.parts.clear();
        self.at = 0;
    }

    /// Text at the cursor; what is long is shown as one character.
    pub fn insert(&mut self, text: &str) {
        let fits = |c: char| part_of(c).is_none() && (c == '\n' || c == '\t' || !clean::is_unfit(c));
        let text: String = text.chars().filter(|c| fits(*c)).collect();
        if text.lines().count() > FOLDED_LINES || text.chars().count() > FOLDED_CHARS {
            return self.put_part(Part::Text(text));
        }
        self.put(&text);
    }

    pub fn put_part(&mut self, part: Part) {
        if let Some(c) = char::from_u32(FIRST + self.parts.len() as u32).filter(|_| self.parts.len() < 0xfff0)
        {
            self.parts.push(part);
            self.put(c.encode_utf8(&mut [0; 4]));
        }
    }

    fn put(&mut self, text: &str) {
        self.text.insert_str(self.at, text);
        self.at += text.len();
    }

    /// Replaces what stands between `from` and the cursor.
    pub fn complete(&mut self, from: usize, text: &str) {
        self.text.replace_range(from..self.at, text);
        self.at = from + text.len();
    }

    /// What one of its characters shows, if not itself.
    pub fn shown(&self, c: char) -> Option<String> {
        if c == '\t' {
            return Some(" ".repeat(row::TAB));
        }
        Some(match self.parts.get(part_of(c)?)? {
            Part::Text(text) => format!("[{} lines pasted]", text.lines().count()),
            Part::File(path) => format!("[{}]", path.file_name().unwrap_or_default().to_string_lossy()),
        })
    }

    /// The whole message, and the files in it.
    pub fn message(&self) -> (String, Vec<PathBuf>) {
        self.whole(&self.text)
    }

    /// The same of a part of its text.
    pub fn whole(&self, part: &str) -> (String, Vec<PathBuf>) {
        let (mut text, mut files) = (String::new(), Vec::new());
        for c in part.chars() {
            match part_of(c).and_then(|part| self.parts.get(part)) {
                Some(Part::Text(part)) => text.push_str(part),
                Some(Part::File(path)) => files.push(path.clone()),
                None => text.push(c),
            }
        }
        // Tabs at the ends are cells of what was pasted.
        (text.trim_matches([' ', '\n']).to_string(), files)
    }

    /// Does what the key says, if it is about the text.
    pub fn take(&mut self, key: &Key) -> bool {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::NewLine => self.put("\n"),
            Key::Left => self.at = self.left(),
            Key::Right => self.at = self.right(),
            Key::WordLeft => self.at = self.word_left(),
            Key::WordRight => self.at = self.word_right(),
            Key::Home => self.at = self.line_start(),
            Key::End => self.at = self.line_end(),
            Key::Backspace => {
                let from = self.left();
                self.text.drain(from..self.at);
                self.at = from;
            }
            Key::Delete => drop(self.text.drain(self.at..self.right())),
            Key::KillToEnd => {
                // At the end of a line its break.
                let end = if self.line_end() == self.at { self.right() } else { self.line_end() };
                self.kill(self.at, end);
            }
            Key::KillToStart => self.kill(self.line_start(), self.at),
            Key::KillWord => self.kill(self.word_left(), self.at),
            Key::KillWordRight => self.kill(self.at, self.word_right()),
            Key::Yank => {
                let cut = self.cut.clone();
                self.put(&cut);
            }
            _ => return false,
        }
        true
    }

    /// A line up or down within the text; false where there is none.
    pub fn go(&mut self, is_down: bool) -> bool {
        let start = self.line_start();
        let column = self.text.part(start..self.at).chars().count();
        let target = if is_down {
            let end = self.line_end();
            if end == self.text.len() {
                return false;
            }
            end + 1
        } else {
            if start == 0 {
                return false;
            }
            self.text.head(start - 1).rfind('\n').map_or(0, |at| at + 1)
        };
        let line = self.text.tail(target).split('\n').next().unwrap_or_default();
        self.at = target + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        true
    }

    fn kill(&mut self, from: usize, to: usize) {
        let cut: String = self.text.drain(from..to).collect();
        if !cut.is_empty() {
            self.cut = cut;
        }
        self.at = from;
    }

    /// Before the character that stands before the cursor, with all that is drawn over it.
    fn left(&self) -> usize {
        let mut at = self.at;
        for (place, c) in self.before().char_indices().rev() {
            at = place;
            let joins = self.text.head(place).ends_with('\u{200d}');
            if !joins && (fold::width(c) > 0 || c == '\n') {
                break;
            }
        }
        at
    }

    /// Behind the character at the cursor, with all that is drawn over it.
    fn right(&self) -> usize {
        let mut joins = true;
        for (place, c) in self.text.tail(self.at).char_indices() {
            let is_part = place == 0 || joins || (fold::width(c) == 0 && c != '\n');
            if !is_part {
                return self.at + place;
            }
            joins = c == '\u{200d}';
        }
        self.text.len()
    }

    fn word_left(&self) -> usize {
        let word = self.before().trim_end_matches(|c: char| !is_of_word(c));
        word.trim_end_matches(is_of_word).len()
    }

    fn word_right(&self) -> usize {
        let rest = self.text.tail(self.at).trim_start_matches(|c: char| !is_of_word(c));
        self.text.len() - rest.trim_start_matches(is_of_word).len()
    }

    fn line_start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text.tail(self.at).find('\n').map_or(self.text.len(), |at| self.at + at)
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || fold::width(c) == 0
}

fn part_of(c: char) -> Option<usize> {
    (FIRST..=FIRST + 0xfffd).contains(&(c as u32)).then(|| (c as u32 - FIRST) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[Key]) -> (String, usize) {
        let mut line = Line::default();
        keys.iter().for_each(|key| assert!(line.take(key), "{key:?}"));
        (line.text.clone(), line.at)
    }

    fn chars(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn keys_edit_the_text() {
        let check = |text: &str, keys: &[Key], want: &str, at: usize| {
            assert_eq!(
                typed(&[chars(text), keys.to_vec()].concat()),
                (want.to_string(), at),
                "{text} {keys:?}"
            );
        };
        check("one two", &[Key::KillWord], "one ", 4);
        check(
            "one two",
            &[Key::WordLeft, Key::WordLeft, Key::KillWordRight, Key::End, Key::Yank],
            " twoone",
            7,
        );
        check("one two", &[Key::Home, Key::Right, Key::KillToEnd, Key::Left, Key::Yank], "ne twoo", 6);
        check("ab", &[Key::NewLine, Key::Char('c'), Key::KillToStart, Key::Backspace], "ab", 2);
        check("ab", &[Key::Left, Key::Delete, Key::Delete], "a", 1);
        // What is drawn over a letter goes with it.
        check("xe\u{301}", &[Key::Left], "xe\u{301}", 1);
        check("xe\u{301}", &[Key::Backspace], "x", 1);
        check("👨\u{200d}👩y", &[Key::Left, Key::Backspace], "y", 0);
        check("👨\u{200d}👩y", &[Key::Home, Key::Delete], "y", 0);
        // What steers a terminal, or would stand for a paste, is not taken.
        check("a\u{202e}\u{f0000}\u{7f}b", &[], "ab", 2);
    }

    #[test]
    fn a_long_paste_and_a_file_are_one_character() {
        let mut line = Line::default();
        let long = "a line\n".repeat(9);
        line.insert("see ");
        line.insert(&long);
        line.put_part(Part::File("/x/pic.png".into()));
        let shown: String = line.text().chars().map(|c| line.shown(c).unwrap_or(c.to_string())).collect();
        assert_eq!(shown, "see [9 lines pasted][pic.png]");
        assert_eq!(line.message(), (format!("see {}", long.trim()), vec!["/x/pic.png".into()]));
        line.take(&Key::Backspace);
        line.take(&Key::Backspace);
        assert_eq!(line.message(), ("see".to_string(), vec![]));
    }

    #[test]
    fn up_and_down_go_by_lines() {
        let mut line = Line::default();
        line.insert("first\nab\nthird");
        assert!(line.go(false) && line.before().ends_with("ab"));
        assert!(line.go(false) && line.before() == "fi");
        assert!(!line.go(false) && line.go(true) && line.go(true) && !line.go(true));
    }
}
