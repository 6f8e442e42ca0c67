//! Methods that pages of newer clients call, and whose answer is made of what is asked or configured: which service searches
//! the web, and what memories of other programs could be taken over. On the caller's connection thread.
use crate::calls::Caller;
use crate::error::Result;
use crate::json::json;
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::shared::Shared;
use crate::tools::search_service;
use serde_json::Value;

/// Which service the tool `web_search` asks. It is not tried from here, and is chosen in the configuration, not from a list.
pub fn web_search(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let config = shared.config();
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
    Ok(json!({"enabled": (service.is_some()), "provider": provider, "providers": providers, "route": route})
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
