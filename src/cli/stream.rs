//! The answer of a run on the terminal while it is written, and whatever of it was not shown at the end.
//!
//! `agent` events carry the whole text so far and the new piece; only what is new is printed. A run that
//! starts over (a retry) starts a new line.
use super::print::{Printer, clean};
use serde_json::Value;

pub struct Stream {
    out: Printer,
    wanted: bool,
    shown: String,
}

impl Stream {
    pub fn new(out: Printer, wanted: bool) -> Stream {
        Stream { out, wanted, shown: String::new() }
    }

    /// Shows what an event of the run adds to the answer.
    pub fn event(&mut self, event: &str, payload: &Value) {
        if !self.wanted
            || event != "agent"
            || payload.get("stream").and_then(Value::as_str) != Some("assistant")
        {
            return;
        }
        if let Some(text) = payload.pointer("/data/text").and_then(Value::as_str) {
            self.show(text);
        }
    }

    /// Shows the part of the complete answer that was not streamed, and ends its line.
    pub fn rest(&mut self, answer: &str) {
        if self.shown.is_empty() {
            self.out.line(clean(answer));
        } else if self.shown.trim() != answer.trim() {
            self.show(answer);
            self.out.text("\n");
        }
    }

    /// Ends the line of what was streamed.
    pub fn finish(&mut self) {
        if !self.shown.is_empty() && !self.shown.ends_with('\n') {
            self.out.text("\n");
        }
    }

    fn show(&mut self, text: &str) {
        self.out.text(&clean(&addition(&self.shown, text)));
        self.shown = text.to_string();
    }
}

/// What to print so that `text` stands there when `shown` already does.
fn addition(shown: &str, text: &str) -> String {
    match text.strip_prefix(shown) {
        Some(new) => new.to_string(),
        None if shown.starts_with(text) => String::new(),
        None => format!("\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::addition;

    #[test]
    fn only_what_is_new_is_added() {
        for (shown, text, want) in
            [("", "ab", "ab"), ("ab", "abc", "c"), ("ab", "ab", ""), ("ab", "a", ""), ("ab", "x", "\nx")]
        {
            assert_eq!(addition(shown, text), want);
        }
    }
}
