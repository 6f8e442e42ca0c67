//! The one printer of heads on this port: of routes' answers, of upgrades, of every refusal. The lines are tiny_http's.
//!
//! Pure: a head becomes bytes. tiny_http keeps `Connection` to itself, and writes a length where there is no body to
//! measure; both are mended here.
use std::io::empty;
use tiny_http::{HTTPVersion, Header, Response};

/// How the body behind a head is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(usize),
    /// By chunks; for HTTP/1.0, which knows none, by the end of the connection.
    Stream,
    /// What follows is another protocol.
    Upgrade(&'static str),
}

/// What every answer bears whose maker says nothing else of it: its type is not guessed, nothing in it is run or framed,
/// and nobody is told where he came from.
const PROTECTION: [(&str, &str); 4] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(self)"),
];

const CLOSE: &[u8] = b"Connection: close\r\n";
const KEEP: &[u8] = b"Connection: keep-alive\r\n";
const NO_LENGTH: &[u8] = b"Content-Length: 0\r\n\r\n";

/// The head of an answer in HTTP/1.`version`. `keep` says whether the connection is left open behind it. A header
/// that is no ASCII is left out.
pub fn head(version: u8, status: u16, headers: &[(&str, &str)], framing: Framing, keep: bool) -> Vec<u8> {
    let has_length = match framing {
        Framing::Length(_) => !matches!(status, 100..=199 | 204 | 304),
        Framing::Stream => version > 0,
        Framing::Upgrade(_) => true,
    };
    let (length, upgrade) = match framing {
        Framing::Length(bytes) => (Some(if has_length { bytes } else { 0 }), None),
        Framing::Stream => ((!has_length).then_some(0), None),
        Framing::Upgrade(to) => (Some(0), Some(to)),
    };
    let is_said = |name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let is_answer = upgrade.is_none() && status >= 200;
    let protection = PROTECTION.iter().filter(|(name, _)| is_answer && !is_said(name));
    let headers = headers.iter().chain(&[("Server", "openclaw")]).chain(protection);
    let headers = headers.filter_map(|(name, value)| Header::from_bytes(*name, *value).ok()).collect();
    let response =
        Response::new(status.into(), headers, empty(), length, None).with_chunked_threshold(usize::MAX);
    let mut out = Vec::with_capacity(1024);
    // Into memory nothing fails.
    let _ = response.raw_print(&mut out, HTTPVersion(1, version), &[], true, upgrade);
    if !has_length && out.ends_with(NO_LENGTH) {
        out.truncate(out.len() - NO_LENGTH.len());
        out.extend_from_slice(b"\r\n");
    }
    if is_answer {
        let line_end = out.windows(2).position(|w| w == b"\r\n").map_or(0, |at| at + 2);
        out.splice(line_end..line_end, (if keep { KEEP } else { CLOSE }).iter().copied());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(version: u8, status: u16, framing: Framing, keep: bool) -> String {
        let text =
            String::from_utf8(head(version, status, &[("X", "y"), ("Z", "\u{e9}")], framing, keep)).unwrap();
        assert!(text.ends_with("\r\n\r\n") && text.matches("\r\n\r\n").count() == 1, "{text:?}");
        assert!(text.contains("\r\nServer: openclaw\r\n") && text.contains("\r\nX: y\r\n"), "{text:?}");
        assert!(!text.contains("Z:"), "{text:?}");
        text
    }

    #[test]
    fn a_body_is_measured_in_one_way() {
        let whole = lines(1, 200, Framing::Length(70_000), true);
        assert!(whole.starts_with("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"), "{whole}");
        assert!(whole.contains("\r\nContent-Length: 70000\r\n") && !whole.contains("Transfer"), "{whole}");
        let chunks = lines(1, 200, Framing::Stream, false);
        assert!(
            chunks.contains("\r\nTransfer-Encoding: chunked\r\n") && !chunks.contains("Length"),
            "{chunks}"
        );
        let old = lines(0, 200, Framing::Stream, false);
        assert!(old.starts_with("HTTP/1.0 200 OK\r\nConnection: close\r\n"), "{old}");
        assert!(!old.contains("Transfer-Encoding") && !old.contains("Content-Length"), "{old}");
    }

    #[test]
    fn i12_6_every_answer_is_protected_and_its_maker_may_say_otherwise() {
        let plain = lines(1, 404, Framing::Length(0), true);
        assert!(PROTECTION.iter().all(|(name, value)| plain.contains(&format!("\r\n{name}: {value}\r\n"))));
        let own = head(1, 200, &[("content-security-policy", "sandbox")], Framing::Stream, true);
        let own = String::from_utf8(own).unwrap();
        assert!(
            own.contains("content-security-policy: sandbox\r\n") && !own.contains("default-src"),
            "{own}"
        );
        for bare in [lines(1, 100, Framing::Length(0), true), lines(1, 101, Framing::Upgrade("x"), true)] {
            assert!(!bare.contains("nosniff"), "{bare}");
        }
    }

    #[test]
    fn what_has_no_body_tells_no_length() {
        for status in [100, 204, 304] {
            let text = lines(1, status, Framing::Length(5), true);
            assert!(!text.contains("Content-Length") && !text.contains("Transfer-Encoding"), "{text}");
            assert_eq!(text.contains("Connection: keep-alive"), status != 100, "{text}");
        }
        let upgrade = lines(1, 101, Framing::Upgrade("websocket"), true);
        assert!(upgrade.starts_with(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        ));
        assert!(!upgrade.contains("Content-Length"), "{upgrade}");
    }
}
