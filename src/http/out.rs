//! The socket as answers are written to it: a reader who takes too little is given up, and one who went is noticed.
//!
//! Used by the connection's own thread. The rule is that of the WebSocket (`net/pace.rs`): while the socket takes no
//! more, 16 KiB a second within each `limits.stallMs`, counted where they arrive.
use crate::calls::outbox::is_not_now;
use crate::net::pace::{LEAST_OUT, Pace};
use crate::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};
use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What has become of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    Nothing,
    /// Whole, and the connection goes on.
    Kept,
    /// Whole, and the last.
    Last,
    /// It began, and is not whole: nothing may follow.
    Part,
}

pub struct Out<'a> {
    stream: &'a TcpStream,
    stall: Duration,
    pace: Pace,
    written: u64,
    pub sent: &'a Cell<Sent>,
    /// Whether the gateway itself gives the answer up.
    is_over: &'a dyn Fn() -> bool,
    is_muted: bool,
}

impl<'a> Out<'a> {
    pub fn new(
        stream: &'a TcpStream,
        stall: Duration,
        sent: &'a Cell<Sent>,
        is_over: &'a dyn Fn() -> bool,
    ) -> Out<'a> {
        Out { stream, stall, pace: Pace::default(), written: 0, sent, is_over, is_muted: false }
    }

    /// Lets nothing out any more.
    pub fn mute(&mut self) {
        self.is_muted = true;
    }

    /// Whether nobody waits for the answer: the other end has closed, or half of the connection, which who waits does
    /// not; the secret it was asked with is no longer in force; or this generation has ended.
    pub fn is_gone(&self) -> bool {
        is_gone(self.stream) || (self.is_over)()
    }

    /// Waits until the socket takes more.
    fn wait(&mut self) -> io::Result<()> {
        self.pace.go(self.delivered());
        let left =
            self.pace.due(self.stall).map_or(self.stall, |due| due.saturating_duration_since(Instant::now()));
        let left = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
        match poll(&mut [PollFd::new(self.stream, PollFlags::OUT)], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        match self.pace.is_slow(Instant::now(), self.stall, self.delivered(), LEAST_OUT) {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(()),
        }
    }

    /// Bytes that have reached the client's system.
    fn delivered(&self) -> u64 {
        self.written.saturating_sub(sys::undelivered(self.stream))
    }

    fn send_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.is_muted {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut has_waited = false;
        while !bytes.is_empty() {
            match send(self.stream, bytes, SendFlags::DONTWAIT).map_err(io::Error::from) {
                Ok(n) => {
                    self.written += n as u64;
                    bytes = bytes.get(n..).unwrap_or_default();
                }
                Err(e) if is_not_now(&e) => {
                    has_waited = true;
                    self.wait()?;
                }
                Err(e) => return Err(e),
            }
        }
        if !has_waited {
            self.pace.rest();
        }
        Ok(())
    }
}

/// Writes all or fails; what failed once lets nothing out any more.
impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.send_all(bytes);
        if result.is_err() {
            self.sent.set(Sent::Part);
            self.mute();
        }
        result.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn is_gone(stream: &TcpStream) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Elsewhere the end is seen only when nothing has come before it.
#[cfg(not(target_os = "linux"))]
fn is_gone(stream: &TcpStream) -> bool {
    use rustix::net::{RecvFlags, recv};
    let peek = recv(stream, &mut [0u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    match peek.map_err(io::Error::from) {
        Ok((bytes, _)) => bytes == 0,
        Err(e) => !is_not_now(&e),
    }
}
