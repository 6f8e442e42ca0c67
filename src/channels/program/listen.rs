//! What a program says, line by line, bounded in everything: length, number, what waits. On a thread of its own.
//!
//! Messages are acknowledged when they are on disk; while those before them wait for their turn they are not brought, and
//! a program that does not wait for acknowledgements ends its account.
use super::child::Writer;
use super::hands::Answer;
use super::run::{self, Line};
use super::wire::{self, Said};
use crate::channels::house::Became;
use crate::deliveries::Inbound;
use crate::error::{Error, Result};
use crate::json::json;
use crate::logging::quoted;
use crate::parts::{Parts, first};
use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{ChildStderr, ChildStdout};
use std::time::{Duration, Instant};

const SLICE: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
/// How long it listens when the account ends.
const ENDING: Duration = Duration::from_millis(1300);
/// Lines of a second; more are read in the next one.
const RATE: usize = 1000;
/// Lines in a row that cannot be understood.
const GARBAGE: usize = 20;
/// Longest line of its error output that is told, bytes.
const MAX_SHOWN: usize = 2000;
/// Bytes of messages that wait to be brought.
const WAITING: usize = 4 << 20;

/// Reads both outputs of a program.
pub struct Ears {
    out: ChildStdout,
    err: Option<ChildStderr>,
    /// Heard and not listened to yet.
    kept: Vec<(Said, usize)>,
    line: Vec<u8>,
    grumble: Vec<u8>,
    garbage: usize,
    heard: usize,
    since: Instant,
    target: String,
}

impl Ears {
    pub fn new(out: ChildStdout, err: ChildStderr, target: String) -> Ears {
        let (line, grumble) = (Vec::new(), Vec::new());
        let kept = Vec::new();
        Ears { out, err: Some(err), kept, line, grumble, garbage: 0, heard: 0, since: Instant::now(), target }
    }

    /// To be heard once more: it came with what was waited for.
    pub fn keep(&mut self, said: impl Iterator<Item = (Said, usize)>) {
        self.kept.extend(said);
    }

    /// What came since, with the length of its line; waits for it until a bell is rung, without bells a little. An error is
    /// what the program may not do.
    pub fn hear(&mut self, writer: &Writer, bells: &[OwnedFd]) -> Result<Vec<(Said, usize)>> {
        if !self.kept.is_empty() {
            return Ok(std::mem::take(&mut self.kept));
        }
        self.slow_down();
        let mut fds = vec![PollFd::new(&self.out, PollFlags::IN)];
        fds.extend(self.err.as_ref().map(|err| PollFd::new(err, PollFlags::IN)));
        fds.extend(bells.iter().map(|bell| PollFd::new(bell, PollFlags::IN)));
        // What went wrong shows in the next read.
        let _ = crate::sys::poll(&mut fds, bells.is_empty().then_some(SLICE));
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let (said, grumbled) = (ready(0), self.err.is_some() && ready(1));
        if grumbled {
            self.grumble();
        }
        if !said {
            return Ok(Vec::new());
        }
        let mut piece = [0; 16 << 10];
        let n = self.out.read(&mut piece).map_err(|e| Error::io("read from the program", e))?;
        if n == 0 {
            return Err(Error::unavailable("the program has closed its output"));
        }
        let mut all = Vec::new();
        for part in piece.head(n).split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() > wire::MAX_LINE {
                return Err(Error::unavailable("the program wrote a line of more than 1 MiB"));
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                all.extend(self.understand(&line, writer)?.map(|said| (said, line.len())));
            }
        }
        Ok(all)
    }

    fn understand(&mut self, line: &[u8], writer: &Writer) -> Result<Option<Said>> {
        self.heard += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(None);
        }
        match wire::read(line) {
            Ok(said) => {
                self.garbage = 0;
                Ok(Some(said))
            }
            Err(why) => {
                let shown = quoted(&String::from_utf8_lossy(first(line, 200)));
                log::warn!(target: &self.target, "a line of the program is passed over, {why}: {shown}");
                self.garbage += 1;
                if self.garbage >= GARBAGE {
                    let text = format!(
                        "the program wrote {GARBAGE} lines in a row that cannot be understood ({why})"
                    );
                    return Err(Error::unavailable(text));
                }
                writer.write(&json!({"type": "error", "text": why})).map(|()| None)
            }
        }
    }

    /// One that says too much is listened to more slowly.
    fn slow_down(&mut self) {
        let passed = self.since.elapsed();
        if passed < SECOND && self.heard >= RATE {
            std::thread::sleep(SECOND.saturating_sub(passed));
        }
        if self.since.elapsed() >= SECOND {
            (self.heard, self.since) = (0, Instant::now());
        }
    }

    /// Its error output goes to the log.
    fn grumble(&mut self) {
        let mut piece = [0; 4096];
        let n = self.err.as_mut().and_then(|err| err.read(&mut piece).ok()).unwrap_or(0);
        if n == 0 {
            self.err = None;
        }
        for part in piece.head(n).split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_SHOWN.saturating_sub(self.grumble.len());
            self.grumble.extend_from_slice(first(part, room));
            if part.ends_with(b"\n") {
                self.heard += 1;
                let line = std::mem::take(&mut self.grumble);
                self.log(log::Level::Warn, String::from_utf8_lossy(&line).trim());
            }
        }
    }

    pub fn log(&self, level: log::Level, text: &str) {
        if level == log::Level::Debug {
            return crate::logging::debug!(target: &self.target, "{}", text);
        }
        let text: String = text.chars().map(|c| if crate::clean::is_unfit(c) { ' ' } else { c }).collect();
        log::log!(target: &self.target, level, "{text}");
    }
}

