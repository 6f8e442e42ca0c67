//! `openclaw migrate`: coming from the Node program.
//!
//! Its files are read as they are, so nothing is converted: this tells what of them is used here and what is not, and
//! with `--apply` has this program's service take the place of its own. The state directory is not changed.
mod found;
mod take;

use super::parse::Args;
use super::waiting::Waiting;
use super::{Command, Context, Flag, JSON};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::service::Other;
use found::Found;
use serde_json::Value;

pub const COMMAND: Command = Command {
    summary: "Take over from the Node program: shows what would be done, --apply does it",
    about: "Finds the Node program's state and service, and tells what carries over and what does not run here. --apply\n\
            stops and disables its service, keeps its file aside and installs and starts this program's; if that does\n\
            not answer within 30 s, the old one runs again. Its files stay as they are: docs/migrate.md.",
    flags: &[&[Flag::switch("apply", "Take the service over"), JSON]],
    examples: &[
        ("openclaw migrate", "See what there is and what would be done"),
        ("openclaw migrate --apply", "Take the service over"),
    ],
    ..Command::of("migrate", run)
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let config = Config::inspect(&mut env.clone());
    let waiting = Waiting::begin(context.out, "looking for the Node program");
    let found = Found::look(env, &config)?;
    let mut done = Vec::new();
    if args.has("apply") {
        if let Some(obstacle) = obstacle(env, &found) {
            return Err(obstacle.context("nothing was changed"));
        }
        waiting.say("taking the service over");
        done = take::over(env, &found.services)?;
    }
    drop(waiting);
    let back = take::back(env, &found.services);
    if args.has("json") {
        context.out.json(&report(env, &found, args.has("apply"), &done, &back));
        return Ok(());
    }
    show(context, &found);
    match args.has("apply") {
        true => done.iter().for_each(|line| context.out.line(line)),
        false => would(context, &found),
    }
    if !found.services.is_empty() || args.has("apply") {
        context.out.line("To go back:");
        back.iter().for_each(|line| context.out.line(format!("  {line}")));
    }
    Ok(())
}

/// What has to be done by hand before the service can be taken over.
fn obstacle(env: &Env, found: &Found) -> Option<Error> {
    if let Some(why) = &found.refusal {
        let doctor = env.command("doctor");
        return Some(Error::config(format!("no gateway would start here: {why}; see `{doctor}`")));
    }
    let holder = found.holder.as_ref().map(|holder| Error::unavailable(format!("{holder}; stop that first")));
    let system = found.system.first().map(|other| {
        Error::invalid(format!("{other} is a service of the machine; stop it first: {}", other.removal()))
    });
    holder.or(system)
}

fn show(context: &Context, found: &Found) {
    let (env, out) = (&context.env, &context.out);
    out.line(format!("State    {}", env.display(&env.state_dir)));
    out.line(format!("Config   {}", env.display(&env.config_path)));
    for other in found.services.iter().chain(&found.system) {
        out.line(format!("Service  {} ({}, {})", other.name, other.scope, env.display(&other.path)));
    }
    let counts: Vec<String> = found.carries.iter().map(|(what, count)| counted(*count, what)).collect();
    out.line(format!("Carries over: {}", counts.join(", ")));
    for (path, why) in &found.unreadable {
        out.line(env.display_all(&format!("Not counted, cannot be read: {}: {why}", path.display())));
    }
    for asked in &found.stays {
        out.line(format!("Does not run here: {}: {}", asked.what, asked.feature.instead));
    }
    if let Some(newer) = &found.newer {
        out.line(format!("Does not carry over: {newer}"));
    }
    for dir in &found.others {
        out.line(format!("Not used: {}", env.display(dir)));
    }
}

/// `1 session`, `2 sessions`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {}", if count == 1 { what.trim_end_matches('s') } else { what })
}

fn would(context: &Context, found: &Found) {
    let (env, out) = (&context.env, &context.out);
    if let Some(obstacle) = obstacle(env, found) {
        out.line(format!("In the way: {}", obstacle.message()));
    }
    for other in &found.services {
        out.line(format!("Would stop and disable {}; its file stays beside as {}", other.name, take::SUFFIX));
    }
    if found.services.is_empty() {
        out.line("No service of the Node program was found.");
    }
    out.line(format!("Would install and start this program's service: {}", env.command("migrate --apply")));
}

fn report(env: &Env, found: &Found, applied: bool, done: &[String], back: &[String]) -> Value {
    let service = |other: &Other| json!({"name": other.name, "path": other.path, "scope": other.scope, "isNode": other.is_node});
    let [sessions, channels, jobs, skills, profiles] = found.carries.map(|(_, count)| count);
    let stays = found.stays.iter().map(
        |asked| json!({"feature": asked.feature.id, "what": asked.what, "instead": asked.feature.instead}),
    );
    json!({
        "ok": true, "applied": applied, "stateDir": env.state_dir, "configPath": env.config_path,
        "carriesOver": {
            "sessions": sessions, "channels": channels, "cronJobs": jobs, "skills": skills, "authProfiles": profiles,
        },
        "unsupported": stays.collect::<Vec<Value>>(), "newerSessions": found.newer,
        "services": found.services.iter().chain(&found.system).map(service).collect::<Vec<Value>>(),
        "otherStateDirs": found.others,
        "unreadable": found.unreadable.iter().map(|(path, why)| json!({"path": path, "why": why})).collect::<Vec<Value>>(),
        "refusal": found.refusal.as_ref().or(found.holder.as_ref()), "done": done, "goBack": back,
    })
}
