//! Model calls against a real HTTP server on loopback that answers what each test says.
use super::super::provider::{Api, Secret, Thinking, Usage};
use super::super::scan;
use super::*;
use crate::cancel::{Cancel, Reason};
use crate::error::{Error, Kind};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread::{self, JoinHandle};
use std::time::Instant;

const KEY: &str = "sk-canary-0123456789";
const SSE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A server that answers connection n with `answer(n, socket)` after reading the request.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

fn go<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(work).unwrap()
}

fn serve(answer: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (seen, answer) = (requests.clone(), Arc::new(answer));
    go(move || {
        for (n, socket) in listener.incoming().enumerate() {
            let (seen, answer, mut socket) = (seen.clone(), answer.clone(), socket.unwrap());
            go(move || {
                let request = read_request(&mut socket);
                seen.lock().unwrap().push(request);
                answer(n, &mut socket);
            });
        }
    });
    Server { port, requests }
}

fn read_request(socket: &mut TcpStream) -> String {
    let (mut all, mut buf) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&all).to_string();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower
                .lines()
                .find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        match socket.read(&mut buf).unwrap_or(0) {
            0 => return text,
            n => all.extend_from_slice(&buf[..n]),
        }
    }
}

/// A test server may be left by its client at any time.
fn say(socket: &mut TcpStream, text: impl AsRef<[u8]>) {
    socket.set_nodelay(true).unwrap();
    let _ = socket.write_all(text.as_ref()).and_then(|()| socket.flush());
}

fn always(answer: &str) -> Server {
    let answer = answer.to_string();
    serve(move |_, socket| say(socket, &answer))
}

fn status(line: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: {}\r\n{more}\r\n{body}", body.len())
}

fn provider(port: u16) -> Provider {
    let ms = Duration::from_millis;
    Provider {
        id: "stub".into(),
        model: "org/test".into(),
        base_url: format!("http://127.0.0.1:{port}/v1"),
        api_key: Some(Secret::new(KEY)),
        headers: vec![("x-extra".into(), "header-canary-42".into())],
        auth_header: true,
        timeouts: Timeouts { connect: ms(2000), first_token: ms(5000), idle: ms(5000) },
        retries: 0,
        max_tokens: Some(77),
        api: Api::OpenAiCompletions,
        ..Provider::builtin()
    }
}

fn ask(p: &Provider, cancel: &Cancel) -> (Result<Completion>, Vec<Chunk>) {
    let messages = [json!({"role": "user", "content": [{"type": "text", "text": "hi"}]})];
    let mut chunks = Vec::new();
    let done = p.stream(
        &ChatRequest {
            system: "be kind",
            messages: &messages,
            tools: &[],
            thinking: Thinking::Off,
            has_acted: false,
            wanted: None,
        },
        cancel,
        &mut |c| chunks.push(c),
    );
    (done, chunks)
}

fn completion(answer: &str) -> Completion {
    ask(&provider(always(answer).port), &Cancel::new()).0.unwrap()
}

fn error_of(p: &Provider) -> Error {
    let error = ask(p, &Cancel::new()).0.unwrap_err();
    let everything = format!("{error} {:?} {}", error, error.to_wire(4));
    assert!(!everything.contains(KEY) && !everything.contains("header-canary-42"), "{everything}");
    assert!(!format!("{p:?}{:?}", p.api_key).contains("canary"));
    error
}

#[track_caller]
fn fails(answer: &str, words: &[&str], retryable: bool) -> Error {
    let error = error_of(&provider(always(answer).port));
    assert_eq!(error.kind, Kind::Model, "{error}");
    for word in words.iter().chain(&["model server http://127.0.0.1:"]) {
        assert!(error.message().contains(word), "{word:?} is not in: {error}");
    }
    assert_eq!(error.retryable(), retryable, "{error}");
    assert!(!error.message().ends_with('.') && !error.message().contains('\n'), "{error}");
    error
}

