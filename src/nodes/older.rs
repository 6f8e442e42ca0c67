//! The older pairing of nodes: `<STATE>/nodes/{pending,paired}.json`, which `node.pair.*` keep. No connection goes by it: who
//! connects is paired as a device. It is kept for programs that still ask by it, in the original's shapes.
//!
//! On the thread of who asks, under a kernel lock; every operation reads, changes and writes. A token is told once, to who
//! approves.
use crate::device::{pretty, records, secret_eq};
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use crate::ids;
use crate::json::Put;
use crate::order;
use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// How long a request waits, milliseconds, and how many do.
const TTL_MS: u64 = 5 * 60_000;
const MAX_PENDING: usize = 50;
/// What a request says of its node.
const SAID: [&str; 11] = [
    "nodeId",
    "displayName",
    "platform",
    "version",
    "coreVersion",
    "uiVersion",
    "deviceFamily",
    "modelIdentifier",
    "caps",
    "commands",
    "remoteIp",
];

type Records = Map<String, Value>;

/// Both files, for as long as the lock is held.
pub struct Older {
    dir: PathBuf,
    pending: Records,
    paired: Records,
    now: u64,
    _lock: Lock,
}

fn text<'v>(record: &'v Value, name: &str) -> &'v str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(record: &Value, name: &str) -> u64 {
    record.get(name).and_then(Value::as_u64).unwrap_or_default()
}

impl Older {
    /// `now` is epoch milliseconds. Requests that are too old are gone.
    pub fn open(state_dir: &Path, now: u64) -> Result<Older> {
        let dir = state_dir.join("nodes");
        let lock = Lock::wait(&dir.join(".lock"))?;
        let mut pending = records(&dir.join("pending.json"))?;
        pending.retain(|_, request| now.abs_diff(number(request, "ts")) <= TTL_MS);
        Ok(Older { paired: records(&dir.join("paired.json"))?, pending, dir, now, _lock: lock })
    }

    /// Requests and nodes, the newest first, without tokens.
    pub fn list(&self) -> (Vec<Value>, Vec<Value>) {
        let mut pending: Vec<Value> = self.pending.values().cloned().collect();
        order::by_key(&mut pending, |request| Reverse(number(request, "ts")));
        let mut paired: Vec<Value> = self.paired.values().map(without_token).collect();
        order::by_key(&mut paired, |record| Reverse(number(record, "approvedAtMs")));
        (pending, paired)
    }

    /// The request of a node, and whether it is a new one.
    pub fn request(mut self, params: &Value) -> Result<(Value, bool)> {
        let node = text(params, "nodeId").trim().to_string();
        if node.is_empty() {
            return Err(Error::invalid("nodeId required"));
        }
        if let Some(known) = self.pending.values().find(|request| text(request, "nodeId") == node) {
            return Ok((known.clone(), false));
        }
        while self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.iter().min_by_key(|(_, request)| number(request, "ts"));
            let oldest = oldest.map(|(id, _)| id.clone()).unwrap_or_default();
            self.pending.shift_remove(&oldest);
        }
        let id = ids::uuid()?;
        let mut request = Map::new();
        request.put("requestId", id.as_str());
        for name in SAID {
            if let Some(value) = params.get(name) {
                request.put(name, value.clone());
            }
        }
        request.put("nodeId", node.as_str());
        if params.get("silent") == Some(&Value::Bool(true)) {
            request.put("silent", true);
        }
        request.put("isRepair", self.paired.contains_key(&node));
        request.put("ts", self.now);
        let request = Value::Object(request);
        self.pending.insert(id, request.clone());
        self.save_pending()?;
        Ok((request, true))
    }

    /// The node with its new token; `None` when there is no such request.
    pub fn approve(mut self, id: &str) -> Result<Option<Value>> {
        let Some(request) = self.pending.shift_remove(id) else { return Ok(None) };
        let node = text(&request, "nodeId").to_string();
        let created = self.paired.get(&node).map_or(self.now, |old| number(old, "createdAtMs"));
        let mut record = Map::new();
        for name in SAID {
            if let Some(value) = request.get(name) {
                record.put(name, value.clone());
            }
        }
        record.put("token", ids::hex(16)?);
        record.put("createdAtMs", created);
        record.put("approvedAtMs", self.now);
        let record = Value::Object(record);
        self.paired.insert(node, record.clone());
        self.save_paired()?;
        self.save_pending()?;
        Ok(Some(record))
    }

    /// The node whose request was refused; `None` when there is no such request.
    pub fn reject(mut self, id: &str) -> Result<Option<String>> {
        let Some(request) = self.pending.shift_remove(id) else { return Ok(None) };
        self.save_pending()?;
        Ok(Some(text(&request, "nodeId").to_string()))
    }

    /// The node, if that is its token.
    pub fn verify(&self, node: &str, token: &str) -> Option<Value> {
        let record = self.paired.get(node.trim())?;
        let held = text(record, "token");
        (!held.is_empty() && secret_eq(held, token)).then(|| without_token(record))
    }

    /// Whether there was such a node.
    pub fn rename(mut self, node: &str, name: &str) -> Result<bool> {
        let record = self.paired.get_mut(node).and_then(Value::as_object_mut);
        let Some(record) = record else { return Ok(false) };
        record.put("displayName", name);
        self.save_paired()?;
        Ok(true)
    }

    /// Whether there was such a node.
    pub fn remove(mut self, node: &str) -> Result<bool> {
        let was_there = self.paired.shift_remove(node).is_some();
        let before = self.pending.len();
        self.pending.retain(|_, request| text(request, "nodeId") != node);
        if was_there {
            self.save_paired()?;
        }
        if self.pending.len() != before {
            self.save_pending()?;
        }
        Ok(was_there)
    }

    fn save_paired(&self) -> Result<()> {
        files::write_atomic(&self.dir.join("paired.json"), &pretty(&self.paired)?)
    }

    fn save_pending(&self) -> Result<()> {
        files::write_atomic(&self.dir.join("pending.json"), &pretty(&self.pending)?)
    }
}

