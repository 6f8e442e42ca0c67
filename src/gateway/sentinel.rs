//! The restart sentinel: who asked for a restart is told when it is done.
//!
//! `<state>/restart-sentinel.json` is written by whoever asks (any thread but the state thread), and read and removed
//! by the main thread at the next start. A file that cannot be used is removed too: nothing may be told twice.
use crate::clock;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::json::json;
use crate::state::State;
use serde_json::Value;
use std::path::PathBuf;

const NAME: &str = "restart-sentinel.json";
/// Largest file read, bytes.
const MAX: u64 = 64 << 10;

/// Writes the sentinel; gives its path.
pub fn write(env: &Env, payload: &Value) -> Result<PathBuf> {
    let path = env.state_dir.join(NAME);
    let text = serde_json::to_string_pretty(&json!({"version": 1, "payload": payload}))
        .map_err(|e| Error::unavailable(format!("write the restart note: {e}")))?;
    files::write_atomic(&path, format!("{text}\n").as_bytes())?;
    Ok(path)
}

/// Puts what the sentinel says before the next message of the session it names, else of the main session.
pub fn tell(state: &mut State) {
    let path = state.shared.env.state_dir.join(NAME);
    let Some(bytes) = files::read_start(&path, MAX) else { return };
    if let Err(e) = std::fs::remove_file(&path) {
        // Told again and again would be worse than not told.
        return log::warn!(target: "gateway", "the restart note is not told: remove {}: {e}", path.display());
    }
    let sentinel = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
    let Some(payload) = sentinel.get("payload").filter(|payload| payload.is_object()) else {
        return log::warn!(target: "gateway", "the restart note in {} was not usable", path.display());
    };
    let named = payload.get("sessionKey").and_then(Value::as_str).filter(|key| !key.trim().is_empty());
    let key = named.and_then(|key| state.sessions.rules().canonical(key).ok());
    let text = serde_json::to_string_pretty(payload).unwrap_or_default();
    state.now = clock::now_ms();
    state.add_note(key, format!("GatewayRestart:\n{text}"));
}
