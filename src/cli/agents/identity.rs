//! `openclaw agents set-identity`: name, character, emoji and picture of an agent.
use crate::agents::edit;
use crate::agents::{Agents, read_identity};
use crate::cli::agents::elsewhere;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, applied, far};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key::normalise_agent_id;
use serde_json::Map;
use std::path::Path;

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

pub(super) fn set_identity(context: &Context, args: &Args) -> Result<()> {
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
pub(super) fn which(agents: &Agents, named: Option<&str>, workspace: Option<&Path>) -> Result<String> {
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
pub(super) fn told_by(config: &Config, env: &Env, file: &Path) -> Result<Vec<(String, String)>> {
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
