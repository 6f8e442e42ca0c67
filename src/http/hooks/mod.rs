//! Webhooks: `POST <hooks.path>/wake`, `/agent`, and what `hooks.mappings` and `hooks.presets` name. Runs on the
//! connection's own thread; the configuration is read for each request, so a change holds from the next one on.
//!
//! A request is made a deed here: its text in an envelope, for whoever wrote it is a stranger, its session and agent by
//! the owner's rules and not by its own words (SEC-22). `methods::hooks` does it. Who asks was judged before, by
//! `http/access.rs`; a path or method that is not taken is refused before a token is looked at (SEC-21).
mod deed;
mod mapping;
mod template;
#[cfg(test)]
mod tests;

pub use mapping::{check, check_token};

use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::http::openai::body;
use crate::http::{Exchange, Refusal};
use crate::json::json;
use crate::methods::hooks;
use deed::{Deed, Request};
use serde_json::Value;

/// `/hooks`, as it is configured; never the whole port.
fn base(config: &Config) -> Option<String> {
    let base = config.str("hooks.path").unwrap_or("/hooks").trim().trim_matches('/');
    (!base.is_empty()).then(|| format!("/{base}"))
}

/// Whether a path is a webhook's.
pub fn is_below(config: &Config, path: &str) -> bool {
    config.bool("hooks.enabled") && is_named(config, path)
}

/// Whether it would be one if webhooks were on.
pub fn is_off(config: &Config, path: &str) -> bool {
    !config.bool("hooks.enabled") && is_named(config, path)
}

fn is_named(config: &Config, path: &str) -> bool {
    let rest = base(config).and_then(|base| Some(path.strip_prefix(&base)?.to_string()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Why there are none.
pub fn off(config: &Config) -> Refusal {
    let mut wrong = config.issues().iter().filter(|issue| {
        // One mapping that is wrong shuts nothing but itself.
        issue.concerns("hooks") && mapping::of_issue(&issue.path).is_none()
    });
    // What else is wrong may be quoted with a value, which no stranger is to read.
    let why = wrong.next().map(|issue| match issue.is_unset() {
        true => issue.told(),
        false => "the section hooks has a mistake; openclaw doctor shows it".to_string(),
    });
    let plain = || match config.bool("hooks.enabled") {
        true => "hooks.token is not set, or the variable that it names",
        false => "set hooks.enabled and hooks.token",
    };
    let why = why.unwrap_or_else(|| plain().to_string());
    Refusal::new(404, format!("webhooks are off: {why}{}", mapping::left_out(config)))
}

/// The largest body that is taken, bytes.
pub fn max_body(config: &Config) -> usize {
    config.u64("hooks.maxBodyBytes").map_or(256 << 10, |bytes| bytes as usize)
}

pub fn serve(mut exchange: Exchange) -> Result<()> {
    let told = body(&mut exchange).and_then(|payload| Ok(answer(&exchange, payload)?));
    match told {
        Ok((status, body)) => exchange.out.json(status, body),
        Err(refusal) => exchange.out.refuse(refusal),
    }
}

/// Done, and on disk where that matters.
fn answer(exchange: &Exchange, payload: Value) -> Result<(u16, Value)> {
    let payload = if payload.is_object() { payload } else { json!({}) };
    let config = exchange.shared.config();
    let base = base(&config).unwrap_or_default();
    let path = exchange.path.strip_prefix(&base).unwrap_or_default().trim_matches('/');
    let request = Request { config: &config, path, head: exchange.head, payload: &payload };
    match request.deed()? {
        None => {
            let told = "no such webhook: wake, agent, or what hooks.mappings names";
            Err(Error::new(Kind::NotFound, format!("{told}{}", mapping::left_out(&config))))
        }
        Some(Deed::Wake { params, mode }) => {
            exchange.ask("hooks", hooks::wake, params)?;
            Ok((200, json!({"ok": true, "mode": mode})))
        }
        Some(Deed::Agent { params }) => {
            let answer = exchange.ask("hooks", hooks::agent, params)?;
            Ok((202, json!({"ok": true, "runId": answer.get("runId")})))
        }
    }
}
