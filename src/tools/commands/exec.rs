//! `exec`: runs a command on the gateway's machine, shut in, by the owner's rules. Runs on a tool's thread, which waits a
//! while; after that the command goes on in the background (`process`).
use super::surroundings::Surroundings;
use super::wish::{self, Wish};
use super::{afar, asking, setting};
use crate::approvals::words::Part;
use crate::approvals::{Rules, Verdict, decide, file, judge};
use crate::calls::Provenance;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::processes::{End, Process, running};
use crate::tools::{Context, Output, Tool};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const TOOL: Tool = Tool {
    name: "exec",
    doc: "Run a shell command on the gateway's machine. It is shut in: it reads the system, writes the workspace and $TMPDIR, and usually has no network; file modes stay as they are (run scripts by their interpreter). Commands that the owner has not listed wait for his approval: then say so and end your turn; the result comes by itself. What still runs after yieldMs goes on in the background; use process for it.",
    parameters: r#"{"type": "object", "required": ["command"], "properties": {
        "command": {"type": "string", "description": "Shell command to run"},
        "workdir": {"type": "string", "description": "Directory; the workspace when left out"},
        "env": {"type": "object", "description": "Variables to set"},
        "yieldMs": {"type": "number", "description": "Milliseconds to wait before it goes on in the background; 10000 when left out"},
        "background": {"type": "boolean", "description": "Go on in the background at once"},
        "timeout": {"type": "number", "description": "Seconds until it is ended; 1800 when left out"},
        "pty": {"type": "boolean", "description": "Run in a terminal, for programs that want one"},
        "elevated": {"type": "boolean", "description": "Only where the user has set /elevated for the session"},
        "host": {"type": "string", "description": "gateway, or node where the user has set that"},
        "security": {"type": "string", "description": "deny, allowlist or full; only to be stricter"},
        "ask": {"type": "string", "description": "off, on-miss or always; only to be stricter"},
        "node": {"type": "string", "description": "Which node, where host is node"}}}"#,
    aliases: &[("cmd", "command"), ("cwd", "workdir"), ("script", "command")],
    changes: true,
    // What others wrote, or a program sent at its time, runs nothing unless the owner says so (`tools.surfaces`).
    serves: Provenance::is_owners,
    time: |context, arguments| wish::yields(context, arguments) + Duration::from_secs(20),
    run,
};

/// Bytes of output that a model gets at once.
const SHOWN: usize = 48 << 10;
/// Least time between two updates, and bytes of each.
const UPDATE: Duration = Duration::from_secs(1);
const UPDATE_CHARS: usize = 2000;
/// Characters of what it said that programs are told of one that goes on.
const TAIL: usize = 400;
/// The host, as the original calls it.
pub const HOST: &str = "gateway";

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    crate::files::private_dir(&context.workspace)?;
    let wish = Wish::read(context, arguments)?;
    let book = Value::Object(file::read(&context.settings.env)?.file);
    let (security, ask) = (context.exec.security().map(Value::from), context.exec.ask().map(Value::from));
    let wished = [
        (security.as_ref().or(setting(context, "security")), ask.as_ref().or(setting(context, "ask"))),
        (wish.security.as_ref(), wish.ask.as_ref()),
    ];
    let rules = Rules::of(&book, &context.agent, &wished);
    if wish.is_afar {
        return afar::run(context, wish, &rules);
    }
    let around = Surroundings::of(context, &rules);
    let cwd = wish.cwd.to_string_lossy().into_owned();
    // Variables change what a command does, so that nothing that was allowed without them is.
    let judged = match wish.env.is_empty() {
        true => judge::judge(&wish.command, &rules, &around.place(context, &wish)),
        false => Err("it sets variables".to_string()),
    };
    let is_granted = wish.env.is_empty() && rules.grants(&wish.command, &cwd, HOST);
    match decide(&rules, judged.clone(), is_granted, around.is_shut_in()) {
        Verdict::Denied(why) => Err(denied(why)),
        Verdict::Whole => begin(context, &around, &wish, None),
        Verdict::Judged(parts) => begin(context, &around, &wish, Some(&parts)),
        Verdict::Asks(why) => asking::ask(context, around, wish, &rules, judged, &why),
    }
}

