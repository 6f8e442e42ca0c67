//! `openclaw config set|unset`: changing one value of the configuration file, in place.
//!
//! Writes the file itself, under the lock that a running gateway takes too (R-02d); a gateway that runs notices the
//! change like any other. Everything else in the file stays byte for byte (R-02b).
use super::diff::short;
use crate::agents::sharing;
use crate::cli::applied::{Outcome, Running};
use crate::cli::gateway::status::stranger;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional, far};
use crate::config::keys::Type;
use crate::config::write::{Base, Change, Terms, Written, write};
use crate::config::{Config, Hide, Issue, lookup, path, ports};
use crate::error::{Cause, Error, Result};
use crate::gateway;
use crate::json::json;
use crate::workspace;
use serde_json::Value;

pub(super) const FORCE: Flag = Flag::switch(
    "force",
    "Write a key that nothing reads, or although most of the file, gateway.mode or gateway.auth is lost",
);

pub const SET: Command = Command {
    name: "config set",
    summary: "Set a value of the configuration",
    about: "The value is read as JSON5; what is not JSON5 is a text. Nothing is written when the result would not be\n\
            a valid configuration or one that a gateway starts with, or names a key that nothing reads. The last five versions of the file are kept beside it, as .bak to .bak.4.",
    positionals: &[Positional::required("path"), Positional::required("value")],
    flags: &[&[JSON, Flag::switch("strict-json", "Refuse a value that is not JSON5"), FORCE]],
    examples: &[
        ("openclaw config set gateway.port 19000", "Set a number"),
        ("openclaw config set agents.list[0].name Ada", "Set a text"),
        ("openclaw config set tools.deny '[\"exec\"]' --strict-json", "Set a list"),
    ],
    failure: "",
    run: set,
};

pub const UNSET: Command = Command {
    name: "config unset",
    summary: "Remove a value from the configuration",
    about: "",
    positionals: &[Positional::required("path")],
    flags: &[&[JSON, FORCE]],
    examples: &[("openclaw config unset ui.seamColor", "Go back to the default")],
    failure: "",
    run: unset,
};

fn set(context: &Context, args: &Args) -> Result<()> {
    let names = path::parse(args.positional(0).unwrap_or_default())?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let strict = args.has("strict-json");
    let value = value(args.positional(1).unwrap_or_default(), &names, strict)?;
    if let (["agents", "defaults" | "list", .., "workspace"], Some(dir)) = (names.as_slice(), value.as_str())
    {
        workspace::check_unused(&context.env, &context.env.expand(dir.trim()))?;
    }
    done(context, args, "Updated", Change::Set(&names, &value))
}

fn unset(context: &Context, args: &Args) -> Result<()> {
    let names = path::parse(args.positional(0).unwrap_or_default())?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    done(context, args, "Removed", Change::Remove(&names))
}

/// What was typed, as a value. A key that takes text takes `12345` as text too.
fn value(typed: &str, path: &[&str], strict: bool) -> Result<Value> {
    let is_text = || {
        let kind = lookup::find(path.iter().copied()).map(|node| node.kind());
        matches!(
            kind,
            Some(Type::Text { .. } | Type::Enum(_) | Type::Duration | Type::Clock | Type::Fingerprint)
        )
    };
    match json5::from_str::<Value>(typed) {
        Ok(value) if strict || value.is_string() || !is_text() => Ok(value),
        Err(e) if strict => {
            Err(Error::invalid(format!("Failed to parse JSON5 value: {e}; write a text as '\"text\"'")))
        }
        _ => Ok(typed.into()),
    }
}

/// The owner of this host changes what is there now, to what a gateway starts with.
pub fn terms(force: bool) -> Terms<'static> {
    Terms { base: Base::Present, force, check: None, starts: &gateway::objections }
}

