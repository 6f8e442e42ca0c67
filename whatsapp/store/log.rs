//! The file of an account: records that are appended, each with a checksum, and read by their place. One thread writes.
//!
//! What is written together is there together after any end of the process or the machine, or not at all: the last record
//! of a batch says so, and a tail without one is cut away. Values stay on disk; in memory are keys and places.
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"OCWA\x00\x00\x00\x01";
const HEAD: usize = 12;
const LIVE: u8 = 1;
const LAST: u8 = 2;
/// A file that is smaller is not written anew, however much of it is dead.
const SMALL: u64 = 256 << 10;
/// Longest value, bytes.
const MAX_VALUE: usize = 64 << 20;

/// One change: a value, or none where the key is to be gone.
#[derive(Debug, Clone)]
pub struct Change {
    pub table: u8,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl Change {
    pub fn put(table: u8, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Change {
        Change { table, key: key.into(), value: Some(value.into()) }
    }

    pub fn gone(table: u8, key: impl Into<Vec<u8>>) -> Change {
        Change { table, key: key.into(), value: None }
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    length: u32,
}

pub struct Log {
    path: PathBuf,
    file: File,
    /// Where the next record goes; what stands behind it was never finished.
    end: u64,
    /// Bytes of records that are still needed.
    live: u64,
    keys: BTreeMap<(u8, Vec<u8>), Place>,
    #[cfg(test)]
    pub fault: fault::Fault,
}

impl Log {
    /// Opens the file or begins one; a tail that was not finished goes.
    pub fn open(path: &Path) -> Result<Log> {
        let file = private().read(true).create(true).truncate(false).open(path)?;
        let mut log = Log {
            path: path.to_path_buf(),
            file,
            end: MAGIC.len() as u64,
            live: 0,
            keys: BTreeMap::new(),
            #[cfg(test)]
            fault: fault::Fault::default(),
        };
        let length = log.file.metadata()?.len();
        if length < log.end {
            log.file.set_len(0)?;
            log.file.write_all_at(MAGIC, 0)?;
            log.file.sync_all()?;
            sync_folder(path)?;
            return Ok(log);
        }
        log.read(length)?;
        if length > log.end {
            log.file.set_len(log.end)?;
            log.file.sync_data()?;
        }
        Ok(log)
    }

    fn read(&mut self, length: u64) -> Result<()> {
        let mut magic = [0; MAGIC.len()];
        self.file.read_exact_at(&mut magic, 0)?;
        if magic != *MAGIC {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "it is no store of this program, or of a later one",
            ));
        }
        let mut batch = Vec::new();
        let mut at = self.end;
        while let Some((flags, table, key, place, next)) = self.record(at, length)? {
            batch.push((flags & LIVE != 0, table, key, place));
            at = next;
            if flags & LAST != 0 {
                batch
                    .drain(..)
                    .for_each(|(is_live, table, key, place)| self.know(is_live, table, key, place));
                self.end = at;
            }
        }
        Ok(())
    }

    /// The whole record at a place: flags, table, key, where its value is and where the next one begins.
    #[allow(clippy::type_complexity)]
    fn record(&self, at: u64, length: u64) -> Result<Option<(u8, u8, Vec<u8>, Place, u64)>> {
        let mut head = [0; HEAD];
        if at + HEAD as u64 > length {
            return Ok(None);
        }
        self.file.read_exact_at(&mut head, at)?;
        let [c0, c1, c2, c3, flags, table, k0, k1, v0, v1, v2, v3] = head;
        let key_length = u16::from_le_bytes([k0, k1]) as usize;
        let value_length = u32::from_le_bytes([v0, v1, v2, v3]);
        let value_at = at + (HEAD + key_length) as u64;
        let next = value_at + u64::from(value_length);
        if next > length || value_length as usize > MAX_VALUE {
            return Ok(None);
        }
        let mut body = vec![0; key_length + value_length as usize];
        self.file.read_exact_at(&mut body, at + HEAD as u64)?;
        if checksum(&[head.get(4..).unwrap_or_default(), &body]) != [c0, c1, c2, c3] {
            return Ok(None);
        }
        body.truncate(key_length);
        Ok(Some((flags, table, body, Place { at: value_at, length: value_length }, next)))
    }

    fn know(&mut self, is_live: bool, table: u8, key: Vec<u8>, place: Place) {
        let size = |key: &[u8], place: &Place| (HEAD + key.len()) as u64 + u64::from(place.length);
        let own = size(&key, &place);
        let id = (table, key);
        let old = if is_live { self.keys.insert(id.clone(), place) } else { self.keys.remove(&id) };
        self.live -= old.map_or(0, |old| size(&id.1, &old));
        self.live += if is_live { own } else { 0 };
    }

    pub fn has(&self, table: u8, key: &[u8]) -> bool {
        self.keys.contains_key(&(table, key.to_vec()))
    }

    pub fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(place) = self.keys.get(&(table, key.to_vec())) else { return Ok(None) };
        let mut value = vec![0; place.length as usize];
        self.file.read_exact_at(&mut value, place.at)?;
        Ok(Some(value))
    }

