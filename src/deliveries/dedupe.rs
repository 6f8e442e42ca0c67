//! Which requests were already accepted: idempotency keys in memory (R-10a). The state thread owns it; the
//! same records stand in the [`super::Journal`], from which it is filled at start.
use super::line::Record;
use ring::digest::{Context, SHA256};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::io::Write;

/// How long a key is remembered, in milliseconds.
pub const KEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// How many keys are remembered, and how many bytes of texts and results with them.
pub const MAX_KEYS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;

type Key = (String, String);

/// What a request with an idempotency key is.
#[derive(Debug, PartialEq)]
pub enum Seen<'a> {
    New,
    /// The same request again; its record has a result unless it is still in flight.
    Same(&'a Record),
    /// The key was used with other parameters.
    Different,
}

#[derive(Debug, Default)]
pub struct Dedupe {
    records: HashMap<Key, Record>,
    /// Every key once, oldest first.
    order: VecDeque<Key>,
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
        match self.records.get(&(family.to_string(), key.to_string())) {
            Some(record) if record.is_expired(now) => Seen::New,
            Some(record) if record.hash != params_hash => Seen::Different,
            Some(record) if !record.had_no_effect() => Seen::Same(record),
            _ => Seen::New,
        }
    }

    /// Remembers an accepted request; over the bounds the oldest are forgotten.
    pub fn begin(&mut self, record: Record) {
        let key = (record.family.clone(), record.key.clone());
        self.forget(&key);
        self.bytes += record.size();
        self.order.push_back(key.clone());
        self.records.insert(key, record);
        self.shrink();
    }

    /// Adds the result of a request; its text is needed no more. Gives the record to journal, `None` for an
    /// unknown key.
    pub fn finish(&mut self, family: &str, key: &str, result: Value) -> Option<Record> {
        let record = self.records.get_mut(&(family.to_string(), key.to_string()))?;
        self.bytes -= record.size();
        record.message = None;
        record.result = Some(result.into());
        self.bytes += record.size();
        let record = record.clone();
        self.shrink();
        Some(record)
    }

    /// Forgets a request as if it had never been accepted.
    pub fn cancel(&mut self, family: &str, key: &str) {
        self.forget(&(family.to_string(), key.to_string()));
    }

    /// Forgets what is older than a day. Cheap when nothing is.
    pub fn expire(&mut self, now: u64) {
        while let Some(key) =
            self.order.front().filter(|k| self.records.get(*k).is_none_or(|r| r.is_expired(now))).cloned()
        {
            self.forget(&key);
        }
    }

    /// The records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.order.iter().filter_map(|key| self.records.get(key))
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    fn shrink(&mut self) {
        // The newest always stays: it is the one being answered.
        while (self.records.len() > MAX_KEYS || self.bytes > MAX_BYTES) && self.records.len() > 1 {
            let Some(key) = self.order.front().cloned() else { break };
            self.forget(&key);
        }
    }

    fn forget(&mut self, key: &Key) {
        let Some(record) = self.records.remove(key) else { return };
        self.bytes -= record.size();
        // Nearly always the first one.
        if let Some(at) = self.order.iter().position(|k| k == key) {
            self.order.remove(at);
        }
    }
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
            matches!(dedupe.check("chat", "k", "h", 6), Seen::Same(r) if r.result.as_deref() == Some(&json!({"ok": true})))
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
