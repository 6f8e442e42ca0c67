//! The network side of one outbound HTTP call: resolve, connect, and read and write in short slices.
//!
//! Sits below `ureq`'s HTTP and TLS, on the calling thread. Each wait is at most `SLICE` long, then the
//! call's `Watch` is asked whether to go on: a stop takes effect at once and each phase has its own
//! deadline. A guarded call also has one deadline for all of it, and its guard judges every address before any
//! is tried. Knows nothing of HTTP, models or retries, and never uses a proxy.
use super::buffers::Room;
use super::guard::Guard;
use super::port;
use crate::cancel::{Cancel, SLICE};
use crate::owners::{self, Holder};
use crate::parts::Parts;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// How long one address may keep the next one from being tried beside it (RFC 8305 names 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// What a call is waiting for; each has its own time-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Name lookup, TCP connect and TLS handshake together.
    Connect,
    /// From the request to the first token.
    FirstToken,
    /// Between two pieces of the answer.
    Idle,
}

/// Why a call's waiting ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    Cancelled,
    Late(Phase),
}

/// Time allowed for each phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    pub first_token: Duration,
    pub idle: Duration,
}

/// The stop flag and the running deadline of one call, or of the calls of a kept connection one after the other. The
/// lock is needed only because `ureq` wants its parts `Sync`; one thread uses it.
#[derive(Debug)]
pub struct Watch {
    guard: Option<Guard>,
    /// Whether the host of this call is one that its guard has to judge.
    is_strict: AtomicBool,
    /// Readable when the stop flag may have been set; without them it is looked at every `SLICE`.
    bells: OnceLock<Vec<OwnedFd>>,
    now: Mutex<Now>,
}

/// The call that is watched.
#[derive(Debug)]
struct Now {
    cancel: Cancel,
    timeouts: Timeouts,
    phase: Phase,
    until: Instant,
    trip: Option<Trip>,
    /// How much of the request was given to the connection.
    given: usize,
}

impl Now {
    /// In `Phase::Connect`.
    fn new(cancel: &Cancel, timeouts: Timeouts) -> Now {
        let until = Instant::now() + timeouts.connect;
        Now { cancel: cancel.clone(), timeouts, phase: Phase::Connect, until, trip: None, given: 0 }
    }

    fn enter(&mut self, phase: Phase) {
        let time = match phase {
            Phase::Connect => self.timeouts.connect,
            Phase::FirstToken => self.timeouts.first_token,
            Phase::Idle => self.timeouts.idle,
        };
        (self.phase, self.until) = (phase, Instant::now() + time);
    }
}

impl Watch {
    /// Starts in `Phase::Connect`.
    pub fn new(cancel: &Cancel, timeouts: Timeouts) -> Arc<Watch> {
        Watch::make(cancel, timeouts, None)
    }

    /// The same for a call whose address somebody else chose.
    pub fn guarded(cancel: &Cancel, timeouts: Timeouts, guard: Guard) -> Arc<Watch> {
        Watch::make(cancel, timeouts, Some(guard))
    }

