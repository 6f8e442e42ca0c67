//! The words of a run on their way to a platform: promised as messages, one for each that the run has said, which survive
//! whatever happens. Those that it says are in the journal in one piece with its end and with the word that the message
//! it answers is done with: a stop in between repeats nothing and loses nothing.
//!
//! Part of `Runs`, on the state thread.
use super::observers::Part;
use super::origin::{Address, Wants};
use super::outcome::is_silent;
use super::run::Run;
use super::world::World;
use crate::agent::finished::Finished;
use crate::calls::Provenance;
use crate::cancel::Reason;
use crate::channels::blocks::{Blocks, Rules};
use crate::cron::outcome::End;
use crate::deliveries::{Delivery, Line, Name};
use crate::error::{Error, Kind, Result};
use crate::heartbeat::ack;
use crate::json::{Put, json};
use crate::sessions::tags;
use serde_json::Value;

/// What stands behind an answer that its model did not bring to its end.
const CUT: &str = "✂️ The answer is cut here: it is as long as the model may answer.";

/// Where the words go.
#[derive(Debug)]
pub struct Deliver {
    platform: String,
    to: Address,
    /// The messages that are answered, more than one where they are one to the channel.
    inbound: Vec<Name>,
    /// How many of the run's messages are promised already.
    said: usize,
    /// The present message in parts, where it is said while it is written.
    blocks: Option<Blocks>,
    /// How many parts, and how many of its tags, are promised.
    parts: usize,
    tags: usize,
    /// When the last was promised: they stay in order on disk, too.
    last: u64,
    /// Another run says them there.
    is_hushed: bool,
}

impl Deliver {
    pub fn new(platform: &str, to: Address, inbound: Vec<Name>) -> Deliver {
        let platform = platform.to_string();
        Deliver { platform, to, inbound, said: 0, blocks: None, parts: 0, tags: 0, last: 0, is_hushed: false }
    }

    /// Says a message in several while it is written, where there are rules for that.
    pub fn in_blocks(self, rules: Option<Rules>) -> Deliver {
        Deliver { blocks: rules.map(Blocks::new), ..self }
    }

    fn is_there(&self, other: &(String, Address)) -> bool {
        let to = &other.1;
        (&self.platform, &self.to.account, &self.to.peer, &self.to.thread)
            == (&other.0, &to.account, &to.peer, &to.thread)
    }

    /// What a message says, or an `error` that the channel finds words for. The last part of it bears its number, the
    /// others one of their own: a second go at the turn says the message again unless all of it is promised.
    fn promise(
        &mut self,
        world: &mut dyn World,
        whose: &Whose,
        mut message: Value,
        is_last: bool,
    ) -> Option<Line> {
        if let Some(map) = message.as_object_mut() {
            map.extend(whose.about.as_object().cloned().unwrap_or_default());
            let about = [("thread", &self.to.thread), ("replyTo", &self.to.reply_to)];
            about
                .into_iter()
                .filter_map(|(name, id)| Some((name, id.as_ref()?)))
                .for_each(|(name, id)| map.put(name, id.as_str()));
        }
        let id = match is_last {
            true => format!("{}/{}", whose.run, self.said),
            false => format!("{}/{}.{}", whose.run, self.said, self.parts),
        };
        self.last = world.now().max(self.last + 1);
        let delivery = Delivery {
            id,
            platform: self.platform.clone(),
            account: self.to.account.clone(),
            to: self.to.peer.clone(),
            ts: self.last,
            message: Some(message),
            ..Delivery::default()
        };
        match is_last {
            true => (self.said, self.parts, self.tags) = (self.said + 1, 0, 0),
            false => self.parts += 1,
        }
        world.promise(delivery)
    }

