//! The words of a run on their way to a thread that passes them on (an HTTP answer, a channel).
//!
//! The state thread tells and never waits; the other thread takes. What a slow one has not taken is bounded in bytes:
//! beyond that the words are left out, all that follow too, so that what came is the beginning of what was said. The
//! end always comes, with the whole outcome, and says whether something was left out.
use crate::error::Result;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that a piece takes beside its text.
const PIECE: usize = 64;

#[derive(Debug)]
pub enum Piece {
    /// More of the present message.
    Text(String),
    /// The message is whole; another one follows.
    NextMessage,
    /// What was said of the present message does not count.
    Unsaid,
    /// The outcome; nothing follows.
    End { outcome: Result<Value>, is_cut: bool },
}

pub struct Stream {
    queue: Mutex<Queue>,
    woken: Condvar,
    max: usize,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    is_cut: bool,
    has_ended: bool,
}

impl Stream {
    /// Holds at most `max` bytes that nobody has taken, and the end.
    pub fn bounded(max: usize) -> Arc<Stream> {
        Arc::new(Stream { queue: Mutex::default(), woken: Condvar::new(), max })
    }

    /// The next piece; `None` when there was none in time.
    pub fn next(&self, patience: Duration) -> Option<Piece> {
        let is_empty = |queue: &mut Queue| queue.pieces.is_empty();
        let waited = self.woken.wait_timeout_while(self.lock(), patience, is_empty);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let piece = queue.pieces.pop_front()?;
        queue.bytes = queue.bytes.saturating_sub(piece.bytes());
        Some(piece)
    }
}

impl Stream {
    pub fn tell(&self, piece: Piece) {
        let mut queue = self.lock();
        queue.is_cut |= queue.bytes + piece.bytes() > self.max;
        if queue.is_cut || queue.has_ended {
            return;
        }
        queue.bytes += piece.bytes();
        match (queue.pieces.back_mut(), piece) {
            (Some(Piece::Text(last)), Piece::Text(more)) => {
                last.push_str(&more);
                queue.bytes = queue.bytes.saturating_sub(PIECE);
            }
            (_, piece) => queue.pieces.push_back(piece),
        }
        self.woken.notify_one();
    }

    pub fn end(&self, outcome: Result<Value>) {
        let mut queue = self.lock();
        if !std::mem::replace(&mut queue.has_ended, true) {
            let is_cut = queue.is_cut;
            queue.pieces.push_back(Piece::End { outcome, is_cut });
            self.woken.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Piece::Text(text) => PIECE + text.len(),
            _ => PIECE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn a_slow_reader_holds_a_bounded_beginning_and_gets_the_end() {
        let stream = Stream::bounded(1000);
        for n in 0..10_000 {
            stream.tell(Piece::Text(format!("{n} ")));
        }
        stream.tell(Piece::NextMessage);
        stream.end(Ok(json!({"status": "ok"})));
        stream.end(Ok(json!(2)));
        assert!(stream.lock().bytes <= 1000);
        let Some(Piece::Text(text)) = stream.next(Duration::ZERO) else { panic!("the beginning") };
        assert!(text.starts_with("0 1 2 ") && text.len() > 800 && text.len() <= 1000, "{}", text.len());
        match stream.next(Duration::ZERO) {
            Some(Piece::End { outcome: Ok(outcome), is_cut: true }) => assert_eq!(outcome["status"], "ok"),
            other => panic!("the end, and that something was left out: {other:?}"),
        }
        assert!(stream.next(Duration::ZERO).is_none(), "one end");
    }

    #[test]
    fn a_reader_that_keeps_up_gets_every_piece() {
        let stream = Stream::bounded(1000);
        let told = stream.clone();
        let telling = crate::threads::spawn(
            "test",
            64 << 10,
            move || {
                for n in 0..50 {
                    told.tell(Piece::Text(n.to_string()));
                    told.tell(Piece::Unsaid);
                    while told.lock().bytes > 500 {
                        std::thread::yield_now();
                    }
                }
                told.end(Ok(json!(1)));
            },
            drop,
        )
        .unwrap();
        let (mut text, mut unsaid) = (String::new(), 0);
        loop {
            match stream.next(Duration::from_secs(10)).unwrap() {
                Piece::Text(more) => text += &more,
                Piece::Unsaid => unsaid += 1,
                Piece::NextMessage => panic!("none was told"),
                Piece::End { is_cut, .. } => break assert!(!is_cut),
            }
        }
        assert_eq!((text, unsaid), ((0..50).map(|n| n.to_string()).collect(), 50));
        telling.join().unwrap();
    }
}
