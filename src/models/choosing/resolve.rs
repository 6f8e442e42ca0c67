//! From the configuration and the environment to a `Provider`: what is said of the model; its server is read in `section`.
//!
//! Runs on any thread and reads no file: keys in files come later, by `key_file` and `profiles`.
use crate::config::Config;
use crate::env::Env;
use crate::error::Result;
use crate::models::catalogue::unaliased;
use crate::models::compat::Compat;
use crate::models::known;
use crate::models::provider::{Api, BUILTIN, Cost, Provider, Timeouts};
use crate::models::section::{Credential, Section, Server, unknown};
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;

/// Context window of a model the configuration says nothing about, in tokens.
pub const CONTEXT_WINDOW: u64 = 200_000;
const RETRIES: u32 = 2;
const MAX_RETRIES: u64 = 10;

impl Provider {
    /// Resolves an alias, `provider/model`, or a bare model name that exactly one configured provider lists.
    pub fn resolve(config: &Config, env: &Env, model_ref: &str) -> Result<Provider> {
        let model_ref = unaliased(config, model_ref);
        let providers = config.get_in(&["models", "providers"]).unwrap_or(&Value::Null);
        if let Some((id, _)) = model_ref.split_once('/').filter(|_| model_ref.trim() != BUILTIN) {
            config.check_provider(named(providers, id.trim()))?;
        }
        Provider::from_section(providers, env, model_ref)
    }

    /// The same over the value of `models.providers`.
    pub fn from_section(providers: &Value, env: &Env, model_ref: &str) -> Result<Provider> {
        let model_ref = model_ref.trim();
        if model_ref == BUILTIN {
            return Ok(Provider::builtin());
        }
        let (id, model) = split_ref(providers, model_ref)?;
        let section = Section::of(id, providers.get(id).unwrap_or(&Value::Null));
        let entry = model_entry(section.value, model);
        let Server { api, base_url, host } = section.server(entry, model_ref)?;
        let Credential { key, key_file, is_sent, is_bearer } = section.credential(env)?;
        let near = is_nearby(&host);
        let retries = section.value.get("retries").and_then(Value::as_u64);
        // A model that is listed takes text unless it says more; of one that is not listed nothing is known.
        let kinds = entry.get("input").and_then(Value::as_array);
        let images = kinds.map_or(entry.is_null(), |kinds| kinds.iter().any(|kind| kind == "image"));
        let flag = |value: &Value, name: &str| value.get(name).and_then(Value::as_bool);
        let compat = entry.get("compat").unwrap_or(&Value::Null);
        // What the configuration does not list at all is known by its name, as far as that goes.
        let reasoning = flag(entry, "reasoning").unwrap_or_else(|| entry.is_null() && reasons(api, model));
        let effort = flag(compat, "supportsReasoningEffort");
        Ok(Provider {
            id: id.to_string(),
            model: model.to_string(),
            compat: Compat::of(compat, id, &host, model),
            patient: near,
            base_url,
            api_key: key,
            profile: None,
            spare: Vec::new(),
            key_file,
            headers: section.headers(entry)?,
            auth_header: is_sent,
            bearer: is_bearer,
            timeouts: timeouts(section.value.get("timeouts"), near),
            retries: retries.map_or(RETRIES, |n| n.min(MAX_RETRIES) as u32),
            max_tokens: entry.get("maxTokens").and_then(whole).filter(|n| *n > 0),
            max_tokens_field: max_tokens_field(entry, &host),
            context_window: entry.get("contextWindow").and_then(whole).unwrap_or(CONTEXT_WINDOW),
            reasoning,
            effort: effort.unwrap_or(reasoning && host == "api.openai.com"),
            tools: flag(compat, "supportsTools").unwrap_or(true),
            images,
            cost: read_cost(entry.get("cost")),
            api,
        })
    }
}

