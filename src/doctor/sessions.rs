//! Checks of the sessions on disk: indexes, transcripts, what is left over. Reads, under no lock, and repairs
//! nothing: the gateway does that when it starts or writes.
use super::{Ctx, Finding, Fix, one};
use crate::agents::Agents;
use crate::files;
use crate::json;
use crate::sessions::{index, is_session_id, newer};
use crate::upkeep::litter;
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Transcripts that are looked at in one directory.
const MAX: usize = 2000;
/// A last line is looked for in this much of a transcript's end.
const TAIL: u64 = 1 << 20;

/// The indexes of the agents that are there or cannot be looked at; their directories are those of the transcripts.
fn indexes(ctx: &Ctx) -> Vec<PathBuf> {
    let agents = Agents::of(&ctx.config, &ctx.env);
    let paths = agents.ids().into_iter().map(|id| agents.session_store(&id));
    let is_missing = |path: &Path| path.metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound);
    paths.filter(|path| dir_of(path).is_dir() || !is_missing(path)).collect()
}

fn dir_of(index: &Path) -> &Path {
    index.parent().unwrap_or(Path::new("."))
}

/// What a start does about an index that is damaged.
const REBUILT: &str = "restart the gateway: it keeps a copy and puts the index together from the transcripts";

/// `Err` says why an index cannot be read, and what to do about it.
pub fn read(path: &Path) -> std::result::Result<Map<String, Value>, (String, String)> {
    match crate::files::read_bytes(path, index::MOST_BYTES) {
        Ok(bytes) => {
            index::parse(&bytes).ok_or_else(|| ("it is not a JSON object".to_string(), REBUILT.to_string()))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Map::new()),
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Other) => {
            Err((e.to_string(), REBUILT.to_string()))
        }
        Err(e) => {
            let remedy = files::remedy(path, &e);
            Err((e.to_string(), format!("{remedy}; a running gateway takes it up by itself")))
        }
    }
}

pub fn index(ctx: &Ctx) -> Vec<Finding> {
    let finding = |path: PathBuf| {
        let (why, remedy) = match read(&path) {
            Ok(map) => match map.values().filter(|entry| !index::is_usable(entry)).count() {
                0 => return None,
                count => (format!("entries that cannot be used: {count}"), REBUILT.to_string()),
            },
            Err(told) => told,
        };
        Some(Finding::new(format!("{}: {why}", ctx.env.display(&path))).at(path).remedy(remedy))
    };
    indexes(ctx).into_iter().filter_map(finding).collect()
}

pub fn newer_release(ctx: &Ctx) -> Vec<Finding> {
    let ids = Agents::of(&ctx.config, &ctx.env).ids();
    let finding = |text: String| {
        Finding::new(text)
            .remedy("go on with them in that release; here new conversations begin, and both may stay")
    };
    newer::told(&ctx.env.state_dir, &ids).map(finding).into_iter().collect()
}

pub fn missing(ctx: &Ctx) -> Vec<Finding> {
    let finding = |path: PathBuf| {
        let (dir, index) = (dir_of(&path), read(&path).ok()?);
        let ids = index.values().filter_map(|entry| entry.get("sessionId").and_then(Value::as_str));
        // A session that never spoke has no transcript, and its entry says so.
        let spoke =
            index.values().filter(|entry| entry.get("totalTokens").is_some_and(|n| n.as_u64() > Some(0)));
        let spoke: Vec<&str> =
            spoke.filter_map(|entry| entry.get("sessionId").and_then(Value::as_str)).collect();
        let gone = ids
            .filter(|id| is_session_id(id) && spoke.contains(id))
            .filter(|id| !dir.join(format!("{id}.jsonl")).exists());
        let count = gone.count();
        (count > 0).then(|| {
            let dir = ctx.env.display(dir);
            Finding::new(format!("{count} sessions in {dir} have no transcript; they begin anew"))
        })
    };
    indexes(ctx).into_iter().filter_map(finding).collect()
}

pub fn torn(ctx: &Ctx) -> Vec<Finding> {
    let remedy = "nothing to do: the next message to the session goes into a line of its own";
    transcripts(ctx, remedy, |lines| lines.last().is_some_and(|line| !is_entry(line)))
}

