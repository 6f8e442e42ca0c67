//! What a run's thread reports, told to clients: `agent` and `chat` events on the way to the end.
//!
//! Part of `Runs`, on the state thread.
use super::Runs;
use super::origin::Wants;
use super::outcome::{is_silent, may_be_silent};
use super::run::{Run, Verbose};
use super::shapes::{DELTA, DELTA_TEXT, SAID, TEXT, agent_event, chat_event, present, said};
use super::world::World;
use crate::agent::run::RunEvent;
use crate::calls::stream::Piece;
use crate::error::Error;
use crate::json::json;
use crate::parts::{Parts, make_room};
use crate::protocol::events::{self, Event};
use crate::protocol::frame;
use crate::protocol::pieces::{Pieces, Place, Shared};
use crate::sessions::tags::Tags;
use serde_json::Value;
use std::sync::Arc;

/// Least time between two `chat` deltas of a run, milliseconds.
const DELTA_GAP: u64 = 150;
/// Longest time between two, however long the text.
const MAX_GAP: u64 = 1000;
/// Bytes of events a run may cost each client in a millisecond.
const BYTES_PER_MS: u64 = 100;

/// How much of a text was told, and when the next piece may be (monotonic clock).
#[derive(Default)]
pub(super) struct Told {
    bytes: usize,
    next_at: u64,
}

impl Runs {
    pub fn event(&mut self, world: &mut dyn World, id: &str, event: RunEvent) {
        match event {
            RunEvent::Started { at } => self.run_started(world, id, at),
            RunEvent::NextMessage => self.next_message(world, id),
            RunEvent::Unsaid => self.unsay(id),
            RunEvent::Text(delta) => self.run_text(world, id, &delta),
            RunEvent::Reasoning(delta) => self.run_reasoning(world, id, &delta),
            RunEvent::Tool(data) => self.run_tool(world, id, data),
            RunEvent::Note { stream, data } => self.emit_agent(world, id, stream, data),
            RunEvent::Wrote(messages) => self.run_wrote(world, id, messages),
            RunEvent::Finished(finished) => self.run_finished(world, id, *finished),
            RunEvent::Died(what) => {
                log::error!(target: "gateway/agent", "run {} ended by a defect: {what}", crate::logging::quoted(id));
                self.end_run(
                    world,
                    id,
                    Err(Error::unavailable("the run ended by a defect of the gateway; see its log")),
                    None,
                );
            }
        }
    }

    fn run_started(&mut self, world: &mut dyn World, id: &str, at: u64) {
        let Some(run) = self.map.get_mut(id) else { return };
        run.started_at = Some(at);
        let key = (!run.is_aside()).then(|| run.new.key.clone());
        if let Some(key) = key {
            world.session_changed(&key, "run");
        }
        self.emit_agent(world, id, "lifecycle", json!({"phase": "start", "startedAt": at}));
    }

    /// What was said is told to its end; the next piece begins a new message.
    fn next_message(&mut self, world: &mut dyn World, id: &str) {
        self.map.get_mut(id).into_iter().for_each(Run::finish_text);
        self.tell_text(world, id, true);
        let Some(run) = self.map.get_mut(id) else { return };
        run.stream_block();
        run.deliver_block(world);
        run.stream(Wants::Deltas, || Piece::NextMessage);
        (run.replaces, run.agent_replaces) = (run.chat_told.bytes > 0, false);
        run.text.clear();
        run.tags = Tags::default();
        (run.agent_told.bytes, run.chat_told.bytes) = (0, 0);
    }

    /// What was said of the present message is replaced by what follows.
    fn unsay(&mut self, id: &str) {
        let Some(run) = self.map.get_mut(id) else { return };
        run.stream(Wants::Deltas, || Piece::Unsaid);
        run.replaces |= run.chat_told.bytes > 0;
        run.agent_replaces |= run.agent_told.bytes > 0;
        run.text.clear();
        run.tags = Tags::default();
        run.undeliver();
        (run.agent_told.bytes, run.chat_told.bytes) = (0, 0);
    }

