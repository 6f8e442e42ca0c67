//! One answer of a model server: read off the wire, handed to the format's reader, judged at the end.
//!
//! Runs on the run's thread, used by `ask` only. Keeps the clocks of first token and silence, takes errors out,
//! skips what nobody knows, and says whether what came is an answer; why it is none is told in `shortfall`. A half
//! answer is none, but what came of it is kept. Everything is bounded before it becomes values. Knows no wire format.
mod judged;

use crate::fetch::http::{Answer, Fault};
use crate::fetch::sse::{BOM, Bad, Event, Parser};
use crate::json::{self, Unread};
use crate::models::draft::{Draft, End, Stop};
use crate::models::failure::Failure;
use crate::models::foreign;
use crate::models::format::{Format, Reader};
use crate::models::halves::mark;
use crate::models::pace::{Before, Pace};
use crate::models::page;
use crate::models::provider::{Chunk, Provider};
use crate::models::report;
use crate::models::shortfall::Skipped;
use crate::parts::Parts;
use crate::sys;
use serde_json::Value;
use std::time::Instant;

/// The most text, reasoning and arguments of an answer, in bytes: of a model that names no length, and bounds for
/// what follows from the length it names.
const MAX_ANSWER: usize = 2 << 20;
const MIN_ANSWER: usize = 256 << 10;
const BYTES_PER_TOKEN: u64 = 16;
/// The most words that are kept of why an answer broke off, in bytes; what is shown is shorter.
const MAX_WORDS: usize = 1000;
/// The most values in an event or a document, and how deep they may be nested.
const MAX_VALUES: usize = 20_000;
const MAX_DEPTH: usize = 64;
/// Bytes of a stream at a time.
const PIECE: usize = 256;
/// How deep below a model that speaks the stack may have been used; every thread that asks one has more.
const STACK: usize = 128 << 10;

/// An answer as far as it has come.
pub struct Reply<'a> {
    pub(in crate::models) p: &'a Provider,
    pub(in crate::models) draft: Draft<'a>,
    reader: Box<dyn Reader>,
    /// The format that the server was asked in.
    asked: &'a Format,
    has_acted: bool,
    pace: Pace,
    /// What was skipped first because it made no sense.
    pub(in crate::models) skipped: Option<Skipped>,
    /// Words that are no part of the answer stand behind all that came of it.
    pub(in crate::models) broke_off: Option<String>,
}

/// What is known of an answer before it comes.
#[derive(Clone, Copy)]
pub struct Expected {
    /// The model is known to reason.
    pub reasoning: bool,
    /// Its answers begin within reasoning that they do not open.
    pub inside: bool,
    /// The turn has said or done something, so that nothing more need be said.
    pub has_acted: bool,
}

/// The most bytes of an answer.
fn max_answer(p: &Provider) -> usize {
    let by_tokens = p.max_tokens.map(|tokens| tokens.saturating_mul(BYTES_PER_TOKEN));
    by_tokens.map_or(MAX_ANSWER, |n| usize::try_from(n).unwrap_or(MAX_ANSWER).clamp(MIN_ANSWER, MAX_ANSWER))
}

