//! `GET /v1/models` and one of them by its name: the agents, as models. There when either endpoint is on. Pure.
use super::{off, turn};
use crate::error::Result;
use crate::http::Exchange;
use crate::http::path::NAMES;
use crate::json::json;
use serde_json::Value;

pub fn list(exchange: Exchange) -> Result<()> {
    answer(exchange, |names, _| {
        Ok(json!({"object": "list", "data": (names.iter().map(|n| model(n)).collect::<Value>())}))
    })
}

pub fn one(exchange: Exchange) -> Result<()> {
    answer(exchange, |names, path| {
        let wanted = path.strip_prefix(NAMES).unwrap_or_default();
        match names.iter().find(|name| *name == wanted) {
            Some(name) => Ok(model(name)),
            None => Err(turn::unknown(wanted, "")),
        }
    })
}

fn answer(exchange: Exchange, tell: impl Fn(&[String], &str) -> super::Judged<Value>) -> Result<()> {
    let config = exchange.shared.config();
    let keys =
        ["chatCompletions", "responses"].map(|section| format!("gateway.http.endpoints.{section}.enabled"));
    if !keys.iter().any(|key| config.bool(key)) {
        return exchange.out.refuse(off(&keys.join(" or ")));
    }
    let agents = exchange.shared.published.agents().into_iter().map(|id| format!("openclaw/{id}"));
    let names: Vec<String> =
        ["openclaw", "openclaw/default"].into_iter().map(str::to_string).chain(agents).collect();
    match tell(&names, exchange.path) {
        Ok(told) => exchange.out.json(200, told),
        Err(refusal) => exchange.out.refuse(refusal),
    }
}

fn model(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "openclaw", "permission": []})
}
