//! The file of the jobs, `<state>/cron/jobs.json`: `{"version": 1, "jobs": [..]}`, as the original writes and reads it.
//! Other members are kept. Read at a start, replaced whole by the store thread.
use super::job::Members;
use super::packed::Packed;
use crate::config::parse::json5;
use crate::config::{Config, Stamp};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::json;
use crate::parts::Parts;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes and values of the largest file that is read.
const MAX_FILE: u64 = 64 << 20;
/// The same of one that is no JSON as programs write it.
const MAX_BY_HAND: usize = 4 << 20;
const MAX_VALUES: usize = 2_000_000;

/// Where jobs and the logs of their runs lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub jobs: PathBuf,
    pub runs: PathBuf,
}

impl Place {
    pub fn of(config: &Config, env: &Env) -> Place {
        let own = || env.state_dir.join("cron/jobs.json");
        let jobs = config
            .str("cron.store")
            .filter(|path| !path.trim().is_empty())
            .map_or_else(own, |path| env.expand(path));
        let runs = jobs.parent().unwrap_or(Path::new(".")).join("runs");
        Place { jobs, runs }
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Found {
    pub head: Members,
    pub jobs: Vec<Value>,
}

/// What a file is to hold.
#[derive(Default)]
pub struct Snapshot {
    pub head: Members,
    pub texts: Vec<Packed>,
}

/// A file that is missing holds nothing.
pub fn read(path: &Path) -> Result<Found> {
    let bytes = match files::read_bytes(path, MAX_FILE) {
        Ok(bytes) => bytes,
        Err(_) if files::is_missing(path) => return Ok(Found::default()),
        Err(e) => return Err(Error::io(format_args!("read {}", path.display()), e)),
    };
    let wrong = |why: String| {
        let fix =
            "mend it, or move it away, and restart the gateway; until then no job runs and none is changed";
        Error::config(format!("{} cannot be used: {why}; {fix}", path.display()))
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Found::default());
    }
    let whole = json::read(&bytes, MAX_VALUES, json::DEEPEST).or_else(|e| by_hand(&bytes).ok_or(e));
    let whole = whole.map_err(|e| wrong(e.to_string()))?;
    let Value::Object(mut head) = whole else { return Err(wrong("it is no JSON object".into())) };
    match head.remove("jobs") {
        Some(Value::Array(jobs)) => Ok(Found { head, jobs }),
        None => Ok(Found { head, jobs: Vec::new() }),
        Some(_) => Err(wrong("its member jobs is no list".into())),
    }
}

/// What people wrote, with comments and commas of their own.
fn by_hand(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_BY_HAND)?;
    json5(text).ok()
}

/// Replaces the file, job by job, if it is still `right` when all is ready; gives what it looks like then, whatever becomes
/// of it, or `None`. A copy of what people have changed is left beside it, as the original does.
pub fn write(
    path: &Path,
    snapshot: &Snapshot,
    leaves_copy: bool,
    right: impl Fn() -> bool,
) -> Result<Option<Stamp>> {
    let put = |out: &mut dyn Write| {
        let mut head = snapshot.head.clone();
        let version = head.remove("version").unwrap_or_else(|| 1.into());
        write!(out, "{{\n  \"version\": {version},\n  \"jobs\": [")?;
        for (n, text) in snapshot.texts.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(out, "{comma}\n    ")?;
            pretty(&text.text(), out)?;
        }
        out.write_all(if snapshot.texts.is_empty() { b"]" } else { b"\n  ]" })?;
        for (name, value) in &head {
            write!(out, ",\n  {}: {value}", Value::from(name.as_str()))?;
        }
        out.write_all(b"\n}\n")
    };
    let buffered = |out: &mut dyn Write| {
        let mut out = std::io::BufWriter::with_capacity(64 << 10, out);
        put(&mut out)?;
        out.flush()
    };
    let Some(made) = files::write_over_if(path, buffered, right)? else { return Ok(None) };
    if leaves_copy {
        let mut copy = path.as_os_str().to_owned();
        copy.push(".bak");
        // What stands there now: it is not made a second time.
        let copied = |out: &mut dyn Write| std::io::copy(&mut std::fs::File::open(path)?, out).map(drop);
        files::write_over(Path::new(&copy), copied)?;
    }
    Ok(Some(Stamp::told(&made)))
}

/// A job as it stands in the file, from its text without spaces: members each on a line of their own.
fn pretty(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let bytes = text.as_bytes();
    // What is no object stands as it was found.
    if bytes.first() != Some(&b'{') {
        return out.write_all(bytes);
    }
    let line = |out: &mut dyn Write, depth: usize| -> std::io::Result<()> {
        out.write_all(b"\n    ")?;
        (0..depth).try_for_each(|_| out.write_all(b"  "))
    };
    let (mut depth, mut from, mut at, mut in_string) = (0usize, 0, 0, false);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' if matches!(bytes.get(at), Some(b'}' | b']')) => at += 1,
            b'{' | b'[' | b',' => {
                depth += usize::from(byte != b',');
                out.write_all(bytes.part(from..at))?;
                from = at;
                line(out, depth)?;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                out.write_all(bytes.part(from..at - 1))?;
                from = at - 1;
                line(out, depth)?;
            }
            b':' => {
                out.write_all(bytes.part(from..at))?;
                out.write_all(b" ")?;
                from = at;
            }
            _ => {}
        }
    }
    out.write_all(bytes.tail(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn i13_a_job_stands_in_its_file_as_other_programs_write_it() {
        let job = json!({"id": "a", "name": "q\"{[:,]}\\ \\\" ä\u{1}", "schedule": {"kind": "cron", "a": [1, [], {}, [true, null]]},
            "state": {}, "more": [{"x": 1.5, "y": "\\"}]});
        for job in [job, json!({}), json!(5), json!("a,b")] {
            let mut out = Vec::new();
            pretty(&job.to_string(), &mut out).unwrap();
            let want = serde_json::to_string_pretty(&job).unwrap().replace('\n', "\n    ");
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
}
