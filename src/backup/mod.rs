//! Backups: `plan` says what is kept, `create` writes the archive, `archive` reads and checks one, `restore` unpacks
//! it, `places` says where its parts belong, `keep` which archives are too many, `tar` with `untar`, and
//! `gzip`, are the format.
//!
//! Runs on the command line's thread, beside a running gateway: files are opened once, lines are taken whole. An
//! archive begins with `manifest.json`, which names every file with size, mode and SHA-256. It holds secrets as the
//! state directory does, so it is private (0600) as well.
pub mod archive;
pub mod create;
mod gzip;
pub mod keep;
pub mod places;
pub mod plan;
pub mod restore;
pub mod tar;
mod untar;

use crate::parts::Parts;
use std::io::{Read, Result};

/// Version of the archive's layout.
/// Longest manifest, bytes: that of some 700,000 files.
const MAX_MANIFEST: u64 = 128 << 20;
pub const LAYOUT: u64 = 1;
pub const MANIFEST: &str = "manifest.json";

/// What to tell whoever restores keys of a WhatsApp link (R-27b).
pub const WHATSAPP: &str = "it holds the keys of a WhatsApp link; they change with every message, so after a restore \
     link the account again, and never run two copies of them";

/// Hashes what is read through it.
pub struct Hashing<'a> {
    inner: &'a mut dyn Read,
    hash: ring::digest::Context,
}

impl<'a> Hashing<'a> {
    pub fn new(inner: &'a mut dyn Read) -> Hashing<'a> {
        Hashing { inner, hash: ring::digest::Context::new(&ring::digest::SHA256) }
    }

    /// SHA-256 of what was read, in hex.
    pub fn hex(self) -> String {
        crate::ids::encode(self.hash.finish().as_ref())
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.head(read));
        Ok(read)
    }
}
