//! The byte stream to a gateway: TCP, plain or under TLS, bounded by one deadline.
//!
//! Runs on the command's thread; a name is looked up on a thread of its own. What the bytes mean is
//! `client.rs`'s, whose certificate is trusted is `tls.rs`'s.
use super::target::Target;
use super::tls;
use crate::error::{Cause, Error, Kind, Result};
use crate::threads;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What the system's resolver needs; untouched stack costs no memory.
const STACK: usize = 256 << 10;

/// A moment after which nothing is waited for, or never.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Option<Instant>,
    /// What the caller allowed, for the error text.
    ms: u64,
}

impl Deadline {
    /// `ms` after `start`; zero means no limit.
    pub fn after(start: Instant, ms: u64) -> Deadline {
        Deadline { at: (ms > 0).then(|| start + Duration::from_millis(ms)), ms }
    }

    /// The time left, at most `cap`; an error when there is none.
    pub fn left(&self, cap: Duration) -> io::Result<Duration> {
        let left = self.at.map_or(cap, |at| at.saturating_duration_since(Instant::now()).min(cap));
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    pub fn has_passed(&self) -> bool {
        self.at.is_some_and(|at| Instant::now() >= at)
    }

    /// The error that says it has passed.
    pub fn error(&self) -> Error {
        Error::new(Kind::Unreachable, format!("gateway timeout after {}ms", self.ms))
            .because(Cause::Silent(self.ms))
            .with("timeoutMs", self.ms)
    }
}

/// A socket that waits no longer than its deadline.
#[derive(Debug)]
pub struct Bounded {
    stream: TcpStream,
    deadline: Deadline,
}

/// Waits are cut into pieces of this length where there is no deadline.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.left(FOREVER)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.left(FOREVER)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// An open way to a gateway.
pub enum Socket {
    Plain(Bounded),
    Tls(Box<StreamOwned<ClientConnection, Bounded>>),
}

impl Socket {
    /// Dials the target and, for `wss://`, has its certificate checked before anything else is sent.
    pub fn open(target: &Target, deadline: Deadline) -> Result<Socket> {
        let stream = dial(&target.host, target.port, deadline).map_err(|e| refused(target, deadline, &e))?;
        // Requests are small and wait for an answer; if the option cannot be set they are only slower.
        let _ = stream.set_nodelay(true);
        let mut bounded = Bounded { stream, deadline };
        if !target.tls {
            return Ok(Socket::Plain(bounded));
        }
        let connection = tls::handshake(target, &mut bounded, deadline)?;
        Ok(Socket::Tls(Box::new(StreamOwned::new(connection, bounded))))
    }

    /// Both ends of a connection that nothing but its addresses vouches for.
    pub fn plain_ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let Socket::Plain(bounded) = self else { return None };
        Some((bounded.stream.local_addr().ok()?, bounded.stream.peer_addr().ok()?))
    }

    /// Sets what the following waits are bounded by.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        match self {
            Socket::Plain(bounded) => bounded.deadline = deadline,
            Socket::Tls(tls) => tls.sock.deadline = deadline,
        }
    }

    fn bounded(&self) -> &Bounded {
        match self {
            Socket::Plain(bounded) => bounded,
            Socket::Tls(tls) => &tls.sock,
        }
    }

    /// Whether reading waits for something to come.
    pub fn set_blocking(&self, is_blocking: bool) -> io::Result<()> {
        self.bounded().stream.set_nonblocking(!is_blocking)
    }

    /// Tells the other side that nothing more comes.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Socket::Tls(tls) = self {
            tls.conn.send_close_notify();
        }
        self.flush()
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bounded().stream.as_fd()
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(bounded) => bounded.read(buffer),
            Socket::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(bounded) => bounded.write(bytes),
            Socket::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(bounded) => bounded.flush(),
            Socket::Tls(tls) => tls.flush(),
        }
    }
}

/// Whether a wait ended without anything having come.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn dial(host: &str, port: u16, deadline: Deadline) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in resolve(host, port, deadline)? {
        match TcpStream::connect_timeout(&address, deadline.left(Duration::from_secs(30))?) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Addresses of `host`. A name is looked up on a thread of its own, because the system's resolver knows no
/// deadline; when it is late the thread is left behind and ends with the process.
fn resolve(host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![
            SocketAddr::from(([127, 0, 0, 1], port)),
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
        ]);
    }
    let (sender, receiver) = mpsc::channel();
    let host = host.to_string();
    let look = move || {
        // The receiver may have stopped waiting.
        let _ = sender.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
    };
    threads::bare("cli-resolve", STACK, look).map_err(io::Error::other)?;
    receiver
        .recv_timeout(deadline.left(Duration::from_secs(30))?)
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

fn refused(target: &Target, deadline: Deadline, error: &io::Error) -> Error {
    if is_timeout(error) && deadline.has_passed() {
        return deadline.error();
    }
    let why = reason(error);
    Error::new(Kind::Unreachable, format!("gateway not reachable: {}:{}: {why}", target.host, target.port))
}

/// Why a connection could not be made, in words.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused, nothing listens there".to_string(),
        io::ErrorKind::NotFound => "the name has no address".to_string(),
        _ => error.to_string(),
    }
}
