//! A client's socket, lent to whoever has a small frame for it while the connection's own thread waits.
//!
//! To wake that thread costs several times what the frame does, and an event goes to all clients at once. The line is
//! in the outbox, under its lock, so that there is one writer at a time; writing does not block, and what the socket
//! does not take is the connection's thread's to go on with. How frames look on the wire is `net`'s.
use super::outbox::Frame;
use std::net::TcpStream;
use std::sync::Arc;

/// Writes a frame, an event with this `seq`; gives the bytes that are out, and whether that is all.
pub type Write = fn(&TcpStream, &Frame, u64) -> (usize, bool);

#[derive(Debug, Clone)]
pub struct Line {
    stream: Arc<TcpStream>,
    write: Write,
}

impl Line {
    /// Larger frames are for the connections' threads, which copy them to their sockets side by side.
    pub const SMALL: usize = 8 << 10;

    pub fn new(stream: Arc<TcpStream>, write: Write) -> Line {
        Line { stream, write }
    }

    pub fn write(&self, frame: &Frame, seq: u64) -> (usize, bool) {
        (self.write)(&self.stream, frame, seq)
    }
}
