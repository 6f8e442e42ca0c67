//! `openclaw agents add|delete|set-identity`: changing the agents of this host.
//!
//! Adding and naming edit the config file, with the gateway up or down; one that runs is told to look. Deleting is left
//! to a gateway that runs, because it knows whether the agent is busy; only without one it is done here. Agents of a
//! gateway elsewhere are `elsewhere`.
use super::elsewhere;
use crate::agents::edit::{self, New};
use crate::agents::{Agents, bindings, read_identity};
use crate::cli::link::connect::connect;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON, Positional, applied, far};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key::normalise_agent_id;
use crate::sessions::sessions_dir;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

pub const ADD: Command = Command {
    name: "agents add",
    summary: "Add an agent with a workspace of its own",
    about: "The id is made from the name. Without --workspace it works beside the default agent's workspace.",
    positionals: &[Positional::required("name")],
    flags: &[
        &[
            Flag::value("workspace", "<dir>", "Let the agent work in this directory, made if missing"),
            Flag::value("model", "<provider/model>", "Let this model answer for it"),
            Flag::value(
                "bind",
                "<channel[:account]>",
                "Route this channel or account to it; may be repeated",
            ),
            Flag::value("agent-dir", "<dir>", "Keep the agent's own state in this directory"),
            Flag::switch("non-interactive", "Refuse to choose a workspace: --workspace must be given"),
            JSON,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw agents add ops", "Add the agent ops"),
        (
            "openclaw agents add ops --workspace ~/ops --bind telegram",
            "Have it answer on Telegram, from ~/ops",
        ),
    ],
    failure: "",
    run: add,
};

pub const DELETE: Command = Command {
    name: "agents delete",
    summary: "Delete an agent; its files go to the trash of the state directory",
    about: "A workspace that another agent uses, or that lies outside of your home, stays where it is.",
    positionals: &[Positional::required("id")],
    flags: &[&[Flag::switch("force", "Do it without asking back"), JSON], rpc::FLAGS, rpc::TIMEOUT],
    examples: &[("openclaw agents delete ops --force", "Delete the agent ops and what is routed to it")],
    failure: "",
    run: delete,
};

pub const SET_IDENTITY: Command = Command {
    name: "agents set-identity",
    summary: "Set the name, character, emoji or picture of an agent",
    about: "",
    positionals: &[],
    flags: &[
        &[
            Flag::value(
                "agent",
                "<id>",
                "Change this agent; default is the one of --workspace, else the default agent",
            ),
            Flag::value("workspace", "<dir>", "Change the agent that works in this directory"),
            Flag::value("identity-file", "<path>", "Take the values from this IDENTITY.md"),
            Flag::switch("from-identity", "Take the values from the workspace's IDENTITY.md"),
            Flag::value("name", "<name>", "Set the name"),
            Flag::value("theme", "<theme>", "Set the character"),
            Flag::value("emoji", "<emoji>", "Set the emoji"),
            Flag::value(
                "avatar",
                "<picture>",
                "Set the picture: a file of the workspace, a URL or a data URI",
            ),
            JSON,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw agents set-identity --agent ops --name Zed --theme calm", "Name the agent ops"),
        (
            "openclaw agents set-identity --workspace ~/ops --from-identity",
            "Take over what its IDENTITY.md says",
        ),
    ],
    failure: "",
    run: set_identity,
};

fn add(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = far::load(context, args)?;
    if let Some(address) = far::or_here(context, &env, &config, args) {
        return elsewhere::add(context, args, &address);
    }
    let name = args.positional(0).unwrap_or_default().trim();
    if args.has("non-interactive") && args.value("workspace").is_none() {
        return Err(Error::usage("--non-interactive needs --workspace <dir>"));
    }
    let wanted: Vec<Value> = args.all("bind").into_iter().map(bindings::parse).collect::<Result<_>>()?;
    let absolute = |text: &str| {
        let path = env.expand(text);
        std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned()
    };
    let (workspace, agent_dir) =
        (args.value("workspace").map(absolute), args.value("agent-dir").map(absolute));
    let new = New {
        name,
        workspace: workspace.as_deref(),
        agent_dir: agent_dir.as_deref(),
        model: args.value("model"),
        is_at_shell: true,
        ..New::default()
    };
    let (created, bound) = applied::wait_for(context, || {
        let created = edit::create(&env, &config, &new)?;
        let bound = bindings::add(&env, &created.id, &wanted)?;
        Ok((created, bound))
    })?;
    if created.id != name {
        context.out.warn(&format!("the agent's id is \"{}\"", created.id));
    }
    if args.has("json") {
        let mut told = json!({
            "agentId": created.id, "name": name, "workspace": created.workspace, "agentDir": created.agent_dir,
            "bindings": {"added": bound.added, "skipped": bound.skipped, "conflicts": bound.conflicts},
        });
        if let (Some(map), Some(model)) = (told.as_object_mut(), args.value("model")) {
            map.insert("model".into(), model.into());
        }
        context.out.json(&told);
        return Ok(());
    }
    context.out.line(format!("Updated {}", env.display(&env.config_path)));
    context.out.line(format!("Workspace OK: {}", env.display(&created.workspace)));
    context.out.line(format!("Sessions OK: {}", env.display(&sessions_dir(&env.state_dir, &created.id))));
    for (what, rules) in [("Routed", &bound.added), ("Routed already", &bound.skipped)] {
        rules.iter().for_each(|rule| context.out.line(format!("{what}: {rule}")));
    }
    for rule in &bound.conflicts {
        context.out.warn(&format!("not routed, it belongs to another agent: {}", rule));
    }
    context.out.line(format!("Agent: {}", created.id));
    Ok(())
}

fn delete(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = far::load(context, args)?;
    if let Some(address) = far::or_here(context, &env, &config, args) {
        return elsewhere::delete(context, args, &address);
    }
    let id = normalise_agent_id(args.positional(0).unwrap_or_default());
    edit::deletable(&config, &env, &id)?;
    let agents = Agents::of(&config, &env);
    let (workspace, agent_dir) = (agents.workspace(&id), agents.agent_dir(&id));
    if !args.has("force") {
        return Err(Error::usage(format!(
            "deleting agent \"{id}\" moves its sessions and its workspace {} to the trash; repeat it with --force",
            env.display(&workspace)
        )));
    }
    let here = || {
        let deleted = edit::delete(&env, &config, &id, true)?;
        Ok(json!({
            "removedBindings": deleted.removed_bindings, "removedAllow": deleted.removed_allow,
            "trash": deleted.trash, "kept": deleted.kept,
        }))
    };
    let answer =
        applied::wait_for(context, || match ask(context, args, "agents.delete", &json!({"agentId": id})) {
            Some(answer) => answer,
            None => here(),
        })?;
    let part = |key: &str| answer.get(key).cloned().unwrap_or_default();
    if args.has("json") {
        context.out.json(&json!({
            "agentId": id, "workspace": workspace, "agentDir": agent_dir,
            "sessionsDir": sessions_dir(&env.state_dir, &id), "removedBindings": part("removedBindings"),
            "removedAllow": part("removedAllow"), "trash": part("trash"), "kept": part("kept"),
        }));
        return Ok(());
    }
    if let Some(trash) = part("trash").as_str() {
        context.out.line(format!("Moved to {}", env.display(Path::new(trash))));
    }
    for kept in part("kept").as_array().into_iter().flatten().filter_map(Value::as_str) {
        context.out.warn(&format!("stays: {}", env.display_all(kept)));
    }
    context.out.line(format!("Deleted agent: {id}"));
    Ok(())
}

fn set_identity(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = far::load(context, args)?;
    if let Some(address) = far::or_here(context, &env, &config, args) {
        return elsewhere::set_identity(context, args, &address);
    }
    let agents = Agents::of(&config, &env);
    let absolute = |text: &str| {
        let path = env.expand(text);
        std::path::absolute(&path).unwrap_or(path)
    };
    let workspace = args.value("workspace").map(absolute);
    let id = which(&agents, args.value("agent"), workspace.as_deref())?;
    let file = match args.value("identity-file").map(absolute) {
        Some(file) => Some(file),
        None => args
            .has("from-identity")
            .then(|| workspace.clone().unwrap_or_else(|| agents.workspace(&id)).join("IDENTITY.md")),
    };
    let read = file.as_deref().map(|file| told_by(&config, &env, file)).transpose()?.unwrap_or_default();
    let mut members = Map::new();
    for name in ["name", "theme", "emoji", "avatar"] {
        let of_file = || read.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        if let Some(value) = args.value(name).map(|text| text.trim().to_string()).or_else(of_file) {
            members.insert(name.into(), value.into());
        }
    }
    if members.is_empty() {
        return Err(Error::usage(
            "nothing to set: give --name, --theme, --emoji, --avatar or --from-identity",
        ));
    }
    let changed = applied::wait_for(context, || edit::set_identity(&env, &config, &id, &members))?;
    if args.has("json") {
        context
            .out
            .json(&json!({"agentId": id, "identity": members, "workspace": workspace, "identityFile": file}));
        return Ok(());
    }
    let done = if changed { "Updated" } else { "Nothing to change in" };
    context.out.line(format!("{done} {}", env.display(&env.config_path)));
    context.out.line(format!("Agent: {id}"));
    for (name, value) in &members {
        let mut title = name.clone();
        title.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
        context.out.line(format!("{title}: {}", value.as_str().unwrap_or_default()));
    }
    Ok(())
}

/// The agent that is meant: named, or the only one that works in `workspace`, or the default one.
fn which(agents: &Agents, named: Option<&str>, workspace: Option<&Path>) -> Result<String> {
    if let Some(named) = named {
        return Ok(normalise_agent_id(named));
    }
    let Some(workspace) = workspace else { return Ok(agents.default_id()) };
    let mut there = agents.ids().into_iter().filter(|id| agents.workspace(id) == workspace);
    match (there.next(), there.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => {
            Err(Error::not_found(format!("no agent works in {}; name one by --agent", workspace.display())))
        }
        _ => {
            Err(Error::usage(format!("several agents work in {}; name one by --agent", workspace.display())))
        }
    }
}

/// What an IDENTITY.md says; a file that says nothing is an error.
fn told_by(config: &Config, env: &Env, file: &Path) -> Result<Vec<(String, String)>> {
    let (dir, name) = (file.parent().unwrap_or(Path::new(".")), file.file_name().unwrap_or_default());
    let mut told = read_identity(config, env, dir, &name.to_string_lossy());
    // Older files say "Vibe" or "Creature", ours "Character".
    for (key, _) in &mut told {
        if matches!(key.as_str(), "vibe" | "creature" | "character") {
            *key = "theme".to_string();
        }
    }
    match told.is_empty() {
        false => Ok(told),
        true => Err(Error::not_found(format!(
            "{} says nothing: write lines as `- Name: Zed` into it",
            file.display()
        ))),
    }
}

/// The answer of this host's gateway; `None` when none answers or lets us in.
fn ask(context: &Context, args: &Args, method: &str, params: &Value) -> Option<Result<Value>> {
    let (target, _) = rpc::target(context, args).ok()?;
    target.bind.as_ref()?;
    let deadline = rpc::deadline(context, args).ok()?;
    let state_dir: &PathBuf = &context.env.state_dir;
    let _waiting = Waiting::begin(context.out, &format!("asking the gateway at {}", target.url));
    let answered = connect(&target, state_dir, &[], deadline).and_then(|mut session| {
        let answer = rpc::request(&mut session, &target, method, params, false);
        session.client.close();
        answer
    });
    match answered {
        Err(e) if rpc::keeps_out(e.kind) => None,
        answered => Some(answered),
    }
}
