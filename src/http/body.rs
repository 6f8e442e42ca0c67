//! The body of a request: exactly as framed, at most as large as its route takes, and whole before the deadline.
//!
//! Runs on the connection's own thread. Chunks are taken strictly, because whoever stands in front may read them
//! otherwise. What has arrived counts as work in the common budget, and is refused when there is too much of it.
use crate::calls::budget::Work;
use crate::door::head::{self, Head};
use crate::http::Refusal;
use crate::net::print::{self, Framing};
use crate::parts::{Parts, first};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// Bytes read at a time.
const PIECE: usize = 4096;
/// Longest line before a chunk, and most bytes of headers behind the last.
const MAX_LINE: usize = 256;
const MAX_TRAILERS: usize = 4096;

/// How a body is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Length(usize),
    Chunks,
}

impl Measure {
    pub fn of(head: &Head) -> Result<Measure, Refusal> {
        match (head.get("transfer-encoding"), head.get("content-length")) {
            (None, None) => Ok(Measure::Length(0)),
            (None, Some(text)) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Measure::Length(text.parse().unwrap_or(usize::MAX)))
            }
            (None, Some(_)) => Err(Refusal::new(400, "invalid Content-Length")),
            (Some(_), _) if head.version() == 0 => {
                Err(Refusal::new(400, "HTTP/1.0 knows no Transfer-Encoding: send a Content-Length"))
            }
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Measure::Chunks),
            (Some(_), _) => Err(Refusal::new(501, "the only Transfer-Encoding taken is chunked")),
        }
    }

    pub fn is_empty(self) -> bool {
        self == Measure::Length(0)
    }
}

/// What is read from, and until when.
pub struct Input<'a> {
    pub stream: &'a TcpStream,
    /// What has arrived and was not taken.
    pub bytes: Vec<u8>,
    pub until: Instant,
    pub max: usize,
    /// Counts the body; `most` is what fits beside all other work.
    pub work: Work,
    pub most: usize,
}

impl Input<'_> {
    /// Takes the body off the socket. `head` may want to be told that it is wanted.
    pub fn take(&mut self, head: &Head, measure: Measure) -> Result<Vec<u8>, Refusal> {
        if matches!(measure, Measure::Length(length) if length > self.max) {
            return Err(self.too_large());
        }
        self.invite(head, measure)?;
        let mut body = Vec::new();
        match measure {
            Measure::Length(length) => self.move_to(&mut body, length)?,
            Measure::Chunks => while self.take_chunk(&mut body)? {},
        }
        Ok(body)
    }

    fn too_large(&self) -> Refusal {
        Refusal::new(413, format!("payload too large: at most {} bytes are taken here", self.max))
    }

    /// Answers `Expect: 100-continue`, unless the body is on its way anyway.
    fn invite(&self, head: &Head, measure: Measure) -> Result<(), Refusal> {
        let Some(expected) = head.get("expect").filter(|_| head.version() > 0) else { return Ok(()) };
        if !expected.eq_ignore_ascii_case("100-continue") {
            return Err(Refusal::new(417, "the only Expect known is 100-continue"));
        }
        if measure.is_empty() || !self.bytes.is_empty() {
            return Ok(());
        }
        let mut stream = self.stream;
        let invitation = print::head(1, 100, &[], Framing::Length(0), true);
        stream.write_all(&invitation).map_err(|_| ended())
    }

    /// Moves `length` bytes to the end of `body`.
    fn move_to(&mut self, body: &mut Vec<u8>, length: usize) -> Result<(), Refusal> {
        let mut left = length;
        while left > 0 {
            if self.bytes.is_empty() {
                self.fill()?;
            }
            let piece = left.min(self.bytes.len());
            if !self.work.grow(piece, self.most) {
                return Err(Refusal::new(503, "too much is being sent to the gateway at the moment")
                    .with("Retry-After", "1"));
            }
            body.extend(self.bytes.drain(..piece));
            left -= piece;
        }
        Ok(())
    }

    /// Moves one chunk to the end of `body`; `false` when it was the last.
    fn take_chunk(&mut self, body: &mut Vec<u8>) -> Result<bool, Refusal> {
        let (line, size) = self.until_parsed(MAX_LINE, chunk_line)?;
        self.bytes.drain(..line);
        if size > self.max.saturating_sub(body.len()) {
            return Err(self.too_large());
        }
        if size == 0 {
            let (trailers, ()) = self.until_parsed(MAX_TRAILERS, trailers)?;
            self.bytes.drain(..trailers);
            return Ok(false);
        }
        self.move_to(body, size)?;
        let (end, ()) = self.until_parsed(2, |bytes| match bytes {
            [b'\r', b'\n', ..] => Some(Some((2, ()))),
            [] | [b'\r'] => Some(None),
            _ => None,
        })?;
        self.bytes.drain(..end);
        Ok(true)
    }

    /// Reads on until `parse` finds its piece within `max` bytes; gives its length and what it says.
    fn until_parsed<T>(
        &mut self,
        max: usize,
        parse: impl Fn(&[u8]) -> Parsed<T>,
    ) -> Result<(usize, T), Refusal> {
        loop {
            let seen = first(&self.bytes, max);
            match parse(seen) {
                Some(Some(found)) => return Ok(found),
                Some(None) if seen.len() < max => self.fill()?,
                _ => return Err(Refusal::new(400, "malformed chunks")),
            }
        }
    }

    fn fill(&mut self) -> Result<(), Refusal> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() || !head::wait_readable(self.stream, left) {
            return Err(Refusal::new(408, "the body did not arrive in time"));
        }
        let (mut stream, mut piece) = (self.stream, [0u8; PIECE]);
        match stream.read(&mut piece) {
            Ok(n) if n > 0 => self.bytes.extend_from_slice(piece.head(n)),
            _ => return Err(ended()),
        }
        Ok(())
    }
}

