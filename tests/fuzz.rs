//! Random and damaged bytes against the head parser and the frame parser, over real sockets.
//!
//! Runs for `FUZZ_SECONDS` (2 by default, `make fuzz` gives it more). Whatever is sent, the gateway must
//! answer an honest client, must not grow and must not have panicked. The seed is printed, so a finding can
//! be repeated with `FUZZ_SEED`.
use crate::harness::*;
use std::io::{Read, Write};
use std::net::TcpStream;

impl Random {
    /// Changes, removes, doubles or inserts a few bytes.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        const ODD: &[&[u8]] = &[
            b"\0",
            b"\r\n",
            b"\n\n",
            b": ",
            b"%",
            b"\xff\xff\xff",
            b"Content-Length: 9\r\n",
            b"\"",
            b"{",
            b"\x80",
            b"\\u",
        ];
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                1 => bytes.truncate(at),
                2 => bytes.extend_from_within(at..),
                3 => drop(bytes.splice(at..at, ODD[self.below(ODD.len())].iter().copied())),
                _ => bytes.insert(at, self.next() as u8),
            }
        }
    }
}

#[test]
fn fuzz_heads_and_frames() {
    let (seed, seconds) = (setting("FUZZ_SEED", 0x5eed_0f0f), setting("FUZZ_SECONDS", 2));
    println!("FUZZ_SEED={seed} FUZZ_SECONDS={seconds}");
    let mut gateway = Gateway::plain();
    let before = gateway.resident_kib();
    let end = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for n in 1..=4 {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_mul(n).max(1));
                while Instant::now() < end {
                    match n % 2 {
                        0 => head(gateway.port, &mut random),
                        _ => frames(gateway, &mut random),
                    }
                }
            });
        }
        let mut calm = Client::operator(&gateway, 4);
        calm.expects_loss = true;
        while Instant::now() < end {
            calm.ok("health", json!({}));
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let grown = gateway.resident_kib().saturating_sub(before);
    assert!(grown < 32 << 10, "grew by {grown} KiB");
    assert_eq!(gateway.stop().0, 0);
    let told = gateway.stdout() + &gateway.stderr() + &gateway.log();
    assert!(!told.contains("panicked") && !told.contains("ended by a defect"), "{told}");
}

fn head(port: u16, random: &mut Random) {
    let heads = [
        format!("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\r\n"),
        format!("POST /x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 5\r\n\r\nhello"),
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_string(),
        format!(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://127.0.0.1:{port}\r\n\r\n"
        ),
    ];
    let mut bytes = heads[random.below(heads.len())].clone().into_bytes();
    random.damage(&mut bytes);
    let mut stream = http::tcp(port);
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    // A refusal may come before everything is sent.
    let _ = stream.write_all(&bytes);
    drain(&mut stream);
}

/// Half of the time on a connection that is not authenticated yet.
fn frames(gateway: &Gateway, random: &mut Random) {
    let mut client = if random.below(2) == 0 { Client::open(gateway) } else { Client::operator(gateway, 3) };
    for _ in 0..=random.below(8) {
        let mut payload =
            json!({"type": "req", "id": "1", "method": "chat.history", "params": {"sessionKey": "main"}})
                .to_string()
                .into_bytes();
        if random.below(2) == 0 {
            random.damage(&mut payload);
        }
        let mut bytes = masked(random, &payload);
        if random.below(3) == 0 {
            random.damage(&mut bytes);
        }
        if client.socket().get_mut().write_all(&bytes).is_err() {
            break;
        }
    }
    let stream = client.socket().get_mut();
    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    drain(stream);
}

fn masked(random: &mut Random, payload: &[u8]) -> Vec<u8> {
    let first = [0x81, 0x82, 0x01, 0x80, 0x88, 0x89, 0x8a, 0xf1][random.below(8)];
    let mask = (random.next() as u32).to_be_bytes();
    let mut out = vec![first];
    match payload.len() {
        n if n < 126 => out.push(0x80 | n as u8),
        n => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    out
}

fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
}
