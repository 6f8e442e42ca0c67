//! Putting a damaged `sessions.json` together again from its readable part and from the transcripts (R-09c),
//! with the damaged file copied aside first. Runs at start-up only; never fails, only notes.
use crate::clock;
use crate::files::{read_bytes, regular, write_atomic};
use crate::json::{self, DEEPEST, json};
use crate::parts::Parts;
use crate::session_key::KeyRules;
use crate::sessions::entry::{Entry, is_transcript_name};
use crate::sessions::index::{Index, MAX_VALUES, MOST_BYTES};
use crate::sessions::transcript::Header;
use crate::sessions::{is_session_id, sweep};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More transcripts than this are not listed again, oldest left out first; their files stay.
const MAX_REBUILT: usize = 500;
/// An entry of an index that is not on lines of its own is no longer than this, in bytes.
const LONGEST: usize = 1 << 20;
/// The header line is looked for in this many bytes.
const HEAD: u64 = 64 * 1024;

/// Copies the file to `<name>.corrupt.<time>`; the original stays until the rebuilt index replaces it.
pub fn keep_aside(path: &Path, notes: &mut Vec<String>) {
    let copy = aside(path);
    let copied = read_bytes(path, MOST_BYTES)
        .map_err(|e| e.to_string())
        .and_then(|bytes| write_atomic(&copy, &bytes).map_err(|e| e.to_string()));
    note(path, &copy, copied, notes);
}

/// Renames what stands in the index's place and cannot be read, so that the next save does not replace it.
pub fn move_aside(path: &Path, notes: &mut Vec<String>) {
    let place = aside(path);
    note(path, &place, std::fs::rename(path, &place).map_err(|e| e.to_string()), notes);
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".corrupt.{}", clock::iso(clock::now_ms()).replace(':', "-")));
    path.with_file_name(name)
}

fn note(path: &Path, aside: &Path, kept: Result<(), String>, notes: &mut Vec<String>) {
    notes.push(match kept {
        Ok(()) => format!("kept the damaged session index as {}", aside.display()),
        Err(e) => format!("could not keep the damaged session index: {e}"),
    });
    if let Some(dir) = path.parent() {
        notes.extend(sweep::sweep_class(dir, &sweep::CORRUPT));
    }
}

/// The entries of a damaged index that can be read, each by itself, and how many could not. Of those the
/// conversation is kept, where its id can be seen.
pub fn salvage(text: &[u8]) -> (Map<String, Value>, usize) {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let (mut map, mut lost) = (Map::new(), 0);
    let mut rest = text.strip_prefix('{').unwrap_or_default();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.is_empty() || rest.starts_with('}') {
            return (map, lost);
        }
        // Both programs write each entry on lines of its own, two spaces in.
        let (line, bracket) = (rest.find("\n  \"").map(|at| at + 1), member_end(rest));
        let read = |end: usize| Some((end, member(rest.get(..end)?)?));
        let end = match bracket.and_then(read).or_else(|| line.and_then(read)) {
            Some((end, member)) => {
                map.extend(member);
                end
            }
            None => {
                let end = line.or(bracket).unwrap_or(rest.len());
                lost += 1;
                map.extend(rest.get(..end).and_then(gist));
                end
            }
        };
        rest = rest.tail(end.max(1));
    }
}

/// One member of an object, by itself.
fn member(text: &str) -> Option<Map<String, Value>> {
    let text = format!("{{{}}}", text.trim_end().trim_end_matches(','));
    match json::read_loose(text, MAX_VALUES, DEEPEST) {
        Ok(Value::Object(map)) if map.len() == 1 => Some(map),
        _ => None,
    }
}

/// Where the member that a text begins with ends: at a comma or bracket outside of its value.
fn member_end(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut is_escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().take(LONGEST).enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Key and conversation of an entry that cannot be read.
fn gist(text: &str) -> Option<(String, Value)> {
    let string = |text: &str| {
        let end = text.get(1..)?.find('"')? + 2;
        Some((json::read(text.get(..end)?, 1, 1).ok()?.as_str()?.to_string(), end))
    };
    let (key, end) = string(text)?;
    let (_, after) = text.get(end..)?.split_once("\"sessionId\"")?;
    let (id, _) = string(after.trim_start().strip_prefix(':')?.trim_start())?;
    is_session_id(&id).then(|| (key, json!({"sessionId": id})))
}

/// Adds the transcripts of the directory that no entry names; an entry that lost its id gets it back. The key stands in
/// our own transcripts' headers; of the others the newest becomes the main session, if that is free.
pub fn from_transcripts(index: Index, rules: &KeyRules) -> Index {
    let found = unnamed(&index);
    add(index, rules, found)
}

/// Of an index that can be read as a whole: adds those transcripts alone that belong to its unusable entries, by the key
/// in their header, or as the only one there is for the only entry. Any other was left out of the index before.
pub fn for_entries(index: Index, rules: &KeyRules, lost: &[String], notes: &mut Vec<String>) -> Index {
    let mut found = unnamed(&index);
    let key_of = |found: &Found| found.key.as_deref().and_then(|key| rules.canonical(key).ok());
    match (found.as_mut_slice(), lost) {
        ([only], [key]) if only.key.is_none() => only.key = Some(key.clone()),
        _ => {}
    }
    let (wanted, others): (Vec<Found>, Vec<Found>) =
        found.into_iter().partition(|found| key_of(found).is_some_and(|key| lost.contains(&key)));
    if !others.is_empty() {
        let (n, dir) = (others.len(), index.dir().display());
        notes.push(format!(
            "{n} transcripts in {dir} belong to no entry of the session index; they stay there unlisted"
        ));
    }
    add(index, rules, wanted)
}

/// The transcripts of the directory that no entry names, newest first.
fn unnamed(index: &Index) -> Vec<Found> {
    let dir = index.dir().to_path_buf();
    let entries = index.iter().filter(|kept| kept.session_id().is_some());
    let named: HashSet<String> = entries.filter_map(|kept| kept.file_name(&dir)).collect();
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
    found
}

fn add(mut index: Index, rules: &KeyRules, mut found: Vec<Found>) -> Index {
    let dir = index.dir().to_path_buf();
    // A guess must not take the place of a transcript that says where it belongs.
    crate::order::by_key(&mut found, |f| f.key.is_none());
    for transcript in found {
        let known = transcript.key.as_deref().and_then(|key| rules.canonical(key).ok());
        let was_known = known.is_some();
        let mut key = known.unwrap_or_else(|| rules.main());
        let mut entry = index.get(&key).map(|kept| kept.open()).unwrap_or_default();
        if entry.session_id().is_some() {
            if was_known {
                // An older transcript of a session that was reset since: it was not in the index either.
                continue;
            }
            key = match rules.canonical(&format!("recovered:{}", transcript.id)) {
                Ok(key) => key,
                Err(_) => continue,
            };
            entry = Entry::default();
        }
        let mut entry = entry.begun(&transcript.id, transcript.updated_at);
        entry.set("sessionFile", dir.join(&transcript.name).to_string_lossy().as_ref());
        index.put(&key, &entry);
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
