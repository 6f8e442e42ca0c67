//! What is shown of a session beside its turns: commands that wait for a word, what was said before, what one says oneself.
use super::row::{BOLD, CYAN, DIM, PLAIN, Row, Styled, YELLOW};
use super::talk::Talk;
use crate::clean::one_line;
use crate::cli::sessions::said::unfinished;
use crate::parts::{Parts, within};
use serde_json::Value;

impl Talk {
    /// A command waits for a word, as the event or the list of them says.
    pub fn asks(&mut self, request: &Value) {
        let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let id = within(text("/id"), 8).to_string();
        if text("/request/sessionKey") != self.key || self.waiting.contains(&id) {
            return;
        }
        let time = |name: &str| request.get(name).and_then(Value::as_u64).unwrap_or_default();
        let seconds = time("expiresAtMs").saturating_sub(crate::clock::now_ms()) / 1000;
        self.note(YELLOW, &format!("A command waits {seconds} s for your word:"));
        self.out.extend(
            Styled::of(BOLD, &format!("    {}", one_line(text("/request/command"))))
                .rows(self.width, 4, true),
        );
        self.note(PLAIN, &format!("  /approve {id} allow-once, or allow-always, or deny"));
        self.waiting.push(id);
    }

    pub(super) fn resolved(&mut self, payload: &Value) {
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = within(text("id"), 8);
        if let Some(place) = self.waiting.iter().position(|known| known == id) {
            self.waiting.remove(place);
            self.note(DIM, &format!("{id}: {}", text("decision")));
        }
    }

    /// The end of an answer, when it is none.
    pub(super) fn tell_cut(&mut self, stop: Option<&str>) {
        if stop == Some("length") {
            self.end_message();
            self.note(YELLOW, "The answer is cut here: it is as long as the model may answer (maxTokens).");
        }
    }

    /// What was said last, where one comes back to a session.
    pub fn remind(&mut self, messages: &[Value]) {
        let role =
            |message: &Value| message.get("role").and_then(Value::as_str).unwrap_or_default().to_string();
        let texts =
            messages.iter().map(|message| (role(message), message_text(message), unfinished(message)));
        let said: Vec<(String, String, Option<String>)> = texts
            .filter(|(role, text, _)| {
                matches!(role.as_str(), "user" | "assistant") && !text.trim().is_empty()
            })
            .collect();
        let from = said.iter().rposition(|(role, ..)| role == "user").unwrap_or(said.len());
        for (role, text, why) in said.tail(from) {
            let mark = if role == "user" { "> " } else { "" };
            let mut rows =
                Styled::of(DIM, &format!("{mark}{}", one_line(text.trim()))).rows(self.width, 2, false);
            rows.truncate(2);
            self.out.extend(rows);
            if let Some(why) = why {
                let mut rows = Styled::of(YELLOW, &one_line(&format!("[{why}]"))).rows(self.width, 2, false);
                rows.truncate(2);
                self.out.extend(rows);
            }
        }
        if from < said.len() {
            self.out.push(Row::new());
        }
    }

    /// What one has said oneself.
    pub fn echo(&mut self, shown: &str) {
        let mut rows = Vec::new();
        for (n, line) in shown.lines().enumerate() {
            let mut row = Styled::of(CYAN, if n == 0 { "> " } else { "  " });
            row.put(BOLD, line);
            rows.extend(row.rows(self.width, 2, true));
        }
        self.below_echo(rows);
    }

    /// What belongs to it.
    pub fn below_echo(&mut self, mut rows: Vec<Row>) {
        // The line of an answer that is being written is not torn.
        match self.open() {
            Some(_) => self.held.append(&mut rows),
            None => self.out.append(&mut rows),
        }
    }
}

/// The texts of a message, which may be one text or parts of several kinds.
pub fn message_text(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
