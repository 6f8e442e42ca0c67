//! `openclaw security audit`: the checks of `doctor` that are about who can get at what, in the form that existing
//! scripts read.
//!
//! Works offline; only `--deep` asks the gateway. `--fix` changes modes of files and a few switches of the config.
use super::reach;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON};
use crate::doctor::{self, Ctx, Done, Found, Severity};
use crate::error::Result;
use crate::json::json;
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "security audit",
    summary: "Look for what others could read, change or reach",
    about: "Looks at files and configuration only and exits 0 whatever it finds; openclaw doctor --lint is for scripts \
            that want a status.",
    positionals: &[],
    flags: &[&[
        Flag::switch("deep", "Ask the gateway too, and look at the services of the machine"),
        Flag::switch("fix", "Close what is open: modes of files, switches of the config"),
        JSON,
    ]],
    examples: &[
        ("openclaw security audit", "List what was found, worst first"),
        ("openclaw security audit --fix --json", "Close what can be closed and print JSON"),
    ],
    failure: "",
    run,
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let deep = args.has("deep");
    let waiting = Waiting::begin(context.out, "looking at the installation");
    let mut ctx = Ctx::look(&context.env, deep);
    if deep {
        ctx.reached = reach(&ctx);
    }
    let mut found = doctor::run(&ctx, |check| check.security);
    let mut done = None;
    if args.has("fix") {
        let fixes = found.iter().filter_map(|found| found.finding.fix.as_ref()).collect();
        done = Some(doctor::repair(&ctx, fixes, Vec::new(), false));
        ctx = Ctx { reached: ctx.reached, ..Ctx::look(&context.env, deep) };
        found = doctor::run(&ctx, |check| check.security);
    }
    drop(waiting);
    if args.has("json") {
        let report = report(&ctx, &found, deep);
        context.out.json(&match &done {
            Some(done) => json!({"fix": fixed(&ctx, done), "report": report}),
            None => report,
        });
        return Ok(());
    }
    for Done { told, left, error } in done.iter().flatten() {
        let left = left.iter().map(|line| format!("left to do: {line}"));
        told.iter().cloned().chain(left).for_each(|line| context.out.line(context.env.display_all(&line)));
        if let Some(error) = error {
            context.out.warn(&context.env.display_all(&format!("Error: {}", error.message())));
        }
    }
    show(context, &found, deep);
    Ok(())
}

fn count(found: &[Found], severity: Severity) -> usize {
    found.iter().filter(|found| found.check.severity == severity).count()
}

fn report(ctx: &Ctx, found: &[Found], deep: bool) -> Value {
    let finding = |found: &Found| {
        let mut finding = json!({
            "checkId": found.check.id, "severity": found.check.severity.audit_name(), "title": found.check.title,
            "detail": found.finding.detail,
        });
        if let (Some(remedy), Some(map)) = (&found.finding.remedy, finding.as_object_mut()) {
            map.insert("remediation".into(), remedy.as_str().into());
        }
        finding
    };
    let mut report = json!({
        "ts": ctx.now,
        "summary": {
            "critical": count(found, Severity::Error), "warn": count(found, Severity::Warning),
            "info": count(found, Severity::Info),
        },
        "findings": found.iter().map(finding).collect::<Vec<_>>(),
    });
    if let (true, Some(map)) = (deep, report.as_object_mut()) {
        let gateway = match &ctx.reached {
            Some(reached) => json!({
                "attempted": true, "url": reached.url, "ok": reached.outcome.is_ok(),
                "error": reached.outcome.as_ref().err().map(|e| e.message()),
            }),
            None => json!({"attempted": false, "url": null, "ok": false, "error": null}),
        };
        map.insert("deep".into(), json!({"gateway": gateway}));
    }
    report
}

fn fixed(ctx: &Ctx, done: &[Done]) -> Value {
    let errors: Vec<&str> = done.iter().filter_map(|done| Some(done.error.as_ref()?.message())).collect();
    let told: Vec<&String> =
        done.iter().filter(|done| done.error.is_none()).flat_map(|done| &done.told).collect();
    let actions = told.iter().filter_map(|line| line.strip_prefix("chmod ")?.split_once(' '));
    let action =
        |(mode, path): (&str, &str)| json!({"kind": "chmod", "path": path, "mode": mode, "ok": true});
    json!({
        "ok": errors.is_empty(),
        "stateDir": ctx.env.state_dir,
        "configPath": ctx.env.config_path,
        "changes": told.iter().filter(|line| !line.starts_with("chmod ")).collect::<Vec<_>>(),
        "actions": actions.map(action).collect::<Vec<_>>(),
        "errors": errors,
    })
}

fn show(context: &Context, found: &[Found], deep: bool) {
    let out = &context.out;
    let shown = |text: &str| context.env.display_all(text);
    out.heading("OpenClaw security audit");
    let of = |severity: Severity| format!("{} {}", count(found, severity), severity.audit_name());
    let levels = [Severity::Error, Severity::Warning, Severity::Info];
    out.line(format!("Summary: {}", levels.map(of).join(" · ")));
    if !deep {
        out.line(format!("Run deeper: {}", context.env.command("security audit --deep")));
    }
    for level in levels.into_iter().filter(|level| count(found, *level) > 0) {
        out.line("");
        out.heading(&level.audit_name().to_ascii_uppercase());
        for Found { check, finding } in found.iter().filter(|found| found.check.severity == level) {
            out.line(format!("{} {}", check.id, check.title));
            shown(&finding.detail).lines().for_each(|line| out.line(format!("  {line}")));
            if let Some(remedy) = &finding.remedy {
                out.line(format!("  Fix: {}", shown(remedy)));
            }
        }
    }
}
