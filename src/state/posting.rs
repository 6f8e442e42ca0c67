//! Deliveries that a client waits for: `send` and its like are answered when the platform has the message, has refused it,
//! or may have it. The idempotency key is the delivery's id: asked for twice it is delivered once, and both are told.
//!
//! Part of `State`, on the state thread.
use super::State;
use super::event::{Answer, Event};
use super::store::Job;
use crate::calls::{Call, Party, Question};
use crate::channels::doubt;
use crate::channels::outgoing::Outgoing;
use crate::deliveries::dedupe::used_otherwise;
use crate::deliveries::{Delivery, Line, Stage, Taken};
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::sessions::message;
use serde_json::Value;
use std::time::Duration;

/// When who is let go at a stop may ask again.
const COME_BACK: Duration = Duration::from_secs(2);

/// Words that were sent to a chat, and the session that is told.
pub(super) struct Mirrored {
    key: String,
    text: String,
    chat: String,
}

impl State {
    /// A group goes on under another id: its sessions go with it, but for those that have begun there already (R-49c).
    pub(super) fn move_group(&mut self, old: &str, new: &str) -> Result<()> {
        let named = |key: &str| key.strip_suffix(old).map(|agent| format!("{agent}{new}"));
        let keys: Vec<(String, String)> = self
            .sessions
            .all(None)
            .filter_map(|(_, kept)| Some((kept.key().to_string(), named(kept.key())?)))
            .collect();
        for (from, to) in keys {
            let is_free = self.sessions.begun(&to).is_none();
            if let Some(mut entry) = is_free.then(|| self.sessions.remove(&from, self.mono)).flatten() {
                entry.set(message::MOVED_FROM, old.rsplit(':').next());
                self.sessions.put(&to, &entry, self.mono)?;
                self.subscriptions.changed(&from, "delete");
                self.subscriptions.changed(&to, "update");
            }
            self.with_runs(|runs, world| runs.rename(world, &from, &to, is_free));
        }
        Ok(())
    }

    /// Accepts a delivery for a client. He is answered when it is known what became of it, after `timeout_ms` at the latest.
    pub fn deliver(&mut self, call: Call, delivery: Delivery, timeout_ms: u64) -> Result<Answer> {
        let name = delivery.name();
        if let Some(Line::Delivery(known)) = self.post.ledger.line(&name) {
            let place = |d: &Delivery| (d.login(), d.to.clone());
            if place(known) != place(&delivery) {
                return Err(Error::new(Kind::Conflict, "this idempotencyKey was used for another place"));
            }
            if !known.hash.is_empty() && known.hash != delivery.hash {
                return Err(Error::new(Kind::Conflict, used_otherwise(known.key())));
            }
            if known.stage >= Stage::Uncertain {
                return outcome(known).map(|told| Answer::Now(told.into()));
            }
        }
        let (id, login) = (delivery.id.clone(), delivery.login());
        let new = match self.post.ledger.take(Line::Delivery(delivery))? {
            Taken::New(line) => Some(*line),
            Taken::Writing | Taken::Known => None,
        };
        let deadline = self.mono.saturating_add(timeout_ms);
        let question = Question { id: id.clone(), party: Party::Gateway, deadline, call };
        if let Err(e) = self.post.waiters.ask(question) {
            if new.is_some() {
                self.post.ledger.written(&name, false);
            }
            return Err(e);
        }
        if let Some(line) = new {
            self.write(
                vec![line],
                Box::new(move |state, result| {
                    state.post.ledger.written(&name, result.is_ok());
                    state.post.wake(&login);
                    if let Err(e) = result {
                        state.tell_waiters(&id, &|| Err(e.clone()));
                    }
                }),
            );
        }
        Ok(Answer::Later)
    }

    /// Something became of a delivery: who waits for it is told if that was the last of it.
    pub(super) fn answer_delivery(&mut self, id: &str) {
        if let Some(Line::Delivery(delivery)) = self.post.ledger.line(&Delivery::named(id))
            && delivery.stage >= Stage::Uncertain
        {
            let delivery = delivery.clone();
            self.tell_waiters(id, &|| outcome(&delivery));
            self.delivery_came_on(id);
        }
    }

