//! The lanes: one turn a session at a time, `max` in all, the owner's before those of guests, else in order of arrival; and
//! the start of a run's thread.
//!
//! Part of `Runs`, on the state thread.
use super::Runs;
use super::nesting::Place;
use super::origin::Address;
use super::run::{Doing, Footer, Phase, Run, Verbose};
use super::world::World;
use crate::agent::mailbox::Said;
use crate::agent::run::{Job as Turn, Task};
use crate::agents::Agents;
use crate::approvals::mode::Mode;
use crate::calls::Provenance;
use crate::error::Result;
use crate::metrics::{self, Metric};
use crate::models::catalogue::permits;
use crate::models::provider::Thinking;
use crate::sessions::Entry;
use std::collections::VecDeque;

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

impl Runs {
    /// A session goes on under another key: what waits goes with it, and what runs if the session itself moved (R-49c).
    pub fn rename(&mut self, world: &mut dyn World, from: &str, to: &str, is_moved: bool) {
        for run in self.map.values_mut().filter(|run| run.new.key == from) {
            if is_moved || matches!(run.phase, Phase::Accepting | Phase::Waiting) {
                run.new.key = to.to_string();
            }
        }
        if let Some(queue) = self.queues.remove(from) {
            self.ready.extend(queue.iter().map(|_| to.to_string()));
            self.queues.entry(to.to_string()).or_default().extend(queue);
        }
        if let Some(run) = self.running.remove(from) {
            self.running.insert(if is_moved { to } else { from }.to_string(), run);
        }
        self.start_runs(world);
    }

    /// Puts an accepted run where it belongs: aside, into the turn under way, or into its session's lane.
    pub(super) fn place_run(&mut self, world: &mut dyn World, id: &str) {
        let Some(run) = self.map.get_mut(id) else { return };
        run.phase = Phase::Waiting;
        let (key, is_aside) = (run.new.key.clone(), run.is_aside());
        if is_aside {
            return self.start_run(world, id, &key, Vec::new());
        }
        if self.joins_turn(world, id) {
            return;
        }
        self.queues.entry(key.clone()).or_default().push_back(id.to_string());
        self.ready.push_back(key);
        self.start_runs(world);
    }

    /// Puts a run back in front of its lane: its message came too late for the turn it was to join.
    pub(super) fn put_back(&mut self, id: &str) {
        let Some(run) = self.map.get_mut(id) else { return };
        run.phase = Phase::Waiting;
        let key = run.new.key.clone();
        self.queues.entry(key.clone()).or_default().push_front(id.to_string());
        self.ready.push_back(key);
    }

    /// Those go first in whose lane the owner or a client of his has something; of the others those who have no turn under
    /// way, so that each conversation comes in its turn.
    fn order(&mut self) {
        let Runs { ready, queues, map, running, .. } = self;
        let is_own = |id: &String| map.get(id).is_some_and(|run| run.new.origin.provenance.is_own());
        let has_own = |key: &String| queues.get(key).is_some_and(|queue| queue.iter().any(is_own));
        let mut ranked: Vec<((bool, bool), String)> =
            ready.drain(..).map(|key| ((!has_own(&key), running.contains_key(&key)), key)).collect();
        crate::order::by_key(&mut ranked, |(rank, _)| *rank);
        ready.extend(ranked.into_iter().map(|(_, key)| key));
    }

