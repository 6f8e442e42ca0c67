//! What `gateway probe` found, for people and for scripts. Pure but for the printing.
use super::probe::{Answer, Candidate};
use crate::cli::Context;
use crate::cli::link::target::{scheme, tailnet_address};
use crate::clock;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use crate::error::{Cause, Error};
use crate::json::json;
use serde_json::Value;

pub(super) fn warnings(asked: &[(Candidate, Answer)], tunnel: Option<&Error>) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(error) = tunnel {
        all.push(json!({"code": "ssh_tunnel_failed", "message": error.message()}));
    }
    let up: Vec<_> = asked.iter().filter(|(_, answer)| answer.latency_ms.is_some()).collect();
    let first = up.first().and_then(|(_, answer)| answer.identity());
    let is_one = first.is_some() && up.iter().all(|(_, answer)| answer.identity() == first);
    if up.len() > 1 && !is_one {
        let up: Vec<&str> = up.iter().map(|(candidate, _)| candidate.id).collect();
        let message = "several gateways answer; unless that is intended, keep one and stop the others";
        all.push(json!({"code": "multiple_gateways", "message": message, "targetIds": up}));
    }
    all
}

pub(super) fn show(
    context: &Context,
    asked: &[(Candidate, Answer)],
    timeout_ms: u64,
    warnings: &[Value],
    is_ok: bool,
) {
    let line = |text: String| context.out.line(&text);
    context.out.heading("Gateway Status");
    line(format!("Reachable: {}", if is_ok { "yes" } else { "no" }));
    line(format!("Probe budget: {timeout_ms}ms"));
    for warning in warnings {
        let text = warning.get("message").and_then(Value::as_str).unwrap_or_default();
        line(format!("Warning:\n- {}", text.replace('\n', "\n  ")));
    }
    line("\nTargets".to_string());
    for (candidate, answer) in asked {
        let url = candidate.target.as_ref().map_or(String::new(), |target| target.url.to_string());
        line(format!("{} {url}", candidate.title));
        match (answer.latency_ms, answer.first_line()) {
            (Some(ms), None) => line(format!("  Connect: ok ({ms}ms) · RPC: ok")),
            (Some(ms), Some(why)) => line(format!("  Connect: ok ({ms}ms) · RPC: failed - {why}")),
            (None, why) => line(format!("  Connect: failed - {}", why.unwrap_or("no answer"))),
        }
        let own = answer.own();
        let text = |key: &str| own.get(key).and_then(Value::as_str).unwrap_or("?");
        if own.is_object() {
            line(format!(
                "  Gateway: {} ({}) · {} · app {}",
                text("host"),
                text("ip"),
                text("platform"),
                text("version")
            ));
        }
        let fix = answer.error.as_ref().and_then(|e| e.message().lines().find(|l| l.starts_with("Fix: ")));
        // Of one that is not meant, as long as another answers, nothing has to be mended.
        if let Some(fix) = fix.filter(|_| candidate.is_active || !is_ok) {
            line(format!("  {fix}"));
        }
    }
}

pub(super) fn as_json(
    context: &Context,
    env: &Env,
    config: &Config,
    asked: &[(Candidate, Answer)],
    timeout_ms: u64,
    warnings: &[Value],
    tunnel: Option<Value>,
) -> Value {
    let (port, scheme) = (ports::configured(env, config), scheme(config));
    let tailnet = tailnet_address().map(|ip| ip.to_string());
    let up = asked.iter().find(|(_, answer)| answer.is_ok());
    json!({
        "ok": up.is_some(),
        "ts": clock::now_ms(),
        "durationMs": context.started.elapsed().as_millis() as u64,
        "timeoutMs": timeout_ms,
        "primaryTargetId": up.map(|(candidate, _)| candidate.id),
        "warnings": warnings,
        "network": {
            "localLoopbackUrl": format!("{scheme}://127.0.0.1:{port}"),
            "localTailnetUrl": tailnet.as_ref().map(|ip| format!("{scheme}://{ip}:{port}")),
            "tailnetIPv4": tailnet,
        },
        // Gateways do not announce themselves in this version.
        "discovery": {"timeoutMs": 0, "count": 0, "beacons": []},
        "targets": asked.iter().map(|(candidate, answer)| target_json(candidate, answer, &tunnel)).collect::<Vec<_>>(),
    })
}

pub(super) fn target_json(candidate: &Candidate, answer: &Answer, tunnel: &Option<Value>) -> Value {
    let code = answer.error.as_ref().and_then(|error| match error.cause() {
        Some(Cause::Closed(code)) => Some(code),
        _ => None,
    });
    let close = code.map(|code| {
        let reason = answer.first_line().and_then(|line| line.split_once("): ")).map(|(_, reason)| reason);
        json!({"code": code, "reason": reason})
    });
    json!({
        "id": candidate.id,
        "kind": candidate.id,
        "url": candidate.target.as_ref().ok().map(|target| target.url.to_string()),
        "active": candidate.is_active,
        "tunnel": tunnel.as_ref().filter(|_| candidate.id == "sshTunnel"),
        "connect": {
            "ok": answer.latency_ms.is_some(), "latencyMs": answer.latency_ms,
            "error": answer.first_line(), "close": close,
        },
        "self": answer.own(),
        "config": if answer.config.is_null() { Value::Null } else { config_summary(&answer.config) },
        "health": answer.health,
        "summary": answer.summary,
        "presence": answer.presence,
    })
}

/// What matters of `config.get` for reaching a gateway; never a secret.
pub(super) fn config_summary(snapshot: &Value) -> Value {
    let of = |key: &str| snapshot.get(key).cloned().unwrap_or_default();
    let gateway = snapshot.pointer("/config/gateway").unwrap_or(&Value::Null);
    let at = |pointer: &str| gateway.pointer(pointer).cloned().unwrap_or_default();
    let is_set =
        |pointer: &str| gateway.pointer(pointer).is_some_and(|value| !value.is_null() && value != "");
    json!({
        "path": of("path"), "exists": of("exists"), "valid": of("valid"), "issues": of("issues"),
        "legacyIssues": of("legacyIssues"),
        "gateway": {
            "mode": at("/mode"), "bind": at("/bind"), "port": at("/port"),
            "controlUiEnabled": at("/controlUi/enabled"), "controlUiBasePath": at("/controlUi/basePath"),
            "authMode": at("/auth/mode"), "authTokenConfigured": is_set("/auth/token"),
            "authPasswordConfigured": is_set("/auth/password"), "remoteUrl": at("/remote/url"),
            "remoteTokenConfigured": is_set("/remote/token"),
            "remotePasswordConfigured": is_set("/remote/password"), "tailscaleMode": at("/tailscale/mode"),
        },
        "discovery": {"wideAreaEnabled": null},
    })
}
