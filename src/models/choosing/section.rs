//! What the section of a provider, or what is known of a usual one, says of its server: format, address, key, headers.
//!
//! Pure, on any thread; used by `resolve`. Refuses what cannot work with the key to fix, and never shows a secret.
use crate::env::Env;
use crate::error::{Error, Result};
use crate::fetch::port;
use crate::models::key_file::{can_be_sent, is_plain, refused};
use crate::models::known;
use crate::models::provider::{Api, Secret, key_variable};
use serde_json::Value;
use std::path::PathBuf;
use ureq::http::{HeaderName, HeaderValue, Uri};

pub struct Section<'a> {
    id: &'a str,
    /// Its place in the configuration.
    key: String,
    pub value: &'a Value,
}

/// Where the model is asked, and how.
pub struct Server {
    pub api: Api,
    pub base_url: String,
    pub host: String,
}

/// What shows the server who asks.
pub struct Credential {
    pub key: Option<Secret>,
    pub key_file: Option<PathBuf>,
    /// In a header of its own.
    pub is_sent: bool,
    pub is_bearer: bool,
}

impl<'a> Section<'a> {
    pub fn of(id: &'a str, value: &'a Value) -> Section<'a> {
        Section { id, key: format!("models.providers.{id}"), value }
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    /// The server of the model with this entry.
    pub fn server(&self, entry: &Value, model_ref: &str) -> Result<Server> {
        let (id, key) = (self.id, &self.key);
        let api_name = entry.get("api").and_then(Value::as_str).or(self.text("api"));
        let api = parse_api(api_name, id, key)?;
        let base_url = self.text("baseUrl").or(known::base_url(id)).ok_or_else(|| {
            unknown(format!("model {model_ref:?} needs {key}.baseUrl, the address of its server; set it, or let openclaw models scan find one"))
        })?;
        let host = check_url(base_url, key)?;
        Ok(Server { api, base_url: known::address(base_url, id, api_name), host })
    }

    pub fn credential(&self, env: &Env) -> Result<Credential> {
        let (id, key) = (self.id, &self.key);
        let key_file = self.text("apiKeyFile").map(|path| env.expand(path));
        let variable = || env.var(&key_variable(id)).map(str::trim).filter(|_| key_file.is_none());
        let written = self.text("apiKey").filter(|name| !known::is_key_variable(name, id));
        let api_key = written.or_else(variable).map(Secret::new);
        let header = self.value.get("authHeader").and_then(Value::as_bool);
        if header != Some(false) && api_key.as_ref().is_some_and(|k| !can_be_sent(k)) {
            return Err(refused(format!(
                "the API key of {key} holds characters that cannot be sent; fix {key}.apiKey"
            )));
        }
        let is_bearer = header == Some(true) || matches!(self.text("auth"), Some("oauth" | "token"));
        Ok(Credential { key: api_key, key_file, is_sent: header.unwrap_or(true), is_bearer })
    }

    /// The headers of the provider, then those of the model.
    pub fn headers(&self, entry: &Value) -> Result<Vec<(String, String)>> {
        let mut headers = read_headers(self.value.get("headers"), &self.key)?;
        headers.extend(read_headers(entry.get("headers"), &self.key)?);
        Ok(headers)
    }
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
pub fn unknown(message: String) -> Error {
    Error::config(message).failing_over("model_not_found")
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
    if port::of(&uri).is_none() {
        return Err(wrong(port::WRONG));
    }
    match uri.host().filter(|host| !host.is_empty()) {
        Some(host) => Ok(host.trim_matches(['[', ']']).to_ascii_lowercase()),
        None => Err(wrong("names no host")),
    }
}

fn read_headers(headers: Option<&Value>, key: &str) -> Result<Vec<(String, String)>> {
    let pairs = headers.and_then(Value::as_object).into_iter().flatten();
    let read = |(name, value): (&String, &Value)| {
        let is_strict = ["authorization", "host"].iter().any(|strict| name.eq_ignore_ascii_case(strict));
        let value =
            value.as_str().filter(|v| HeaderValue::from_str(v).is_ok() && (!is_strict || is_plain(v)));
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Ok(_), Some(value)) => Ok((name.clone(), value.to_string())),
            _ => Err(Error::config(format!(
                "{key}.headers has an entry {name:?} that is no HTTP header; fix or remove it"
            ))),
        }
    };
    pairs.map(read).collect()
}
