//! The lanes: one turn a session at a time, `max` in all, in order of arrival; and the start of a run's thread.
//!
//! Part of `State`, on the state thread.
use super::nesting::Place;
use super::{Doing, Family, Footer, Phase, Runs, Verbose};
use crate::agent::mailbox::Said;
use crate::agent::run::{Job as Turn, RunEvent, Task};
use crate::error::Result;
use crate::metrics::{self, Metric};
use crate::sessions::Entry;
use crate::state::event::Event;
use crate::state::{Note, State};
use crate::threads;
use std::collections::VecDeque;

const STACK: usize = 512 << 10;

impl Runs {
    /// When a session that waits for more messages may start.
    pub(super) fn next_start(&self) -> Option<u64> {
        // Without a free place it is the end of a run that starts the next one, not the clock.
        let is_free = |key: &&String| !self.running.contains_key(*key) && self.place_for(key).is_some();
        self.ready.iter().filter(is_free).filter_map(|key| self.not_before(key)).filter(|at| *at > 0).min()
    }

    /// The latest time that a message which waits for this session asks for.
    fn not_before(&self, key: &str) -> Option<u64> {
        let waiting = self.queues.get(key)?.iter().filter_map(|id| self.map.get(id));
        waiting.map(|run| run.not_before).max()
    }
}

impl State {
    /// Puts an accepted run where it belongs: aside, into the turn under way, or into its session's lane.
    pub(super) fn place_run(&mut self, id: &str) {
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.phase = Phase::Waiting;
        let (key, is_aside) = (run.new.key.clone(), run.is_aside());
        if is_aside {
            return self.start_run(id, &key, Vec::new());
        }
        if self.joins_turn(id) {
            return;
        }
        self.runs.queues.entry(key.clone()).or_default().push_back(id.to_string());
        self.runs.ready.push_back(key);
        self.start_runs();
    }

    /// Puts a run back in front of its lane: its message came too late for the turn it was to join.
    pub(super) fn put_back(&mut self, id: &str) {
        let Some(run) = self.runs.map.get_mut(id) else { return };
        run.phase = Phase::Waiting;
        let key = run.new.key.clone();
        self.runs.queues.entry(key.clone()).or_default().push_front(id.to_string());
        self.runs.ready.push_back(key);
    }

    /// Starts what may run: one a session, `max` in all, in order of arrival.
    pub fn start_runs(&mut self) {
        if std::mem::replace(&mut self.runs.is_starting, true) {
            return;
        }
        let mut later = VecDeque::new();
        while let Some(key) = self.runs.ready.pop_front() {
            let is_early = self.runs.not_before(&key).is_some_and(|at| at > self.mono);
            let Some(id) = self.runs.queues.get(&key).and_then(|queue| queue.front().cloned()) else {
                continue;
            };
            let place =
                self.runs.place_for(&key).filter(|_| !is_early && !self.runs.running.contains_key(&key));
            let Some(place) = place else {
                later.push_back(key);
                continue;
            };
            self.runs.unqueue(&id);
            if let (Place::Lent(parent), Some(run)) = (place, self.runs.map.get_mut(&id)) {
                run.lent_by = Some(parent);
            }
            let together = self.collect_for(&id);
            self.start_run(&id, &key, together);
        }
        self.runs.ready = later;
        self.runs.is_starting = false;
    }

    /// Starts a run's thread; `together` are the runs whose messages it answers.
    fn start_run(&mut self, id: &str, key: &str, together: Vec<String>) {
        let turn = match self.turn_of(id, &together) {
            Some(Ok(turn)) => turn,
            Some(Err(error)) => return self.end_run(id, Err(error), None),
            None => return,
        };
        for other in together.iter().filter(|other| *other != id) {
            self.runs.attach(other, id);
        }
        let (state, run_id) = (self.shared.state.clone(), id.to_string());
        let died = move |what: String| {
            // The state thread is gone only when the process ends.
            let _ = state.send(Event::Run { run: run_id, event: RunEvent::Died(what) });
        };
        metrics::count(Metric::RunsStarted);
        self.runs.next_thread += 1;
        let name = format!("gw-run-{}", self.runs.next_thread);
        if !matches!(turn.task, Task::Say(_)) {
            self.runs.running.insert(key.to_string(), id.to_string());
        }
        if let Err(error) = threads::spawn(&name, STACK, move || crate::agent::run::take(turn), died) {
            self.end_run(id, Err(error), None);
        }
    }