    /// Parts of the present message; with `is_whole` nothing of it follows.
    fn parts(
        &mut self,
        world: &mut dyn World,
        whose: &Whose,
        parts: Vec<String>,
        tags: &[String],
        is_whole: bool,
    ) -> Vec<Line> {
        let mut left = parts.len();
        let mut lines = Vec::new();
        for part in parts {
            left -= 1;
            let new: String = tags.iter().skip(self.tags).map(|tag| format!("[[{tag}]] ")).collect();
            self.tags = tags.len();
            let message = json!({"text": (new + &part)});
            lines.extend(self.promise(world, whose, message, is_whole && left == 0));
        }
        lines
    }

    /// A whole message, or what is left of it.
    pub(super) fn whole(
        &mut self,
        world: &mut dyn World,
        whose: &Whose,
        shown: &str,
        tags: &[String],
    ) -> Vec<Line> {
        let parts = match &mut self.blocks {
            Some(blocks) => blocks.rest(shown),
            None => vec![shown.to_string()],
        };
        if parts.is_empty() {
            (self.said, self.parts, self.tags) = (self.said + 1, 0, 0);
        }
        self.parts(world, whose, parts, tags, true)
    }
}

/// The run whose words they are, and what a channel has to know of it.
pub(super) struct Whose {
    run: String,
    about: Value,
}

impl Run {
    /// Where its words go, for runs that end with it and would say them there once more.
    pub(super) fn destinations(&self) -> Vec<(String, Address)> {
        self.observers.deliveries().map(|d| (d.platform.clone(), d.to.clone())).collect()
    }

    /// Its words are said there by the run that it ends with.
    pub(super) fn hush(&mut self, said: &[(String, Address)]) {
        self.observers
            .deliveries_mut()
            .for_each(|deliver| deliver.is_hushed = said.iter().any(|to| deliver.is_there(to)));
    }

    /// The gateway stopped it, and the message that it answers is taken up again by the next start.
    pub(super) fn is_taken_up_again(&self) -> bool {
        self.cancel.reason() == Some(Reason::Shutdown)
            && self.observers.deliveries().any(|deliver| !deliver.inbound.is_empty())
    }

    pub(super) fn whose(&self) -> Whose {
        let whose = self.new.origin.provenance;
        let about = json!({"session": (self.new.key.as_str()), "isOwner": (whose == Provenance::Owner),
            "isOwn": (whose.is_own())});
        Whose { run: self.new.id.clone(), about }
    }

    /// When a part that waits for more is to be said, on the monotonic clock.
    pub(super) fn next_block(&self) -> Option<u64> {
        let speaking = self.observers.deliveries().filter(|deliver| !self.silenced && !deliver.is_hushed);
        speaking.filter_map(|deliver| deliver.blocks.as_ref()?.due()).min()
    }

    /// What is to be said already of the message that is being written.
    pub(super) fn deliver_more(&mut self, world: &mut dyn World) {
        if self.silenced {
            return;
        }
        let mono = world.mono();
        let mut due: Vec<Vec<String>> = Vec::new();
        for deliver in self.observers.deliveries_mut() {
            let blocks = deliver.blocks.iter_mut().filter(|_| !deliver.is_hushed);
            due.push(blocks.flat_map(|blocks| blocks.more(&self.text, mono)).collect());
        }
        if due.iter().all(Vec::is_empty) {
            return;
        }
        let (whose, tags) = (self.whose(), &self.tags.found);
        let due = self.observers.deliveries_mut().zip(due);
        let lines =
            due.flat_map(|(deliver, parts)| deliver.parts(world, &whose, parts, tags, false)).collect();
        world.note(lines);
    }

    /// What follows replaces the message that is being written, as far as it was not said.
    pub(super) fn undeliver(&mut self) {
        for deliver in self.observers.deliveries_mut() {
            deliver.blocks.iter_mut().for_each(Blocks::restart);
            deliver.tags = 0;
        }
    }

