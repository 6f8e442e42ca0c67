//! Scheduled jobs that somebody got wrong: broken entries are found and mended or removed, what could never run is refused,
//! and words say what is the matter (issue 13, part 1).
use super::cli::{fails, out, text};
use super::harness::*;

const JOBS: &str = r#"{"version": 1, "jobs": [
  {"id": "bad", "name": "bad", "schedule": {"kind": "cron", "expr": "0 9 * *", "tz": "Europe/Rome"}, "sessionTarget": "isolated",
   "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "m"}},
  "no job at all",
  {"name": "nameless", "schedule": {"kind": "every", "everyMs": 3600000}, "payload": {"kind": "agentTurn", "message": "m"}},
  {"id": "good", "agentId": "gone", "name": "good", "enabled": true, "schedule": {"kind": "every", "everyMs": 3600000},
   "sessionTarget": "isolated", "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "m"}, "delivery": {"mode": "none"}}
]}"#;

fn file(gateway: &Gateway) -> Value {
    let text = std::fs::read_to_string(gateway.state_dir().join("cron/jobs.json")).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn turn(name: &str) -> Value {
    json!({"name": name, "schedule": {"kind": "every", "everyMs": 3_600_000}, "sessionTarget": "isolated", "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "m"}, "delivery": {"mode": "none"}})
}

#[test]
fn i13_g_broken_entries_are_mended_and_removed_by_name() {
    let gateway = Gateway::start(&Setup::config(json!({})).file("cron/jobs.json", JOBS));
    let (_, warned) = text(&gateway.cli(&["cron", "list"]));
    assert!(warned.contains("job \"bad\" does not run") && warned.contains("job \"entry-2\""), "{warned}");
    let (code, said) = fails(&gateway, &["cron", "enable", "bad"]);
    assert!(code == 1 && said.contains("still broken") && said.contains("4 fields"), "{said}");
    let (_, said) = fails(&gateway, &["cron", "run", "bad"]);
    assert!(said.contains("does not run") && said.contains("cron edit"), "{said}");
    out(&gateway, &["cron", "edit", "bad", "--cron", "0 9 * * 1"]);
    let mut client = Client::operator(&gateway, 4);
    let jobs = client.ok("cron.list", json!({}))["jobs"].as_array().unwrap().clone();
    let mended = jobs.iter().find(|job| job["id"] == "bad").unwrap();
    assert_eq!(
        (&mended["schedule"]["expr"], &mended["schedule"]["tz"]),
        (&json!("0 9 * * 1"), &json!("Europe/Rome"))
    );
    assert!(mended["state"]["nextRunAtMs"].is_u64(), "{mended}");
    out(&gateway, &["cron", "rm", "entry-2"]);
    out(&gateway, &["cron", "edit", "entry-3", "--name", "named"]);
    let kept = file(&gateway);
    let names: Vec<_> = kept["jobs"].as_array().unwrap().iter().map(|job| job["name"].clone()).collect();
    assert_eq!(names, ["bad", "named", "good"]);
    assert_eq!(client.ok("cron.status", json!({}))["wrong"], Value::Null);
    // What is not changed is not judged again: its agent has gone, and it is switched off all the same.
    out(&gateway, &["cron", "disable", "good"]);
    let error = client.fails("cron.update", json!({"id": "good", "patch": {"agentId": "none"}}));
    assert!(error["message"].as_str().unwrap().contains("is no agent here"), "{error}");
}

#[test]
fn i13_what_could_never_run_is_refused() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let mut job = turn("large");
    job["payload"]["more"] = json!(vec![1; 5001]);
    let error = client.fails("cron.add", job.clone());
    assert!(error["message"].as_str().unwrap().contains("more than 5000 values"), "{error}");
    job["payload"]["more"] = json!(vec![1; 4000]);
    let id = client.ok("cron.add", job)["id"].clone();
    let patch = json!({"id": id, "patch": {"delivery": {"more": vec![1; 1500]}}});
    let error = client.fails("cron.update", patch);
    assert!(error["message"].as_str().unwrap().contains("more than 5000 values"), "{error}");
}

/// A day that never is.
#[test]
fn i13_1_an_expression_that_never_comes_is_refused() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let job = |expr: &str| {
        let mut job = turn("never");
        job["schedule"] = json!({"kind": "cron", "expr": expr, "tz": "UTC"});
        job
    };
    for expr in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 1 1 * 2020"] {
        let said = client.fails("cron.add", job(expr))["message"].as_str().unwrap().to_string();
        assert!(
            said.contains("schedule.expr") && said.contains(expr) && said.contains("never comes"),
            "{said}"
        );
    }
    let id = client.ok("cron.add", job("0 0 29 2 *"))["id"].clone();
    let patch = json!({"id": id, "patch": {"schedule": {"kind": "cron", "expr": "0 0 30 2 *", "tz": "UTC"}}});
    let said = client.fails("cron.update", patch)["message"].to_string();
    assert!(said.contains("never comes"), "{said}");
    let (_, said) = fails(&gateway, &["cron", "add", "--cron", "0 0 30 2 *", "--message", "m"]);
    assert!(said.contains("never comes"), "{said}");
}

#[test]
fn i13_i_j_words_say_what_is_the_matter() {
    let gateway = Gateway::start(&Setup::config(json!({"cron": {"enabled": false}})));
    let (stdout, stderr) = text(&gateway.cli(&["cron", "list"]));
    assert!(stdout.contains("No cron jobs") && stderr.contains("set cron.enabled true"), "{stdout}{stderr}");
    let add = ["cron", "add", "--at", "20m", "--system-event", "cake", "--to", "1001"];
    let (_, said) = fails(&gateway, &add);
    assert!(said.contains("--system-event tells the main session") && said.contains("--message"), "{said}");
}

/// Issue 13, k: a run that got no conversation has no id of one.
#[test]
fn i13_k_a_run_without_a_conversation_names_none() {
    let gateway = Gateway::start(&Setup::config(json!({})).file("cron/jobs.json", JOBS));
    let mut client = Client::operator(&gateway, 4);
    client.ok("cron.run", json!({"id": "good", "mode": "force"}));
    let runs = client.ok("cron.runs", json!({"id": "good"}));
    assert_eq!(runs["entries"][0]["status"], "error", "{runs}");
    assert!(!runs.to_string().contains("\"sessionId\":\"\""), "{runs}");
    let mut job = turn("main");
    merge(&mut job, &json!({"sessionTarget": "main", "payload": {"kind": "systemEvent", "text": "x"}}));
    job["payload"].as_object_mut().unwrap().remove("message");
    job.as_object_mut().unwrap().remove("delivery");
    let id = client.ok("cron.add", job)["id"].clone();
    client.ok("cron.run", json!({"id": id, "mode": "force"}));
    let runs = client.ok("cron.runs", json!({"id": id}));
    assert!(!runs.to_string().contains("\"sessionId\":\"\""), "{runs}");
}
