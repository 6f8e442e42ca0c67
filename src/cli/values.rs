//! `openclaw __values`: the words that completion offers where no closed list stands, a line each.
//!
//! For the scripts of `complete.rs` alone, so no help names it. It reads files of this machine; only a gateway elsewhere is
//! asked (`values/elsewhere.rs`). What cannot be read offers nothing.
mod elsewhere;

use super::devices::local;
use super::parse::Args;
use super::sessions::row::Row;
use super::sessions::stores;
use super::{Command, Context, Flag, Positional, far, schema};
use crate::agents::Agents;
use crate::channels;
use crate::clock;
use crate::config::keys::Type;
use crate::config::{Config, keys, lookup, path};
use crate::cron;
use crate::doctor::CHECKS;
use crate::env::Env;
use crate::error::Result;
use crate::methods;
use crate::models::catalogue;
use serde_json::Value;

const KINDS: &[&str] = &[
    "agents", "channels", "checks", "choices", "devices", "ids", "jobs", "keys", "methods", "models",
    "named", "nodes", "profiles", "requests", "schemas", "sessions",
];
/// More sessions are not offered: the newest, then.
const MOST: usize = 200;
/// Letters of an id that was made up.
const UUID: usize = 36;

pub const COMMAND: Command = Command {
    name: "__values",
    summary: "List what completion offers of a kind",
    about: "",
    positionals: &[Positional { name: "kind", required: true, choices: KINDS }, Positional::optional("of")],
    flags: &[],
    examples: &[("openclaw __values agents", "List the agents")],
    failure: "",
    run,
};

/// The kind of an option's values.
pub fn of_flag(flag: &Flag) -> Option<&'static str> {
    match flag.long {
        "agent" => Some("agents"),
        "session-id" => Some("ids"),
        "session" | "session-key" => Some("sessions"),
        "channel" => Some("channels"),
        "device" => Some("devices"),
        "id" => Some("jobs"),
        "model" => Some("models"),
        "node" => Some("nodes"),
        "only" => Some("checks"),
        "profile" => Some("profiles"),
        _ => None,
    }
}

/// The kind of a command's argument.
pub fn of_argument(command: &Command) -> Option<&'static str> {
    let argument = |positional: &Positional| match (command.name, positional.name) {
        (_, "channel") => Some("channels"),
        (_, "method") => Some("methods"),
        (_, "model") => Some("models"),
        (command, "path") if command.starts_with("config ") => Some("keys"),
        ("agents delete", _) => Some("agents"),
        (command, "session") if command.starts_with("sessions ") => Some("named"),
        (command, "id") if command.starts_with("cron ") => Some("jobs"),
        ("devices rename", "device") => Some("devices"),
        (_, "request-id") => Some("requests"),
        ("protocol schema", _) => Some("schemas"),
        _ => None,
    };
    command.positionals.iter().find_map(argument)
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_string).collect();
    let kind = args.positional(0).unwrap_or_default();
    let far = far::configured(&env, &config).and_then(|_| elsewhere::values(context, args, kind));
    let values: Vec<String> = match kind {
        _ if far.is_some() => far.unwrap_or_default(),
        "choices" => choices(args.positional(1).unwrap_or_default()),
        "checks" => checks(),
        "agents" => Agents::of(&config, &env).ids(),
        "devices" => devices(&env, "paired", "deviceId"),
        "jobs" => jobs(&config, &env),
        "requests" => devices(&env, "pending", "requestId"),
        "ids" => sessions(&config, &env).iter().map(|row| row.text("sessionId")).collect(),
        "named" => sessions(&config, &env).iter().flat_map(names).collect(),
        "sessions" => sessions(&config, &env).into_iter().map(|row| row.key).collect(),
        "channels" => owned(channels::here(&config).map(|channel| channel.id).collect()),
        "keys" => owned(keys::all().map(|key| key.path).filter(|path| !path.contains('*')).collect()),
        "methods" => owned(methods::names()),
        "models" => models(&config),
        "nodes" => nodes(&env),
        "profiles" => profiles(&env),
        "schemas" => owned(methods::schemas().map(schema::name).collect()),
        _ => Vec::new(),
    };
    values.iter().filter(|value| is_plain(value)).for_each(|value| context.out.whole(value));
    Ok(())
}

