//! What a long answer costs on its way through HTTP: memory of the running gateway as a factor of the answer. Reads `VmHWM`,
//! so on Linux only.
use crate::bounds::{kib, peak_of};
use crate::harness::model::texts;
use crate::harness::*;
use crate::http_openai::{CHAT, RESPONSES, post, with_model};

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
            assert!(status == 200 && answer.body.matches(&piece).count() >= 460, "{path}: {status}");
        });
        found.push((path, streams, grown));
    }
    assert!(found.iter().all(|(.., grown)| *grown < 5 * size), "{found:?} for {size} KiB");
}
