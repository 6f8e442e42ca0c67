//! Who wants to hear of sessions, and telling them: `sessions.changed` and `session.message`.
//!
//! Part of `State`, on the state thread. A subscription belongs to a connection and ends with it. A change is told
//! at the end of the turn it happened in, with the session's row as it is then: the first at once, what follows at
//! most once a second a session, so that a busy run costs little. Nothing is kept for those who are not here.
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::protocol::events;
use crate::protocol::frame;
use crate::protocol::pieces::Pieces;
use crate::session_key;
use crate::sessions::{envelope, list};
use crate::state::State;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Least time between two `sessions.changed` of a session, milliseconds.
const GAP: u64 = 1000;
/// Sessions whose messages one connection may follow.
const MAX_FOLLOWED: usize = 64;
/// Reasons that clients act on beyond taking the row: told at once, and not replaced by a lesser one that follows.
const DECISIVE: [&str; 6] = ["create", "delete", "reset", "new", "compact", "archive"];

#[derive(Default)]
pub struct Subscriptions {
    /// Connections that hear of every session.
    all: BTreeSet<u64>,
    /// Connections that hear of the messages of these sessions.
    followed: BTreeMap<u64, BTreeSet<String>>,
    changes: Changes,
    /// Whether anybody hears of messages, for the threads of runs.
    are_heard: Arc<AtomicBool>,
}

impl Subscriptions {
    /// The connection hears of every session from now on.
    pub fn add(&mut self, conn: u64) {
        self.all.insert(conn);
        self.note_heard();
    }

    pub fn remove(&mut self, conn: u64) {
        self.all.remove(&conn);
        self.note_heard();
    }

    /// The connection hears of the messages of one more session, at most 64.
    pub fn follow(&mut self, conn: u64, key: &str) -> Result<()> {
        let keys = self.followed.entry(conn).or_default();
        if keys.len() >= MAX_FOLLOWED && !keys.contains(key) {
            return Err(Error::invalid(format!(
                "this connection follows {MAX_FOLLOWED} sessions already; unsubscribe from one first"
            )));
        }
        keys.insert(key.to_string());
        self.note_heard();
        Ok(())
    }

    pub fn unfollow(&mut self, conn: u64, key: &str) {
        if let Some(keys) = self.followed.get_mut(&conn) {
            keys.remove(key);
            if keys.is_empty() {
                self.followed.remove(&conn);
            }
        }
        self.note_heard();
    }

    /// The connection is gone.
    pub fn forget(&mut self, conn: u64) {
        self.all.remove(&conn);
        self.followed.remove(&conn);
        self.note_heard();
    }

    fn note_heard(&self) {
        let are_heard = !self.all.is_empty() || !self.followed.is_empty();
        self.are_heard.store(are_heard, Ordering::Relaxed);
    }

    /// Whether anybody hears of messages: who makes none for nobody need not ask this thread.
    pub(super) fn are_heard(&self) -> Arc<AtomicBool> {
        self.are_heard.clone()
    }

    pub(super) fn changed(&mut self, key: &str, reason: &'static str) {
        if !self.all.is_empty() && !list::is_hidden(key) {
            self.changes.note(key, reason);
        }
    }

    pub(super) fn has_hearers(&self, key: &str) -> bool {
        !list::is_hidden(key) && !self.hearers(key).is_empty()
    }

    /// Those who hear of a message in this session. Who hears of all sessions hears of their messages too.
    fn hearers(&self, key: &str) -> BTreeSet<u64> {
        let following = self.followed.iter().filter(|(_, keys)| keys.contains(key)).map(|(conn, _)| *conn);
        let mut hearers = self.all.clone();
        hearers.extend(following);
        hearers
    }
}

impl State {
    /// Notes that a session was made, changed or removed, or what runs in it. `reason` is one of `create`, `patch`,
    /// `send`, `reset`, `new`, `compact`, `delete`, `update`, or `run`: a run of it has begun or ended.
    pub fn session_changed(&mut self, key: &str, reason: &'static str) {
        self.subscriptions.changed(key, reason);
    }

