//! `openclaw agents [list]`: the agents, where they work and what is routed to them.
//!
//! Reads the config and the workspaces of this host; only a gateway elsewhere is asked. Changing them is `edit.rs`.
pub mod edit;
mod elsewhere;
mod identity;
use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, far};
use crate::agents::{Agents, bindings, read_identity};
use crate::config::Config;
use crate::error::Result;
use crate::json::json;
use serde_json::{Map, Value};

pub const COMMAND: Command = Command {
    name: "agents",
    summary: "List the agents",
    about: "",
    positionals: &[],
    flags: &[&[Flag::switch("bindings", "Show what is routed to each agent"), JSON], rpc::FLAGS],
    examples: &[("openclaw agents", "Show the agents, their workspaces and models")],
    failure: "",
    run: list,
};

pub const LIST: Command = Command {
    name: "agents list",
    examples: &[
        ("openclaw agents list --bindings", "Show the agents and what is routed to them"),
        ("openclaw agents list --json", "Print them for a script"),
    ],
    ..COMMAND
};

fn list(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = far::load(context, args)?;
    let agents = Agents::of(&config, &env);
    let elsewhere = far::or_here(context, &env, &config, args);
    let rows: Vec<Map<String, Value>> = match &elsewhere {
        Some(address) if args.has("bindings") => {
            let why = "its method agents.list tells no routing rules";
            return Err(far::refusal(&env, address, why, None));
        }
        Some(_) => remote(context, args)?,
        None => agents.ids().iter().map(|id| row(&config, &agents, id, args.has("bindings"))).collect(),
    };
    let rows = rows.into_iter();
    if args.has("json") {
        context.out.json(&rows.map(Value::Object).collect());
        return Ok(());
    }
    if let Some(address) = &elsewhere {
        context.out.line(format!("Gateway: {address}"));
    }
    let shown =
        |row: &Map<String, Value>, key: &str| row.get(key).and_then(Value::as_str).map(str::to_string);
    let path = |text: Option<String>| context.env.display(text.unwrap_or_default().as_ref());
    for row in rows {
        let name = shown(&row, "identityName").or_else(|| shown(&row, "name"));
        let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
        let default = if row.get("isDefault") == Some(&Value::Bool(true)) { " (default)" } else { "" };
        let id = shown(&row, "id").unwrap_or_default();
        context.out.styled(&[(1, &format!("- {id}")), (0, default), (0, &name)]);
        for (title, key) in [("Workspace", "workspace"), ("Agent dir", "agentDir")] {
            if let Some(dir) = shown(&row, key) {
                context.out.line(format!("  {title}: {}", path(Some(dir))));
            }
        }
        if let Some(model) = shown(&row, "model") {
            context.out.line(format!("  Model: {model}"));
        }
        if let Some(count) = row.get("bindings").and_then(Value::as_u64) {
            context.out.line(format!("  Routing rules: {count}"));
        }
        for rule in row.get("bindingDetails").and_then(Value::as_array).into_iter().flatten() {
            context.out.line(format!("    {}", rule.as_str().unwrap_or_default()));
        }
    }
    Ok(())
}

/// What a gateway elsewhere tells of its agents.
fn remote(context: &Context, args: &Args) -> Result<Vec<Map<String, Value>>> {
    let told = rpc::call(context, args, "agents.list", &json!({}))?;
    let default = told.get("defaultId").cloned().unwrap_or_default();
    let list = told.get("agents").and_then(Value::as_array).into_iter().flatten();
    let row = |agent: &Value| {
        let mut row = agent.as_object()?.clone();
        row.insert("isDefault".into(), (row.get("id") == Some(&default)).into());
        Some(row)
    };
    Ok(list.filter_map(row).collect())
}

fn row(config: &Config, agents: &Agents, id: &str, with_bindings: bool) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            row.insert(key.to_string(), value);
        }
    };
    let (rules, told) = (bindings::of(config, id), agents.row(id));
    let file = read_identity(config, agents.env(), &agents.workspace(id), "IDENTITY.md");
    let of_file = |name: &str| file.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    put("id", id.into());
    put("name", told.get("name").cloned().unwrap_or_default());
    let configured = told.get("identity").and_then(|identity| identity.get("name")).cloned();
    let source = if configured.is_some() { "config" } else { "identity" };
    if let Some(name) = configured.or_else(|| of_file("name").map(Value::from)) {
        put("identityName", name);
        put("identitySource", source.into());
    }
    let emoji = told.get("identity").and_then(|identity| identity.get("emoji")).cloned();
    put("identityEmoji", emoji.or_else(|| of_file("emoji").map(Value::from)).unwrap_or_default());
    put("workspace", agents.workspace(id).to_string_lossy().into());
    put("agentDir", agents.agent_dir(id).to_string_lossy().into());
    let own_model = agents.entry(id).is_some_and(|entry| entry.get("model").is_some());
    put("model", agents.model(id).filter(|_| own_model).map(Value::from).unwrap_or_default());
    put("bindings", rules.len().into());
    put("isDefault", (id == agents.default_id()).into());
    if rules.is_empty() && id == agents.default_id() {
        put("routes", json!(["default (no explicit rules)"]));
    }
    if with_bindings && !rules.is_empty() {
        put("bindingDetails", rules.into());
    }
    row
}
