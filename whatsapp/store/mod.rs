//! What is kept of an account: keys of the link and of conversations, and what was sent. One file (`log`), one process.
//!
//! `signal` and `protocol` are the crate's view of it. The executor's thread writes and waits for the disk: a slow card
//! delays this account alone.
mod log;
mod protocol;
mod signal;

pub use log::Change;
use log::Log;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wacore::store::error::StoreError;

/// Tables of the file; a number is never used again for something else.
pub mod table {
    pub const IDENTITY: u8 = 1;
    pub const SESSION: u8 = 2;
    pub const PREKEY: u8 = 3;
    pub const SIGNED_PREKEY: u8 = 4;
    pub const SENDER_KEY: u8 = 5;
    pub const SYNC_KEY: u8 = 6;
    pub const SYNC_LATEST: u8 = 7;
    pub const SYNC_VERSION: u8 = 8;
    pub const SYNC_MAC: u8 = 9;
    pub const SENDER_KEY_DEVICE: u8 = 10;
    pub const LID: u8 = 11;
    pub const NUMBER: u8 = 12;
    pub const BASE_KEY: u8 = 13;
    pub const DEVICES: u8 = 14;
    pub const GROUP: u8 = 15;
    pub const TOKEN: u8 = 16;
    pub const SENT: u8 = 17;
    pub const PENDING: u8 = 18;
    pub const SECRET: u8 = 19;
    pub const DEVICE: u8 = 20;
    /// Deliveries of the gateway that WhatsApp has: delivery, then when and as what.
    pub const DELIVERED: u8 = 21;
    /// Of this program itself: when the account was linked.
    pub const OWN: u8 = 22;
}

pub const FILE: &str = "openclaw-wa.store";
const LOCK: &str = "openclaw-wa.lock";

pub struct Store {
    log: Mutex<Log>,
    dir: PathBuf,
    /// Held for the life of the process.
    _lock: File,
}

impl Store {
    pub fn open(dir: &Path) -> Result<Store> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        let lock = hold(&dir.join(LOCK))?;
        let log = Log::open(&dir.join(FILE))
            .map_err(|e| Error::new(e.kind(), format!("{}: {e}", dir.join(FILE).display())))?;
        Ok(Store { log: Mutex::new(log), dir: dir.to_path_buf(), _lock: lock })
    }

    pub fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, table: u8, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        self.lock().get(table, key.as_ref())
    }

    pub fn apply(&self, changes: &[Change]) -> Result<()> {
        self.lock().apply(changes)
    }

    /// All keys of a table with this beginning, taken out of the lock.
    pub fn keys(&self, table: u8, prefix: &[u8]) -> Vec<Vec<u8>> {
        self.lock().keys(table, prefix).map(<[u8]>::to_vec).collect()
    }

    /// The link is over: its keys stand aside under another name and are never tried again.
    pub fn set_aside(&self, why: &str) -> Result<()> {
        let mut log = self.lock();
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let file = self.dir.join(FILE);
        std::fs::rename(&file, self.dir.join(format!("{FILE}.{why}-{now}")))?;
        *log = Log::open(&file)?;
        Ok(())
    }
}

/// A lock of the kernel's: it goes with the process that holds it.
fn hold(path: &Path) -> Result<File> {
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        let text = format!("another process (pid {}) speaks for this account", holder.trim());
        return Err(Error::other(text));
    }
    file.set_len(0)?;
    file.write_all(std::process::id().to_string().as_bytes())?;
    Ok(file)
}

/// Several texts as one key.
fn joined(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

fn now() -> i64 {
    wacore::time::now_secs()
}

type Told<T> = std::result::Result<T, StoreError>;

fn to_json<T: serde::Serialize>(value: &T) -> Told<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| StoreError::Serialization(Box::new(e)))
}

fn from_json<T: serde::de::DeserializeOwned>(bytes: Option<Vec<u8>>) -> Told<Option<T>> {
    let read =
        |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|e| StoreError::Serialization(Box::new(e)));
    bytes.map(read).transpose()
}

/// A value with the moment from which on it may go, epoch seconds.
fn stamped(at: i64, bytes: &[u8]) -> Vec<u8> {
    [&at.to_le_bytes()[..], bytes].concat()
}

fn unstamped(value: &[u8]) -> Option<(i64, &[u8])> {
    let (at, rest) = value.split_first_chunk::<8>()?;
    Some((i64::from_le_bytes(*at), rest))
}

impl Store {
    /// Takes away what is stamped with an earlier moment.
    fn expire(&self, table: u8, goes: impl Fn(i64) -> bool) -> Told<u32> {
        let mut gone = Vec::new();
        for key in self.keys(table, b"") {
            let value = self.get(table, &key)?.unwrap_or_default();
            if unstamped(&value).is_none_or(|(at, _)| goes(at)) {
                gone.push(Change::gone(table, key));
            }
        }
        self.apply(&gone)?;
        Ok(gone.len() as u32)
    }
}