    fn make(cancel: &Cancel, timeouts: Timeouts, guard: Option<Guard>) -> Arc<Watch> {
        let now = Mutex::new(Now::new(cancel, timeouts));
        Arc::new(Watch { guard, now, is_strict: AtomicBool::new(false), bells: OnceLock::new() })
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the next call.
    pub fn restart(&self, cancel: &Cancel, timeouts: Timeouts) {
        *self.now() = Now::new(cancel, timeouts);
    }

    /// Enters a phase with its usual time.
    pub fn enter(&self, phase: Phase) {
        self.now().enter(phase);
    }

    /// Enters a phase with a time of its own.
    pub fn allow(&self, phase: Phase, time: Duration) {
        let mut now = self.now();
        (now.phase, now.until) = (phase, Instant::now() + time);
    }

    pub fn phase(&self) -> Phase {
        self.now().phase
    }

    /// Why waiting ended, once it did.
    pub fn trip(&self) -> Option<Trip> {
        self.now().trip
    }

    /// So much of the request is given to the connection, and may arrive from now on.
    pub fn give(&self, amount: usize) {
        let mut now = self.now();
        now.given += amount;
        if now.phase == Phase::Connect {
            now.enter(Phase::FirstToken);
        }
    }

    /// How much of the request may have arrived.
    pub fn given(&self) -> usize {
        self.now().given
    }

    fn progress(&self) {
        let mut now = self.now();
        if now.phase == Phase::Idle {
            now.enter(Phase::Idle);
        }
    }

    /// Whether an address may still be connected to: it may have become this machine's own since it was judged.
    fn may_dial(&self, addr: &SocketAddr) -> Result<(), Errno> {
        let is_kept = self.is_strict.load(Ordering::Relaxed) && super::guard::is_own(addr.ip());
        if is_kept { Err(Errno::ACCESS) } else { Ok(()) }
    }

    /// A connection whose both ends are one address ended on this machine, and so did one whose other end is a socket
    /// here, whatever routes say.
    fn judge(&self, stream: TcpStream) -> io::Result<TcpStream> {
        if !self.is_strict.load(Ordering::Relaxed) {
            return Ok(stream);
        }
        let (own, other) = (stream.local_addr()?, stream.peer_addr()?);
        if own.ip() == other.ip() || matches!(owners::holder(own, other), Holder::User(_)) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        Ok(stream)
    }

    /// From now on these say when to look at the stop flag, so that a call that waits for long costs nothing meanwhile.
    pub fn listen(&self, bells: Vec<OwnedFd>) {
        // A second time nothing changes.
        let _ = self.bells.set(bells);
    }

    /// Waits for input where bells say when it is to end.
    fn doze(&self, stream: &TcpStream) -> Result<(), ureq::Error> {
        let left = self.left()?;
        if let Some(bells) = self.bells.get() {
            let all = [stream.as_fd()].into_iter().chain(bells.iter().map(AsFd::as_fd));
            let mut all: Vec<PollFd> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
            // What went wrong shows in the read that follows.
            let _ = crate::sys::poll(&mut all, Some(left));
        }
        Ok(())
    }

    /// How long to wait before asking again.
    fn slice(&self) -> Result<Duration, ureq::Error> {
        Ok(self.left()?.min(SLICE))
    }

    fn left(&self) -> Result<Duration, ureq::Error> {
        let mut now = self.now();
        let until = self.guard.as_ref().map_or(now.until, |guard| guard.deadline.min(now.until));
        let left = until.saturating_duration_since(Instant::now());
        let trip = match (now.cancel.reason(), left.is_zero()) {
            (Some(_), _) => Trip::Cancelled,
            (None, true) => Trip::Late(now.phase),
            (None, false) => return Ok(left),
        };
        now.trip.get_or_insert(trip);
        // The text is never shown: whoever made the call asks `trip`.
        Err(ureq::Error::Other("waiting ended".into()))
    }
}

/// Resolves names without blocking the stop flag. Literal addresses and `localhost` need no lookup, so
/// they work without any name service.
#[derive(Debug)]
pub struct Lookup(pub Arc<Watch>);

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_string();
        let no_port = || io::Error::new(io::ErrorKind::InvalidInput, format!("the address {}", port::WRONG));
        let port = port::of(uri).ok_or_else(no_port)?;
        let found: Vec<SocketAddr> = if let Ok(ip) = host.parse::<IpAddr>() {
            vec![(ip, port).into()]
        } else if host.eq_ignore_ascii_case("localhost") {
            vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
        } else {
            interleave(self.ask(host.clone(), port)?)
        };
        if let Some(guard) = &self.0.guard {
            let refused = |e: crate::error::Error| io::Error::new(io::ErrorKind::PermissionDenied, e);
            guard.check(&host, found.iter().map(SocketAddr::ip)).map_err(refused)?;
            self.0.is_strict.store(!guard.opts_in(&host), Ordering::Relaxed);
        }
        let mut addrs = self.empty();
        // 16 is the room ureq's list has.
        found.into_iter().take(16).for_each(|addr| addrs.push(addr));
        if addrs.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addrs) }
    }
}

