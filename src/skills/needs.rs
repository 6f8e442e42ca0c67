//! What a skill needs of the machine and the configuration, what of it is missing, and how to get it by hand. Nothing is
//! installed here. Looks at files; any thread but the state's.
use super::{Skill, one_line};
use crate::agents::Agents;
use crate::config::Config;
use crate::env::Env;
use crate::json::json;
use rustix::fs::{Access, access};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// What a skill may ask for: programs, one of several programs, variables, keys of the configuration, a system.
pub const KINDS: [&str; 5] = ["bins", "anyBins", "env", "config", "os"];
const MAX_ITEMS: usize = 50;
const MAX_ITEM: usize = 200;
/// What of an installer's entry names the package, and the command before it.
const INSTALLERS: [(&str, &str, &str); 6] = [
    ("brew", "formula", "brew install"),
    ("apt", "package", "sudo apt install"),
    ("node", "package", "npm install -g"),
    ("go", "module", "go install"),
    ("uv", "package", "uv tool install"),
    ("download", "url", "download"),
];

/// What it asks for of one kind.
pub fn wanted(skill: &Skill, kind: &str) -> Vec<String> {
    let from = if kind == "os" { Some(&skill.meta) } else { skill.meta.get("requires") };
    texts(from.and_then(|from| from.get(kind)))
}

/// A list of texts, or one with commas.
fn texts(value: Option<&Value>) -> Vec<String> {
    let each: Vec<&str> = match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    let each = each.into_iter().map(|text| one_line(text, MAX_ITEM)).filter(|text| !text.is_empty());
    each.take(MAX_ITEMS).collect()
}

/// What of one kind is not there for an agent.
fn missing(skill: &Skill, agents: &Agents, agent: &str, kind: &str) -> Vec<String> {
    // Its author wants it named without what else it asks for, which is not to say on another system.
    if kind != "os" && skill.meta.get("always") == Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let mut wanted = wanted(skill, kind);
    let has = |name: &String| match kind {
        "bins" | "anyBins" => has_program(&dirs(agents, agent), name),
        "env" => has_variable(skill, agents, name),
        "config" => is_set(agents, name),
        _ => name == platform(),
    };
    match kind {
        "anyBins" | "os" if wanted.iter().any(has) => wanted.clear(),
        "anyBins" | "os" => {}
        _ => wanted.retain(|name| !has(name)),
    }
    wanted
}

pub fn all_missing(skill: &Skill, agents: &Agents, agent: &str) -> Map<String, Value> {
    KINDS.iter().map(|kind| (kind.to_string(), missing(skill, agents, agent, kind).into())).collect()
}

pub fn is_ready(skill: &Skill, agents: &Agents, agent: &str) -> bool {
    skill.problem.is_none()
        && skill.is_on(agents.config())
        && KINDS.iter().all(|kind| missing(skill, agents, agent, kind).is_empty())
}

/// Where commands of the agent look for programs, too: its own `tools.exec.pathPrepend`, else the general one.
fn dirs(agents: &Agents, agent: &str) -> Vec<PathBuf> {
    let own = agents.entry(agent).and_then(|entry| entry.pointer("/tools/exec/pathPrepend"));
    let first = own.or_else(|| agents.config().get("tools.exec.pathPrepend")).and_then(Value::as_array);
    let first: Vec<String> =
        first.into_iter().flatten().filter_map(Value::as_str).map(str::to_string).collect();
    agents.env().program_dirs(&first)
}

fn has_program(dirs: &[PathBuf], name: &str) -> bool {
    let is_one = |file: &Path| file.is_file() && access(file, Access::EXEC_OK).is_ok();
    !name.contains('/') && dirs.iter().any(|dir| is_one(&dir.join(name)))
}

fn has_variable(skill: &Skill, agents: &Agents, name: &str) -> bool {
    let config = agents.config();
    let is_said = |value: Option<&Value>| value.is_some_and(|value| value.as_str() != Some(""));
    agents.env().var(name).is_some_and(|value| !value.is_empty())
        || is_said(config.get_in(&["skills", "entries", &skill.key, "env", name]))
        || (primary(skill).is_some_and(|primary| primary == name) && is_said(skill.setting(config, "apiKey")))
}

