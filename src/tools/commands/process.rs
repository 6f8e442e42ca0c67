//! `process`: looks after commands that go on in the background: reads, writes, ends them. Runs on a tool's thread and waits
//! for nothing but a program that reads slowly.
use super::exec::signal_name;
use super::surroundings::Surroundings;
use crate::calls::Provenance;
use crate::error::{Error, Result};
use crate::json::json;
use crate::processes::{Process, Status, keys, list};
use crate::tools::{Context, Output, Tool, count, text, usual_time};
use serde_json::Value;
use std::sync::Arc;

pub const TOOL: Tool = Tool {
    name: "process",
    doc: "Look after commands that exec left running: list them, poll for new output, read their log, write to them, press keys, paste, end and forget them.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"type": "string", "description": "list, poll, log, write, send-keys, submit, paste, kill, clear or remove"},
        "sessionId": {"type": "string", "description": "Which one; not for list"},
        "data": {"type": "string", "description": "What to write"},
        "keys": {"type": "array", "items": {"type": "string"}, "description": "Keys by name: Enter, C-c, Up"},
        "hex": {"type": "array", "items": {"type": "string"}, "description": "Bytes to send, in hex"},
        "literal": {"type": "string", "description": "Text to send as it is"},
        "text": {"type": "string", "description": "What to paste"},
        "bracketed": {"type": "boolean", "description": "Paste as terminals do; true when left out"},
        "eof": {"type": "boolean", "description": "Close its input behind the data"},
        "offset": {"type": "number", "description": "First line of the log, from 0"},
        "limit": {"type": "number", "description": "Lines of the log; without offset the last ones"}}}"#,
    aliases: &[("session", "sessionId"), ("session_id", "sessionId"), ("id", "sessionId"), ("input", "data")],
    changes: true,
    // What others wrote, or a program sent at its time, runs nothing unless the owner says so (`tools.surfaces`).
    serves: Provenance::is_owners,
    time: usual_time,
    run,
};

/// Bytes of output at once, characters of one that has ended when it is asked for again, and of its name.
const SHOWN: usize = 64 << 10;
const AGAIN: usize = 2000;
const NAME: usize = 60;

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let action = text(arguments, "action").unwrap_or_default();
    if action == "list" {
        return Ok(listed(context));
    }
    let Some(id) = text(arguments, "sessionId") else {
        return Err(Error::invalid("sessionId is required for this action."));
    };
    let process = list::find(&context.agent, id)
        .ok_or_else(|| Error::not_found(format!("No session found for {}", crate::parts::within(id, 100))))?;
    let status = process.status(0);
    if !status.is_background && status.end.is_none() {
        return Err(Error::invalid(format!("Session {id} is not backgrounded.")));
    }
    let said = match action {
        "poll" => polled(&process),
        "log" => return Ok(log(&process, arguments)),
        "write" => write(&process, arguments)?,
        "send-keys" => send(&process, arguments)?,
        "submit" => {
            put(&process, b"\r", false)?;
            format!("Submitted session {id} (sent CR).")
        }
        "paste" => paste(&process, arguments)?,
        "kill" => {
            active(&process)?.kill();
            format!("Killed session {id}.")
        }
        "clear" if status.end.is_none() => {
            return Err(Error::invalid(format!("Session {id} is still running; kill it first.")));
        }
        "clear" => {
            list::forget(&process);
            format!("Cleared session {id}.")
        }
        "remove" => {
            process.kill();
            list::forget(&process);
            format!("Removed session {id}.")
        }
        _ => return Err(Error::invalid(format!("Unknown action {}", crate::parts::within(action, 60)))),
    };
    let details = details(&process);
    Ok(Output { details: Some(details), ..Output::text(said).about(format!("{action} {id}")) })
}

/// Newest first, a line each.
fn listed(context: &Context) -> Output {
    let all = list::of_agent(&context.agent, Surroundings::keeps_ms(context));
    let line = |process: &Arc<Process>| {
        let seconds = process.runtime_ms() / 1000;
        let name: String =
            process.command.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME).collect();
        format!("{} {:<9} {seconds}s :: {name}", process.id, word(&process.status(0)))
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    let text = if lines.is_empty() { "No running or recent sessions.".to_string() } else { lines.join("\n") };
    let sessions: Vec<Value> = all.iter().map(|process| details(process)).collect();
    Output { details: Some(json!({"status": "completed", "sessions": sessions})), ..Output::text(text) }
}

fn word(status: &Status) -> &'static str {
    match &status.end {
        None => "running",
        Some(end) if end.code == Some(0) => "completed",
        Some(_) => "failed",
    }
}