    /// Tells of a message that the session's transcript has now. `message_id` is its id there.
    pub fn session_message(&mut self, key: &str, message: &Value, message_id: &str) {
        if !self.subscriptions.has_hearers(key) {
            return;
        }
        let hearers = self.subscriptions.hearers(key);
        let mut message = without_pictures(message);
        envelope::strip_message(&mut message);
        envelope::open_message(&mut message);
        if let Some(map) = message.as_object_mut() {
            let marks = map.entry("__openclaw").or_insert_with(|| json!({}));
            if let Some(marks) = marks.as_object_mut() {
                marks.put("id", message_id);
            }
        }
        let mut payload = self.news(key);
        payload.put("message", message);
        payload.put("messageId", message_id);
        self.tell(&hearers, &events::SESSION_MESSAGE, payload);
    }

    /// Tells what has changed and is due; once a turn.
    pub(super) fn flush_subscriptions(&mut self) -> Option<u64> {
        for (key, reason) in self.subscriptions.changes.take_due(self.mono) {
            let mut payload = self.news(&key);
            let is_busy = payload.get("hasActiveRun").is_some_and(|busy| *busy == true);
            let (name, value) = match reason {
                _ if !payload.contains_key("session") => ("reason", "delete"),
                "run" => ("phase", if is_busy { "start" } else { "end" }),
                _ => ("reason", reason),
            };
            payload.insert(name.into(), value.into());
            payload.put("ts", self.now);
            self.tell(&self.subscriptions.all, &events::SESSIONS_CHANGED, payload);
        }
        self.subscriptions.changes.next_due()
    }

    /// The row of a session as `sessions.list` shows it, without what stands in the transcript.
    pub fn session_row(&self, key: &str) -> Option<Value> {
        Some(list::row(key, &self.sessions.get(key)?, None, None, &self.runs.of_session(key)))
    }

    /// What both events say of the session: its row, and once more what clients look for outside of it.
    fn news(&self, key: &str) -> Map<String, Value> {
        const REPEATED: [&str; 5] = ["sessionId", "updatedAt", "hasActiveRun", "activeRunIds", "status"];
        let mut payload = Map::new();
        payload.put("sessionKey", key);
        payload.put("agentId", self.sessions.owner(key).unwrap_or(session_key::agent_of(key)));
        let Some(row) = self.session_row(key) else { return payload };
        for name in REPEATED {
            if let Some(value) = row.get(name) {
                payload.insert(name.into(), value.clone());
            }
        }
        // Says that no other session is concerned; without it the newest clients ask for the whole list again.
        if row.get("spawnedBy").is_none() {
            payload.put("ancestorSessions", json!([]));
        }
        payload.put("session", row);
        payload
    }

    fn tell(&self, hearers: &BTreeSet<u64>, event: &'static events::Event, payload: Map<String, Value>) {
        let body: Arc<Pieces> = Arc::new(frame::event(event.name, &Value::Object(payload)).into());
        for conn in hearers {
            self.clients.send(*conn, event, body.clone());
        }
    }
}

/// Changes that wait to be told, and when sessions were last told of (monotonic clock, milliseconds).
#[derive(Default)]
struct Changes {
    waiting: BTreeMap<String, &'static str>,
    told: BTreeMap<String, u64>,
}

impl Changes {
    fn note(&mut self, key: &str, reason: &'static str) {
        match self.waiting.get_mut(key) {
            Some(before) if DECISIVE.contains(before) && !DECISIVE.contains(&reason) => {}
            Some(before) => *before = reason,
            None => {
                self.waiting.insert(key.to_string(), reason);
            }
        }
    }

