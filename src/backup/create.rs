//! Writing a backup beside a running gateway.
//!
//! Runs on the command line's thread. The place of the manifest is reserved at the start and filled at the end, so
//! every byte is read once. Files the gateway replaces are opened once and so are old or new, never a mixture; files it
//! appends to are taken under their lock, up to the last whole line. The archive appears under its name when it is
//! complete and on disk.
use super::plan::{Item, Options, Plan};
use super::tar::{Entry, MAX_FILE, Writer};
use super::{Hashing, LAYOUT, MANIFEST, MAX_MANIFEST};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::{self, json};
use crate::parts::Parts;
use crate::{clock, files};
use rustix::fs::{FlockOperation, OFlags, flock};
use serde_json::Value;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// A file up to this size is read before its header is written, so that it may change size meanwhile.
const SMALL: u64 = 4 << 20;
/// How long another process may hold a transcript's lock.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// The end of the last line is looked for in this much of a file.
const TAIL: u64 = 16 << 20;

/// What was written.
#[derive(Debug)]
pub struct Created {
    pub bytes: u64,
    pub files: usize,
    /// Files that went away while the backup was made.
    pub vanished: u64,
}

/// Writes the files of `plan` to `archive`, which must not exist.
pub fn create(env: &Env, plan: &Plan, options: Options, archive: &Path) -> Result<Created> {
    let failed = |e| Error::io(format_args!("write backup {}", archive.display()), e);
    if std::fs::symlink_metadata(archive).is_ok() {
        return Err(Error::invalid(format!("{} exists; choose another --output", archive.display())));
    }
    let mut name = archive.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temp = archive.with_file_name(name);
    let file = files::private_options().create_new(true).open(&temp).map_err(failed)?;
    let writer = Writer::new(file, is_packed(archive));
    let created = write(env, plan, options, writer, &failed).and_then(|(files, vanished)| {
        std::fs::rename(&temp, archive).map_err(failed)?;
        let bytes = std::fs::metadata(archive).map_err(failed)?.len();
        Ok(Created { bytes, files, vanished })
    });
    if created.is_err() {
        // The backup failed already; its error says more than one of the removal.
        let _ = std::fs::remove_file(&temp);
    }
    created.map_err(|e| if e.message().starts_with("write backup") { e } else { e.context("make a backup") })
}

/// Whether an archive of this name is compressed.
pub fn is_packed(archive: &Path) -> bool {
    archive.extension().is_some_and(|end| end == "gz" || end == "tgz")
}

fn write(
    env: &Env,
    plan: &Plan,
    options: Options,
    mut writer: Writer,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<(usize, u64)> {
    let about = |files: Vec<Value>, vanished: u64| manifest(env, plan, options, files, vanished).to_string();
    let longest = |item: &Item| row(&item.path, u64::MAX, 0o777, &"0".repeat(64));
    let room = about(plan.items.iter().filter(|item| !item.is_dir).map(longest).collect(), u64::MAX).len();
    if room as u64 > MAX_MANIFEST {
        return Err(Error::invalid(
            "make a backup: too many files for one; leave the workspaces out with --no-include-workspace",
        ));
    }
    writer.reserve(MANIFEST, room as u64).map_err(failed)?;
    let mut rows = Vec::new();
    let mut vanished = 0;
    for item in &plan.items {
        if item.is_dir {
            let entry = Entry::directory(&item.path, item.mode);
            writer.add(&entry, &mut io::empty()).map_err(failed)?;
            continue;
        }
        match add(&mut writer, item) {
            Ok(row) => rows.push(row),
            Err(e) if e.kind() == ErrorKind::NotFound => vanished += 1,
            Err(e) => return Err(Error::io(format_args!("back up {}", item.from.display()), e)),
        }
    }
    let files = rows.len();
    writer.finish(about(rows, vanished).as_bytes()).map_err(failed)?;
    Ok((files, vanished))
}

/// Adds one file; gives its row of the manifest.
fn add(writer: &mut Writer, item: &Item) -> io::Result<Value> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = File::options().read(true).custom_flags(flags).open(&item.from)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(ErrorKind::NotFound, "no regular file any more"));
    }
    let modified = u64::try_from(meta.mtime()).unwrap_or(0).min(MAX_FILE);
    let mut size = meta.len();
    if item.has_lines {
        let locked = lock(&file);
        size = whole_lines(&file, file.metadata()?.len())?;
        if locked {
            // What is there only gets longer, so the gateway may go on. The lock ends with the file anyway.
            let _ = flock(&file, FlockOperation::Unlock);
        }
    }
    let mut small = Vec::new();
    let is_small = size <= SMALL;
    if is_small {
        (&mut file).take(size).read_to_end(&mut small)?;
        size = small.len() as u64;
    }
    let entry = Entry::file(&item.path, item.mode, size, modified);
    let mut bytes = small.as_slice();
    let content: &mut dyn Read = if is_small { &mut bytes } else { &mut file };
    let mut content = content.take(size);
    let mut hashing = Hashing::new(&mut content);
    writer.add(&entry, &mut hashing)?;
    Ok(row(&item.path, size, item.mode, &hashing.hex()))
}

/// Takes the file's lock for reading. Who holds it too long does not stop a backup: lines are taken whole anyway.
fn lock(file: &File) -> bool {
    let started = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return true,
            Err(rustix::io::Errno::WOULDBLOCK) if started.elapsed() < LOCK_WAIT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(_) => return false,
        }
    }
}

/// How much of a file of lines is whole: all of it, but for a last line without end that is not JSON either.
fn whole_lines(file: &File, size: u64) -> io::Result<u64> {
    let start = size.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(size - start).unwrap_or(0).min(4096)];
    let mut from = size - tail.len() as u64;
    loop {
        file.read_exact_at(&mut tail, from)?;
        let cut = tail.iter().rposition(|byte| *byte == b'\n');
        if cut.is_none() && from > start {
            let longer = (tail.len() as u64 * 4).min(size - start);
            from = size - longer;
            tail.resize(longer as usize, 0);
            continue;
        }
        let whole = cut.map_or(0, |at| at + 1);
        let last = tail.tail(whole);
        let is_json = json::is_whole(last);
        let keeps = last.is_empty() || is_json || (cut.is_none() && start > 0);
        return Ok(if keeps { size } else { from + whole as u64 });
    }
}

fn row(path: &str, size: u64, mode: u32, sha256: &str) -> Value {
    json!({"path": path, "size": size, "mode": format!("{mode:03o}"), "sha256": sha256})
}

fn manifest(env: &Env, plan: &Plan, options: Options, files: Vec<Value>, vanished: u64) -> Value {
    json!({
        "schemaVersion": LAYOUT,
        "createdAt": clock::iso(clock::now_ms()),
        "runtimeVersion": crate::version::VERSION,
        "platform": std::env::consts::OS,
        "options": options.to_json(),
        "paths": {"stateDir": env.state_dir, "configPath": env.config_path},
        "roots": plan.roots,
        "skipped": plan.skipped,
        "vanished": vanished,
        "files": files,
    })
}
