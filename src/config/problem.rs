//! Why a changed configuration file is not put in force: file, line, column, key, the nearest valid key (R-06a).
//!
//! Pure, over what was read before; any thread. Shown in the log, in `health` and in `status`, so it never holds a
//! secret.
use super::redact::{self, carries_secret};
use super::{Config, Issue, lookup};
use crate::error::Error;
use crate::json::json;
use serde_json::Value;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    file: String,
    /// The key that is wrong; empty when the file as a whole is.
    path: String,
    /// Line and column, counted from 1, where known.
    at: Option<(usize, usize)>,
    /// The valid key that is meant or stands nearest before the place.
    nearest: Option<String>,
    message: String,
}

impl Config {
    /// The first thing that keeps this configuration, read by `inspect`, from replacing `held`: an unusable file, or a
    /// mistake that `held` does not have too and that costs more than a channel.
    pub fn problem(&self, held: &Config) -> Option<Problem> {
        let is_unusable = self.is_unusable();
        let is_new = |issue: &Issue| !issue.is_of_channel() && !held.issues().contains(issue);
        let issue = self.issues().iter().find(|issue| is_unusable || is_new(issue))?;
        Some(self.problem_of(issue))
    }

    /// The first mistake of one that a gateway has started with.
    pub fn problem_at_start(&self) -> Option<Value> {
        Some(self.problem_of(self.issues().first()?).to_json_with("atStart"))
    }

    /// The first mistake of one that was put in force but for what is wrong in it.
    pub fn problem_of_part(&self) -> Option<Value> {
        Some(self.problem_of(self.of_channels().next()?).to_json_with("partly"))
    }

    /// A mistake or warning with its key and its place: `key: what (file:line:column)`.
    pub fn told_with_place(&self, issue: &Issue) -> String {
        let text = issue.text();
        let is_telling = carries_secret(&text, &self.inner.loaded.secrets);
        let what = if is_telling { redact::HIDDEN } else { &text };
        format!("{}: {what} ({})", issue.path, self.place(issue))
    }

    /// `file:line:column`; the file alone where the key is not written in it.
    pub fn place(&self, issue: &Issue) -> String {
        issue.spot.as_ref().map_or_else(|| self.path().display().to_string(), |spot| spot.to_string())
    }

    /// The same for what a start would refuse.
    pub fn refusal(&self, error: &Error) -> Problem {
        self.problem_of(&Issue::new("", error.message().replace('\n', " ")))
    }

    fn problem_of(&self, issue: &Issue) -> Problem {
        let loaded = &self.inner.loaded;
        let spot = issue.spot.as_ref();
        let nearest = match spot.and_then(|spot| spot.before.as_ref()) {
            Some(name) => valid(name),
            None => valid(&issue.path),
        };
        let is_telling = carries_secret(&issue.message, &loaded.secrets);
        // Without its cost: nothing is taken out while the last good configuration stays.
        let message = if is_telling { redact::HIDDEN.to_string() } else { issue.message.clone() };
        let file = spot.map_or(self.path(), |spot| &spot.file).display().to_string();
        let at = spot.map(|spot| (spot.line, spot.column));
        Problem { file, path: issue.path.clone(), at, nearest, message }
    }
}

impl Problem {
    /// The same for one beside which the rest of the file is in force; `how` it came to that.
    fn to_json_with(&self, how: &str) -> Value {
        let mut json = self.to_json();
        if let Some(map) = json.as_object_mut() {
            map.insert(how.into(), true.into());
        }
        json
    }

    pub fn to_json(&self) -> Value {
        let mut json = json!({"file": self.file, "path": self.path, "message": self.message});
        if let Some(map) = json.as_object_mut() {
            if let Some((line, column)) = self.at {
                map.insert("line".into(), line.into());
                map.insert("column".into(), column.into());
            }
            if let Some(nearest) = &self.nearest {
                map.insert("nearestKey".into(), nearest.as_str().into());
            }
        }
        json
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        let path = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        write!(f, ": {path}{}", self.message)?;
        match self.nearest.as_ref().filter(|nearest| **nearest != self.path) {
            Some(nearest) => write!(f, " (nearest key: {nearest})"),
            None => Ok(()),
        }
    }
}

/// The longest beginning of a path that the table of keys knows, or the key that its last name is a slip of.
fn valid(path: &str) -> Option<String> {
    let names: Vec<&str> = path.split('.').filter(|name| !name.is_empty()).collect();
    (1..=names.len()).rev().find_map(|length| {
        let known = names.get(..length)?;
        if lookup::find(known.iter().copied()).is_some() {
            return Some(known.join("."));
        }
        let (last, before) = known.split_last()?;
        let parent = if before.is_empty() { lookup::root() } else { lookup::find(before.iter().copied())? };
        lookup::nearest(&before.join("."), parent, last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn problem(text: &str, held: &str) -> Option<String> {
        let (dir, before) = (Dir::new(), Dir::new());
        dir.write("openclaw.json", text);
        before.write("openclaw.json", held);
        let held = Config::inspect(&mut before.env(&[]));
        let found = Config::inspect(&mut dir.env(&[])).problem(&held)?;
        Some(found.to_string().replace(&dir.path("openclaw.json").display().to_string(), "F"))
    }

    #[test]
    fn r_06a_a_mistake_has_file_line_column_and_nearest_key() {
        for (text, want) in [
            (
                "{\n  gateway: {\n    port: 1\n    bind: 'lan'\n  }\n}",
                "F:3:12: JSON5 parse failed: expected comma (nearest key: gateway.port)",
            ),
            (
                "{\n  gateway: {\n    port: 'x'}}",
                "F:3:11: gateway.port: expected a whole number from 1 to 65535, got \"x\"",
            ),
            ("{\n session: 5}", "F:2:11: session: expected an object, got another number"),
            ("{a: {gatewey: [{", "F:1:16: JSON5 parse failed: the object that begins here is never closed"),
        ] {
            assert_eq!(problem(text, "{}").unwrap(), want);
        }
    }

    #[test]
    fn what_was_wrong_before_is_no_new_problem() {
        assert_eq!(problem("{session: 5, ui: {}}", "{session: 5}"), None);
        assert!(problem("{session: 5, tools: 5}", "{session: 5}").unwrap().contains("tools"));
        assert_eq!(problem("{nonsense: 1}", "{}"), None, "an unknown key is a warning");
        let told = problem("{session: 5}", "{}").unwrap();
        assert!(
            told.ends_with("expected an object, got another number"),
            "nothing is disabled by it: {told}"
        );
    }

    #[test]
    fn r_22b_no_secret_is_told() {
        let told =
            problem("{gateway: {auth: {token: 'canary-1-long', mode: 'canary-1-long'}}}", "{}").unwrap();
        assert!(!told.contains("canary"), "{told}");
    }
}
