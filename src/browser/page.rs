//! The inside of a page: what `page.js` finds and does in a world of its own beside the page's scripts, which cannot reach
//! it; and elements, by the refs of snapshots.
use super::cdp::Wait;
use super::events::text;
use super::world::Browser;
use crate::error::{Error, Kind, Result};
use crate::json::json;
use crate::parts::shortened;
use serde_json::Value;
use std::time::Duration;

/// What is at hand in each document that is looked into.
const HELP: &str = include_str!("page.js");
const WORLD: &str = "openclaw";
const MAX_ERROR: usize = 500;
/// A document may be swapped for another at any moment: how often it is looked for again, and after what time.
const SWAPS: usize = 50;
const SWAP: Duration = Duration::from_millis(10);
/// What the browser says where a document was gone before anything ran in it.
const NOT_RUN: &str = "Cannot find context with specified id";
/// What it says where something was cut off that ran.
const CUT: &[&str] = &["Execution context was destroyed.", "Inspected target navigated or closed"];

/// Where something is evaluated: a frame, by the session it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub session: String,
    pub id: String,
}

/// An element, as its session knows it.
pub struct Element {
    pub session: String,
    pub object: String,
}

/// The main frame of a page.
pub fn main(target: &str, session: &str) -> Frame {
    Frame { session: session.to_string(), id: target.to_string() }
}

/// The frame that a ref names, and the ref as that frame knows it: `f1e2` is `e2` of the first.
pub fn of_ref(browser: &Browser, target: &str, session: &str, name: &str) -> Result<(Frame, String)> {
    let name = name.trim().trim_start_matches('@');
    let name = name.strip_prefix("ref=").unwrap_or(name);
    let Some((n, own)) = name.strip_prefix('f').and_then(|rest| rest.split_once('e')) else {
        let is_number = !name.is_empty() && name.bytes().all(|c| c.is_ascii_digit());
        return Ok((main(target, session), if is_number { format!("e{name}") } else { name.to_string() }));
    };
    let mut world = browser.world();
    let frames = world.page(target).map(|page| page.frames.clone()).unwrap_or_default();
    let at = n.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let frame = at.and_then(|at| frames.get(at).cloned()).ok_or_else(|| unknown(name))?;
    Ok((frame, format!("e{own}")))
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!("Unknown ref {name:?}. Run a new snapshot and use a ref from that snapshot."))
}

/// Our world in a frame.
fn context(browser: &Browser, frame: &Frame, wait: &Wait) -> Result<Value> {
    let make = |id: &str| {
        let params = json!({"frameId": id, "worldName": WORLD});
        browser.cdp.call(&frame.session, "Page.createIsolatedWorld", params, wait)
    };
    let made = make(&frame.id).or_else(|error| {
        if error.kind == Kind::AgentTimeout {
            return Err(error);
        }
        // A page that was swapped for another has a frame of another name.
        let tree = browser.cdp.call(&frame.session, "Page.getFrameTree", super::cdp::none(), wait)?;
        match text(&tree, "/frameTree/frame/id") {
            "" => Err(error),
            id if id == frame.id => Err(error),
            id => make(id),
        }
    })?;
    Ok(made.get("executionContextId").cloned().unwrap_or_default())
}

/// What an expression over `oc` gives, as a value.
pub fn value(browser: &Browser, frame: &Frame, expression: &str, wait: &Wait) -> Result<Value> {
    let said = run(browser, frame, expression, true, wait)?;
    Ok(said.pointer("/result/value").cloned().unwrap_or_default())
}

/// The same of an expression that changes nothing: what was cut off is asked again of the next document.
pub fn looked(browser: &Browser, frame: &Frame, expression: &str, wait: &Wait) -> Result<Value> {
    again(wait, CUT, || value(browser, frame, expression, wait))
}

fn run(browser: &Browser, frame: &Frame, expression: &str, by_value: bool, wait: &Wait) -> Result<Value> {
    let whole = format!("{HELP}\n{expression}");
    let said = again(wait, &[NOT_RUN], || {
        let context = context(browser, frame, wait)?;
        let params = json!({"expression": whole, "contextId": context, "returnByValue": by_value, "awaitPromise": true});
        browser.cdp.call(&frame.session, "Runtime.evaluate", params, wait)
    })?;
    thrown(&said)?;
    Ok(said)
}

