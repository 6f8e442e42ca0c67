//! `openclaw status`: the state of this installation at a glance, with the gateway up or down.
//!
//! Reads the config and the session stores itself and asks the gateway whether it answers. It changes
//! nothing and succeeds even when the gateway is down; a broken config is shown, not fatal.
pub mod all;
pub mod health;
use super::gateway::unit::Unit;
use super::gateway::usage;
use super::link::connect::connect;
use super::link::rpc;
use super::link::target::{Target, settings};
use super::parse::Args;
use super::print::age;
use super::sessions::{Row, default_agent, read, show, store_path};
use super::status::health::lines as health_lines;
use super::waiting::Waiting;
use super::{Command, Context, Flag, JSON, VERSION, far};
use crate::agents::Agents;
use crate::clock;
use crate::config::Config;
use crate::config::ports::{self, Ports};
use crate::device::pairing::Pairing;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::models::catalogue;
use crate::models::catalogue::MODEL;
use crate::models::profiles;
use crate::models::provider::Provider;
use crate::session_key::normalise_agent_id;
use crate::sessions::newer;
use crate::unsupported;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Instant;

pub const COMMAND: Command = Command {
    name: "status",
    summary: "Show the configuration, the gateway, agents and sessions",
    about: "Works with the gateway down, and exits 0 then as well.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw status", "Show everything at a glance"),
        ("openclaw status --json", "Print it as JSON for scripts"),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "List all sessions and agents, and add a diagnosis to paste into a report"),
    Flag::switch("deep", "Add the gateway's health snapshot, channels probed"),
    Flag::switch("usage", "Add what the models used in the last 30 days"),
    JSON,
];

/// Sessions listed without `--all`.
const RECENT: usize = 10;
/// Days that `--usage` counts.
const USAGE_DAYS: u64 = 30;

/// One agent and its sessions.
struct Agent {
    id: String,
    name: Option<String>,
    workspace: PathBuf,
    store: PathBuf,
    sessions: Vec<Row>,
}

/// Whose word counts on models, agents and sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The files of this host.
    Files,
    /// The gateway, which is elsewhere or runs with an earlier configuration than the file's.
    Gateway,
    /// Nobody: the file cannot be used, and no gateway says what it uses.
    Nobody,
}

/// What asking the gateway gave.
#[derive(Default)]
struct Gateway {
    target: Option<Target>,
    latency_ms: Option<u64>,
    version: Option<String>,
    host: Option<String>,
    /// The snapshot it gave at the start.
    snapshot: Value,
    /// What it says of its sessions, where its files are not here or not those it runs with.
    told: Option<Value>,
    health: Option<Value>,
    usage: Option<Value>,
    cost: Option<Value>,
    error: Option<Error>,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut env = context.env.clone();
    let is_lost = Config::load(&mut env.clone()).is_err();
    let (config, config_error) = match settings(&mut env) {
        Ok(config) => (config, None),
        Err(error) => (Config::inspect(&mut env), Some(error)),
    };
    // What lies here is not that of a gateway elsewhere.
    let is_elsewhere = far::address(&env, &config).is_some();
    let agents = if is_elsewhere { Vec::new() } else { agents(&env, &config)? };
    let waiting = Waiting::begin(context.out, "asking the gateway");
    let gateway = match &config_error {
        Some(error) if args.value("url").is_none() => {
            Gateway { error: Some(error.clone()), ..Gateway::default() }
        }
        _ => ask(context, args, &env, &config)?,
    };
    drop(waiting);
    let word = match gateway.told {
        _ if is_elsewhere => Word::Gateway,
        Some(_) => Word::Gateway,
        None if is_lost => Word::Nobody,
        None => Word::Files,
    };
    let unit = Unit::inspect(&env, args.has("all"))?;
    if args.has("json") {
        context.out.json(&as_json(&env, &config, &agents, &gateway, &unit, word));
        return Ok(());
    }
    for (name, value) in overview(context, &env, &config, &agents, &gateway, &unit, word) {
        context.out.field(name, &value);
    }
    if args.has("all") {
        context.out.line("");
        context.out.table(
            &["Agent", "Sessions", "Active", "Store"],
            &agents.iter().map(agent_row).collect::<Vec<_>>(),
        );
    }
    let mut rows: Vec<Row> = agents.into_iter().flat_map(|agent| agent.sessions).collect();
    crate::order::by_key(&mut rows, |row| std::cmp::Reverse(row.updated_at));
    if !args.has("all") {
        rows.truncate(RECENT);
    }
    context.out.line("");
    if is_elsewhere {
        let list = env.command("sessions");
        context.out.line(format!("the sessions are at the gateway: {list}"));
    } else if rows.is_empty() {
        context.out.line("no sessions yet");
    } else {
        show(context, &rows, clock::now_ms());
    }
    if let Some(health) = &gateway.health {
        context.out.heading("\nHealth");
        health_lines(health).iter().for_each(|line| context.out.line(line));
    }
    if let Some(cost) = &gateway.cost {
        context.out.heading("\nUsage");
        usage::lines(cost, USAGE_DAYS).iter().skip(1).for_each(|line| context.out.line(line));
    }
    if args.has("all") {
        let is_up = gateway.latency_ms.is_some();
        all::show(context, &env, &config, &unit, gateway.target.as_ref(), is_up);
    }
    Ok(())
}

