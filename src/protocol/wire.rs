//! WebSocket framing (RFC 6455), without I/O: bytes in, messages out; headers out. For the server's side and for the
//! command line's.
//!
//! Headers, opcodes, close codes, masks of what goes out and the accept key are tungstenite's. What is ours to decide
//! is here: a header is judged before anything is allocated for its frame (tungstenite's parser reports reserved bits
//! and missing masks, it does not refuse them), fragments count together, text is shared by all clients, and an idle
//! connection holds nothing. Its `WebSocket` does neither of the last two (ARCHITECTURE.md, "Memory of a client").
use crate::parts::Parts;
use std::io::Cursor;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

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

/// A header that may stand here, its own size, and that of its payload.
struct Header {
    told: FrameHeader,
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
            self.pending = bytes.tail(used).to_vec();
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
        while let Some(header) = parse_header(input.tail(used), !self.is_client)? {
            self.check(&header, max)?;
            let end = used + header.size + header.payload;
            let Some(body) = input.get(used + header.size..end) else { break };
            let mut payload = body.to_vec();
            unmask(&mut payload, header.told.mask.unwrap_or_default());
            used = end;
            if let Some(item) = self.accept(&header.told, payload)?
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
        if matches!(header.told.opcode, OpCode::Control(_)) {
            if header.payload > 125 || !header.told.is_final {
                return Err(Violation::Framing("control frames must be short and whole"));
            }
        } else if self.message.len().saturating_add(header.payload) > max {
            return Err(Violation::TooBig);
        }
        Ok(())
    }

    fn accept(&mut self, header: &FrameHeader, payload: Vec<u8>) -> Result<Option<Incoming>, Violation> {
        match header.opcode {
            OpCode::Control(Control::Ping) => return Ok(Some(Incoming::Ping(payload))),
            OpCode::Control(Control::Pong) => return Ok(Some(Incoming::Pong)),
            OpCode::Control(Control::Close) => return close_reason(&payload).map(Some),
            OpCode::Data(Data::Text | Data::Binary) if self.in_message => {
                return Err(Violation::Framing("a message began inside a message"));
            }
            OpCode::Data(Data::Continue) if !self.in_message => {
                return Err(Violation::Framing("a continuation without a message"));
            }
            OpCode::Data(Data::Text | Data::Binary | Data::Continue) => {}
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => return Err(UNKNOWN),
        }
        if self.message.is_empty() {
            self.message = payload;
        } else {
            self.message.extend_from_slice(&payload);
        }
        self.in_message = !header.is_final;
        if self.in_message {
            return Ok(None);
        }
        String::from_utf8(std::mem::take(&mut self.message))
            .map(|text| Some(Incoming::Text(text)))
            .map_err(|_| Violation::NotUtf8)
    }
}

const UNKNOWN: Violation = Violation::Framing("unknown opcode");

/// The header at the start of `bytes`, or `None` while it is not all there.
fn parse_header(bytes: &[u8], is_masked: bool) -> Result<Option<Header>, Violation> {
    let mut cursor = Cursor::new(bytes);
    let Some((told, payload)) = FrameHeader::parse(&mut cursor).map_err(|_| UNKNOWN)? else {
        return Ok(None);
    };
    if told.rsv1 || told.rsv2 || told.rsv3 {
        return Err(Violation::Framing("reserved bits are set"));
    }
    if told.mask.is_some() != is_masked {
        return Err(Violation::Framing("client frames must be masked, server frames not"));
    }
    let payload = usize::try_from(payload).map_err(|_| Violation::TooBig)?;
    Ok(Some(Header { told, size: cursor.position() as usize, payload }))
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

fn close_reason(payload: &[u8]) -> Result<Incoming, Violation> {
    match payload {
        [] => Ok(Incoming::Close(1005, String::new())),
        [_] => Err(Violation::Framing("a close code has two bytes")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            // 1014 came after tungstenite's list.
            if code != 1014 && !CloseCode::from(code).is_allowed() {
                return Err(Violation::Framing("invalid close code"));
            }
            let reason = String::from_utf8(reason.to_vec()).map_err(|_| Violation::NotUtf8)?;
            Ok(Incoming::Close(code, reason))
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
        self.bytes.as_slice().head(self.len.into())
    }
}

/// Header of a text frame with `payload` bytes.
pub fn text_header(payload: usize) -> OutHeader {
    let (payload, mut bytes) = (payload as u64, [0u8; 10]);
    let header = FrameHeader { opcode: TEXT, ..FrameHeader::default() };
    // Without a mask it has at most ten bytes, so they take it.
    let _ = header.format(payload, &mut bytes.as_mut_slice());
    OutHeader { bytes, len: header.len(payload) as u8 }
}

const TEXT: OpCode = OpCode::Data(Data::Text);

/// What a server answers to a client's key.
pub fn accept_key(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

/// A whole text frame of a client.
pub fn masked_text(text: &[u8], mask: [u8; 4]) -> Vec<u8> {
    masked(Frame::message(text.to_vec(), TEXT, true), mask)
}

/// A whole binary frame of a client.
#[cfg(conformance)]
pub fn masked_binary(bytes: &[u8], mask: [u8; 4]) -> Vec<u8> {
    masked(Frame::message(bytes.to_vec(), OpCode::Data(Data::Binary), true), mask)
}

/// A whole pong frame of a client.
pub fn masked_pong(payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    masked(Frame::pong(payload.to_vec()), mask)
}

/// A client's close frame without a code.
pub fn masked_close(mask: [u8; 4]) -> Vec<u8> {
    masked(Frame::close(None), mask)
}

fn masked(mut frame: Frame, mask: [u8; 4]) -> Vec<u8> {
    frame.header_mut().mask = Some(mask);
    bytes(frame)
}

/// A whole pong frame.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    bytes(Frame::pong(payload.to_vec()))
}

/// A whole close frame; 1005 means one without code, as it was received.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let told = CloseFrame { code: code.into(), reason: reason.into() };
    bytes(Frame::close((code != 1005).then_some(told)))
}

fn bytes(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len());
    // Into memory nothing fails.
    let _ = frame.format(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked client frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = masked_text(payload, [1, 2, 3, 4]);
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
    fn i10_10_what_tungstenite_only_reports_is_refused() {
        // Reserved bits, a missing mask, reserved opcodes, a control frame in pieces or too long.
        for head in
            [[0xc1, 0x80], [0xa1, 0x80], [0x91, 0x80], [0x81, 0x00], [0x8b, 0x80], [0x83, 0x80], [0x08, 0x80]]
        {
            let frame = [&head[..], &[0; 4]].concat();
            assert!(matches!(all(&[&frame], 10), Err(Violation::Framing(_))), "{head:x?}");
        }
        assert!(matches!(all(&[&frame(0x89, &[0; 126])], 1000), Err(Violation::Framing(_))));
    }

    #[test]
    fn i10_10_close_codes_are_those_that_may_be_sent() {
        let read = |code: u16| all(&[&frame(0x88, &code.to_be_bytes())], 10);
        for code in [1000, 1003, 1007, 1012, 1013, 1014, 3000, 4999] {
            assert_eq!(read(code), Ok(vec![Incoming::Close(code, String::new())]));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(matches!(read(code), Err(Violation::Framing(_))), "{code}");
        }
        assert_eq!(close(1008, "slow"), [&[0x88, 6][..], &1008u16.to_be_bytes(), b"slow"].concat());
        assert_eq!((close(1005, ""), pong(b"p")), (vec![0x88, 0], vec![0x8a, 1, b'p']));
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