/// The provider that is meant: the one of this name, or the only one whose name differs from it by its case alone or is
/// another name of the same usual provider.
pub fn named<'a>(providers: &'a Value, id: &'a str) -> &'a str {
    if providers.get(id).is_some() {
        return id;
    }
    let configured = || providers.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let usual = known::named(id);
    let only = |is: &dyn Fn(&str) -> bool| {
        let mut alike = configured().filter(|name| is(name));
        let first = alike.next()?;
        Some(if alike.next().is_none() { first } else { id })
    };
    only(&|name| name.eq_ignore_ascii_case(id))
        .or_else(|| only(&|name| known::named(name).eq_ignore_ascii_case(usual)))
        .unwrap_or(usual)
}

fn split_ref<'a>(providers: &'a Value, model_ref: &'a str) -> Result<(&'a str, &'a str)> {
    match model_ref.split_once('/') {
        Some((id, model)) if !id.trim().is_empty() && !model.trim().is_empty() => {
            return Ok((named(providers, id.trim()), model.trim()));
        }
        Some(_) => {}
        None => {
            let lists = |section: &&Value| !model_entry(section, model_ref).is_null();
            let mut owners =
                providers.as_object().into_iter().flatten().filter(|(_, section)| lists(section));
            if let (Some((id, _)), None) = (owners.next(), owners.next()) {
                return Ok((id, model_ref));
            }
        }
    }
    Err(unknown(format!(
        "model {model_ref:?} names no provider; write it as provider/model, as openclaw models list prints it"
    )))
}

fn model_entry<'a>(section: &'a Value, model: &str) -> &'a Value {
    let models = section.get("models").and_then(Value::as_array);
    models
        .into_iter()
        .flatten()
        .find(|m| m.get("id").and_then(Value::as_str) == Some(model))
        .unwrap_or(&Value::Null)
}

fn whole(value: &Value) -> Option<u64> {
    // Numbers with a fraction are allowed by the schema; the fraction means nothing here.
    value.as_u64().or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
}

fn read_cost(cost: Option<&Value>) -> Cost {
    let price = |name: &str| {
        let price = cost.and_then(|c| c.get(name)).and_then(Value::as_f64);
        price.filter(|price| price.is_finite() && *price > 0.0).unwrap_or(0.0)
    };
    Cost {
        input: price("input"),
        output: price("output"),
        cache_read: price("cacheRead"),
        cache_write: price("cacheWrite"),
    }
}

/// Whether a model is known to reason before it answers.
fn reasons(api: Api, model: &str) -> bool {
    match api {
        Api::AnthropicMessages => {
            model.contains("claude") && (!model.contains("claude-3") || model.contains("claude-3-7"))
        }
        Api::OpenAiResponses | Api::OpenAiCompletions => {
            ["gpt-5", "o1", "o3", "o4"].iter().any(|start| model.starts_with(start))
        }
        Api::Builtin => false,
    }
}

/// Servers on this machine or network may load a model first, so they get ten minutes (R-23b).
pub fn timeouts(section: Option<&Value>, nearby: bool) -> Timeouts {
    let read = |name: &str, default: u64| {
        let ms = section.and_then(|s| s.get(name)).and_then(Value::as_u64).filter(|ms| *ms > 0);
        // A day bounds the arithmetic on instants.
        Duration::from_millis(ms.unwrap_or(default).min(24 * 60 * 60 * 1000))
    };
    Timeouts {
        connect: read("connectMs", 10_000),
        first_token: read("firstTokenMs", if nearby { 600_000 } else { 60_000 }),
        idle: read("idleMs", if nearby { 120_000 } else { 60_000 }),
    }
}

/// Whether a host is this machine or in a private network. Decides patience only, never trust.
pub fn is_nearby(host: &str) -> bool {
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        // 100.64/10 is what tailnets use.
        Ok(IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => {
            let suffixes = [".localhost", ".local", ".lan", ".internal", ".home.arpa", ".ts.net"];
            !host.contains('.') || suffixes.iter().any(|suffix| host.ends_with(suffix))
        }
    }
}

fn max_tokens_field(entry: &Value, host: &str) -> &'static str {
    match entry.get("compat").and_then(|c| c.get("maxTokensField")).and_then(Value::as_str) {
        Some("max_completion_tokens") => "max_completion_tokens",
        None if host == "api.openai.com" => "max_completion_tokens",
        _ => "max_tokens",
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
