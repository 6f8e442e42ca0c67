//! Tests of the schemas and of the error texts made from them.
use super::judge::{documents, problems};
use super::*;
use crate::methods::{METHODS, named, schemas};
use serde_json::json;
use std::collections::BTreeSet;

fn check_params(method: &str, params: &Value) -> Result<(), String> {
    schema_of(method).check(params)
}

fn schema_of(method: &str) -> &'static Schema {
    if method == "connect" { &CONNECT } else { &named(method).unwrap().schema }
}

/// Params that do not fit, and the exact answer.
#[test]
fn says_what_is_wrong_with_params() {
    let client = json!({"id": "cli", "version": "1", "platform": "linux", "mode": "cli"});
    let long = "k".repeat(513);
    let cases = [
        ("agent", json!({"message": "m"}), "must have required property 'idempotencyKey'"),
        (
            "agent",
            json!({"message": "", "idempotencyKey": 7, "foo": 1}),
            "at root: unexpected property 'foo'; at /message: must NOT have fewer than 1 characters; \
             at /idempotencyKey: must be string",
        ),
        (
            "agent",
            json!({"idempotencyKey": "i", "message": "m", "label": "l".repeat(65), "timeout": -1, "deliver": "yes"}),
            "at /deliver: must be boolean; at /timeout: must be >= 0; \
             at /label: must NOT have more than 64 characters",
        ),
        ("agent", json!([]), "must be object"),
        ("health", json!("x"), "must be object"),
        ("config.get", json!({"a/b": 1}), "at root: unexpected property 'a/b'"),
        ("logs.tail", json!({"limit": 0}), "at /limit: must be >= 1"),
        (
            "logs.tail",
            json!({"limit": 5001, "cursor": 1.5}),
            "at /cursor: must be integer; at /limit: must be <= 5000",
        ),
        ("sessions.preview", json!({"keys": []}), "at /keys: must NOT have fewer than 1 items"),
        ("sessions.preview", json!({"keys": ["a", ""]}), "at /keys/1: must NOT have fewer than 1 characters"),
        (
            "chat.history",
            json!({"sessionKey": long}),
            "at /sessionKey: must NOT have more than 512 characters",
        ),
        ("chat.abort", Value::Null, "must have required property 'sessionKey'"),
        (
            "sessions.patch",
            json!({"key": "k", "model": 1, "sendPolicy": "maybe"}),
            "at /model: must be string; at /model: must be null; at /model: must match a schema in anyOf; \
             at /sendPolicy: must be equal to constant; at /sendPolicy: must be null; \
             at /sendPolicy: must match a schema in anyOf",
        ),
        (
            "sessions.patch",
            json!({"key": "k", "label": ""}),
            "at /label: must NOT have fewer than 1 characters; at /label: must be null; \
             at /label: must match a schema in anyOf",
        ),
        (
            "connect",
            json!({"minProtocol": 0, "maxProtocol": 3, "client": {"id": "robot", "platform": "p"}, "auth": {"token": 1}}),
            "at /minProtocol: must be >= 1; at /client: must have required property 'version'; \
             at /client: must have required property 'mode'; at /client/id: must be equal to constant; \
             at /client/id: must match a schema in anyOf; at /auth/token: must be string",
        ),
        (
            "connect",
            json!({"minProtocol": 3, "maxProtocol": 3, "client": client, "permissions": {"a/b~": 1}}),
            "at /permissions/a~1b~0: must be boolean",
        ),
    ];
    for (method, params, parts) in cases {
        assert_eq!(
            check_params(method, &params),
            Err(format!("invalid {method} params: {parts}")),
            "{params}"
        );
    }
}