fn without_token(record: &Value) -> Value {
    let members = record.as_object().into_iter().flatten().filter(|(name, _)| *name != "token");
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::testing::StateDir;
    use crate::json::json;

    #[test]
    fn i15_1_a_request_is_made_once_approved_and_verified_by_its_token() {
        let dir = StateDir::new();
        let open = |now| Older::open(&dir.0, now).unwrap();
        let asked =
            json!({"nodeId": "n-1", "displayName": "Legacy", "platform": "ios", "caps": ["canvas"], "x": 1});
        let (request, is_new) = open(1000).request(&asked).unwrap();
        assert!(is_new && request["isRepair"] == false && request.get("x").is_none());
        assert_eq!(open(2000).request(&asked).unwrap(), (request.clone(), false));
        let id = request["requestId"].as_str().unwrap();
        assert!(open(2000).approve("other").unwrap().is_none());
        let node = open(2000).approve(id).unwrap().unwrap();
        let token = node["token"].as_str().unwrap();
        assert_eq!((token.len(), &node["createdAtMs"]), (32, &json!(2000)));
        assert!(open(3000).verify("n-1", token).is_some_and(|node| node.get("token").is_none()));
        assert!(open(3000).verify("n-1", "x").is_none() && open(3000).verify("n-2", token).is_none());
        assert!(open(3000).list().1.iter().all(|node| node.get("token").is_none()), "a token is told once");
        let (again, _) = open(4000).request(&asked).unwrap();
        assert_eq!(again["isRepair"], true);
        let rotated = open(4000).approve(again["requestId"].as_str().unwrap()).unwrap().unwrap();
        assert!(rotated["token"] != node["token"] && rotated["createdAtMs"] == 2000);
        assert!(open(5000).rename("n-1", "Other").unwrap() && !open(5000).rename("n-2", "Other").unwrap());
        let (late, _) = open(6000).request(&json!({"nodeId": "n-2"})).unwrap();
        assert!(open(6001 + TTL_MS).reject(late["requestId"].as_str().unwrap()).unwrap().is_none());
        assert!(open(7000).remove("n-1").unwrap() && !open(7000).remove("n-1").unwrap());
    }

    #[test]
    fn i15_1_a_file_that_is_none_is_left_alone() {
        let dir = StateDir::new();
        std::fs::create_dir_all(dir.0.join("nodes")).unwrap();
        std::fs::write(dir.0.join("nodes/paired.json"), "[]").unwrap();
        let wrong = Older::open(&dir.0, 1).err().unwrap();
        assert!(wrong.message().contains("paired.json"), "{wrong}");
    }
}
