//! The browser control service on a port of its own, on loopback alone: its routes as HTTP, for who shows the gateway's secret.
//! On the connection's own thread, which waits for the page.
use crate::browser::{self, Asked};
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::http::{Auth, Exchange, Path, Route, Shape, path, refusal};
use crate::json::{Put, json};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// Bytes of what is sent: code to be run, texts to be typed.
const MAX_BODY: usize = 2 << 20;
/// How long one may take.
const TIME: Duration = Duration::from_secs(150);

pub static ROUTES: &[Route] = &[Route {
    methods: &["GET", "POST", "DELETE"],
    path: Path::Any,
    auth: Auth::Secret,
    max_body: MAX_BODY,
    time: Duration::from_secs(30),
    handler: serve,
    shape: Shape::Bare,
}];

fn serve(mut exchange: Exchange) -> Result<()> {
    match answer(&mut exchange) {
        Ok(told) => exchange.out.json(200, told),
        Err(error) => {
            let mut said = json!({"error": (error.message())});
            if let (Some(said), Some(details)) = (said.as_object_mut(), error.details()) {
                details.iter().for_each(|(name, value)| said.put(name, value.clone()));
            }
            exchange.out.json(refusal::status(error.kind), said)
        }
    }
}

fn answer(exchange: &mut Exchange) -> Result<Value> {
    // Here a look does something too: a page is fetched, a browser is started.
    if exchange.head.get("sec-fetch-site") == Some("cross-site") {
        return Err(Error::new(Kind::Forbidden, "refused: a page from elsewhere may not send this"));
    }
    let kind = exchange.head.get("content-type").unwrap_or_default().to_ascii_lowercase();
    let is_json = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
    if !exchange.body.is_empty() && !is_json {
        return Err(Error::invalid("send the body as Content-Type: application/json"));
    }
    let body = exchange.json()?;
    if !body.is_object() {
        return Err(Error::invalid("the body must be an object"));
    }
    let query = query(&exchange.head.target);
    let method = if exchange.head.method == "HEAD" { "GET" } else { exchange.head.method.as_str() };
    browser::ask(
        &exchange.shared.config(),
        &exchange.shared.env,
        &Asked {
            method,
            path: exchange.path,
            query: &query,
            body: &body,
            until: Instant::now() + TIME,
            cancel: &Cancel::new(),
            may_evaluate: true,
        },
    )
}

/// The members of a target's query, as texts.
fn query(target: &str) -> Value {
    let pairs = target.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    let mut members = Map::new();
    for pair in pairs.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (path::decoded(name), path::decoded(value)) {
            members.put(&name, value);
        }
    }
    Value::Object(members)
}
