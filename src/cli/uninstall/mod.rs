//! `openclaw uninstall`: the service goes, and on demand all that this profile has on disk.
//!
//! Says before what it does, and at the end what stays. The program itself is left to who installed it.
mod purge;
use super::gateway::service::installed;
use super::onboard::ask::Asker;
use super::parse::Args;
use super::waiting::Waiting;
use super::{Command, Context, Flag, JSON, unsupervised};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::service::{Place, act};
use purge::Plan;
use serde_json::Value;

pub const COMMAND: Command = Command {
    summary: "Remove the service, and with --purge all that this profile has",
    about: "Stops the gateway and takes its service away. --purge also removes the state directory, the configuration and\n\
            the workspaces that lie where they do by default, after asking. Links are not followed; what\n\
            another profile uses and workspaces in places of your own stay, and are named.",
    flags: &[&[
        Flag::switch("purge", "Remove state, configuration and workspaces too"),
        Flag::switch("dry-run", "Print what would be done and do nothing"),
        Flag::switch("yes", "Do it without asking back"),
        JSON,
    ]],
    examples: &[
        ("openclaw uninstall --purge --dry-run", "See what there is to remove"),
        ("openclaw uninstall", "Remove the service only"),
        ("openclaw --profile work uninstall --purge", "Remove all of one profile"),
    ],
    ..Command::of("uninstall", run)
};

/// What was done, or would be.
#[derive(Default)]
struct Done {
    lines: Vec<String>,
    warnings: Vec<String>,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let config = Config::inspect(&mut env.clone());
    let place = installed(context, args)?;
    let plan = Plan::of(env, &config, args.has("purge"));
    let is_dry = args.has("dry-run");
    if args.has("purge") && !is_dry && !args.has("yes") {
        ask(context, args, &place, &plan)?;
    }
    let mut done = Done::default();
    match is_dry {
        true => done.lines = would(context, &place, &plan),
        false => {
            let _waiting = Waiting::begin(context.out, "stopping the gateway");
            stop(context, &place, &mut done)?;
            plan.carry_out(env)?;
            done.lines.extend(plan.goes.iter().map(|path| format!("Removed {}", env.display(path))));
        }
    }
    tell(context, args, &place, &plan, &done);
    Ok(())
}

/// Shows what goes, and asks.
fn ask(context: &Context, args: &Args, place: &Place, plan: &Plan) -> Result<()> {
    let mut asker = Asker::terminal(context.out, "repeat it with --yes, or with --dry-run to see what goes")?;
    if args.has("json") {
        return Err(Error::usage("with --json nobody is asked: add --yes or --dry-run"));
    }
    would(context, place, plan).iter().for_each(|line| context.out.line(line));
    context.out.line("This cannot be undone; `openclaw backup create` keeps a copy.");
    match asker.yes("Remove all of it?", false)? {
        true => Ok(()),
        false => Err(Error::new(Kind::Aborted, "nothing was removed")),
    }
}

fn would(context: &Context, place: &Place, plan: &Plan) -> Vec<String> {
    let env = &context.env;
    let service = match place.path.exists() {
        true => format!("Would stop and remove the service {}: {}", place.name, env.display(&place.path)),
        false => "No service is installed.".to_string(),
    };
    let process = act::unsupervised(env).map(|pid| format!("Would stop the gateway (pid {pid})"));
    let goes = plan.goes.iter().map(|path| format!("Would remove {}", env.display(path)));
    std::iter::once(service).chain(process).chain(goes).collect()
}

/// Takes the service away, and ends the gateway also where none runs it.
fn stop(context: &Context, place: &Place, done: &mut Done) -> Result<()> {
    let env = &context.env;
    let report = act::uninstall(env, place)?;
    done.lines.extend(report.lines);
    match act::unsupervised(env) {
        Some(pid) => {
            unsupervised::stop(env, pid)?;
            done.lines.push(format!("Stopped the gateway (pid {pid})"));
        }
        // What was warned of is that it might run.
        None if report.service.running != Some(true) => {}
        None => done.warnings.extend(report.warnings),
    }
    Ok(())
}

fn tell(context: &Context, args: &Args, place: &Place, plan: &Plan, done: &Done) {
    let env = &context.env;
    if args.has("json") {
        let stays: Vec<Value> =
            plan.stays.iter().map(|(path, why)| json!({"path": path, "why": why})).collect();
        context.out.json(&json!({
            "ok": true, "dryRun": args.has("dry-run"), "service": place.path, "removed": plan.goes,
            "stays": stays, "warnings": done.warnings,
        }));
        return;
    }
    done.lines.iter().for_each(|line| context.out.line(line));
    done.warnings.iter().for_each(|line| context.out.warn(&format!("Warning: {line}")));
    for (path, why) in &plan.stays {
        context.out.line(format!("Stays: {} ({why})", env.display(path)));
    }
}
