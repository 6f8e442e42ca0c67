//! Snapshots: a page as a list of what stands there, with a ref for what can be acted on; its frames within it. `page.js`
//! makes the text of one document; here the documents of frames are put into their places.
use super::ask::{Ctx, done};
use super::cdp::Wait;
use super::events::text;
use super::page::{self, Frame};
use super::tabs;
use super::tree;
use super::world::Browser;
use crate::error::{Error, Result};
use crate::json::{self, Put, json};
use serde_json::{Map, Value};

const MAX_CHARS: usize = 80_000;
const EFFICIENT_CHARS: usize = 10_000;
const EFFICIENT_DEPTH: u64 = 6;
const MAX_FRAMES: usize = 20;
const TRUNCATED: &str = "\n\n[...TRUNCATED - page too large]";
/// Elements, and hundreds of characters, of a page that is still looked at as a whole.
pub const MAX_WEIGHT: f64 = 200_000.0;
/// What is read of a document.
const MAX_VALUES: usize = 400_000;
const MAX_DEPTH: usize = 20;

/// How a page is to be shown.
#[derive(Clone)]
struct Wish {
    is_role: bool,
    interactive: bool,
    compact: bool,
    depth: u64,
    most: usize,
    selector: Option<String>,
}

pub fn snapshot(ctx: &Ctx) -> Result<Value> {
    if ctx.is("labels") {
        return Err(Error::not_found("not supported: labels"));
    }
    let is_efficient = ctx.text("mode") == Some("efficient")
        || (ctx.text("mode").is_none()
            && ctx.config.str("browser.snapshotDefaults.mode") == Some("efficient"));
    if ctx.text("format") == Some("aria") {
        if ctx.text("mode") == Some("efficient") {
            return Err(Error::invalid("labels/mode=efficient require format=ai"));
        }
        return tree::aria(ctx);
    }
    let wish = wish(ctx, is_efficient);
    let (browser, target, session) = ctx.page()?;
    let wait = ctx.within(20_000, 60_000);
    browser.world().page(&target).ok_or_else(tabs::missing)?.check()?;
    let mut whole = Whole {
        browser: &browser,
        wait: &wait,
        frames: Vec::new(),
        refs: Map::new(),
        is_cut: false,
        interactive: 0,
    };
    let main = page::main(&target, &session);
    let shown = match ctx.text("frame") {
        None => whole.show(&main, "", &wish)?,
        Some(css) => {
            let element = page::chosen(&browser, &session, css, &wait)?;
            let frame = page::inside(&browser, &element, &wait)?;
            whole.frames.push(frame.clone());
            whole.show(&frame, "f1", &wish)?
        }
    };
    let Whole { frames, refs, is_cut, interactive, .. } = whole;
    if let Some(page) = browser.world().page(&target) {
        page.frames = frames;
    }
    let url = tabs::facts(&browser, &target, &wait).url;
    let (lines, chars, count) = (shown.lines().count(), shown.chars().count(), refs.len());
    let shown = if is_cut { shown + TRUNCATED } else { shown };
    let mut said = json!({"format": "ai", "url": url, "snapshot": shown, "refs": refs});
    if let Some(said) = said.as_object_mut() {
        if is_cut {
            said.put("truncated", true);
        }
        said.put("stats", json!({"lines": lines, "chars": chars, "refs": count, "interactive": interactive}));
    }
    Ok(done(&target, said))
}

fn wish(ctx: &Ctx, is_efficient: bool) -> Wish {
    let number = |name: &str| ctx.number(name).filter(|n| *n >= 1.0);
    let usual = if is_efficient { EFFICIENT_CHARS } else { MAX_CHARS };
    Wish {
        interactive: ctx.flag("interactive").unwrap_or(is_efficient),
        compact: ctx.flag("compact").unwrap_or(is_efficient),
        depth: number("depth").map_or(if is_efficient { EFFICIENT_DEPTH } else { 0 }, |depth| depth as u64),
        most: number("maxChars").map_or(usual, |most| most as usize).min(1_000_000),
        selector: ctx.text("selector").map(str::to_string),
        is_role: is_efficient
            || ["interactive", "compact", "depth", "selector", "frame", "refs"]
                .iter()
                .any(|name| ctx.get(name).is_some()),
    }
}