fn details(process: &Process) -> Value {
    let status = process.status(AGAIN);
    let end = status.end.clone().unwrap_or_default();
    let signal = end.signal.map(signal_name);
    json!({"sessionId": (process.id.as_str()), "status": (word(&status)), "pid": (status.pid), "startedAt": (process.started),
        "endedAt": (status.end.as_ref().map(|end| end.at)), "runtimeMs": (process.runtime_ms()), "cwd": (process.cwd.to_string_lossy()),
        "command": (process.command.as_str()), "tail": (status.tail.as_str()), "truncated": (status.is_cut), "exitCode": (end.code), "exitSignal": signal})
}

fn polled(process: &Process) -> String {
    // Looked at first: what it says at its end comes before that.
    let end = process.end();
    let mut news = process.news();
    if news.trim().is_empty() {
        news = match &end {
            Some(_) => process.status(AGAIN).tail,
            None => String::new(),
        };
    }
    let news = if news.trim().is_empty() { "(no new output)" } else { news.trim_end() };
    let news = crate::parts::within(news, SHOWN);
    let how = match end.map(|end| (end.signal, end.code)) {
        None => "Process still running.".to_string(),
        Some((Some(signal), _)) => format!("Process exited with signal {}.", signal_name(signal)),
        Some((None, code)) => format!("Process exited with code {}.", code.unwrap_or(-1)),
    };
    format!("{news}\n\n{how}")
}

fn log(process: &Process, arguments: &Value) -> Output {
    let whole = process.text(usize::MAX);
    let lines: Vec<&str> = whole.lines().collect();
    let (offset, limit) = (count(arguments, "offset"), count(arguments, "limit"));
    let from = match (offset, limit) {
        (Some(offset), _) => offset,
        (None, Some(limit)) => lines.len().saturating_sub(limit),
        (None, None) => lines.len().saturating_sub(200),
    };
    let some: Vec<&str> = lines.iter().skip(from).take(limit.unwrap_or(usize::MAX)).copied().collect();
    let status = process.status(0);
    let details = json!({"status": (word(&status)), "sessionId": (process.id.as_str()), "total": (status.total), "totalLines": (lines.len()),
        "totalChars": (whole.chars().count()), "truncated": (status.is_cut)});
    let text = if some.is_empty() { "(no output)".to_string() } else { some.join("\n") };
    Output { details: Some(details), ..Output::text(text) }
}

fn active(process: &Process) -> Result<&Process> {
    let gone = || Error::invalid(format!("No active session found for {}", process.id));
    process.end().is_none().then_some(process).ok_or_else(gone)
}

fn put(process: &Process, bytes: &[u8], is_last: bool) -> Result<()> {
    match active(process)?.write(bytes, is_last)? {
        true => Ok(()),
        false => Err(Error::invalid(format!("Session {} stdin is not writable.", process.id))),
    }
}

fn write(process: &Process, arguments: &Value) -> Result<String> {
    let data = arguments.get("data").and_then(Value::as_str).unwrap_or_default();
    let is_last = arguments.get("eof") == Some(&Value::Bool(true));
    put(process, data.as_bytes(), is_last)?;
    let end = if is_last { " (stdin closed)" } else { "" };
    Ok(format!("Wrote {} bytes to session {}{end}.", data.len(), process.id))
}

fn send(process: &Process, arguments: &Value) -> Result<String> {
    let words = |name: &str| {
        let list = arguments.get(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_string).collect::<Vec<String>>()
    };
    let mut bytes = arguments.get("literal").and_then(Value::as_str).unwrap_or_default().as_bytes().to_vec();
    let mut warnings = String::new();
    for hex in words("hex") {
        let digits = hex.trim().trim_start_matches("0x");
        match u8::from_str_radix(digits, 16) {
            Ok(byte) => bytes.push(byte),
            Err(_) => warnings += &format!("\nWarning: {hex:?} is no byte in hex and was left out."),
        }
    }
    for key in words("keys") {
        match keys::bytes(&key) {
            Some(key) => bytes.extend(key),
            None => {
                warnings += &format!("\nWarning: {key:?} is no key and was sent as text.");
                bytes.extend(key.bytes());
            }
        }
    }
    if bytes.is_empty() {
        return Err(Error::invalid("send-keys needs keys, hex or literal."));
    }
    put(process, &bytes, false)?;
    Ok(format!("Sent {} bytes to session {}.{warnings}", bytes.len(), process.id))
}

fn paste(process: &Process, arguments: &Value) -> Result<String> {
    let pasted = arguments.get("text").and_then(Value::as_str).filter(|text| !text.is_empty());
    let pasted = pasted.ok_or_else(|| Error::invalid("paste needs a text."))?;
    let whole = match arguments.get("bracketed") {
        Some(Value::Bool(false)) => pasted.to_string(),
        _ => format!("\u{1b}[200~{pasted}\u{1b}[201~"),
    };
    put(process, whole.as_bytes(), false)?;
    Ok(format!("Pasted {} chars to session {}.", pasted.chars().count(), process.id))
}
