//! One session's entry of `sessions.json`: a JSON object whose unknown members are kept as they are.
//!
//! Pure values; renames of earlier versions and the checks of SEC-12 happen in [`Entry::from_value`], once,
//! when the index is read.
use crate::sessions::is_session_id;
use serde_json::{Map, Value};
use std::path::Path;

/// Member names of earlier versions and what they are called now.
const RENAMED: [(&str, &str); 3] =
    [("provider", "channel"), ("room", "groupChannel"), ("lastProvider", "lastChannel")];

/// What `sessions.reset` carries over to the new session.
const KEPT_BY_RESET: [&str; 13] = [
    "thinkingLevel",
    "verboseLevel",
    "reasoningLevel",
    "responseUsage",
    "model",
    "contextTokens",
    "sendPolicy",
    "label",
    "origin",
    "lastChannel",
    "lastTo",
    "skillsSnapshot",
    "chatType",
];

/// To be read and changed; the index keeps it as a [`crate::sessions::Kept`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry(Map<String, Value>);

impl Entry {
    pub fn from_map(map: Map<String, Value>) -> Entry {
        Entry(map)
    }

    /// A new session. `now` in epoch milliseconds.
    pub fn new(session_id: &str, now: u64) -> Entry {
        let mut entry = Entry::default();
        entry.set("sessionId", session_id);
        entry.set("updatedAt", now);
        entry
    }

    /// The entry with a conversation of this id; what else is noted stays.
    pub fn begun(&self, session_id: &str, now: u64) -> Entry {
        let mut entry = self.clone();
        entry.set("sessionId", session_id);
        entry.set("updatedAt", now);
        entry
    }

    /// An entry as stored in `dir`. A session id that may not name a file, and a `sessionFile` that is not a
    /// transcript directly in `dir`, are left out and named in `notes`. `None` when `value` is no object.
    pub(in crate::sessions) fn from_value(
        key: &str,
        value: Value,
        dir: &Path,
        notes: &mut Vec<String>,
    ) -> Option<Entry> {
        let Value::Object(map) = value else { return None };
        let mut entry = Entry(map);
        for (old, new) in RENAMED {
            if let (Some(value @ Value::String(_)), None) = (entry.0.get(old).cloned(), entry.str(new)) {
                entry.remove(old);
                entry.set(new, value);
            }
        }
        if entry.0.contains_key("sessionId") && entry.session_id().is_none() {
            notes.push(format!("session {key:?}: its session id may not name a file and is ignored"));
            entry.remove("sessionId");
        }
        if let Some(file) = entry.str("sessionFile") {
            match stored_name(file, dir) {
                Some(name) => {
                    let path = dir.join(name);
                    entry.set("sessionFile", path.to_string_lossy().as_ref());
                }
                None => {
                    notes.push(format!(
                        "session {key:?}: its sessionFile is not in {} and is ignored",
                        dir.display()
                    ));
                    entry.remove("sessionFile");
                }
            }
        }
        Some(entry)
    }

    /// The id of the present transcript; `None` when there is none or it may not name a file.
    pub fn session_id(&self) -> Option<&str> {
        self.str("sessionId").filter(|id| is_session_id(id))
    }

    /// Time of the last activity in epoch milliseconds; 0 when unknown.
    pub fn updated_at(&self) -> u64 {
        self.0.get("updatedAt").map_or(0, time_of)
    }

    /// `provider/model` that the session chose for itself.
    pub fn chosen_model(&self) -> Option<String> {
        let model = self.str("modelOverride")?;
        Some(
            self.str("providerOverride")
                .map_or_else(|| model.to_string(), |provider| format!("{provider}/{model}")),
        )
    }

