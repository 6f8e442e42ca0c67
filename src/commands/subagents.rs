//! `/subagents`: those that this session has asked for. On the state thread; what they said is read on another one.
use super::{At, Reply};
use crate::error::Result;
use crate::sessions::{history, message};
use crate::state::State;
use crate::subagents::{Child, is_over, name, outcome, text, words};
use serde_json::Value;

const USAGE: &str = "Usage: /subagents list | stop <number|all> | log <number> [lines] | info <number> | send <number> <message>. \
                     Instead of its number: its label, the beginning of its run's id, or last.";
/// Messages that `log` shows, and characters of each.
const USUAL_LINES: usize = 20;
const MOST_LINES: usize = 200;
const SHORT: usize = 500;

pub fn subagents(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let (verb, rest) = args.split_once(char::is_whitespace).unwrap_or((args, ""));
    let (which, more) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    if matches!(verb, "" | "list") {
        return Ok(Reply::Text(list(state, at)));
    }
    if verb == "stop" && which == "all" {
        let all: Vec<Child> = state.subagents.book.of(&at.key).into_iter().cloned().collect();
        return Ok(Reply::Text(stop(state, &all)));
    }
    if which.is_empty() || !matches!(verb, "stop" | "log" | "info" | "send") {
        return Ok(Reply::Text(USAGE.to_string()));
    }
    let Some(child) = state.subagents.book.meant(&at.key, which).cloned() else {
        return Ok(Reply::Text(format!(
            "/subagents: there is no subagent {which:?} of this session; /subagents list shows them."
        )));
    };
    Ok(match (verb, more.trim()) {
        ("stop", _) => Reply::Text(stop(state, std::slice::from_ref(&child))),
        ("info", _) => Reply::Text(info(state, &child)),
        ("send", "") => Reply::Text(USAGE.to_string()),
        ("send", message) => {
            (state.shared.clone().send_child)(state, text(&child, "runId"), message)?;
            Reply::Text(format!("Sent to {}; its answer is told here.", name(&child)))
        }
        (_, lines) => log(state, &child, lines.parse().unwrap_or(USUAL_LINES).clamp(1, MOST_LINES))?,
    })
}

fn is_running(state: &State, child: &Child) -> bool {
    let key = text(child, "childSessionKey");
    state.runs.is_busy(key) && state.runs.is_live(text(child, "runId"))
}

fn list(state: &State, at: &At) -> String {
    let all = state.subagents.book.of(&at.key);
    let line = |(n, child): (usize, &&Child)| words::line(n + 1, child, is_running(state, child), state.now);
    let lines: Vec<String> = all.iter().enumerate().map(line).collect();
    match lines.is_empty() {
        true => "This session has no subagents.".to_string(),
        false => format!("Subagents of this session:\n{}", lines.join("\n")),
    }
}

fn stop(state: &mut State, children: &[Child]) -> String {
    let runs: Vec<&str> =
        children.iter().filter(|child| !is_over(child)).map(|child| text(child, "runId")).collect();
    for run in &runs {
        state.with_runs(|runs, world| runs.abort(world, run, crate::cancel::Reason::Stop));
    }
    match runs.len() {
        0 => "None of them is at work.".to_string(),
        1 => "⚙️ Stopped.".to_string(),
        n => format!("⚙️ Stopped {n}."),
    }
}

fn info(state: &State, child: &Child) -> String {
    let (_, why) = outcome(child);
    let why = why.map_or(String::new(), |why| format!(" ({why})"));
    let is_running = is_running(state, child);
    format!(
        "{}\nState: {}{why}, {}\nTask: {}\nSession: {}\nRun: {}\nModel: {}\nSession afterwards: {}",
        name(child),
        words::state(child, is_running),
        words::duration(child, state.now),
        crate::parts::shortened(text(child, "task"), SHORT),
        text(child, "childSessionKey"),
        text(child, "runId"),
        Some(text(child, "model")).filter(|model| !model.is_empty()).unwrap_or("the agent's own"),
        if text(child, "cleanup") == "delete" { "deleted" } else { "kept for a while" },
    )
}

fn log(state: &State, child: &Child, lines: usize) -> Result<Reply> {
    let key = text(child, "childSessionKey");
    let Some(entry) = state.sessions.begun(key) else {
        return Ok(Reply::Text("Its session is gone.".to_string()));
    };
    let transcript = state.sessions.transcript(key, &entry)?;
    Ok(Reply::Work(Box::new(move || {
        let shown = |message: &Value| {
            let words = message::text_of(message);
            let words = crate::parts::shortened(words.trim(), SHORT);
            (!words.is_empty()).then(|| format!("{}: {words}", message::role(message)))
        };
        let all: Vec<String> =
            history::messages(&transcript, Some(lines), false)?.iter().filter_map(shown).collect();
        Ok(if all.is_empty() { "Nothing was said yet.".to_string() } else { all.join("\n") })
    })))
}
