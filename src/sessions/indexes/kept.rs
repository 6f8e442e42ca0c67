//! An entry as the index keeps it: its text as it stands in `sessions.json`, and the few members that are looked for
//! in all sessions. What is large in entries (`skillsSnapshot`, `systemPromptReport`) costs its bytes and no more.
//!
//! Immutable; shared by the threads that list, save and change. Who wants more than the few members `open`s it.
use crate::json::{self, DEEPEST};
use crate::sessions::entry::{self, Entry};
use crate::sessions::index::MAX_VALUES;
use crate::sessions::is_session_id;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Members that are read when the index is: the kept ones, and those that may have to be put right.
const NAMES: [&str; 7] =
    ["sessionId", "updatedAt", "label", "sessionFile", "provider", "room", "lastProvider"];

#[derive(Debug)]
pub struct Kept {
    key: Box<str>,
    /// INVARIANT: the text of an object, within the bounds of `open`.
    text: Arc<str>,
    /// What the file has in its place, in common with all that it was changed to here, of which one may be on its way to
    /// the file; nothing where it is as it was read.
    in_file: Option<Arc<Mutex<Option<Arc<str>>>>>,
    session_id: Option<Box<str>>,
    label: Option<Box<str>>,
    updated_at: u64,
    /// Whether the file has it so, or means it so.
    is_saved: AtomicBool,
}

impl Kept {
    pub fn of(key: &str, entry: &Entry) -> Kept {
        let text = serde_json::to_string_pretty(entry.as_map()).unwrap_or_else(|_| "{}".to_string());
        Kept {
            key: key.into(),
            // One level in, where it stands in the file; texts in JSON hold no line break.
            text: text.replace('\n', "\n  ").into(),
            in_file: Some(Arc::default()),
            session_id: entry.session_id().map(Box::from),
            label: entry.str("label").map(Box::from),
            updated_at: entry.updated_at(),
            is_saved: AtomicBool::new(false),
        }
    }

    /// An entry as the file means it, though its text there is another one: members that were put right, JSON5.
    pub(in crate::sessions) fn meant(key: &str, entry: &Entry) -> Kept {
        Kept { in_file: None, is_saved: AtomicBool::new(true), ..Kept::of(key, entry) }
    }

    /// An entry of the index in `dir`, by its text there. `None` when it is no object; an error when it is no JSON.
    pub(in crate::sessions) fn read(
        key: &str,
        text: &str,
        dir: &Path,
        notes: &mut Vec<String>,
    ) -> Result<Option<Kept>, json::Unread> {
        let Some(found) = json::members(text, &NAMES)? else { return Ok(None) };
        let [id, at, label, file, old @ ..] = found.texts.map(|text| text.and_then(scalar));
        let is_wrong = id.as_ref().is_some_and(|id| !is_id(id))
            || file.as_ref().is_some_and(|file| !entry::is_stored_well(file, dir))
            || (found.texts.first().is_some_and(Option::is_some) && id.is_none())
            || old.iter().any(Option::is_some);
        if is_wrong {
            let value = json::read_loose(text, MAX_VALUES, DEEPEST)?;
            return Ok(Entry::from_value(key, value, dir, notes).map(|entry| Kept::meant(key, &entry)));
        }
        let string = |value: Option<Value>| {
            value.as_ref().and_then(Value::as_str).filter(|text| !text.is_empty()).map(Box::from)
        };
        Ok(Some(Kept {
            key: key.into(),
            text: text.into(),
            in_file: None,
            session_id: string(id),
            label: string(label),
            updated_at: at.as_ref().map_or(0, entry::time_of),
            is_saved: AtomicBool::new(true),
        }))
    }

    /// The same in the place of `old`.
    pub(in crate::sessions) fn after(self, old: &Kept) -> Kept {
        let first = || Arc::new(Mutex::new(old.is_saved().then(|| old.text.clone())));
        Kept { in_file: Some(old.in_file.clone().unwrap_or_else(first)), ..self }
    }