fn denied(why: &str) -> Error {
    let text = match why.starts_with("security") {
        true => format!("exec denied: host={HOST} {why}"),
        false => format!("exec denied: {why}"),
    };
    Error::new(Kind::Forbidden, text)
}

fn begin(context: &Context, around: &Surroundings, wish: &Wish, judged: Option<&[Part]>) -> Result<Output> {
    let then = asking::when_left(context);
    let process = running::start(around.plan(context, wish, judged, then)?)?;
    let output = attend(context, wish, &process);
    if !process.is_background() {
        crate::processes::list::forget(&process);
    }
    let warned = |text: String| match &wish.warning {
        Some(warning) => format!("{warning}\n\n{text}"),
        None => text,
    };
    let meta: String = wish.command.chars().take(80).collect();
    let details = details(&process);
    output
        .map(|text| Output { details: Some(details), ..Output::text(warned(text)).about(meta) })
        .map_err(|e| Error::new(e.kind, warned(e.message().to_string())))
}

fn details(process: &Process) -> Value {
    let (status, cwd) = (process.status(TAIL), process.cwd.to_string_lossy());
    match status.is_background {
        true => {
            json!({"status": "running", "sessionId": (process.id.as_str()), "pid": (status.pid), "startedAt": (process.started), "cwd": cwd, "tail": (status.tail)})
        }
        false => {
            json!({"status": "completed", "exitCode": (status.end.and_then(|end| end.code)), "durationMs": (process.runtime_ms()), "cwd": cwd})
        }
    }
}

/// Waits for it as long as was asked for; a stopped run ends it.
fn attend(context: &Context, wish: &Wish, process: &Arc<Process>) -> Result<String> {
    let until = Instant::now() + wish.yields;
    let (mut told, mut next) = (0, Instant::now() + UPDATE);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if let Some(end) = process.wait(left.min(crate::cancel::SLICE)) {
            return ended(process, &end, wish.timeout);
        }
        if context.cancel.reason().is_some() {
            process.kill();
            return Err(context.cancel.error());
        }
        if left.is_zero() && process.leave() {
            let pid = process.status(0).pid.unwrap_or_default();
            return Ok(format!(
                "Command still running (session {}, pid {pid}). Use process (list/poll/log/write/kill/clear/remove) for follow-up.",
                process.id
            ));
        }
        if Instant::now() >= next {
            let status = process.status(UPDATE_CHARS);
            if status.total > told {
                context.tell(json!({"content": [{"type": "text", "text": (status.tail)}],
                    "details": {"status": "running", "sessionId": (process.id.as_str()), "startedAt": (process.started)}}));
            }
            (told, next) = (status.total, Instant::now() + UPDATE);
        }
    }
}

/// What is said of one that has ended: its output, and what went wrong.
pub fn ended(process: &Process, end: &End, timeout: Duration) -> Result<String> {
    let output = process.text(SHOWN).trim().to_string();
    let Some(why) = fault(end, timeout) else {
        return Ok(if output.is_empty() { "(no output)".to_string() } else { output });
    };
    let before = if output.is_empty() { output } else { output + "\n\n" };
    Err(Error::new(Kind::Invalid, before + &why))
}

fn fault(end: &End, timeout: Duration) -> Option<String> {
    match (end.is_late, end.signal, end.code) {
        (true, ..) => Some(format!("Command timed out after {} seconds", timeout.as_secs_f64())),
        (_, Some(signal), _) => Some(format!("Command aborted by signal {}", signal_name(signal))),
        (_, _, Some(0)) => None,
        (_, _, Some(code)) => Some(format!("Command exited with code {code}")),
        (_, None, None) => Some("Command ended by a defect of the gateway; see its log".to_string()),
    }
}

pub fn signal_name(signal: i32) -> String {
    let names = [
        (1, "HUP"),
        (2, "INT"),
        (3, "QUIT"),
        (4, "ILL"),
        (6, "ABRT"),
        (7, "BUS"),
        (8, "FPE"),
        (9, "KILL"),
        (11, "SEGV"),
        (13, "PIPE"),
        (14, "ALRM"),
        (15, "TERM"),
        (24, "XCPU"),
        (25, "XFSZ"),
    ];
    let found = names.iter().find(|(number, _)| *number == signal);
    found.map_or_else(|| signal.to_string(), |(_, name)| format!("SIG{name}"))
}
