//! What the configuration and the state directory ask for and this version does not do: one row a feature.
//!
//! For whoever comes from the original program and would otherwise hear nothing: the start warns once, `doctor` has a
//! finding for each row, `config validate` and `status` name them. Reads the configuration and a few small files;
//! only looks. What was switched off there counts as not asked for.
use crate::channels::is_spoken_for;
use crate::config::Config;
use crate::env::Env;
use serde_json::{Map, Value};

/// Names that are told of a kind; of more only the number.
const MOST_NAMES: usize = 6;

/// A feature of the original program that is not here.
pub struct Feature {
    /// The end of its check's id in `doctor`.
    pub id: &'static str,
    /// How it was asked for, counted: `2 channels (telegram, whatsapp)`. `None` when it was not.
    find: fn(&Config, &Env) -> Option<String>,
    /// What helps instead.
    pub instead: &'static str,
}

const fn feature(
    id: &'static str,
    find: fn(&Config, &Env) -> Option<String>,
    instead: &'static str,
) -> Feature {
    Feature { id, find, instead }
}

const KEEP: &str = "leave it to the original program on another port, or take it out of the configuration";

/// All of them, in the order in which they are told.
const FEATURES: &[Feature] = &[
    feature(
        "channels",
        channels,
        "WhatsApp runs by openclaw-whatsapp (docs/whatsapp.md), others by a program of your own (docs/channel-programs.md); or leave it to the original program on another port, or take it out of the configuration",
    ),
    feature(
        "hooks",
        hooks,
        "webhooks are here (docs/webhooks.md), those with a transform (a program in JavaScript), the Gmail watcher and presets beside gmail are not",
    ),
    feature("exec", exec, "commands run on this machine, shut in and by the owner's rules (docs/exec.md)"),
    feature("web_search", web_search, "Brave, SearXNG and Perplexity are here (docs/tools.md)"),
    feature("media", media, KEEP),
    feature("memory", memory, "`memory_search` looks for words in MEMORY.md and memory/*.md"),
    feature("plugins", plugins, "skills are folders here (docs/agents.md)"),
    feature(
        "broadcast",
        broadcast,
        "bind a group to one agent, which may ask others (`sessions_send`, `sessions_spawn`)",
    ),
    feature("model_params", model_params, "the model server's own settings hold"),
    feature("network", network, KEEP),
];

/// One that was asked for.
pub struct Asked {
    pub feature: &'static Feature,
    pub what: String,
}

/// What is asked for and not done here.
pub fn asked(config: &Config, env: &Env) -> Vec<Asked> {
    FEATURES.iter().filter_map(|feature| found(feature, config, env)).collect()
}

/// The one of this id, if it was asked for.
pub fn asked_for(id: &str, config: &Config, env: &Env) -> Option<Asked> {
    FEATURES.iter().filter(|feature| feature.id == id).find_map(|feature| found(feature, config, env))
}

fn found(feature: &'static Feature, config: &Config, env: &Env) -> Option<Asked> {
    // A gateway elsewhere has its own configuration.
    if config.str("gateway.mode") == Some("remote") {
        return None;
    }
    Some(Asked { what: (feature.find)(config, env)?, feature })
}

/// All of it on one line, for the log and for people; `None` when everything that is configured is done.
pub fn line(config: &Config, env: &Env) -> Option<String> {
    let asked = asked(config, env);
    let list: Vec<String> = asked.into_iter().map(|asked| asked.what).collect();
    (!list.is_empty()).then(|| list.join(", "))
}

/// `n` things with their names: `2 channels (a, b)`.
fn counted(names: &[String], noun: &str) -> Option<String> {
    let plural = if names.len() == 1 { "" } else { "s" };
    let listed = || {
        let first: Vec<String> = names.iter().take(MOST_NAMES).map(|name| plain(name)).collect();
        let rest = names.len().saturating_sub(MOST_NAMES);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!(" ({}{more})", first.join(", "))
    };
    (!names.is_empty()).then(|| format!("{} {noun}{plural}{}", names.len(), listed()))
}

/// A text of the configuration as it may stand in a line of the log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || "-_./:@".contains(*c)).take(40).collect()
}

fn some(parts: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn said(is: bool, what: &str) -> Option<String> {
    is.then(|| what.to_string())
}

/// Whether a section is there and not switched off.
fn is_on(config: &Config, path: &str) -> bool {
    config.get(path).is_some_and(is_asked)
}

/// Whether a value asks for something: neither empty nor off.
fn is_asked(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Object(map) => !map.is_empty() && map.get("enabled") != Some(&Value::Bool(false)),
        Value::Array(list) => !list.is_empty(),
        Value::String(text) => !text.is_empty() && text != "off",
        _ => true,
    }
}

