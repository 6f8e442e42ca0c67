//! Text into fields, keys, and choices in lists.
use super::{On, keys, mouse};
use crate::browser::cdp::none;
use crate::browser::page;
use crate::cancel::SLICE;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use serde_json::Value;
use std::time::Duration;

/// Between two keys that are typed slowly.
const PAUSE: Duration = Duration::from_millis(75);

pub fn act_type(on: &On) -> Result<Value> {
    let text =
        on.ctx.get("text").and_then(Value::as_str).ok_or_else(|| Error::invalid("text is required"))?;
    let name = on.ctx.need("ref")?;
    match on.ctx.is("slowly") {
        true => {
            mouse::click(&on.browser, &on.target, &on.session, name, &on.wait)?;
            for letter in text.chars() {
                on.send("Input.dispatchKeyEvent", json!({"type": "char", "text": (letter.to_string())}))?;
                std::thread::sleep(PAUSE);
            }
        }
        false => put(on, name, text)?,
    }
    if on.ctx.is("submit") {
        press(on, "Enter", Duration::ZERO)?;
    }
    Ok(none())
}

pub fn act_press(on: &On) -> Result<Value> {
    let delay = Duration::from_millis(on.ctx.number("delayMs").unwrap_or_default().clamp(0.0, 5000.0) as u64);
    // Blanks are a key.
    let key = on.ctx.get("key").and_then(Value::as_str).unwrap_or_default();
    press(on, key, delay)?;
    Ok(none())
}

fn press(on: &On, key: &str, delay: Duration) -> Result<()> {
    for event in keys::events(key)? {
        on.send("Input.dispatchKeyEvent", event)?;
        std::thread::sleep(delay);
    }
    Ok(())
}

/// What a field holds is this from now on.
fn put(on: &On, name: &str, value: &str) -> Result<()> {
    let said = patiently(on, name, |own| format!("oc.fill({}, {})", json!(own), json!(value)))?;
    match said.get("how").and_then(Value::as_str) {
        Some("type") if value.is_empty() => press(on, "Delete", Duration::ZERO),
        Some("type") => on.send("Input.insertText", json!({"text": value})),
        _ => Ok(()),
    }
}

/// Asks the page until the element can be acted on.
fn patiently(on: &On, name: &str, ask: impl Fn(&str) -> String) -> Result<Value> {
    let (frame, own) = page::of_ref(&on.browser, &on.target, &on.session, name)?;
    loop {
        let said = page::value(&on.browser, &frame, &ask(&own), &on.wait)?;
        let Some(why) = said.get("why").and_then(Value::as_str) else { return Ok(said) };
        if on.wait.at_most(SLICE).until >= on.wait.until {
            let text = format!("TimeoutError: the element of ref {name:?} cannot be acted on: {why}");
            return Err(Error::new(Kind::AgentTimeout, text));
        }
        std::thread::sleep(SLICE);
    }
}

pub fn act_select(on: &On) -> Result<Value> {
    let values = on.ctx.texts("values");
    patiently(on, on.ctx.need("ref")?, |own| format!("oc.select({}, {})", json!(own), json!(values)))?;
    Ok(none())
}

pub fn act_fill(on: &On) -> Result<Value> {
    let fields = on.ctx.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
    for field in &fields {
        let name = field
            .get("ref")
            .and_then(Value::as_str)
            .ok_or_else(|| Error::invalid("fields: each needs a ref"))?;
        let value = match field.get("value") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        match field.get("type").and_then(Value::as_str) {
            Some("checkbox" | "radio") => {
                let want = matches!(value.as_str(), "true" | "1");
                patiently(on, name, |own| format!("oc.check({}, {want})", json!(own)))?;
            }
            _ => put(on, name, &value).map_err(|e| e.context(format!("field {name}")))?,
        }
    }
    Ok(none())
}
