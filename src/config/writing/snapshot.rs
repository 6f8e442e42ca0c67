//! The payload of `config.get`: the configuration as it is written and as it is in force, without secrets.
//!
//! Pure; any thread.
use crate::config::redact::{carries_secret, redact};
use crate::config::{Config, Issue, lookup, parse, raw};
use crate::json::json;
use crate::parts::Parts;
use serde_json::{Map, Value};

/// Defaults that clients expect to see in `config` though they are not written.
const SHOWN: &[&str] = &[
    "agents.defaults.maxConcurrent",
    "agents.defaults.subagents.maxConcurrent",
    "commands.native",
    "commands.nativeSkills",
    "messages.ackReactionScope",
];

/// `{path, exists, raw, parsed, valid, config, hash, issues, warnings, legacyIssues}`.
pub fn snapshot(config: &Config) -> Value {
    let loaded = &config.inner.loaded;
    let secrets = &loaded.secrets;
    let empty = || Value::Object(Map::new());
    let parsed = loaded.raw.as_deref().and_then(|text| parse::json5(text).ok());
    let mut effective = loaded.value.clone();
    for path in SHOWN {
        show_default(&mut effective, path);
    }
    json!({
        "path": config.path(),
        "exists": config.exists(),
        "raw": loaded.raw.as_ref().map(|text| raw::redact(text, loaded.parses, secrets)),
        "parsed": redact(&parsed.unwrap_or_else(empty), secrets),
        "valid": config.is_valid(),
        "config": redact(&effective, secrets),
        "hash": config.hash(),
        "issues": clean(config.issues(), secrets),
        "warnings": clean(config.warnings(), secrets),
        "legacyIssues": clean(loaded.warnings.head(loaded.legacy), secrets),
    })
}

/// Issues without those texts that carry a secret (a key may be named like one).
fn clean(issues: &[Issue], secrets: &[String]) -> Vec<Issue> {
    let clean = |text: &String| {
        if carries_secret(text, secrets) { crate::config::redact::HIDDEN.to_string() } else { text.clone() }
    };
    let clean = |issue: &Issue| Issue {
        path: clean(&issue.path),
        message: clean(&issue.message),
        spot: issue.spot.clone(),
    };
    issues.iter().map(clean).collect()
}

fn show_default(config: &mut Value, path: &str) {
    let Some(default) = lookup::find(path.split('.')).and_then(|node| node.default()) else { return };
    let mut here = config;
    for name in path.split('.') {
        let Some(map) = here.as_object_mut() else { return };
        here = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
    }
    if here.as_object().is_some_and(Map::is_empty) {
        *here = default.clone();
    }
}
