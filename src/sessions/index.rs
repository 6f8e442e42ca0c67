//! The index of one sessions directory: `sessions.json`, session key to [`Entry`], in stored order.
//!
//! The state thread owns it and changes it in memory; `snapshot` shares the entries, so the store thread can
//! `save` while the state thread goes on. `load` is for start-up: whatever the file holds, it succeeds.
use super::entry::Entry;
use super::rebuild;
use crate::error::{Error, Result};
use crate::files::{read_bytes, write_atomic};
use crate::json::{self, Unread};
use crate::session_key::KeyRules;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Bytes of an index that are read.
pub const MOST_BYTES: u64 = 256 << 20;
/// Deeper nesting than this is damage, not an index (and would overrun the parser's stack).
pub(super) const MAX_DEPTH: usize = 100;
/// The same of strict JSON, which is as deep as its parser goes.
pub(super) const STRICT_DEPTH: usize = 127;
/// Most values in an index: some 50,000 sessions.
pub(super) const MAX_VALUES: usize = 5_000_000;

#[derive(Debug, Clone)]
pub struct Index {
    path: Arc<Path>,
    /// INVARIANT: `order` and `place` hold the same keys.
    order: BTreeMap<u64, (Arc<str>, Arc<Entry>)>,
    place: HashMap<Arc<str>, u64>,
    next: u64,
}

impl Index {
    /// An index without entries that will be saved to `path`.
    pub fn empty(path: &Path) -> Index {
        Index { path: path.into(), order: BTreeMap::new(), place: HashMap::new(), next: 0 }
    }

    /// Reads the index at `path`; `rules.default_agent` is the agent that owns it. A damaged file is copied
    /// aside, what can be known is put together again from it and from the transcripts beside it (R-09c), and
    /// the result is written. Keys of earlier versions become canonical. Also gives notes for the log.
    pub fn load(path: &Path, rules: &KeyRules) -> (Index, Vec<String>) {
        let mut notes = Vec::new();
        let text = match read_bytes(path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Index::empty(path), notes),
            Err(e) => {
                notes.push(format!(
                    "read session index {}: {e}; it is rebuilt from the transcripts",
                    path.display()
                ));
                rebuild::move_aside(path, &mut notes);
                return (rebuild::from_transcripts(Index::empty(path), rules), notes);
            }
        };
        if let Some(map) = parse(&text) {
            // Two names of one session that become one are no damage.
            let unusable = map.values().filter(|value| !value.is_object()).count();
            let index = Index::from_map(path, map, rules, &mut notes);
            if unusable > 0 {
                notes.push(format!("session index {}: {unusable} unusable entries left out", path.display()));
                rebuild::keep_aside(path, &mut notes);
            }
            return (index, notes);
        }
        rebuild::keep_aside(path, &mut notes);
        let (rest, lost) = rebuild::salvage(&text);
        let index = rebuild::from_transcripts(Index::from_map(path, rest, rules, &mut notes), rules);
        notes.push(format!(
            "session index {} was damaged; rebuilt with {} sessions, {lost} of them without their settings",
            path.display(),
            index.len()
        ));
        if let Err(e) = index.save() {
            notes.push(e.to_string());
        }
        (index, notes)
    }

    fn from_map(path: &Path, map: Map<String, Value>, rules: &KeyRules, notes: &mut Vec<String>) -> Index {
        let mut index = Index::empty(path);
        for (key, value) in map {
            let Some(entry) = Entry::from_value(&key, value, index.dir(), notes) else { continue };
            // A key that no rule knows stays as it is: it is someone else's, and must survive our rewriting.
            let key = rules.canonical(&key).unwrap_or(key);
            if index.get(&key).is_none_or(|other| other.updated_at() < entry.updated_at()) {
                index.put(&key, entry);
            }
        }
        index
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the transcripts.
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    pub fn get(&self, key: &str) -> Option<&Arc<Entry>> {
        self.place.get(key).and_then(|at| self.order.get(at)).map(|(_, entry)| entry)
    }

    /// Adds an entry at the end, or replaces one in its place.
    pub fn put(&mut self, key: &str, entry: Entry) {
        let entry = Arc::new(entry);
        if let Some((_, slot)) = self.place.get(key).and_then(|at| self.order.get_mut(at)) {
            *slot = entry;
            return;
        }
        let key: Arc<str> = key.into();
        self.place.insert(key.clone(), self.next);
        self.order.insert(self.next, (key, entry));
        self.next += 1;
    }

    pub fn remove(&mut self, key: &str) -> Option<Arc<Entry>> {
        let at = self.place.remove(key)?;
        self.order.remove(&at).map(|(_, entry)| entry)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Arc<Entry>)> {
        self.order.values().map(|(key, entry)| (&**key, entry))
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The same entries, shared; later changes to either are not seen by the other.
    pub fn snapshot(&self) -> Index {
        self.clone()
    }

    /// Replaces the file atomically.
    pub fn save(&self) -> Result<()> {
        let map = InOrder(self);
        let mut text = serde_json::to_vec_pretty(&map)
            .map_err(|e| Error::unavailable(format!("write session index {}: {e}", self.path.display())))?;
        text.push(b'\n');
        write_atomic(&self.path, &text)
    }
}

/// Serialises the entries in order without copying them.
struct InOrder<'a>(&'a Index);

impl serde::Serialize for InOrder<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, entry)| (key, entry.as_map())))
    }
}

/// The index text as an object; JSON first because it is much faster than JSON5.
pub fn parse(text: &[u8]) -> Option<Map<String, Value>> {
    let value = match json::read(text, MAX_VALUES, STRICT_DEPTH) {
        Ok(value) => value,
        Err(Unread::Malformed(_)) => {
            let text = std::str::from_utf8(text).ok().filter(|text| depth(text) <= MAX_DEPTH)?;
            json5::from_str(text).ok()?
        }
        Err(_) => return None,
    };
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// An upper bound of the nesting depth; brackets in strings count too.
fn depth(text: &str) -> usize {
    let mut deepest = 0usize;
    let mut now = 0usize;
    for b in text.bytes() {
        match b {
            b'{' | b'[' => now += 1,
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
