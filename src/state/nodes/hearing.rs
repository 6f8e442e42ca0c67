//! Which nodes hear of which sessions: one that has subscribed to a session gets its `agent` and `chat` events, each once.
//! Part of `Nodes`, on the state thread.
use super::Nodes;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions that one connection hears of.
const MOST: usize = 64;

#[derive(Default)]
pub(super) struct Hearing(BTreeMap<u64, BTreeSet<String>>);

impl Hearing {
    pub(super) fn forget(&mut self, conn: u64) {
        self.0.remove(&conn);
    }
}

impl Nodes {
    /// The connection hears of this session from now on.
    pub fn hear(&mut self, conn: u64, key: &str) -> Result<()> {
        let keys = self.hearing.0.entry(conn).or_default();
        if keys.len() >= MOST && !keys.contains(key) {
            return Err(Error::invalid(format!("this node hears of {MOST} sessions already")));
        }
        keys.insert(key.to_string());
        Ok(())
    }

    pub fn unhear(&mut self, conn: u64, key: &str) {
        if let Some(keys) = self.hearing.0.get_mut(&conn) {
            keys.remove(key);
            if keys.is_empty() {
                self.hearing.0.remove(&conn);
            }
        }
    }

    /// Those who hear of it.
    pub fn hearers(&self, key: &str) -> impl Iterator<Item = u64> {
        self.hearing.0.iter().filter(move |(_, keys)| keys.contains(key)).map(|(conn, _)| *conn)
    }
}
