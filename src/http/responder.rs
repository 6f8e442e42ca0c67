//! How a handler answers: once, whole or as a stream. Runs on the connection's own thread.
//!
//! HEAD is answered by the same handler; what it says of a body is told and the body kept back. An answer that cannot
//! be finished is never made to look finished: the connection ends there.
use crate::door::OpenStream;
use crate::error::{Error, Kind, Result};
use crate::http::Refusal;
use crate::http::out::Out;
use crate::http::turn::{Sent, Turn};
use crate::net::print::{self, Framing};
use crate::parts::{Parts, first};
use crate::sys;
use chunked_transfer::Encoder;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::Instant;

/// Bytes of a file at a time, and of a stream in a chunk.
const PIECE: usize = 8192;
/// An answer of this size leaves memory behind that is worth giving back.
const LARGE: usize = 1 << 20;

pub struct Responder<'a> {
    out: Out<'a>,
    headers: Vec<(&'static str, String)>,
    /// Of the stream that it will be.
    place: Option<OpenStream>,
}

impl<'a> Responder<'a> {
    pub(super) fn new(turn: &'a Turn<'a>) -> Responder<'a> {
        Responder { out: Out::new(turn), headers: Vec::new(), place: None }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Responder<'a> {
        self.headers.push((name, value.into()));
        self
    }

    /// Keeps a place for the stream that it is to be; `false` when there is none.
    pub fn reserve(&mut self) -> bool {
        self.place = self.out.turn.place();
        self.place.is_some()
    }

    pub fn json(self, status: u16, body: Value) -> Result<()> {
        let text = body.to_string();
        // Many times as large as its text, and not kept while somebody reads that.
        drop(body);
        self.json_text(status, text)
    }

    /// The same of what is text already.
    pub fn json_text(mut self, status: u16, mut text: String) -> Result<()> {
        text.push('\n');
        self.out.held = text.len();
        let result = self.bytes(status, "application/json; charset=utf-8", text.as_bytes());
        if text.len() > LARGE {
            drop(text);
            sys::release_memory_since(Instant::now());
        }
        result
    }

    pub fn text(self, status: u16, body: &str) -> Result<()> {
        self.bytes(status, "text/plain; charset=utf-8", body.as_bytes())
    }

    pub fn bytes(mut self, status: u16, content_type: &str, body: &[u8]) -> Result<()> {
        let (mut out, sent) = self.begin(status, content_type, Framing::Length(body.len()));
        let body = if self.out.turn.head.method == "HEAD" { &[] } else { body };
        // In one packet with its head, unless the copy would cost more.
        let (near, far) = body.split_at(if body.len() <= PIECE { body.len() } else { 0 });
        out.extend_from_slice(near);
        self.out.write_all(&out).map_err(lost)?;
        self.out.write_all(far).map_err(lost)?;
        self.out.turn.sent.set(sent);
        Ok(())
    }

    /// Sends a file as long as it is now.
    pub fn file(self, content_type: &str, file: File) -> Result<()> {
        let length = file.metadata().map_err(unread)?.len();
        self.bytes_of(200, content_type, file, length)
    }

    /// Sends so many bytes of a file, from one on.
    pub fn part(self, content_type: &str, mut file: File, from: u64, length: u64) -> Result<()> {
        file.seek(SeekFrom::Start(from)).map_err(unread)?;
        self.bytes_of(206, content_type, file, length)
    }

    fn bytes_of(mut self, status: u16, content_type: &str, file: File, length: u64) -> Result<()> {
        let (head, sent) = self.begin(status, content_type, Framing::Length(length as usize));
        self.out.write_all(&head).map_err(lost)?;
        if self.out.turn.head.method != "HEAD" {
            let left = self.out.send_file(&file, length).map_err(lost)?;
            self.copy(file, left)?;
        }
        self.out.turn.sent.set(sent);
        Ok(())
    }

    /// Sends so much of a file that the kernel did not.
    #[inline(never)]
    fn copy(&mut self, file: File, mut left: u64) -> Result<()> {
        let (mut file, mut piece) = (file.take(left), [0u8; PIECE]);
        while left > 0 {
            let n = file.read(&mut piece).map_err(unread)?;
            if n == 0 {
                return Err(Error::new(Kind::Io, "a file to be sent has become shorter"));
            }
            self.out.write_all(piece.head(n)).map_err(lost)?;
            left = left.saturating_sub(n as u64);
        }
        Ok(())
    }

    /// Goes on in another protocol behind `head`, for as long as the answer lives; the connection ends with it.
    pub fn switch(mut self, head: &[u8]) -> Result<Stream<'a>> {
        let place = self.free_place()?;
        self.out.turn.sent.set(Sent::Part);
        self.out.write_all(head).map_err(lost)?;
        Ok(Stream { body: Body::Bare(self.out), is_whole: false, sent: Sent::Last, _place: place })
    }

    fn free_place(&self) -> Result<OpenStream> {
        self.out.turn.place().ok_or_else(|| {
            Error::unavailable("too many streams are open at the moment")
                .retry_in(std::time::Duration::from_secs(1))
        })
    }

    /// Begins an answer of unknown length. What is written to it goes out at once.
    pub fn stream(mut self, status: u16, content_type: &str) -> Result<Stream<'a>> {
        let place = self.place.take().map_or_else(|| self.free_place(), Ok)?;
        let (head, sent) = self.begin(status, content_type, Framing::Stream);
        self.out.write_all(&head).map_err(lost)?;
        let is_whole = self.out.turn.head.method == "HEAD";
        if is_whole {
            self.out.turn.sent.set(sent);
        }
        let (out, sent) = match self.out.turn.head.version() {
            // Its end is the connection's.
            0 => (Body::Bare(self.out), Sent::Last),
            _ if is_whole => (Body::Bare(self.out), sent),
            _ => (Body::Chunks(Encoder::with_flush_after_write(self.out)), sent),
        };
        Ok(Stream { body: out, is_whole, sent, _place: place })
    }

    pub(in crate::http) fn refuse(mut self, refusal: Refusal) -> Result<()> {
        let turn = self.out.turn;
        let refusal = refusal.shaped(turn.shape);
        let body = refusal.body();
        self.headers = refusal.headers;
        self.json(refusal.status, body)
    }

    /// The head, and what becomes of the answer when its body is out too. Until then it is a part.
    fn begin(&self, status: u16, content_type: &str, framing: Framing) -> (Vec<u8>, Sent) {
        let turn = self.out.turn;
        let keep = turn.may_stay() && !(framing == Framing::Stream && turn.head.version() == 0);
        let mut headers = vec![("Content-Type", content_type), ("Cache-Control", "no-store")];
        let config = turn.shared.config();
        headers.extend(
            config
                .str("gateway.http.securityHeaders.strictTransportSecurity")
                .filter(|value| !value.trim().is_empty())
                .map(|value| ("Strict-Transport-Security", value)),
        );
        for (name, value) in &self.headers {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name, value));
        }
        turn.sent.set(Sent::Part);
        let head = print::head(turn.head.version(), status, &headers, framing, keep);
        (head, if keep { Sent::Kept } else { Sent::Last })
    }
}

