//! The life of an account whose channel is a program: started, greeted, handed deliveries, ended. On the account's thread.
//!
//! A delivery is in the program's hands from its line on until the program says what became of it. What is left in the
//! hands of one that ended is uncertain; a program that knows a delivery's id again is asked once more, others are not (R-10c).
use super::child::{Process, Writer, command};
use super::listen::{self, Ears};
use super::wire::{self, Said};
use super::{intake, own};
use crate::channels::accounts::Account;
use crate::channels::crew::Crew;
use crate::channels::house::{Became, House};
use crate::channels::ids::bare;
use crate::channels::markdown::{self, Tables};
use crate::channels::outgoing::{Act, Outgoing};
use crate::clock;
use crate::deliveries::Delivery;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
/// How long a program may take to say hello, and what became of a delivery.
const HELLO: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(120);
/// How often it is asked whether it is alive; it may take as long to say so.
const PING: Duration = Duration::from_secs(30);
/// Longest time without a look at what others ask of the account.
const IDLE: Duration = Duration::from_secs(3);
/// How soon something to hand over is found while answers are waited for.
const SLICE: Duration = Duration::from_millis(20);
/// Deliveries in the program's hands at a time.
const MOST: usize = 16;
/// Before a peer is tried again, when the program does not say.
const AGAIN: Duration = Duration::from_secs(2);
/// How long the end of the account waits for what is in the program's hands.
const LAST_WORDS: Duration = Duration::from_millis(600);

/// What the threads of the account share.
pub struct Line {
    pub house: Arc<dyn House>,
    /// Its row's.
    pub channel: &'static str,
    pub label: &'static str,
    pub writer: Writer,
    /// What the program said it can do.
    pub can: Vec<String>,
    pub dir: std::path::PathBuf,
}

impl Line {
    pub fn name(&self) -> &str {
        &self.house.login().account
    }

    pub fn is_ending(&self) -> bool {
        self.house.cancel().reason().is_some()
    }

    pub fn can(&self, what: &str) -> bool {
        self.can.iter().any(|can| can == what)
    }
}

pub fn run(house: Arc<dyn House>) -> Result<()> {
    let (login, settings) = (house.login().clone(), house.settings());
    let (config, env) = (settings.config(), &settings.env);
    let account = Account::of(&config, &login.platform, &login.account);
    let Some(row) = super::row(&login.platform) else { return Ok(()) };
    let Some(words) = command(&account, env)? else {
        let id = row.id;
        let text = format!(
            "no program speaks for it: put openclaw-{id} beside openclaw or into PATH, or name one by channels.{id}.command"
        );
        log::warn!(target: "channels", "{login}: {text}");
        house.board().set(&login, |row| row.last_error = Some(text));
        return Ok(());
    };
    let dir = env.state_dir.join("channels").join(row.id).join(&login.account);
    let (mut process, writer, stdout, stderr) = Process::start(&words, dir, env)?;
    let mut ears = Ears::new(stdout, stderr, format!("channels/{}", row.id));
    let result = greet(&*house, &account, &process, &writer, &mut ears).and_then(|can| {
        let dir = process.dir.clone();
        let line = Line { house: house.clone(), channel: row.id, label: row.label, writer, can, dir };
        work(Arc::new(line), ears, &mut process)
    });
    // Its own end says more than that a pipe broke.
    result.map_err(|e| match process.ended() {
        Some(status) => e.context(format_args!("the program ended ({status})")),
        None => e,
    })
}

