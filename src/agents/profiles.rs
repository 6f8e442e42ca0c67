//! Keys that the original keeps for each agent: `agents/<id>/agent/auth-profiles.json`.
//!
//! Read on a run's thread and by commands, anew each time; never written. A key of the agent's own file goes before
//! one of the default agent's, both before the configuration's. Order of a provider's profiles: `auth.order`, the
//! file's `order`, else sign-ins before tokens before keys, the one unused for longest first. The state thread reads
//! no file: it asks `models::keyed`, which is told what was read last.
use crate::agents::Agents;
use crate::config::Config;
use crate::env::Env;
use crate::error::Result;
use crate::models::key_file::{can_be_sent, refused};
use crate::models::keyed;
use crate::models::provider::{Api, Profile, Provider, Secret};
use crate::{clock, files, json};
use serde_json::{Map, Value};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The longest file read, in bytes, the most values in it and how deep they are nested.
const MAX_FILE: u64 = 1 << 20;
const MAX_VALUES: usize = 20_000;
const MAX_DEPTH: usize = 16;
/// The file of versions before there were profiles.
const OLD_BOOK: &str = "auth.json";

/// Number, size and time of a file; nothing where there is none.
type Stamp = Option<(u64, u64, i64, i64)>;

/// The files as they were read last.
static SEEN: Mutex<Vec<Stamp>> = Mutex::new(Vec::new());

/// Looks at the files that changed since, so that `keyed` is true again; not for the state thread.
pub fn look_again(config: &Config, env: &Env) {
    if *SEEN.lock().unwrap_or_else(PoisonError::into_inner) != stamps(&all_paths(config, env)) {
        look(config, env);
    }
}

fn all_paths(config: &Config, env: &Env) -> Vec<PathBuf> {
    Agents::of(config, env).ids().iter().flat_map(|id| paths(config, env, id)).collect()
}

/// What tells one state of the files from another.
fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let meta = std::fs::metadata(file).ok()?;
        Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
    };
    files.iter().map(stamp).collect()
}

/// Looks at the files of all agents, so that `keyed` knows.
pub fn look(config: &Config, env: &Env) {
    let files = all_paths(config, env);
    // Before they are read, so that a change meanwhile is seen next time.
    let stamps = stamps(&files);
    let found = named(files.into_iter());
    keyed::set(found);
    *SEEN.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
}

/// Providers that there is a profile of, usable or not, for an agent that is configured or for one that might be.
pub fn providers(config: &Config, env: &Env) -> Vec<String> {
    let ids = Agents::of(config, env).ids();
    let left = std::fs::read_dir(env.state_dir.join("agents")).into_iter().flatten().flatten();
    let left = left.map(|dir| book_of(&dir.path().join("agent")));
    named(ids.iter().flat_map(|id| paths(config, env, id)).chain(left))
}

/// The providers that the profiles of these files are of.
fn named(files: impl Iterator<Item = PathBuf>) -> Vec<String> {
    let provider = |entry: Value| Some(entry.get("provider")?.as_str()?.to_string());
    let profiles = files.filter_map(|file| read(&file)?.get("profiles")?.as_object().cloned());
    profiles.flatten().filter_map(|(_, entry)| provider(entry)).collect()
}

/// The provider with the agent's profiles for it, which go before other keys; a key file of ours goes before them.
pub fn apply(provider: Provider, config: &Config, env: &Env, agent: &str) -> Result<Provider> {
    if provider.api == Api::Builtin || provider.key_file.is_some() || !provider.auth_header {
        return Ok(provider);
    }
    let (mut usable, mut expired) = (Vec::new(), None);
    for file in paths(config, env, agent) {
        let Some(book) = read(&file) else { continue };
        for (id, entry) in ordered(&book, config, &provider.id) {
            match credential(entry, env) {
                Some(_) if has_expired(entry) => expired = expired.or(Some((id.to_string(), file.clone()))),
                Some(key) if can_be_sent(&key) => {
                    let (id, file, is_token) = (id.to_string(), file.clone(), kind(entry) != "api_key");
                    usable.push(Profile { id, file, key, is_token });
                }
                _ => {
                    log::warn!(target: "gateway/agent", "profile {} in {} holds no key that can be sent; it is not used", crate::logging::quoted(id), file.display())
                }
            }
        }
    }
    match (usable.is_empty(), expired) {
        (true, Some((id, file))) if provider.api_key.is_none() => Err(refused(format!(
            "the sign-in {id} in {} has expired; sign in again, or set models.providers.{}.apiKey",
            env.display(&file),
            provider.id
        ))),
        (true, _) => Ok(provider),
        (false, _) => Ok(with(provider, usable)),
    }
}

