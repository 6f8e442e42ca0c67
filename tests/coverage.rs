//! Every method that hello-ok lists is called with params it accepts, and its answer is what its schema says.
use crate::harness::*;
use std::collections::BTreeSet;

/// Good calls of the methods that need an order, in which each finds what it needs; all others are called after them with
/// the first of the `examples` in their schemas, or with nothing. `$REQUEST` and `$DEVICE` stand for a pending pairing
/// request and its device.
const CALLS: &[(&str, &str)] = &[
    ("health", r#"{"probe":true}"#),
    ("system-event", r#"{"text":"Node: a (10.0.0.1) · app 1 · mode local · reason launch"}"#),
    ("set-heartbeats", r#"{"enabled":false}"#),
    ("wake", r#"{"mode":"now","text":"hello"}"#),
    ("set-heartbeats", r#"{"enabled":true}"#),
    ("agent", r#"{"message":"hello","sessionKey":"main","idempotencyKey":"cover-1"}"#),
    ("agent.wait", r#"{"runId":"cover-1","timeoutMs":10000}"#),
    ("agents.create", r#"{"name":"Cover Me","workspace":"~/.openclaw/workspace-cover","emoji":"🦀"}"#),
    ("agents.update", r#"{"agentId":"cover-me","name":"Covered","avatar":"pics/a.png"}"#),
    ("agents.files.set", r##"{"agentId":"cover-me","name":"USER.md","content":"# Me"}"##),
    ("agents.files.get", r#"{"agentId":"cover-me","name":"USER.md"}"#),
    ("agents.files.list", r#"{"agentId":"cover-me"}"#),
    ("agents.delete", r#"{"agentId":"cover-me"}"#),
    ("channels.status", r#"{"probe":true}"#),
    ("chat.send", r#"{"sessionKey":"main","message":"hello","idempotencyKey":"cover-2"}"#),
    ("agent.wait", r#"{"runId":"cover-2","timeoutMs":10000}"#),
    ("chat.abort", r#"{"sessionKey":"main"}"#),
    ("chat.inject", r#"{"sessionKey":"main","message":"a note"}"#),
    ("chat.history", r#"{"sessionKey":"main"}"#),
    ("sessions.list", r#"{"includeDerivedTitles":true,"includeLastMessage":true}"#),
    ("sessions.subscribe", r#"{"limit":60,"ownerFirst":true}"#),
    ("sessions.messages.subscribe", r#"{"key":"main","includeApprovals":true}"#),
    ("sessions.messages.unsubscribe", r#"{"key":"main"}"#),
    ("sessions.describe", r#"{"key":"main","includeDerivedTitles":true,"includeLastMessage":true}"#),
    ("chat.startup", r#"{"sessionKey":"main","limit":80,"maxBytes":262144}"#),
    ("chat.metadata", r#"{"sessionKey":"main"}"#),
    ("sessions.preview", r#"{"keys":["main","none"]}"#),
    ("sessions.resolve", r#"{"key":"main"}"#),
    ("sessions.search", r#"{"query":"hello"}"#),
    ("sessions.usage", r#"{"includeContextWeight":true}"#),
    ("sessions.usage.timeseries", r#"{"key":"main"}"#),
    ("sessions.usage.logs", r#"{"key":"main"}"#),
    ("usage.cost", r#"{"days":"7"}"#),
    ("sessions.patch", r#"{"key":"other","label":"x"}"#),
    ("sessions.reset", r#"{"key":"other"}"#),
    ("sessions.compact", r#"{"key":"other","maxLines":5}"#),
    ("sessions.delete", r#"{"key":"other"}"#),
    ("exec.approval.request", r#"{"id":"cover-1","command":"ls","cwd":"/","twoPhase":true}"#),
    ("exec.approval.resolve", r#"{"id":"cover-1","decision":"deny"}"#),
    ("exec.approval.waitDecision", r#"{"id":"cover-1"}"#),
    ("exec.approvals.set", r#"{"file":{"version":1}}"#),
    ("sessions.observer.visibility", r#"{"visible":true}"#),
    ("gateway.restart.request", r#"{"reason":"cover","delayMs":60000,"sessionKey":"main","note":"back"}"#),
    ("config.schema.lookup", r#"{"path":"gateway.auth"}"#),
    ("config.plan", r#"{"raw":"$RAW","baseHash":"$HASH"}"#),
    ("config.set", r#"{"raw":"$RAW","baseHash":"$HASH"}"#),
    ("config.apply", r#"{"raw":"$RAW","baseHash":"$HASH","restartDelayMs":60000}"#),
    ("config.patch", r#"{"raw":"{ui: {}}","baseHash":"$HASH","restartDelayMs":60000}"#),
    ("cron.runs", r#"{"scope":"all"}"#),
    (
        "cron.add",
        r#"{"name":"cover","enabled":false,"schedule":{"kind":"every","everyMs":3600000},"sessionTarget":"isolated","wakeMode":"now","payload":{"kind":"agentTurn","message":"m"},"delivery":{"mode":"none"}}"#,
    ),
    ("cron.update", r#"{"id":"$JOB","patch":{"description":"d"}}"#),
    ("cron.run", r#"{"id":"$JOB","mode":"due"}"#),
    ("cron.remove", r#"{"id":"$JOB"}"#),
    ("skills.proposals.list", r#"{"agentId":"main"}"#),
    ("skills.update", r#"{"skillKey":"cover","enabled":true}"#),
    ("logs.tail", r#"{"limit":10}"#),
    ("device.pair.approve", r#"{"requestId":"$REQUEST"}"#),
    ("device.pair.rename", r#"{"deviceId":"$DEVICE","displayName":"Mine"}"#),
    ("device.token.rotate", r#"{"deviceId":"$DEVICE","role":"operator"}"#),
    ("device.token.revoke", r#"{"deviceId":"$DEVICE","role":"operator"}"#),
    ("device.pair.remove", r#"{"deviceId":"$DEVICE"}"#),
    ("device.pair.reject", r#"{"requestId":"$OTHER"}"#),
];

/// They need a platform, and are called in tests/channels.rs; one needs a canvas, and is called in tests/canvas.rs; one
/// is for nodes, and one tells only what to do by hand: both are called in tests/skills.rs. Those that need a node are called
/// in tests/nodes.rs and tests/nodes_pairing.rs; those that need the program of a channel in tests/program_login.rs.
const CARRIED: [&str; 23] = [
    "channels.logout",
    "channels.pairing.approve",
    "exec.approvals.node.get",
    "exec.approvals.node.set",
    "message.action",
    "node.describe",
    "node.event",
    "node.invoke",
    "node.invoke.result",
    "node.pair.approve",
    "node.pair.reject",
    "node.pair.remove",
    "node.pending.ack",
    "node.pending.drain",
    "node.pending.pull",
    "node.rename",
    "plugin.surface.refresh",
    "poll",
    "send",
    "skills.bins",
    "skills.install",
    "web.login.start",
    "web.login.wait",
];

fn example(method: &str) -> String {
    let text = std::fs::read_to_string(schemas::dir().join(format!("methods/{method}.json"))).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    schema.pointer("/params/examples/0").unwrap_or(&json!({})).to_string()
}

#[test]
fn every_listed_method_works_and_every_working_one_is_listed() {
    for protocol in [3, 4] {
        let gateway = Gateway::plain();
        let (mut client, hello) = Client::with(&gateway, params(protocol));
        let (device, other) = (Device::new(), Device::new());
        let id = |d: &Device| {
            let refusal = crate::devices::remote_request(&gateway, d, &["operator.read"]);
            refusal["details"]["requestId"].as_str().unwrap().to_string()
        };
        let (request, rejected) = (id(&device), id(&other));
        let listed = hello["features"]["methods"].as_array().unwrap();
        let listed: BTreeSet<&str> = listed.iter().map(|m| m.as_str().unwrap()).collect();
        let in_order: Vec<_> = CALLS.iter().map(|(method, params)| (*method, params.to_string())).collect();
        let named: BTreeSet<&str> = CALLS.iter().map(|(method, _)| *method).chain(CARRIED).collect();
        assert!(named.is_subset(&listed), "not listed by hello-ok: {:?}", named.difference(&listed));
        let others = listed.difference(&named).map(|method| (*method, example(method)));
        for (method, params) in in_order.into_iter().chain(others) {
            let text = params
                .replace("$REQUEST", &request)
                .replace("$OTHER", &rejected)
                .replace("$DEVICE", &device.id());
            let mut params: Value = serde_json::from_str(&text).unwrap();
            if params["baseHash"].is_string() {
                let now = client.ok("config.get", json!({}));
                params["baseHash"] = now["hash"].clone();
                params["raw"] =
                    if params["raw"] == "$RAW" { now["raw"].clone() } else { params["raw"].clone() };
            }
            if params["id"] == "$JOB" {
                let jobs = client.ok("cron.list", json!({"includeDisabled": true}));
                params["id"] = jobs["jobs"][0]["id"].clone();
            }
            let id = client.ask(method, params);
            client.answer(&id).unwrap_or_else(|e| panic!("{method} {text}: {e}"));
            if method == "agent" {
                client.answer(&id).unwrap();
            }
        }
    }
}

#[test]
fn every_event_seen_is_listed() {
    let gateway = Gateway::start(&Setup::config(json!({"gateway": {"limits": {"tickIntervalMs": 100}}})));
    let (mut client, hello) = Client::with(&gateway, params(4));
    crate::agent::turn(&mut client, "hello", "k").unwrap();
    crate::devices::remote_request(&gateway, &Device::new(), &["operator.read"]);
    client.collect(Duration::from_millis(300));
    gateway.signal(rustix::process::Signal::TERM);
    client.until_closed();
    let listed = hello["features"]["events"].as_array().unwrap();
    let seen: BTreeSet<String> =
        client.kept().iter().filter_map(|f| f["event"].as_str().map(str::to_string)).collect();
    for event in ["agent", "chat", "tick", "device.pair.requested", "shutdown"] {
        assert!(seen.contains(event), "{event} was not sent: {seen:?}");
    }
    assert!(seen.iter().all(|event| listed.contains(&json!(event))), "{seen:?} and {listed:?}");
}

#[test]
fn every_method_and_event_has_a_schema_and_the_reverse() {
    let gateway = Gateway::plain();
    let (_client, hello) = Client::with(&gateway, params(4));
    let names = |folder: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(schemas::dir().join(folder)).unwrap().flatten();
        files.map(|e| e.file_name().to_string_lossy().trim_end_matches(".json").to_string()).collect()
    };
    let list = |key: &str| -> BTreeSet<String> {
        hello["features"][key].as_array().unwrap().iter().map(|m| m.as_str().unwrap().to_string()).collect()
    };
    let mut methods = list("methods");
    methods.insert("connect".into());
    assert_eq!(methods, names("methods"));
    assert_eq!(list("events"), names("events"));
}
