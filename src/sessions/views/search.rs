//! Looking for words in transcripts, from the newest line back: all words of a query must stand in one message. Runs on
//! the thread that asks, reads no more than a budget of bytes and of time, and holds one line and the hits in memory.
use crate::clock;
use crate::files::regular;
use crate::json::json;
use crate::parts::shortened;
use crate::sessions::preview::{Eyes, typed_text};
use crate::sessions::transcript::{Transcript, kind};
use crate::sessions::{line, message};
use serde_json::Value;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// What one search reads, and how long it may take.
const MAX_READ: u64 = 256 << 20;
const MAX_TIME: Duration = Duration::from_secs(5);
/// Characters of a hit's line that are shown, and those before the word.
const SNIPPET: usize = 160;
const BEFORE: usize = 60;

/// A session to look in.
pub struct Place {
    pub key: String,
    /// No message in it is newer.
    pub updated_at: u64,
    pub transcript: Transcript,
}

/// A message that holds all words.
#[derive(Debug)]
pub struct Hit {
    pub key: String,
    pub at: u64,
    pub role: &'static str,
    pub snippet: String,
    session_id: String,
    message_id: String,
    /// How often the words stand in it.
    count: usize,
}

pub struct Search {
    words: Vec<Word>,
    limit: usize,
    eyes: Eyes,
    left: u64,
    until: Instant,
    /// The newest first, at most `limit`.
    hits: Vec<Hit>,
    /// It ended before all was read.
    pub is_cut: bool,
}

struct Word {
    /// In small letters.
    text: String,
    /// The longest piece of it that stands in the file's JSON as it is.
    plain: String,
}

impl Search {
    /// For the words of `query`, or for all of it where it stands in quotes.
    pub fn new(query: &str, limit: usize, eyes: Eyes) -> Search {
        let query = query.trim().to_lowercase();
        let quoted = query.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(str::trim);
        let words = match quoted.filter(|text| !text.is_empty()) {
            Some(text) => vec![Word::new(text)],
            None => query.split_whitespace().map(Word::new).collect(),
        };
        let until = Instant::now() + MAX_TIME;
        Search { words, limit, eyes, left: MAX_READ, until, hits: Vec::new(), is_cut: false }
    }

    /// Looks through sessions, last active first, for as long as one may hold something newer than what was found.
    pub fn look_in(&mut self, places: impl Iterator<Item = Place>) {
        for place in places {
            if self.is_cut || !self.wants(place.updated_at) {
                return;
            }
            self.transcript(&place);
        }
    }

    pub fn into_hits(self) -> Vec<Hit> {
        self.hits
    }

    /// Whether something of that time would be among the newest.
    fn wants(&self, at: u64) -> bool {
        self.hits.len() < self.limit || self.hits.last().is_some_and(|oldest| at >= oldest.at)
    }

    fn transcript(&mut self, place: &Place) {
        // One that cannot be read holds nothing for anybody.
        let size =
            regular::read(place.transcript.path()).ok().flatten().and_then(|file| file.metadata().ok());
        if size.is_none() {
            return;
        }
        let read = place.transcript.lines_back(|bytes| {
            self.left = self.left.saturating_sub(bytes.len() as u64);
            if self.left == 0 || Instant::now() > self.until {
                self.is_cut = true;
                return ControlFlow::Break(());
            }
            if self.words.iter().any(|word| !holds(bytes, &word.plain)) {
                return ControlFlow::Continue(());
            }
            match line::value(bytes).and_then(|entry| self.hit(place, &entry)) {
                Some(hit) if !self.wants(hit.at) => return ControlFlow::Break(()),
                Some(hit) => self.keep(hit),
                None => {}
            }
            ControlFlow::Continue(())
        });
        if let Err(e) = read {
            log::warn!(target: "gateway/sessions", "{e}");
        }
    }

    fn keep(&mut self, hit: Hit) {
        let place = self.hits.partition_point(|other| other.at >= hit.at);
        self.hits.insert(place, hit);
        self.hits.truncate(self.limit);
    }

    fn hit(&self, place: &Place, entry: &Value) -> Option<Hit> {
        let said = entry.get("message").filter(|_| kind(entry) == "message")?;
        let role = ["user", "assistant"].into_iter().find(|role| *role == message::role(said))?;
        let text = typed_text(entry, self.eyes);
        let lower = text.to_lowercase();
        let mut counts = self.words.iter().map(|word| lower.matches(&word.text).count());
        let count = counts.try_fold(0, |sum, count| (count > 0).then_some(sum + count))?;
        let noted = entry.get("timestamp").and_then(Value::as_str).and_then(clock::parse_iso);
        let at = said.get("timestamp").and_then(Value::as_u64).or(noted).unwrap_or_default();
        let id = entry.get("id").and_then(Value::as_str).unwrap_or("?");
        Some(Hit {
            key: place.key.clone(),
            at,
            role,
            snippet: snippet(&text, &self.words.first()?.text),
            session_id: place.transcript.session_id().to_string(),
            message_id: id.to_string(),
            count,
        })
    }
}

