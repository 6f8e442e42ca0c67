//! WebSocket framing (RFC 6455), without I/O: bytes in, messages out; headers out. For the server's side and for the
//! command line's.
//!
//! Own code instead of tungstenite's `WebSocket` for one measured reason: outgoing frames are written straight
//! from bytes that all clients share, and an idle connection keeps no buffer at all. tungstenite keeps a copy
//! of the largest frame it ever sent for each client (ARCHITECTURE.md, "Memory of a client"). The tests speak to both
//! sides with tungstenite.
use crate::device::encoding::base64;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// What the peer sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole text or binary message, as valid UTF-8.
    Text(String),
    Ping(Vec<u8>),
    Pong,
    /// The peer's close code and reason; 1005 when it gave none.
    Close(u16, String),
}

impl Incoming {
    /// What it costs while it waits.
    pub fn bytes(&self) -> usize {
        std::mem::size_of::<Incoming>()
            + match self {
                Incoming::Text(text) | Incoming::Close(_, text) => text.len(),
                Incoming::Ping(bytes) => bytes.len(),
                Incoming::Pong => 0,
            }
    }
}

/// A violation that ends the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Violation {
    Framing(&'static str),
    TooBig,
    /// Text that is not UTF-8.
    NotUtf8,
}

const CONT: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Collects the bytes of one connection into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes of a frame that is not complete yet.
    pending: Vec<u8>,
    /// Payload of the fragments seen so far of a message.
    message: Vec<u8>,
    in_message: bool,
    /// Frames come from a server, unmasked; else from a client, masked.
    is_client: bool,
}

struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Bytes of the header itself.
    size: usize,
    payload: usize,
}

impl Decoder {
    /// For what a server sends; the default is for what a client sends.
    pub fn of_a_client() -> Decoder {
        Decoder { is_client: true, ..Decoder::default() }
    }

    /// Takes bytes off the socket and calls `on` for each complete item. `max` bounds a whole message,
    /// fragments together; a header that claims more is refused before anything is allocated for it.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        max: usize,
        on: &mut dyn FnMut(Incoming) -> bool,
    ) -> Result<(), Violation> {
        if self.pending.is_empty() {
            let used = self.take_frames(bytes, max, on)?;
            self.pending = bytes.get(used..).unwrap_or_default().to_vec();
            return Ok(());
        }
        let mut input = std::mem::take(&mut self.pending);
        input.extend_from_slice(bytes);
        let used = self.take_frames(&input, max, on)?;
        if used < input.len() {
            input.drain(..used);
            self.pending = input;
        }
        Ok(())
    }

    /// Handles the complete frames at the start of `input`; says how many bytes they took.
    fn take_frames(
        &mut self,
        input: &[u8],
        max: usize,
        on: &mut dyn FnMut(Incoming) -> bool,
    ) -> Result<usize, Violation> {
        let mut used = 0;
        while let Some(header) = parse_header(input.get(used..).unwrap_or_default(), !self.is_client)? {
            self.check(&header, max)?;
            let end = used + header.size + header.payload;
            let Some(body) = input.get(used + header.size..end) else { break };
            let mut payload = body.to_vec();
            unmask(&mut payload, header.mask);
            used = end;
            if let Some(item) = self.accept(header.fin, header.opcode, payload)?
                && !on(item)
            {
                break;
            }
        }
        Ok(used)
    }

    /// Bytes held of a message that is not complete yet.
    pub fn held(&self) -> usize {
        self.pending.len() + self.message.len()
    }

    /// Whether a frame larger than a small read buffer is arriving.
    pub fn is_large(&self) -> bool {
        self.pending.len() >= 4096
    }

    fn check(&self, header: &Header, max: usize) -> Result<(), Violation> {
        if header.opcode >= CLOSE {
            if header.payload > 125 || !header.fin {
                return Err(Violation::Framing("control frames must be short and whole"));
            }
        } else if self.message.len().saturating_add(header.payload) > max {
            return Err(Violation::TooBig);
        }
        Ok(())
    }

    fn accept(&mut self, fin: bool, opcode: u8, payload: Vec<u8>) -> Result<Option<Incoming>, Violation> {
        match opcode {
            PING => return Ok(Some(Incoming::Ping(payload))),
            PONG => return Ok(Some(Incoming::Pong)),
            CLOSE => return close_reason(&payload).map(|(code, reason)| Some(Incoming::Close(code, reason))),
            TEXT | BINARY if self.in_message => {
                return Err(Violation::Framing("a message began inside a message"));
            }
            CONT if !self.in_message => return Err(Violation::Framing("a continuation without a message")),
            TEXT | BINARY | CONT => {}
            _ => return Err(Violation::Framing("unknown opcode")),
        }
        if self.message.is_empty() {
            self.message = payload;
        } else {
            self.message.extend_from_slice(&payload);
        }
        self.in_message = !fin;
        if !fin {
            return Ok(None);
        }
        String::from_utf8(std::mem::take(&mut self.message))
            .map(|text| Some(Incoming::Text(text)))
            .map_err(|_| Violation::NotUtf8)
    }
}

