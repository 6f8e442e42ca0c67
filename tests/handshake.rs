//! Challenge, connect, hello-ok, frames and close codes, where data alone (see `transcripts/`) cannot say it.
use crate::harness::*;
use std::io::Write;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

#[test]
fn the_challenge_comes_first() {
    let gateway = Gateway::plain();
    let tcp = http::tcp(gateway.port);
    let (mut client, response) =
        Client::upgrade(tcp, gateway.port, "/ws?x=1", &[("Sec-WebSocket-Protocol", "one, two")]).unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "one", "the first subprotocol offered");
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    let frame = client.frame().unwrap();
    assert_eq!(frame["event"], "connect.challenge");
    assert!(is_uuid(frame["payload"]["nonce"].as_str().unwrap()), "{frame}");
    assert!(frame["payload"]["ts"].as_u64().unwrap() > 1_700_000_000_000, "{frame}");
    assert!(frame.get("seq").is_none(), "{frame}");
    let other = Client::open(&gateway).challenge;
    assert_ne!(other["nonce"], frame["payload"]["nonce"], "a nonce of its own for each connection");
}

#[test]
fn hello_ok_of_protocol_3_has_what_stock_clients_need() {
    let gateway = Gateway::plain();
    let (_client, hello) = Client::with(&gateway, params(3));
    assert_eq!((&hello["type"], &hello["protocol"]), (&json!("hello-ok"), &json!(3)));
    check_shared_members(&hello);
    assert!(hello["server"]["host"].is_string(), "{}", hello["server"]);
    assert_eq!(
        hello["policy"],
        json!({"maxPayload": 524288, "maxBufferedBytes": 1572864, "tickIntervalMs": 30000})
    );
}

#[test]
fn hello_ok_of_protocol_4_has_what_stock_clients_need() {
    let gateway = Gateway::plain();
    let (_client, hello) = Client::with(&gateway, params(4));
    assert_eq!(hello["protocol"], 4);
    check_shared_members(&hello);
    for (key, value) in
        [("maxPayload", 26_214_400), ("maxBufferedBytes", 52_428_800), ("tickIntervalMs", 30_000)]
    {
        assert_eq!(hello["policy"][key], value, "policy.{key}");
    }
    assert!(hello["server"].get("buildId").is_none(), "a build id makes the stock UI refuse to run");
    assert!(hello["features"].get("capabilities").is_none(), "each capability is a contract");
}

fn check_shared_members(hello: &Value) {
    assert!(is_uuid(hello["server"]["connId"].as_str().unwrap()), "{}", hello["server"]);
    assert!(hello["server"]["version"].is_string(), "{}", hello["server"]);
    assert_eq!(hello["auth"]["role"], "operator");
    assert_eq!(
        hello["auth"]["scopes"],
        json!(["operator.admin"]),
        "hello-ok reports what was granted (SEC-05)"
    );
    let snapshot = &hello["snapshot"];
    let me = snapshot["presence"].as_array().unwrap().iter().find(|e| e["mode"] == "backend");
    assert_eq!(me.expect("the snapshot holds the new client")["reason"], "connect");
    assert!(snapshot["health"].is_object(), "{snapshot}");
    assert!(snapshot["uptimeMs"].is_u64(), "{snapshot}");
    assert!(snapshot["stateVersion"]["presence"].is_u64() && snapshot["stateVersion"]["health"].is_u64());
    let defaults = &snapshot["sessionDefaults"];
    assert_eq!(defaults["mainSessionKey"], "agent:main:main");
    assert_eq!((&defaults["defaultAgentId"], &defaults["mainKey"]), (&json!("main"), &json!("main")));
    assert_eq!(defaults["scope"], "per-sender");
    let names = |key: &str| hello["features"][key].as_array().unwrap().clone();
    for method in
        ["health", "status", "agent", "chat.send", "system-event", "device.pair.approve", "system.info"]
    {
        assert!(names("methods").contains(&json!(method)), "{method} is listed");
    }
    for event in ["connect.challenge", "agent", "chat", "presence", "tick", "health", "shutdown"] {
        assert!(names("events").contains(&json!(event)), "{event} is listed");
    }
    for hidden in ["configPath", "stateDir"] {
        assert!(snapshot[hidden].is_string(), "an admin sees snapshot.{hidden}");
    }
}

#[test]
fn sec_26_paths_are_for_admins_only() {
    let gateway = Gateway::plain();
    let (_client, hello) = Client::with(&gateway, client::scoped(&["operator.read"]));
    for hidden in ["configPath", "stateDir"] {
        assert!(hello["snapshot"].get(hidden).is_none(), "{}", hello["snapshot"]);
    }
}

#[test]
fn r_29a_every_overlapping_range_is_accepted() {
    let gateway = Gateway::plain();
    for (min, max, want) in [(3, 3, 3), (1, 3, 3), (3, 4, 4), (4, 4, 4), (4, 9, 4), (1, 9, 4)] {
        let mut params = params(3);
        (params["minProtocol"], params["maxProtocol"]) = (json!(min), json!(max));
        let (_client, hello) = Client::with(&gateway, params);
        assert_eq!(hello["protocol"], want, "range {min}..{max}");
    }
}