fn with(provider: Provider, mut profiles: Vec<Profile>) -> Provider {
    profiles.truncate(8);
    let first = profiles.remove(0);
    let provider = provider.with_profile(&first);
    Provider { spare: profiles, ..provider }
}

/// The agent's own file, then the one of the default agent.
fn paths(config: &Config, env: &Env, agent: &str) -> Vec<PathBuf> {
    let agents = Agents::of(config, env);
    let path = |id: &str| book_of(&agents.agent_dir(id));
    let (own, shared) = (path(agent), path(&agents.default_id()));
    let main = book_of(&env.state_dir.join("agents/main/agent"));
    let mut paths = vec![own];
    for path in [shared, main] {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// An agent's file: `auth-profiles.json`, or, where there is none, the `auth.json` of earlier versions.
fn book_of(agent_dir: &Path) -> PathBuf {
    let (book, old) = (agent_dir.join("auth-profiles.json"), agent_dir.join(OLD_BOOK));
    if !book.exists() && old.exists() { old } else { book }
}

/// What an `auth.json` says, in the shape of its successor: a credential a provider, by the provider's name.
fn of_old(old: Map<String, Value>) -> Map<String, Value> {
    let profile = |(name, entry): (String, Value)| {
        let mut entry = if let Value::Object(entry) = entry { entry } else { return None };
        entry.entry("provider").or_insert_with(|| name.into());
        let id = format!("{}:default", entry.get("provider")?.as_str()?);
        Some((id, Value::Object(entry)))
    };
    let profiles: Map<String, Value> = old.into_iter().filter_map(profile).collect();
    Map::from_iter([("profiles".to_string(), profiles.into())])
}

fn read(file: &Path) -> Option<Map<String, Value>> {
    let is_old = file.ends_with(OLD_BOOK);
    // Some keep it elsewhere and link to it.
    let file = std::fs::canonicalize(file).ok()?;
    let bytes = files::read_start(&file, MAX_FILE)?;
    match json::read_as::<Map<String, Value>>(&bytes, MAX_VALUES, MAX_DEPTH) {
        Ok(book) if is_old && !book.contains_key("profiles") => Some(of_old(book)),
        Ok(book) => Some(book),
        Err(e) => {
            log::warn!(target: "gateway/agent", "{} cannot be read, no key in it is used: {e}", file.display());
            None
        }
    }
}

/// A provider's profiles in the order they are tried.
fn ordered<'a>(book: &'a Map<String, Value>, config: &Config, provider: &str) -> Vec<(&'a str, &'a Value)> {
    let profiles = book.get("profiles").and_then(Value::as_object).into_iter().flatten();
    let of = |entry: &Value| entry.get("provider").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let wanted = Some(provider.to_ascii_lowercase());
    let mut found: Vec<(&str, &Value)> =
        profiles.filter(|(_, entry)| of(entry) == wanted).map(|(id, entry)| (id.as_str(), entry)).collect();
    let list = |it: Option<&Value>| it.and_then(Value::as_array).cloned();
    let order = list(config.get_in(&["auth", "order", provider]));
    let order = order.or_else(|| list(book.get("order").and_then(|order| order.get(provider))));
    let order: Vec<Value> = order.unwrap_or_default();
    let stats = |id: &str, name: &str| {
        let stats = book.get("usageStats").and_then(|all| all.get(id)?.get(name)?.as_f64());
        stats.map_or(0, |at| at.max(0.0) as u64)
    };
    let now = clock::now_ms();
    crate::order::by_key(&mut found, |(id, entry)| {
        let place = order.iter().position(|name| name == id).unwrap_or(order.len());
        let rests = stats(id, "cooldownUntil").max(stats(id, "disabledUntil")) > now;
        let kind = ["oauth", "token", "api_key"].iter().position(|name| *name == kind(entry));
        // What was put in order by hand stays so.
        let last_used = if order.is_empty() { stats(id, "lastUsed") } else { 0 };
        (rests, place, kind, last_used)
    });
    found
}

/// `api_key`, `token` or `oauth`.
fn kind(entry: &Value) -> &str {
    let said = ["type", "mode"].iter().find_map(|name| entry.get(*name).and_then(Value::as_str));
    said.unwrap_or(if entry.get("access").is_some() {
        "oauth"
    } else if entry.get("token").is_some() {
        "token"
    } else {
        "api_key"
    })
}

fn credential(entry: &Value, env: &Env) -> Option<Secret> {
    let (names, reference) = match kind(entry) {
        "oauth" => (["access", "token"], "accessRef"),
        "token" => (["token", "key"], "tokenRef"),
        _ => (["key", "apiKey"], "keyRef"),
    };
    let written = names.iter().find_map(|name| entry.get(*name));
    let text = match written.or_else(|| entry.get(reference)) {
        Some(Value::String(text)) => match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(variable) => env.var(variable)?.to_string(),
            None => text.clone(),
        },
        Some(object) => referred(object, env)?,
        None => referred(entry.get(reference)?, env)?,
    };
    Some(text.trim().to_string()).filter(|text| !text.is_empty()).map(Secret::new)
}

