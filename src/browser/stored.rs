//! What a browser keeps for pages, cookies and storage, and what it tells them of its surroundings.
use super::ask::{Ctx, done, order};
use super::cdp::none;
use super::page;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::{Map, Value};

const TIME: u64 = 8000;

pub fn cookies(ctx: &Ctx) -> Result<Value> {
    let (browser, target, session) = ctx.page()?;
    let told = browser.cdp.call(&session, "Storage.getCookies", none(), &ctx.within(TIME, TIME))?;
    let all = told.get("cookies").and_then(Value::as_array).cloned().unwrap_or_default();
    let shown = |cookie: &Value| {
        let mut own = Map::new();
        for name in ["name", "value", "domain", "path", "expires", "httpOnly", "secure"] {
            own.put(name, cookie.get(name).cloned().unwrap_or_default());
        }
        own.put("sameSite", cookie.get("sameSite").and_then(Value::as_str).unwrap_or("Lax"));
        Value::Object(own)
    };
    Ok(done(&target, json!({"cookies": (all.iter().map(shown).collect::<Vec<_>>())})))
}

pub fn set_cookie(ctx: &Ctx) -> Result<Value> {
    let cookie = ctx
        .get("cookie")
        .filter(|cookie| cookie.is_object())
        .ok_or_else(|| Error::invalid("cookie is required"))?;
    let has = |name: &str| cookie.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if !has("name") || cookie.get("value").and_then(Value::as_str).is_none() {
        return Err(Error::invalid("cookie name and value are required"));
    }
    if !(has("url") || has("domain") && has("path")) {
        return Err(Error::invalid("cookie requires url, or domain+path"));
    }
    let (browser, target, session) = ctx.page()?;
    let params = json!({"cookies": [cookie]});
    order(&browser.cdp, &session, "Storage.setCookies", params, &ctx.within(TIME, TIME))?;
    Ok(done(&target, none()))
}

pub fn clear_cookies(ctx: &Ctx) -> Result<Value> {
    let (browser, target, session) = ctx.page()?;
    order(&browser.cdp, &session, "Storage.clearCookies", none(), &ctx.within(TIME, TIME))?;
    Ok(done(&target, none()))
}

/// The name that the page knows a kind of storage by.
fn kind(name: &str) -> Result<&'static str> {
    match name {
        "local" => Ok("localStorage"),
        "session" => Ok("sessionStorage"),
        _ => Err(Error::invalid("kind must be local|session")),
    }
}

pub fn storage(ctx: &Ctx) -> Result<Value> {
    let kind = kind(ctx.rest)?;
    let code = match ctx.text("key") {
        Some(key) => {
            format!("((k, v) => v === null ? {{}} : {{[k]: v}})({0}, {kind}.getItem({0}))", json!(key))
        }
        None => format!("({{...{kind}}})"),
    };
    let (browser, target, session) = ctx.page()?;
    let values = page::value(&browser, &page::main(&target, &session), &code, &ctx.within(TIME, TIME))?;
    Ok(done(&target, json!({"values": values})))
}

pub fn change_storage(ctx: &Ctx) -> Result<Value> {
    let (name, act) = ctx.rest.split_once('/').unwrap_or((ctx.rest, ""));
    let kind = kind(name)?;
    let code = match act {
        "clear" => format!("{kind}.clear()"),
        "set" => {
            let value = ctx.get("value").and_then(Value::as_str).unwrap_or_default();
            format!("{kind}.setItem({}, {})", json!(ctx.need("key")?), json!(value))
        }
        _ => return Err(Error::not_found("Not Found")),
    };
    let (browser, target, session) = ctx.page()?;
    page::value(&browser, &page::main(&target, &session), &code, &ctx.within(TIME, TIME))?;
    Ok(done(&target, none()))
}

/// What pages are told of their surroundings.
pub fn set(ctx: &Ctx) -> Result<Value> {
    let (method, params) = match ctx.rest {
        "offline" => {
            let offline = ctx.flag("offline").ok_or_else(|| Error::invalid("offline is required"))?;
            let params =
                json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
            ("Network.emulateNetworkConditions", params)
        }
        "headers" => {
            let headers = ctx
                .get("headers")
                .filter(|it| it.is_object())
                .ok_or_else(|| Error::invalid("headers is required"))?;
            ("Network.setExtraHTTPHeaders", json!({"headers": headers}))
        }
        "timezone" => ("Emulation.setTimezoneOverride", json!({"timezoneId": (ctx.need("timezoneId")?)})),
        "locale" => ("Emulation.setLocaleOverride", json!({"locale": (ctx.need("locale")?)})),
        "media" => {
            let scheme = ctx.need("colorScheme")?;
            let value = if scheme == "none" { "" } else { scheme };
            let features = json!([{"name": "prefers-color-scheme", "value": value}]);
            ("Emulation.setEmulatedMedia", json!({"features": features}))
        }
        "geolocation" if ctx.is("clear") => ("Emulation.clearGeolocationOverride", none()),
        "geolocation" => match (ctx.number("latitude"), ctx.number("longitude")) {
            (Some(latitude), Some(longitude)) => {
                let accuracy = ctx.number("accuracy").unwrap_or(1.0);
                let place = json!({"latitude": latitude, "longitude": longitude, "accuracy": accuracy});
                ("Emulation.setGeolocationOverride", place)
            }
            _ => return Err(Error::invalid("latitude and longitude are required")),
        },
        "device" | "credentials" => return Err(Error::not_found(format!("not supported: set/{}", ctx.rest))),
        _ => return Err(Error::not_found("Not Found")),
    };
    let (browser, target, session) = ctx.page()?;
    order(&browser.cdp, &session, method, params, &ctx.within(TIME, TIME))?;
    Ok(done(&target, none()))
}
