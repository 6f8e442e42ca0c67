//! `/model` and `/models`: which models there are, and the one that a session uses. Look-ups in the configuration,
//! on the state thread; no server is asked.
use super::{At, Reply, entry};
use crate::config::Config;
use crate::env::Env;
use crate::error::Result;
use crate::models::catalogue::allowed;
use crate::models::provider::{BUILTIN, Provider};
use crate::sessions::Entry;
use crate::slash::names::{catalogue, choice};
use crate::state::State;
use serde_json::Value;
use std::collections::BTreeMap;

/// Lines of a list in one reply.
const MAX_LINES: usize = 60;

/// The `provider/model` that a session uses.
pub fn current(state: &State, at: &At) -> String {
    entry(state, at).chosen_model().unwrap_or_else(|| own(state, at))
}

/// What its agent uses.
pub fn own(state: &State, at: &At) -> String {
    let agents = state.shared.agents();
    let model = state.sessions.owner(&at.key).ok().and_then(|agent| agents.model(agent));
    model.unwrap_or_else(|| BUILTIN.to_string())
}

/// Lets the session use `reference`; the agent's own model is no choice of the session.
pub fn choose(entry: &mut Entry, reference: &str, own: &str) {
    entry.choose_model(Some(reference).filter(|reference| *reference != own));
}

pub fn model(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let config = state.shared.config();
    let (own, all) = (own(state, at), catalogue(&config));
    let wanted = match args {
        "" => {
            let (now, n) = (current(state, at), all.len());
            return Ok(Reply::Text(format!(
                "Model: {now}. /model list shows the {n} configured, /model status more."
            )));
        }
        "list" => return Ok(Reply::Text(list(&config, &all, &current(state, at)))),
        "status" => return Ok(Reply::Text(details(&config, &state.shared.env, &current(state, at), &own))),
        "default" | "reset" => own.clone(),
        number if number.bytes().all(|b| b.is_ascii_digit()) => {
            let nth = number.parse::<usize>().ok().and_then(|n| all.get(n.checked_sub(1)?));
            match nth {
                Some(reference) => reference.clone(),
                None => return Ok(refused(args, &format!("the list has {} entries", all.len()))),
            }
        }
        word => match choice(&config, &state.shared.env, word, &own) {
            Ok(reference) => reference,
            Err(why) => return Ok(refused(word, &why)),
        },
    };
    let mut entry = state.sessions.ensure(&at.key, state.now, state.mono)?;
    choose(&mut entry, &wanted, &own);
    entry.set("updatedAt", state.now);
    super::put(state, at, entry, "patch")?;
    let what = if wanted == own { "the agent's own, " } else { "" };
    Ok(Reply::Text(format!("Model is now {what}{wanted}.")))
}

fn refused(word: &str, why: &str) -> Reply {
    let word: String = word.chars().filter(|c| !c.is_control()).take(80).collect();
    Reply::Text(format!(
        "/model: {word:?} cannot be used: {why}. /model list shows the choices. Nothing was changed."
    ))
}

fn list(config: &Config, all: &[String], now: &str) -> String {
    let mut text = "Models, to be chosen with /model and number or name:".to_string();
    for (n, reference) in all.iter().enumerate().take(MAX_LINES) {
        let entry = allowed(config).and_then(|models| models.get(reference));
        let alias = entry.and_then(|e| e.get("alias")).and_then(Value::as_str);
        let alias = alias.map(|a| format!(" ({a})")).unwrap_or_default();
        let mark = if reference == now { ", in use" } else { "" };
        text += &format!("\n{}. {reference}{alias}{mark}", n + 1);
    }
    if all.len() > MAX_LINES {
        text += &format!("\n... and {} more", all.len() - MAX_LINES);
    }
    text
}

fn details(config: &Config, env: &Env, now: &str, own: &str) -> String {
    let mut text = format!("Model: {now}");
    if now != own {
        text += &format!("\nThe agent's own: {own}");
    }
    match Provider::resolve(config, env, now) {
        Err(e) => text += &format!("\nIt cannot be used: {e}"),
        Ok(provider) => {
            if !provider.base_url.is_empty() {
                let key = match (&provider.api_key, &provider.key_file) {
                    (Some(_), _) => "set",
                    (None, Some(_)) => "in a file",
                    (None, None) => "none",
                };
                text += &format!("\nServer: {}, key: {key}", provider.shown_url());
            }
            let yes_no = |is: bool| if is { "yes" } else { "no" };
            text += &format!(
                "\nApi: {}, window: {} tokens, reasons: {}, pictures: {}",
                provider.api.name(),
                provider.context_window,
                yes_no(provider.reasoning),
                yes_no(provider.images)
            );
        }
    }
    text
}

pub fn models(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let (all, now) = (catalogue(&state.shared.config()), current(state, at));
    let mut providers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (provider, model) in all.iter().filter_map(|reference| reference.split_once('/')) {
        providers.entry(provider).or_default().push(model);
    }
    if args.is_empty() {
        let rows = providers.iter().map(|(id, models)| format!("\n{id}: {}", models.len()));
        let rows: String = rows.take(MAX_LINES).collect();
        return Ok(Reply::Text(format!(
            "Models by provider (in use: {now}):{rows}\n/models and a provider lists them."
        )));
    }
    let Some(models) = providers.get(args) else {
        let known: Vec<&str> = providers.keys().copied().collect();
        return Ok(super::wrong("models", args, &known.join(", ")));
    };
    let rows: String = models.iter().take(MAX_LINES).map(|model| format!("\n{args}/{model}")).collect();
    Ok(Reply::Text(format!("Models of {args}:{rows}")))
}
