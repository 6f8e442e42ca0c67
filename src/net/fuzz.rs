//! Random and mangled input for everything that reads a stranger's bytes: WebSocket frames, request heads,
//! paths, JSON, request frames and their params. Runs for `FUZZ_SECONDS` (default 2); `make fuzz` gives it longer.
//! A failure prints the seed, which `FUZZ_SEED` repeats.
use crate::door::head;
use crate::json::{self, REQUEST_VALUES, Unread};
use crate::protocol::frame::Request;
use crate::protocol::wire::Decoder;
use serde_json::Value;
use std::time::{Duration, Instant};

/// xorshift64*: enough to vary input, and repeatable from its seed.
pub struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// A sample with a few bytes changed, cut out, repeated or inserted.
    fn mangle(&mut self, sample: &[u8]) -> Vec<u8> {
        let mut bytes = sample.to_vec();
        for _ in 0..1 + self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.insert(at, self.next() as u8),
                1 => bytes.truncate(at),
                2 => bytes.splice(at..at, sample.iter().copied().take(self.below(40))).for_each(drop),
                3 if at < bytes.len() => bytes[at] = self.next() as u8,
                _ if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
        bytes
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to fuzz and where to begin is said from outside")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs `case` on mangled samples; a panic names the seed of the case that caused it.
pub fn fuzz(samples: &[&[u8]], case: impl Fn(&[u8], &mut Random) + std::panic::RefUnwindSafe) {
    let until = Instant::now() + Duration::from_secs(setting("FUZZ_SECONDS").unwrap_or(2));
    let mut seed =
        setting("FUZZ_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id())).max(1);
    while Instant::now() < until {
        let mut random = Random(seed);
        let sample = samples[random.below(samples.len())];
        let input = random.mangle(sample);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(&input, &mut random)));
        assert!(result.is_ok(), "FUZZ_SEED={seed} breaks on {input:?}");
        seed = Random(seed).next().max(1);
    }
}

