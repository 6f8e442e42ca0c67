//! `openclaw setup`: config, token, workspace and sessions directory, each only where it is missing.
use super::{port, report};
use crate::agents::{Agents, sharing};
use crate::cli::gateway::status::live;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, applied, far, onboard};
use crate::config::Config;
use crate::config::edit::{self, Edit};
use crate::config::ports;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::settings::{Auth, AuthMode};
use crate::{files, ids, workspace};
use std::path::{Path, PathBuf};

pub const COMMAND: Command = Command {
    name: "setup",
    summary: "Create the configuration, a token and a workspace",
    about: "Creates what is missing; only --workspace replaces anything, so it can be run again at any time.\n\
            With --wizard or an option of `openclaw onboard` it is that command.",
    positionals: &[],
    flags: &[&[Flag::switch("wizard", "Ask the questions of `openclaw onboard`")], onboard::FLAGS],
    examples: &[
        ("openclaw setup", "Prepare everything that `openclaw gateway` needs"),
        ("openclaw --dev setup", "Prepare the dev profile"),
        ("openclaw setup --workspace ~/agent --json", "Name the workspace and print what was done as JSON"),
    ],
    failure: "",
    run,
};

/// Bytes of a generated token; twice as many hex digits.
pub const TOKEN_BYTES: usize = 24;

fn run(context: &Context, args: &Args) -> Result<()> {
    let own = ["workspace", "json"];
    if args.has("wizard") || onboard::FLAGS.iter().any(|f| args.has(f.long) && !own.contains(&f.long)) {
        return onboard::run(context, args);
    }
    let mut env = context.env.clone();
    let config = Config::load(&mut env)?;
    let env = &env;
    let asked = args.filled("workspace")?;
    let made = applied::wait_for(context, || or_nothing(env, || prepare(env, &config, asked)))?;
    let after = Config::load(&mut env.clone())?;
    far::note(&context.out, env, &after, "this is the configuration");
    let (next, told) = (next(env, &after), report::changes(&config, &after));
    if args.has("json") {
        context.out.json(&json!({
            "ok": true, "config": env.config_path, "configCreated": !made.existed, "configChanged": made.wrote,
            "workspace": made.workspace, "workspaceFilesCreated": made.created, "sessions": made.sessions,
            "port": ports::configured(env, &after), "changes": told, "next": next,
        }));
        return Ok(());
    }
    let done = match (made.existed, made.wrote) {
        (false, _) => "Wrote",
        (true, true) => "Updated",
        (true, false) => "Config OK:",
    };
    context.out.line(format!("{done} {}", env.display(&env.config_path)));
    told.iter().for_each(|line| context.out.line(context.env.display_all(&format!("  {line}"))));
    context.out.line(format!("Workspace OK: {}", env.display(&made.workspace)));
    context.out.line(format!("Sessions OK: {}", env.display(&made.sessions)));
    context.out.line(format!("Next: {next}"));
    Ok(())
}

/// What `prepare` found and made.
pub struct Prepared {
    /// Whether there was a config file before.
    pub existed: bool,
    /// Whether the config file was changed.
    pub wrote: bool,
    pub workspace: PathBuf,
    /// Texts that were added to the workspace.
    pub created: Vec<&'static str>,
    pub sessions: PathBuf,
}

/// Does `work`. Where that fails, nothing is left of a state directory that it made.
pub fn or_nothing<T>(env: &Env, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let is_new = !env.state_dir.exists();
    let result = work();
    if is_new && result.is_err() {
        // The first failure is told; whatever holds anything else stays.
        let _ = std::fs::remove_file(edit::lock_path(&env.config_path));
        let _ = std::fs::remove_dir(&env.state_dir);
    }
    result
}

/// Makes what is missing of config, token, workspace and directories. `workspace` is one that was asked for.
pub fn prepare(env: &Env, config: &Config, workspace: Option<&str>) -> Result<Prepared> {
    let existed = env.config_path.exists();
    let place = place(env, config, workspace);
    let wanted = workspace.is_some() || !config.is_set("agents.defaults.workspace");
    if wanted {
        check_alone(env, config, &place)?;
    }
    // Before the config names what cannot be made.
    let (created, sessions) = furnish(env, config, &place)?;
    let wrote = edit::write(&env.config_path, &missing(env, config, wanted.then_some(&place))?)?;
    Ok(Prepared { existed, wrote, workspace: place, created, sessions })
}

