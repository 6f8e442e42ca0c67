//! What is said in the session, as rows: answers while they are written, tools, approvals, errors, ends. Events in, rows
//! out; it asks nothing and draws nothing.
mod shown;

use super::markdown::Flow;
use super::row::{self, DIM, RED, Row, YELLOW};
use super::said::message_text;
use super::tools::Tools;
use crate::cli::link::rpc;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Shorter waits are not worth a word.
const PATIENCE: Duration = Duration::from_millis(300);
/// The same where the answer has begun.
const PAUSE: Duration = Duration::from_secs(1);

/// A turn that was asked for here and has not ended.
pub struct Run {
    pub id: String,
    /// What was asked, for the case that the gateway has not got it.
    pub params: Value,
    /// The gateway has said that it has it.
    pub is_taken: bool,
    /// A turn has begun for it. One that joined another's turn ends with the words of that turn.
    has_begun: bool,
}

pub struct Talk {
    /// Canonical key of the session.
    pub key: String,
    /// Rows that stay.
    pub out: Vec<Row>,
    pub runs: Vec<Run>,
    /// Ids of commands that wait for a word.
    pub waiting: Vec<String>,
    flow: Flow,
    pub(super) width: usize,
    tools: Tools,
    /// What one said while a line of an answer was being written.
    pub(super) held: Vec<Row>,
    /// Whose message is shown, and how much of it.
    speaker: Option<String>,
    said: String,
    last: String,
    shortens: bool,
    since: Instant,
    /// The gateway has said that it ends.
    pub ends: bool,
}

impl Talk {
    pub fn new(key: String, width: usize, has_color: bool) -> Talk {
        Talk {
            key,
            out: Vec::new(),
            runs: Vec::new(),
            waiting: Vec::new(),
            flow: Flow::new(width, has_color),
            width,
            tools: Tools::default(),
            held: Vec::new(),
            speaker: None,
            said: String::new(),
            last: String::new(),
            shortens: false,
            since: Instant::now(),
            ends: false,
        }
    }

    /// Goes to another session; what goes on in this one is not shown any more.
    pub fn leave(&mut self, key: String) {
        self.forget_speaker();
        self.runs.clear();
        self.waiting.clear();
        (self.key, self.last) = (key, String::new());
    }

    pub fn set_width(&mut self, width: usize) {
        self.out.extend(self.flow.set_width(width));
        self.width = width;
    }

    /// The row of the answer that is being written.
    pub fn open(&self) -> Option<Row> {
        self.flow.open()
    }

    /// A message was sent.
    pub fn sent(&mut self, id: String, params: Value) {
        if self.under_way().is_none() {
            self.since = Instant::now();
        }
        self.runs.push(Run { id, params, is_taken: false, has_begun: false });
    }

    /// Whether a turn goes on, as far as is known here, and which.
    pub fn under_way(&self) -> Option<&str> {
        self.speaker.as_deref().or(self.runs.first().map(|run| run.id.as_str()))
    }

    /// What is waited for, once it takes a while.
    pub fn status(&self) -> Option<String> {
        if let Some(tool) = self.tools.status(PATIENCE) {
            return Some(tool);
        }
        self.under_way()?;
        let elapsed = self.since.elapsed();
        let what = if self.shortens { "shortening the conversation" } else { "waiting for the agent" };
        let more = match self.runs.len() {
            0 | 1 => String::new(),
            n => format!(", {} more after it", n - 1),
        };
        let patience = if self.said.is_empty() { PATIENCE } else { PAUSE };
        (elapsed >= patience).then(|| format!("{what} ... {} s{more} (Ctrl-C stops it)", elapsed.as_secs()))
    }

    pub fn note(&mut self, style: u8, text: &str) {
        self.end_message();
        self.out.extend(row::text(style, text, self.width, 2));
    }

