//! The one way out of a browser that was started here (SEC-30): a SOCKS5 proxy on loopback, through which the browser sends
//! everything, whatever a page uses for it: documents, workers, WebSockets, prefetches. Names are resolved here, once, and what
//! is connected to is what was judged, so that a name cannot lead elsewhere afterwards.
//!
//! `gw-gate` listens as long as the browser runs; each connection has a thread of that name, which owns both sockets. A page
//! that asks for more than `MOST` at a time is refused the rest. What goes by no TCP does not go out.
use super::world::Browser;
use crate::error::{Error, Result};
use crate::threads;
use rustix::event::{PollFd, PollFlags};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// The system's resolver wants room.
const STACK: usize = 256 << 10;
/// Connections at a time: a browser opens six to a host and some hundred in all.
const MOST: usize = 256;
/// For the words of the browser next to us, for each address that is tried, and for a connection on which nothing moves.
const GREETING: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(10 * 60);
const PIECE: usize = 16 << 10;

/// Answers of SOCKS5 (RFC 1928, 6).
const GRANTED: u8 = 0;
const FORBIDDEN: u8 = 2;
const UNREACHABLE: u8 = 4;
const UNKNOWN: u8 = 7;

type Whose = Arc<OnceLock<Weak<Browser>>>;

/// Closed when dropped.
pub struct Gate {
    pub port: u16,
    whose: Whose,
    _wake: UnixStream,
}

impl Gate {
    /// Nothing passes before it is told whose it is.
    pub fn open() -> Result<Gate> {
        let failed = |e| Error::io("open a way out for the browser", e);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        listener.set_nonblocking(true).map_err(failed)?;
        let (wake, stop) = UnixStream::pair().map_err(failed)?;
        let whose = Whose::default();
        let of = whose.clone();
        threads::bare("gw-gate", STACK, move || listen(&listener, &stop, &of))?;
        Ok(Gate { port, whose, _wake: wake })
    }

    pub fn give(&self, browser: &Arc<Browser>) {
        // Given once, when the browser has begun.
        let _ = self.whose.set(Arc::downgrade(browser));
    }
}

fn listen(listener: &TcpListener, stop: &UnixStream, whose: &Whose) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        // What went wrong shows below.
        let _ = crate::sys::poll(&mut fds, None);
        if !fds[1].revents().is_empty() {
            return;
        }
        let Ok((client, _)) = listener.accept() else { continue };
        if open.fetch_add(1, Ordering::Relaxed) >= MOST {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (whose, count) = (whose.clone(), open.clone());
        let serve = move || {
            // A connection that fails is the browser's matter: it sees it closed.
            let _ = serve(&client, &whose);
            count.fetch_sub(1, Ordering::Relaxed);
        };
        if threads::bare("gw-gate", STACK, serve).is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(client: &TcpStream, whose: &Whose) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(GREETING))?;
    client.set_nodelay(true)?;
    let Some((host, port)) = asked(client)? else { return answer(client, UNKNOWN) };
    let policy = whose.get().and_then(Weak::upgrade).and_then(|browser| browser.world().policy.clone());
    let Some(addresses) = policy.and_then(|policy| policy.addresses(&host, port)) else {
        return answer(client, FORBIDDEN);
    };
    let mut tried = addresses.iter().filter_map(|there| TcpStream::connect_timeout(there, CONNECT).ok());
    let Some(server) = tried.next() else { return answer(client, UNREACHABLE) };
    server.set_nodelay(true)?;
    answer(client, GRANTED)?;
    relay(client, &server)
}

/// Host and port that the browser wants to be connected with; `None` for what is not that.
fn asked(mut client: &TcpStream) -> io::Result<Option<(String, u16)>> {
    let take = |count: usize| take(client, count);
    let greeting = take(2)?;
    take(usize::from(*greeting.get(1).unwrap_or(&0)))?;
    if greeting.first() != Some(&5) {
        return Ok(None);
    }
    // No proof is asked for: what may go out does not depend on who asks.
    client.write_all(&[5, 0])?;
    let request = take(4)?;
    let [5, 1, 0, kind] = request[..] else { return Ok(None) };
    let host = match kind {
        1 => <[u8; 4]>::try_from(take(4)?).map(|b| Ipv4Addr::from(b).to_string()).ok(),
        4 => <[u8; 16]>::try_from(take(16)?).map(|b| Ipv6Addr::from(b).to_string()).ok(),
        3 => {
            let size = usize::from(*take(1)?.first().unwrap_or(&0));
            String::from_utf8(take(size)?).ok()
        }
        _ => None,
    };
    let port = <[u8; 2]>::try_from(take(2)?).map(u16::from_be_bytes).unwrap_or_default();
    Ok(host.map(|host| (host, port)))
}

fn take(mut client: &TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).map(|()| bytes)
}

fn answer(mut client: &TcpStream, what: u8) -> io::Result<()> {
    // From which address we connected is nobody's matter.
    client.write_all(&[5, what, 0, 1, 0, 0, 0, 0, 0, 0])
}

/// One direction: what was read and not yet written.
struct Way<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    held: Vec<u8>,
    is_over: bool,
}

impl Way<'_> {
    fn wants_in(&self) -> bool {
        self.held.is_empty() && !self.is_over
    }

    fn go_on(&mut self) -> io::Result<()> {
        if self.wants_in() {
            let mut piece = [0; PIECE];
            match self.from.read(&mut piece) {
                Ok(0) => {
                    self.is_over = true;
                    // The other end may be gone already.
                    let _ = self.to.shutdown(Shutdown::Write);
                }
                Ok(count) => self.held.extend_from_slice(crate::parts::first(&piece, count)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        if !self.held.is_empty() {
            match self.to.write(&self.held) {
                Ok(count) => drop(self.held.drain(..count)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Passes bytes both ways until both have ended, or nothing moves for long.
fn relay(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    client.set_nonblocking(true)?;
    server.set_nonblocking(true)?;
    let way = |from, to| Way { from, to, held: Vec::new(), is_over: false };
    let (mut up, mut down) = (way(client, server), way(server, client));
    loop {
        let wish = |reads: &Way, writes: &Way| {
            let read = if reads.wants_in() { PollFlags::IN } else { PollFlags::empty() };
            let write = if writes.held.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            read | write
        };
        let wishes = [(client, wish(&up, &down)), (server, wish(&down, &up))];
        // Who is waited for in nothing is not looked at: that he is gone would be told without end.
        let mut fds: Vec<PollFd> = wishes
            .iter()
            .filter(|(_, wish)| !wish.is_empty())
            .map(|(socket, wish)| PollFd::new(*socket, *wish))
            .collect();
        if fds.is_empty() {
            return Ok(());
        }
        match crate::sys::poll(&mut fds, Some(IDLE)) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        up.go_on()?;
        down.go_on()?;
    }
}
