//! Messages for a turn that is under way: the state thread puts them in, the run takes them between two calls
//! of the model. The lock is held for a push or a take only.
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A user's message on its way into a transcript.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The run that the message was accepted as.
    pub run: String,
    /// What the gateway says before it, each with its time; the zone is read where it is written out.
    pub notes: Vec<(u64, String)>,
    pub text: String,
    /// Image blocks.
    pub images: Arc<Vec<Value>>,
    /// Add the line that names the message (as `chat.send` does).
    pub names_message: bool,
    /// Neither time nor anything else is put around the text: a program asks as it would ask a model.
    pub is_bare: bool,
    /// The chat that it was said in (`message::CHAT`), or only its answer (`message::ANSWERED_IN`).
    pub chat: Option<Box<(&'static str, String)>>,
    /// The surface that asked, where nobody did (`message::ASKED_BY`).
    pub asked_by: Option<&'static str>,
    /// It may be written already, by a turn that the end of the process cut off.
    pub is_again: bool,
}

impl Said {
    /// Nothing to write down: what is to be answered stands elsewhere, such as in a tool's result.
    pub fn is_empty(&self) -> bool {
        self.is_bare && self.notes.is_empty() && self.text.is_empty() && self.images.is_empty()
    }
}

/// A clone is the same box.
#[derive(Debug, Clone, Default)]
pub struct Mailbox(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    messages: Vec<Said>,
    closed: bool,
}

impl Mailbox {
    /// Puts a message in; gives it back when the turn takes no more.
    pub fn push(&self, said: Said) -> Result<(), Said> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(said);
        }
        inner.messages.push(said);
        Ok(())
    }

    /// What has come since the last look.
    pub fn take(&self) -> Vec<Said> {
        std::mem::take(&mut self.lock().messages)
    }

    /// Ends the taking if nothing waits; `false` when something does.
    pub fn close_if_empty(&self) -> bool {
        let mut inner = self.lock();
        inner.closed = inner.messages.is_empty();
        inner.closed
    }

    /// Ends the taking; gives what nobody will take any more.
    pub fn close(&self) -> Vec<Said> {
        let mut inner = self.lock();
        inner.closed = true;
        std::mem::take(&mut inner.messages)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one step, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_falls_between_the_last_look_and_the_end() {
        let mailbox = Mailbox::default();
        let said = |run: &str| Said { run: run.into(), ..Said::default() };
        mailbox.push(said("a")).unwrap();
        assert!(!mailbox.close_if_empty());
        assert_eq!(mailbox.take(), [said("a")]);
        mailbox.push(said("b")).unwrap();
        assert_eq!(mailbox.close(), [said("b")]);
        assert_eq!(mailbox.push(said("c")), Err(said("c")));
        let mailbox = Mailbox::default();
        assert!(mailbox.close_if_empty() && mailbox.clone().push(said("d")).is_err());
    }
}