    fn turn_of(&mut self, id: &str, together: &[String]) -> Option<Result<Turn>> {
        let run = self.runs.map.get(id)?;
        // A reset since the acceptance has given the session a new transcript.
        let entry = match self.sessions.ensure(&run.new.key, self.now, self.mono) {
            Ok(entry) => entry,
            Err(e) => return Some(Err(e)),
        };
        let mut said: Vec<Said> =
            together.iter().filter_map(|id| self.runs.map.get(id)).map(|run| run.said()).collect();
        if let Some(key) = answered_session(self, id)
            && let Some(first) = said.first_mut()
        {
            first.notes = self.take_system_notes(&key);
        }
        let verbose = self.verbose_of(&self.runs.map.get(id)?.agent, &entry);
        let mono = self.mono;
        let run = self.runs.map.get_mut(id)?;
        run.phase = Phase::Running;
        run.session_id = entry.session_id().unwrap_or_default().to_string();
        run.deadline = (run.new.timeout_ms > 0).then(|| mono.saturating_add(run.new.timeout_ms));
        let asked = &run.new.directives;
        run.verbose = asked.verbose.map_or(verbose, Verbose::parse);
        run.shows_reasoning = asked.reasoning.or(entry.str("reasoningLevel")) == Some("stream");
        run.footer = match entry.str("responseUsage") {
            Some("tokens" | "on") => Footer::Tokens,
            Some("full") => Footer::Full,
            _ => Footer::Off,
        };
        let task = match &mut run.doing {
            Doing::Answer => Task::Answer(said),
            Doing::Compact(instructions) => Task::Compact(instructions.take()),
            Doing::Say(words) => Task::Say(words.take()?),
        };
        let run = self.runs.map.get(id)?;
        let thinking = run
            .new
            .directives
            .thinking
            .or_else(|| entry.str("thinkingLevel").and_then(crate::models::provider::Thinking::parse));
        Some(self.sessions.transcript(&run.new.key, &entry).map(|transcript| Turn {
            run: id.to_string(),
            settings: self.shared.settings.clone(),
            tell: self.shared.teller(id),
            ask: self.shared.asker(),
            transcript,
            agent: run.agent.clone(),
            key: run.new.key.clone(),
            channel: run.new.channel.clone(),
            model: run.new.directives.model.clone().or_else(|| entry.chosen_model()),
            thinking,
            extra_system: run.new.extra_system.clone(),
            task,
            mailbox: run.mailbox.clone(),
            cancel: run.cancel.clone(),
        }))
    }

    fn verbose_of(&self, agent: &str, entry: &Entry) -> Verbose {
        let agents = self.shared.agents();
        let level = entry.str("verboseLevel").map(str::to_string).or_else(|| agents.verbose_default(agent));
        level.as_deref().map_or(Verbose::Off, Verbose::parse)
    }

    /// What a session is told before its next message.
    fn take_system_notes(&mut self, session: &str) -> Vec<(u64, String)> {
        let main = self.sessions.rules().main();
        let is_meant = |note: &Note| note.key.as_deref().unwrap_or(&main) == session;
        let meant = self.system_events.iter().filter(|note| is_meant(note));
        let notes = meant.map(|note| (note.at, note.text.clone())).collect();
        self.system_events.retain(|note| !is_meant(note));
        notes
    }
}

/// The session in which the run answers a user, whom notes are for.
fn answered_session(state: &State, id: &str) -> Option<String> {
    let run = state.runs.map.get(id)?;
    let is_answer =
        matches!(run.doing, Doing::Answer) && matches!(run.new.family, Family::Agent | Family::Chat);
    is_answer.then(|| run.new.key.clone())
}
