//! The listener thread, one per bound address: accepts, gives out places, spawns the connection's thread.
//!
//! It outlives the gateway's generations: between two of them new connections wait in the kernel's backlog (R-14d).
//! It never waits for a client. When there is no place the newcomer is parked, in order of arrival and without
//! keeping other addresses out: a remote address that parks too many loses its newest. On loopback new
//! connections stay in the kernel's accept backlog instead, so that an honest burst loses none.
use crate::net::connection;
use crate::net::door::Entry;
use crate::net::outbox::is_not_now;
use crate::shared::Shared;
use crate::state::event::Event;
use crate::succession::{Now, Succession};
use crate::threads;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Newcomers of all addresses that wait for a place.
const MAX_PARKED: usize = 256;
/// How often the parked are looked at while places are taken.
const LOOK: Duration = Duration::from_millis(5);
/// Deep JSON and TLS-free socket work fit; untouched stack costs no memory.
const STACK: usize = 256 << 10;
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n";

type Parked = VecDeque<(TcpStream, IpAddr)>;

/// Accepts until the other end of `stopped` is closed, which is answered by closing this one with the listener, or
/// until the last generation has ended. Who was accepted by then still gets a place.
pub fn run(listener: TcpListener, stopped: UnixStream, succession: &Succession) {
    let mut parked = Parked::new();
    let mut open = Some((listener, stopped));
    while open.is_some() || !parked.is_empty() {
        // No hold on a generation while nobody waits for a place.
        if !parked.is_empty() && !give_places(&mut parked, succession, open.is_none()) {
            return;
        }
        let Some((listener, stopped)) = &open else { continue };
        if parked.len() >= MAX_PARKED && !make_room(&mut parked) {
            continue;
        }
        match wait(listener, stopped, (!parked.is_empty()).then_some(LOOK)) {
            Ready::Connection => {}
            Ready::Nothing => continue,
            Ready::Stopped => {
                open = None;
                continue;
            }
        }
        match listener.accept() {
            Ok((stream, address)) => parked.push_back((stream, address.ip().to_canonical())),
            Err(e) if is_not_now(&e) => {}
            Err(e) => {
                log::warn!(target: "gateway/net", "accept failed: {e}; trying again");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Places for who is parked, if there are; waits a moment when nobody serves, or when there are not enough and nothing
/// else is to be waited for. `false` when nobody will serve.
fn give_places(parked: &mut Parked, succession: &Succession, is_last: bool) -> bool {
    match succession.within(LOOK) {
        Now::Serving(shared) => {
            admit(parked, &shared);
            if parked.len() >= MAX_PARKED || (is_last && !parked.is_empty()) {
                shared.door.wait(LOOK);
            }
            true
        }
        Now::Between => true,
        Now::Over => false,
    }
}

/// Turns the newest of the remote address with the most parked away; `false` when all are from loopback.
fn make_room(parked: &mut Parked) -> bool {
    let count = |address: &IpAddr| parked.iter().filter(|(_, a)| a == address).count();
    let remote = parked.iter().map(|(_, a)| *a).filter(|a| !a.is_loopback());
    let Some(most) = remote.max_by_key(count) else { return false };
    if let Some((stream, _)) = parked.iter().rposition(|(_, a)| *a == most).and_then(|at| parked.remove(at)) {
        log::warn!(target: "gateway/net", "turned a connection from {most} away: too many wait");
        turn_away(&stream);
    }
    true
}

/// The peer is told if its socket takes the bytes at once; nobody waits for it.
fn turn_away(stream: &TcpStream) {
    let mut stream = stream;
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(BUSY));
}

/// Gives places to the parked, oldest first.
fn admit(parked: &mut Parked, shared: &Arc<Shared>) {
    let mut full_for = Vec::new();
    for _ in 0..parked.len() {
        let Some((stream, address)) = parked.pop_front() else { break };
        if full_for.contains(&address) {
            parked.push_back((stream, address));
            continue;
        }
        match shared.door.enter(address, &stream, &shared.limits, Instant::now()) {
            Entry::Place(ticket) if shared.door.connections() > shared.limits.connections => {
                log::warn!(target: "gateway/net", "refused a connection: {} are open", shared.limits.connections);
                turn_away(&stream);
                drop(ticket);
            }
            Entry::Place(ticket) if !threads::has_room() => {
                log::warn!(target: "gateway/net", "refused a connection: no memory is left for one more");
                turn_away(&stream);
                drop(ticket);
            }
            Entry::Place(ticket) => spawn(stream, address, ticket, shared),
            Entry::Wait => {
                full_for.push(address);
                parked.push_back((stream, address));
            }
        }
    }
}

fn spawn(stream: TcpStream, address: IpAddr, ticket: crate::net::door::Ticket, shared: &Arc<Shared>) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let (worker, state) = (shared.clone(), shared.state.clone());
    let died = move |what: String| {
        // The state thread is gone only when the gateway ends; then nobody needs the news.
        let _ = state.send(Event::ConnectionDied { conn: id, what });
    };
    let work = move || connection::serve(stream, address, ticket, id, worker);
    if let Err(e) = threads::spawn(&format!("gw-conn-{id}"), STACK, work, died) {
        log::error!(target: "gateway/net", "{e}; the connection is dropped");
    }
}

enum Ready {
    Connection,
    Nothing,
    Stopped,
}

fn wait(listener: &TcpListener, stopped: &UnixStream, timeout: Option<Duration>) -> Ready {
    let timeout = timeout.map(|t| Timespec { tv_sec: 0, tv_nsec: t.subsec_nanos() as _ });
    let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
    if !poll(&mut fds, timeout.as_ref()).is_ok_and(|n| n > 0) {
        return Ready::Nothing;
    }
    let [listener, stopped] = &fds;
    match (listener.revents().is_empty(), stopped.revents().is_empty()) {
        // What has arrived by now is still taken.
        (false, _) => Ready::Connection,
        (true, false) => Ready::Stopped,
        (true, true) => Ready::Nothing,
    }
}
