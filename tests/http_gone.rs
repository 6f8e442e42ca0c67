//! Who asks by HTTP and goes, or does not read, or whose secret is replaced (issue 10): nothing of his stays behind, and
//! nobody takes half an answer for a whole one.
use crate::bounds::peak_of;
use crate::harness::*;
use crate::http_openai::{CHAT, begin, owner, post, says, with_model};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

const RPC: &str = "/api/v1/rpc";

/// As many as there may be in all are asked for by callers who go at once, each another one: there is room for more.
#[test]
fn i10_1_who_goes_leaves_no_wait_behind() {
    const CROWD: u64 = 128;
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let wait = json!({"method": "agent.wait", "params": {"runId": "never", "timeoutMs": 86_400_000}});
    for round in 1..=4096 / CROWD {
        let crowd: Vec<TcpStream> = (0..CROWD).map(|_| begin(&gateway, RPC, "", &wait)).collect();
        wait_for("all of them to have asked", || {
            let counted = client.ok("status", json!({}))["metrics"]["requests"]["agent.wait"].as_u64();
            (counted >= Some(round * CROWD)).then_some(())
        });
        drop(crowd);
    }
    // The last ones are forgotten when their threads have seen that nobody is there.
    wait_for("room for one more", || {
        let told = client.call("agent.wait", json!({"runId": "never", "timeoutMs": 1}));
        let is_room = told.as_ref().is_ok_and(|told| told["status"] == "timeout");
        let is_full = told.is_err_and(|e| e.to_string().contains("too many agent.wait calls are open"));
        assert!(is_room || is_full);
        is_room.then_some(())
    });
}

/// Replaces the gateway's token in its configuration.
fn change_token(gateway: &Gateway) {
    let path = gateway.config_path();
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    merge(
        &mut config,
        &json!({"gateway": {"auth": {"mode": "token", "token": "another-token-of-this-test"}}}),
    );
    std::fs::write(&path, config.to_string()).unwrap();
}

#[test]
fn i10_3_who_waits_while_the_secret_is_replaced_is_told_so() {
    let hangs = Reply::Stream(vec![Step::Text("Once ".into()), Step::Gate, Step::Done]);
    let (server, gateway) = with_model(vec![hangs]);
    let mut whole = begin(&gateway, CHAT, "", &says("hi"));
    server.requests(1);
    change_token(&gateway);
    let answer = http::read_answer(&mut whole).unwrap();
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert!(answer.body.contains("token or password has changed meanwhile"), "{}", answer.body);
    assert!(answer.body.contains("invalid_api_key"), "in the shape of that API: {}", answer.body);
}

/// The end of the connection is all that says in HTTP/1.0 that a stream is whole; where it is not, that end is a reset.
#[test]
fn i10_3_half_a_stream_never_looks_whole_to_http_1_0() {
    let stream = |path: &str, then: Vec<Step>, cut: &dyn Fn(&Gateway)| {
        let steps = [vec![Step::Text("Once ".into())], then].concat();
        let (_server, gateway) = with_model(vec![Reply::Stream(steps)]);
        let mut body = says("hi");
        body["stream"] = json!(true);
        let (body, mut stream) = (body.to_string(), http::tcp(gateway.port));
        let head = format!("Host: 127.0.0.1:{}\r\n{}Content-Length: {}", gateway.port, owner(), body.len());
        write!(stream, "POST {path} HTTP/1.0\r\n{head}\r\n\r\n{body}").unwrap();
        let (mut seen, mut piece) = (String::new(), [0; 512]);
        while !seen.contains("Once ") {
            let n = stream.read(&mut piece).unwrap();
            assert!(n > 0, "{seen}");
            seen += &String::from_utf8_lossy(&piece[..n]);
        }
        assert!(seen.starts_with("HTTP/1.0 200 "), "{seen}");
        cut(&gateway);
        stream.read_to_string(&mut seen).map(|_| seen).map_err(|e| e.kind())
    };
    let cut = stream(CHAT, vec![Step::Gate, Step::Done], &change_token);
    assert_eq!(cut.unwrap_err(), ErrorKind::ConnectionReset);
    let whole = stream(CHAT, vec![Step::Done], &|_| {}).unwrap();
    assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");
}

/// A list of thousands is asked for by many who do not read it: what waits for them counts, the values it was made of are
/// gone, and when too much waits somebody of them goes, not all.
#[test]
fn i10_2_answers_that_nobody_takes_by_http_are_in_the_budget_of_all() {
    // More than a socket takes by itself, each.
    const MANY: usize = 6000;
    const READERS: usize = 4;
    const MOST: u64 = 12 << 20;
    let config = json!({"gateway": {"limits": {"totalBufferedBytes": MOST, "stallMs": 120_000}}});
    let (gateway, _) = crate::many_sessions::gateway(MANY, config);
    let mut client = Client::operator(&gateway, 4);
    let list = json!({"method": "sessions.list", "params": {"limit": MANY}});
    let (_, told, answer) = post(&gateway, RPC, "", &list);
    assert_eq!(told["payload"]["sessions"].as_array().unwrap().len(), MANY);
    let one = answer.body.len() as u64;
    assert!(one * 2 < MOST && one * READERS as u64 > MOST, "{one}");
    let mut readers = Vec::new();
    let grown = peak_of(&gateway, || {
        for _ in 0..READERS {
            let reader = begin(&gateway, RPC, "", &list);
            rustix::net::sockopt::set_socket_recv_buffer_size(&reader, 128 << 10).unwrap();
            readers.push(reader);
        }
        wait_within(DEADLINE * 2, "one who does not read to go", || {
            let waits = client.ok("status", json!({}))["metrics"]["bytesUnsent"].as_u64().unwrap();
            (waits > one && gateway.log().contains("too much waits (Unsent")).then_some(())
        });
    });
    assert!(grown < 64 << 10, "{READERS} lists of {one} bytes cost {grown} KiB");
    let ends = readers.into_iter().map(|mut reader| {
        rustix::net::sockopt::set_socket_recv_buffer_size(&reader, 1 << 20).unwrap();
        let mut body = Vec::new();
        reader.read_to_end(&mut body).is_ok() && body.len() as u64 > one
    });
    let whole = ends.filter(|is_whole| *is_whole).count();
    assert!((1..READERS).contains(&whole), "{whole} of {READERS} got theirs");
    wait_for("nothing to wait any more", || {
        (client.ok("status", json!({}))["metrics"]["bytesUnsent"].as_u64() < Some(one)).then_some(())
    });
}
