//! What a webhook's request asks for: a note, or a turn, as params for `methods::hooks`. Pure over configuration and
//! request, but for random ids.
//!
//! Which session and agent, is the owner's to say (SEC-22): a request may name a session only where
//! `hooks.allowRequestSessionKey` lets it, and then, as what a template made, only below one of
//! `hooks.allowedSessionKeyPrefixes`. What came is wrapped, unless the owner's mapping says that it is safe.
use super::mapping::{self, Mapping};
use super::template::{Source, is_filled_in, render};
use crate::channels;
use crate::clock;
use crate::config::Config;
use crate::deliveries::dedupe::params_hash;
use crate::door::head::Head;
use crate::error::{Error, Result};
use crate::ids;
use crate::json::json;
use crate::models::catalogue;
use crate::models::provider::BUILTIN;
use crate::session_key::{agent_id, normalise_agent_id};
use crate::untrusted;
use serde_json::Value;

/// Longest name of a hook that is shown, characters.
const MAX_NAME: usize = 80;
const MAX_KEY: usize = 200;

pub struct Request<'a> {
    pub config: &'a Config,
    /// Below `hooks.path`, without slashes around it.
    pub path: &'a str,
    pub head: &'a Head,
    pub payload: &'a Value,
}

pub enum Deed {
    Wake { params: Value, mode: &'static str },
    Agent { params: Value },
}

/// Who chose something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Owner,
    /// By a template, into which a request fills.
    Template,
    Sender,
}

