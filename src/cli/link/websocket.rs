//! The client's side of a WebSocket (RFC 6455) over a blocking socket: whole text messages, goodbye.
//!
//! Runs on the command's thread. The upgrade is `fetch/upgrade.rs`'s, the framing `protocol/wire.rs`'s, which the server
//! uses too; the tests speak to either side with another library. It knows nothing of what the messages say.
use super::socket::{Socket, is_timeout};
use crate::fetch::upgrade;
use crate::ids;
use crate::parts::Parts;
use crate::protocol::wire::{self, Decoder, Incoming, Violation};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// A command sends one request and reads one answer.
const READ_BUFFER: usize = 8 * 1024;

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
        let rest = upgrade::ask(&mut socket, authority, path)?;
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

    #[cfg(conformance)]
    pub fn send_binary(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(wire::masked_binary(bytes, ids::random().map_err(io::Error::other)?))
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
