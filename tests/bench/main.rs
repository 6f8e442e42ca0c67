//! `make bench`: measures the release binary against the budgets and prints one Markdown table.
//!
//! `cargo bench --bench bench` runs everything; `-- --quick` takes about a minute and is part of `make check`.
//! `-- --telegram` measures the rows about Telegram alone, `-- --acts` those about jobs and commands, `-- --nodes` those about nodes,
//! `-- --commands` those about the command line.
//! Exits non-zero when a budget is missed (the quick run lets times take five times theirs, so that it does not
//! fail on a busy machine; sizes and ratios must hold there too). Memory is counted in MiB. The limit that ratios refer to is a bare WebSocket server in a
//! process of its own: this binary, started again with `--limit`. The load comes from this process, never
//! from the measured one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]
mod acts;
mod chat;
mod http;
mod limit;
mod load;
#[path = "../harness/many_sessions.rs"]
mod many_sessions;
mod measure;
mod model;
mod nodes;
mod page;
mod process;
mod report;
mod sessions;
mod strangers;
mod telegram;
mod turns;

use process::Gateway;
use report::Report;
use std::process::ExitCode;

/// What can go wrong here is told and ends the run.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    pub starts: usize,
    pub idle_clients: usize,
    pub rounds: usize,
    pub round_secs: f64,
    pub fan_events: usize,
    pub flood_secs: f64,
    pub cli_calls: usize,
    pub turns: usize,
    pub stream_secs: f64,
    pub idle_secs: f64,
    pub newcomers: usize,
    /// How long Telegram's flood takes; the quick run has none.
    pub inbound_secs: f64,
}

const FULL: Scale = Scale {
    starts: 10,
    idle_clients: 500,
    rounds: 5,
    round_secs: 2.0,
    fan_events: 20,
    flood_secs: 5.0,
    cli_calls: 20,
    turns: 30,
    stream_secs: 10.0,
    idle_secs: 20.0,
    newcomers: 100,
    inbound_secs: 60.0,
};

const QUICK: Scale = Scale {
    starts: 10,
    idle_clients: 500,
    rounds: 3,
    round_secs: 0.5,
    fan_events: 6,
    flood_secs: 4.0,
    cli_calls: 10,
    turns: 10,
    stream_secs: 2.0,
    idle_secs: 3.0,
    newcomers: 40,
    inbound_secs: 0.0,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = args.iter().position(|a| a == "--limit") {
        let bytes = args.get(at + 1).and_then(|b| b.parse().ok()).unwrap_or(900);
        return done(limit::serve(bytes).map(|()| true));
    }
    let is_quick = args.iter().any(|a| a == "--quick");
    let mut report = Report::new(if is_quick { 5.0 } else { 1.0 });
    let scale = if is_quick { QUICK } else { FULL };
    let only = |what: &str| args.iter().any(|a| a == what);
    let work = match () {
        () if only("--telegram") => telegram::all,
        () if only("--acts") => acts::all,
        () if only("--nodes") => nodes::all,
        () if only("--commands") => commands,
        () => run,
    };
    done(work(scale, &mut report).map(|()| report.print()))
}

fn done(result: Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("bench: {e}");
            ExitCode::FAILURE
        }
    }
}

fn commands(scale: Scale, report: &mut Report) -> Result<()> {
    measure::command_line(&Gateway::start(&serde_json::Value::Null)?, scale, report)?;
    chat::first_word(scale, report)
}

fn run(scale: Scale, report: &mut Report) -> Result<()> {
    measure::size(report)?;
    measure::starts(scale, report)?;
    {
        let gateway = Gateway::start(&serde_json::Value::Null)?;
        measure::idle_memory(&gateway, report)?;
        measure::idle_cpu(&gateway, scale, report)?;
        measure::command_line(&gateway, scale, report)?;
    }
    page::page(scale, report)?;
    measure::client_memory(scale, report)?;
    measure::round_trips(scale, report)?;
    measure::fan_out(scale, report)?;
    measure::flood(scale, report)?;
    strangers::strangers(scale, report)?;
    turns::restart(scale, report)?;
    turns::first_token(scale, report)?;
    chat::first_word(scale, report)?;
    turns::long_transcript(scale, report)?;
    sessions::many(scale, report)?;
    turns::streaming(scale, report)?;
    http::first_word(scale, report)?;
    http::streams(scale, report)?;
    turns::misled(report)?;
    acts::all(scale, report)?;
    nodes::all(scale, report)?;
    telegram::all(scale, report)
}
