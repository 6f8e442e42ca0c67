//! What a message does while its session is busy: waits for a turn of its own, is answered together with others
//! (`collect`), joins the turn under way (`steer`) or ends it (`interrupt`); and what gives way when too many wait.
//!
//! Part of `Runs`, on the state thread. Which settings hold is decided in `slash::queue`.
use super::Runs;
use super::run::{Doing, NewRun, Phase, Run};
use super::world::World;
use crate::cancel::Reason;
use crate::error::{Error, Result};
use crate::parts::Parts;
use crate::slash::queue::{self, Settings};
use std::time::Duration;

/// Characters that are left of a shortened message.
const SHORT: usize = 140;

/// The first words of a message that has to make room.
pub fn shortened(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHORT) {
        Some((end, _)) => {
            format!("{}… [shortened: too many messages were waiting]", line.head(end))
        }
        None => line,
    }
}

impl Runs {
    fn queueing(&self, world: &dyn World, new: &NewRun) -> Settings {
        let channel = new.origin.channel();
        let entry = world.entry(&new.key).unwrap_or_default();
        queue::settings(&world.settings().config(), &entry, channel, new.directives.queue.as_ref())
    }

    /// With `drop: new` a message that finds the queue full is refused.
    pub(super) fn refuse_full_queue(&self, world: &dyn World, new: &NewRun) -> Result<()> {
        let queueing = self.queueing(world, new);
        let is_counted = new.origin.surface.queues && new.command.is_none();
        let waiting = self.waiting_messages(&new.key).len() as u64;
        if !is_counted || queueing.drop != "new" || waiting < queueing.cap {
            return Ok(());
        }
        let text = format!(
            "{} messages wait already; wait for their answer, or raise messages.queue.cap",
            queueing.cap
        );
        Err(Error::unavailable(text).retry_in(Duration::from_secs(5)))
    }

    /// Lets a run that finds its session busy do what the mode says; `false` when it is to wait.
    pub(super) fn joins_turn(&mut self, world: &mut dyn World, id: &str) -> bool {
        let Some(run) = self.map.get(id) else { return true };
        let Some(host) = self.running.get(&run.new.key).cloned() else { return false };
        if !run.new.origin.surface.queues || !matches!(run.doing, Doing::Answer) {
            return false;
        }
        let queueing = self.queueing(world, &run.new);
        let mut not_before = world.mono() + queueing.debounce_ms;
        match queueing.mode {
            // What the turn can no longer take has the next one, so nothing of a backlog is lost.
            "steer" | "steer-backlog"
                if self.is_same_talk(world, &host)
                    && self.is_like(id, &host)
                    && self.attach_by_mail(id, &host) =>
            {
                return true;
            }
            "interrupt" if self.may_interrupt(id, &host) => {
                self.abort(world, &host, Reason::Interrupt);
                not_before = 0;
            }
            _ => {}
        }
        if let Some(run) = self.map.get_mut(id) {
            run.not_before = not_before;
        }
        self.make_room(world, id, &queueing);
        false
    }

    /// Other words for a message whose turn has not begun; false when it has.
    pub fn reword(&mut self, id: &str, words: &str) -> bool {
        let Some(run) = self.map.get_mut(id) else { return false };
        let waits =
            matches!(run.phase, Phase::Accepting | Phase::Waiting) && matches!(run.doing, Doing::Answer);
        let Some((before, behind)) = run.new.around.filter(|_| waits && run.new.command.is_none()) else {
            return false;
        };
        let message = &run.new.message;
        let end = message.len().saturating_sub(behind);
        run.new.message = [message.head(before), words, message.tail(end)].concat();
        true
    }

    /// Whether the turn belongs to the conversation that the session has now: after a reset it does not.
    fn is_same_talk(&self, world: &dyn World, host: &str) -> bool {
        let Some(run) = self.map.get(host) else { return false };
        world.entry(&run.new.key).is_some_and(|entry| entry.session_id() == Some(&run.session_id))
    }

    /// Nobody ends a turn of the owner's but he himself.
    fn may_interrupt(&self, id: &str, host: &str) -> bool {
        let is_own = |id: &str| self.map.get(id).is_some_and(|run: &Run| run.new.origin.provenance.is_own());
        is_own(id) || !is_own(host)
    }

