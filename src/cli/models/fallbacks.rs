//! `openclaw models fallbacks ...`: the models that take over when the chosen one fails, in their order.
//!
//! Works on the config alone; a running gateway takes changes up by itself.
use super::{load, resolve};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, JSON, Positional, applied};
use crate::config::edit::{self, Draft};
use crate::error::{Error, Result};
use crate::json::json;
use crate::models::catalogue;
use crate::models::catalogue::MODEL;
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "models fallbacks",
    examples: &[("openclaw models fallbacks", "List the fallbacks")],
    ..LIST
};

pub const LIST: Command = Command {
    name: "models fallbacks list",
    summary: "List the models that take over when the chosen one fails",
    about: "They are tried in this order. Agents with fallbacks of their own in agents.list keep those.",
    positionals: &[],
    flags: &[&[JSON]],
    examples: &[("openclaw models fallbacks list", "List the fallbacks in their order")],
    failure: "",
    run: list,
};

pub const ADD: Command = Command {
    name: "models fallbacks add",
    summary: "Add a model at the end of the fallbacks",
    about: "Takes provider/model, an alias, or a name that one provider alone lists.",
    positionals: &[Positional::required("model")],
    examples: &[("openclaw models fallbacks add ollama/llama3.2", "Fall back to a local model")],
    run: add,
    ..LIST
};

pub const REMOVE: Command = Command {
    name: "models fallbacks remove",
    summary: "Remove a model from the fallbacks",
    about: "",
    positionals: &[Positional::required("model")],
    examples: &[("openclaw models fallbacks remove ollama/llama3.2", "No longer fall back to this model")],
    run: remove,
    ..LIST
};

pub const CLEAR: Command = Command {
    name: "models fallbacks clear",
    summary: "Remove all fallbacks",
    about: "",
    examples: &[("openclaw models fallbacks clear", "Let a failed model fail the turn")],
    run: clear,
    ..LIST
};

/// Where the list stands in the config.
const PATH: [&str; 4] = ["agents", "defaults", "model", "fallbacks"];

fn list(context: &Context, args: &Args) -> Result<()> {
    let (config, _) = load(context)?;
    let fallbacks = catalogue::fallbacks(&config, MODEL);
    if args.has("json") {
        context.out.json(&json!({"fallbacks": fallbacks}));
        return Ok(());
    }
    context.out.line(format!("Fallbacks ({}):", fallbacks.len()));
    if fallbacks.is_empty() {
        context.out.line("- none");
    }
    fallbacks.iter().for_each(|name| context.out.line(format!("- {name}")));
    Ok(())
}

fn add(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = load(context)?;
    let (reference, _) = resolve(&config, &env, args.positional(0).unwrap_or_default())?;
    if catalogue::find(&config, catalogue::chosen(&config)).is_some_and(|it| it.reference() == reference) {
        let text = format!("{reference} is the model that answers; a fallback has to be another one");
        return Err(Error::usage(text));
    }
    change(context, args, |draft, now| {
        if now.contains(&reference) {
            return Ok(());
        }
        let model = draft.value()?.pointer("/agents/defaults/model").cloned();
        match model.as_ref().and_then(Value::as_str) {
            Some(primary) => draft.set(&PATH[..3], json!({"primary": primary, "fallbacks": [reference]})),
            None => draft.append(&PATH, &reference.as_str().into()),
        }
    })
}

fn remove(context: &Context, args: &Args) -> Result<()> {
    let word = args.positional(0).unwrap_or_default().trim();
    let (config, env) = load(context)?;
    // What cannot be resolved any more must still be removable.
    let reference =
        resolve(&config, &env, word).map_or_else(|_| word.to_string(), |(reference, _)| reference);
    change(context, args, |draft, now| {
        let place = now.iter().position(|name| *name == word || *name == reference);
        let place = place.ok_or_else(|| {
            let list = env.command("models fallbacks list");
            Error::not_found(format!("Fallback not found: {word}; {list} shows those there are"))
        })?;
        let place = place.to_string();
        draft.remove(&[PATH[0], PATH[1], PATH[2], PATH[3], &place])
    })
}

fn clear(context: &Context, args: &Args) -> Result<()> {
    change(context, args, |draft, now| if now.is_empty() { Ok(()) } else { draft.set(&PATH, json!([])) })
}

/// Changes the list as it stands in the file, and says what it is afterwards.
fn change(
    context: &Context,
    args: &Args,
    work: impl FnOnce(&mut Draft, &[String]) -> Result<()>,
) -> Result<()> {
    let path = &context.env.config_path;
    let write = |draft: &mut Draft| {
        work(draft, &written(&draft.value()?))?;
        Ok(written(&draft.value()?))
    };
    let (after, changed) = applied::wait_for(context, || edit::change(path, write))?;
    if args.has("json") {
        context.out.json(&json!({"ok": true, "fallbacks": after, "changed": changed}));
        return Ok(());
    }
    let done = if changed { "Updated" } else { "Nothing to change in" };
    context.out.line(format!("{done} {}", context.env.display(path)));
    let names = if after.is_empty() { "none".to_string() } else { after.join(", ") };
    context.out.line(format!("Fallbacks: {names}"));
    Ok(())
}

fn written(file: &Value) -> Vec<String> {
    let list = file.pointer("/agents/defaults/model/fallbacks").and_then(Value::as_array);
    list.into_iter().flatten().map(|name| name.as_str().unwrap_or_default().trim().to_string()).collect()
}
