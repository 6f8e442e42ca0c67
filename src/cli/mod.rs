//! The `openclaw` command line: one table of commands, one file a command.
//!
//! A command is one row in `COMMANDS` and one file that holds its flags, help, examples and `run`. The
//! parser, the help and the completion scripts read the same rows. Everything here runs on the main thread;
//! only `print.rs` writes to the terminal and only `main.rs` ends the process.
mod agent;
mod agents;
mod applied;
mod backup;
mod channels;
mod complete;
mod config;
mod dashboard;
mod devices;
mod doctor;
pub mod far;
mod fold;
mod gateway;
mod help;
mod instead;
mod interrupt;
pub mod link;
mod logs;
mod message;
mod models;
mod onboard;
mod pairing;
mod parse;
mod print;
mod schema;
mod sessions;
mod status;
mod stream;
mod typed;
mod unsupervised;
mod values;
mod waiting;

use crate::env::Env;
use crate::error::{Error, Result};
use parse::{Args, Request};
use print::Printer;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

/// The program's version, as `--version` prints it.
pub use crate::version::VERSION;

/// One option of a command.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Without the dashes.
    pub long: &'static str,
    pub short: Option<char>,
    /// Placeholder of the value, as `<ms>`; empty for a switch.
    pub value: &'static str,
    /// The values allowed, when they are a closed list.
    pub choices: &'static [&'static str],
    /// One line: a capital verb first, no full stop.
    pub doc: &'static str,
    /// It is taken and does nothing here: help only names it, with others of the same `doc`.
    pub is_quiet: bool,
}

impl Flag {
    /// An option without a value.
    pub const fn switch(long: &'static str, doc: &'static str) -> Flag {
        Flag { long, short: None, value: "", choices: &[], doc, is_quiet: false }
    }

    /// An option with a value; `value` is its placeholder.
    pub const fn value(long: &'static str, value: &'static str, doc: &'static str) -> Flag {
        Flag { long, short: None, value, choices: &[], doc, is_quiet: false }
    }

    /// An option whose value comes from a closed list.
    pub const fn choice(
        long: &'static str,
        value: &'static str,
        choices: &'static [&'static str],
        doc: &'static str,
    ) -> Flag {
        Flag { long, short: None, value, choices, doc, is_quiet: false }
    }

    pub const fn quiet(mut self) -> Flag {
        self.is_quiet = true;
        self
    }

    pub const fn short(mut self, short: char) -> Flag {
        self.short = Some(short);
        self
    }
}

/// One positional argument of a command.
#[derive(Debug, Clone, Copy)]
pub struct Positional {
    pub name: &'static str,
    pub required: bool,
    /// What completion offers.
    pub choices: &'static [&'static str],
}

impl Positional {
    pub const fn required(name: &'static str) -> Positional {
        Positional { name, required: true, choices: &[] }
    }

    pub const fn optional(name: &'static str) -> Positional {
        Positional { name, required: false, choices: &[] }
    }
}

/// One command: a row of `COMMANDS`.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The words that call it, as `gateway call`.
    pub name: &'static str,
    /// One line: a capital verb first, no full stop.
    pub summary: &'static str,
    /// Paragraphs of the command's own help, after the summary; may be empty.
    pub about: &'static str,
    pub positionals: &'static [Positional],
    /// Slices of options, so that commands can share groups.
    pub flags: &'static [&'static [Flag]],
    /// Command lines that run, each with what it does.
    pub examples: &'static [(&'static str, &'static str)],
    /// Put before an error's text, as existing scripts expect it of some commands.
    pub failure: &'static str,
    pub run: fn(&Context, &Args) -> Result<()>,
}

impl Command {
    /// What commands of one family fill in: nothing but its name.
    pub const fn of(name: &'static str, run: fn(&Context, &Args) -> Result<()>) -> Command {
        let (summary, about, failure) = ("", "", "");
        Command { name, summary, about, positionals: &[], flags: &[], examples: &[], failure, run }
    }

    /// All options of the command, without the global ones.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.flags.iter().flat_map(|group| group.iter())
    }
}

/// Options that every command takes, in every position.
pub const GLOBALS: &[Flag] = &[
    Flag::switch("dev", "Use the dev profile: own state below ~/.openclaw-dev, port 19001"),
    Flag::value("profile", "<name>", "Use a named profile: own state below ~/.openclaw-<name>"),
    Flag::switch("no-color", "Print without colours"),
    Flag::switch("help", "Show help for the command").short('h'),
    Flag::switch("version", "Print the version").short('V'),
];

/// `--json`, the same for every command a script reads.
pub const JSON: Flag = Flag::switch("json", "Print JSON, also for a failure");

