//! What a browser tells of itself, put into its world. On the browser's own thread, which never waits: what has to be said to
//! the browser in return is said without waiting for an answer.
use super::cdp::{Told, none};
use super::policy::{Policy, Verdict};
use super::world::{Browser, Page};
use super::{dialogs, downloads, evidence};
use crate::error::Error;
use crate::json::json;
use crate::threads;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;

/// Names looked up at a time; a page that leads to more is refused.
const MAX_ASKING: usize = 16;
const LOOKUP_STACK: usize = 256 << 10;
/// Addresses that are looked at whatever is fetched from there, not documents alone, in a browser that runs elsewhere.
const CLOSE_BY: &[&str] = &[
    "*://127.*",
    "*://10.*",
    "*://192.168.*",
    "*://172.*",
    "*://169.254.*",
    "*://100.*",
    "*://0.*",
    "*://[*",
    "*://localhost*",
    "*.localhost*",
    "*.local/*",
    "*.local:*",
    "*.internal*",
    "*.lan/*",
    "*.lan:*",
    "file:*",
];

/// A text of the params.
pub fn text<'a>(params: &'a Value, path: &str) -> &'a str {
    params.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Pages and frames are told of, and wait until they are set up. Workers would wait too, told of or not: so they are, and go on
/// at once.
pub fn follow() -> Value {
    json!({"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true,
        "filter": [{"type": "page"}, {"type": "iframe"}, {"type": "worker"}]})
}

pub fn hear(browser: &Arc<Browser>, told: Told) {
    let Told { method, session, params } = told;
    match method.as_str() {
        "Target.attachedToTarget" => attached(browser, &session, &params),
        "Target.detachedFromTarget" => detached(browser, text(&params, "/sessionId")),
        "Inspector.targetCrashed" => crashed(browser, &session),
        "Fetch.requestPaused" => paused(browser, &session, &params),
        "Page.javascriptDialogOpening" => dialogs::opened(browser, &session, &params),
        "Page.fileChooserOpened" => dialogs::chooser(browser, &session, &params),
        "Browser.downloadWillBegin" => downloads::begun(browser, &params),
        "Browser.downloadProgress" => downloads::went_on(browser, &params),
        "Network.responseReceived" => answered(browser, &session, &params),
        _ => {
            let mut world = browser.world();
            let next = method.starts_with("Network.requestWill").then(|| world.next_request());
            let Some(page) = world.page_of(&session) else { return };
            let is_own = page.session == session;
            if !moved(page, is_own, &method, &params) {
                evidence::keep(page, &method, &params, next);
            }
            drop(world);
            // Before its first document, in a browser that has just begun, a page may crash of this.
            if is_own && method == "Page.domContentEventFired" {
                let params = json!({"enabled": true});
                browser.cdp.tell(&session, "Emulation.setFocusEmulationEnabled", params);
            }
        }
    }
    browser.tell_change();
}

/// What a page does as a whole.
fn moved(page: &mut Page, is_own: bool, method: &str, params: &Value) -> bool {
    match method {
        "Page.domContentEventFired" if is_own => page.parsed += 1,
        "Page.loadEventFired" if is_own => {
            page.loaded += 1;
            page.dialogs_in_a_row = 0;
        }
        "Page.frameNavigated" if is_own && params.pointer("/frame/parentId").is_none() => {
            page.url = text(params, "/frame/url").to_string();
            page.main = text(params, "/frame/id").to_string();
            page.begun += 1;
            page.has_crashed = false;
        }
        "Input.dragIntercepted" => page.dragged = params.get("data").cloned(),
        "Page.navigatedWithinDocument" if is_own => page.url = text(params, "/url").to_string(),
        _ => return false,
    }
    true
}

fn attached(browser: &Browser, parent: &str, params: &Value) {
    let session = text(params, "/sessionId");
    let target = text(params, "/targetInfo/targetId");
    let kind = text(params, "/targetInfo/type");
    let tell = |method: &str, params: Value| browser.cdp.tell(session, method, params);
    if matches!(kind, "page" | "iframe") {
        for domain in ["Page", "Runtime", "Log"] {
            tell(&format!("{domain}.enable"), none());
        }
        tell("Network.enable", json!({"maxTotalBufferSize": 20_000_000, "maxResourceBufferSize": 5_000_000}));
        let documents = json!({"urlPattern": "*", "resourceType": "Document", "requestStage": "Request"});
        // What is fetched beside goes by the gate, if this browser has one; a worker's requests would wait for ever here.
        let beside = if browser.pid.is_some() { &[] } else { CLOSE_BY };
        let close_by = beside.iter().map(|pattern| json!({"urlPattern": pattern, "requestStage": "Request"}));
        let patterns: Vec<Value> = std::iter::once(documents).chain(close_by).collect();
        tell("Fetch.enable", json!({"patterns": patterns}));
        tell("Target.setAutoAttach", follow());
    }
    tell("Runtime.runIfWaitingForDebugger", none());
    // Nobody leads it anywhere before it was told all this.
    let mut world = browser.world();
    match kind {
        "page" => {
            let used = world.tick();
            let url = text(params, "/targetInfo/url").to_string();
            world.front = target.to_string();
            world.pages.retain(|page| page.target != target);
            world.pages.push(Page {
                target: target.into(),
                main: target.into(),
                session: session.into(),
                url,
                used,
                ..Page::default()
            });
        }
        "iframe" => {
            let of = world.page_of(parent).map(|page| page.target.clone()).unwrap_or_default();
            world.frames.insert(session.to_string(), (target.to_string(), of));
        }
        _ => {}
    }
}