/// Checks of `doctor`, each behind its family.
fn checks() -> Vec<String> {
    let mut names: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    names.extend(CHECKS.iter().filter_map(|check| Some(check.id.split_once('.')?.0)));
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(str::to_string).collect()
}

/// What a key of the configuration takes, where that is a closed list.
fn choices(key: &str) -> Vec<String> {
    let names = path::parse(key).unwrap_or_default();
    let kind = lookup::find(names.iter().map(String::as_str)).map(|node| node.kind());
    let words: &[&str] = match kind {
        Some(Type::Enum(words)) => words,
        Some(Type::Bool) => &["true", "false"],
        _ => &[],
    };
    words.iter().map(|word| word.to_string()).collect()
}

/// Shells read what is offered as words of theirs, and names of sessions, jobs and devices are others' words.
fn is_plain(value: &str) -> bool {
    value.trim() == value
        && !value.is_empty()
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b" ._:/@+=,%-".contains(&b))
}

/// What a session is called where a command asks for one.
fn names(row: &Row) -> Vec<String> {
    let rest = row.key.splitn(3, ':').nth(2).unwrap_or_default().to_string();
    // Nobody chose a longer one.
    let id = Some(row.text("sessionId")).filter(|id| id.len() < UUID);
    [row.text("label"), rest, row.key.clone()].into_iter().chain(id).collect()
}

/// The newest first.
fn sessions(config: &Config, env: &Env) -> Vec<Row> {
    let agents = Agents::of(config, env);
    let stores = agents.ids().into_iter().map(|id| agents.session_store(&id));
    let mut rows: Vec<_> = stores.flat_map(|path| stores::read(&path).unwrap_or_default()).collect();
    crate::order::by_key(&mut rows, |row| std::cmp::Reverse(row.updated_at));
    rows.truncate(MOST);
    rows
}

fn jobs(config: &Config, env: &Env) -> Vec<String> {
    let found = cron::store::read(&cron::store::Place::of(config, env).jobs).unwrap_or_default();
    let id = |job: &Value| Some(job.get("id")?.as_str()?.to_string());
    found.jobs.iter().filter_map(id).collect()
}

fn devices(env: &Env, list: &str, member: &str) -> Vec<String> {
    let listed = local::apply(&env.state_dir, "device.pair.list", &Value::Null, clock::now_ms());
    ids_of(&listed.unwrap_or_default(), list, member)
}

/// One member of all in a list.
fn ids_of(told: &Value, list: &str, member: &str) -> Vec<String> {
    let id = |one: &Value| Some(one.get(member)?.as_str()?.to_string());
    told.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(id).collect()
}

fn nodes(env: &Env) -> Vec<String> {
    let listed = local::apply(&env.state_dir, "device.pair.list", &Value::Null, clock::now_ms());
    nodes_in(&listed.unwrap_or_default())
}

/// The names of devices that are nodes, or their ids.
fn nodes_in(listed: &Value) -> Vec<String> {
    let is_node = |device: &&Value| {
        let roles = device.get("roles").and_then(Value::as_array).into_iter().flatten();
        roles.chain(device.get("role")).any(|role| role == "node")
    };
    let name = |device: &Value| {
        let text = |name: &str| device.get(name).and_then(Value::as_str).map(str::to_string);
        text("displayName").filter(|name| is_plain(name)).or_else(|| text("deviceId"))
    };
    let devices = listed.get("paired").and_then(Value::as_array).into_iter().flatten();
    devices.filter(is_node).filter_map(name).collect()
}

fn models(config: &Config) -> Vec<String> {
    let aliases = catalogue::aliases(config).into_iter().map(|(alias, _)| alias.to_string());
    catalogue::all(config).iter().map(|listed| listed.reference()).chain(aliases).collect()
}

/// The profiles that have a state directory.
fn profiles(env: &Env) -> Vec<String> {
    let entries = std::fs::read_dir(&env.home).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
    let names = dirs.filter_map(|dir| Some(dir.to_str()?.strip_prefix(".openclaw-")?.to_string()));
    let mut names: Vec<String> = names.collect();
    crate::order::sort(&mut names);
    names
}