impl Word {
    fn new(text: &str) -> Word {
        let pieces = text.split(|c: char| !c.is_ascii_alphanumeric());
        let plain = pieces.max_by_key(|piece| piece.len()).unwrap_or_default().to_string();
        Word { text: text.to_string(), plain }
    }
}

impl Hit {
    pub fn to_value(&self) -> Value {
        json!({
            "sessionKey": self.key, "sessionId": self.session_id, "messageId": self.message_id, "role": self.role,
            "timestamp": self.at, "snippet": self.snippet, "score": self.count,
        })
    }
}

/// Whether the bytes hold the letters of `word`, large or small.
fn holds(bytes: &[u8], word: &str) -> bool {
    let word = word.as_bytes();
    let Some(first) = word.first() else { return true };
    let starts = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), bytes);
    let mut found = starts.filter_map(|at| bytes.get(at..at + word.len()));
    found.any(|piece| piece.eq_ignore_ascii_case(word))
}

/// The line that the word stands in, or what of it is around the word.
fn snippet(text: &str, word: &str) -> String {
    let found = |line: &&str| line.to_lowercase().contains(word);
    let line = text.lines().find(found).unwrap_or(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let before = line.to_lowercase().find(word).unwrap_or_default();
    let place = line.to_lowercase().char_indices().take_while(|(at, _)| *at < before).count();
    if place <= BEFORE {
        return shortened(&line, SNIPPET);
    }
    let rest: String = line.chars().skip(place - BEFORE).collect();
    format!("…{}", shortened(&rest, SNIPPET))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    fn place(dir: &TestDir, name: &str, said: &[(&str, u64)]) -> Place {
        let transcript = Transcript::at(&dir.0, name).unwrap();
        let lines: Vec<Value> = said.iter().map(|(text, at)| message::user_text(text, *at)).collect();
        transcript.append(&lines).unwrap();
        let updated_at = said.iter().map(|(_, at)| *at).max().unwrap_or(0);
        Place { key: format!("agent:main:{name}"), updated_at, transcript }
    }

    fn found(query: &str, limit: usize, places: Vec<Place>) -> Vec<(u64, String)> {
        let mut search = Search::new(query, limit, Eyes::People);
        search.look_in(places.into_iter());
        search.into_hits().into_iter().map(|hit| (hit.at, hit.snippet)).collect()
    }

    #[test]
    fn all_words_stand_in_one_message_and_the_newest_come_first() {
        let dir = TestDir::new();
        let places = || {
            vec![
                place(&TestDir::new(), "x", &[]),
                place(&dir, "a", &[("The red FOX\nruns", 10), ("a fox", 40)]),
                place(&dir, "b", &[("fox and Ärger", 30), ("red", 31)]),
                place(&dir, "c", &[("red\" fox \\ \u{1f98a}", 5)]),
            ]
        };
        let all = found("fox", 9, places());
        assert_eq!(all.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [40, 30, 10, 5]);
        for file in ["a", "b", "c"] {
            std::fs::remove_file(dir.0.join(format!("{file}.jsonl"))).unwrap();
        }
        assert_eq!(found("red fox", 9, places()).len(), 2);
        for (query, want) in
            [("\"red fox\"", 1), ("ärger", 1), ("\u{1f98a}", 1), ("red fox nowhere", 0), ("\"fox \\\"", 1)]
        {
            for file in ["a", "b", "c"] {
                std::fs::remove_file(dir.0.join(format!("{file}.jsonl"))).unwrap();
            }
            assert_eq!(found(query, 9, places()).len(), want, "{query}");
        }
        for file in ["a", "b", "c"] {
            std::fs::remove_file(dir.0.join(format!("{file}.jsonl"))).unwrap();
        }
        assert_eq!(found("fox", 2, places()).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [40, 30]);
    }

    #[test]
    fn a_long_line_is_shown_around_the_word() {
        let text = format!("first\n{} needle {}", "ä".repeat(300), "x".repeat(300));
        let shown = snippet(&text, "needle");
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains(" needle "), "{shown}");
        assert!(shown.chars().count() <= SNIPPET + 2, "{shown}");
        assert_eq!(snippet("one\ntwo  Words\nthree", "words"), "two Words");
    }
}
