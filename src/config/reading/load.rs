//! From the file to the effective configuration: parse, include, variables, check, leave out what is broken.
//!
//! Runs on the thread that loads; reads files, never writes one (R-02a). What is wrong below `gateway`, or
//! with the file as a whole, is fatal; how far anything else reaches is for `damage` to say (R-06b).
use super::aliases;
use crate::config::check::{self, Findings};
use crate::config::damage::{self, segments};
use crate::config::issue::{Cost, How};
use crate::config::refusal::{broken, fatal_of, restored, unusable};
use crate::config::shape::{expand_home, model_objects};
use crate::config::sources::{Source, Sources};
use crate::config::{Issue, include, lenient, parse, redact, substitute};
use crate::env::Env;
use crate::error::Error;
use crate::parts::Parts;
use crate::{files, ids};
use ring::digest::{Context, SHA256};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What tells one version of a file from another without reading it; `None` when there is no file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp(Option<(u64, u64, i64, i64)>);

impl Stamp {
    pub fn of(path: &Path) -> Stamp {
        std::fs::metadata(path).map_or_else(|_| Stamp(None), |found| Stamp::told(&found))
    }

    pub fn told(m: &std::fs::Metadata) -> Stamp {
        Stamp(Some((m.ino(), m.len(), m.mtime(), m.mtime_nsec())))
    }
}

/// What reading gave.
#[derive(Default)]
pub struct Loaded {
    /// Of the file before it was read.
    pub stamp: Stamp,
    pub has_includes: bool,
    /// The files it includes, also those that are missing.
    pub included: Vec<PathBuf>,
    /// SHA-256 of all the files' texts.
    pub digest: String,
    /// The file's text; `None` when there is no file.
    pub raw: Option<Arc<str>>,
    /// Whether the text is JSON5.
    pub parses: bool,
    /// What is in force.
    pub value: Value,
    pub issues: Vec<Issue>,
    /// Warnings; the first `legacy` of them are about keys of earlier versions.
    pub warnings: Vec<Issue>,
    pub legacy: usize,
    /// The keys and sections that were taken out.
    pub disabled: Vec<String>,
    /// Values to keep out of logs.
    pub secrets: Vec<String>,
    /// What refuses a start.
    pub fatal: Option<Error>,
}

/// Reads the configuration that `env` names; variables of its `env` block are added to `env`.
pub fn read(env: &mut Env) -> Loaded {
    let stamp = Stamp::of(&env.config_path);
    let loaded = match files::read_lossy(&env.config_path) {
        Ok(text) => judge(env, text.into(), None).0,
        Err(e) if e.kind() == ErrorKind::NotFound => empty(),
        Err(e) if e.kind() == ErrorKind::InvalidData => {
            refused(unusable(env, "is not UTF-8 text; save it as UTF-8".to_string()))
        }
        Err(e) => {
            let fix = match e.kind() {
                ErrorKind::PermissionDenied => "make it readable for this user",
                ErrorKind::NotADirectory => "move away the file that is in the place of its directory",
                _ if files::is_short(&e) => "try again, or raise the limit (ulimit -n)",
                _ => "put a file in its place",
            };
            refused(unusable(env, format!("cannot be read: {e}; {fix}")))
        }
    };
    Loaded { stamp, ..loaded }
}

fn refused((issue, fatal): (Issue, Error)) -> Loaded {
    Loaded { parses: false, fatal: Some(fatal), issues: vec![issue], ..empty() }
}

/// No file, nothing set.
pub fn empty() -> Loaded {
    Loaded { value: Value::Object(Map::new()), parses: true, ..Loaded::default() }
}

/// What `text` means as the file that `env` names, and the errors in it as whoever writes it is told: before anything is
/// taken out for them or read as it is meant. Places in it are told as those of `name`, if that is another file.
pub fn judge(env: &mut Env, text: Arc<str>, name: Option<&Path>) -> (Loaded, Vec<Issue>) {
    let mut loaded = empty();
    let mut digest = Context::new(&SHA256);
    digest.update(text.as_bytes());
    loaded.has_includes = text.contains("$include");
    let value = match parsed(env, &text, name) {
        Ok(value) => value,
        Err(why) => {
            let loaded = Loaded { has_includes: loaded.has_includes, raw: Some(text), ..refused(why) };
            let errors = loaded.issues.clone();
            return (loaded, errors);
        }
    };
    let mut note = |text: Option<&str>| digest.update(text.map_or(b"-".as_slice(), str::as_bytes));
    let (mut value, done) = include::resolve(value, &env.config_path, &mut note);
    let (mut twice, halves);
    (loaded.included, loaded.digest) = (done.paths, ids::encode(digest.finish().as_ref()));
    let (mut errors, blames): (Vec<Issue>, Vec<_>) = done.issues.into_iter().unzip();
    // What an include leaves where it failed is no null that somebody wrote.
    let is_told = |new: &Issue, errors: &[Issue]| errors.iter().any(|known| known.path == new.path);
    let emptied = damage::emptied(&value);
    let emptied: Vec<Issue> = emptied.into_iter().filter(|new| !is_told(new, &errors)).collect();
    errors.extend(emptied);
    if let Some(map) = value.as_object_mut() {
        parse::drop_nulls(map);
    }
    substitute::export_env(&value, env);
    substitute::resolve(&mut value, "", env, &mut loaded.secrets, &mut errors);
    model_objects(&mut value);
    loaded.secrets.extend(redact::collect(&value).into_iter().filter(|secret| !secret.starts_with("${")));
    let mut doubled = aliases::doubled(&value);
    let (mut findings, mut strict, mut read_as_meant) = checked(&mut value, &loaded.secrets, &errors);
    {
        let main = source(env, &text, name, None);
        let sources = Sources::new([main].into_iter().chain(done.texts).collect(), &loaded.secrets);
        twice = sources.repeated();
        halves = sources.halves();
        for (issue, blame) in errors.iter_mut().zip(&blames) {
            issue.spot = sources.blamed(blame);
        }
        let lists = [&mut errors, &mut strict, &mut read_as_meant, &mut twice, &mut doubled];
        let found = [&mut findings.errors, &mut findings.warnings, &mut findings.legacy];
        lists.into_iter().chain(found).for_each(|issues| sources.mark(issues));
    }
    loaded.legacy = findings.legacy.len();
    loaded.warnings = [findings.legacy, read_as_meant, findings.warnings, twice, doubled, halves].concat();
    loaded.value = value;
    loaded.settle(env, errors.iter().cloned().chain(findings.errors).collect());
    loaded.main_key();
    expand_home(&mut loaded.value, env);
    loaded.raw = Some(text);
    errors.extend(strict);
    (loaded, errors)
}

