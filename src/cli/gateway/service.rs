//! `openclaw gateway install|uninstall|start|stop|restart`, and the same under `openclaw daemon`.
use crate::cli::gateway::unit::Unit;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON, far, unsupervised};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::gateway;
use crate::json::json;
use crate::service::act::{self, Install, Report};
use crate::service::{Action, MANAGERS, Manager, Place, detect, inspect};

pub const INSTALL: Command = Command {
    name: "gateway install",
    summary: "Install the gateway as a service that starts by itself",
    about: "Writes a systemd user unit, a LaunchAgent (macOS) or an init script (OpenRC, procd), enables and starts\n\
            it. Does nothing when that is done already, and says how an installed file differs; --force writes it\n\
            anew. The port is the config's unless --port or OPENCLAW_GATEWAY_PORT names one. No secret gets into\n\
            the file.",
    positionals: &[],
    flags: &[INSTALLING, PLACE, &[JSON]],
    examples: &[
        ("openclaw gateway install", "Install for yourself"),
        ("openclaw gateway install --system", "Install for the machine (with sudo: run by who called it)"),
        ("openclaw gateway install --force --port 18790", "Write the service anew with another port"),
    ],
    failure: "",
    run: install,
};

pub const UNINSTALL: Command = Command {
    name: "gateway uninstall",
    summary: "Stop the service and remove it",
    about: "Configuration and state stay.",
    positionals: &[],
    flags: &[PLACE, &[JSON]],
    examples: &[("openclaw gateway uninstall", "Remove the service")],
    failure: "",
    run: |context, args| {
        let place = installed(context, args)?;
        show(context, args, "uninstall", act::uninstall(&context.env, &place)?)
    },
};

pub const START: Command = Command {
    name: "gateway start",
    summary: "Start the installed service",
    about: "",
    positionals: &[],
    flags: &[PLACE, &[JSON]],
    examples: &[("openclaw gateway start", "Start the service")],
    failure: "",
    run: |context, args| control(context, args, "start", Action::Start),
};

pub const STOP: Command = Command {
    name: "gateway stop",
    summary: "Stop the gateway: its service, or the process where it runs without one",
    about: "A service starts again at the next boot or login.",
    examples: &[("openclaw gateway stop", "Stop the service")],
    run: |context, args| control(context, args, "stop", Action::Stop),
    ..START
};

pub const RESTART: Command = Command {
    name: "gateway restart",
    summary: "Restart the gateway: its service, or in process where it runs without one",
    about: "A configuration that could not be started is refused first, and the gateway that runs goes on.",
    flags: &[
        PLACE,
        &[Flag::switch("force", "Restart the service even if the gateway would not start"), JSON],
    ],
    examples: &[("openclaw gateway restart", "Restart the service")],
    run: |context, args| control(context, args, "restart", Action::Restart),
    ..START
};

pub const DAEMON_INSTALL: Command = Command {
    name: "daemon install",
    examples: &[("openclaw daemon install", "The same as openclaw gateway install")],
    ..INSTALL
};
pub const DAEMON_UNINSTALL: Command = Command {
    name: "daemon uninstall",
    examples: &[("openclaw daemon uninstall", "The same as openclaw gateway uninstall")],
    ..UNINSTALL
};
pub const DAEMON_START: Command = Command {
    name: "daemon start",
    examples: &[("openclaw daemon start", "The same as openclaw gateway start")],
    ..START
};
pub const DAEMON_STOP: Command = Command {
    name: "daemon stop",
    examples: &[("openclaw daemon stop", "The same as openclaw gateway stop")],
    ..STOP
};
pub const DAEMON_RESTART: Command = Command {
    name: "daemon restart",
    examples: &[("openclaw daemon restart", "The same as openclaw gateway restart")],
    ..RESTART
};

const INSTALLING: &[Flag] = &[
    Flag::value("port", "<port>", "Have the service listen on this port instead of the config's"),
    Flag::value("token", "<token>", "Store this shared token in the config"),
    Flag::value("user", "<name>", "Run a system service as this user"),
    Flag::switch("force", "Write the service anew, also over one that differs"),
    Flag::choice("runtime", "<name>", &["node", "bun"], "Accepted without effect").quiet(),
];

pub const PLACE: &[Flag] = &[
    Flag::switch("system", "Use a service of the machine instead of the user's"),
    Flag::choice("manager", "<name>", MANAGERS, "Use this service manager instead of the machine's"),
];

/// The manager asked for, if one was.
pub fn manager(context: &Context, args: &Args) -> Result<Option<Manager>> {
    match (args.value("manager").and_then(Manager::named), args.has("system")) {
        (Some(manager), true) if !manager.is_system() => {
            Err(Error::usage(format!("--system does not go with --manager {}", manager.name())))
        }
        (Some(manager), _) => Ok(Some(manager)),
        (None, true) => Ok(Some(detect(&context.env, true))),
        (None, false) => Ok(None),
    }
}

/// The service that the options mean.
pub fn installed(context: &Context, args: &Args) -> Result<Place> {
    Place::find(&context.env, manager(context, args)?)
}

fn install(context: &Context, args: &Args) -> Result<()> {
    let chosen = manager(context, args)?.unwrap_or_else(|| detect(&context.env, false));
    let place = Place::of(&context.env, chosen)?;
    let mut wanted = Install { force: args.has("force"), ..Install::default() };
    wanted.wishes.port = args.value("port").map(super::port).transpose()?;
    wanted.wishes.user = args.value("user").map(str::to_string);
    wanted.token = args.value("token").map(|token| token.trim().to_string());
    if wanted.token.as_deref() == Some("") {
        return Err(Error::usage("--token must not be empty"));
    }
    let waiting = Waiting::begin(context.out, "waiting for the service manager");
    let mut report = act::install(&context.env, &place, wanted)?;
    drop(waiting);
    if args.has("runtime") {
        report.warnings.push("--runtime has no effect: this gateway needs no runtime".to_string());
    }
    show(context, args, "install", report)
}

