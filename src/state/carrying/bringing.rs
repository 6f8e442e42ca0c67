//! What platforms brought, on its way to disk: each message once, however often and by however many it is brought at a time.
//!
//! Part of `State`, on the state thread.
use super::{Told, say};
use crate::deliveries::{Inbound, Line, Taken};
use crate::state::State;

impl State {
    /// What is being written is not known yet: whoever brings it again waits for that, and asks once more.
    pub(super) fn bring(&mut self, messages: Vec<Inbound>, told: Told<Vec<Inbound>>) {
        if messages.iter().any(|message| self.post.ledger.is_writing(&message.name())) {
            return self.post.behind.push((messages, told));
        }
        let mut new = Vec::new();
        for message in messages {
            match self.post.ledger.take(Line::Inbound(message.clone())) {
                Ok(Taken::New(_)) => new.push(message),
                // It stands in this batch twice.
                Ok(Taken::Writing | Taken::Known) => {}
                Err(e) => {
                    self.forget(&new);
                    return say(&told, Err(e));
                }
            }
        }
        let lines = new.iter().cloned().map(Line::Inbound).collect();
        self.write(
            lines,
            Box::new(move |state, result| {
                match &result {
                    Ok(()) => new.iter().for_each(|m| state.post.ledger.written(&m.name(), true)),
                    Err(_) => state.forget(&new),
                }
                say(&told, result.map(|()| new));
                let behind = std::mem::take(&mut state.post.behind);
                behind.into_iter().for_each(|(messages, told)| state.bring(messages, told));
            }),
        );
    }

    /// As if they had never come.
    fn forget(&mut self, messages: &[Inbound]) {
        messages.iter().for_each(|message| self.post.ledger.written(&message.name(), false));
    }
}
