//! Answers that go on: at once, counted, ended with whoever reads them.
use super::{ROWS, SEEN, owner, plain};
use crate::http::testing::{Client, Server};
use crate::settings::{Auth as Secrets, Secret};
use crate::state::shared::Shared;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Waits for the end of all handlers that hold a stream.
fn wait_for_no_stream(shared: &Shared, time: Duration) {
    let since = Instant::now();
    while shared.door.open_stream(1).is_none() {
        assert!(since.elapsed() < time, "a stream is open after {time:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
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
    // In HTTP/1.0 nothing but the end says that it is whole.
    client = server.connect();
    client.send_as_owner("GET /breaks HTTP/1.0", "");
    let end = client.0.read_to_end(&mut Vec::new());
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
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
fn s_h2_a_stranger_who_does_not_read_keeps_nobody_out_and_does_not_stay() {
    let is_over = |what: &str, time: Duration, is: &mut dyn FnMut() -> bool| {
        let since = Instant::now();
        while !is() {
            assert!(since.elapsed() < time, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    for (handshake_ms, is_let_go) in [(60_000, true), (3000, false)] {
        let server =
            Server::start(ROWS, &format!(r#"{{"gateway":{{"limits":{{"handshakeMs":{handshake_ms}}}}}}}"#));
        let mut stranger = server.connect();
        rustix::net::sockopt::set_socket_recv_buffer_size(&stranger.0, 4096).unwrap();
        stranger.0.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        let many = "GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000);
        // Until neither side takes any more; on a busy machine that is not the first pause.
        let mut asks = || while stranger.0.write(many.as_bytes()).is_ok_and(|n| n > 0) {};
        asks();
        let door = &server.shared.door;
        if is_let_go {
            is_over("the place may be taken", Duration::from_secs(20), &mut || {
                asks();
                door.let_go(&server.shared.limits, Instant::now())
            });
        }
        let what = if is_let_go { "whose place was taken goes" } else { "his time is over" };
        is_over(what, Duration::from_secs(20), &mut || door.connections() == 0);
    }
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