fn agent_row(agent: &Agent) -> Vec<String> {
    let active = agent.sessions.first().map(|row| age(clock::now_ms().saturating_sub(row.updated_at)));
    let active = active.map_or("never".to_string(), |age| format!("{age} ago"));
    vec![agent.id.clone(), agent.sessions.len().to_string(), active, agent.store.display().to_string()]
}

fn agents(env: &Env, config: &Config) -> Result<Vec<Agent>> {
    let list = config.get("agents.list").and_then(Value::as_array);
    let default = default_agent(config);
    let text = |agent: &Value, key: &str| agent.get(key).and_then(Value::as_str).map(str::to_string);
    let mut known: Vec<(String, Option<String>, Option<String>)> = Vec::new();
    for agent in list.into_iter().flatten() {
        if let Some(id) = text(agent, "id") {
            known.push((normalise_agent_id(&id), text(agent, "name"), text(agent, "workspace")));
        }
    }
    if known.is_empty() {
        known.push((default, None, None));
    }
    let shared = || config.str("agents.defaults.workspace").map(str::to_string);
    let agent = |(id, name, own): (String, Option<String>, Option<String>)| {
        let workspace = own.or_else(shared).map_or_else(|| env.default_workspace(), |dir| env.expand(&dir));
        let store = store_path(env, config, &id);
        // A store that cannot be read counts as empty here; `openclaw sessions` says what is wrong with it.
        let sessions = read(&store).unwrap_or_default();
        Ok(Agent { id, name, workspace, store, sessions })
    };
    known.into_iter().map(agent).collect()
}

/// Connects and says what the gateway told; only a wrong command line is an error.
fn ask(context: &Context, args: &Args, env: &Env, config: &Config) -> Result<Gateway> {
    let target = match Target::resolve(env, config, args) {
        Ok(target) => target,
        Err(error) => return Ok(Gateway { error: Some(error), ..Gateway::default() }),
    };
    let deadline = rpc::deadline(context, args)?;
    let started = Instant::now();
    let mut gateway = Gateway { target: Some(target.clone()), ..Gateway::default() };
    match connect(&target, &env.state_dir, &[], deadline) {
        Ok(mut session) => {
            gateway.latency_ms = Some(started.elapsed().as_millis() as u64);
            gateway.version =
                session.hello.pointer("/server/version").and_then(Value::as_str).map(str::to_string);
            let present = session.hello.pointer("/snapshot/presence").and_then(Value::as_array);
            let own = present
                .into_iter()
                .flatten()
                .find(|row| row.get("mode").is_some_and(|mode| mode == "gateway"));
            gateway.host = own.and_then(|row| row.get("host")?.as_str()).map(str::to_string);
            gateway.snapshot = session.hello.pointer("/snapshot/health").cloned().unwrap_or_default();
            let is_elsewhere = far::address(env, config).is_some();
            let is_asked = is_elsewhere || !config.is_valid();
            let more: [(bool, &str, Value, &mut Option<Value>); 4] = [
                (is_asked, "status", json!({}), &mut gateway.told),
                (args.has("deep"), "health", json!({"probe": true}), &mut gateway.health),
                (args.has("usage"), "usage.status", json!({}), &mut gateway.usage),
                (args.has("usage"), "usage.cost", json!({"days": USAGE_DAYS}), &mut gateway.cost),
            ];
            for (_, method, params, slot) in more.into_iter().filter(|(wanted, ..)| *wanted) {
                match rpc::request(&mut session, &target, method, &params, false) {
                    Ok(answer) => *slot = Some(answer),
                    Err(error) => gateway.error = Some(error),
                }
            }
            session.client.close();
        }
        Err(error) => gateway.error = Some(error),
    }
    Ok(gateway)
}

