//! The `openclaw` program: arguments to the command line, its result to the exit status.
#[macro_use]
mod text;

mod agent;
mod agents;
mod approvals;
mod backup;
mod browser;
mod calls;
mod cancel;
mod channels;
mod charset;
mod clean;
mod cli;
mod clock;
mod commands;
mod config;
mod counter;
mod cron;
mod deliveries;
mod device;
mod discovery;
mod doctor;
mod door;
mod dotenv;
mod env;
mod error;
mod fences;
mod fetch;
mod files;
mod gateway;
mod heartbeat;
mod http;
mod ids;
mod json;
mod logging;
mod methods;
mod metrics;
mod models;
mod net;
mod nodes;
mod order;
mod owners;
mod params;
mod parts;
mod percent;
mod processes;
mod protocol;
mod runs;
mod service;
mod session_key;
mod sessions;
mod settings;
mod shell;
mod signals;
mod skills;
mod slash;
mod state;
mod subagents;
mod sys;
mod threads;
mod tls;
mod tools;
mod untrusted;
mod upkeep;
mod version;
mod workspace;

fn main() -> std::process::ExitCode {
    let mut words = std::env::args_os();
    if words.next().is_some_and(|name| name == processes::keeper::NAME) {
        return processes::keeper::run();
    }
    cli::run(words.collect())
}
