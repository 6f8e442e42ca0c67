//! The client's side of a WebSocket (RFC 6455) over a blocking socket: the upgrade, whole text messages, goodbye.
//!
//! Runs on the command's thread. The framing is `net/wire.rs`'s, which the server uses too; the tests speak to either
//! side with another library. It knows nothing of what the messages say.
use super::socket::{Socket, is_timeout};
use crate::device::encoding::base64;
use crate::ids;
use crate::net::wire::{self, Decoder, Incoming, Violation};
use crate::parts::Parts;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// Largest head of an answer that is read, bytes.
const MAX_HEAD: usize = 16 * 1024;
/// A command sends one request and reads one answer.
const READ_BUFFER: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
const SPEAKS_TLS: &str =
    "it speaks TLS: use wss:// in place of ws://, for the gateway of this machine gateway.tls.enabled";

/// Why there is nothing to read.
#[derive(Debug)]
pub enum Lost {
    Io(io::Error),
    /// What came is larger than was allowed.
    TooLarge,
    /// The other side broke the protocol, or ended without a word.
    Broken,
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Lost {
        Lost::Io(error)
    }
}

pub struct WebSocket {
    socket: Socket,
    decoder: Decoder,
    /// What has come and was not asked for yet.
    waiting: VecDeque<Incoming>,
    max: usize,
}

impl WebSocket {
    /// Asks for the upgrade on `socket`; `max` bounds a message that comes, bytes. An error says what answered instead.
    pub fn open(mut socket: Socket, authority: &str, path: &str, max: usize) -> io::Result<WebSocket> {
        let key = base64(&ids::random::<16>().map_err(io::Error::other)?);
        let ask = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        socket.write_all(ask.as_bytes())?;
        socket.flush()?;
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            // The alert of a TLS server that was spoken to plainly.
            if bytes.starts_with(&[0x15, 3]) {
                return Err(io::Error::other(SPEAKS_TLS));
            }
            if bytes.len() > MAX_HEAD || read_more(&mut socket, &mut bytes)? == 0 {
                return Err(io::Error::other("no HTTP answer came"));
            }
        };
        let mut rest = bytes.split_off(end);
        if let Err(why) = check(&bytes, &key) {
            if rest.is_empty() {
                // What it says may come behind the head; that it says nothing is no other answer.
                let _ = read_more(&mut socket, &mut rest);
            }
            return Err(io::Error::other(if wants_tls(&rest) { SPEAKS_TLS.to_string() } else { why }));
        }
        let mut client = WebSocket { socket, decoder: Decoder::of_a_client(), waiting: VecDeque::new(), max };
        client.take(&rest).map_err(|_| io::Error::other("the first frame is broken"))?;
        Ok(client)
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    pub fn send(&mut self, text: &str) -> io::Result<()> {
        self.write(wire::masked_text(text.as_bytes(), ids::random().map_err(io::Error::other)?))
    }

    /// The next message, or the peer's goodbye. Pings are answered on the way.
    pub fn next(&mut self) -> Result<Incoming, Lost> {
        loop {
            match self.waiting.pop_front() {
                Some(Incoming::Ping(payload)) => {
                    let mask = ids::random().map_err(io::Error::other)?;
                    self.write(wire::masked_pong(&payload, mask))?;
                }
                Some(Incoming::Pong) => {}
                Some(item) => return Ok(item),
                None => {
                    let mut bytes = Vec::new();
                    if read_more(&mut self.socket, &mut bytes)? == 0 {
                        return Err(Lost::Broken);
                    }
                    self.take(&bytes)?;
                }
            }
        }
    }

    /// What has come whole so far, without waiting for more; pings are answered. What came before the end comes first.
    pub fn arrived(&mut self) -> Result<Vec<Incoming>, Lost> {
        self.socket.set_blocking(false)?;
        let read = self.read_all();
        self.socket.set_blocking(true)?;
        let mut items = Vec::new();
        while let Some(item) = self.waiting.pop_front() {
            match item {
                Incoming::Ping(payload) => {
                    let mask = ids::random().map_err(io::Error::other)?;
                    self.write(wire::masked_pong(&payload, mask))?;
                }
                Incoming::Pong => {}
                item => items.push(item),
            }
        }
        if items.is_empty() {
            read?;
        }
        Ok(items)
    }

    fn read_all(&mut self) -> Result<(), Lost> {
        loop {
            let mut bytes = Vec::new();
            match read_more(&mut self.socket, &mut bytes) {
                Ok(0) => return Err(Lost::Broken),
                Ok(_) => self.take(&bytes)?,
                Err(e) if is_timeout(&e) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Says goodbye; an answer to it is not waited for.
    pub fn close(&mut self) -> io::Result<()> {
        self.write(wire::masked_close(ids::random().map_err(io::Error::other)?))?;
        self.socket.finish()
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let waiting = &mut self.waiting;
        let taken = self.decoder.feed(bytes, self.max, &mut |item| {
            waiting.push_back(item);
            true
        });
        taken.map_err(|violation| match violation {
            Violation::TooBig => Lost::TooLarge,
            Violation::Framing(_) | Violation::NotUtf8 => Lost::Broken,
        })
    }

    fn write(&mut self, frame: Vec<u8>) -> io::Result<()> {
        self.socket.write_all(&frame)?;
        self.socket.flush()
    }
}

fn read_more(socket: &mut Socket, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; READ_BUFFER];
    loop {
        match socket.read(&mut piece) {
            Ok(n) => {
                into.extend_from_slice(piece.head(n));
                return Ok(n);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Whether a refusal says, in whatever words, that TLS is spoken there.
fn wants_tls(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    ["speaks tls", "to an https", "to https port"].iter().any(|words| text.contains(words))
}

/// Whether the head accepts the upgrade that was asked for with `key`.
fn check(head: &[u8], key: &str) -> Result<(), String> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut slots);
    if !answer.parse(head).is_ok_and(|status| status.is_complete()) {
        return Err("no HTTP answer came".to_string());
    }
    let code = answer.code.unwrap_or_default();
    if code != 101 {
        return Err(format!("HTTP error: {code} {}", answer.reason.unwrap_or_default()));
    }
    let header = |name: &str| {
        let found = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let accepted = header("sec-websocket-accept") == Some(&wire::accept_key(key));
    let upgraded = header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    if accepted && upgraded { Ok(()) } else { Err("it did not accept the upgrade".to_string()) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_an_answer_to_this_key_is_an_upgrade() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(check(good.as_bytes(), key), Ok(()));
        for (bad, why) in [
            (good.replace("s3pP", "S3pP"), "accept"),
            (good.replace("WebSocket", "h2c"), "accept"),
            ("HTTP/1.1 403 Forbidden\r\n\r\n".to_string(), "HTTP error: 403 Forbidden"),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_string(), "no HTTP"),
        ] {
            assert!(check(bad.as_bytes(), key).unwrap_err().contains(why), "{bad}");
        }
    }
}
