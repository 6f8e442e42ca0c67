//! What is told of browsers and profiles, and their start and end.
use super::ask::Ctx;
use super::{finding, launch, life, profiles};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;

pub fn status(ctx: &Ctx) -> Result<Value> {
    let profile = &ctx.profile;
    let browser = life::of(&profile.name).running();
    let found = finding::find(ctx.config, ctx.env);
    // That none is there is no mistake of anybody's, a program that is named and cannot be started is.
    let named = ctx.config.str("browser.executablePath").filter(|path| !path.is_empty());
    let error = found.as_ref().err().map(|e| e.message().to_string());
    let is_own = profile.remote.is_none() && !ctx.config.bool("browser.attachOnly");
    Ok(json!({
        "enabled": true, "profile": profile.name, "running": (browser.is_some()), "cdpReady": (browser.is_some()),
        "cdpHttp": (browser.is_some()), "pid": (browser.as_ref().and_then(|browser| browser.pid)), "cdpPort": profile.port,
        "cdpUrl": (profile.cdp_url()),
        "chosenBrowser": (browser.as_ref().and_then(|_| found.as_ref().ok().map(|found| found.kind))),
        "detectedBrowser": (found.as_ref().ok().map(|found| found.kind)),
        "detectedExecutablePath": (found.as_ref().ok().map(|found| found.path.to_string_lossy().into_owned())),
        "detectError": error,
        "userDataDir": (is_own.then(|| profile.user_data().to_string_lossy().into_owned())), "color": profile.color,
        "headless": (launch::is_headless(ctx.config, ctx.env)), "noSandbox": (ctx.config.bool("browser.noSandbox")),
        "executablePath": named, "attachOnly": (ctx.config.bool("browser.attachOnly")),
    }))
}

pub fn profiles(ctx: &Ctx) -> Result<Value> {
    let usual = profiles::usual(ctx.config);
    let all = profiles::all(ctx.config, ctx.env);
    let shown = all.iter().map(|profile| {
        let browser = life::of(&profile.name).running();
        let tabs = browser.as_ref().map_or(0, |browser| browser.world().pages.len());
        json!({
            "name": profile.name, "cdpPort": profile.port, "cdpUrl": (profile.cdp_url()), "color": profile.color,
            "running": (browser.is_some()), "tabCount": tabs, "isDefault": (profile.name == usual),
            "isRemote": (profile.remote.is_some()), "driver": "openclaw", "transport": "cdp",
        })
    });
    Ok(json!({"profiles": (shown.collect::<Vec<_>>())}))
}

pub fn start(ctx: &Ctx) -> Result<Value> {
    ctx.ensure()?;
    Ok(json!({"ok": true, "profile": ctx.profile.name}))
}

pub fn stop(ctx: &Ctx) -> Result<Value> {
    Ok(json!({"ok": true, "stopped": (ctx.life().stop_kindly()), "profile": ctx.profile.name}))
}

/// Puts the profile's directory aside, so that the next start finds none.
pub fn reset(ctx: &Ctx) -> Result<Value> {
    let profile = &ctx.profile;
    if profile.remote.is_some() {
        return Err(Error::invalid(format!(
            "profile {:?} is a browser that runs elsewhere: nothing of it lies here",
            profile.name
        )));
    }
    ctx.life().stop_kindly();
    let from = profile.user_data();
    let to = ctx.env.state_dir.join("trash").join(format!("browser-{}-{}", profile.name, clock::now_ms()));
    let is_there = from.exists();
    if is_there {
        crate::files::private_dir(&ctx.env.state_dir.join("trash"))?;
        std::fs::rename(&from, &to).map_err(|e| Error::io(format_args!("move {}", from.display()), e))?;
    }
    Ok(
        json!({"ok": true, "profile": profile.name, "moved": is_there, "from": (from.to_string_lossy()), "to": (to.to_string_lossy())}),
    )
}
