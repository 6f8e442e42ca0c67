//! A model provider as the configuration names it: where it is, what it is sent, how long it may take.
//!
//! Resolved by the state thread or the CLI, used by a run's thread. Also the shapes every model client
//! shares. A new wire format is one row in `Api` and one file with a `stream` function. Secrets stay in
//! `Secret`, which no `Debug` or `Display` shows.
use super::cancel::Cancel;
pub use super::dial::Timeouts;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Uri};

/// The reference of the embedded default model.
pub const BUILTIN: &str = "openclaw/builtin";

/// Context window of a model the configuration says nothing about, in tokens.
const CONTEXT_WINDOW: u64 = 200_000;
const RETRIES: u32 = 2;
const MAX_RETRIES: u64 = 10;

/// Providers that need no `baseUrl`, and those whose key variable is not `<ID>_API_KEY`.
const KNOWN: &[(&str, &str, &str)] = &[
    ("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    ("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    ("google", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    ("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN"),
    ("lmstudio", "http://127.0.0.1:1234/v1", "LMSTUDIO_API_KEY"),
    ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    ("ollama", "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY"),
    ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    ("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    ("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    ("vercel-ai-gateway", "https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY"),
    ("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
];

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// The embedded default, which needs nothing.
    Builtin,
    OpenAiCompletions,
}

impl Api {
    /// The configuration's and the transcript's name.
    pub fn name(self) -> &'static str {
        match self {
            Api::Builtin => "openclaw-builtin",
            Api::OpenAiCompletions => "openai-completions",
        }
    }
}

/// A credential. Only `reveal` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The credential itself, for the header it is sent in and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Everything one model call needs to know.
#[derive(Clone)]
pub struct Provider {
    pub id: String,
    /// The model as the server knows it; may contain slashes.
    pub model: String,
    pub base_url: String,
    pub api_key: Option<Secret>,
    /// Sent besides the key; may hold secrets, so never shown.
    pub headers: Vec<(String, String)>,
    /// Whether the key goes into `Authorization: Bearer`; off for servers that take it in `headers`.
    pub auth_header: bool,
    pub timeouts: Timeouts,
    pub retries: u32,
    pub max_tokens: Option<u64>,
    /// The request's name for `max_tokens`.
    pub max_tokens_field: &'static str,
    pub context_window: u64,
    pub reasoning: bool,
    /// Whether pictures may be sent.
    pub images: bool,
    pub api: Api,
}

/// What a model is asked. Messages have the shape of transcript messages.
#[derive(Debug, Clone, Copy)]
pub struct ChatRequest<'a> {
    pub system: &'a str,
    pub messages: &'a [Value],
    /// What the model may call; empty for none.
    pub tools: &'a [ToolSpec],
    pub thinking: Thinking,
}

/// A tool as a model is told of it.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    pub name: &'static str,
    pub description: &'static str,
    /// JSON Schema of the arguments.
    pub parameters: Value,
}

/// How much a model is to reason before it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thinking {
    #[default]
    Off,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
}

impl Thinking {
    /// The level of a name as config, requests and commands write it.
    pub fn parse(name: &str) -> Option<Thinking> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "off" => Thinking::Off,
            "minimal" => Thinking::Minimal,
            "low" => Thinking::Low,
            "medium" => Thinking::Medium,
            "high" => Thinking::High,
            "xhigh" => Thinking::XHigh,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Thinking::Off => "off",
            Thinking::Minimal => "minimal",
            Thinking::Low => "low",
            Thinking::Medium => "medium",
            Thinking::High => "high",
            Thinking::XHigh => "xhigh",
        }
    }
}

/// A piece of the answer, handed on as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    Text(String),
    Reasoning(String),
}

/// Tokens counted by the server; zeros when it does not say. `total = input + output + cache_read`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub total: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// An object; a string holding the model's own words when they are not one.
    pub arguments: Value,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Blocks in the transcript's shape, in the order they came: `thinking`, `text`, `toolCall`.
    pub content: Vec<Value>,
    /// All text blocks joined.
    pub text: String,
    /// `stop`, `length` or `toolUse`.
    pub stop_reason: &'static str,
    pub usage: Usage,
    pub tool_calls: Vec<ToolCall>,
}