fn overview(
    context: &Context,
    env: &Env,
    config: &Config,
    agents: &[Agent],
    gateway: &Gateway,
    unit: &Unit,
    word: Word,
) -> Vec<(&'static str, String)> {
    let mode =
        mode(config, gateway, word).unwrap_or(if word == Word::Nobody { "mode unknown" } else { "unset" });
    let reached = match (&gateway.latency_ms, &gateway.error) {
        (Some(ms), _) => {
            let version = gateway.version.as_deref().map_or(String::new(), |v| format!(" · version {v}"));
            let host = gateway.host.as_deref().map_or(String::new(), |h| format!(" · {h}"));
            format!("reachable {ms}ms{version}{host}")
        }
        (None, Some(error)) => {
            format!("unreachable ({})", error.message().lines().next().unwrap_or_default())
        }
        (None, None) => "unreachable".to_string(),
    };
    let address = gateway.target.as_ref().map_or(String::new(), |t| format!(" · {} ({})", t.url, t.source));
    let config_file = env.display(&env.config_path);
    let config_note = match config.issues().first() {
        Some(issue) => format!(" (invalid: {})", issue.located()),
        None => match env.config_path.try_exists() {
            Ok(true) => String::new(),
            Ok(false) => " (not there yet)".to_string(),
            // It may well be there, for somebody else.
            Err(e) => format!(" (cannot be read: {e})"),
        },
    };
    let count: usize = agents.iter().map(|agent| agent.sessions.len()).sum();
    let ids: Vec<&str> = agents.iter().map(|agent| agent.id.as_str()).collect();
    let last = agents.iter().flat_map(|agent| &agent.sessions).map(|row| row.updated_at).max();
    let active = last.map_or(String::new(), |at| {
        format!(" · last active {} ago", age(clock::now_ms().saturating_sub(at)))
    });
    let of_newer = !newer::databases(&env.state_dir, &Agents::of(config, env).ids()).is_empty();
    let newer = if of_newer { " · those of a newer release are not read (see doctor)" } else { "" };
    let mut rows = vec![
        ("OpenClaw", format!("{VERSION} · {} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("Config", format!("{config_file}{config_note}")),
        ("State", env.display(&env.state_dir)),
        ("Gateway", format!("{mode}{address} · {reached}")),
        ("Service", unit.summary()),
    ];
    match word {
        Word::Files => rows.extend([
            ("Model", model(env, config)),
            ("Agents", ids.join(", ")),
            ("Sessions", format!("{count}{active}{newer}")),
        ]),
        Word::Nobody => rows.extend([
            ("Model", "unknown: the config cannot be used".to_string()),
            ("Sessions", format!("{count}{active}{newer}")),
        ]),
        // What it does not say is unknown here.
        Word::Gateway => rows.extend(told(gateway)),
    }
    let fix = gateway
        .error
        .as_ref()
        .and_then(|error| error.message().lines().find_map(|l| l.strip_prefix("Fix: ")));
    let next = match (fix, env.config_path.exists()) {
        (_, false) if gateway.error.is_some() => Some(context.env.command("setup")),
        (Some(fix), _) => Some(fix.to_string()),
        (None, _) => None,
    };
    let main = agents.iter().find(|agent| agent.id == default_agent(config)).and_then(|agent| {
        let key = format!("agent:{}:main", agent.id);
        agent.sessions.iter().find(|row| row.key == key)
    });
    rows.extend(main.and_then(Row::fallback).map(|fallback| ("Fallback", fallback)));
    let waiting = if far::address(env, config).is_none() { pairing(env) } else { Vec::new() };
    rows.extend(waiting.into_iter().map(|command| ("Pairing", format!("a request waits: {command}"))));
    let all = far::address(env, config).is_none().then(|| unsupported::line(config, env)).flatten();
    let doctor = env.command("doctor --only unsupported");
    rows.extend(all.map(|all| ("Not here", format!("{all}: not in this version; {doctor} says more"))));
    rows.extend(next.map(|next| ("Next", next)));
    rows
}

/// The mode in force. A gateway of this host that answers was started as one.
fn mode<'a>(config: &'a Config, gateway: &Gateway, word: Word) -> Option<&'a str> {
    let is_here = gateway.target.as_ref().is_some_and(|target| target.bind.is_some());
    match config.str("gateway.mode").filter(|_| word != Word::Nobody) {
        None if word == Word::Gateway && is_here => Some("local"),
        mode => mode,
    }
}

