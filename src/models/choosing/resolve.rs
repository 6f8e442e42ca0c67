//! From the configuration and the environment to a `Provider`.
//!
//! Runs on any thread and reads no file: keys in files come later, by `key_file` and `profiles`. Refuses what cannot work with the key to fix, and never shows a
//! secret.
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::models::catalogue::unaliased;
use crate::models::compat::Compat;
use crate::models::key_file::{can_be_sent, refused};
use crate::models::known;
use crate::models::provider::{Api, BUILTIN, Cost, Provider, Secret, Timeouts, key_variable};
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Uri};

/// Context window of a model the configuration says nothing about, in tokens.
pub const CONTEXT_WINDOW: u64 = 200_000;
const RETRIES: u32 = 2;
const MAX_RETRIES: u64 = 10;

impl Provider {
    /// Resolves an alias, `provider/model`, or a bare model name that exactly one configured provider lists.
    pub fn resolve(config: &Config, env: &Env, model_ref: &str) -> Result<Provider> {
        let model_ref = unaliased(config, model_ref);
        if let Some((id, _)) = model_ref.split_once('/').filter(|_| model_ref.trim() != BUILTIN) {
            config.check_provider(id.trim())?;
        }
        Provider::from_section(
            config.get_in(&["models", "providers"]).unwrap_or(&Value::Null),
            env,
            model_ref,
        )
    }

    /// The same over the value of `models.providers`.
    pub fn from_section(providers: &Value, env: &Env, model_ref: &str) -> Result<Provider> {
        let model_ref = model_ref.trim();
        if model_ref == BUILTIN {
            return Ok(Provider::builtin());
        }
        let (id, model) = split_ref(providers, model_ref)?;
        let key = format!("models.providers.{id}");
        let section = providers.get(id).unwrap_or(&Value::Null);
        let entry = model_entry(section, model);
        let text =
            |name: &str| section.get(name).and_then(Value::as_str).map(str::trim).filter(|v| !v.is_empty());

        let api_name = entry.get("api").and_then(Value::as_str).or(text("api"));
        let api = parse_api(api_name, id, &key)?;
        let base_url = text("baseUrl").or(known::base_url(id)).ok_or_else(|| {
            unknown(format!("model {model_ref:?} needs {key}.baseUrl, the address of its server; set it, or let openclaw models scan find one"))
        })?;
        let host = check_url(base_url, &key)?;
        let base_url = known::address(base_url, id, api_name);
        let key_file = text("apiKeyFile").map(|path| env.expand(path));
        let variable = || env.var(&key_variable(id)).map(str::trim).filter(|_| key_file.is_none());
        let written = text("apiKey").filter(|name| !known::is_key_variable(name, id));
        let api_key = written.or_else(variable).map(Secret::new);
        let auth_header = section.get("authHeader").and_then(Value::as_bool);
        if auth_header != Some(false) && api_key.as_ref().is_some_and(|k| !can_be_sent(k)) {
            return Err(refused(format!(
                "the API key of {key} holds characters that cannot be sent; fix {key}.apiKey"
            )));
        }
        let mut headers = read_headers(section.get("headers"), &key)?;
        headers.extend(read_headers(entry.get("headers"), &key)?);
        let retries =
            section.get("retries").and_then(Value::as_u64).map_or(RETRIES, |n| n.min(MAX_RETRIES) as u32);
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
            patient: is_nearby(&host),
            base_url,
            api_key,
            profile: None,
            spare: Vec::new(),
            key_file,
            headers,
            auth_header: auth_header.unwrap_or(true),
            bearer: auth_header == Some(true) || matches!(text("auth"), Some("oauth" | "token")),
            timeouts: timeouts(section.get("timeouts"), is_nearby(&host)),
            retries,
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

fn split_ref<'a>(providers: &'a Value, model_ref: &'a str) -> Result<(&'a str, &'a str)> {
    match model_ref.split_once('/') {
        Some((id, model)) if !id.trim().is_empty() && !model.trim().is_empty() => {
            return Ok((id.trim(), model.trim()));
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

fn parse_api(name: Option<&str>, id: &str, key: &str) -> Result<Api> {
    let Some(name) = name else { return Ok(known::api(id)) };
    if name == "ollama" {
        // Its server speaks this format too.
        return Ok(Api::OpenAiCompletions);
    }
    Api::parse(name).ok_or_else(|| {
        let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        unknown(format!(
            "{key} speaks {name:?}, which this gateway does not know; set {key}.api to one of {} and {key}.baseUrl to a server that speaks it",
            Api::names().join(", ")
        ))
    })
}

/// A configuration error for which another model may be tried.
fn unknown(message: String) -> Error {
    Error::config(message).with("failoverReason", "model_not_found")
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

/// Checks a base URL and returns its host.
fn check_url(url: &str, key: &str) -> Result<String> {
    let wrong =
        |why: &str| Error::config(format!("{key}.baseUrl {why}; write it like http://127.0.0.1:11434/v1"));
    let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("must start with http:// or https://"));
    }
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err(wrong("must not hold a user name or password: put credentials into apiKey or headers"));
    }
    match uri.host().filter(|host| !host.is_empty()) {
        Some(host) => Ok(host.trim_matches(['[', ']']).to_ascii_lowercase()),
        None => Err(wrong("names no host")),
    }
}

fn read_headers(headers: Option<&Value>, key: &str) -> Result<Vec<(String, String)>> {
    let pairs = headers.and_then(Value::as_object).into_iter().flatten();
    let read = |(name, value): (&String, &Value)| {
        let value = value.as_str().filter(|v| HeaderValue::from_str(v).is_ok());
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Ok(_), Some(value)) => Ok((name.clone(), value.to_string())),
            _ => Err(Error::config(format!(
                "{key}.headers has an entry {name:?} that is no HTTP header; fix or remove it"
            ))),
        }
    };
    pairs.map(read).collect()
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
