//! A secret in a file of its own, which the owner named: a key, a token, a password.
//!
//! Links are followed, as secrets that a container is given are links. Any thread but the state thread.
use super::read_start;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The longest file read, in bytes.
const MAX: u64 = 64 << 10;

pub struct SecretFile {
    /// Without white space around it; never empty.
    pub text: String,
    /// Others than its owner may read it.
    pub is_open: bool,
}

/// Reads one; an error says what the file is or does, to be put behind its name.
pub fn read_secret(path: &Path) -> std::result::Result<SecretFile, String> {
    let failed = |e| format!("cannot be read ({e})");
    let path = std::fs::canonicalize(path).map_err(failed)?;
    let data = path.metadata().map_err(failed)?;
    if !data.is_file() {
        return Err("is no file".to_string());
    }
    let bytes = read_start(&path, MAX).ok_or("cannot be read")?;
    let text = String::from_utf8(bytes).map_err(|_| "is no text")?;
    // Some editors put a mark in front of what they save.
    match text.trim_start_matches('\u{feff}').trim() {
        "" => Err("is empty".to_string()),
        text => Ok(SecretFile { text: text.to_string(), is_open: data.permissions().mode() & 0o077 != 0 }),
    }
}