impl Request<'_> {
    /// `None` when nothing goes by this path.
    pub fn deed(&self) -> Result<Option<Deed>> {
        match self.path {
            "wake" => {
                check_kinds(self.payload, &["text", "mode"])?;
                self.wake(self.text("text").unwrap_or_default(), self.text("mode"), false).map(Some)
            }
            "agent" => self.agent(&self.fields(), By::Sender, By::Sender).map(Some),
            _ => match mapping::find(self.config, self.path, self.payload) {
                Some(mapping) => self.mapped(&mapping).map(Some),
                None => Ok(None),
            },
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name).and_then(Value::as_str)
    }

    /// The request's own words for a turn.
    fn fields(&self) -> Mapping {
        Mapping(self.payload.clone())
    }

    fn mapped(&self, mapping: &Mapping) -> Result<Deed> {
        let now = clock::now_ms();
        let source = Source { path: self.path, head: self.head, payload: self.payload, now };
        let filled = |name: &str| {
            let template = mapping.text(name)?;
            Some(render(template, &source).ok_or_else(|| Error::invalid(format!("{name} became too long"))))
        };
        let is_unsafe = mapping.0.get("allowUnsafeExternalContent") == Some(&Value::Bool(true));
        if mapping.text("action") == Some("wake") {
            let text = filled("textTemplate").transpose()?.or_else(|| self.text("text").map(str::to_string));
            let text = text.filter(|text| !text.trim().is_empty());
            let text = text.ok_or_else(|| Error::invalid("hook mapping requires text"))?;
            return self.wake(&text, mapping.text("wakeMode"), is_unsafe);
        }
        let message =
            filled("messageTemplate").transpose()?.or_else(|| self.text("message").map(str::to_string));
        let message = message.filter(|message| !message.trim().is_empty());
        let message = message.ok_or_else(|| Error::invalid("hook mapping requires message"))?;
        let by = |name: &str| match mapping.text(name) {
            Some(text) if is_filled_in(text) => By::Template,
            _ => By::Owner,
        };
        let mut fields = mapping.0.clone();
        for name in ["name", "sessionKey", "to"] {
            if let (Some(text), Some(map)) = (filled(name).transpose()?, fields.as_object_mut()) {
                map.insert(name.to_string(), text.into());
            }
        }
        if let Some(map) = fields.as_object_mut() {
            map.insert("message".to_string(), message.into());
        }
        self.agent(&Mapping(fields), by("sessionKey"), by("name"))
    }

    fn wake(&self, text: &str, mode: Option<&str>, is_unsafe: bool) -> Result<Deed> {
        if text.trim().is_empty() {
            return Err(Error::invalid("text required"));
        }
        let is_later = mode == Some("next-heartbeat");
        let text = self.wrapped(text.trim(), is_unsafe)?;
        let params = json!({"text": text, "now": !is_later, "key": self.key().unwrap_or_default(), "hash": self.hash()});
        Ok(Deed::Wake { params, mode: if is_later { "next-heartbeat" } else { "now" } })
    }

    /// A turn, in a session that was `chosen` by somebody, under a name that was given by somebody.
    fn agent(&self, fields: &Mapping, chosen: By, named: By) -> Result<Deed> {
        check_kinds(&fields.0, &["message", "name", "wakeMode", "channel", "to", "thinking"])?;
        let message = fields.text("message").map(str::trim).filter(|message| !message.is_empty());
        let message = message.ok_or_else(|| Error::invalid("message required"))?;
        let model = self.model(fields, chosen)?;
        let hash = self.hash();
        let run = match self.key() {
            Some(key) => run_of(key),
            None => ids::uuid()?,
        };
        let is_unsafe =
            chosen != By::Sender && fields.0.get("allowUnsafeExternalContent") == Some(&Value::Bool(true));
        let name = name(fields);
        // A name is a sender's text like any other: it stands outside of the envelope only where it is the owner's.
        let is_theirs = named != By::Owner && !is_unsafe && !name.is_empty();
        let (ours, theirs) = if is_theirs { ("", &*name) } else { (&*name, "") };
        let job = format!("Job ID: {run} | Received: {}", clock::iso(clock::now_ms()));
        let message = match theirs {
            "" => format!("Task: {} | {job}\n\n{}", or_hook(ours), self.wrapped(message, is_unsafe)?),
            _ => format!("{job}\n\n{}", self.wrapped(&format!("Task: {theirs}\n\n{message}"), false)?),
        };
        let session = self.session_key(fields, chosen)?;
        let params = json!({
            "message": message,
            "name": ours,
            "called": theirs,
            "agentId": self.agent_id(fields, chosen)?,
            "isPassing": session.is_none(),
            "sessionKey": session.unwrap_or_else(|| format!("hook:{run}")),
            "wakes": fields.text("wakeMode") != Some("next-heartbeat"),
            "insists": fields.text("wakeMode") == Some("now"),
            "deliver": deliver(fields)?,
            "channel": self.channel(fields)?,
            "to": fields.text("to"),
            "model": model,
            "thinking": fields.text("thinking"),
            "timeoutSeconds": seconds(fields)?,
            "idempotencyKey": run,
            "hash": hash,
        });
        Ok(Deed::Agent { params })
    }

    fn model<'m>(&self, fields: &'m Mapping, chosen: By) -> Result<Option<&'m str>> {
        let Some(given) = fields.0.get("model").filter(|model| !model.is_null()) else { return Ok(None) };
        let model = given.as_str().map(str::trim).filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| Error::invalid("model required"))?;
        self.check_model(model, chosen)?;
        Ok(Some(model))
    }

    fn wrapped(&self, text: &str, is_unsafe: bool) -> Result<String> {
        if is_unsafe { Ok(text.to_string()) } else { untrusted::wrap("a webhook", text) }
    }

    /// A sender names a model that the owner has named: the prompt tells the model its name (SEC-34).
    fn check_model(&self, model: &str, chosen: By) -> Result<()> {
        let name = catalogue::unaliased(self.config, model);
        let is_named = || {
            catalogue::find(self.config, name)
                .is_some_and(|model| !catalogue::tags(self.config, &model).is_empty())
        };
        if chosen != By::Sender || name == BUILTIN || is_named() {
            return Ok(());
        }
        Err(Error::invalid("model is none that the configuration lists (openclaw models list shows them)"))
    }

    /// What a repetition has in common with the request.
    fn hash(&self) -> String {
        params_hash(&json!({"path": self.path, "payload": self.payload}))
    }

    /// The caller's own mark of this request: once told, it is known again.
    fn key(&self) -> Option<&str> {
        let named = ["idempotency-key", "x-openclaw-idempotency-key"];
        let mut keys = named.into_iter().filter_map(|name| self.head.get(name));
        keys.find(|key| !key.is_empty() && key.len() <= MAX_KEY)
    }

    /// Blank is not the default agent, it is a mistake.
    fn agent_id(&self, fields: &Mapping, chosen: By) -> Result<Option<String>> {
        let given = match fields.0.get("agentId") {
            None | Some(Value::Null) => return Ok(None),
            Some(given) => given.as_str().and_then(agent_id),
        };
        let id = given.ok_or_else(|| Error::invalid("agentId must name an agent"))?;
        let allowed = self.config.strings("hooks.allowedAgentIds");
        let is_listed = || allowed.iter().any(|one| *one == "*" || normalise_agent_id(one) == id);
        if chosen == By::Sender && !allowed.is_empty() && !is_listed() {
            return Err(Error::invalid("agentId is not one of hooks.allowedAgentIds"));
        }
        Ok(Some(id))
    }

    fn session_key(&self, fields: &Mapping, chosen: By) -> Result<Option<String>> {
        let own = || self.config.str("hooks.defaultSessionKey").map(str::trim).filter(|key| !key.is_empty());
        let given = match fields.0.get("sessionKey") {
            None | Some(Value::Null) => return Ok(own().map(str::to_string)),
            Some(given) => given.as_str().map(|key| key.trim().to_lowercase()),
        };
        let key = given.filter(|key| {
            !key.is_empty() && key.len() <= MAX_KEY && key.bytes().all(|b| b.is_ascii_graphic())
        });
        let key = key.ok_or_else(|| Error::invalid("sessionKey must be a short text without spaces"))?;
        if chosen == By::Owner {
            return Ok(Some(key));
        }
        if chosen == By::Sender && !self.config.bool("hooks.allowRequestSessionKey") {
            return Err(Error::invalid(
                "sessionKey is not taken from requests: see hooks.allowRequestSessionKey",
            ));
        }
        let prefixes = self.config.strings("hooks.allowedSessionKeyPrefixes");
        let is_below =
            |prefix: &str| !prefix.is_empty() && key.len() > prefix.len() && key.starts_with(prefix);
        match prefixes.iter().any(|prefix| is_below(&prefix.trim().to_lowercase())) {
            true => Ok(Some(key)),
            false => Err(Error::invalid("sessionKey is below none of hooks.allowedSessionKeyPrefixes")),
        }
    }

    fn channel(&self, fields: &Mapping) -> Result<Option<String>> {
        let given = match fields.0.get("channel") {
            None | Some(Value::Null) => return Ok(None),
            Some(given) => given.as_str().unwrap_or_default().trim().to_lowercase(),
        };
        channels::check_named(self.config, &given).map_err(Error::invalid)?;
        Ok(Some(given))
    }
}