/// The model, agents and sessions as the gateway tells them.
fn told(gateway: &Gateway) -> Vec<(&'static str, String)> {
    let health = &gateway.snapshot;
    let model = gateway.told.as_ref().and_then(|told| told.pointer("/sessions/defaults/model")?.as_str());
    let model = model.map(|model| ("Model", model.to_string()));
    let agents = health.get("agents").and_then(Value::as_array).into_iter().flatten();
    let ids: Vec<&str> = agents.filter_map(|agent| agent.get("agentId")?.as_str()).collect();
    let count = health.pointer("/sessions/count").and_then(Value::as_u64);
    let agents = (!ids.is_empty()).then(|| ("Agents", ids.join(", ")));
    model.into_iter().chain(agents).chain(count.map(|count| ("Sessions", count.to_string()))).collect()
}

/// The model that answers, what takes over, and what keeps it from being used.
fn model(env: &Env, config: &Config) -> String {
    let chosen = catalogue::chosen(config);
    let fallbacks = catalogue::fallbacks(config, MODEL);
    let then = if fallbacks.is_empty() { String::new() } else { format!(", then {}", fallbacks.join(", ")) };
    profiles::look(config, env);
    let wrong = match Provider::resolve(config, env, chosen) {
        Ok(provider) if catalogue::lacks_key(&provider) => " · its key is missing".to_string(),
        Ok(_) => String::new(),
        Err(error) => format!(" · {error}"),
    };
    let look = if wrong.is_empty() { "" } else { "; models status says more" };
    format!("{chosen}{then}{wrong}{look}")
}

/// The window of the model that answers, in tokens.
fn window(env: &Env, config: &Config) -> Option<u64> {
    let own = || Some(Provider::resolve(config, env, catalogue::chosen(config)).ok()?.context_window);
    config.u64("agents.defaults.contextTokens").or_else(own)
}

/// The commands that approve the requests waiting on this host.
fn pairing(env: &Env) -> Vec<String> {
    if !env.state_dir.join("devices/pending.json").exists() {
        return Vec::new();
    }
    let pending = Pairing::new(&env.state_dir).list(clock::now_ms()).map(|l| l.pending).unwrap_or_default();
    let ids = pending.iter().filter_map(|request| request.get("requestId").and_then(Value::as_str));
    ids.map(|id| env.command(&format!("devices approve {id}"))).collect()
}

