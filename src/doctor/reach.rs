//! Checks of the running gateway, over what the command line was told when it asked. Pure.
use super::{Ctx, Finding, one};
use crate::error::Error;
use serde_json::Value;

/// What asking the gateway gave.
pub struct Reached {
    pub url: String,
    /// The gateway's version, if it told.
    pub outcome: std::result::Result<Option<String>, Error>,
    /// What it says of its channels.
    pub channels: Value,
}

/// A gateway that is not there is no failure where none is meant to run.
pub fn failed(ctx: &Ctx) -> Vec<Finding> {
    let Some(Reached { url, outcome: Err(error), .. }) = &ctx.reached else { return Vec::new() };
    let summary = error.message().lines().next().unwrap_or_default();
    let fix = error.message().lines().find_map(|line| line.strip_prefix("Fix: "));
    let finding = Finding::new(format!("{url}: {summary}"));
    one(Some(match fix {
        Some(fix) => finding.remedy(fix),
        None => finding,
    }))
}

pub fn skew(ctx: &Ctx) -> Vec<Finding> {
    let Some(Reached { outcome: Ok(Some(version)), .. }) = &ctx.reached else { return Vec::new() };
    let own = crate::version::VERSION;
    one((version != own).then(|| {
        let version = crate::logging::quoted(version);
        Finding::new(format!("the gateway is version {version}, this command {own}"))
            .remedy(ctx.env.command("gateway restart"))
    }))
}
