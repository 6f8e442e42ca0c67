//! The life of an account whose channel is a program: started, greeted, handed deliveries, ended. On the account's thread.
//!
//! A delivery is in the program's hands from its line on until the program says what became of it. What is left in the
//! hands of one that ended is uncertain; a program that knows a delivery's id again is asked once more, others are not (R-10c).
use super::child::{Process, Writer, command};
use super::hands::{Hands, MOST};
use super::listen::{self, Ears};
use super::wire::{self, Said};
use super::{intake, own};
use crate::channels::accounts::Account;
use crate::channels::crew::Crew;
use crate::channels::house::House;
use crate::clock;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crossbeam_channel::bounded;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
/// How long a program may take to say hello, and what became of a delivery.
const HELLO: Duration = Duration::from_secs(20);
pub const ANSWER: Duration = Duration::from_secs(120);

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
    // Its own end says more than that a pipe broke, which comes first.
    result.map_err(|e| {
        process.wait();
        match process.ended() {
            Some(status) => e.context(format_args!("the program ended ({status})")),
            None => e,
        }
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
        let mut heard = ears.hear(writer, &[])?.into_iter();
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
        // Only where its owner asks for it.
        row.more.put("canLogin", line.can("login"));
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
    let mut hands = Hands::of(&line);
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

/// Of what a program says of its link, the members that are told as they are.
const TOLD: &[&str] = &["linkedAt", "lastConnectedAt", "lastDisconnect", "reconnectAttempts"];
/// Longest text or drawing of a login, bytes.
const MAX_SHOWN: usize = 32 << 10;

fn is_small(value: &Value) -> bool {
    value.to_string().len() <= 2000
}

/// What the program says of itself goes to the board.
pub fn status(line: &Line, said: &Map<String, Value>) {
    let house = &line.house;
    let is = |name: &str| said.get(name).and_then(Value::as_bool);
    house.board().set(house.login(), |row| {
        row.is_connected = is("connected").unwrap_or(row.is_connected);
        if let Some(linked) = is("linked") {
            row.more.put("linked", linked);
            // One that is linked, or that nobody linked in time, asks for nothing more.
            row.more.remove("login");
        }
        for name in TOLD {
            match said.get(*name) {
                Some(Value::Null) => drop(row.more.remove(*name)),
                Some(value) if is_small(value) => row.more.put(name, value.clone()),
                _ => {}
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
        |name: &str| said.get(name).and_then(Value::as_str).map(|text| crate::parts::within(text, MAX_SHOWN));
    let mut shown = json!({"at": (clock::now_ms())});
    if let Some(shown) = shown.as_object_mut() {
        ["qr", "code", "text"].iter().for_each(|name| shown.put(name, text(name)));
        let pictures = ["terminal", "terminalSmall", "picture"].iter();
        pictures.filter(|name| said.contains_key(**name)).for_each(|name| shown.put(name, text(name)));
        if let Some(at) = said.get("expiresAtMs").and_then(Value::as_u64) {
            shown.put("expiresAtMs", at);
        }
    }
    let house = &line.house;
    log::info!(target: "channels", "{}: waits to be linked: channels.status has what is to be scanned or typed", house.login());
    house.board().set(house.login(), |row| {
        row.more.put("linked", false);
        row.more.put("login", shown);
    });
}
