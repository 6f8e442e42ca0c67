//! Liveness, readiness and start-up probes: unauthenticated and without detail (R-24a). A caller that shows the
//! secret is told version and uptime too.
use crate::http::{Answer, Request};
use crate::json::{Put, json};
use crate::state::shared::Shared;
use serde_json::Value;

pub fn live(_shared: &Shared, _request: &Request) -> Answer {
    answer(200, json!({"ok": true, "status": "live"}))
}

/// 503 from the moment the gateway begins to stop.
pub fn ready(shared: &Shared, request: &Request) -> Answer {
    let ready = !shared.published.is_stopping();
    answer(if ready { 200 } else { 503 }, detailed(shared, request, json!({"ready": ready})))
}

pub fn startup(shared: &Shared, request: &Request) -> Answer {
    let (status, word) = if shared.published.is_stopping() { (503, "draining") } else { (200, "started") };
    answer(status, detailed(shared, request, json!({"ok": status == 200, "status": word})))
}

fn answer(status: u16, body: Value) -> Answer {
    Answer { status, body, retry_after: (status == 503).then_some(1) }
}

fn detailed(shared: &Shared, request: &Request, mut body: Value) -> Value {
    if let Some(map) = body.as_object_mut().filter(|_| request.is_authorized) {
        map.put("version", crate::version::VERSION);
        map.put("uptimeMs", shared.started.elapsed().as_millis() as u64);
    }
    body
}
