//! Choosing sessions: the filters and rows of `sessions.list`, and `sessions.resolve`. Pure, over what is kept of
//! one index or several; titles and previews are read by the caller ([`crate::sessions::preview`]) and passed in.
use crate::error::{Error, Result};
use crate::json::Put;
use crate::params::{Params, Source, params};
use crate::session_key::{KeyRules, agent_of, normalise_agent_id};
use crate::sessions::entry::Entry;
use crate::sessions::kept::Kept;
use crate::sessions::passing;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Members of an entry that a row shows as they are.
const SHOWN: [&str; 28] = [
    "label",
    "displayName",
    "channel",
    "subject",
    "groupChannel",
    "space",
    "chatType",
    "origin",
    "updatedAt",
    "sessionId",
    "systemSent",
    "abortedLastRun",
    "thinkingLevel",
    "verboseLevel",
    "reasoningLevel",
    "elevatedLevel",
    "sendPolicy",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "responseUsage",
    "modelProvider",
    "model",
    "contextTokens",
    "deliveryContext",
    "lastChannel",
    "lastTo",
    "lastAccountId",
];

params! {
    /// The parameters of `sessions.list`, after its schema.
    #[derive(Debug, Clone, Default)]
    pub struct Filter {
        pub limit: Option<usize>,
        pub active_minutes: Option<u64>,
        pub include_global: bool,
        pub include_unknown: bool,
        pub include_derived_titles: bool,
        pub include_last_message: bool,
        pub label: Option<String>,
        pub spawned_by: Option<String>,
        pub agent_id: Option<String>,
        pub search: Option<String>,
        pub offset: usize,
        /// `true`, `false` or `"all"`. Nothing is ever archived here.
        pub archived: Value,
        /// Only sessions with a run; the caller knows which those are.
        pub active_only: bool,
        pub exclude_subagents: bool,
        pub exclude_cron: bool,
        /// Boards and owners do not exist here: asking for those of one gives none.
        pub board_face: Option<String>,
        pub has_board: bool,
        pub owner_id: Option<String>,
        pub creator_id: Option<String>,
    }
}

/// A page of at most so many sessions is picked out of all; a larger one is worth sorting them.
const PICKED: usize = 500;

/// The sessions that pass the filter, last active first, as far as its limit and offset name them. `now` in epoch
/// milliseconds; `is_wanted` is asked of the keys of those that pass.
pub fn choose<'a>(
    all: impl Iterator<Item = &'a Arc<Kept>>,
    filter: &Filter,
    now: u64,
    is_wanted: impl Fn(&str) -> bool,
) -> (Vec<Arc<Kept>>, Page) {
    let end = filter.offset.saturating_add(filter.limit.unwrap_or(usize::MAX));
    let passing = all.filter(|kept| filter.passes(kept, now) && is_wanted(kept.key()));
    let (mut found, mut total): (Vec<&Arc<Kept>>, usize) = (Vec::new(), 0);
    for kept in passing {
        total += 1;
        if end > PICKED {
            found.push(kept);
            continue;
        }
        let at = found.partition_point(|other| other.updated_at() >= kept.updated_at());
        if at < end {
            found.insert(at, kept);
            found.truncate(end);
        }
    }
    if end > PICKED {
        crate::order::by_key(&mut found, |kept| std::cmp::Reverse(kept.updated_at()));
    }
    let shown = found.into_iter().take(end).skip(filter.offset).cloned().collect::<Vec<_>>();
    let end = filter.offset.saturating_add(shown.len());
    let next = (end < total).then_some(end);
    (shown, Page { total, limit: filter.limit, offset: filter.offset, next })
}

/// The members of an entry that its row shows, and nothing else.
pub fn shown(kept: &Kept) -> Entry {
    kept.open_only(&SHOWN)
}

/// Which part of a list is shown.
#[derive(Debug, PartialEq)]
pub struct Page {
    total: usize,
    limit: Option<usize>,
    offset: usize,
    next: Option<usize>,
}

impl Page {
    /// Adds the members of a `sessions.list` answer that say it.
    pub fn tell(&self, payload: &mut Map<String, Value>) {
        payload.put("totalCount", self.total);
        payload.put("hasMore", self.next.is_some());
        payload.put("nextOffset", self.next);
        if let Some(limit) = self.limit {
            payload.put("limitApplied", limit);
        }
        if self.offset > 0 {
            payload.put("offset", self.offset);
        }
    }
}

