//! `gateway.auth.tokenFile` and `.passwordFile`: the shared secret in a file of its own, as containers and hosts with a
//! keeper of secrets have it.
//!
//! Read where the secret is resolved: at a start, by the watcher, by commands. A file that is named and has no secret
//! is not passed over.
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files::{self, SecretFile};
use std::path::PathBuf;

/// The key that names the file of `name` (token or password).
pub fn key(name: &str) -> String {
    format!("gateway.auth.{name}File")
}

/// The file that the configuration names for `name`.
pub fn path(config: &Config, env: &Env, name: &str) -> Option<PathBuf> {
    let path = config.str(&key(name)).map(str::trim).filter(|path| !path.is_empty())?;
    Some(env.expand(path))
}

/// Both files, as far as they are named.
pub fn all(config: &Config, env: &Env) -> Vec<PathBuf> {
    ["token", "password"].iter().filter_map(|name| path(config, env, name)).collect()
}

/// What the file of `name` holds; `None` where none is named.
pub fn read(config: &Config, env: &Env, name: &str) -> Result<Option<SecretFile>> {
    let Some(path) = path(config, env, name) else { return Ok(None) };
    let wrong = |why: String| {
        let (key, path) = (key(name), path.display());
        Error::config(format!("{key} names {path}, which {why}; put the {name} there, and nothing else"))
    };
    let found = files::read_secret(&path).map_err(wrong)?;
    match found.text.contains(['\n', '\r']) {
        false => Ok(Some(found)),
        true => Err(wrong("has more than one line".to_string())),
    }
}
