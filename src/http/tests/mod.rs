//! Issue 10, item 3: rows of a table of the tests' own, served over real sockets.
mod answers;
mod bodies;

use crate::error::{Error, Kind, Result};
use crate::http::testing::{Answer, Server};
use crate::http::{Auth, Exchange, Path, Route, Shape};
use crate::json::json;
use crate::protocol::frame::Payload;
use crate::state::event::Event;
use crate::state::shared::Shared;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static ROWS: &[Route] = &[
    row(&["POST"], "/echo", |exchange| {
        let body = String::from_utf8(exchange.body.clone()).unwrap();
        exchange.out.text(200, &body)
    }),
    row(&["POST", "PUT"], "/json", |mut exchange| {
        let sent = exchange.json()?;
        exchange.out.with("X-Odd", "1").json(201, json!({"sent": sent}))
    }),
    row(&["GET"], "/fails", |_| Err(Error::new(Kind::Conflict, "changed meanwhile"))),
    row(&["GET"], "/mute", |_| Ok(())),
    row(&["GET"], "/panics", |exchange| panic!("a defect, on purpose: {}", exchange.path)),
    row(&["GET"], "/calls", |exchange| {
        let answer = exchange.call("sessions.list", json!({}), crate::methods::local::to_value)?;
        exchange.out.json(200, answer)
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
        ..row(&["GET"], "", |exchange| exchange.out.text(200, &exchange.head.target))
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
    Route { methods, path, auth: Auth::Secret, max_body: 100_000, time, handler, shape: Shape::Bare }
}

fn plain() -> Server {
    Server::start(ROWS, "{}")
}

fn owner(server: &Server, head: &str, body: &str) -> Answer {
    server.ask(&format!("{head}\nAuthorization: Bearer t"), body)
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
    assert_eq!(any.ask("GET /two?x HTTP/1.1", "").body, "/two?x");
    let fails = owner(&server, "GET /fails HTTP/1.1", "");
    assert_eq!((fails.status, fails.body.contains("changed meanwhile")), (409, true), "{}", fails.body);
    assert_eq!(owner(&server, "GET /mute HTTP/1.1", "").status, 500, "a handler that says nothing");
    let defect = owner(&server, "GET /panics HTTP/1.1", "");
    assert_eq!((defect.status, defect.body.contains("purpose")), (500, false), "{}", defect.body);
    assert_eq!(owner(&server, "GET /file HTTP/1.1", "").status, 200, "others are served");
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

// SEC-40: what is open to anybody is not open to a page that had its own name lead here.
#[test]
fn sec_40_what_is_open_is_asked_for_by_a_name_of_this_machine() {
    let config = r#"{"gateway":{"controlUi":{"allowedOrigins":["https://ui.example"]},"trustedProxies":[]}}"#;
    let server = Server::start(ROWS, config);
    let ask = |host: &str, more: &str| {
        let mut client = server.connect();
        client.0.write_all(format!("GET /open HTTP/1.1\r\nHost: {host}\r\n{more}\r\n").as_bytes()).unwrap();
        client.answer()
    };
    for host in ["localhost:1", "127.0.0.1", "[::1]:7", "ui.example", "UI.example:8443"] {
        assert_eq!(ask(host, "").status, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil", "localhost.", "xui.example"] {
        let refused = ask(host, "");
        assert!(
            refused.status == 403 && refused.body.contains("gateway.controlUi.allowedOrigins"),
            "{refused:?}"
        );
        assert_eq!(
            ask(host, "Authorization: Bearer t\r\n").status,
            200,
            "who shows the secret is no such page"
        );
    }
    let proxied = Server::start(ROWS, r#"{"gateway":{"trustedProxies":["127.0.0.1"]}}"#);
    let mut client = proxied.connect();
    client.0.write_all(b"GET /open HTTP/1.1\r\nHost: gw.example\r\n\r\n").unwrap();
    assert_eq!(client.answer().status, 200, "the proxy has judged the name");
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
