//! Choosing sessions: the filters and rows of `sessions.list`, and `sessions.resolve`. Pure, over entries of
//! one index or several; titles and previews are read by the caller ([`super::preview`]) and passed in.
use super::entry::Entry;
use super::key::{KeyRules, agent_of, normalise_agent_id};
use crate::error::{Error, Result};
use serde::Deserialize;
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

/// The parameters of `sessions.list`, after its schema.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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
}

pub type Found = (String, Arc<Entry>);

/// The sessions that pass the filter, last active first. `now` in epoch milliseconds.
pub fn choose<'a>(
    all: impl Iterator<Item = (&'a str, &'a Arc<Entry>)>,
    filter: &Filter,
    now: u64,
) -> Vec<Found> {
    let passing = all.filter(|(key, entry)| filter.passes(key, entry, now));
    let mut found: Vec<Found> = passing.map(|(key, entry)| (key.to_string(), entry.clone())).collect();
    found.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.updated_at()));
    found.truncate(filter.limit.unwrap_or(usize::MAX));
    found
}

impl Filter {
    fn passes(&self, key: &str, entry: &Entry, now: u64) -> bool {
        if is_cron_run(key)
            || (key == "global" && !self.include_global)
            || (key == "unknown" && !self.include_unknown)
        {
            return false;
        }
        let is = |name: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|w| entry.str(name) == Some(w.trim()))
        };
        let is_special = key == "global" || key == "unknown";
        let of_agent = |id: &String| !is_special && agent_of(key) == normalise_agent_id(id);
        let is_active =
            |minutes: u64| entry.updated_at().saturating_add(minutes.saturating_mul(60_000)) >= now;
        is("label", &self.label)
            && is("spawnedBy", &self.spawned_by)
            && self.agent_id.as_ref().is_none_or(of_agent)
            && self.active_minutes.is_none_or(is_active)
            && self.search.as_deref().is_none_or(|text| mentions(key, entry, text))
    }
}

fn mentions(key: &str, entry: &Entry, text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let members = ["displayName", "label", "subject", "sessionId"].iter().filter_map(|name| entry.str(name));
    members.chain([key]).any(|member| member.to_lowercase().contains(&text))
}

/// `agent:<id>:cron:<job>:run:<id>`: the twin of a cron session, hidden everywhere.
fn is_cron_run(key: &str) -> bool {
    let mut parts = key.split(':').skip(2);
    parts.next() == Some("cron") && parts.nth(1) == Some("run")
}

/// One row of `sessions.list`.
pub fn row(key: &str, entry: &Entry, title: Option<String>, last_message: Option<String>) -> Value {
    let mut row = Map::new();
    row.insert("key".into(), key.into());
    row.insert("kind".into(), entry.kind(key).into());
    for name in SHOWN {
        if let Some(value) = entry.get(name) {
            row.insert(name.into(), value.clone());
        }
    }
    if !row.contains_key("displayName")
        && let Some(label) =
            entry.get("origin").and_then(|origin| origin.get("label")).filter(|l| l.is_string())
    {
        row.insert("displayName".into(), label.clone());
    }
    for (name, text) in [("derivedTitle", title), ("lastMessagePreview", last_message)] {
        if let Some(text) = text {
            row.insert(name.into(), text.into());
        }
    }
    Value::Object(row)
}

/// What `sessions.resolve` is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Wanted {
    pub key: Option<String>,
    pub session_id: Option<String>,
    pub label: Option<String>,
    #[serde(flatten)]
    pub filter: Filter,
}

/// The canonical key of the one session that is meant.
pub fn resolve<'a>(
    all: impl Iterator<Item = (&'a str, &'a Arc<Entry>)>,
    wanted: &Wanted,
    rules: &KeyRules,
) -> Result<String> {
    let given =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
    let (what, found) = match (given(&wanted.key), given(&wanted.session_id), given(&wanted.label)) {
        (None, None, None) => return Err(Error::invalid("Either key, sessionId, or label is required")),
        (Some(raw), None, None) => {
            let key = rules.canonical(&raw)?;
            (format!(": {raw}"), keys(all.filter(|(k, _)| *k == key)))
        }
        (None, Some(id), None) => {
            let matching = all.filter(|(k, e)| e.session_id() == Some(&id) || *k == id);
            (format!(": {id}"), keys(matching.filter(|(k, e)| wanted.filter.passes(k, e, 0))))
        }
        (None, None, Some(label)) => {
            let matching = all.filter(|(_, e)| e.str("label") == Some(&label));
            (format!(" with label: {label}"), keys(matching.filter(|(k, e)| wanted.filter.passes(k, e, 0))))
        }
        _ => return Err(Error::invalid("Provide either key, sessionId, or label (not multiple)")),
    };
    match found.as_slice() {
        [] => Err(Error::invalid(format!("No session found{what}"))),
        [key] => Ok(key.clone()),
        many => Err(Error::invalid(format!("Multiple sessions found{what} ({})", many.join(", ")))),
    }
}