    fn is_like(&self, id: &str, host: &str) -> bool {
        let origins = (self.map.get(id), self.map.get(host));
        matches!(origins, (Some(run), Some(host)) if run.new.origin.is_like(&host.new.origin))
    }

    /// Over the cap the oldest message that waits is left out, or shortened and answered with the next.
    fn make_room(&mut self, world: &mut dyn World, id: &str, queueing: &Settings) {
        let Some(key) = self.session_of(id).map(str::to_string) else { return };
        let waiting = self.waiting_messages(&key);
        let excess = (waiting.len() + 1).saturating_sub(queueing.cap as usize);
        for old in waiting.into_iter().take(excess) {
            if queueing.drop == "old" {
                self.unqueue(&old);
                let text =
                    "newer messages took its place in the queue; send it again, or raise messages.queue.cap";
                self.end_run(world, &old, Err(Error::unavailable(text)), None);
            } else if let Some(run) = self.map.get_mut(&old) {
                run.is_shortened = true;
            }
        }
    }

    /// The runs that are answered by the turn of `lead`, oldest first and `lead` among them.
    pub(super) fn collect_for(&mut self, world: &dyn World, lead: &str) -> Vec<String> {
        let Some(run) = self.map.get(lead) else { return Vec::new() };
        let all = run.is_collectable() && self.queueing(world, &run.new).mode == "collect";
        let key = run.new.key.clone();
        let mut ids = vec![lead.to_string()];
        let mut is_open = run.is_shortened || all;
        let queue = self.queues.get(&key).cloned().unwrap_or_default();
        for id in queue {
            let is_alike = |next: &&Run| {
                next.new.origin.is_like(&run.new.origin) && next.new.extra_system == run.new.extra_system
            };
            let next = self.map.get(&id).filter(|next| is_open && next.is_collectable());
            let Some(next) = next.filter(is_alike) else {
                break;
            };
            // Shortened ones never have a turn of their own.
            is_open = all || next.is_shortened;
            ids.push(id);
        }
        for id in ids.iter().skip(1) {
            self.unqueue(id);
        }
        ids
    }
}

impl Run {
    /// Whether its message may be answered together with others.
    pub(super) fn is_collectable(&self) -> bool {
        self.new.origin.surface.queues
            && matches!(self.doing, Doing::Answer)
            && (self.new.extra_system.is_none() || self.new.origin.address.is_some())
    }
}

impl Runs {
    /// Messages of clients that wait for the session, oldest first.
    fn waiting_messages(&self, key: &str) -> Vec<String> {
        let queue = self.queues.get(key).into_iter().flatten();
        queue.filter(|id| self.map.get(*id).is_some_and(Run::is_collectable)).cloned().collect()
    }

    /// Puts a run's message into the mailbox of the turn that is under way; `false` when that takes no more.
    fn attach_by_mail(&mut self, id: &str, host: &str) -> bool {
        let (Some(run), Some(lead)) = (self.map.get(id), self.map.get(host)) else { return false };
        if lead.cancel.reason().is_some()
            || lead.new.origin.provenance != run.new.origin.provenance
            || !matches!(lead.doing, Doing::Answer)
            || lead.mailbox.push(run.said()).is_err()
        {
            return false;
        }
        self.attach(id, host);
        true
    }

    /// From here on the run ends when `host` does.
    pub(super) fn attach(&mut self, id: &str, host: &str) {
        if let Some(run) = self.map.get_mut(id) {
            run.phase = Phase::Attached(host.to_string());
        }
        if let Some(lead) = self.map.get_mut(host) {
            lead.attached.push(id.to_string());
        }
    }

    pub(super) fn unqueue(&mut self, id: &str) {
        let Some(key) = self.session_of(id).map(str::to_string) else { return };
        if let Some(queue) = self.queues.get_mut(&key) {
            queue.retain(|queued| queued != id);
            if queue.is_empty() {
                self.queues.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_message_says_so() {
        assert_eq!(shortened(" a\n b "), "a b");
        let long = shortened(&"ü".repeat(500));
        assert!(long.starts_with(&"ü".repeat(140)) && long.ends_with("were waiting]"), "{long}");
    }
}
