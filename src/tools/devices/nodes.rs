//! `nodes`: what the owner's devices are, and having one do something: say, look, record, tell where it is, run a command. Runs on
//! a tool's thread. What a node may be told is the gateway's rule (`nodes/allowed.rs`); nobody is let in from here.
use super::media;
use super::node::{self, gives, taken};
use crate::calls::Provenance;
use crate::error::{Error, Kind, Result};
use crate::json::{self, Put, json};
use crate::tools::{Context, Output, Tool, count, text};
use crate::untrusted;
use serde_json::{Map, Value};
use std::time::Duration;

pub const TOOL: Tool = Tool {
    name: "nodes",
    doc: "Use the user's paired devices: status lists them, describe shows one; notify shows a notification; camera_list, camera_snap, camera_clip, screen_record and location_get look; run runs a command there; invoke has a node do anything it offers. What a device offers stands in its commands.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"type": "string", "enum": ["status", "describe", "notify", "camera_snap", "camera_list", "camera_clip", "screen_record", "location_get", "run", "invoke"]},
        "node": {"type": "string", "description": "Id, name or address; may be left out where only one fits"},
        "title": {"type": "string"},
        "body": {"type": "string"},
        "sound": {"type": "string"},
        "priority": {"type": "string", "description": "passive, active or timeSensitive"},
        "delivery": {"type": "string", "description": "system, overlay or auto"},
        "facing": {"type": "string", "description": "front or back; back when left out"},
        "deviceId": {"type": "string", "description": "A camera, as camera_list names it"},
        "maxWidth": {"type": "number"},
        "quality": {"type": "number", "description": "0 to 1"},
        "delayMs": {"type": "number"},
        "durationMs": {"type": "number", "description": "Of a recording; 3000 for a clip, 10000 for the screen"},
        "includeAudio": {"type": "boolean"},
        "fps": {"type": "number"},
        "screenIndex": {"type": "number"},
        "maxAgeMs": {"type": "number"},
        "locationTimeoutMs": {"type": "number"},
        "desiredAccuracy": {"type": "string", "description": "coarse, balanced or precise"},
        "command": {"type": "array", "items": {"type": "string"}, "description": "run: the program, then its arguments"},
        "cwd": {"type": "string"},
        "env": {"type": "array", "items": {"type": "string"}, "description": "NAME=value"},
        "commandTimeoutMs": {"type": "number"},
        "invokeTimeoutMs": {"type": "number", "description": "How long the answer is waited for"},
        "needsScreenRecording": {"type": "boolean"},
        "invokeCommand": {"type": "string"},
        "invokeParamsJson": {"type": "string", "description": "An object as JSON"}}}"#,
    aliases: &[("nodeId", "node"), ("device", "node")],
    changes: false,
    // Cameras, places and shells of the owner are not for what others wrote.
    serves: Provenance::is_owners,
    time: |_, arguments| wait(arguments).saturating_add(Duration::from_secs(30)),
    run,
};

/// How long an answer is waited for where nobody says, and at most.
const USUAL_MS: u64 = 30_000;
const MOST_MS: u64 = 300_000;

fn number(arguments: &Value, name: &str) -> Option<u64> {
    count(arguments, name).map(|n| n as u64)
}

fn wait(arguments: &Value) -> Duration {
    let of = |name: &str| number(arguments, name).unwrap_or_default();
    let work = of("durationMs") + of("delayMs") + of("commandTimeoutMs") + of("locationTimeoutMs");
    let asked = number(arguments, "invokeTimeoutMs").unwrap_or(USUAL_MS + work);
    Duration::from_millis(asked.clamp(1, MOST_MS))
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let action = text(arguments, "action").unwrap_or("status");
    if action == "status" {
        return Ok(told(&json!({"nodes": (node::all(context)?)}))?.about("nodes"));
    }
    let command = match action {
        "notify" => "system.notify",
        "camera_list" => "camera.list",
        "camera_snap" => "camera.snap",
        "camera_clip" => "camera.clip",
        "screen_record" => "screen.record",
        "location_get" => "location.get",
        "run" => "system.run",
        "invoke" => {
            text(arguments, "invokeCommand").ok_or_else(|| Error::invalid("invokeCommand required"))?
        }
        _ => "",
    };
    let offers = |node: &Value| {
        let mut all = node.get("commands").and_then(Value::as_array).into_iter().flatten();
        command.is_empty() || all.any(|offered| *offered == command)
    };
    let said = text(arguments, "node");
    let id = node::find(context, said, offers)?.id;
    let shown = said.unwrap_or(&id);
    let about = |e: Error| e.context(format!("node={shown} action={action}"));
    act(context, arguments, (action, command), &id)
        .map_err(about)
        .map(|output| output.about(format!("{action} {shown}")))
}

