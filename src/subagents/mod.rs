//! Subagents as data: turns that an agent has begun in sessions of their own (`sessions_spawn`), each as the original program
//! keeps it. `book` is all of them and their file, `words` what is said of them. Owned by the state thread
//! (`state/subagents.rs`); the file is read at a start and written by the store thread.
pub mod book;
pub mod words;

pub use book::Book;

use serde_json::{Map, Value};

/// One of them: the members of the file.
pub type Child = Map<String, Value>;

pub fn text<'c>(child: &'c Child, name: &str) -> &'c str {
    child.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub fn number(child: &Child, name: &str) -> Option<u64> {
    child.get(name)?.as_f64().filter(|n| *n > 0.0).map(|n| n as u64)
}

pub fn is_over(child: &Child) -> bool {
    number(child, "endedAt").is_some()
}

/// Whoever asked for it knows how it ended, or is not to know.
pub fn is_told(child: &Child) -> bool {
    number(child, "cleanupCompletedAt").is_some()
}

/// How it ended: `ok`, `error`, `timeout` or `unknown`, and why.
pub fn outcome(child: &Child) -> (&str, Option<&str>) {
    let of = |name: &str| child.get("outcome").and_then(|outcome| outcome.get(name)).and_then(Value::as_str);
    (of("status").unwrap_or("unknown"), of("error"))
}

/// What it is called, in one line.
pub fn name(child: &Child) -> String {
    let label = Some(text(child, "label").trim()).filter(|label| !label.is_empty());
    let name = crate::clean::one_line(label.unwrap_or(text(child, "task")));
    crate::parts::shortened(&name, 60)
}
