//! Where the keys of model servers come from, for `openclaw models status`.
//!
//! Looks at the config and the environment only. A key itself is never shown, only its place.
use crate::config::Config;
use crate::env::Env;
use crate::json::json;
use crate::models::catalogue;
use crate::models::provider::{Provider, key_variable};
use serde_json::Value;

/// A provider and where its key comes from.
pub struct Server {
    pub id: String,
    /// To show: without user, password and query.
    pub url: String,
    /// The wire format's name.
    pub api: &'static str,
    /// `profile`, `config`, `env`, `file`, `headers`, `none` (not needed) or `missing`.
    pub kind: &'static str,
    /// The setting, variable or file.
    pub detail: String,
    /// The same for people.
    place: String,
}

impl Server {
    /// `written` is the config file as it stands there, where `${NAME}` still shows.
    pub fn of(config: &Config, written: &Value, env: &Env, provider: &Provider) -> Server {
        let id = &provider.id;
        let setting = format!("models.providers.{id}.apiKey");
        let section = config.get_in(&["models", "providers", id]);
        let is_set = |name: &str| section.and_then(|s| s.get(name)).is_some();
        let variable = written.get("models").and_then(|m| m.get("providers")?.get(id)?.get("apiKey"));
        let variable = variable.and_then(Value::as_str).and_then(reference);
        let profile = provider.profile.as_ref();
        let profile = profile.map(|profile| format!("{} in {}", profile.id, env.display(&profile.file)));
        let names_variable = section.and_then(|s| s.get("apiKey")?.as_str()) == Some(&key_variable(id));
        let (kind, detail) = match (&provider.api_key, &provider.key_file) {
            (Some(_), _) if profile.is_some() => ("profile", profile.unwrap_or_default()),
            (Some(_), _) if is_set("apiKey") && !names_variable => match variable {
                Some(name) => ("env", name.to_string()),
                None => ("config", setting),
            },
            (Some(_), _) => ("env", key_variable(id)),
            (None, Some(file)) => ("file", env.display(file)),
            (None, None) if !provider.headers.is_empty() => {
                ("headers", format!("models.providers.{id}.headers"))
            }
            (None, None) if catalogue::lacks_key(provider) => ("missing", String::new()),
            (None, None) => ("none", String::new()),
        };
        let url = if provider.base_url.is_empty() { "built in".into() } else { provider.shown_url() };
        let place = match kind {
            "env" => env.place_of(&detail),
            "none" => "none needed".to_string(),
            "missing" => "missing".to_string(),
            kind => format!("{kind} {detail}"),
        };
        Server { id: id.clone(), url, api: provider.api.name(), kind, detail, place }
    }

    /// What keeps it from being used.
    pub fn problem(&self, provider: &Provider) -> Option<String> {
        let id = &self.id;
        match (self.kind, &provider.key_file) {
            ("missing", _) => Some(format!(
                "there is no key for {id}: set {} or models.providers.{id}.apiKey",
                key_variable(id)
            )),
            ("file", Some(file)) if !file.is_file() => Some(format!(
                "models.providers.{id}.apiKeyFile names {}, which is not there; put the key of {id} there",
                self.detail
            )),
            _ => None,
        }
    }

    pub fn to_json(&self) -> Value {
        json!({"provider": self.id, "effective": {"kind": self.kind, "detail": self.detail}, "baseUrl": self.url, "api": self.api})
    }

    /// The key's place for people.
    pub fn key(&self) -> &str {
        &self.place
    }
}

/// The variable of a value that is nothing but `${NAME}`.
fn reference(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${")?.strip_suffix('}').filter(|name| !name.contains('$'))
}
