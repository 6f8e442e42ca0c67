//! Reading a backup: every entry is judged before it is used, and compared with the manifest.
//!
//! Runs on the command line's thread. Names are judged here, so whoever unpacks can trust them: relative, no `..`,
//! nothing twice. Nothing is unpacked here, and no size is believed that the archive's own length does not bear out,
//! so an archive cannot become larger than it is, or than a compressed one can.
use super::tar::Entry;
use super::untar::{Reader, damaged, unread};
use super::{Hashing, LAYOUT, MANIFEST, MAX_MANIFEST};
use crate::error::{Error, Result};
use crate::json;
use rustix::fs::OFlags;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Most values in the manifest beside its list of files, and the deepest nesting of all.
const MAX_VALUES: usize = 100_000;
const MAX_DEPTH: usize = 32;
const MAX_PATH: usize = 4096;
const MAX_NAME: usize = 255;

/// What a checked archive holds.
#[derive(Debug)]
pub struct Contents {
    /// What the manifest says, but for its files.
    pub manifest: Map<String, Value>,
    pub files: usize,
    /// Sum of the files' sizes.
    pub bytes: u64,
    pub has_whatsapp: bool,
}

/// Reads the archive to its end and calls `each` with every entry but the manifest and with its content, of which it
/// may leave some. Fails when anything is not as the manifest says; then what `each` did is worth nothing.
pub fn walk(archive: &Path, each: &mut dyn FnMut(&Entry, &mut dyn Read) -> Result<()>) -> Result<Contents> {
    let in_archive = |e: Error| e.context(archive.display());
    let mut reader = open(archive)?;
    let (manifest, mut expected) = manifest(&mut reader).map_err(in_archive)?;
    let mut seen = HashSet::new();
    let mut contents = Contents { manifest, files: 0, bytes: 0, has_whatsapp: false };
    while let Some(entry) = reader.next_entry().map_err(in_archive)? {
        judge(&entry.path).map_err(in_archive)?;
        if !seen.insert(entry.path.clone()) {
            return Err(in_archive(damaged("it holds a name twice")));
        }
        let mut hashing = Hashing::new(&mut reader);
        each(&entry, &mut hashing)?;
        if entry.is_dir {
            continue;
        }
        io::copy(&mut hashing, &mut io::sink()).map_err(|e| in_archive(unread(&e)))?;
        if expected.remove(&entry.path) != Some((entry.size, hashing.hex())) {
            return Err(in_archive(damaged("a file is not the one of the manifest")));
        }
        contents.files += 1;
        contents.bytes += entry.size;
        contents.has_whatsapp |= super::plan::is_whatsapp(&entry.path);
    }
    match expected.len() {
        0 => Ok(contents),
        _ => Err(in_archive(damaged("files of the manifest are missing"))),
    }
}

/// Checks the whole archive.
pub fn verify(archive: &Path) -> Result<Contents> {
    walk(archive, &mut |_, _| Ok(()))
}

/// What the manifest says, but for its files; nothing else is read.
pub fn about(archive: &Path) -> Result<Map<String, Value>> {
    Ok(manifest(&mut open(archive)?)?.0)
}

fn open(archive: &Path) -> Result<Reader> {
    let failed = |e| Error::io(format_args!("open backup {}", archive.display()), e);
    let file = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(archive)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Error::invalid(format!("{} is not a file; name a backup's archive", archive.display())));
    }
    Reader::new(file).map_err(failed)
}

/// Size and hash of every file, by path.
type Rows = HashMap<String, (u64, String)>;

#[derive(Deserialize)]
struct Row {
    path: String,
    size: u64,
    sha256: String,
}

/// The manifest without its files, and those. What is no row is refused where it stands, so that a manifest costs a
/// few times its length whatever it says.
fn manifest(reader: &mut Reader) -> Result<(Map<String, Value>, Rows)> {
    let no_backup = || damaged("it does not begin with a manifest");
    let entry =
        reader.next_entry()?.filter(|entry| entry.path == MANIFEST && !entry.is_dir).ok_or_else(no_backup)?;
    // It is not compressed, or not by much.
    if entry.size > MAX_MANIFEST || entry.size / 32 > reader.length {
        return Err(damaged("its manifest is too large"));
    }
    let mut text = Vec::new();
    reader.read_to_end(&mut text).map_err(|_| no_backup())?;
    let text = String::from_utf8(text).map_err(|_| damaged("its manifest is not JSON"))?;
    let names = ["files", "schemaVersion", "createdAt", "runtimeVersion", "options", "roots"];
    let members = json::members(&text, &names).map_err(|_| damaged("its manifest is not JSON"))?;
    let [files, rest @ ..] = members.ok_or_else(no_backup)?.texts;
    let mut manifest = Map::new();
    for (name, text) in names.iter().skip(1).zip(rest) {
        let unreadable = |_| damaged("its manifest cannot be read");
        if let Some(text) = text {
            json::put(&mut manifest, name, json::read(text, MAX_VALUES, MAX_DEPTH).map_err(unreadable)?);
        }
    }
    match manifest.get("schemaVersion").and_then(Value::as_u64) {
        Some(LAYOUT) => {}
        Some(other) => {
            return Err(Error::invalid(format!(
                "its layout is version {other}, this program knows {LAYOUT}; use the program that wrote it"
            )));
        }
        None => return Err(no_backup()),
    }
    let files = files.ok_or_else(|| damaged("its manifest names no files"))?;
    let files: Vec<Row> =
        json::read_as(files, usize::MAX, MAX_DEPTH).map_err(|_| damaged("its manifest cannot be read"))?;
    let count = files.len();
    let rows: Rows = files.into_iter().map(|row| (row.path, (row.size, row.sha256))).collect();
    match rows.len() == count {
        true => Ok((manifest, rows)),
        false => Err(damaged("its manifest names a file twice")),
    }
}

/// Refuses every name that does not stay below the directory it is unpacked to.
fn judge(path: &str) -> Result<()> {
    let is_name =
        |name: &str| !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME && !name.contains('\0');
    match path.len() <= MAX_PATH && path != MANIFEST && path.split('/').all(is_name) {
        true => Ok(()),
        false => Err(damaged("it holds a name that leads out of the place it is unpacked to")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_27a_only_names_below_the_target_pass() {
        for path in ["state", "state/a.b", "workspace/main/ü x\n", "state/...", "state/..a"] {
            assert!(judge(path).is_ok(), "{path:?}");
        }
        let long = "n".repeat(256);
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\0b",
            "manifest.json",
            &long,
        ] {
            assert!(judge(path).is_err(), "{path:?}");
        }
    }
}