    /// Lets the session use this `provider/model`; without one the agent's own. What the last turn used is what its next
    /// one uses, as clients show it, until something else is chosen.
    pub fn choose_model(&mut self, reference: Option<&str>) {
        for name in ["providerOverride", "modelOverride", "modelProvider", "model"] {
            self.remove(name);
        }
        if let Some((provider, model)) = reference.and_then(|reference| reference.split_once('/')) {
            self.set("providerOverride", provider);
            self.set("modelOverride", model);
            self.set("modelProvider", provider);
            self.set("model", model);
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A member that is a string and not empty.
    pub fn str(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_string(), value.into());
    }

    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The name of the transcript's file in the sessions directory `dir`.
    pub fn file_name(&self, dir: &Path) -> Option<String> {
        file_name(self.str("sessionFile"), self.session_id(), dir)
    }

    /// `direct`, `group`, `global` or `unknown`.
    pub fn kind(&self, key: &str) -> &'static str {
        match (crate::session_key::kind_of(key), self.str("chatType")) {
            ("direct", Some("group" | "channel")) => "group",
            (kind, _) => kind,
        }
    }

    /// The entry after `sessions.reset`: a new transcript, toggles and routes kept, counters at zero.
    pub fn reset(&self, session_id: &str, now: u64) -> Entry {
        let mut entry = Entry::new(session_id, now);
        entry.set("systemSent", false);
        entry.set("abortedLastRun", false);
        for name in KEPT_BY_RESET {
            if let Some(value) = self.get(name) {
                entry.set(name, value.clone());
            }
        }
        for name in ["inputTokens", "outputTokens", "totalTokens"] {
            entry.set(name, 0);
        }
        entry
    }
}

/// A time in epoch milliseconds as entries hold it.
pub(in crate::sessions) fn time_of(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|at| at as u64)).unwrap_or(0)
}

/// The name of the transcript's file in `dir`: the stored one if it lies there, else by the session's id.
pub(in crate::sessions) fn file_name(stored: Option<&str>, id: Option<&str>, dir: &Path) -> Option<String> {
    let stored = stored.map(Path::new).filter(|file| file.parent() == Some(dir));
    let named = stored.and_then(|file| file.file_name()?.to_str()).filter(|name| is_transcript_name(name));
    named.map(str::to_string).or_else(|| Some(format!("{}.jsonl", id?)))
}

/// Whether a stored `sessionFile` needs no putting right in `dir`.
pub(in crate::sessions) fn is_stored_well(file: &Value, dir: &Path) -> bool {
    let Some(file) = file.as_str() else { return true };
    file.is_empty() || stored_name(file, dir).is_some_and(|name| dir.join(name).as_os_str() == file)
}

/// Whether `name` may be a transcript's file name: plain characters, nothing hidden, `.jsonl` at the end.
/// Besides `<id>.jsonl` the Node gateway makes `<id>-topic-<thread>.jsonl` and `<time>_<id>.jsonl`.
pub(in crate::sessions) fn is_transcript_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'%');
    name.strip_suffix(".jsonl").is_some_and(|stem| !stem.is_empty())
        && name.len() <= 200
        && !name.starts_with('.')
        && name.bytes().all(plain)
}

