//! Which requests were already accepted: idempotency keys in memory (R-10a). The state thread owns it; the
//! same records stand in the [`super::Journal`], from which it is filled at start.
//!
//! There may be ten thousand of them, so that of one which has ended no more is held than a repetition needs: its key once,
//! the hash, and its answer as the text it has on the disk.
use super::line::{Outcome, Record};
use ring::digest::{Context, SHA256};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::sync::Arc;

/// How long a key is remembered, in milliseconds.
pub const KEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// How many keys are remembered, and how many bytes of texts and results with them.
pub const MAX_KEYS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;
/// Bytes of one beside its texts.
const ONE: usize = 160;

/// Family and key, by `name_of`.
type Name = Arc<str>;

/// What a request with an idempotency key is.
#[derive(Debug, PartialEq)]
pub enum Seen<'a> {
    New,
    /// The same request again; its record has a result unless it is still in flight.
    Same(&'a Known),
    /// The key was used with other parameters.
    Different,
}

/// What is remembered of an accepted request.
#[derive(Debug, PartialEq)]
pub struct Known {
    /// When it was accepted, in epoch milliseconds.
    pub ts: u64,
    /// What was answered; `None` while the request is in flight.
    pub result: Option<Outcome>,
    hash: Box<str>,
    /// As it was accepted, until there is a result.
    open: Option<Box<Record>>,
    /// It ended in a failure that left nothing behind: it may be done again.
    had_no_effect: bool,
}

#[derive(Debug, Default)]
pub struct Dedupe {
    known: HashMap<Name, Known>,
    /// Every name once, oldest first.
    order: VecDeque<Name>,
    bytes: usize,
}

impl Dedupe {
    /// The records as [`super::Journal::open`] gives them, oldest first.
    pub fn from_records(records: Vec<Record>) -> Dedupe {
        let mut dedupe = Dedupe::default();
        records.into_iter().for_each(|record| dedupe.begin(record));
        dedupe
    }

    /// What is known of `key` in `family` (`agent`, `chat`, `send`, `poll`). `now` in epoch milliseconds.
    pub fn check(&self, family: &str, key: &str, params_hash: &str, now: u64) -> Seen<'_> {
        match self.known.get(name_of(family, key).as_str()) {
            Some(known) if known.is_expired(now) => Seen::New,
            Some(known) if *known.hash != *params_hash => Seen::Different,
            Some(known) if !known.had_no_effect => Seen::Same(known),
            _ => Seen::New,
        }
    }

    /// Remembers an accepted request; over the bounds the oldest are forgotten.
    pub fn begin(&mut self, record: Record) {
        let name: Name = name_of(&record.family, &record.key).into();
        self.forget(&name);
        let known = Known::of(record);
        self.bytes += known.size(&name);
        self.order.push_back(name.clone());
        self.known.insert(name, known);
        self.shrink();
    }

    /// Adds the result of a request; its text is needed no more. Gives the record to journal, `None` for an
    /// unknown key.
    pub fn finish(&mut self, family: &str, key: &str, result: impl Into<Outcome>) -> Option<Record> {
        let name = name_of(family, key);
        let known = self.known.get_mut(name.as_str())?;
        self.bytes -= known.size(&name);
        let record = known.end(family, key, result.into());
        self.bytes += known.size(&name);
        self.shrink();
        Some(record)
    }

    /// Forgets a request as if it had never been accepted.
    pub fn cancel(&mut self, family: &str, key: &str) {
        self.forget(&name_of(family, key));
    }

    /// Forgets what is older than a day. Cheap when nothing is.
    pub fn expire(&mut self, now: u64) {
        let is_old = |name: &Name| self.known.get(name).is_none_or(|known| known.is_expired(now));
        let old = self.order.iter().take_while(|name| is_old(name)).count();
        for name in self.order.drain(..old) {
            if let Some(known) = self.known.remove(&name) {
                self.bytes -= known.size(&name);
            }
        }
    }

    /// The oldest request with this key, of whatever family.
    pub fn with_key(&self, key: &str) -> Option<&Known> {
        let name = self.order.iter().find(|name| name.split_once(BETWEEN).is_some_and(|(_, k)| k == key))?;
        self.known.get(name)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    fn shrink(&mut self) {
        // The newest always stays: it is the one being answered.
        while (self.known.len() > MAX_KEYS || self.bytes > MAX_BYTES) && self.known.len() > 1 {
            let Some(name) = self.order.front().cloned() else { break };
            self.forget(&name);
        }
    }

    fn forget(&mut self, name: &str) {
        let Some(known) = self.known.remove(name) else { return };
        self.bytes -= known.size(name);
        // The oldest or, of what is taken back, nearly always the newest.
        if self.order.front().is_some_and(|first| **first == *name) {
            self.order.pop_front();
        } else if let Some(at) = self.order.iter().rposition(|n| **n == *name) {
            self.order.remove(at);
        }
    }
}

