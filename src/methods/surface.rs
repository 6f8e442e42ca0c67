//! `plugin.surface.refresh`: where a connection finds the canvas. The name is that of the original, which knows more
//! surfaces.
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::json::json;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

pub fn refresh(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let surface = params.get("surface").and_then(Value::as_str).unwrap_or("canvas");
    // Only a connection can end, and with it the address.
    let is_here = state.clients.iter().any(|client| client.caller.conn == call.caller.conn);
    let url = if surface == "canvas" && is_here { state.canvas_url(&call.caller) } else { None };
    let (url, until) = url.ok_or_else(|| {
        Error::unavailable(format!("no surface {surface} for this connection: the canvas is off (canvasHost.enabled), or there is no such surface"))
    })?;
    Ok(Answer::Now(
        json!({"surface": surface, "pluginSurfaceUrls": {"canvas": url}, "expiresAtMs": until}).into(),
    ))
}
