//! A turn followed from its acceptance to its end, and said to who asked: at once as it comes, or whole.
//!
//! Runs on the connection's own thread, which waits for words and looks now and then whether anybody still reads. When
//! nobody does, or the answer cannot be finished, the turn is stopped. What has begun to go out and fails ends with the
//! endpoint's own event for that, and never looks whole.
use super::asked::Asked;
use super::end::End;
use super::said::Said;
use super::{Writer, failed, refusal};
use crate::calls::Caller;
use crate::calls::stream::{Piece, Stream};
use crate::error::{Error, Kind, Result};
use crate::http::responder::{Responder, Stream as Open};
use crate::http::turn::Turn;
use crate::http::{Exchange, Refusal};
use crate::json::json;
use crate::methods::local;
use crate::state::shared::Shared;
use crate::sys;
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether anybody waits.
const LOOK: Duration = Duration::from_millis(100);
/// A stream that has nothing to say yet begins after this time, and shows then and when that it is alive: what stands
/// between gives silent connections up.
const QUIET: Duration = Duration::from_secs(10);
const ALIVE: &str = ": at work\n\n";
/// How deep below an answer the stack may have been used: less than the thread has (`net/listener.rs`).
const STACK: usize = 128 << 10;
const DONE: &str = "data: [DONE]\n\n";
/// Between messages.
const APART: &str = "\n\n";

/// A turn that was asked for. Dropped before its end, it is stopped.
pub struct Following {
    shared: Arc<Shared>,
    caller: Arc<Caller>,
    session: String,
    run: String,
    stream: Arc<Stream>,
    has_ended: bool,
}

type Ended = std::result::Result<End, Refusal>;

enum Next {
    Text(String),
    /// What follows is another message.
    Gap,
    End(Box<Ended>),
    Nothing,
}

impl Following {
    pub fn of(
        shared: Arc<Shared>,
        caller: Arc<Caller>,
        session: String,
        run: String,
        stream: Arc<Stream>,
    ) -> Following {
        Following { shared, caller, session, run, stream, has_ended: false }
    }

    /// The next word of the turn, if there is one soon.
    fn next(&mut self, asked: &Asked) -> Next {
        match self.stream.next(LOOK) {
            None => Next::Nothing,
            Some(Piece::Text(text)) => Next::Text(text),
            Some(Piece::NextMessage | Piece::Unsaid) => Next::Gap,
            Some(Piece::End { outcome, is_cut }) => {
                self.has_ended = true;
                Next::End(Box::new(ended(outcome, is_cut, asked)))
            }
        }
    }
}

/// What the turn came to, for who asked.
#[inline(never)]
fn ended(outcome: Result<Value>, is_cut: bool, asked: &Asked) -> Ended {
    let end = End::of(outcome.map_err(|e| failed(&e))?);
    match &asked.must {
        Some(choice) if end.calls.is_empty() => {
            let text = format!("{choice} was not satisfied by the agent response");
            Err(refusal(502, text).about("tool_choice").with("x-should-retry", "false"))
        }
        _ => Ok(End { is_behind: is_cut, ..end }),
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if !self.has_ended {
            let params = json!({"sessionKey": self.session, "runId": self.run});
            // The state thread is gone only when the process ends, and its runs with it.
            let _ = local::tell(&self.shared, self.caller.clone(), "chat.abort", params);
        }
    }
}

/// Says what comes of the turn.
pub fn answer(
    exchange: Exchange,
    following: Following,
    asked: &Asked,
    writer: Box<dyn Writer>,
    marks_failure: bool,
) -> Result<()> {
    let Exchange { out, turn, work, .. } = exchange;
    // The request is read; the turn's share of memory is counted with the runs.
    drop(work);
    match asked.streams {
        true => stream(out, turn, following, asked, writer, marks_failure),
        false => whole(out, turn, following, asked, writer),
    }
}

#[inline(never)]
fn whole(
    out: Responder,
    turn: &Turn,
    mut following: Following,
    asked: &Asked,
    mut writer: Box<dyn Writer>,
) -> Result<()> {
    loop {
        match following.next(asked) {
            Next::End(end) => {
                return match *end {
                    Ok(end) => out.json(200, writer.whole(end)),
                    Err(refusal) => out.refuse(refusal),
                };
            }
            _ => turn.why_gone().map_or(Ok(()), Err)?,
        }
    }
}

