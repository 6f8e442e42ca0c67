//! Frames: reading a request, writing answers and events, and the scopes a connection holds.
//!
//! Pure text in, values out. Validation against the schemas is called here so that no frame passes without.
use crate::error::{Error, Kind};
use crate::json::{self, DEEPEST, REQUEST_VALUES, Unread};
use crate::protocol::pieces::{Pieces, Place, Shared};
use crate::protocol::schema;
use serde_json::Value;
use std::sync::Arc;

/// A request frame whose shape was checked. Its params are still text: they are read when it is known that the
/// caller may call the method, so that a stranger's large params cost no memory.
#[derive(Debug)]
pub struct Request<'a> {
    pub id: String,
    pub method: String,
    params: &'a str,
}

/// Why a text is not a request frame.
#[derive(Debug)]
pub enum Bad {
    /// Not JSON at all.
    Malformed,
    /// JSON, but no request frame; the id if it has a usable one.
    NotARequest(Option<String>, Error),
}

/// Longest member beside `params` that is looked at, bytes, and most values in it: each is one text.
const MAX_MEMBER: usize = 4096;
const MAX_MEMBER_VALUES: usize = 16;
/// Most values in the params of `connect`, which a stranger sends: the longest real one has some hundred (a node's commands).
pub const MAX_CONNECT_VALUES: usize = 512;
/// The members of a request frame. The last two are of newer clients, taken and not used.
const NAMES: &[&str; 6] = &["params", "type", "id", "method", "traceparent", "expectedProfileId"];

impl<'a> Request<'a> {
    /// Reads a frame's outline. Its text was mended by `json::mend`.
    pub fn parse(text: &'a str) -> Result<Request<'a>, Bad> {
        let Some(members) = json::members(text, NAMES).map_err(|_| Bad::Malformed)? else {
            return Err(not_a_request(None, &Value::Null));
        };
        let [params, rest @ ..] = members.texts;
        let mut frame = json::empty();
        for (name, text) in NAMES.iter().skip(1).zip(rest) {
            if let Some(text) = text {
                let value =
                    (text.len() <= MAX_MEMBER).then(|| json::read(text, MAX_MEMBER_VALUES, DEEPEST).ok());
                json::put(&mut frame, name, value.flatten().unwrap_or_default());
            }
        }
        if let Some(name) = members.other {
            json::put(&mut frame, &name, Value::Null);
        }
        let mut frame = Value::Object(frame);
        if schema::check_request(&frame).is_err() {
            let id = frame.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
            return Err(not_a_request(id.map(str::to_string), &frame));
        }
        let mut text = |name: &str| match frame.get_mut(name).map(Value::take) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        Ok(Request { id: text("id"), method: text("method"), params: params.unwrap_or("null") })
    }

    /// The params as a value of at most `most_values`; missing ones are an empty object.
    pub fn read_params(&self, most_values: usize) -> Result<Value, Error> {
        match json::read(self.params, most_values, DEEPEST) {
            Ok(Value::Null) => Ok(Value::Object(Default::default())),
            Ok(value) => Ok(value),
            Err(no @ Unread::Malformed(_)) => {
                Err(Error::new(Kind::BadFrame, format!("invalid request frame: {no}")))
            }
            Err(Unread::TooMany(most)) => {
                Err(Error::invalid(format!("params hold more than {most} values; send less at a time")))
            }
            Err(Unread::TooDeep(most)) => {
                Err(Error::invalid(format!("params are nested deeper than {most} levels; send flatter ones")))
            }
        }
    }
}

/// What a frame may cost while it is worked on, beyond which others wait: its text, and its values at 128 bytes.
pub fn weight(text: &str) -> usize {
    // Not worth a count: a small frame is at most that many values.
    let values = if text.len() <= MAX_MEMBER { text.len() / 4 } else { json::count(text) };
    text.len() + values.min(REQUEST_VALUES) * 128
}

fn not_a_request(id: Option<String>, frame: &Value) -> Bad {
    let message =
        schema::check_request(frame).err().unwrap_or_else(|| "invalid request frame: must be object".into());
    Bad::NotARequest(id, Error::new(Kind::BadFrame, message))
}

/// A payload on its way out: a value, or JSON text that was serialised before and is shared.
#[derive(Debug, Clone)]
pub enum Payload {
    Value(Value),
    Text(Arc<str>),
}

impl From<Value> for Payload {
    fn from(value: Value) -> Payload {
        Payload::Value(value)
    }
}

impl Payload {
    pub fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Payload::Value(value) => push_json(out, value),
            Payload::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
    }

