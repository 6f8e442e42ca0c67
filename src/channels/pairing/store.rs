//! The two files of a login: who waits, and who was let in. The original's paths and shapes; members that this program
//! does not know stay.
//!
//! `default` has the original's files, `<channel>-pairing.json` and `<channel>-allowFrom.json`, which were every account's
//! there; another account has `<channel>-<account>-...` of its own, and until somebody is let in by it those of the
//! original count. Nobody is let in by a file that cannot be read, and it is never overwritten: it is moved aside and told.
use super::Login;
use crate::clock;
use crate::error::{Error, Kind as Failure, Result};
use crate::files;
use crate::json::{self, Put};
use serde_json::{Map, Value};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const DEFAULT: &str = "default";
/// Names of strangers are all that is long in these files.
const MAX_BYTES: u64 = 4 << 20;
const MAX_VALUES: usize = 200_000;

/// Which of the two files: what its name ends with, and the member that is its list.
pub(super) struct Kind {
    end: &'static str,
    list: &'static str,
}

pub(super) const REQUESTS: Kind = Kind { end: "pairing.json", list: "requests" };
pub(super) const ALLOWED: Kind = Kind { end: "allowFrom.json", list: "allowFrom" };

/// A file as it was read.
pub(super) struct Kept {
    path: PathBuf,
    whole: Map<String, Value>,
    pub list: Vec<Value>,
}

impl Kind {
    pub fn path(&self, dir: &Path, login: &Login) -> PathBuf {
        dir.join(match login.account.as_str() {
            DEFAULT | "" => format!("{}-{}", login.platform, self.end),
            account => format!("{}-{}-{}", login.platform, safe(account), self.end),
        })
    }

    /// The accounts of a channel that have this file, by name.
    pub fn accounts(&self, dir: &Path, channel: &str) -> Vec<String> {
        let account = |name: &String| {
            let rest = name.strip_prefix(channel)?.strip_prefix('-')?.strip_suffix(self.end)?;
            Some(if rest.is_empty() { DEFAULT.to_string() } else { rest.strip_suffix('-')?.to_string() })
        };
        self.names(dir).iter().filter_map(account).collect()
    }

    /// The names of all files of this kind, sorted.
    pub fn names(&self, dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(self.end)).collect();
        crate::order::sort(&mut names);
        names
    }

    /// What the file holds; `None` when there is none.
    pub fn read(&self, path: &Path) -> Result<Option<Kept>> {
        match self.look(path)? {
            Found::Nothing => Ok(None),
            Found::Kept(kept) => Ok(Some(kept)),
            Found::Damaged(error) => Err(error),
        }
    }

    /// The same for one who will write it, under its lock. A damaged file is moved aside, which the notes tell.
    pub fn read_to_write(&self, path: &Path, notes: &mut Vec<String>) -> Result<Kept> {
        match self.look(path)? {
            Found::Kept(kept) => return Ok(kept),
            Found::Damaged(error) => notes.push(move_aside(path, &error)?),
            Found::Nothing => {}
        }
        let whole = Map::from_iter([("version".to_string(), 1.into())]);
        Ok(Kept { path: path.to_path_buf(), whole, list: Vec::new() })
    }

    fn look(&self, path: &Path) -> Result<Found> {
        let bytes = match files::read_bytes(path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(e) => {
                let text = format!("read {}: {}", path.display(), files::unread(path, &e));
                return Err(Error::new(Failure::Io, text));
            }
        };
        let whole = json::read_object(&bytes, MAX_VALUES, 32).ok();
        let parts = whole.and_then(|mut whole| match whole.get_mut(self.list)?.take() {
            Value::Array(list) => Some((whole, list)),
            _ => None,
        });
        Ok(match parts {
            Some((whole, list)) => Found::Kept(Kept { path: path.to_path_buf(), whole, list }),
            None => Found::Damaged(Error::unavailable(format!(
                "read {}: no JSON object with a list \"{}\"; correct it or move it away",
                path.display(),
                self.list
            ))),
        })
    }
}

enum Found {
    Nothing,
    Kept(Kept),
    Damaged(Error),
}

impl Kept {
    /// On disk when it returns, whatever happens then.
    pub fn write(mut self, kind: &Kind) -> Result<()> {
        self.whole.put(kind.list, self.list);
        let text = format!("{:#}\n", Value::Object(self.whole));
        files::write_atomic(&self.path, text.as_bytes())
    }
}

fn move_aside(path: &Path, error: &Error) -> Result<String> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".corrupt.{}", clock::iso(clock::now_ms()).replace(':', "-")));
    let place = path.with_file_name(name);
    std::fs::rename(path, &place).map_err(|e| Error::io(format_args!("move {}", path.display()), e))?;
    Ok(format!("{error}. It was moved to {}: what it said no longer counts", place.display()))
}

/// An account's id as part of a file's name, as the original writes it.
fn safe(account: &str) -> String {
    let plain =
        |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c) { c } else { '_' };
    account.chars().map(plain).collect()
}