impl Filter {
    fn passes(&self, kept: &Kept, now: u64) -> bool {
        let key = kept.key();
        if is_hidden(key)
            // One of a request is found by a search.
            || (passing::family(key).is_some() && self.search.is_none())
            || self.asks_for_what_is_not_here()
            || (self.exclude_subagents && key.contains(":subagent:"))
            || (self.exclude_cron && key.contains(":cron:"))
            || (key == "global" && !self.include_global)
            || (key == "unknown" && !self.include_unknown)
        {
            return false;
        }
        let is_spawned_by = |by: &String| {
            let [parent] = kept.strings(&["spawnedBy"]);
            parent.as_deref() == Some(by.trim())
        };
        let is_special = key == "global" || key == "unknown";
        let of_agent = |id: &String| !is_special && agent_of(key) == normalise_agent_id(id);
        let is_active =
            |minutes: u64| kept.updated_at().saturating_add(minutes.saturating_mul(60_000)) >= now;
        self.label.as_deref().is_none_or(|label| kept.label() == Some(label.trim()))
            && self.agent_id.as_ref().is_none_or(of_agent)
            && self.active_minutes.is_none_or(is_active)
            && self.spawned_by.as_ref().is_none_or(is_spawned_by)
            && self.search.as_deref().is_none_or(|text| mentions(kept, text))
    }

    fn asks_for_what_is_not_here(&self) -> bool {
        self.archived == Value::Bool(true)
            || self.has_board
            || self.board_face.as_deref() == Some("dashboard")
            || self.owner_id.is_some()
            || self.creator_id.is_some()
    }
}

fn mentions(kept: &Kept, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let has = |member: &str| member.to_lowercase().contains(&text);
    let known = [Some(kept.key()), kept.label(), kept.session_id()];
    known.into_iter().flatten().any(has)
        || kept.strings(&["displayName", "subject"]).iter().flatten().any(|member| has(member))
}

/// `agent:<id>:cron:<job>:run:<id>`: the twin of a cron session, hidden everywhere.
pub fn is_hidden(key: &str) -> bool {
    let mut parts = key.split(':').skip(2);
    parts.next() == Some("cron") && parts.nth(1) == Some("run")
}

/// One row of `sessions.list`. `runs` are the ids of what runs in the session or waits to.
pub fn row(
    key: &str,
    entry: &Entry,
    title: Option<String>,
    last_message: Option<String>,
    runs: &[String],
) -> Value {
    let mut row = Map::new();
    row.put("key", key);
    row.put("kind", entry.kind(key));
    for name in SHOWN {
        if let Some(value) = entry.get(name) {
            row.insert(name.into(), value.clone());
        }
    }
    // An entry that was only noted, or rescued from damage, has no time.
    row.put("updatedAt", Some(entry.updated_at()).filter(|at| *at > 0));
    if !row.contains_key("displayName")
        && let Some(label) =
            entry.get("origin").and_then(|origin| origin.get("label")).filter(|l| l.is_string())
    {
        row.put("displayName", label.clone());
    }
    for (name, text) in [("derivedTitle", title), ("lastMessagePreview", last_message)] {
        if let Some(text) = text {
            row.insert(name.into(), text.into());
        }
    }
    row.put("hasActiveRun", !runs.is_empty());
    row.put("activeRunIds", runs);
    if !runs.is_empty() {
        row.put("status", "running");
    }
    Value::Object(row)
}

/// What `sessions.resolve` is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub key: Option<String>,
    pub session_id: Option<String>,
    pub label: Option<String>,
    /// Finding none is an answer, not an error.
    pub allow_missing: bool,
    pub filter: Filter,
}

impl Params for Wanted {
    fn take(from: &mut Source) -> Wanted {
        Wanted {
            key: from.take("key"),
            session_id: from.take("session_id"),
            label: from.take("label"),
            allow_missing: from.take("allow_missing"),
            filter: Filter::take(from),
        }
    }
}

/// The canonical key of the one session that is meant; `None` when there is none and that is allowed.
pub fn resolve<'a>(
    all: impl Iterator<Item = &'a Arc<Kept>>,
    wanted: &Wanted,
    rules: &KeyRules,
) -> Result<Option<String>> {
    let given =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
    let (what, found) = match (given(&wanted.key), given(&wanted.session_id), given(&wanted.label)) {
        (None, None, None) => return Err(Error::invalid("Either key, sessionId, or label is required")),
        (Some(raw), None, None) => {
            let key = rules.canonical(&raw)?;
            (format!(": {raw}"), keys(all.filter(|kept| kept.key() == key)))
        }
        (None, Some(id), None) => {
            let matching = all.filter(|kept| kept.session_id() == Some(&id) || kept.key() == id);
            (format!(": {id}"), keys(matching.filter(|kept| wanted.filter.passes(kept, 0))))
        }
        (None, None, Some(label)) => {
            let matching = all.filter(|kept| kept.label() == Some(&label));
            (format!(" with label: {label}"), keys(matching.filter(|kept| wanted.filter.passes(kept, 0))))
        }
        _ => return Err(Error::invalid("Provide either key, sessionId, or label (not multiple)")),
    };
    match found.as_slice() {
        [] if wanted.allow_missing => Ok(None),
        [] => Err(Error::invalid(format!("No session found{what}"))),
        [key] => Ok(Some(key.clone())),
        many => Err(Error::invalid(format!("Multiple sessions found{what} ({})", many.join(", ")))),
    }
}

fn keys<'a>(found: impl Iterator<Item = &'a Arc<Kept>>) -> Vec<String> {
    found.map(|kept| kept.key().to_string()).collect()
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
