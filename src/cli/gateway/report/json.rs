//! The report for scripts; stable.
use super::{dashboard, is_answered, is_mismatch, is_own, probe_note};
use crate::cli::gateway::status::{ConfigFile, Report, Rpc};
use crate::cli::gateway::unit::other_json;
use crate::config::ports::Ports;
use crate::json::json;
use crate::owners::Port;
use crate::tls::facts::Facts;
use serde_json::Value;

pub fn as_json(report: &Report) -> Value {
    let unit = &report.unit;
    let target = report.target.as_ref().ok();
    // Of a gateway elsewhere this machine knows the address only.
    let is_here = report.elsewhere.is_none();
    let bind_mode = if is_here { report.bind_mode.as_str() } else { "unknown" };
    let bind_host = report.bind_host.as_ref().filter(|_| is_here);
    let port = target.map_or(report.port, |target| if is_here { report.port } else { target.port });
    let mut config = json!({"cli": config_json(&report.cli), "daemon": config_json(&report.service)});
    let mut out = json!({
        "service": unit.to_json(),
        "gateway": {
            "elsewhere": report.elsewhere, "bindMode": bind_mode, "bindHost": bind_host, "port": port,
            "portSource": report.port_source,
            "derivedPorts": report.derived.as_ref().map(Ports::derived_json), "probeUrl": target.map(|t| t.url.to_string()),
            "probeSource": target.map(|t| t.source.as_str()), "probeNote": probe_note(report),
            "dashboard": dashboard(report), "logFile": report.log_file,
            "tls": report.tls.as_ref().map(Facts::to_json),
        },
        "process": report.live.as_ref().map(|live| json!({
            "pid": live.pid, "addresses": live.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
        "port": report.port_state.as_ref().map(|port| port_json(report, port)),
        "lastError": report.last_error,
        "extraServices": unit.others.iter().map(other_json).collect::<Vec<_>>(),
    });
    put(&mut config, "mismatch", is_mismatch(report).then_some(Value::Bool(true)));
    put(&mut out, "config", Some(config));
    put(&mut out, "portCli", report.cli_port.as_ref().map(|port| port_json(report, port)));
    put(&mut out, "rpc", report.rpc.as_ref().map(|rpc| rpc_json(rpc, target.map(|t| t.url.to_string()))));
    out
}

/// One that is in the hands it should be in needs no hint.
pub(super) fn port_json(report: &Report, port: &Port) -> Value {
    let mut value = port.to_json();
    if is_own(report, port) || (port.port == report.port && is_answered(report)) {
        put(&mut value, "hints", Some(json!([])));
    }
    value
}

pub(super) fn config_json(file: &ConfigFile) -> Value {
    json!({
        "path": file.path, "exists": file.exists, "valid": file.issues.is_empty(), "issues": file.issues,
        "controlUi": {"enabled": file.has_control_ui},
    })
}

pub(super) fn rpc_json(rpc: &Rpc, url: Option<String>) -> Value {
    let mut out = json!({"ok": rpc.latency_ms.is_some(), "url": url});
    put(&mut out, "latencyMs", rpc.latency_ms.map(Into::into));
    put(&mut out, "version", rpc.version.clone().map(Into::into));
    let told = |name: &str| rpc.status.as_ref()?.get(name).cloned();
    put(&mut out, "gateway", told("gateway"));
    put(&mut out, "today", told("today"));
    put(&mut out, "otherStateDir", rpc.other_state_dir.as_ref().map(|dir| json!(dir)));
    put(&mut out, "error", rpc.error.as_ref().map(|error| error.message().into()));
    put(&mut out, "errorCode", rpc.error.as_ref().map(|error| error.detail_code().into()));
    out
}

pub(super) fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(name.to_string(), value);
    }
}