#[test]
fn the_connect_error_is_also_the_close_reason() {
    let gateway = Gateway::plain();
    let mut params = params(3);
    params["auth"]["token"] = json!("wrong");
    params["client"]["mode"] = json!("cli");
    let (error, Closed(code, reason)) = Client::open(&gateway).refused(params);
    let message = error["message"].as_str().unwrap();
    assert_eq!(code, 1008);
    assert!(
        message.starts_with(&reason) && reason.len() >= message.len().min(100),
        "{message:?} and {reason:?}"
    );
    assert!(reason.len() <= 123, "{reason:?}");
}

#[test]
fn r_03c_a_silent_client_is_closed_with_a_reason() {
    let limits = json!({"gateway": {"limits": {"handshakeMs": 1000}}});
    let gateway = Gateway::start(&Setup::config(limits));
    let start = Instant::now();
    let Closed(code, reason) = Client::open(&gateway).until_closed();
    assert_eq!(code, 1008);
    assert!(!reason.is_empty());
    assert!(start.elapsed() < Duration::from_secs(12), "after {:?}", start.elapsed());
}

#[test]
fn a_huge_length_claim_is_closed_at_once_sec_18() {
    let gateway = Gateway::plain();
    let mut client = Client::open(&gateway);
    // A masked text frame that claims 2^62 bytes.
    let mut head = vec![0x81, 0xff];
    head.extend_from_slice(&(1u64 << 62).to_be_bytes());
    head.extend_from_slice(&[1, 2, 3, 4]);
    client.socket().get_mut().write_all(&head).unwrap();
    let Closed(code, reason) = client.until_closed();
    assert_eq!((code, reason.is_empty()), (1009, false));
}

#[test]
fn fragments_count_together_sec_18() {
    let gateway = Gateway::plain();
    let mut client = Client::open(&gateway);
    for n in 0..3 {
        let opcode = if n == 0 { OpCode::Data(Data::Text) } else { OpCode::Data(Data::Continue) };
        let header = FrameHeader { is_final: false, opcode, ..FrameHeader::default() };
        client.message(Message::Frame(Frame::from_payload(header, vec![b' '; 30_000].into())));
    }
    assert_eq!(client.until_closed().0, 1009);
}

#[test]
fn a_request_in_fragments_is_one_request() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    let text = json!({"type": "req", "id": "f", "method": "health"}).to_string();
    let (a, b) = text.split_at(9);
    for (part, opcode, is_final) in [(a, Data::Text, false), (b, Data::Continue, true)] {
        let header = FrameHeader { is_final, opcode: OpCode::Data(opcode), ..FrameHeader::default() };
        client.message(Message::Frame(Frame::from_payload(header, part.as_bytes().to_vec().into())));
    }
    assert_eq!(client.answer("f").unwrap()["ok"], true);
}

#[test]
fn an_unmasked_frame_is_a_protocol_error() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    client.socket().get_mut().write_all(&[0x81, 2, b'{', b'}']).unwrap();
    let Closed(code, reason) = client.until_closed();
    assert_eq!((code, reason.is_empty()), (1002, false));
}

#[test]
fn text_that_is_not_utf_8_is_closed_with_a_reason() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    client.message(Message::Frame(Frame::message(vec![0xff, 0xfe, 0xfd], OpCode::Data(Data::Text), true)));
    let Closed(code, reason) = client.until_closed();
    assert!([1002, 1007, 1008].contains(&code), "{code}");
    assert!(!reason.is_empty());
}

#[test]
fn pings_are_answered_with_their_payload() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    client.message(Message::Ping(b"are you there".to_vec().into()));
    let pong = loop {
        match client.socket().read().unwrap() {
            Message::Pong(payload) => break payload,
            _ => continue,
        }
    };
    assert_eq!(&pong[..], b"are you there");
}

#[test]
fn a_close_by_the_client_is_echoed() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    client.close(4000, "tick timeout");
    assert_eq!(client.until_closed(), Closed(4000, "tick timeout".into()));
}

#[test]
fn many_requests_in_one_go_are_all_answered() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let ids: Vec<String> = (0..200).map(|_| client.ask("health", json!({}))).collect();
    for id in ids {
        assert_eq!(client.answer(&id).unwrap()["ok"], true);
    }
}

#[test]
fn bad_upgrades_get_an_http_answer() {
    let gateway = Gateway::plain();
    let host = format!("Host: 127.0.0.1:{}\r\nConnection: Upgrade", gateway.port);
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let cases = [
        (format!("GET / HTTP/1.1\r\n{host}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"), 400),
        (
            format!(
                "GET / HTTP/1.1\r\n{host}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\n{key}\r\n\r\n"
            ),
            400,
        ),
        (
            format!("GET / HTTP/1.1\r\n{host}\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\n{key}\r\n\r\n"),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\n{host}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{key}\r\n\r\n"
            ),
            405,
        ),
    ];
    for (request, status) in cases {
        let answer = http::raw(gateway.port, &request);
        assert_eq!(answer.status, status, "{request}\n{}", answer.head);
    }
}