    fn take_due(&mut self, mono: u64) -> Vec<(String, &'static str)> {
        self.told.retain(|_, at| mono < *at + GAP);
        let is_due = |key: &String, reason: &str| DECISIVE.contains(&reason) || !self.told.contains_key(key);
        let due: Vec<(String, &'static str)> = self
            .waiting
            .iter()
            .filter(|(key, reason)| is_due(key, reason))
            .map(|(key, reason)| (key.clone(), *reason))
            .collect();
        for (key, _) in &due {
            self.waiting.remove(key);
            self.told.insert(key.clone(), mono);
        }
        due
    }

    fn next_due(&self) -> Option<u64> {
        self.waiting.keys().map(|key| self.told.get(key).map_or(0, |at| at + GAP)).min()
    }
}

/// The message with large pictures named instead of sent: a few of them would fill every follower's outbox. Who wants
/// to see them asks `chat.history`.
fn without_pictures(message: &Value) -> Value {
    const LARGE: usize = 64 << 10;
    let size = |block: &Value| block.get("data").and_then(Value::as_str).map_or(0, str::len);
    let Some(blocks) = message.get("content").and_then(Value::as_array) else { return message.clone() };
    if !blocks.iter().any(|block| size(block) > LARGE) {
        return message.clone();
    }
    let named = |block: &Value| match size(block) {
        0..=LARGE => block.clone(),
        length => {
            json!({"type": "image", "mimeType": (block.get("mimeType").cloned()), "omitted": true, "bytes": (length / 4 * 3)})
        }
    };
    let mut copy: Map<String, Value> = message
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "content")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    copy.insert("content".to_string(), Value::Array(blocks.iter().map(named).collect()));
    Value::Object(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_session_is_told_of_once_a_second() {
        let mut changes = Changes::default();
        let mut told = 0;
        for mono in 0..10_000 {
            changes.note("a", "update");
            told += changes.take_due(mono).len();
        }
        assert_eq!(told, 10);
        assert_eq!(changes.next_due(), Some(10_000), "the last change is told a second after the one before");
        assert_eq!(changes.take_due(10_000), [("a".to_string(), "update")]);
        assert_eq!((changes.next_due(), changes.take_due(30_000)), (None, Vec::new()));
        assert!(changes.told.is_empty(), "nothing is kept of what was told long ago");
    }

    #[test]
    fn a_decisive_reason_is_told_at_once_and_survives_what_follows() {
        let mut changes = Changes::default();
        let told = |changes: &mut Changes, mono| changes.take_due(mono).first().map(|(_, reason)| *reason);
        changes.note("a", "run");
        assert_eq!(told(&mut changes, 5), Some("run"));
        changes.note("a", "run");
        assert_eq!((told(&mut changes, 6), changes.next_due()), (None, Some(1005)));
        changes.note("a", "reset");
        changes.note("a", "run");
        assert_eq!(told(&mut changes, 7), Some("reset"));
        changes.note("b", "reset");
        changes.note("b", "delete");
        assert_eq!(told(&mut changes, 8), Some("delete"));
    }

    #[test]
    fn subscriptions_are_counted_and_forgotten() {
        let mut subscriptions = Subscriptions::default();
        let hearers = |s: &Subscriptions, key: &str| s.hearers(key).into_iter().collect::<Vec<_>>();
        for n in 0..MAX_FOLLOWED {
            subscriptions.follow(1, &format!("k{n}")).unwrap();
        }
        subscriptions.follow(1, "k0").unwrap();
        assert!(subscriptions.follow(1, "more").is_err());
        subscriptions.unfollow(1, "k1");
        subscriptions.follow(1, "more").unwrap();
        subscriptions.add(2);
        subscriptions.follow(2, "k0").unwrap();
        assert_eq!(hearers(&subscriptions, "k0"), [1, 2], "each once");
        assert_eq!((hearers(&subscriptions, "k1"), hearers(&subscriptions, "more")), (vec![2], vec![1, 2]));
        subscriptions.remove(2);
        assert_eq!(hearers(&subscriptions, "more"), [1]);
        subscriptions.forget(1);
        subscriptions.unfollow(2, "k0");
        assert!(subscriptions.all.is_empty() && subscriptions.followed.is_empty());
    }
}
