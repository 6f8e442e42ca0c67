//! `openclaw config diff`: what a changed file would change in a gateway that runs.
use super::{invalid, warn};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional};
use crate::config::plan::{Plan, plan};
use crate::config::{Config, Hide, path, write};
use crate::error::{Error, Result};
use crate::json::json;
use crate::parts::shortened;
use serde_json::Value;
use std::path::Path;

pub const DIFF: Command = Command {
    name: "config diff",
    summary: "Show what would change if a file took the configuration's place",
    about: "With --plan also what a running gateway would do about each change.",
    positionals: &[Positional::required("file")],
    flags: &[&[
        Flag::switch("plan", "Say of each change whether it restarts, reloads or needs nothing"),
        JSON,
    ]],
    examples: &[(
        "openclaw config diff --plan new.json5",
        "See what a new file would do before it is put in place",
    )],
    failure: "",
    run: diff,
};

pub(super) fn diff(context: &Context, args: &Args) -> Result<()> {
    let file = args.positional(0).unwrap_or_default();
    let text = std::fs::read_to_string(file).map_err(|e| Error::io(format_args!("read {file}"), e))?;
    let old = Config::inspect(&mut context.env.clone());
    let (new, issues) = write::judge(&context.env, text.as_str(), Path::new(file));
    let plan = plan(&old, &new);
    let report = json!({
        "ok": issues.is_empty(), "valid": issues.is_empty(), "issues": issues, "warnings": new.warnings(),
        "plan": issues.is_empty().then(|| as_json(&plan)),
    });
    if !issues.is_empty() {
        warn(context, args, &new);
        return Err(invalid(file, &issues).with("report", report));
    }
    if args.has("json") {
        context.out.json(&report);
        return Ok(());
    }
    warn(context, args, &new);
    show(context, &plan, &old, &new, args.has("plan"));
    Ok(())
}

/// A table of what changes, and on demand of what a running gateway does about it.
pub(super) fn show(context: &Context, plan: &Plan, old: &Config, new: &Config, tells_needs: bool) {
    if plan.is_empty() {
        context.out.line("nothing changes");
        return;
    }
    let value = |config: &Config, path: &str| {
        let names = path::parse(path).unwrap_or_default();
        let found = config.look(&names.iter().map(String::as_str).collect::<Vec<_>>(), Hide::All);
        found.map_or("-".to_string(), |value| short(&value))
    };
    let rows: Vec<Vec<String>> = needs(plan)
        .into_iter()
        .map(|(needs, path)| {
            let change = vec![path.to_string(), value(old, path), value(new, path)];
            if tells_needs { [vec![needs], change].concat() } else { change }
        })
        .collect();
    let head: &[&str] =
        if tells_needs { &["Needs", "Path", "Now", "Then"] } else { &["Path", "Now", "Then"] };
    context.out.table(head, &rows);
}

/// What each changed path needs of a gateway that runs.
pub(super) fn needs(plan: &Plan) -> Vec<(String, &str)> {
    let mut all: Vec<(String, &str)> =
        plan.restart.iter().map(|path| ("restart".to_string(), path.as_str())).collect();
    for (action, paths) in &plan.hot {
        all.extend(paths.iter().map(|path| (action.to_string(), path.as_str())));
    }
    for (needs, paths) in [("nothing", &plan.none), ("nothing: not read here", &plan.unread)] {
        all.extend(paths.iter().map(|path| (needs.to_string(), path.as_str())));
    }
    all
}

pub(super) fn as_json(plan: &Plan) -> Value {
    let named = |is_here: bool| {
        let of = plan.hot.iter().filter(move |(action, _)| action.is_here() == is_here);
        of.map(|(action, paths)| json!({"action": action.name(), "paths": paths})).collect::<Vec<_>>()
    };
    json!({
        "restart": plan.restart, "hot": named(true), "none": plan.none, "unread": plan.unread,
        "unsupported": named(false),
    })
}

/// A value as one cell of a table.
pub(super) fn short(value: &Value) -> String {
    shortened(&value.to_string(), 40)
}
