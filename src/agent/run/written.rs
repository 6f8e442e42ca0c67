//! What a run writes into its transcript, and what the state thread is told of it.
use super::{Job, RunEvent};
use crate::agent::mailbox::Said;
use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::json::Put;
use crate::models::provider::Provider;
use crate::sessions::{envelope, message};
use serde_json::Value;
use std::sync::atomic::Ordering;

impl Job {
    /// Appends entries of this run and tells of the messages among them; waits for the disk if `sync`.
    pub fn write(&self, entries: Vec<Value>, sync: bool) -> Result<()> {
        let entries: Vec<Value> = entries
            .into_iter()
            .map(|e| if e.get("runId").is_some() { e } else { message::of_run(e, &self.run) })
            .collect();
        let ids = match sync {
            true => self.transcript.append(&entries)?,
            false => self.transcript.append_unsynced(&entries)?,
        };
        if self.is_heard.load(Ordering::Relaxed) {
            self.tell_written(ids, entries);
        }
        Ok(())
    }

    /// Appends what the model has said; gives its text, which may be long and is taken out where nobody else wants it.
    pub fn write_answer(&self, entry: Value) -> (String, Result<()>) {
        let mut entries = vec![message::of_run(entry, &self.run)];
        let written = self.transcript.append_unsynced(&entries);
        let is_heard = self.is_heard.load(Ordering::Relaxed) && written.is_ok();
        let said =
            entries.first_mut().and_then(|entry| entry.pointer_mut("/message/content")?.as_array_mut());
        let text = match said {
            Some(content) if is_heard => message::said(content),
            Some(content) => message::take_said(content),
            None => String::new(),
        };
        let told = written.map(|ids| {
            if is_heard {
                self.tell_written(ids, entries)
            }
        });
        (text, told)
    }

    fn tell_written(&self, ids: Vec<String>, entries: Vec<Value>) {
        let messages = ids.into_iter().zip(entries).filter_map(|(id, mut e)| {
            let message = e.get_mut("message")?.take();
            Some((id.clone(), message::marked(message, &id, &e)))
        });
        let messages: Vec<(String, Value)> = messages.collect();
        if !messages.is_empty() {
            self.report(RunEvent::Wrote(messages));
        }
    }

    /// Writes users' messages, each under the run that it was accepted as.
    pub fn write_questions(
        &self,
        config: &Config,
        said: Vec<Said>,
        new_with: Option<&Provider>,
    ) -> Result<()> {
        let (now, zone) = (clock::now_ms(), config.str("agents.defaults.userTimezone"));
        let model = new_with.map(|p| message::model_change(&p.id, &p.model));
        let questions = said.into_iter().filter(|said| !said.is_empty()).map(|said| {
            let is_others = said.run != self.run;
            let mut entry = question(said, now, zone);
            if let (Some(entry), true) = (entry.as_object_mut(), is_others) {
                entry.put(message::ANSWERED_BY, self.run.as_str());
            }
            entry
        });
        self.write(model.into_iter().chain(questions).collect(), false)
    }
}

/// The transcript's entry for a user's message, whose text is not copied where it stays as it is: it may be large.
pub fn question(said: Said, now: u64, zone: Option<&str>) -> Value {
    let notes = said.notes.iter().map(|(at, note)| envelope::note(note, *at, zone));
    let before: String = notes.chain((!said.notes.is_empty()).then(|| "\n".to_string())).collect();
    let is_wrapped = envelope::is_named(&said.text);
    let text = match is_wrapped || said.is_bare {
        true => said.text,
        false => envelope::stamp(&said.text, now, zone),
    };
    let mut text = if before.is_empty() { text } else { before + &text };
    if said.names_message && !is_wrapped {
        text = envelope::with_message_id(&text, &said.run);
    }
    let content = std::iter::once(message::words(text)).chain(said.images.iter().cloned()).collect();
    let mut entry = message::of_run(message::user(content, now), &said.run);
    if let (Some(entry), Some((member, chat))) = (entry.as_object_mut(), said.chat.as_deref()) {
        entry.put(member, chat.as_str());
    }
    if let (Some(entry), Some(by)) = (entry.as_object_mut(), said.asked_by) {
        entry.put(message::ASKED_BY, by);
    }
    entry
}
