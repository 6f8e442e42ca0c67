//! `openclaw conformance`: the transcripts against a gateway that runs, by the command itself.
use crate::harness::*;
use std::process::Output;

fn conformance(gateway: &Gateway, more: &[&str]) -> Output {
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let args: Vec<&str> =
        ["conformance", &url, "--token", TOKEN].into_iter().chain(more.iter().copied()).collect();
    gateway.cli_env(&args, &[])
}

fn report(output: &Output) -> Value {
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    schemas::check_output("conformance", &value);
    value
}

#[test]
fn i16_8_this_gateway_says_what_its_transcripts_say_the_second_time_too() {
    let gateway = Gateway::plain();
    for _ in 0..2 {
        let output = conformance(&gateway, &["--json"]);
        let report = report(&output);
        assert!(output.status.success() && report["ok"] == true, "{report:#}");
        let transcripts =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts")).unwrap().count();
        let counts = ["same", "leftOut"].map(|key| report[key].as_u64().unwrap() as usize);
        assert!(counts[0] > transcripts && counts[1] <= 4, "{report:#}");
    }
}

/// A gateway that answers otherwise: the line, what was sent and what came are told, and the exit status says so.
#[test]
fn i16_8_what_differs_is_told_with_its_place() {
    let gateway = Gateway::plain();
    // The label that the conversation wants is another session's.
    let mut other = Client::operator(&gateway, 4);
    other.ok("sessions.patch", json!({"key": "agent:main:other", "label": "home"}));
    let output = conformance(&gateway, &["--only", "sessions_resolve", "--protocol", "3"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("DIFFERS   sessions_resolve (3), line 2") || said.contains("line 3"), "{said}");
    assert!(said.contains("sent: ") && said.contains("label already in use"), "{said}");
    assert!(said.contains("0 the same, 1 differ, 0 left out"), "{said}");
    let output = conformance(&gateway, &["--only", "sessions_resolve", "--protocol", "4", "--json"]);
    let report = report(&output);
    assert_eq!((output.status.code(), &report["differ"], &report["ok"]), (Some(1), &json!(1), &json!(false)));
    assert!(report["conversations"][0]["got"].as_str().unwrap().contains("label already in use"), "{report}");
}

#[test]
fn i16_8_what_cannot_be_played_is_one_clear_error() {
    let gateway = Gateway::plain();
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let cases: [(&[&str], &str); 5] = [
        (&["conformance", &url], "--token"),
        (&["conformance", "ws://127.0.0.1:1", "--token", "x"], "connection refused"),
        (&["conformance", &url, "--token", "wrong"], "connect is refused"),
        (&["conformance", &url, "--token", TOKEN, "--protocol", "5"], "protocol"),
        (
            &["conformance", &url, "--token", TOKEN, "--only", "nothing"],
            "no conversation \"nothing\"; there are",
        ),
    ];
    for (args, word) in cases {
        let output = gateway.cli_env(args, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(word), "{args:?}: {said}");
    }
}
