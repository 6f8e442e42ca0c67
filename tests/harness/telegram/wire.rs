//! HTTP as the stand-in speaks it: requests of a kept connection one after the other, answers with a length.
use super::super::Value;
use super::super::model::read_chunked;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub struct Request {
    pub verb: String,
    pub target: String,
    pub content_type: String,
    pub wants_close: bool,
    pub body: Vec<u8>,
}

/// The next request of a connection, or nothing at its end.
pub fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        if head.get(before..) == Some("\r\n") {
            break;
        }
    }
    let mut first = head.split_whitespace();
    let (verb, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let mut found =
            lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_string());
        found.next()
    };
    let length = header("content-length").and_then(|v| v.parse::<usize>().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    if header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        body = read_chunked(reader)?;
    }
    Ok(Some(Request {
        verb: verb.to_string(),
        target: target.to_string(),
        content_type: header("content-type").unwrap_or_default(),
        wants_close: header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close")),
        body,
    }))
}

/// Why a call is refused: status, text with its prefix, and `parameters`.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: u16,
    pub text: String,
    pub parameters: Option<Value>,
}

pub type Answer<T = Value> = Result<T, Refusal>;

pub fn refuse(code: u16, text: impl std::fmt::Display) -> Refusal {
    let prefix = match code {
        400 => "Bad Request: ",
        403 => "Forbidden: ",
        409 => "Conflict: ",
        _ => "",
    };
    Refusal { code, text: format!("{prefix}{text}"), parameters: None }
}

pub fn bad(text: impl std::fmt::Display) -> Refusal {
    refuse(400, text)
}

pub fn flood(seconds: u64) -> Refusal {
    let parameters = Some(super::super::json!({"retry_after": seconds}));
    Refusal { code: 429, text: format!("Too Many Requests: retry after {seconds}"), parameters }
}

/// The answer as the API writes it: the status is the error's code.
pub fn write(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let (status, body, after) = match answer {
        Ok(result) => (200, super::super::json!({"ok": true, "result": result}), None),
        Err(Refusal { code, text, parameters }) => {
            let mut body = super::super::json!({"ok": false, "error_code": code, "description": text});
            let after = parameters.as_ref().and_then(|p| p["retry_after"].as_u64());
            if let Some(parameters) = parameters {
                body["parameters"] = parameters.clone();
            }
            (*code, body, after)
        }
    };
    let after = after.map(|n| format!("Retry-After: {n}\r\n")).unwrap_or_default();
    raw(stream, status, &format!("Content-Type: application/json\r\n{after}"), body.to_string().as_bytes())
}

pub fn raw(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let mut out = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    out.extend_from_slice(body);
    stream.write_all(&out)
}
