//! The `openclaw` program: arguments to the command line, its result to the exit status.
mod agent;
mod agents;
mod attachments;
mod beneath;
mod cli;
mod clock;
mod commands;
pub mod config;
mod device;
mod env;
mod error;
mod files;
mod gateway;
mod http;
mod ids;
mod logging;
mod methods;
mod net;
mod protocol;
mod sessions;
mod shared;
mod signals;
mod state;
mod store;
mod sys;
mod threads;
mod tools;
mod workspace;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os().skip(1).collect())
}