struct Whole<'a> {
    browser: &'a Browser,
    wait: &'a Wait,
    frames: Vec<Frame>,
    refs: Map<String, Value>,
    is_cut: bool,
    interactive: u64,
}

impl Whole<'_> {
    /// The text of a frame and of those within it. Refs are told with the frame's name in front.
    fn show(&mut self, frame: &Frame, name: &str, wish: &Wish) -> Result<String> {
        let options = json!({
            "form": (if wish.is_role { "role" } else { "ai" }), "interactive": wish.interactive, "compact": wish.compact,
            "depth": wish.depth, "most": wish.most, "selector": wish.selector,
        });
        // A text costs the browser less than the same as an object.
        let ask = format!("oc.weight() > {MAX_WEIGHT} ? null : JSON.stringify(oc.snapshot({options}))");
        let told = page::looked(self.browser, frame, &ask, self.wait)?;
        let Some(told) = told.as_str() else {
            return Err(Error::invalid(
                "the page is too large to be shown: evaluate what is wanted of it, or take a screenshot",
            ));
        };
        let told = json::read(told, MAX_VALUES, MAX_DEPTH)
            .map_err(|e| Error::unavailable(format!("the page cannot be read: {e}")))?;
        self.is_cut |= told.get("truncated").and_then(Value::as_bool) == Some(true);
        self.interactive += told.get("interactive").and_then(Value::as_u64).unwrap_or_default();
        let own = told.get("refs").and_then(Value::as_object).cloned().unwrap_or_default();
        own.into_iter().for_each(|(reference, what)| self.refs.put(&format!("{name}{reference}"), what));
        let lines = text(&told, "/lines");
        let mut lines: Vec<String> = match name {
            "" => lines.lines().map(str::to_string).collect(),
            _ => lines.lines().map(|line| line.replacen("[ref=e", &format!("[ref={name}e"), 1)).collect(),
        };
        let frames = told.get("frames").and_then(Value::as_array).cloned().unwrap_or_default();
        // From the last on, so that the numbers of lines before it stay; but named in their order.
        let mut insides = Vec::new();
        for place in &frames {
            let at = place.get("line").and_then(Value::as_u64).unwrap_or_default() as usize;
            insides.push((
                at,
                place.get("indent").and_then(Value::as_u64).unwrap_or_default() as usize,
                self.inside(frame, text(place, "/ref"), wish),
            ));
        }
        for (at, indent, inside) in insides.into_iter().rev() {
            let Some(inside) = inside.filter(|inside| !inside.is_empty()) else { continue };
            if let Some(line) = lines.get_mut(at).filter(|line| !line.ends_with(':')) {
                line.push(':');
            }
            let inside: Vec<String> = inside.lines().map(|line| format!("{:indent$}{line}", "")).collect();
            lines.splice((at + 1).min(lines.len())..(at + 1).min(lines.len()), inside);
        }
        Ok(lines.join("\n"))
    }

    /// A frame within a frame; one that cannot be looked into is shown without what it holds.
    fn inside(&mut self, frame: &Frame, reference: &str, wish: &Wish) -> Option<String> {
        if self.frames.len() >= MAX_FRAMES {
            self.is_cut = true;
            return None;
        }
        let element =
            page::object(self.browser, frame, &format!("oc.el({})", json!(reference)), self.wait).ok()?;
        let inside = page::inside(self.browser, &element, self.wait).ok()?;
        self.frames.push(inside.clone());
        let name = format!("f{}", self.frames.len());
        self.show(&inside, &name, &Wish { selector: None, ..wish.clone() }).ok()
    }
}
