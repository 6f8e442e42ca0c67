//! What an answer that is none is taken for: why it failed, in the server's own words where it said any.
//!
//! Runs on the run's thread, the part of `reply` that judges. What statuses and words mean is judged in `verdict`.
use crate::error::Cause;
use crate::models::draft::{End, Stop};
use crate::models::failure::{self, Failure, quote};
use crate::models::format::text;
use crate::models::page;
use crate::models::reply::Reply;
use crate::models::report;
use crate::models::verdict;
use crate::parts::first;
use serde_json::Value;

/// What a server sent besides an answer, kept in case that no answer comes.
pub enum Skipped {
    /// Text where an event was expected.
    Text(String),
    /// An event that nobody knows and that says something.
    Event(String),
}

impl Reply<'_> {
    /// A lasting failure of this answer.
    pub fn fail(&self, what: &str) -> Stop {
        Stop::Failure(Box::new(Failure::lasting(self.p, what)))
    }

    /// The failure of a stream that ended too early.
    pub fn cut_off(&self) -> Failure {
        let words = self.broke_off.as_ref().filter(|words| !words.is_empty());
        let said = words.map(|words| format!(" (\"{}\")", quote(self.p, words)));
        let said = said.unwrap_or_default();
        let what = format!("ended the answer in the middle{said}: look at the server's log, then try again");
        Failure::passing(self.p, &what).because("network")
    }

    /// The failure of an answer that the model, or a filter before it, did not go on with.
    pub fn refused(&self) -> Failure {
        let what = match self.draft.has_answer() {
            true => {
                "stopped in the middle of its answer, which a filter or the model itself did not allow: rephrase, or choose another model"
            }
            false => "declined to answer: rephrase, or choose another model",
        };
        Failure::lasting(self.p, what)
    }

    /// An error the server reported inside its answer.
    pub fn reported(&self, error: &Value) -> Failure {
        let failure = failure::from_report(self.p, error);
        Failure { again: failure.again && !self.spoke(), ..failure }
    }

    /// The failure of an answer that is text or a web page.
    pub fn text(&self, label: &str, body: &[u8]) -> Failure {
        let text = String::from_utf8_lossy(body);
        let is_page = page::is_one(&text);
        let said = if is_page { page::words(&text) } else { text.trim().to_string() };
        if !is_page && verdict::is_error(&said) {
            return self.reported(&Value::String(said));
        }
        let said = if said.is_empty() { said } else { format!(" (\"{}\")", quote(self.p, &said)) };
        let what = format!(
            "answered with {:?}{said} where an event stream was expected: check models.providers.{}.baseUrl, which usually ends in /v1",
            quote(self.p, label),
            self.p.id
        );
        Failure::lasting(self.p, &what)
    }

    /// Data that is no JSON: an error in words, a piece that broke, or nothing that is known. `is_cut` where it is
    /// the beginning of JSON.
    pub(in crate::models) fn words(&mut self, data: &[u8], is_error: bool, is_cut: bool) -> Result<(), Stop> {
        let text = String::from_utf8_lossy(data).into_owned();
        let start = text.trim_start_matches(['[', '"']).as_bytes();
        if is_error || first(start, 5).eq_ignore_ascii_case(b"error") {
            return Err(Stop::Reported(Value::String(text)));
        }
        if text.starts_with('{') {
            // The connection, or the server, broke in the middle of an event.
            return Err(if is_cut {
                Stop::Fault(crate::fetch::http::Fault::Dropped)
            } else {
                self.not_json(&text)
            });
        }
        crate::logging::debug!(target: module_path!(), "agent: model server {} sent an event that is not JSON, skipped", self.p.shown_url());
        self.break_off(&text);
        self.skip(Skipped::Text(text));
        Ok(())
    }

    /// Keeps in mind what was skipped first.
    pub(in crate::models) fn skip(&mut self, what: Skipped) {
        self.skipped.get_or_insert(what);
    }

    /// An event that nobody knows may say why there is no answer.
    pub(in crate::models) fn skip_event(&mut self, json: &Value) {
        if let Some(words) = report::words(json).or_else(|| report::remark(json).map(str::to_string)) {
            if !report::is_sign_of_life(text(json, "type")) {
                self.break_off(&words);
            }
            self.skip(Skipped::Event(words));
        }
    }

    fn not_json(&self, text: &str) -> Stop {
        let what = format!(
            "sent an event that is not JSON (\"{}\"): check models.providers.{}.baseUrl",
            quote(self.p, text),
            self.p.id
        );
        self.fail(&what)
    }

    /// The failure of a document that is no JSON.
    pub(in crate::models) fn broken(&self, body: &[u8]) -> Stop {
        let said = quote(self.p, &String::from_utf8_lossy(body));
        self.fail(&format!(
            "answered with JSON that is cut off or broken (\"{said}\"): look at the server's log, then try again"
        ))
    }

    pub(in crate::models) fn no_answer(&self, end: End) -> Failure {
        let p = self.p;
        match (end, &self.skipped) {
            (End::Length, _) => Failure::lasting(
                p,
                "used up its tokens before it answered: raise maxTokens of the model, or reset the session",
            ),
            (End::Refused, _) => self.refused(),
            _ if self.draft.has_thought() => Failure::passing(
                p,
                "sent reasoning only and no answer: try again, have it think less, or choose another model",
            ),
            (_, Some(Skipped::Text(text))) if verdict::is_error(text) => {
                self.reported(&Value::String(text.clone()))
            }
            (_, Some(Skipped::Text(text))) => match self.not_json(text) {
                Stop::Failure(failure) => *failure,
                _ => self.cut_off(),
            },
            (_, Some(Skipped::Event(words))) => self.reported(&Value::String(words.clone())),
            _ => {
                let failure = Failure::passing(p, "sent an empty answer: try again, or choose another model");
                Failure { error: failure.error.because(Cause::Empty), ..failure }
            }
        }
    }
}