fn delta(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

#[test]
fn a_stream_becomes_chunks_usage_and_the_whole_text() {
    let first =
        json!({"choices": [{"delta": {"role": "assistant", "content": null, "reasoning_content": "hm"}}]});
    let end = json!({"choices": [{"delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}});
    let server = always(&format!(
        "{SSE}: wait\n\ndata: {first}\n\n{}{}data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n",
        delta("Grüß "),
        delta("dich 😀")
    ));
    let (done, chunks) = ask(&provider(server.port), &Cancel::new());
    let done = done.unwrap();
    assert_eq!((done.text().as_str(), done.stop_reason), ("Grüß dich 😀", "stop"));
    assert_eq!(done.usage, Usage::of(7, 5, 4, 0));
    assert_eq!(
        chunks,
        [Chunk::Reasoning("hm".into()), Chunk::Text("Grüß ".into()), Chunk::Text("dich 😀".into())]
    );
    let request = server.requests.lock().unwrap()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{head}");
    assert!(head.contains(&format!("Bearer {KEY}")) && head.contains("header-canary-42"), "{head}");
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({
        "model": "org/test", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 77,
        "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]})
    );
}

#[test]
fn every_piece_is_handed_on_when_it_arrives_whatever_the_framing() {
    let whole = format!("{}{}data: [DONE]\r\n\r\n", delta("ä"), delta("b😀"));
    let server = serve(move |_, socket| {
        say(
            socket,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        for byte in whole.as_bytes() {
            say(socket, [b"1\r\n".as_slice(), &[*byte], b"\r\n"].concat());
        }
        say(socket, "0\r\n\r\n");
    });
    assert_eq!(ask(&provider(server.port), &Cancel::new()).0.unwrap().text(), "äb😀");

    let sent = Arc::new(Mutex::new(None));
    let at = sent.clone();
    let server = serve(move |_, socket| {
        say(socket, SSE);
        thread::sleep(Duration::from_millis(60));
        *at.lock().unwrap() = Some(Instant::now());
        say(socket, delta("x"));
        thread::sleep(Duration::from_millis(300));
        say(socket, "data: [DONE]\n\n");
    });
    let messages = [json!({"role": "user", "content": "hi"})];
    let mut took = None;
    stream(
        &provider(server.port),
        &super::super::openai::FORMAT,
        &ChatRequest {
            system: "",
            messages: &messages,
            tools: &[],
            thinking: Thinking::Off,
            has_acted: false,
            wanted: None,
        },
        &Cancel::new(),
        &mut |_| {
            took = sent.lock().unwrap().map(|at: Instant| at.elapsed());
        },
    )
    .unwrap();
    // R-23a asks for 5 ms; a busy test machine gets some slack, far below the pause before the end.
    assert!(took.unwrap() < Duration::from_millis(50), "{took:?}");
}

#[test]
fn a_plain_json_answer_is_taken() {
    let body = json!({"choices": [{"message": {"content": "whole"}, "finish_reason": "length"}], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let done = completion(&status("200 OK", "content-type: application/json\r\n", &body.to_string()));
    assert_eq!((done.text().as_str(), done.stop_reason, done.usage.total), ("whole", "length", 3));
}

#[test]
fn the_end_of_a_stream_may_be_sloppy() {
    let end = json!({"choices": [{"delta": {}, "finish_reason": "stop"}]});
    assert_eq!(completion(&format!("{SSE}{}data: {end}", delta("a"))).text(), "a");
    assert_eq!(completion(&format!("{SSE}{}data: [DONE]", delta("b"))).text(), "b");
    assert_eq!(
        completion(&format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}data: [DONE]\n\n", delta("c")))
            .text(),
        "c"
    );
}

#[test]
fn each_status_has_its_sentence() {
    let said = |text: &str| json!({"error": {"message": text}}).to_string();
    let check = |line: &str, words: &[&str], retryable: bool| {
        fails(&status(line, "", &said(&format!("no\u{7}pe {KEY}"))), words, retryable)
    };
    check("400 Bad Request", &["HTTP 400", "no\\u{7}pe [redacted]", "org/test"], false);
    check("401 Unauthorized", &["does not accept the API key", "models.providers.stub.apiKey"], false);
    check("402 Payment Required", &["no credit"], false);
    check("403 Forbidden", &["may not use the model"], false);
    check("404 Not Found", &["/v1", "models scan"], false);
    check("408 Request Timeout", &["408"], true);
    check("413 Too Large", &["too long", "reset the session"], false);
    check("429 Slow", &["too many requests"], true);
    check("500 Oops", &["the server failed"], true);
    check("504 Late", &["gave up waiting"], true);
    check("529 Overloaded", &["it is overloaded"], true);
    check("503 Loading", &["the server failed"], true);
    let moved = "location: http://127.0.0.1:1/\r\n";
    fails(&status("307 Temporary Redirect", moved, ""), &["redirects are not followed", "baseUrl"], false);
    fails(&status("500 Oops", "", &"long ".repeat(1000)), &["long …\"", "HTTP 500"], true);
    let html = fails(
        &status("502 Bad Gateway", "", "<html><TITLE>No upstream</TITLE>unfit words</html>"),
        &["502", "No upstream"],
        true,
    );
    assert!(!html.message().contains("unfit"), "{html}");
    let mut keyless = provider(always(&status("401 Unauthorized", "", "")).port);
    keyless.api_key = None;
    assert!(error_of(&keyless).message().contains("set models.providers.stub.apiKey or STUB_API_KEY"));
}

#[test]
fn nonsense_in_a_200_answer_is_an_error() {
    fails(
        &status("200 OK", "content-type: text/html\r\n", "<html>hello</html>"),
        &["text/html", "/v1"],
        false,
    );
    fails(&format!("{SSE}{}", delta("cut")), &["in the middle"], true);
    fails(&format!("{SSE}data: [DONE]\n\n"), &["empty answer"], true);
    fails(SSE, &["closed the connection"], true);
    fails(&format!("{SSE}data: not json\n\n"), &["not JSON", "not json"], false);
    fails(&format!("{SSE}data: {}\n\n", "x".repeat(2 << 20)), &["1 MiB"], false);
    fails("SSH-2.0-OpenSSH_9\r\n", &["does not speak HTTP"], false);
    let error = json!({"error": {"message": "out of memory", "code": 500}});
    fails(&format!("{SSE}{}data: {error}\n\n", delta("a")), &["out of memory", "500"], true);
    fails(
        &status("200 OK", "content-type: application/json\r\n", "{\"error\":\"no such model\"}"),
        &["no such model"],
        true,
    );
    fails(&status("200 OK", "content-type: application/json\r\n", "{\"choices\":"), &["cut off"], false);
    let thinking = json!({"choices": [{"delta": {"reasoning": "hm"}, "finish_reason": "length"}]});
    fails(&format!("{SSE}data: {thinking}\n\n"), &["raise maxTokens"], false);
    let short = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n";
    fails(&format!("{short}{}", delta("cut")), &["in the middle"], true);
}

#[test]
fn faults_of_the_network_are_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = Instant::now();
    let refused = error_of(&provider(free));
    assert!(
        refused.message().contains("refused the connection: is the server running?") && refused.retryable(),
        "{refused}"
    );
    assert!(started.elapsed() < Duration::from_secs(1));

    let mut p = provider(free);
    p.base_url = "http://no-such-host.invalid/v1".into();
    assert!(error_of(&p).message().contains("host name does not resolve"), "{}", error_of(&p));

    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    p.base_url = format!("https://{}/v1", plain.local_addr().unwrap());
    go(move || {
        let mut socket = plain.accept().unwrap().0;
        say(&mut socket, "HTTP/1.1 400 Bad Request\r\n\r\n");
        // Closing with unread bytes would reset the connection before the text is read.
        thread::sleep(Duration::from_millis(500));
    });
    let tls = error_of(&p);
    assert!(tls.message().contains("TLS handshake") && !tls.retryable(), "{tls}");

    let server = serve(|_, _| thread::sleep(Duration::from_secs(30)));
    let mut p = provider(server.port);
    p.base_url = p.base_url.replace("http:", "https:");
    p.timeouts.connect = Duration::from_millis(120);
    assert!(error_of(&p).message().contains("took no connection within 0.12 s"));

    let mut p = provider(server.port);
    p.timeouts.first_token = Duration::from_millis(120);
    let started = Instant::now();
    let slow = error_of(&p);
    assert!(
        slow.message().contains("sent no token within 0.12 s") && slow.message().contains("firstTokenMs"),
        "{slow}"
    );
    assert!(started.elapsed() < Duration::from_secs(2) && slow.retryable());
}

#[test]
fn comments_are_no_tokens_and_silence_after_tokens_is_idle() {
    let server = serve(|_, socket| {
        say(socket, SSE);
        for _ in 0..200 {
            say(socket, ": working\n\n");
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut p = provider(server.port);
    p.timeouts.first_token = Duration::from_millis(150);
    assert!(error_of(&p).message().contains("sent no token within"));

    let server = serve(|_, socket| {
        say(socket, format!("{SSE}{}", delta("a")));
        thread::sleep(Duration::from_secs(30));
    });
    let mut p = provider(server.port);
    p.timeouts.idle = Duration::from_millis(120);
    p.retries = 3;
    let (done, chunks) = ask(&p, &Cancel::new());
    assert!(done.unwrap_err().message().contains("went silent for 0.12 s within an answer"));
    // The piece, and what is kept of it.
    assert_eq!((chunks.len(), server.requests.lock().unwrap().len()), (2, 1));
}

#[test]
fn a_stop_takes_effect_at_once_in_every_phase() {
    let silent = serve(|_, _| thread::sleep(Duration::from_secs(30)));
    let talking = serve(|_, socket| {
        say(socket, SSE);
        for _ in 0..2000 {
            say(socket, delta("a"));
            thread::sleep(Duration::from_millis(10));
        }
    });
    let stalled = serve(|_, socket| {
        say(socket, format!("{SSE}{}", delta("a")));
        thread::sleep(Duration::from_secs(30));
    });
    let busy = always(&status("503 Busy", "retry-after: 9\r\n", ""));
    for server in [silent, talking, stalled, busy] {
        let cancel = Cancel::new();
        let stop = cancel.clone();
        let stopper = go(move || {
            thread::sleep(Duration::from_millis(150));
            stop.cancel(Reason::Rpc);
            Instant::now()
        });
        let mut p = provider(server.port);
        p.retries = 2;
        let done = ask(&p, &cancel).0;
        let late = stopper.join().unwrap().elapsed();
        assert_eq!(done.unwrap_err().kind, Kind::Aborted);
        assert!(late < Duration::from_millis(200), "{late:?}");
    }
}

#[test]
fn passing_failures_are_tried_again_and_retry_after_is_kept() {
    let good = format!("{SSE}{}data: [DONE]\n\n", delta("ok"));
    let server = serve(move |n, socket| match n {
        0 => {} // closes without an answer
        1 => say(socket, status("429 Slow", "retry-after: 1\r\n", "")),
        _ => say(socket, &good),
    });
    let mut p = provider(server.port);
    p.retries = 2;
    let started = Instant::now();
    assert_eq!(ask(&p, &Cancel::new()).0.unwrap().text(), "ok");
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < Duration::from_secs(4));

    let server = always(&status("429 Slow", "retry-after: 60\r\n", ""));
    p.base_url = provider(server.port).base_url;
    let started = Instant::now();
    let error = error_of(&p);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(started.elapsed() < Duration::from_secs(2), "a wait past the budget is reported, not waited for");
    assert_eq!(server.requests.lock().unwrap().len(), 1);

    let server = always(&status("500 Oops", "", ""));
    p.base_url = provider(server.port).base_url;
    error_of(&p);
    assert_eq!(server.requests.lock().unwrap().len(), 3);

    // Nothing is tried again once a token was handed on.
    let server = always(&format!("{SSE}{}", delta("cut")));
    p.base_url = provider(server.port).base_url;
    error_of(&p);
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

/// What stands before a container takes connections before the server does.
#[test]
fn t1_5_a_server_nearby_that_closes_connections_is_waited_for() {
    let good = format!("{SSE}{}data: [DONE]\n\n", delta("ok"));
    let server = serve(move |n, socket| {
        if n >= 5 {
            say(socket, &good);
        }
    });
    let p = Provider { retries: 2, patient: true, ..provider(server.port) };
    assert_eq!(ask(&p, &Cancel::new()).0.unwrap().text(), "ok");
    let server = serve(|_, _| {});
    let p = Provider { retries: 2, patient: false, ..provider(server.port) };
    assert!(error_of(&p).message().contains("closed the connection before it answered"));
    assert_eq!(server.requests.lock().unwrap().len(), 3);
}

#[test]
fn localhost_and_both_address_families_are_tried() {
    let answer = format!("{SSE}{}data: [DONE]\n\n", delta("ok"));
    let Ok(v6) = TcpListener::bind("[::1]:0") else { return };
    let port = v6.local_addr().unwrap().port();
    go(move || {
        for socket in v6.incoming() {
            let mut socket = socket.unwrap();
            read_request(&mut socket);
            say(&mut socket, &answer);
        }
    });
    let mut p = provider(port);
    for host in ["localhost", "[::1]"] {
        p.base_url = format!("http://{host}:{port}/v1");
        assert_eq!(ask(&p, &Cancel::new()).0.unwrap().text(), "ok", "{host}");
    }
}

#[test]
fn scan_finds_servers_and_nothing_else() {
    let list = json!({"object": "list", "data": [{"id": "nomic-embed-text", "owned_by": "library"}, {"id": "llama3:8b", "owned_by": "library"}]});
    let good = always(&status("200 OK", "content-type: application/json\r\n", &list.to_string()));
    let other = always(&status("200 OK", "", "<html></html>"));
    let silent = serve(|_, _| thread::sleep(Duration::from_secs(30)));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = Instant::now();
    let ports =
        [(silent.port, "a"), (good.port, "local"), (other.port, "b"), (free, "c"), (good.port, "ollama")];
    let found = scan::scan(&ports, Duration::from_millis(300));
    assert!(started.elapsed() < Duration::from_secs(2));
    let ids: Vec<&str> = found.iter().map(|f| f.provider_id.as_str()).collect();
    assert_eq!(ids, ["ollama".to_string(), format!("ollama-{}", good.port)]);
    assert_eq!(found[0].models, ["llama3:8b", "nomic-embed-text"]);
    assert_eq!(
        (found[0].server.as_str(), found[0].base_url.clone()),
        ("Ollama", format!("http://127.0.0.1:{}/v1", good.port))
    );
    assert!(!good.requests.lock().unwrap()[0].to_ascii_lowercase().contains("authorization"));
}

#[test]
fn each_format_asks_at_its_own_address_with_its_own_headers() {
    let openai = [format!("{SSE}{}data: [DONE]\n\n", delta("ok")), "/v1/chat/completions".into()];
    let done = json!({"type": "response.completed", "response": {"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "ok"}]}]}});
    let responses = [format!("{SSE}data: {done}\n\n"), "/v1/responses".into()];
    let whole =
        json!({"type": "message", "content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn"})
            .to_string();
    let messages = [status("200 OK", "content-type: application/json\r\n", &whole), "/v1/messages".into()];
    let bearer = format!("authorization: bearer {KEY}");
    let formats = [
        (Api::OpenAiCompletions, openai, bearer.clone()),
        (Api::OpenAiResponses, responses, bearer),
        (Api::AnthropicMessages, messages, format!("anthropic-version: 2023-06-01\r\nx-api-key: {KEY}")),
    ];
    for (api, [answer, path], header) in formats {
        let server = always(&answer);
        let mut p = Provider { api, ..provider(server.port) };
        assert_eq!(ask(&p, &Cancel::new()).0.unwrap().text(), "ok", "{path}");
        // A configured header takes the place of the key.
        p.headers.push(("X-Api-Key".into(), "header-canary-42".into()));
        ask(&p, &Cancel::new()).0.unwrap();
        let requests = server.requests.lock().unwrap().clone();
        let heads: Vec<String> =
            requests.iter().map(|r| r.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase()).collect();
        assert!(
            heads[0].starts_with(&format!("post {path} http/1.1")) && heads[0].contains(&header),
            "{}",
            heads[0]
        );
        assert!(!heads[1].contains(KEY), "{}", heads[1]);
    }
}