#[test]
fn says_what_is_wrong_with_a_frame() {
    let cases = [
        (json!(null), "must be object"),
        (json!({"type": "req", "id": "1"}), "must have required property 'method'"),
        (json!({"type": "event", "id": "1", "method": "m"}), "at /type: must be equal to constant"),
        (
            json!({"type": "req", "id": "", "method": 1, "extra": 1}),
            "at root: unexpected property 'extra'; at /id: must NOT have fewer than 1 characters; \
             at /method: must be string",
        ),
    ];
    for (frame, parts) in cases {
        assert_eq!(check_request(&frame), Err(format!("invalid request frame: {parts}")), "{frame}");
    }
    for params in [json!(null), json!([1]), json!({"a": 1})] {
        assert_eq!(
            check_request(&json!({"type": "req", "id": "1", "method": "m", "params": params})),
            Ok(())
        );
    }
    let traced =
        json!({"type": "req", "id": "1:x", "method": "m", "traceparent": "00-1", "expectedProfileId": "p"});
    assert_eq!(check_request(&traced), Ok(()));
}

/// What real clients send, among it what later protocols added to `connect`.
#[test]
fn accepts_what_clients_send() {
    let hello = json!({"minProtocol": 4, "maxProtocol": 4, "caps": [], "role": "operator", "scopes": ["operator.read"],
        "client": {"id": "openclaw-watchos", "version": "2026.9.6", "platform": "watch", "mode": "worker", "buildId": "b", "new": 1},
        "auth": {"token": "t", "deviceToken": "t", "later": {}},
        "device": {"id": "d", "publicKey": "p", "signature": "s", "signedAt": 1, "extra": true},
        "modelCatalog": {"sessionKey": "main"}, "computerUse": {}, "workerRuns": []});
    let cases = [
        ("connect", hello),
        ("health", json!({"probe": "maybe", "more": 1})),
        ("health", Value::Null),
        ("status", json!({"x": 1})),
        ("system-presence", json!({"x": 1})),
        ("last-heartbeat", json!({"x": 1})),
        ("system-event", json!({"text": 1, "tags": 2, "other": 3})),
        (
            "chat.send",
            json!({"sessionKey": "main", "message": "", "idempotencyKey": "k", "attachments": [{"content": "aGk="}]}),
        ),
        ("chat.history", json!({"sessionKey": "main", "limit": 80, "maxBytes": 262144})),
        ("models.list", json!({"view": "default", "includeDetails": true})),
        ("logs.tail", json!({"limit": 200, "maxBytes": 250000, "cursor": 0})),
        (
            "sessions.patch",
            json!({"key": "main", "label": null, "responseUsage": null, "thinkingLevel": "high"}),
        ),
        ("sessions.list", json!({"spawnedBy": "agent:main:main"})),
        ("device.token.rotate", json!({"deviceId": "d", "role": "operator", "scopes": []})),
    ];
    for (method, params) in cases {
        assert_eq!(check_params(method, &params), Ok(()), "{method} {params}");
    }
}

/// A hostile value makes a short answer.
#[test]
fn bounds_the_answer() {
    let many: Map<String, Value> =
        (0..10_000).map(|n| (format!("{n}{}", "é".repeat(500)), json!(1))).collect();
    let text = check_params("config.get", &Value::Object(many)).unwrap_err();
    assert!(text.len() < 8000 && text.ends_with("; and more"), "{} bytes", text.len());
    let items: Vec<Value> = (0..10_000).map(|n| json!(n)).collect();
    assert!(check_params("sessions.preview", &json!({"keys": items})).unwrap_err().len() < 8000);
}

#[test]
fn every_file_is_a_schema_and_has_a_row() {
    let rows: BTreeSet<String> = schemas().map(|path| path["schemas/".len()..].to_string()).collect();
    let files: BTreeSet<String> = documents().iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(rows, files);
    assert_eq!(schemas().count(), rows.len(), "a name is listed twice");
    for (path, document) in documents() {
        assert!(jsonschema::meta::is_valid(document), "{path}");
        let title = path.trim_end_matches(".json").rsplit('/').next().unwrap_or_default();
        assert_eq!(document["title"], title, "{path}");
        if path.starts_with("methods/") {
            assert_eq!(document["$ref"], "#/params", "{path}");
            for part in ["params", "result"] {
                assert!(
                    jsonschema::meta::is_valid(&document[part]) && document[part].is_object(),
                    "{path} {part}"
                );
            }
            assert_eq!(read(&pack::text(schema_of(title).path)), *document, "{path}");
        }
        // Building a judge resolves every reference, also those into other files.
        problems(path, &Value::Null);
    }
}

