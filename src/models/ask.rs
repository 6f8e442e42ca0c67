//! One call of a model server, whatever it speaks: request out, answer in, tried again where that helps.
//!
//! Runs on the run's thread. Tokens are handed on as they arrive; after the first one nothing is tried
//! again. Tool calls are collected, not executed. Takes servers as they are: no content type, a plain JSON
//! answer instead of a stream, an end without its mark. What the formats differ in stands in `format`.
//!
//! What is needed only before a model speaks, or behind its last word, has frames of its own (`inline(never)`): the stack
//! of a run that listens is most of what a stream of words costs (docs/http.md).
use super::adapt::{self, Part};
use super::draft::Stop;
use super::failure::{self, Failure, from_fault, from_status, unanswered};
use super::format::Format;
use super::habit;
use super::known;
use super::provider::{ChatRequest, Chunk, Completion, Provider};
use super::reply::{Expected, Reply};
use super::shortfall::Skipped;
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::fetch::dial::{Phase, Timeouts, Watch};
use crate::fetch::http;
use crate::fetch::http::{Answer, Call, Fault};
use crate::fetch::sse::BOM;
use crate::metrics::{self, Metric};
use crate::parts::Parts;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Attempt<T> = std::result::Result<T, Failure>;

/// How much of an error answer is read, and how long that may take.
const MAX_ERROR: usize = 64 << 10;
const ERROR_TIME: Duration = Duration::from_secs(2);

/// Asks the model. `on` gets each piece at once; the whole comes back when the answer is complete.
/// `Kind::Aborted` when `cancel` stopped it, `Kind::Model` for everything the server did wrong.
pub fn stream(
    p: &Provider,
    format: &Format,
    request: &ChatRequest,
    cancel: &Cancel,
    on: &mut dyn FnMut(Chunk),
) -> Result<Completion> {
    let (mut other, mut tried) = (adapt::as_known(p), Vec::new());
    loop {
        let (p, mut refused) = (other.as_deref().unwrap_or(p), None);
        match once(p, format, request, cancel, on, &mut refused) {
            Ok(completion) => {
                tried.iter().for_each(|part| adapt::remember(p, *part));
                return Ok(completion);
            }
            Err(error) => match without(p, &error, refused, &mut tried) {
                Some(adapted) => other = Some(adapted),
                None => return Err(error),
            },
        }
    }
}

/// The provider without the part that its server refused, if it was not tried so.
#[inline(never)]
fn without(
    p: &Provider,
    error: &Error,
    refused: Option<Part>,
    tried: &mut Vec<Part>,
) -> Option<Box<Provider>> {
    let part = refused.filter(|part| !tried.contains(part))?;
    let other = Box::new(adapt::without(p, part)?);
    tried.push(part);
    log::warn!(target: "gateway/agent", "{error}; it is asked again without, and later ones are until the next start. {} spares the first request", adapt::setting(p, part));
    Some(other)
}

/// Asks with what the provider is said to take; `refused` is the part that it does not take after all.
fn once(
    p: &Provider,
    format: &Format,
    request: &ChatRequest,
    cancel: &Cancel,
    on: &mut dyn FnMut(Chunk),
    refused: &mut Option<Part>,
) -> Result<Completion> {
    let reasoning =
        known::reasons(p) || request.messages.iter().any(|message| known::has_reasoned(p, message));
    let inside = habit::is_known(p, request.thinking);
    let expected = Expected { reasoning, inside, has_acted: request.has_acted };
    failure::with_retries(p, cancel, &mut |connect| {
        let (watch, begun) = (Watch::new(cancel, Timeouts { connect, ..p.timeouts }), Instant::now());
        let result = attempt(p, format, request, cancel, watch, on, expected);
        metrics::count(Metric::ModelCalls);
        metrics::add(Metric::ModelMs, begun.elapsed().as_millis() as u64);
        *refused = result.as_ref().err().and_then(|failure| failure.refused);
        result
    })
}

/// The configured headers, then what the format needs; the key unless a configured header replaces it.
fn headers(p: &Provider, format: &Format) -> Vec<(String, String)> {
    let mut headers = p.headers.clone();
    let has = |headers: &[(String, String)], name: &str| {
        headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    };
    let own_key = has(&headers, "authorization") || has(&headers, "x-api-key");
    for (name, value) in format.headers {
        if !has(&headers, name) {
            headers.push((name.to_string(), value.to_string()));
        }
    }
    if let (true, false, Some(key)) = (p.auth_header, own_key, &p.api_key) {
        let (name, value) = (format.credential)(p, key.reveal());
        headers.push((name.to_string(), value));
    }
    headers
}

fn attempt(
    p: &Provider,
    format: &Format,
    request: &ChatRequest,
    cancel: &Cancel,
    watch: Arc<Watch>,
    on: &mut dyn FnMut(Chunk),
    expected: Expected,
) -> Attempt<Completion> {
    let mut answer = send(p, format, request, &watch).map_err(|f| unanswered(p, &f, cancel))?;
    if !(200..300).contains(&answer.status) {
        return Err(refusal(p, answer, cancel));
    }
    let mut reply = Reply::new(p, format, on);
    reply.expect(expected);
    let result = read(p, &mut reply, &mut answer, cancel);
    match &result {
        Ok(_) => habit::note(p, request.thinking, reply.began_inside()),
        Err(failure) => reply.keep(failure.error.kind == Kind::Aborted),
    }
    result
}

/// What is sent is kept no longer than that takes: its answer takes much longer.
#[inline(never)]
fn send(
    p: &Provider,
    format: &Format,
    request: &ChatRequest,
    watch: &Arc<Watch>,
) -> std::result::Result<Box<Answer>, Fault> {
    let body = (format.body)(p, request).to_string();
    let url = p.url((format.path)(p));
    let call = Call { url: &url, headers: &headers(p, format), body: Some(body.as_bytes()) };
    http::send(&call, watch).map(Box::new)
}