/// An answer that goes on until `finish`; one that is dropped before ends the connection.
pub struct Stream<'a> {
    body: Body<'a>,
    /// Nothing follows: it answers HEAD.
    is_whole: bool,
    /// What the answer is when it is finished.
    sent: Sent,
    _place: OpenStream,
}

enum Body<'a> {
    Chunks(Encoder<Out<'a>>),
    Bare(Out<'a>),
}

impl Stream<'_> {
    /// Whether anybody still reads. To be asked by whoever works for long between two writes.
    pub fn is_wanted(&self) -> bool {
        !self.is_whole && !self.out().turn.is_gone()
    }

    pub fn finish(mut self) {
        self.out().turn.sent.set(self.sent);
        // Dropped at the end of this function, the encoder writes the last chunk; if it cannot, the answer is a part.
        self.is_whole = true;
    }

    fn out(&self) -> &Out<'_> {
        match &self.body {
            Body::Chunks(encoder) => encoder.get_ref(),
            Body::Bare(out) => out,
        }
    }
}

/// Fails when nobody reads any more, or too slowly.
impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_wanted() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // A longer one would be cut by the encoder, by calling itself for each piece.
        let piece = first(bytes, PIECE);
        match &mut self.body {
            Body::Chunks(encoder) => encoder.write(piece),
            Body::Bare(out) => out.write(piece),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        match &mut self.body {
            _ if self.is_whole => {}
            Body::Chunks(encoder) => encoder.get_mut().mute(),
            // Its end would look like that of a whole answer: there is no other sign.
            Body::Bare(out) => out.turn.ticket.break_off(out.turn.stream),
        }
    }
}

fn unread(e: io::Error) -> Error {
    Error::io("read a file to be sent", e)
}

fn lost(_: io::Error) -> Error {
    Error::new(Kind::Aborted, "nobody reads the answer any more")
}
