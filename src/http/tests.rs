//! Issue 10, item 3: rows of a table of the tests' own, served over real sockets.
use crate::error::{Error, Kind, Result};
use crate::http::testing::{Client, Server};
use crate::http::{Auth, Exchange, Path, Route};
use crate::json::json;
use crate::protocol::frame::Payload;
use crate::settings::{Auth as Secrets, Secret};
use crate::state::event::Event;
use crate::state::shared::Shared;
use std::io::Write;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static ROWS: &[Route] = &[
    row(&["POST"], "/echo", |exchange| {
        let body = String::from_utf8(exchange.body.clone()).unwrap();
        exchange.out.text(200, &body)
    }),
    row(&["POST", "PUT"], "/json", |mut exchange| {
        let sent = exchange.json()?;
        exchange.out.with("X-Odd", "1").json(201, &json!({"sent": sent}))
    }),
    row(&["GET"], "/fails", |_| Err(Error::new(Kind::Conflict, "changed meanwhile"))),
    row(&["GET"], "/mute", |_| Ok(())),
    row(&["GET"], "/calls", |exchange| {
        let answer = exchange.call("sessions.list", json!({}))?;
        exchange.out.json(200, &answer)
    }),
    row(&["GET"], "/ticks", |exchange| {
        let mut stream = exchange.out.stream(200, "text/event-stream")?;
        let _ = stream.write_all(b"one\n");
        while stream.is_wanted() && !SEEN.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = stream.write_all("two\n".repeat(5000).as_bytes());
        stream.finish();
        Ok(())
    }),
    row(&["GET"], "/breaks", |exchange| {
        let mut stream = exchange.out.stream(200, "text/plain")?;
        stream.write_all(b"half").map_err(|e| Error::io("write", e))?;
        Err(Error::unavailable("the other half is gone"))
    }),
    row(&["GET"], "/floods", |exchange| {
        let mut stream = exchange.out.stream(200, "text/plain")?;
        while stream.write_all(&[b'x'; 70_000]).is_ok() {}
        Ok(())
    }),
    row(&["GET"], "/waits", |exchange| {
        let mut stream = exchange.out.stream(200, "text/plain")?;
        let _ = stream.write_all(b"here\n");
        while stream.is_wanted() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }),
    row(&["GET"], "/file", |exchange| {
        let path = exchange.shared.env.state_dir.join("ws/AGENTS.md");
        let file = std::fs::File::open(path).map_err(|e| Error::io("open", e))?;
        exchange.out.file("text/markdown", file)
    }),
    Route {
        path: Path::Below("/below/"),
        ..row(&["GET"], "", |exchange| exchange.out.text(200, exchange.path))
    },
    Route { auth: Auth::Hook, ..row(&["POST"], "/hook", |exchange| exchange.out.text(202, "taken")) },
    Route {
        auth: Auth::Open,
        max_body: 0,
        ..row(&["GET"], "/open", |exchange| exchange.out.text(200, "open"))
    },
];

static ANY: &[Route] = &[
    Route { auth: Auth::Open, ..row(&["GET"], "/one", |exchange| exchange.out.text(200, "one")) },
    Route {
        path: Path::Any,
        auth: Auth::Open,
        ..row(&["GET"], "", |exchange| {
            let text = format!("{} of {}", exchange.head.target, exchange.peer.client);
            exchange.out.text(200, &text)
        })
    },
];

/// The first piece of `/ticks` was seen.
static SEEN: AtomicBool = AtomicBool::new(false);

const fn row(
    methods: &'static [&'static str],
    path: &'static str,
    handler: fn(Exchange) -> Result<()>,
) -> Route {
    let (path, time) = (Path::Exact(path), Duration::from_millis(700));
    Route { methods, path, auth: Auth::Secret, max_body: 100_000, time, handler }
}

fn plain() -> Server {
    Server::start(ROWS, "{}")
}

fn owner(server: &Server, head: &str, body: &str) -> crate::http::testing::Answer {
    server.ask(&format!("{head}\nAuthorization: Bearer t"), body)
}

