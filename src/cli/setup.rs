//! `openclaw setup`: config, token, workspace and sessions directory, each only where it is missing.
use super::parse::Args;
use super::sessions::{default_agent, store_path};
use super::{Command, Context, Flag, JSON};
use crate::config::Config;
use crate::config::edit::{self, Edit};
use crate::env::Env;
use crate::error::Result;
use crate::{files, ids, workspace};
use serde_json::json;
use std::path::{Path, PathBuf};

pub const COMMAND: Command = Command {
    name: "setup",
    summary: "Create the configuration, a token and a workspace",
    about: "Creates what is missing and replaces nothing, so it can be run again at any time.",
    positionals: &[],
    flags: &[&[Flag::value("workspace", "<dir>", "Use this directory as the agent's workspace"), JSON]],
    examples: &[
        ("openclaw setup", "Prepare everything that `openclaw gateway` needs"),
        ("openclaw --dev setup", "Prepare the dev profile"),
        ("openclaw setup --workspace ~/agent --json", "Name the workspace and print what was done as JSON"),
    ],
    failure: "",
    run,
};

/// Bytes of a generated token; twice as many hex digits.
const TOKEN_BYTES: usize = 24;

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let config = Config::load(&mut env.clone())?;
    let existed = env.config_path.exists();
    files::private_dir(&env.state_dir)?;
    let workspace = place(env, &config, args.value("workspace"));
    let edits = edits(env, &config, &workspace, args.value("workspace").is_some())?;
    let wrote = edit::write(&env.config_path, &edits)?;
    files::private_dir(&workspace)?;
    let created =
        if config.bool("agents.defaults.skipBootstrap") { Vec::new() } else { workspace::fill(&workspace)? };
    let sessions = store_path(env, &config, &default_agent(&config));
    let sessions = sessions.parent().unwrap_or(&env.state_dir).to_path_buf();
    files::private_dir(&sessions)?;
    let next = env.command("gateway");
    if args.has("json") {
        context.out.json(&json!({
            "ok": true, "config": env.config_path, "configCreated": !existed, "configChanged": wrote,
            "workspace": workspace, "workspaceFilesCreated": created, "sessions": sessions, "next": next,
        }));
        return Ok(());
    }
    let done = match (existed, wrote) {
        (false, _) => "Wrote",
        (true, true) => "Updated",
        (true, false) => "Config OK:",
    };
    context.out.line(format!("{done} {}", env.display(&env.config_path)));
    context.out.line(format!("Workspace OK: {}", env.display(&workspace)));
    context.out.line(format!("Sessions OK: {}", env.display(&sessions)));
    context.out.line(format!("Next: {next}"));
    Ok(())
}

/// The workspace: the one asked for, else the configured one, else the default place.
fn place(env: &Env, config: &Config, given: Option<&str>) -> PathBuf {
    let configured = || config.str("agents.defaults.workspace").map(|dir| env.expand(dir));
    let dir = given.map(|dir| env.expand(dir)).or_else(configured).unwrap_or_else(|| env.default_workspace());
    std::path::absolute(&dir).unwrap_or(dir)
}

/// What the config lacks. A token is made unless a secret exists already, in the config or in the
/// environment; one in both would differ for the gateway and its clients.
fn edits(env: &Env, config: &Config, workspace: &Path, asked_for: bool) -> Result<Vec<Edit<'static>>> {
    let mut edits = Vec::new();
    if !config.is_set("gateway.mode") {
        edits.push(Edit::new("gateway.mode", "local"));
    }
    let is_local = config.str("gateway.mode").is_none_or(|mode| mode == "local");
    let in_config = ["gateway.auth.token", "gateway.auth.password"].iter().any(|key| config.is_set(key));
    let by_password = config.str("gateway.auth.mode") == Some("password");
    let variables = ["OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"];
    let in_env = variables.iter().any(|name| env.var_or_legacy(name).is_some());
    if is_local && !in_config && !by_password && !in_env {
        edits.push(Edit::new("gateway.auth.token", ids::hex(TOKEN_BYTES)?));
    }
    if asked_for || !config.is_set("agents.defaults.workspace") {
        edits.push(Edit::new("agents.defaults.workspace", workspace.to_string_lossy().as_ref()));
    }
    Ok(edits)
}
