//! Answers that are being written, told to a program that can show that (`draft`): the whole text so far, once a second at
//! most. The answer itself is a delivery, whatever became of its draft.
//!
//! On the account's intake thread, which looks at the streams of its turns between two messages. A draft that does not get
//! through is no loss.
use super::run::Line;
use super::wire::Message;
use crate::calls::stream::{Piece, Stream};
use crate::channels::markdown::{self, Tables};
use crate::channels::said::{Said, may_be_silent};
use crate::json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);
/// How soon what was written since is found.
const SLICE: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_secs(3600);
/// Turns that are followed at a time, and the bytes of each that may wait.
const MOST: usize = 32;
const WAITING: usize = 64 << 10;
/// A longer answer is shown no further.
const LONGEST: usize = 32 << 10;

#[derive(Default)]
pub struct Drafts(Vec<Draft>);

struct Draft {
    stream: Arc<Stream>,
    to: String,
    thread: String,
    /// The answer's words so far; what of them was shown, in bytes.
    text: String,
    shown: usize,
    next: Option<Instant>,
}

impl Drafts {
    /// Follows the turn that answers this message; `None` where nobody would show it.
    pub fn follow(&mut self, line: &Line, message: &Message) -> Option<Arc<Stream>> {
        if !line.can("draft") || self.0.len() >= MOST {
            return None;
        }
        let stream = Stream::bounded(WAITING);
        let (to, thread) = (message.chat.to_string(), message.thread.to_string());
        self.0.push(Draft { stream: stream.clone(), to, thread, text: String::new(), shown: 0, next: None });
        Some(stream)
    }

    /// How long nothing has to be shown; `left` is what the rest has time for. Without a draft nobody is woken for one: the
    /// end of whoever listens to the program ends the waiting.
    pub fn patience(&self, left: Option<Duration>) -> Duration {
        let left = left.unwrap_or(IDLE);
        if self.0.is_empty() { left } else { left.min(SLICE) }
    }

    /// Tells what is new. Those whose turns have ended are followed no more.
    pub fn show(&mut self, line: &Line) {
        self.0.retain_mut(|draft| draft.goes_on(line));
    }
}

impl Draft {
    fn goes_on(&mut self, line: &Line) -> bool {
        while let Some(piece) = self.stream.next(Duration::ZERO) {
            match piece {
                Piece::Text(more) => self.text.push_str(&more),
                // Its delivery takes the draft's place.
                Piece::NextMessage => (self.shown, self.text) = (0, String::new()),
                Piece::Unsaid | Piece::End { .. } => {
                    if std::mem::take(&mut self.shown) > 0 {
                        self.tell(line, "");
                    }
                    self.text.clear();
                    if matches!(piece, Piece::End { .. }) {
                        return false;
                    }
                }
            }
        }
        let now = Instant::now();
        let length = self.text.len();
        if length > self.shown && length <= LONGEST && self.next.is_none_or(|at| at <= now) {
            let said = Said::read(&self.text).text;
            let said = said.trim();
            if !may_be_silent(said) {
                let is_plain = line.can("plain");
                let plain = is_plain.then(|| markdown::parse(said, Tables::Code).plain);
                self.tell(line, plain.as_deref().unwrap_or(said));
                (self.shown, self.next) = (length, Some(now + PAUSE));
            }
        }
        // A turn that was not taken tells nothing and does not end.
        Arc::strong_count(&self.stream) > 1
    }

    fn tell(&self, line: &Line, text: &str) {
        let mut told = json!({"type": "draft", "to": (self.to.as_str()), "text": text});
        if let (Some(told), false) = (told.as_object_mut(), self.thread.is_empty()) {
            told.insert("thread".into(), self.thread.as_str().into());
        }
        // Where it does not get through it is no loss.
        let _ = line.writer.write(&told);
    }
}
