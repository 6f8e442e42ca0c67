//! `openclaw node install|uninstall|start|stop|restart|status`: the node host as a service, by `service/` as the gateway's.
use super::place;
use crate::cli::gateway::service::{PLACE, manager, show};
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, JSON};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::json::{Put, json};
use crate::service::act::{self, Install};
use crate::service::{Action, Place, Role, detect, inspect};
use serde_json::Value;

const BASE: Command = Command { flags: &[PLACE, &[JSON]], ..Command::of("node start", status) };

pub const UNINSTALL: Command = Command {
    name: "node uninstall",
    summary: "Stop the node host's service and remove it",
    about: "What this machine is to its gateway stays; `openclaw devices` there ends it.",
    examples: &[("openclaw node uninstall", "Remove the service")],
    run: |context, args| {
        let place = installed(context, args)?;
        show(context, args, "uninstall", act::uninstall(&context.env, &place)?)
    },
    ..BASE
};

pub const START: Command = Command {
    name: "node start",
    summary: "Start the installed node host",
    examples: &[("openclaw node start", "Start the service")],
    run: |context, args| control(context, args, "start", Action::Start),
    ..BASE
};

pub const STOP: Command = Command {
    name: "node stop",
    summary: "Stop the node host's service",
    about: "It starts again at the next boot or login.",
    examples: &[("openclaw node stop", "Stop the service")],
    run: |context, args| control(context, args, "stop", Action::Stop),
    ..BASE
};

pub const RESTART: Command = Command {
    name: "node restart",
    summary: "Restart the node host's service",
    examples: &[("openclaw node restart", "Restart the service")],
    run: |context, args| control(context, args, "restart", Action::Restart),
    ..BASE
};

pub const STATUS: Command = Command {
    name: "node status",
    summary: "Show whether a node host runs here, and for which gateway",
    about: "Asks no gateway; `openclaw nodes status` there says whether it is connected.",
    examples: &[("openclaw node status", "Show the service, the process and the gateway")],
    run: status,
    ..BASE
};

fn installed(context: &Context, args: &Args) -> Result<Place> {
    Place::find_role(&context.env, Role::Node, manager(context, args)?)
}

/// Which gateway it is goes into `node.json`, so that the service's file need not change with it.
pub fn install(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let chosen = manager(context, args)?.unwrap_or_else(|| detect(env, false));
    let place = Place::of_role(env, Role::Node, chosen)?;
    let config = Config::load(&mut env.clone())?;
    let mut kept = place::read(env)?;
    let meant = place::wanted(env, &config, args, &kept)?;
    place::keep(env, args, &mut kept, &meant)?;
    let mut wanted = Install { force: args.has("force"), ..Install::default() };
    wanted.wishes.user = args.value("user").map(str::to_string);
    let waiting = Waiting::begin(context.out, "waiting for the service manager");
    let mut report = act::install(env, &place, wanted)?;
    drop(waiting);
    report.lines.push(format!("Gateway: {}", meant.target.url));
    let is_from_shell = |source: &str| source.starts_with("environment ");
    let secrets = [&meant.target.token, &meant.target.password];
    if secrets.into_iter().flatten().any(|secret| is_from_shell(&secret.source)) {
        report.warnings.push(format!(
            "the secret of this shell does not reach the service: run `{}` once before, or set gateway.remote.token",
            env.command("node run")
        ));
    }
    show(context, args, "install", report)
}

fn control(context: &Context, args: &Args, name: &str, action: Action) -> Result<()> {
    let place = installed(context, args)?;
    if !place.path.exists() {
        let text = format!(
            "no node host is installed here ({}): run `{}`, or in the foreground `{}`",
            context.env.display(&place.path),
            context.env.command("node install"),
            context.env.command("node run")
        );
        return Err(Error::not_found(text));
    }
    let _waiting = Waiting::begin(context.out, "waiting for the node host's service");
    show(context, args, name, act::control(&context.env, &place, action)?)
}

fn status(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let place = installed(context, args)?;
    let seen = if place.path.exists() { inspect::look(env, &place) } else { inspect::nothing(&place) };
    let lock = env.state_dir.join("node").join("node.lock");
    let holder = files::read_text(&lock).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let pid = holder.filter(|_| matches!(Lock::try_now(&lock), Ok(None)));
    let kept = place::read(env)?;
    let text = |name: &str| kept.get(name).and_then(Value::as_str).unwrap_or_default();
    let gateway = kept.get("gateway").cloned().unwrap_or_default();
    if args.has("json") {
        let mut service = seen.to_json(false);
        if let Some(map) = service.as_object_mut() {
            map.put("installed", seen.installed);
        }
        context.out.json(&json!({"service": service, "path": (place.path.display().to_string()), "running": (pid.is_some()),
            "pid": pid, "nodeId": (text("nodeId")), "displayName": (text("displayName")), "gateway": gateway}));
        return Ok(());
    }
    let state = match (seen.installed, seen.loaded) {
        (false, _) => format!("not installed (install it with `{}`)", env.command("node install")),
        (true, true) => format!("installed, enabled ({})", env.display(&place.path)),
        (true, false) => format!("installed, not enabled ({})", env.display(&place.path)),
    };
    context.out.field("Service", &state);
    context.out.field("Process", &pid.map_or("none runs".to_string(), |pid| format!("runs (pid {pid})")));
    if !text("displayName").is_empty() {
        context.out.field("Name", text("displayName"));
    }
    let part = |name: &str| {
        gateway.get(name).map_or(String::new(), |it| it.to_string().trim_matches('"').to_string())
    };
    let shown = match gateway.is_object() {
        true => {
            format!("{}:{}{}", part("host"), part("port"), if part("tls") == "true" { " by TLS" } else { "" })
        }
        false => "the configured one".to_string(),
    };
    context.out.field("Gateway", &shown);
    seen.drift
        .iter()
        .for_each(|line| context.out.warn(&format!("Warning: the service's file differs: {line}")));
    Ok(())
}
