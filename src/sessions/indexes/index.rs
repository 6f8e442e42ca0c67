//! The index of one sessions directory: `sessions.json`, session key to entry, in stored order.
//!
//! The state thread owns it and changes it in memory; `snapshot` shares the entries at no cost, so that other threads
//! can list and save them while it goes on. `load` is for start-up: whatever the file holds, it succeeds.
use crate::config::{Stamp, parse};
use crate::error::{Error, Result};
use crate::files::{open_regular, read_bytes, remedy, write_over_if};
use crate::json::{self, DEEPEST, Unread};
use crate::session_key::KeyRules;
use crate::sessions::entry::Entry;
use crate::sessions::kept::Kept;
use crate::sessions::others::{self, IndexFile, Seen, Theirs};
use crate::sessions::{index_text, is_session_id, rebuild};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::{ErrorKind, Write};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// Bytes of an index that are read.
pub const MOST_BYTES: u64 = 256 << 20;
/// Most values in an index: some 50,000 sessions.
pub(in crate::sessions) const MAX_VALUES: usize = 5_000_000;
/// How many removed sessions are remembered.
const MAX_GONE: usize = 256;
/// How often a save begins anew because another program has written meanwhile.
const TRIES: usize = 5;

/// A session by its key, and the id of its conversation.
type Gone = (Box<str>, Option<Box<str>>);

#[derive(Debug)]
pub struct Index {
    all: Snapshot,
    /// INVARIANT: it holds the keys of `all`, each with its place there.
    place: HashMap<Box<str>, u64>,
    next: u64,
}

/// The entries of an index at one time.
#[derive(Debug, Clone)]
pub struct Snapshot {
    path: Arc<Path>,
    /// Copied by the first change after a snapshot, as long as that lives.
    order: Arc<BTreeMap<u64, Arc<Kept>>>,
    bytes: usize,
    /// Sessions that were removed here, with their ids, the newest last: another program may still write them.
    gone: Arc<VecDeque<Gone>>,
    seen: Arc<Seen>,
    /// How sessions are called here; without them as they are written.
    rules: Option<Arc<KeyRules>>,
}

impl Index {
    /// An index without entries that will be saved to `path`.
    pub fn empty(path: &Path) -> Index {
        let all = Snapshot {
            path: path.into(),
            order: Arc::default(),
            bytes: 0,
            gone: Arc::default(),
            seen: Arc::new(Seen::of(path)),
            rules: None,
        };
        Index { all, place: HashMap::new(), next: 0 }
    }

    /// Reads the index at `path`; `rules.default_agent` is the agent that owns it. A damaged file is copied
    /// aside, what can be known is put together again from it and from the transcripts beside it (R-09c), and
    /// the result is written. Keys of earlier versions become canonical. Also gives notes for the log. A file that
    /// cannot be opened or read now is not damaged: it stays as it is, and is an error.
    pub fn load(path: &Path, rules: &KeyRules) -> Result<(Index, Vec<String>)> {
        let (mut index, notes) = Index::load_any(path, rules)?;
        index.all.rules = Some(Arc::new(rules.clone()));
        Ok((index, notes))
    }

