//! What local model servers tell of their models, as `models set`, `models list` and `doctor` use it, and what a page of
//! a stranger costs; with servers that answer by path.
use crate::agent::{turn, with_config};
use crate::cli::text;
use crate::harness::model::texts;
use crate::harness::*;
use std::io::{Read, Write};
use std::net::TcpListener;

/// A server on loopback that answers these paths and 404 to all others; gives its port.
fn serve(answers: Vec<(&'static str, &'static str, Vec<u8>)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let work = move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let n = stream.read(&mut request).unwrap_or(0);
            let head = String::from_utf8_lossy(&request[..n]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let found = answers.iter().find(|(known, ..)| *known == path);
            let (status, kind, body) = match found {
                Some((_, kind, body)) => ("200 OK", *kind, body.as_slice()),
                None => ("404 Not Found", "application/json", &b"{}"[..]),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            // The client may hang up when it has enough.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    };
    std::thread::Builder::new().name("test-pages".into()).spawn(work).unwrap();
    port
}

fn json_at(path: &'static str, body: &str) -> (&'static str, &'static str, Vec<u8>) {
    (path, "application/json", body.as_bytes().to_vec())
}

#[test]
fn n_6_n_17_models_set_asks_the_server_it_chooses() {
    let port = serve(vec![
        json_at("/v1/models", r#"{"data":[{"id":"llama3.2:latest"},{"id":"qwen3:4b"}]}"#),
        json_at("/api/ps", r#"{"models":[{"name":"llama3.2:latest","context_length":4096}]}"#),
    ]);
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let config = dir.join("home/.openclaw/openclaw.json");
    let before = format!(
        "// mine\n{{models: {{providers: {{box: {{baseUrl: 'http://127.0.0.1:{port}/v1', models: [{{id: 'llama3.2', name: 'L'}}]}}}}}}}}\n"
    );
    std::fs::write(&config, &before).unwrap();
    let run = |args: &[&str]| text(&gateway::command(&dir).args(args).output().unwrap());
    let (list, _) = run(&["models", "list", "--all"]);
    assert!(list.contains("200k?"), "{list}");
    let (_, told) = run(&["models", "set", "box/llama3.2"]);
    assert!(told.contains("llama3.2 takes 4096 tokens, as its server says"), "{told}");
    let written = std::fs::read_to_string(&config).unwrap();
    assert!(written.starts_with("// mine\n") && written.contains("4096"), "{written}");
    let (list, _) = run(&["models", "list", "--all"]);
    assert!(list.contains("4k") && !list.contains("4k?"), "{list}");
    let (done, told) = run(&["models", "set", "box/lama3.2"]);
    assert!(told.contains("has no model lama3.2; did you mean box/llama3.2"), "{told}");
    assert!(done.contains("box/lama3.2 answers now"), "{done}");
    let (doctor, _) = run(&["doctor", "--json"]);
    assert!(doctor.contains("models.window") && doctor.contains("box/lama3.2"), "{doctor}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn n_17_a_server_without_a_list_of_models_is_not_called_absent() {
    let port = serve(Vec::new());
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let provider = json!({"baseUrl": format!("http://127.0.0.1:{port}/v1"), "models": [{"id": "m", "contextWindow": 4096}]});
    let config = json!({"models": {"providers": {"box": provider}}});
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    let (done, told) = text(&gateway::command(&dir).args(["models", "set", "box/m"]).output().unwrap());
    assert!(told.contains("has no list of its models") && !told.contains("start the server"), "{told}");
    assert!(done.contains("box/m answers now"), "{done}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn n_17_a_server_that_is_not_there_answers_nothing() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let config = dir.join("home/.openclaw/openclaw.json");
    std::fs::write(
        &config,
        format!("{{gateway: {{mode: 'local'}}, models: {{providers: {{local: {{baseUrl: 'http://127.0.0.1:{port}/v1', models: [{{id: 'other'}}]}}}}}}}}"),
    )
    .unwrap();
    let run = |args: &[&str]| text(&gateway::command(&dir).args(args).output().unwrap());
    let (done, told) = run(&["models", "set", "local/other"]);
    assert!(
        !done.contains("answers now") && done.contains("local/other is set, and its server does not"),
        "{done}"
    );
    assert!(
        told.contains(&format!(
            "nothing at http://127.0.0.1:{port}/v1 tells what it serves: start the server"
        )),
        "{told}"
    );
    assert!(
        told.contains("models.providers.local.baseUrl") && told.contains("200000 tokens are assumed"),
        "{told}"
    );
    let (doctor, _) = run(&["doctor", "--only", "models.window"]);
    assert!(doctor.contains("set contextWindow beside other in models.providers.local.models"), "{doctor}");
    // N-6: a window that instructions and tools fill is told when the model is chosen.
    let small =
        std::fs::read_to_string(&config).unwrap().replace("id: 'other'", "id: 'other', contextWindow: 3000");
    std::fs::write(&config, small).unwrap();
    let (_, told) = run(&["models", "set", "local/other"]);
    assert!(
        told.contains("of the 3000 tokens of local/other, so that little") && !told.contains("assumed"),
        "{told}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn n_6_a_model_that_is_not_loaded_has_no_window_yet() {
    let port = serve(vec![
        json_at("/v1/models", r#"{"data":[{"id":"llama3.2:latest"}]}"#),
        json_at("/api/ps", r#"{"models":[]}"#),
        json_at("/api/show", r#"{"model_info":{"llama.context_length":131072}}"#),
    ]);
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let config = dir.join("home/.openclaw/openclaw.json");
    let before = format!(
        "{{models: {{providers: {{box: {{baseUrl: 'http://127.0.0.1:{port}/v1', models: [{{id: 'llama3.2', name: 'L'}}]}}}}}}}}\n"
    );
    std::fs::write(&config, &before).unwrap();
    let (_, told) = text(&gateway::command(&dir).args(["models", "set", "box/llama3.2"]).output().unwrap());
    assert!(told.contains("llama3.2 is not loaded: it could take 131072 tokens"), "{told}");
    let written = std::fs::read_to_string(&config).unwrap();
    assert!(!written.contains("contextWindow") && written.contains("box/llama3.2"), "{written}");
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A page of 2 MB costs the gateway at most three times that, whatever it is made of.
#[test]
#[cfg(target_os = "linux")]
fn s_h5_a_page_costs_at_most_three_times_its_size() {
    const CAP: usize = 2 << 20;
    let nested = format!("{}0{}", "[".repeat(120), "]".repeat(120));
    let fill = |part: &str| part.repeat(CAP / part.len() + 1).into_bytes();
    let pages = vec![
        ("/small", "text/plain", b"small".to_vec()),
        ("/deep", "application/json", format!("[{}0]", (nested + ",").repeat(CAP / 242)).into_bytes()),
        ("/zeros", "application/json", fill("0,")),
        ("/links", "text/html", fill("<a href=x>ab</a> ")),
        ("/lists", "text/html", fill("<ul><li>")),
        ("/tag", "text/html", [b"<a href=\"".to_vec(), fill("y")].concat()),
        ("/text", "text/html", fill("no tag at all &amp; ")),
        ("/legacy", "text/plain; charset=windows-1252", vec![0x80; CAP]),
    ];
    let port = serve(pages.clone());
    let steps: Vec<Reply> = pages
        .iter()
        .flat_map(|(path, ..)| {
            let arguments = json!({"url": format!("http://127.0.0.1:{port}{path}")}).to_string();
            let call = Step::Call { id: "c".into(), name: "web_fetch".into(), arguments };
            [Reply::Stream(vec![call, Step::Done]), texts(&["seen"])]
        })
        .collect();
    let server = ModelServer::start(steps);
    let mut config = server.config();
    config["tools"] = json!({"web": {"fetch": {"allowHosts": ["127.0.0.1"]}}});
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    for (n, (path, ..)) in pages.iter().enumerate() {
        // Sets the peak to what is resident now.
        std::fs::write(format!("/proc/{}/clear_refs", gateway.pid()), "5").unwrap();
        let before = gateway.peak_kib();
        turn(&mut client, "go", &format!("k{n}")).unwrap();
        let cost = gateway.peak_kib().saturating_sub(before);
        // The first one pays for what a turn needs at all.
        assert!(n == 0 || cost <= 3 * CAP as u64 / 1024, "{path}: {cost} KiB");
    }
}
