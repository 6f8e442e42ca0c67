//! `openclaw models set`: chooses the model that answers; only what it changes in the config's text changes.
//!
//! A running gateway takes the new choice up by itself.
use super::load;
use super::named;
use super::scan;
use super::told::window_told;
use crate::agent::room;
use crate::agents::Agents;
use crate::clean::clean;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, JSON, Positional, applied};
use crate::config::Config;
use crate::config::apis;
use crate::config::edit::{self, Draft};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::models::catalogue;
use crate::models::catalogue::MODEL;
use crate::models::provider::{BUILTIN, Provider, key_variable};
use crate::models::resolve;
use crate::models::scan::Found;
use crate::models::window::{self, Window};
use serde_json::Value;
use std::time::Duration;

/// How long the model's server may take to say what it serves.
const ASKING: Duration = Duration::from_millis(1500);

pub const SET: Command = Command {
    name: "models set",
    summary: "Choose the model that answers",
    about: "Takes provider/model, an alias, or a name that one provider alone lists, or a part of one that is listed.\n\
            Writes agents.defaults.model.primary, and the provider when it is a server found on this machine;\n\
            fallbacks and everything else in the config file stay as they are.",
    positionals: &[Positional::required("model")],
    flags: &[&[JSON]],
    examples: &[
        ("openclaw models set ollama/llama3.2", "Let a model of the local Ollama answer"),
        ("openclaw models set openclaw/builtin", "Go back to the built-in model"),
    ],
    failure: "",
    run,
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let word = args.positional(0).unwrap_or_default().trim();
    let (config, env) = load(context)?;
    let word = named::meant(context, args, &config, &env, word)?;
    let waiting = Waiting::begin(context.out, "asking the model servers of this machine");
    let mut choice = decide(&env, &config, &word)?;
    drop(waiting);
    let asked = asked(context, &config, &choice);
    choice.window = asked.unwrap_or_default();
    crowded_note(context, &env, &config, &choice);
    let write = || edit::change(&env.config_path, |draft| choice.put(draft));
    let ((), changed) = applied::wait_for(context, write)?;
    let Choice { reference, provider, .. } = choice;
    if let Some(provider) = provider.filter(catalogue::lacks_key) {
        let id = &provider.id;
        let variable = key_variable(id);
        context.out.warn(&format!(
            "note: there is no key for {id} yet: set {variable} or models.providers.{id}.apiKey"
        ));
    }
    own_model_note(context, &Agents::of(&config, &env), &config);
    if args.has("json") {
        context
            .out
            .json(&json!({"ok": true, "model": reference, "config": env.config_path, "changed": changed}));
        return Ok(());
    }
    let file = env.display(&env.config_path);
    let done = if changed { "updated" } else { "unchanged" };
    let says = match asked {
        Ok(_) => "answers now",
        Err(Silent::Nobody) => "is set, and its server does not answer yet",
        Err(Silent::Refused) => "is set, and its server does not take it yet",
    };
    context.out.line(format!("{reference} {says} ({file} {done})"));
    Ok(())
}

/// The model that was chosen.
pub struct Choice {
    pub reference: String,
    /// `None` for a server on this machine that was not in the config before.
    provider: Option<Provider>,
    /// That server, and the model's id there.
    server: Option<(Found, String)>,
    /// The window that its server told, where the configuration has none.
    window: Option<u64>,
}

/// The model that a word means; nothing is written yet.
pub fn decide(env: &Env, config: &Config, word: &str) -> Result<Choice> {
    let resolved = super::resolve(config, env, word);
    let is_listed = resolved.as_ref().is_ok_and(|(reference, provider)| {
        let section = config.get_in(&["models", "providers", &provider.id]);
        section.is_some() || reference == BUILTIN
    });
    let server = if is_listed { None } else { serving(scan::servers(), word) };
    let (reference, provider) = match (resolved, &server) {
        (Err(_), Some(_)) => (word.to_string(), None),
        // What was typed does not fit; no configuration has to be corrected.
        (Err(e), None) => return Err(Error::invalid(e.message())),
        (Ok((reference, provider)), _) => (reference, Some(provider)),
    };
    Ok(Choice { reference, provider, server, window: None })
}

impl Choice {
    /// Writes the choice, and the provider when it is a server found on this machine.
    pub fn put(&self, draft: &mut Draft) -> Result<()> {
        if let Some((server, model)) = &self.server {
            add_model(draft, server, model, self.window)?;
        } else if let (Some(provider), Some(tokens)) = (&self.provider, self.window) {
            put_window(draft, provider, tokens)?;
        }
        let path = primary_path(&draft.value()?);
        draft.set(&path, self.reference.as_str())
    }
}

/// Where the choice stands, in the shape the config has.
fn primary_path(written: &Value) -> Vec<&'static str> {
    let is_text = written.pointer("/agents/defaults/model").is_some_and(Value::is_string);
    MODEL.split('.').chain((!is_text).then_some("primary")).collect()
}

/// A server on this machine that serves the model, and the model's id there.
fn serving(servers: Vec<Found>, reference: &str) -> Option<(Found, String)> {
    let (id, model) = reference.split_once('/')?;
    let server = servers.into_iter().find(|server| server.provider_id == id)?;
    server.models.iter().any(|served| window::same(served, model)).then(|| (server, model.to_string()))
}

