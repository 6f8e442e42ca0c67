//! The mouse: an element is waited for until it can be acted on, then moved to, pressed, dragged.
use super::{On, keys};
use crate::browser::cdp::{Wait, none};
use crate::browser::page::{self, Frame};
use crate::browser::world::Browser;
use crate::cancel::SLICE;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;
use std::time::Duration;

/// Moves of a drag from one element to the other.
const STEPS: u32 = 8;
/// How long the browser may take to tell that it drags something itself.
const DRAGGED: Duration = Duration::from_millis(500);

/// Where an element is, in the page, once it can be acted on. `is_light` where it may be disabled or covered.
fn point(
    browser: &Browser,
    target: &str,
    session: &str,
    name: &str,
    is_light: bool,
    wait: &Wait,
) -> Result<(f64, f64)> {
    let (frame, own) = page::of_ref(browser, target, session, name)?;
    let ask = format!("oc.ready({}, {is_light})", json!(own));
    let mut before: Option<Value> = None;
    loop {
        let why = |said: &Value| said.get("why").and_then(Value::as_str).unwrap_or("it moves").to_string();
        let said = page::value(browser, &frame, &ask, wait).map_err(|e| match &before {
            Some(before) if e.kind == Kind::AgentTimeout => late(name, &why(before)),
            _ => e,
        })?;
        // It stands still where it was a moment ago.
        if said.get("why").is_none() && (is_light || before.as_ref() == Some(&said)) {
            return placed(browser, target, &frame, &said, wait);
        }
        before = Some(said);
        if wait.at_most(SLICE).until >= wait.until {
            return Err(late(name, &before.as_ref().map(why).unwrap_or_default()));
        }
        std::thread::sleep(SLICE);
    }
}

fn late(name: &str, why: &str) -> Error {
    Error::new(
        Kind::AgentTimeout,
        format!("TimeoutError: the element of ref {name:?} cannot be acted on: {why}"),
    )
}

fn placed(browser: &Browser, target: &str, frame: &Frame, said: &Value, wait: &Wait) -> Result<(f64, f64)> {
    let at = |name: &str| said.get(name).and_then(Value::as_f64).unwrap_or_default();
    let (dx, dy) = page::offset(browser, target, frame, wait)?;
    Ok((at("x") + dx, at("y") + dy))
}

/// One event of the mouse.
struct Move<'a> {
    kind: &'a str,
    at: (f64, f64),
    button: &'a str,
    held: u64,
    clicks: u64,
    modifiers: u64,
}

impl Move<'_> {
    fn send(&self, browser: &Browser, session: &str, wait: &Wait) -> Result<()> {
        let params = json!({
            "type": self.kind, "x": self.at.0, "y": self.at.1, "button": self.button, "buttons": self.held,
            "clickCount": self.clicks, "modifiers": self.modifiers,
        });
        crate::browser::ask::order(&browser.cdp, session, "Input.dispatchMouseEvent", params, wait)
    }
}

fn press(
    browser: &Browser,
    session: &str,
    at: (f64, f64),
    button: &str,
    modifiers: u64,
    clicks: u64,
    wait: &Wait,
) -> Result<()> {
    let held = match button {
        "right" => 2,
        "middle" => 4,
        _ => 1,
    };
    Move { kind: "mouseMoved", at, button: "none", held: 0, clicks: 0, modifiers }
        .send(browser, session, wait)?;
    for n in 1..=clicks {
        Move { kind: "mousePressed", at, button, held, clicks: n, modifiers }.send(browser, session, wait)?;
        let released = Move { kind: "mouseReleased", at, button, held: 0, clicks: n, modifiers };
        // A click may close its page.
        released.send(browser, session, wait).or_else(|e| match browser.world().page_of(session) {
            Some(_) => Err(e),
            None => Ok(()),
        })?;
    }
    Ok(())
}

/// A plain click.
pub fn click(browser: &Browser, target: &str, session: &str, name: &str, wait: &Wait) -> Result<()> {
    let at = point(browser, target, session, name, false, wait)?;
    press(browser, session, at, "left", 0, 1, wait)
}

