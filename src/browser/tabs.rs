//! Tabs: listed, opened, brought to the front, and closed; what they are called.
use super::ask::{Ctx, done, order};
use super::cdp::{Wait, none};
use super::events::text;
use super::leading::{LOAD, MOST_LOAD, check, lead};
use super::world::Browser;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the browser may take to tell what a page is called.
const FACTS: Duration = Duration::from_secs(3);
/// How long a tab that led nowhere may take to close.
const CLOSE: Duration = Duration::from_secs(2);
/// How long a page may be between two documents, until it is told so.
const BETWEEN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

pub fn missing() -> Error {
    Error::not_found("tab not found")
}

/// The page that an id, or the beginning of one, means.
pub fn named(browser: &Browser, named: &str) -> Result<String> {
    let world = browser.world();
    let ids = || world.pages.iter().map(|page| page.target.as_str());
    let meant: Vec<&str> = ids()
        .filter(|id| id.get(..named.len()).is_some_and(|start| start.eq_ignore_ascii_case(named)))
        .collect();
    match meant.as_slice() {
        [] => Err(missing()),
        [one] => Ok((*one).to_string()),
        many => many
            .iter()
            .find(|id| id.eq_ignore_ascii_case(named))
            .map(|id| (*id).to_string())
            .ok_or_else(|| Error::new(Kind::Conflict, "ambiguous target id prefix")),
    }
}

/// The page that was used last; an empty one where there is none.
pub fn latest(browser: &Browser, wait: &Wait) -> Result<String> {
    let found = |world: &mut super::world::World| {
        world.pages.iter().max_by_key(|page| page.used).map(|page| page.target.clone())
    };
    // A browser that has just begun tells of its page in a moment.
    match browser.wait_for("tabs", &wait.at_most(Duration::from_millis(700)), found) {
        Ok(target) => Ok(target),
        Err(_) => make(browser, wait),
    }
}

fn make(browser: &Browser, wait: &Wait) -> Result<String> {
    let made = browser.cdp.call("", "Target.createTarget", json!({"url": "about:blank"}), wait)?;
    let target = text(&made, "/targetId").to_string();
    browser.wait_for("open a tab", wait, |world| world.page(&target).map(|_| ()))?;
    Ok(target)
}

/// What a page is called.
pub struct Facts {
    pub title: String,
    /// The last that is known.
    pub url: String,
    /// It has left there, and the next document has not begun.
    pub is_between: bool,
}

/// Title and address as they are now.
pub fn facts(browser: &Browser, target: &str, wait: &Wait) -> Facts {
    // Also when all the time was taken by what came before.
    let wait = Wait { until: Instant::now() + FACTS, cancel: wait.cancel.clone() };
    let between = wait.at_most(BETWEEN);
    let known = || browser.world().page(target).map(|page| page.url.clone()).unwrap_or_default();
    loop {
        let told = browser.cdp.call("", "Target.getTargetInfo", json!({"targetId": target}), &wait);
        let Ok(told) = told else {
            return Facts { title: String::new(), url: known(), is_between: false };
        };
        let title = text(&told, "/targetInfo/title").to_string();
        match text(&told, "/targetInfo/url") {
            // It has none in the moment before the next document begins; where the page hangs, for ever.
            "" if !between.is_over() => std::thread::sleep(LOOK),
            "" => return Facts { title, url: known(), is_between: true },
            url => return Facts { title, url: url.to_string(), is_between: false },
        }
    }
}

/// An address, and whether the page is still loading.
pub fn told_of(url: &str, is_loading: bool) -> Value {
    if is_loading { json!({"url": url, "loading": true}) } else { json!({"url": url}) }
}

fn all(browser: &Browser, wait: &Wait) -> Result<Vec<Value>> {
    let told = browser.cdp.call("", "Target.getTargets", none(), wait)?;
    let infos = told.get("targetInfos").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut pages: Vec<(u64, Value)> = {
        let mut world = browser.world();
        let shown = infos.iter().filter_map(|info| {
            let page = world.page(text(info, "/targetId"))?;
            let url = Some(text(info, "/url")).filter(|url| !url.is_empty()).unwrap_or(&page.url);
            Some((page.used, page.tab(text(info, "/title"), url)))
        });
        shown.collect()
    };
    pages.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
    Ok(pages.into_iter().map(|(_, tab)| tab).collect())
}

