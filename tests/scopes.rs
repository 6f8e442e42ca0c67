//! SEC-03: every listed method against every kind of caller; what the table does not name needs admin.
use crate::harness::*;

const READ: &[&str] = &[
    "agent.identity.get",
    "agents.list",
    "artifacts.list",
    "channels.status",
    "chat.history",
    "chat.metadata",
    "chat.startup",
    "clients.list",
    "cron.list",
    "cron.runs",
    "cron.status",
    "doctor.memory.status",
    "environments.list",
    "health",
    "last-heartbeat",
    "logs.tail",
    "models.authStatus",
    "models.list",
    "node.list",
    "plugin.surface.refresh",
    "plugins.catalog.browse",
    "plugins.list",
    "progressCard.get",
    "sessions.branches.list",
    "sessions.companion.state",
    "sessions.describe",
    "sessions.list",
    "sessions.messages.subscribe",
    "sessions.messages.unsubscribe",
    "sessions.observer.visibility",
    "sessions.preview",
    "sessions.search",
    "sessions.subscribe",
    "sessions.unsubscribe",
    "skills.library.list",
    "skills.proposals.list",
    "skills.search",
    "skills.status",
    "status",
    "system-presence",
    "system.info",
    "talk.catalog",
    "tasks.list",
    "themes.list",
    "tools.github.status",
    "usage.cost",
    "usage.status",
    "webSearch.status",
    "worktrees.list",
];
const WRITE: &[&str] = &["agent", "agent.wait", "chat.abort", "chat.send", "message.action", "send", "wake"];
const PAIRING: &[&str] = &[
    "channels.pairing.approve",
    "channels.pairing.list",
    "device.pair.approve",
    "device.pair.list",
    "device.pair.reject",
    "device.pair.remove",
    "device.pair.rename",
    "device.token.revoke",
    "device.token.rotate",
];

/// The scope whose absence the gateway must name.
fn needed(method: &str) -> &'static str {
    match method {
        m if READ.contains(&m) => "operator.read",
        m if WRITE.contains(&m) => "operator.write",
        m if PAIRING.contains(&m) => "operator.pairing",
        m if m.ends_with(".approval.list") || m.starts_with("exec.approval.") || m == "approval.history" => {
            "operator.approvals"
        }
        "question.list" => "operator.questions",
        _ => "operator.admin",
    }
}

fn allowed(method: &str, scope: &str) -> bool {
    let need = needed(method);
    scope == "operator.admin" || scope == need || (need == "operator.read" && scope == "operator.write")
}

/// What an authorised call of each method says to these params does not matter, only whether it was refused.
fn probe(method: &str) -> Value {
    match method {
        // With empty params these would do something.
        "agent" | "chat.send" | "gateway.restart.request" => json!({"nothing": true}),
        _ => json!({}),
    }
}

#[test]
fn sec_03_every_method_against_every_scope() {
    let gateway = Gateway::plain();
    let (_admin, hello) = Client::with(&gateway, params(4));
    let mut methods: Vec<String> = hello["features"]["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m.as_str().unwrap().to_string())
        .collect();
    methods
        .extend(["no.such.method", "config.set", "chat.inject", "sessions.resolve", ""].map(str::to_string));
    let scopes = [
        "operator.read",
        "operator.write",
        "operator.pairing",
        "operator.approvals",
        "operator.questions",
        "operator.admin",
        "Operator.Admin",
        "x",
    ];
    for protocol in [3, 4] {
        for scope in scopes {
            let mut params = params(protocol);
            params["scopes"] = json!([scope]);
            let (mut client, _) = Client::with(&gateway, params);
            for method in methods.iter().filter(|m| !m.is_empty()) {
                check(&mut client, protocol, scope, method);
            }
        }
    }
}

fn check(client: &mut Client, protocol: u32, scope: &str, method: &str) {
    // Newer clients expect `health` without any scope; it gives no detail that hello-ok has not given.
    if method == "health" {
        return;
    }
    if method == "skills.bins" {
        assert_eq!(client.fails(method, json!({}))["message"], "unauthorized role: operator");
        return;
    }
    let refusal = match client.call(method, probe(method)) {
        Err(error) if error["message"].as_str().unwrap().starts_with("missing scope: ") => Some(error),
        _ => None,
    };
    let place = format!("{method} with {scope}, protocol {protocol}");
    assert_eq!(refusal.is_none(), allowed(method, scope), "{place}: {refusal:?}");
    let Some(error) = refusal else { return };
    assert_eq!(error["message"], format!("missing scope: {}", needed(method)), "{place}");
    let code = if protocol == 3 { "INVALID_REQUEST" } else { "FORBIDDEN" };
    assert_eq!(
        (&error["code"], &error["details"]["code"]),
        (&json!(code), &json!("MISSING_SCOPE")),
        "{place}"
    );
    assert_eq!(error["details"]["missingScope"], needed(method), "{place}");
}

#[test]
fn sec_03_a_node_may_not_call_operator_methods() {
    let gateway = Gateway::plain();
    let mut client = Client::open(&gateway);
    let mut params = params(3);
    (params["role"], params["scopes"]) = (json!("node"), json!([]));
    (params["client"]["id"], params["client"]["mode"]) = (json!("node-host"), json!("node"));
    Device::new().attach(&mut params, &client.challenge.clone(), Version::V2);
    let hello = client.connect(params).unwrap();
    for method in hello["features"]["methods"].as_array().unwrap() {
        let method = method.as_str().unwrap();
        if !method.starts_with("node.") && method != "skills.bins" {
            assert_eq!(client.fails(method, probe(method))["message"], "unauthorized role: node", "{method}");
        }
    }
}

#[test]
fn sec_03_nothing_before_connect() {
    let gateway = Gateway::plain();
    for method in ["health", "config.get", "agent", "system-event"] {
        let mut client = Client::open(&gateway);
        client.fails(method, json!({}));
        assert_eq!(client.until_closed().0, 1008, "{method}");
    }
}

#[test]
fn pairing_events_need_the_pairing_scope() {
    let gateway = Gateway::plain();
    let (mut reader, _) = Client::with(&gateway, client::scoped(&["operator.read"]));
    let (mut pairer, _) = Client::with(&gateway, client::scoped(&["operator.pairing"]));
    crate::devices::remote_request(&gateway, &Device::new(), &["operator.read"]);
    pairer.event("device.pair.requested");
    reader.ok("status", json!({}));
    reader.collect(Duration::from_millis(200));
    assert!(reader.kept().iter().all(|f| f["event"] != "device.pair.requested"));
}
