//! What may wait for a client, and the queue in which it does. Under the outbox's lock; counts nothing.
use super::line::Line;
use crate::error::Result;
use crate::protocol::close::Close;
use crate::protocol::frame::Payload;
use crate::protocol::pieces::Pieces;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// Work that a state handler leaves to the connection's thread: reading files, large listings.
pub type Work = Box<dyn FnOnce() -> Result<Payload> + Send>;

pub enum Frame {
    /// An event without its last brace; the connection's thread appends `seq`.
    Event { body: Arc<Pieces>, kind: &'static str, replace: bool },
    /// A whole frame that answers a request.
    Answer(Pieces),
    /// An event or answer of which that many bytes are out already.
    Rest(Box<Frame>, usize),
    /// The `hello-ok` answer: requests are read only after it.
    Hello(String),
    /// Work whose result answers request `id`.
    Work { id: String, work: Work },
    /// Nobody took the client in: its `connect` is for the next generation.
    Moved,
    /// End the connection after what was queued before.
    Close(Close),
}

impl Frame {
    pub fn bytes(&self) -> usize {
        match self {
            Frame::Event { body, .. } => body.len() + 32,
            Frame::Answer(text) => text.len(),
            Frame::Hello(text) => text.len(),
            Frame::Rest(frame, _) => frame.bytes(),
            Frame::Work { .. } => 256,
            Frame::Moved | Frame::Close(_) => 0,
        }
    }

    /// The text of an event, which other clients may have too.
    pub fn text(&self) -> Option<&Arc<Pieces>> {
        match self {
            Frame::Event { body, .. } => Some(body),
            Frame::Rest(frame, _) => frame.text(),
            _ => None,
        }
    }
}

#[derive(Default)]
pub struct Queue {
    pub frames: VecDeque<Frame>,
    pub bytes: usize,
    /// Events sent or dropped so far: the `seq` of the last one.
    pub seq: u64,
    pub closed: bool,
    /// Lent while the connection's thread has nothing to write.
    pub line: Option<Line>,
    /// Of the event that was popped last: its text, while anybody has it.
    pub out: Weak<Pieces>,
}

impl Queue {
    /// Writes what is small on the lent line; gives what is left for the connection's thread, and how many bytes are out.
    /// Behind what is left the line is no longer lent.
    pub fn write(&mut self, frame: Frame) -> (Option<Frame>, usize) {
        let is_event = matches!(frame, Frame::Event { .. });
        let is_small = frame.bytes() <= Line::SMALL && (is_event || matches!(frame, Frame::Answer(_)));
        let Some(line) = self.line.take().filter(|_| is_small) else { return (Some(frame), 0) };
        match line.write(&frame, self.seq + 1) {
            (written, true) => {
                self.seq += u64::from(is_event);
                self.line = Some(line);
                (None, written)
            }
            (0, false) => (Some(frame), 0),
            (written, false) => (Some(Frame::Rest(Box::new(frame), written)), written),
        }
    }

    /// Puts a newer event in the place of an unsent one of the same kind; gives the old one's bytes. A frame
    /// that is half written was popped before and is not in the queue.
    pub fn replace_pending(&mut self, frame: &Frame) -> Option<usize> {
        let Frame::Event { body, kind, .. } = frame else { return None };
        let is_older =
            |old: &&mut Frame| matches!(old, Frame::Event { kind: k, replace: true, .. } if k == kind);
        let old = self.frames.iter_mut().find(is_older)?;
        let bytes = old.bytes();
        if let Frame::Event { body: old_body, .. } = old {
            *old_body = body.clone();
        }
        self.bytes = (self.bytes + frame.bytes()).saturating_sub(bytes);
        Some(bytes)
    }
}
