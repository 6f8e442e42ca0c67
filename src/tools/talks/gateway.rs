//! `gateway`: the gateway looked at and restarted by the agent's hand, for the owner only. It reads settings without their
//! secrets and changes none: that is the owner's own to do (SEC-42).
//!
//! Runs on a tool's thread. Whether the turn is the owner's, or an administrator's, says the state thread (`TURN_MAY`).
use crate::calls::{Provenance, TURN_MAY, Whom};
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::tools::{Context, Output, Tool, count, text, usual_time};
use serde_json::Value;

const SCOPES: &[&str] = &["operator.read", "operator.write", "operator.admin"];

pub const TOOL: Tool = Tool {
    name: "gateway",
    doc: "Look at the gateway's settings (secrets are hidden), or restart it. Actions: config.get; config.schema (path: one key, such as \
          tools.web); restart (reason, note: told to this session afterwards). Settings are changed by the owner, not by you.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"type": "string", "description": "config.get | config.schema | restart"},
        "path": {"type": "string"},
        "reason": {"type": "string"},
        "note": {"type": "string"},
        "delayMs": {"type": "number", "minimum": 0}}}"#,
    aliases: &[("key", "path"), ("message", "note"), ("delay", "delayMs")],
    changes: false,
    serves: Provenance::is_owners,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let action = text(arguments, "action").unwrap_or_default();
    let (method, params) = match action {
        "config.get" => ("config.get", json!({})),
        "config.schema" => match text(arguments, "path") {
            Some(path) => ("config.schema.lookup", json!({"path": path})),
            None => ("config.schema", json!({})),
        },
        "restart" => ("gateway.restart.request", restart(context, arguments)?),
        "config.patch" | "config.apply" | "config.set" | "update.run" => {
            log::warn!(target: "agent/tools", "run {}: {action} was refused, for settings are not changed by agents", context.run);
            let text = format!(
                "{action} is not for agents: tell the owner what to change and why; he does it by `{}` or on the control page",
                context.settings.env.command("config set <key> <value>")
            );
            return Err(Error::new(Kind::Forbidden, text));
        }
        _ => return Err(Error::invalid("action must be one of config.get, config.schema, restart")),
    };
    let whom = Whom { name: "agent", scopes: SCOPES, run: Some(&context.run) };
    (context.ask)(&whom, TURN_MAY, json!({"tool": "gateway"}), &context.cancel)?;
    let result = (context.ask)(&whom, method, params, &context.cancel)?;
    Ok(Output::json(&json!({"ok": true, "result": result})).about(action))
}

/// The turn itself has its time to end before that (`gateway.limits.drainMs`).
fn restart(context: &Context, arguments: &Value) -> Result<Value> {
    if !context.config.bool("commands.restart") {
        let text = "restarts by the agent are off: the owner allows them by commands.restart: true";
        return Err(Error::new(Kind::Forbidden, text));
    }
    let mut params =
        json!({"sessionKey": context.session_key, "delayMs": (count(arguments, "delayMs").unwrap_or(2000))});
    for name in ["reason", "note"] {
        if let (Some(map), Some(value)) = (params.as_object_mut(), text(arguments, name)) {
            map.insert(name.to_string(), value.into());
        }
    }
    Ok(params)
}