fn read(p: &Provider, reply: &mut Reply, answer: &mut Answer, cancel: &Cancel) -> Attempt<Completion> {
    let read = match first_bytes(answer).map(|first| (form(&answer.content_type, &first), first)) {
        Ok((_, first)) if coding(&first).is_some() => {
            Err(Stop::Fault(Fault::Coded(coding(&first).unwrap_or_default().to_string())))
        }
        Ok((Some(Form::Nothing), _)) => Err(Stop::Fault(Fault::Dropped)),
        Ok((Some(Form::Document), first)) => reply.plain(answer, first),
        Ok((Some(Form::Stream), first)) => {
            if !looks_like_stream(&first) {
                reply.skip(Skipped::Text(String::from_utf8_lossy(&first).trim().to_string()));
            }
            reply.events(answer, first)
        }
        Ok((None, first)) => rest(answer, first)
            .and_then(|body| Err(Stop::Failure(Box::new(reply.text(&answer.content_type, &body))))),
        Err(fault) => Err(Stop::Fault(fault)),
    };
    judged(p, reply, read, cancel)
}

/// What an answer comes to that was read as far as it went.
#[inline(never)]
fn judged(
    p: &Provider,
    reply: &mut Reply,
    read: std::result::Result<(), Stop>,
    cancel: &Cancel,
) -> Attempt<Completion> {
    match read {
        Ok(()) => reply.complete(),
        Err(Stop::Failure(failure)) => Err(*failure),
        Err(Stop::Reported(error)) => Err(reply.reported(&error)),
        // Everything is here but the trailer.
        Err(Stop::Fault(fault)) if reply.survives(&fault) => reply.complete(),
        Err(Stop::Fault(Fault::Dropped)) if reply.spoke() => Err(reply.cut_off()),
        Err(Stop::Fault(fault)) => {
            let failure = from_fault(p, &fault, cancel);
            Err(Failure { again: failure.again && !reply.spoke(), ..failure })
        }
    }
}

/// An error status, with what the server says about it as far as that comes quickly.
#[inline(never)]
fn refusal(p: &Provider, mut answer: Box<Answer>, cancel: &Cancel) -> Failure {
    match rest(&mut answer, Vec::new()) {
        Ok(body) if coding(&body).is_some() => from_status(
            p,
            answer.status,
            compressed(coding(&body).unwrap_or_default()).as_bytes(),
            answer.retry_after,
        ),
        Ok(body) => from_status(p, answer.status, &body, answer.retry_after),
        Err(_) => from_fault(p, &Fault::Cancelled, cancel),
    }
}

/// What else an answer that is none says, as far as it comes quickly; fails only when the call was stopped.
#[inline(never)]
fn rest(answer: &mut Answer, mut body: Vec<u8>) -> std::result::Result<Vec<u8>, Stop> {
    answer.watch().allow(Phase::FirstToken, ERROR_TIME);
    let mut buf = [0; 4096];
    while body.len() < MAX_ERROR {
        match answer.read(&mut buf) {
            Ok(0) => break,
            Ok(n) => body.extend_from_slice(buf.head(n)),
            Err(Fault::Cancelled) => return Err(Stop::Fault(Fault::Cancelled)),
            Err(Fault::Coded(coding)) => return Ok(compressed(&coding).into_bytes()),
            // What there is says enough.
            Err(_) => break,
        }
    }
    Ok(body)
}

/// Stands for words that cannot be read.
fn compressed(coding: &str) -> String {
    format!("its words are compressed as {coding:?}, which nobody asked for and which is not read")
}

/// Reads until there is enough to judge by.
#[inline(never)]
fn first_bytes(answer: &mut Answer) -> std::result::Result<Vec<u8>, Fault> {
    let (mut first, mut buf) = (Vec::new(), [0; 4096]);
    while !is_enough(&first) && first.len() < MAX_ERROR {
        match answer.read(&mut buf)? {
            0 => break,
            n => first.extend_from_slice(buf.head(n)),
        }
    }
    Ok(first)
}

/// What an answer is, whatever its label says.
enum Form {
    Document,
    Stream,
    Nothing,
}

/// The fields of an event stream; what comes behind some is no concern here.
const FIELDS: [&str; 6] = ["data", "event", "id", "retry", "error", ""];

/// Without white space and byte order mark.
fn start(first: &[u8]) -> &[u8] {
    let first = first.trim_ascii_start();
    first.strip_prefix(BOM).unwrap_or(first).trim_ascii_start()
}

/// How bytes are compressed that nobody labelled so.
fn coding(first: &[u8]) -> Option<&'static str> {
    match first {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        _ => None,
    }
}

fn is_enough(first: &[u8]) -> bool {
    let start = start(first);
    match start.first() {
        None => false,
        Some(0xEF) if BOM.starts_with(start) => false,
        Some(b'{' | b'[' | b'<') => true,
        Some(_) => start.len() > 8 || start.contains(&b':') || start.contains(&b'\n'),
    }
}

fn looks_like_stream(first: &[u8]) -> bool {
    let start = start(first);
    let field = start.split(|byte| matches!(byte, b':' | b'\n' | b'\r')).next().unwrap_or_default();
    start.len() > field.len() && FIELDS.iter().any(|name| name.as_bytes() == field)
}

fn form(label: &str, first: &[u8]) -> Option<Form> {
    match start(first).first() {
        None => Some(Form::Nothing),
        Some(b'{' | b'[') => Some(Form::Document),
        Some(b'<') => None,
        _ if looks_like_stream(first) || label.contains("event-stream") => Some(Form::Stream),
        _ => None,
    }
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
