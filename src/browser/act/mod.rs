//! What is done on a page: `/act`, a kind a row. Elements are those of the last snapshot, by their refs.
mod keys;
pub mod mouse;
mod script;
mod typing;
pub mod wait;

use super::ask::{Ctx, done, order};
use super::cdp::{Wait, none};
use super::tabs;
use super::world::Browser;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::Value;
use std::sync::Arc;

/// How long an act may take, milliseconds; waiting and scrolling longer.
const USUAL: u64 = 8000;
const LONGER: u64 = 20_000;
const MOST: u64 = 60_000;

/// The page on which something is done.
pub struct On<'a> {
    pub ctx: &'a Ctx<'a>,
    pub browser: Arc<Browser>,
    pub target: String,
    pub session: String,
    pub wait: Wait,
}

type Act = fn(&On) -> Result<Value>;

/// Kind, members that have to be there with the words when they are not, what it does.
const KINDS: &[(&str, &[&str], &str, Act)] = &[
    ("click", &["ref"], "ref is required", mouse::act_click),
    ("type", &["ref"], "ref is required", typing::act_type),
    ("press", &["key"], "key is required", typing::act_press),
    ("hover", &["ref"], "ref is required", mouse::act_hover),
    ("scrollIntoView", &["ref"], "ref is required", mouse::act_scroll),
    ("drag", &["startRef", "endRef"], "startRef and endRef are required", mouse::act_drag),
    ("select", &["ref", "values"], "ref and values are required", typing::act_select),
    ("fill", &["fields"], "fields are required", typing::act_fill),
    ("resize", &["width", "height"], "width and height are required", resize),
    ("wait", &[], "", wait::act_wait),
    ("evaluate", &["fn"], "fn is required", script::act_evaluate),
    ("close", &[], "", close),
    ("clickCoords", &["x", "y"], "x and y are required", mouse::act_click_at),
];

pub fn act(ctx: &Ctx) -> Result<Value> {
    let kind = ctx.text("kind").unwrap_or_default();
    let kind = if kind == "scrollintoview" { "scrollIntoView" } else { kind };
    let Some((_, needed, words, act)) = KINDS.iter().find(|(name, ..)| *name == kind) else {
        let names: Vec<&str> = KINDS.iter().map(|(name, ..)| *name).collect();
        return Err(Error::invalid(format!("kind is required: {}", names.join("|"))));
    };
    if ctx.get("selector").is_some() && kind != "wait" {
        return Err(Error::invalid(
            "selector is not taken here: make a snapshot and use the ref of the element",
        ));
    }
    let is_empty = |value: &Value| match value {
        Value::String(text) => text.trim().is_empty(),
        Value::Array(all) => all.is_empty(),
        _ => false,
    };
    if needed.iter().any(|name| ctx.get(name).is_none_or(is_empty)) {
        return Err(Error::invalid(*words));
    }
    if kind == "evaluate" || (kind == "wait" && ctx.get("fn").is_some()) {
        ctx.may_evaluate()?;
    }
    let (browser, target, session) = ctx.page()?;
    let usual = if matches!(kind, "wait" | "scrollIntoView") { LONGER } else { USUAL };
    let on = On { ctx, browser, target, session, wait: ctx.within(usual, MOST) };
    on.is_there()?;
    let before = on.dialogs();
    let mut said = act(&on)?;
    // What the page asked meanwhile was answered for whoever acts, who should know.
    let asked = on.dialogs().saturating_sub(before);
    if asked > 0
        && let Some(said) = said.as_object_mut()
    {
        let recent = on
            .browser
            .world()
            .page(&on.target)
            .map(|page| page.dialogs.iter().rev().take(asked).cloned().collect::<Vec<_>>());
        said.put("dialogs", recent.unwrap_or_default());
    }
    if kind != "close"
        && on.browser.world().page(&on.target).is_none()
        && let Some(said) = said.as_object_mut()
    {
        said.remove("url");
        said.put("closed", true);
    }
    Ok(done(&on.target, said))
}

impl On<'_> {
    /// An error where the browser has ended or the page is gone or has crashed.
    pub fn is_there(&self) -> Result<()> {
        let mut world = self.browser.world();
        match world.is_over {
            true => Err(super::cdp::ended()),
            false => world.page(&self.target).ok_or_else(tabs::missing)?.check(),
        }
    }

    fn dialogs(&self) -> usize {
        self.browser.world().page(&self.target).map_or(0, |page| page.dialogs_in_a_row)
    }

    pub fn send(&self, method: &str, params: Value) -> Result<()> {
        order(&self.browser.cdp, &self.session, method, params, &self.wait)
    }

    /// The page's address after what was done.
    pub fn with_url(&self) -> Value {
        // A navigation that a click began shows itself within a moment.
        std::thread::sleep(std::time::Duration::from_millis(30));
        let facts = tabs::facts(&self.browser, &self.target, &self.wait);
        tabs::told_of(&facts.url, facts.is_between)
    }
}

fn resize(on: &On) -> Result<Value> {
    let size = |name: &str| on.ctx.number(name).filter(|n| (1.0..=10_000.0).contains(n)).map(|n| n as u64);
    let (Some(width), Some(height)) = (size("width"), size("height")) else {
        return Err(Error::invalid("width and height are required"));
    };
    on.send(
        "Emulation.setDeviceMetricsOverride",
        json!({"width": width, "height": height, "deviceScaleFactor": 0, "mobile": false}),
    )?;
    Ok(on.with_url())
}

fn close(on: &On) -> Result<Value> {
    tabs::shut(&on.browser, &on.target, &on.wait)?;
    Ok(none())
}
