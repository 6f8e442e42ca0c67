//! `openclaw profiles list`: the gateways of this home, each with its port and whether it runs.
//!
//! Reads small files of the state directories; asks no gateway and no service manager.
use super::gateway::status::live;
use super::parse::Args;
use super::{Command, Context, JSON};
use crate::config::{Config, ports};
use crate::env::Env;
use crate::error::Result;
use crate::json::json;
use serde_json::Value;

pub const LIST: Command = Command {
    name: "profiles list",
    summary: "Show the profiles of this home, their ports and which of them run",
    about: "A profile is a gateway of its own: its state lies below ~/.openclaw-<name>. The one that this command is about\n\
            is marked with a star.",
    flags: &[&[JSON]],
    examples: &[
        ("openclaw profiles list", "Show which gateways are here"),
        ("openclaw profiles list --json", "Print them as JSON"),
    ],
    ..Command::of("profiles list", run)
};

/// The same without the second word.
pub const COMMAND: Command = Command {
    name: "profiles",
    summary: "The same as profiles list",
    examples: &[("openclaw profiles", "Show which gateways are here")],
    ..LIST
};

struct Profile {
    name: String,
    is_own: bool,
    env: Env,
    port: u16,
    pid: Option<u32>,
    /// `running`, `stopped`, `not set up`, or that its gateway is elsewhere.
    state: &'static str,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let own = env.profile.clone().unwrap_or_else(|| "default".to_string());
    let mut all = vec![Profile::of(own, env.clone(), true)];
    all.extend(ports::homes(env).into_iter().map(|(name, env)| Profile::of(name, env, false)));
    crate::order::by(&mut all, |a, b| (a.name != "default", &a.name).cmp(&(b.name != "default", &b.name)));
    if args.has("json") {
        context.out.json(&json!({"profiles": all.iter().map(Profile::to_json).collect::<Vec<_>>()}));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = all.iter().map(|profile| profile.row(env)).collect();
    context.out.table(&["Profile", "Port", "State", "Directory"], &rows);
    Ok(())
}

impl Profile {
    fn of(name: String, env: Env, is_own: bool) -> Profile {
        let config = Config::inspect(&mut env.clone());
        let live = live(&env);
        let port = live.as_ref().and_then(|live| live.port(&env));
        let state = match (&live, config.str("gateway.mode")) {
            (Some(_), _) => "running",
            (None, Some("remote")) => "elsewhere",
            (None, _) if !config.exists() => "not set up",
            (None, _) => "stopped",
        };
        let port = port.unwrap_or_else(|| ports::configured(&env, &config));
        Profile { name, is_own, port, pid: live.map(|live| live.pid), state, env }
    }

    fn row(&self, own: &Env) -> Vec<String> {
        let star = if self.is_own { " *" } else { "" };
        let pid = self.pid.map_or(String::new(), |pid| format!(" (pid {pid})"));
        vec![
            format!("{}{star}", self.name),
            self.port.to_string(),
            format!("{}{pid}", self.state),
            own.display(&self.env.state_dir),
        ]
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name, "isCurrent": self.is_own, "port": self.port, "state": self.state,
            "running": self.pid.is_some(), "pid": self.pid, "stateDir": self.env.state_dir,
            "config": self.env.config_path,
        })
    }
}
