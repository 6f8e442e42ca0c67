//! `openclaw status --json`: one document, in the shape of the original. What nobody says is null.
use super::{Look, RECENT, Word, agents};
use crate::agents::Agents;
use crate::cli::VERSION;
use crate::clock;
use crate::config::ports::{self, Ports};
use crate::doctor::unsupported;
use crate::files;
use crate::json::json;
use serde_json::Value;

pub fn of(look: &Look) -> Value {
    let (env, config, gateway, unit) = (&look.env, &look.config, &look.gateway, &look.unit);
    let target = gateway.target.as_ref();
    let is_here = look.elsewhere.is_none();
    let derived = is_here.then(|| Ports::of(ports::configured(env, config), env, config).derived_json());
    let unsupported = is_here
        .then(|| unsupported::asked(config, env).into_iter().map(|asked| asked.what).collect::<Vec<_>>());
    let seen = &unit.seen;
    let (loaded, not_loaded) = seen.manager.loaded_texts();
    let mut status = json!({
        "version": VERSION,
        "sessions": sessions(look),
        "os": {"platform": std::env::consts::OS, "arch": std::env::consts::ARCH},
        "config": {"path": env.config_path, "exists": !files::is_missing(&env.config_path), "issues": config.issues()},
        "stateDir": env.state_dir,
        "gateway": {
            "mode": look.mode().or((look.word != Word::Nobody).then_some("local")),
            "derivedPorts": derived,
            "elsewhere": look.elsewhere,
            "url": target.map(|t| t.url.to_string()),
            "urlSource": target.map(|t| t.source.as_str()),
            "misconfigured": target.is_none(),
            "reachable": gateway.latency_ms.is_some(),
            "connectLatencyMs": gateway.latency_ms,
            "self": gateway.version.as_ref().map(|version| json!({"version": version, "host": gateway.host})),
            "error": gateway.error.as_ref().map(|error| error.message().lines().next().unwrap_or_default().to_string()),
        },
        "gatewayService": {
            "label": seen.manager.label(), "installed": seen.installed,
            "loadedText": if seen.loaded { loaded } else { not_loaded },
            "runtimeShort": unit.runtime_text(),
        },
        "unsupported": unsupported,
        "agents": agents(look),
    });
    let beats = gateway.told.as_ref().and_then(|told| told.get("heartbeat")).cloned();
    let told = |name: &str| gateway.summary.as_ref()?.get(name).cloned();
    let (process, today) = (told("gateway"), told("today"));
    let accounts = gateway.channels.as_ref().and_then(|told| told.get("channelAccounts")).cloned();
    let more = [
        ("process", &process),
        ("today", &today),
        ("heartbeat", &beats),
        ("channelAccounts", &accounts),
        ("health", &gateway.health),
        ("usage", &gateway.usage),
        ("usageCost", &gateway.cost),
    ];
    for (name, value) in more {
        if let (Some(map), Some(value)) = (status.as_object_mut(), value) {
            map.insert(name.into(), value.clone());
        }
    }
    status
}

fn sessions(look: &Look) -> Value {
    let now = clock::now_ms();
    if look.word == Word::Gateway && look.gateway.told.is_none() {
        return Value::Null;
    }
    let recent = agents::newest(&look.agents);
    let recent: Vec<Value> = recent.into_iter().take(RECENT).map(|row| row.to_json(now)).collect();
    json!({
        "paths": look.agents.iter().filter_map(|agent| agent.store.as_ref()).collect::<Vec<_>>(),
        "count": look.agents.iter().map(|agent| agent.count).sum::<u64>(),
        "defaults": defaults(look),
        "recent": recent,
        "byAgent": look.agents.iter().map(|agent| agent.sessions_json(now)).collect::<Vec<_>>(),
    })
}

/// The model of a new session of the default agent.
fn defaults(look: &Look) -> Value {
    let agents = Agents::of(&look.config, &look.env);
    let id = &look.default_id;
    match (look.word, &look.gateway.told) {
        (Word::Gateway, told) => {
            told.as_ref().and_then(|told| told.pointer("/sessions/defaults")).cloned().unwrap_or_default()
        }
        (Word::Nobody, _) => json!({"model": null, "contextTokens": null, "fallbacks": []}),
        (Word::Files, _) => json!({
            "model": agents.answering(id), "contextTokens": agents.window(id), "fallbacks": agents.fallbacks(id),
        }),
    }
}

fn agents(look: &Look) -> Value {
    if look.word == Word::Gateway && look.gateway.told.is_none() {
        return Value::Null;
    }
    let now = clock::now_ms();
    json!({
        "defaultId": (look.word != Word::Nobody).then_some(&look.default_id),
        "agents": look.agents.iter().map(|agent| agent.to_json(now)).collect::<Vec<_>>(),
        "totalSessions": look.agents.iter().map(|agent| agent.count).sum::<u64>(),
    })
}
