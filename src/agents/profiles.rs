//! Keys that the original keeps for each agent: `agents/<id>/agent/auth-profiles.json`.
//!
//! Read on a run's thread and by commands, anew each time; never written. A key of the agent's own file goes before
//! one of the default agent's, both before the configuration's. Order of a provider's profiles: `auth.order`, the
//! file's `order`, else sign-ins before tokens before keys, the one unused for longest first. The state thread reads
//! no file: it asks `models::keyed`, which is told what was read last.
use crate::agents::Agents;
use crate::agents::profile_book::{self, credential, has_expired, kind, provider as provider_of, tell_once};
use crate::clock;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::models::key_file::{can_be_sent, refused};
use crate::models::provider::{Api, Profile, Provider};
use crate::models::{keyed, known};
use serde_json::{Map, Value};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

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
    let mut is_short = false;
    let found = named(files.into_iter(), &mut is_short);
    // Nothing was seen: what was known holds, and whoever asks next looks again.
    if is_short {
        return;
    }
    keyed::set(found);
    *SEEN.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
}

/// Providers that there is a profile of, usable or not, for an agent that is configured or for one that might be.
pub fn providers(config: &Config, env: &Env) -> Vec<String> {
    let ids = Agents::of(config, env).ids();
    let left = std::fs::read_dir(env.state_dir.join("agents")).into_iter().flatten().flatten();
    let left = left.map(|dir| profile_book::of_dir(&dir.path().join("agent")));
    named(ids.iter().flat_map(|id| paths(config, env, id)).chain(left), &mut false)
}

/// The providers that the profiles of these files are of; `is_short` where one could not be read for now.
fn named(files: impl Iterator<Item = PathBuf>, is_short: &mut bool) -> Vec<String> {
    let mut book = |file: PathBuf| match profile_book::read(&file) {
        Ok(book) => book,
        Err(why) => {
            *is_short |= why.passes;
            tell_once(format!("{} {why}", file.display()));
            None
        }
    };
    let profiles = files.filter_map(|file| book(file)?.get("profiles")?.as_object().cloned());
    profiles.flatten().filter_map(|(_, entry)| provider_of(&entry).map(str::to_string)).collect()
}

/// The provider with the agent's profiles for it, which go before other keys; a key file of ours goes before them. A file
/// that cannot be read may hold the one that was chosen: no other key goes out in its place.
pub fn apply(provider: Provider, config: &Config, env: &Env, agent: &str) -> Result<Provider> {
    if provider.api == Api::Builtin || provider.key_file.is_some() || !provider.auth_header {
        return Ok(provider);
    }
    let (mut usable, mut expired) = (Vec::new(), None);
    for file in paths(config, env, agent) {
        let book = match profile_book::read(&file) {
            Ok(book) => book.unwrap_or_default(),
            Err(_) if !usable.is_empty() => break,
            Err(why) => {
                let (id, file) = (&provider.id, env.display(&file));
                let told = format!("{id} is not asked: {file}, which may hold its key, {why}");
                return Err(if why.passes { Error::unavailable(told) } else { refused(told) });
            }
        };
        for (id, entry) in ordered(&book, config, &provider.id) {
            match credential(entry, env) {
                // The key that its owner chose: no other one goes out in its place.
                Err(why) if usable.is_empty() => {
                    let (name, file) = (crate::logging::quoted(id), env.display(&file));
                    let told = format!(
                        "{} is not asked: the key of profile {name} in {file} is not there: {why}",
                        provider.id
                    );
                    return Err(refused(format!("{told}, or remove the profile")));
                }
                Err(why) => {
                    let (name, file) = (crate::logging::quoted(id), file.display());
                    tell_once(format!("profile {name} in {file} is not used: {why}"));
                }
                Ok(Some(_)) if has_expired(entry) => {
                    expired = expired.or(Some((id.to_string(), file.clone())))
                }
                Ok(Some(key)) if can_be_sent(&key) => {
                    let (id, file, is_token) = (id.to_string(), file.clone(), kind(entry) != "api_key");
                    usable.push(Profile { id, file, key, is_token });
                }
                _ => {
                    let (id, file) = (crate::logging::quoted(id), file.display());
                    tell_once(format!(
                        "profile {id} in {file} holds no key that can be sent; it is not used"
                    ));
                }
            }
        }
    }
    if !usable.is_empty() {
        return Ok(with(provider, usable));
    }
    match expired {
        Some((id, file)) => without(provider, &id, &env.display(&file)),
        None => Ok(provider),
    }
}

/// A sign-in has expired, and no other profile is there: the provider's other key goes out, which is told.
fn without(provider: Provider, id: &str, file: &str) -> Result<Provider> {
    let told = format!("the sign-in {id} in {file} has expired; sign in again, or");
    if provider.api_key.is_none() {
        return Err(refused(format!("{told} set models.providers.{}.apiKey", provider.id)));
    }
    tell_once(format!("{told} remove it: until then {} is asked with its other key", provider.id));
    Ok(provider)
}

fn with(provider: Provider, mut profiles: Vec<Profile>) -> Provider {
    profiles.truncate(8);
    let first = profiles.remove(0);
    let provider = *provider.with_profile(&first);
    Provider { spare: profiles, ..provider }
}

/// The agent's own file, then the one of the default agent.
fn paths(config: &Config, env: &Env, agent: &str) -> Vec<PathBuf> {
    let agents = Agents::of(config, env);
    let path = |id: &str| profile_book::of_dir(&agents.agent_dir(id));
    let (own, shared) = (path(agent), path(&agents.default_id()));
    let main = profile_book::of_dir(&env.state_dir.join("agents/main/agent"));
    let mut paths = vec![own];
    for path in [shared, main] {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// A provider's profiles in the order they are tried.
fn ordered<'a>(book: &'a Map<String, Value>, config: &Config, provider: &str) -> Vec<(&'a str, &'a Value)> {
    let profiles = book.get("profiles").and_then(Value::as_object).into_iter().flatten();
    let of = |entry: &Value| provider_of(entry).map(|id| known::named(id).to_ascii_lowercase());
    let wanted = Some(known::named(provider).to_ascii_lowercase());
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

#[cfg(test)]
#[path = "profiles_tests.rs"]
mod tests;