/// The file name of a stored path that lies directly in `dir`, also when either is reached by another way. A path
/// elsewhere, as that of a home that was moved here, or a bare name, stands for the regular file of this name in `dir`,
/// if there is one. The file itself must not be a symbolic link; where the path is right it need not exist.
fn stored_name<'a>(file: &'a str, dir: &Path) -> Option<&'a str> {
    let name = file.rsplit(['/', '\\']).next().filter(|name| is_transcript_name(name))?;
    let parent = Path::new(file).parent().filter(|parent| parent.is_absolute());
    let there = dir.join(name).symlink_metadata();
    let is_here = |parent: &Path| {
        parent == dir || dir.canonicalize().is_ok_and(|dir| parent.canonicalize().is_ok_and(|it| it == dir))
    };
    match there {
        Ok(there) if there.is_file() => Some(name),
        Ok(there) if there.is_symlink() => None,
        _ => parent.is_some_and(is_here).then_some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;
    use serde_json::json;

    fn read(value: Value, dir: &Path) -> (Entry, usize) {
        let mut notes = Vec::new();
        (Entry::from_value("k", value, dir, &mut notes).unwrap(), notes.len())
    }

    #[test]
    fn sec_12_stored_files_are_honoured_only_inside_the_directory() {
        let dir = TestDir::new();
        let inside = dir.0.join("s");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(dir.0.join("secret.jsonl"), "x").unwrap();
        std::os::unix::fs::symlink(dir.0.join("secret.jsonl"), inside.join("link.jsonl")).unwrap();
        std::os::unix::fs::symlink(&inside, dir.0.join("alias")).unwrap();
        let check = |file: String, want: &str| {
            let entry = read(json!({"sessionId": "id1", "sessionFile": file}), &inside).0;
            assert_eq!(entry.file_name(&inside).unwrap(), want, "{file}");
        };
        let path = |p: &str| dir.0.join(p).display().to_string();
        check(path("s/id1-topic-5.jsonl"), "id1-topic-5.jsonl");
        check(path("alias/other.jsonl"), "other.jsonl");
        for bad in [
            "secret.jsonl",
            "s/../secret.jsonl",
            "s/link.jsonl",
            "s/sessions.json",
            "s/.jsonl",
            "s/a\0.jsonl",
        ] {
            check(path(bad), "id1.jsonl");
        }
        check("other.jsonl".into(), "id1.jsonl");
        // B-F39: homes that were moved here; only what is a regular file of the directory counts.
        std::fs::write(inside.join("old-topic-7.jsonl"), "x").unwrap();
        std::fs::create_dir(inside.join("dir.jsonl")).unwrap();
        for moved in [
            "old-topic-7.jsonl",
            "./old-topic-7.jsonl",
            "agents/main/sessions/old-topic-7.jsonl",
            "/home/before/.openclaw/agents/main/sessions/old-topic-7.jsonl",
            "C:\\Users\\me\\.openclaw\\agents\\main\\sessions\\old-topic-7.jsonl",
        ] {
            check(moved.into(), "old-topic-7.jsonl");
        }
        for bad in [
            "/home/before/link.jsonl",
            "/home/before/dir.jsonl",
            "/home/before/none.jsonl",
            "link.jsonl",
            "dir.jsonl",
        ] {
            check(bad.into(), "id1.jsonl");
        }
        check(format!("{}/%2e%2e/x.jsonl", inside.display()), "id1.jsonl");
    }

    #[test]
    fn legacy_members_are_renamed_and_unknown_ones_kept() {
        let (entry, notes) =
            read(json!({"provider": "telegram", "room": "r", "x": {"y": [1]}}), Path::new("/d"));
        assert_eq!((entry.str("channel"), entry.str("provider"), notes), (Some("telegram"), None, 0));
        assert_eq!(entry.str("groupChannel"), Some("r"));
        assert_eq!(entry.get("x"), Some(&json!({"y": [1]})));
        let (entry, notes) = read(json!({"sessionId": "../../x", "updatedAt": 5.0}), Path::new("/d"));
        assert_eq!((entry.session_id(), entry.updated_at(), notes), (None, 5, 1));
    }

    #[test]
    fn a_choice_of_a_model_is_taken_and_given_back() {
        let mut entry = Entry::default();
        entry.choose_model(Some("a/b/c"));
        assert_eq!(entry.chosen_model().as_deref(), Some("a/b/c"));
        entry.choose_model(None);
        assert_eq!(entry, Entry::default());
    }

    #[test]
    fn a_reset_keeps_toggles_and_drops_overrides() {
        let mut entry = Entry::new("old", 1);
        entry.set("thinkingLevel", "high");
        entry.set("modelOverride", "m");
        entry.set("totalTokens", 9);
        let new = entry.reset("new", 2);
        assert_eq!((new.session_id(), new.updated_at()), (Some("new"), 2));
        assert_eq!((new.str("thinkingLevel"), new.get("modelOverride")), (Some("high"), None));
        assert_eq!(new.get("totalTokens"), Some(&json!(0)));
    }
}