/// Both say hello; gives what the program can do.
fn greet(
    house: &dyn House,
    account: &Account,
    process: &Process,
    writer: &Writer,
    ears: &mut Ears,
) -> Result<Vec<String>> {
    writer.write(&json!({"type": "hello", "version": (wire::VERSION), "gateway": (crate::version::VERSION),
        "channel": (account.channel), "account": (account.id.as_str()), "dir": (process.dir.to_string_lossy()),
        "window": (wire::WINDOW), "maxLine": (wire::MAX_LINE), "config": (own(account))}))?;
    let until = Instant::now() + HELLO;
    while house.cancel().reason().is_none() {
        if Instant::now() >= until {
            return Err(Error::unavailable(format!(
                "the program did not say hello in {} s",
                HELLO.as_secs()
            )));
        }
        let mut heard = ears.hear(writer)?.into_iter();
        while let Some((said, _)) = heard.next() {
            match said {
                Said::Hello { version: wire::VERSION, can } => {
                    ears.keep(heard);
                    return Ok(can);
                }
                Said::Hello { version, .. } => {
                    let text = format!(
                        "the program speaks version {version}, this gateway speaks {}",
                        wire::VERSION
                    );
                    return Err(Error::unavailable(text));
                }
                Said::Log { level, text } => ears.log(level, &text),
                _ => return Err(Error::unavailable("the program's first line is not its hello")),
            }
        }
    }
    Ok(Vec::new())
}

fn work(line: Arc<Line>, ears: Ears, process: &mut Process) -> Result<()> {
    let house = line.house.clone();
    house.board().set(house.login(), |row| {
        row.more.put("mode", "program");
        row.is_connected = true;
    });
    let open = house.begin()?;
    let mut crew = Crew::new(house.clone());
    let (said, results) = bounded(MOST * 4);
    let (inbound, to_do) = bounded(wire::WINDOW / 2);
    let own = line.clone();
    crew.spawn("gw-prog-in", STACK, move || intake::run(&own, open.inbound, &to_do))?;
    let own = line.clone();
    crew.spawn("gw-prog-hear", STACK, move || listen::run(&own, ears, &inbound, &said))?;
    let mut hands = Hands { line: &line, flight: HashMap::new(), held: HashMap::new(), again: Vec::new() };
    let result = hands.take_again(open.uncertain).and_then(|()| hands.run(&results));
    if result.is_ok() {
        hands.last_words(&results);
        line.writer.say_end();
        process.wait();
    }
    house.end();
    process.kill();
    crew.end(result)
}

/// What became of a delivery, as the program says it.
pub struct Answer {
    pub id: String,
    pub became: Became,
    pub wait: Option<Duration>,
    /// The program is alive, and nothing else.
    pub is_pong: bool,
}

struct Hands<'a> {
    line: &'a Line,
    /// In the program's hands, since when, and whether it was so in an earlier life.
    flight: HashMap<String, (Delivery, Instant, bool)>,
    /// Peers to whom nothing goes before this.
    held: HashMap<String, Instant>,
    /// Uncertain ones that the program may have, to be asked about.
    again: Vec<Delivery>,
}