/// A credential that stands elsewhere: in a variable or in a file.
fn referred(reference: &Value, env: &Env) -> Option<String> {
    let id = reference.get("id").and_then(Value::as_str)?;
    match reference.get("source").and_then(Value::as_str)? {
        "env" => env.var(id).map(str::to_string),
        "file" => {
            let path = std::fs::canonicalize(env.expand(id)).ok()?;
            String::from_utf8(files::read_start(&path, 64 << 10)?).ok()
        }
        _ => None,
    }
}

fn has_expired(entry: &Value) -> bool {
    let at = entry.get("expires").and_then(Value::as_f64).filter(|at| *at > 0.0);
    at.is_some_and(|at| (at as u64) < clock::now_ms())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn sent(book: &str, config: &str, vars: &[(&str, &str)]) -> Result<Provider> {
        sent_with(&[("auth-profiles.json", book)], config, vars)
    }

    fn sent_with(books: &[(&str, &str)], config: &str, vars: &[(&str, &str)]) -> Result<Provider> {
        let dir = Dir::new();
        dir.write("openclaw.json", config);
        let mut env = dir.env(vars);
        let config = Config::load(&mut env).unwrap();
        let place = env.state_dir.join("agents/main/agent");
        std::fs::create_dir_all(&place).unwrap();
        books.iter().for_each(|(name, book)| std::fs::write(place.join(name), book).unwrap());
        let provider = Provider::resolve(&config, &env, "stub/m").unwrap();
        apply(provider, &config, &env, "work")
    }

    const PLAIN: &str =
        "{models: {providers: {stub: {baseUrl: 'http://h/v1', apiKey: 'of-config', models: []}}}}";

    #[test]
    fn b_f01_each_kind_of_profile_is_a_key() {
        let check = |entry: &str, vars: &[(&str, &str)], want: &str| {
            let book = format!(r#"{{"version":1,"profiles":{{"stub:default":{entry}}}}}"#);
            let provider = sent(&book, PLAIN, vars).unwrap();
            assert_eq!(provider.api_key.as_ref().map(Secret::reveal), Some(want), "{entry}");
        };
        check(r#"{"type":"api_key","provider":"stub","key":"sk-profile-1"}"#, &[], "sk-profile-1");
        check(r#"{"type":"token","provider":"Stub","token":"t-1 "}"#, &[], "t-1");
        check(
            r#"{"type":"oauth","provider":"stub","access":"a-1","refresh":"r","expires":99999999999999}"#,
            &[],
            "a-1",
        );
        check(r#"{"provider":"stub","key":"${OF_ENV}"}"#, &[("OF_ENV", "e-1")], "e-1");
        let reference = r#"{"type":"api_key","provider":"stub","keyRef":{"source":"env","provider":"default","id":"OF_ENV"}}"#;
        check(reference, &[("OF_ENV", "e-2")], "e-2");
        // What cannot be used leaves the configuration's key.
        check(r#"{"type":"oauth","provider":"stub","access":"a-1","expires":1000}"#, &[], "of-config");
        check(r#"{"type":"api_key","provider":"other","key":"x"}"#, &[], "of-config");
        check(r#"7"#, &[], "of-config");
        let token =
            sent(r#"{"profiles":{"a":{"type":"token","provider":"stub","token":"t"}}}"#, PLAIN, &[]).unwrap();
        assert!(token.bearer && is_known_after_look("stub"));
    }

    fn is_known_after_look(provider: &str) -> bool {
        keyed::set(vec![provider.to_string()]);
        keyed::has("STUB") && !keyed::has("nobody")
    }

    #[test]
    fn b_f01_keys_of_the_original_s_earlier_file_are_read() {
        let old = r#"{"stub":{"type":"api_key","key":"sk-old"},"b":{"provider":"other","type":"token","token":"t"},"x":1}"#;
        let key = |books: &[(&str, &str)]| {
            let provider = sent_with(books, PLAIN, &[]).unwrap();
            provider.api_key.as_ref().unwrap().reveal().to_string()
        };
        assert_eq!(key(&[("auth.json", old)]), "sk-old");
        assert_eq!(key(&[("auth.json", "{\"stub\":{\"type\":\"token\",\"token\":\"t-old\"}}")]), "t-old");
        assert_eq!(key(&[("auth.json", old), ("auth-profiles.json", "{\"profiles\":{}}")]), "of-config");
        assert_eq!(key(&[("auth.json", "[]")]), "of-config");
    }

    #[test]
    fn b_f01_profiles_have_an_order() {
        let key = |id: &str, more: &str| {
            format!(r#""{id}":{{"type":"api_key","provider":"stub","key":"{id}"{more}}}"#)
        };
        let keys = |text: &str, config: &str| {
            let p = sent(text, config, &[]).unwrap();
            let spare: Vec<_> = p.spare.iter().map(|it| it.key.reveal().to_string()).collect();
            format!("{} {}", p.api_key.as_ref().unwrap().reveal(), spare.join(" "))
        };
        let three = [key("a", ""), key("b", ""), key("c", "")].join(",");
        let used = r#""usageStats":{"a":{"lastUsed":9},"b":{"lastUsed":3,"cooldownUntil":99999999999999}}"#;
        assert_eq!(keys(&format!(r#"{{"profiles":{{{three}}},{used}}}"#), PLAIN), "c a b");
        assert_eq!(
            keys(&format!(r#"{{"profiles":{{{three}}},"order":{{"stub":["b","c"]}}}}"#), PLAIN),
            "b c a"
        );
        let config = PLAIN.replacen('{', "{auth: {order: {stub: ['c']}}, ", 1);
        assert_eq!(
            keys(&format!(r#"{{"profiles":{{{three}}},"order":{{"stub":["b"]}}}}"#), &config),
            "c a b"
        );
        let error = sent(
            r#"{"profiles":{"old":{"type":"oauth","provider":"stub","access":"x","expires":7}}}"#,
            &PLAIN.replace("apiKey: 'of-config', ", ""),
            &[],
        );
        assert!(error.err().unwrap().message().contains("sign-in old in"));
    }
}