    pub fn event(&mut self, event: &str, payload: &Value) {
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
        let run = text("/runId").unwrap_or_default();
        let is_ours = self.runs.iter().any(|known| known.id == run);
        match (event, text("/sessionKey")) {
            ("exec.approval.requested", _) if text("/request/sessionKey") == Some(&self.key) => {
                self.asks(payload)
            }
            ("exec.approval.resolved", _) => self.resolved(payload),
            ("shutdown", _) => self.ends = true,
            ("agent" | "chat", Some(key)) if is_ours || key == self.key => {
                if is_ours && key != self.key {
                    // The gateway writes it so.
                    self.key = key.to_string();
                }
                match event {
                    "agent" if payload.get("isHeartbeat") != Some(&Value::Bool(true)) => {
                        self.step(run, payload)
                    }
                    "chat" => self.chat(run, payload),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A step of a turn.
    fn step(&mut self, run: &str, payload: &Value) {
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
        let data = payload.get("data").unwrap_or(&Value::Null);
        match (text("/stream").unwrap_or_default(), text("/data/phase").unwrap_or_default()) {
            ("assistant", _) => {
                let said = text("/data/text").unwrap_or_default();
                if !self.is_repeated(run, said) {
                    self.show(run, said, text("/data/delta") == Some(said));
                }
            }
            ("thinking", _) => self.think(text("/data/delta").unwrap_or_default()),
            ("tool", "start") => {
                self.end_message();
                self.tools.begin(data);
            }
            ("tool", "result") => {
                self.end_message();
                self.out.extend(self.tools.end(data, self.width));
                self.since = Instant::now();
            }
            ("lifecycle", "start") => {
                self.since = Instant::now();
                self.runs.iter_mut().filter(|known| known.id == run).for_each(|known| known.has_begun = true);
            }
            ("lifecycle", "fallback") => {
                let (from, to) = (text("/data/from").unwrap_or("?"), text("/data/to").unwrap_or("?"));
                let why = text("/data/reason").unwrap_or("unknown");
                self.note(YELLOW, &format!("{from} failed ({why}); {to} answers"));
            }
            ("compaction", phase) => {
                (self.shortens, self.since) = (phase == "start", Instant::now());
            }
            _ => {}
        }
    }

    /// What a chat shows: deltas tell what the steps have told already.
    fn chat(&mut self, run: &str, payload: &Value) {
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
        let known = self.runs.iter().position(|known| known.id == run);
        match text("/state").unwrap_or_default() {
            "final" => {
                let said = message_text(payload.get("message").unwrap_or(&Value::Null));
                let is_own_words = text("/message/provider") == Some("openclaw");
                let is_repeated = !is_own_words && self.is_repeated(run, &said);
                if !said.is_empty() && !is_repeated {
                    self.show(run, &said, false);
                } else if said.is_empty() && known.is_some() && self.speaker.as_deref() != Some(run) {
                    self.note(DIM, "(nothing to say)");
                }
                self.tell_cut(text("/stopReason").filter(|_| !is_repeated));
                self.last = said;
                self.end_run(run, !is_repeated && (known.is_some() || !self.last.is_empty()));
            }
            "aborted" => {
                self.end_message();
                match text("/stopReason") {
                    Some("shutdown") => self.note(YELLOW, "The gateway stopped before the answer was whole."),
                    Some("timeout") => {
                        self.note(RED, "The turn took longer than it may (agents.defaults.timeoutSeconds).")
                    }
                    _ => self.note(DIM, "(stopped)"),
                }
                self.end_run(run, true);
            }
            "error" => {
                let why = text("/errorMessage").unwrap_or("the gateway does not say why");
                // Nobody types keys here.
                let why = why.replace(rpc::NEW_KEY, "");
                self.note(RED, &format!("Error: {why}"));
                self.end_run(run, true);
            }
            _ => {}
        }
    }

    /// The turn is over, whether it was asked for here or elsewhere.
    pub fn end_run(&mut self, id: &str, is_told: bool) {
        self.end_text();
        self.runs.retain(|run| run.id != id);
        if self.speaker.as_deref().is_none_or(|speaker| speaker == id) {
            self.speaker = None;
            self.tools = Tools::default();
        }
        (self.shortens, self.since) = (false, Instant::now());
        if is_told {
            self.out.push(Row::new());
        }
        self.tell_held();
    }

    /// What a run said whose end was not heard.
    pub fn missed(&mut self, id: &str, text: &str) {
        self.show(id, text, true);
        self.end_run(id, true);
    }

    /// Whose words were being written when the connection broke is not known any more.
    pub fn forget_speaker(&mut self) {
        self.end_message();
        (self.speaker, self.tools) = (None, Tools::default());
    }
}