fn act(context: &Context, arguments: &Value, (action, command): (&str, &str), node: &str) -> Result<Output> {
    let time = Some(wait(arguments).as_millis() as u64);
    let take = |names: &[&str]| taken(arguments, names);
    let ask = |params: Map<String, Value>| gives(context, node, command, Some(params.into()), time);
    match action {
        "describe" => {
            let nodes = node::all(context)?;
            told(
                nodes
                    .iter()
                    .find(|row| row.get("nodeId").is_some_and(|id| id == node))
                    .unwrap_or(&Value::Null),
            )
        }
        "notify" => {
            let params = take(&["title", "body", "sound", "priority", "delivery"]);
            if text(arguments, "title").is_none() && text(arguments, "body").is_none() {
                return Err(Error::invalid("title or body required"));
            }
            ask(params)?;
            Ok(Output::text("{\"ok\":true}"))
        }
        "camera_snap" => {
            let mut params = take(&["facing", "maxWidth", "quality", "delayMs", "deviceId"]);
            params.put("format", "jpg");
            media::picture(context, &ask(params)?)
        }
        "camera_clip" => {
            let mut params = take(&["facing", "deviceId", "includeAudio", "durationMs"]);
            params.put("format", "mp4");
            media::file(context, &ask(params)?)
        }
        "screen_record" => {
            let mut params = take(&["durationMs", "fps", "screenIndex", "includeAudio"]);
            params.put("format", "mp4");
            media::file(context, &ask(params)?)
        }
        "location_get" => {
            let mut params = take(&["maxAgeMs", "desiredAccuracy"]);
            if let Some(ms) = arguments.get("locationTimeoutMs") {
                params.put("timeoutMs", ms.clone());
            }
            told(&ask(params)?)
        }
        "run" => command_on(context, arguments, node, time),
        "invoke" => {
            let given = text(arguments, "invokeParamsJson").unwrap_or("null");
            let params: Value = json::read(given, 10_000, json::DEEPEST)
                .map_err(|e| Error::invalid(format!("invokeParamsJson is no JSON: {e}")))?;
            let params = Some(params).filter(|params| !params.is_null());
            told(&node::invoke(context, node, command, params, time)?)
        }
        "camera_list" => told(&ask(Map::new())?),
        _ => Err(Error::invalid("unknown action")),
    }
}

/// A command on a node, by the rules of that node: one that has to be asked for is asked for by `exec`.
fn command_on(context: &Context, arguments: &Value, node: &str, time: Option<u64>) -> Result<Output> {
    let argv = arguments.get("command").and_then(Value::as_array).filter(|argv| !argv.is_empty());
    let argv = argv.ok_or_else(|| Error::invalid("command required: a list, the program first"))?;
    let mut params = taken(arguments, &["cwd", "needsScreenRecording"]);
    params.put("command", argv.clone());
    let mut env = Map::new();
    for pair in arguments.get("env").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        let (name, value) = pair.split_once('=').ok_or_else(|| Error::invalid("env holds NAME=value"))?;
        env.put(name, value);
    }
    if !env.is_empty() {
        params.put("env", env);
    }
    if let Some(ms) = number(arguments, "commandTimeoutMs") {
        params.put("timeoutMs", ms);
    }
    params.put("agentId", context.agent.as_str());
    params.put("sessionKey", context.session_key.as_str());
    let ran = gives(context, node, "system.run", Some(params.into()), time);
    told(&ran.map_err(|e| match e.message().contains("SYSTEM_RUN_DENIED") {
        true => Error::new(
            Kind::Forbidden,
            format!(
                "{}: the owner has to allow it: exec with host \"node\" asks him, where tools.exec.host is node",
                e.message()
            ),
        ),
        false => e,
    })?)
}

/// What a node says is somebody else's text.
fn told(value: &Value) -> Result<Output> {
    Ok(Output::text(untrusted::wrap("what a device says", &json::bounded(value, 60 << 10).0)?))
}
