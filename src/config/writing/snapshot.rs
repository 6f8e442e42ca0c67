//! The payload of `config.get`: the configuration as it is written and as it is in force, without secrets.
//!
//! Pure; any thread.
use crate::config::redact::{carries_secret, redact};
use crate::config::shape::all_model_objects;
use crate::config::{Config, Issue, lookup, parse, raw};
use crate::json::{holding, json};
use crate::parts::Parts;
use serde_json::{Map, Value};
use std::sync::Arc;

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
    let all = json!({
        "path": config.path(),
        "exists": config.exists(),
        "raw": null,
        "parsed": null,
        "valid": config.is_valid(),
        "config": null,
        "hash": config.hash(),
        "issues": clean(config.issues(), secrets),
        "warnings": clean(config.warnings(), secrets),
        "legacyIssues": clean(loaded.warnings.head(loaded.legacy), secrets),
    });
    let all = holding(all, "raw", text(config));
    let all = holding(all, "parsed", redact(&parsed.unwrap_or_else(empty), secrets));
    holding(all, "config", in_force(config))
}

/// What is in force, as it is shown.
pub fn in_force(config: &Config) -> Value {
    let loaded = &config.inner.loaded;
    let mut shown = redact(&loaded.value, &loaded.secrets);
    SHOWN.iter().for_each(|path| show_default(&mut shown, path));
    all_model_objects(&mut shown);
    shown
}

/// The file's text as it is shown, if there is a file, and it holds no more than is read.
pub fn text(config: &Config) -> Option<String> {
    let loaded = &config.inner.loaded;
    let is_shown = |text: &&Arc<str>| loaded.parses || !parse::is_over(text);
    loaded.raw.as_ref().filter(is_shown).map(|text| raw::redact(text, loaded.parses, &loaded.secrets))
}

/// Issues without those texts that carry a secret (a key may be named like one).
fn clean(issues: &[Issue], secrets: &[String]) -> Vec<Issue> {
    let clean = |text: &String| {
        if carries_secret(text, secrets) { crate::config::redact::HIDDEN.to_string() } else { text.clone() }
    };
    let clean = |issue: &Issue| Issue {
        path: clean(&issue.path),
        message: clean(&issue.text()),
        cost: None,
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
