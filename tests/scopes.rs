//! SEC-03: every listed method against every kind of caller; what the table does not name needs admin.
use crate::cli::json_of;
use crate::harness::*;
use std::collections::BTreeMap;

/// The scope that each method's row asks for; `operator` is none, `node` a role.
fn rows(gateway: &Gateway) -> BTreeMap<String, String> {
    let told = json_of(gateway, &["gateway", "call", "--list", "--json"]);
    let row = |row: &Value| {
        let (method, scope) = (row["method"].as_str().unwrap(), row["scope"].as_str().unwrap());
        let changes_nothing = row["changes"] == false;
        assert!(changes_nothing || !["read", "operator"].contains(&scope), "{method} changes something");
        (method.to_string(), format!("operator.{scope}"))
    };
    told.as_array().unwrap().iter().map(row).collect()
}

fn allowed(need: &str, scope: &str) -> bool {
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
    let mut rows = rows(&gateway);
    rows.insert("no.such.method".into(), "operator.admin".into());
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
            for (method, need) in &rows {
                check(&mut client, protocol, scope, (method, need));
            }
        }
    }
}

fn check(client: &mut Client, protocol: u32, scope: &str, (method, need): (&str, &str)) {
    match need {
        // Newer clients expect `health` without any scope; it gives no detail that hello-ok has not given.
        "operator.operator" => return drop(client.ok(method, probe(method))),
        "operator.node" => {
            return assert_eq!(client.fails(method, json!({}))["message"], "unauthorized role: operator");
        }
        _ => {}
    }
    let refusal = match client.call(method, probe(method)) {
        Err(error) if error["message"].as_str().unwrap().starts_with("missing scope: ") => Some(error),
        _ => None,
    };
    let place = format!("{method} with {scope}, protocol {protocol}");
    assert_eq!(refusal.is_none(), allowed(need, scope), "{place}: {refusal:?}");
    let Some(error) = refusal else { return };
    assert_eq!(error["message"], format!("missing scope: {need}"), "{place}");
    let code = if protocol == 3 { "INVALID_REQUEST" } else { "FORBIDDEN" };
    assert_eq!(
        (&error["code"], &error["details"]["code"]),
        (&json!(code), &json!("MISSING_SCOPE")),
        "{place}"
    );
    assert_eq!(error["details"]["missingScope"], need, "{place}");
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
        const NODES: [&str; 6] =
            ["event", "invoke.result", "pending.ack", "pending.drain", "pending.pull", "skills.bins"];
        if !NODES.contains(&method.strip_prefix("node.").unwrap_or(method)) {
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
