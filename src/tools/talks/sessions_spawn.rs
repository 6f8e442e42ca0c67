//! `sessions_spawn`: a subagent, which does one task in a session of its own while this turn goes on; its end is told to this
//! session later. Runs on a tool's thread.
//!
//! Judged here: which agent, model and thinking level. How deep, how many and at what cost is the state thread's to judge
//! (`runs/nesting.rs`), whose word it is too.
use crate::agents::Agents;
use crate::calls::{Provenance, SUBAGENT_SPAWN};
use crate::error::Result;
use crate::ids;
use crate::json::{Put, json};
use crate::models::provider::{BUILTIN, Thinking};
use crate::session_key::agent_id;
use crate::slash::names::choice;
use crate::tools::{Context, Output, Tool, count, reach, text, usual_time};
use serde_json::{Map, Value};

pub const TOOL: Tool = Tool {
    name: "sessions_spawn",
    doc: "Start a subagent: it does one task in a session of its own, in the background, and its result is told here when it is done. \
          Give it all it needs to know in the task. Do not wait or ask for it: go on, or end your turn.",
    parameters: r#"{"type": "object", "required": ["task"], "properties": {
        "task": {"type": "string"},
        "label": {"type": "string", "maxLength": 64, "description": "A short name"},
        "agentId": {"type": "string", "description": "Another agent of agents_list"},
        "model": {"type": "string"},
        "thinking": {"type": "string", "description": "off|minimal|low|medium|high|xhigh"},
        "runTimeoutSeconds": {"type": "number", "minimum": 0},
        "cleanup": {"type": "string", "enum": ["delete", "keep"], "description": "What becomes of its session: keep is for an hour"}}}"#,
    aliases: &[
        ("prompt", "task"),
        ("message", "task"),
        ("agent", "agentId"),
        ("agent_id", "agentId"),
        ("timeoutSeconds", "runTimeoutSeconds"),
        ("timeout", "runTimeoutSeconds"),
    ],
    changes: false,
    serves: Provenance::is_own,
    time: usual_time,
    run,
};

/// The agents that this one may start as subagents; `*` is all.
pub fn targets(context: &Context) -> Vec<String> {
    let agents = Agents::of(&context.config, &context.settings.env);
    let listed =
        agents.entry(&context.agent).and_then(|entry| entry.get("subagents")?.get("allowAgents")?.as_array());
    let named = listed.into_iter().flatten().filter_map(Value::as_str).map(|name| name.trim().to_lowercase());
    named.collect()
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let agents = Agents::of(&context.config, &context.settings.env);
    let (mut params, mut answer) = match judge(context, &agents, arguments)? {
        Ok(judged) => judged,
        Err((status, why)) => return Ok(Output::json(&json!({"status": status, "error": why})).about(status)),
    };
    for name in ["task", "label", "cleanup"] {
        text(arguments, name).into_iter().for_each(|value| params.put(name, value));
    }
    if let Some(seconds) = count(arguments, "runTimeoutSeconds").filter(|seconds| *seconds > 0) {
        params.put("runTimeoutSeconds", seconds);
    }
    for name in ["childSessionKey", "runId"] {
        answer.put(name, params.get(name).cloned());
    }
    reach::ask(context, SUBAGENT_SPAWN, params.into())?;
    let about = text(arguments, "label").unwrap_or(&context.agent).to_string();
    Ok(Output::json(&Value::Object(answer)).about(about))
}

type Refused = (&'static str, String);
/// What is asked of the state thread, and what is answered.
type Judged = (Map<String, Value>, Map<String, Value>);

/// The call as far as agent, model and thinking level go.
fn judge(
    context: &Context,
    agents: &Agents,
    arguments: &Value,
) -> Result<std::result::Result<Judged, Refused>> {
    let agent = match target(context, agents, arguments) {
        Ok(agent) => agent,
        Err(refused) => return Ok(Err(refused)),
    };
    let (mut params, mut answer) = (Map::new(), Map::new());
    answer.put("status", "accepted");
    params.put("childSessionKey", format!("agent:{agent}:subagent:{}", ids::uuid()?));
    params.put("runId", ids::uuid()?);
    let set: Vec<&Value> = agents.subagents(&agent).collect();
    let level =
        text(arguments, "thinking").or_else(|| set.iter().find_map(|set| set.get("thinking")?.as_str()));
    match level.map(Thinking::named) {
        Some(Err(why)) => return Ok(Err(("error", format!("Invalid thinking level {why}")))),
        Some(Ok(level)) => params.put("thinking", level.name()),
        None => {}
    }
    if let Some(word) = text(arguments, "model").or_else(|| set.iter().find_map(|set| model_of(set))) {
        let own = agents.model(&agent).unwrap_or_else(|| BUILTIN.to_string());
        let model = choice(&context.config, &context.settings.env, word, &own);
        answer.put("modelApplied", model.is_ok());
        match model {
            Ok(model) => params.put("model", model),
            Err(why) => answer.put("warning", format!("model {word} is not used: {why}")),
        }
    }
    Ok(Ok((params, answer)))
}

/// Whose session it is to be.
fn target(context: &Context, agents: &Agents, arguments: &Value) -> std::result::Result<String, Refused> {
    if text(arguments, "task").is_none() {
        return Err(("error", "task required: say what is to be done".into()));
    }
    if context.session_key.contains(":subagent:") {
        return Err(("forbidden", "sessions_spawn is not allowed from sub-agent sessions".into()));
    }
    let Some(named) = text(arguments, "agentId") else { return Ok(context.agent.clone()) };
    let id = agent_id(named).unwrap_or_default();
    if id != context.agent && !targets(context).iter().any(|target| *target == "*" || *target == id) {
        let text = format!(
            "agent {id} may not be a subagent of {}: the owner lists those that may in agents.list[].subagents.allowAgents",
            context.agent
        );
        return Err(("forbidden", text));
    }
    if !agents.ids().contains(&id) {
        return Err(("error", format!("there is no agent {id}: agents_list shows those there are")));
    }
    Ok(id)
}

fn model_of(set: &Value) -> Option<&str> {
    let model = set.get("model")?;
    model.as_str().or_else(|| model.get("primary")?.as_str()).filter(|name| !name.trim().is_empty())
}