    /// Reasoning is told where the session asks for it (`/reasoning stream`).
    fn run_reasoning(&mut self, world: &mut dyn World, id: &str, delta: &str) {
        let beat = self.map.get_mut(id).and_then(|run| run.observers.beat());
        beat.into_iter().for_each(|beat| beat.hear_reasoning(delta));
        if self.map.get(id).is_some_and(|r| r.shows_reasoning && !r.silenced) {
            self.emit_agent(world, id, "thinking", json!({"delta": delta}));
        }
    }

    /// Tools are told to connections that asked for them: by `/verbose on` which, by `/verbose full` what they gave.
    fn run_tool(&mut self, world: &mut dyn World, id: &str, mut data: Value) {
        let now = world.now();
        let Some(run) = self.map.get_mut(id) else { return };
        run.seq += 1;
        if run.silenced {
            return;
        }
        let is_off = run.verbose == Verbose::Off;
        let hidden: &[&str] = match run.verbose {
            Verbose::Off => &["args", "meta", "result", "partialResult"],
            Verbose::On => &["result", "partialResult"],
            Verbose::Full => &[],
        };
        if let Some(map) = data.as_object_mut() {
            hidden.iter().for_each(|name| drop(map.remove(*name)));
        }
        let payload = agent_event(run, "tool", data, now);
        let body: Arc<Pieces> = Arc::new(frame::event(events::AGENT_TOOL.name, &payload).into());
        for (conn, _) in run.observers.tools().filter(|(_, shows_all)| !is_off || *shows_all) {
            world.send(conn, &events::AGENT_TOOL, body.clone());
        }
    }

    fn run_wrote(&mut self, world: &mut dyn World, id: &str, messages: Vec<(String, Value)>) {
        let Some(key) = self.session_of(id).map(str::to_string) else { return };
        for (entry, message) in messages {
            world.session_message(&key, message, entry);
        }
    }

    fn run_text(&mut self, world: &mut dyn World, id: &str, delta: &str) {
        let Some(run) = self.map.get_mut(id).filter(|r| !r.silenced) else { return };
        let before = run.text.len();
        make_room(&mut run.text, delta.len());
        run.tags.push(delta, &mut run.text);
        run.stream_new(before, may_be_silent);
        run.deliver_more(world);
        self.tell_text(world, id, false);
    }

    /// Tells what runs have said since they were last told of, where it is time.
    pub(super) fn tell_more(&mut self, world: &mut dyn World) {
        let mono = world.mono();
        let due = self.map.values().filter(|r| r.next_telling().is_some_and(|at| mono >= at));
        for id in due.map(|r| r.new.id.clone()).collect::<Vec<_>>() {
            self.tell_text(world, &id, false);
            self.map.get_mut(&id).into_iter().for_each(|run| run.deliver_more(world));
        }
    }

    /// Events carry the whole text so far, so they come less often as it grows: a run costs each client about
    /// 100 bytes a millisecond, however long its answer and however fast its model. `is_last` tells the rest, and gives
    /// the text as it was told. What may be the word for nothing waits until it is known not to be.
    pub(super) fn tell_text(&mut self, world: &mut dyn World, id: &str, is_last: bool) -> Option<Shared> {
        let (now, mono) = (world.now(), world.mono());
        let is_held = if is_last { is_silent } else { may_be_silent };
        let run = self.map.get_mut(id).filter(|r| !r.silenced && !is_held(&r.text))?;
        let gap = run.text.len() as u64 / BYTES_PER_MS;
        let for_agent = run.agent_told.take(&run.text, mono, gap.min(MAX_GAP), is_last);
        let for_chat = match is_last {
            true => None,
            false => run.chat_told.take(&run.text, mono, gap.clamp(DELTA_GAP, MAX_GAP), false),
        };
        let first = for_agent.or(for_chat)?;
        let whole = run.observers.has_readers().then(|| Shared::of(&run.text))?;
        // Nearly always the same for both.
        let mut new = (first, whole.end(run.text.tail(first)));
        if for_agent.is_some() {
            run.seq += 1;
            let replace = std::mem::take(&mut run.agent_replaces).then_some(true);
            let payload = agent_event(
                run,
                "assistant",
                present(json!({"text": "", "delta": "", "replace": replace})),
                now,
            );
            run.emit_around(world, &events::AGENT_TEXT, &payload, &[(TEXT, &whole), (DELTA, &new.1)]);
        }
        if let Some(from) = for_chat {
            if from != first {
                new = (from, whole.end(run.text.tail(from)));
            }
            let replace = std::mem::take(&mut run.replaces).then_some(true);
            let more = json!({"message": said(run, now), "deltaText": "", "replace": replace});
            let payload = chat_event(run, "delta", more);
            run.emit_around(world, &events::CHAT_DELTA, &payload, &[(SAID, &whole), (DELTA_TEXT, &new.1)]);
        }
        Some(whole)
    }