/// Asks again while the browser says one of these.
fn again(wait: &Wait, these: &[&str], ask: impl Fn() -> Result<Value>) -> Result<Value> {
    let mut left = SWAPS;
    loop {
        match ask() {
            Err(error)
                if left > 0
                    && !wait.is_over()
                    && these.iter().any(|said| error.message().ends_with(said)) =>
            {
                left -= 1;
                std::thread::sleep(SWAP);
            }
            said => return said,
        }
    }
}

/// What a script threw, as an error.
pub fn thrown(said: &Value) -> Result<()> {
    if said.get("exceptionDetails").is_none() {
        return Ok(());
    }
    let whole = text(said, "/exceptionDetails/exception/description");
    let whole = if whole.is_empty() { text(said, "/exceptionDetails/text") } else { whole };
    let first = whole.lines().next().unwrap_or_default();
    let first = first.strip_prefix("Error: ").unwrap_or(first);
    Err(Error::invalid(shortened(first, MAX_ERROR)))
}

/// The element of a ref.
pub fn element(browser: &Browser, target: &str, session: &str, name: &str, wait: &Wait) -> Result<Element> {
    let (frame, own) = of_ref(browser, target, session, name)?;
    object(browser, &frame, &format!("oc.el({})", json!(own)), wait)
}

/// The first element that a CSS selector finds in a page's main frame.
pub fn chosen(browser: &Browser, session: &str, css: &str, wait: &Wait) -> Result<Element> {
    let target = browser.world().page_of(session).map(|page| page.target.clone()).unwrap_or_default();
    let missing = || Error::invalid(format!("no element matches the selector {css}"));
    object(browser, &main(&target, session), &format!("document.querySelector({})", json!(css)), wait)
        .map_err(|e| if e.message() == NOTHING { missing() } else { e })
}

const NOTHING: &str = "there is no such element";

pub fn object(browser: &Browser, frame: &Frame, expression: &str, wait: &Wait) -> Result<Element> {
    let said = run(browser, frame, expression, false, wait)?;
    match text(&said, "/result/objectId") {
        "" => Err(Error::invalid(NOTHING)),
        object => Ok(Element { session: frame.session.clone(), object: object.to_string() }),
    }
}

/// The frame within an element that is one.
pub fn inside(browser: &Browser, element: &Element, wait: &Wait) -> Result<Frame> {
    let node =
        browser.cdp.call(&element.session, "DOM.describeNode", json!({"objectId": element.object}), wait)?;
    let id = text(&node, "/node/frameId").to_string();
    if id.is_empty() {
        return Err(Error::invalid("it is no frame"));
    }
    // One that is a process of its own has a session of its own.
    let own = browser
        .world()
        .frames
        .iter()
        .find(|(_, (frame, _))| *frame == id)
        .map(|(session, _)| session.clone());
    Ok(Frame { session: own.unwrap_or_else(|| element.session.clone()), id })
}

/// Where the corner of a frame lies in its page.
pub fn offset(browser: &Browser, target: &str, frame: &Frame, wait: &Wait) -> Result<(f64, f64)> {
    let Some(page) = browser.world().page(target).map(|page| page.session.clone()) else {
        return Err(super::tabs::missing());
    };
    if frame.id == target && frame.session == page {
        return Ok((0.0, 0.0));
    }
    // Of a frame that is a process of its own its page's session knows the owner.
    let is_apart = browser.world().frames.get(&frame.session).is_some_and(|(id, _)| *id == frame.id);
    let session = if is_apart { &page } else { &frame.session };
    let owner = browser.cdp.call(session, "DOM.getFrameOwner", json!({"frameId": frame.id}), wait)?;
    let node = json!({"backendNodeId": (owner.get("backendNodeId"))});
    let boxed = browser.cdp.call(session, "DOM.getBoxModel", node, wait)?;
    let corner =
        |at: usize| boxed.pointer("/model/content").and_then(|quad| quad.get(at)).and_then(Value::as_f64);
    let (x, y) = (corner(0).unwrap_or_default(), corner(1).unwrap_or_default());
    if is_apart || *session == page {
        return Ok((x, y));
    }
    let root = browser.world().frames.get(session).map(|(id, _)| id.clone()).unwrap_or_default();
    let (dx, dy) = offset(browser, target, &Frame { session: session.clone(), id: root }, wait)?;
    Ok((x + dx, y + dy))
}
