//! The thread `gw-tls-N`: what one client sends comes out plain at a pair of sockets, what is written there goes to the
//! client under TLS.
//!
//! It owns both sockets' outer ends and the TLS connection, waits for both at once and blocks on neither. It holds at
//! most a record in each direction: no more is taken from one side before the other has taken what there is, so a slow
//! client fills the pair and is judged by its worker as any other, and one that does not read but sends is not stuck.
//! Ends are passed on as they come: of the client's words to the worker, of the worker's to the client. When the worker
//! is gone, what is left has `LAST` to get out. It knows nothing of what passes.
use crate::calls::outbox::is_not_now;
use crate::parts::Parts;
use crate::sys;
use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt::set_socket_linger;
use rustls::ServerConnection;
use std::io::{self, BufRead, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a record needs; untouched stack costs no memory.
pub const STACK: usize = 128 << 10;
/// Bytes taken from the worker at a time.
const PIECE: usize = 8 << 10;
/// How long the client has to take the worker's last words, and then to say its own.
const LAST: Duration = Duration::from_secs(5);
const LINGER: Duration = Duration::from_secs(1);
/// Behind a silence of that length memory that was touched is given back.
const SILENT: Duration = Duration::from_millis(500);

struct Relay<'a> {
    client: &'a TcpStream,
    worker: &'a UnixStream,
    tls: ServerConnection,
    /// What the worker said is not whole, and his end must not look as if it were.
    is_broken: &'a AtomicBool,
    /// The client says nothing more; the worker was told.
    is_client_done: bool,
    /// The worker says nothing more; the client was told, as soon as everything is out.
    is_worker_done: bool,
    is_told: bool,
    /// The worker hears nothing more.
    is_worker_deaf: bool,
    /// When it ends whatever is left, once the worker has said its last word.
    until: Option<Instant>,
    /// Something passed since memory was given back.
    is_warm: bool,
}

/// Passes on until one side is gone, or both have said their last word.
pub fn run(client: &TcpStream, worker: &UnixStream, tls: ServerConnection, is_broken: &AtomicBool) {
    sys::release_stack(STACK / 2);
    let mut relay = Relay {
        client,
        worker,
        tls,
        is_broken,
        is_client_done: false,
        is_worker_done: false,
        is_told: false,
        is_worker_deaf: false,
        until: None,
        is_warm: true,
    };
    // Why one ends the other learns by the end of its socket.
    while relay.turn().unwrap_or(false) {}
}

impl Relay<'_> {
    /// Moves what can be moved, then waits; `false` when nothing is left to do.
    fn turn(&mut self) -> io::Result<bool> {
        self.flush()?;
        self.hand_over();
        self.pass_ends();
        if self.is_late() || (self.is_told && self.is_client_done) {
            return Ok(false);
        }
        let (from_client, from_worker) = self.wait()?;
        if from_client {
            self.hear_client()?;
        }
        if from_worker {
            self.hear_worker()?;
        }
        Ok(true)
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Whether what the client said last is still here.
    fn is_full(&mut self) -> bool {
        self.tls.reader().fill_buf().is_ok_and(|bytes| !bytes.is_empty())
    }

    /// Which of both has something to say.
    fn wait(&mut self) -> io::Result<(bool, bool)> {
        let (is_full, is_unsent) = (self.is_full(), self.tls.wants_write());
        let mut client = PollFlags::empty();
        client.set(PollFlags::IN, !is_full && !self.is_client_done);
        client.set(PollFlags::OUT, is_unsent);
        let mut worker = PollFlags::empty();
        worker.set(PollFlags::IN, !is_unsent && !self.is_worker_done);
        worker.set(PollFlags::OUT, is_full && !self.is_worker_deaf);
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = left.or(self.is_warm.then_some(SILENT));
        // One whose end is known and that is asked nothing would answer with it at once, for ever.
        let mut fds = Vec::with_capacity(2);
        fds.extend((!client.is_empty()).then(|| PollFd::new(self.client, client)));
        fds.extend((!worker.is_empty()).then(|| PollFd::new(self.worker, worker)));
        match sys::poll(&mut fds, timeout) {
            Ok(0) if left.is_none() => {
                self.is_warm = false;
                sys::release_stack(STACK / 2);
            }
            Ok(ready) => self.is_warm |= ready > 0,
            Err(rustix::io::Errno::INTR) => return Ok((false, false)),
            Err(e) => return Err(e.into()),
        }
        let mut ready = fds.iter().map(|fd| fd.revents().difference(PollFlags::OUT));
        let from_client = !client.is_empty() && ready.next().is_some_and(|found| !found.is_empty());
        let from_worker = !worker.is_empty() && ready.next().is_some_and(|found| !found.is_empty());
        Ok((from_client && client.contains(PollFlags::IN), from_worker && worker.contains(PollFlags::IN)))
    }

    /// Takes what the client sent, and makes it plain.
    fn hear_client(&mut self) -> io::Result<()> {
        let mut socket = self.client;
        match self.tls.read_tls(&mut socket) {
            Ok(0) => self.is_client_done = true,
            Ok(_) => {
                let state = match self.tls.process_new_packets() {
                    Ok(state) => state,
                    Err(e) => {
                        // The alert, if it is taken at once.
                        let _ = self.tls.write_tls(&mut socket);
                        return Err(io::Error::other(e));
                    }
                };
                self.is_client_done = state.peer_has_closed();
            }
            Err(e) if is_not_now(&e) => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Gives the worker what the client said, as far as it takes it.
    fn hand_over(&mut self) {
        let mut reader = self.tls.reader();
        while let Ok(bytes) = reader.fill_buf()
            && !bytes.is_empty()
        {
            let taken = if self.is_worker_deaf { Ok(bytes.len()) } else { (&mut &*self.worker).write(bytes) };
            match taken {
                Ok(taken) => reader.consume(taken),
                Err(e) if is_not_now(&e) => return,
                Err(_) => self.is_worker_deaf = true,
            }
        }
    }

    /// Takes what the worker says, for the client. A function of its own: its buffer is on the stack while it runs only.
    #[inline(never)]
    fn hear_worker(&mut self) -> io::Result<()> {
        let mut piece = [0u8; PIECE];
        match (&mut &*self.worker).read(&mut piece) {
            Ok(0) if self.is_broken.load(Ordering::SeqCst) => {
                set_socket_linger(self.client, Some(Duration::ZERO))?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Ok(0) => {
                self.is_worker_done = true;
                self.until = Some(Instant::now() + LAST);
                self.tls.send_close_notify();
                Ok(())
            }
            Ok(bytes) => self.tls.writer().write_all(piece.head(bytes)),
            Err(e) if is_not_now(&e) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Sends what is ready, as far as the client takes it.
    fn flush(&mut self) -> io::Result<()> {
        let mut socket = self.client;
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut socket) {
                Ok(_) => {}
                Err(e) if is_not_now(&e) => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Tells each side that the other says nothing more, behind all that it said.
    fn pass_ends(&mut self) {
        // Who is gone already need not be told.
        if self.is_client_done && !self.is_worker_deaf && !self.is_full() {
            self.is_worker_deaf = true;
            let _ = self.worker.shutdown(Shutdown::Write);
        }
        if self.is_worker_done && !self.is_told && !self.tls.wants_write() {
            self.is_told = true;
            self.until = Some(Instant::now() + LINGER);
            let _ = self.client.shutdown(Shutdown::Write);
        }
    }
}
