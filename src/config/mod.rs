//! The configuration: reading the file and answering what is set.
//!
//! A `Config` is an immutable value that is cheap to clone; any thread may hold one. Reading never writes the
//! file (R-02a). The keys stand in one table, `table/keys.rs`; editing the file is `writing/edit.rs`.
pub mod address;
pub mod bind;
pub mod canvas;
pub mod channels;
mod issue;
pub mod path;
pub mod plan;
pub mod ports;
pub mod problem;
#[cfg(test)]
mod random;
pub mod ranges;
mod reading;
mod table;
#[cfg(test)]
pub mod testing;
mod writing;

use issue::is_within;
pub use issue::{How, Issue};
pub use kinds::duration_ms;
pub use legacy::place as legacy_place;
pub use load::Stamp;
pub use programs::{OF_PROGRAMS, SHARED_WITH_PROGRAMS};
pub use reading::check::has_command;
use reading::{check, damage, excerpt, include, kinds, legacy, lenient, load, refusal, shape, sources, spot};
pub use reading::{parse, substitute};
pub use redact::{HIDDEN, is_secret_name, plain};
pub use refusal::remedy;
pub use schema::{document as schema_alone, explain as schema_of, lookup as schema_at, schema};
pub use spot::{Spot, under};
use table::schema;
pub use table::{action, apis, defaults, keys, list, lookup};
pub use writing::{edit, fingerprint, good, write};
use writing::{members, merging, patch, programs, raw, redact, restore, snapshot, splices, tokens};

use crate::env::Env;
use crate::error::Result;
use crate::ids;
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration in force.
#[derive(Clone)]
pub struct Config {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    hash: String,
    loaded: load::Loaded,
}

impl Config {
    /// All that is set.
    pub fn whole(&self) -> &Value {
        &self.inner.loaded.value
    }

    /// Whether the file as a whole could not be used.
    pub fn is_unusable(&self) -> bool {
        self.inner.loaded.fatal.is_some()
    }

    /// Reads the file `env` names; a missing one is an empty configuration. Fails, with one line that names
    /// file, key and fix, only for what refuses a start: an unusable file or a mistake below `gateway`.
    /// Variables of the `env` block are added to `env`.
    pub fn load(env: &mut Env) -> Result<Config> {
        let mut loaded = load::read(env);
        match loaded.fatal.take() {
            Some(error) => Err(error),
            None => Ok(Config::of(env, loaded)),
        }
    }

    /// The same for those who only look: an unusable file is an invalid, empty configuration.
    pub fn inspect(env: &mut Env) -> Config {
        let loaded = load::read(env);
        Config::of(env, loaded)
    }

    /// Whether the file is the one that was read. With includes, which may have changed, always `false`.
    pub fn is_current(&self) -> bool {
        !self.inner.loaded.has_includes && load::Stamp::of(&self.inner.path) == self.inner.loaded.stamp
    }

    fn of(env: &Env, loaded: load::Loaded) -> Config {
        let raw = loaded.raw.as_deref().unwrap_or_default();
        let hash = ids::encode(ring::digest::digest(&ring::digest::SHA256, raw.as_bytes()).as_ref());
        Config { inner: Arc::new(Inner { path: env.config_path.clone(), hash, loaded }) }
    }

    /// The value at a dotted path, else the table's default.
    pub fn get(&self, path: &str) -> Option<&Value> {
        self.get_in(&path.split('.').collect::<Vec<_>>())
    }

    /// The same for a path whose segments may hold dots.
    pub fn get_in(&self, path: &[&str]) -> Option<&Value> {
        debug_assert!(lookup::is_covered(path), "config key {} has no row", path.join("."));
        self.written(path).or_else(|| lookup::find(path.iter().copied())?.default())
    }

    /// The table's default for a path that it need not know.
    pub fn default_in(&self, path: &[&str]) -> Option<&Value> {
        lookup::find(path.iter().copied())?.default()
    }

    /// Whether something is written at a path that a user names.
    pub fn is_written(&self, path: &[&str]) -> bool {
        self.written(path).is_some()
    }