    /// Starts what may run: one a session, `max` in all, the owner's first.
    pub fn start_runs(&mut self, world: &mut dyn World) {
        if std::mem::replace(&mut self.is_starting, true) {
            return;
        }
        let (mut later, mut has_begun) = (VecDeque::new(), false);
        self.order();
        while let Some(key) = self.ready.pop_front() {
            let is_early = self.not_before(&key).is_some_and(|at| at > world.mono());
            let Some(id) = self.queues.get(&key).and_then(|queue| queue.front().cloned()) else {
                continue;
            };
            let place = self.place_for(&key).filter(|_| !is_early && !self.running.contains_key(&key));
            let Some(place) = place else {
                later.push_back(key);
                continue;
            };
            self.unqueue(&id);
            has_begun = true;
            if let (Place::Lent(parent), Some(run)) = (place, self.map.get_mut(&id)) {
                run.lent_by = Some(parent);
            }
            let together = self.collect_for(world, &id);
            self.start_run(world, &id, &key, together);
        }
        self.ready = later;
        // Who has a turn now comes behind those who have none; where nothing began they are in order.
        if has_begun {
            self.order();
        }
        self.is_starting = false;
    }

    /// Starts a run's thread; `together` are the runs whose messages it answers.
    fn start_run(&mut self, world: &mut dyn World, id: &str, key: &str, together: Vec<String>) {
        let turn = match self.turn_of(world, id, &together) {
            Some(Ok(turn)) => turn,
            Some(Err(error)) => return self.end_run(world, id, Err(error), None),
            None => return,
        };
        for other in together.iter().filter(|other| *other != id) {
            self.attach(other, id);
        }
        metrics::count(Metric::RunsStarted);
        self.next_thread += 1;
        let name = format!("gw-run-{}", self.next_thread);
        if !matches!(turn.task, Task::Say(_)) {
            self.running.insert(key.to_string(), id.to_string());
        }
        if let Err(error) = world.start(&name, turn) {
            self.end_run(world, id, Err(error), None);
        }
    }

    fn turn_of(&mut self, world: &mut dyn World, id: &str, together: &[String]) -> Option<Result<Turn>> {
        let run = self.map.get(id)?;
        // A reset since the acceptance has given the session a new transcript.
        let entry = match world.begin(&run.new.key, None) {
            Ok(entry) => entry,
            Err(e) => return Some(Err(e)),
        };
        let key = run.new.key.clone();
        let (entry, lost) = self.with_permitted(world, &key, entry);
        let said = self.said(world, id, together, lost);
        let verbose = self.verbose_of(world, &self.map.get(id)?.agent, &entry);
        let mono = world.mono();
        let run = self.map.get_mut(id)?;
        run.phase = Phase::Running;
        run.session_id = entry.session_id().unwrap_or_default().to_string();
        run.deadline = (run.new.timeout_ms > 0).then(|| mono.saturating_add(run.new.timeout_ms));
        show_as(run, &entry, verbose);
        let task = match &mut run.doing {
            Doing::Answer => Task::Answer(said),
            Doing::Compact(instructions) => Task::Compact(instructions.take()),
            Doing::Say(words) => Task::Say(words.take()?),
        };
        let ask = world.asker();
        self.hold(id, &ask);
        let run = self.map.get(id)?;
        let (model, thinking) = (model_of(run, &entry), thinking_of(run, &entry));
        Some(world.transcript(&run.new.key, &entry).map(|transcript| Turn {
            run: id.to_string(),
            settings: world.settings().clone(),
            tell: world.teller(id),
            is_heard: world.are_heard(),
            ask,
            transcript,
            agent: run.agent.clone(),
            key: run.new.key.clone(),
            channel: run.new.origin.surface.channel.map(str::to_string),
            provenance: run.new.origin.provenance,
            exec: exec_of(run, &entry),
            place: run.new.origin.address.as_deref().map(Address::place),
            model,
            thinking,
            extra_system: run.new.extra_system.clone(),
            brought: run.new.brought.clone(),
            budget: run.nesting.budget().clone(),
            task,
            mailbox: run.mailbox.clone(),
            cancel: run.cancel.clone(),
        }))
    }

