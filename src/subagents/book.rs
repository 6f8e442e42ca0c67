//! All subagents and their file, `<state>/subagents/runs.json`: `{"version": 2, "runs": {<run>: {..}}}`, as the original writes
//! and reads it. Members that are not known are kept. One that cannot be read is put aside.
use super::{Child, is_over, is_told, number, text};
use crate::error::{Error, Result};
use crate::files;
use crate::json::{self, Put, json};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Bytes and values of the largest file that is read.
const MAX_FILE: u64 = 16 << 20;
const MAX_VALUES: usize = 200_000;
/// More than this are not kept: those that are told go first, the oldest before others.
const MOST: usize = 500;
/// The names of the first version of the file, and what they are now.
const OLD: [(&str, &str); 2] =
    [("announceCompletedAt", "cleanupCompletedAt"), ("announceHandled", "cleanupHandled")];

/// A copy costs no copies of entries, so that the thread which writes it has one of its own.
#[derive(Clone, Default)]
pub struct Book {
    runs: BTreeMap<String, Arc<Child>>,
    /// The other members of the file.
    head: Arc<Map<String, Value>>,
}

impl Book {
    /// What the file holds; a missing one holds nothing.
    pub fn load(path: &Path) -> Book {
        let bytes = match files::read_bytes(path, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(_) if files::is_missing(path) => return Book::default(),
            Err(e) => return put_aside(path, &e.to_string()),
        };
        match read(&bytes) {
            Ok(book) => book,
            Err(e) => put_aside(path, e.message()),
        }
    }

    pub fn get(&self, run: &str) -> Option<&Child> {
        self.runs.get(run).map(|child| &**child)
    }

    pub fn get_mut(&mut self, run: &str) -> Option<&mut Child> {
        self.runs.get_mut(run).map(Arc::make_mut)
    }

