//! Announcing this gateway: claims a name, tells of itself, answers who asks, says goodbye.
//!
//! Runs on the thread of a worker (`gateway/announced.rs`), which sleeps until somebody asks and looks at the networks
//! once a minute. Answers go to who is on the same network only, at most four a second to everybody, so that nobody is
//! flooded by asking in another's name. What is told is what the owner asked for (`Said`): no path, no user, no
//! fingerprint (SEC-38).
use super::wire::{A, ANY, Data, MAX, Message, Name, PTR, Question, Record, SRV};
use super::{SERVICE, socket};
use crate::error::{Error, Result};
use crate::sys::links::{self, Link};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Seconds that others may remember what names an address, and the rest (RFC 6762, 10).
const TTL: u32 = 120;
const TTL_SERVICE: u32 = 4500;
/// For programs that ask without knowing of multicast.
const TTL_LEGACY: u32 = 10;
/// A name is asked for this often, with these pauses, before it is taken.
const PROBES: u32 = 3;
const PROBE_PAUSE: Duration = Duration::from_millis(250);
/// Names tried before it is given up: a machine does not run that many gateways.
const NAMES: u32 = 20;
/// The announcement is repeated once after that.
const AGAIN: Duration = Duration::from_secs(1);
/// Least time between two answers to everybody: who probes a name waits no longer for one.
const LEAST: Duration = Duration::from_millis(250);
/// How often networks are looked at.
const LOOK: Duration = Duration::from_secs(60);
const SERVICES: &str = "_services._dns-sd._udp.local";

/// What is told.
pub struct Said {
    /// The name people see.
    pub display: String,
    /// The first label of the host's name.
    pub host: String,
    pub port: u16,
    /// `key=value`.
    pub texts: Vec<String>,
}

/// Waits for a time or until one of these can be read; false at the end of the worker.
pub type Wait<'a> = &'a dyn Fn(Duration, &[BorrowedFd]) -> Result<bool>;

struct Net {
    link: Link,
    socket: UdpSocket,
    /// When everybody was told last.
    told: Option<Instant>,
}

/// Until `wait` says that it is over. `named` is told the name that was taken.
pub fn run(said: &Said, wait: Wait, named: impl Fn(&str)) -> Result<()> {
    let mut links = links::links();
    let mut nets = open(&links)?;
    let Some(own) = claim(said, &mut nets, wait)? else { return Ok(()) };
    named(own.instance.0.first().map_or("", String::as_str));
    let mut repeats = Some(Instant::now() + AGAIN);
    own.tell(&mut nets, TTL_SERVICE);
    loop {
        let pause = repeats.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
        let fds: Vec<BorrowedFd> = nets.iter().map(|net| net.socket.as_fd()).collect();
        if !wait(pause, &fds)? {
            own.tell(&mut nets, 0);
            return Ok(());
        }
        nets.iter_mut().for_each(|net| own.serve(net));
        if repeats.is_some_and(|at| at <= Instant::now()) {
            repeats = None;
            own.tell(&mut nets, TTL_SERVICE);
        }
        let now = links::links();
        if now != links {
            nets = open(&now)?;
            links = now;
            own.tell(&mut nets, TTL_SERVICE);
        }
    }
}

/// A socket for each network; an error when there is none at all.
fn open(links: &[Link]) -> Result<Vec<Net>> {
    let mut failure = Error::unavailable("this machine is on no network");
    let mut nets = Vec::new();
    for link in links {
        match socket::answering(link) {
            Ok(socket) => nets.push(Net { link: *link, socket, told: None }),
            Err(e) => failure = e,
        }
    }
    if nets.is_empty() { Err(failure) } else { Ok(nets) }
}

/// Takes the first name that nobody else has. `None` when it is over before.
fn claim(said: &Said, nets: &mut [Net], wait: Wait) -> Result<Option<Own>> {
    for number in 1..=NAMES {
        let own = Own::of(said, number);
        let mut is_free = true;
        for _ in 0..PROBES {
            let question = Question { name: own.instance.clone(), kind: ANY, is_alone: false };
            let probe = Message { questions: vec![question], ..Message::default() }.write();
            nets.iter().for_each(|net| net.send(&probe));
            let until = Instant::now() + PROBE_PAUSE;
            while is_free && Instant::now() < until {
                let fds: Vec<BorrowedFd> = nets.iter().map(|net| net.socket.as_fd()).collect();
                if !wait(until.saturating_duration_since(Instant::now()), &fds)? {
                    return Ok(None);
                }
                for net in nets.iter_mut() {
                    while let Some((_, message)) = net.receive() {
                        is_free &= !own.is_contested(&message);
                    }
                }
            }
        }
        if is_free {
            return Ok(Some(own));
        }
    }
    Err(Error::unavailable(format!("{NAMES} gateways on this network are named like {}", said.display)))
}

impl Net {
    /// What is lost is asked for again, or told again.
    fn send(&self, bytes: &[u8]) {
        let _ = self.socket.send_to(bytes, (socket::GROUP, socket::PORT));
    }

