//! Liveness, readiness and start-up probes: unauthenticated and without detail (R-24a). A caller that shows the
//! secret is told version and uptime too.
use crate::error::Result;
use crate::http::Exchange;
use crate::json::{Put, json};
use serde_json::Value;

pub fn live(exchange: Exchange) -> Result<()> {
    exchange.out.json(200, json!({"ok": true, "status": "live"}))
}

/// 503 from the moment the gateway begins to stop.
pub fn ready(exchange: Exchange) -> Result<()> {
    let ready = !exchange.shared.published.is_stopping();
    answer(exchange, ready, json!({"ready": ready}))
}

pub fn startup(exchange: Exchange) -> Result<()> {
    let ready = !exchange.shared.published.is_stopping();
    let word = if ready { "started" } else { "draining" };
    answer(exchange, ready, json!({"ok": ready, "status": word}))
}

fn answer(exchange: Exchange, ready: bool, mut body: Value) -> Result<()> {
    if let Some(map) = body.as_object_mut().filter(|_| exchange.caller.is_some()) {
        map.put("version", crate::version::VERSION);
        map.put("uptimeMs", exchange.shared.started.elapsed().as_millis() as u64);
    }
    match ready {
        true => exchange.out.json(200, body),
        false => exchange.out.with("Retry-After", "1").json(503, body),
    }
}
