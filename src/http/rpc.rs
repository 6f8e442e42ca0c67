//! `POST /api/v1/rpc`: one call of a method, as `openclaw gateway call` makes it: for curl and for programs that speak no
//! WebSocket. The same checks, scopes and schemas hold.
//!
//! Runs on the connection's own thread, which waits for the method's first answer.
use crate::error::{Error, Result};
use crate::http::openai::body;
use crate::http::{Exchange, Refusal, refusal};
use crate::json::{Put, json};
use crate::methods::{self, About};
use crate::protocol::frame::Payload;
use serde_json::{Map, Value};

pub fn rpc(mut exchange: Exchange) -> Result<()> {
    let body = match body(&mut exchange) {
        Ok(body) => body,
        Err(refusal) => return exchange.out.refuse(refusal),
    };
    let id = body.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    let told = call(&exchange, body);
    let mut answer = Map::new();
    id.into_iter().for_each(|id| answer.put("id", id));
    answer.put("ok", told.is_ok());
    match told {
        Ok(payload) => {
            let mut text = Value::Object(answer).to_string();
            text.pop();
            text.reserve_exact(payload.len() + 2);
            text.push_str(&payload);
            text.push('}');
            drop(payload);
            exchange.out.json_text(200, text)
        }
        Err(error) => {
            let error = error.reworded("\nFix: ", "; fix: ");
            answer.put("error", error.to_wire(4));
            let status = refusal::status(error.kind);
            let refusal = Refusal::from(error);
            let out =
                refusal.headers.into_iter().fold(exchange.out, |out, (name, value)| out.with(name, value));
            out.json(status, Value::Object(answer))
        }
    }
}

/// An answer as a member that follows others.
fn member(payload: Payload) -> Result<String> {
    let mut text = br#","payload":"#.to_vec();
    payload.push_to(&mut text);
    // All of it was text.
    Ok(String::from_utf8(text).unwrap_or_default())
}

/// The answer, as text.
fn call(exchange: &Exchange, mut body: Value) -> Result<String> {
    let params = match body.get_mut("params").map(Value::take) {
        None | Some(Value::Null) => json!({}),
        Some(params @ Value::Object(_)) => params,
        Some(_) => return Err(Error::invalid("params must be an object")),
    };
    let method = body.get("method").and_then(Value::as_str).filter(|method| !method.is_empty());
    let method =
        method.ok_or_else(|| Error::invalid("name a method: {\"method\": \"health\", \"params\": {}}"))?;
    if methods::named(method).is_some_and(|method| method.about.contains(&About::Connection)) {
        return Err(Error::invalid(format!(
            "{method} is about the connection that asks and would end with it: call it over the WebSocket"
        )));
    }
    exchange.call(method, params, member)
}