fn done(context: &Context, args: &Args, verb: &str, change: Change) -> Result<()> {
    let asked = args.positional(0).unwrap_or_default();
    let place = path::parse(asked)?.join(".");
    let running = Running::open(&context.env);
    let written = write(&context.env, change, terms(args.has("force"))).map_err(explain)?;
    let obstacle = obstacle(context, &written.config, running.is_some(), &place);
    let goes_on = obstacle.is_some() || place == "gateway.mode" && !is_local(&written.config);
    let mode = running.as_ref().and_then(Running::auth_mode);
    let applied = running.filter(|_| obstacle.is_none()).and_then(|running| running.wait(context));
    let warnings: Vec<&Issue> =
        written.config.warnings().iter().filter(|warning| warning.concerns(&place)).collect();
    if args.has("json") {
        let (plan, config) = (&written.plan, &written.config);
        context.out.json(&json!({
            "ok": true, "path": asked, "config": config.path(), "hash": config.hash(), "changed": written.written,
            "restart": plan.restart, "backup": written.written.then(|| backup(&written)), "obstacle": obstacle,
            "warnings": warnings, "applied": applied.map(|outcome| outcome == Outcome::InForce),
        }));
        return Ok(());
    }
    context.out.line(match written.written {
        true => format!("{verb} {asked}{}", effect(&written, goes_on, applied)),
        false => unchanged(&written.config, asked, mode.filter(|_| place == "gateway.auth.mode")),
    });
    for warning in warnings {
        let told = format!("note: {}", warning.shown("    "));
        context.out.warn(&context.env.display_all(&told));
    }
    if let Some(note) = applied.and_then(Outcome::note) {
        context.out.warn(note);
    }
    let shared =
        place.ends_with("workspace").then(|| sharing::shared(&context.env, &written.config)).flatten();
    if let Some(told) = shared {
        context.out.warn(&format!("note: {told}; name another directory"));
    }
    far::note_setting(&context.out, &context.env, &written.config, &place);
    if let Some(obstacle) = obstacle {
        context.out.warn(&format!("note: a gateway would not start with this: {obstacle}"));
    }
    Ok(())
}

/// What a running gateway does, or has done, about it.
pub(super) fn effect(written: &Written, goes_on: bool, applied: Option<Outcome>) -> &'static str {
    let (mode, plan) = (written.config.str("gateway.reload.mode"), &written.plan);
    match mode.unwrap_or("hybrid") {
        _ if applied == Some(Outcome::InForce) => ". The running gateway has applied it.",
        _ if applied.is_some() => ".",
        _ if !written.written => ".",
        _ if plan.is_idle() => ". It has no effect: nothing in this version reads it.",
        _ if goes_on => ". A running gateway goes on as it is.",
        "off" => ". A running gateway takes it up at its next start, as gateway.reload.mode is off.",
        "hot" if !plan.restart.is_empty() => {
            ". In force after a restart of the gateway, which gateway.reload.mode=hot leaves to you."
        }
        mode if !plan.restarts(mode).is_empty() => ". A running gateway restarts in process to apply it.",
        _ => ". A running gateway applies it within a second.",
    }
}

/// What is so already, and by which `mode` of authentication the running gateway goes: an option or a variable of its own
/// goes before the file.
fn unchanged(config: &Config, asked: &str, mode: Option<String>) -> String {
    let names = path::parse(asked).unwrap_or_default();
    let found = config.look(&names.iter().map(String::as_str).collect::<Vec<_>>(), Hide::All);
    let runs = mode.map_or(String::new(), |mode| format!("; the running gateway goes by \"{mode}\""));
    match found {
        Some(value) => format!("Nothing to change: {asked} is {} already{runs}.", short(&value)),
        None => format!("Nothing to change: {asked} is not set{runs}."),
    }
}

/// Why no gateway of this host would start with `config` all the same: by what was so before, or what is missing here and
/// may be there where it starts. A mode other than local keeps none from starting where none is meant to run: it is an
/// obstacle for one that `runs`.
fn obstacle(context: &Context, config: &Config, runs: bool, place: &str) -> Option<String> {
    let is_remote = config.str("gateway.mode") == Some("remote");
    let is_refused = runs && (is_remote || place == "gateway.mode");
    let refusal = (is_local(config) || is_refused).then(|| gateway::refusal(&context.env)).flatten();
    // The port is tried by the gateway itself; who has it is known before.
    let taken = || {
        let is_named = place == "gateway.port" && context.env.port().is_none() && is_local(config);
        is_named.then(|| stranger(&context.env, ports::configured(&context.env, config))).flatten()
    };
    // So where no mode is set yet.
    let kept = || {
        let is_named = place == "gateway.port" && !is_remote && context.env.port().is_none();
        is_named.then(|| gateway::kept_port(config, &context.env)).flatten()
    };
    refusal.or_else(kept).or_else(taken)
}

fn is_local(config: &Config) -> bool {
    config.str("gateway.mode") == Some("local")
}

fn backup(written: &Written) -> String {
    format!("{}.bak", written.config.path().display())
}

/// The refusals in the words of a command line.
pub(super) fn explain(error: Error) -> Error {
    if error.cause() == Some(Cause::NeedsForce) {
        return Error::invalid(format!("{} with --force", error.message()));
    }
    let Some(issues) = error.details().and_then(|d| d.get("issues")?.as_array()) else { return error };
    let lines: Vec<String> = issues.iter().map(|found| Issue::of(found).shown("      ")).collect();
    Error::invalid(format!("Config validation failed, nothing was written: {}", lines.join("\n  - ")))
        .with("issues", issues.clone())
}
