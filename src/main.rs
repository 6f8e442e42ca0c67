//! The `openclaw` program: arguments to the command line, its result to the exit status.
pub mod agent;
pub mod agents;
pub mod attachments;
pub mod backup;
pub mod beneath;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod device;
pub mod doctor;
pub mod env;
pub mod error;
pub mod files;
pub mod gateway;
pub mod http;
pub mod ids;
pub mod litter;
pub mod logging;
pub mod methods;
pub mod net;
pub mod ports;
pub mod protocol;
pub mod service;
pub mod sessions;
pub mod shared;
pub mod signals;
pub mod state;
pub mod store;
pub mod succession;
pub mod threads;
pub mod tools;
pub mod workspace;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os().skip(1).collect())
}