pub fn act_click(on: &On) -> Result<Value> {
    let (button, modifiers, clicks) = wish(on)?;
    let name = on.ctx.need("ref")?;
    let at = point(&on.browser, &on.target, &on.session, name, false, &on.wait)?;
    press(&on.browser, &on.session, at, button, modifiers, clicks, &on.wait)?;
    Ok(on.with_url())
}

pub fn act_click_at(on: &On) -> Result<Value> {
    let (button, modifiers, clicks) = wish(on)?;
    let at = |name: &str| on.ctx.number(name).ok_or_else(|| Error::invalid("x and y are required"));
    press(&on.browser, &on.session, (at("x")?, at("y")?), button, modifiers, clicks, &on.wait)?;
    Ok(on.with_url())
}

fn wish<'a>(on: &'a On) -> Result<(&'a str, u64, u64)> {
    let button = on.ctx.text("button").unwrap_or("left");
    if !matches!(button, "left" | "right" | "middle") {
        return Err(Error::invalid("button must be left|right|middle"));
    }
    let mut modifiers = 0;
    for named in on.ctx.texts("modifiers") {
        modifiers |= keys::held(&named)
            .ok_or_else(|| Error::invalid("modifiers must be Alt|Control|ControlOrMeta|Meta|Shift"))?;
    }
    Ok((button, modifiers, if on.ctx.is("doubleClick") { 2 } else { 1 }))
}

pub fn act_hover(on: &On) -> Result<Value> {
    let at = point(&on.browser, &on.target, &on.session, on.ctx.need("ref")?, true, &on.wait)?;
    Move { kind: "mouseMoved", at, button: "none", held: 0, clicks: 0, modifiers: 0 }.send(
        &on.browser,
        &on.session,
        &on.wait,
    )?;
    Ok(none())
}

pub fn act_scroll(on: &On) -> Result<Value> {
    let (frame, own) = page::of_ref(&on.browser, &on.target, &on.session, on.ctx.need("ref")?)?;
    page::value(&on.browser, &frame, &format!("oc.scroll({})", json!(own)), &on.wait)?;
    Ok(none())
}

/// From one element to another. What can be dragged by the browser's own doing is carried by the same moves, which it
/// would otherwise leave to the system.
pub fn act_drag(on: &On) -> Result<Value> {
    let place = |name: &str| point(&on.browser, &on.target, &on.session, on.ctx.need(name)?, true, &on.wait);
    // Both may move when the first is brought into sight.
    let to = place("endRef")?;
    let from = place("startRef")?;
    let to = place("endRef").unwrap_or(to);
    let send = |kind: &str, at: (f64, f64), held: u64| {
        let button = if kind == "mouseMoved" && held == 0 { "none" } else { "left" };
        Move { kind, at, button, held, clicks: 1, modifiers: 0 }.send(&on.browser, &on.session, &on.wait)
    };
    on.send("Input.setInterceptDrags", json!({"enabled": true}))?;
    on.browser.world().page(&on.target).into_iter().for_each(|page| page.dragged = None);
    let dragged = (|| {
        send("mouseMoved", from, 0)?;
        send("mousePressed", from, 1)?;
        for step in 1..=STEPS {
            let part = f64::from(step) / f64::from(STEPS);
            send("mouseMoved", (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part), 1)?;
        }
        // Only what is draggable by the browser's own doing is told of, and that a moment later.
        let patience = on.wait.at_most(DRAGGED);
        let data =
            on.browser.wait_for("drag", &patience, |world| world.page(&on.target)?.dragged.take()).ok();
        if let Some(data) = data {
            for kind in ["dragEnter", "dragOver", "drop"] {
                let mut params = json!({"type": kind, "x": to.0, "y": to.1});
                params.as_object_mut().into_iter().for_each(|params| params.put("data", data.clone()));
                on.send("Input.dispatchDragEvent", params)?;
            }
        }
        send("mouseReleased", to, 0)
    })();
    on.send("Input.setInterceptDrags", json!({"enabled": false}))?;
    dragged.map(|()| none())
}
