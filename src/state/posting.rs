//! Deliveries that a client waits for: `send` and its like are answered when the platform has the message, has refused it,
//! or may have it. The idempotency key is the delivery's id: asked for twice it is delivered once, and both are told.
//!
//! Part of `State`, on the state thread.
#![allow(dead_code, reason = "wired piece by piece")]
use super::State;
use super::event::Answer;
use crate::calls::{Call, Party, Question};
use crate::deliveries::{Delivery, Line, Stage, Taken};
use crate::error::{Error, Kind, Result};
use crate::json::json;
use serde_json::Value;

impl State {
    /// Accepts a delivery for a client. He is answered when it is known what became of it, after `timeout_ms` at the latest.
    pub fn deliver(&mut self, call: Call, delivery: Delivery, timeout_ms: u64) -> Result<Answer> {
        let name = delivery.name();
        if let Some(Line::Delivery(known)) = self.post.ledger.line(&name)
            && known.stage >= Stage::Uncertain
        {
            return outcome(known).map(|told| Answer::Now(told.into()));
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
        }
    }

    fn tell_waiters(&mut self, id: &str, told: &dyn Fn() -> Result<Value>) {
        // Nobody else may answer these.
        for question in self.post.waiters.answer(id, Party::Gateway).unwrap_or_default() {
            question.call.answer(told().map(Into::into));
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
    let Delivery { id, platform, to, .. } = delivery;
    match delivery.stage {
        Stage::Confirmed => {
            let message = delivery.platform_id.as_deref().unwrap_or_default();
            Ok(
                json!({"runId": (id.as_str()), "messageId": message, "channel": (platform.as_str()), "chatId": (to.as_str())}),
            )
        }
        Stage::Failed => {
            let why = delivery.error.as_deref().unwrap_or("the platform refused it");
            Err(Error::new(Kind::Unavailable, why.to_string()))
        }
        _ => Err(Error::new(
            Kind::Unavailable,
            format!(
                "it is not known whether this message has reached {platform} ({to}): the connection ended after it was sent. \
                 It is not sent again by itself; look there, and send it with a new idempotencyKey if it is missing"
            ),
        )),
    }
}
