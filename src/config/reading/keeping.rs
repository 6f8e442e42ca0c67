//! What a running gateway keeps of its channels where a changed file has a mistake in them: the account, group or key stays
//! as it was, all else of the file is taken. Pure; any thread.
//!
//! What was not there before has nothing to keep: it is shut or left out as at a start (`damage`).
use crate::config::damage::segments;
use crate::config::issue::is_within;
use crate::config::load::Loaded;
use crate::config::{Config, How, Issue};
use serde_json::Value;
use std::sync::Arc;

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

    /// The mistakes for which something at or below `place`, but not below `apart`, stays as it was.
    pub fn kept(&self, place: &str, apart: Option<&str>) -> impl Iterator<Item = &Issue> {
        let is_meant = move |issue: &&Issue| {
            let is_apart = apart.is_some_and(|apart| is_within(&issue.path, apart));
            issue.is_kept() && is_within(&issue.path, place) && !is_apart
        };
        self.of_channels().filter(is_meant)
    }

    /// This one, read from the file, as a gateway runs with it that says what of it stays as it was.
    pub fn into_kept(mut self, names: &[String]) -> Config {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.loaded.are_kept(names);
        }
        self
    }
}

impl Issue {
    /// Whether it costs no more than a channel.
    pub(in crate::config) fn is_of_channel(&self) -> bool {
        self.path.starts_with("channels.")
    }

    /// Whether a running gateway keeps what it reaches.
    pub fn is_kept(&self) -> bool {
        self.cost.as_ref().is_some_and(|cost| cost.how == How::Kept)
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
        self.are_kept(&kept);
        if !kept.is_empty() {
            self.secrets.extend(held.secrets.iter().cloned());
        }
    }

    fn are_kept(&mut self, names: &[String]) {
        let costs = self.issues.iter_mut().filter_map(|issue| issue.cost.as_mut());
        costs.filter(|cost| names.contains(&cost.name)).for_each(|cost| cost.how = How::Kept);
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