    /// `{..., "<name>": [...]}` of a list of many rows, as text: each row is a value only until it is written.
    pub fn of_rows(rest: &Value, name: &str, rows: impl Iterator<Item = Value>) -> Payload {
        let mut out = Vec::new();
        push_json(&mut out, rest);
        // All but an empty object ends in a member.
        out.pop();
        out.extend_from_slice(if out.len() > 1 { b"," } else { b"" });
        push_json(&mut out, name);
        out.extend_from_slice(b":[");
        for (n, row) in rows.enumerate() {
            out.extend_from_slice(if n > 0 { b"," } else { b"" });
            push_json(&mut out, &row);
        }
        out.extend_from_slice(b"]}");
        Payload::Text(text_of(out).into())
    }
}

/// The answer to request `id`. That of a failed agent run has a payload too: [`answer_around`].
pub fn answer(id: &str, result: Result<&Payload, &Error>, protocol: u32) -> String {
    let mut out = br#"{"type":"res","id":"#.to_vec();
    push_json(&mut out, id);
    match result {
        Ok(payload) => {
            out.extend_from_slice(br#","ok":true,"payload":"#);
            payload.push_to(&mut out);
        }
        Err(error) => {
            out.extend_from_slice(br#","ok":false,"error":"#);
            push_json(&mut out, &error.to_wire(protocol));
        }
    }
    out.push(b'}');
    text_of(out)
}

/// The same of a payload that others have too, with the error of a run that failed.
pub fn answer_around(id: &str, payload: &Shared, error: Option<&Error>, protocol: u32) -> Pieces {
    let mut out = br#"{"type":"res","id":"#.to_vec();
    push_json(&mut out, id);
    out.extend(format!(",\"ok\":{},\"payload\":", error.is_none()).into_bytes());
    let mut pieces = Pieces::from(text_of(out));
    pieces.put(payload);
    if let Some(error) = error {
        pieces.push_str(&format!(",\"error\":{}", error.to_wire(protocol)));
    }
    pieces.push_str("}");
    pieces
}

/// The stored answer `{ok, payload, error?}` of an earlier request, under the id of its repetition.
pub fn replay(id: &str, stored: &Value) -> String {
    let mut out = br#"{"type":"res","id":"#.to_vec();
    push_json(&mut out, id);
    for (key, value) in stored.as_object().into_iter().flatten() {
        out.push(b',');
        push_json(&mut out, key);
        out.push(b':');
        push_json(&mut out, value);
    }
    out.push(b'}');
    text_of(out)
}

/// An event frame without its last brace, so that each connection can append its own `seq`.
pub fn event(name: &str, payload: &Value) -> String {
    let mut out = begin_event(name);
    push_json(&mut out, payload);
    text_of(out)
}

/// The same with long texts, which other frames have too, in their places.
pub fn event_around(name: &str, payload: &Value, places: &[Place]) -> Pieces {
    Pieces::around(text_of(begin_event(name)), payload, places)
}

/// The same of a payload that is JSON text already, with the versions of presence and health.
pub fn event_of(name: &str, payload: &str, (presence, health): (u64, u64)) -> String {
    let mut out = begin_event(name);
    out.extend_from_slice(payload.as_bytes());
    out.extend(format!(r#","stateVersion":{{"presence":{presence},"health":{health}}}"#).into_bytes());
    text_of(out)
}

fn begin_event(name: &str) -> Vec<u8> {
    let mut out = br#"{"type":"event","event":"#.to_vec();
    push_json(&mut out, name);
    out.extend_from_slice(br#","payload":"#);
    out
}

/// Straight into the frame: what is written may be long.
fn push_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Serialising a `Value` or `str` into memory does not fail.
    let _ = serde_json::to_writer(out, value);
}

/// A frame that is done, which may have to wait: with no room to grow.
fn text_of(mut out: Vec<u8>) -> String {
    out.shrink_to_fit();
    // All of it was text.
    String::from_utf8(out).unwrap_or_default()
}

/// The operator scopes of a connection. `operator.admin` implies all, `operator.write` implies read.
#[derive(Debug, Clone, Default)]
pub struct Scopes(Vec<String>);

impl Scopes {
    pub fn new(scopes: Vec<String>) -> Scopes {
        Scopes(scopes)
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    pub fn has(&self, scope: &str) -> bool {
        self.0.iter().any(|s| s == scope || s == "operator.admin")
    }

    pub fn can_read(&self) -> bool {
        self.has("operator.read") || self.has("operator.write")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn frames_keep_their_shape() {
        let ok = answer("a\"b", Ok(&Payload::Value(json!([1]))), 3);
        assert_eq!(ok, r#"{"type":"res","id":"a\"b","ok":true,"payload":[1]}"#);
        assert_eq!(event("tick", &json!({"ts": 1})), r#"{"type":"event","event":"tick","payload":{"ts":1}"#);
        let event = event_of("tick", r#"{"ts":1}"#, (2, 3));
        assert_eq!(
            event,
            r#"{"type":"event","event":"tick","payload":{"ts":1},"stateVersion":{"presence":2,"health":3}"#
        );
    }

    #[test]
    fn what_others_have_too_reads_as_one_of_ones_own() {
        let text = std::sync::Arc::new(r#"{"ok":true,"payload":[1]}"#.to_string());
        let payload = Shared::part(text, 21..24);
        let told = answer_around("a\"b", &payload, None, 3);
        let own = answer("a\"b", Ok(&Payload::Value(json!([1]))), 3);
        assert_eq!((told.to_string(), told.len()), (own.clone(), own.len()));
        let error = Error::new(Kind::Forbidden, "no");
        let told = answer_around("1", &payload, Some(&error), 4).to_string();
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["ok"], &told["payload"]), (&json!(false), &json!([1])));
        assert_eq!(told["error"]["code"], "FORBIDDEN");
    }

    #[test]
    fn a_list_of_many_rows_reads_as_any_other() {
        for rest in [json!({}), json!({"count": 2, "of": {"a": []}})] {
            for rows in [vec![], vec![json!({"key": "a\"b"}), json!(2)]] {
                let Payload::Text(text) = Payload::of_rows(&rest, "rows", rows.clone().into_iter()) else {
                    panic!("text")
                };
                let mut whole = rest.clone();
                whole["rows"] = json!(rows);
                assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), whole);
            }
        }
    }

    #[test]
    fn missing_and_null_params_become_an_object() {
        for text in [
            r#"{"type":"req","id":"1","method":"m"}"#,
            r#"{"type":"req","id":"1","method":"m","params":null}"#,
        ] {
            assert_eq!(Request::parse(text).unwrap().read_params(REQUEST_VALUES).unwrap(), json!({}));
        }
    }

    #[test]
    fn params_with_too_many_values_are_refused_before_they_are_read() {
        let frame = |params: &str| format!(r#"{{"type":"req","id":"1","method":"m","params":{params}}}"#);
        let many = frame(&format!("[{}0]", "0,".repeat(REQUEST_VALUES)));
        assert!(Request::parse(&many).unwrap().read_params(REQUEST_VALUES).is_err());
        let text = frame(&format!("{{\"message\":\"{}\"}}", ",[{\\\"".repeat(REQUEST_VALUES)));
        assert!(Request::parse(&text).unwrap().read_params(REQUEST_VALUES).is_ok());
    }

    #[test]
    fn s_h4_members_nobody_asked_for_are_told_by_name_and_never_read() {
        let zeros = format!("[{}0]", "0,".repeat(2000));
        let many: String = (0..1000).map(|n| format!(r#","x{n}":{zeros}"#)).collect();
        match Request::parse(&format!(r#"{{"type":"req","id":"7","method":"health"{many}}}"#)) {
            Err(Bad::NotARequest(Some(id), error)) => {
                assert_eq!(id, "7");
                assert_eq!(error.message(), "invalid request frame: at root: unexpected property 'x0'");
            }
            other => panic!("{other:?}"),
        }
        // One that is read is read to a bound.
        let text = format!(r#"{{"type":"req","id":"7","method":"m","traceparent":{zeros}}}"#);
        assert!(matches!(Request::parse(&text), Err(Bad::NotARequest(Some(_), _))));
    }

    #[test]
    fn frames_of_others_are_read_leniently() {
        let frame =
            |params: &str| json::mend(format!(r#"{{"type":"req","id":"1","method":"m","params":{params}}}"#));
        let params = |text: &str| Request::parse(text).unwrap().read_params(REQUEST_VALUES).unwrap();
        assert_eq!(params(&frame(r#"{"a":"\ud83d","n":10.0}"#)), json!({"a": "\u{fffd}", "n": 10}));
        assert_eq!(params(&frame(r#"{"\ude00":1}"#)), json!({"\u{fffd}": 1}));
        let deep = frame(&"[".repeat(500));
        assert!(matches!(Request::parse(&deep), Err(Bad::Malformed)));
        let deep = frame(&format!("{}{}", "[".repeat(500), "]".repeat(500)));
        assert!(Request::parse(&deep).unwrap().read_params(REQUEST_VALUES).is_err());
    }

    #[test]
    fn a_bad_frame_tells_its_id_when_it_has_one() {
        for (text, id) in [(r#"{"id":"x"}"#, Some("x")), (r#"{"id":""}"#, None), ("[]", None), ("null", None)]
        {
            match Request::parse(text) {
                Err(Bad::NotARequest(got, _)) => assert_eq!(got.as_deref(), id, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(Request::parse("{"), Err(Bad::Malformed)));
    }

    #[test]
    fn forbidden_is_called_invalid_request_in_protocol_3() {
        let error = Error::new(Kind::Forbidden, "missing scope: operator.admin");
        assert!(answer("1", Err(&error), 3).contains(r#""code":"INVALID_REQUEST""#));
        assert!(answer("1", Err(&error), 4).contains(r#""code":"FORBIDDEN""#));
    }
}
