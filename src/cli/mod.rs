//! The `openclaw` command line: one table of commands, one file a command.
//!
//! A command is one row in `COMMANDS` and one file that holds its flags, help, examples and `run`. The
//! parser, the help and the completion scripts read the same rows. Everything here runs on the main thread;
//! only `print.rs` writes to the terminal and only `main.rs` ends the process.
mod agent;
mod agents;
mod applied;
mod approvals;
mod attach;
mod backup;
mod browser;
mod channels;
mod chat;
mod clients;
mod complete;
mod config;
#[cfg(conformance)]
mod conformance;
mod cron;
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
mod man;
mod message;
mod migrate;
mod models;
mod node;
mod nodes;
mod onboard;
mod pairing;
mod parse;
mod pick;
mod print;
mod profiles;
mod schema;
mod screen;
mod sessions;
mod shapes;
mod skills;
mod status;
mod stream;
mod system;
mod tasks;
mod topics;
mod typed;
mod uninstall;
mod unsupervised;
mod usage;
mod values;
mod waiting;

mod command;
use crate::env::Env;
use crate::error::Error;
use crate::threads;
pub use command::{Command, Flag, Positional};
use parse::Request;
use print::Printer;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;
pub use tasks::{ALIASES, GROUPS, TASKS};

/// The program's version, as `--version` prints it.
pub use crate::version::VERSION;

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
    man::COMMAND,
    values::COMMAND,
    agent::COMMAND,
    agents::COMMAND,
    agents::edit::ADD,
    agents::edit::DELETE,
    agents::LIST,
    agents::edit::SET_IDENTITY,
    approvals::ADD,
    approvals::REMOVE,
    approvals::GET,
    approvals::SET,
    backup::CREATE,
    backup::restore::COMMAND,
    backup::VERIFY,
    browser::CLICK,
    browser::CLOSE,
    browser::CONSOLE,
    browser::COOKIES,
    browser::DIALOG,
    browser::DOWNLOAD,
    browser::DRAG,
    browser::ERRORS,
    browser::EVALUATE,
    browser::FILL,
    browser::FOCUS,
    browser::HIGHLIGHT,
    browser::HOVER,
    browser::NAVIGATE,
    browser::OPEN,
    browser::PDF,
    browser::PRESS,
    browser::PROFILES,
    browser::REQUESTS,
    browser::RESET,
    browser::RESIZE,
    browser::SCREENSHOT,
    browser::SCROLL,
    browser::SELECT,
    browser::SNAPSHOT,
    browser::START,
    browser::STATUS,
    browser::STOP,
    browser::TABS,
    browser::TYPE,
    browser::UPLOAD,
    browser::WAIT,
    channels::COMMAND,
    channels::add::ADD,
    channels::LIST,
    channels::login::LOGIN,
    channels::remove::LOGOUT,
    channels::logs::LOGS,
    channels::remove::REMOVE,
    channels::status::STATUS,
    chat::COMMAND,
    clients::COMMAND,
    complete::COMMAND,
    config::DIFF,
    config::open::COMMAND,
    config::FILE,
    config::GET,
    config::list::COMMAND,
    config::rollback::COMMAND,
    config::SCHEMA,
    config::edit::SET,
    config::edit::UNSET,
    config::VALIDATE,
    onboard::configure::COMMAND,
    #[cfg(conformance)]
    conformance::COMMAND,
    cron::ADD,
    cron::DISABLE,
    cron::EDIT,
    cron::ENABLE,
    cron::LIST,
    cron::RM,
    cron::RUN,
    cron::RUNS,
    cron::STATUS,
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
    devices::RENAME,
    devices::REVOKE,
    devices::ROTATE,
    doctor::COMMAND,
    gateway::COMMAND,
    gateway::call::COMMAND,
    gateway::diagnostics::EXPORT,
    gateway::discover::COMMAND,
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
    message::read::READ,
    message::SEND,
    message::sticker::STICKER,
    migrate::COMMAND,
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
    node::INSTALL,
    node::RESTART,
    node::RUN,
    node::START,
    node::STATUS,
    node::STOP,
    node::UNINSTALL,
    nodes::pairing::APPROVE,
    nodes::media::CLIP,
    nodes::media::CAMERAS,
    nodes::media::SNAP,
    nodes::canvas::PUSH,
    nodes::canvas::RESET,
    nodes::canvas::EVAL,
    nodes::canvas::HIDE,
    nodes::canvas::NAVIGATE,
    nodes::canvas::PRESENT,
    nodes::media::SNAPSHOT,
    nodes::DESCRIBE,
    nodes::invoke::INVOKE,
    nodes::LIST,
    nodes::invoke::LOCATION,
    nodes::invoke::NOTIFY,
    nodes::pairing::PENDING,
    nodes::pairing::REJECT,
    nodes::RENAME,
    nodes::run::COMMAND,
    nodes::media::RECORD,
    nodes::STATUS,
    onboard::COMMAND,
    pairing::APPROVE,
    pairing::LIST,
    profiles::COMMAND,
    profiles::LIST,
    schema::COMMAND,
    doctor::audit::COMMAND,
    sessions::COMMAND,
    sessions::verbs::ABORT,
    sessions::verbs::COMPACT,
    sessions::verbs::DELETE,
    sessions::export::COMMAND,
    sessions::LIST,
    sessions::verbs::RESET,
    sessions::search::COMMAND,
    sessions::show::COMMAND,
    onboard::setup::COMMAND,
    skills::COMMAND,
    skills::CHECK,
    skills::INFO,
    skills::LIST,
    status::COMMAND,
    system::EVENT,
    system::DISABLE,
    system::ENABLE,
    system::LAST,
    system::PRESENCE,
    uninstall::COMMAND,
    usage::COMMAND,
    clients::WHO,
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
    threads::end_at_overflow();
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
        Request::Version { json: true } => plain.json(&crate::version::build()),
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
