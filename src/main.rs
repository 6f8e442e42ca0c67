//! The `openclaw` program: arguments to the command line, its result to the exit status.
mod agent;
mod agents;
mod backup;
pub mod calls;
pub mod cancel;
mod charset;
mod clean;
mod cli;
mod clock;
mod commands;
mod config;
mod device;
mod doctor;
mod dotenv;
mod env;
mod error;
pub mod fetch;
mod files;
mod gateway;
mod http;
mod ids;
mod json;
mod logging;
mod methods;
pub mod models;
mod net;
mod order;
mod own;
pub mod owners;
mod params;
mod protocol;
mod service;
pub mod session_key;
mod sessions;
mod shared;
mod signals;
mod state;
mod succession;
mod sys;
mod threads;
mod tools;
mod unsupported;
pub mod upkeep;
mod workspace;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os().skip(1).collect())
}
