//! A model provider: where it is, what it is sent, how long it may take.
//!
//! Made by `resolve` on any thread, used by a run's thread. A new wire format is one row in `formats!` and a
//! file or two with a `format::Format`. Secrets stay in `Secret`, which no `Debug` or `Display` shows.
pub use super::chat::{ChatRequest, Chunk, Completion, Cost, Kept, Thinking, ToolCall, ToolSpec, Usage};
use super::compat::Compat;
use super::format::Format;
pub use super::known::key_variable;
pub use super::resolve::is_nearby;
use super::{ask, builtin, failure, key_file, resolve};
use crate::cancel::Cancel;
use crate::error::Result;
pub use crate::fetch::dial::Timeouts;
use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use ureq::http::Uri;

/// The reference of the embedded default model.
pub const BUILTIN: &str = "openclaw/builtin";

/// Makes `Api` and what differs between its variants.
macro_rules! formats {
    ($($api:ident = $format:ident;)+) => {
        /// A wire format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Api {
            /// The embedded default, which needs nothing.
            Builtin,
            $($api,)+
        }

        /// Those a model server may speak.
        const SERVERS: &[Api] = &[$(Api::$api),+];

        impl Api {
            /// What is special to it; `None` for the embedded default.
            pub fn format(self) -> Option<&'static Format> {
                match self {
                    Api::Builtin => None,
                    $(Api::$api => Some(&super::$format::FORMAT),)+
                }
            }
        }
    };
}

// A row each: what the program calls it, and the file in `formats` with what is special to it.
formats! {
    OpenAiCompletions = openai;
    OpenAiResponses = responses;
    AnthropicMessages = anthropic;
}

impl Api {
    /// The configuration's and the transcript's name.
    pub fn name(self) -> &'static str {
        self.format().map_or("openclaw-builtin", |format| format.name)
    }

    /// The format of a name in the configuration.
    pub fn parse(name: &str) -> Option<Api> {
        SERVERS.iter().copied().find(|api| api.name() == name)
    }

    /// The names of all formats a server may speak.
    pub fn names() -> Vec<&'static str> {
        SERVERS.iter().map(|api| api.name()).collect()
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
    /// Where the key is read from for each call when there is no `api_key`.
    pub key_file: Option<PathBuf>,
    /// The original's profile that `api_key` is of.
    pub profile: Option<Profile>,
    /// Profiles that are tried when the server does not take the key.
    pub spare: Vec<Profile>,
    /// Sent besides the key; may hold secrets, so never shown.
    pub headers: Vec<(String, String)>,
    /// Whether the key goes into `Authorization: Bearer`; off for servers that take it in `headers`.
    pub auth_header: bool,
    /// Whether the key is an OAuth token, or the server wants it as one, where the format has another way.
    pub bearer: bool,
    pub timeouts: Timeouts,
    pub retries: u32,
    /// Whether a server that takes no connection is waited for: it may be starting.
    pub patient: bool,
    pub compat: Compat,
    pub max_tokens: Option<u64>,
    /// The request's name for `max_tokens`.
    pub max_tokens_field: &'static str,
    pub context_window: u64,
    /// Whether the model reasons before it answers, and may be told how much.
    pub reasoning: bool,
    /// Whether the server takes `reasoning_effort`.
    pub effort: bool,
    /// Whether the model may be offered tools.
    pub tools: bool,
    /// Whether pictures may be sent.
    pub images: bool,
    pub cost: Cost,
    pub api: Api,
}

/// A credential that can be sent.
#[derive(Clone)]
pub struct Profile {
    pub id: String,
    pub file: PathBuf,
    pub key: Secret,
    /// It is a token or a sign-in, which goes into `Authorization` in every format.
    pub is_token: bool,
}

impl Provider {
    /// The embedded default.
    pub fn builtin() -> Provider {
        let (id, model) = BUILTIN.split_once('/').unwrap_or((BUILTIN, ""));
        Provider {
            id: id.to_string(),
            model: model.to_string(),
            base_url: String::new(),
            api_key: None,
            key_file: None,
            profile: None,
            spare: Vec::new(),
            headers: Vec::new(),
            auth_header: false,
            bearer: false,
            timeouts: resolve::timeouts(None, true),
            retries: 0,
            patient: false,
            compat: Compat::default(),
            max_tokens: None,
            max_tokens_field: "max_tokens",
            context_window: resolve::CONTEXT_WINDOW,
            reasoning: false,
            effort: false,
            tools: false,
            images: true,
            cost: Cost::default(),
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
        let Some(format) = self.api.format() else { return builtin::stream(request, cancel, on) };
        let spoke = Cell::new(false);
        let mut on = |chunk| {
            spoke.set(true);
            on(chunk);
        };
        let keyed = self.with_key()?;
        let mut result = ask::stream(keyed.as_deref().unwrap_or(self), format, request, cancel, &mut on);
        for profile in &self.spare {
            let Err(error) = &result else { break };
            if spoke.get() || !matches!(failure::reason(error), "auth" | "billing" | "rate_limit") {
                break;
            }
            log::warn!(target: "gateway/agent", "{error}; profile {} is tried", crate::logging::quoted(&profile.id));
            result = ask::stream(&self.with_profile(profile), format, request, cancel, &mut on);
        }
        result
    }

    /// The same with the key of a profile.
    #[inline(never)]
    pub fn with_profile(&self, profile: &Profile) -> Box<Provider> {
        let mut p = Box::new(self.clone());
        p.bearer |= profile.is_token;
        let is_sign_in = profile.key.reveal().contains("sk-ant-oat");
        if is_sign_in && self.api == Api::AnthropicMessages {
            // Its sign-ins are taken with this header only.
            p.headers.push(("anthropic-beta".to_string(), "oauth-2025-04-20".to_string()));
        }
        (p.api_key, p.profile) = (Some(profile.key.clone()), Some(profile.clone()));
        p
    }

    /// With its key where that has to be read from a file first; `Kind::Config` when that has none.
    #[inline(never)]
    fn with_key(&self) -> Result<Option<Box<Provider>>> {
        let Some(path) = self.key_file.as_ref().filter(|_| self.api_key.is_none()) else {
            return Ok(None);
        };
        let key = key_file::read(&self.id, path)?;
        Ok(Some(Box::new(Provider { api_key: Some(key), ..self.clone() })))
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
