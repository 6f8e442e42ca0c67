//! The state as runs see it (`runs::World`): its parts, lent for one call. On the state thread.
use super::arrivals::Of;
use super::carrying::Post;
use super::clients::Clients;
use super::event::Event;
use super::nodes::Nodes;
use super::sessions::Sessions;
use super::shared::Shared;
use super::store::{self, Job, Store};
use super::subscriptions::Subscriptions;
use super::{Note, State};
use crate::agent::run::{Job as Turn, RunEvent, take};
use crate::calls;
use crate::cron::outcome::End;
use crate::deliveries::{Delivery, Line, Name, Record};
use crate::error::{Error, Result};
use crate::protocol::events::Event as EventRow;
use crate::protocol::pieces::Pieces;
use crate::runs::{After, Ask, Part, Runs, Taken, World};
use crate::sessions::{Entry, Transcript};
use crate::settings::Settings;
use crate::threads;
use crate::untrusted;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Characters of a run's words that another session is told.
const MAX_REPORT: usize = 2000;
/// Of a run's thread.
const STACK: usize = 512 << 10;

struct View<'a> {
    now: u64,
    mono: u64,
    shared: &'a Arc<Shared>,
    /// Why no new turns are taken in, if they are not.
    refusal: Option<Error>,
    sessions: &'a mut Sessions,
    subscriptions: &'a mut Subscriptions,
    notes: &'a mut Vec<Note>,
    post: &'a mut Post,
    clients: &'a Clients,
    nodes: &'a Nodes,
    store: &'a Store,
    /// What is to be written to the journal then.
    noted: Vec<Line>,
    /// Messages that are told of when the runs are done with what they do: it takes all of the state.
    wrote: Vec<(String, Value, String)>,
    /// What sessions are to be told of runs that were not theirs, and whether they are woken for it.
    reports: Vec<(String, String, bool)>,
    /// What of the work of other parts has ended.
    parts: Vec<(Part, String, End)>,
    /// Heartbeats that are over, by their runs.
    beats: Vec<(String, Of)>,
}

impl State {
    /// Asks for a turn.
    pub fn ask(&mut self, ask: Ask) -> Result<Taken> {
        self.with_runs(|runs, world| runs.ask(world, ask))
    }

    /// Lets the runs act on the rest of the state.
    pub fn with_runs<T>(&mut self, act: impl FnOnce(&mut Runs, &mut dyn World) -> T) -> T {
        let refusal = self.turns_are_taken().err();
        let mut view = View {
            now: self.now,
            mono: self.mono,
            shared: &self.shared,
            refusal,
            sessions: &mut self.sessions,
            subscriptions: &mut self.subscriptions,
            notes: &mut self.system_events,
            post: &mut self.post,
            clients: &self.clients,
            nodes: &self.nodes,
            store: &self.store,
            noted: Vec::new(),
            wrote: Vec::new(),
            reports: Vec::new(),
            parts: Vec::new(),
            beats: Vec::new(),
        };
        let done = act(&mut self.runs, &mut view);
        let (wrote, noted, reports) = (view.wrote, view.noted, view.reports);
        let (parts, beats) = (view.parts, view.beats);
        self.write_for_good(noted);
        for (key, message, id) in wrote {
            self.session_message(&key, &message, &id);
        }
        for (key, text, wakes) in reports {
            match wakes {
                true => self.wake_session(&key, text, "hook:agent"),
                false => self.add_note(Some(key), text),
            }
        }
        parts.into_iter().for_each(|(part, id, end)| match part {
            Part::Job => self.job_ended(&id, end),
            Part::Child => self.child_ended(&id, end),
            Part::Told => self.child_told(&id, &end.result),
        });
        beats.into_iter().for_each(|(run, beat)| self.await_words(run, beat));
        done
    }

    pub(super) fn turns_are_taken(&self) -> Result<()> {
        if self.is_stopping() {
            let error = Error::unavailable("the gateway is shutting down");
            return Err(error.retry_in(Duration::from_secs(5)));
        }
        self.refuse_while_draining()
    }
}

