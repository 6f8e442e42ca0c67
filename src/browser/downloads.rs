//! Downloads: they land below the media directory under a name of their own, bounded, and are told of when they are whole.
use super::ask::{Ctx, done};
use super::events::text;
use super::world::{Browser, Download};
use crate::error::{Error, Result};
use crate::json::json;
use crate::parts::{Parts, within};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Largest file that is taken, bytes.
const MOST: f64 = 512e6;
/// Bytes of a name, and of the ending that is kept of a longer one.
const MAX_NAME: usize = 120;
const MAX_ENDING: usize = 16;

/// On the browser's thread.
pub fn begun(browser: &Browser, params: &Value) {
    let download = Download {
        id: text(params, "/guid").to_string(),
        url: text(params, "/url").to_string(),
        name: name(text(params, "/suggestedFilename")),
        end: None,
        is_taken: false,
    };
    browser.world().add_download(download);
}

pub fn went_on(browser: &Browser, params: &Value) {
    let id = text(params, "/guid");
    let size = |path: &str| params.pointer(path).and_then(Value::as_f64).unwrap_or_default();
    if size("/receivedBytes").max(size("/totalBytes")) > MOST && text(params, "/state") == "inProgress" {
        return browser.cdp.tell("", "Browser.cancelDownload", json!({"guid": id}));
    }
    let Some(dir) = &browser.downloads else { return };
    let mut world = browser.world();
    let Some(download) = world.downloads.iter_mut().find(|download| download.id == id) else { return };
    match text(params, "/state") {
        "completed" if is_id(id) => {
            let place = dir.join(format!("{}-{}", id.head(8.min(id.len())), download.name));
            let moved = std::fs::rename(dir.join(id), &place);
            download.end = Some(moved.map(|()| place).map_err(|e| e.to_string()));
        }
        "canceled" => {
            download.end = Some(Err(format!("it was cancelled, or is larger than {} MB", MOST / 1e6)))
        }
        _ => {}
    }
}

/// It is a file's name.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}

/// What a server calls its file, as one of ours may be called. A long name is cut before its ending, by which it is known
/// what it is.
fn name(suggested: &str) -> String {
    let last = suggested.rsplit(['/', '\\']).next().unwrap_or_default();
    let fits = |c: char| c.is_alphanumeric() || "._- ()".contains(c);
    let name: String = last.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    let name = name.trim_start_matches('.').trim();
    let ending = name.rfind('.').map(|at| name.tail(at)).filter(|ending| ending.len() <= MAX_ENDING);
    match ending {
        _ if name.is_empty() => "download".to_string(),
        _ if name.len() <= MAX_NAME => name.to_string(),
        Some(ending) => within(name, MAX_NAME - ending.len()).to_string() + ending,
        None => within(name, MAX_NAME).to_string(),
    }
}

/// Clicks what downloads, and waits for the file, which keeps a name of its own where none is given.
pub fn download(ctx: &Ctx) -> Result<Value> {
    let element = ctx.need("ref")?.to_string();
    let (browser, target, session) = ctx.page()?;
    // One that came before is not meant.
    browser.world().downloads.iter_mut().for_each(|download| download.is_taken = true);
    super::act::mouse::click(&browser, &target, &session, &element, &ctx.within(8000, 60_000))?;
    taken(ctx, &browser, &target)
}

pub fn wait(ctx: &Ctx) -> Result<Value> {
    let (browser, target, _) = ctx.page()?;
    taken(ctx, &browser, &target)
}

fn taken(ctx: &Ctx, browser: &Browser, target: &str) -> Result<Value> {
    let Some(dir) = browser.downloads.clone() else {
        return Err(Error::unavailable("downloads of a browser that runs elsewhere stay there"));
    };
    let wanted = ctx.text("path").map(|path| below(ctx, &dir, path)).transpose()?;
    let found = browser.wait_for("download", &ctx.within(120_000, 600_000), |world| {
        let download = world.downloads.iter_mut().find(|it| !it.is_taken && it.end.is_some())?;
        download.is_taken = true;
        Some(download.clone())
    })?;
    let mut path = match found.end {
        Some(Ok(path)) => path,
        Some(Err(why)) => return Err(Error::unavailable(format!("download of {}: {why}", found.name))),
        None => return Err(Error::unavailable("the download has not ended")),
    };
    if let Some(wanted) = wanted {
        std::fs::rename(&path, &wanted)
            .map_err(|e| Error::io(format_args!("move the download to {}", wanted.display()), e))?;
        path = wanted;
    }
    let told = json!({"url": found.url, "suggestedFilename": found.name, "path": (path.to_string_lossy())});
    Ok(done(target, json!({"download": told})))
}

/// A name that is asked for: one below the media directory, in no other folder.
fn below(ctx: &Ctx, dir: &Path, path: &str) -> Result<PathBuf> {
    let given = ctx.env.expand(path);
    let is_there = !given.is_absolute() && given.components().count() == 1 || given.parent() == Some(dir);
    match given.file_name().filter(|_| is_there && !path.ends_with("..")) {
        Some(file) => Ok(dir.join(name(&file.to_string_lossy()))),
        None => Err(Error::invalid(format!("downloads lie in {}: give a file's name", ctx.env.display(dir)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_4_a_download_keeps_the_ending_of_its_name_however_long_that_is() {
        let long = "x".repeat(300);
        let wide = "漢".repeat(100);
        for (given, want) in [
            ("report.pdf".to_string(), "report.pdf".to_string()),
            ("../../a b.bin".to_string(), "a b.bin".to_string()),
            ("..\\..\\.hidden".to_string(), "hidden".to_string()),
            ("a;b\u{202e}.txt".to_string(), "a_b_.txt".to_string()),
            ("...".to_string(), "download".to_string()),
            (format!("{long}.tar.gz"), format!("{}.gz", "x".repeat(117))),
            (format!("{wide}.pdf"), format!("{}.pdf", "漢".repeat(38))),
            (format!("a.{long}"), format!("a.{}", "x".repeat(118))),
        ] {
            assert_eq!(name(&given), want, "{given}");
        }
    }
}
