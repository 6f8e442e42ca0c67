//! What is sent with a request: taken exactly, or refused.
use super::{ROWS, owner, plain};
use crate::http::testing::Server;
use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

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