    /// The next message of somebody on this network, if one came.
    fn receive(&self) -> Option<(SocketAddrV4, Message)> {
        let mut bytes = [0; MAX];
        while let Ok((size, SocketAddr::V4(from))) = self.socket.recv_from(&mut bytes) {
            let message = bytes.get(..size).and_then(Message::read);
            // Sockets of one port hear of all networks: each takes what is of its own.
            if let Some(message) = message.filter(|_| self.link.reaches(*from.ip())) {
                return Some((from, message));
            }
        }
        None
    }
}

/// What is ours.
struct Own {
    service: Name,
    instance: Name,
    host: Name,
    port: u16,
    texts: Vec<String>,
}

impl Own {
    fn of(said: &Said, number: u32) -> Own {
        let service = Name::of(SERVICE);
        let label = match number {
            1 => said.display.clone(),
            _ => format!("{} ({number})", said.display),
        };
        Own {
            instance: service.under(&label),
            service,
            host: Name::of("local").under(&said.host),
            port: said.port,
            texts: said.texts.clone(),
        }
    }

    /// Somebody else says that the name stands for another gateway.
    fn is_contested(&self, message: &Message) -> bool {
        let ours = Data::Srv { port: self.port, host: self.host.clone() };
        message.is_answer
            && message.records.iter().any(|record| {
                record.kind() == SRV
                    && record.ttl > 0
                    && record.name.is(&self.instance)
                    && record.data != ours
            })
    }

    /// Everything there is to say, on one network; with a `ttl` of 0, that it is no more.
    fn records(&self, address: Ipv4Addr, ttl: u32) -> Vec<Record> {
        let record = |name: &Name, most: u32, data| Record { name: name.clone(), ttl: ttl.min(most), data };
        vec![
            record(&self.service, TTL_SERVICE, Data::Ptr(self.instance.clone())),
            record(&self.instance, TTL, Data::Srv { port: self.port, host: self.host.clone() }),
            record(&self.instance, TTL_SERVICE, Data::Txt(self.texts.clone())),
            record(&self.host, TTL, Data::A(address)),
        ]
    }

    fn tell(&self, nets: &mut [Net], ttl: u32) {
        for net in nets {
            let records = self.records(net.link.address, ttl);
            net.send(&Message { is_answer: true, records, ..Message::default() }.write());
            net.told = Some(Instant::now());
        }
    }

    /// Answers what came in on one network.
    fn serve(&self, net: &mut Net) {
        while let Some((from, message)) = net.receive() {
            let Some(mut answer) = self.answer(&message, net.link.address) else { continue };
            let is_legacy = from.port() != socket::PORT;
            if is_legacy || message.questions.iter().all(|question| question.is_alone) {
                if is_legacy {
                    (answer.id, answer.questions) = (message.id, message.questions);
                    answer.records.iter_mut().for_each(|record| record.ttl = record.ttl.min(TTL_LEGACY));
                }
                let _ = net.socket.send_to(&answer.write(), from);
            } else if net.told.is_none_or(|at| at.elapsed() >= LEAST) {
                net.told = Some(Instant::now());
                net.send(&answer.write());
            }
        }
    }

    /// `None` for what is not asked of us, or known to who asks.
    fn answer(&self, message: &Message, address: Ipv4Addr) -> Option<Message> {
        if message.is_answer {
            return None;
        }
        let services = Name::of(SERVICES);
        let (mut answers, mut beside) = (Vec::new(), Vec::new());
        for Question { name, kind, .. } in &message.questions {
            if name.is(&services) && matches!(*kind, PTR | ANY) {
                let data = Data::Ptr(self.service.clone());
                answers.push(Record { name: services.clone(), ttl: TTL_SERVICE, data });
            }
            for record in self.records(address, TTL_SERVICE) {
                let is_asked = record.name.is(name) && (*kind == ANY || *kind == record.kind());
                let list = if is_asked { &mut answers } else { &mut beside };
                list.push(record);
            }
        }
        let is_known = |own: &Record| {
            message.records.iter().any(|r| r.name.is(&own.name) && r.data == own.data && r.ttl >= own.ttl / 2)
        };
        answers.retain(|record| !is_known(record));
        // Who asks for the service or for one of its parts needs the rest next.
        let has = |kind| answers.iter().any(|record| record.kind() == kind && !record.name.is(&services));
        let is_useful: fn(u16) -> bool = match (has(PTR), has(SRV)) {
            (true, _) => |_| true,
            (_, true) => |kind| kind == A,
            _ => |_| false,
        };
        if answers.is_empty() {
            return None;
        }
        for record in beside.into_iter().filter(|record| is_useful(record.kind())) {
            if !answers.contains(&record) {
                answers.push(record);
            }
        }
        Some(Message { is_answer: true, records: answers, ..Message::default() })
    }
}

#[cfg(test)]
#[path = "announce_tests.rs"]
mod tests;
