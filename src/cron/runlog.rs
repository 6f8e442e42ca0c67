//! The logs of runs, `<state>/cron/runs/<job>.jsonl`: a line for each run that ended, bounded as the original bounds them.
//! Appended to by the store thread, read by whoever may wait. They stay when their job is removed.
use crate::error::{Error, Result};
use crate::files;
use crate::json;
use crate::parts::Parts;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A longer log is cut to its last lines, so many.
const MAX_BYTES: u64 = 2_000_000;
const LINES: usize = 2000;
/// Bytes from the end that are looked at.
const TAIL: u64 = MAX_BYTES + (512 << 10);
/// Logs that are read for the runs of all jobs.
const FILES: usize = 1000;

/// Ids come out of files and from clients, so not all of them name one.
fn path(dir: &Path, job: &str) -> Option<PathBuf> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fits = !job.is_empty() && job.len() <= 128 && !job.starts_with('.') && job.bytes().all(is_plain);
    fits.then(|| dir.join(format!("{job}.jsonl")))
}

pub fn append(dir: &Path, job: &str, line: &str) -> Result<()> {
    let Some(path) = path(dir, job) else { return Ok(()) };
    files::private_dir(dir)?;
    let failed = |e| Error::io(format_args!("write {}", path.display()), e);
    let mut file =
        files::private_options().create(true).append(true).read(true).open(&path).map_err(failed)?;
    let before = file.metadata().map_err(failed)?.len();
    if let Err(e) = file.write_all(format!("{line}\n").as_bytes()) {
        // Half a line would spoil the next. If it stays, that is one line less.
        let _ = file.set_len(before);
        return Err(failed(e));
    }
    if file.metadata().map_err(failed)?.len() > MAX_BYTES {
        let text = tail(&path).map_err(failed)?;
        let lines: Vec<&str> = text.lines().collect();
        let kept = lines.tail(lines.len().saturating_sub(LINES)).join("\n");
        files::write_atomic(&path, format!("{kept}\n").as_bytes())?;
    }
    Ok(())
}

/// The last runs of a job, or of all, the oldest first, and how many there are.
pub fn read(dir: &Path, job: Option<&str>, limit: usize) -> (Vec<Value>, usize) {
    let files: Vec<PathBuf> = match job {
        Some(job) => path(dir, job).into_iter().collect(),
        None => {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
            entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).take(FILES).collect()
        }
    };
    let (mut found, mut total) = (Vec::new(), 0);
    for path in &files {
        let (last, count) = last(path, limit);
        found.extend(last);
        total += count;
    }
    if job.is_none() {
        found.sort_by_key(|line| line.get("ts").and_then(Value::as_u64));
        found.drain(..found.len().saturating_sub(limit));
    }
    (found, total)
}

fn last(path: &Path, limit: usize) -> (Vec<Value>, usize) {
    let text = tail(path).unwrap_or_default();
    let lines = text.lines().rev().filter_map(|line| json::read(line, 1000, 16).ok());
    let mut ends = lines.filter(|line| line.get("action").is_some_and(|action| action == "finished"));
    let mut found: Vec<Value> = ends.by_ref().take(limit).collect();
    found.reverse();
    let total = found.len() + ends.count();
    (found, total)
}

fn tail(path: &Path) -> std::io::Result<String> {
    Ok(String::from_utf8_lossy(&files::read_end(path, TAIL)?).into_owned())
}
