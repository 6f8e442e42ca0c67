//! Which sessions are old enough, or too many, to be taken out of the index: `session.maintenance`.
//!
//! [`decide`] is pure and asked by the state thread once an hour, agent by agent; [`archive_work`] renames the
//! transcripts of what was taken out, on the store thread, after the index is saved. Main sessions and those
//! with a running turn stay.
use super::{Kept, Transcript, passing};
use crate::config::{Config, duration_ms};
use crate::session_key::{KeyRules, agent_of};
use std::sync::Arc;

const DEFAULT_AGE: u64 = 30 * 24 * 60 * 60 * 1000;
const DEFAULT_ENTRIES: u64 = 500;
/// What a bare number of `pruneAfter` counts, milliseconds.
const DAYS: f64 = 8.64e7;

/// What the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// `mode: "enforce"`; otherwise what would go is only logged.
    pub enforces: bool,
    /// Milliseconds without activity.
    pub max_age: u64,
    /// Sessions of one agent.
    pub max_entries: usize,
}

impl Policy {
    /// A mistake in the section disables it, and then nothing is taken out.
    pub fn of(config: &Config) -> Policy {
        let age = config.str("session.maintenance.pruneAfter").and_then(|age| duration_ms(age, DAYS));
        let entries = config.u64("session.maintenance.maxEntries").unwrap_or(DEFAULT_ENTRIES);
        Policy {
            enforces: config.str("session.maintenance.mode") == Some("enforce"),
            max_age: age.filter(|age| *age > 0).unwrap_or(DEFAULT_AGE),
            max_entries: entries.max(1) as usize,
        }
    }
}

/// The keys to take out of one agent's index, least active first. `is_busy` says whether a session has a turn
/// that runs or waits; `now` in epoch milliseconds.
pub fn decide<'a>(
    entries: impl Iterator<Item = &'a Arc<Kept>>,
    rules: &KeyRules,
    policy: &Policy,
    is_busy: impl Fn(&str) -> bool,
    now: u64,
) -> Vec<String> {
    let mut sum = 0;
    let mut loose: Vec<(u64, &str)> = Vec::new();
    for kept in entries {
        let key = kept.key();
        // Those go by a rule of their own, and push nobody out.
        if passing::is_one(kept) {
            continue;
        }
        sum += 1;
        if !is_kept(key, rules) && !is_busy(key) {
            loose.push((kept.updated_at(), key));
        }
    }
    crate::order::sort(&mut loose);
    let surplus = usize::saturating_sub(sum, policy.max_entries);
    // No known activity is no age; such entries go only when there are too many.
    let is_old = |at: u64| at > 0 && now.saturating_sub(at) > policy.max_age;
    let goes = |(n, (at, _)): &(usize, (u64, &str))| *n < surplus || is_old(*at);
    loose.into_iter().enumerate().filter(goes).map(|(_, (_, key))| key.to_string()).collect()
}

fn is_kept(key: &str, rules: &KeyRules) -> bool {
    key == "global" || key == "unknown" || key == rules.main_of(agent_of(key))
}

/// Renames the transcripts to `<file>.deleted.<time>`, where [`super::sweep`] bounds them. For the store
/// thread; a failure leaves the file where it is and a line in the log.
pub fn archive_work(transcripts: Vec<Transcript>) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        for transcript in transcripts {
            if let Err(e) = transcript.archive("deleted") {
                log::warn!(target: "gateway/sessions", "{e}; the session is gone, its transcript stays");
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use crate::sessions::{Entry, Index, TestDir};
    use std::path::Path;

    const DAY: u64 = 86_400_000;
    const NOW: u64 = 100 * DAY;

    fn check(policy: Policy, sessions: &[(&str, u64)], busy: &[&str], want: &[&str]) {
        let mut index = Index::empty(Path::new("/d/sessions.json"));
        for (key, days) in sessions {
            index.put(key, &Entry::new("s", days * DAY));
        }
        let is_busy = |key: &str| busy.contains(&key);
        assert_eq!(decide(index.iter(), &KeyRules::default(), &policy, is_busy, NOW), want, "{sessions:?}");
    }

    #[test]
    fn old_sessions_go_but_main_and_busy_ones_stay() {
        let policy = Policy { enforces: true, max_age: 30 * DAY, max_entries: 500 };
        let sessions = [
            ("agent:main:main", 1),
            ("agent:main:new", 99),
            ("agent:main:edge", 70),
            ("agent:main:old", 69),
            ("agent:main:older", 2),
            ("agent:main:busy", 2),
            ("agent:main:unknown-age", 0),
            ("agent:main:future", 500),
            ("global", 1),
            ("unknown", 1),
        ];
        check(policy, &sessions, &["agent:main:busy"], &["agent:main:older", "agent:main:old"]);
        check(policy, &[], &[], &[]);
    }

    #[test]
    fn of_too_many_the_least_active_go() {
        let policy = Policy { enforces: true, max_age: 30 * DAY, max_entries: 3 };
        let sessions = [
            ("agent:main:main", 80),
            ("agent:main:a", 90),
            ("agent:main:b", 91),
            ("agent:main:c", 92),
            ("agent:main:d", 93),
        ];
        check(policy, &sessions, &[], &["agent:main:a", "agent:main:b"]);
        check(policy, &sessions, &["agent:main:a"], &["agent:main:b", "agent:main:c"]);
        check(Policy { max_entries: 1, ..policy }, &sessions[..1], &[], &[]);
    }

    #[test]
    fn only_what_is_asked_for_is_enforced() {
        let read = |text: &str| {
            let dir = Dir::new();
            dir.write("openclaw.json", text);
            Policy::of(&Config::inspect(&mut dir.env(&[])))
        };
        assert_eq!(read("{}"), Policy { enforces: false, max_age: 30 * DAY, max_entries: 500 });
        let text = "{session: {maintenance: {mode: 'enforce', pruneAfter: '1d12h', maxEntries: 9}}}";
        assert_eq!(read(text), Policy { enforces: true, max_age: DAY * 3 / 2, max_entries: 9 });
        assert!(!read("{session: {maintenance: {mode: 'enforce', maxEntries: 'x'}}}").enforces);
        let age = |text: &str| duration_ms(text, DAYS);
        assert_eq!((age("7"), age("90m"), age("x")), (Some(7 * DAY), Some(5_400_000), None));
    }

    #[test]
    fn transcripts_are_kept_aside() {
        let dir = TestDir::new();
        std::fs::write(dir.0.join("s.jsonl"), "{}\n").unwrap();
        archive_work(vec![Transcript::at(&dir.0, "s").unwrap(), Transcript::at(&dir.0, "none").unwrap()])();
        let names: Vec<_> = std::fs::read_dir(&dir.0)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(names.len() == 1 && names[0].starts_with("s.jsonl.deleted."), "{names:?}");
    }
}
