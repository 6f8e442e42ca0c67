//! A frame on its way to the client: written in one call from bytes that may be shared with all other clients.
use crate::calls::outbox::{Frame, Unsent};
use crate::parts::Parts;
use crate::protocol::pieces::{self, Pieces};
use crate::protocol::wire;
use std::io::{IoSlice, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// A frame on its way: header, shared body, own tail.
pub(super) struct Sending {
    header: wire::OutHeader,
    body: Body,
    tail: String,
    written: usize,
    /// Counted until this is dropped.
    _counted: Option<Unsent>,
}

enum Body {
    Event(Arc<Pieces>),
    Own(Pieces),
    /// A whole frame with its header in it (pong, close).
    Raw(Vec<u8>),
}

impl Sending {
    /// An event or an answer, or the rest of one.
    pub fn of(frame: Frame, seq: u64) -> Option<Sending> {
        match frame {
            Frame::Event { body, .. } => Some(Sending::new(Body::Event(body), tail(seq))),
            Frame::Answer(text) => Some(Sending::text(text)),
            Frame::Rest(frame, written) => Some(Sending { written, ..Sending::of(*frame, seq)? }),
            Frame::Hello(_) | Frame::Work { .. } | Frame::Moved | Frame::Close(_) => None,
        }
    }

    fn new(body: Body, tail: String) -> Sending {
        let header = wire::text_header(body.len() + tail.len());
        Sending { header, body, tail, written: 0, _counted: None }
    }

    pub fn text(text: impl Into<Pieces>) -> Sending {
        Sending::new(Body::Own(text.into()), String::new())
    }

    pub fn raw(bytes: Vec<u8>) -> Sending {
        Sending {
            header: wire::OutHeader::none(),
            body: Body::Raw(bytes),
            tail: String::new(),
            written: 0,
            _counted: None,
        }
    }

    pub fn counted(self, counted: Unsent) -> Sending {
        Sending { _counted: Some(counted), ..self }
    }

    pub fn bytes(&self) -> usize {
        self.header.as_slice().len() + self.body.len() + self.tail.len()
    }

    pub fn is_out(&self) -> bool {
        self.written >= self.bytes()
    }

    /// Whether a part is out, behind which nothing else may come.
    pub fn is_begun(&self) -> bool {
        self.written > 0
    }

    /// Writes a part and gives its size.
    pub fn write(&mut self, stream: &TcpStream) -> std::io::Result<usize> {
        match write_parts(stream, &self.header, self.body.parts(), &self.tail, self.written)? {
            0 => Err(std::io::ErrorKind::WriteZero.into()),
            n => {
                self.written += n;
                Ok(n)
            }
        }
    }
}

/// Writes what the socket takes at once of an event or answer, for the line that is lent; gives that, and whether it is
/// all. What an error means is for the connection's thread to find out, with what is left.
pub(super) fn write_some(stream: &TcpStream, frame: &Frame, seq: u64) -> (usize, bool) {
    let (body, tail) = match frame {
        Frame::Event { body, .. } => (body.parts(), tail(seq)),
        Frame::Answer(text) => (text.parts(), String::new()),
        _ => return (0, false),
    };
    let size = body.iter().map(|part| part.len()).sum::<usize>() + tail.len();
    let header = wire::text_header(size);
    let written = write_parts(stream, &header, body, &tail, 0).unwrap_or(0);
    (written, written == header.as_slice().len() + size)
}

/// What closes an event.
fn tail(seq: u64) -> String {
    format!(",\"seq\":{seq}}}")
}

/// Between header and tail stand the parts of the body.
fn write_parts(
    mut stream: &TcpStream,
    header: &wire::OutHeader,
    body: Parted,
    tail: &str,
    mut skip: usize,
) -> std::io::Result<usize> {
    let [a, b, c, d, e] = body;
    let slices = [header.as_slice(), a, b, c, d, e, tail.as_bytes()].map(|part| {
        let skipped = skip.min(part.len());
        skip -= skipped;
        IoSlice::new(part.tail(skipped))
    });
    stream.write_vectored(&slices)
}

type Parted<'a> = [&'a [u8]; pieces::PARTS];

/// A text in one part.
fn whole(text: &[u8]) -> Parted<'_> {
    [text, &[], &[], &[], &[]]
}

impl Body {
    fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }

    fn parts(&self) -> Parted<'_> {
        match self {
            Body::Event(text) => text.parts(),
            Body::Own(text) => text.parts(),
            Body::Raw(bytes) => whole(bytes),
        }
    }
}
