//! `openclaw models list|set`: which models can be chosen, and choosing one.
//!
//! Works on the config alone; a running gateway takes a new choice up by itself.
use super::parse::Args;
use super::sessions::default_agent;
use super::{Command, Context, JSON, Positional, scan};
use crate::agent::provider::{BUILTIN, Provider};
use crate::agent::scan::Found;
use crate::config::Config;
use crate::config::edit::{self, Edit};
use crate::env::Env;
use crate::error::{Error, Result};
use serde_json::{Value, json};

pub const LIST: Command = Command {
    name: "models list",
    summary: "List the models that can be chosen",
    about: "",
    positionals: &[],
    flags: &[&[JSON]],
    examples: &[("openclaw models list", "List the configured models and the built-in one")],
    failure: "",
    run: list,
};

pub const SET: Command = Command {
    name: "models set",
    summary: "Choose the model that answers",
    about: "Writes agents.defaults.model.primary, and the provider when it is a server found on this machine.\n\
            Everything else in the config file stays as it is.",
    positionals: &[Positional::required("provider/model")],
    flags: &[&[JSON]],
    examples: &[
        ("openclaw models set ollama/llama3.2", "Let a model of the local Ollama answer"),
        ("openclaw models set openclaw/builtin", "Go back to the built-in model"),
    ],
    failure: "",
    run: set,
};

/// One model that can be chosen.
struct Choice {
    reference: String,
    name: String,
    server: String,
}

/// The model that answers: `agents.defaults.model` (or its `primary`), else the built-in one.
pub fn chosen(config: &Config) -> String {
    let model = config.str("agents.defaults.model.primary").or_else(|| config.str("agents.defaults.model"));
    model.unwrap_or(BUILTIN).to_string()
}

fn choices(config: &Config) -> Vec<Choice> {
    let builtin =
        Choice { reference: BUILTIN.into(), name: "Built-in model".into(), server: "built in".into() };
    let providers = config.get("models.providers").and_then(Value::as_object);
    let mut choices = vec![builtin];
    for (id, provider) in providers.into_iter().flatten() {
        let server = provider.get("baseUrl").and_then(Value::as_str).unwrap_or_default();
        // A password in the address is not for the terminal.
        let server = server.rsplit_once('@').map_or(server, |(_, host)| host).to_string();
        for model in provider.get("models").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| model.get(key).and_then(Value::as_str);
            let Some(model_id) = text("id").or(model.as_str()) else { continue };
            let name = text("name").unwrap_or(model_id).to_string();
            choices.push(Choice { reference: format!("{id}/{model_id}"), name, server: server.clone() });
        }
    }
    choices
}

fn list(context: &Context, args: &Args) -> Result<()> {
    let config = Config::load(&mut context.env.clone())?;
    let (chosen, choices) = (chosen(&config), choices(&config));
    if args.has("json") {
        let model = |c: &Choice| json!({"key": c.reference, "name": c.name, "server": c.server, "chosen": c.reference == chosen});
        let models: Vec<Value> = choices.iter().map(model).collect();
        context.out.json(&json!({"count": models.len(), "default": chosen, "models": models}));
        return Ok(());
    }
    let mark = |c: &Choice| if c.reference == chosen { "chosen" } else { "" }.to_string();
    let row = |c: &Choice| vec![c.reference.clone(), c.name.clone(), c.server.clone(), mark(c)];
    context.out.table(&["Model", "Name", "Server", ""], &choices.iter().map(row).collect::<Vec<_>>());
    if choices.len() == 1 {
        context
            .out
            .progress(&format!("Find model servers on this machine: {}", context.env.command("models scan")));
    }
    Ok(())
}

fn set(context: &Context, args: &Args) -> Result<()> {
    let reference = args.positional(0).unwrap_or_default().trim();
    let config = Config::load(&mut context.env.clone())?;
    let written = choose(&context.env, &config, reference)?;
    let file = context.env.display(&context.env.config_path);
    if args.has("json") {
        context.out.json(
            &json!({"ok": true, "model": reference, "config": context.env.config_path, "changed": written}),
        );
        return Ok(());
    }
    context.out.line(format!(
        "{} answers now ({file} {})",
        reference,
        if written { "updated" } else { "unchanged" }
    ));
    own_model_note(context, &config);
    Ok(())
}

/// Writes the choice, and the provider when it is a server found on this machine. Says whether that changed the file.
pub fn choose(env: &Env, config: &Config, reference: &str) -> Result<bool> {
    let mut edits = Vec::new();
    let provider_path;
    if Provider::resolve(config, env, reference).is_err() || !lists(config, reference) {
        match found(reference) {
            Some((server, model)) => {
                provider_path = format!("models.providers.{}", server.provider_id);
                edits.push(provider(config, &provider_path, &server, &model));
            }
            // A provider with a known address needs no section; anything else says what is missing.
            None => drop(Provider::resolve(config, env, reference)?),
        }
    }
    edits.push(primary(config, reference));
    edit::write(&env.config_path, &edits)
}

/// Whether the config's providers list this model, or need not.
fn lists(config: &Config, reference: &str) -> bool {
    choices(config).iter().any(|choice| choice.reference == reference)
        || reference
            .split_once('/')
            .is_some_and(|(id, _)| config.get_in(&["models", "providers", id]).is_some())
}

/// The edit that makes the choice, in the shape the config has.
fn primary(config: &Config, reference: &str) -> Edit<'static> {
    let is_text = config.get("agents.defaults.model").is_some_and(Value::is_string);
    Edit::new(if is_text { "agents.defaults.model" } else { "agents.defaults.model.primary" }, reference)
}

/// A server on this machine that serves the model, and the model's id there.
fn found(reference: &str) -> Option<(Found, String)> {
    let (id, model) = reference.split_once('/')?;
    let server = scan::servers().into_iter().find(|server| server.provider_id == id)?;
    server.models.iter().any(|served| served == model).then(|| (server, model.to_string()))
}

/// The edit that adds a found server: the whole provider, or the model to its list.
fn provider<'a>(config: &Config, path: &'a str, server: &Found, model: &str) -> Edit<'a> {
    let entry = json!({"id": model, "name": model});
    let Some(Value::Object(old)) = config.get_in(&["models", "providers", &server.provider_id]) else {
        return edit(
            path,
            json!({"baseUrl": server.base_url, "api": "openai-completions", "models": [entry]}),
        );
    };
    let mut new = old.clone();
    let mut models = old.get("models").and_then(Value::as_array).cloned().unwrap_or_default();
    models.push(entry);
    new.insert("models".into(), models.into());
    edit(path, new.into())
}

/// `Edit::new` for `models.providers.<id>`, whose id may hold dots.
fn edit(path: &str, value: Value) -> Edit<'_> {
    Edit { path: path.splitn(3, '.').collect(), value }
}

/// Agents with a model of their own do not follow the default.
fn own_model_note(context: &Context, config: &Config) {
    let default = default_agent(config);
    let agents = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
    let own = agents.filter(|agent| agent.get("model").is_some());
    for id in own.filter_map(|agent| agent.get("id").and_then(Value::as_str)) {
        let which = if id == default { "the default agent" } else { "agent" };
        context.out.warn(&format!("note: {which} {id:?} has a model of its own in agents.list and keeps it"));
    }
}

/// The error for a scan that was asked to choose among nothing.
pub fn nothing_found() -> Error {
    Error::not_found(
        "no model server answers on this machine; start one (for example `ollama serve`) and scan again",
    )
}
