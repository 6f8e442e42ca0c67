//! The `openclaw` program: arguments to the command line, its result to the exit status.
mod agent;
mod agents;
mod attachments;
mod backup;
mod beneath;
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
mod files;
mod gateway;
mod http;
mod ids;
mod json;
mod litter;
mod logging;
mod methods;
mod net;
mod order;
mod own;
mod params;
mod ports;
mod protocol;
mod service;
mod sessions;
mod shared;
mod signals;
mod state;
mod store;
mod succession;
mod sys;
mod threads;
mod tls;
mod tools;
mod unsupported;
mod workspace;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os().skip(1).collect())
}
