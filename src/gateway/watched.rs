//! The files that the watcher looks at, and what tells their contents apart. For its thread, and for a start.
use crate::config::Config;
use crate::env::Env;
use crate::settings::file;
use crate::{files, ids};
use ring::digest::{SHA256, digest};
use std::path::{Path, PathBuf};

/// Those of the configuration, `.env`, and those that hold the shared secret.
pub fn files_of(config: &Config, env: &Env, dotenv: &Path) -> Vec<PathBuf> {
    let mut files = config.files();
    files.extend(file::all(config, env));
    files.push(dotenv.to_path_buf());
    files
}

/// Of the files that hold the secret; empty where the configuration names none.
pub fn digest_of_secret(config: &Config, env: &Env) -> String {
    file::all(config, env).iter().map(|file| digest_of(file)).collect()
}

/// Of a file that is not there: that of nothing.
pub fn digest_of(file: &Path) -> String {
    let text = files::read_lossy(file).unwrap_or_default();
    ids::encode(digest(&SHA256, text.as_bytes()).as_ref())
}
