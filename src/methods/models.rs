//! `models.list`: the models that can be chosen, on the connection's thread. No server is asked.
use crate::agents::profiles;
use crate::calls::Caller;
use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::json::{Put, json};
use crate::models::catalogue;
use crate::models::catalogue::Listed;
use crate::models::compat;
use crate::models::provider::Provider;
use crate::protocol::frame::Payload;
use crate::state::shared::Shared;
use serde_json::Value;

/// The models that the configuration names, or the built-in one. `view: "default"` leaves out what sessions may
/// not choose; the other views are the same, since the configuration is all there is to know.
pub fn list(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let config = shared.config();
    let with_details = params.get("includeDetails").and_then(Value::as_bool).unwrap_or(false);
    if with_details {
        // Whether a model can be used depends on keys that other programs put down at any time.
        profiles::look_again(&config, &shared.env);
    }
    let mut models = catalogue::all(&config);
    if params.get("view").and_then(Value::as_str) == Some("default") {
        models.retain(|listed| may_be_chosen(&config, listed));
    }
    crate::order::by_key(&mut models, |listed| {
        (listed.provider.to_lowercase(), listed.name().to_lowercase())
    });
    let row = |listed: &Listed| {
        let mut row = row(listed);
        if let (true, Some(map)) = (with_details, row.as_object_mut()) {
            map.extend(details(shared, &config, listed));
        }
        row
    };
    Ok(json!({"models": models.iter().map(row).collect::<Vec<_>>()}).into())
}

/// Whether the providers that are named have a key. What a provider holds is not told.
pub fn auth_status(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let config = shared.config();
    profiles::look_again(&config, &shared.env);
    let mut rows: Vec<Value> = Vec::new();
    for listed in catalogue::all(&config) {
        let is_new =
            rows.iter().all(|row| row.get("provider").and_then(Value::as_str) != Some(listed.provider));
        let Some(provider) =
            Provider::resolve(&config, &shared.env, &listed.reference()).ok().filter(|_| is_new)
        else {
            continue;
        };
        let status = if catalogue::lacks_key(&provider) { "missing" } else { "static" };
        rows.push(json!({
            "provider": listed.provider, "displayName": listed.provider, "status": status, "profiles": [],
        }));
    }
    Ok(json!({"ts": clock::now_ms(), "providers": rows, "providerCapabilities": []}).into())
}

fn may_be_chosen(config: &Config, listed: &Listed) -> bool {
    let reference = listed.reference();
    let is_default = || catalogue::find(config, catalogue::chosen(config)).as_ref() == Some(listed);
    catalogue::allowed(config).is_none_or(|models| models.contains_key(&reference)) || is_default()
}

/// The window is left out where nobody said it.
fn row(listed: &Listed) -> Value {
    let mut row = json!({
        "id": listed.model, "name": listed.name(), "provider": listed.provider,
        "reasoning": listed.reasons(), "input": listed.input(),
    });
    let window = if listed.is_builtin() { Some(listed.context_window()) } else { listed.own_window() };
    if let Some((members, tokens)) = row.as_object_mut().zip(window) {
        members.put("contextWindow", tokens);
    }
    row
}

/// What the uses of a model are and whether it can be used.
fn details(shared: &Shared, config: &Config, listed: &Listed) -> Vec<(String, Value)> {
    let tags = catalogue::tags(config, listed);
    let provider = Provider::resolve(config, &shared.env, &listed.reference()).ok();
    let available = provider.as_ref().is_some_and(|provider| !catalogue::lacks_key(provider));
    let tools = provider.as_ref().is_some_and(|provider| provider.tools);
    let mut members = vec![("available", available.into()), ("supportsTools", tools.into())];
    if provider.is_some() && !available {
        members.push(("unavailableReason", "missing-auth".into()));
    }
    if let Some(note) = provider.as_ref().filter(|provider| provider.reasoning).and_then(compat::untold) {
        members.push(("thinkingNote", note.into()));
    }
    if let Some(alias) = tags.iter().find_map(|tag| tag.strip_prefix("alias:")) {
        members.push(("alias", alias.into()));
    }
    members.push(("tags", tags.into()));
    members.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}
