//! A frame on its way to the client: written in one call from bytes that may be shared with all other clients.
use crate::calls::outbox::Unsent;
use crate::net::wire;
use crate::parts::Parts;
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

pub(super) enum Body {
    Shared(Arc<str>),
    Own(String),
    /// A whole frame with its header in it (pong, close).
    Raw(Vec<u8>),
}

impl Sending {
    pub fn new(body: Body, tail: String) -> Sending {
        let header = wire::text_header(body.as_bytes().len() + tail.len());
        Sending { header, body, tail, written: 0, _counted: None }
    }

    pub fn text(text: String) -> Sending {
        Sending::new(Body::Own(text), String::new())
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
        self.header.as_slice().len() + self.body.as_bytes().len() + self.tail.len()
    }

    pub fn is_out(&self) -> bool {
        self.written >= self.bytes()
    }

    /// Whether a part is out, behind which nothing else may come.
    pub fn is_begun(&self) -> bool {
        self.written > 0
    }

    /// Writes a part and gives its size.
    pub fn write(&mut self, mut stream: &TcpStream) -> std::io::Result<usize> {
        let mut skip = self.written;
        let mut left = |part: &'_ [u8]| -> usize {
            let skipped = skip.min(part.len());
            skip -= skipped;
            skipped
        };
        let (header, body, tail) = (self.header.as_slice(), self.body.as_bytes(), self.tail.as_bytes());
        let parts = [header, body, tail].map(|part| (part, left(part)));
        let slices = parts.map(|(part, from)| IoSlice::new(part.tail(from)));
        match stream.write_vectored(&slices)? {
            0 => Err(std::io::ErrorKind::WriteZero.into()),
            n => {
                self.written += n;
                Ok(n)
            }
        }
    }
}

impl Body {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Body::Shared(text) => text.as_bytes(),
            Body::Own(text) => text.as_bytes(),
            Body::Raw(bytes) => bytes,
        }
    }
}