/// Messages on their way to disk.
#[derive(Default)]
struct Waiting {
    messages: VecDeque<(String, Value)>,
    bytes: usize,
}

pub fn run(line: &Line, mut ears: Ears, inbound: &Sender<Inbound>, results: &Sender<Answer>) -> Result<()> {
    let (mut waiting, mut ending) = (Waiting::default(), None);
    let bells = line.house.bells()?;
    loop {
        // What waits is brought as soon as there is room, and the bells ring on.
        let is_idle = waiting.messages.is_empty() && !line.is_ending();
        let heard = ears.hear(&line.writer, if is_idle { &bells } else { &[] });
        if line.is_ending() {
            // What it has in hand is still asked for; then its output is closed, unless somebody else has it.
            let since = *ending.get_or_insert_with(Instant::now);
            if heard.is_err() || since.elapsed() >= ENDING {
                return Ok(());
            }
        }
        for (said, length) in heard? {
            match said {
                Said::Inbound { id, message } => {
                    waiting.bytes += length;
                    waiting.messages.push_back((id, message));
                }
                Said::Result { id, became, wait } => {
                    tell(results, Answer { id, became, wait, is_pong: false })
                }
                Said::Pong => tell(
                    results,
                    Answer { id: String::new(), became: Became::NotTaken, wait: None, is_pong: true },
                ),
                Said::Status(said) => run::status(line, &said),
                Said::Login(said) => run::login(line, &said),
                Said::LoggedOut => {
                    run::status(line, &serde_json::Map::from_iter([("linked".into(), false.into())]))
                }
                Said::Log { level, text } => ears.log(level, &text),
                Said::Hello { .. } | Said::Other(_) => {}
            }
        }
        if waiting.messages.len() > wire::WINDOW || waiting.bytes > WAITING {
            let text =
                "the program does not wait for acknowledgements: it brought too many messages without one";
            return Err(Error::unavailable(text));
        }
        if !line.is_ending() {
            bring(line, &mut waiting, inbound)?;
        }
    }
}

/// Brings as many as there is room for, and acknowledges them.
fn bring(line: &Line, waiting: &mut Waiting, inbound: &Sender<Inbound>) -> Result<()> {
    let room = inbound.capacity().unwrap_or(0).saturating_sub(inbound.len());
    let some: Vec<_> = waiting.messages.drain(..room.min(waiting.messages.len())).collect();
    if some.is_empty() {
        return Ok(());
    }
    if waiting.messages.is_empty() {
        waiting.bytes = 0;
    }
    let ids: Vec<String> = some.iter().map(|(id, _)| id.clone()).collect();
    let new = line.house.bring(some)?;
    line.house.board().came(line.house.login());
    for id in ids {
        line.writer.write(&wire::about("ack", &id))?;
    }
    // There is room, and nobody else fills it.
    new.into_iter().for_each(|message| drop(inbound.try_send(message)));
    Ok(())
}

/// What does not fit is more than was handed over: no answer to anything.
fn tell(results: &Sender<Answer>, answer: Answer) {
    drop(results.try_send(answer));
}