    /// What a session is to be told of a delivery when the platform has it.
    pub(super) fn mirrored(&self, id: &str) -> Option<Mirrored> {
        let Line::Delivery(delivery) = self.post.ledger.line(&Delivery::named(id))? else { return None };
        let message = delivery.message.as_ref()?;
        let key = message.get("mirror")?.as_str()?.to_string();
        let out = Outgoing::of(message);
        let names = out.media().map(|path| path.rsplit('/').next().unwrap_or(path));
        let text =
            if out.text().is_empty() { names.collect::<Vec<_>>().join(", ") } else { out.text().to_string() };
        let chat = message::chat(&delivery.platform, &delivery.account, &delivery.to);
        Some(Mirrored { key, text, chat })
    }

    /// Puts what was sent into the session's transcript, so that its agent knows of it.
    pub(super) fn mirror(&mut self, mirrored: Mirrored) {
        let Mirrored { key, text, chat } = mirrored;
        let now = self.now;
        let entry = self.sessions.ensure(&key, now, self.mono);
        let transcript = entry.and_then(|entry| self.sessions.transcript(&key, &entry));
        let told = self.shared.state.clone();
        let mut said = message::injected(&text, None, now);
        if let Some(entry) = said.as_object_mut() {
            entry.put(message::CHAT, chat);
        }
        let work = move || {
            let ids = transcript.and_then(|transcript| transcript.append(std::slice::from_ref(&said)));
            match ids {
                Ok(ids) => {
                    let id = ids.last().cloned().unwrap_or_default();
                    let message = said.get_mut("message").map(Value::take).unwrap_or_default();
                    // The state thread is gone only when the process ends; the transcript has the message.
                    let _ = told.send(Event::Wrote { key, message, id });
                }
                Err(e) => {
                    let key = crate::logging::quoted(&key);
                    log::warn!(target: "gateway/deliveries", "what was sent is not in the transcript of {key}: {e}");
                }
            }
        };
        if self.store.submit(Job::Upkeep(Box::new(work))).is_err() {
            log::warn!(target: "gateway/deliveries", "what was sent is not in a transcript: the disk is too slow");
        }
    }

    fn tell_waiters(&mut self, id: &str, told: &dyn Fn() -> Result<Value>) {
        // Nobody else may answer these.
        for question in self.post.waiters.answer(id, Party::Gateway).unwrap_or_default() {
            question.call.answer(told().map(Into::into));
        }
    }

    /// The gateway stops: who waits learns later what became of it.
    pub(super) fn let_waiters_go(&mut self) {
        for question in self.post.waiters.expire(u64::MAX) {
            let text = "the gateway stops: what is kept goes out when it is up again; ask again then with the same \
                        idempotencyKey to learn what became of it";
            question.call.answer(Err(Error::unavailable(text).retry_in(COME_BACK)));
        }
    }

    /// Tells those whose time is up.
    pub(super) fn expire_deliveries(&mut self) -> Option<u64> {
        for question in self.post.waiters.expire(self.mono) {
            let text = "not delivered yet: it is kept and goes out as soon as the channel takes it; ask again with the same \
                        idempotencyKey to learn what became of it";
            question.call.answer(Err(Error::unavailable(text)));
        }
        self.post.waiters.next_deadline()
    }
}

/// What a client is told of a delivery of which all is known that ever will be.
fn outcome(delivery: &Delivery) -> Result<Value> {
    let Delivery { platform, to, .. } = delivery;
    let key = delivery.key();
    match delivery.stage {
        Stage::Confirmed => {
            let message = delivery.platform_id.as_deref().unwrap_or_default();
            let to = delivery.moved_to.as_ref().unwrap_or(to);
            let mut told = json!({"runId": key, "messageId": message, "channel": (platform.as_str()), "chatId": (to.as_str())});
            if let (Some(told), Some(lacks)) = (told.as_object_mut(), &delivery.error) {
                told.put("warning", lacks.as_str());
            }
            Ok(told)
        }
        Stage::Failed => {
            let why = delivery.error.as_deref().unwrap_or("the platform refused it");
            Err(Error::new(Kind::Unavailable, why.to_string()))
        }
        _ => {
            let why = delivery.error.as_deref().unwrap_or(doubt::STOPPED);
            let text = format!(
                "it is not known whether this message has reached {platform} ({to}): {why}. \
                 It is not sent again by itself; look there, and send it with a new idempotencyKey if it is missing"
            );
            Err(Error::new(Kind::Unavailable, text))
        }
    }
}
