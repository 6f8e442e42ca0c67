//! `openclaw config get|file|validate|schema|diff`: looking at the configuration.
//!
//! Works on the file alone, with the gateway up or down, and writes nothing. Changing it is `edit.rs`, going back `rollback.rs`.
mod copy;
mod diff;
pub mod edit;
pub mod list;
pub mod open;
pub mod rollback;
use super::link::target::Target;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::config::{self, Config, Hide, Issue, path};
use crate::doctor::unsupported;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::gateway;
use crate::json::{Put, json};
pub use diff::DIFF;
use serde_json::Value;

pub const GET: Command = Command {
    name: "config get",
    summary: "Print a value of the configuration",
    about: "The value in force: includes, variables and defaults are resolved. A secret is printed when its own path\n\
            is asked for; inside of anything larger, an address too, it is hidden, unless --reveal is given. Of an\n\
            object what is set is printed, or its defaults if nothing is; --defaults prints both.\n\
            Exits with 0 for a value, with 3 for a key that is not set and has no default, with 1 for one that does\n\
            not exist.",
    positionals: &[Positional::required("path")],
    flags: &[&[
        JSON,
        Flag::switch("reveal", "Print secrets inside of objects and lists too"),
        Flag::switch("defaults", "Print the defaults of what is not set in an object too"),
    ]],
    examples: &[
        ("openclaw config get gateway.port", "Print the port"),
        ("openclaw config get agents.list[0] --json", "Print the first agent as JSON"),
    ],
    failure: "",
    run: get,
};

pub const FILE: Command = Command {
    name: "config file",
    summary: "Print the path of the configuration file",
    about: "",
    positionals: &[],
    flags: &[&[JSON]],
    examples: &[("openclaw config file", "Print the path")],
    failure: "",
    run: |context, args| {
        let path = &context.env.config_path;
        match args.has("json") {
            true => context.out.json(&json!({"path": path, "exists": !files::is_missing(path)})),
            false => context.out.whole(path.display().to_string()),
        }
        Ok(())
    },
};

pub const VALIDATE: Command = Command {
    name: "config validate",
    summary: "Check the configuration file",
    about: "Exits with 0 when a gateway starts with the file, with 1 when it is missing, has mistakes or keeps a\n\
            gateway from starting. Unknown keys are warnings.",
    positionals: &[],
    flags: &[&[JSON]],
    examples: &[("openclaw config validate --json", "Check and print what is wrong as JSON")],
    failure: "",
    run: validate,
};

pub const SCHEMA: Command = Command {
    name: "config schema",
    summary: "Print the JSON Schema of the configuration, or of one place in it",
    about: "Of a place: its type, default, bounds and unit, and the same of every key directly below it.",
    positionals: &[Positional::optional("path")],
    flags: &[&[JSON]],
    examples: &[
        ("openclaw config schema", "Print all of it"),
        ("openclaw config schema gateway.auth", "Print one place and what is below it"),
        ("openclaw config schema gateway.limits", "Print every limit with its default and unit"),
    ],
    failure: "",
    run: schema,
};

fn get(context: &Context, args: &Args) -> Result<()> {
    let wanted = args.positional(0).unwrap_or_default();
    let names = path::parse(wanted)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let config = usable(context)?;
    if let Some(mistake) = config.mistake(&names.join(".")) {
        let error = Error::invalid(format!("{wanted} is not in force: {}", mistake.placed()));
        return Err(mistake.blame(error));
    }
    let hide = if args.has("reveal") { Hide::Nothing } else { Hide::Inner };
    far::note_setting(&context.out, &context.env, &config, wanted);
    let node = config::lookup::find(names.iter().copied());
    let default = || node.filter(|node| !node.is_optional()).and_then(config::defaults::of);
    let mut value = config.look(&names, hide).or_else(default).ok_or_else(|| missing(wanted, &names))?;
    if let Some(node) = node.filter(|_| args.has("defaults")) {
        config::defaults::fill(&mut value, node);
    }
    if wanted == "gateway.port" && !config.is_set(wanted) {
        // A profile has a default of its own.
        value = context.env.default_port().into();
    }
    match &value {
        Value::String(text) if !args.has("json") => context.out.whole(text),
        value => context.out.json(value),
    }
    Ok(())
}