impl World for View<'_> {
    fn now(&self) -> u64 {
        self.now
    }

    fn mono(&self) -> u64 {
        self.mono
    }

    fn settings(&self) -> &Arc<Settings> {
        &self.shared.settings
    }

    fn takes_turns(&self) -> Result<()> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    fn owner(&self, key: &str) -> Result<String> {
        self.sessions.owner(key).map(str::to_string)
    }

    fn is_main(&self, key: &str) -> bool {
        let rules = self.sessions.rules();
        key == rules.main_of(rules.owner(key))
    }

    fn entry(&self, key: &str) -> Option<Entry> {
        self.sessions.get(key)
    }

    fn begin(&mut self, key: &str, id: Option<&str>) -> Result<Entry> {
        self.sessions.begin(key, id, self.now, self.mono)
    }

    fn put(&mut self, key: &str, entry: &Entry) -> Result<()> {
        self.sessions.put(key, entry, self.mono)
    }

    fn update(&mut self, key: &str, change: &mut dyn FnMut(&mut Entry)) {
        self.sessions.update(key, self.mono, change);
    }

    fn transcript(&self, key: &str, entry: &Entry) -> Result<Transcript> {
        self.sessions.transcript(key, entry)
    }

    fn report(&mut self, after: &After, mark: &str, text: &str) {
        // It was written under the eyes of strangers.
        let mut said: String = text.chars().take(MAX_REPORT).collect();
        if !after.called.is_empty() {
            said = format!("{}: {said}", after.called);
        }
        match untrusted::wrap("the end of a turn of another session", &said) {
            Ok(said) => {
                let text = format!("{}{mark}: {said}", after.name.trim_end());
                self.reports.push((after.key.clone(), text, after.wakes));
            }
            Err(e) => log::warn!(target: "gateway/hooks", "the end of a turn is not told: {e}"),
        }
    }

    fn part_ended(&mut self, part: Part, id: &str, end: End) {
        self.parts.push((part, id.to_string(), end));
    }

    fn beat_ended(&mut self, run: &str, key: &str, event: Value) {
        self.beats.push((run.to_string(), Of::Beat { key: key.to_string(), event }));
    }

    fn take_notes(&mut self, key: &str) -> Vec<(u64, String)> {
        let main = self.sessions.rules().main();
        let is_meant = |note: &mut Note| note.key.as_deref().unwrap_or(&main) == key;
        self.notes.extract_if(.., is_meant).map(|note| (note.at, note.text)).collect()
    }

    fn emit(&self, key: &str, event: &'static EventRow, frame: Pieces) {
        let body = Arc::new(frame);
        self.clients.emit(event, body.clone());
        self.nodes.hearers(key).for_each(|conn| self.clients.send(conn, event, body.clone()));
    }

    fn send(&self, conn: u64, event: &'static EventRow, body: Arc<Pieces>) {
        self.clients.send(conn, event, body);
    }

    fn session_changed(&mut self, key: &str, reason: &'static str) {
        self.subscriptions.changed(key, reason);
    }

    fn session_message(&mut self, key: &str, message: Value, id: String) {
        if self.subscriptions.has_hearers(key) {
            self.wrote.push((key.to_string(), message, id));
        }
    }

    fn keep(&self, record: Record, images: Arc<Vec<Value>>) -> Result<()> {
        let index = record.session_key.as_deref().and_then(|key| self.sessions.file_of(key));
        self.store.submit(Job::Accept { record, images, index }).map_err(|_| store::busy())
    }

    fn keep_end(&mut self, record: Record, lines: Vec<Line>) -> bool {
        let is_kept = !self.store.is_full();
        if is_kept {
            drop(self.store.submit(Job::Finish { record, lines }));
        } else {
            self.post.keep(&lines, self.mono);
        }
        is_kept
    }

    fn note(&mut self, lines: Vec<Line>) {
        self.noted.extend(lines);
    }

    fn promise(&mut self, delivery: Delivery) -> Option<Line> {
        self.post.promise(delivery)
    }

    fn handled(&mut self, inbound: &Name) -> Option<Line> {
        self.post.ledger.handled(inbound)
    }

    fn teller(&self, run: &str) -> Box<dyn Fn(RunEvent) + Send + Sync> {
        self.shared.teller(run)
    }

    fn are_heard(&self) -> Arc<AtomicBool> {
        self.subscriptions.are_heard()
    }

    fn asker(&self) -> Arc<calls::Ask> {
        self.shared.asker()
    }

    fn start(&self, name: &str, turn: Turn) -> Result<()> {
        let (state, run) = (self.shared.state.clone(), turn.run.clone());
        let died = move |what: String| {
            // The state thread is gone only when the process ends.
            let _ = state.send(Event::Run { run, event: RunEvent::Died(what) });
        };
        threads::spawn(name, STACK, move || take(turn), died).map(drop)
    }
}
