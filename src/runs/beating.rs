//! A heartbeat's turn seen from its end: what it said is judged by the heartbeat's rules, sent in one piece on disk with
//! the run's end where it is to be, and told as an event. Part of `Runs`, on the state thread.
use super::delivering::Deliver;
use super::origin::Address;
use super::run::Run;
use super::world::World;
use crate::agent::finished::Finished;
use crate::deliveries::Line;
use crate::error::{Cause, Error, Result};
use crate::heartbeat::{self, Rules};
use crate::logging::quoted;
use crate::sessions::tags;

/// Bytes of reasoning that are sent.
const MOST_REASONING: usize = 8000;

/// What a heartbeat goes by.
#[derive(Debug)]
pub struct Beating {
    pub rules: Rules,
    /// What it came of: `interval`, `wake`, `hook:wake`.
    pub why: String,
    pub to: Option<Address>,
    /// When the session was last in use.
    pub before: Option<u64>,
    /// On the monotonic clock.
    pub began: u64,
    /// What the model thought, where that is to be sent too.
    pub reasoning: Option<String>,
}

impl Beating {
    /// Whether readers are not shown what it says until it turns out to be news.
    pub(super) fn is_hushed(&self) -> bool {
        !self.rules.shows.ok
    }

    pub(super) fn hear_reasoning(&mut self, delta: &str) {
        if let Some(heard) = self.reasoning.as_mut().filter(|heard| heard.len() < MOST_REASONING) {
            heard.push_str(delta);
        }
    }
}

impl Run {
    /// Of a heartbeat readers hear the end if it is news.
    pub(super) fn unhush(&mut self, error: Option<&Error>, finished: Option<&Finished>) {
        let is_quiet = |beat: &mut Beating| beat.rules.is_quiet(&tags::shown(said(finished)));
        let is_news = !self.observers.beat().is_some_and(is_quiet);
        self.is_hushed &= error.is_some() || !is_news;
    }

    pub(super) fn end_beat(
        &mut self,
        world: &mut dyn World,
        result: &Result<()>,
        finished: Option<&Finished>,
    ) -> Vec<Line> {
        let whose = self.whose();
        let Some(beat) = self.observers.beat() else { return Vec::new() };
        let (key, now) = (&self.new.key, world.now());
        let (shown, tags) = tags::cut(&said(finished));
        let deed = match result {
            // To say nothing is to have nothing to tell.
            Err(e) if is_empty(e) => beat.rules.judge("", &world.entry(key).unwrap_or_default(), now),
            Ok(()) => beat.rules.judge(&shown, &world.entry(key).unwrap_or_default(), now),
            Err(e) => beat.rules.failed(e),
        };
        let before = beat.before.filter(|_| deed.is_quiet);
        if before.is_some() || deed.is_news {
            world.update(key, &mut |entry| {
                before.into_iter().for_each(|before| entry.set("updatedAt", before));
                if let Some(text) = deed.send.as_ref().filter(|_| deed.is_news) {
                    entry.set("lastHeartbeatText", text.as_str());
                    entry.set("lastHeartbeatSentAt", now);
                }
            });
        }
        let mut lines = Vec::new();
        if let (Some(to), Some(text)) = (&beat.to, &deed.send) {
            let mut deliver = Deliver::new(&to.channel.clone(), to.clone(), Vec::new());
            let reasoning = beat.reasoning.take().filter(|text| deed.is_news && !text.trim().is_empty());
            let reasoning = reasoning.map(|text| format!("Reasoning:\n{}", text.trim()));
            reasoning.iter().for_each(|text| lines.extend(deliver.whole(world, &whose, text, &[])));
            lines.extend(deliver.whole(world, &whose, text, &tags));
        }
        let place = beat.to.as_ref().map(|to| [&*to.channel, &*to.account, &*to.peer]);
        let took = world.mono().saturating_sub(beat.began);
        let event = heartbeat::event(&deed, beat.rules.shows, &beat.why, now, took, place);
        if let Err(e) = result.as_ref()
            && !is_empty(e)
        {
            log::warn!(target: "gateway/heartbeat", "the heartbeat of {} failed: {e}", quoted(key));
        }
        world.beat_ended(&self.new.id, key, event);
        lines
    }
}

fn is_empty(error: &Error) -> bool {
    error.cause() == Some(Cause::Empty)
}

/// Its last words.
fn said(finished: Option<&Finished>) -> String {
    finished.and_then(|finished| finished.texts.last()).cloned().unwrap_or_default()
}
