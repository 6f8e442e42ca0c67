//! Dialogs and file choosers of pages: answered as was arranged, else at once, for a page that waits for an answer does
//! nothing else. What they said is kept.
use super::ask::{Ctx, done};
use super::cdp::none;
use super::events::text;
use super::page;
use super::world::{Armed, Browser};
use crate::agents::Agents;
use crate::clock;
use crate::error::{Error, Result};
use crate::json::json;
use crate::parts::shortened;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Dialogs without a new document between them, after which a page is closed.
const TOO_MANY: usize = 50;
/// How long what was arranged holds, milliseconds.
const USUAL: u64 = 120_000;
const MAX_TEXT: usize = 2000;

/// On the browser's thread.
pub fn opened(browser: &Browser, session: &str, params: &Value) {
    let kind = text(params, "/type");
    let answer = {
        let mut world = browser.world();
        let Some(page) = world.page_of(session) else { return };
        page.dialogs_in_a_row += 1;
        if page.dialogs_in_a_row > TOO_MANY {
            let target = page.target.clone();
            drop(world);
            log::warn!(target: "browser", "a page that does not stop asking was closed");
            return browser.cdp.tell("", "Target.closeTarget", json!({"targetId": target}));
        }
        let armed = page.armed.take().filter(|armed| Instant::now() < armed.until);
        // Nobody is kept from leaving a page.
        let accept = armed.as_ref().map_or(kind == "beforeunload", |armed| armed.accept);
        let said =
            armed.and_then(|armed| armed.text).unwrap_or_else(|| text(params, "/defaultPrompt").to_string());
        page.say(json!({
            "type": kind, "message": (shortened(text(params, "/message"), MAX_TEXT)), "accepted": accept,
            "timestamp": (clock::iso(clock::now_ms())),
        }));
        json!({"accept": accept, "promptText": said})
    };
    browser.cdp.tell(session, "Page.handleJavaScriptDialog", answer);
}

/// The same for a file chooser, which was kept from opening.
pub fn chooser(browser: &Browser, session: &str, params: &Value) {
    let files = {
        let mut world = browser.world();
        let Some(page) = world.page_of(session) else { return };
        page.chooser.take().filter(|(_, until)| Instant::now() < *until).map(|(files, _)| files)
    };
    if let (Some(files), Some(node)) = (files, params.get("backendNodeId")) {
        browser.cdp.tell(session, "DOM.setFileInputFiles", json!({"files": files, "backendNodeId": node}));
    }
    browser.cdp.tell(session, "Page.setInterceptFileChooserDialog", json!({"enabled": false}));
}

pub fn arm(ctx: &Ctx) -> Result<Value> {
    let accept = ctx.flag("accept").ok_or_else(|| Error::invalid("accept is required"))?;
    let (browser, target, _) = ctx.page()?;
    let until = Instant::now() + time(ctx);
    let text = ctx.get("promptText").and_then(Value::as_str).map(str::to_string);
    let mut world = browser.world();
    world.page(&target).ok_or_else(super::tabs::missing)?.armed = Some(Armed { accept, text, until });
    Ok(json!({"ok": true}))
}

fn time(ctx: &Ctx) -> Duration {
    Duration::from_millis(ctx.number("timeoutMs").map_or(USUAL, |ms| ms.clamp(500.0, 600_000.0) as u64))
}

pub fn list(ctx: &Ctx) -> Result<Value> {
    ctx.of_page(|page| {
        let recent: Vec<Value> = page.dialogs.iter().cloned().collect();
        json!({"browserState": {"dialogs": {"pending": [], "recent": recent}}})
    })
}

pub fn files(ctx: &Ctx) -> Result<Value> {
    let paths = ctx.texts("paths");
    if paths.is_empty() {
        return Err(Error::invalid("paths are required"));
    }
    let is_direct = ctx.text("inputRef").or(ctx.text("element")).is_some();
    if is_direct && ctx.text("ref").is_some() {
        return Err(Error::invalid("ref cannot be combined with inputRef/element"));
    }
    let files = paths.iter().map(|path| may_upload(ctx, path)).collect::<Result<Vec<String>>>()?;
    let (browser, target, session) = ctx.page()?;
    let wait = ctx.within(8000, 60_000);
    if is_direct {
        let found = match (ctx.text("inputRef"), ctx.text("element")) {
            (Some(name), _) => page::element(&browser, &target, &session, name, &wait)?,
            (None, css) => page::chosen(&browser, &session, css.unwrap_or_default(), &wait)?,
        };
        let params = json!({"files": files, "objectId": found.object});
        super::ask::order(&browser.cdp, &found.session, "DOM.setFileInputFiles", params, &wait)?;
        return Ok(done(&target, none()));
    }
    browser.cdp.call(&session, "Page.setInterceptFileChooserDialog", json!({"enabled": true}), &wait)?;
    {
        let mut world = browser.world();
        let page = world.page(&target).ok_or_else(super::tabs::missing)?;
        page.chooser = Some((files, Instant::now() + time(ctx)));
    }
    if let Some(name) = ctx.text("ref") {
        super::act::mouse::click(&browser, &target, &session, name, &wait)?;
        browser.wait_for("file chooser", &wait, |world| match world.page(&target) {
            Some(page) => page.chooser.is_none().then_some(()),
            None => Some(()),
        })?;
    }
    Ok(done(&target, none()))
}

/// Only what is an agent's or came by the gateway goes out to pages: files of the workspaces and of the media.
fn may_upload(ctx: &Ctx, path: &str) -> Result<String> {
    let given = ctx.env.expand(path);
    let roots: Vec<PathBuf> = Agents::of(ctx.config, ctx.env)
        .workspaces()
        .into_iter()
        .chain([ctx.env.state_dir.join("media")])
        .filter_map(|root| root.canonicalize().ok())
        .collect();
    let real = match given.is_absolute() {
        true => given.canonicalize(),
        false => roots.first().map_or(Ok(given.clone()), |root| root.join(&given).canonicalize()),
    };
    let real = real.map_err(|e| Error::invalid(format!("upload {path}: {e}")))?;
    if !real.is_file() {
        return Err(Error::invalid(format!("upload {path}: it is no file")));
    }
    match roots.iter().any(|root| real.starts_with(root)) {
        true => Ok(real.to_string_lossy().into_owned()),
        false => Err(Error::invalid(format!(
            "upload {path}: only files of a workspace or below {} are given to pages",
            ctx.env.display(&ctx.env.state_dir.join("media"))
        ))),
    }
}