/// Why there is no value: nobody has set one, or nothing of that name can be.
fn missing(wanted: &str, names: &[&str]) -> Error {
    if config::lookup::is_covered(names) {
        return Error::new(Kind::Unset, format!("Config key not set: {wanted} (it has no default)"));
    }
    config::lookup::unknown(wanted, names)
}

/// The configuration, if the file can be read at all; mistakes in it do not hide the rest.
pub(super) fn usable(context: &Context) -> Result<Config> {
    let config = Config::inspect(&mut context.env.clone());
    match config.issues().iter().find(|issue| issue.path.is_empty()) {
        Some(issue) => {
            // One that can be corrected in more than one way names its fix.
            let fix = if issue.message.contains("; ") { "" } else { "; correct it, then try again" };
            let file = config.place(issue);
            Err(issue.blame(Error::config(format!("config {file}: {}{fix}", issue.message))))
        }
        None => Ok(config),
    }
}

fn validate(context: &Context, args: &Args) -> Result<()> {
    let config = Config::inspect(&mut context.env.clone());
    let file = context.env.display(config.path());
    let report = json!({
        "ok": config.is_valid() && config.exists(), "valid": config.is_valid() && config.exists(),
        "path": config.path(), "exists": !files::is_missing(config.path()),
        "issues": config.issues(), "warnings": config.warnings(),
        "unsupported": unsupported::asked(&config, &context.env).iter().map(|asked| json!({
            "feature": asked.feature.id, "what": asked.what, "instead": asked.feature.instead,
        })).collect::<Vec<_>>(),
    });
    if !config.is_valid() {
        warn(context, args, &config);
        return Err(invalid(&file, config.issues()).with("report", report));
    }
    if !config.exists() {
        let make = context.env.command("setup");
        let error = Error::not_found(format!("Config file not found: {file}; make one with `{make}`"));
        return Err(error.with("report", report));
    }
    if let Some((what, why)) = useless(context, &config) {
        warn(context, args, &config);
        let mut report = report;
        if let Some(map) = report.as_object_mut() {
            map.put("ok", false);
            map.put("valid", false);
            map.put("issues", json!([{"path": "gateway", "message": why}]));
        }
        let error = Error::invalid(format!("Config valid, but {what}: {file}\n  - {why}"));
        return Err(error.with("report", report));
    }
    if args.has("json") {
        context.out.json(&report);
        return Ok(());
    }
    context.out.line(format!("Config valid: {file}"));
    warn(context, args, &config);
    if let Some(all) = unsupported::line(&config, &context.env) {
        let doctor = context.env.command("doctor --only unsupported");
        context.out.warn(&format!("warning: not in this version: {all}; `{doctor}` says what helps instead"));
    }
    Ok(())
}

/// What a configuration without a mistake is no good for, and why.
fn useless(context: &Context, config: &Config) -> Option<(&'static str, String)> {
    // A configuration for clients of another host's gateway starts none.
    if config.str("gateway.mode") == Some("remote") {
        let failed = Target::configured(&context.env, config, &Args::default(), true).err()?;
        return Some(("leads to no gateway", failed.message().to_string()));
    }
    Some(("no gateway starts with it", gateway::refusal(&context.env)?))
}

/// What is no mistake, for people.
fn warn(context: &Context, args: &Args, config: &Config) {
    for warning in config.warnings().iter().filter(|_| !args.has("json")) {
        let told = format!("warning: {}", warning.shown("    "));
        context.out.warn(&context.env.display_all(&told));
    }
}

fn invalid(file: &str, issues: &[Issue]) -> Error {
    let lines: Vec<String> = issues.iter().map(|issue| format!("\n  - {}", issue.shown("      "))).collect();
    Error::invalid(format!("Config invalid: {file}{}", lines.concat()))
}

fn schema(context: &Context, args: &Args) -> Result<()> {
    let Some(wanted) = args.positional(0) else {
        context.out.json(&config::schema_alone());
        return Ok(());
    };
    let names = path::parse(wanted)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    context.out.json(&config::schema_of(&names).ok_or_else(|| config::lookup::unknown(wanted, &names))?);
    Ok(())
}
