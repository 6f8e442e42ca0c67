//! `POST /tools/invoke`: one call of one of the agent's tools, without a model.
//!
//! Runs on the connection's own thread, which waits for the tool's until the request's time is over or the client goes. The agent's own policy holds, and beside it a list of
//! what is not for HTTP (SEC-27): tools that start turns, change the gateway, or touch the host's files and programs. The
//! owner may let one in (`gateway.tools.allow`) or keep another out (`gateway.tools.deny`). No header says who asks.
use crate::agents::Agents;
use crate::calls::{Provenance, Whom};
use crate::cancel::{Cancel, Reason};
use crate::error::{Error, Result};
use crate::http::openai::body;
use crate::http::{Exchange, Refusal};
use crate::json::{self, Put, json};
use crate::models::provider::{BUILTIN, ToolCall};
use crate::parts::within;
use crate::tools::{self, Context, Outcome, Tool};
use crate::{ids, methods::local};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is not for HTTP.
const DENIED: [&str; 15] = [
    "apply_patch",
    "browser",
    "cron",
    "edit",
    "exec",
    "fs_*",
    "gateway",
    "process",
    "read",
    "sessions_send",
    "sessions_spawn",
    "shell",
    "spawn",
    "whatsapp_login",
    "write",
];
/// Most values of a result that is JSON.
const MAX_VALUES: usize = 50_000;

pub fn invoke(mut exchange: Exchange) -> Result<()> {
    match body(&mut exchange).and_then(|body| call(&exchange, body)) {
        Ok((status, told)) => exchange.out.json(status, told),
        Err(refusal) => exchange.out.refuse(refusal),
    }
}

/// Status and body of the answer.
fn call(exchange: &Exchange, mut body: Value) -> std::result::Result<(u16, Value), Refusal> {
    let name = body.get("tool").and_then(Value::as_str).map(str::trim).unwrap_or_default().to_string();
    if name.is_empty() {
        return Err(Refusal::new(400, "tools.invoke requires body.tool"));
    }
    let mut args = match body.get_mut("args").map(Value::take) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(args)) => args,
        Some(_) => return Err(Refusal::new(400, "body.args must be an object")),
    };
    check(&body)?;
    let text =
        |member: &str| body.get(member).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let (key, agent) = session(exchange, text("sessionKey"))?;
    let Some(tool) = find(exchange, &name, &agent, &key) else {
        return Ok((404, failure("not_found", &format!("Tool not available: {}", within(&name, 100)))));
    };
    if let Some(action) =
        text("action").filter(|_| !args.contains_key("action") && tool.parameters.contains("\"action\""))
    {
        args.put("action", action);
    }
    let call =
        ToolCall { id: "invoke".to_string(), name: tool.name.to_string(), arguments: Value::Object(args) };
    let context = context(exchange, agent, key)?;
    let outcome = tools::run_while(&context, tool, &call, &|| !exchange.turn.is_gone());
    if context.cancel.reason() == Some(Reason::Timeout) {
        return Err(Refusal::new(504, format!("tool {} did not end in time and was stopped", tool.name)));
    }
    if outcome.is_error {
        return Ok((400, failure("tool_error", &outcome.text)));
    }
    let content = json!([{"type": "text", "text": outcome.text}]);
    Ok((200, json!({"ok": true, "result": {"content": content, "details": (details(outcome))}})))
}

/// What would be passed over if it were of another kind.
fn check(body: &Value) -> std::result::Result<(), Refusal> {
    let is_wrong =
        |name: &str, is: fn(&Value) -> bool| body.get(name).is_some_and(|v| !v.is_null() && !is(v));
    let texts = ["action", "sessionKey"].into_iter().find(|name| is_wrong(name, Value::is_string));
    let wrong = texts.map(|name| (name, "a string"));
    let wrong =
        wrong.or_else(|| is_wrong("dryRun", Value::is_boolean).then_some(("dryRun", "true or false")));
    wrong.map_or(Ok(()), |(name, kind)| Err(Refusal::new(400, format!("body.{name} must be {kind}"))))
}

/// What a tool tells programs beside its words; of most it is the words, which are JSON.
fn details(outcome: Outcome) -> Value {
    let written = || json::read(&outcome.text, MAX_VALUES, json::DEEPEST).ok();
    let told = outcome.details.map(|details| *details).or_else(written);
    told.filter(|value| value.is_object() || value.is_array()).unwrap_or_else(|| json!({}))
}

/// The session that the tool works for, and its agent.
fn session(exchange: &Exchange, key: Option<&str>) -> std::result::Result<(String, String), Refusal> {
    let rules = exchange.shared.agents().key_rules();
    let wrong = |e: Error| Refusal::new(400, format!("body.sessionKey: {}", e.message()));
    let key = key.map_or_else(|| Ok(rules.main()), |key| rules.canonical(key).map_err(wrong))?;
    let agent = rules.owner(&key).to_string();
    match exchange.shared.published.agents().contains(&agent) {
        true => Ok((key, agent)),
        false => match exchange.shared.published.unread().remove(&agent) {
            Some(why) => Err(Refusal::from(why)),
            None => Err(Refusal::new(404, format!("unknown agent id \"{agent}\""))),
        },
    }
}

fn find(exchange: &Exchange, name: &str, agent: &str, key: &str) -> Option<&'static Tool> {
    let config = exchange.shared.config();
    let model = Agents::of(&config, &exchange.shared.env).model(agent).unwrap_or_else(|| BUILTIN.to_string());
    let offered = tools::offered(&config, &exchange.shared.env, agent, &model, key);
    let tool = offered.into_iter().find(|tool| tool.name.eq_ignore_ascii_case(name))?;
    let names = |list: &[&str]| list.iter().any(|pattern| tools::matches(&pattern.to_lowercase(), tool.name));
    let is_let_in = names(&config.strings("gateway.tools.allow"));
    let is_kept_out = names(&config.strings("gateway.tools.deny"));
    (!is_kept_out && (is_let_in || !names(&DENIED))).then_some(tool)
}

fn context(exchange: &Exchange, agent: String, session_key: String) -> Result<Context> {
    let (shared, config) = (exchange.shared.clone(), exchange.shared.config());
    let workspace = Agents::of(&config, &shared.env).workspace(&agent);
    // It belongs to no turn, so turns that it asks for are nobody's.
    let ask = move |whom: &Whom, method: &str, params, cancel: &Cancel| {
        let whom = Whom { name: "http", scopes: whom.scopes, run: None };
        local::ask(&shared, &whom, method, params, cancel)
    };
    Ok(Context {
        settings: exchange.shared.settings.clone(),
        ask: Arc::new(ask),
        config,
        agent,
        session_key,
        run: format!("invoke-{}", ids::uuid()?),
        provenance: Provenance::Operator,
        exec: Default::default(),
        place: None,
        workspace,
        cancel: Cancel::with_deadline(exchange.until),
        updates: None,
    })
}

fn failure(kind: &str, message: &str) -> Value {
    json!({"ok": false, "error": {"type": kind, "message": message}})
}
