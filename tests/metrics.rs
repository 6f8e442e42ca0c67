//! What the gateway counts, and who is told (issue 10, item 6).
use crate::agent::{turn, with_model};
use crate::harness::model::texts;
use crate::harness::*;

#[test]
fn administrators_are_told_in_status_and_health_what_was_counted_and_others_nothing() {
    let refusal = Reply::Status(400, vec![], r#"{"error":{"message":"no"}}"#.into());
    let (_server, gateway) = with_model(vec![texts(&["Hi."]), refusal]);
    let mut admin = Client::operator(&gateway, 4);
    turn(&mut admin, "hi", "one").unwrap();
    turn(&mut admin, "hi again", "two").unwrap_err();
    admin.fails("no.such.method", json!({}));
    let counted = admin.ok("status", json!({}))["metrics"].clone();
    let at_least = |name: &str, n: u64| assert!(counted[name].as_u64() >= Some(n), "{name}: {counted}");
    for (name, n) in
        [("clients", 1), ("clientsJoined", 1), ("requestsFailed", 2), ("modelCalls", 2), ("threads", 5)]
    {
        at_least(name, n);
    }
    assert_eq!(
        (&counted["runsStarted"], &counted["runsEnded"], &counted["runsFailed"]),
        (&json!(2), &json!(2), &json!(1))
    );
    assert_eq!(
        (&counted["requests"]["agent"], &counted["requests"]["status"]),
        (&json!(2), &json!(1)),
        "{counted}"
    );
    assert!(!counted.to_string().contains("no.such"), "names are those of the table");
    // `health` tells what was so when something last changed.
    let health = admin.ok("health", json!({}));
    assert!(health["metrics"]["runsEnded"].as_u64() >= Some(1), "{health}");

    let (mut reader, _) = Client::with(&gateway, client::scoped(&["operator.read"]));
    for method in ["status", "health"] {
        let answer = reader.ok(method, json!({}));
        assert!(answer.get("metrics").is_none(), "{method}: {answer}");
    }
}
