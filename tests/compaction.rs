//! A conversation that fills the model's window: by `/compact`, by itself, and when the server says so first.
use crate::agent::{turn, with_config};
use crate::harness::model::texts;
use crate::harness::*;

fn gateway(replies: Vec<Reply>, window: u64) -> (ModelServer, Gateway) {
    let server = ModelServer::start(replies);
    let mut config = server.config();
    config["models"]["providers"]["test"]["models"][0]["contextWindow"] = json!(window);
    config["models"]["providers"]["test"]["models"][0]["maxTokens"] = json!(200);
    merge(&mut config, &json!({"tools": {"deny": ["*"]}}));
    let gateway = with_config(config);
    (server, gateway)
}

// N-6: the window of README's path, with all tools. Whatever the server counts, the conversation goes along.
#[test]
fn n_6_a_small_window_forgets_nothing_in_silence() {
    for (window, counted) in [(4096, 3300), (3000, 2500)] {
        let usage = |n: u64| json!({"prompt_tokens": n, "completion_tokens": 3, "total_tokens": n + 3});
        let said = |text: &str| {
            let piece = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}], "usage": usage(counted)});
            Reply::Stream(vec![Step::Raw(format!("data: {piece}\n\ndata: [DONE]\n\n").into_bytes())])
        };
        let server = ModelServer::start(["one", "two", "three", "four"].map(said).to_vec());
        let mut config = server.config();
        config["models"]["providers"]["test"]["models"][0]["contextWindow"] = json!(window);
        let gateway = with_config(config);
        let mut client = Client::operator(&gateway, 4);
        for n in 0..4 {
            turn(&mut client, "and then?", &format!("k{n}")).unwrap();
        }
        let sizes: Vec<usize> = server
            .requests(4)
            .iter()
            .map(|asked| asked["body"]["messages"].as_array().unwrap().len())
            .collect();
        assert_eq!(sizes, [2, 4, 6, 8], "{window}");
        let log = gateway.log();
        assert_eq!(log.matches("instructions and tools take about").count(), 1, "{log}");
        assert!(log.contains(&format!("of the {window} tokens of test/m, so that little")), "{log}");
        let (doctor, _) = crate::cli::text(&gateway.cli(&["doctor", "--only", "models"]));
        assert!(
            doctor.contains("instructions and tools take about") && doctor.contains("tools.profile minimal"),
            "{doctor}"
        );
    }
}

fn long(n: usize) -> String {
    format!("message {n}: {}", "many words about nothing in particular ".repeat(20))
}

fn compactions(client: &mut Client) -> usize {
    client
        .ok("chat.history", json!({"sessionKey": "main"}))
        .to_string()
        .matches("\"kind\":\"compaction\"")
        .count()
}

#[test]
fn a_full_window_is_compacted_before_the_next_call() {
    let replies = (0..3)
        .map(|_| texts(&["noted"]))
        .chain([texts(&["SUMMARY OF IT ALL"]), texts(&["going on"])])
        .collect();
    let (server, gateway) = gateway(replies, 2500);
    let mut client = Client::operator(&gateway, 4);
    for n in 0..3 {
        turn(&mut client, &long(n), &format!("k{n}")).unwrap();
    }
    // The server counts few tokens, so what is new must be what does not fit.
    turn(&mut client, &"far too many words ".repeat(320), "k3").unwrap();
    assert_eq!(compactions(&mut client), 1);
    let asked = server.requests(1).last().unwrap()["body"].to_string();
    assert!(asked.contains("in summary") && asked.contains("SUMMARY"), "{asked}");
    let note = client.event_where("agent", |p| p["stream"] == "compaction" && p["data"]["phase"] == "end");
    assert_eq!(note["sessionKey"], "agent:main:main");
    let row = client.ok("sessions.list", json!({}))["sessions"][0].clone();
    assert!(row["totalTokens"].as_u64().is_some(), "{row}");
}

