//! `openclaw doctor`: what is wrong with this installation, and with `--fix` its repair.
//!
//! Without `--fix`, `--repair`, `--yes` or `--generate-gateway-token` nothing is changed (R-02a). What is looked at
//! stands in the table of `crate::doctor`; this file asks the gateway and the service manager, and prints.
pub mod audit;
mod reaching;

use super::parse::Args;
use super::{Command, Context, Flag, JSON, VERSION, far};
use crate::channels::told::kept;
use crate::cli::applied;
use crate::cli::waiting::Waiting;
use crate::doctor::{self, CHECKS, Change, Check, Ctx, Done, Finding, Fix, Found, Severity};
use crate::error::{Error, Result};
use crate::json::json;
use crate::service;
pub use reaching::reach;
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "doctor",
    summary: "Find what is wrong with this installation",
    about: "Looks at configuration, permissions, state, ports, models, channels, the service and the running gateway, and \
            changes nothing. With --fix it repairs what it safely can, says what it did, and keeps the old config as \
            openclaw.json.bak. With --lint the exit status is 1 when there is a finding of at least --severity-min.",
    positionals: &[],
    flags: &[&[
        Flag::switch("fix", "Repair what can be repaired without losing anything"),
        Flag::switch("repair", "The same as --fix"),
        Flag::switch("yes", "The same as --fix, as existing scripts call it"),
        Flag::switch(
            "force",
            "With --fix: also remove keys that nothing reads, and take over the Node program's service",
        ),
        Flag::switch("generate-gateway-token", "Set a new random gateway.auth.token"),
        Flag::switch("non-interactive", "Ask nothing, which it never does"),
        Flag::switch("deep", "Look at the services of the whole machine too"),
        Flag::switch("lint", "Let the exit status tell whether there are findings"),
        Flag::choice(
            "severity-min",
            "<level>",
            &Severity::NAMES,
            "Leave out findings below; default info, for --lint warning",
        ),
        Flag::value("only", "<check>", ONLY),
        Flag::switch("no-workspace-suggestions", "Accepted without effect").quiet(),
        JSON,
    ]],
    examples: &[
        ("openclaw doctor", "Look at everything and change nothing"),
        ("openclaw doctor --fix", "Repair what can be repaired, and say what was done"),
        ("openclaw doctor --lint --json --severity-min error", "Let a script decide"),
    ],
    failure: "",
    run,
};

/// With the families of checks.
const ONLY: &str = "Look at this check or family only, may be repeated: channels, clock, compat, config, cron, devices, disk, env, exec, fs, \
                    gateway, heartbeat, hooks, models, port, service, sessions, state, summary, unsupported, workspace";

