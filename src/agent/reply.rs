//! One answer of a model server: read off the wire, handed to the format's reader, judged at the end.
//!
//! Runs on the run's thread, used by `ask` only. Keeps the clocks of first token and silence, takes error
//! objects out, and says whether what came is an answer. Knows no wire format.
use super::content;
use super::dial::Phase;
use super::draft::{Draft, End, MAX_ANSWER, Stop};
use super::failure::{self, Failure, quote};
use super::format::{Format, Reader};
use super::http::Answer;
use super::provider::{Chunk, Completion, Provider};
use super::sse::{Bad, Parser};
use serde_json::Value;
use std::time::Duration;

/// How long usage and the end mark are waited for once the answer is complete.
const TRAILER: Duration = Duration::from_secs(3);

/// An answer as far as it has come.
pub struct Reply<'a> {
    p: &'a Provider,
    draft: Draft<'a>,
    reader: Box<dyn Reader>,
}

impl<'a> Reply<'a> {
    pub fn new(p: &'a Provider, format: &Format, on: &'a mut dyn FnMut(Chunk)) -> Reply<'a> {
        Reply { p, draft: Draft::new(on), reader: (format.reader)() }
    }

    /// Whether the model said that it is done; only the trailer may be missing.
    pub fn is_finished(&self) -> bool {
        self.draft.end.is_some()
    }

    /// Whether something was handed on.
    pub fn spoke(&self) -> bool {
        self.draft.spoke()
    }

    /// A lasting failure of this answer.
    pub fn fail(&self, what: &str) -> Stop {
        Stop::Failure(Box::new(Failure::lasting(self.p, what)))
    }

    /// The failure of a stream that ended too early.
    pub fn cut_off(&self) -> Failure {
        let what = "ended the answer in the middle: look at the server's log, then try again";
        Failure::passing(self.p, what).because("network")
    }

    /// An error the server reported inside its answer.
    pub fn reported(&self, error: &Value) -> Failure {
        let failure = failure::from_report(self.p, error);
        Failure { again: failure.again && !self.spoke(), ..failure }
    }

    /// Reads an event stream; `first` is what was read of it already.
    pub fn events(&mut self, answer: &mut Answer, first: Vec<u8>) -> Result<(), Stop> {
        let (mut parser, mut buf) = (Parser::new(), [0; 8192]);
        self.run(|on| parser.push(&first, on), answer)?;
        while !self.draft.done {
            match answer.read(&mut buf).map_err(Stop::Fault)? {
                0 => {
                    self.run(|on| parser.finish(on), answer)?;
                    break;
                }
                n => self.run(|on| parser.push(buf.get(..n).unwrap_or_default(), on), answer)?,
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        parse: impl FnOnce(&mut dyn FnMut(&str) -> bool) -> Result<(), Bad>,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let mut stop = None;
        let parsed = parse(&mut |data| {
            stop = self.event(data).err();
            self.keep_time(answer);
            stop.is_none() && !self.draft.done
        });
        match (stop, parsed) {
            (Some(stop), _) => Err(stop),
            (None, Ok(())) => Ok(()),
            (None, Err(Bad::NotUtf8)) => Err(self.not_utf8()),
            (None, Err(Bad::TooLong)) => {
                Err(self.fail("sent a line longer than 1 MiB: this is no event stream of a model"))
            }
        }
    }

    fn not_utf8(&self) -> Stop {
        self.fail("sent text that is not UTF-8: fix the server, or choose another model")
    }

    fn event(&mut self, data: &str) -> Result<(), Stop> {
        let data = data.trim();
        if data == "[DONE]" {
            self.draft.done = true;
        }
        if data.is_empty() || self.draft.done {
            return Ok(());
        }
        let Ok(json) = serde_json::from_str::<Value>(data) else {
            return Err(self.fail(&format!(
                "sent an event that is not JSON (\"{}\"): check models.providers.{}.baseUrl",
                quote(self.p, data),
                self.p.id
            )));
        };
        no_error(&json)?;
        self.reader.event(&json, &mut self.draft)
    }

    /// Once tokens come, silence is what is measured; once all have come, what is left must come soon.
    fn keep_time(&self, answer: &Answer) {
        match (self.is_finished(), self.spoke()) {
            (true, _) => answer.watch().allow(Phase::Idle, TRAILER),
            (false, true) if answer.watch().phase() == Phase::FirstToken => answer.watch().enter(Phase::Idle),
            _ => {}
        }
    }

    /// A whole completion in one JSON document.
    pub fn plain(&mut self, answer: &mut Answer, mut body: Vec<u8>) -> Result<(), Stop> {
        body.extend(answer.read_all(MAX_ANSWER).map_err(Stop::Fault)?);
        self.whole(&body)
    }

    fn whole(&mut self, body: &[u8]) -> Result<(), Stop> {
        let text = std::str::from_utf8(body).map_err(|_| self.not_utf8())?;
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            return Err(self.fail(
                "answered with JSON that is cut off or broken: look at the server's log, then try again",
            ));
        };
        no_error(&json)?;
        self.reader.whole(&json, &mut self.draft)?;
        if self.draft.end.is_none() && self.draft.has_answer() {
            self.draft.end = Some(End::Stop);
        }
        Ok(())
    }

    /// The answer as a whole, or why it is none.
    pub fn complete(mut self) -> Result<Completion, Failure> {
        match self.reader.end(&mut self.draft) {
            Err(Stop::Failure(failure)) => return Err(*failure),
            Err(Stop::Reported(error)) => return Err(self.reported(&error)),
            Err(Stop::Fault(_)) => return Err(Failure::too_long(self.p)),
            Ok(()) => {}
        }
        let end = match self.draft.end {
            None if !self.draft.done && self.spoke() => return Err(self.cut_off()),
            end => end.unwrap_or(End::Stop),
        };
        if !self.draft.has_answer() {
            return Err(no_answer(self.p, end));
        }
        let usage = self.draft.usage;
        let (content, text, tool_calls) = content::of(self.draft.into_blocks());
        let stop_reason = match end {
            _ if !tool_calls.is_empty() => "toolUse",
            End::Length => "length",
            End::Stop | End::Refused => "stop",
        };
        Ok(Completion { content, text, stop_reason, usage, tool_calls })
    }
}

fn no_error(json: &Value) -> Result<(), Stop> {
    let has_error = json.get("error").is_some_and(|e| !e.is_null());
    if has_error { Err(Stop::Reported(json.clone())) } else { Ok(()) }
}

fn no_answer(p: &Provider, end: End) -> Failure {
    match end {
        End::Length => Failure::lasting(
            p,
            "used up its tokens before it answered: raise maxTokens of the model, or reset the session",
        ),
        End::Refused => Failure::lasting(p, "declined to answer: rephrase, or choose another model"),
        End::Stop => Failure::passing(p, "sent an empty answer: try again, or choose another model"),
    }
}

#[cfg(test)]
#[path = "reply_testing.rs"]
pub mod testing;