/// Refuses a workspace for the default agent where somebody else works, as that of another profile, or where somebody
/// keeps other things.
pub fn check_alone(env: &Env, config: &Config, place: &Path) -> Result<()> {
    workspace::check_unused(env, place)?;
    let agents = Agents::of(config, env);
    // A profile with a state directory elsewhere (OPENCLAW_STATE_DIR) is the same profile, and has its place.
    let own = format!("profile {}", env.profile.as_deref().unwrap_or("default"));
    match sharing::user(env, &agents, &agents.default_id(), place) {
        None => Ok(()),
        Some(user) if user == own && place == env.default_workspace() => Ok(()),
        Some(user) => Err(Error::usage(format!(
            "workspace {} is that of {user}, or one lies in the other; name another directory (--workspace)",
            env.display(place)
        ))),
    }
}

/// Makes the directories; gives the texts that were added to the workspace, and where sessions are kept.
pub fn furnish(env: &Env, config: &Config, place: &Path) -> Result<(Vec<&'static str>, PathBuf)> {
    files::private_dir(&env.state_dir)?;
    files::private_dir(place)?;
    let created =
        if config.bool("agents.defaults.skipBootstrap") { Vec::new() } else { workspace::fill(place)? };
    let agents = Agents::of(config, env);
    let sessions = agents.session_store(&agents.default_id());
    let sessions = sessions.parent().unwrap_or(&env.state_dir).to_path_buf();
    files::private_dir(&sessions)?;
    Ok((created, sessions))
}

/// The command to go on with.
pub fn next(env: &Env, config: &Config) -> String {
    let lacks_secret = |auth: &Auth| auth.secret.is_none() && !auth.allow_tailscale;
    match Auth::resolve(config, env, None, None, None) {
        _ if config.str("gateway.mode") == Some("remote") => env.command("health"),
        Ok(auth) if lacks_secret(&auth) => {
            let name = auth.mode.name();
            env.command(&format!("config set gateway.auth.{name} <{name}>"))
        }
        _ if live(env).is_some() => env.command("health"),
        _ => env.command("gateway"),
    }
}

/// The workspace: the one asked for, else the configured one, else the default place.
pub fn place(env: &Env, config: &Config, given: Option<&str>) -> PathBuf {
    let configured = || config.str("agents.defaults.workspace").map(|dir| env.expand(dir));
    let dir = given.map(|dir| env.expand(dir)).or_else(configured).unwrap_or_else(|| env.default_workspace());
    std::path::absolute(&dir).unwrap_or(dir)
}

/// What the config lacks, and `workspace`. A token is made where one is needed and there is none, in the config or in
/// the environment; one in both would differ for the gateway and its clients.
pub fn missing(env: &Env, config: &Config, workspace: Option<&PathBuf>) -> Result<Vec<Edit<'static>>> {
    let mut edits = Vec::new();
    if !config.is_set("gateway.mode") {
        edits.push(Edit::new("gateway.mode", "local"));
    }
    let is_local = config.str("gateway.mode").is_none_or(|mode| mode == "local");
    let auth = Auth::resolve(config, env, None, None, None)?;
    if is_local && auth.mode == AuthMode::Token && auth.secret.is_none() {
        edits.push(Edit::new("gateway.auth.token", ids::hex(TOKEN_BYTES)?));
    }
    // The profile's name alone decides on its port, unless another profile of this home has it already.
    if is_local && env.profile.is_some() && !config.is_set("gateway.port") && env.port().is_none() {
        let port = port::free(env, config);
        if port != env.default_port() {
            edits.push(Edit::new("gateway.port", port));
        }
    }
    // Below the home directory it is still right when that is another one.
    let workspace = workspace.map(|dir| env.display(dir));
    edits.extend(workspace.map(|dir| Edit::new("agents.defaults.workspace", dir)));
    Ok(edits)
}
