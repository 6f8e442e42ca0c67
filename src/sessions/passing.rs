//! Sessions of one request each: of programs that speak OpenAI's API and keep the conversation themselves. They are in no
//! list, and leave the index by themselves, whatever `session.maintenance` says.
//!
//! Pure; asked by the state thread once an hour, agent by agent.
use super::Kept;
use std::sync::Arc;

const HOUR: u64 = 60 * 60 * 1000;
/// How long one stays whose conversation a later request may go on with (`previous_response_id`): as long as OpenAI keeps its own.
const DAYS: u64 = 30 * 24 * HOUR;
/// Most of those of an agent that stay.
const MOST: usize = 500;

/// `openai` or `openresponses`, where a key is `agent:<id>:<family>:<uuid>`.
pub fn family(key: &str) -> Option<&str> {
    let mut parts = key.split(':').skip(2);
    let family = parts.next().filter(|family| matches!(*family, "openai" | "openresponses"))?;
    (parts.next().is_some() && parts.next().is_none()).then_some(family)
}

/// The keys of one agent's index that go, `is_busy` apart: what nothing can go on with after an hour, all others when they are old or
/// too many.
pub fn ended<'a>(
    entries: impl Iterator<Item = &'a Arc<Kept>>,
    is_busy: impl Fn(&str) -> bool,
    now: u64,
) -> Vec<String> {
    let (mut gone, mut rest) = (Vec::new(), Vec::new());
    for kept in entries {
        let (key, age) = (kept.key(), now.saturating_sub(kept.updated_at()));
        match family(key).filter(|_| !is_busy(key)) {
            Some("openai") if age > HOUR => gone.push(key.to_string()),
            Some("openresponses") => rest.push((age, key)),
            _ => {}
        }
    }
    crate::order::sort(&mut rest);
    let is_beyond = |(n, (age, _)): &(usize, (u64, &str))| *n >= MOST || *age > DAYS;
    gone.extend(rest.into_iter().enumerate().filter(is_beyond).map(|(_, (_, key))| key.to_string()));
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
        let mut gone = ended(index.iter(), |key| key.ends_with("busy"), NOW);
        gone.sort();
        let want = ["openai:old", "openresponses:500", "openresponses:501", "openresponses:old"];
        assert_eq!(gone, want.map(|rest| format!("agent:main:{rest}")));
    }
}
