//! What a process said, in bounded memory: the beginning, the end, and how much was between. Pure.
use crate::parts::Parts;
use std::collections::VecDeque;

/// Bytes of the beginning and of the end that are kept.
const HEAD: usize = 32 << 10;
const TAIL: usize = 200_000;

#[derive(Default)]
pub struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    /// How far somebody has read it who asks for what is new.
    seen: u64,
}

impl Kept {
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (first, rest) = bytes.split_at(bytes.len().min(HEAD.saturating_sub(self.head.len())));
        self.head.extend_from_slice(first);
        let rest = rest.tail(rest.len().saturating_sub(TAIL));
        let over = (self.tail.len() + rest.len()).saturating_sub(TAIL);
        self.tail.drain(..over);
        self.tail.extend(rest);
    }

    /// Bytes that were said, those included that are not kept.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn is_cut(&self) -> bool {
        self.left_out() > 0
    }

    fn left_out(&self) -> u64 {
        self.total - (self.head.len() + self.tail.len()) as u64
    }

    /// All that is kept, at most `most` bytes of it, as text; what is missing in the middle is told.
    pub fn text(&self, most: usize) -> String {
        let (front, back) = self.tail.as_slices();
        let whole = [&self.head, front, back].concat();
        if whole.len() <= most && !self.is_cut() {
            return readable(&whole);
        }
        // A quarter for how it began: what went wrong usually stands at the end.
        let head = whole.head(self.head.len().min(most / 4));
        let reach = if self.is_cut() { self.tail.len() } else { whole.len() };
        let tail = whole.tail(whole.len() - (most - head.len()).min(reach));
        let missing = self.total - (head.len() + tail.len()) as u64;
        format!("{}\n[{missing} bytes left out here]\n{}", readable(head), readable(tail))
    }

    /// The last bytes as text, at most so many characters.
    pub fn end(&self, characters: usize) -> String {
        if characters == 0 {
            return String::new();
        }
        let text = self.text(characters.saturating_mul(4).min(HEAD + TAIL));
        let from = text.chars().count().saturating_sub(characters);
        text.chars().skip(from).collect()
    }

    /// What was said since the last call of this.
    pub fn news(&mut self) -> String {
        let unread = usize::try_from(self.total - self.seen).unwrap_or(usize::MAX);
        let (head, tail) = (self.head.len() as u64, self.tail.len());
        let from_head = self.head.tail(self.seen.min(head) as usize);
        let from_tail: Vec<u8> = self.tail.iter().skip(tail - unread.min(tail)).copied().collect();
        let missing = unread.saturating_sub(from_head.len() + from_tail.len());
        // The beginning of a character waits for its rest.
        let all = [from_head, &from_tail].concat();
        let waits = if missing == 0 { half_character(&all) } else { 0 };
        self.seen = self.total - waits as u64;
        let gap = if missing > 0 { format!("[{missing} bytes left out here]\n") } else { String::new() };
        gap + &readable(all.head(all.len() - waits))
    }
}

/// Bytes at the end that are the beginning of a character.
fn half_character(bytes: &[u8]) -> usize {
    let end = bytes.tail(bytes.len().saturating_sub(4));
    match std::str::from_utf8(end).map_err(|e| (e.error_len(), e.valid_up_to())) {
        Err((None, valid)) => end.len() - valid,
        // The window may begin in the middle of one.
        Err((Some(_), _)) => (1..end.len())
            .find_map(|from| match std::str::from_utf8(end.tail(from)) {
                Ok(_) => Some(0),
                Err(e) if e.error_len().is_none() => Some(end.len() - from - e.valid_up_to()),
                Err(_) => None,
            })
            .unwrap_or(0),
        Ok(_) => 0,
    }
}

/// Bytes as text without what is no text: control characters but tabs, ends of lines and the escapes of terminals.
fn readable(bytes: &[u8]) -> String {
    let is_fit = |c: &char| !c.is_control() || matches!(c, '\n' | '\t' | '\r' | '\u{1b}' | '\u{8}');
    String::from_utf8_lossy(bytes).chars().filter(is_fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_whole_and_what_is_long_says_how_much_is_missing() {
        let mut kept = Kept::default();
        kept.push(b"one\ntwo\0\x07\n");
        assert_eq!((kept.text(1000).as_str(), kept.is_cut()), ("one\ntwo\n", false));
        for n in 0..100_000 {
            kept.push(format!("line {n}\n").as_bytes());
        }
        let text = kept.text(10_000);
        assert!(text.starts_with("one\ntwo\nline 0\n") && text.ends_with("line 99999\n"), "{}", text.len());
        let missing = kept.total() - 10_000;
        assert!(text.contains(&format!("[{missing} bytes left out here]")), "{missing}");
        assert!(kept.is_cut() && kept.end(12).ends_with("line 99999\n"));
        assert!(kept.tail.capacity() < 600_000 && kept.head.len() == HEAD);
    }

    #[test]
    fn news_come_once_in_whole_characters_and_tell_of_a_gap() {
        let mut kept = Kept::default();
        kept.push(b"a\xc3");
        assert_eq!(kept.news(), "a");
        kept.push(b"\xa9b\xff");
        assert_eq!(kept.news(), "\u{e9}b\u{fffd}");
        assert_eq!(kept.news(), "");
        kept.push(&b"x".repeat(HEAD + TAIL + 500));
        let news = kept.news();
        assert!(news.starts_with("[") && news.contains("bytes left out here]\n"), "{}", &news[..60]);
        assert_eq!(kept.news(), "");
    }

    #[test]
    fn a_middling_text_is_cut_to_what_is_asked_for() {
        let mut kept = Kept::default();
        for n in 0..4000 {
            kept.push(format!("{n:09}\n").as_bytes());
        }
        for most in [100, 1000, 20_000, 39_000, 40_000] {
            let text = kept.text(most);
            assert!(text.len() <= most + 60 && text.ends_with("000003999\n"), "{most} {}", text.len());
            assert_eq!(text.contains("left out"), most < 40_000, "{most}");
        }
    }
}