impl<'a> Reply<'a> {
    #[inline(never)]
    pub fn new(p: &'a Provider, format: &'a Format, on: &'a mut dyn FnMut(Chunk)) -> Box<Reply<'a>> {
        let draft = Draft::new(max_answer(p), on);
        let reader = (format.reader)();
        Box::new(Reply {
            p,
            draft,
            reader,
            asked: format,
            has_acted: false,
            pace: Pace::default(),
            skipped: None,
            broke_off: None,
        })
    }

    /// Whether the model said that it is done, and nothing came behind it.
    pub fn is_finished(&self) -> bool {
        self.draft.is_finished()
    }

    /// The same where the connection broke or fell silent, which ends no answer whose ends were spoken of too early.
    /// One that broke ends none either whose end stood beside its words: the next piece may have gone on.
    pub fn survives(&self, fault: &Fault) -> bool {
        let is_believed = !self.pace.was_early && (!self.pace.is_loose || matches!(fault, Fault::Late(_)));
        *fault != Fault::Cancelled && (self.draft.done || (self.is_finished() && is_believed))
    }

    /// Whether something was handed on.
    pub fn spoke(&self) -> bool {
        self.draft.spoke()
    }

    pub fn expect(&mut self, expected: Expected) {
        if expected.reasoning {
            self.draft.expect_reasoning();
        }
        if expected.inside {
            self.draft.expect_to_begin_inside();
        }
        self.has_acted = expected.has_acted;
    }

    /// Whether the answer began within reasoning that it did not open, as far as that shows.
    pub fn began_inside(&self) -> Option<bool> {
        self.draft.began_inside()
    }

    /// Reads an event stream; `first` is what was read of it already.
    pub fn events(&mut self, answer: &mut Answer, first: Vec<u8>) -> Result<(), Stop> {
        let mut parser = Parser::new();
        let mut buf = [0; PIECE];
        self.run(|on| parser.push(&first, on), answer)?;
        drop(first);
        // A model speaks for long: what was needed to ask it is given back.
        sys::release_stack(STACK);
        let mut freed = Some(Instant::now());
        while !self.is_over() {
            match answer.read(&mut buf).map_err(Stop::Fault)? {
                0 => {
                    self.run(|on| parser.finish(on), answer)?;
                    self.draft.done |= self.is_finished();
                    break;
                }
                n => self.run(|on| parser.push(buf.head(n), on), answer)?,
            }
            freed = freed.filter(|freed| !sys::release_memory_since(*freed));
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.pace.is_over(&self.draft, self.reader.has_counted(), self.p.timeouts.idle)
    }

    fn run(
        &mut self,
        parse: impl FnOnce(&mut dyn FnMut(Event) -> bool) -> Result<(), Bad>,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let mut stop = None;
        let parsed = parse(&mut |event| {
            stop = self.event(event).err();
            stop.is_none() && !self.is_over()
        });
        self.pace.keep(&self.draft, self.reader.has_counted(), self.p.timeouts.idle, answer.watch());
        match (stop, parsed) {
            (Some(stop), _) => Err(stop),
            (None, Ok(())) => Ok(()),
            (None, Err(Bad::TooLong)) => {
                Err(self.fail("sent a line longer than 1 MiB: this is no event stream of a model"))
            }
        }
    }

    /// An event may hold several values, each in a line of its own, where a server leaves out the blank lines.
    fn event(&mut self, event: Event) -> Result<(), Stop> {
        let data = event.data.trim_ascii();
        let is_one = !data.contains(&b'\n')
            || data.starts_with(b"<")
            || json::read_loose(data, MAX_VALUES, MAX_DEPTH).is_ok();
        let mut lines = data.split(|byte| *byte == b'\n' && !is_one);
        lines.try_for_each(|line| self.line(line.trim_ascii(), event.is_error))
    }

    fn line(&mut self, data: &[u8], is_error: bool) -> Result<(), Stop> {
        // Some proxies name the field once more.
        let data = data.strip_prefix(b"data:").unwrap_or(data).trim_ascii();
        let data = data.strip_prefix(BOM).unwrap_or(data);
        if data.eq_ignore_ascii_case(b"[DONE]") || data == b"\"[DONE]\"" {
            // In other formats only a proxy writes it, also behind half an answer.
            if !self.asked.ends_by_mark && self.spoke() && !self.is_finished() {
                return Err(Stop::Fault(Fault::Dropped));
            }
            self.draft.done = true;
            return Ok(());
        }
        match json::read_loose(mark(data), MAX_VALUES, MAX_DEPTH) {
            // Only counts are worth anything behind the end mark.
            Ok(json) if self.draft.done && json.get("usage").is_none() => Ok(()),
            Ok(json) => self.value(json, is_error),
            Err(_) if data.is_empty() || self.draft.done => Ok(()),
            Err(Unread::Malformed(why)) => self.words(data, is_error, why.starts_with("EOF")),
            Err(bound) => Err(self.fail(&format!("sent an event that is not read: {bound}"))),
        }
    }

    fn value(&mut self, json: Value, is_error: bool) -> Result<(), Stop> {
        let is_known = self.reader.knows(&json);
        if is_error || report::is_error(&json, is_known) {
            return Err(Stop::Reported(json));
        }
        self.expect_format(&json)?;
        if !is_known {
            self.skip_event(&json);
        }
        let before = Before::of(&self.draft);
        self.reader.event(&json, &mut self.draft)?;
        self.pace.see(&before, &self.draft);
        if before.has_grown(&self.draft) {
            self.broke_off = None;
        }
        Ok(())
    }

    /// Fails where an answer begins in another format.
    fn expect_format(&self, json: &Value) -> Result<(), Stop> {
        let is_begun = self.spoke() || self.draft.end.is_some();
        match foreign::advice(self.p, self.asked.name, json).filter(|_| !is_begun) {
            Some(what) => Err(Stop::Failure(Box::new(Failure::lasting(self.p, &what).because("format")))),
            None => Ok(()),
        }
    }

    /// Words that are no part of the answer, and no sign of life either: they may say why nothing more comes.
    pub(in crate::models) fn break_off(&mut self, words: &str) {
        let is_whole = self.is_finished() && !self.pace.was_early;
        if !self.spoke() || is_whole || report::is_sign_of_life(words) {
            return;
        }
        let words = if page::is_one(words) { page::words(words) } else { words.to_string() };
        let said = self.broke_off.get_or_insert_default();
        if said.len() < MAX_WORDS {
            *said = format!("{said} {}", words.trim()).trim().to_string();
        }
    }

    /// A whole completion in one JSON document.
    pub fn plain(&mut self, answer: &mut Answer, mut body: Vec<u8>) -> Result<(), Stop> {
        // What stands around the answer in a document is little; escapes may double what is inside.
        body.extend(answer.read_all(2 * max_answer(self.p)).map_err(Stop::Fault)?);
        self.whole(body)
    }

    fn whole(&mut self, body: Vec<u8>) -> Result<(), Stop> {
        let json = match json::read_loose(mark(&body), MAX_VALUES, MAX_DEPTH) {
            Ok(json) => json,
            // Some servers stream objects line by line without calling them events.
            Err(Unread::Malformed(_)) if are_lines(&body) => {
                body.split(|byte| *byte == b'\n').try_for_each(|line| self.line(line.trim_ascii(), false))?;
                self.draft.done |= self.is_finished();
                return Ok(());
            }
            Err(Unread::Malformed(_)) => return Err(self.broken(&body)),
            Err(bound) => return Err(self.fail(&format!("sent an answer that is not read: {bound}"))),
        };
        // Not held beside what is made of it: it may be large.
        drop(body);
        // All pieces of a stream in one list: what a list of one holds is the answer itself.
        let json = match json {
            Value::Array(mut pieces) if pieces.len() == 1 => pieces.pop().unwrap_or_default(),
            Value::Array(pieces) if !pieces.is_empty() => {
                pieces.into_iter().try_for_each(|piece| self.value(piece, false))?;
                self.draft.done |= self.is_finished();
                return Ok(());
            }
            json => json,
        };
        let is_known = self.reader.knows(&json);
        if report::is_error(&json, is_known) {
            return Err(Stop::Reported(json));
        }
        self.expect_format(&json)?;
        if !is_known {
            if report::has_words(&json) {
                return Err(Stop::Reported(json));
            }
            self.skip_event(&json);
        }
        let reader = &mut self.reader;
        self.draft.quietly(move |draft| reader.whole(&json, draft))?;
        if self.draft.end.is_none() && self.draft.has_answer() {
            self.draft.end = Some(End::Stop);
        }
        Ok(())
    }
}

/// Whether a text is one JSON value a line, with something behind the first.
fn are_lines(body: &[u8]) -> bool {
    let mut lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.next().is_some_and(|line| line.starts_with(b"{") && line.ends_with(b"}")) && lines.next().is_some()
}

#[cfg(test)]
#[path = "reply_testing.rs"]
pub mod testing;
