//! Checks of the sessions on disk: indexes, transcripts, what is left over. Reads, under no lock, and repairs
//! nothing: the gateway does that when it starts or writes.
use super::{Ctx, Finding, Fix, one};
use crate::agents::Agents;
use crate::json;
use crate::sessions::{index, is_session_id, newer, sessions_dir};
use crate::upkeep::litter;
use serde_json::{Map, Value};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Transcripts that are looked at in one directory.
const MAX: usize = 2000;
/// A last line is looked for in this much of a transcript's end.
const TAIL: u64 = 1 << 20;

fn dirs(ctx: &Ctx) -> Vec<PathBuf> {
    let ids = Agents::of(&ctx.config, &ctx.env).ids();
    ids.iter().map(|id| sessions_dir(&ctx.env.state_dir, id)).filter(|dir| dir.is_dir()).collect()
}

/// The index of a directory; `Err` says why it cannot be read.
fn read(dir: &Path) -> std::result::Result<Map<String, Value>, String> {
    match crate::files::read_bytes(&dir.join("sessions.json"), index::MOST_BYTES) {
        Ok(bytes) => index::parse(&bytes).ok_or_else(|| "it is not a JSON object".to_string()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(e) => Err(e.to_string()),
    }
}

pub fn index(ctx: &Ctx) -> Vec<Finding> {
    let finding =
        |dir: PathBuf| {
            let why = read(&dir).err()?;
            let path = dir.join("sessions.json");
            Some(Finding::new(format!("{}: {why}", ctx.env.display(&path))).at(path).remedy(
                "restart the gateway: it keeps a copy and puts the index together from the transcripts",
            ))
        };
    dirs(ctx).into_iter().filter_map(finding).collect()
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
    let finding = |dir: PathBuf| {
        let index = read(&dir).ok()?;
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
            let dir = ctx.env.display(&dir);
            Finding::new(format!("{count} sessions in {dir} have no transcript; they begin anew"))
        })
    };
    dirs(ctx).into_iter().filter_map(finding).collect()
}

pub fn torn(ctx: &Ctx) -> Vec<Finding> {
    let is_transcript = |path: &PathBuf| path.extension().is_some_and(|end| end == "jsonl");
    let finding = |dir: PathBuf| {
        let files = std::fs::read_dir(&dir).ok()?.flatten().map(|entry| entry.path()).filter(is_transcript);
        let torn: Vec<PathBuf> = files.take(MAX).filter(|path| is_torn(path).unwrap_or(false)).collect();
        let first = torn.first()?;
        let (count, shown) = (torn.len(), ctx.env.display(first));
        Some(
            Finding::new(format!("{count} in {}, as {shown}", ctx.env.display(&dir)))
                .at(first)
                .remedy("nothing to do: the next message to the session cuts the half line"),
        )
    };
    dirs(ctx).into_iter().filter_map(finding).collect()
}

/// Whether the last line has no end and is not JSON either.
fn is_torn(path: &Path) -> std::io::Result<bool> {
    let mut file = crate::files::open_regular(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let last = tail.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(!last.is_empty() && !json::is_whole(last))
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
}
