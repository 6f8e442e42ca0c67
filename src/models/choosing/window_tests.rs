//! How much a model takes, as its server says it and as the configuration does.
use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Paths, and what a server answers there.
type Answers = &'static [(&'static str, &'static str)];

fn serve(answers: Answers) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let work = move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap();
            let text = String::from_utf8_lossy(&request[..n]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match answers.iter().find(|(known, _)| *known == path) {
                Some((_, body)) => ("200 OK", *body),
                None => ("404 Not Found", "{}"),
            };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // The client may be gone.
            let _ = stream.write_all((head + body).as_bytes());
        }
    };
    threads::bare("test-models", 64 * 1024, work).unwrap();
    Provider { id: "ollama".into(), model: "m".into(), base_url, ..Provider::builtin() }
}

#[test]
fn n_6_the_usual_servers_tell_their_windows() {
    const LIST: (&str, &str) = ("/v1/models", r#"{"data":[{"id":"m:latest"},{"id":"n"}]}"#);
    let rows: &[(Answers, Option<(u64, bool)>)] = &[
        (&[("/v1/models", r#"{"data":[{"id":"m","max_model_len":8192}]}"#)], Some((8192, true))),
        (
            &[
                LIST,
                ("/api/ps", r#"{"models":[{"name":"m:latest","context_length":4096}]}"#),
                ("/api/show", r#"{"model_info":{"llama.context_length":131072}}"#),
            ],
            Some((4096, true)),
        ),
        (
            &[
                LIST,
                ("/api/ps", r#"{"models":[]}"#),
                (
                    "/api/show",
                    r#"{"parameters":"stop x\nnum_ctx    16384","model_info":{"llama.context_length":131072}}"#,
                ),
            ],
            Some((16384, true)),
        ),
        (
            &[LIST, ("/api/show", r#"{"model_info":{"a":1,"qwen3.context_length":40960}}"#)],
            Some((40960, false)),
        ),
        (
            &[
                LIST,
                (
                    "/api/v0/models",
                    r#"{"data":[{"id":"m","max_context_length":32768,"loaded_context_length":6000}]}"#,
                ),
            ],
            Some((6000, true)),
        ),
        (&[LIST, ("/props", r#"{"default_generation_settings":{"n_ctx":12288}}"#)], Some((12288, true))),
        (&[LIST, ("/props", r#"{"default_generation_settings":{"n_ctx":0}}"#)], None),
        (&[LIST], None),
    ];
    for (answers, want) in rows {
        let told = ask(&serve(answers), Duration::from_secs(5)).unwrap();
        assert_eq!(told.window.map(|w| (w.tokens, w.is_served)), *want, "{answers:?}");
    }
    assert_eq!(ask(&serve(&[LIST]), Duration::from_secs(5)).unwrap().models, ["m:latest", "n"]);
    // One that has no list is there all the same.
    let bare = Told::default();
    assert_eq!(ask(&serve(&[]), Duration::from_secs(5)), Some(bare));
    let far = Provider { base_url: "https://far.example/v1".into(), ..serve(&[]) };
    assert_eq!(ask(&far, Duration::from_secs(5)), None);
}

#[test]
fn n_6_a_turn_learns_the_window_and_waits_for_no_silent_server() {
    let provider = serve(&[("/v1/models", r#"{"data":[{"id":"m","max_model_len":8192}]}"#)]);
    assert_eq!((of_turn(&provider), of_turn(&provider)), (Some(8192), Some(8192)));
    // T1-3: what Ollama has set for a model counts before it is loaded; what a model could take does not.
    const LIST: (&str, &str) = ("/v1/models", r#"{"data":[{"id":"m:latest"}]}"#);
    let shown: Answers =
        &[LIST, ("/api/ps", r#"{"models":[]}"#), ("/api/show", r#"{"parameters":"num_ctx 4096"}"#)];
    assert_eq!(of_turn(&serve(shown)), Some(4096));
    // Ollama gives no more than the model can take.
    let above: Answers = &[
        LIST,
        ("/api/ps", r#"{"models":[]}"#),
        ("/api/show", r#"{"parameters":"num_ctx 32768","model_info":{"llama.context_length":4096}}"#),
    ];
    assert_eq!(of_turn(&serve(above)), Some(4096));
    let able: Answers = &[LIST, ("/api/show", r#"{"model_info":{"qwen3.context_length":40960}}"#)];
    assert_eq!(of_turn(&serve(able)), None);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/v1", silent.local_addr().unwrap());
    let started = Instant::now();
    let provider = Provider { base_url, ..provider };
    assert_eq!((of_turn(&provider), of_turn(&provider)), (None, None));
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(of_turn(&Provider { id: "own".into(), ..provider }), None);
}