#[test]
fn a_server_that_says_too_long_is_asked_again_after_a_compaction() {
    let too_long = || {
        Reply::Status(
            400,
            vec![],
            r#"{"error":{"message":"This model's maximum context length is 10 tokens"}}"#.into(),
        )
    };
    let replies =
        vec![texts(&["one"]), texts(&["two"]), too_long(), texts(&["SUMMARY"]), texts(&["made it"])];
    let (server, gateway) = gateway(replies, 200_000);
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, &long(0), "k0").unwrap();
    turn(&mut client, &long(1), "k1").unwrap();
    let done = turn(&mut client, "and now?", "k2").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "made it");
    assert_eq!(server.count(), 5);
    assert!(server.requests(5)[4]["body"].to_string().contains("SUMMARY"));
    assert_eq!(compactions(&mut client), 1);
}

#[test]
fn the_command_compacts_and_says_how_much() {
    let (server, gateway) = gateway(vec![texts(&["one"]), texts(&["two"]), texts(&["SUMMARY"])], 200_000);
    let mut client = Client::operator(&gateway, 3);
    turn(&mut client, &long(0), "k0").unwrap();
    turn(&mut client, &long(1), "k1").unwrap();
    client.ok(
        "chat.send",
        json!({"sessionKey": "main", "message": "/compact keep the numbers", "idempotencyKey": "k2"}),
    );
    let end = client.event_where("chat", |p| p["runId"] == "k2" && p["state"] != "delta");
    let text = end["message"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("Compacted"), "{end}");
    assert!(server.requests(3)[2]["body"].to_string().contains("keep the numbers"));
    assert_eq!(client.ok("agent.wait", json!({"runId": "k2", "timeoutMs": 1000}))["status"], "ok");
}

#[test]
fn a_model_that_cannot_summarise_costs_the_oldest_messages_only() {
    let broken = || Reply::Status(500, vec![], "{}".into());
    let mut replies: Vec<Reply> = (0..4).map(|_| texts(&["noted"])).collect();
    replies.extend([broken(), texts(&["still here"])]);
    let (_server, gateway) = gateway(replies, 2500);
    let mut client = Client::operator(&gateway, 4);
    let mut answers = Vec::new();
    for n in 0..6 {
        let done = turn(&mut client, &long(n), &format!("k{n}"));
        answers.push(done.map(|d| d["result"]["payloads"][0]["text"].clone()));
    }
    assert!(answers.iter().filter(|a| a.is_ok()).count() >= 5, "{answers:?}");
}

#[test]
fn sessions_compact_cuts_whole_entries_and_not_under_a_running_turn() {
    let held = Reply::Stream(vec![Step::Text("wait".into()), Step::Gate, Step::Done]);
    let (server, gateway) = gateway(vec![texts(&["one"]), texts(&["two"]), held], 200_000);
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "a", "k0").unwrap();
    turn(&mut client, "b", "k1").unwrap();
    client.ok("chat.send", json!({"sessionKey": "main", "message": "c", "idempotencyKey": "k2"}));
    client.event_where("chat", |p| p["runId"] == "k2" && p["state"] == "delta");
    let busy = client.fails("sessions.compact", json!({"key": "main", "maxLines": 2}));
    assert_eq!((&busy["code"], &busy["retryable"]), (&json!("UNAVAILABLE"), &json!(true)), "{busy}");
    server.release();
    client.event_where("chat", |p| p["runId"] == "k2" && p["state"] == "final");
    let done = client.ok("sessions.compact", json!({"key": "main", "maxLines": 2}));
    assert_eq!(done["compacted"], true, "{done}");
    let file = std::fs::read_dir(gateway.sessions_dir()).unwrap().flatten().map(|e| e.path());
    let file = file.into_iter().find(|f| f.extension().is_some_and(|e| e == "jsonl")).unwrap();
    assert!(std::fs::read_to_string(file).unwrap().starts_with("{\"type\":\"session\""), "the header stays");
}