/// The header at the start of `bytes`, or `None` while it is not all there.
fn parse_header(bytes: &[u8], is_masked: bool) -> Result<Option<Header>, Violation> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Violation::Framing("reserved bits are set"));
    }
    if (second & 0x80 != 0) != is_masked {
        return Err(Violation::Framing("client frames must be masked, server frames not"));
    }
    let extra = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(length) = rest.get(..extra) else { return Ok(None) };
    let payload = match extra {
        0 => u64::from(second & 0x7f),
        _ => length.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)),
    };
    let payload = usize::try_from(payload).ok().filter(|n| *n <= usize::MAX / 2).ok_or(Violation::TooBig)?;
    let (mask, size) = match (is_masked, rest.get(extra..extra + 4)) {
        (false, _) => ([0; 4], 2 + extra),
        (true, Some(mask)) => (<[u8; 4]>::try_from(mask).unwrap_or_default(), 2 + extra + 4),
        (true, None) => return Ok(None),
    };
    Ok(Some(Header { fin: first & 0x80 != 0, opcode: first & 0x0f, mask, size, payload }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

fn close_reason(payload: &[u8]) -> Result<(u16, String), Violation> {
    match payload {
        [] => Ok((1005, String::new())),
        [_] => Err(Violation::Framing("a close code has two bytes")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            if !valid {
                return Err(Violation::Framing("invalid close code"));
            }
            String::from_utf8(reason.to_vec()).map(|reason| (code, reason)).map_err(|_| Violation::NotUtf8)
        }
    }
}

/// Header of an unmasked, whole frame on its way out; at most 10 bytes are used.
#[derive(Debug, Clone, Copy)]
pub struct OutHeader {
    bytes: [u8; 10],
    len: u8,
}

impl OutHeader {
    /// No header: the frame's bytes carry their own.
    pub fn none() -> OutHeader {
        OutHeader { bytes: [0; 10], len: 0 }
    }

    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Header of a text frame with `payload` bytes.
pub fn text_header(payload: usize) -> OutHeader {
    header(TEXT, payload)
}

fn header(opcode: u8, payload: usize) -> OutHeader {
    let mut bytes = [0u8; 10];
    let (short, extra): (u8, usize) = match payload {
        0..=125 => (payload as u8, 0),
        126..=65535 => (126, 2),
        _ => (127, 8),
    };
    let wide = (payload as u64).to_be_bytes();
    let tail = wide.iter().skip(8 - extra);
    for (slot, byte) in bytes.iter_mut().zip([0x80 | opcode, short].iter().chain(tail)) {
        *slot = *byte;
    }
    OutHeader { bytes, len: (2 + extra) as u8 }
}

/// What a server answers to a client's key.
pub fn accept_key(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

/// A whole text frame of a client.
pub fn masked_text(text: &[u8], mask: [u8; 4]) -> Vec<u8> {
    masked(TEXT, text, mask)
}

/// A whole pong frame of a client.
pub fn masked_pong(payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    masked(PONG, payload, mask)
}

/// A client's close frame without a code.
pub fn masked_close(mask: [u8; 4]) -> Vec<u8> {
    masked(CLOSE, &[], mask)
}

fn masked(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let header = header(opcode, payload.len());
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.extend_from_slice(header.as_slice());
    if let Some(length) = frame.get_mut(1) {
        *length |= 0x80;
    }
    frame.extend_from_slice(&mask);
    let start = frame.len();
    frame.extend_from_slice(payload);
    unmask(frame.get_mut(start..).unwrap_or_default(), mask);
    frame
}

/// A whole pong frame.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    [header(PONG, payload.len()).as_slice(), payload].concat()
}

/// A whole close frame; 1005 means one without code, as it was received.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let payload = if code == 1005 { Vec::new() } else { [&code.to_be_bytes(), reason.as_bytes()].concat() };
    [header(CLOSE, payload.len()).as_slice(), &payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked client frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = masked(first & 0x0f, payload, [1, 2, 3, 4]);
        out[0] = first;
        out
    }

    fn all(chunks: &[&[u8]], max: usize) -> Result<Vec<Incoming>, Violation> {
        let (mut decoder, mut got) = (Decoder::default(), Vec::new());
        for chunk in chunks {
            decoder.feed(chunk, max, &mut |item| {
                got.push(item);
                true
            })?;
        }
        Ok(got)
    }

    #[test]
    fn messages_survive_any_split() {
        let mut bytes = frame(0x81, b"hello");
        bytes.extend(frame(0x01, "caf\u{e9}".as_bytes()));
        bytes.extend(frame(0x89, b"p"));
        bytes.extend(frame(0x80, &[b'x'; 70000]));
        bytes.extend(frame(0x88, &1000u16.to_be_bytes()));
        let want = all(&[&bytes], 100_000).unwrap();
        assert_eq!(want.len(), 4);
        for at in (0..bytes.len()).step_by(7) {
            let (a, b) = bytes.split_at(at);
            assert_eq!(all(&[a, b], 100_000).unwrap(), want, "split at {at}");
        }
    }

    #[test]
    fn violations_are_named() {
        let unmasked = [0x81, 0x01, b'x'];
        assert!(matches!(all(&[&unmasked], 10), Err(Violation::Framing(_))));
        assert_eq!(all(&[&frame(0x81, &[b'x'; 11])], 10), Err(Violation::TooBig));
        // Fragments count together.
        let parts = [frame(0x01, b"123456"), frame(0x80, b"123456")].concat();
        assert_eq!(all(&[&parts], 10), Err(Violation::TooBig));
        // A claim of 2^63 bytes is refused from the header alone.
        let huge = [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(all(&[&huge], 10), Err(Violation::TooBig));
        assert_eq!(all(&[&frame(0x81, &[0xff, 0xfe])], 10), Err(Violation::NotUtf8));
        for first in [0x83, 0xc1, 0x80, 0x09] {
            assert!(matches!(all(&[&frame(first, b"x")], 10), Err(Violation::Framing(_))), "{first:x}");
        }
    }

    #[test]
    fn a_server_s_frames_are_read_and_masked_ones_refused() {
        let mut decoder = Decoder::of_a_client();
        let mut got = Vec::new();
        let mut on = |item| {
            got.push(item);
            true
        };
        let text = [text_header(300).as_slice(), &[b'x'; 300]].concat();
        let bytes = [&text[..], &close(1012, "service restart"), &pong(b"p")].concat();
        for piece in bytes.chunks(11) {
            decoder.feed(piece, 1000, &mut on).unwrap();
        }
        assert!(decoder.feed(&frame(0x81, b"x"), 1000, &mut on).is_err());
        let want = [
            Incoming::Text("x".repeat(300)),
            Incoming::Close(1012, "service restart".into()),
            Incoming::Pong,
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn the_key_of_the_standard() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn headers_out_have_the_shortest_length() {
        for (n, len) in [(0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)] {
            assert_eq!(text_header(n).as_slice().len(), len, "{n}");
        }
    }
}
