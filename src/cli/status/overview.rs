//! The lines at the top of `openclaw status`: what runs here, who serves and what waits.
use super::{Look, Word, trouble};
use crate::agents::Agents;
use crate::agents::profiles;
use crate::channels::told::Teller;
use crate::cli::VERSION;
use crate::cli::gateway::now;
use crate::cli::print::age;
use crate::cli::sessions::Row;
use crate::clock;
use crate::config::{Config, remedy};
use crate::device::pairing::Pairing;
use crate::doctor::unsupported;
use crate::env::Env;
use crate::error::Kind;
use crate::files;
use crate::models::catalogue;
use crate::models::provider::Provider;
use crate::sessions::newer;
use crate::tls::Place;
use serde_json::Value;

/// One line.
pub struct Line {
    pub name: &'static str,
    pub value: String,
    /// It is there where all is well, too.
    pub is_usual: bool,
}

fn usual(name: &'static str, value: String) -> Line {
    Line { name, value, is_usual: true }
}

fn notable(name: &'static str, value: String) -> Line {
    Line { name, value, is_usual: false }
}

/// All of them, from the top.
pub fn lines(look: &Look) -> Vec<Line> {
    let (env, config, gateway) = (&look.env, &look.config, &look.gateway);
    let mode = look.mode().filter(|mode| look.elsewhere.is_none() || *mode == "remote");
    let nobody = if look.elsewhere.is_some() { "elsewhere" } else { "unset" };
    let mode = mode.unwrap_or(if look.word == Word::Nobody { "mode unknown" } else { nobody });
    let address = gateway.target.as_ref().map_or(String::new(), |t| format!(" · {} ({})", t.url, t.source));
    let mut rows = vec![
        usual("OpenClaw", format!("{VERSION} · {} {}", std::env::consts::OS, std::env::consts::ARCH)),
        usual("Config", format!("{}{}", env.display(&env.config_path), of_file(env, config))),
    ];
    rows.extend(config.issues().first().map(|issue| notable("Fix", remedy(env, issue))));
    rows.extend([
        usual("State", env.display(&env.state_dir)),
        usual("Gateway", format!("{mode}{address} · {}", reached(look))),
        usual("Service", look.unit.summary()),
    ]);
    let summary = gateway.summary.as_ref();
    rows.extend(summary.and_then(now::process).map(|text| usual("Process", text)));
    rows.extend(summary.and_then(now::today).map(|text| usual("Today", text)));
    let shown = Place::of(config, env).filter(|_| look.elsewhere.is_none()).and_then(|p| p.facts().ok());
    rows.extend(shown.map(|facts| notable("TLS", facts.describe())));
    if look.elsewhere.is_some() {
        let whose = "Config, State and Service are this machine's; what follows is the gateway's";
        rows.push(notable("Elsewhere", whose.to_string()));
    }
    rows.extend(model(look));
    let is_told = look.word != Word::Gateway || gateway.told.is_some();
    if look.word != Word::Nobody && is_told {
        let ids: Vec<&str> = look.agents.iter().map(|agent| agent.id.as_str()).collect();
        rows.push(usual("Agents", ids.join(", ")));
    }
    rows.extend(gateway.told.as_ref().and_then(heartbeats).map(|all| usual("Heartbeat", all)));
    if is_told {
        rows.push(sessions(look));
    }
    let main = look.agents.iter().find(|agent| agent.id == look.default_id).and_then(|agent| {
        let key = format!("agent:{}:main", agent.id);
        agent.sessions.iter().find(|row| row.key == key)
    });
    rows.extend(main.and_then(Row::fallback).map(|fallback| notable("Fallback", fallback)));
    if look.elsewhere.is_none() {
        rows.extend(channels(env, config).map(|line| usual("Channels", line)));
        rows.extend(
            pairing(env).into_iter().map(|command| notable("Pairing", format!("a request waits: {command}"))),
        );
        let doctor = env.command("doctor --only unsupported");
        let all = unsupported::line(config, env);
        rows.extend(
            all.map(|all| notable("Not here", format!("{all}: not in this version; {doctor} says more"))),
        );
    }
    let troubles = gateway.channels.as_ref().map(|told| trouble::lines(told, clock::now_ms()));
    rows.extend(troubles.into_iter().flatten().map(|line| notable("Channels", line)));
    rows.extend(next(look).map(|next| notable("Next", next)));
    rows
}

