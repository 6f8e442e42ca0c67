//! Whether a server reports an error inside an answer that looks good, and in which words.
//!
//! Pure. Servers have many shapes for it: an object of their own, a code beside a message, a status in another
//! member, a list. What a format knows as its own is an error only where it says so plainly; what it does not know
//! is judged by less. Names count in any spelling. What the words mean is judged in `verdict`.
use crate::models::format::text;
use serde_json::Value;

/// Members that are there only when something went wrong.
const PLAIN: [&str; 8] =
    ["error", "errors", "err", "fault", "error_msg", "error_message", "errorMessage", "exception"];
/// Members that hold the words, the surest first.
const WORDS: [&str; 19] = [
    "message",
    "msg",
    "detail",
    "details",
    "error_msg",
    "error_message",
    "errorMessage",
    "errmsg",
    "err_msg",
    "status_msg",
    "status_message",
    "statusText",
    "reason",
    "title",
    "description",
    "faultstring",
    "error_description",
    "cause",
    "info",
];
/// Members that servers wrap a whole answer in, and so an error too.
const WRAPS: [&str; 3] = ["response", "data", "result"];
/// Members that say nothing of what happens.
const MARKS: [&str; 17] = [
    "id",
    "object",
    "type",
    "event",
    "model",
    "created",
    "created_at",
    "time",
    "timestamp",
    "nonce",
    "provider",
    "system_fingerprint",
    "request_id",
    "trace_id",
    "role",
    "status",
    "service_tier",
];
/// Words of servers that are at work.
const ALIVE: [&str; 10] = [
    "ping",
    "pong",
    "keepalive",
    "keep-alive",
    "keep_alive",
    "heartbeat",
    "alive",
    "ok",
    "processing",
    "working",
];

/// A member whose name is spelt like this, or with other capitals.
fn member<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    let map = json.as_object()?;
    map.get(name).or_else(|| map.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, it)| it))
}

/// Whether a value is an error; `is_known` where it has the shape of an answer.
pub fn is_error(json: &Value, is_known: bool) -> bool {
    if let Some(first) = json.as_array().and_then(|list| list.first()) {
        return is_error(first, is_known);
    }
    let says = |name: &str| member(json, name).is_some_and(|it| !is_nothing(it));
    let is_failed = |name: &str| member(json, name).is_some_and(|it| it == false);
    if says("error") || status_of_base(json).is_some() {
        return true;
    }
    let is_error_word = |name: &str| text(json, name).to_ascii_lowercase().contains("error");
    !is_known
        && (PLAIN.iter().any(|name| says(name))
            || ["object", "type", "status", "level"].iter().any(|name| is_error_word(name))
            || ["failed", "failure", "fail"].contains(&text(json, "status"))
            || is_failed("success")
            || is_failed("ok")
            || says("detail")
            || is_alone(json, "message")
            || wrapped(json).is_some()
            || (words(json).is_some() && has_bad_code(json)))
}

/// The error inside what a server wraps its answers in.
fn wrapped(json: &Value) -> Option<&Value> {
    WRAPS.iter().filter_map(|name| member(json, name)).find(|it| it.is_object() && is_error(it, true))
}

/// A text in an object of no type that nobody knows, under whatever name.
pub fn remark(json: &Value) -> Option<&str> {
    let map = json.as_object().filter(|map| !map.contains_key("choices") && text(json, "type").is_empty())?;
    let said = map.iter().filter(|(name, _)| !MARKS.contains(&name.as_str())).find_map(|(_, it)| match it {
        Value::String(text) if !text.trim().is_empty() && !is_sign_of_life(text) => Some(text.as_str()),
        inner => remark(inner),
    });
    said.filter(|_| !is_sign_of_life(text(json, "event")) && !is_sign_of_life(text(json, "status")))
}

/// Whether a document that is no answer says something.
pub fn has_words(json: &Value) -> bool {
    words(json).is_some()
}

/// Whether a word only says that the server is still there.
pub fn is_sign_of_life(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    ALIVE.contains(&word.as_str())
}

/// Whether a text under this name is all there is.
fn is_alone(json: &Value, name: &str) -> bool {
    let said = member(json, name).and_then(Value::as_str).unwrap_or_default();
    json.as_object().is_some_and(|map| map.len() == 1) && !said.trim().is_empty()
}

/// Whether the value of an error's member says that there is none.
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Object(map) => map.values().all(is_nothing),
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn has_bad_code(json: &Value) -> bool {
    let codes = ["code", "status", "statusCode", "status_code", "error_code", "errorCode", "errcode", "ret"];
    codes.iter().filter_map(|name| Some((*name, member(json, name)?))).any(|(name, code)| match code {
        Value::Number(number) => !matches!(number.as_i64(), Some(0 | 200)),
        // A word for a status may say anything.
        Value::String(_) if name == "status" => false,
        Value::String(word) => !["", "0", "200", "ok", "success", "00000"].contains(&&*word.to_lowercase()),
        _ => false,
    })
}

/// MiniMax puts the state of every answer beside it.
fn status_of_base(json: &Value) -> Option<&Value> {
    let base = json.get("base_resp")?;
    base.get("status_code").and_then(Value::as_i64).filter(|code| *code != 0).map(|_| base)
}

/// The object that tells of the error: the innermost that does.
pub fn error(json: &Value) -> &Value {
    if let Some(first) = json.as_array().and_then(|list| list.first()) {
        return error(first);
    }
    let inner = PLAIN.iter().filter_map(|name| member(json, name)).find(|it| it.is_object() || it.is_array());
    status_of_base(json).or(inner.map(error)).or_else(|| wrapped(json).map(error)).unwrap_or(json)
}

