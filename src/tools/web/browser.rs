//! `browser`: pages opened, read and used by an agent. Runs on a tool's thread; the work is done in `browser/`.
//!
//! For the owner's own turns: a browser holds what he is logged in to. Whatever a page says comes in the envelope of foreign
//! text (SEC-34).
use crate::browser::{self, Asked, afar};
use crate::calls::Provenance;
use crate::device::encoding::base64;
use crate::error::{Error, Result};
use crate::files;
use crate::json::{Put, json};
use crate::sessions::attachments::image_type;
use crate::tools::devices::{media, node};
use crate::tools::talks::reach;
use crate::tools::{Context, Output, Tool, text};
use crate::untrusted;
use serde_json::{Map, Value};
use std::path::Path;
use std::time::{Duration, Instant};

pub const TOOL: Tool = Tool {
    name: "browser",
    doc: "Use a web browser. open or navigate (targetUrl), then snapshot lists the page with refs, then act with request {kind, ref}: click, type {text, submit}, press {key}, fill {fields: [{ref, type, value}]}, select {values}, hover, drag {startRef, endRef}, wait {text | textGone | selector | url | timeMs}, evaluate {fn}, resize, close. Take a new snapshot after the page has changed.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"type": "string", "enum": ["status", "start", "stop", "profiles", "tabs", "open", "focus", "close", "snapshot", "screenshot", "navigate", "console", "errors", "requests", "pdf", "upload", "dialog", "download", "act"]},
        "targetUrl": {"type": "string", "description": "Address for open and navigate"},
        "targetId": {"type": "string", "description": "A tab, else the one used last"},
        "profile": {"type": "string"},
        "request": {"type": "object", "description": "What act does: {kind, ref, ...}"},
        "ref": {"type": "string"},
        "mode": {"type": "string", "enum": ["efficient"]},
        "snapshotFormat": {"type": "string", "enum": ["ai", "aria"]},
        "interactive": {"type": "boolean", "description": "Only what can be acted on"},
        "selector": {"type": "string"},
        "frame": {"type": "string"},
        "depth": {"type": "number"},
        "maxChars": {"type": "number"},
        "fullPage": {"type": "boolean"},
        "level": {"type": "string", "enum": ["error", "warning", "info", "debug"]},
        "paths": {"type": "array", "items": {"type": "string"}, "description": "Files for upload, of the workspace"},
        "inputRef": {"type": "string"},
        "accept": {"type": "boolean", "description": "How dialog answers the next one"},
        "promptText": {"type": "string"},
        "timeoutMs": {"type": "number"}}}"#,
    aliases: &[("url", "targetUrl"), ("tab", "targetId"), ("format", "snapshotFormat")],
    changes: false,
    serves: Provenance::is_owners,
    time: |_, arguments| time(arguments) + Duration::from_secs(10),
    run,
};

/// Bytes of a picture that is read.
const MAX_PICTURE: u64 = 20_000_000;

/// A first start takes its time too.
fn time(arguments: &Value) -> Duration {
    let asked = [arguments.get("timeoutMs"), arguments.pointer("/request/timeoutMs")];
    let ms = asked.into_iter().flatten().filter_map(Value::as_f64).fold(60_000.0, f64::max);
    Duration::from_millis(ms.min(180_000.0) as u64)
}

/// Whether the owner has said anything of browsers: else their tool is a burden.
pub fn is_ready(config: &crate::config::Config) -> bool {
    browser::is_wanted(config)
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let action = text(arguments, "action").unwrap_or_default();
    let (method, path, members) = route(action, arguments)?;
    let mut given = Map::new();
    for (name, theirs) in members {
        arguments
            .get(name)
            .filter(|value| !value.is_null())
            .into_iter()
            .for_each(|value| given.put(theirs, value.clone()));
    }
    if action == "act" {
        let request = arguments.get("request").and_then(Value::as_object);
        let request = request.ok_or_else(|| Error::invalid("request required: {kind, ref, ...}"))?;
        request.iter().for_each(|(name, value)| given.put(name, value.clone()));
    }
    if action == "close" {
        given.put("kind", "close");
    }
    let asked = Asked {
        method,
        path: &path,
        query: &json!({"profile": (arguments.get("profile"))}),
        body: &Value::Object(given),
        until: Instant::now() + time(arguments),
        cancel: &context.cancel,
        may_evaluate: context.provenance.is_owners(),
    };
    let env = &context.settings.env;
    let here = if node::are_paired(env) { afar::able(&node::all(context)?) } else { Vec::new() };
    let told = match afar::chosen(&context.config, &here)? {
        Some(there) => afar::ask(env, &there, &asked, &|params| reach::ask(context, "node.invoke", params))?,
        None => browser::ask(&context.config, env, &asked)?,
    };
    say(action, told)
}

type Members = &'static [(&'static str, &'static str)];