    fn load_any(path: &Path, rules: &KeyRules) -> Result<(Index, Vec<String>)> {
        let canonical = |key: &str| rules.canonical(key).ok();
        if let Some(read) = Index::load_plain(path, &canonical) {
            return Ok(read);
        }
        // Made before the file is read: what is written into it meanwhile is another state of it.
        let (empty, mut notes) = (Index::empty(path), Vec::new());
        let text = match read_bytes(path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok((empty, notes)),
            // What stands in its place is no index: no regular file, or too large.
            Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Other) => {
                notes.push(format!(
                    "read session index {}: {e}; it is rebuilt from the transcripts",
                    path.display()
                ));
                rebuild::move_aside(path, &mut notes);
                return Ok((rebuild::from_transcripts(empty, rules), notes));
            }
            Err(e) => {
                let way_out = format!("; {}", remedy(path, &e));
                return Err(Error::io(format!("read session index {}", path.display()), e).ending(&way_out));
            }
        };
        if let Some(map) = parse(&text) {
            // Two names of one session that become one are no damage.
            let lost = unusable(&map, &canonical);
            let mut index = empty.with(map, &canonical, &mut notes);
            if !lost.is_empty() {
                notes.push(format!(
                    "session index {}: {} unusable entries; their conversations are looked for among the transcripts",
                    path.display(),
                    lost.len()
                ));
                rebuild::keep_aside(path, &mut notes);
                index = rebuild::for_entries(index, rules, &lost, &mut notes);
                index.save_mended(&mut notes);
            }
            return Ok((index, notes));
        }
        let (rest, lost) = rebuild::salvage(&text);
        let rest = empty.with(rest, &canonical, &mut notes);
        let index = Index::mended(rest, rules, &mut notes);
        notes.push(format!(
            "session index {} was damaged; rebuilt with {} sessions, {lost} of them without their settings",
            path.display(),
            index.len()
        ));
        Ok((index, notes))
    }

    /// The file as it is now, whoever wrote it, and the keys whose entries are none; `None` when it cannot be read.
    pub(in crate::sessions) fn look(path: &Path, rules: Option<&KeyRules>) -> Option<(Index, Vec<String>)> {
        let canonical = |key: &str| rules?.canonical(key).ok();
        if let Some((index, _)) = Index::load_plain(path, &canonical) {
            return Some((index, Vec::new()));
        }
        let map = parse(&read_bytes(path, MOST_BYTES).ok()?)?;
        let lost = unusable(&map, &canonical);
        Some((Index::empty(path).with(map, &canonical, &mut Vec::new()), lost))
    }

    /// With the transcripts that lost their entry; saved, once the damaged file is kept aside.
    fn mended(rest: Index, rules: &KeyRules, notes: &mut Vec<String>) -> Index {
        rebuild::keep_aside(&rest.path, notes);
        let index = rebuild::from_transcripts(rest, rules);
        index.save_mended(notes);
        index
    }

    fn save_mended(&self, notes: &mut Vec<String>) {
        if let Err(e) = self.save() {
            notes.push(e.to_string());
        }
    }

    /// The way of nearly every start: the file is read entry by entry, and each is kept as it stands there.
    fn load_plain(path: &Path, canonical: Canonical) -> Option<(Index, Vec<String>)> {
        // As above: before the file is opened.
        let (mut index, mut notes) = (Index::empty(path), Vec::new());
        let file = open_regular(path).ok().filter(|f| f.metadata().is_ok_and(|m| m.len() <= MOST_BYTES))?;
        // The keys of entries that are written otherwise than they are called.
        let mut written = HashMap::<String, String>::new();
        index_text::read(file, |key, text| {
            let known = canonical(key);
            let name = known.as_deref().unwrap_or(key);
            let told = notes.len();
            let kept = Kept::read(name, text, index.all.dir(), &mut notes).ok()??;
            // Its conversation is looked for on the other way.
            if notes.len() > told && kept.session_id().is_none() {
                return None;
            }
            // The same key once more: the last one counts, as everywhere in JSON.
            let is_same = index.get(name).is_some() && written.get(name).map_or(name, String::as_str) == key;
            let is_put = if is_same {
                index.put_kept(kept);
                true
            } else {
                index.put_newest(kept)
            };
            match name == key {
                _ if !is_put => {}
                true => drop(written.remove(name)),
                false => drop(written.insert(name.to_string(), key.to_string())),
            }
            Some(())
        })?;
        Some((index, notes))
    }

    fn with(mut self, map: Map<String, Value>, canonical: Canonical, notes: &mut Vec<String>) -> Index {
        for (key, value) in map {
            let Some(entry) = Entry::from_value(&key, value, self.dir(), notes) else { continue };
            // A key that no rule knows stays as it is: it is someone else's, and must survive our rewriting.
            let key = canonical(&key).unwrap_or(key);
            self.put_newest(Kept::meant(&key, &entry));
        }
        self
    }

    /// Of two names of one session the one counts that was used last.
    fn put_newest(&mut self, kept: Kept) -> bool {
        let is_newest = self.get(kept.key()).is_none_or(|other| other.updated_at() < kept.updated_at());
        if is_newest {
            self.put_kept(kept);
        }
        is_newest
    }

    pub fn get(&self, key: &str) -> Option<&Arc<Kept>> {
        self.place.get(key).and_then(|at| self.all.order.get(at))
    }

    /// Adds an entry at the end, or replaces one in its place.
    pub fn put(&mut self, key: &str, entry: &Entry) {
        let kept = Kept::of(key, entry);
        self.put_kept(match self.get(key) {
            Some(old) => kept.after(old),
            None => kept,
        });
    }

    fn put_kept(&mut self, kept: Kept) {
        self.put_shared(Arc::new(kept));
    }

    /// Takes over what another program has written, as far as the session was not changed here meanwhile.
    pub fn adopt(&mut self, kept: Arc<Kept>) -> bool {
        let wanted = match self.get(kept.key()) {
            Some(own) if own.is_saved() => Some(kept),
            Some(own) => others::merged(own, &kept),
            None => Some(kept).filter(|kept| !self.has_removed(kept)),
        };
        let is_wanted = wanted.is_some();
        wanted.into_iter().for_each(|kept| self.put_shared(kept));
        is_wanted
    }

    fn put_shared(&mut self, kept: Arc<Kept>) {
        let at = *self.place.entry(kept.key().into()).or_insert(self.next);
        self.next = self.next.max(at + 1);
        self.all.bytes += kept.size();
        if let Some(old) = Arc::make_mut(&mut self.all.order).insert(at, kept) {
            self.all.bytes -= old.size();
        }
    }

    /// Lets an entry go that another program has removed.
    pub fn let_go(&mut self, key: &str) -> bool {
        self.get(key).is_some_and(|own| others::goes(own)) && self.take(key).is_some()
    }

    fn take(&mut self, key: &str) -> Option<Arc<Kept>> {
        let at = self.place.remove(key)?;
        let kept = Arc::make_mut(&mut self.all.order).remove(&at)?;
        self.all.bytes -= kept.size();
        Some(kept)
    }

    pub fn remove(&mut self, key: &str) -> Option<Arc<Kept>> {
        let kept = self.take(key)?;
        let gone = Arc::make_mut(&mut self.all.gone);
        gone.retain(|(other, _)| **other != *key);
        gone.push_back((key.into(), kept.session_id().map(Box::from)));
        if gone.len() > MAX_GONE {
            gone.pop_front();
        }
        Some(kept)
    }

    /// The same entries, shared; later changes are not seen by it.
    pub fn snapshot(&self) -> Snapshot {
        self.all.clone()
    }
}