fn run(context: &Context, args: &Args) -> Result<()> {
    let wants_fix = ["fix", "repair", "yes"].iter().any(|flag| args.has(flag));
    let lint = args.has("lint");
    if lint && (wants_fix || args.has("generate-gateway-token")) {
        return Err(Error::usage("--lint changes nothing; leave it out to repair"));
    }
    let only = args.all("only");
    if let Some(unknown) = only.iter().find(|only| !CHECKS.iter().any(|check| doctor::is_named(check, only)))
    {
        return Err(Error::usage(format!("no check {unknown:?}; openclaw doctor --json names them")));
    }
    let is_asked_for = |check: &Check| only.iter().any(|only| doctor::is_named(check, only));
    // The audit's summary is no finding, and nothing is wrong with what another program does not know.
    let is_usual = |check: &Check| !["summary.", "compat."].iter().any(|family| check.id.starts_with(family));
    let wanted = |check: &Check| if only.is_empty() { is_usual(check) } else { is_asked_for(check) };
    let named = args.value("severity-min").and_then(Severity::named);
    let (shown, threshold) = (named.unwrap_or(Severity::Info), named.unwrap_or(Severity::Warning));
    let waiting = Waiting::begin(context.out, "looking at the installation");
    let ctx = examine(context, args.has("deep"), &wanted);
    let mut found = doctor::run(&ctx, wanted);
    drop(waiting);
    if let Some(address) = far::configured(&ctx.env, &ctx.config).filter(|_| wants_fix) {
        context.out.warn(&format!(
            "note: this repairs configuration and files of this machine; those of the gateway at {address}, its service and \
             its models are looked at on its host"
        ));
    }
    let mut done = Vec::new();
    if wants_fix || args.has("generate-gateway-token") {
        done = repair(context, args, &ctx, found.iter().filter(|_| wants_fix))?;
        let service = ctx.service.and_then(|_| service::inspect(&ctx.env).ok());
        let after = Ctx { reached: ctx.reached, service, ..Ctx::look(&context.env, args.has("deep")) };
        found = doctor::run(&after, wanted);
    }
    found.retain(|found| found.check.severity >= shown);
    let is_ok = !found.iter().any(|found| found.check.severity >= threshold);
    if args.has("json") {
        context.out.json(&report(&found, &done, is_ok));
    } else {
        show(context, &found, &done, wants_fix);
    }
    match (done.iter().any(|done| done.error.is_some()), lint && !is_ok) {
        (false, false) => Ok(()),
        // Everything was told; only the status is left.
        _ => Err(Error::unavailable("")),
    }
}

fn repair<'a>(
    context: &Context,
    args: &Args,
    ctx: &Ctx,
    found: impl Iterator<Item = &'a Found>,
) -> Result<Vec<Done>> {
    let fixes = found.filter_map(|found| found.finding.fix.as_ref()).collect();
    let token = args.has("generate-gateway-token").then_some(Change::Token("gateway.auth.token"));
    let repair = || Ok(doctor::repair(ctx, fixes, token.into_iter().collect(), args.has("force")));
    applied::wait_for(context, repair)
}

/// Looks at the files, and asks gateway and service manager where a check wants it.
fn examine(context: &Context, deep: bool, wanted: &impl Fn(&Check) -> bool) -> Ctx {
    let wants = |family: &str| CHECKS.iter().any(|check| wanted(check) && doctor::is_named(check, family));
    let mut ctx = Ctx::look(&context.env, deep);
    if ["gateway.probe_failed", "gateway.version_skew", "channels.program", "config.invalid"]
        .into_iter()
        .any(wants)
    {
        ctx.reached = reach(&ctx);
        let kept = ctx.reached.as_ref().map(|reached| kept(&reached.channels)).unwrap_or_default();
        ctx.config = ctx.config.into_kept(&kept);
    }
    if wants("service.differs") || wants("service.legacy") {
        // Without a place for a service there is none that could differ.
        ctx.service = service::inspect(&ctx.env).ok();
    }
    ctx
}

/// What scripts read; stable.
pub fn report(found: &[Found], done: &[Done], is_ok: bool) -> Value {
    let finding = |found: &Found| {
        let Found { check, finding } = found;
        let mut json = json!({
            "checkId": check.id, "severity": check.severity.name(), "title": check.title,
            "message": finding.detail, "path": finding.path, "fixHint": finding.remedy,
            "fixable": finding.fix.as_ref().is_some_and(|fix| !fix.needs_force()),
        });
        if let (Some(map), Some(spot)) = (json.as_object_mut(), &finding.spot) {
            map.extend(spot.members());
        }
        json
    };
    let count = |severity| found.iter().filter(|found| found.check.severity == severity).count();
    json!({
        "ok": is_ok,
        "version": VERSION,
        "checks": CHECKS.iter().map(|check| check.id).collect::<Vec<_>>(),
        "summary": {
            "error": count(Severity::Error), "warning": count(Severity::Warning), "info": count(Severity::Info),
        },
        "findings": found.iter().map(finding).collect::<Vec<_>>(),
        "changes": done.iter().map(change).collect::<Vec<_>>(),
    })
}

