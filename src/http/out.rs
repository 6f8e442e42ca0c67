//! The socket as answers are written to it: a reader who takes too little is given up.
//!
//! Used by the connection's own thread. The rule is that of the WebSocket (`net/pace.rs`): while the socket takes no
//! more, 16 KiB a second within each `limits.stallMs`, counted where they arrive. A stranger's whole stay ends too. What
//! the socket does not take is in the budget of all clients (`calls/budget.rs`) until it has.
use crate::calls::outbox::{Drain, Outbox, Unsent, is_not_now};
use crate::http::turn::{Sent, Turn};
use crate::net::pace::{LEAST_OUT, Pace};
use crate::parts::Parts;
use crate::sys;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{SendFlags, send};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

/// How often it is looked whether a stranger has lost his place.
const LOOK: Duration = Duration::from_millis(100);
/// An answer that is no longer than this is not counted: less than the thread that waits with it.
const UNCOUNTED: usize = 8192;
/// Bytes of a file at a time.
#[cfg(target_os = "linux")]
const MOST: u64 = 256 << 10;

pub struct Out<'a> {
    pub turn: &'a Turn<'a>,
    pace: Pace,
    /// Bytes written, and those that were on their way before.
    written: u64,
    is_muted: bool,
    /// Bytes of the answer that are held until it is out.
    pub held: usize,
    waiting: Option<Waiting>,
}

/// An answer of which the socket took no more: from then on it counts among what all clients have waiting.
struct Waiting {
    drain: Drain,
    _unsent: Unsent,
}

impl<'a> Out<'a> {
    pub fn new(turn: &'a Turn<'a>) -> Out<'a> {
        let written = sys::undelivered(turn.stream);
        Out { turn, pace: Pace::default(), written, is_muted: false, held: 0, waiting: None }
    }

    /// Counts what waits. It is as with a WebSocket client: when too much waits of all, the largest goes of whoever has
    /// the most.
    fn count(&mut self, bytes: usize) -> io::Result<()> {
        if bytes <= UNCOUNTED || self.waiting.is_some() {
            return Ok(());
        }
        let Turn { shared, .. } = self.turn;
        let (most, owner) = (shared.limits.total_buffered as usize, self.turn.owner());
        let drain = Outbox::open(bytes, shared.budget.clone(), most, owner).map_err(io::Error::other)?;
        drain.outbox.set_blocked(true);
        let unsent = drain.outbox.unsent(bytes);
        self.waiting = Some(Waiting { drain, _unsent: unsent });
        Ok(())
    }

    /// Lets nothing out any more.
    pub fn mute(&mut self) {
        self.is_muted = true;
    }

    /// Waits until the socket takes more.
    fn wait(&mut self) -> io::Result<()> {
        let stall = Duration::from_millis(self.turn.shared.limits.stall_ms);
        self.pace.go(self.delivered());
        let stay = self.turn.blocked();
        let until = stay.into_iter().chain(self.pace.due(stall)).min();
        let left = until.map_or(stall, |until| until.saturating_duration_since(Instant::now()));
        let left = if stay.is_some() { left.min(LOOK) } else { left };
        let drain = self.waiting.iter().map(|waiting| PollFd::new(&waiting.drain, PollFlags::IN));
        let mut fds: Vec<PollFd> = drain.collect();
        fds.push(PollFd::new(self.turn.stream, PollFlags::OUT));
        match sys::poll(&mut fds, Some(left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let now = Instant::now();
        let must_go = self.waiting.as_ref().is_some_and(|waiting| waiting.drain.outbox.is_closed());
        let is_late = must_go || self.turn.blocked().is_some_and(|until| now >= until);
        if is_late || self.pace.is_slow(now, stall, self.delivered(), LEAST_OUT) {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Bytes that have reached the client's system.
    fn delivered(&self) -> u64 {
        self.written.saturating_sub(sys::undelivered(self.turn.stream))
    }

    /// Has the kernel send so much of a file, from where it stands; gives how much is left, where its file system or this
    /// system cannot do that, or the file has become shorter.
    pub fn send_file(&mut self, file: &File, length: u64) -> io::Result<u64> {
        // It knows no flag for a single call, and nobody else uses this socket.
        self.turn.stream.set_nonblocking(true)?;
        let left = self.send_pieces(file, length);
        self.turn.stream.set_nonblocking(false)?;
        if left.is_err() {
            self.turn.sent.set(Sent::Part);
            self.mute();
        }
        left
    }

    #[cfg(target_os = "linux")]
    fn send_pieces(&mut self, file: &File, mut left: u64) -> io::Result<u64> {
        use rustix::io::Errno;
        while left > 0 {
            match rustix::fs::sendfile(self.turn.stream, file, None, left.min(MOST) as usize) {
                Ok(0) | Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::OVERFLOW) => {
                    return Ok(left);
                }
                Ok(n) => {
                    self.written += n as u64;
                    left -= n as u64;
                }
                Err(Errno::AGAIN | Errno::INTR) => self.wait()?,
                Err(e) => return Err(e.into()),
            }
        }
        self.pace.rest();
        Ok(left)
    }

    #[cfg(not(target_os = "linux"))]
    fn send_pieces(&mut self, _: &File, left: u64) -> io::Result<u64> {
        Ok(left)
    }

    fn send_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.is_muted {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut has_waited = false;
        while !bytes.is_empty() {
            match send(self.turn.stream, bytes, SendFlags::DONTWAIT).map_err(io::Error::from) {
                Ok(n) => {
                    self.written += n as u64;
                    bytes = bytes.tail(n);
                }
                Err(e) if is_not_now(&e) => {
                    has_waited = true;
                    self.count(bytes.len().max(self.held))?;
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
            self.turn.sent.set(Sent::Part);
            self.mute();
        }
        result.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