impl Lookup {
    /// The system's lookup cannot be interrupted, so it gets a thread of its own, which ends with it.
    fn ask(&self, host: String, port: u16) -> Result<Vec<SocketAddr>, ureq::Error> {
        let (tx, rx) = sync_channel(1);
        let work = move || {
            let found: io::Result<Vec<SocketAddr>> =
                (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            // Nobody may be waiting any more.
            let _ = tx.send(found);
        };
        crate::threads::bare("gw-lookup", 256 * 1024, work).map_err(|e| ureq::Error::Other(e.into()))?;
        loop {
            match rx.recv_timeout(self.0.slice()?) {
                Ok(Ok(addrs)) => return Ok(addrs),
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(ureq::Error::HostNotFound),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Alternates between the two families, starting with the one the system put first.
fn interleave(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addrs.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut mixed: Vec<_> = first.into_iter().flat_map(|a| [Some(a), second.next()]).flatten().collect();
    mixed.extend(second);
    mixed
}

/// Opens the TCP connection below TLS.
#[derive(Debug)]
pub struct Dialer(pub Arc<Watch>);

impl Connector<()> for Dialer {
    type Out = Socket;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Socket>, ureq::Error> {
        let stream = race(&details.addrs, &self.0)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(SLICE))?;
        Ok(Some(Socket { stream, buffers: Room::default(), watch: self.0.clone() }))
    }
}

/// Ends the connect phase once TCP and, where used, TLS stand.
#[derive(Debug)]
pub struct Connected(pub Arc<Watch>);

impl<In: Transport> Connector<In> for Connected {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, ureq::Error> {
        self.0.enter(Phase::FirstToken);
        Ok(chained)
    }
}

/// Tries the addresses in order, the next one whenever one failed or had its head start; the first
/// connection wins. So a dead IPv6 route costs a quarter of a second, not the whole time-out.
fn race(addrs: &[SocketAddr], watch: &Watch) -> Result<TcpStream, ureq::Error> {
    let mut waiting = addrs.iter();
    let mut trying: Vec<OwnedFd> = Vec::new();
    let mut next_at = Instant::now();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let slice = watch.slice()?;
        if trying.is_empty() || Instant::now() >= next_at {
            match waiting.next().map(|addr| watch.may_dial(addr).and_then(|()| start(addr))) {
                Some(Ok(fd)) => trying.push(fd),
                Some(Err(e)) => failure = e.into(),
                None if trying.is_empty() => return Err(failure.into()),
                None => {}
            }
            next_at = Instant::now() + HEAD_START;
        }
        for fd in wait_writable(std::mem::take(&mut trying), slice, &mut trying)? {
            match sockopt::socket_error(&fd).map_err(io::Error::from)? {
                Ok(()) => return watch.judge(TcpStream::from(fd)).map_err(Into::into),
                Err(e) => failure = e.into(),
            }
        }
    }
}

fn start(addr: &SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    match rustix::net::connect(&fd, addr) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(fd),
        Err(e) => Err(e),
    }
}

/// Waits up to `time`; the sockets that got an outcome are returned, the others put back.
fn wait_writable(fds: Vec<OwnedFd>, time: Duration, back: &mut Vec<OwnedFd>) -> io::Result<Vec<OwnedFd>> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::OUT)).collect();
    match crate::sys::poll(&mut polled, Some(time.min(SLICE))) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    let done: Vec<bool> = polled.iter().map(|p| !p.revents().is_empty()).collect();
    let (ready, waiting): (Vec<_>, Vec<_>) = fds.into_iter().zip(done).partition(|(_, done)| *done);
    back.extend(waiting.into_iter().map(|(fd, _)| fd));
    Ok(ready.into_iter().map(|(fd, _)| fd).collect())
}

/// A connected socket that waits in slices.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    buffers: Room,
    watch: Arc<Watch>,
}

fn is_pause(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let mut rest = self.buffers.output().head(amount);
        while !rest.is_empty() {
            self.watch.slice()?;
            match (&self.stream).write(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(n) => rest = rest.tail(n),
                Err(e) if is_pause(&e) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        loop {
            self.watch.doze(&self.stream)?;
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(n) => {
                    self.buffers.input_appended(n);
                    self.watch.progress();
                    return Ok(n > 0);
                }
                Err(e) if is_pause(&e) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// One that waits is silent: what can be read is its end, or nothing that belongs to a next answer.
    fn is_open(&mut self) -> bool {
        let mut polled = [PollFd::new(&self.stream, PollFlags::IN)];
        crate::sys::poll(&mut polled, Some(Duration::ZERO)).is_ok_and(|ready| ready == 0)
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod dial_tests;