fn keys<'a>(found: impl Iterator<Item = (&'a str, &'a Arc<Entry>)>) -> Vec<String> {
    found.map(|(key, _)| key.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::Index;
    use serde_json::json;
    use std::path::Path;

    fn index() -> Index {
        let mut index = Index::empty(Path::new("/d/sessions.json"));
        let mut add = |key: &str, id: &str, at: u64, label: &str| {
            let mut entry = Entry::new(id, at);
            entry.set("label", label);
            index.put(key, entry);
        };
        add("agent:main:main", "s1", 60_000, "Home");
        add("agent:work:main", "s2", 120_000, "dup");
        add("agent:work:x:group:1", "s3", 90_000, "dup");
        add("agent:main:cron:j:run:s9", "s9", 1, "");
        add("global", "s4", 5, "");
        index
    }

    #[test]
    fn lists_are_filtered_sorted_and_cut() {
        let index = index();
        let check = |filter: Value, want: &[&str]| {
            let found = choose(index.iter(), &serde_json::from_value(filter.clone()).unwrap(), 150_000);
            let ids: Vec<_> = found.iter().map(|(_, e)| e.session_id().unwrap()).collect();
            assert_eq!(ids, want, "{filter}");
        };
        check(json!({}), &["s2", "s3", "s1"]);
        check(json!({"includeGlobal": true}), &["s2", "s3", "s1", "s4"]);
        check(json!({"limit": 1}), &["s2"]);
        check(json!({"activeMinutes": 1}), &["s2", "s3"]);
        check(json!({"agentId": "Work"}), &["s2", "s3"]);
        check(json!({"label": "Home"}), &["s1"]);
        check(json!({"search": "hOM"}), &["s1"]);
        check(json!({"search": "group"}), &["s3"]);
        check(json!({"spawnedBy": "x"}), &[]);
    }

    #[test]
    fn rows_show_what_clients_use() {
        let mut entry = Entry::new("s", 5);
        entry.set("skillsSnapshot", json!({"big": 1}));
        entry.set("chatType", "group");
        let want = json!({"key": "k", "kind": "group", "chatType": "group", "updatedAt": 5, "sessionId": "s", "derivedTitle": "T"});
        assert_eq!(row("k", &entry, Some("T".into()), None), want);
    }

    #[test]
    fn sessions_are_resolved_by_one_name() {
        let index = index();
        let check = |wanted: Value, want: std::result::Result<&str, &str>| {
            let got = resolve(index.iter(), &serde_json::from_value(wanted).unwrap(), &KeyRules::default());
            assert_eq!(got.as_deref().map_err(|e| e.message()), want);
        };
        check(json!({"key": "main"}), Ok("agent:main:main"));
        check(json!({"sessionId": "s3"}), Ok("agent:work:x:group:1"));
        check(json!({"label": "Home"}), Ok("agent:main:main"));
        check(json!({"sessionId": "s4"}), Err("No session found: s4"));
        check(json!({"sessionId": "s4", "includeGlobal": true}), Ok("global"));
        check(json!({"key": "zz"}), Err("No session found: zz"));
        check(json!({"label": "zz"}), Err("No session found with label: zz"));
        check(
            json!({"label": "dup"}),
            Err("Multiple sessions found with label: dup (agent:work:main, agent:work:x:group:1)"),
        );
        check(json!({}), Err("Either key, sessionId, or label is required"));
        check(
            json!({"key": "a", "label": "b"}),
            Err("Provide either key, sessionId, or label (not multiple)"),
        );
    }
}