/// The explainer knows every keyword that params use.
#[test]
fn params_use_known_keywords() {
    fn walk(schema: &Value, at: &str) {
        for (keyword, value) in schema.as_object().unwrap() {
            assert!(explain::KEYWORDS.contains(&keyword.as_str()), "{at}: {keyword}");
            match keyword.as_str() {
                "properties" => value.as_object().unwrap().values().for_each(|schema| walk(schema, at)),
                "items" | "additionalProperties" if value.is_object() => walk(value, at),
                _ => {}
            }
        }
    }
    for (path, document) in documents().iter().filter(|(path, _)| path.starts_with("methods/")) {
        walk(&document["params"], path);
    }
}

/// Puts every odd value into every place of every method's params: the compiled validator and the
/// run-time one agree, and whatever is refused is explained.
#[test]
fn verdict_and_explanation_agree() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.0),
        json!(1.5),
        json!(9e9),
        json!(""),
        json!("x"),
        json!("x".repeat(600)),
        json!([]),
        json!([""]),
        json!(["x"]),
        json!([{}]),
        json!({}),
        json!({"x": 1}),
    ];
    let mut refused = 0;
    for row in METHODS.iter().map(|m| &m.schema).chain([&CONNECT]) {
        let text = pack::text(row.path);
        let document = read(&text);
        let judge = jsonschema::validator_for(&document["params"]).unwrap();
        let mut values = odd.to_vec();
        for (name, schema) in document["params"]["properties"].as_object().into_iter().flatten() {
            values.extend(odd.iter().map(|value| json!({name: value})));
            for inner in schema["properties"].as_object().into_iter().flatten().map(|(inner, _)| inner) {
                values.extend(odd.iter().map(|value| json!({name: {inner: value}})));
            }
        }
        for value in values {
            let verdict = (row.is_valid)(&value);
            assert_eq!(verdict, judge.is_valid(&value), "{} {value}", row.path);
            if !verdict {
                refused += 1;
                let parts = explain::explain(&text, &value, usize::MAX);
                assert!(!parts.is_empty(), "{} {value}", row.path);
            } else {
                let parts = explain::explain(&text, &value, usize::MAX);
                assert!(parts.is_empty(), "{} {value}: {parts:?}", row.path);
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

// S-H4: what no schema says to be long is short, wherever it stands; what its schema allows to be long may be.
#[test]
fn s_h4_texts_are_short_unless_their_schema_says_more() {
    let method = |name: &str| crate::methods::METHODS.iter().find(|m| m.name == name).unwrap();
    let check = |name: &str, params: Value| method(name).schema.check(&params);
    let long = "\u{e9}".repeat(MAX_TEXT + 1);
    let fits = "\u{e9}".repeat(MAX_TEXT);
    let agent = |member: &str, text: &str| json!({"message": "m", "idempotencyKey": "k", member: text});
    for member in ["to", "threadId", "lane", "sessionId"] {
        let error = check("agent", agent(member, &long)).unwrap_err();
        let want = format!("invalid agent params: at /{member}: must NOT have more than 16384 characters");
        assert_eq!(error, want);
        assert_eq!(check("agent", agent(member, &fits)), Ok(()));
    }
    assert_eq!(check("agent", agent("message", &long)), Ok(()));
    assert_eq!(check("agent", agent("extraSystemPrompt", &long)), Ok(()));
    assert!(check("agent", agent("extraSystemPrompt", &"x".repeat(262_145))).is_err());
    assert!(check("sessions.patch", json!({"key": "main", "execNode": "x".repeat(513)})).is_err());
    assert!(check("agent.wait", json!({"runId": long})).is_err());
    let attached = json!({"message": "m", "idempotencyKey": "k", "attachments": [{"content": long}]});
    assert_eq!(check("agent", attached), Ok(()), "the handler judges these");
}
