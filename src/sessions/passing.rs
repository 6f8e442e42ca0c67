//! Sessions of one request each, which leave the index by themselves, whatever `session.maintenance` says: of programs that
//! speak OpenAI's API and keep the conversation themselves, which are in no list, and of webhooks that name no session.
//!
//! Pure; asked by the state thread once an hour, agent by agent.
use super::Kept;
use std::sync::Arc;

const HOUR: u64 = 60 * 60 * 1000;
/// How long one stays whose conversation a later request may go on with (`previous_response_id`): as long as OpenAI keeps its own.
const DAYS: u64 = 30 * 24 * HOUR;
/// The same of a webhook's, for whoever wants to see what came of it.
const OF_HOOKS: u64 = 24 * HOUR;
/// Most of those of an agent that stay, of each kind.
const MOST: usize = 500;
/// The member of an entry that says so, and what it says, where the key alone does not: it may be one that somebody named.
pub const MEMBER: (&str, &str) = ("passing", "hook");

/// `openai` or `openresponses`, where a key is `agent:<id>:<family>:<uuid>`.
pub fn family(key: &str) -> Option<&str> {
    let mut parts = key.split(':').skip(2);
    let family = parts.next().filter(|family| matches!(*family, "openai" | "openresponses"))?;
    (parts.next().is_some() && parts.next().is_none()).then_some(family)
}

/// Whether an entry is one of those, the ones of webhooks included.
pub fn is_one(kept: &Kept) -> bool {
    family(kept.key()).is_some() || is_of_hook(kept)
}

fn is_of_hook(kept: &Kept) -> bool {
    let is_below = kept.key().split(':').nth(2) == Some(MEMBER.1);
    is_below && kept.strings(&[MEMBER.0])[0].as_deref() == Some(MEMBER.1)
}

/// The keys of one agent's index that go, `is_busy` apart: what nothing can go on with after an hour, all others when they are old or
/// too many.
pub fn ended<'a>(
    entries: impl Iterator<Item = &'a Arc<Kept>>,
    is_busy: impl Fn(&str) -> bool,
    now: u64,
) -> Vec<String> {
    let (mut gone, mut rest, mut hooks) = (Vec::new(), Vec::new(), Vec::new());
    for kept in entries {
        let (key, age) = (kept.key(), now.saturating_sub(kept.updated_at()));
        match family(key) {
            _ if is_busy(key) => {}
            Some("openai") if age > HOUR => gone.push(key.to_string()),
            Some("openresponses") => rest.push((age, key)),
            None if is_of_hook(kept) => hooks.push((age, key)),
            _ => {}
        }
    }
    for (mut all, oldest) in [(rest, DAYS), (hooks, OF_HOOKS)] {
        crate::order::sort(&mut all);
        let is_beyond = |(n, (age, _)): &(usize, (u64, &str))| *n >= MOST || *age > oldest;
        gone.extend(all.into_iter().enumerate().filter(is_beyond).map(|(_, (_, key))| key.to_string()));
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::{Entry, Index};
    use std::path::Path;

    const NOW: u64 = 100 * 24 * HOUR;

    #[test]
    fn i12_1_sessions_of_single_requests_go_by_themselves() {
        let mut index = Index::empty(Path::new("/d/sessions.json"));
        let mut put = |key: &str, age: u64| index.put(key, &Entry::new("s", NOW - age));
        put("agent:main:openai:old", HOUR + 1);
        put("agent:main:openai:new", HOUR);
        put("agent:main:openai:busy", 9 * HOUR);
        put("agent:main:openai-user:ann", DAYS + 1);
        put("agent:main:main", DAYS + 1);
        put("agent:main:openai:x:y", DAYS + 1);
        put("agent:main:openresponses:old", DAYS + 1);
        (0..MOST as u64 + 2).for_each(|n| put(&format!("agent:main:openresponses:{n}"), n));
        let mut hook = |key: &str, age: u64, said: &str| {
            let mut entry = Entry::new("s", NOW - age);
            entry.set(MEMBER.0, said);
            index.put(key, &entry);
        };
        hook("agent:main:hook:named", DAYS, "");
        hook("agent:main:hook:new", OF_HOOKS, MEMBER.1);
        hook("agent:main:hook:old", OF_HOOKS + 1, MEMBER.1);
        hook("agent:main:other", DAYS, MEMBER.1);
        let mut gone = ended(index.iter(), |key| key.ends_with("busy"), NOW);
        gone.sort();
        let want = ["hook:old", "openai:old", "openresponses:500", "openresponses:501", "openresponses:old"];
        assert_eq!(gone, want.map(|rest| format!("agent:main:{rest}")));
    }
}
