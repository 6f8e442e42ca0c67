//! What the whole house knows of the channels that are built in: their names, their keys, their folder. A row in [`KNOWN`]
//! and a file each; what a channel does stands in its folder of `channels/`. Pure data.
//!
//! A channel whose section nobody checks, and one that a program speaks for, needs no row here.
mod telegram;

pub use telegram::KNOWN as TELEGRAM;

use crate::config::keys::Key;
use serde_json::{Map, Value};

/// A key with which something is wrong, and why.
pub type Fault = Option<(&'static str, &'static str)>;

pub struct Known {
    /// Its key below `channels`, and its name on the wire.
    pub id: &'static str,
    /// Its name for people; an envelope begins with it.
    pub label: &'static str,
    /// The directory that it keeps in the state directory; no agent touches it.
    pub folder: Option<&'static str>,
    /// That of its section first, ordered as the table of keys is.
    pub keys: &'static [Key],
    /// What is wrong between keys of one object of its section.
    pub rule: fn(&Map<String, Value>) -> Fault,
}

/// All of them, by their ids.
pub const KNOWN: &[Known] = &[TELEGRAM];

/// How many keys they have.
pub const KEYS: usize = {
    let (mut rest, mut count) = (KNOWN, 0);
    while let [known, others @ ..] = rest {
        (rest, count) = (others, count + known.keys.len());
    }
    count
};

/// Directories of the state directory that are theirs.
pub fn folders() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().filter_map(|known| known.folder)
}

/// What is wrong between the keys of the object at `path`, if a channel's section or something below it.
pub fn fault(path: &str, object: &Map<String, Value>) -> Fault {
    let id = path.strip_prefix("channels.")?.split('.').next()?;
    (KNOWN.iter().find(|known| known.id == id)?.rule)(object)
}

/// The table of keys with theirs, each section at its place.
#[expect(clippy::indexing_slicing, reason = "made by the compiler, which refuses an index that is wrong")]
pub const fn joined<const ALL: usize>(rows: &[Key]) -> [Key; ALL] {
    let mut all = [rows[0]; ALL];
    let (mut to, mut row, mut channel) = (0, 0, 0);
    while to < ALL {
        let own = if channel < KNOWN.len() { KNOWN[channel].keys } else { &[] };
        if own.is_empty() || row < rows.len() && is_before(rows[row].path, own[0].path) {
            all[to] = rows[row];
            (to, row) = (to + 1, row + 1);
            continue;
        }
        channel += 1;
        let mut key = 0;
        while key < own.len() {
            all[to] = own[key];
            (to, key) = (to + 1, key + 1);
        }
    }
    all
}

/// By their segments; neither is the whole of the other.
#[expect(clippy::indexing_slicing, reason = "made by the compiler, which refuses an index that is wrong")]
const fn is_before(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() || at < other.len() && (one[at] == b'.' || other[at] != b'.' && one[at] < other[at])
}
