//! `openclaw agents add|delete|set-identity`: changing the agents of this host.
//!
//! Adding and naming edit the config file, with the gateway up or down; one that runs is told to look. Deleting is left
//! to a gateway that runs, because it knows whether the agent is busy; only without one it is done here. Agents of a
//! gateway elsewhere are `elsewhere`.
use super::elsewhere;
pub use super::identity::SET_IDENTITY;
use crate::agents::edit::{self, New};
use crate::agents::{Agents, bindings};
use crate::cli::link::connect::connect;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON, Positional, applied, far};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key::normalise_agent_id;
use crate::sessions::sessions_dir;
use serde_json::Value;
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
    if !args.has("json") {
        show_added(context, &env, &created, &bound);
        return Ok(());
    }
    let mut told = json!({
        "agentId": created.id, "name": name, "workspace": created.workspace, "agentDir": created.agent_dir,
        "bindings": {"added": bound.added, "skipped": bound.skipped, "conflicts": bound.conflicts},
    });
    if let (Some(map), Some(model)) = (told.as_object_mut(), args.value("model")) {
        map.insert("model".into(), model.into());
    }
    context.out.json(&told);
    Ok(())
}

fn show_added(context: &Context, env: &Env, created: &edit::Created, bound: &bindings::Bound) {
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
