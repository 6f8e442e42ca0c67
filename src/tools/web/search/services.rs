//! The search services: one row in `KINDS` each, with which of them can be asked. Pure; what they are asked is in `wire`.
use super::wire::{brave, listed, perplexity, searxng, told};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use serde_json::Value;

/// In the order in which they are looked for where the configuration names none.
const KINDS: [Kind; 3] = [
    Kind {
        id: "brave",
        name: "Brave Search API",
        section: "tools.web.search.brave",
        keys: &["tools.web.search.apiKey"],
        variables: &["BRAVE_API_KEY"],
        home: |_| Some("https://api.search.brave.com/res/v1/web/search"),
        member: "results",
        request: brave,
        read: |answer, most| {
            listed(answer.get("web")?.get("results").or(answer.get("results"))?, "description", most)
        },
        hint: |status| match status {
            401 | 403 | 422 => "check tools.web.search.apiKey or BRAVE_API_KEY",
            429 => "its quota is used up for now",
            _ => "",
        },
    },
    Kind {
        id: "searxng",
        name: "SearXNG",
        section: "tools.web.search.searxng",
        keys: &[],
        variables: &[],
        home: |_| None,
        member: "results",
        request: searxng,
        read: |answer, most| listed(answer.get("results")?, "content", most),
        hint: |status| match status {
            0 | 403 => "it must allow the format json (search.formats in its settings.yml)",
            _ => "",
        },
    },
    Kind {
        id: "perplexity",
        name: "Perplexity",
        section: "tools.web.search.perplexity",
        keys: &["tools.web.search.perplexity.apiKey"],
        variables: &["PERPLEXITY_API_KEY", "OPENROUTER_API_KEY"],
        home: |key| match key.starts_with("sk-or-") {
            true => Some("https://openrouter.ai/api/v1"),
            false => Some("https://api.perplexity.ai"),
        },
        member: "content",
        request: perplexity,
        read: told,
        hint: |status| match status {
            401 | 403 => "check tools.web.search.perplexity.apiKey or PERPLEXITY_API_KEY",
            429 => "its quota is used up for now",
            _ => "",
        },
    },
];

/// What is known of one.
pub struct Kind {
    pub id: &'static str,
    pub name: &'static str,
    /// Its section of the configuration, with `baseUrl`.
    section: &'static str,
    /// Where its key is, in the configuration and the environment; without both it needs none.
    keys: &'static [&'static str],
    variables: &'static [&'static str],
    /// Its address for a key, where the configuration has none.
    home: fn(&str) -> Option<&'static str>,
    /// The member of a result that holds what it found.
    pub member: &'static str,
    pub request: fn(&Service, &Query) -> Result<Request>,
    pub read: fn(&Value, usize) -> Option<Found>,
    /// What helps against a refusal; 0 stands for an answer that is no JSON.
    pub hint: fn(u16) -> &'static str,
}

/// One that can be asked.
pub struct Service {
    pub kind: &'static Kind,
    pub key: Option<String>,
    pub url: String,
    /// The host, where whoever runs the gateway named it.
    pub own_host: Option<String>,
    pub model: String,
}

pub struct Query<'a> {
    pub text: &'a str,
    pub count: usize,
    pub country: Option<&'a str>,
    pub language: Option<&'a str>,
    /// Language of the service's own words.
    pub words: Option<&'a str>,
    pub fresh: Option<Fresh>,
}

/// How old results may be.
#[derive(Debug, PartialEq)]
pub enum Fresh {
    /// As Brave names it, and in a word.
    Past(&'static str, &'static str),
    Between(String),
}

pub struct Request {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

/// What was found, as text.
pub struct Found {
    pub count: usize,
    pub text: String,
}

impl Service {
    /// The one the configuration names, else the first that is configured.
    pub fn of(config: &Config, env: &Env) -> Option<Service> {
        if config.get("tools.web.search.enabled") == Some(&Value::Bool(false)) {
            return None;
        }
        let named = config.str("tools.web.search.provider");
        KINDS
            .iter()
            .filter(|kind| named.is_none_or(|name| name == kind.id))
            .find_map(|kind| kind.service(config, env))
    }

    /// The service's words without the key, should it have repeated it.
    pub fn without_key(&self, words: &str) -> String {
        match self.key.as_deref().filter(|key| !key.is_empty()) {
            Some(key) => words.replace(key, "[key]"),
            None => words.to_string(),
        }
    }

    pub fn bearer(&self) -> Vec<(String, String)> {
        let value = format!("Bearer {}", self.key.as_deref().unwrap_or_default());
        vec![("authorization".to_string(), value)]
    }
}

impl Kind {
    fn service(&'static self, config: &Config, env: &Env) -> Option<Service> {
        let given =
            |value: Option<&str>| value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_string);
        let of_config = self.keys.iter().find_map(|key| given(config.str(key)));
        let key = of_config.or_else(|| self.variables.iter().find_map(|name| given(env.var(name))));
        if key.is_none() && !self.keys.is_empty() {
            return None;
        }
        let own = given(config.str(&format!("{}.baseUrl", self.section)));
        let host = |url: &String| url.parse::<ureq::http::Uri>().ok()?.host().map(str::to_string);
        Some(Service {
            kind: self,
            own_host: own.as_ref().and_then(host),
            url: match own {
                Some(url) => url.trim_end_matches('/').to_string(),
                None => (self.home)(key.as_deref().unwrap_or_default())?.to_string(),
            },
            key,
            model: given(config.str("tools.web.search.perplexity.model"))
                .unwrap_or_else(|| "perplexity/sonar-pro".to_string()),
        })
    }
}

impl Fresh {
    pub fn read(text: &str) -> Result<Fresh> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "pd" | "day" => Fresh::Past("pd", "day"),
            "pw" | "week" => Fresh::Past("pw", "week"),
            "pm" | "month" => Fresh::Past("pm", "month"),
            "py" | "year" => Fresh::Past("py", "year"),
            range if is_range(range) => Fresh::Between(range.to_string()),
            _ => {
                return Err(Error::invalid(
                    "freshness is pd, pw, pm, py or two days such as 2026-01-01to2026-01-31",
                ));
            }
        })
    }

    /// In a word, for services that know no days.
    pub fn word(&self, name: &str) -> Result<&'static str> {
        match self {
            Fresh::Past(_, word) => Ok(word),
            Fresh::Between(_) => {
                Err(Error::invalid(format!("freshness: {name} knows pd, pw, pm and py only")))
            }
        }
    }
}

fn is_range(text: &str) -> bool {
    let is_day = |day: &str| {
        day.len() == 10
            && day
                .bytes()
                .enumerate()
                .all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
    };
    text.split_once("to").is_some_and(|(from, to)| is_day(from) && is_day(to) && from <= to)
}

/// A service's own words about a failure, wherever they stand.
pub fn words(answer: &Value) -> Option<String> {
    let error = answer.get("error").unwrap_or(answer);
    let named = ["detail", "message", "error"].iter().find_map(|name| error.get(name)?.as_str());
    named.or(error.as_str()).map(str::to_string)
}