const TAB: (&str, &str) = ("targetId", "targetId");
const TIME: (&str, &str) = ("timeoutMs", "timeoutMs");
const URL: (&str, &str) = ("targetUrl", "url");
const SNAPSHOT: Members = &[
    TAB,
    TIME,
    ("snapshotFormat", "format"),
    ("mode", "mode"),
    ("interactive", "interactive"),
    ("selector", "selector"),
    ("frame", "frame"),
    ("depth", "depth"),
    ("maxChars", "maxChars"),
];
const UPLOAD: Members =
    &[TAB, TIME, ("paths", "paths"), ("ref", "ref"), ("inputRef", "inputRef"), ("selector", "element")];

/// Where a call goes, and which of its arguments go along, by the names they have there.
fn route(action: &str, arguments: &Value) -> Result<(&'static str, String, Members)> {
    let needs = |name: &str| match text(arguments, name) {
        Some(found) => Ok(found),
        None => Err(Error::invalid(format!("{name} required"))),
    };
    let (method, path, members): (_, &str, Members) = match action {
        "status" => ("GET", "/", &[]),
        "profiles" => ("GET", "/profiles", &[]),
        "start" => ("POST", "/start", &[]),
        "stop" => ("POST", "/stop", &[]),
        "tabs" => ("GET", "/tabs", &[]),
        "open" => (needs("targetUrl").map(|_| "POST")?, "/tabs/open", &[URL, TIME]),
        "navigate" => (needs("targetUrl").map(|_| "POST")?, "/navigate", &[URL, TAB, TIME]),
        "focus" => ("POST", "/tabs/focus", &[TAB]),
        "close" => match text(arguments, "targetId") {
            Some(tab) => return Ok(("DELETE", format!("/tabs/{tab}"), &[])),
            None => ("POST", "/act", &[]),
        },
        "snapshot" => ("GET", "/snapshot", SNAPSHOT),
        "screenshot" => (
            "POST",
            "/screenshot",
            &[TAB, TIME, ("fullPage", "fullPage"), ("ref", "ref"), ("selector", "element")],
        ),
        "pdf" => ("POST", "/pdf", &[TAB]),
        "console" => ("GET", "/console", &[TAB, ("level", "level")]),
        "errors" => ("GET", "/errors", &[TAB]),
        "requests" => ("GET", "/requests", &[TAB]),
        "upload" => ("POST", "/hooks/file-chooser", UPLOAD),
        "dialog" => ("POST", "/hooks/dialog", &[TAB, ("accept", "accept"), ("promptText", "promptText")]),
        "download" => ("POST", "/download", &[TAB, TIME, ("ref", "ref")]),
        "act" => ("POST", "/act", &[TAB]),
        _ => return Err(Error::invalid("action required: open, snapshot, act ...")),
    };
    Ok((method, path.to_string(), members))
}

/// What the browser has made a picture of.
fn picture(path: &str) -> Result<Output> {
    let path = Path::new(path);
    let bytes = files::read_bytes(path, MAX_PICTURE).map_err(|e| Error::io("read the picture", e))?;
    let kind = image_type(&bytes).ok_or_else(|| Error::unavailable("the browser made no picture"))?;
    Ok(media::shown(path, kind, bytes.len(), &base64(&bytes)))
}

/// What the model reads.
fn say(action: &str, told: Value) -> Result<Output> {
    let part = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let about = part("url").to_string();
    let shown = match action {
        "status" | "start" | "stop" | "profiles" => return Ok(Output::json(&told)),
        "screenshot" => return Ok(picture(part("path"))?.about(about)),
        "pdf" => return Ok(Output::text(format!("FILE:{}", part("path"))).about(about)),
        "snapshot" if told.get("snapshot").is_some() => {
            let head = format!("targetId {}", part("targetId"));
            let whole = untrusted::wrap(
                "a web page in the browser",
                &format!("{}\n{}", part("url"), part("snapshot")),
            )?;
            return Ok(Output::text(format!("{head}\n{whole}")).about(about));
        }
        _ => told.to_string(),
    };
    Ok(Output::text(untrusted::wrap("a web page in the browser", &shown)?).about(about))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn i15_4_what_is_missing_is_named_before_a_browser_is_started() {
        let (context, _dir) = context("{browser: {executablePath: '/nowhere/chromium', noSandbox: true}}");
        for (arguments, want) in [
            (json!({"action": "open"}), "targetUrl required"),
            (json!({"action": "act"}), "request required"),
            (json!({"action": "dance"}), "action required"),
            (json!({"action": "act", "request": {"kind": "click"}}), "ref is required"),
            (json!({"action": "act", "request": {"kind": "hop"}}), "kind is required"),
            (json!({"action": "open", "targetUrl": "file:///etc/passwd"}), "unsupported protocol"),
            (json!({"action": "navigate", "targetUrl": "http://10.0.0.1/"}), "not public"),
            (json!({"action": "start"}), "browser.executablePath not found: /nowhere/chromium"),
            (json!({"action": "tabs", "profile": "none"}), "Available profiles: openclaw"),
        ] {
            let error = run(&context, &arguments).unwrap_err();
            assert!(error.message().contains(want), "{arguments}: {error}");
        }
        assert!(run(&context, &json!({"action": "status"})).unwrap().text.contains("\"running\":false"));
    }
}