/// The names of a map's entries that are on.
fn names(config: &Config, path: &str) -> Vec<String> {
    let map = config.get(path).and_then(Value::as_object).into_iter().flatten();
    map.filter(|(_, value)| is_asked(value)).map(|(name, _)| name.clone()).collect()
}

/// The entries of `agents.list` and the agents' defaults.
fn agents(config: &Config) -> impl Iterator<Item = &Map<String, Value>> {
    let list = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
    config.get("agents.defaults").into_iter().chain(list).filter_map(Value::as_object)
}

/// Whether an agent, or all of them, have something at `member` that asks for `what`.
fn any_agent(config: &Config, member: &str, fits: impl Fn(&Value) -> bool) -> bool {
    agents(config).any(|agent| agent.get(member).is_some_and(&fits))
}

fn channels(config: &Config, env: &Env) -> Option<String> {
    let map = config.get("channels").and_then(Value::as_object).into_iter().flatten();
    let is_meant = |name: &str, value: &Value| {
        let is_on = name != "defaults" && value.get("enabled") != Some(&Value::Bool(false));
        is_on && !is_spoken_for(config, env, name)
    };
    let mut found: Vec<String> =
        map.filter(|(name, value)| is_meant(name, value)).map(|(name, _)| name.clone()).collect();
    // A number that was linked runs in the original without a section of its own.
    let linked = env.state_dir.join("credentials").join("whatsapp");
    let is_linked = std::fs::read_dir(linked).is_ok_and(|mut accounts| accounts.next().is_some());
    let is_off = !config.bool("web.enabled") || config.is_set("channels.whatsapp");
    if is_linked && !is_off {
        found.push("whatsapp".to_string());
    }
    counted(&found, "channel")
}

fn hooks(config: &Config, _: &Env) -> Option<String> {
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

fn exec(config: &Config, _: &Env) -> Option<String> {
    said(config.bool("commands.bash"), "commands from chats (commands.bash)")
}

fn web_search(config: &Config, _: &Env) -> Option<String> {
    let is_grok = config.str("tools.web.search.provider") == Some("grok");
    said(is_grok && is_on(config, "tools.web.search"), "web search by Grok")
}

fn media(config: &Config, _: &Env) -> Option<String> {
    some([
        said(is_on(config, "audio") || is_on(config, "tools.media"), "transcription"),
        said(is_on(config, "messages.tts"), "spoken replies"),
        said(is_on(config, "talk"), "voice talk"),
    ])
}

fn memory(config: &Config, _: &Env) -> Option<String> {
    let search = any_agent(config, "memorySearch", is_asked) || is_on(config, "memory");
    let flush =
        any_agent(config, "compaction", |compaction| compaction.get("memoryFlush").is_some_and(is_asked));
    some([said(search, "search by embeddings"), said(flush, "memory flush")])
}

/// What is a plugin there and a part of this program: the memory's tools, and channels.
fn plugins(config: &Config, env: &Env) -> Option<String> {
    let is_off = config.is_set("plugins.enabled") && !config.bool("plugins.enabled");
    let mut plugins = if is_off { Vec::new() } else { names(config, "plugins.entries") };
    plugins.retain(|name| name != "memory-core" && !is_spoken_for(config, env, name));
    let load = !is_off && plugins.is_empty() && is_on(config, "plugins.load");
    some([counted(&plugins, "plugin"), said(load, "plugins")])
}

fn broadcast(config: &Config, _: &Env) -> Option<String> {
    said(names(config, "broadcast").iter().any(|name| name != "strategy"), "broadcast groups")
}

fn model_params(config: &Config, _: &Env) -> Option<String> {
    let of_models = any_agent(config, "models", |models| {
        models
            .as_object()
            .is_some_and(|models| models.values().any(|m| m.get("params").is_some_and(is_asked)))
    });
    some([
        said(of_models || any_agent(config, "params", is_asked), "parameters of models"),
        said(any_agent(config, "cliBackends", is_asked), "models behind programs (cliBackends)"),
        said(any_agent(config, "contextPruning", is_asked), "context pruning"),
    ])
}

fn network(config: &Config, _: &Env) -> Option<String> {
    some([
        said(config.bool("discovery.wideArea.enabled"), "wide-area discovery"),
        said(config.bool("env.shellEnv.enabled"), "variables of the login shell"),
        said(is_on(config, "diagnostics"), "diagnostics export"),
    ])
}

#[cfg(test)]
#[path = "features_tests.rs"]
mod tests;