    /// The keys of a table that begin so, in order.
    pub fn keys<'a>(&'a self, table: u8, prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let from = (table, prefix.to_vec());
        let all = self.keys.range(from..).map(|((table, key), _)| (*table, key.as_slice()));
        all.take_while(move |(t, key)| *t == table && key.starts_with(prefix)).map(|(_, key)| key)
    }

    /// Writes all of it or nothing, and returns when it is on disk.
    pub fn apply(&mut self, changes: &[Change]) -> Result<()> {
        let is_needed = |change: &&Change| change.value.is_some() || self.has(change.table, &change.key);
        let changes: Vec<&Change> = changes.iter().filter(is_needed).collect();
        let Some(last) = changes.len().checked_sub(1) else { return Ok(()) };
        let (mut bytes, mut known) = (Vec::new(), Vec::new());
        for (n, change) in changes.into_iter().enumerate() {
            let flags = if change.value.is_some() { LIVE } else { 0 } | if n == last { LAST } else { 0 };
            let at = self.end + bytes.len() as u64;
            let place = write_record(&mut bytes, at, flags, change)?;
            known.push((change.value.is_some(), change.table, change.key.clone(), place));
        }
        // What an earlier attempt left behind the end is written over.
        self.append(&bytes)?;
        self.end += bytes.len() as u64;
        known.into_iter().for_each(|(is_live, table, key, place)| self.know(is_live, table, key, place));
        if self.end > SMALL && self.end > self.live * 2 {
            self.compact()?;
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        // Remains of one that failed must not follow this one.
        if self.file.metadata()?.len() > self.end {
            self.file.set_len(self.end)?;
        }
        #[cfg(test)]
        self.fault.write(&self.file, bytes, self.end)?;
        self.file.write_all_at(bytes, self.end)?;
        self.file.sync_data()
    }

    /// What is still needed goes to a new file, which takes the place of the old one.
    pub fn compact(&mut self) -> Result<()> {
        let path = self.path.with_extension("new");
        let file = private().read(true).create(true).truncate(true).open(&path)?;
        let (mut bytes, mut end) = (MAGIC.to_vec(), 0);
        let mut keys = BTreeMap::new();
        for (table, key) in self.keys.keys() {
            let value = self.get(*table, key)?;
            let change = Change { table: *table, key: key.clone(), value };
            let at = end + bytes.len() as u64;
            let place = write_record(&mut bytes, at, LIVE | LAST, &change)?;
            keys.insert((*table, key.clone()), place);
            if bytes.len() > 1 << 20 {
                file.write_all_at(&bytes, end)?;
                end += bytes.len() as u64;
                bytes.clear();
            }
        }
        #[cfg(test)]
        self.fault.write(&file, &bytes, end)?;
        file.write_all_at(&bytes, end)?;
        end += bytes.len() as u64;
        file.sync_all()?;
        std::fs::rename(&path, &self.path)?;
        sync_folder(&self.path)?;
        (self.file, self.end, self.live, self.keys) = (file, end, end - MAGIC.len() as u64, keys);
        Ok(())
    }
}

/// Appends a record that will stand at this place of the file.
fn write_record(bytes: &mut Vec<u8>, at: u64, flags: u8, change: &Change) -> Result<Place> {
    let value = change.value.as_deref().unwrap_or_default();
    let (Ok(key_length), true) = (u16::try_from(change.key.len()), value.len() <= MAX_VALUE) else {
        return Err(Error::new(ErrorKind::InvalidInput, "a value or its key is too long for the store"));
    };
    let mut head = vec![flags, change.table];
    head.extend(key_length.to_le_bytes());
    head.extend((value.len() as u32).to_le_bytes());
    let check = checksum(&[&head, &change.key, value]);
    [&check[..], &head, &change.key, value].iter().for_each(|part| bytes.extend_from_slice(part));
    Ok(Place { at: at + (HEAD + change.key.len()) as u64, length: value.len() as u32 })
}

fn checksum(parts: &[&[u8]]) -> [u8; 4] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut check = [0; 4];
    check.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    check
}

/// Nobody else reads it, whatever the umask says.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn sync_folder(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The end of the process in the midst of a write.
#[cfg(test)]
pub mod fault {
    use super::*;

    #[derive(Default)]
    pub struct Fault {
        /// Bytes that still get to the file.
        pub left: Option<usize>,
    }

    impl Fault {
        pub fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> Result<()> {
            let Some(left) = &mut self.left else { return Ok(()) };
            let fits = bytes.get(..*left).filter(|part| part.len() < bytes.len());
            match fits {
                Some(part) => {
                    file.write_all_at(part, at)?;
                    *left = 0;
                    Err(Error::other("killed"))
                }
                None => {
                    *left -= bytes.len();
                    Ok(())
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