impl Skill {
    /// The variables that the configuration keeps for it, with the key by its name.
    pub fn variables(&self, config: &Config) -> Vec<(String, String)> {
        let own = self.setting(config, "env").and_then(Value::as_object).into_iter().flatten();
        let mut all: Vec<(String, String)> =
            own.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_string()))).collect();
        let key = self.setting(config, "apiKey").and_then(Value::as_str);
        if let (Some(name), Some(key)) = (primary(self), key)
            && all.iter().all(|(known, _)| known != name)
        {
            all.push((name.to_string(), key.to_string()));
        }
        all.retain(|(_, value)| !value.is_empty());
        all
    }
}

/// The variable that the skill's `apiKey` is for.
pub fn primary(skill: &Skill) -> Option<&str> {
    skill.meta.get("primaryEnv").and_then(Value::as_str).filter(|name| is_plain(name))
}

/// Whether a key of the configuration says something.
pub fn is_set(agents: &Agents, path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').filter(|part| !part.is_empty()).collect();
    let config = agents.config();
    let whole = Some(config.whole());
    let written = parts.iter().fold(whole, |value, part| value.and_then(|value| value.get(part)));
    match written.or_else(|| config.default_in(&parts)) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(_) => true,
    }
}

/// In the words of the original.
fn platform() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

/// A word that may stand in a command that somebody copies: a skill's author is a stranger.
fn is_plain(word: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "@/._+:-=~%".contains(c);
    !word.is_empty() && !word.starts_with('-') && word.chars().all(is_fit)
}

/// The ways to install what it needs on this system; first those whose program is here.
pub fn installers(skill: &Skill, env: &Env) -> Vec<Value> {
    let each = skill.meta.get("install").and_then(Value::as_array).into_iter().flatten().take(MAX_ITEMS);
    let mut found: Vec<(bool, Value)> = Vec::new();
    for (place, entry) in each.enumerate() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(|text| one_line(text, MAX_ITEM));
        let (systems, kind) = (texts(entry.get("os")), text("kind").unwrap_or_default());
        let Some((_, member, begin)) = INSTALLERS.iter().find(|(name, ..)| *name == kind) else { continue };
        if !systems.is_empty() && !systems.iter().any(|system| system == platform()) {
            continue;
        }
        let command = text(member).filter(|word| is_plain(word)).map(|word| format!("{begin} {word}"));
        let program = begin.trim_start_matches("sudo ").split(' ').next().unwrap_or_default();
        let is_here = has_program(&env.program_dirs(&[]), program);
        let label = text("label").or_else(|| command.clone()).unwrap_or_else(|| format!("Install by {kind}"));
        let id = text("id").unwrap_or_else(|| format!("{kind}-{place}"));
        let bins = texts(entry.get("bins"));
        let row = json!({"id": id, "kind": kind, "label": label, "bins": bins, "command": command});
        found.push((!is_here, row));
    }
    crate::order::by(&mut found, |a, b| a.0.cmp(&b.0));
    found.into_iter().map(|(_, row)| row).collect()
}

/// All programs it names, also those that one of its ways to install would bring.
pub fn programs(skill: &Skill) -> Vec<String> {
    let install = skill.meta.get("install").and_then(Value::as_array).into_iter().flatten().take(MAX_ITEMS);
    let mut names = [wanted(skill, "bins"), wanted(skill, "anyBins")].concat();
    names.extend(install.flat_map(|entry| texts(entry.get("bins"))));
    names
}

/// What to do by hand about what is missing, a sentence each.
pub fn by_hand(skill: &Skill, env: &Env, missing: &Map<String, Value>) -> Vec<String> {
    let mut told = Vec::new();
    let of = |kind: &str| texts(missing.get(kind));
    let programs = [of("bins"), of("anyBins")].concat();
    if !programs.is_empty() {
        let ways = installers(skill, env);
        let ways: Vec<&str> = ways.iter().filter_map(|way| way.get("command")?.as_str()).collect();
        told.push(match ways.is_empty() {
            true => format!("put {} into a folder of the gateway's PATH", programs.join(", ")),
            false => format!("on the gateway's host: {}", ways.join("; or: ")),
        });
    }
    for name in of("env") {
        let key = if primary(skill) == Some(&*name) { "apiKey".into() } else { format!("env.{name}") };
        told.push(format!(
            "give {name} to the gateway's environment, or set skills.entries.{}.{key}",
            skill.key
        ));
    }
    told.extend(of("config").into_iter().map(|key| format!("set {key} in the configuration")));
    let systems = of("os");
    if !systems.is_empty() {
        told.push(format!("it is for {} only", systems.join(", ")));
    }
    told
}
