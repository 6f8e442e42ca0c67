//! `config.set`, `config.patch`, `config.apply`: changing the configuration file; `config.plan`: what would come of it.
//!
//! All on the caller's connection thread: the file is judged and written there, under the lock of all its writers
//! (R-02d). What the change means for this gateway is found out by its watcher as for any other change; patch and
//! apply ask for a restart beside that, as their callers expect, and leave a note for the session that asked.
use crate::agents::host;
use crate::calls::Caller;
use crate::clock;
use crate::config::write::{Base, Change, Terms, Written, asked, rehearse, write};
use crate::config::{Config, HIDDEN};
use crate::error::{Cause, Error, Result};
use crate::json::{holding, json};
use crate::params::{params, read};
use crate::protocol::events;
use crate::protocol::frame::Payload;
use crate::state::event::Event;
use crate::state::restart::MAX_DELAY_MS;
use crate::state::sentinel;
use crate::state::shared::Shared;
use serde_json::Value;
use std::cell::RefCell;

/// Until the restart, where the caller does not say, milliseconds.
const DELAY_MS: u64 = 2000;
/// The answer is on its way before the restart begins, and no restart is put off for longer.
const DELAY_RANGE_MS: (u64, u64) = (100, MAX_DELAY_MS);

params! {
    struct Params {
        raw: String,
        base_hash: Option<String>,
        session_key: Option<String>,
        note: Option<String>,
        restart_delay_ms: Option<u64>,
        force: bool,
    }
}

params! {
    struct Wish {
        raw: Option<String>,
        patch: Option<String>,
        base_hash: Option<String>,
        force: bool,
    }
}

/// What the file would say, and what this gateway would do about it, if that were written. Writes nothing.
pub fn plan(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Wish { raw, patch, base_hash, force } = read(params)?;
    let change = match (&raw, &patch) {
        (Some(raw), None) => Change::Replace(raw),
        (None, Some(patch)) => Change::Merge(patch),
        _ => return Err(Error::invalid("config.plan takes either raw or patch")),
    };
    let terms = terms(shared, Base::Hash(base_hash.as_deref()), force);
    let (plan, config) = rehearse(&shared.env, change, terms).map_err(explain)?;
    let mode = config.str("gateway.reload.mode").unwrap_or_default();
    let restart = plan.restarts(mode);
    let is_live = |path: &&str| !restart.contains(path) && plan.unread.iter().all(|unread| unread != path);
    let live: Vec<&str> = plan.paths().into_iter().filter(is_live).collect();
    let told = json!({"ok": true, "path": config.path(), "raw": (config.shown_text()), "restart": restart, "live": live});
    Ok(holding(told, "unread", plan.unread).into())
}

/// Writes a whole text.
pub fn set(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let (_, written) = replaced(shared, params)?;
    Ok(answer(&written).into())
}

/// Writes a whole text and restarts.
pub fn apply(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let (params, written) = replaced(shared, params)?;
    restarting(shared, caller, "config.apply", &params, &written)
}

/// Merges into what is written, and restarts.
pub fn patch(shared: &Shared, caller: &Caller, params: Value) -> Result<Payload> {
    let mut params: Params = read(params)?;
    let raw = std::mem::take(&mut params.raw);
    let written = match raw.contains(HIDDEN) {
        true => written(shared, Change::Merge(&raw), &params)?,
        false => {
            // What it says is kept and not the text, which may be long.
            let asked = RefCell::new(asked(&raw)?);
            drop(raw);
            written(shared, Change::Lay(&asked), &params)?
        }
    };
    restarting(shared, caller, "config.patch", &params, &written)
}

/// Writes a whole text, which is no more among the params then.
fn replaced(shared: &Shared, params: Value) -> Result<(Params, Written)> {
    let mut params: Params = read(params)?;
    let raw = std::mem::take(&mut params.raw);
    let written = written(shared, Change::Replace(&raw), &params)?;
    Ok((params, written))
}

fn written(shared: &Shared, change: Change, params: &Params) -> Result<Written> {
    put(shared, change, Base::Hash(params.base_hash.as_deref()), params.force).map_err(explain)
}

/// Writes a change that somebody asked for by a method; whoever administers is told.
pub(super) fn put(shared: &Shared, change: Change, base: Base, force: bool) -> Result<Written> {
    let done = write(&shared.env, change, terms(shared, base, force))?;
    if done.written {
        log::info!(target: "gateway/config", "config written: {}", done.plan);
        announce(shared, &done.config);
    }
    Ok(done)
}

/// Whoever asks need not be on the host, and is to have read what he changes.
fn terms<'a>(shared: &'a Shared, base: Base<'a>, force: bool) -> Terms<'a> {
    Terms { base, force, check: Some(host::check), starts: &*shared.objections }
}

/// Names what lifts the guard.
fn explain(error: Error) -> Error {
    match error.cause() {
        Some(Cause::NeedsForce) => {
            Error::invalid(format!("{} with \"force\": true", error.message())).with("code", "FORCE_REQUIRED")
        }
        _ => error,
    }
}

/// Tells administrators at once; the watcher, which sees the change later, tells of those made by others.
pub(super) fn announce(shared: &Shared, config: &Config) {
    if !shared.published.is_told(config.hash()) {
        let payload = json!({"path": config.path(), "hash": config.hash(), "ts": clock::now_ms()});
        // The state thread is gone only when this generation ends.
        let _ = shared.state.send(Event::Tell { event: &events::CONFIG_CHANGED, payload });
    }
}

fn answer(written: &Written) -> Value {
    let config = &written.config;
    let answer = json!({"ok": true, "path": config.path(), "hash": config.hash()});
    holding(answer, "config", config.shown())
}

fn restarting(
    shared: &Shared,
    caller: &Caller,
    reason: &'static str,
    params: &Params,
    written: &Written,
) -> Result<Payload> {
    let payload = note(shared, reason, params, &written.config);
    let path = sentinel::write(&shared.env, &payload)?;
    let (least, most) = DELAY_RANGE_MS;
    let delay_ms = params.restart_delay_ms.unwrap_or(DELAY_MS).clamp(least, most);
    let mut answer = answer(written);
    if let Some(map) = answer.as_object_mut() {
        let restart = json!({
            "ok": true, "pid": std::process::id(), "signal": "SIGUSR1", "delayMs": delay_ms,
            "reason": reason, "mode": "emit",
        });
        map.insert("restart".to_string(), restart);
        map.insert("sentinel".to_string(), json!({"path": path, "payload": payload}));
    }
    let note = Some(payload);
    let cause = format!("{reason} by {}", crate::logging::quoted(&caller.client_id));
    // The state thread is gone only when this generation ends, which is what was asked for.
    let _ = shared.state.send(Event::Restart { cause, delay_ms, note });
    Ok(answer.into())
}

/// What the session that asked is told after the restart; it is on disk before, so that it is told even if the
/// process ends meanwhile.
fn note(shared: &Shared, reason: &'static str, params: &Params, config: &Config) -> Value {
    let trimmed =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
    let mut payload = json!({
        "kind": "config-apply", "status": "ok", "ts": clock::now_ms(),
        "message": trimmed(&params.note),
        "doctorHint": format!("Run: {}", shared.env.command("doctor --non-interactive")),
        "stats": {"mode": reason, "root": config.path()},
    });
    if let (Some(map), Some(key)) = (payload.as_object_mut(), trimmed(&params.session_key)) {
        map.insert("sessionKey".to_string(), key.into());
    }
    payload
}
