//! What a page looks like: pictures, and documents as they are printed. They lie below the media directory.
use super::ask::{Ctx, done};
use super::cdp::Wait;
use super::events::text;
use super::page;
use super::tabs;
use super::world::Browser;
use crate::device::encoding::from_base64;
use crate::error::{Error, Result};
use crate::files;
use crate::ids;
use crate::json::{Put, json};
use serde_json::{Map, Value};
use std::io::Write;
use std::path::PathBuf;

/// Longest side in pixels, and bytes.
const MAX_SIDE: f64 = 2000.0;
const MAX_BYTES: usize = 5 << 20;
/// A page is shown down to there, in its own pixels.
const MAX_HEIGHT: f64 = 16_000.0;

pub fn screenshot(ctx: &Ctx) -> Result<Value> {
    if ctx.is("labels") {
        return Err(Error::not_found("not supported: labels"));
    }
    let kind = match ctx.text("type").unwrap_or("png") {
        "png" => "png",
        "jpeg" | "jpg" => "jpeg",
        _ => return Err(Error::invalid("type must be png|jpeg")),
    };
    let is_part = ctx.text("ref").or(ctx.text("element")).is_some();
    if is_part && ctx.is("fullPage") {
        return Err(Error::invalid("fullPage is not supported for element screenshots"));
    }
    let (browser, target, session) = ctx.page()?;
    let wait = ctx.within(20_000, 60_000);
    let clip = clip(ctx, &browser, &target, &session, &wait)?;
    let bytes = taken(&browser, &session, kind, &clip, &wait)?;
    let is_jpeg = bytes.starts_with(&[0xff, 0xd8]);
    said(ctx, &browser, &target, &bytes, if is_jpeg { "jpg" } else { "png" }, &wait)
}

/// What is to be seen, in pixels of the page: x, y, width, height.
fn clip(ctx: &Ctx, browser: &Browser, target: &str, session: &str, wait: &Wait) -> Result<[f64; 4]> {
    let four = |value: &Value| {
        ["x", "y", "width", "height"].map(|name| value.get(name).and_then(Value::as_f64).unwrap_or_default())
    };
    let (frame, expression) = match (ctx.text("ref"), ctx.text("element")) {
        (Some(name), _) => {
            let (frame, own) = page::of_ref(browser, target, session, name)?;
            let rect = "((e) => { e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); return {x: r.x, y: r.y, width: r.width, height: r.height} })";
            (frame, format!("{rect}(oc.el({}))", json!(own)))
        }
        (None, Some(css)) => (page::main(target, session), format!("oc.rect({})", json!(css))),
        (None, None) => {
            let sizes = browser.cdp.call(session, "Page.getLayoutMetrics", super::cdp::none(), wait)?;
            let seen = sizes.get("cssVisualViewport").cloned().unwrap_or_default();
            let number = |name: &str| seen.get(name).and_then(Value::as_f64).unwrap_or_default();
            return Ok(match ctx.is("fullPage") {
                true => four(&sizes.get("cssContentSize").cloned().unwrap_or_default()),
                false => [number("pageX"), number("pageY"), number("clientWidth"), number("clientHeight")],
            });
        }
    };
    let [x, y, width, height] = four(&page::value(browser, &frame, &expression, wait)?);
    if width < 1.0 || height < 1.0 {
        return Err(Error::invalid("the element has no size"));
    }
    let (dx, dy) = page::offset(browser, target, &frame, wait)?;
    let sizes = browser.cdp.call(session, "Page.getLayoutMetrics", super::cdp::none(), wait)?;
    let scrolled = |name: &str| {
        sizes.pointer(&format!("/cssVisualViewport/{name}")).and_then(Value::as_f64).unwrap_or_default()
    };
    Ok([x + dx + scrolled("pageX"), y + dy + scrolled("pageY"), width, height])
}

/// The picture, made smaller until it is small enough.
fn taken(browser: &Browser, session: &str, kind: &str, clip: &[f64; 4], wait: &Wait) -> Result<Vec<u8>> {
    let [x, y, width, height] = *clip;
    let (width, height) = (width.clamp(1.0, MAX_HEIGHT), height.clamp(1.0, MAX_HEIGHT));
    let mut scale = (MAX_SIDE / width.max(height)).min(1.0);
    let mut kind = kind;
    for _ in 0..6 {
        let params = json!({
            "format": kind, "captureBeyondViewport": true, "optimizeForSpeed": true,
            "clip": {"x": x, "y": y, "width": width, "height": height, "scale": scale},
        });
        let mut params = params;
        if kind == "jpeg" {
            params.as_object_mut().into_iter().for_each(|params| params.put("quality", 80));
        }
        let told = browser.cdp.call(session, "Page.captureScreenshot", params, wait)?;
        let bytes = from_base64(text(&told, "/data"))
            .ok_or_else(|| Error::unavailable("the browser's picture cannot be read"))?;
        if bytes.len() <= MAX_BYTES {
            return Ok(bytes);
        }
        (kind, scale) = if kind == "png" { ("jpeg", scale) } else { ("jpeg", scale * 0.7) };
    }
    Err(Error::unavailable("the picture stays too large"))
}

pub fn pdf(ctx: &Ctx) -> Result<Value> {
    let (browser, target, session) = ctx.page()?;
    let wait = ctx.within(30_000, 120_000);
    let told = browser.cdp.call(&session, "Page.printToPDF", json!({"printBackground": true}), &wait)?;
    let bytes = from_base64(text(&told, "/data"))
        .ok_or_else(|| Error::unavailable("the browser's document cannot be read"))?;
    said(ctx, &browser, &target, &bytes, "pdf", &wait)
}

/// Keeps it, and says where it is.
fn said(
    ctx: &Ctx,
    browser: &Browser,
    target: &str,
    bytes: &[u8],
    ending: &str,
    wait: &Wait,
) -> Result<Value> {
    let path = keep(super::media_dir(ctx.env).join(format!("{}.{ending}", ids::uuid()?)), bytes)?;
    let url = tabs::facts(browser, target, wait).url;
    let mut more = Map::new();
    more.put("path", path.to_string_lossy().into_owned());
    more.put("url", url);
    Ok(done(target, Value::Object(more)))
}

fn keep(path: PathBuf, bytes: &[u8]) -> Result<PathBuf> {
    path.parent().map_or(Ok(()), files::private_dir)?;
    let written =
        files::private_options().create_new(true).open(&path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|e| Error::io(format_args!("write {}", path.display()), e))?;
    Ok(path)
}

pub fn highlight(ctx: &Ctx) -> Result<Value> {
    let name = ctx.need("ref")?.to_string();
    let (browser, target, session) = ctx.page()?;
    let (frame, own) = page::of_ref(&browser, &target, &session, &name)?;
    page::value(&browser, &frame, &format!("oc.mark({})", json!(own)), &ctx.within(8000, 60_000))?;
    Ok(done(&target, super::cdp::none()))
}