impl Hands<'_> {
    fn run(&mut self, results: &Receiver<Answer>) -> Result<()> {
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
            if house.board().take_logout(house.login()) {
                self.line.writer.write(&wire::about("logout", ""))?;
            }
            self.hand_over(now)?;
            if !self.wait(results, &mut heard)? {
                return Ok(());
            }
        }
    }

    /// False when the account is to end.
    fn wait(&mut self, results: &Receiver<Answer>, heard: &mut Instant) -> Result<bool> {
        let house = &self.line.house;
        let first = match self.flight.is_empty() {
            true => {
                let next =
                    self.held.values().min().map(|until| until.saturating_duration_since(Instant::now()));
                if !house.await_deliveries(next.map_or(IDLE, |next| next.min(IDLE)))? {
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
    fn take_again(&mut self, uncertain: Vec<Delivery>) -> Result<()> {
        let line = self.line;
        if line.can("resend") {
            self.again = uncertain.into_iter().filter(|delivery| delivery.message.is_some()).collect();
            return Ok(());
        }
        for delivery in &uncertain {
            log::warn!(target: "channels", "{}: it is not known whether {} has reached {}: it is not sent again", delivery.login(), delivery.id, delivery.to);
        }
        Ok(())
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
        let message = match outgoing(self.line, &delivery) {
            Ok(message) => message,
            Err(why) => return self.line.house.became(&delivery, Became::Refused(why)),
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
            Became::NotTaken => {
                let until = Instant::now() + answer.wait.unwrap_or(AGAIN);
                self.held.insert(delivery.to.clone(), until);
                if again {
                    self.again.insert(0, delivery);
                    return Ok(());
                }
            }
            Became::Refused(why) => {
                log::error!(target: "channels", "{}: {} is refused: {}", delivery.login(), delivery.id, crate::logging::quoted(why));
            }
            Became::Uncertain | Became::Partly(_) => {
                log::error!(target: "channels", "{}: {} may have arrived, and is not sent again", delivery.login(), delivery.id);
            }
        }
        house.became(&delivery, answer.became)
    }

    /// At the end of the account: what the program still says of what it has.
    fn last_words(&mut self, results: &Receiver<Answer>) {
        let until = Instant::now() + LAST_WORDS;
        while !self.flight.is_empty()
            && let Ok(answer) = results.recv_deadline(until)
        {
            // What is not written down is uncertain at the next start.
            let _ = if answer.is_pong { Ok(()) } else { self.answered(answer) };
        }
    }
}

/// What the program is told to do; else why it cannot.
fn outgoing(line: &Line, delivery: &Delivery) -> std::result::Result<Value, String> {
    let nothing = Value::Null;
    let message = delivery.message.as_ref().unwrap_or(&nothing);
    let out = Outgoing::of(message);
    let action = match out.act() {
        Some(Act::Send) => "send",
        Some(Act::Edit) => "edit",
        Some(Act::Delete) => "delete",
        Some(Act::React) => "react",
        Some(Act::Poll) => "poll",
        None => return Err("this gateway does not know such an action".into()),
    };
    if action != "send" && !line.can(action) {
        return Err(format!(
            "the program of {} cannot do that: {action} is not among its capabilities",
            line.channel
        ));
    }
    if out.media().next().is_some() && !line.can("media") {
        return Err(format!(
            "the program of {} sends no files: media is not among its capabilities",
            line.channel
        ));
    }
    let mut told = message.as_object().cloned().unwrap_or_default();
    let text = match out.error() {
        Some(error) => {
            error.get("message").and_then(Value::as_str).map(|text| format!("\u{26a0}\u{fe0f} {text}"))
        }
        None => told.get("text").and_then(Value::as_str).map(str::to_string),
    };
    told.remove("error");
    told.put("action", action);
    if let Some(text) = text {
        let is_plain = line.can("plain") && !out.is_plain();
        told.put("text", if is_plain { markdown::parse(&text, Tables::Code).plain } else { text });
    }
    if action == "send" && told.get("text").is_none_or(|text| text == "") && out.media().next().is_none() {
        return Err("there is nothing in it to send".into());
    }
    Ok(told.into())
}

/// What the program says of itself goes to the board.
pub fn status(line: &Line, said: &Map<String, Value>) {
    let house = &line.house;
    let is = |name: &str| said.get(name).and_then(Value::as_bool);
    house.board().set(house.login(), |row| {
        row.is_connected = is("connected").unwrap_or(row.is_connected);
        if let Some(linked) = is("linked") {
            row.more.put("linked", linked);
            if linked {
                row.more.remove("login");
            }
        }
        if let Some(own) = said.get("self").filter(|own| own.is_object()) {
            row.more.put("self", own.clone());
        }
        match said.get("error") {
            Some(Value::String(text)) => row.last_error = Some(text.chars().take(500).collect()),
            Some(Value::Null) => row.last_error = None,
            _ => {}
        }
    });
}

/// A login that waits for its owner: what he is to scan or to type.
pub fn login(line: &Line, said: &Map<String, Value>) {
    let text =
        |name: &str| said.get(name).and_then(Value::as_str).map(|text| crate::parts::within(text, 4096));
    let mut shown = json!({"at": (clock::now_ms())});
    if let Some(shown) = shown.as_object_mut() {
        ["qr", "code", "text"].iter().for_each(|name| shown.put(name, text(name)));
    }
    let house = &line.house;
    log::info!(target: "channels", "{}: waits to be linked: channels.status has what is to be scanned or typed", house.login());
    house.board().set(house.login(), |row| {
        row.more.put("linked", false);
        row.more.put("login", shown);
    });
}
