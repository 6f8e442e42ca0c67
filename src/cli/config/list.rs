//! `openclaw config list`: what is set, and on demand every key there is.
use super::usable;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional};
use crate::config::list::{Row, rows, rows_of, written};
use crate::config::{lookup, path};
use crate::error::Result;
use crate::json::{Put, json};
use crate::parts::shortened;
use serde_json::Value;
use std::collections::HashMap;

pub const COMMAND: Command = Command {
    summary: "List what is set, or with --defaults every key with type and default",
    about: "Of each key: what it is for, what it takes, its default, and what a change does to a gateway that runs: nothing\n\
            needs doing, a part is reloaded, or it restarts in process. Limits are listed too. Secrets are hidden.",
    positionals: &[Positional::optional("path")],
    flags: &[&[Flag::switch("defaults", "List every key, set or not"), JSON]],
    examples: &[
        ("openclaw config list", "Show what is set"),
        ("openclaw config list --defaults gateway.limits", "Show every limit and its default"),
        ("openclaw config list --defaults --json", "Print the whole table as JSON"),
    ],
    ..Command::of("config list", run)
};

/// A line of the list: what is set, a key of the table, or both.
struct Entry<'r> {
    path: String,
    row: Option<&'r Row>,
    value: Option<Value>,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let wanted = args.positional(0).unwrap_or_default();
    let names = if wanted.is_empty() { Vec::new() } else { path::parse(wanted)? };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if !lookup::is_covered(&names) {
        return Err(lookup::unknown(wanted, &names));
    }
    let config = usable(context)?;
    let set = written(&config, &names);
    let all = if args.has("defaults") { rows(&[]) } else { rows_of(&sections(&set)) };
    let entries = entries(&all, set, &names, args.has("defaults"));
    if args.has("json") {
        context.out.json(&json!({"keys": entries.iter().map(Entry::to_json).collect::<Vec<_>>()}));
        return Ok(());
    }
    if entries.is_empty() {
        context.out.line("Nothing is set here; --defaults lists every key.");
        return Ok(());
    }
    let about = |row| format!("\n    {}", about(row));
    let lines = entries.iter().map(|entry| entry.head() + &entry.row.map_or(String::new(), about));
    // At once: a write for each of a thousand lines takes longer than all the rest.
    context.out.line(lines.collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// The sections whose keys describe what is set.
fn sections(set: &[(Vec<String>, Value)]) -> Vec<&'static str> {
    let section = |names: &Vec<String>| {
        let key = lookup::find(names.iter().map(String::as_str))?.key()?;
        key.path.split('.').next()
    };
    let mut sections: Vec<&str> = set.iter().filter_map(|(names, _)| section(names)).collect();
    crate::order::sort(&mut sections);
    sections.dedup();
    sections
}

/// What is set with the key that describes it, then, if `is_whole`, the keys below `under` that are not set.
fn entries<'r>(
    all: &'r [Row],
    set: Vec<(Vec<String>, Value)>,
    under: &[&str],
    is_whole: bool,
) -> Vec<Entry<'r>> {
    let by_key: HashMap<&str, &Row> = all.iter().map(|row| (row.key.path, row)).collect();
    let mut entries: Vec<Entry> = Vec::new();
    // A file that says nothing, or is not there, is one empty value.
    for (names, value) in set.into_iter().filter(|(names, _)| !names.is_empty()) {
        let node = lookup::find(names.iter().map(String::as_str));
        let row = node.and_then(|node| by_key.get(node.key()?.path).copied());
        let path = names.iter().fold(String::new(), |path, name| crate::config::join(&path, name));
        entries.push(Entry { path, row, value: Some(value) });
    }
    let is_below = |row: &&Row| {
        let mut own = row.key.path.split('.');
        under.iter().all(|name| own.next().is_some_and(|known| known == "*" || known == *name))
    };
    let missing: Vec<&Row> = all
        .iter()
        .filter(|_| is_whole)
        .filter(is_below)
        .filter(|row| !entries.iter().any(|entry| entry.path == row.path))
        .collect();
    entries.extend(missing.into_iter().map(|row| Entry {
        path: row.path.clone(),
        row: Some(row),
        value: None,
    }));
    crate::order::by(&mut entries, |a, b| a.path.cmp(&b.path));
    entries
}

impl Entry<'_> {
    fn head(&self) -> String {
        let shown = |value: &Value| shortened(&value.to_string(), 60);
        match (&self.value, self.row.and_then(|row| row.default.as_ref())) {
            (Some(value), _) => format!("{} = {}", self.path, shown(value)),
            (None, Some(default)) => format!("{} (default {})", self.path, shown(default)),
            (None, None) => self.path.clone(),
        }
    }

    fn to_json(&self) -> Value {
        let row = self.row;
        let mut told = json!({
            "path": self.path, "set": self.value.is_some(), "type": row.map(|row| row.kind.as_str()),
            "default": row.and_then(|row| row.default.clone()), "class": row.map(Row::class),
            "hostOnly": row.is_some_and(|row| row.key.host_only),
            "secret": row.is_some_and(|row| row.key.sensitive), "doc": row.map(|row| row.doc.as_str()),
        });
        if let (Some(map), Some(value)) = (told.as_object_mut(), &self.value) {
            map.put("value", value.clone());
        }
        told
    }
}

/// What a key is for and takes, and what a change does.
fn about(row: &Row) -> String {
    let class = match row.class() {
        "none" => "in force at once",
        "unread" => "not read in this version",
        "reload" => "reloaded",
        _ => "restarts",
    };
    let host = if row.key.host_only { ", set on the host only" } else { "" };
    let secret = if row.key.sensitive { ", secret" } else { "" };
    format!("{}: {}; {class}{host}{secret}", row.doc, row.kind)
}
