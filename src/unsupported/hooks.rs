//! Webhooks and hooks that this version does not run. Pure.
use super::{counted, is_asked, said, some};
use crate::config::Config;
use crate::env::Env;
use serde_json::Value;

pub(super) fn asked(config: &Config, _: &Env) -> Option<String> {
    let internal = config.get("hooks.internal").is_some_and(is_asked);
    let gmail = config.get("hooks.gmail").and_then(|gmail| gmail.get("account")).is_some_and(is_asked);
    let is_on = config.bool("hooks.enabled");
    let mappings = config.get("hooks.mappings").and_then(Value::as_array).filter(|_| is_on);
    let has_program = |mapping: &Value| mapping.get("transform").is_some_and(|value| !value.is_null());
    let programs = mappings.into_iter().flatten().enumerate().filter(|(_, mapping)| has_program(mapping));
    let programs: Vec<String> = programs.map(|(at, _)| format!("hooks.mappings.{at}")).collect();
    let presets = config.strings("hooks.presets").into_iter().filter(|name| is_on && *name != "gmail");
    let presets: Vec<String> = presets.map(str::to_string).collect();
    some([
        said(internal, "internal hooks"),
        said(gmail, "the Gmail watcher"),
        counted(&programs, "webhook transform"),
        counted(&presets, "webhook preset"),
    ])
}