fn parsed(env: &Env, text: &str, name: Option<&Path>) -> Result<Value, (Issue, Error)> {
    match parse::without_end(text).trim().is_empty() {
        true => {
            let earlier = match restored(env, "it") {
                none if none.is_empty() => none,
                advice => advice + ", or ",
            };
            Err(unusable(env, format!("is empty; {earlier}remove it and run `{}`", env.command("setup"))))
        }
        false => parse::json5(text).map_err(|e| broken(env, text, name, &e)),
    }
}

/// What is found in a value beside what is `known` to be wrong with it, the errors before anything was read as it is
/// meant, and what was.
fn checked(value: &mut Value, secrets: &[String], known: &[Issue]) -> (Findings, Vec<Issue>, Vec<Issue>) {
    // What an include or a variable left behind where it failed is no second mistake.
    let is_new = |found: &Issue| !known.iter().any(|known| known.path == found.path);
    let mut findings = check::check(value, secrets);
    findings.errors.retain(is_new);
    let strict = findings.errors.clone();
    let read_as_meant = lenient::mend(value, &strict);
    if !read_as_meant.is_empty() {
        findings = check::check(value, secrets);
        findings.errors.retain(is_new);
    }
    (findings, strict, read_as_meant)
}

pub fn source<'a>(
    env: &Env,
    text: &'a str,
    name: Option<&Path>,
    failure: Option<&parse::Failure>,
) -> Source<'a> {
    Source::new(&env.config_path, text, failure).told_as(name.unwrap_or(&env.config_path))
}

impl Loaded {
    /// Takes out what each error reaches, or makes the error fatal.
    fn settle(&mut self, env: &Env, errors: Vec<Issue>) {
        let mut fatal: Vec<Error> = Vec::new();
        // By what is there before any of them takes something out.
        let place = |issue: &Issue| {
            let segments = segments(&self.value, &issue.path);
            let length = damage::length(&self.value, &segments);
            (segments, length)
        };
        let places: Vec<_> = errors.iter().map(place).collect();
        let more = |n: usize| if n == 0 { String::new() } else { format!(" (and {n} more)") };
        for (issue, (segments, length)) in errors.into_iter().zip(places) {
            let section = segments.head(length);
            let name = section.join(".");
            take_out(&mut self.value, section, damage::stays_known(section));
            if damage::ends_start(&segments) {
                fatal.push(fatal_of(env, &issue));
                self.issues.push(issue);
            } else {
                let is_key = section.len() == segments.len() && !damage::stays_known(section);
                let how = if is_key { How::LeftOut } else { How::Disabled };
                let cost = Some(Box::new(Cost { name: name.clone(), how }));
                self.issues.push(Issue { cost, ..issue });
            }
            if !name.is_empty() && !self.disabled.contains(&name) {
                self.disabled.push(name);
            }
        }
        let others = more(fatal.len().saturating_sub(1));
        self.fatal = fatal.into_iter().next().map(|first| first.ending(&others));
        if !self.value.is_object() {
            self.value = Value::Object(Map::new());
        }
    }

    /// The main session's key is always `main`; other programs rely on it.
    fn main_key(&mut self) {
        let Some(session) = self.value.get_mut("session").and_then(Value::as_object_mut) else { return };
        if session.get("mainKey").is_some_and(|key| key != "main") {
            session.insert("mainKey".to_string(), "main".into());
            let message = "not read, the main session is always \"main\"; remove this key".to_string();
            self.warnings.push(Issue::new("session.mainKey", message));
        }
    }
}

/// Takes out what stands at `path`; with `stays_known` nothing is left in its place, but the name.
fn take_out(value: &mut Value, path: &[String], stays_known: bool) {
    match path {
        [] => *value = Value::Object(Map::new()),
        [last] => {
            if let Some(map) = value.as_object_mut() {
                match map.get_mut(last) {
                    Some(there) if stays_known => *there = Value::Object(Map::new()),
                    _ => drop(map.shift_remove(last)),
                }
            } else if let Some(item) = last.parse().ok().and_then(|place: usize| value.get_mut(place)) {
                // The others keep their places.
                *item = Value::Object(Map::new());
            }
        }
        [first, rest @ ..] => {
            let inner = match value {
                Value::Array(items) => first.parse().ok().and_then(|place: usize| items.get_mut(place)),
                value => value.get_mut(first),
            };
            if let Some(inner) = inner {
                take_out(inner, rest, stays_known);
            }
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