/// An answer that may have begun.
struct Line<'a> {
    /// Until it begins.
    out: Option<Responder<'a>>,
    open: Option<Open<'a>>,
    writer: Box<dyn Writer>,
    /// What is to be sent at once.
    text: String,
    said: Said,
    has_spoken: bool,
    /// What follows is another message.
    is_apart: bool,
    sent_at: Instant,
}

impl Line<'_> {
    fn begin(&mut self) -> Result<()> {
        if let Some(out) = self.out.take() {
            // Proxies pass on what they hold as it comes.
            let out = out.with("Cache-Control", "no-cache").with("X-Accel-Buffering", "no");
            self.open = Some(out.stream(200, "text/event-stream; charset=utf-8")?);
            self.writer.begin(&mut self.text);
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        if let Some(open) = &mut self.open {
            open.write_all(self.text.as_bytes()).map_err(|_| gone())?;
        }
        self.text.clear();
        self.sent_at = Instant::now();
        Ok(())
    }

    fn say(&mut self, text: &str) -> Result<()> {
        self.begin()?;
        if std::mem::take(&mut self.is_apart) {
            self.said.more(APART);
            self.writer.text(APART, &mut self.text);
        }
        self.said.more(text);
        self.writer.text(text, &mut self.text);
        self.has_spoken = true;
        self.send()
    }

    fn show_that_it_is_alive(&mut self) -> Result<()> {
        self.begin()?;
        self.text += ALIVE;
        self.send()
    }

    /// Fails when nobody is answered any more; who was told nothing yet learns why.
    fn must_go_on(&self, turn: &Turn) -> Result<()> {
        match &self.open {
            Some(open) if open.is_wanted() => Ok(()),
            open => turn.why_gone().or_else(|| open.as_ref().map(|_| gone())).map_or(Ok(()), Err),
        }
    }

    /// Says the end. A failure before the first word is told by the status.
    #[inline(never)]
    fn close(mut self, end: Ended, marks_failure: bool) -> Result<()> {
        let end = match (end, self.out.take()) {
            (Err(refusal), Some(out)) => return out.refuse(refusal),
            (end, out) => {
                self.out = out;
                end
            }
        };
        self.begin()?;
        match end {
            Ok(mut end) => {
                let text = std::mem::take(&mut end.text);
                if (end.is_behind || !self.has_spoken) && !self.catch_up(&text)? {
                    let why = "the answer was read too slowly; it is in the session as a whole";
                    return self.fail(&refusal(503, why), marks_failure);
                }
                drop(text);
                let mut part = 0;
                while self.writer.end(&end, part, &mut self.text) {
                    self.send()?;
                    part += 1;
                }
                self.text += DONE;
            }
            Err(refusal) => return self.fail(&refusal, marks_failure),
        }
        self.finish()
    }

    /// Says what is left of the whole answer; tells whether that goes on from what was said.
    fn catch_up(&mut self, whole: &str) -> Result<bool> {
        let Some(rest) = self.said.rest_of(whole) else { return Ok(false) };
        for piece in rest {
            self.writer.text(piece, &mut self.text);
            self.send()?;
        }
        Ok(true)
    }

    fn fail(mut self, refusal: &Refusal, marks_failure: bool) -> Result<()> {
        self.writer.fail(refusal, &mut self.text);
        self.text += if marks_failure { DONE } else { "" };
        self.finish()
    }

    fn finish(mut self) -> Result<()> {
        self.send()?;
        self.open.into_iter().for_each(Open::finish);
        Ok(())
    }
}

fn stream(
    out: Responder,
    turn: &Turn,
    mut following: Following,
    asked: &Asked,
    writer: Box<dyn Writer>,
    marks_failure: bool,
) -> Result<()> {
    let (out, sent_at) = (Some(out), Instant::now());
    // A turn takes long: what was needed to read its request is given back.
    sys::release_stack(STACK);
    let mut line = Line {
        out,
        open: None,
        writer,
        text: String::new(),
        said: Said::default(),
        has_spoken: false,
        is_apart: false,
        sent_at,
    };
    loop {
        let next = following.next(asked);
        line.must_go_on(turn)?;
        match next {
            Next::End(end) => return line.close(*end, marks_failure),
            Next::Gap => line.is_apart = line.has_spoken,
            Next::Text(text) => line.say(&text)?,
            Next::Nothing if line.sent_at.elapsed() < QUIET => {}
            Next::Nothing => line.show_that_it_is_alive()?,
        }
    }
}

fn gone() -> Error {
    Error::new(Kind::Aborted, "nobody reads the answer any more")
}