impl Provider {
    /// Resolves `provider/model`, or a bare model name that exactly one configured provider lists.
    pub fn resolve(config: &Config, env: &Env, model_ref: &str) -> Result<Provider> {
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

        let api = parse_api(entry.get("api").and_then(Value::as_str).or(text("api")), id, &key)?;
        let known = KNOWN.iter().find(|row| row.0 == id).map(|row| row.1);
        let base_url = text("baseUrl").or(known).ok_or_else(|| {
            Error::config(format!("model {model_ref:?} needs {key}.baseUrl, the address of its server; set it, or let openclaw models scan find one"))
        })?;
        let host = check_url(base_url, &key)?;
        let api_key = text("apiKey").or_else(|| env.var(&key_variable(id)).map(str::trim)).map(Secret::new);
        let auth_header = section.get("authHeader").and_then(Value::as_bool).unwrap_or(true);
        if auth_header && api_key.as_ref().is_some_and(|k| HeaderValue::from_str(k.reveal()).is_err()) {
            return Err(Error::config(format!(
                "the API key of {key} holds characters that cannot be sent; fix {key}.apiKey"
            )));
        }
        let mut headers = read_headers(section.get("headers"), &key)?;
        headers.extend(read_headers(entry.get("headers"), &key)?);
        let retries =
            section.get("retries").and_then(Value::as_u64).map_or(RETRIES, |n| n.min(MAX_RETRIES) as u32);
        let images = entry
            .get("input")
            .and_then(Value::as_array)
            .is_none_or(|kinds| kinds.iter().any(|k| k == "image"));
        Ok(Provider {
            id: id.to_string(),
            model: model.to_string(),
            base_url: base_url.to_string(),
            api_key,
            headers,
            auth_header,
            timeouts: read_timeouts(section.get("timeouts"), is_nearby(&host)),
            retries,
            max_tokens: entry.get("maxTokens").and_then(Value::as_u64).filter(|n| *n > 0),
            max_tokens_field: max_tokens_field(entry, &host),
            context_window: entry.get("contextWindow").and_then(Value::as_u64).unwrap_or(CONTEXT_WINDOW),
            reasoning: entry.get("reasoning").and_then(Value::as_bool).unwrap_or(false),
            images,
            api,
        })
    }

    /// The embedded default.
    pub fn builtin() -> Provider {
        let (id, model) = BUILTIN.split_once('/').unwrap_or((BUILTIN, ""));
        Provider {
            id: id.to_string(),
            model: model.to_string(),
            base_url: String::new(),
            api_key: None,
            headers: Vec::new(),
            auth_header: false,
            timeouts: read_timeouts(None, true),
            retries: 0,
            max_tokens: None,
            max_tokens_field: "max_tokens",
            context_window: CONTEXT_WINDOW,
            reasoning: false,
            images: true,
            api: Api::Builtin,
        }
    }

    /// Asks the model; `on` gets each piece at once. `Kind::Aborted` when `cancel` stopped it.
    pub fn stream(
        &self,
        request: &ChatRequest,
        cancel: &Cancel,
        on: &mut dyn FnMut(Chunk),
    ) -> Result<Completion> {
        match self.api {
            Api::Builtin => super::builtin::stream(request, cancel, on),
            Api::OpenAiCompletions => super::openai::stream(self, request, cancel, on),
        }
    }

    /// The address below the base URL, its query kept at the end.
    pub fn url(&self, path: &str) -> String {
        let (base, query) =
            self.base_url.split_once('?').map_or((self.base_url.as_str(), None), |(b, q)| (b, Some(q)));
        let url = format!("{}{path}", base.trim_end_matches('/'));
        query.map_or(url.clone(), |query| format!("{url}?{query}"))
    }

    /// The base URL without user, password and query, to show.
    pub fn shown_url(&self) -> String {
        let Ok(uri) = self.base_url.parse::<Uri>() else { return format!("of {}", self.id) };
        let port = uri.port_u16().map(|p| format!(":{p}")).unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        format!("{}://{host}{port}{}", uri.scheme_str().unwrap_or("http"), uri.path().trim_end_matches('/'))
    }

    /// `text` without the key and the values of configured headers.
    pub fn redact(&self, text: &str) -> String {
        let words = self.headers.iter().flat_map(|(_, value)| value.split_whitespace());
        // Shorter words are no secrets, and taking them out would garble the text.
        let words = words.filter(|word| word.len() >= 8);
        let secrets = self.api_key.iter().map(Secret::reveal).filter(|key| key.len() >= 4).chain(words);
        secrets.fold(text.to_string(), |text, secret| text.replace(secret, "[redacted]"))
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({}/{} at {} by {})", self.id, self.model, self.shown_url(), self.api.name())
    }
}

/// The environment variable that holds a provider's key when the configuration has none.
pub fn key_variable(id: &str) -> String {
    let usual = || id.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_") + "_API_KEY";
    KNOWN.iter().find(|row| row.0 == id).map_or_else(usual, |row| row.2.to_string())
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
    Err(Error::config(format!(
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
    let name = match name {
        Some(name) => name,
        None if id == "anthropic" => "anthropic-messages",
        None => Api::OpenAiCompletions.name(),
    };
    if name == Api::OpenAiCompletions.name() {
        return Ok(Api::OpenAiCompletions);
    }
    let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    Err(Error::config(format!(
        "{key} speaks {name:?}, which this gateway does not know yet; set {key}.api to \"openai-completions\" and {key}.baseUrl to a server that speaks it"
    )))
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
fn read_timeouts(section: Option<&Value>, nearby: bool) -> Timeouts {
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
fn is_nearby(host: &str) -> bool {
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
#[path = "provider_tests.rs"]
mod tests;
