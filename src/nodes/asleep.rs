//! What waits for nodes that sleep: commands that a phone in the background could not do (`node.pending.pull`, `.ack`), and
//! wishes of operators for its next visit (`node.pending.enqueue`, `.drain`). In memory, bounded, for a time. Pure.
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::json::{Put, json};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How long a command waits, milliseconds, how many of a node do, and how many bytes of all.
const ACT_MS: u64 = 10 * 60_000;
const MAX_ACTS: usize = 64;
const MAX_BYTES: usize = 1 << 20;
/// Wishes of one node.
const MAX_WISHES: usize = 64;
/// Nodes for which something waits.
const MAX_NODES: usize = 256;

/// What begins a phone's commands that need its screen to be on.
const NEEDS_SCREEN: [&str; 4] = ["canvas.", "camera.", "screen.", "talk."];

/// Whether a command may wait until the phone is looked at again.
pub fn may_wait(command: &str) -> bool {
    NEEDS_SCREEN.iter().any(|prefix| command.starts_with(prefix))
}

struct Act {
    id: String,
    key: String,
    command: String,
    params: Option<String>,
    /// Epoch milliseconds.
    at: u64,
}

struct Wish {
    id: String,
    kind: String,
    priority: String,
    at: u64,
    expires: Option<u64>,
}

#[derive(Default)]
struct Waiting {
    acts: Vec<Act>,
    wishes: Vec<Wish>,
    revision: u64,
}

#[derive(Default)]
pub struct Asleep(BTreeMap<String, Waiting>);

impl Asleep {
    /// One more command waits; gives its id. The same request again is the same command.
    pub fn keep(
        &mut self,
        node: &str,
        command: &str,
        params: Option<String>,
        key: &str,
        now: u64,
    ) -> Result<String> {
        self.expire(now);
        let bytes = |act: &Act| act.params.as_deref().map_or(0, str::len);
        let all: usize = self.0.values().flat_map(|waiting| &waiting.acts).map(bytes).sum();
        let waiting = self.of(node)?;
        if let Some(known) = waiting.acts.iter().find(|act| act.key == key) {
            return Ok(known.id.clone());
        }
        if waiting.acts.len() >= MAX_ACTS || all + params.as_deref().map_or(0, str::len) > MAX_BYTES {
            return Err(Error::unavailable("the node sleeps, and too much waits for it already"));
        }
        let id = ids::uuid()?;
        let (key, command) = (key.to_string(), command.to_string());
        waiting.acts.push(Act { id: id.clone(), key, command, params, at: now });
        Ok(id)
    }

    /// What a node finds when it wakes up, of what it may still be told.
    pub fn pull(&mut self, node: &str, now: u64, may: impl Fn(&str) -> bool) -> Value {
        self.expire(now);
        let shown = |act: &Act| json!({"id": act.id, "command": act.command, "paramsJSON": act.params, "enqueuedAtMs": act.at});
        let acts = self.0.get(node).into_iter().flat_map(|waiting| &waiting.acts);
        json!({"nodeId": node, "actions": (acts.filter(|act| may(&act.command)).map(shown).collect::<Vec<_>>())})
    }

    /// The node has these.
    pub fn ack(&mut self, node: &str, ids: &[String], now: u64) -> Value {
        self.expire(now);
        let mut left = 0;
        if let Some(waiting) = self.0.get_mut(node) {
            waiting.acts.retain(|act| !ids.contains(&act.id));
            left = waiting.acts.len();
        }
        json!({"nodeId": node, "ackedIds": ids, "remainingCount": left})
    }

    /// One more wish; one of the same kind stands for both.
    pub fn wish(
        &mut self,
        node: &str,
        kind: &str,
        priority: &str,
        life: Option<u64>,
        now: u64,
    ) -> Result<Value> {
        self.expire(now);
        let waiting = self.of(node)?;
        waiting.wishes.retain(|wish| wish.kind != kind);
        if waiting.wishes.len() >= MAX_WISHES {
            return Err(Error::new(Kind::Unavailable, "too much waits for this node already"));
        }
        let (kind, priority) = (kind.to_string(), priority.to_string());
        let wish = Wish { id: ids::uuid()?, kind, priority, at: now, expires: life.map(|life| now + life) };
        let queued = wish.shown();
        waiting.wishes.push(wish);
        waiting.revision += 1;
        Ok(json!({"nodeId": node, "revision": waiting.revision, "queued": queued, "wakeTriggered": false}))
    }

