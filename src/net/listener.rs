//! The listener thread, one per bound address: accepts, gives out places, spawns the connection's thread.
//!
//! It never waits for a client. When there is no place the newcomer is parked, in order of arrival and without
//! keeping other addresses out; above `MAX_PARKED` new connections stay in the kernel's accept backlog.
use crate::net::connection;
use crate::net::door::Entry;
use crate::net::outbox::is_not_now;
use crate::shared::Shared;
use crate::state::event::Event;
use crate::threads;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream};
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

pub fn run(listener: TcpListener, shared: Arc<Shared>) {
    let mut parked = Parked::new();
    loop {
        let waiting = admit(&mut parked, &shared);
        if parked.len() >= MAX_PARKED {
            shared.door.wait(waiting.unwrap_or(LOOK).min(LOOK));
            continue;
        }
        if !parked.is_empty() && !is_ready(&listener, LOOK) {
            continue;
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

/// Gives places to the parked, oldest first; says how long the others must wait at least.
fn admit(parked: &mut Parked, shared: &Arc<Shared>) -> Option<Duration> {
    let mut shortest = None;
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
                // The peer is told if its socket takes the bytes at once; nobody waits for it.
                let _ = stream.set_nonblocking(true).and_then(|()| (&stream).write_all(BUSY));
                drop(ticket);
            }
            Entry::Place(ticket) => spawn(stream, address, ticket, shared),
            Entry::Wait(wait) => {
                shortest = Some(shortest.map_or(wait, |s: Duration| s.min(wait)));
                full_for.push(address);
                parked.push_back((stream, address));
            }
        }
    }
    shortest
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

fn is_ready(listener: &TcpListener, timeout: Duration) -> bool {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: timeout.subsec_nanos() as _ };
    poll(&mut fds, Some(&timeout)).is_ok_and(|n| n > 0)
}
