//! What sessions are told before their next message: notes, bounded in number, kept in memory over an in-process restart.
//! Part of `State`, on the state thread.
use super::State;
use crate::calls::Provenance;

/// Notes kept for one session, and for all.
const MAX_SYSTEM_EVENTS: usize = 20;
const MAX_NOTES: usize = 256;

/// Something a session is told before its next message.
pub struct Note {
    pub at: u64,
    /// Canonical session key; `None` is the main session, whichever that is.
    pub key: Option<String>,
    pub text: String,
    /// The next heartbeat looks at it, on this authority.
    pub calls: Option<Provenance>,
}

impl State {
    /// Keeps a note for the main session; a repetition of the last one is not kept beside it.
    pub fn add_system_event(&mut self, text: String) {
        self.add_note(None, text);
    }

    /// The same for a session by its canonical key.
    pub fn add_note(&mut self, key: Option<String>, text: String) {
        self.keep_note(key, text, None);
    }

    /// The same; the next heartbeat looks at it.
    pub fn add_call(&mut self, key: Option<String>, text: String, whose: Provenance) {
        self.keep_note(key, text, Some(whose));
    }

    fn keep_note(&mut self, key: Option<String>, text: String, calls: Option<Provenance>) {
        let key = key.filter(|key| *key != self.sessions.rules().main());
        let last = self.system_events.iter_mut().rfind(|note| note.key == key);
        if let Some(last) = last.filter(|last| last.text == text) {
            last.calls = least(last.calls, calls);
            return;
        }
        let own = || self.system_events.iter().enumerate().filter(|(_, note)| note.key == key);
        let oldest = own().next().map(|(n, _)| n).filter(|_| own().count() >= MAX_SYSTEM_EVENTS);
        let is_full = self.system_events.len() >= MAX_NOTES;
        if let Some(oldest) = oldest.or_else(|| is_full.then_some(0)) {
            self.system_events.remove(oldest);
        }
        self.system_events.push(Note { at: self.now, key, text, calls });
    }

    /// On whose authority something is noted that wants to be looked at.
    pub fn called(&self, key: &str) -> Option<Provenance> {
        let main = self.sessions.rules().main();
        let notes = self.system_events.iter().filter(|note| note.key.as_deref().unwrap_or(&main) == key);
        notes.map(|note| note.calls).fold(None, least)
    }
}

/// On whose authority several things are looked at together.
fn least(one: Option<Provenance>, other: Option<Provenance>) -> Option<Provenance> {
    if other == Some(Provenance::Hook) { other } else { one.or(other) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing;
    use crate::tools::testing::context;

    #[test]
    fn i13_2_notes_are_bounded_by_session_and_tell_nothing_twice_in_a_row() {
        let (context, _dir) = context("{}");
        let (mut state, _inbox) = testing::state(testing::shared(context.settings.clone()));
        let texts = |state: &State, key: Option<&str>| -> Vec<String> {
            let own = state.system_events.iter().filter(|note| note.key.as_deref() == key);
            own.map(|note| note.text.clone()).collect()
        };
        state.add_system_event("kept".into());
        (0..100).for_each(|n| state.add_note(Some("agent:main:x".into()), format!("{n}")));
        state.add_note(Some("agent:main:x".into()), "99".into());
        assert_eq!(texts(&state, None), ["kept"], "one session costs only itself");
        let x = texts(&state, Some("agent:main:x"));
        assert_eq!((x.len(), x[0].as_str(), x[19].as_str()), (MAX_SYSTEM_EVENTS, "80", "99"));
        (0..1000).for_each(|n| state.add_note(Some(format!("agent:main:{n}")), "a".into()));
        assert_eq!(state.system_events.len(), MAX_NOTES);
        // Of the main session, by whichever name.
        let main = state.sessions.rules().main();
        assert_eq!(state.called(&main), None);
        state.add_system_event("look".into());
        state.add_call(None, "look".into(), Provenance::Cron);
        assert_eq!(state.called(&main), Some(Provenance::Cron), "whatever was only told before");
        assert_eq!(texts(&state, None), ["look"], "and once");
        state.add_call(Some(main.clone()), "sent".into(), Provenance::Hook);
        state.add_call(None, "look".into(), Provenance::Cron);
        assert_eq!(state.called(&main), Some(Provenance::Hook), "the least that any of them may");
    }
}
