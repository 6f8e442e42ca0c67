//! Methods that pages of newer clients call, and whose answer is made of what is asked or configured: which service searches
//! the web, and what memories of other programs could be taken over. On the caller's connection thread.
use crate::calls::Caller;
use crate::error::Result;
use crate::json::json;
use crate::models::provider::BUILTIN;
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::shared::Shared;
use crate::tools::search_service;
use serde_json::Value;

params! {
    struct Searching {
        agent_id: Option<String>,
        model_provider: Option<String>,
        model_id: Option<String>,
    }
}

/// Which service the tool `web_search` asks, whichever agent and model call it. It is not tried from here, and is chosen in
/// the configuration, not from a list.
pub fn web_search(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Searching { agent_id, model_provider, model_id } = read(params)?;
    let (config, agents) = (shared.config(), shared.agents());
    let agent = agent_id.unwrap_or_else(|| agents.default_id());
    let own = agents.model(&agent).unwrap_or_else(|| BUILTIN.to_string());
    let (provider, id) = own.split_once('/').unwrap_or(("", &own));
    let model = json!({"provider": (model_provider.as_deref().unwrap_or(provider)), "id": (model_id.as_deref().unwrap_or(id)), "runtimeLabel": "OpenClaw"});
    let service = search_service(&config, &shared.env);
    let is_off = config.get("tools.web.search.enabled") == Some(&Value::Bool(false));
    let (kind, label, reason) = match service {
        Some((_, name)) => ("managed", name, "the tool web_search asks it"),
        None if is_off => ("disabled", "Web search", "tools.web.search.enabled is false"),
        None => (
            "unavailable",
            "Web search",
            "no service is configured: set tools.web.search.apiKey or .searxng.baseUrl",
        ),
    };
    let provider = service.map(|(id, _)| id);
    let route =
        json!({"kind": kind, "label": label, "reason": reason, "provider": provider, "testable": false});
    let providers =
        service.map(|(id, name)| json!({"id": id, "label": name, "configured": true, "available": true}));
    let providers: Vec<Value> = providers.into_iter().collect();
    Ok(json!({"enabled": (service.is_some()), "provider": provider, "providers": providers, "route": route,
        "agentId": agent, "model": model})
    .into())
}

params! {
    struct Memories {
        agent_id: Option<String>,
    }
}

/// No program is known whose memories could be taken over.
pub fn memory_plan(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Memories { agent_id } = read(params)?;
    let agent = agent_id.unwrap_or_else(|| shared.agents().default_id());
    Ok(json!({"agentId": agent, "providers": []}).into())
}
