//! How results are said to the gateway: within what it takes in one frame. Pure but for looking at a process.
use super::calls::Call;
use crate::error::{Error, Kind};
use crate::json::{Put, json};
use crate::processes::{End, Process};
use serde_json::Value;

/// Bytes of what a command said, errors and all.
const OUTPUT: usize = 200_000;
/// What a frame has around its result, and its id and method.
const AROUND: usize = 512;
/// Characters that the event of a late end tells.
const TOLD: usize = 2000;

/// What became of an invocation.
pub type Outcome = std::result::Result<Value, Error>;

/// The params of `node.invoke.result`; a result that no frame can hold is an error.
pub fn result(call: &Call, outcome: &Outcome, max: usize) -> Value {
    match outcome {
        Ok(payload) => {
            let whole = with(call, payload);
            match fits(&whole, max) {
                true => whole,
                false => failed(call, &Error::unavailable("the result is larger than the gateway takes")),
            }
        }
        Err(error) => failed(call, error),
    }
}

fn with(call: &Call, payload: &Value) -> Value {
    json!({"id": (call.id.as_str()), "nodeId": (call.node.as_str()), "ok": true, "payloadJSON": (payload.to_string())})
}

fn fits(params: &Value, max: usize) -> bool {
    params.to_string().len() + AROUND <= max
}

fn failed(call: &Call, error: &Error) -> Value {
    let code = match error.kind {
        Kind::Invalid | Kind::Conflict | Kind::NotFound | Kind::Usage | Kind::Config => "INVALID_REQUEST",
        _ => "UNAVAILABLE",
    };
    json!({"id": (call.id.as_str()), "nodeId": (call.node.as_str()), "ok": false,
        "error": {"code": code, "message": (error.message())}})
}

/// What a command did. The more its output grows on the way (marks of text within text within JSON), the less of it is
/// said.
pub fn ran(call: &Call, process: &Process, end: &End, max: usize) -> Value {
    let mut most = OUTPUT;
    loop {
        let errors = process.errors(most / 2);
        let said = process.text(most.saturating_sub(errors.len()).max(most / 2));
        let mut payload = json!({"timedOut": (end.is_late), "success": (end.code == Some(0) && !end.is_late),
            "stdout": said, "stderr": errors, "error": null});
        let why = end.signal.filter(|_| !end.is_late).map(|signal| format!("ended by signal {signal}"));
        if let Some(map) = payload.as_object_mut() {
            end.code.filter(|_| !end.is_late).into_iter().for_each(|code| map.put("exitCode", code));
            why.into_iter().for_each(|why| map.put("error", why));
        }
        if most < 1000 || fits(&with(call, &payload), max) {
            return payload;
        }
        most /= 2;
    }
}

/// One that could not be started, as the original tells it.
pub fn not_started(error: &Error) -> Value {
    json!({"timedOut": false, "success": false, "stdout": "", "stderr": "", "error": (error.message())})
}

/// The end of a command as an event, for whoever does not wait for the result.
pub fn event(session: &str, run: &str, command: &str, process: &Process, end: &End) -> Value {
    let said = [process.status(TOLD).tail, crate::parts::within(&process.errors(TOLD), TOLD).to_string()];
    let said: Vec<String> = said.into_iter().filter(|text| !text.is_empty()).collect();
    let mut payload = json!({"sessionKey": session, "runId": run, "host": "node", "command": command,
        "timedOut": (end.is_late), "success": (end.code == Some(0) && !end.is_late), "output": (said.join("\n"))});
    if let (Some(map), Some(code)) = (payload.as_object_mut(), end.code) {
        map.put("exitCode", code);
    }
    payload
}
