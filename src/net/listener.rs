//! The listener thread, one per bound address: accepts, gives out places, spawns the connection's thread.
//!
//! It outlives the gateway's generations: between two of them new connections wait (R-14d). It never waits for a
//! client. A newcomer is parked until it says something: silence holds a descriptor, but no place and no thread. Who
//! has spoken gets a place, in order of arrival but for each fourth, which goes to the newest: so nobody waits for ever,
//! and not everybody for all before him. No address keeps others out. When too many are parked, or
//! descriptors run short, the one that has been silent longest is turned away; if all have spoken, the newest of the
//! remote network that parked most; on loopback new connections then stay in the kernel's accept backlog, so that an
//! honest burst loses none.
mod parked;
use crate::calls::outbox::is_not_now;
use crate::counter::AtomicU64;
use crate::door::parked::{BUSY, GRACE, Parked};
use crate::net::connection::{self, Service};
use crate::net::descriptors;
use crate::net::print::{self, Framing};
use crate::state::event::Event;
use crate::state::shared::Shared;
use crate::state::succession::{Now, Succession};
use crate::threads;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Newcomers of all addresses that are parked.
const MAX_PARKED: usize = 512;
/// Connections accepted before the parked are looked at again.
const AT_ONCE: usize = 64;
/// How often the parked are looked at while places are taken, and while they are silent.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_AT_SILENT: Duration = Duration::from_millis(250);
/// Deep JSON and TLS-free socket work fit; untouched stack costs no memory.
const STACK: usize = 256 << 10;

struct Newcomers {
    parked: Parked,
    /// No more are taken in before somebody was let go: descriptors are scarce.
    is_short: bool,
}

/// Accepts until the other end of `stopped` is closed, which is answered by closing this one with the listener, or
/// until the last generation has ended. Who has spoken by then still gets a place.
pub fn run(listener: TcpListener, stopped: UnixStream, succession: &Succession, service: Service) {
    let mut here = Newcomers { parked: Parked::new(turn_away), is_short: false };
    let mut open = Some((listener, stopped));
    while open.is_some() || !here.parked.all.is_empty() {
        // No hold on a generation while nobody is parked.
        if !here.parked.all.is_empty() && !look_after(&mut here, succession, service, open.is_none()) {
            return;
        }
        let parked = &mut here.parked;
        // For as many as are accepted at once.
        let has_room = (0..AT_ONCE)
            .all(|_| parked.all.len() + AT_ONCE <= MAX_PARKED || parked.make_room(GRACE))
            || parked.all.len() < MAX_PARKED;
        let has_room = has_room && here.has_descriptors(succession);
        let ready = wait(open.as_ref().filter(|_| has_room), &mut here.parked);
        match (ready, &open) {
            (Ready::Connections, Some((listener, _))) => accept(listener, &mut here, succession),
            (Ready::Stopped, _) => open = None,
            _ => {}
        }
    }
}

/// Takes in who has arrived.
fn accept(listener: &TcpListener, here: &mut Newcomers, succession: &Succession) {
    for _ in 0..AT_ONCE {
        match listener.accept() {
            Ok((stream, address)) => {
                let has_kept = keep_descriptors(&stream, &mut here.parked, succession);
                if !has_kept && !here.may_shrink(succession) {
                    turn_away(&stream, BUSY);
                    continue;
                }
                here.parked.park(stream, address.ip());
                if !has_kept {
                    // There is one to spare; those behind it wait in the backlog.
                    here.is_short = true;
                    return;
                }
            }
            Err(e) if is_not_now(&e) => return,
            Err(e) => {
                log::warn!(target: "gateway/net", "accept failed: {e}; trying again");
                // What is short is descriptors, most likely.
                if !here.parked.make_room(GRACE) && !let_go(succession) {
                    std::thread::sleep(Duration::from_millis(100));
                }
                return;
            }
        }
        if here.parked.all.len() >= MAX_PARKED {
            return;
        }
    }
}

/// Lets some go where few descriptors are left, so that whoever proves himself finds those he needs; `false` when
/// nobody can be let go.
fn keep_descriptors(newest: &TcpStream, parked: &mut Parked, succession: &Succession) -> bool {
    // A connection needs as many.
    if !descriptors::are_scarce(newest) {
        return true;
    }
    (0..2).filter(|_| parked.make_room(GRACE) || let_go(succession)).count() > 0
}

fn let_go(succession: &Succession) -> bool {
    matches!(succession.within(Duration::ZERO), Now::Serving(shared) if shared.door.let_go(&shared.limits, Instant::now()))
}

/// Places for those who have spoken, if there are; an end for those who have been silent too long. `false` when nobody
/// will serve.
fn look_after(here: &mut Newcomers, succession: &Succession, service: Service, is_last: bool) -> bool {
    match succession.within(if here.parked.has_speakers() { LOOK } else { Duration::ZERO }) {
        Now::Serving(shared) => {
            // After the listener is closed a moment is left to those whose first word is on its way.
            let patience = if is_last { GRACE } else { shared.limits.handshake() };
            here.parked.dismiss(patience);
            here.admit(&shared, service);
            if here.parked.all.len() >= MAX_PARKED || (is_last && !here.parked.all.is_empty()) {
                shared.door.wait(LOOK);
            }
            true
        }
        Now::Between => true,
        Now::Over => false,
    }
}

/// The peer is told if its socket takes the bytes at once; nobody waits for it.
fn turn_away(mut stream: &TcpStream, status: u16) {
    let later: &[_] = if status == BUSY { &[("Retry-After", "1")] } else { &[] };
    let answer = print::head(1, status, later, Framing::Length(0), false);
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(&answer));
}

fn spawn(
    stream: Arc<TcpStream>,
    since: Instant,
    ticket: crate::door::Ticket,
    shared: &Arc<Shared>,
    service: Service,
) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let (worker, state) = (shared.clone(), shared.state.clone());
    let died = move |what: String| {
        // The state thread is gone only when the gateway ends; then nobody needs the news.
        let _ = state.send(Event::ConnectionDied { conn: id, what });
    };
    let work =
        move || connection::serve(stream, since, ticket, id, worker, &service.http, service.takes_clients);
    if let Err(e) = threads::spawn(&format!("gw-conn-{id}"), STACK, work, died) {
        log::error!(target: "gateway/net", "{e}; the connection is dropped");
    }
}

enum Ready {
    Connections,
    Nothing,
    Stopped,
}

/// Waits for newcomers, if `open`, and for the first word of those who are parked.
fn wait(open: Option<&(TcpListener, UnixStream)>, parked: &mut Parked) -> Ready {
    // Who is silent now may have to make room soon.
    let is_pressed = open.is_none() || parked.has_speakers();
    let timeout = match parked.all.is_empty() && open.is_some() {
        true => None,
        false => Some(if is_pressed { LOOK } else { LOOK_AT_SILENT }),
    };
    let others: Vec<BorrowedFd> =
        open.iter().flat_map(|(listener, stopped)| [listener.as_fd(), stopped.as_fd()]).collect();
    match parked.wait(&others, timeout).as_slice() {
        // What has arrived by now is still taken.
        [true, _] => Ready::Connections,
        [false, true] => Ready::Stopped,
        _ => Ready::Nothing,
    }
}
