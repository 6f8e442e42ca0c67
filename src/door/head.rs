//! The head of a connection's first request: read with a deadline and a size cap, parsed by httparse, checked.
//!
//! Runs on the connection's own thread. The bytes are read once into a buffer and handed on with the socket
//! (a peek would have to be repeated after sleeps while a head trickles in). Refuses what makes two parsers
//! disagree: repeated Host or length headers, both lengths at once, control characters (SEC-24, SEC-28).
use super::{Stage, Ticket};
use crate::calls::outbox::is_not_now;
use crate::parts::Parts;
use rustix::event::{PollFd, PollFlags};
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const MAX_HEADERS: usize = 64;

/// A parsed request head. Header names are lower-case.
#[derive(Debug, Default)]
pub struct Head {
    pub method: String,
    /// As sent: path and query, not decoded.
    pub target: String,
    /// 0 or 1, once it is known.
    pub minor_version: Option<u8>,
    headers: Vec<(String, String)>,
    /// Bytes that arrived after the head.
    pub rest: Vec<u8>,
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub enum NoHead {
    /// The peer closed, or the connection lost its place, before a whole head came.
    Gone,
    TimedOut,
    TooLarge,
    Invalid(&'static str),
}

impl Head {
    /// Of a request of which no more is known.
    pub fn of_version(minor: u8) -> Head {
        Head { minor_version: Some(minor), ..Head::default() }
    }

    /// The minor version to answer in.
    pub fn version(&self) -> u8 {
        self.minor_version.unwrap_or(1)
    }

    /// The single value of a header; names are given in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// All values of a header, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The address that the request was sent to, without a path, as far as the head says.
    pub fn address(&self, is_tls: bool) -> String {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b".:-_[]".contains(&b);
        let host = self.get("host").filter(|host| !host.is_empty() && host.bytes().all(is_plain));
        let is_tls = is_tls || self.get("x-forwarded-proto") == Some("https");
        let scheme = if is_tls { "https" } else { "http" };
        format!("{scheme}://{}", host.unwrap_or("localhost"))
    }

    /// Whether a comma-separated header holds `token`, ignoring case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|v| v.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    /// An upgrade to something else than a WebSocket is an ordinary request that may be answered as one (some
    /// HTTP clients offer `h2c` with each), unless it comes with a WebSocket key.
    pub fn is_upgrade(&self) -> bool {
        self.has_token("upgrade", "websocket")
            || (self.get("upgrade").is_some() && self.get("sec-websocket-key").is_some())
    }

    /// Whether it bears what proxies add when they forward for somebody else.
    pub fn is_forwarded(&self) -> bool {
        self.forwarders().next().is_some()
    }

    /// The names of these headers, in lower case.
    pub fn forwarders(&self) -> impl Iterator<Item = &str> {
        // Whatever the proxy is called, it adds who asked it, or which request it was.
        const PARTS: &str = "forward clientip client-address client-cert remote-addr remote-user trace-id cloud-trace \
            traceparent";
        const FAMILIES: &str = "via cf- fly- tailscale- x-envoy- x-azure- x-amz x-original- x-appengine- fastly- x-proxy \
            proxy- akamai- x-akamai- x-arr- x-cdn cdn- front-end-https surrogate- x-auth-request- x-b3- \
            x-haproxy- x-nginx- x-real- x-scheme x-varnish x-vercel- x-webauth-";
        let is_added = |name: &&str| {
            // Servers behind a proxy read one as the other.
            let name = &name.replace('_', "-");
            name.split('-').any(|word| word == "ip")
                || PARTS.split_whitespace().any(|part| name.contains(part))
                || FAMILIES.split_whitespace().any(|family| name.starts_with(family))
        };
        self.headers.iter().map(|(name, _)| name.as_str()).filter(is_added)
    }

    /// Whether a body is announced that is not known to be empty.
    pub fn has_body(&self) -> bool {
        let is_empty = |length: &str| !length.is_empty() && length.bytes().all(|digit| digit == b'0');
        self.get("content-length").is_some_and(|length| !is_empty(length))
            || self.get("transfer-encoding").is_some()
    }
}

/// Reads from `stream` until a whole head is there, at most `max` bytes and until `deadline`. What is none comes with the
/// minor version to answer in.
pub fn read(
    stream: &TcpStream,
    mut bytes: Vec<u8>,
    max: usize,
    deadline: Instant,
    ticket: &Ticket,
) -> Result<Head, (NoHead, u8)> {
    let end = fill(stream, &mut bytes, max, deadline, ticket);
    let minor = minor_of(&bytes);
    end.and_then(|end| parse(bytes, end)).map_err(|why| (why, minor))
}

/// The minor version that the first line names, if there is one.
fn minor_of(bytes: &[u8]) -> u8 {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
    u8::from(!line.is_some_and(|line| line.ends_with(b" HTTP/1.0")))
}

/// Reads until a whole head is there, and says where it ends.
#[inline(never)]
fn fill(
    stream: &TcpStream,
    bytes: &mut Vec<u8>,
    max: usize,
    deadline: Instant,
    ticket: &Ticket,
) -> Result<usize, NoHead> {
    let mut chunk = [0u8; 2048];
    loop {
        let end = head_end(bytes);
        if has_bare_end(bytes.head(end.unwrap_or(bytes.len()))) {
            return Err(NoHead::Invalid(BARE));
        }
        if let Some(end) = end {
            ticket.stage(Stage::Served);
            return if end > max { Err(NoHead::TooLarge) } else { Ok(end) };
        }
        if bytes.len() >= max {
            return Err(NoHead::TooLarge);
        }
        if let Some(reason) = bytes.first().and_then(|first| no_request(*first)) {
            return Err(NoHead::Invalid(reason));
        }
        if !bytes.is_empty() {
            ticket.stage(Stage::Head);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || !wait_readable(stream, left) {
            return Err(NoHead::TimedOut);
        }
        let mut input = stream;
        match input.read(&mut chunk) {
            Ok(0) => return Err(NoHead::Gone),
            Ok(n) => bytes.extend_from_slice(chunk.head(n)),
            Err(e) if is_not_now(&e) => {}
            Err(_) => return Err(NoHead::Gone),
        }
    }
}

/// Waits until the socket has input or the peer is gone; `false` when the time is up.
pub fn wait_readable(stream: &TcpStream, timeout: Duration) -> bool {
    let until = Instant::now() + timeout;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(stream, PollFlags::IN)];
        match crate::sys::poll(&mut fds, Some(left)) {
            Ok(n) => return n > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Why a request cannot begin with this byte, told at once: whoever speaks TLS here waits for an answer, not for a
/// blank line.
fn no_request(first: u8) -> Option<&'static str> {
    match first {
        0x16 => Some("TLS on a port without it: use http:// or ws://"),
        b'\r' | b'\n' | b'!'..=b'~' => None,
        _ => Some("malformed request head"),
    }
}

const BARE: &str = "a line of the request head does not end in CR LF";

/// Whether a line ends otherwise than by CR LF. Some readers take that for the end of a line, and two of them for the
/// end of a head, which would hide a second request from others.
pub fn has_bare_end(head: &[u8]) -> bool {
    let is_bare = |(at, byte): (usize, &u8)| match byte {
        b'\n' => at.checked_sub(1).and_then(|before| head.get(before)) != Some(&b'\r'),
        b'\r' => head.get(at + 1).is_some_and(|next| *next != b'\n'),
        _ => false,
    };
    head.iter().enumerate().any(is_bare)
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

/// Parses the first `end` bytes as a head; what follows becomes `rest`.
pub fn parse(mut bytes: Vec<u8>, end: usize) -> Result<Head, NoHead> {
    let rest = bytes.split_off(end.min(bytes.len()));
    if has_bare_end(&bytes) {
        return Err(NoHead::Invalid(BARE));
    }
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    match request.parse(&bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(httparse::Status::Complete(_)) => return Err(NoHead::Invalid("bytes behind the request head")),
        Ok(httparse::Status::Partial) => return Err(NoHead::Invalid("incomplete request head")),
        Err(httparse::Error::TooManyHeaders) => return Err(NoHead::TooLarge),
        Err(_) => return Err(NoHead::Invalid("malformed request head")),
    }
    let mut head = Head {
        method: request.method.unwrap_or_default().to_string(),
        target: request.path.unwrap_or_default().to_string(),
        minor_version: request.version,
        headers: Vec::with_capacity(request.headers.len()),
        rest,
    };
    for header in request.headers.iter() {
        let value =
            std::str::from_utf8(header.value).map_err(|_| NoHead::Invalid("a header is not UTF-8"))?;
        if value.chars().any(char::is_control) {
            return Err(NoHead::Invalid("a header has control characters"));
        }
        head.headers.push((header.name.to_ascii_lowercase(), value.trim().to_string()));
    }
    check(&head).map_err(NoHead::Invalid)?;
    Ok(head)
}

fn check(head: &Head) -> Result<(), &'static str> {
    let count = |name: &str| head.headers.iter().filter(|(n, _)| n == name).count();
    if !head.target.starts_with('/') {
        return Err("the request target must be a path");
    }
    const SINGLE: [&str; 8] = [
        "host",
        "content-length",
        "transfer-encoding",
        "origin",
        "authorization",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
    ];
    if SINGLE.iter().any(|name| count(name) > 1) {
        return Err("a header that must be single is repeated");
    }
    if count("content-length") + count("transfer-encoding") > 1 {
        return Err("both Content-Length and Transfer-Encoding are given");
    }
    if head.minor_version == Some(1) && count("host") == 0 {
        return Err("the Host header is missing");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, NoHead> {
        let bytes = text.replace('\n', "\r\n").into_bytes();
        let end = head_end(&bytes).unwrap();
        parse(bytes, end)
    }

    #[test]
    fn headers_are_found_and_the_rest_is_kept() {
        let head = head("GET /a?b HTTP/1.1\nHost: x\nConnection: keep-alive, Upgrade\n\nbody").unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str()), ("GET", "/a?b"));
        assert!(head.has_token("connection", "upgrade") && !head.has_token("connection", "grade"));
        assert_eq!(head.rest, b"body");
    }

    #[test]
    fn ambiguous_heads_are_refused() {
        for text in [
            "GET / HTTP/1.1\n\n",
            "GET / HTTP/1.1\nHost: a\nHost: b\n\n",
            "GET http://x/ HTTP/1.1\nHost: a\n\n",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 1\nTransfer-Encoding: chunked\n\n",
            "POST / HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 1\n\n",
            "GET / HTTP/1.1\nHost: a\nX: a\u{7f}b\n\n",
            "NONSENSE\n\n",
        ] {
            assert!(matches!(head(text), Err(NoHead::Invalid(_))), "{text:?}");
        }
    }

    #[test]
    fn s_l1_every_line_of_a_head_ends_in_cr_lf() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\n\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        ] {
            let end = head_end(text.as_bytes()).unwrap();
            assert!(matches!(parse(text.into(), end), Err(NoHead::Invalid(_))), "{text:?}");
        }
    }
}