/// Waits for the end of all handlers that hold a stream.
fn wait_for_no_stream(shared: &Shared, time: Duration) {
    let since = Instant::now();
    while shared.door.open_stream(1).is_none() {
        assert!(since.elapsed() < time, "a stream is open after {time:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn i10_3_a_body_is_taken_by_its_length_and_in_chunks() {
    let server = plain();
    let mut client = server.connect();
    client.send_as_owner("POST /echo HTTP/1.1\nContent-Length: 5", "hello");
    client.send_as_owner(
        "POST /echo HTTP/1.1\nTransfer-Encoding: chunked",
        "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\n",
    );
    client.send_as_owner("POST /echo HTTP/1.1", "");
    let answers: Vec<String> = (0..3).map(|_| client.answer().body).collect();
    assert_eq!(answers, ["hello", "abcde", ""], "one behind the other on one connection");
    client.send_as_owner("PUT /json HTTP/1.1\nTransfer-Encoding: Chunked", "");
    for byte in "4\r\n{\"a\"\r\n003\r\n:1}\r\n0\r\n\r\n".bytes() {
        client.0.write_all(&[byte]).unwrap();
    }
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.as_str()), (201, "{\"sent\":{\"a\":1}}\n"));
    assert_eq!(answer.header("x-odd"), Some("1"));
    let large = "y".repeat(100_000);
    client.send_as_owner("POST /echo HTTP/1.1\nContent-Length: 100000", &large);
    assert_eq!(client.answer().body, large);
    assert_eq!(owner(&server, "POST /json HTTP/1.1", "").body, "{\"sent\":{}}\n");
    let odd = owner(&server, "POST /json HTTP/1.1\nContent-Length: 1", "{");
    assert_eq!((odd.status, odd.header("connection")), (400, Some("keep-alive")), "{}", odd.body);
}

#[test]
fn i10_3_what_is_no_body_for_the_route_is_refused_and_ends_the_connection() {
    let server = plain();
    let chunked = "POST /echo HTTP/1.1\nTransfer-Encoding: chunked";
    for (head, body, status) in [
        ("POST /echo HTTP/1.1\nContent-Length: 100001", "", 413),
        ("POST /echo HTTP/1.1\nContent-Length: 99999999999999999999999", "", 413),
        ("POST /echo HTTP/1.1\nContent-Length: +1", "x", 400),
        (chunked, "ffffffffffffffff\r\n", 413),
        (chunked, "18000\r\n", 408),
        (chunked, "1\r\nxy", 400),
        (chunked, "\r\n", 400),
        (chunked, "2\nxy\n0\n\n", 400),
        (chunked, "0\r\nX: y\n\n", 400),
        ("POST /echo HTTP/1.1\nTransfer-Encoding: gzip, chunked", "0\r\n\r\n", 501),
        ("POST /echo HTTP/1.0\nTransfer-Encoding: chunked", "0\r\n\r\n", 400),
        ("POST /echo HTTP/1.1\nExpect: a miracle\nContent-Length: 1", "x", 417),
        ("GET /open HTTP/1.1\nContent-Length: 1", "x", 413),
        ("POST /echo HTTP/1.1\nContent-Length: 3", "x", 408),
    ] {
        let answer = owner(&server, head, body);
        assert_eq!(answer.status, status, "{head:?} {body:?}: {}", answer.body);
        assert_eq!(answer.header("connection"), Some("close"), "{head:?} {body:?}");
        assert!(answer.body.contains("\"error\""), "{}", answer.body);
    }
    let many = "10000\r\n".to_string() + &"x".repeat(0x10000) + "\r\n";
    assert_eq!(owner(&server, chunked, &(many.clone() + &many)).status, 413, "chunks count together");
    let mut client = server.connect();
    client.send_as_owner("POST /echo HTTP/1.1\nContent-Length: 3", "x");
    client.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer().status, 400, "the body ended early");
}

#[test]
fn i10_3_a_slow_sender_has_one_time_for_the_whole_body() {
    let server = plain();
    let (mut client, since) = (server.connect(), Instant::now());
    client.send_as_owner("POST /echo HTTP/1.1\nTransfer-Encoding: chunked", "");
    client.0.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    while client.0.peek(&mut [0]).is_err() && client.0.write_all(b"1\r\nx\r\n").is_ok() {
        assert!(since.elapsed() < Duration::from_secs(5));
    }
    assert!(client.rest().starts_with("HTTP/1.1 408 "));
}