    /// What is said to the model: the messages that are answered together, with what became of the session meanwhile.
    fn said(
        &mut self,
        world: &mut dyn World,
        id: &str,
        together: &[String],
        lost: Option<String>,
    ) -> Vec<Said> {
        let mut said = Vec::new();
        for id in together {
            said.extend(self.map.get_mut(id).map(Run::hand_over));
        }
        if let Some(key) = self.answered_session(id)
            && let Some(first) = said.first_mut()
        {
            if self.may_hear_notes(world, id, &key) {
                first.notes = world.take_notes(&key);
            }
            first.notes.extend(lost.map(|note| (world.now(), note)));
        }
        said
    }

    /// The entry without a model that its session has chosen before the configuration forbade it, and what to say of it.
    fn with_permitted(&self, world: &mut dyn World, key: &str, mut entry: Entry) -> (Entry, Option<String>) {
        let settings = world.settings();
        let (config, agent) = (settings.config(), world.owner(key).unwrap_or_default());
        let own = Agents::of(&config, &settings.env).model(&agent).unwrap_or_default();
        let Some(lost) = entry.chosen_model().filter(|model| !permits(&config, model, &own)) else {
            return (entry, None);
        };
        entry.choose_model(None);
        world.update(key, &mut |entry| entry.choose_model(None));
        let note = format!(
            "The model {lost} is no longer among those that may be used; this session uses the agent's own again."
        );
        log::warn!(target: "gateway/agent", "session {}: agents.defaults.models no longer lists {lost}, which it had chosen; it uses the agent's own model again", crate::logging::quoted(key));
        (entry, Some(note))
    }

    fn verbose_of(&self, world: &dyn World, agent: &str, entry: &Entry) -> Verbose {
        let settings = world.settings();
        let agents = Agents::of(&settings.config(), &settings.env);
        let level = entry.str("verboseLevel").map(str::to_string).or_else(|| agents.verbose_default(agent));
        level.as_deref().map_or(Verbose::Off, Verbose::parse)
    }

    /// What is noted for the main session is the owner's to hear: a guest's turn there leaves it for his next one.
    fn may_hear_notes(&self, world: &dyn World, id: &str, key: &str) -> bool {
        let whose = self.map.get(id).map(|run| run.new.origin.provenance);
        whose != Some(Provenance::Guest) || !world.is_main(key)
    }

    /// The session in which the run answers a message, which is who notes are for.
    fn answered_session(&self, id: &str) -> Option<String> {
        let run = self.map.get(id).filter(|run| matches!(run.doing, Doing::Answer))?;
        Some(run.new.key.clone())
    }
}

/// The model that whoever asks wants, or the session.
fn model_of(run: &Run, entry: &Entry) -> Option<String> {
    let brought = run.new.brought.as_ref().and_then(|brought| brought.model.clone());
    brought.or_else(|| run.new.directives.model.clone()).or_else(|| entry.chosen_model())
}

fn thinking_of(run: &Run, entry: &Entry) -> Option<Thinking> {
    run.new.directives.thinking.or_else(|| entry.str("thinkingLevel").and_then(Thinking::parse))
}

/// How its commands run: as its message says, else as its session does, else as is usual, where the turn is the owner's.
fn exec_of(run: &Run, entry: &Entry) -> Mode {
    if !run.new.origin.provenance.is_owners() {
        return Mode::default();
    }
    let asked = &run.new.directives;
    let usual = asked.raised.map(Mode::raised).unwrap_or_default();
    asked.exec.unwrap_or_default().or(Mode::of(|name| entry.str(name))).or(usual)
}

/// What of a run is shown: as its message asks, else as its session does.
fn show_as(run: &mut Run, entry: &Entry, verbose: Verbose) {
    let asked = &run.new.directives;
    run.verbose = asked.verbose.map_or(verbose, Verbose::parse);
    run.shows_reasoning = asked.reasoning.or(entry.str("reasoningLevel")) == Some("stream");
    run.footer = match entry.str("responseUsage") {
        Some("tokens" | "on") => Footer::Tokens,
        Some("full") => Footer::Full,
        _ => Footer::Off,
    };
}
