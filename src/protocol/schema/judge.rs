//! For tests: judges what the gateway sends by the schemas of results, events and frames.
//!
//! Reads `schemas/` from disk and uses the run-time validator, which is why it is in no build of the
//! gateway itself. The tests over real sockets use this file too.
use crate::json::json;
use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;

const BASE: &str = "json-schema:///";

/// Every schema file by its path under `schemas/`, such as `methods/health.json`.
pub fn documents() -> &'static [(String, Value)] {
    static DOCUMENTS: OnceLock<Vec<(String, Value)>> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let mut found = vec![("frames.json".to_string(), read(&root.join("frames.json")))];
        for folder in ["methods", "events"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_string();
                found.push((format!("{folder}/{name}"), read(&path)));
            }
        }
        found
    })
}

/// What is wrong with `value` by the schema at `reference`, such as `methods/health.json#/result`,
/// `events/chat.json` or `frames.json#/$defs/res`. Empty if nothing is.
pub fn problems(reference: &str, value: &Value) -> Vec<String> {
    let pairs = documents().iter().map(|(path, document)| (format!("{BASE}{path}"), document));
    let registry = jsonschema::Registry::new().extend(pairs).unwrap().prepare().unwrap();
    let schema = json!({"$ref": format!("{BASE}{reference}")});
    let judge = jsonschema::options().with_registry(&registry).build(&schema).unwrap();
    judge.iter_errors(value).map(|e| format!("{reference} at {}: {e}", e.instance_path())).collect()
}

/// `problems` of a method's result.
pub fn result(method: &str, payload: &Value) -> Vec<String> {
    problems(&format!("methods/{method}.json#/result"), payload)
}

/// `problems` of an event's payload.
pub fn event(name: &str, payload: &Value) -> Vec<String> {
    problems(&format!("events/{name}.json"), payload)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

mod tests {
    use super::{event, problems, result};
    use serde_json::json;

    #[test]
    fn results_fit_as_captured() {
        let snapshot = json!({"ok": true, "ts": 1, "durationMs": 0, "channels": {}, "channelOrder": [], "channelLabels": {},
            "heartbeatSeconds": 1800, "defaultAgentId": "main",
            "agents": [{"agentId": "main", "isDefault": true, "heartbeat": {"enabled": false, "every": "disabled", "everyMs": null, "prompt": "p", "target": "last", "ackMaxChars": 300},
                "sessions": {"path": "p", "count": 1, "recent": [{"key": "agent:main:main", "updatedAt": 1, "age": 2}]}}],
            "sessions": {"path": "p", "count": 0, "recent": []}});
        let row = json!({"host": "vm", "ip": "192.0.2.2", "mode": "gateway", "reason": "self", "text": "t", "ts": 1});
        let hello = json!({"type": "hello-ok", "protocol": 3, "server": {"version": "dev", "host": "vm", "connId": "c"},
            "features": {"methods": ["health"], "events": ["tick"]},
            "snapshot": {"presence": [row], "health": {}, "stateVersion": {"presence": 24, "health": 15}, "uptimeMs": 5,
                "configPath": "c", "stateDir": "s", "sessionDefaults":
                {"defaultAgentId": "main", "mainKey": "main", "mainSessionKey": "agent:main:main", "scope": "per-sender"}},
            "auth": {"deviceToken": "t", "role": "operator", "scopes": ["operator.admin"], "issuedAtMs": 1},
            "policy": {"maxPayload": 524288, "maxBufferedBytes": 1572864, "tickIntervalMs": 30000}});
        let finished = json!({"runId": "a1", "status": "ok", "summary": "completed", "result": {
            "payloads": [{"text": "Hello.", "mediaUrl": null}], "meta": {"durationMs": 568, "aborted": false,
            "agentMeta": {"sessionId": "s", "provider": "p", "model": "m", "usage": {"input": 22, "output": 10, "total": 32}}}}});
        let cases = [
            ("connect", hello),
            ("health", snapshot.clone()),
            ("system-presence", json!([row])),
            ("last-heartbeat", json!(null)),
            ("agent", json!({"runId": "a1", "status": "accepted", "acceptedAt": 1})),
            ("agent", finished),
            ("agent.wait", json!({"runId": "nope", "status": "timeout"})),
            ("chat.send", json!({"runId": "k1", "status": "started"})),
            ("chat.send", json!({"ok": true, "aborted": true, "runIds": ["ab1"]})),
            ("chat.history", json!({"sessionKey": "x", "messages": [], "thinkingLevel": "off"})),
            (
                "models.list",
                json!({"models": [{"id": "t", "name": "T", "provider": "s", "contextWindow": 64000, "input": ["text"]}]}),
            ),
            ("device.token.revoke", json!({"deviceId": "d", "role": "operator", "revokedAtMs": 1})),
        ];
        for (method, payload) in cases {
            assert_eq!(result(method, &payload), Vec::<String>::new());
        }
        assert_eq!(event("health", &snapshot), Vec::<String>::new());
        assert_eq!(
            event("presence", &json!({"presence": [row], "delta": {"upserted": [row], "removed": ["k"]}})),
            Vec::<String>::new()
        );
        let delta = json!({"runId": "r", "sessionKey": "k", "seq": 2, "state": "delta", "deltaText": "Hi",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Hi"}], "timestamp": 1}});
        assert_eq!(event("chat", &delta), Vec::<String>::new());
    }

    #[test]
    fn a_wrong_result_is_noticed() {
        assert!(!result("agent", &json!({"runId": "a1", "status": "accepted"})).is_empty());
        assert!(!result("agent.wait", &json!({"runId": "a", "status": "timeout", "extra": 1})).is_empty());
        assert!(!result("system-presence", &json!([{"host": "no ts"}])).is_empty());
        assert!(
            !event("chat", &json!({"runId": "r", "sessionKey": "k", "seq": 2, "state": "error"})).is_empty()
        );
        assert!(
            !event("agent", &json!({"runId": "r", "stream": "assistant", "ts": 1, "data": {"text": "a"}}))
                .is_empty()
        );
        let bad =
            json!({"type": "res", "id": "1", "ok": false, "error": {"code": "NO_SUCH", "message": "m"}});
        assert!(!problems("frames.json#/$defs/res", &bad).is_empty());
    }
}