fn detached(browser: &Browser, session: &str) {
    {
        let mut world = browser.world();
        world.frames.remove(session);
        world.pages.retain(|page| page.session != session);
        world.front.clear();
    }
    browser.cdp.fail(session, &Error::unavailable("the page was closed"));
}

fn crashed(browser: &Browser, session: &str) {
    if let Some(page) = browser.world().page_of(session) {
        page.has_crashed = page.session == session;
    }
    browser.cdp.fail(session, &Error::unavailable("the page has crashed: navigate it anew, or close it"));
}

/// A request is about to go out: a document's, or one to an address close by.
fn paused(browser: &Arc<Browser>, session: &str, params: &Value) {
    let (id, url) = (text(params, "/requestId").to_string(), text(params, "/request/url").to_string());
    let is_document = text(params, "/resourceType") == "Document";
    let (policy, is_known) = {
        let mut world = browser.world();
        let policy = world.policy.clone();
        let verdict = policy.as_ref().map(|policy| policy.judge(&url));
        match (policy, verdict) {
            (None, _) | (_, None | Some(Verdict::Yes)) => (None, Ok(())),
            (_, Some(Verdict::No(error))) => (None, Err(error)),
            // Names are looked up for documents: what a page fetches beside is judged by what answers.
            (_, Some(Verdict::Ask(_))) if !is_document => (None, Ok(())),
            (Some(policy), Some(Verdict::Ask(host))) => match world.believed.has(&host) {
                true => (None, Ok(())),
                false if world.asking >= MAX_ASKING => {
                    (None, Err(super::policy::blocked("too many names at a time")))
                }
                false => {
                    world.asking += 1;
                    (Some((policy, host)), Ok(()))
                }
            },
        }
    };
    let frame = if is_document { text(params, "/frameId").to_string() } else { String::new() };
    let Some((policy, host)) = policy else { return go_on(browser, session, &id, &frame, is_known.err()) };
    let (there, of) = (browser.clone(), session.to_string());
    let look = move || {
        let found = policy.look_up(&host);
        {
            let mut world = there.world();
            world.asking -= 1;
            if found.is_ok() {
                world.believed.add(&host);
            }
        }
        go_on(&there, &of, &id, &frame, found.err());
    };
    if let Err(e) = threads::bare("gw-lookup", LOOKUP_STACK, look) {
        browser.world().asking -= 1;
        browser.cdp.tell(
            session,
            "Fetch.failRequest",
            json!({"requestId": (text(params, "/requestId")), "errorReason": "Failed"}),
        );
        log::warn!(target: "browser", "{e}");
    }
}

/// `frame` is whose document it is, if it is one.
fn go_on(browser: &Browser, session: &str, id: &str, frame: &str, refused: Option<Error>) {
    match refused {
        None => browser.cdp.tell(session, "Fetch.continueRequest", json!({"requestId": id})),
        Some(error) => {
            block(browser, session, frame, &error);
            browser.cdp.tell(
                session,
                "Fetch.failRequest",
                json!({"requestId": id, "errorReason": "BlockedByClient"}),
            );
        }
    }
}

/// A page whose own document was refused says why; what lies within it is missing there only.
fn block(browser: &Browser, session: &str, frame: &str, error: &Error) {
    if let Some(page) = browser.world().page_of(session).filter(|page| page.main == frame) {
        page.blocked = Some(error.message().to_string());
    }
    browser.tell_change();
}

/// What really answered: a name may have led elsewhere than where it was looked up.
fn answered(browser: &Browser, session: &str, params: &Value) {
    let (url, address) = (text(params, "/response/url"), text(params, "/response/remoteIPAddress"));
    let mut world = browser.world();
    // Of one that was started here the gate judged it, whose address this is.
    let is_judged = browser.pid.is_some();
    let may =
        is_judged || world.policy.as_ref().is_none_or(|policy: &Policy| policy.may_answer(url, address));
    let Some(page) = world.page_of(session) else { return };
    evidence::keep(page, "Network.responseReceived", params, None);
    if may || address.is_empty() {
        return;
    }
    page.blocked = Some(format!(
        "Navigation blocked: {} answered from an address that is not public",
        crate::parts::shortened(url, 200)
    ));
    let own = page.session.clone();
    drop(world);
    browser.cdp.tell(&own, "Page.navigate", json!({"url": "about:blank"}));
}

/// When something happened on the network of a page.
pub fn stir(page: &mut Page, more: isize) {
    page.busy = page.busy.saturating_add_signed(more);
    page.stirred = Some(Instant::now());
}
