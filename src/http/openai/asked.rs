//! A request of OpenAI's API, read: the conversation, what is wanted of the answer, whose session it is. Filled in by the
//! endpoint's own reader and by `turn::place`.
use super::settings::{self, Tools};
use super::talk::Talk;
use super::{Api, Judged, wrong};
use crate::http::Exchange;
use crate::models::provider::Thinking;
use serde_json::{Map, Value};

pub struct Asked {
    /// The model's name as it was sent, which the answer repeats.
    pub model: String,
    pub streams: bool,
    /// The last piece of a stream tells the tokens.
    pub counts: bool,
    pub user: Option<String>,
    /// The answer that this request goes on from.
    pub previous: Option<String>,
    pub talk: Talk,
    pub tools: Tools,
    /// The choice of tools that the answer must satisfy.
    pub must: Option<String>,
    /// See `models/formats/wanted.rs`.
    pub wanted: Map<String, Value>,
    pub max_tokens: Option<u64>,
    pub thinking: Option<Thinking>,
    /// What the answer repeats, by its names.
    pub repeated: Map<String, Value>,
    /// Bytes of the request, as many as were read.
    pub size: usize,
    /// Canonical key.
    pub session: String,
    /// The session is the user's, and begins anew when it is old.
    pub ages: bool,
    /// What names this answer, so that the next request can go on from it.
    pub answer: String,
}

impl Asked {
    /// What both endpoints have in common.
    pub fn new(exchange: &Exchange, api: &Api, map: &Map<String, Value>) -> Judged<Asked> {
        Ok(Asked {
            model: text(map, "model")?.unwrap_or_default().to_string(),
            streams: flag(map, "stream")?,
            counts: false,
            user: text(map, "user")?.map(str::to_string).filter(|user| !user.trim().is_empty()),
            previous: None,
            talk: Talk::new(exchange, api.section),
            tools: Tools::default(),
            must: None,
            wanted: settings::wanted(map)?,
            max_tokens: None,
            thinking: None,
            repeated: Map::new(),
            size: 0,
            session: String::new(),
            ages: false,
            answer: String::new(),
        })
    }
}

/// A text member; null counts as missing.
pub fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Judged<Option<&'a str>> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(format!("`{name}` must be a string."), name)),
    }
}

pub fn flag(map: &Map<String, Value>, name: &str) -> Judged<bool> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(wrong(format!("`{name}` must be true or false."), name)),
    }
}
