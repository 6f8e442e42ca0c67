//! Finding gateways on the local network: asks all networks at once, listens for a while.
//!
//! Runs on the calling thread (the command line's). Questions go out from a port of their own, so that answers come to it
//! alone and other programs that speak multicast DNS on this machine are not disturbed. What is told is a claim of
//! whoever answered: nothing here connects anywhere, and no secret goes out (SEC-38).
use super::wire::{Data, MAX, Message, Name, PTR, Question, Record, SRV, TXT};
use super::{SERVICE, socket};
use crate::clean::one_line;
use crate::error::{Error, Result};
use crate::sys::links::{self, Link};
use rustix::event::{PollFd, PollFlags};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A question may get lost, so it is asked again at these times.
const ASKED_AT: [Duration; 3] = [Duration::ZERO, Duration::from_millis(250), Duration::from_secs(1)];
/// More gateways than that are a flood.
const MOST: usize = 64;

/// A gateway that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    pub instance: String,
    /// Where the answer came from, which is the one thing not claimed.
    pub from: Ipv4Addr,
    pub port: u16,
    /// As it calls its host.
    pub host: String,
    /// What it says of itself, `key`, `value`.
    pub texts: Vec<(String, String)>,
}

impl Beacon {
    pub fn text(&self, key: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    pub fn has_tls(&self) -> bool {
        self.text("gatewayTls").is_some_and(|value| matches!(value, "1" | "true"))
    }
}

/// Those that answer within `time`, by name. An error when no network can be asked.
pub fn browse(time: Duration) -> Result<Vec<Beacon>> {
    let mut failure = Error::unavailable("this machine is on no network");
    let mut asked = Vec::new();
    for link in links::links() {
        match socket::asking(&link) {
            Ok(socket) => asked.push((link, socket)),
            Err(e) => failure = e,
        }
    }
    // One that cannot be asked, such as a link without a route, does not keep the others from it.
    if asked.is_empty() {
        return Err(failure);
    }
    let begin = Instant::now();
    let (mut heard, mut turns) = (Heard::default(), ASKED_AT.iter().filter(|at| **at < time).peekable());
    while begin.elapsed() < time {
        if turns.next_if(|at| begin.elapsed() >= **at).is_some() {
            let question = heard.question().write();
            // What cannot be sent now is sent the next time.
            asked
                .iter()
                .for_each(|(_, socket)| drop(socket.send_to(&question, (socket::GROUP, socket::PORT))));
        }
        let until = turns.peek().map_or(time, |at| time.min(**at));
        wait(&asked, until.saturating_sub(begin.elapsed()))?;
        asked.iter().for_each(|(link, socket)| heard.take(link, socket));
    }
    Ok(heard.beacons())
}

fn wait(asked: &[(Link, UdpSocket)], time: Duration) -> Result<()> {
    let mut all: Vec<_> =
        asked.iter().map(|(_, socket)| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)).collect();
    match crate::sys::poll(&mut all, Some(time)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(e) => Err(Error::io("wait for answers", e.into())),
    }
}

#[derive(Default)]
struct Heard {
    /// With who said it.
    records: Vec<(Ipv4Addr, Record)>,
}

impl Heard {
    /// For gateways, and for what is missing of those that are known.
    fn question(&self) -> Message {
        let service = Name::of(SERVICE);
        let ask = |name: &Name, kind| Question { name: name.clone(), kind, is_alone: true };
        let mut questions = vec![ask(&service, PTR)];
        for (from, name) in self.instances() {
            if self.service(from, name).is_none() {
                questions.extend([ask(name, SRV), ask(name, TXT)]);
            }
        }
        questions.truncate(MOST / 4);
        Message { questions, ..Message::default() }
    }

    fn take(&mut self, link: &Link, socket: &UdpSocket) {
        let mut bytes = [0; MAX];
        while let Ok((size, SocketAddr::V4(from))) = socket.recv_from(&mut bytes) {
            let message = bytes.get(..size).and_then(Message::read).filter(|message| message.is_answer);
            // An answer from beyond the network is nobody's who was asked.
            let Some(message) = message.filter(|_| link.reaches(*from.ip())) else { continue };
            for record in message.records {
                let one = (*from.ip(), record);
                if self.records.len() < MOST * 4 && !self.records.contains(&one) {
                    self.records.push(one);
                }
            }
        }
    }

    fn instances(&self) -> impl Iterator<Item = (Ipv4Addr, &Name)> {
        let service = Name::of(SERVICE);
        self.records.iter().filter_map(move |(from, record)| match &record.data {
            Data::Ptr(name) if record.name.is(&service) && name.is_under(&service) && record.ttl > 0 => {
                Some((*from, name))
            }
            _ => None,
        })
    }

    fn service<'a>(&'a self, from: Ipv4Addr, name: &'a Name) -> Option<(u16, &'a Name)> {
        self.of(from, name).find_map(|data| match data {
            Data::Srv { port, host } => Some((*port, host)),
            _ => None,
        })
    }

    /// What the same machine said of `name`: another's words do not mix with it.
    fn of<'a>(&'a self, from: Ipv4Addr, name: &'a Name) -> impl Iterator<Item = &'a Data> {
        self.records
            .iter()
            .filter(move |(who, record)| *who == from && record.name.is(name))
            .map(|(_, record)| &record.data)
    }

    fn beacons(&self) -> Vec<Beacon> {
        let mut beacons: Vec<Beacon> = Vec::new();
        for (from, name) in self.instances() {
            let Some((port, host)) = self.service(from, name) else { continue };
            let instance = name.0.first().map(|label| one_line(label)).unwrap_or_default();
            let host = one_line(&host.text());
            // One that is on several of our networks, or whose machine is this one, answers several times.
            let is_known = |b: &Beacon| b.instance == instance && b.port == port && b.host == host;
            if beacons.iter().any(is_known) || beacons.len() >= MOST {
                continue;
            }
            let texts = self.of(from, name).find_map(|data| match data {
                Data::Txt(texts) => Some(texts.iter().map(|text| pair(text)).collect()),
                _ => None,
            });
            beacons.push(Beacon { instance, from, port, host, texts: texts.unwrap_or_default() });
        }
        beacons.sort_by(|a, b| (&a.instance, a.port).cmp(&(&b.instance, b.port)));
        beacons
    }
}

fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (one_line(key), one_line(value))
}
