//! The two files under their lock: read, prune, write what changed.
//!
//! A file that cannot be read as JSON stops the operation and is left alone; one damaged record concerns its
//! own device only. Requests that cannot be read are dropped: they live five minutes.
use super::records::Record;
use super::request::Request;
use super::{MAX_PENDING, Pairing, REQUEST_TTL_MS};
use crate::device::{pretty, records};
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::json::json;
use crate::params;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Both files, for as long as the lock is held.
pub(super) struct Store {
    dir: PathBuf,
    paired: Map<String, Value>,
    /// In the order of the file; expired requests are gone.
    pending: Vec<Request>,
    is_paired_changed: bool,
    is_pending_changed: bool,
    _lock: Lock,
}

impl Pairing {
    pub(super) fn open(&self, now: u64) -> Result<Store> {
        let dir = self.state_dir.join("devices");
        let lock = Lock::wait(&dir.join(".lock"))?;
        let paired = records(&dir.join("paired.json"))?;
        let all = records(&dir.join("pending.json"))?;
        let count = all.len();
        let pending: Vec<Request> = all
            .into_iter()
            .filter_map(|(_, value)| params::read(value).ok())
            .filter(|request: &Request| request.is_whole() && now.abs_diff(request.ts) <= REQUEST_TTL_MS)
            .collect();
        let is_pending_changed = pending.len() != count;
        Ok(Store { dir, paired, pending, is_paired_changed: false, is_pending_changed, _lock: lock })
    }
}

impl Pairing {
    /// The files that cannot be read, and why. Takes no lock and creates nothing.
    pub fn unread(&self) -> Vec<(PathBuf, Error)> {
        let files = ["paired.json", "pending.json"].map(|name| self.state_dir.join("devices").join(name));
        files.into_iter().filter_map(|path| records(&path).err().map(|error| (path, error))).collect()
    }
}

impl Store {
    /// The record of a device; an error when there is one that cannot be read.
    pub fn record(&self, device_id: &str) -> Result<Option<Record>> {
        let Some(value) = self.paired.get(device_id) else { return Ok(None) };
        // The parser's own message is left out: it could quote a token.
        let record: Record = params::read(value.clone()).map_err(|_| {
            Error::unavailable(format!(
                "read the record of device {device_id} in {}: a member has the wrong type; correct it, or remove \
                 the device and pair it again",
                self.dir.join("paired.json").display()
            ))
        })?;
        Ok(Some(Record { device_id: device_id.to_string(), ..record }))
    }

    /// All records that can be read.
    pub fn records(&self) -> Vec<Record> {
        self.paired.keys().filter_map(|id| self.record(id).ok().flatten()).collect()
    }

    pub fn device_ids(&self) -> Vec<String> {
        self.paired.keys().cloned().collect()
    }

    pub fn put(&mut self, record: &Record) -> Result<()> {
        let value = serde_json::to_value(record).map_err(|e| {
            Error::unavailable(format!("write the record of device {}: {e}", record.device_id))
        })?;
        if self.paired.get(&record.device_id) != Some(&value) {
            self.paired.insert(record.device_id.clone(), value);
            self.is_paired_changed = true;
        }
        Ok(())
    }

    /// Removes a device's record, readable or not.
    pub fn remove(&mut self, device_id: &str) -> bool {
        let was_there = self.paired.shift_remove(device_id).is_some();
        self.is_paired_changed |= was_there;
        was_there
    }

    pub fn pending(&self) -> &[Request] {
        &self.pending
    }

    /// Adds a request; where too many wait, the oldest goes, repairs of paired devices last.
    pub fn add_request(&mut self, request: Request) {
        while self.pending.len() >= MAX_PENDING {
            let oldest =
                self.pending.iter().min_by_key(|r| (r.is_repair, r.ts)).map(|r| r.request_id.clone());
            self.pending.retain(|r| Some(&r.request_id) != oldest.as_ref());
        }
        self.pending.push(request);
        self.is_pending_changed = true;
    }

    /// Takes out the requests that fit.
    pub fn take_requests(&mut self, fits: impl Fn(&Request) -> bool) -> Vec<Request> {
        let (taken, kept) = std::mem::take(&mut self.pending).into_iter().partition(fits);
        self.pending = kept;
        let taken: Vec<Request> = taken;
        self.is_pending_changed |= !taken.is_empty();
        taken
    }

    /// Writes the files that changed, the grants first: after a crash between the two a request is left that
    /// has been answered, and its approval again changes nothing.
    pub fn save(self) -> Result<()> {
        if self.is_paired_changed {
            write(&self.dir.join("paired.json"), &self.paired)?;
        }
        if self.is_pending_changed {
            let entries = self.pending.iter().map(|r| (r.request_id.clone(), json!(r)));
            write(&self.dir.join("pending.json"), &entries.collect::<Map<String, Value>>())?;
        }
        Ok(())
    }
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    files::write_atomic(path, &pretty(value)?)
}