pub fn strange(ctx: &Ctx) -> Vec<Finding> {
    let remedy = "they stay and are passed over; to have them read, put each object into one line of its own";
    transcripts(ctx, remedy, |lines| lines.iter().rev().skip(1).any(|line| !is_entry(line)))
}

/// The transcripts for whose last lines `holds` is true. The last of them is what has no end, maybe nothing.
fn transcripts(ctx: &Ctx, remedy: &str, holds: impl Fn(&[&[u8]]) -> bool) -> Vec<Finding> {
    let is_transcript = |path: &PathBuf| path.extension().is_some_and(|end| end == "jsonl");
    let finding = |index: PathBuf| {
        let dir = dir_of(&index);
        let files = std::fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).filter(is_transcript);
        let is_found = |path: &PathBuf| files::read_end(path, TAIL).is_ok_and(|tail| holds(&lines(&tail)));
        let found: Vec<PathBuf> = files.take(MAX).filter(is_found).collect();
        let first = found.first()?;
        let (count, shown) = (found.len(), ctx.env.display(first));
        Some(
            Finding::new(format!("{count} in {}, as {shown}", ctx.env.display(dir))).at(first).remedy(remedy),
        )
    };
    indexes(ctx).into_iter().filter_map(finding).collect()
}

/// Whether a line is one JSON value, or nothing.
fn is_entry(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || json::is_whole(line)
}

/// The lines of a tail that begin in it.
fn lines(tail: &[u8]) -> Vec<&[u8]> {
    let cut = usize::from(tail.len() as u64 == TAIL);
    tail.split(|byte| *byte == b'\n').skip(cut).collect()
}

pub fn litter(ctx: &Ctx) -> Vec<Finding> {
    let (count, bytes) = litter::excess(&litter::places(&ctx.env, &ctx.config));
    one((count > 0).then(|| {
        Finding::new(format!(
            "{count} files, {} KiB; the gateway sweeps at each start and once a day",
            bytes / 1024
        ))
        .fix(Fix::Sweep)
    }))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::ids;

    #[test]
    fn damage_is_told_and_left_as_it_is() {
        let dir = Dir::new();
        let write = |name: &str, text: &str| dir.write(&format!("agents/main/sessions/{name}"), text);
        write("sessions.json", "{\"agent:main:main\": {\"sessionId\": \"a\", \"totalTokens\": 5}}");
        write("a.jsonl", "{\"type\":\"session\"}\n");
        assert!(ids(&dir, &[], "sessions").is_empty());
        write("b.jsonl", "{\"type\":\"session\"}\n{\"type\":\"mess");
        write("c.jsonl", "{\"type\":\"session\"}\n{\"type\":\"message\"}");
        assert_eq!(ids(&dir, &[], "sessions"), ["sessions.transcript_torn"]);
        std::fs::remove_file(dir.path("agents/main/sessions/a.jsonl")).unwrap();
        assert_eq!(ids(&dir, &[], "sessions"), ["sessions.transcript_missing", "sessions.transcript_torn"]);
        write("sessions.json", "{\"agent:main");
        assert_eq!(ids(&dir, &[], "sessions"), ["sessions.index_damaged", "sessions.transcript_torn"]);
        let kept = std::fs::read_to_string(dir.path("agents/main/sessions/sessions.json")).unwrap();
        assert_eq!(kept, "{\"agent:main");
    }

    #[test]
    fn b2_10_and_14_entries_and_lines_that_cannot_be_used_are_told_wherever_they_lie() {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            &format!("{{session: {{store: '{}/own/s.json'}}}}", dir.path("").display()),
        );
        dir.write("own/a.jsonl", "{\"type\":\"session\"}\n{\"a\":1}\n\n");
        for (index, found) in
            [("{\"k\": {}}", false), ("{\"k\": 7}", true), ("{\"k\": {\"sessionId\": 7}}", true)]
        {
            dir.write("own/s.json", index);
            let want: &[&str] = if found { &["sessions.index_damaged"] } else { &[] };
            assert_eq!(ids(&dir, &[], "sessions"), want, "{index}");
        }
        dir.write("own/s.json", "{}");
        for lines in ["{\"a\":1}{\"b\":2}\n", "{\n \"a\": 1\n}\n", "{\"a\": \"ha\n{\"b\":1}\n"] {
            dir.write("own/a.jsonl", lines);
            assert_eq!(ids(&dir, &[], "sessions"), ["sessions.transcript_lines"], "{lines}");
        }
    }
}
