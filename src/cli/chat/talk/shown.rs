//! How much of a message is shown already, and what of it is new. Events in, rows out.
use super::Talk;
use crate::clean::clean;
use std::time::Instant;

impl Talk {
    /// Whether these are the words of the turn that a message has joined, which have been shown.
    pub(super) fn is_repeated(&self, run: &str, said: &str) -> bool {
        let has_joined = self.runs.iter().any(|known| known.id == run && !known.has_begun);
        has_joined && said == self.last && self.speaker.is_none()
    }

    pub(super) fn show(&mut self, run: &str, text: &str, begins: bool) {
        let is_same = self.speaker.as_deref() == Some(run) && !begins;
        if !is_same {
            self.end_message();
            self.said.clear();
            self.speaker = Some(run.to_string());
        }
        if self.flow.is_aside {
            self.end_message();
        }
        let new = match text.strip_prefix(self.said.as_str()) {
            Some(new) => new,
            None if self.said.starts_with(text) => return,
            None => {
                self.end_message();
                self.said.clear();
                text
            }
        };
        // What an answer begins with is no blank row.
        let new = if self.said.trim().is_empty() { new.trim_start_matches(['\n', '\r']) } else { new };
        self.out.extend(self.flow.add(&clean(new)));
        (self.said, self.since) = (text.to_string(), Instant::now());
    }

    pub(super) fn think(&mut self, delta: &str) {
        if !self.flow.is_aside {
            self.end_message();
            self.flow.is_aside = true;
        }
        self.out.extend(self.flow.add(&clean(delta)));
        self.since = Instant::now();
    }

    /// What was being written is whole.
    pub(in crate::cli::chat) fn end_message(&mut self) {
        self.end_text();
        self.tell_held();
    }

    pub(super) fn end_text(&mut self) {
        self.out.extend(self.flow.end());
        self.flow.is_aside = false;
    }

    pub(super) fn tell_held(&mut self) {
        self.out.append(&mut self.held);
    }
}
