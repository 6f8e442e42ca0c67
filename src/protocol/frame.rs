//! Frames: reading a request, writing answers and events, and the scopes a connection holds.
//!
//! Pure text in, values out. Validation against the schemas is called here so that no frame passes without.
use crate::error::{Error, Kind};
use crate::protocol::schema;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
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

/// Longest member beside `params` that is looked at, bytes.
const MAX_MEMBER: usize = 4096;
/// Most values in the params of a request.
const MAX_VALUES: usize = 50_000;

impl<'a> Request<'a> {
    pub fn parse(text: &'a str) -> Result<Request<'a>, Bad> {
        let members: BTreeMap<String, &RawValue> = match serde_json::from_str(text) {
            Ok(members) => members,
            Err(_) => {
                serde_json::from_str::<&RawValue>(text).map_err(|_| Bad::Malformed)?;
                return Err(not_a_request(None, &Value::Null));
            }
        };
        let params = members.get("params").map_or("null", |raw| raw.get());
        let shallow = |(name, raw): (String, &RawValue)| {
            let is_read = name != "params" && raw.get().len() <= MAX_MEMBER;
            let value = is_read.then(|| serde_json::from_str(raw.get()).ok()).flatten();
            (name, value.unwrap_or_default())
        };
        let mut frame = Value::Object(members.into_iter().map(shallow).collect());
        if schema::check_request(&frame).is_err() {
            let id = frame.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
            return Err(not_a_request(id.map(str::to_string), &frame));
        }
        let mut text = |name: &str| match frame.get_mut(name).map(Value::take) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        Ok(Request { id: text("id"), method: text("method"), params })
    }

    /// The params as a value; missing ones are an empty object.
    pub fn read_params(&self) -> Result<Value, Error> {
        if count_values(self.params) > MAX_VALUES {
            return Err(Error::invalid(format!(
                "params hold more than {MAX_VALUES} values; send less at a time"
            )));
        }
        match serde_json::from_str(self.params) {
            Ok(Value::Null) => Ok(Value::Object(Default::default())),
            Ok(value) => Ok(value),
            // Cannot happen: the text is part of a JSON text that was read before.
            Err(e) => Err(Error::new(Kind::BadFrame, format!("invalid request frame: {e}"))),
        }
    }
}

fn not_a_request(id: Option<String>, frame: &Value) -> Bad {
    let message =
        schema::check_request(frame).err().unwrap_or_else(|| "invalid request frame: must be object".into());
    Bad::NotARequest(id, Error::new(Kind::BadFrame, message))
}

/// About how many values a JSON text holds, without reading it into memory.
fn count_values(text: &str) -> usize {
    let (mut count, mut in_string, mut escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
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

/// The answer to request `id`. A failed agent run has a payload and an error (`failed`).
pub fn answer(id: &str, result: Result<&Payload, &Error>, failed: Option<&Value>, protocol: u32) -> String {
    let mut out = String::with_capacity(128);
    out.push_str(r#"{"type":"res","id":"#);
    push_json(&mut out, id);
    match result {
        Ok(payload) => {
            out.push_str(r#","ok":true,"payload":"#);
            match payload {
                Payload::Value(value) => push_json(&mut out, value),
                Payload::Text(text) => out.push_str(text),
            }
        }
        Err(error) => {
            out.push_str(r#","ok":false"#);
            if let Some(payload) = failed {
                out.push_str(r#","payload":"#);
                push_json(&mut out, payload);
            }
            out.push_str(r#","error":"#);
            push_json(&mut out, &error.to_wire(protocol));
        }
    }
    out.push('}');
    out
}

/// The stored answer `{ok, payload, error?}` of an earlier request, under the id of its repetition.
pub fn replay(id: &str, stored: &Value) -> String {
    let mut out = String::from(r#"{"type":"res","id":"#);
    push_json(&mut out, id);
    for (key, value) in stored.as_object().into_iter().flatten() {
        out.push(',');
        push_json(&mut out, key);
        out.push(':');
        push_json(&mut out, value);
    }
    out.push('}');
    out
}

/// An event frame without its last brace, so that each connection can append its own `seq`.
pub fn event(name: &str, payload: &Value, versions: Option<(u64, u64)>) -> String {
    let mut out = String::with_capacity(256);
    out.push_str(r#"{"type":"event","event":"#);
    push_json(&mut out, name);
    out.push_str(r#","payload":"#);
    push_json(&mut out, payload);
    if let Some((presence, health)) = versions {
        out.push_str(&format!(r#","stateVersion":{{"presence":{presence},"health":{health}}}"#));
    }
    out
}

fn push_json<T: serde::Serialize + ?Sized>(out: &mut String, value: &T) {
    // Serialising a `Value` or `str` into memory cannot fail; should it ever, the frame carries null.
    out.push_str(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_string()));
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
        let ok = answer("a\"b", Ok(&Payload::Value(json!([1]))), None, 3);
        assert_eq!(ok, r#"{"type":"res","id":"a\"b","ok":true,"payload":[1]}"#);
        let event = event("tick", &json!({"ts": 1}), Some((2, 3)));
        assert_eq!(
            event,
            r#"{"type":"event","event":"tick","payload":{"ts":1},"stateVersion":{"presence":2,"health":3}"#
        );
    }

    #[test]
    fn missing_and_null_params_become_an_object() {
        for text in [
            r#"{"type":"req","id":"1","method":"m"}"#,
            r#"{"type":"req","id":"1","method":"m","params":null}"#,
        ] {
            assert_eq!(Request::parse(text).unwrap().read_params().unwrap(), json!({}));
        }
    }

    #[test]
    fn params_with_too_many_values_are_refused_before_they_are_read() {
        let frame = |params: &str| format!(r#"{{"type":"req","id":"1","method":"m","params":{params}}}"#);
        let many = frame(&format!("[{}0]", "0,".repeat(MAX_VALUES)));
        assert!(Request::parse(&many).unwrap().read_params().is_err());
        let text = frame(&format!("{{\"message\":\"{}\"}}", ",[{\\\"".repeat(MAX_VALUES)));
        assert!(Request::parse(&text).unwrap().read_params().is_ok());
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
        assert!(answer("1", Err(&error), None, 3).contains(r#""code":"INVALID_REQUEST""#));
        assert!(answer("1", Err(&error), None, 4).contains(r#""code":"FORBIDDEN""#));
    }
}