    /// A message is whole: where the surface wants blocks it goes out at once.
    pub(super) fn deliver_block(&mut self, world: &mut dyn World) {
        if !matches!(self.new.origin.surface.wants, Wants::Blocks | Wants::Drafts) || is_unsaid(&self.text) {
            return;
        }
        let (whose, text, tags) = (self.whose(), &self.text, &self.tags.found);
        let deliveries = self.observers.deliveries_mut().filter(|deliver| !deliver.is_hushed);
        let lines = deliveries.flat_map(|deliver| deliver.whole(world, &whose, text, tags)).collect();
        world.note(lines);
    }

    /// Tells other sessions how it went, where they are to know.
    pub(super) fn report(&self, world: &mut dyn World, result: &Result<()>, finished: Option<&Finished>) {
        let said = finished.and_then(|finished| finished.texts.last()).filter(|text| !is_unsaid(text));
        for after in self.observers.afters() {
            match (result, said) {
                (Ok(()), Some(text)) => world.report(after, "", text),
                (Ok(()), None) => {}
                (Err(error), _) => world.report(after, " (error)", error.message()),
            }
        }
    }

    /// Tells the parts whose work it is.
    pub(super) fn end_parts(&self, world: &mut dyn World, result: &Result<()>, finished: Option<&Finished>) {
        for (part, id) in self.observers.parts() {
            let said = finished.and_then(|finished| finished.texts.last());
            // Who asked for a subagent judges its silence himself.
            let said = said.filter(|text| part == Part::Child || !is_unsaid(text));
            let said = said.map(|text| tags::shown(text.clone()));
            let end = End { result: result.clone(), said, has_begun: self.started_at.is_some() };
            world.part_ended(part, id, end);
        }
    }

    /// What is not promised yet of its words, and that the messages it answers are done with: lines for the journal.
    pub(super) fn deliver_end(
        &mut self,
        world: &mut dyn World,
        result: &Result<()>,
        finished: Option<&Finished>,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.observers.deliveries_mut().next().is_none() {
            return lines;
        }
        let (mut words, mut failure) = words(result, finished);
        if self.new.origin.surface.wants == Wants::Last {
            words.drain(..words.len().saturating_sub(1));
            if failure.take().is_some() {
                words.clear();
            }
        }
        let is_cut = result.is_ok() && finished.is_some_and(|finished| finished.stop_reason == "length");
        if let (Some((shown, _)), true) = (words.last_mut(), is_cut) {
            *shown = format!("{}\n\n{CUT}", shown.trim_end());
        }
        let whose = self.whose();
        for deliver in self.observers.deliveries_mut() {
            if !deliver.is_hushed {
                let is_said = deliver.said >= words.len();
                for (shown, tags) in words.iter().skip(deliver.said) {
                    lines.extend(deliver.whole(world, &whose, shown, tags));
                }
                if is_cut && is_said && deliver.said > 0 {
                    lines.extend(deliver.promise(world, &whose, json!({"text": CUT}), true));
                }
                let is_begun = deliver.said + deliver.parts > 0;
                let failed = failure.clone().map(|error| json!({"error": error, "isBegun": is_begun}));
                lines.extend(failed.and_then(|failed| deliver.promise(world, &whose, failed, true)));
            }
            let answered = std::mem::take(&mut deliver.inbound);
            lines.extend(answered.iter().filter_map(|name| world.handled(name)));
        }
        lines
    }
}

/// Nothing that a person is to read.
fn is_unsaid(text: &str) -> bool {
    is_silent(text) || ack::is_only(text) || text.trim() == "ANNOUNCE_SKIP"
}

/// All that is to be said, as it is shown and with its tags, and how it failed. Who stopped a run hears nothing more of it.
fn words(result: &Result<()>, finished: Option<&Finished>) -> (Vec<(String, Vec<String>)>, Option<Value>) {
    let texts = finished.into_iter().flat_map(|finished| &finished.texts);
    let texts = texts.map(|text| tags::cut(text)).filter(|(shown, _)| !is_unsaid(shown));
    match result {
        Ok(()) => (texts.collect(), None),
        Err(Error { kind: Kind::Aborted, .. }) => (Vec::new(), None),
        Err(e) => (texts.collect(), Some(e.to_wire(4))),
    }
}