    fn in_file(&self) -> Option<MutexGuard<'_, Option<Arc<str>>>> {
        self.in_file.as_ref().map(|text| text.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the file had when this was changed; empty for what is new.
    pub(in crate::sessions) fn base(&self) -> Entry {
        let text = self.in_file().and_then(|text| text.clone());
        text.as_deref().map_or_else(Entry::default, opened)
    }

    /// Whether it stood in the file before it was changed.
    pub(in crate::sessions) fn has_base(&self) -> bool {
        self.in_file().is_some_and(|text| text.is_some())
    }

    /// Whether it stands in the file as it is here.
    pub fn is_saved(&self) -> bool {
        self.is_saved.load(Ordering::Relaxed)
    }

    pub(in crate::sessions) fn set_saved(&self) {
        self.is_saved.store(true, Ordering::Relaxed);
        if let Some(mut text) = self.in_file() {
            *text = Some(self.text.clone());
        }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// As [`Entry::session_id`].
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// As [`Entry::updated_at`].
    pub fn updated_at(&self) -> u64 {
        self.updated_at
    }

    /// The text as it stands in the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// About how much memory and file it takes, bytes.
    pub fn size(&self) -> usize {
        self.key.len() + self.text.len()
    }

    /// Members that are texts and not empty, in the order asked for.
    pub fn strings<const N: usize>(&self, names: &[&str; N]) -> [Option<String>; N] {
        let found = json::members(&self.text, names).ok().flatten();
        let texts = found.map_or([None; N], |found| found.texts);
        texts.map(|text| match scalar(text?)? {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            _ => None,
        })
    }

    /// The members of these names; of the others nothing is read.
    pub fn open_only<const N: usize>(&self, names: &[&str; N]) -> Entry {
        let found = json::members(&self.text, names).ok().flatten();
        let texts = found.map_or([None; N], |found| found.texts);
        let value = |text: Option<&str>| json::read_loose(text?, MAX_VALUES, DEEPEST).ok();
        let members =
            names.iter().zip(texts).filter_map(|(name, text)| Some((name.to_string(), value(text)?)));
        Entry::from_map(members.collect())
    }

    /// As [`Entry::file_name`].
    pub fn file_name(&self, dir: &Path) -> Option<String> {
        let [stored] = self.strings(&["sessionFile"]);
        entry::file_name(stored.as_deref(), self.session_id(), dir)
    }

    /// All of it, to be read or changed.
    pub fn open(&self) -> Entry {
        opened(&self.text)
    }
}

fn opened(text: &str) -> Entry {
    // Its members may be numbers that are larger than numbers get, as `1e400`.
    let read = |text: &[u8]| json::read_object(text, MAX_VALUES, DEEPEST);
    Entry::from_map(json::loosely(text.as_bytes(), read).unwrap_or_default())
}

/// A value without parts; anything larger is not what these members are.
fn scalar(text: &str) -> Option<Value> {
    json::read_loose(text, 1, 0).ok()
}

fn is_id(value: &Value) -> bool {
    value.as_str().is_some_and(is_session_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> (Option<Kept>, usize) {
        let mut notes = Vec::new();
        let kept = Kept::read("k", &value.to_string(), Path::new("/d"), &mut notes).unwrap();
        (kept, notes.len())
    }

    #[test]
    fn it_says_what_the_whole_entry_says() {
        for (value, notes) in [
            (json!({"sessionId": "a", "updatedAt": 5, "label": "L", "x": {"sessionId": "no"}}), 0),
            (json!({"sessionId": "a", "sessionFile": "/d/a-topic-1.jsonl", "updatedAt": 7.0}), 0),
            (json!({"sessionId": "../a", "label": ""}), 1),
            (json!({"sessionId": 7}), 1),
            (json!({"sessionId": "a", "sessionFile": "/e/a.jsonl"}), 1),
            (json!({"sessionId": "a", "sessionFile": "/d/../d/a.jsonl"}), 1),
            (json!({"provider": "telegram", "room": "r", "label": ["x"]}), 0),
            (json!({}), 0),
        ] {
            let (kept, told) = read(&value);
            let (kept, mut own) = (kept.unwrap(), Vec::new());
            let whole = json::read(value.to_string(), 99, 9).unwrap();
            let entry = Entry::from_value("k", whole, Path::new("/d"), &mut own).unwrap();
            assert_eq!(kept.open(), entry, "{value}");
            assert_eq!((told, own.len()), (notes, notes), "{value}");
            assert_eq!(kept.session_id(), entry.session_id(), "{value}");
            assert_eq!(kept.label(), entry.str("label"), "{value}");
            assert_eq!(kept.updated_at(), entry.updated_at(), "{value}");
            assert_eq!(kept.file_name(Path::new("/d")), entry.file_name(Path::new("/d")), "{value}");
            let again = Kept::of("k", &entry);
            assert_eq!((again.open(), again.session_id()), (entry.clone(), entry.session_id()), "{value}");
        }
        assert!(read(&json!([1])).0.is_none());
        assert!(Kept::read("k", "{", Path::new("/d"), &mut Vec::new()).is_err());
    }

    #[test]
    fn members_are_found_without_opening() {
        let kept = read(&json!({"subject": "S", "space": "", "n": 1, "o": {"subject": "no"}})).0.unwrap();
        let found = kept.strings(&["n", "space", "subject", "o"]);
        assert_eq!(found, [None, None, Some("S".to_string()), None]);
    }
}
