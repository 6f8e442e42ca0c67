//! What a terminal sends when keys are pressed: bytes in, keys out. Pure.
//!
//! The sequences are those of xterm and the Linux console, which all others follow; one that is not known does nothing. A
//! paste comes whole, so that its line breaks send nothing.
use crate::parts::Parts;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Paste(String),
    Enter,
    NewLine,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    WordLeft,
    WordRight,
    Up,
    Down,
    Home,
    End,
    KillToEnd,
    KillToStart,
    KillWord,
    KillWordRight,
    Yank,
    Search,
    Redraw,
    Suspend,
    /// Ctrl-C.
    Stop,
    /// Ctrl-D.
    Close,
    Escape,
}

const ESC: u8 = 0x1b;
const PASTE: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";
/// Longer ones are none.
const LONGEST: usize = 16;

#[derive(Default)]
pub struct Keys {
    pending: Vec<u8>,
    /// Lines come whole from a terminal that edits them itself.
    are_lines: bool,
}

impl Keys {
    pub fn new(are_lines: bool) -> Keys {
        Keys { pending: Vec::new(), are_lines }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Whether more bytes may make another key of what is there.
    pub fn is_open(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The next key, if it is whole. After a while without bytes (`is_late`) a lone Escape is a key.
    pub fn next(&mut self, is_late: bool) -> Option<Key> {
        loop {
            if self.pending.is_empty() {
                return None;
            }
            let (used, key) = match self.pending.as_slice() {
                [ESC, ..] => escaped(&self.pending, is_late)?,
                [first, ..] if *first < 0x20 || *first == 0x7f => (1, self.control(*first)),
                bytes => letter(bytes, is_late)?,
            };
            self.pending.drain(..used);
            if key.is_some() {
                return key;
            }
        }
    }

    fn control(&self, byte: u8) -> Option<Key> {
        Some(match byte {
            b'\n' if self.are_lines => Key::Enter,
            b'\n' => Key::NewLine,
            b'\r' => Key::Enter,
            b'\t' => Key::Tab,
            0x01 => Key::Home,
            0x02 => Key::Left,
            0x03 => Key::Stop,
            0x04 => Key::Close,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x08 | 0x7f => Key::Backspace,
            0x0b => Key::KillToEnd,
            0x0c => Key::Redraw,
            0x0e => Key::Down,
            0x10 => Key::Up,
            0x12 => Key::Search,
            0x15 => Key::KillToStart,
            0x17 => Key::KillWord,
            0x19 => Key::Yank,
            0x1a => Key::Suspend,
            _ => return None,
        })
    }
}

type Taken = Option<(usize, Option<Key>)>;

/// A character of UTF-8; what is none is passed over.
fn letter(bytes: &[u8], is_late: bool) -> Taken {
    let wanted = match bytes.first() {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    match bytes.get(..wanted) {
        Some(whole) => match std::str::from_utf8(whole).ok().and_then(|text| text.chars().next()) {
            Some(c) => Some((wanted, Some(Key::Char(c)))),
            None => Some((1, None)),
        },
        None if is_late => Some((1, None)),
        None => None,
    }
}

fn escaped(bytes: &[u8], is_late: bool) -> Taken {
    if bytes.starts_with(PASTE) {
        let end = bytes.windows(PASTE_END.len()).position(|part| part == PASTE_END)?;
        let text = String::from_utf8_lossy(bytes.part(PASTE.len()..end));
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        return Some((end + PASTE_END.len(), Some(Key::Paste(text))));
    }
    match bytes {
        [_, b'[', rest @ ..] => sequence(rest, is_late),
        [_, b'O', code, ..] => Some((3, cursor(*code, false))),
        [_, b'O'] | [_] if !is_late => None,
        [_] | [_, ESC, ..] => Some((1, Some(Key::Escape))),
        [_, code, ..] => Some((2, alt(*code))),
        [] => None,
    }
}

fn alt(code: u8) -> Option<Key> {
    Some(match code {
        b'\r' | b'\n' => Key::NewLine,
        b'b' | b'B' => Key::WordLeft,
        b'f' | b'F' => Key::WordRight,
        b'd' | b'D' => Key::KillWordRight,
        0x7f | 0x08 => Key::KillWord,
        _ => return None,
    })
}

/// What follows `ESC [`: parameters and a letter that says which key.
fn sequence(rest: &[u8], is_late: bool) -> Taken {
    let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
    let Some(end) = end else {
        return (is_late || rest.len() > LONGEST).then_some((2 + rest.len(), None));
    };
    let numbers = String::from_utf8_lossy(rest.head(end)).into_owned();
    let mut numbers = numbers.split(';').map(|number| number.parse::<u8>().unwrap_or(1));
    let (first, modifier) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(1));
    // Alt, Ctrl or both.
    let is_word = matches!(modifier.saturating_sub(1) & 6, 1..);
    let key = match (rest.get(end).copied().unwrap_or_default(), first) {
        (b'~', 1 | 7) => Some(Key::Home),
        (b'~', 4 | 8) => Some(Key::End),
        (b'~', 3) if is_word => Some(Key::KillWordRight),
        (b'~', 3) => Some(Key::Delete),
        // Terminals that name keys by their numbers: Enter with a modifier.
        (b'u', 13) => Some(Key::NewLine),
        (code, _) => cursor(code, is_word),
    };
    Some((2 + end + 1, key))
}

fn cursor(code: u8, is_word: bool) -> Option<Key> {
    Some(match (code, is_word) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', false) => Key::Right,
        (b'C', true) => Key::WordRight,
        (b'D', false) => Key::Left,
        (b'D', true) => Key::WordLeft,
        (b'F', _) => Key::End,
        (b'H', _) => Key::Home,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::default();
        keys.feed(bytes);
        std::iter::from_fn(|| keys.next(true)).collect()
    }

    #[test]
    fn keys_are_known_by_what_terminals_send() {
        let check = |bytes: &[u8], want: &[Key]| assert_eq!(keys(bytes), want, "{bytes:?}");
        check("aü€😀".as_bytes(), &[Key::Char('a'), Key::Char('ü'), Key::Char('€'), Key::Char('😀')]);
        check(
            b"\x1b[A\x1bOB\x1b[1;5C\x1b[1;3D\x1b[C",
            &[Key::Up, Key::Down, Key::WordRight, Key::WordLeft, Key::Right],
        );
        check(
            b"\x1b[3~\x1b[H\x1b[4~\x1bb\x1b\r\r\n",
            &[Key::Delete, Key::Home, Key::End, Key::WordLeft, Key::NewLine, Key::Enter, Key::NewLine],
        );
        check(b"\x1b[200~a\r\nb\rc\x1b[201~x", &[Key::Paste("a\nb\nc".into()), Key::Char('x')]);
        check(b"\x1b", &[Key::Escape]);
        check(b"\x1b[99;99zq\xff\x1fz", &[Key::Char('q'), Key::Char('z')]);
    }

    #[test]
    fn what_is_not_whole_waits() {
        let mut all = Keys::default();
        for byte in "\x1b[1;5Cé\x1b[200~two\nlines\x1b[201~".bytes() {
            assert_eq!(all.next(false), None);
            all.feed(&[byte]);
            if let Some(key) = all.next(false) {
                assert!(matches!(key, Key::WordRight | Key::Char('é') | Key::Paste(_)), "{key:?}");
            }
        }
        assert!(!all.is_open());
    }
}
