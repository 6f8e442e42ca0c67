//! `openclaw models aliases ...`: short names for models, for the command line and `/model`.
//!
//! Works on the config alone; a running gateway takes changes up by itself.
use super::{load, resolve};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, JSON, Positional, applied};
use crate::config::edit::{self, Draft};
use crate::error::{Error, Result};
use crate::json::json;
use crate::models::catalogue;
use serde_json::{Map, Value};

pub const COMMAND: Command = Command {
    name: "models aliases",
    examples: &[("openclaw models aliases", "List the short names")],
    ..LIST
};

pub const LIST: Command = Command {
    name: "models aliases list",
    summary: "List the short names of models",
    about: "",
    positionals: &[],
    flags: &[&[JSON]],
    examples: &[("openclaw models aliases list", "List the short names and what they stand for")],
    failure: "",
    run: list,
};

pub const ADD: Command = Command {
    name: "models aliases add",
    summary: "Give a model a short name",
    about: "Writes agents.defaults.models.<provider/model>.alias. Once that section names any model, sessions\n\
            may choose only among those it names.",
    positionals: &[Positional::required("alias"), Positional::required("model")],
    examples: &[("openclaw models aliases add fast ollama/llama3.2", "Let fast stand for a local model")],
    run: add,
    ..LIST
};

pub const REMOVE: Command = Command {
    name: "models aliases remove",
    summary: "Remove a short name",
    about: "",
    positionals: &[Positional::required("alias")],
    examples: &[("openclaw models aliases remove fast", "Remove the short name and keep the model")],
    run: remove,
    ..LIST
};

fn list(context: &Context, args: &Args) -> Result<()> {
    let (config, _) = load(context)?;
    let aliases = catalogue::aliases(&config);
    if args.has("json") {
        let aliases: Map<String, Value> =
            aliases.into_iter().map(|(alias, reference)| (alias.to_string(), reference.into())).collect();
        context.out.json(&json!({"aliases": aliases}));
        return Ok(());
    }
    context.out.line(format!("Aliases ({}):", aliases.len()));
    if aliases.is_empty() {
        context.out.line("- none");
    }
    for (alias, reference) in aliases {
        context.out.line(format!("- {alias} -> {reference}"));
    }
    Ok(())
}

fn add(context: &Context, args: &Args) -> Result<()> {
    let alias = args.positional(0).unwrap_or_default().trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if alias.is_empty() || alias.len() > 64 || !alias.chars().all(is_plain) {
        let text = "an alias is up to 64 letters, digits, dots, underscores, colons and dashes";
        return Err(Error::usage(text));
    }
    let (config, env) = load(context)?;
    let (reference, _) = resolve(&config, &env, args.positional(1).unwrap_or_default())?;
    let taken = catalogue::aliases(&config).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(alias));
    if let Some((_, other)) = taken.filter(|(_, other)| *other != reference) {
        let fix = env.command(&format!("models aliases remove {alias}"));
        return Err(Error::usage(format!("{alias} stands for {other} already; {fix} removes it first")));
    }
    if catalogue::allowed(&config).is_none() {
        context.out.warn(
            "note: agents.defaults.models names a model now, so sessions may choose only among those it names",
        );
    }
    let path = &env.config_path;
    let write = |draft: &mut Draft| draft.set(&["agents", "defaults", "models", &reference, "alias"], alias);
    let ((), changed) = applied::wait_for(context, || edit::change(path, write))?;
    done(context, args, changed, &format!("Alias {alias} -> {reference}"))
}

fn remove(context: &Context, args: &Args) -> Result<()> {
    let alias = args.positional(0).unwrap_or_default().trim();
    let (config, env) = load(context)?;
    let known = catalogue::aliases(&config).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(alias));
    let (_, reference) = known.ok_or_else(|| {
        let list = env.command("models aliases list");
        Error::not_found(format!("Alias not found: {alias}; {list} shows those there are"))
    })?;
    let path = &env.config_path;
    let write = |draft: &mut Draft| draft.remove(&["agents", "defaults", "models", reference, "alias"]);
    let ((), changed) = applied::wait_for(context, || edit::change(path, write))?;
    done(context, args, changed, &format!("Alias {alias} removed"))
}

fn done(context: &Context, args: &Args, changed: bool, what: &str) -> Result<()> {
    if args.has("json") {
        context.out.json(&json!({"ok": true, "changed": changed}));
        return Ok(());
    }
    let done = if changed { "Updated" } else { "Nothing to change in" };
    context.out.line(format!("{done} {}", context.env.display(&context.env.config_path)));
    context.out.line(what);
    Ok(())
}
