//! What is answered at once: where programs lie, the rules of this machine, notifications.
use super::answer::Outcome;
use super::calls::{Answer, Call};
use super::host::Own;
use super::run::plain;
use super::work::{What, Work};
use crate::approvals::file::{self, Book};
use crate::approvals::{afar, judge};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Programs that one call asks for.
const MAX_BINS: usize = 500;
const MAX_TEXT: usize = 4000;

pub fn which(own: &Own, params: &Value) -> Outcome {
    let bins = params.get("bins").and_then(Value::as_array).ok_or_else(|| invalid("bins required"))?;
    let path = own.env.program_dirs(&[]);
    let mut found = Map::new();
    let names = bins.iter().filter_map(Value::as_str).map(str::trim).take(MAX_BINS);
    for name in names.filter(|name| !name.is_empty() && !name.contains('/')) {
        if let Some(path) = program(name, &path) {
            found.put(name, path.to_string_lossy().into_owned());
        }
    }
    Ok(json!({"bins": found}))
}

fn program(name: &str, path: &[PathBuf]) -> Option<PathBuf> {
    let here = Path::new("/");
    let place = judge::Place { cwd: here, path, home: here, writable: &[], safe: &[], skilled: &[] };
    judge::find(name, &place)
}

pub fn approvals(own: &Own) -> Outcome {
    Ok(told(&own.env, file::read(&own.env)?))
}

/// Rules may be made stricter from afar; what would widen them is for who sits at this machine (`approvals/afar.rs`).
pub fn set_approvals(own: &Own, params: &Value) -> Outcome {
    let new = params.get("file").and_then(Value::as_object).ok_or_else(|| invalid("file required"))?;
    let base = params.get("baseHash").and_then(Value::as_str);
    Ok(told(&own.env, file::replace(&own.env, new.clone(), base, afar::check)?))
}

fn told(env: &Env, book: Book) -> Value {
    let path = file::path(env).to_string_lossy().into_owned();
    json!({"path": path, "exists": (book.exists), "hash": (book.hash), "file": (Value::Object(file::shown(book.file)))})
}

fn invalid(text: &str) -> Error {
    Error::invalid(format!("INVALID_REQUEST: {text}"))
}

/// The program that shows notifications, where there is one and somebody who would see them.
pub fn notifier(env: &Env) -> Option<PathBuf> {
    let is_seen =
        ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"].iter().any(|name| env.var(name).is_some());
    match cfg!(target_os = "macos") {
        true => program("osascript", &env.program_dirs(&[])),
        false => program("notify-send", &env.program_dirs(&[])).filter(|_| is_seen),
    }
}

pub fn notify(own: &Own, work: &mut Work, call: &Call) -> Answer {
    let started = notification(own, &call.params).and_then(|words| {
        let plan = plain(own, &words)?;
        work.start(call, What::Notify, plan, &own.bell)
    });
    match started {
        Ok(()) => Answer::Later,
        Err(error) => Answer::Now(Err(error)),
    }
}

fn notification(own: &Own, params: &Value) -> Result<Vec<String>> {
    let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    let (title, body) = (text("title"), text("body"));
    if title.is_empty() && body.is_empty() {
        return Err(invalid("title or body required"));
    }
    if title.len() + body.len() > MAX_TEXT || title.contains('\0') || body.contains('\0') {
        return Err(invalid("title and body have at most 4000 bytes, and no NUL"));
    }
    let program = notifier(&own.env).ok_or_else(|| {
        Error::unavailable(
            "this machine shows no notifications: notify-send (libnotify) in a desktop session does",
        )
    })?;
    let program = program.to_string_lossy().into_owned();
    let title = if title.is_empty() { "OpenClaw" } else { title };
    let words: Vec<&str> = match cfg!(target_os = "macos") {
        true => {
            let show = "display notification (item 2 of argv) with title (item 1 of argv)";
            vec!["-e", "on run argv", "-e", show, "-e", "end run", title, body]
        }
        false => {
            let urgency = match text("priority") {
                "passive" => "low",
                "timeSensitive" => "critical",
                _ => "normal",
            };
            vec!["--app-name", "OpenClaw", "--urgency", urgency, "--", title, body]
        }
    };
    Ok(std::iter::once(program).chain(words.into_iter().map(str::to_string)).collect())
}
