//! Devices: the Ed25519 identity of a client, the proof it gives when connecting, the pairing store and the
//! device tokens.
//!
//! Plain functions on the caller's thread (a connection's, or the CLI's); they read and write small files and
//! hold no state of their own. Sending events and closing connections is the gateway's part: every change
//! says what is due (`pairing::Change`). Wrong credentials are counted elsewhere.
pub mod codes;
pub mod encoding;
pub mod identity;
pub mod keys;
pub mod pairing;
pub mod proof;
pub mod scopes;
pub mod tokens;

use crate::error::{Error, Result};
use crate::{files, json};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::Path;

/// Compares two secrets without telling by its duration where they differ or how long they are. The one way
/// in which this crate compares tokens, passwords and the like (SEC-20).
pub fn secret_eq(a: &str, b: &str) -> bool {
    let (a, b) = (digest(&SHA256, a.as_bytes()), digest(&SHA256, b.as_bytes()));
    // No early exit: every byte is looked at whatever the ones before it said.
    a.as_ref().iter().zip(b.as_ref()).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

/// A file's text: indented JSON and a line end, as the Node program writes these files.
pub fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::unavailable(format!("write a device file as JSON: {e}")))?;
    text.push(b'\n');
    Ok(text)
}

/// Most values in a file of records.
const MAX_VALUES: usize = 200_000;

/// The records of a file by their names; none where there is no file.
pub fn records(path: &Path) -> Result<Map<String, Value>> {
    let bytes = match files::read_bytes(path, files::MAX_TEXT) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(e) if path.is_dir() => {
            let what = format_args!("read {}, which should be a file: move it away", path.display());
            return Err(Error::io(what, e));
        }
        Err(e) => return Err(Error::io(format_args!("read {}", path.display()), e)),
    };
    json::read_object(&bytes, MAX_VALUES, 32).map_err(|_| {
        Error::unavailable(format!(
            "read {}: not a JSON object; correct it, or move it away and pair the devices again",
            path.display()
        ))
    })
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::counter::AtomicU64;
    use std::path::PathBuf;
    use std::sync::atomic::Ordering;

    /// A state directory of one test, removed at its end.
    pub struct StateDir(pub PathBuf);

    impl StateDir {
        pub fn new() -> StateDir {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let name = format!("device-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            StateDir(std::env::temp_dir().join(name))
        }
    }

    impl Drop for StateDir {
        fn drop(&mut self) {
            // A test that wrote nothing has no directory to remove.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    pub fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_equal_only_when_identical() {
        for (a, b, want) in
            [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "ab", false), ("a", "", false)]
        {
            assert_eq!(secret_eq(a, b), want, "{a:?} {b:?}");
        }
    }
}