/// Every command, sorted by name.
pub const COMMANDS: &[Command] = &[
    values::COMMAND,
    agent::COMMAND,
    agents::COMMAND,
    agents::edit::ADD,
    agents::edit::DELETE,
    agents::LIST,
    agents::edit::SET_IDENTITY,
    backup::CREATE,
    backup::RESTORE,
    backup::VERIFY,
    channels::COMMAND,
    channels::add::ADD,
    channels::LIST,
    channels::remove::LOGIN,
    channels::remove::LOGOUT,
    channels::remove::REMOVE,
    channels::status::STATUS,
    complete::COMMAND,
    config::DIFF,
    config::FILE,
    config::GET,
    config::rollback::COMMAND,
    config::SCHEMA,
    config::edit::SET,
    config::edit::UNSET,
    config::VALIDATE,
    onboard::configure::COMMAND,
    gateway::service::DAEMON_INSTALL,
    gateway::service::DAEMON_RESTART,
    gateway::service::DAEMON_START,
    gateway::status::DAEMON,
    gateway::service::DAEMON_STOP,
    gateway::service::DAEMON_UNINSTALL,
    dashboard::COMMAND,
    devices::APPROVE,
    devices::CLEAR,
    devices::LIST,
    devices::REJECT,
    devices::REVOKE,
    devices::ROTATE,
    doctor::COMMAND,
    gateway::COMMAND,
    gateway::call::COMMAND,
    gateway::diagnostics::EXPORT,
    status::health::GATEWAY,
    gateway::healthcheck::COMMAND,
    gateway::service::INSTALL,
    gateway::probe::COMMAND,
    gateway::service::RESTART,
    gateway::RUN,
    gateway::service::START,
    gateway::status::COMMAND,
    gateway::service::STOP,
    gateway::service::UNINSTALL,
    gateway::usage::COMMAND,
    status::health::COMMAND,
    logs::COMMAND,
    message::DELETE,
    message::EDIT,
    message::POLL,
    message::REACT,
    message::SEND,
    models::status::COMMAND,
    models::aliases::COMMAND,
    models::aliases::ADD,
    models::aliases::LIST,
    models::aliases::REMOVE,
    models::fallbacks::COMMAND,
    models::fallbacks::ADD,
    models::fallbacks::CLEAR,
    models::fallbacks::LIST,
    models::fallbacks::REMOVE,
    models::LIST,
    models::scan::COMMAND,
    models::set::SET,
    models::status::STATUS,
    models::test::COMMAND,
    onboard::COMMAND,
    pairing::APPROVE,
    pairing::LIST,
    schema::COMMAND,
    doctor::audit::COMMAND,
    sessions::COMMAND,
    sessions::LIST,
    onboard::setup::COMMAND,
    status::COMMAND,
];

/// Words that begin commands, by task. Together they are all there are.
pub const TASKS: &[(&str, &[&str])] = &[
    ("Start here", &["onboard", "agent", "status", "doctor"]),
    ("The gateway", &["gateway", "health", "logs", "dashboard", "daemon"]),
    ("Channels", &["channels", "message", "pairing"]),
    ("Models, agents and sessions", &["models", "agents", "sessions"]),
    ("Settings and safety", &["setup", "configure", "config", "devices", "security", "backup"]),
    ("For scripts", &["completion", "protocol"]),
];

/// Words that only group commands, for the list in the root help.
pub const GROUPS: &[(&str, &str)] = &[
    ("backup", "Keep configuration, state and workspaces"),
    ("config", "Read, check and edit the configuration"),
    ("daemon", "The same as gateway install, uninstall, start, stop, restart"),
    ("devices", "Manage paired devices and their tokens"),
    ("gateway diagnostics", "Gather what a bug report needs"),
    ("message", "Send, edit and take back messages on a channel"),
    ("pairing", "Let in strangers who write to a bot"),
    ("protocol", "Show the wire protocol's schemas"),
    ("security", "Look for what others could get at"),
];

/// What a command gets besides its own arguments.
pub struct Context {
    pub env: Env,
    pub out: Printer,
    /// When the process started; `--timeout` counts from here.
    pub started: Instant,
}

/// Runs the command line `args` (without the program's name) and says how the process ends.
pub fn run(args: Vec<OsString>) -> ExitCode {
    let started = Instant::now();
    let own = args.iter().take_while(|arg| *arg != "--");
    let wants_json = own.clone().any(|arg| arg == "--json");
    let plain = Printer::new(None, own.clone().any(|arg| arg == "--no-color"));
    let (label, outcome) = match parse::parse(args) {
        Ok(request) => (request.failure_label(), serve(request, &plain, started)),
        Err(error) => ("", Err((error.message().to_string(), error))),
    };
    match outcome {
        Ok(()) => ExitCode::from(u8::from(print::is_lost())),
        Err((text, error)) => {
            // One without a text was told already; only its status is left.
            if !text.is_empty() {
                plain.failure(label, &text, &error, wants_json);
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// The error comes with its text as people see it.
fn serve(request: Request, plain: &Printer, started: Instant) -> std::result::Result<(), (String, Error)> {
    let as_it_is = |error: Error| (error.message().to_string(), error);
    match request {
        Request::Version { json: true } => plain.json(&crate::json::json!({"version": VERSION})),
        Request::Version { json: false } => plain.line(VERSION),
        Request::Help(topic) => plain.text(&help::text(&topic, plain.narrow())),
        Request::Run { command, args, globals } => {
            let profile = globals.profile().map_err(as_it_is)?;
            let env = Env::from_process(profile).map_err(as_it_is)?;
            env.check_port().map_err(as_it_is)?;
            crate::fetch::tls::trust(&env);
            let out = Printer::new(Some(&env), globals.no_color);
            let context = Context { env, out, started };
            let shown = |error: Error| (context.env.display_all(error.message()), error);
            return (command.run)(&context, &args).map_err(shown);
        }
    }
    Ok(())
}
