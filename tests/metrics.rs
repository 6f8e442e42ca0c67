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

    let (mut reader, _) = Client::with(&gateway, client::scoped(&["operator.read"]));
    for method in ["status", "health"] {
        let answer = reader.ok(method, json!({}));
        assert!(answer.get("metrics").is_none(), "{method}: {answer}");
    }
}

/// `health`, `status` and `/metrics` tell the numbers of the moment at which they are asked.
#[test]
fn i10_6_all_who_tell_the_numbers_tell_the_same() {
    let gateway = Gateway::plain();
    let mut clients: Vec<Client> = (0..3).map(|_| Client::operator(&gateway, 4)).collect();
    let admin = &mut clients[0];
    for n in 1..=2 {
        let health = admin.ok("health", json!({}))["metrics"].clone();
        let status = admin.ok("status", json!({}))["metrics"].clone();
        let (head, port) = (format!("Authorization: Bearer {TOKEN}\r\nConnection: close"), gateway.port);
        let page =
            http::raw(port, &format!("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{head}\r\n\r\n"));
        for (name, outside) in [("clients", "clients"), ("clientsJoined", "clients_joined_total")] {
            assert_eq!((&health[name], &status[name]), (&json!(3), &json!(3)), "{name}: {health}");
            assert!(page.body.contains(&format!("\nopenclaw_{outside} 3\n")), "{}", page.body);
        }
        for (told, what) in [(&health, "health"), (&status, "status")] {
            assert_eq!(told["requests"][what], json!(n), "{told}");
        }
        assert!(page.body.contains(&format!("requests_total{{method=\"health\"}} {n}\n")), "{}", page.body);
    }
}

/// What somebody stopped has not failed.
#[test]
fn i14_f5_stopped_turns_are_counted_apart_from_failed_ones() {
    let half = Reply::Stream(vec![Step::Text("half".into()), Step::Gate, Step::Done]);
    let (_server, gateway) = with_model(vec![half]);
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "a1"}));
    client.event_where("chat", |p| p["state"] == "delta");
    client.ok("chat.abort", json!({"sessionKey": "main", "runId": "a1"}));
    let status = wait_for("the turn to be counted", || {
        Some(client.ok("status", json!({}))).filter(|status| status["today"]["turns"] == 1)
    });
    let (today, counted) = (&status["today"], &status["metrics"]);
    assert_eq!((&today["failed"], &today["stopped"]), (&json!(0), &json!(1)), "{today}");
    assert_eq!((&counted["runsFailed"], &counted["runsStopped"]), (&json!(0), &json!(1)), "{counted}");
    let shown = crate::cli::out(&gateway, &["gateway", "status", "--verbose"]);
    assert!(shown.contains("1 turn (1 stopped)"), "{shown}");
}