pub fn list(ctx: &Ctx) -> Result<Value> {
    let tabs = match ctx.running() {
        None => return Ok(json!({"running": false, "tabs": []})),
        Some(browser) => all(&browser, &ctx.within(5000, 5000))?,
    };
    Ok(json!({"running": true, "tabs": tabs}))
}

pub fn open(ctx: &Ctx) -> Result<Value> {
    let url = ctx.need("url")?;
    check(ctx, url)?;
    let browser = ctx.ensure()?;
    let wait = ctx.within(LOAD, MOST_LOAD);
    let target = make(&browser, &wait)?;
    let session = touch(&browser, &target)?;
    let led = match url {
        "about:blank" => Ok(true),
        url => lead(&browser, &target, &session, url, &wait),
    };
    if led.is_err() {
        // Nobody knows of it yet; nor is it the tab that was used last for who asks next. One that does not close is no matter.
        let _ = shut(&browser, &target, &Wait { until: Instant::now() + CLOSE, cancel: wait.cancel.clone() });
    }
    let is_loaded = led?;
    let Facts { title, url, is_between } = facts(&browser, &target, &wait);
    let mut tab = json!({"targetId": target, "title": title, "url": url, "type": "page"});
    tab.as_object_mut()
        .filter(|_| !is_loaded || is_between)
        .into_iter()
        .for_each(|tab| tab.put("loading", true));
    Ok(tab)
}

/// The session of a page that is used now, which is brought to the front.
pub fn touch(browser: &Browser, target: &str) -> Result<String> {
    let (session, is_front) = {
        let mut world = browser.world();
        let used = world.tick();
        let is_front = world.front == target;
        let page = world.page(target).ok_or_else(missing)?;
        page.used = used;
        let session = page.session.clone();
        world.front = target.to_string();
        (session, is_front)
    };
    if !is_front {
        browser.cdp.tell(&session, "Page.bringToFront", none());
    }
    Ok(session)
}

fn meant(ctx: &Ctx, name: &str) -> Result<(std::sync::Arc<Browser>, String)> {
    let browser = ctx.need_running()?;
    let target = named(&browser, name)?;
    Ok((browser, target))
}

pub fn focus(ctx: &Ctx) -> Result<Value> {
    let (browser, target) = meant(ctx, ctx.need("targetId")?)?;
    bring(&browser, &target, &ctx.within(5000, 5000))?;
    Ok(json!({"ok": true}))
}

fn bring(browser: &Browser, target: &str, wait: &Wait) -> Result<()> {
    touch(browser, target)?;
    order(&browser.cdp, "", "Target.activateTarget", json!({"targetId": target}), wait)
}

pub fn close(ctx: &Ctx) -> Result<Value> {
    let (browser, target) = meant(ctx, ctx.rest)?;
    shut(&browser, &target, &ctx.within(5000, 5000))?;
    Ok(json!({"ok": true}))
}

/// Closes a page, and waits until it is gone.
pub fn shut(browser: &Browser, target: &str, wait: &Wait) -> Result<()> {
    order(&browser.cdp, "", "Target.closeTarget", json!({"targetId": target}), wait)?;
    browser.wait_for("close", wait, |world| world.page(target).is_none().then_some(()))
}

pub fn action(ctx: &Ctx) -> Result<Value> {
    let wait = ctx.within(5000, 5000);
    match ctx.text("action") {
        Some("new") => {
            let browser = ctx.ensure()?;
            let target = make(&browser, &wait)?;
            touch(&browser, &target)?;
            return Ok(
                json!({"ok": true, "tab": {"targetId": target, "title": "", "url": "about:blank", "type": "page"}}),
            );
        }
        Some("list") => {
            let tabs = ctx.running().map(|browser| all(&browser, &wait)).transpose()?.unwrap_or_default();
            return Ok(json!({"ok": true, "tabs": tabs}));
        }
        Some("close" | "select") => {}
        _ => return Err(Error::invalid("unknown tab action")),
    }
    let is_select = ctx.text("action") == Some("select");
    let index = ctx.number("index");
    if is_select && index.is_none() {
        return Err(Error::invalid("index is required"));
    }
    let browser = ctx.need_running()?;
    let tabs = all(&browser, &wait)?;
    let tab = tabs.get(index.unwrap_or(0.0).max(0.0) as usize).ok_or_else(missing)?;
    let target = text(tab, "/targetId").to_string();
    if is_select {
        bring(&browser, &target, &wait)?
    } else {
        shut(&browser, &target, &wait)?
    }
    Ok(done(&target, none()))
}