/// Adds a found server's model to the config: the whole provider, or the model to its list.
pub fn add_model(draft: &mut Draft, server: &Found, model: &str, window: Option<u64>) -> Result<()> {
    let id = server.provider_id.as_str();
    let mut entry = json!({"id": model, "name": model});
    if let (Some(members), Some(tokens)) = (entry.as_object_mut(), window) {
        members.put("contextWindow", tokens);
    }
    let written = draft.value()?;
    match written.get("models").and_then(|models| models.get("providers")?.get(id)) {
        None => draft.set(
            &["models", "providers", id],
            json!({"baseUrl": server.base_url, "api": apis::COMPLETIONS, "models": [entry]}),
        ),
        Some(section) => {
            let models = section.get("models").and_then(Value::as_array);
            let is_there = |m: &Value| m.get("id").and_then(Value::as_str) == Some(model);
            if models.is_some_and(|models| models.iter().any(is_there)) {
                return Ok(());
            }
            draft.append(&["models", "providers", id, "models"], &entry)
        }
    }
}

/// Writes a window into the model's entry, or such an entry, where the configuration has the provider.
fn put_window(draft: &mut Draft, provider: &Provider, tokens: u64) -> Result<()> {
    let written = draft.value()?;
    let Some(section) = written.get("models").and_then(|models| models.get("providers")?.get(&provider.id))
    else {
        return Ok(());
    };
    let models = section.get("models").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_it = |entry: &Value| entry.get("id").and_then(Value::as_str) == Some(&provider.model);
    let id = provider.id.as_str();
    match models.iter().position(is_it) {
        Some(place) => {
            let place = place.to_string();
            draft.set(&["models", "providers", id, "models", &place, "contextWindow"], tokens)
        }
        None => {
            let entry = json!({"id": provider.model, "name": provider.model, "contextWindow": tokens});
            draft.append(&["models", "providers", id, "models"], &entry)
        }
    }
}

/// The window that a found server tells of its model.
pub fn window_of(server: &Found, model: &str, time: Duration) -> Option<Window> {
    window::ask(&provider_of(server, model), time)?.window
}

fn provider_of(server: &Found, model: &str) -> Provider {
    let (id, model, base_url) = (server.provider_id.clone(), model.to_string(), server.base_url.clone());
    Provider { id, model, base_url, ..Provider::builtin() }
}

/// A server of this machine or network that does not answer, or with a refusal.
#[derive(Clone, Copy)]
enum Silent {
    Nobody,
    Refused,
}

/// Asks the model's server, when it is near, what it serves: a server that is not there, a model it has not got and a
/// window nobody knows are told. Gives the window to be written.
fn asked(context: &Context, config: &Config, choice: &Choice) -> std::result::Result<Option<u64>, Silent> {
    let found = choice.server.as_ref().map(|(server, model)| provider_of(server, model));
    let provider = found.as_ref().or(choice.provider.as_ref()).filter(|p| catalogue::is_local(p));
    let Some(provider) = provider.filter(|_| choice.reference != BUILTIN) else { return Ok(None) };
    let own = catalogue::find(config, &choice.reference).and_then(|listed| listed.own_window());
    match window::ask(provider, ASKING) {
        Some(told) => {
            let window = window_told(context, provider, own, &told);
            if told.refusal.is_some() { Err(Silent::Refused) } else { Ok(window) }
        }
        None => {
            let (url, id) = (clean(&provider.base_url), &provider.id);
            let assumed = match own {
                Some(_) => String::new(),
                None => format!("; until its window is known {} tokens are assumed", resolve::CONTEXT_WINDOW),
            };
            context.out.warn(&format!(
                "note: nothing at {url} tells what it serves: start the server, or correct models.providers.{id}.baseUrl, then do this again{assumed}"
            ));
            Err(Silent::Nobody)
        }
    }
}

/// What instructions and tools leave of the window, where that is little.
fn crowded_note(context: &Context, env: &Env, config: &Config, choice: &Choice) {
    let found = choice.server.as_ref().map(|(server, model)| provider_of(server, model));
    let found = found.map(|provider| Provider { tools: true, ..provider });
    let Some(provider) = found.or_else(|| choice.provider.clone()) else { return };
    let context_window = choice.window.unwrap_or(provider.context_window);
    let agent = Agents::of(config, env).default_id();
    if let Some(why) = room::crowded(config, env, &agent, &Provider { context_window, ..provider }) {
        context.out.warn(&format!("note: {why}"));
    }
}

/// Agents with a model of their own do not follow the default.
fn own_model_note(context: &Context, agents: &Agents, config: &Config) {
    let default = agents.default_id();
    let list = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
    let own = list.filter(|agent| agent.get("model").is_some_and(has_primary));
    for id in own.filter_map(crate::session_key::id_of) {
        let which = if id == default { "the default agent" } else { "agent" };
        context.out.warn(&format!("note: {which} {id:?} has a model of its own in agents.list and keeps it"));
    }
}

fn has_primary(model: &Value) -> bool {
    model.is_string() || model.get("primary").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_6_a_found_model_is_the_one_without_its_latest() {
        let served = ["llama3.2:latest", "qwen3:4b"].map(String::from).to_vec();
        let ollama = Found {
            provider_id: "ollama".into(),
            server: "Ollama".into(),
            base_url: "http://127.0.0.1:11434/v1".into(),
            models: served,
        };
        for (reference, want) in [
            ("ollama/llama3.2", Some("llama3.2")),
            ("ollama/llama3.2:latest", Some("llama3.2:latest")),
            ("ollama/qwen3", None),
            ("lmstudio/llama3.2", None),
        ] {
            let found = serving(vec![ollama.clone()], reference).map(|(_, model)| model);
            assert_eq!(found.as_deref(), want, "{reference}");
        }
    }
}
