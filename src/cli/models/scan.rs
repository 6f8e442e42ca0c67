//! `openclaw models scan`: model servers on this machine, and the command that chooses each of their models.
use super::super::waiting::Waiting;
use super::nothing_found;
use super::set::{add_model, window_of};
use super::told::unloaded;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, applied};
use crate::config::edit::{self, Draft};
use crate::error::Result;
use crate::json::json;
use crate::models::scan::{Found, PORTS, scan};
use crate::models::window::Window;
use crate::shell;
use serde_json::Value;
use std::time::{Duration, Instant};

pub const COMMAND: Command = Command {
    name: "models scan",
    summary: "Find model servers on this machine",
    about: "Asks the usual ports of Ollama, LM Studio, llama.cpp, vLLM and others on 127.0.0.1.\n\
            Only --add changes anything: it writes the servers and their models into the config.",
    positionals: &[],
    flags: &[&[
        Flag::value("timeout", "<time>", "Wait this long for the servers, as 5s or 500 (ms); default 1500"),
        Flag::switch("add", "Write what was found into the config"),
        JSON,
    ]],
    examples: &[
        ("openclaw models scan", "List the servers with the command that chooses each model"),
        ("openclaw models scan --add", "Let their models be chosen in sessions, too"),
    ],
    failure: "",
    run,
};

const TIMEOUT_MS: u64 = 1500;
/// How long the servers may take in all to tell the windows of their models.
const WINDOWS: Duration = Duration::from_secs(10);
/// Models that one scan adds at most.
const MOST: usize = 200;

/// The servers that answer on this machine now.
pub fn servers() -> Vec<Found> {
    scan(PORTS, Duration::from_millis(TIMEOUT_MS))
}

fn run(context: &Context, args: &Args) -> Result<()> {
    if args.has("add") {
        super::load(context)?;
    }
    let waiting = Waiting::begin(context.out, "asking the ports of model servers");
    let timeout = args.millis("timeout", 1)?.unwrap_or(TIMEOUT_MS);
    let found = scan(PORTS, Duration::from_millis(timeout));
    drop(waiting);
    let added = args.has("add") && add(context, &found)?;
    if args.has("json") {
        let server = |f: &Found| json!({"provider": f.provider_id, "server": f.server, "baseUrl": f.base_url, "models": f.models});
        let servers: Vec<Value> = found.iter().map(server).collect();
        context.out.json(&json!({"count": servers.len(), "servers": servers, "added": added}));
        return Ok(());
    }
    if found.is_empty() {
        return Err(nothing_found());
    }
    for server in &found {
        context.out.heading(&format!("{} at {}", server.server, server.base_url));
        for model in &server.models {
            let reference = shell::line([format!("{}/{model}", server.provider_id).as_str()]);
            context.out.line(format!("  {}", context.env.command(&format!("models set {reference}"))));
        }
        if server.models.is_empty() {
            context.out.line("  it serves no model yet");
        }
    }
    if added {
        context.out.line(format!("Updated {}", context.env.display(&context.env.config_path)));
    }
    Ok(())
}

/// Writes the servers and their models into the config; says whether that changed it.
fn add(context: &Context, found: &[Found]) -> Result<bool> {
    // Asked before the file is locked; a server that stops answering is not asked again.
    let end = Instant::now() + WINDOWS;
    let each = found.iter().flat_map(|server| server.models.iter().map(move |model| (server, model)));
    let each: Vec<_> = each
        .take(MOST)
        .map(|(server, model)| {
            (server, model, window_of(server, model, end.saturating_duration_since(Instant::now())))
        })
        .collect();
    let unsure = each.iter().filter_map(|(_, model, window)| Some((model, window.filter(|w| !w.is_served)?)));
    for (model, window) in unsure {
        context.out.warn(&format!("note: {}", unloaded(model, window.tokens)));
    }
    let work = |draft: &mut Draft| {
        let sure = |window: &Option<Window>| window.filter(|w| w.is_served).map(|w| w.tokens);
        each.iter().try_for_each(|(server, model, window)| add_model(draft, server, model, sure(window)))
    };
    let write = || edit::change(&context.env.config_path, work);
    applied::wait_for(context, write).map(|((), changed)| changed)
}
