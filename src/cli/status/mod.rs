//! `openclaw status`: the state of this installation at a glance, with the gateway up or down.
//!
//! Reads the config and the session stores itself and asks the gateway whether it answers. It changes
//! nothing and succeeds even when the gateway is down; a broken config is shown, not fatal.
mod agents;
pub mod all;
mod asking;
mod brief;
mod document;
pub mod health;
mod overview;
pub mod trouble;
mod watch;
use super::gateway::unit::Unit;
use super::gateway::usage;
use super::link::rpc;
use super::link::target::settings;
use super::parse::Args;
use super::sessions::show;
use super::waiting::Waiting;
use super::{Command, Context, Flag, JSON, far};
use crate::agents::Agents;
use crate::channels::told::kept;
use crate::clock;
use crate::config::Config;
use crate::env::Env;
use crate::error::Result;
use crate::parts::first;
use agents::Agent;
use asking::{Gateway, USAGE_DAYS};

pub const COMMAND: Command = Command {
    name: "status",
    summary: "Show the configuration, the gateway, agents and sessions",
    about: "For people; three lines where all is well. Works with the gateway down, and exits 0 then as well:\n\
            `openclaw gateway status` and `openclaw health` are for scripts.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw status", "Show everything at a glance"),
        ("openclaw status --watch", "Keep it on the screen"),
        ("openclaw status --json", "Print it as JSON for scripts"),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "List all sessions and agents, and add a diagnosis to paste into a report"),
    Flag::switch("deep", "Add the gateway's health snapshot, channels probed"),
    Flag::switch("verbose", "Show the files, the service and the newest sessions, also where all is well"),
    Flag::switch("usage", "Add what the models used in the last 30 days"),
    Flag::switch("watch", "Show it anew every second, until Ctrl-C").short('w'),
    JSON,
];

/// Sessions listed without `--all`.
const RECENT: usize = 10;

/// Whose word counts on models, agents and sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The files of this host.
    Files,
    /// The gateway, which is elsewhere or runs with an earlier configuration than the file's.
    Gateway,
    /// Nobody: the file cannot be used, and no gateway says what it uses.
    Nobody,
}

/// All that was found out.
struct Look {
    env: Env,
    config: Config,
    agents: Vec<Agent>,
    default_id: String,
    gateway: Gateway,
    unit: Unit,
    word: Word,
    /// The address of a gateway whose files are not here.
    elsewhere: Option<String>,
}

impl Look {
    /// The mode in force. A gateway of this host that answers was started as one.
    fn mode(&self) -> Option<&str> {
        let is_here = self.gateway.target.as_ref().is_some_and(|target| target.bind.is_some());
        match self.config.str("gateway.mode").filter(|_| self.word != Word::Nobody) {
            None if self.word == Word::Gateway && is_here => Some("local"),
            mode => mode,
        }
    }
}

fn run(context: &Context, args: &Args) -> Result<()> {
    if args.has("watch") {
        return watch::run(context, args);
    }
    let look = look(context, args)?;
    if args.has("json") {
        context.out.json(&document::of(&look));
        return Ok(());
    }
    let wants_more = ["all", "deep", "usage", "verbose"].iter().any(|flag| args.has(flag));
    let rows = overview::lines(&look);
    match brief::lines(&look, &rows).filter(|_| !wants_more) {
        Some(lines) => {
            lines.iter().for_each(|(name, value)| context.out.field(name, &look.env.display_all(value)))
        }
        None => show_all(context, args, &look, &rows),
    }
    Ok(())
}

/// Finds out what is shown.
fn look(context: &Context, args: &Args) -> Result<Look> {
    let mut env = context.env.clone();
    let is_lost = Config::load(&mut env.clone()).is_err();
    let (config, config_error) = match settings(&mut env) {
        Ok(config) => (config, None),
        Err(error) => (Config::inspect(&mut env), Some(error)),
    };
    let waiting = Waiting::begin(context.out, "asking the gateway");
    let gateway = match &config_error {
        Some(error) if args.value("url").is_none() => {
            Gateway { error: Some(error.clone()), ..Gateway::default() }
        }
        _ => asking::ask(context, args, &env, &config)?,
    };
    drop(waiting);
    let kept = gateway.snapshot.get("channels").map(kept).unwrap_or_default();
    let config = config.into_kept(&kept);
    let elsewhere = far::address(&env, &config, args);
    let word = match gateway.told {
        // What lies here is not that of a gateway elsewhere.
        _ if elsewhere.is_some() => Word::Gateway,
        Some(_) => Word::Gateway,
        None if is_lost => Word::Nobody,
        None => Word::Files,
    };
    let unit = Unit::inspect(&env, args.has("all"))?;
    let known = Agents::of(&config, &env);
    let (agents, default_id) = match word {
        Word::Gateway => (agents::told(&gateway), gateway.default_id()),
        Word::Files | Word::Nobody => (agents::here(&known), known.default_id()),
    };
    drop(known);
    Ok(Look { env, config, agents, default_id, gateway, unit, word, elsewhere })
}

fn show_all(context: &Context, args: &Args, look: &Look, rows: &[overview::Line]) {
    for row in rows {
        context.out.field(row.name, &look.env.display_all(&row.value));
    }
    print_sessions(context, look, args.has("all"));
    if let Some(health) = &look.gateway.health {
        context.out.heading("\nHealth");
        health::lines(health).iter().for_each(|line| context.out.line(look.env.display_all(line)));
    }
    if let Some(cost) = &look.gateway.cost {
        context.out.heading("\nUsage");
        usage::lines(cost, USAGE_DAYS).iter().skip(1).for_each(|line| context.out.line(line));
    }
    if args.has("all") {
        let is_up = look.gateway.latency_ms.is_some();
        let target = look.gateway.target.as_ref().filter(|_| look.elsewhere.is_none());
        all::show(context, &look.env, &look.config, &look.unit, target, is_up);
    }
}

/// The newest sessions, with `--all` each one that is known here, and the agents.
fn print_sessions(context: &Context, look: &Look, is_all: bool) {
    if look.word == Word::Gateway && look.gateway.told.is_none() {
        return;
    }
    let rows = agents::newest(&look.agents);
    if is_all {
        context.out.line("");
        let cells: Vec<_> = look.agents.iter().map(|agent| agent.cells(&look.env)).collect();
        context.out.table(&["Agent", "Sessions", "Active", "Store"], &cells);
    }
    context.out.line("");
    let unread = look.agents.iter().filter_map(|agent| Some((&agent.id, agent.unread.as_ref()?)));
    let unread: Vec<String> = unread.map(|(id, why)| format!("agent {id}: {why}")).collect();
    unread.iter().for_each(|line| context.out.line(look.env.display_all(line)));
    match (rows.is_empty(), is_all) {
        (true, _) if unread.is_empty() => context.out.line("no sessions yet"),
        (true, _) => {}
        (false, true) => show(context, &rows, clock::now_ms()),
        (false, false) => show(context, first(&rows, RECENT), clock::now_ms()),
    }
    let count: u64 = look.agents.iter().map(|agent| agent.count).sum();
    if is_all && count > rows.len() as u64 {
        context.out.line(format!(
            "{} more are at the gateway: {}",
            count - rows.len() as u64,
            look.env.command("sessions")
        ));
    }
}
