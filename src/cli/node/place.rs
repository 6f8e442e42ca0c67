//! Which gateway the node host connects to, and `node.json`, the original's file about it: instance id, name and gateway,
//! rewritten at each start. What else it holds stays.
use crate::cli::link::named::Named;
use crate::cli::link::target::Target;
use crate::cli::parse::Args;
use crate::config::{Config, ports};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::ids;
use crate::json::{self, Put, json};
use crate::parts::within;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Where the gateway is when only its host is named.
const PORT: u16 = 18_789;
const MAX_NAME: usize = 80;

/// The gateway that is meant.
pub struct Place {
    pub target: Target,
    /// By host and port, where it is not simply the configured one.
    pub named: Option<Named>,
}

/// How the host calls itself.
pub struct Me {
    pub instance: String,
    pub name: String,
}

pub fn path(env: &Env) -> PathBuf {
    env.state_dir.join("node.json")
}

pub fn read(env: &Env) -> Result<Map<String, Value>> {
    let path = path(env);
    let text = match files::read_text(&path) {
        Ok(text) => text,
        Err(_) if files::is_missing(&path) => return Ok(Map::new()),
        Err(e) => return Err(Error::io(format_args!("read {}", env.display(&path)), e)),
    };
    json::read_object(&text, 1000, 16).map_err(|e| {
        let shown = env.display(&path);
        Error::config(format!("{shown} cannot be read ({e}): mend it, or remove it to begin anew"))
    })
}

/// The gateway of the options, else of the last start, else of the configuration.
pub fn wanted(env: &Env, config: &Config, args: &Args, kept: &Map<String, Value>) -> Result<Place> {
    let before = kept.get("gateway").and_then(of_file);
    let is_new = ["host", "port", "tls", "tls-fingerprint"].iter().any(|name| args.has(name));
    if !is_new && before.is_none() {
        let is_remote = config.str("gateway.mode") == Some("remote");
        return Ok(Place { target: Target::configured(env, config, args, is_remote)?, named: None });
    }
    let named = match (is_new, &before) {
        (false, Some(before)) => before.clone(),
        _ => given(env, config, args, before.as_ref())?,
    };
    Ok(Place { target: Target::named(env, config, args, &named, !is_new)?, named: Some(named) })
}

fn given(env: &Env, config: &Config, args: &Args, before: Option<&Named>) -> Result<Named> {
    let host = args.filled("host")?.map(str::trim).map(|host| host.trim_matches(['[', ']']));
    if host.is_some_and(|host| host.contains(['/', '@', ' ', '?', '#']) || host.starts_with('-')) {
        return Err(Error::usage("--host is a name or an address; the port goes into --port"));
    }
    let port = args.value("port").map(crate::cli::gateway::port).transpose()?;
    // What is said of another host says nothing of this one.
    let before = before.filter(|before| host.is_none_or(|host| host == before.host));
    let usual = || if host.is_none() { ports::configured(env, config) } else { PORT };
    let fingerprint = args.value("tls-fingerprint").map(str::to_string);
    Ok(Named {
        host: host.map(str::to_string).or(before.map(|it| it.host.clone())).unwrap_or("127.0.0.1".into()),
        port: port.or(before.map(|it| it.port)).unwrap_or_else(usual),
        tls: args.has("tls") || fingerprint.is_some() || before.is_some_and(|it| it.tls),
        pin: fingerprint.or_else(|| before.and_then(|it| it.pin.clone())),
    })
}

fn of_file(gateway: &Value) -> Option<Named> {
    let text =
        |name: &str| gateway.get(name).and_then(Value::as_str).map(str::trim).filter(|it| !it.is_empty());
    Some(Named {
        host: text("host")?.to_string(),
        port: gateway.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok())?,
        tls: gateway.get("tls") == Some(&Value::Bool(true)),
        pin: text("tlsFingerprint").map(str::to_string),
    })
}

/// Writes down how this start was meant.
pub fn keep(env: &Env, args: &Args, kept: &mut Map<String, Value>, place: &Place) -> Result<Me> {
    let before =
        |name: &str| kept.get(name).and_then(Value::as_str).filter(|it| !it.is_empty()).map(str::to_string);
    let instance = args.filled("node-id")?.map(str::to_string).or_else(|| before("nodeId"));
    let instance = instance.map_or_else(ids::uuid, Ok)?;
    let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = args.filled("display-name")?.map(str::to_string).or_else(|| before("displayName"));
    let name = within(name.unwrap_or_else(machine).trim(), MAX_NAME).to_string();
    kept.put("version", 1);
    kept.put("nodeId", instance.as_str());
    kept.put("displayName", name.as_str());
    if let Some(Named { host, port, tls, pin }) = &place.named {
        let mut gateway = json!({"host": host, "port": port, "tls": tls});
        if let (Some(pin), Some(map)) = (pin, gateway.as_object_mut()) {
            map.put("tlsFingerprint", pin.as_str());
        }
        kept.put("gateway", gateway);
    }
    let text = serde_json::to_string_pretty(&kept).unwrap_or_default() + "\n";
    files::private_dir(&env.state_dir)?;
    files::write_atomic(&path(env), text.as_bytes())?;
    Ok(Me { instance, name })
}
