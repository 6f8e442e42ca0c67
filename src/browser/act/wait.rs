//! Waiting for what a page is to become: for a time, words, an element, an address, a state of loading, a condition.
use super::{On, script};
use crate::browser::cdp::none;
use crate::browser::page;
use crate::browser::tabs;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use serde_json::Value;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(100);
/// Without a request for so long the network is idle.
const QUIET: Duration = Duration::from_millis(500);

pub fn act_wait(on: &On) -> Result<Value> {
    const WISHES: &[&str] = &["timeMs", "text", "textGone", "selector", "url", "loadState", "fn"];
    if WISHES.iter().all(|wish| on.ctx.get(wish).is_none()) {
        return Err(Error::invalid(format!("wait requires at least one of: {}", WISHES.join(", "))));
    }
    if let Some(ms) = on.ctx.number("timeMs") {
        let until = Instant::now() + Duration::from_millis(ms.clamp(0.0, 60_000.0) as u64);
        while Instant::now() < until {
            on.is_there()?;
            let left = until.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(on.wait.slice("wait")?));
        }
    }
    if let Some(words) = on.ctx.text("text") {
        until(on, &format!("the text {words:?}"), || asked(on, &format!("oc.seen({})", json!(words))))?;
    }
    if let Some(words) = on.ctx.text("textGone") {
        until(on, &format!("the end of the text {words:?}"), || {
            asked(on, &format!("!oc.seen({})", json!(words)))
        })?;
    }
    if let Some(css) = on.ctx.text("selector") {
        until(on, &format!("the selector {css:?}"), || asked(on, &format!("oc.visible({})", json!(css))))?;
    }
    if let Some(pattern) = on.ctx.text("url") {
        until(on, &format!("the address {pattern:?}"), || {
            Ok(matches(pattern, &tabs::facts(&on.browser, &on.target, &on.wait).url))
        })?;
    }
    if let Some(state) = on.ctx.text("loadState") {
        until(on, state, || loaded(on, state))?;
    }
    if let Some(code) = on.ctx.text("fn") {
        let code = format!(
            "(async () => {{ const f = ({code}\n); return Boolean(await (typeof f === 'function' ? f() : f)); }})()"
        );
        until(on, "the condition", || {
            Ok(script::expression(on, &code)?.pointer("/result/value") == Some(&Value::Bool(true)))
        })?;
    }
    Ok(none())
}

/// Looks until it is so. A page on its way to another cannot be asked for a moment.
fn until(on: &On, what: &str, look: impl Fn() -> Result<bool>) -> Result<()> {
    loop {
        on.is_there()?;
        match look() {
            Ok(true) => return Ok(()),
            Err(e) if e.kind == Kind::Invalid || e.kind == Kind::Aborted => return Err(e),
            _ => {}
        }
        if on.wait.is_over() {
            if on.wait.cancel.reason().is_some() {
                return Err(on.wait.cancel.error());
            }
            return Err(Error::new(Kind::AgentTimeout, format!("TimeoutError: {what} did not come")));
        }
        std::thread::sleep(LOOK);
    }
}

fn asked(on: &On, expression: &str) -> Result<bool> {
    let main = page::main(&on.target, &on.session);
    Ok(page::value(&on.browser, &main, expression, &on.wait)? == Value::Bool(true))
}

fn loaded(on: &On, state: &str) -> Result<bool> {
    match state {
        "load" => asked(on, "document.readyState === 'complete'"),
        "domcontentloaded" => asked(on, "document.readyState !== 'loading'"),
        "networkidle" => {
            let is_quiet = on.browser.world().page(&on.target).is_some_and(|page| {
                page.stirred
                    .is_none_or(|at| at.elapsed() > QUIET && (page.busy == 0 || at.elapsed() > QUIET * 4))
            });
            Ok(is_quiet && asked(on, "document.readyState === 'complete'")?)
        }
        _ => Err(Error::invalid("loadState must be load|domcontentloaded|networkidle")),
    }
}

/// Whether an address is one that a pattern means: with `*` and `**` for any part, else whole or a part of it.
pub fn matches(pattern: &str, url: &str) -> bool {
    let mut parts = pattern.split('*').filter(|part| !part.is_empty());
    if !pattern.contains('*') {
        return url == pattern || url.contains(pattern);
    }
    let mut rest = url;
    if !pattern.starts_with('*') {
        let Some(after) = parts.next().and_then(|first| rest.strip_prefix(first)) else { return false };
        rest = after;
    }
    let mut last = None;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        (rest, last) = (after, Some(part));
    }
    pattern.ends_with('*') || rest.is_empty() || last.is_some_and(|part| url.ends_with(part))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn addresses_are_meant_by_patterns() {
        for (pattern, url, want) in [
            ("http://h/a", "http://h/a", true),
            ("/a", "http://h/a?b", true),
            ("**/a", "http://h/x/a", true),
            ("**/a", "http://h/x/a/b", false),
            ("**/a/**", "http://h/x/a/b", true),
            ("http://h/*", "http://h/x", true),
            ("http://h/*", "https://h/x", false),
            ("*a*a", "http://a/b/a", true),
        ] {
            assert_eq!(matches(pattern, url), want, "{pattern} {url}");
        }
    }
}
