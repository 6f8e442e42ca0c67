//! What a program has in its hands: deliveries that were given to it and are not answered.
//!
//! Runs on the account's own thread, between the house and the program's ears.
use super::outward;
use super::run::{ANSWER, Line};
use crate::channels::doubt;
use crate::channels::house::Became;
use crate::channels::ids::bare;
use crate::channels::program::wire;
use crate::deliveries::Delivery;
use crate::error::{Error, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often it is asked whether it is alive; it may take as long to say so.
pub(super) const PING: Duration = Duration::from_secs(30);

/// How soon something to hand over is found while answers are waited for.
pub(super) const SLICE: Duration = Duration::from_millis(20);

/// Deliveries in the program's hands at a time.
pub(super) const MOST: usize = 16;

/// Before a peer is tried again, when the program does not say.
pub(super) const AGAIN: Duration = Duration::from_secs(2);

/// How long the end of the account waits for what is in the program's hands.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(600);

/// What became of a delivery, as the program says it.
pub struct Answer {
    pub id: String,
    pub became: Became,
    pub wait: Option<Duration>,
    /// The program is alive, and nothing else.
    pub is_pong: bool,
}

pub(super) struct Hands<'a> {
    line: &'a Line,
    /// In the program's hands, since when, and whether it was so in an earlier life.
    flight: HashMap<String, (Delivery, Instant, bool)>,
    /// Peers to whom nothing goes before this.
    held: HashMap<String, Instant>,
    /// Uncertain ones that the program may have, to be asked about.
    again: Vec<Delivery>,
}

impl<'a> Hands<'a> {
    pub(super) fn of(line: &'a Line) -> Hands<'a> {
        Hands { line, flight: HashMap::new(), held: HashMap::new(), again: Vec::new() }
    }

    pub(super) fn run(&mut self, results: &Receiver<Answer>) -> Result<()> {
        let (mut asked, mut heard) = (Instant::now(), Instant::now());
        loop {
            let now = Instant::now();
            if now.duration_since(asked) >= PING {
                if heard < asked {
                    return Err(Error::unavailable("the program hangs: it does not answer"));
                }
                asked = now;
                self.line.writer.write(&wire::about("ping", ""))?;
            }
            let house = &self.line.house;
            if let Some(wish) = house.board().take_wish(house.login()) {
                self.line.writer.write(&wish)?;
            }
            self.hand_over(now)?;
            if !self.wait(results, asked + PING, &mut heard)? {
                return Ok(());
            }
        }
    }

    /// Until there is something to do, until `ping` at the latest. False when the account is to end.
    fn wait(&mut self, results: &Receiver<Answer>, ping: Instant, heard: &mut Instant) -> Result<bool> {
        let house = &self.line.house;
        let first = match self.flight.is_empty() {
            true => {
                let next = self.held.values().copied().min().map_or(ping, |until| until.min(ping));
                if !house.await_deliveries(next.saturating_duration_since(Instant::now()))? {
                    return Ok(false);
                }
                None
            }
            false => match results.recv_timeout(SLICE) {
                Ok(answer) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
            },
        };
        for answer in first.into_iter().chain(results.try_iter()) {
            *heard = Instant::now();
            if !answer.is_pong {
                self.answered(answer)?;
            }
        }
        let late = |(_, since, _): &(Delivery, Instant, bool)| since.elapsed() >= ANSWER;
        if self.flight.values().any(late) {
            let text = format!("the program did not say in {} s what became of a message", ANSWER.as_secs());
            return Err(Error::unavailable(text));
        }
        Ok(!self.line.is_ending())
    }

    /// What an earlier life left in the hands of the program.
    pub(super) fn take_again(&mut self, uncertain: Vec<Delivery>) -> Result<()> {
        let line = self.line;
        if line.can("resend") {
            self.again = uncertain.into_iter().filter(|delivery| delivery.message.is_some()).collect();
            return Ok(());
        }
        doubt::tell_all(&*line.house, &uncertain)
    }

    fn hand_over(&mut self, now: Instant) -> Result<()> {
        self.held.retain(|_, until| *until > now);
        while self.flight.len() < MOST
            && let Some(at) = self.again.iter().position(|delivery| !self.is_held(delivery))
        {
            let delivery = self.again.remove(at);
            self.give(delivery, true)?;
        }
        while self.flight.len() < MOST {
            let mut held: Vec<String> = self.held.keys().cloned().collect();
            let earlier = self.flight.values().map(|(delivery, ..)| delivery).chain(&self.again);
            held.extend(earlier.map(|delivery| delivery.to.clone()));
            let Some(delivery) = self.line.house.next(&held)? else { return Ok(()) };
            self.give(delivery, false)?;
        }
        Ok(())
    }

    fn is_held(&self, delivery: &Delivery) -> bool {
        let is_busy = self.flight.values().any(|(other, ..)| other.to == delivery.to);
        is_busy || self.held.contains_key(&delivery.to)
    }

    fn give(&mut self, delivery: Delivery, again: bool) -> Result<()> {
        let message = match outward::told(self.line, &delivery) {
            Ok(message) => message,
            Err(why) => {
                doubt::tell_refused(&*self.line.house, &delivery, &why)?;
                return self.line.house.became(&delivery, Became::Refused(why));
            }
        };
        let to = bare(self.line.channel, &delivery.to);
        let line = wire::send(&delivery.id, to, &message, again);
        self.flight.insert(delivery.id.clone(), (delivery, Instant::now(), again));
        self.line.writer.write(&line)
    }

    fn answered(&mut self, answer: Answer) -> Result<()> {
        let house = &self.line.house;
        // Not in its hands, or no more.
        let Some((delivery, _, again)) = self.flight.remove(&answer.id) else { return Ok(()) };
        match &answer.became {
            Became::Confirmed(_) => house.board().went(house.login()),
            Became::Left => {}
            Became::NotTaken | Became::NotNow(_) => {
                let until = Instant::now() + answer.wait.unwrap_or(AGAIN);
                self.held.insert(delivery.to.clone(), until);
                if again {
                    self.again.insert(0, delivery);
                    return Ok(());
                }
            }
            Became::Refused(why) => {
                doubt::tell_refused(&**house, &delivery, &crate::logging::quoted(why))?;
            }
            Became::Uncertain(_) | Became::Partly(_) => {
                doubt::tell_uncertain(&**house, &delivery, wire::UNKNOWN)?;
            }
        }
        house.became(&delivery, answer.became)
    }

    /// At the end of the account: what the program still says of what it has.
    pub(super) fn last_words(&mut self, results: &Receiver<Answer>) {
        let until = Instant::now() + LAST_WORDS;
        while !self.flight.is_empty()
            && let Ok(answer) = results.recv_deadline(until)
        {
            // What is not written down is uncertain at the next start.
            let _ = if answer.is_pong { Ok(()) } else { self.answered(answer) };
        }
    }
}