#[test]
fn i10_3_too_many_bodies_at_a_time_are_refused() {
    let server = Server::start(ROWS, r#"{"gateway":{"limits":{"totalBufferedBytes":1048576}}}"#);
    let most = 512 << 10;
    let mut others = server.shared.budget.begin();
    assert!(others.grow(most - 50_000, most));
    let ask = |bytes: usize| {
        owner(&server, &format!("POST /echo HTTP/1.1\nContent-Length: {bytes}"), &"x".repeat(bytes))
    };
    let refused = ask(60_000);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(ask(40_000).status, 200);
    drop(others);
    assert_eq!(ask(60_000).status, 200);
}

#[test]
fn i10_3_a_body_is_invited_only_where_it_is_wanted() {
    let server = plain();
    let mut client = server.connect();
    let head = "POST /echo HTTP/1.1\nExpect: 100-Continue\nContent-Length: 2";
    client.send_as_owner(head, "");
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 100 Continue\r\n"));
    client.0.write_all(b"hi").unwrap();
    assert_eq!(client.answer().body, "hi");
    client.send_as_owner(head, "yo");
    assert_eq!(client.answer().body, "yo", "what has come is not invited");
    let old = owner(&server, &head.replace("1.1", "1.0"), "yo");
    assert!(old.head.starts_with("HTTP/1.0 200 "), "{}", old.head);
    // Nobody who may not send it is asked for a body.
    assert_eq!(server.ask(head, "").status, 401);
    assert_eq!(owner(&server, &head.replace("POST", "PATCH"), "").status, 405);
    assert_eq!(owner(&server, &head.replace("echo", "nowhere"), "").status, 404);
    assert_eq!(owner(&server, &head.replace("Length: 2", "Length: 200000"), "").status, 413);
}

#[test]
fn i10_3_methods_and_paths_are_those_of_the_rows() {
    let server = plain();
    let wrong = owner(&server, "DELETE /ticks HTTP/1.1", "");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
    let wrong = owner(&server, "GET /json HTTP/1.1", "");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST, PUT")));
    assert_eq!(owner(&server, "GET /below/a/b?c HTTP/1.1", "").body, "/below/a/b");
    for path in ["/below/", "/below", "/below/../open", "/openly"] {
        assert_eq!(owner(&server, &format!("GET {path} HTTP/1.1"), "").status, 404, "{path}");
    }
    let any = Server::start(ANY, "{}");
    assert_eq!(any.ask("GET /one HTTP/1.1", "").body, "one");
    assert_eq!(any.ask("GET /two?x HTTP/1.1", "").body, "/two?x of 127.0.0.1");
    let fails = owner(&server, "GET /fails HTTP/1.1", "");
    assert_eq!((fails.status, fails.body.contains("changed meanwhile")), (409, true), "{}", fails.body);
    assert_eq!(owner(&server, "GET /mute HTTP/1.1", "").status, 500, "a handler that says nothing");
    let file = owner(&server, "GET /file HTTP/1.1", "");
    assert_eq!((file.body.as_str(), file.header("content-type")), ("rules\n", Some("text/markdown")));
}

#[test]
fn i10_3_who_may_ask_is_a_matter_of_the_row() {
    let server = Server::start(ROWS, r#"{"hooks":{"enabled":true,"token":"webhook"}}"#);
    assert_eq!(server.ask("GET /open HTTP/1.1", "").body, "open");
    let stranger = server.ask("POST /echo HTTP/1.1", "");
    assert_eq!((stranger.status, stranger.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(server.ask("POST /echo HTTP/1.1\nAuthorization: Basic dDp0", "").status, 401);
    assert_eq!(server.ask("POST /echo HTTP/1.1\nAuthorization: Bearer webhook", "").status, 401);
    let hook = |header: &str| server.ask(&format!("POST /hook HTTP/1.1{header}"), "").status;
    assert_eq!(hook("\nAuthorization: Bearer webhook"), 202);
    assert_eq!(hook("\nX-OpenClaw-Token: webhook"), 202);
    assert_eq!(hook("\nAuthorization: Bearer t"), 401, "the gateway's secret opens no hook");
    assert_eq!(hook(""), 401);
    assert_eq!(server.ask("POST /hook?a=1&token=webhook HTTP/1.1", "").status, 400);
    assert_eq!(owner(&plain(), "POST /hook HTTP/1.1", "").status, 404, "webhooks are off");
}

#[test]
fn i10_3_what_is_streamed_goes_out_at_once_and_the_connection_stays() {
    let server = plain();
    let mut client = server.connect();
    client.send_as_owner("GET /ticks HTTP/1.1", "");
    let head = client.until("\r\n\r\n");
    assert!(head.contains("Transfer-Encoding: chunked\r\n") && head.contains("keep-alive"), "{head}");
    assert_eq!(client.until("one\n\r\n"), "4\r\none\n\r\n");
    SEEN.store(true, Ordering::SeqCst);
    let rest = client.until("\r\n0\r\n\r\n");
    assert_eq!(rest.matches("two").count(), 5000);
    client.send_as_owner("HEAD /ticks HTTP/1.1", "");
    let head = client.until("\r\n\r\n");
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    client.send_as_owner("HEAD /file HTTP/1.1", "");
    assert!(client.until("\r\n\r\n").contains("Content-Length: 6\r\n"));
    client.send_as_owner("GET /file HTTP/1.1", "");
    assert_eq!(client.answer().body, "rules\n", "no body came with the heads");
    // For HTTP/1.0 the end of the connection is the end of the stream.
    client = server.connect();
    client.send_as_owner("GET /ticks HTTP/1.0\nConnection: keep-alive", "");
    let all = client.rest();
    assert!(all.starts_with("HTTP/1.0 200 OK\r\nConnection: close\r\n"), "{all}");
    assert!(all.contains("\r\n\r\none\ntwo\n") && all.ends_with("two\n") && !all.contains("chunked"));
}

#[test]
fn i10_3_half_a_stream_never_looks_whole() {
    let server = plain();
    let mut client = server.connect();
    client.send_as_owner("GET /breaks HTTP/1.1", "");
    assert!(client.rest().ends_with("\r\n\r\n4\r\nhalf\r\n"));
}

#[test]
fn i10_3_who_does_not_read_is_given_up() {
    let server = Server::start(ROWS, r#"{"gateway":{"limits":{"stallMs":300}}}"#);
    let mut client = server.connect();
    client.send_as_owner("GET /floods HTTP/1.1", "");
    client.until("\r\n\r\n");
    wait_for_no_stream(&server.shared, Duration::from_secs(5));
}

#[test]
fn i10_3_work_ends_when_the_client_goes() {
    let server = plain();
    let ends: [fn(Client); 2] = [drop, |client| {
        client.0.shutdown(Shutdown::Write).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }];
    for end in ends {
        let mut client = server.connect();
        client.send_as_owner("GET /waits HTTP/1.1", "");
        client.until("here\n");
        assert!(server.shared.door.open_stream(1).is_none(), "it is at work");
        end(client);
        wait_for_no_stream(&server.shared, Duration::from_secs(5));
    }
    // So does what was asked for with a secret that holds no more.
    let mut client = server.connect();
    client.send_as_owner("GET /waits HTTP/1.1", "");
    client.until("here\n");
    let secret = Some(Secret::new("another"));
    let auth = Secrets { secret, ..(*server.shared.auth()).clone() };
    server.shared.set_auth(&auth);
    wait_for_no_stream(&server.shared, Duration::from_secs(5));
    assert_eq!(owner(&server, "GET /file HTTP/1.1", "").status, 401);
}

#[test]
fn i10_3_open_streams_are_counted() {
    let server = Server::start(ROWS, r#"{"gateway":{"limits":{"httpStreams":2}}}"#);
    let mut held: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    for client in &mut held {
        client.send_as_owner("GET /waits HTTP/1.1", "");
        client.until("here\n");
    }
    let refused = owner(&server, "GET /waits HTTP/1.1", "");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    drop(held);
    wait_for_no_stream(&server.shared, Duration::from_secs(5));
    let mut client = server.connect();
    client.send_as_owner("GET /waits HTTP/1.1", "");
    client.until("here\n");
}

/// A server whose state thread answers as `answer` does.
fn with_state(answer: fn(crate::calls::Call)) -> Server {
    Server::with(ROWS, "{}", move |shared| {
        let (state, asked) = crossbeam_channel::bounded(8);
        let work = move || {
            for event in asked {
                if let Event::Local { call, .. } = event {
                    answer(call);
                }
            }
        };
        crate::threads::bare("test-state", 256 << 10, work).unwrap();
        Shared { state, ..shared }
    })
}

#[test]
fn i10_3_a_handler_asks_the_state_and_waits_for_the_answer() {
    let server = with_state(|call| {
        assert_eq!((call.method, call.caller.scopes.has("operator.admin")), ("sessions.list", true));
        call.answer(Ok(Payload::Value(json!({"sessions": []}))));
    });
    assert_eq!(owner(&server, "GET /calls HTTP/1.1", "").body, "{\"sessions\":[]}\n");
    let server =
        with_state(|call| call.answer(Err(Error::unavailable("later").retry_in(Duration::from_secs(7)))));
    let failed = owner(&server, "GET /calls HTTP/1.1", "");
    assert_eq!((failed.status, failed.header("retry-after")), (503, Some("7")));
    // One that never answers, and is waited for as long as the row says.
    static KEPT: std::sync::Mutex<Vec<crate::calls::Call>> = std::sync::Mutex::new(Vec::new());
    let server = with_state(|call| KEPT.lock().unwrap().push(call));
    let since = Instant::now();
    assert_eq!(owner(&server, "GET /calls HTTP/1.1", "").status, 504);
    assert!(since.elapsed() < Duration::from_secs(5));
    KEPT.lock().unwrap().clear();
}
