//! `gateway.restart.request` and `gateway.restart.preflight`: the in-process restart on request.
use crate::calls::{Call, Caller};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::event::{Answer, Event};
use crate::state::restart::MAX_DELAY_MS;
use crate::state::sentinel;
use crate::state::shared::Shared;
use serde_json::Value;

params! {
    struct Params {
        reason: Option<String>,
        delay_ms: Option<u64>,
        session_key: Option<String>,
        note: Option<String>,
    }
}

/// Asks for a restart; with a session or a note, that session is told when it is done. One that could not begin now is
/// refused. Reads and writes files, so it runs on the caller's connection thread.
pub fn request(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let params: Params = read(params)?;
    let given = |text: Option<String>| text.map(|t| t.trim().to_string()).filter(|t| !t.is_empty());
    let (reason, key, note) = (given(params.reason), given(params.session_key), given(params.note));
    let delay_ms = params.delay_ms.unwrap_or(0).min(MAX_DELAY_MS);
    if delay_ms == 0
        && let Some(problem) = (shared.problem)()
    {
        return Err(Error::config(format!("not restarted: {problem}")));
    }
    let mut told = None;
    let mut answer = json!({"ok": true, "pid": std::process::id(), "delayMs": delay_ms});
    if key.is_some() || note.is_some() {
        let mut payload = json!({
            "kind": "restart",
            "status": "ok",
            "ts": clock::now_ms(),
            "message": note,
            "doctorHint": format!("Run: {}", shared.env.command("doctor --non-interactive")),
            "stats": {"mode": "gateway.restart.request", "reason": reason},
        });
        if let (Some(map), Some(key)) = (payload.as_object_mut(), key) {
            map.put("sessionKey", key);
        }
        let path = sentinel::write(&shared.env, &payload)?;
        if let Some(map) = answer.as_object_mut() {
            map.put("sentinel", json!({"path": path, "payload": payload}));
        }
        told = Some(payload);
    }
    let why = reason.map_or(String::new(), |r| format!(": {}", crate::logging::quoted(&r)));
    let cause = format!("gateway.restart.request by {}{why}", crate::logging::quoted(&caller.client_id));
    // The state thread is gone only when this generation ends, which is what was asked for.
    let _ = shared.state.send(Event::Restart { cause, delay_ms, note: told });
    Ok(answer.into())
}

/// What a restart would meet now: turns it would wait for, a file it could not start with, another restart.
pub fn preflight(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    let (active, queued) = (state.runs.active(), state.runs.queued());
    let is_idle = active + queued == 0 && !state.is_stopping();
    let (shared, restart) = (state.shared.clone(), state.restart_status());
    Ok(Answer::Work(Box::new(move || {
        // The file as it is now: the watcher takes its time before it tells of one.
        let problem = (shared.problem)();
        let answer = json!({
            "safe": is_idle && problem.is_none(),
            "runs": {"active": active, "queued": queued},
            "drainMs": shared.limits.drain_ms,
            "configInvalid": problem.map(|problem| problem.to_json()),
            "restart": restart,
        });
        Ok(answer.into())
    })))
}