fn as_json(
    env: &Env,
    config: &Config,
    agents: &[Agent],
    gateway: &Gateway,
    unit: &Unit,
    word: Word,
) -> Value {
    let now = clock::now_ms();
    let target = gateway.target.as_ref();
    let recent = |rows: &mut dyn Iterator<Item = &Row>| {
        let mut rows: Vec<&Row> = rows.collect();
        crate::order::by_key(&mut rows, |row| std::cmp::Reverse(row.updated_at));
        rows.iter().take(RECENT).map(|row| row.to_json(now)).collect::<Vec<_>>()
    };
    let by_agent = agents.iter().map(|agent| {
        json!({
            "agentId": agent.id, "path": agent.store, "count": agent.sessions.len(),
            "recent": recent(&mut agent.sessions.iter()),
        })
    });
    let each = agents.iter().map(|agent| {
        let last = agent.sessions.first().map(|row| row.updated_at);
        json!({
            "id": agent.id, "name": agent.name, "workspaceDir": agent.workspace, "sessionsPath": agent.store,
            "sessionsCount": agent.sessions.len(), "lastUpdatedAt": last,
            "lastActiveAgeMs": last.map(|at| now.saturating_sub(at)),
        })
    });
    let total: usize = agents.iter().map(|agent| agent.sessions.len()).sum();
    let derived = far::address(env, config).is_none();
    let derived = derived.then(|| Ports::of(ports::configured(env, config), env, config).derived_json());
    let mut status = json!({
        "version": VERSION,
        "sessions": {
            "paths": agents.iter().map(|agent| &agent.store).collect::<Vec<_>>(),
            "count": total,
            "defaults": {"model": catalogue::chosen(config), "contextTokens": window(env, config), "fallbacks": catalogue::fallbacks(config, MODEL)},
            "recent": recent(&mut agents.iter().flat_map(|agent| &agent.sessions)),
            "byAgent": by_agent.collect::<Vec<_>>(),
        },
        "os": {"platform": std::env::consts::OS, "arch": std::env::consts::ARCH},
        "config": {"path": env.config_path, "exists": env.config_path.exists(), "issues": config.issues()},
        "stateDir": env.state_dir,
        "gateway": {
            "mode": mode(config, gateway, word).or((word != Word::Nobody).then_some("local")),
            "derivedPorts": derived,
            "url": target.map(|t| t.url.to_string()),
            "urlSource": target.map(|t| t.source.as_str()),
            "misconfigured": target.is_none(),
            "reachable": gateway.latency_ms.is_some(),
            "connectLatencyMs": gateway.latency_ms,
            "self": gateway.version.as_ref().map(|version| json!({"version": version, "host": gateway.host})),
            "error": gateway.error.as_ref().map(|error| error.message().lines().next().unwrap_or_default().to_string()),
        },
        "gatewayService": {
            "label": unit.seen.manager.label(), "installed": unit.seen.installed,
            "loadedText": if unit.seen.loaded { unit.seen.manager.loaded_texts().0 } else { unit.seen.manager.loaded_texts().1 },
            "runtimeShort": unit.runtime_text(),
        },
        "unsupported": unsupported::asked(config, env).into_iter().map(|asked| asked.what).collect::<Vec<_>>(),
        "agents": {"defaultId": default_agent(config), "agents": each.collect::<Vec<_>>(), "totalSessions": total},
    });
    if let (Word::Gateway, Some(map)) = (word, status.as_object_mut()) {
        // Only what the gateway says; where it says nothing, null is the truth.
        let sessions = gateway.told.as_ref().and_then(|told| told.get("sessions").cloned());
        let agents = gateway.snapshot.get("agents").map(|agents| {
            json!({"defaultId": gateway.snapshot.get("defaultAgentId"), "agents": agents,
                "totalSessions": gateway.snapshot.pointer("/sessions/count")})
        });
        map.insert("sessions".into(), sessions.unwrap_or_default());
        map.insert("agents".into(), agents.unwrap_or_default());
        if far::address(env, config).is_some() {
            map.insert("unsupported".into(), Value::Null);
        }
    }
    if word == Word::Nobody {
        for place in ["/sessions/defaults/model", "/sessions/defaults/contextTokens", "/agents/defaultId"] {
            status.pointer_mut(place).map(Value::take);
        }
    }
    for (name, value) in
        [("health", &gateway.health), ("usage", &gateway.usage), ("usageCost", &gateway.cost)]
    {
        if let (Some(map), Some(value)) = (status.as_object_mut(), value) {
            map.insert(name.into(), value.clone());
        }
    }
    status
}