/// How often agents look after things by themselves.
fn heartbeats(told: &Value) -> Option<String> {
    let row = |agent: &Value| {
        let text = |name: &str| Some(agent.get(name)?.as_str()?.to_string());
        let is_on = agent.get("enabled") == Some(&Value::Bool(true));
        let every = if is_on { text("every")? } else { "disabled".to_string() };
        Some(format!("{every} ({})", text("agentId")?))
    };
    let agents = told.pointer("/heartbeat/agents")?.as_array()?;
    Some(agents.iter().filter_map(row).collect::<Vec<_>>().join(", "))
}

/// The channels that are on, each with its accounts.
fn channels(env: &Env, config: &Config) -> Option<String> {
    let default = Agents::of(config, env).default_id();
    let lines = Teller { config, env, board: None, default_agent: &default }.lines();
    let one = lines.iter().map(|line| line.trim().replace("- ", "")).collect::<Vec<_>>().join(", ");
    (!lines.is_empty()).then_some(one)
}

/// What is wrong with the file, behind its name.
fn of_file(env: &Env, config: &Config) -> String {
    match config.issues().first() {
        Some(issue) => format!(" (invalid: {})", issue.located()),
        None => match env.config_path.try_exists() {
            Ok(true) => String::new(),
            Ok(false) => " (not there yet)".to_string(),
            // It may well be there, for somebody else.
            Err(e) => format!(" (cannot be read: {e})"),
        },
    }
}

fn reached(look: &Look) -> String {
    let gateway = &look.gateway;
    match (&gateway.latency_ms, &gateway.error) {
        (Some(ms), _) => {
            let version = gateway.version.as_deref().map_or(String::new(), |v| format!(" · version {v}"));
            let host = gateway.host.as_deref().map_or(String::new(), |h| format!(" · {h}"));
            format!("reachable {ms}ms{version}{host}")
        }
        (None, Some(error)) => {
            let why = error.message().lines().next().unwrap_or_default();
            // It answered, if only to say no.
            match error.kind {
                Kind::Unauthorized | Kind::NotPaired | Kind::RateLimited => {
                    format!("answers, but refuses this command ({why})")
                }
                _ => format!("unreachable ({why})"),
            }
        }
        (None, None) => "unreachable".to_string(),
    }
}

fn sessions(look: &Look) -> Line {
    let count: u64 = look.agents.iter().map(|agent| agent.count).sum();
    let last = super::agents::newest(&look.agents).first().map(|row| row.updated_at);
    let active = last.map_or(String::new(), |at| {
        format!(" · last active {} ago", age(clock::now_ms().saturating_sub(at)))
    });
    let ids = || Agents::of(&look.config, &look.env).ids();
    let of_newer = look.word != Word::Gateway && !newer::databases(&look.env.state_dir, &ids()).is_empty();
    let newer = if of_newer { " · those of a newer release are not read (see doctor)" } else { "" };
    let lost = look.agents.iter().filter(|agent| agent.unread.is_some()).map(|agent| agent.id.as_str());
    let lost = lost.collect::<Vec<_>>().join(", ");
    let lost = if lost.is_empty() { lost } else { format!(" · those of {lost} cannot be read") };
    let value = format!("{count}{active}{lost}{newer}");
    Line { name: "Sessions", value, is_usual: lost.is_empty() && newer.is_empty() }
}

/// The model that answers, what takes over, and what keeps it from being used; `None` where nobody says.
fn model(look: &Look) -> Option<Line> {
    let (env, config) = (&look.env, &look.config);
    match look.word {
        Word::Nobody => return Some(notable("Model", "unknown: the config cannot be used".to_string())),
        Word::Gateway => {
            let told = look.gateway.told.as_ref()?;
            let model = told.pointer("/sessions/defaults/model")?.as_str()?;
            return Some(usual("Model", model.to_string()));
        }
        Word::Files => {}
    }
    let agents = Agents::of(config, env);
    let (chosen, fallbacks) = (agents.answering(&look.default_id), agents.fallbacks(&look.default_id));
    let then = if fallbacks.is_empty() { String::new() } else { format!(", then {}", fallbacks.join(", ")) };
    profiles::look(config, env);
    let wrong = match Provider::resolve(config, env, &chosen) {
        Ok(provider) if catalogue::lacks_key(&provider) => " · its key is missing".to_string(),
        Ok(_) => String::new(),
        Err(error) => format!(" · {error}"),
    };
    let more = if wrong.is_empty() { "" } else { "; models status says more" };
    Some(Line { name: "Model", value: format!("{chosen}{then}{wrong}{more}"), is_usual: wrong.is_empty() })
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

/// What to do next, if anything is to be done.
fn next(look: &Look) -> Option<String> {
    let error = look.gateway.error.as_ref()?;
    if files::is_missing(&look.env.config_path) {
        return Some(look.env.command("setup"));
    }
    error.message().lines().find_map(|line| line.strip_prefix("Fix: ")).map(str::to_string)
}