/// Texts that are something else are mistakes, and not as good as missing.
fn check_kinds(given: &Value, texts: &[&str]) -> Result<()> {
    let is_wrong =
        |name: &&&str| given.get(**name).is_some_and(|value| !value.is_string() && !value.is_null());
    match texts.iter().find(is_wrong) {
        Some(name) => Err(Error::invalid(format!("{name} must be a text"))),
        None => Ok(()),
    }
}

/// Whether the answer is sent on, which it is unless that is not wanted.
fn deliver(fields: &Mapping) -> Result<bool> {
    match fields.0.get("deliver") {
        None | Some(Value::Null) => Ok(true),
        Some(deliver) => deliver.as_bool().ok_or_else(|| Error::invalid("deliver must be true or false")),
    }
}

/// How long the turn may take; none at all is the usual time.
fn seconds(fields: &Mapping) -> Result<Option<u64>> {
    let Some(given) = fields.0.get("timeoutSeconds").filter(|given| !given.is_null()) else {
        return Ok(None);
    };
    let seconds = given.as_f64().filter(|seconds| *seconds >= 0.0);
    let seconds = seconds.ok_or_else(|| Error::invalid("timeoutSeconds must be a number of seconds"))?;
    Ok((seconds > 0.0).then(|| seconds.ceil() as u64))
}

/// What the hook is called, if anything.
fn name(fields: &Mapping) -> String {
    let plain: String = fields.text("name").unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    plain.trim().chars().take(MAX_NAME).collect()
}

fn or_hook(name: &str) -> &str {
    if name.is_empty() { "Hook" } else { name }
}

/// The id of the run that a caller's key stands for: the same for the same key, and like any other id.
fn run_of(key: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("hook {key}").as_bytes());
    let hex: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("hook-{hex}")
}
