//! Pictures of messages that were accepted and whose turn has not ended, one file a message: what was
//! acknowledged is on disk, and the journal stays small. The store thread writes and removes them.
use crate::error::{Error, Result};
use crate::files::{read_bytes, write_atomic};
use crate::json::{self, DEEPEST, REQUEST_VALUES};
use crate::parts::first;
use crate::sessions::message;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Bytes of a message's pictures; a message is smaller.
const MOST: u64 = 64 << 20;

#[derive(Debug, Clone)]
pub struct Spool {
    dir: PathBuf,
}

impl Spool {
    pub fn of(state_dir: &Path) -> Spool {
        Spool { dir: state_dir.join("gateway").join("attachments") }
    }

    /// Keys come from clients, so the name is made of their digest.
    fn name(family: &str, key: &str) -> String {
        let digest = digest(&SHA256, format!("{family}:{key}").as_bytes());
        format!("{}.json", crate::ids::encode(first(digest.as_ref(), 16)))
    }

    /// Keeps the image blocks of a message until `remove`; on disk when this returns.
    pub fn write(&self, family: &str, key: &str, images: &[Value]) -> Result<()> {
        let text =
            serde_json::to_vec(images).map_err(|e| Error::unavailable(format!("write attachments: {e}")))?;
        write_atomic(&self.dir.join(Spool::name(family, key)), &text)
    }

    /// The image blocks of a message; none when nothing was kept.
    pub fn read(&self, family: &str, key: &str) -> Vec<Value> {
        let blocks = read_bytes(&self.dir.join(Spool::name(family, key)), MOST).unwrap_or_default();
        let blocks: Vec<Value> = json::read_as(&blocks, REQUEST_VALUES, DEEPEST).unwrap_or_default();
        blocks.into_iter().filter(|b| message::kind_of_block(b) == "image").collect()
    }

    pub fn remove(&self, family: &str, key: &str) {
        // Most messages have no pictures; a file that stays is swept at the next start.
        let _ = std::fs::remove_file(self.dir.join(Spool::name(family, key)));
    }

    /// Removes what belongs to no message of these, given as family and key. For the start.
    pub fn sweep<'a>(&self, open: impl Iterator<Item = (&'a str, &'a str)>) {
        let wanted: HashSet<String> = open.map(|(family, key)| Spool::name(family, key)).collect();
        for file in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if !wanted.contains(file.file_name().to_string_lossy().as_ref()) {
                // Tried again at the next start.
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn pictures_are_kept_until_their_message_is_done() {
        let dir = TestDir::new();
        let spool = Spool::of(&dir.0);
        let images = [message::image("QUJD", "image/png")];
        for key in ["../../etc/x", "b"] {
            spool.write("chat", key, &images).unwrap();
            assert_eq!(spool.read("chat", key), images);
        }
        assert!(spool.read("agent", "b").is_empty());
        spool.remove("chat", "b");
        spool.remove("chat", "b");
        assert!(spool.read("chat", "b").is_empty());
        spool.sweep([("chat", "../../etc/x")].into_iter());
        assert_eq!(spool.read("chat", "../../etc/x"), images);
        spool.sweep(std::iter::empty());
        assert!(spool.read("chat", "../../etc/x").is_empty());
    }
}
