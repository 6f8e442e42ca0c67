//! The payload of `chat.history`: the newest messages of a transcript as a client shows them. Runs on the
//! connection's thread.
use crate::clock;
use crate::error::Result;
use crate::json::{Put, json};
use crate::sessions::entry::Entry;
use crate::sessions::transcript::{Transcript, kind};
use crate::sessions::{envelope, estimate, message};
use serde_json::{Map, Value};
use std::ops::ControlFlow;

const DEFAULT_LIMIT: usize = 200;
const MAX_LIMIT: usize = 1000;
/// The message array as JSON is at most this long, in bytes, unless it is a single message.
const MAX_BYTES: usize = 6 << 20;

/// The messages of a transcript for display, oldest first. With their ids for who is told of each message too
/// (`session.message`), and must know it again.
pub fn messages(transcript: &Transcript, limit: Option<usize>, with_ids: bool) -> Result<Vec<Value>> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let shown = transcript.tail(limit)?.into_iter().filter_map(|entry| shown(entry, with_ids)).collect();
    Ok(cap(shown, MAX_BYTES))
}

/// The messages as people see them, the last one first, until `each` breaks. One is in memory at a time.
pub fn back(transcript: &Transcript, mut each: impl FnMut(Value) -> ControlFlow<()>) -> Result<()> {
    transcript.walk_back(|entry, _| match shown(entry, true) {
        Some(mut message) => {
            envelope::open_message(&mut message);
            each(message)
        }
        None => ControlFlow::Continue(()),
    })
}

/// The last texts that people and the agent said in a chat, oldest first: `{role, text, timestamp}`. Other chats, and clients
/// of the gateway, may be in the same conversation; `chats` are the names that this one has and had.
pub fn said(transcript: &Transcript, chats: &[String], limit: usize) -> Result<Vec<Value>> {
    let all = transcript.tail(MAX_LIMIT)?;
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_string);
    let is = |entry: &Value, name: &str| {
        entry.get(name).and_then(Value::as_str).is_some_and(|named| chats.iter().any(|chat| chat == named))
    };
    let answered = all.iter().filter(|e| is(e, message::CHAT) || is(e, message::ANSWERED_IN));
    let runs: Vec<String> = answered.filter_map(|entry| text(entry, "runId")).collect();
    let is_answer = |entry: &Value| {
        let is_its = text(entry, "runId").is_some_and(|run| runs.contains(&run));
        is_its && entry.get("message").is_some_and(|message| message::role(message) == "assistant")
    };
    // What a command there had the gateway ask is nobody's word.
    let is_word = |entry: &Value| is(entry, message::CHAT) && entry.get(message::ASKED_BY).is_none();
    let of_chat = all.into_iter().rev().filter(|entry| is_word(entry) || is_answer(entry));
    let texts = of_chat.filter_map(|entry| shown(entry, false)).filter_map(|m| {
        let text = message::text_of(&m);
        let shown =
            json!({"role": (message::role(&m)), "text": (text.trim()), "timestamp": (m.get("timestamp"))});
        (!text.trim().is_empty()).then_some(shown)
    });
    let mut texts: Vec<Value> = texts.take(limit).collect();
    texts.reverse();
    Ok(texts)
}

/// The whole payload. `key` is echoed as the client sent it; `entry` is `None` for an unknown session;
/// `thinking` is the level that holds when the session sets none.
pub fn payload(key: &str, entry: Option<&Entry>, thinking: &str, messages: Vec<Value>) -> Value {
    let mut map = Map::new();
    map.put("sessionKey", key);
    if let Some(id) = entry.and_then(Entry::session_id) {
        map.put("sessionId", id);
    }
    let level = entry.and_then(|e| e.str("thinkingLevel")).unwrap_or(thinking);
    map.put("thinkingLevel", level);
    if let Some(level) = entry.and_then(|e| e.str("verboseLevel")) {
        map.put("verboseLevel", level);
    }
    map.put("messages", messages);
    Value::Object(map)
}

fn shown(mut entry: Value, with_ids: bool) -> Option<Value> {
    if kind(&entry) == "compaction" {
        let time = entry.get("timestamp").and_then(Value::as_str).and_then(clock::parse_iso).unwrap_or(0);
        return Some(json!({
            "role": "system", "content": [message::text("Compaction")], "timestamp": time,
            "__openclaw": {"kind": "compaction", "id": entry.get("id")},
        }));
    }
    let mut message = entry.get_mut("message").map(Value::take).filter(Value::is_object)?;
    envelope::strip_message(&mut message);
    let id = entry.get("id").and_then(Value::as_str).filter(|_| with_ids);
    Some(match id {
        Some(id) => message::marked(message, id, &entry),
        None => message::with_asker(message, &entry),
    })
}