/// The words of an error in any shape.
pub fn words(json: &Value) -> Option<String> {
    let said = |it: &Value| match it {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(list) => list.iter().find_map(words),
        Value::Object(_) => words(it),
        _ => None,
    };
    match json {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(list) => list.iter().find_map(words),
        _ => {
            let inner = PLAIN.iter().filter_map(|name| member(json, name)).find_map(said);
            let base = status_of_base(json).and_then(words);
            let own = || WORDS.iter().filter_map(|name| member(json, name)).find_map(said);
            let said = base.or_else(|| match (inner, own()) {
                // A name for the status, and beside it what happened.
                (Some(name), Some(own)) if is_text(json, "error") && !own.contains(&name) => {
                    Some(format!("{name}: {own}"))
                }
                (Some(name), Some(own)) if is_text(json, "error") && own.len() > name.len() => Some(own),
                (inner, own) => inner.or(own).or_else(|| wrapped(json).and_then(words)),
            });
            // OpenRouter says that the server behind it failed, and hands its words on beside that.
            match json.get("metadata").map(|it| text(it, "raw").trim()).filter(|raw| !raw.is_empty()) {
                Some(raw) => Some(format!("{}: {raw}", said.unwrap_or_default())),
                None => said,
            }
        }
    }
}

fn is_text(json: &Value, name: &str) -> bool {
    member(json, name).is_some_and(Value::is_string)
}

/// The number an error carries, under whatever name.
pub fn code(json: &Value) -> Option<u64> {
    let number = |it: &Value| it.as_u64().or_else(|| it.as_str()?.trim().parse().ok());
    let names = ["code", "status", "statusCode", "status_code", "error_code", "http_status"];
    names.iter().filter_map(|name| member(error(json), name).or_else(|| member(json, name))).find_map(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn b_f17_errors_of_every_shape_are_told_with_their_words() {
        for report in [
            json!({"error": {"code": 400, "message": "canary"}}),
            json!({"error": "canary"}),
            json!({"error": true, "message": "canary"}),
            json!({"object": "error", "message": "canary", "code": 400}),
            json!({"type": "error", "error": {"type": "api_error", "message": "canary"}}),
            json!({"detail": "canary"}),
            json!({"detail": [{"loc": ["body"], "msg": "canary"}]}),
            json!({"code": 1113, "msg": "canary"}),
            json!({"code": "InvalidParameter", "message": "canary", "request_id": "x"}),
            json!({"base_resp": {"status_code": 1004, "status_msg": "canary"}, "choices": null}),
            json!([{"error": {"code": 429, "message": "canary", "status": "RESOURCE_EXHAUSTED"}}]),
            json!({"success": false, "errors": [{"code": 7, "message": "canary"}]}),
            json!({"error_code": 18, "error_msg": "canary"}),
            json!({"error": {"error": {"message": "canary"}}}),
            json!({"status": "error", "message": "canary"}),
            json!({"status": 503, "title": "canary"}),
            json!({"message": "canary"}),
            json!({"fault": {"faultstring": "canary"}}),
            json!({"Error": {"Message": "canary", "Code": "X"}}),
            json!({"Message": "canary"}),
            json!({"errors": ["canary"]}),
            json!({"errors": [{"detail": "canary"}]}),
            json!({"response": {"error": {"message": "canary"}}}),
            json!({"data": {"error": "canary"}}),
            json!({"result": {"error": {"message": "canary"}}, "id": 1}),
        ] {
            assert!(is_error(&report, false), "{report}");
            assert_eq!(words(&report).as_deref(), Some("canary"), "{report}");
        }
    }

    #[test]
    fn b_f17_what_stands_beside_a_name_of_the_error_is_told() {
        for (report, want) in [
            (json!({"statusCode": 500, "message": "canary", "error": "Internal Server Error"}), {
                "Internal Server Error: canary"
            }),
            (
                json!({"statusCode": 400, "message": ["canary", "b"], "error": "Bad Request"}),
                "Bad Request: canary",
            ),
            (
                json!({"timestamp": "t", "status": 500, "error": "Internal", "message": "canary"}),
                "Internal: canary",
            ),
            (json!({"error": "invalid_grant", "error_description": "canary"}), "invalid_grant: canary"),
            (json!({"error": "canary", "message": "canary is down"}), "canary is down"),
            (json!({"error": "canary", "message": "canary"}), "canary"),
            (json!({"error": {"message": "canary"}, "message": "other"}), "canary"),
        ] {
            assert!(is_error(&report, false), "{report}");
            assert_eq!(words(&report).as_deref(), Some(want), "{report}");
        }
    }

    #[test]
    fn b_f17_the_words_of_a_server_behind_another_are_told() {
        let report = json!({"error": {"message": "Provider returned error", "metadata": {"raw": "canary"}}});
        assert_eq!(words(&report).as_deref(), Some("Provider returned error: canary"));
    }

    #[test]
    fn what_is_no_error_is_none() {
        for good in [
            json!({"error": null, "type": "response.created"}),
            json!({"error": "", "choices": []}),
            // T2b-11
            json!({"error": {}, "choices": []}),
            json!({"error": {"code": 0, "message": ""}, "choices": []}),
            json!({"base_resp": {"status_code": 0, "status_msg": ""}}),
            json!({"type": "ping"}),
            json!({"code": 0, "msg": "ok"}),
            json!({"code": "success", "message": "ok"}),
            json!({"status": "in_progress", "message": "loading"}),
            json!([]),
        ] {
            assert!(!is_error(&good, false), "{good}");
        }
        assert!(!is_error(&json!({"choices": [{}], "code": 7, "message": "x"}), true));
    }
}
