//! Raw TCP and the smallest HTTP client: sends exactly the bytes given, reads until the answer is complete.
use super::DEADLINE;
use rustix::net::{AddressFamily, SocketAddrV4, SocketType, bind, connect, socket};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|l| l.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
    }
}

pub fn tcp(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A connection that comes from another loopback address, as from another machine.
pub fn tcp_from(source: Ipv4Addr, port: u16) -> TcpStream {
    let fd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&fd, &SocketAddrV4::new(source, 0)).unwrap();
    connect(&fd, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).unwrap();
    let stream = TcpStream::from(fd);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// `GET path` and the like, one request on a connection of its own.
pub fn request(port: u16, method: &str, path: &str) -> Answer {
    raw(port, &format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"))
}

/// Sends these bytes and reads the answer until the connection closes or the body is complete.
pub fn raw(port: u16, text: &str) -> Answer {
    let mut stream = tcp(port);
    stream.write_all(text.as_bytes()).unwrap();
    read_answer(&mut stream).unwrap_or_else(|| panic!("no answer to {text:?}"))
}

/// One answer, or `None` when the connection closed before one came.
pub fn read_answer(stream: &mut impl Read) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..n]);
        if let Some(answer) = parse(&bytes, n == 0) {
            return Some(answer);
        }
        if n == 0 {
            return None;
        }
    }
}

fn parse(bytes: &[u8], closed: bool) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let answer = Answer { status, head: head.to_string(), body: body.to_string() };
    let length: Option<usize> = answer.header("content-length").and_then(|v| v.parse().ok());
    (closed || length.is_some_and(|n| body.len() >= n)).then_some(answer)
}
