//! Issue 10, item 3: what every answer on the port has in common, whoever it is for, and what HTTP/1.0, HEAD, chunks
//! and `Expect` get from the routes there are.
use crate::harness::*;
use std::io::{Read, Write};

#[test]
fn i10_3_every_head_comes_from_one_printer() {
    let gateway = Gateway::start(&Setup::config(json!({"gateway": {"limits": {"handshakeMs": 1000}}})));
    let silent = http::tcp(gateway.port);
    let host = format!("Host: 127.0.0.1:{}", gateway.port);
    let upgrade = format!(
        "{host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    );
    let cases = [
        (format!("GET /health HTTP/1.1\r\n{host}\r\nConnection: close"), 200, "close"),
        (format!("GET /health HTTP/1.1\r\n{host}"), 200, "keep-alive"),
        (format!("GET /nowhere HTTP/1.1\r\n{host}"), 404, "keep-alive"),
        (format!("POST /health HTTP/1.1\r\n{host}\r\nContent-Length: 0"), 405, "keep-alive"),
        (format!("GET /health HTTP/1.1\r\n{host}\r\nContent-Length: 7"), 413, "close"),
        (format!("GET /health HTTP/1.1\r\n{host}\r\nTransfer-Encoding: br"), 501, "close"),
        (format!("GET /health HTTP/1.1\r\n{host}\r\nX: {}", "y".repeat(20_000)), 431, "close"),
        (format!("GET /health HTTP/1.1\r\n{host}\r\n{host}"), 400, "close"),
        (format!("GET / HTTP/1.1\r\n{upgrade}\r\nSec-WebSocket-Version: 13"), 101, "upgrade"),
        (format!("GET / HTTP/1.1\r\n{upgrade}\r\nSec-WebSocket-Version: 9"), 400, "close"),
        (format!("PUT / HTTP/1.1\r\n{upgrade}\r\nSec-WebSocket-Version: 13"), 405, "close"),
        (
            format!("GET / HTTP/1.1\r\n{upgrade}\r\nSec-WebSocket-Version: 13\r\nOrigin: http://evil"),
            403,
            "close",
        ),
    ];
    let check = |head: &str, status: u16, connection: &str| {
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let count = |name: &str| head.lines().filter(|line| line.to_lowercase().starts_with(name)).count();
        for name in ["server: openclaw", "date: ", &format!("connection: {connection}")] {
            assert_eq!(count(name), 1, "{name}\n{head}");
        }
        assert_eq!(count("connection: "), 1, "{head}");
        assert_eq!(count("content-length: "), usize::from(status != 101), "{head}");
        assert_eq!(count("allow: "), usize::from(status == 405), "{head}");
    };
    for (request, status, connection) in cases {
        let mut stream = http::tcp(gateway.port);
        stream.write_all(format!("{request}\r\n\r\n").as_bytes()).unwrap();
        check(&head_of(&mut stream), status, connection);
    }
    // Nobody ever said anything here.
    check(&head_of(&mut &silent), 408, "close");
}

#[test]
fn i10_3_http_1_0_gets_one_answer_of_its_own_version() {
    let gateway = Gateway::plain();
    let large = format!("GET /health HTTP/1.0\r\nX: {}\r\n\r\n", "y".repeat(20_000));
    for (request, status) in [
        (&*large, 431),
        ("GET /health HTTP/1.0\r\nX: \u{1}\r\n\r\n", 400),
        ("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200),
        ("GET /nowhere HTTP/1.0\r\n\r\n", 404),
        ("GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 400),
    ] {
        let mut stream = http::tcp(gateway.port);
        stream.write_all(request.as_bytes()).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        assert!(all.starts_with(&format!("HTTP/1.0 {status} ")), "{all}");
        assert!(all.contains("\r\nConnection: close\r\n") && !all.contains("chunked"), "{all}");
    }
}

#[test]
fn i10_3_a_body_that_says_nothing_is_taken_and_the_connection_stays() {
    let gateway = Gateway::plain();
    let mut stream = http::tcp(gateway.port);
    for body in [
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0;last\r\nX: y\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    ] {
        stream.write_all(format!("GET /health HTTP/1.1\r\nHost: a\r\n{body}").as_bytes()).unwrap();
        let answer = http::read_answer(&mut stream).unwrap();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")), "{body:?}");
        assert_eq!(answer.body, "{\"ok\":true,\"status\":\"live\"}\n");
    }
    let request = "GET /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(http::read_answer(&mut stream).unwrap().status, 413);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "and that was the last");
}

fn head_of(stream: &mut impl Read) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
