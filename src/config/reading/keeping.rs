//! What a running gateway keeps of its channels where a changed file has a mistake in them: the account, group or key stays
//! as it was, all else of the file is taken. Pure; any thread.
//!
//! What was not there before has nothing to keep: it is shut or left out as at a start (`damage`).
use crate::config::damage::{UNTIL, segments};
use crate::config::issue::is_within;
use crate::config::load::Loaded;
use crate::config::{Config, Issue};
use serde_json::Value;
use std::sync::Arc;

const KEPT: &str = " stays as it was";

impl Config {
    /// This one, just read by `inspect`, as whoever has `held` in force takes it.
    pub fn beside(mut self, held: &Config) -> Config {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.loaded.keep(&held.inner.loaded);
        }
        self
    }

    /// The mistakes for which a changed file is taken all the same.
    pub fn of_channels(&self) -> impl Iterator<Item = &Issue> {
        self.issues().iter().filter(|issue| issue.is_of_channel())
    }

    /// The mistake for which something at or below `place`, but not below `apart`, stays as it was.
    pub fn kept(&self, place: &str, apart: Option<&str>) -> Option<&Issue> {
        let is_kept = |issue: &&Issue| issue.message.ends_with(&[KEPT, UNTIL].concat());
        let is_apart = |issue: &Issue| apart.is_some_and(|apart| is_within(&issue.path, apart));
        let is_meant = |issue: &&Issue| is_within(&issue.path, place) && !is_apart(issue);
        self.of_channels().find(|issue| is_kept(issue) && is_meant(issue))
    }
}

impl Issue {
    /// Whether it costs no more than a channel.
    pub(in crate::config) fn is_of_channel(&self) -> bool {
        self.path.starts_with("channels.")
    }
}

impl Loaded {
    fn keep(&mut self, held: &Loaded) {
        if self.fatal.is_some() {
            return;
        }
        let sections = std::mem::take(&mut self.disabled);
        let is_kept = |name: &String| name.starts_with("channels.") && self.take_from(held, name);
        let (kept, disabled): (Vec<String>, Vec<String>) = sections.into_iter().partition(is_kept);
        self.disabled = disabled;
        for name in &kept {
            let endings = ["left out", "disabled"].map(|how| format!("; {name} is {how}{UNTIL}"));
            for issue in &mut self.issues {
                let what = endings.iter().find_map(|ending| issue.message.strip_suffix(ending));
                if let Some(what) = what {
                    issue.message = format!("{what}; {name}{KEPT}{UNTIL}");
                }
            }
        }
        if !kept.is_empty() {
            self.secrets.extend(held.secrets.iter().cloned());
        }
    }

    /// Puts in what `held` has at a place; false where that is nothing, or nothing of it was in force.
    fn take_from(&mut self, held: &Loaded, name: &str) -> bool {
        if held.disabled.iter().any(|section| is_within(name, section)) {
            return false;
        }
        let path = segments(&held.value, name);
        let old = path.iter().try_fold(&held.value, |value, name| value.get(name));
        let (Some(old), Some((last, above))) = (old, path.split_last()) else { return false };
        let parent = above.iter().try_fold(&mut self.value, |value, name| value.get_mut(name));
        let Some(parent) = parent.and_then(Value::as_object_mut) else { return false };
        parent.insert(last.clone(), old.clone());
        true
    }
}