/// Drops messages from the front until the array fits; one always stays.
fn cap(mut messages: Vec<Value>, max: usize) -> Vec<Value> {
    let mut total = 1;
    let mut keep = 0;
    for message in messages.iter().rev() {
        total += estimate::json_len(message) + 1;
        if total > max && keep > 0 {
            break;
        }
        keep += 1;
    }
    messages.drain(..messages.len() - keep);
    messages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn messages_are_shown_as_typed_with_compactions_marked() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        let typed = envelope::with_message_id(&envelope::stamp("hi there", 0, Some("UTC")), "k1");
        let ids = t.append(&[message::user_text(&typed, 7), message::injected("yes", Some("L"), 8)]).unwrap();
        t.append(&[message::compaction("s", &ids[0], 0), message::model_change("p", "m")]).unwrap();
        let got = messages(&t, None, false).unwrap();
        assert_eq!(got.len(), 3);
        assert_eq!(
            got[0],
            json!({"role": "user", "content": [{"type": "text", "text": "hi there"}], "timestamp": 7})
        );
        assert_eq!(message::text_of(&got[1]), "[L]\n\nyes");
        assert_eq!(
            (&got[2]["role"], &got[2]["__openclaw"]["kind"]),
            (&json!("system"), &json!("compaction"))
        );
        assert!(got[2]["timestamp"].as_u64().unwrap() > 1_700_000_000_000);
        assert_eq!(messages(&t, Some(1), false).unwrap().len(), 1);
        let unknown = payload("main", None, "off", Vec::new());
        assert_eq!(unknown, json!({"sessionKey": "main", "thinkingLevel": "off", "messages": []}));
    }

    #[test]
    fn i11_5_a_chat_is_shown_without_what_was_said_elsewhere_in_its_conversation() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        let with = |mut entry: Value, run: &str, chat: Option<(&str, &str)>| {
            let map = entry.as_object_mut().unwrap();
            map.put("runId", run);
            chat.into_iter().for_each(|(name, chat)| map.put(name, chat));
            entry
        };
        let asked = |text: &str, run: &str, chat| with(message::user_text(text, 1), run, chat);
        let answer = |text: &str, run: &str| with(message::injected(text, None, 2), run, None);
        let (ann, bob) = ("telegram:default:1001", "telegram:default:1002");
        let mut greet = asked("greet them", "n", Some((message::CHAT, ann)));
        greet[message::ASKED_BY] = "command".into();
        t.append(&[
            greet,
            answer("hello Ann", "n"),
            asked("from Ann", "a", Some((message::CHAT, ann))),
            asked("from the page, into her turn", "w", None),
            answer("to Ann", "a"),
            asked("from Bob", "b", Some((message::CHAT, bob))),
            answer("to Bob", "b"),
            answer("to the page", "w"),
            asked("a client's order", "d", Some((message::ANSWERED_IN, ann))),
            answer("delivered to Ann", "d"),
            with(message::injected("sent to Ann", None, 3), "", Some((message::CHAT, ann))),
        ])
        .unwrap();
        let texts = |limit| -> Vec<String> {
            let said = said(&t, &[ann.to_string()], limit).unwrap();
            said.iter().map(|m| m["text"].as_str().unwrap().to_string()).collect()
        };
        assert_eq!(texts(9), ["hello Ann", "from Ann", "to Ann", "delivered to Ann", "sent to Ann"]);
        assert_eq!(texts(1), ["sent to Ann"]);
    }

    #[test]
    fn the_array_is_capped_from_the_front_and_keeps_one() {
        let messages: Vec<Value> = (0..9).map(|n| json!({"n": n})).collect();
        for max in 0..100 {
            let got = cap(messages.clone(), max);
            assert_eq!(got.last(), messages.last());
            let len = serde_json::to_string(&got).unwrap().len();
            assert!(len <= max || got.len() == 1);
            let one_more = &messages[messages.len() - (got.len() + 1).min(9)..];
            assert!(got.len() == 9 || serde_json::to_string(one_more).unwrap().len() > max);
        }
    }
}
