//! Issue 9.1 of all that counts or shows sessions: what another program put into the index counts for whoever asks next.
use super::harness::*;

/// Adds a session to the index as another program does.
fn add(gateway: &Gateway, key: &str) {
    let path = gateway.sessions_dir().join("sessions.json");
    let mut index: Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap_or_default()).unwrap_or(json!({}));
    index[key] = json!({"sessionId": format!("of-{}", key.replace(':', "-")), "updatedAt": 7});
    let new = gateway.dir.join("new");
    std::fs::write(&new, index.to_string()).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[test]
fn s_9_1_status_and_health_count_what_another_program_added() {
    let channels = json!({"echo": {"command": "/bin/false"}});
    let config = json!({"channels": channels, "session": {"dmScope": "per-channel-peer"}});
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let count = |told: Value| told["sessions"]["count"].as_u64();
    for n in 1..=5 {
        add(&gateway, &format!("agent:main:h{n}"));
        assert_eq!(count(client.ok("health", json!({}))), Some(2 * n - 1));
        add(&gateway, &format!("agent:main:s{n}"));
        assert_eq!(count(client.ok("status", json!({}))), Some(2 * n));
    }
    let read = json!({"action": "read", "channel": "echo", "to": "ann", "idempotencyKey": "k"});
    assert_eq!(client.ok("message.action", read.clone())["sessionKey"], Value::Null);
    add(&gateway, "agent:main:echo:direct:ann");
    assert_eq!(client.ok("message.action", read)["sessionKey"], "agent:main:echo:direct:ann");
}
