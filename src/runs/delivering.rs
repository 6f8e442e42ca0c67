//! The words of a run on their way to a platform: promised as messages, one for each that the run has said, which survive
//! whatever happens. Those that it says are in the journal in one piece with its end and with the word that the message
//! it answers is done with: a stop in between repeats nothing and loses nothing.
//!
//! Part of `Runs`, on the state thread.
use super::origin::{Address, Wants};
use super::outcome::is_silent;
use super::run::Run;
use super::world::World;
use crate::agent::run::Finished;
use crate::calls::Provenance;
use crate::cancel::Reason;
use crate::deliveries::{Delivery, Line, Name};
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;

/// Where the words go.
#[derive(Debug)]
pub struct Deliver {
    platform: String,
    to: Address,
    /// The messages that are answered, more than one where they are one to the channel.
    inbound: Vec<Name>,
    /// How many of the run's words are promised already.
    said: usize,
    /// Another run says them there.
    is_hushed: bool,
}

impl Deliver {
    pub fn new(platform: &str, to: Address, inbound: Vec<Name>) -> Box<Deliver> {
        Box::new(Deliver { platform: platform.to_string(), to, inbound, said: 0, is_hushed: false })
    }

    fn is_there(&self, other: &(String, Address)) -> bool {
        let to = &other.1;
        (&self.platform, &self.to.account, &self.to.peer, &self.to.thread)
            == (&other.0, &to.account, &to.peer, &to.thread)
    }

    /// The next message; what it says is `text`, or an `error` that the channel finds words for.
    fn promise(
        &mut self,
        world: &mut dyn World,
        run: &str,
        about: &Value,
        mut message: Value,
    ) -> Option<Line> {
        if let Some(map) = message.as_object_mut() {
            map.extend(about.as_object().cloned().unwrap_or_default());
            let about = [("thread", &self.to.thread), ("replyTo", &self.to.reply_to)];
            about
                .into_iter()
                .filter_map(|(name, id)| Some((name, id.as_ref()?)))
                .for_each(|(name, id)| map.put(name, id.as_str()));
        }
        let delivery = Delivery {
            id: format!("{run}/{}", self.said),
            platform: self.platform.clone(),
            account: self.to.account.clone(),
            to: self.to.peer.clone(),
            ts: world.now(),
            message: Some(message),
            ..Delivery::default()
        };
        self.said += 1;
        world.promise(delivery)
    }
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

    /// What a channel has to know of whose words it sends.
    fn about(&self) -> Value {
        let is_owner = self.new.origin.provenance == Provenance::Owner;
        json!({"session": (self.new.key.as_str()), "isOwner": is_owner})
    }

    /// A message is whole: where the surface wants blocks it goes out at once.
    pub(super) fn deliver_block(&mut self, world: &mut dyn World) {
        if !matches!(self.new.origin.surface.wants, Wants::Blocks | Wants::Drafts) || is_unsaid(&self.text) {
            return;
        }
        let (id, text, about) = (&self.new.id, &self.text, self.about());
        let deliveries = self.observers.deliveries_mut().filter(|deliver| !deliver.is_hushed);
        let lines = deliveries.filter_map(|d| d.promise(world, id, &about, json!({"text": text}))).collect();
        world.note(lines);
    }

    /// What is not promised yet of its words, and that the messages it answers are done with: lines for the journal.
    pub(super) fn deliver_end(
        &mut self,
        world: &mut dyn World,
        result: &Result<()>,
        finished: Option<&Finished>,
    ) -> Vec<Line> {
        let (words, failure) = words(result, finished);
        let (id, about) = (&self.new.id, self.about());
        let mut lines = Vec::new();
        for deliver in self.observers.deliveries_mut() {
            let new = words.iter().skip(deliver.said).chain(&failure);
            let new = new.filter(|_| !deliver.is_hushed).cloned().collect::<Vec<_>>();
            lines.extend(new.into_iter().filter_map(|message| deliver.promise(world, id, &about, message)));
            let answered = std::mem::take(&mut deliver.inbound);
            lines.extend(answered.iter().filter_map(|name| world.handled(name)));
        }
        lines
    }
}

/// Nothing that a person is to read.
fn is_unsaid(text: &str) -> bool {
    is_silent(text) || text.trim() == "HEARTBEAT_OK"
}

/// All that is to be said, and how it failed. Who stopped a run hears nothing more of it.
fn words(result: &Result<()>, finished: Option<&Finished>) -> (Vec<Value>, Option<Value>) {
    let texts = finished.into_iter().flat_map(|finished| &finished.texts);
    let texts = texts.filter(|text| !is_unsaid(text)).map(|text| json!({"text": text}));
    match result {
        Ok(()) => (texts.collect(), None),
        Err(Error { kind: Kind::Aborted, .. }) => (Vec::new(), None),
        Err(e) => (texts.collect(), Some(json!({"error": (e.to_wire(4))}))),
    }
}