fn control(context: &Context, args: &Args, name: &str, action: Action) -> Result<()> {
    let env = &context.env;
    let place = installed(context, args)?;
    let is_installed = place.path.exists();
    far::note(&context.out, env, &Config::inspect(&mut env.clone()), "this is about the gateway");
    let mut warnings = Vec::new();
    if let Some(why) = refusal(env, &place) {
        // Without a service nothing would start it again.
        if action == Action::Restart && !(args.has("force") && is_installed) {
            let insist = match (is_installed, args.has("force")) {
                (true, _) => " (--force restarts all the same)",
                (false, true) => "; --force is for a service, which starts it again",
                (false, false) => "",
            };
            return Err(Error::config(format!(
                "nothing was restarted, because no gateway would start now: {why}\n\
                 Fix: correct that first; a gateway that runs goes on with what it has{insist}"
            )));
        }
        warnings.push(format!("no gateway would start now: {why}"));
    }
    let _waiting = Waiting::begin(context.out, "waiting for the gateway and its service");
    // One that somebody started by hand beside an idle service is what is meant, and one that is not the service's
    // where the manager gives no answer. What a service runs would come back after a stop.
    let by_hand = |pid| match act::bare(env, &place).service.running {
        Some(is_running) => !is_running && action != Action::Stop,
        None => action == Action::Restart || !act::is_supervised(&place, pid),
    };
    if is_installed && !act::unsupervised(env).is_some_and(by_hand) {
        let mut report = act::control(env, &place, action).map_err(|e| e.noting(&warnings))?;
        if let Some(pid) =
            act::unsupervised(env).filter(|pid| action == Action::Stop && report.service.pid != Some(*pid))
        {
            unsupervised::stop(env, pid)?;
            report.lines.push(format!("Stopped the gateway that ran beside it (pid {pid})"));
        }
        report.warnings.splice(..0, warnings);
        return show(context, args, name, report);
    }
    let mut report = act::bare(env, &place);
    // Whatever kind of mistake keeps it from restarting.
    let told = |e: Error| match gateway::refusal(env) {
        Some(why)
            if action == Action::Restart && !e.message().contains(why.trim_start_matches("config ")) =>
        {
            Error::config(format!("{}: {why}", e.message()))
        }
        _ => e,
    };
    let is_done = unsupervised::act(context, args, action, &mut report).map_err(told)?;
    if let Some(trouble) = report.service.trouble.as_ref().filter(|_| is_installed) {
        warnings.push(format!("the service stays as it is, its manager cannot be asked: {trouble}"));
    }
    report.warnings = warnings;
    show_as(context, args, name, report, is_done)?;
    if is_done { Ok(()) } else { Err(Error::unavailable("")) }
}

/// Why the gateway would not start now. What a service's own command line says, such as a file with the password, is
/// not known here: then only the file is judged.
fn refusal(env: &Env, place: &Place) -> Option<String> {
    let service = match of_service(env, place) {
        Ok(service) => service,
        Err(error) => return Some(error.message().to_string()),
    };
    let is_hidden = |e: std::io::Error| e.kind() == std::io::ErrorKind::PermissionDenied;
    if service.home != env.home && std::fs::File::open(&service.config_path).is_err_and(is_hidden) {
        return None;
    }
    let env = &service;
    let own = ["--password-file", "--token", "--password", "--bind", "--allow-unconfigured"];
    let unit = std::fs::read_to_string(&place.path).unwrap_or_default();
    let is_told_more = own.iter().any(|flag| unit.contains(flag));
    match Config::load(&mut env.clone()) {
        Err(error) => Some(error.message().replace('\n', " ")),
        Ok(_) if is_told_more || !place.path.exists() => None,
        Ok(_) => gateway::refusal(env),
    }
}

/// The environment of the service, which may be another user's than who asks.
fn of_service(env: &Env, place: &Place) -> Result<Env> {
    let mut seen = inspect::nothing(place);
    if let Some(text) = inspect::read(&place.path) {
        seen.installed = true;
        seen.environment = inspect::environment(place.manager, &text);
    }
    Unit { seen, others: Vec::new() }.environment_over(env)
}

pub fn show(context: &Context, args: &Args, action: &str, report: Report) -> Result<()> {
    show_as(context, args, action, report, true)
}

fn show_as(context: &Context, args: &Args, action: &str, report: Report, is_ok: bool) -> Result<()> {
    if !args.has("json") {
        report.lines.iter().chain(&report.hints).for_each(|line| context.out.line(line));
        report.warnings.iter().for_each(|line| context.out.warn(&format!("Warning: {line}")));
        return Ok(());
    }
    let mut value = json!({"action": action, "ok": is_ok, "result": report.result});
    if let Some(map) = value.as_object_mut() {
        map.insert("message".into(), report.lines.first().cloned().unwrap_or_default().into());
        map.insert("service".into(), report.service.to_json(false));
        map.insert("path".into(), report.service.unit_path.display().to_string().into());
        for (name, list) in
            [("hints", report.hints), ("warnings", report.warnings), ("drift", report.service.drift)]
        {
            if !list.is_empty() {
                map.insert(name.into(), list.into());
            }
        }
    }
    context.out.json(&value);
    Ok(())
}