    pub fn all(&self) -> impl Iterator<Item = (&String, &Child)> {
        self.runs.iter().map(|(run, child)| (run, &**child))
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = (&String, &mut Child)> {
        self.runs.iter_mut().map(|(run, child)| (run, Arc::make_mut(child)))
    }

    pub fn put(&mut self, child: Child) {
        while self.runs.len() >= MOST {
            let told = self.runs.iter().filter(|(_, child)| is_told(child));
            let Some(oldest) = told.min_by_key(|(_, child)| number(child, "createdAt")) else { break };
            let oldest = oldest.0.clone();
            self.runs.remove(&oldest);
        }
        self.runs.insert(text(&child, "runId").to_string(), Arc::new(child));
    }

    pub fn remove(&mut self, run: &str) {
        self.runs.remove(run);
    }

    pub fn is_full(&self) -> bool {
        self.runs.values().filter(|child| !is_told(child)).count() >= MOST
    }

    /// Those that a session has asked for: what goes on first, then the newest.
    pub fn of(&self, requester: &str) -> Vec<&Child> {
        let all = self.runs.values().map(|child| &**child);
        let mut all: Vec<&Child> =
            all.filter(|child| text(child, "requesterSessionKey") == requester).collect();
        all.sort_by_key(|child| (is_over(child), std::cmp::Reverse(number(child, "createdAt"))));
        all
    }

    /// The one of `of` that a person means by its number, `last`, its label, or the beginning of its id or key.
    pub fn meant(&self, requester: &str, word: &str) -> Option<&Child> {
        let all = self.of(requester);
        let word = word.trim().trim_start_matches('#').to_lowercase();
        if word == "last" {
            return all.into_iter().max_by_key(|child| number(child, "createdAt"));
        }
        if let Ok(place) = word.parse::<usize>() {
            return all.into_iter().nth(place.checked_sub(1)?);
        }
        let is_it = |child: &&Child| {
            text(child, "label").to_lowercase() == word
                || text(child, "childSessionKey") == word
                || (word.len() >= 4 && text(child, "runId").starts_with(&word))
        };
        all.into_iter().find(is_it)
    }

    /// The file.
    pub fn text(&self) -> String {
        let mut whole = Map::clone(&self.head);
        whole.put("version", 2);
        let runs: Map<String, Value> =
            self.runs.iter().map(|(run, child)| (run.clone(), Map::clone(child).into())).collect();
        whole.put("runs", runs);
        format!("{:#}\n", Value::Object(whole))
    }
}

fn read(bytes: &[u8]) -> Result<Book> {
    let wrong = |why: &str| Error::config(why.to_string());
    let mut head = json::read_object(bytes, MAX_VALUES, json::DEEPEST).map_err(|e| wrong(&e.to_string()))?;
    let Some(Value::Object(runs)) = head.remove("runs") else {
        return Err(wrong("its member runs is no object"));
    };
    let mut book = Book { head: Arc::new(head), ..Book::default() };
    for (run, child) in runs {
        let Value::Object(mut child) = child else { continue };
        if text(&child, "childSessionKey").is_empty() || text(&child, "requesterSessionKey").is_empty() {
            continue;
        }
        renew(&mut child);
        child.put("runId", run.as_str());
        book.runs.insert(run, Arc::new(child));
    }
    Ok(book)
}

/// An entry of the first version becomes one of the second.
fn renew(child: &mut Child) {
    for (old, new) in OLD {
        if let Some(value) = child.remove(old) {
            child.insert(new.to_string(), value);
        }
    }
    let (channel, account) = (child.remove("requesterChannel"), child.remove("requesterAccountId"));
    if let (Some(channel), None) = (channel, child.get("requesterOrigin")) {
        child.put("requesterOrigin", json!({"channel": channel, "accountId": account}));
    }
}

fn put_aside(path: &Path, why: &str) -> Book {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".corrupt.{}", crate::clock::now_ms()));
    let done = match std::fs::rename(path, &aside) {
        Ok(()) => format!("it was put aside as {}", Path::new(&aside).display()),
        Err(e) => format!("it could not be put aside: {e}"),
    };
    log::error!(target: "gateway/subagents", "{} cannot be used: {why}; {done}; its subagents are not known any more", path.display());
    Book::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn i13_3_a_file_of_the_first_version_is_taken_over_and_a_broken_one_is_put_aside() {
        let dir = Dir::new();
        let path = dir.path("runs.json");
        assert!(Book::load(&path).runs.is_empty());
        let old = r#"{"version": 1, "mine": 7, "runs": {"r1": {"childSessionKey": "agent:main:subagent:a", "requesterSessionKey":
            "agent:main:main", "task": "t", "createdAt": 5, "announceCompletedAt": 9, "requesterChannel": "telegram", "x": [1]},
            "r2": {"task": "nobody's"}, "r3": 5}}"#;
        std::fs::write(&path, old).unwrap();
        let book = Book::load(&path);
        let child = book.get("r1").unwrap();
        assert!(book.runs.len() == 1 && is_told(child) && child["requesterOrigin"]["channel"] == "telegram");
        let again: Value = serde_json::from_str(&book.text()).unwrap();
        assert_eq!(
            (&again["version"], &again["mine"], &again["runs"]["r1"]["x"][0]),
            (&json!(2), &json!(7), &json!(1))
        );
        for broken in ["{\"runs\": [", "[]", "{\"version\": 2}"] {
            std::fs::write(&path, broken).unwrap();
            assert!(Book::load(&path).runs.is_empty() && !path.exists(), "{broken}");
        }
    }

    #[test]
    fn i13_3_people_name_one_by_its_place_label_or_id_and_the_book_is_bounded() {
        let mut book = Book::default();
        let child = |n: usize, more: Value| {
            let mut child = json!({"runId": (format!("run-{n:03}")), "childSessionKey": (format!("k{n}")), "requesterSessionKey": "q",
                "label": (format!("L{n}")), "createdAt": (n + 1)});
            child.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            child.as_object().unwrap().clone()
        };
        book.put(child(1, json!({"endedAt": 9})));
        book.put(child(2, json!({})));
        let meant = |word: &str| book.meant("q", word).map(|child| text(child, "label").to_string());
        for (word, want) in
            [("1", "L2"), ("#2", "L1"), ("last", "L2"), ("l1", "L1"), ("run-001", "L1"), ("k2", "L2")]
        {
            assert_eq!(meant(word).as_deref(), Some(want), "{word}");
        }
        assert!(
            meant("0").is_none()
                && meant("3").is_none()
                && meant("run").is_none()
                && book.meant("p", "1").is_none()
        );
        (10..600).for_each(|n| book.put(child(n, json!({"endedAt": 9, "cleanupCompletedAt": 9}))));
        assert!(book.runs.len() <= MOST && book.get("run-001").is_some(), "who is not told stays");
    }
}
