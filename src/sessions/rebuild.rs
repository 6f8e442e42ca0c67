//! Putting a damaged `sessions.json` together again from its readable part and from the transcripts (R-09c),
//! with the damaged file copied aside first. Runs at start-up only; never fails, only notes.
use super::entry::{Entry, is_transcript_name};
use super::index::Index;
use super::key::KeyRules;
use super::transcript::Header;
use super::{is_session_id, regular, sweep};
use crate::clock;
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// More transcripts than this are not listed again, oldest left out first; their files stay.
const MAX_REBUILT: usize = 500;
/// The header line is looked for in this many bytes.
const HEAD: u64 = 64 * 1024;

/// Copies the file to `<name>.corrupt.<time>`; the original stays until the rebuilt index replaces it.
pub fn keep_aside(path: &Path, notes: &mut Vec<String>) {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".corrupt.{}", clock::iso(clock::now_ms()).replace(':', "-")));
    let copy = path.with_file_name(name);
    match std::fs::read(path)
        .map_err(|e| e.to_string())
        .and_then(|bytes| crate::files::write_atomic(&copy, &bytes).map_err(|e| e.to_string()))
    {
        Ok(()) => notes.push(format!("kept a copy of the damaged session index as {}", copy.display())),
        Err(e) => notes.push(format!("could not keep a copy of the damaged session index: {e}")),
    }
    if let Some(dir) = path.parent() {
        notes.extend(sweep::sweep_class(dir, &sweep::CORRUPT));
    }
}

/// The whole entries of a truncated index, as both programs write it: two spaces of indentation.
pub fn salvage(text: &str) -> Option<String> {
    let end = text.rfind("\n  }")?;
    Some(format!("{}\n  }}\n}}", text.get(..end)?))
}

/// Adds the transcripts of the directory that no entry names. The key stands in our own transcripts' headers;
/// of the others the newest becomes the main session, if that is free.
pub fn from_transcripts(mut index: Index, rules: &KeyRules) -> Index {
    let dir = index.dir().to_path_buf();
    let named: HashSet<String> = index.iter().filter_map(|(_, entry)| entry.file_name(&dir)).collect();
    let mut found: Vec<Found> = std::fs::read_dir(&dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| !named.contains(name))
        .filter_map(|name| look_at(&dir, name))
        .collect();
    crate::order::by_key(&mut found, |f| std::cmp::Reverse(f.updated_at));
    found.truncate(MAX_REBUILT);
    // A guess must not take the place of a transcript that says where it belongs.
    crate::order::by_key(&mut found, |f| f.key.is_none());
    for transcript in found {
        let known = transcript.key.as_deref().and_then(|key| rules.canonical(key).ok());
        let was_known = known.is_some();
        let mut key = known.unwrap_or_else(|| rules.main());
        if index.get(&key).is_some() {
            if was_known {
                // An older transcript of a session that was reset since: it was not in the index either.
                continue;
            }
            key = match rules.canonical(&format!("recovered:{}", transcript.id)) {
                Ok(key) => key,
                Err(_) => continue,
            };
        }
        let mut entry = Entry::new(&transcript.id, transcript.updated_at);
        entry.set("sessionFile", dir.join(&transcript.name).to_string_lossy().as_ref());
        index.put(&key, entry);
    }
    index
}

struct Found {
    name: String,
    id: String,
    key: Option<String>,
    /// Time of the last change in epoch milliseconds.
    updated_at: u64,
}

fn look_at(dir: &Path, name: String) -> Option<Found> {
    if !is_transcript_name(&name) {
        return None;
    }
    let file = regular::read(&dir.join(&name)).ok()??;
    let modified = file.metadata().ok()?.modified().ok()?;
    let updated_at = modified.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis() as u64;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).ok()?;
    let header = head.split(|b| *b == b'\n').next().and_then(Header::parse);
    let (id, key) = header.map_or((None, None), |h| (Some(h.id), h.session_key));
    let id = id.or_else(|| name.strip_suffix(".jsonl").map(str::to_string)).filter(|id| is_session_id(id))?;
    Some(Found { name, id, key, updated_at })
}
