//! TLS in front of the port: a handshake with whoever comes, then a relay, behind which nobody knows of it.
//!
//! One TLS connection is one state machine: to read may want to write, and the reverse. A client's thread reads, and its
//! frames are written by whoever pushes them (`calls/line.rs`), so both would have to hold the machine's lock, across
//! the socket, and an answer would wait for a reader. Instead the machine has an owner of its own, the thread `gw-tls-N`
//! (`relay`), and the workers get one end of a pair of sockets in place of the client's: all they do with a socket
//! (poll, write without waiting, look at what is undelivered, half-close) means the same there. What it costs, a
//! thread, two descriptors and a copy, is paid by clients that come by TLS only; for all others nothing is different.
//!
//! The handshake is the stranger's own time: on the connection's thread, under his ticket and his deadline.
mod relay;
#[cfg(test)]
mod tests;

use crate::calls::outbox::is_not_now;
use crate::door::head;
use crate::door::{Stage, Ticket};
use crate::net::connection::linger;
use crate::net::peer::Ends;
use crate::threads;
use crate::tls::Port;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{RecvFlags, recv};
use rustls::ServerConnection;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The first byte of a TLS connection.
const HANDSHAKE: u8 = 0x16;

/// What a newcomer speaks.
pub enum Speaks {
    Tls,
    Plain,
    /// Nothing in time.
    Nothing,
}

/// Looks at the first byte and leaves it where it is.
pub fn look(stream: &TcpStream, deadline: Instant) -> Speaks {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut first = [0u8];
    if left.is_zero() || !head::wait_readable(stream, left) {
        return Speaks::Nothing;
    }
    match recv(stream, &mut first[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, 1)) if first == [HANDSHAKE] => Speaks::Tls,
        Ok((_, 1)) => Speaks::Plain,
        _ => Speaks::Nothing,
    }
}

/// Shakes hands and starts the relay; gives the socket to go on with, or `None` when that client is done with.
#[inline(never)]
pub fn accept(
    stream: &Arc<TcpStream>,
    port: &Port,
    ends: Ends,
    deadline: Instant,
    ticket: &mut Ticket,
    id: u64,
) -> Option<TcpStream> {
    let shaken = port.connection().map_err(io::Error::other).and_then(|mut connection| {
        stream.set_nonblocking(true)?;
        shake(stream, &mut connection, deadline, ticket).map(|()| connection)
    });
    let connection = match shaken {
        Ok(connection) => connection,
        Err(e) => {
            ticket.stage(Stage::Idle);
            log::info!(target: "gateway/tls", "no TLS with {}: {e}", ends.other.ip());
            // What there was to say, an alert, is on its way.
            linger(stream, ticket);
            return None;
        }
    };
    let begun = threads::has_room().then(|| begin(stream.clone(), connection, ticket.pass_on(), id));
    match begun {
        Some(Ok(inner)) => Some(inner),
        Some(Err(e)) => {
            log::warn!(target: "gateway/tls", "a TLS connection is dropped: {e}");
            None
        }
        None => {
            log::warn!(target: "gateway/tls", "a TLS connection is dropped: no memory is left for one more");
            None
        }
    }
}

/// The whole handshake, within the deadline; the place at the door may be lost meanwhile.
fn shake(
    stream: &TcpStream,
    connection: &mut ServerConnection,
    deadline: Instant,
    ticket: &Ticket,
) -> io::Result<()> {
    let mut socket = stream;
    loop {
        while connection.wants_write() {
            match connection.write_tls(&mut socket) {
                Ok(_) => {}
                Err(e) if is_not_now(&e) => wait(stream, PollFlags::OUT, deadline)?,
                Err(e) => return Err(e),
            }
        }
        if !connection.is_handshaking() {
            // Who says nothing behind his handshake keeps us waiting as before it.
            ticket.stage(Stage::Head);
            return Ok(());
        }
        ticket.stage(Stage::Head);
        wait(stream, PollFlags::IN, deadline)?;
        match connection.read_tls(&mut socket) {
            Ok(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it ended before the handshake did",
                ));
            }
            Ok(_) => {}
            Err(e) if is_not_now(&e) => continue,
            Err(e) => return Err(e),
        }
        if let Err(e) = connection.process_new_packets() {
            // The alert; who does not take it at once does not hear it.
            let _ = connection.write_tls(&mut socket);
            return Err(io::Error::other(e));
        }
    }
}

fn wait(stream: &TcpStream, flags: PollFlags, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    match crate::sys::poll(&mut [PollFd::new(stream, flags)], Some(left)) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::TimedOut, "no whole handshake in time")),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Starts the relay; gives the worker's end of the pair.
fn begin(
    stream: Arc<TcpStream>,
    connection: ServerConnection,
    broken: Arc<AtomicBool>,
    id: u64,
) -> crate::error::Result<TcpStream> {
    let failed = |e| crate::error::Error::io("make a pair of sockets for TLS", e);
    let (inner, outer) = UnixStream::pair().map_err(failed)?;
    outer.set_nonblocking(true).map_err(failed)?;
    let work = move || relay::run(&stream, &outer, connection, &broken);
    let died = |what| log::error!(target: "gateway/tls", "a TLS connection ended by a defect: {what}");
    threads::spawn(&format!("gw-tls-{id}"), relay::STACK, work, died)?;
    Ok(OwnedFd::from(inner).into())
}
