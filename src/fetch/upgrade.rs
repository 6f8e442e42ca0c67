//! A WebSocket asked for on an open stream: the request, and whether what answers accepts it. On the thread of whoever asks.
//!
//! No `Origin` goes out: a page sends one, and neither a gateway nor a browser's debugger takes its word for much.
use crate::device::encoding::base64;
use crate::ids;
use crate::parts::Parts;
use crate::protocol::wire;
use std::io::{self, Read, Write};

/// Largest head of an answer that is read, bytes.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
const SPEAKS_TLS: &str =
    "it speaks TLS: use wss:// in place of ws://, for the gateway of this machine gateway.tls.enabled";

/// What came behind the head of the answer. An error says what answered instead.
pub fn ask(stream: &mut (impl Read + Write), authority: &str, path: &str) -> io::Result<Vec<u8>> {
    let key = base64(&ids::random::<16>().map_err(io::Error::other)?);
    let ask = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes())?;
    stream.flush()?;
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        // The alert of a TLS server that was spoken to plainly.
        if bytes.starts_with(&[0x15, 3]) {
            return Err(io::Error::other(SPEAKS_TLS));
        }
        if bytes.len() > MAX_HEAD || read_more(stream, &mut bytes)? == 0 {
            return Err(io::Error::other("no HTTP answer came"));
        }
    };
    let mut rest = bytes.split_off(end);
    if let Err(why) = check(&bytes, &key) {
        if rest.is_empty() {
            // What it says may come behind the head; that it says nothing is no other answer.
            let _ = read_more(stream, &mut rest);
        }
        return Err(io::Error::other(if wants_tls(&rest) { SPEAKS_TLS.to_string() } else { why }));
    }
    Ok(rest)
}

fn read_more(stream: &mut impl Read, into: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(n) => {
                into.extend_from_slice(piece.head(n));
                return Ok(n);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Whether a refusal says, in whatever words, that TLS is spoken there.
fn wants_tls(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    ["speaks tls", "to an https", "to https port"].iter().any(|words| text.contains(words))
}

/// Whether the head accepts the upgrade that was asked for with `key`.
fn check(head: &[u8], key: &str) -> Result<(), String> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut slots);
    if !answer.parse(head).is_ok_and(|status| status.is_complete()) {
        return Err("no HTTP answer came".to_string());
    }
    let code = answer.code.unwrap_or_default();
    if code != 101 {
        return Err(format!("HTTP error: {code} {}", answer.reason.unwrap_or_default()));
    }
    let header = |name: &str| {
        let found = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let accepted = header("sec-websocket-accept") == Some(&wire::accept_key(key));
    let upgraded = header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    if accepted && upgraded { Ok(()) } else { Err("it did not accept the upgrade".to_string()) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_an_answer_to_this_key_is_an_upgrade() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(check(good.as_bytes(), key), Ok(()));
        for (bad, why) in [
            (good.replace("s3pP", "S3pP"), "accept"),
            (good.replace("WebSocket", "h2c"), "accept"),
            ("HTTP/1.1 403 Forbidden\r\n\r\n".to_string(), "HTTP error: 403 Forbidden"),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_string(), "no HTTP"),
        ] {
            assert!(check(bad.as_bytes(), key).unwrap_err().contains(why), "{bad}");
        }
    }
}
