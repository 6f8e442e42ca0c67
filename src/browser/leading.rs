//! A page is led to an address: whether it may, until it is loaded or the time is over, and why it has not come there. On the
//! thread of whoever asks.
use super::ask::{Ctx, done, order};
use super::cdp::{Wait, none};
use super::events::text;
use super::policy::{Policy, Verdict};
use super::tabs;
use super::world::Browser;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long a page may take to load, milliseconds.
pub const LOAD: u64 = 20_000;
pub const MOST_LOAD: u64 = 120_000;
/// How long a new page may take until it tells of itself.
const SET_UP: Duration = Duration::from_secs(10);
/// How long a page that is not led away may take to show that it hears.
const HEARS: Duration = Duration::from_secs(1);

pub fn navigate(ctx: &Ctx) -> Result<Value> {
    let url = ctx.need("url")?;
    check(ctx, url)?;
    let (browser, target, session) = ctx.page()?;
    let wait = ctx.within(LOAD, MOST_LOAD);
    let is_loaded = lead(&browser, &target, &session, url, &wait)?;
    let facts = tabs::facts(&browser, &target, &wait);
    Ok(done(&target, tabs::told_of(&facts.url, !is_loaded || facts.is_between)))
}

/// Before a browser is started for it.
pub fn check(ctx: &Ctx, url: &str) -> Result<()> {
    let policy = Policy::of(ctx.config);
    match policy.judge(url) {
        Verdict::Yes => Ok(()),
        Verdict::No(error) => Err(error),
        // The look-up is the browser's thread's, which asks for each redirect too.
        Verdict::Ask(_) => Ok(()),
    }
}

/// Leads a page to an address and waits until it is loaded; `false` where that takes longer than is waited for. One that
/// crashes on its way, as the first of a browser may, is led there once more.
pub fn lead(browser: &Browser, target: &str, session: &str, url: &str, wait: &Wait) -> Result<bool> {
    let led = lead_once(browser, target, session, url, wait);
    let has_crashed = || browser.world().page(target).is_some_and(|page| page.has_crashed);
    if led.is_err() && has_crashed() { lead_once(browser, target, session, url, wait) } else { led }
}

fn lead_once(browser: &Browser, target: &str, session: &str, url: &str, wait: &Wait) -> Result<bool> {
    // In a browser that has just begun a page may take longer to be set up than to be led elsewhere, of which it would then not
    // tell. What it answers is no matter: one that crashes at that is led all the same.
    if browser.world().page(target).is_some_and(|page| page.parsed == 0) {
        let _ = order(&browser.cdp, session, "Page.enable", none(), &wait.at_most(SET_UP));
    }
    let (loaded, begun) = {
        let mut world = browser.world();
        let page = world.page(target).ok_or_else(tabs::missing)?;
        (page.blocked, page.has_crashed) = (None, false);
        (page.loaded, page.begun)
    };
    let told = browser.cdp.call(session, "Page.navigate", json!({"url": url}), wait);
    let blocked = |browser: &Browser| browser.world().page(target).and_then(|page| page.blocked.clone());
    if let Some(why) = blocked(browser) {
        return Err(Error::invalid(why).with("reason", "navigation_blocked"));
    }
    let told = told.map_err(|e| nowhere(browser, session, url, wait, e))?;
    match text(&told, "/errorText") {
        "" => {}
        // What is downloaded is no page.
        "net::ERR_ABORTED" if told.get("isDownload").and_then(Value::as_bool) == Some(true) => {
            return Ok(true);
        }
        // What the way out could not reach (`gate.rs`), which is no proxy of the user's.
        why if why.starts_with("net::ERR_SOCKS") => {
            return Err(Error::unavailable(format!(
                "{url} does not open: its name has no address, or nothing answers there"
            )));
        }
        why => return Err(Error::unavailable(format!("{url} does not open: {why}"))),
    }
    if told.get("loaderId").is_none() {
        return Ok(true);
    }
    let end = browser.wait_for("load", wait, |world| match world.page(target) {
        None => Some(Err(tabs::missing())),
        Some(page) if page.blocked.is_some() || page.loaded > loaded => Some(page.check()),
        Some(page) => page.check().err().map(Err),
    });
    if let Some(why) = blocked(browser) {
        return Err(Error::invalid(why).with("reason", "navigation_blocked"));
    }
    match end {
        Ok(end) => end.map(|()| true),
        Err(e) => {
            let has_begun = browser.world().page(target).is_some_and(|page| page.begun > begun);
            match e.kind {
                Kind::AgentTimeout if has_begun => Ok(false),
                _ => Err(nowhere(browser, session, url, wait, e)),
            }
        }
    }
}

/// Why a page is still where it was when the time was over.
fn nowhere(browser: &Browser, session: &str, url: &str, wait: &Wait, error: Error) -> Error {
    if error.kind != Kind::AgentTimeout {
        return error;
    }
    let hears = Wait { until: Instant::now() + HEARS, cancel: wait.cancel.clone() };
    let asked = order(&browser.cdp, session, "Runtime.evaluate", json!({"expression": "1"}), &hears);
    let why = match asked.is_ok() {
        true => format!("{url} did not come in time: the page is where it was"),
        false => format!("the page hangs and was not led to {url}: close its tab and open another"),
    };
    Error::new(error.kind, why)
}
