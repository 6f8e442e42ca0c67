//! The answer of a run on the terminal while it is written, and whatever of it was not shown at the end.
//!
//! A run says one message or several, with tools at work between them. `agent` events carry the whole text of the
//! message so far and the new piece; only what is new is printed, and each message begins a line. The line that says
//! what is waited for makes room for all of it.
use super::print::Printer;
use super::waiting::Waiting;
use crate::parts::Parts;
use serde_json::Value;

/// What is waited for when no tool is at work.
const AGENT: &str = "waiting for the agent";

pub struct Stream {
    out: Printer,
    wanted: bool,
    waiting: Option<Waiting>,
    /// The messages as far as they were shown; only the last one may go on.
    shown: Vec<String>,
    /// Whether the line that was printed last has no end yet.
    is_open: bool,
}

impl Stream {
    pub fn new(out: Printer, wanted: bool) -> Stream {
        Stream { out, wanted, waiting: None, shown: Vec::new(), is_open: false }
    }

    /// The message was sent: from here on there is something to wait for.
    pub fn begin(&mut self) {
        self.waiting = Some(Waiting::begin(self.out, AGENT));
    }

    /// Shows what an event of the run adds to the answer, or that something else goes on.
    pub fn event(&mut self, event: &str, payload: &Value) {
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
        match (event, text("/stream"), text("/data/phase")) {
            ("agent", Some("assistant"), _) if self.wanted => {
                if payload.pointer("/data/replace").is_some_and(|replaces| replaces == true) {
                    self.note("note: what is shown above was reasoning; the answer follows");
                }
                if let Some(said) = text("/data/text") {
                    self.show(said, text("/data/delta") == Some(said));
                }
            }
            ("agent", Some("tool"), Some("start")) => {
                self.wait_for(&format!("tool {} at work", text("/data/name").unwrap_or("?")));
            }
            ("agent", Some("compaction"), Some("start")) => self.wait_for("shortening the conversation"),
            ("agent", Some("tool" | "compaction"), Some("result" | "end")) => self.wait_for(AGENT),
            _ => {}
        }
    }

    /// A line on its own about what goes on meanwhile, which is no part of the answer.
    pub fn note(&mut self, text: &str) {
        if let Some(waiting) = &self.waiting {
            waiting.hide();
        }
        if self.is_open {
            self.out.text("\n");
            self.is_open = false;
        }
        self.out.warn(text);
    }

    /// Says that something else is waited for from now on.
    pub fn wait_for(&mut self, what: &str) {
        if let Some(waiting) = &self.waiting {
            if self.is_open {
                self.out.text("\n");
                self.is_open = false;
            }
            waiting.say(what);
        }
    }

    /// Shows what of the complete answer was not streamed, a message a line.
    pub fn rest(&mut self, answer: &[String]) {
        let mut seen = 0;
        for text in answer {
            let left = self.shown.tail(seen);
            if let Some(place) = left.iter().position(|shown| shown.trim() == text.trim()) {
                seen += place + 1;
                continue;
            }
            match left {
                [last] if text.starts_with(last.as_str()) => {
                    self.show(&text.clone(), false);
                    seen += 1;
                }
                _ => {
                    self.finish();
                    self.out.whole(text);
                }
            }
        }
        self.finish();
    }

    /// Ends the wait, and the line of what was streamed.
    pub fn finish(&mut self) {
        self.waiting = None;
        if self.is_open {
            self.out.text("\n");
            self.is_open = false;
        }
    }

    /// Prints what `text` has more than was shown of its message; `begins` tells that it is another one.
    fn show(&mut self, text: &str, begins: bool) {
        if let Some(waiting) = &self.waiting {
            waiting.hide();
        }
        let last = self.shown.last().filter(|_| !begins);
        let new = match last.map(|last| (text.strip_prefix(last.as_str()), last.starts_with(text))) {
            Some((Some(new), _)) => new,
            Some((None, true)) => return,
            Some((None, false)) | None => {
                if self.is_open {
                    self.out.text("\n");
                }
                self.shown.push(String::new());
                text
            }
        };
        self.out.text(new);
        self.is_open = if new.is_empty() { self.is_open } else { !new.ends_with('\n') };
        if let Some(last) = self.shown.last_mut() {
            *last = text.to_string();
        }
    }
}
