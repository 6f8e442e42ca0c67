//! SIGKILL at random moments of streaming turns with tools: what was acknowledged is there once, and every run that
//! was cut off is told as such to whoever asks.
use crate::agent::with_config;
use crate::harness::model::{delta, texts};
use crate::harness::*;
use std::collections::BTreeMap;

const KILLS: u32 = 200;
const LANES: u32 = 4;

/// Answers in small pieces with pauses, every second one after a tool call.
fn replies() -> Vec<Reply> {
    let pause = || Step::Pause(Duration::from_millis(3));
    let words = |text: &str| -> Vec<Step> {
        text.split_inclusive(' ')
            .flat_map(|w| [Step::Text(w.to_string()), pause()])
            .chain([Step::Done])
            .collect()
    };
    let call = vec![
        Step::Text("let me look ".into()),
        pause(),
        Step::Call { id: "c1".into(), name: "agents_list".into(), arguments: "{}".into() },
        pause(),
        Step::Done,
    ];
    (0..400)
        .flat_map(|_| [Reply::Stream(call.clone()), Reply::Stream(words("one two three four five six"))])
        .collect()
}

/// The users' messages of a session by their run, and the tool calls without a result.
fn read(gateway: &Gateway) -> (BTreeMap<String, u32>, Vec<String>) {
    let (mut messages, mut open) = (BTreeMap::new(), Vec::new());
    let files = std::fs::read_dir(gateway.sessions_dir()).unwrap().flatten().map(|e| e.path());
    for file in files.filter(|f| f.extension().is_some_and(|e| e == "jsonl")) {
        let mut calls: Vec<String> = Vec::new();
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            // A line that a kill tore stays where it is.
            let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
            match entry["message"]["role"].as_str() {
                Some("user") => {
                    *messages.entry(entry["runId"].as_str().unwrap().to_string()).or_default() += 1
                }
                Some("assistant") if entry["message"]["stopReason"] == "toolUse" => {
                    let blocks = entry["message"]["content"].as_array().unwrap();
                    calls.extend(
                        blocks.iter().filter(|b| b["type"] == "toolCall").map(|b| b["id"].to_string()),
                    );
                }
                Some("toolResult") => {
                    let answered = entry["message"]["toolCallId"].to_string();
                    calls.retain(|id| *id != answered);
                }
                _ => {}
            }
        }
        open.extend(calls);
    }
    (messages, open)
}

fn lane(seed: u64) {
    let server = ModelServer::start(replies());
    let mut config = server.config();
    merge(&mut config, &json!({"messages": {"queue": {"debounceMs": 0}}}));
    let mut gateway = with_config(config);
    let mut random = Random(seed);
    let mut accepted: Vec<String> = Vec::new();
    for kill in 0..KILLS / LANES {
        let mut client = Client::operator(&gateway, 4);
        let until = Instant::now() + Duration::from_millis(random.below(90) as u64);
        let mut n = 0;
        while Instant::now() < until && n < 6 {
            let key = format!("{seed}-{kill}-{n}");
            let session = ["main", "other"][random.below(2)];
            let params =
                json!({"sessionKey": session, "message": format!("say {key}"), "idempotencyKey": key});
            let id = client.ask("chat.send", params);
            client.answer(&id).unwrap();
            accepted.push(key);
            n += 1;
            std::thread::sleep(Duration::from_millis(random.below(25) as u64));
        }
        gateway.kill();
        gateway.restart();
    }
    let mut client = Client::operator(&gateway, 4);
    for key in &accepted {
        let end = client.ok("agent.wait", json!({"runId": key, "timeoutMs": 10000}));
        let is_told = match end["status"].as_str() {
            Some("ok") => true,
            Some("error") => end["error"].as_str().unwrap().contains("stopped before this run ended"),
            _ => false,
        };
        assert!(is_told, "{key}: {end}");
    }
    // Each session goes on, which also answers what a kill left open.
    for session in ["main", "other"] {
        let id = client.ask("agent", json!({"sessionKey": session, "message": "still there?", "idempotencyKey": format!("last-{session}")}));
        client.answer(&id).unwrap();
        client.answer(&id).unwrap();
    }
    let (messages, open) = read(&gateway);
    assert_eq!(open, Vec::<String>::new(), "R-09d: calls without a result");
    for key in &accepted {
        assert_eq!(messages.get(key), Some(&1), "{key} is in the transcript exactly once");
        let again = json!({"sessionKey": "main", "message": "something else", "idempotencyKey": key});
        let refusal = client.call("chat.send", again).unwrap_err();
        assert!(refusal["message"].as_str().unwrap().contains("other params"), "R-10a: {refusal}");
    }
    assert!(accepted.len() as u32 > KILLS / LANES, "{} messages", accepted.len());
}

#[test]
fn r_08a_r_09d_nothing_acknowledged_is_lost_or_doubled_over_200_kills() {
    let seed = std::process::id() as u64;
    println!("seed {seed}");
    std::thread::scope(|scope| {
        for n in 0..u64::from(LANES) {
            scope.spawn(move || lane(seed * 7919 + n + 1));
        }
    });
}

/// The same question with a picture: it is there after the kill, picture and all, once.
#[test]
fn a_picture_that_was_acknowledged_survives_a_kill() {
    let server = ModelServer::start(vec![Reply::Hang, texts(&["fine"])]);
    let mut gateway = with_config(server.config());
    let mut client = Client::operator(&gateway, 4);
    let busy = json!({"sessionKey": "main", "message": "first", "idempotencyKey": "k1"});
    client.ok("chat.send", busy);
    let png =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
    client.ok("chat.send", json!({"sessionKey": "main", "message": "", "idempotencyKey": "k2", "attachments": [{"content": png}]}));
    gateway.kill();
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    assert_eq!(history.to_string().matches(png).count(), 1, "{history}");
    let left = std::fs::read_dir(gateway.state_dir().join("gateway/attachments")).unwrap().count();
    assert_eq!(left, 0, "what is in the transcript is kept nowhere else");
}

#[test]
fn a_kill_between_two_bytes_of_a_character_leaves_whole_lines() {
    let half = "ü".as_bytes()[..1].to_vec();
    let steps = vec![
        Step::Text("be".into()),
        Step::Raw(delta("@").into_bytes().split(|b| *b == b'@').next().unwrap().to_vec()),
        Step::Raw(half),
        Step::Gate,
    ];
    let server = ModelServer::start(vec![Reply::Stream(steps), texts(&["whole"])]);
    let mut gateway = with_config(server.config());
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "k"}));
    client.event_where("chat", |p| p["state"] == "delta");
    gateway.kill();
    gateway.restart();
    let (messages, _) = read(&gateway);
    assert_eq!(messages.get("k"), Some(&1));
}
