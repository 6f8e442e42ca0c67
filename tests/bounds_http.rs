//! What a long answer costs on its way through HTTP: memory of the running gateway as a factor of the answer. Reads `VmHWM`,
//! so on Linux only.
use crate::bounds::{kib, peak_of};
use crate::harness::model::texts;
use crate::harness::*;
use crate::http_openai::{CHAT, RESPONSES, post, with_model};

/// Issue 12: a model may give faster than anybody takes. What was left out on the way follows at the end.
#[test]
fn i12_1_a_long_answer_that_comes_at_once_is_streamed_to_its_end() {
    let long: String = (0..260_000).map(|n| format!("{n} ")).collect();
    let pieces: Vec<&str> =
        long.as_bytes().chunks(64 << 10).map(|piece| str::from_utf8(piece).unwrap()).collect();
    let at_once = texts(&pieces);
    let (_model, gateway) = with_model(vec![at_once; 8]);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (gateway, long) = (&gateway, &long);
            scope.spawn(move || {
                let (path, said) = if n % 2 == 0 { (CHAT, "messages") } else { (RESPONSES, "input") };
                let body = json!({"model": "openclaw", "stream": true, "user": format!("u{n}"),
                    said: [{"role": "user", "content": "hi"}]});
                let (status, _, answer) = post(gateway, path, "", &body);
                let events = answer.body.lines().filter_map(|line| line.strip_prefix("data: "));
                let told: String = events
                    .filter_map(|event| serde_json::from_str::<Value>(event).ok())
                    .filter_map(|event| {
                        let delta = event["choices"][0]["delta"]["content"].as_str().map(str::to_string);
                        let is_delta = event["type"] == "response.output_text.delta";
                        delta.or_else(|| Some(event["delta"].as_str()?.to_string()).filter(|_| is_delta))
                    })
                    .collect();
                assert!(status == 200 && told == *long, "{path}: {status}, {} of {}", told.len(), long.len());
                let ends = ["\"finish_reason\":\"stop\"", "\"type\":\"response.completed\""];
                assert!(ends.iter().any(|end| answer.body.contains(end)), "{path} ends well");
            });
        }
    });
}

// Issue 12, S-M2: an answer of nearly 2 MB, the largest there is, as a whole and as a stream, by either API: what it costs by
// WebSocket, and no more for the several texts that an API repeats it in.
#[test]
fn s_m2_a_long_answer_through_http_costs_less_than_five_times_its_size() {
    let piece = "x".repeat(4096);
    let long = texts(&vec![piece.as_str(); 460]);
    let size = kib(4096 * 460);
    let (_model, gateway) = with_model([vec![texts(&["warm"])], vec![long; 4]].concat());
    let ask = |n: usize, path: &str, streams: bool| {
        let said = if path == CHAT { "messages" } else { "input" };
        let body = json!({"model": "openclaw", "stream": streams, "user": format!("u{n}"),
            said: [{"role": "user", "content": "hi"}]});
        post(&gateway, path, "", &body)
    };
    ask(0, CHAT, false);
    let cases = [(CHAT, false), (RESPONSES, false), (CHAT, true), (RESPONSES, true)];
    let mut found = Vec::new();
    for (n, (path, streams)) in cases.into_iter().enumerate() {
        let grown = peak_of(&gateway, || {
            let (status, _, answer) = ask(n + 1, path, streams);
            let (pieces, body) = (answer.body.matches(&piece).count(), &answer.body);
            let end: String = body.chars().skip(body.chars().count().saturating_sub(300)).collect();
            assert!(
                status == 200 && pieces >= 460,
                "{path}: {status}, {pieces} pieces, {} bytes: {end}",
                body.len()
            );
        });
        found.push((path, streams, grown));
    }
    assert!(found.iter().all(|(.., grown)| *grown < 5 * size), "{found:?} for {size} KiB");
}
