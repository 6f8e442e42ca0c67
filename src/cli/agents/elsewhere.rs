//! `openclaw agents add|delete|set-identity` where the gateway is on another machine: its methods are called, and what
//! they cannot express is refused before anything is done. No file of this machine is read or changed.
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Context, far};
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key::normalise_agent_id;
use serde_json::Value;

/// Refuses options that `method` has no params for.
fn check(context: &Context, args: &Args, address: &str, method: &str, foreign: &[&str]) -> Result<()> {
    match foreign.iter().find(|name| args.value(name).is_some() || args.has(name)) {
        Some(name) => {
            let why = format!("its method {method} takes no --{name}");
            Err(far::refusal(&context.env, address, &why, None))
        }
        None => Ok(()),
    }
}

/// Prints what the gateway did.
fn told(context: &Context, args: &Args, address: &str, answer: &Value, lines: &[(&str, &str)]) {
    if args.has("json") {
        let mut answer = answer.clone();
        if let Some(map) = answer.as_object_mut() {
            map.insert("gateway".into(), address.into());
        }
        context.out.json(&answer);
        return;
    }
    context.out.line(format!("Gateway: {address}"));
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        context.out.line(format!("{name}: {value}"));
    }
}

fn text<'a>(answer: &'a Value, key: &str) -> &'a str {
    answer.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub fn add(context: &Context, args: &Args, address: &str) -> Result<()> {
    check(context, args, address, "agents.create", &["bind", "agent-dir"])?;
    let name = args.positional(0).unwrap_or_default().trim();
    let Some(workspace) = args.value("workspace").filter(|dir| dir.starts_with(['/', '~'])) else {
        return Err(Error::usage(format!(
            "the gateway is elsewhere ({address}): give the workspace as a path of its host, in quotes so that the shell \
             leaves the ~ to that host: --workspace '~/.openclaw/workspace-{id}'",
            id = normalise_agent_id(name)
        )));
    };
    let params = json!({"name": name, "workspace": workspace});
    let mut answer = rpc::call(context, args, "agents.create", &params)?;
    let id = text(&answer, "agentId").to_string();
    if let Some(model) = args.value("model") {
        let params = json!({"agentId": id, "model": model});
        rpc::call(context, args, "agents.update", &params).map_err(|e| {
            let why = e.message();
            Error::new(e.kind, format!("the agent \"{id}\" was made, and its model was not set: {why}"))
        })?;
        if let Some(map) = answer.as_object_mut() {
            map.insert("model".into(), model.into());
        }
    }
    let lines =
        [("Workspace OK", text(&answer, "workspace")), ("Model", text(&answer, "model")), ("Agent", &id)];
    told(context, args, address, &answer, &lines);
    Ok(())
}

pub fn delete(context: &Context, args: &Args, address: &str) -> Result<()> {
    let id = normalise_agent_id(args.positional(0).unwrap_or_default());
    if !args.has("force") {
        return Err(Error::usage(format!(
            "deleting agent \"{id}\" of the gateway at {address} moves its sessions and its workspace to the trash there; repeat it with --force"
        )));
    }
    let answer = rpc::call(context, args, "agents.delete", &json!({"agentId": id}))?;
    for kept in answer.get("kept").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        context.out.warn(&format!("stays: {kept}"));
    }
    told(context, args, address, &answer, &[("Moved to", text(&answer, "trash")), ("Deleted agent", &id)]);
    Ok(())
}

/// Of an identity the method knows the picture.
pub fn set_identity(context: &Context, args: &Args, address: &str) -> Result<()> {
    let foreign = ["name", "theme", "emoji", "identity-file", "from-identity", "workspace"];
    check(context, args, address, "agents.update", &foreign)?;
    let Some((id, avatar)) = args.value("agent").zip(args.value("avatar")) else {
        return Err(Error::usage(format!(
            "the gateway is elsewhere ({address}): give --agent <id> and --avatar <picture>"
        )));
    };
    let id = normalise_agent_id(id);
    let answer = rpc::call(context, args, "agents.update", &json!({"agentId": id, "avatar": avatar.trim()}))?;
    told(context, args, address, &answer, &[("Agent", &id), ("Avatar", avatar.trim())]);
    Ok(())
}