/// How a session is called that is written as this; `None` for as it is.
type Canonical<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Deref for Index {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.all
    }
}

impl Snapshot {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the transcripts.
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Kept>> {
        self.order.values()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// About how large the file is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(in crate::sessions) fn rules(&self) -> Option<&KeyRules> {
        self.rules.as_deref()
    }

    pub(in crate::sessions) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Whether the index was not saved since its file was known as this.
    pub fn is_as_known(&self, known: Stamp) -> bool {
        self.seen.is(known)
    }

    pub fn file(&self) -> IndexFile {
        IndexFile { path: self.path.clone(), seen: self.seen.clone() }
    }

    /// Whether this conversation was removed here.
    pub(in crate::sessions) fn has_removed(&self, kept: &Kept) -> bool {
        self.gone.iter().any(|(key, id)| **key == *kept.key() && id.as_deref() == kept.session_id())
    }

    /// Replaces the file atomically, unless it is a mount of its own. Gives what another program had done there; what it
    /// does meanwhile is compared too, as long as it pauses.
    pub fn save(&self) -> Result<Theirs> {
        let _turn = self.seen.turn();
        for _ in 1..TRIES {
            if let Some(theirs) = self.save_if_alone(false)? {
                return Ok(theirs);
            }
        }
        log::warn!(target: "gateway/sessions", "another program writes {} all the time: what it wrote last may be lost", self.path.display());
        Ok(self.save_if_alone(true)?.unwrap_or_default())
    }

    /// Gives nothing when another program has written since the file was compared; with `anyway` it is overwritten.
    fn save_if_alone(&self, anyway: bool) -> Result<Option<Theirs>> {
        let found = Stamp::of(&self.path);
        let theirs = others::written(self, found);
        let mut other: HashMap<&str, &Arc<Kept>> =
            theirs.changed.iter().map(|kept| (kept.key(), kept)).collect();
        let gone: HashSet<&str> = theirs.gone.iter().map(String::as_str).collect();
        let stay = self.iter().filter(|kept| !gone.contains(kept.key()));
        let mut all: Vec<&Arc<Kept>> = stay.map(|kept| other.remove(kept.key()).unwrap_or(kept)).collect();
        all.extend(theirs.changed.iter().filter(|kept| other.contains_key(kept.key())));
        let is_alone = || anyway || Stamp::of(&self.path) == found;
        let write = |file: &mut dyn Write| index_text::write(all.iter().copied(), file);
        let Some(made) = write_over_if(&self.path, write, is_alone)? else { return Ok(None) };
        all.iter().for_each(|kept| kept.set_saved());
        self.seen.set(Stamp::told(&made));
        Ok(Some(theirs))
    }
}

/// The keys whose values are no entries, as they are called here.
fn unusable(map: &Map<String, Value>, canonical: Canonical) -> Vec<String> {
    let lost = map.iter().filter(|(_, value)| !is_usable(value));
    lost.map(|(key, _)| canonical(key).unwrap_or_else(|| key.clone())).collect()
}

/// Whether a value of the index is an entry, and the id in it, if there is one, may name a file.
pub fn is_usable(entry: &Value) -> bool {
    let id = entry.get("sessionId").filter(|id| !id.is_null());
    entry.is_object() && id.is_none_or(|id| id.as_str().is_some_and(|id| id.is_empty() || is_session_id(id)))
}

/// The index text as an object; JSON first because it is much faster than JSON5.
pub fn parse(text: &[u8]) -> Option<Map<String, Value>> {
    let value = match json::read_loose(text, MAX_VALUES, DEEPEST) {
        Ok(value) => value,
        Err(Unread::Malformed(_)) => {
            let text = std::str::from_utf8(text).ok().filter(|text| depth(text) <= parse::MAX_DEPTH)?;
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