/// `None` for what cannot be; then `None` for what is not all there.
type Parsed<T> = Option<Option<(usize, T)>>;

fn chunk_line(bytes: &[u8]) -> Parsed<usize> {
    // The parser takes an empty line for a size, and the end of a line within an extension.
    if bytes.first().is_some_and(|first| !first.is_ascii_hexdigit()) || head::has_bare_end(line(bytes)) {
        return None;
    }
    match httparse::parse_chunk_size(bytes).ok()? {
        httparse::Status::Partial => Some(None),
        httparse::Status::Complete((line, size)) => {
            Some(Some((line, usize::try_from(size).unwrap_or(usize::MAX))))
        }
    }
}

/// The headers behind the last chunk, which say nothing to anybody here, and the empty line.
fn trailers(bytes: &[u8]) -> Parsed<()> {
    let mut slots = [httparse::EMPTY_HEADER; 16];
    match httparse::parse_headers(bytes, &mut slots).ok()? {
        httparse::Status::Partial => Some(None),
        httparse::Status::Complete((length, _)) => {
            (!head::has_bare_end(bytes.get(..length)?)).then_some(Some((length, ())))
        }
    }
}

/// Up to the end of the first line, its line feed included.
fn line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.head(end)
}

fn ended() -> Refusal {
    Refusal::new(400, "the body ended early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_chunks_end_where_every_reader_says() {
        let samples: [&[u8]; 3] = [b"1a;x=\"y\"\r\nabc", b"0\r\nX: y\r\nZ: w\r\n\r\nrest", b"\r\nafter"];
        crate::net::fuzz::fuzz(&samples, |input, _| {
            let ends = [
                chunk_line(input).flatten().map(|(end, _)| end),
                trailers(input).flatten().map(|(end, ())| end),
            ];
            for end in ends.into_iter().flatten() {
                let taken = String::from_utf8_lossy(&input[..end]).replace("\r\n", "");
                assert!(input[..end].ends_with(b"\r\n") && !taken.contains(['\r', '\n']), "{taken:?}");
            }
        });
    }

    #[test]
    fn a_line_before_a_chunk_is_read_in_one_way_only() {
        for (text, size) in
            [("0\r\n", 0), ("1a\r\nx", 26), ("5 \r\n", 5), ("5;x=\"y\"\r\n", 5), ("00F\r\n", 15)]
        {
            assert!(matches!(chunk_line(text.as_bytes()), Some(Some((_, n))) if n == size), "{text:?}");
        }
        for text in ["", "5", "5\r", "5;x"] {
            assert!(matches!(chunk_line(text.as_bytes()), Some(None)), "{text:?}");
        }
        let odd =
            ["\r\n", ";x\r\n", "+5\r\n", "-1\r\n", "0x5\r\n", "5\n", "5;x\ny\r\n", " 5\r\n", "5;a\rb\r\n"];
        for text in odd.iter().chain(&["fffffffffffffffff\r\n", "5 5\r\n", "g\r\n"]) {
            assert!(chunk_line(text.as_bytes()).is_none(), "{text:?}");
        }
    }
}