#[test]
fn fuzz_websocket_frames_stay_within_their_bounds() {
    const MAX: usize = 1000;
    let masked =
        |first: u8, payload: &[u8]| [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat();
    let samples = [
        masked(0x81, b"{\"type\":\"req\"}"),
        masked(0x01, b"abc"),
        masked(0x80, b"def"),
        masked(0x89, b"p"),
        masked(0x88, &[3, 232]),
    ];
    let all = samples.concat();
    let mut samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    samples.push(&all);
    fuzz(&samples, |input, random| {
        let whole = decode(&[input], MAX);
        let (a, b) = input.split_at(random.below(input.len() + 1));
        assert_eq!(whole, decode(&[a, b], MAX), "the split changes the result");
    });
}

/// What a decoder makes of the chunks: everything it said, and whether it refused.
fn decode(chunks: &[&[u8]], max: usize) -> (String, bool) {
    let (mut decoder, mut said) = (Decoder::default(), String::new());
    for chunk in chunks {
        let result = decoder.feed(chunk, max, &mut |item| {
            said += &format!("{item:?};");
            true
        });
        if result.is_err() {
            return (said, true);
        }
    }
    (said, false)
}

#[test]
fn fuzz_request_heads_are_parsed_or_refused() {
    let samples: [&[u8]; 3] = [
        b"GET /a HTTP/1.1\r\nHost: a\n\nGET /b HTTP/1.1\r\nHost: b\r\nX: \r\r\n\r\n",
        b"GET /health?x=%20 HTTP/1.1\r\nHost: localhost:1\r\nConnection: Upgrade\r\nOrigin: http://a\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: [::1]:1\r\nContent-Length: 3\r\nX-Forwarded-For: 1.2.3.4, ::1\r\n\r\nabc",
    ];
    fuzz(&samples, |input, random| {
        let end = random.below(input.len() + 1);
        if let Ok(head) = head::parse(input.to_vec(), end) {
            // S-L1: what another reader could take for the end of a line or a head is not inside one.
            let text = String::from_utf8_lossy(&input[..end]).replace("\r\n", "");
            assert!(!text.contains(['\r', '\n']), "{text:?}");
            assert_eq!(head.rest, &input[end..]);
            let first = input.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
            assert!(
                first == Some(end) || input.starts_with(b"\r\n"),
                "{end} is not the end of the first head"
            );
            assert!(head.target.starts_with('/'));
            if let Some(path) = crate::http::path::plain(&head.target) {
                assert!(!path.contains("..") || !path.split('/').any(|s| s == ".."), "{path}");
            }
            let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
            let ends = crate::net::peer::Ends { own: loopback, other: loopback, is_tls: false };
            let peer = crate::net::peer::Peer::of(ends, &head, &[]);
            assert!(!peer.is_local || !head.is_forwarded());
            let _origin = crate::net::origin::check(&head, &[], &[]);
        }
    });
}

#[test]
fn fuzz_json_is_read_as_strict_readers_do_or_mended_or_refused() {
    let samples: [&[u8]; 4] = [
        br#"{"a":[1,-2.5e3,10.0,"x\"\\\ud83d\ude00",{"b":null}],"\u0061":true}"#,
        br#"["\ud83d","\ude00\ud83d\ud83d\ude00","\\ud83d \u00e9",[],{},[[]]]"#,
        b"\xEF\xBB\xBF {\"text\":\"caf\xC3\xA9 \xFF\xF0\x9F\",\"n\":[0,0,0,0]} ",
        br#"{"type":"req","id":"1","params":{"params":1},"type":"req","x":[{}]}"#,
    ];
    fuzz(&samples, |input, random| {
        let (most, deep) = (random.below(40), random.below(8));
        let read = json::read(input, most, deep);
        let strict = serde_json::from_slice::<Value>(input);
        match &read {
            Ok(value) => {
                assert!(values(value) <= most && depth(value) <= deep, "{value}");
                assert_eq!(json::read(value.to_string(), usize::MAX, 127).as_ref(), Ok(value));
            }
            Err(why) => assert!(!why.to_string().is_empty()),
        }
        // Nothing that a strict reader takes is malformed here.
        assert!(strict.is_err() || !matches!(read, Err(Unread::Malformed(_))));
        assert!(strict.is_err() || json::is_whole(input));
        let Ok(text) = std::str::from_utf8(input) else { return };
        let mended = json::mend(text.to_string());
        assert_eq!(mended.len(), text.len());
        assert_eq!(json::mend(mended.clone()), mended);
        if let (Ok(Some(found)), Ok(strict)) = (json::members(&mended, &["a", "type", "params"]), strict) {
            for (name, text) in ["a", "type", "params"].iter().zip(found.texts) {
                let member = text.map(|text| serde_json::from_str::<Value>(text).unwrap());
                assert_eq!(member.as_ref(), strict.get(*name));
            }
        }
    });
}

fn values(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        _ => 0,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn fuzz_request_frames_are_taken_or_refused_with_a_sentence() {
    let samples: [&[u8]; 3] = [
        br#"{"type":"req","id":"1","method":"connect","params":{"minProtocol":3,"maxProtocol":4,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},"auth":{"token":"x"}}}"#,
        br#"{"type":"req","id":"2","method":"sessions.patch","params":{"key":"main","label":"x","thinkingLevel":null}}"#,
        br#"{"type":"req","id":"3","method":"agent","params":{"message":"hi","idempotencyKey":"k","timeout":5,"attachments":[{}]}}"#,
    ];
    fuzz(&samples, |input, _| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        if let Ok(request) = Request::parse(text)
            && let Ok(params) = request.read_params(REQUEST_VALUES)
            && let Some(method) = crate::methods::named(&request.method)
            && let Err(message) = method.schema.check(&params)
        {
            assert!(!message.is_empty() && message.len() < 64 << 10);
        }
    });
}

/// B-F31: a value in single quotes is read back whatever stands around it; the rest is passed over.
#[test]
fn fuzz_env_files_are_read() {
    let samples: [&[u8]; 2] = [
        b"\xef\xbb\xbfA=v # c\nexport B='x#y'\r\nC: \"a\\nb\nc\" # d\n\n#x\nD=`e`\n",
        b"A='\nB=\"\\\"\nC=\n=\n:\nD",
    ];
    fuzz(&samples, |input, _| {
        let text = String::from_utf8_lossy(input);
        for (name, value) in crate::dotenv::parse(&text) {
            assert!(!name.is_empty() && !name.contains(['=', '#', ' ', '\n']) && value.len() <= text.len());
            if let Some(written) = crate::dotenv::written(&value) {
                assert_eq!(crate::dotenv::parse(&format!("{name}={written}")), [(name, value)]);
            }
        }
    });
}
