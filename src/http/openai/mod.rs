//! What programs that were written for OpenAI's API ask: `/v1/chat/completions`, `/v1/responses`, `/v1/models`. Each
//! endpoint is off until its key is on.
//!
//! Runs on the connection's own thread, which reads the request (`asked`, `talk`, `files`, `settings`), asks for a turn
//! (`turn`), follows it (`following`) and says what comes of it in the words of the endpoint: one `Api` each, in `chat`
//! and `responses`. Failures are told in the API's own shape, before the first word by the status, behind it by an event.
mod asked;
mod chat;
mod end;
mod files;
mod following;
mod items;
mod models;
mod responses;
mod said;
mod settings;
mod standing;
mod talk;
mod turn;

pub use models::{list, one};

use crate::error::{Kind, Result};
use crate::http::{Exchange, Refusal};
use crate::json;
use crate::models::failure;
use asked::Asked;
use end::End;
use serde_json::{Map, Value};
use std::fmt::Write;

type Judged<T> = std::result::Result<T, Refusal>;

/// What the two endpoints differ in.
struct Api {
    /// Below `gateway.http.endpoints`.
    section: &'static str,
    /// In the keys of its sessions.
    family: &'static str,
    /// The member that holds the conversation.
    input: &'static str,
    /// Takes the texts out of the body, for they may be large.
    read: fn(&mut Map<String, Value>, &mut Asked) -> Judged<()>,
    /// Takes what the answer repeats out of what was asked.
    writer: fn(&mut Asked) -> Result<Box<dyn Writer>>,
    /// Whether the mark `[DONE]` ends a stream that failed too.
    marks_failure: bool,
}

/// Says a turn's words in the shape of an endpoint.
trait Writer {
    /// The answer as one document.
    fn whole(&mut self, end: End) -> Value;
    /// Before the first word of a stream.
    fn begin(&mut self, out: &mut String);
    fn text(&mut self, delta: &str, out: &mut String);
    /// A part of the end, of which each is sent before the next is made, as it may hold all words again; `false` for the last.
    fn end(&mut self, end: &End, part: usize, out: &mut String) -> bool;
    fn fail(&mut self, refusal: &Refusal, out: &mut String);
}

pub fn chat(exchange: Exchange) -> Result<()> {
    serve(exchange, &chat::API)
}

pub fn responses(exchange: Exchange) -> Result<()> {
    serve(exchange, &responses::API)
}

fn serve(mut exchange: Exchange, api: &Api) -> Result<()> {
    let begun = judge(&mut exchange, api).and_then(|mut asked| {
        // A stream has its place before the turn is asked for.
        if asked.streams && !exchange.out.reserve() {
            return Err(refusal(503, "too many streams are open at the moment").with("Retry-After", "1"));
        }
        let writer = (api.writer)(&mut asked).map_err(Refusal::from)?;
        Ok((turn::ask(&exchange, &mut asked, api)?, asked, writer))
    });
    match begun {
        Err(refusal) => exchange.out.refuse(refusal),
        Ok((following, asked, writer)) => {
            following::answer(exchange, following, &asked, writer, api.marks_failure)
        }
    }
}

#[inline(never)]
fn judge(exchange: &mut Exchange, api: &Api) -> Judged<Box<Asked>> {
    let config = exchange.shared.config();
    let key = format!("gateway.http.endpoints.{}.enabled", api.section);
    if !config.bool(&key) {
        return Err(off(&key));
    }
    let most = config.u64(&format!("gateway.http.endpoints.{}.maxBodyBytes", api.section));
    let length = exchange.body.len();
    if most.is_some_and(|most| length as u64 > most) {
        return Err(refusal(
            413,
            format!("payload too large: {length} bytes, at most {} are taken", most.unwrap_or(0)),
        ));
    }
    let read = body(exchange);
    let mut body = read.map_err(|refusal| refusal.about(crowded(&exchange.body, api)))?;
    let map = body.as_object_mut().ok_or_else(|| wrong("the body must be a JSON object", ""))?;
    let mut asked = Box::new(Asked::new(exchange, api, map)?);
    asked.size = length;
    (api.read)(map, &mut asked)?;
    turn::place(exchange, &mut asked, api)?;
    Ok(asked)
}

/// The member with which a body holds too many values; empty where it does not.
fn crowded(body: &[u8], api: &Api) -> &'static str {
    let text = std::str::from_utf8(body).ok().filter(|text| json::is_crowded(text));
    let Some(Ok(Some(found))) = text.map(|text| json::members(text, &[api.input, "tools"])) else {
        return "";
    };
    let [input, tools] = found.texts.map(|text| text.map_or(0, json::count));
    let others = text.map_or(0, json::count).saturating_sub(input + tools);
    match input.max(tools) {
        most if others > most => "",
        _ if tools > input => "tools",
        _ => api.input,
    }
}

/// An endpoint whose key is off.
fn off(key: &str) -> Refusal {
    refusal(404, format!("this endpoint is off; set {key} to true"))
}

/// A body of JSON, whatever its sender calls it who calls everything a form (curl). What says that it is something else,
/// or was packed, is not looked at.
pub fn body(exchange: &mut Exchange) -> Judged<Value> {
    let head = exchange.head;
    if head.get("content-length").is_none() && head.get("transfer-encoding").is_none() {
        return Err(refusal(411, "send the body with a Content-Length"));
    }
    if head.get("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(refusal(415, "send the body as it is, without a Content-Encoding"));
    }
    let kind = head.get("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let is_taken = matches!(kind.as_str(), "" | "text/plain" | "text/json" | "application/json")
        || kind == "application/x-www-form-urlencoded"
        || kind.ends_with("+json");
    if !is_taken {
        return Err(refusal(
            415,
            format!("the body is {}: send application/json", crate::parts::within(&kind, 100)),
        ));
    }
    let read = exchange.json().map_err(Refusal::from).map_err(Refusal::of_api)?;
    exchange.body = Vec::new();
    Ok(read)
}

/// Adds an event to a stream; its type, if it has one, stands before it too.
fn event(data: &Value, out: &mut String) {
    if let Some(kind) = data.get("type").and_then(Value::as_str) {
        *out += &format!("event: {kind}\n");
    }
    // A text takes whatever is written.
    let _ = write!(out, "data: {data}\n\n");
}

/// A refusal in the shape of OpenAI's API.
fn refusal(status: u16, message: impl Into<String>) -> Refusal {
    Refusal::new(status, message).of_api()
}

/// A member of the request that is not as it should be.
fn wrong(message: impl Into<String>, param: &str) -> Refusal {
    refusal(400, message).about(param)
}

/// Why a turn failed. Its effects stand in the session, and a second one would fail again, so clients that repeat what
/// failed by themselves are told not to; a gateway that is busy took nothing in.
fn failed(error: &crate::error::Error) -> Refusal {
    let is_busy = error.kind == Kind::Unavailable && error.retry_after().is_some();
    let known = match failure::reason(error) {
        _ if error.kind != Kind::Model => None,
        "rate_limit" => Some(refusal(429, error.message())),
        "context_length" => Some(wrong(error.message(), "messages").coded("context_length_exceeded")),
        _ => None,
    };
    let told = known.unwrap_or_else(|| Refusal::from(error.clone()).of_api());
    if is_busy { told } else { told.with("x-should-retry", "false") }
}