    /// Takes the wishes for a node, the urgent ones first.
    pub fn drain(&mut self, node: &str, most: usize, now: u64) -> Value {
        self.expire(now);
        let (mut items, mut revision, mut more) = (Vec::new(), 0, false);
        if let Some(waiting) = self.0.get_mut(node) {
            crate::order::by_key(&mut waiting.wishes, |wish| wish.priority != "high");
            let taken = waiting.wishes.drain(..most.min(waiting.wishes.len()));
            items = taken.map(|wish| wish.shown()).collect();
            waiting.revision += u64::from(!items.is_empty());
            (revision, more) = (waiting.revision, !waiting.wishes.is_empty());
        }
        json!({"nodeId": node, "revision": revision, "items": items, "hasMore": more})
    }

    fn of(&mut self, node: &str) -> Result<&mut Waiting> {
        if self.0.len() >= MAX_NODES && !self.0.contains_key(node) {
            self.0.retain(|_, waiting| !waiting.acts.is_empty() || !waiting.wishes.is_empty());
        }
        if self.0.len() >= MAX_NODES && !self.0.contains_key(node) {
            return Err(Error::unavailable("too much waits for nodes that sleep"));
        }
        Ok(self.0.entry(node.to_string()).or_default())
    }

    fn expire(&mut self, now: u64) {
        for waiting in self.0.values_mut() {
            waiting.acts.retain(|act| now < act.at + ACT_MS);
            waiting.wishes.retain(|wish| wish.expires.is_none_or(|at| now < at));
        }
    }
}

impl Wish {
    fn shown(&self) -> Value {
        let mut item = Map::new();
        item.put("id", self.id.as_str());
        item.put("type", self.kind.as_str());
        item.put("priority", self.priority.as_str());
        item.put("createdAtMs", self.at);
        if let Some(at) = self.expires {
            item.put("expiresAtMs", at);
        }
        Value::Object(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_1_what_waits_for_a_phone_is_kept_once_for_ten_minutes() {
        let mut asleep = Asleep::default();
        let id = asleep.keep("n", "canvas.present", Some("{}".into()), "k", 10).unwrap();
        assert_eq!(asleep.keep("n", "canvas.present", Some("{}".into()), "k", 20).unwrap(), id);
        let shown = asleep.pull("n", 30, |_| true);
        assert_eq!(
            shown,
            json!({"nodeId": "n", "actions": [{"id": id, "command": "canvas.present", "paramsJSON": "{}", "enqueuedAtMs": 10}]})
        );
        assert_eq!(asleep.pull("n", 30, |_| false)["actions"], json!([]), "it may be told no more");
        assert_eq!(asleep.pull("m", 30, |_| true)["actions"], json!([]));
        assert_eq!(asleep.ack("n", &["x".to_string()], 30)["remainingCount"], 1);
        assert_eq!(asleep.ack("n", &[id], 30)["remainingCount"], 0);
        asleep.keep("n", "canvas.hide", None, "l", 40).unwrap();
        assert_eq!(asleep.pull("n", 40 + ACT_MS, |_| true)["actions"], json!([]));
        let large = "x".repeat(MAX_BYTES / 2 + 1);
        asleep.keep("n", "a", Some(large.clone()), "1", 50 + ACT_MS).unwrap();
        assert!(asleep.keep("n", "a", Some(large), "2", 50 + ACT_MS).is_err());
        for n in 0..MAX_ACTS - 1 {
            asleep.keep("n", "a", None, &format!("k{n}"), 50 + ACT_MS).unwrap();
        }
        assert!(asleep.keep("n", "a", None, "one more", 50 + ACT_MS).is_err());
    }

    #[test]
    fn i15_1_wishes_are_taken_once_the_urgent_ones_first() {
        let mut asleep = Asleep::default();
        asleep.wish("n", "status.request", "normal", None, 1).unwrap();
        let queued = asleep.wish("n", "location.request", "high", Some(1000), 1).unwrap();
        assert_eq!((&queued["revision"], &queued["queued"]["expiresAtMs"]), (&json!(2), &json!(1001)));
        asleep.wish("n", "location.request", "high", Some(5000), 2).unwrap();
        let first = asleep.drain("n", 1, 3);
        assert_eq!(
            (&first["items"][0]["type"], &first["hasMore"]),
            (&json!("location.request"), &json!(true))
        );
        let second = asleep.drain("n", 10, 3);
        assert_eq!(
            (&second["items"][0]["type"], &second["hasMore"]),
            (&json!("status.request"), &json!(false))
        );
        assert_eq!(asleep.drain("n", 10, 3)["items"], json!([]));
        asleep.wish("n", "location.request", "high", Some(1000), 10).unwrap();
        assert_eq!(asleep.drain("n", 10, 1010)["items"], json!([]), "it is too late");
    }
}
