//! What sets a wire format apart from the others: where a request goes, what it says, how its answer is read.
//!
//! Pure data and one trait. A format is one value of `Format` in a file of its own, and a row in
//! `provider.rs`. Sending, judging, retrying and bounds are the same for all and stand in `ask` and
//! `reply`.
use crate::models::draft::{Draft, Taken};
use crate::models::provider::{ChatRequest, Provider};
use serde_json::Value;

/// A wire format.
pub struct Format {
    /// The configuration's and the transcript's name.
    pub name: &'static str,
    /// The request's path below the base URL.
    pub path: fn(&Provider) -> &'static str,
    /// Headers every request carries unless the configuration sets them.
    pub headers: &'static [(&'static str, &'static str)],
    /// The header that carries the key.
    pub credential: fn(&Provider, &str) -> (&'static str, String),
    /// The request's body.
    pub body: fn(&Provider, &ChatRequest) -> Value,
    /// Whether the mark `[DONE]` ends an answer by itself.
    pub ends_by_mark: bool,
    /// A reader for one answer.
    pub reader: fn() -> Box<dyn Reader>,
}

/// Reads one answer into a draft. Error objects are taken out before, unless they look like no other
/// format's; those it hands back as `Stop::Reported`.
pub trait Reader {
    /// Whether a value has the shape of an answer in this format, or of a piece of one.
    fn knows(&self, json: &Value) -> bool;

    /// Whether the counts came by themselves behind the answer, which servers send last.
    fn has_counted(&self) -> bool {
        false
    }

    /// Takes the data of one event of a stream.
    fn event(&mut self, json: &Value, draft: &mut Draft) -> Taken;

    /// Takes an answer that came as one document.
    fn whole(&mut self, json: &Value, draft: &mut Draft) -> Taken;

    /// Nothing more will come: hands on what was held back.
    fn end(&mut self, _draft: &mut Draft) -> Taken {
        Ok(())
    }
}

/// Tells of an event that nobody knows; it is skipped.
pub fn skipped(kind: &str) {
    let kind: String = kind.chars().filter(|c| !c.is_control()).take(60).collect();
    crate::logging::debug!(target: module_path!(), "agent: an event {kind:?} of a model server is not known, skipped");
}

/// A text member, empty where there is none.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The members of a list member.
pub fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The credential as OAuth 2 writes it.
pub fn bearer(_: &Provider, key: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {key}"))
}
