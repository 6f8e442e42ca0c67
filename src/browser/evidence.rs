//! What pages said and fetched: their console, what they threw, their requests. Kept as it comes, bounded; told on request.
use super::ask::Ctx;
use super::cdp::Wait;
use super::events::{stir, text};
use super::world::{Page, Request};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::parts::shortened;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

const MAX_TEXT: usize = 4096;
const MAX_URL: usize = 2048;
/// From the worst on.
const LEVELS: &[&str] = &["error", "warning", "info", "debug"];

/// One thing that a page told; `number` for a request.
pub fn keep(page: &mut Page, method: &str, params: &Value, number: Option<String>) {
    match method {
        "Runtime.consoleAPICalled" => {
            let said = params.get("args").and_then(Value::as_array).into_iter().flatten().map(shown);
            let at = params.pointer("/stackTrace/callFrames/0").cloned().unwrap_or_default();
            let kind = text(params, "/type");
            page.log(entry(kind, &said.collect::<Vec<_>>().join(" "), params, &at));
        }
        "Log.entryAdded" => {
            let entry_at = json!({"url": (text(params, "/entry/url")), "lineNumber": (params.pointer("/entry/lineNumber"))});
            page.log(entry(text(params, "/entry/level"), text(params, "/entry/text"), params, &entry_at));
        }
        "Runtime.exceptionThrown" => {
            let whole = text(params, "/exceptionDetails/exception/description");
            let whole = if whole.is_empty() { text(params, "/exceptionDetails/text") } else { whole };
            let (first, _) = whole.split_once('\n').unwrap_or((whole, ""));
            let (name, message) = first.split_once(": ").unwrap_or(("Error", first));
            page.fail(json!({"message": (shortened(message, MAX_TEXT)), "name": name, "stack": (shortened(whole, MAX_TEXT)), "timestamp": (now())}));
        }
        "Network.requestWillBeSent" => {
            stir(page, 1);
            let shown = json!({
                "id": (number.unwrap_or_default()), "timestamp": (now()), "method": (text(params, "/request/method")),
                "url": (shown_url(text(params, "/request/url"))),
                "resourceType": (text(params, "/type").to_ascii_lowercase()),
            });
            page.ask(Request { own: text(params, "/requestId").to_string(), shown });
        }
        "Network.responseReceived" => {
            let status = params.pointer("/response/status").and_then(Value::as_u64).unwrap_or_default();
            note(page, params, |shown| {
                shown.put("status", status);
                shown.put("ok", (200..400).contains(&status));
            });
        }
        "Network.loadingFailed" => {
            stir(page, -1);
            let why = text(params, "/errorText").to_string();
            note(page, params, |shown| {
                shown.put("ok", false);
                shown.put("failureText", why.as_str());
            });
        }
        "Network.loadingFinished" => stir(page, -1),
        _ => {}
    }
}

/// Data that stands in an address is none.
fn shown_url(url: &str) -> String {
    shortened(url, if url.starts_with("data:") { 64 } else { MAX_URL })
}

fn note(page: &mut Page, params: &Value, change: impl Fn(&mut serde_json::Map<String, Value>)) {
    let own = text(params, "/requestId");
    let found = page.requests.iter_mut().rev().find(|request| request.own == own);
    found.and_then(|request| request.shown.as_object_mut()).into_iter().for_each(change);
}

fn now() -> String {
    clock::iso(clock::now_ms())
}

fn entry(kind: &str, said: &str, _: &Value, at: &Value) -> Value {
    let place = json!({
        "url": (shortened(text(at, "/url"), MAX_URL)), "lineNumber": (at.get("lineNumber")),
        "columnNumber": (at.get("columnNumber")),
    });
    json!({"type": kind, "text": (shortened(said, MAX_TEXT)), "timestamp": (now()), "location": place})
}

/// An argument of the console as text.
fn shown(argument: &Value) -> String {
    match argument.get("value") {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => {
            let said = [
                text(argument, "/unserializableValue"),
                text(argument, "/description"),
                text(argument, "/type"),
            ];
            said.into_iter().find(|said| !said.is_empty()).unwrap_or_default().to_string()
        }
    }
}

pub fn console(ctx: &Ctx) -> Result<Value> {
    let most = match ctx.text("level") {
        None | Some("log") => LEVELS.len() - 2,
        Some("warn") => 1,
        Some(level) => LEVELS
            .iter()
            .position(|known| *known == level)
            .ok_or_else(|| Error::invalid(format!("level must be {}", LEVELS.join("|"))))?,
    };
    // What is of no level is as good as "info".
    let rank = |message: &Value| match text(message, "/type") {
        "warn" => 1,
        kind => LEVELS.iter().position(|known| *known == kind).unwrap_or(2),
    };
    let is_given = ctx.text("level").is_some();
    ctx.of_page(|page| {
        let said = page.console.iter().filter(|message| !is_given || rank(message) <= most).cloned();
        json!({"messages": (said.collect::<Vec<_>>())})
    })
}

pub fn errors(ctx: &Ctx) -> Result<Value> {
    let is_last = ctx.is("clear");
    ctx.of_page(|page| {
        let all = if is_last { std::mem::take(&mut page.errors) } else { page.errors.clone() };
        json!({"errors": (all.into_iter().collect::<Vec<_>>())})
    })
}

pub fn requests(ctx: &Ctx) -> Result<Value> {
    let (is_last, filter) = (ctx.is("clear"), ctx.text("filter").unwrap_or_default());
    ctx.of_page(|page| {
        let shown = |all: &VecDeque<Request>| {
            let meant = all.iter().filter(|request| text(&request.shown, "/url").contains(filter));
            meant.map(|request| request.shown.clone()).collect::<Vec<_>>()
        };
        let said = json!({"requests": (shown(&page.requests))});
        if is_last {
            page.requests.clear();
        }
        said
    })
}

/// The body of an answer, once one came for such an address: the newest that is there, else the next.
pub fn response_body(ctx: &Ctx) -> Result<Value> {
    let pattern = ctx.need("url")?.to_string();
    let most = ctx.number("maxChars").unwrap_or(200_000.0).clamp(1.0, 5e6) as usize;
    let (browser, target, session) = ctx.page()?;
    let wait = ctx.within(20_000, 120_000);
    let missing = |_| Error::not_found(format!("Response not found for url pattern {pattern:?}"));
    let (own, shown) = browser
        .wait_for("response", &wait, |world| {
            let page = world.page(&target)?;
            let mut all = page.requests.iter().rev();
            let found = all.find(|r| {
                super::act::wait::matches(&pattern, text(&r.shown, "/url")) && r.shown.get("status").is_some()
            })?;
            Some((found.own.clone(), found.shown.clone()))
        })
        .map_err(missing)?;
    let wait = Wait::at_most(&wait, Duration::from_secs(20));
    let said = browser.cdp.call(&session, "Network.getResponseBody", json!({"requestId": own}), &wait)?;
    let body = text(&said, "/body");
    let is_cut = body.len() > most;
    let mut response = json!({"url": (shown.get("url")), "status": (shown.get("status")), "body": (crate::parts::within(body, most))});
    if is_cut && let Some(map) = response.as_object_mut() {
        map.put("truncated", true);
    }
    Ok(json!({"ok": true, "targetId": target, "response": response}))
}