    /// Sends an `agent` event of a run.
    fn emit_agent(&mut self, world: &mut dyn World, id: &str, stream: &str, data: Value) {
        let now = world.now();
        let Some(run) = self.map.get_mut(id) else { return };
        run.seq += 1;
        let payload = agent_event(run, stream, data, now);
        run.emit(world, &events::AGENT, &payload);
    }
}

impl Run {
    /// Sends an event to those who may read, if they follow the run.
    pub(super) fn emit(&self, world: &dyn World, event: &'static Event, payload: &Value) {
        if self.is_heard(event) {
            world.emit(&self.new.key, event, frame::event(event.name, payload).into());
        }
    }

    fn is_heard(&self, event: &Event) -> bool {
        let is_hushed = self.is_hushed && event.name == events::CHAT.name;
        self.observers.has_readers() && !is_hushed
    }

    /// The same with long texts in their places.
    pub(super) fn emit_around(
        &self,
        world: &dyn World,
        event: &'static Event,
        payload: &Value,
        places: &[Place],
    ) {
        if self.is_heard(event) {
            world.emit(&self.new.key, event, frame::event_around(event.name, payload, places));
        }
    }

    /// Tells the streams that follow the run, if that is what its surface wants.
    fn stream(&self, wanted: Wants, piece: impl Fn() -> Piece) {
        let wants = self.new.origin.surface.wants;
        if wants == wanted || (wants, wanted) == (Wants::Drafts, Wants::Deltas) {
            self.observers.streams().for_each(|stream| stream.tell(piece()));
        }
    }

    /// What was added to the text behind `before`, with what was held back there.
    fn stream_new(&self, before: usize, is_held: fn(&str) -> bool) {
        let before = if may_be_silent(self.text.head(before)) { 0 } else { before };
        let new = self.text.tail(before);
        if !new.is_empty() && !is_held(&self.text) {
            self.stream(Wants::Deltas, || Piece::Text(new.to_string()));
        }
    }

    /// The message is whole: what looked as if it were becoming a tag, or the word for nothing, is text.
    pub(super) fn finish_text(&mut self) {
        let before = self.text.len();
        self.tags.finish(&mut self.text);
        self.stream_new(before, is_silent);
    }

    /// The present message is whole.
    pub(super) fn stream_block(&self) {
        if !is_silent(&self.text) {
            self.stream(Wants::Blocks, || Piece::Text(self.text.clone()));
        }
    }

    /// When there is something untold to tell, on the monotonic clock.
    pub(super) fn next_telling(&self) -> Option<u64> {
        let is_held = self.silenced || may_be_silent(&self.text);
        let is_untold = |told: &Told| told.bytes < self.text.len() && !is_held;
        let untold = [&self.agent_told, &self.chat_told].into_iter().filter(|t| is_untold(t));
        untold.map(|t| t.next_at).chain(self.next_block()).min()
    }
}

impl Told {
    /// Where the untold end of `text` begins, if it is time for it (or the last chance); notes it as told.
    fn take(&mut self, text: &str, mono: u64, gap: u64, is_last: bool) -> Option<usize> {
        let from = self.bytes;
        text.get(from..).filter(|new| !new.is_empty() && (mono >= self.next_at || is_last))?;
        (self.bytes, self.next_at) = (text.len(), mono + gap);
        Some(from)
    }
}