    fn written(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.inner.loaded.value, |value, segment| match value {
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
            value => value.get(segment),
        })
    }

    /// The same for a path that a user names, which the table need not know.
    pub fn look(&self, path: &[&str], hide: Hide) -> Option<Value> {
        let default = || lookup::find(path.iter().copied())?.default();
        let found = self.written(path).or_else(default)?;
        let secrets = &self.inner.loaded.secrets;
        Some(match hide {
            Hide::Nothing => found.clone(),
            Hide::Inner => redact::redact_inner(found, path, secrets),
            Hide::All => redact::redact_at(found, path, secrets),
        })
    }

    /// The mistake for which nothing at a dotted path is in force: at it, above it or in its section.
    pub fn mistake(&self, path: &str) -> Option<&Issue> {
        let section = self.inner.loaded.disabled.iter().find(|section| is_within(path, section))?;
        self.issues().iter().find(|issue| is_within(&issue.path, section))
    }

    pub fn str(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// Whether the value is `true`; neither set nor defaulted counts as `false`.
    pub fn bool(&self, path: &str) -> bool {
        self.get(path).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn u64(&self, path: &str) -> Option<u64> {
        self.get(path)?.as_u64()
    }

    /// The texts of a list; empty when it is not set.
    pub fn strings(&self, path: &str) -> Vec<&str> {
        self.get(path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether the key is written in the file.
    pub fn is_set(&self, path: &str) -> bool {
        self.written(&path.split('.').collect::<Vec<_>>()).is_some()
    }

    /// Whether a section was taken out because of a mistake in it. Who guards something by a section must
    /// refuse while it is disabled, not fall back to its defaults.
    pub fn is_disabled(&self, section: &str) -> bool {
        self.inner.loaded.disabled.iter().any(|name| name == section)
    }

    pub fn exists(&self) -> bool {
        self.inner.loaded.raw.is_some()
    }

    /// As it was read.
    pub fn text(&self) -> Option<&str> {
        self.inner.loaded.raw.as_deref()
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// SHA-256 of the file's text in hex; of the empty text when there is no file.
    pub fn hash(&self) -> &str {
        &self.inner.hash
    }

    /// Mistakes: each made the start fail or disabled a section.
    pub fn issues(&self) -> &[Issue] {
        &self.inner.loaded.issues
    }

    /// Unknown keys and keys of earlier versions.
    pub fn warnings(&self) -> &[Issue] {
        &self.inner.loaded.warnings
    }

    pub fn is_valid(&self) -> bool {
        self.issues().is_empty()
    }

    /// The file and those it includes.
    pub fn files(&self) -> Vec<PathBuf> {
        std::iter::once(self.inner.path.clone()).chain(self.inner.loaded.included.iter().cloned()).collect()
    }

    /// What tells one content of the files from another.
    pub fn digest(&self) -> &str {
        &self.inner.loaded.digest
    }

    /// Every secret value of at least four characters, to be kept out of logs.
    pub fn secrets(&self) -> Vec<String> {
        self.inner.loaded.secrets.clone()
    }

    /// The payload of `config.get`, without secrets.
    pub fn snapshot(&self) -> Value {
        snapshot::snapshot(self)
    }

    /// What is in force, and the file's text, without secrets: of that payload a part each.
    pub fn shown(&self) -> Value {
        snapshot::in_force(self)
    }

    pub fn shown_text(&self) -> Option<String> {
        snapshot::text(self)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the values: some are secrets.
        f.debug_struct("Config")
            .field("path", &self.inner.path)
            .field("issues", &self.issues().len())
            .finish()
    }
}

/// Which secrets of a value are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hide {
    Nothing,
    /// Those inside of something larger; a secret that is the whole value was asked for by its own path.
    Inner,
    All,
}

/// `path.segment`.
pub fn join(path: &str, segment: &str) -> String {
    if path.is_empty() { segment.to_string() } else { format!("{path}.{segment}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Map;
    use testing::Dir;

    fn load(text: &str) -> Result<Config> {
        let dir = Dir::new();
        dir.write("openclaw.json", text);
        Config::load(&mut dir.env(&[("MY_API_KEY", "canary-var")]))
    }

    #[test]
    fn values_come_from_the_file_then_from_the_table() {
        let config =
            load("{gateway: {bind: 'lan'}, models: {providers: {'a.b': {models: [{id: 'm'}]}}}}").unwrap();
        assert_eq!(config.str("gateway.bind"), Some("lan"));
        assert_eq!(config.u64("gateway.port"), Some(18789));
        assert_eq!(config.u64("logging.maxFileBytes"), Some(5_242_880));
        assert!(config.bool("canvasHost.enabled") && !config.bool("commands.restart"));
        assert_eq!(config.get("canvasHost.port"), None);
        assert!(config.is_set("gateway.bind") && !config.is_set("gateway.port"));
        let at = |last| config.get_in(&["models", "providers", "a.b", "models", "0", last]).cloned();
        assert_eq!((at("id"), at("maxTokens")), (Some("m".into()), Some(8192.into())));
        assert_eq!(config.strings("session.resetTriggers"), ["/new", "/reset"]);
    }

    #[test]
    fn a_missing_file_is_empty_and_stays_missing() {
        let dir = Dir::new();
        let config = Config::load(&mut dir.env(&[])).unwrap();
        let snapshot = config.snapshot();
        assert!(!config.exists() && config.is_valid() && snapshot["raw"].is_null());
        assert_eq!(config.hash(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(!dir.path("openclaw.json").exists());
    }

    #[test]
    fn r_06b_a_gateway_mistake_ends_with_status_78_but_can_be_looked_at() {
        let dir = Dir::new();
        dir.write("openclaw.json", "{gateway: {port: 'x', auth: {token: 'canary-1'}}}");
        let err = Config::load(&mut dir.env(&[])).unwrap_err();
        assert_eq!(err.exit_code(), 78);
        assert!(err.message().contains("gateway.port: ") && !err.message().contains('\n'), "{err}");
        let seen = Config::inspect(&mut dir.env(&[]));
        assert!(!seen.is_valid());
        assert_eq!(seen.issues()[0].path, "gateway.port");
        assert_eq!(seen.str("gateway.auth.token"), Some("canary-1"));
    }

    #[test]
    fn r_22b_a_canary_in_every_secret_is_never_shown() {
        for key in keys::all().filter(|key| key.sensitive) {
            let mut value = Value::from("canary-1");
            for segment in key.path.replace('*', "x").rsplit('.').collect::<Vec<_>>() {
                let is_list =
                    segment == "x" && key.path.contains("models.*.headers") && value.get("headers").is_some();
                value = if is_list {
                    Value::Array(vec![value])
                } else {
                    Value::Object(Map::from_iter([(segment.to_string(), value)]))
                };
            }
            let dir = Dir::new();
            dir.write("openclaw.json", &format!("// canary-1\n{value}"));
            let config = Config::inspect(&mut dir.env(&[]));
            let shown = format!("{} {config:?}", config.snapshot());
            assert!(!shown.contains("canary-1"), "{}: {shown}", key.path);
            assert!(config.secrets().contains(&"canary-1".to_string()), "{}", key.path);
        }
    }

    #[test]
    fn snapshots_hide_secrets_wherever_they_came_from() {
        let text = "{models: {providers: {x: {baseUrl: 'http://h/${MY_API_KEY}', apiKey: 'k', models: [{id: 'k', maxTokens: 4096}]}}}, bogus: {password: 'canary-2'}}";
        let snapshot = load(text).unwrap().snapshot();
        let shown = snapshot.to_string();
        assert!(!shown.contains("canary"), "{shown}");
        let provider = &snapshot["config"]["models"]["providers"]["x"];
        assert_eq!(
            (&provider["models"][0]["maxTokens"], &provider["models"][0]["id"]),
            (&4096.into(), &"k".into())
        );
        assert_eq!(snapshot["config"]["agents"]["defaults"]["maxConcurrent"], 4);
        assert!(snapshot["raw"].as_str().unwrap().contains("maxTokens: 4096"));
        assert_eq!(snapshot["warnings"][0]["path"], "bogus");
        let broken = Dir::new();
        broken.write("openclaw.json", "{gateway: {auth: {token: 'canary-3'}}");
        let seen = Config::inspect(&mut broken.env(&[])).snapshot();
        assert!(!seen.to_string().contains("canary") && seen["valid"] == false, "{seen}");
    }
}