fn change(done: &Done) -> Value {
    json!({
        "ok": done.error.is_none(), "did": done.told, "left": done.left,
        "error": done.error.as_ref().map(|e| e.message()),
    })
}

fn show(context: &Context, found: &[Found], done: &[Done], fixed: bool) {
    show_done(context, done);
    let mut last = "";
    for found in found {
        if found.check.id != last {
            show_title(context, found.check);
        }
        last = found.check.id;
        show_finding(context, &found.finding);
    }
    show_repairs(context, found, fixed);
}

fn show_done(context: &Context, done: &[Done]) {
    let out = &context.out;
    let shown = |text: &str| context.env.display_all(text);
    for Done { told, left, error } in done {
        let word = if error.is_none() { "done" } else { "failed" };
        told.iter().for_each(|line| out.line(format!("{word}: {}", shown(line))));
        left.iter().for_each(|line| out.line(format!("left to do: {}", shown(line))));
        if let Some(error) = error {
            out.warn(&format!("Error: {}", shown(error.message())));
        }
    }
    if !done.is_empty() {
        out.line("");
    }
}

fn show_title(context: &Context, check: &Check) {
    let style = match check.severity {
        Severity::Error => 31,
        Severity::Warning => 33,
        Severity::Info => 2,
    };
    let severity = format!("{:<7}", check.severity.name());
    let mut id = format!(" ({})", check.id);
    if !context.out.fits(&format!("{severity} {}{id}", check.title)) {
        id = format!("\n       {id}");
    }
    context.out.styled(&[(style, &severity), (0, " "), (1, check.title), (0, &id)]);
}

fn show_finding(context: &Context, finding: &Finding) {
    let out = &context.out;
    let shown = |text: &str| context.env.display_all(text);
    let excerpt: Vec<&str> = finding.spot.iter().flat_map(|spot| spot.excerpt.lines()).collect();
    // Its mark stands below the place, so it moves and is not folded.
    let indent = if excerpt.iter().all(|line| out.fits(&format!("{:12}{line}", ""))) { 12 } else { 4 };
    shown(&finding.detail).lines().for_each(|line| out.line(format!("        {line}")));
    excerpt.iter().for_each(|line| out.whole(format!("{:indent$}{line}", "")));
    if let Some(remedy) = &finding.remedy {
        out.line(format!("        Fix: {}", shown(remedy)));
    }
}

/// What `--fix` and `--force` would do.
fn show_repairs(context: &Context, found: &[Found], fixed: bool) {
    let out = &context.out;
    let repairs = |force| {
        let fixes = found.iter().filter_map(|found| found.finding.fix.as_ref());
        fixes.filter(|fix| fix.needs_force() == force).count()
    };
    if found.is_empty() {
        out.line("No problems found.");
    } else if !fixed && repairs(false) > 0 {
        out.line("");
        out.line(format!("`{}` repairs {} of these.", context.env.command("doctor --fix"), repairs(false)));
    } else if repairs(true) > 0 {
        out.line("");
        let command = context.env.command("doctor --fix --force");
        out.line(format!("`{command}` {}; a backup is kept.", forced(context, found)));
    }
}

/// What only `--force` does.
fn forced(context: &Context, found: &[Found]) -> String {
    let fixes =
        || found.iter().filter_map(|found| found.finding.fix.as_ref()).filter(|fix| fix.needs_force());
    let keys = match fixes().filter(|fix| matches!(fix, Fix::Config(_))).count() {
        0 => None,
        1 => Some("removes 1 key that nothing reads".to_string()),
        n => Some(format!("removes {n} keys that nothing reads")),
    };
    let unit = fixes().find_map(|fix| match fix {
        Fix::Service { unit, .. } => Some(context.env.display(unit)),
        _ => None,
    });
    let unit = unit
        .map(|unit| format!("writes {unit} anew, so that it runs this program, and restarts the service"));
    keys.into_iter().chain(unit).collect::<Vec<_>>().join(" and ")
}