impl Known {
    fn of(record: Record) -> Known {
        Known {
            ts: record.ts,
            hash: record.hash.as_str().into(),
            had_no_effect: record.result.as_ref().is_some_and(Outcome::had_no_effect),
            result: record.result.clone(),
            open: record.result.is_none().then(|| Box::new(record)),
        }
    }

    /// Takes the result. Gives what the journal is told.
    fn end(&mut self, family: &str, key: &str, result: Outcome) -> Record {
        // One that had ended already has no more of it.
        let open = self.open.take().map(|open| *open).unwrap_or_else(|| Record {
            family: family.to_string(),
            key: key.to_string(),
            hash: self.hash.to_string(),
            ts: self.ts,
            ..Record::default()
        });
        self.had_no_effect = result.had_no_effect();
        self.result = Some(result.clone());
        Record { message: None, result: Some(result), ..open }
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> Option<&str> {
        self.open.as_ref()?.message.as_deref()
    }

    fn is_expired(&self, now: u64) -> bool {
        self.ts.saturating_add(KEEP_MS) <= now
    }

    /// About how much memory it takes under this name, in bytes.
    fn size(&self, name: &str) -> usize {
        let open = self.open.as_ref().map_or(0, |record| record.size());
        ONE + name.len()
            + self.hash.len()
            + open
            + self.result.as_ref().map_or(0, |result| result.text().len())
    }
}

/// No family has it.
const BETWEEN: char = '\n';

fn name_of(family: &str, key: &str) -> String {
    format!("{family}{BETWEEN}{key}")
}

/// What is told of a key that comes again with another request.
pub fn used_otherwise(key: &str) -> String {
    format!("idempotencyKey {key} was used with other params; use a new key for a new request")
}

/// SHA-256 in hex of parameters as JSON with sorted members, so that their order does not matter. They may be large, so
/// their text never stands in memory.
pub fn params_hash(params: &Value) -> String {
    let mut sum = Sum(Context::new(&SHA256));
    // Taking a sum does not fail, nor does any value.
    let _ = canonical(params, &mut sum);
    crate::ids::encode(sum.0.finish().as_ref())
}

struct Sum(Context);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn canonical(value: &Value, sum: &mut Sum) -> std::io::Result<()> {
    match value {
        Value::Object(map) => {
            let mut names: Vec<_> = map.iter().collect();
            crate::order::by_key(&mut names, |(name, _)| *name);
            sum.write_all(b"{")?;
            for (name, value) in names {
                serde_json::to_writer(&mut *sum, name)?;
                sum.write_all(b":")?;
                canonical(value, sum)?;
                sum.write_all(b",")?;
            }
            sum.write_all(b"}")
        }
        Value::Array(items) => {
            sum.write_all(b"[")?;
            for item in items {
                canonical(item, sum)?;
                sum.write_all(b",")?;
            }
            sum.write_all(b"]")
        }
        other => Ok(serde_json::to_writer(sum, other)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(key: &str, ts: u64) -> Record {
        Record { family: "chat".into(), key: key.into(), hash: "h".into(), ts, ..Record::default() }
    }

    #[test]
    fn r_10a_same_key_gives_the_first_result_and_other_params_differ() {
        let mut dedupe = Dedupe::default();
        assert_eq!(dedupe.check("chat", "k", "h", 5), Seen::New);
        dedupe.begin(record("k", 5));
        assert!(matches!(dedupe.check("chat", "k", "h", 6), Seen::Same(r) if r.result.is_none()));
        assert_eq!(dedupe.check("chat", "k", "other", 6), Seen::Different);
        assert_eq!(dedupe.check("agent", "k", "h", 6), Seen::New);
        assert!(dedupe.finish("chat", "k", json!({"ok": true})).is_some());
        assert!(
            matches!(dedupe.check("chat", "k", "h", 6), Seen::Same(r) if r.result == Some(json!({"ok": true}).into()))
        );
        assert_eq!(dedupe.check("chat", "k", "h", 5 + KEEP_MS), Seen::New);
        dedupe.expire(4 + KEEP_MS);
        assert_eq!(dedupe.len(), 1);
        dedupe.expire(5 + KEEP_MS);
        assert_eq!((dedupe.len(), dedupe.bytes), (0, 0));
        assert!(dedupe.finish("chat", "k", json!(1)).is_none());
    }

    #[test]
    fn r_10a_a_failure_that_had_no_effect_frees_its_key() {
        let mut dedupe = Dedupe::default();
        for (retryable, hash, want) in
            [(true, "h", Seen::New), (true, "other", Seen::Different), (false, "other", Seen::Different)]
        {
            dedupe.begin(record("k", 5));
            dedupe.finish("chat", "k", json!({"ok": false, "error": {"retryable": retryable}}));
            assert_eq!(dedupe.check("chat", "k", hash, 6), want, "{retryable} {hash}");
        }
        assert!(matches!(dedupe.check("chat", "k", "h", 6), Seen::Same(_)), "a final failure stays");
    }

    #[test]
    fn keys_and_bytes_are_bounded() {
        let mut dedupe = Dedupe::default();
        for n in 0..MAX_KEYS + 5 {
            dedupe.begin(record(&n.to_string(), 1));
        }
        assert_eq!(dedupe.len(), MAX_KEYS);
        assert_eq!(dedupe.check("chat", "4", "h", 2), Seen::New);
        dedupe.begin(Record { message: Some("x".repeat(MAX_BYTES)), ..record("big", 1) });
        assert_eq!(dedupe.len(), 1);
        dedupe.cancel("chat", "big");
        assert_eq!((dedupe.len(), dedupe.bytes, dedupe.order.len()), (0, 0, 0));
    }

    /// A day's requests of a busy server: what each costs beside its answer is what R-04b has room for.
    #[test]
    fn r_04b_a_request_that_has_ended_holds_its_answer_and_no_more() {
        let mut dedupe = Dedupe::default();
        dedupe.begin(Record { session_key: Some("agent:main:main".into()), ..record("k", 5) });
        let first = dedupe.finish("chat", "k", json!({"ok": true})).unwrap();
        assert_eq!((first.session_key.as_deref(), first.key.as_str()), (Some("agent:main:main"), "k"));
        let known = dedupe.with_key("k").unwrap();
        assert!(known.open.is_none());
        assert_eq!(known.result.as_ref().unwrap().text(), "{\"ok\":true}");
        assert!(std::mem::size_of::<(Name, Known)>() + std::mem::size_of::<Name>() <= 96);
        // Ended twice, as after a stop: the journal is told the same name.
        let again = dedupe.finish("chat", "k", json!({"ok": false})).unwrap();
        assert_eq!((again.family, again.key, again.hash, again.ts), (first.family, first.key, first.hash, 5));
        assert!(dedupe.with_key("chat").is_none());
    }

    #[test]
    fn the_hash_does_not_depend_on_member_order() {
        let hash = params_hash(&json!({"a": 1, "b": [{"c": "x", "d": null}]}));
        assert_eq!(hash.len(), 64);
        // It stands in journals of earlier versions.
        assert_eq!(
            params_hash(&json!({"b": [1, "\"\n\u{e9}"], "a": null})),
            crate::ids::encode(
                ring::digest::digest(&SHA256, "{\"a\":null,\"b\":[1,\"\\\"\\n\u{e9}\",],}".as_bytes())
                    .as_ref()
            )
        );
        assert_eq!(hash, params_hash(&json!({"b": [{"d": null, "c": "x"}], "a": 1})));
        for other in [json!({"a": "1", "b": [{"c": "x", "d": null}]}), json!({"a": 1, "b": []}), json!({})] {
            assert_ne!(hash, params_hash(&other));
        }
    }
}
