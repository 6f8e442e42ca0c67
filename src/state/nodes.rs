//! Which nodes are connected, what they were told to do, and what they hear of. On the state thread.
//!
//! A node may have several connections: the newest is told what to do, the others serve when it ends. What a node was told
//! and has not answered is a question that only that connection may answer (`calls::Pending`); `nodes/invoking.rs` asks
//! and answers, `nodes/hearing.rs` tells nodes of sessions.
mod hearing;
mod invoking;
mod known;
mod left;

use crate::calls::Pending;
use crate::nodes::asleep::Asleep;
use crate::nodes::node::Announced;
use crate::state::State;
use hearing::Hearing;
use invoking::Invoke;
pub use invoking::{Shape, Told};
use known::Known;
use left::Left;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Commands that one caller waits for, and all do.
const MAX_EACH: usize = 64;
const MAX_ALL: usize = 512;
/// Nodes of which numbers are kept.
const MAX_STATS: usize = 512;

/// One connection of a node.
#[derive(Clone)]
pub struct Link {
    pub conn: u64,
    pub about: Arc<Announced>,
    /// When it came, epoch milliseconds.
    pub since: u64,
    pub remote: Option<String>,
    /// It has proved a device that is paired.
    pub is_paired: bool,
}

pub struct Nodes {
    /// By the node's id, the newest connection last.
    links: BTreeMap<String, Vec<Link>>,
    asked: Pending,
    /// What is asked, by its id.
    invokes: HashMap<String, Invoke>,
    known: Known,
    left: Left,
    hearing: Hearing,
    pub asleep: Asleep,
    /// What nodes said last of their load, memory and disk.
    pub stats: BTreeMap<String, Value>,
}

impl Default for Nodes {
    fn default() -> Nodes {
        Nodes {
            links: BTreeMap::new(),
            asked: Pending::bounded(MAX_EACH, MAX_ALL),
            invokes: HashMap::new(),
            known: Known::default(),
            left: Left::default(),
            hearing: Hearing::default(),
            asleep: Asleep::default(),
            stats: BTreeMap::new(),
        }
    }
}

impl Nodes {
    pub fn enter(&mut self, id: &str, link: Link) {
        self.links.entry(id.to_string()).or_default().push(link);
    }

    /// The connection that is told what to do.
    pub fn link(&self, id: &str) -> Option<&Link> {
        self.links.get(id)?.last()
    }

    /// All that are here, by their ids.
    pub fn here(&self) -> Vec<(String, Link)> {
        let newest = |(id, links): (&String, &Vec<Link>)| Some((id.clone(), links.last()?.clone()));
        self.links.iter().filter_map(newest).collect()
    }

    pub fn note_stats(&mut self, id: &str, stats: Value) {
        if self.stats.len() >= MAX_STATS && !self.stats.contains_key(id) {
            let gone = self.stats.keys().find(|id| !self.links.contains_key(*id)).cloned();
            self.stats.remove(&gone.unwrap_or_default());
        }
        self.stats.insert(id.to_string(), stats);
    }
}

impl State {
    /// A connection is gone, whoever's it was.
    pub(super) fn node_left(&mut self, conn: u64, node: Option<&str>) {
        if let Some(id) = node
            && let Some(links) = self.nodes.links.get_mut(id)
        {
            links.retain(|link| link.conn != conn);
            if links.is_empty() {
                self.nodes.links.remove(id);
            }
        }
        self.nodes.hearing.forget(conn);
    }
}
