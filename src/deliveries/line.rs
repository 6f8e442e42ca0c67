//! The lines of the journal: what one says, and how long it counts. A later line of the same name replaces an earlier one.
//!
//! Plain values. What people wrote is in them, so their debug output leaves it out.
use super::dedupe::KEEP_MS;
use crate::error::{Error, Result};
use crate::json::{self, DEEPEST, REQUEST_VALUES};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// How long a message is kept that has neither been answered nor delivered, in milliseconds.
const KEEP_OPEN_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Kind, family and key.
pub type Name = (&'static str, String, String);

/// An account at a platform, by which messages come and go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Login {
    pub platform: String,
    pub account: String,
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.platform, self.account)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// `run`: a request with an idempotency key.
    Run(Record),
    /// `inbound`: a message that a platform brought.
    Inbound(Inbound),
    /// `delivery`: a message on its way to a platform.
    Delivery(Delivery),
}

/// An accepted request. A later line of the same family and key adds the result.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// `agent`, `chat`, `send` or `poll`.
    pub family: String,
    /// The idempotency key, which is the run's id too.
    pub key: String,
    /// [`super::dedupe::params_hash`] of the parameters.
    pub hash: String,
    /// When it was accepted, in epoch milliseconds.
    pub ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// The session's transcript id when it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The accepted text, until there is a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was answered; `None` while the request is in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
}

/// What was answered, as JSON text: memory and the line on its way to the disk have it in common, for it may be long, and
/// as values it would take several times as much.
#[derive(Clone, PartialEq)]
pub struct Outcome(Arc<String>);

impl Outcome {
    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn read(&self) -> Value {
        // It was made of values, or read with a line under the same bounds.
        json::read(self.text(), REQUEST_VALUES, DEEPEST).unwrap_or_default()
    }

    /// A failure that is stored as retryable: nothing of it is in a transcript, it may be done again.
    pub(super) fn had_no_effect(&self) -> bool {
        // Seldom, so that most are not read.
        self.text().contains("\"retryable\"")
            && self.read().pointer("/error/retryable") == Some(&Value::Bool(true))
    }
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Outcome {
        Outcome(Arc::new(value.to_string()))
    }
}

impl From<Arc<String>> for Outcome {
    fn from(text: Arc<String>) -> Outcome {
        Outcome(text)
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        json::raw::write(&self.0, out)
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Outcome, D::Error> {
        json::raw::read(from).map(|text| Outcome(Arc::new(text)))
    }
}

/// A message of a platform. When this is on disk the platform is told that it need not bring it again.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Inbound {
    pub platform: String,
    pub account: String,
    /// The platform's name for it, one of a kind within the account.
    pub id: String,
    /// When it came, in epoch milliseconds.
    pub ts: u64,
    /// What it says, as its channel reads it, until it has become a run or was passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
}

/// A message that is to go out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delivery {
    /// Ours; the idempotency key of who asked for it.
    pub id: String,
    pub platform: String,
    pub account: String,
    /// The peer or thread, as its channel reads it.
    pub to: String,
    /// When it was accepted, in epoch milliseconds.
    pub ts: u64,
    pub stage: Stage,
    /// [`super::dedupe::params_hash`] of what a client asked to be said; empty for those that no client names, and of
    /// earlier releases.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// What is to be said, until it is known what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
    /// The platform's name for it, once it has confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_id: Option<String>,
    /// The peer that has it, where that is another one than `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// Why the platform refused it, or why nobody knows; of one that it has, what it was sent without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a delivery, for its line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    pub stage: Stage,
    pub platform_id: Option<String>,
    pub moved_to: Option<String>,
    pub error: Option<String>,
    /// What is still to be said of it, when the platform has a part.
    pub rest: Option<Value>,
}

/// How far a delivery has come. It only goes on, never back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Promised; nothing has left this machine.
    #[default]
    Accepted,
    /// Given to the platform, which has not said that it has it.
    Handed,
    /// The gateway stopped in between: it may have arrived. It is not sent again by itself.
    Uncertain,
    /// The platform has it.
    Confirmed,
    /// The platform refused it.
    Failed,
}

impl Record {
    /// About how much memory it takes, in bytes, without its result.
    pub(super) fn size(&self) -> usize {
        256 + self.key.len() + self.message.as_ref().map_or(0, String::len)
    }
}

impl Inbound {
    pub fn name(&self) -> Name {
        ("inbound", format!("{}\n{}", self.platform, self.account), self.id.clone())
    }

    pub fn is_of(&self, login: &Login) -> bool {
        self.platform == login.platform && self.account == login.account
    }

    pub fn login(&self) -> Login {
        Login { platform: self.platform.clone(), account: self.account.clone() }
    }

    /// The id of the run that answers it, always the same: asked for twice it is answered once.
    pub fn run(&self) -> String {
        format!("{}:{}:{}", self.platform, self.account, self.id)
    }
}

impl Delivery {
    pub fn name(&self) -> Name {
        Delivery::named(&self.id)
    }

    /// The name of the one with this id.
    pub fn named(id: &str) -> Name {
        ("delivery", String::new(), id.to_string())
    }

    pub fn login(&self) -> Login {
        Login { platform: self.platform.clone(), account: self.account.clone() }
    }

    pub fn is_of(&self, login: &Login) -> bool {
        self.platform == login.platform && self.account == login.account
    }

    /// The idempotency key that a client gave it.
    pub fn key(&self) -> &str {
        self.id.strip_prefix("send:").unwrap_or(&self.id)
    }

    /// Whether it is known what became of it.
    pub fn is_over(&self) -> bool {
        self.stage >= Stage::Confirmed
    }
}

impl Line {
    /// `None` for what is no line of a kind that is known here. Those of earlier releases name no kind: they are runs.
    pub fn read(text: &[u8]) -> Option<Line> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(default)]
            kind: String,
        }
        fn read<T: serde::de::DeserializeOwned>(text: &[u8]) -> Option<T> {
            json::read_as(text, REQUEST_VALUES, DEEPEST).ok()
        }
        let line = match read::<Named>(text)?.kind.as_str() {
            "" | "run" => Line::Run(read(text)?),
            "inbound" => Line::Inbound(read(text)?),
            "delivery" => Line::Delivery(read(text)?),
            _ => return None,
        };
        (!line.name().2.is_empty()).then_some(line)
    }

    /// With its end.
    pub fn write(&self, text: &mut Vec<u8>) -> Result<()> {
        let kind = format!("{{\"kind\":\"{}\"", self.kind());
        let start = text.len() + kind.len();
        text.extend(kind.into_bytes());
        let written = match self {
            Line::Run(record) => serde_json::to_writer(&mut *text, record),
            Line::Inbound(inbound) => serde_json::to_writer(&mut *text, inbound),
            Line::Delivery(delivery) => serde_json::to_writer(&mut *text, delivery),
        };
        written.map_err(|e| Error::unavailable(format!("write a line of the journal: {e}")))?;
        // Its members follow the kind.
        if let Some(brace) = text.get_mut(start) {
            *brace = b',';
        }
        text.push(b'\n');
        Ok(())
    }

    fn kind(&self) -> &'static str {
        match self {
            Line::Run(_) => "run",
            Line::Inbound(_) => "inbound",
            Line::Delivery(_) => "delivery",
        }
    }

    /// What it is about. Of two lines with one name the later counts.
    pub fn name(&self) -> Name {
        match self {
            Line::Run(record) => (self.kind(), record.family.clone(), record.key.clone()),
            Line::Inbound(inbound) => inbound.name(),
            Line::Delivery(delivery) => delivery.name(),
        }
    }

    pub fn ts(&self) -> u64 {
        match self {
            Line::Run(record) => record.ts,
            Line::Inbound(inbound) => inbound.ts,
            Line::Delivery(delivery) => delivery.ts,
        }
    }

    /// Something is still to be done about it.
    pub fn is_open(&self) -> bool {
        match self {
            Line::Run(record) => record.result.is_none(),
            Line::Inbound(inbound) => inbound.message.is_some(),
            Line::Delivery(delivery) => !delivery.is_over(),
        }
    }

    pub fn is_expired(&self, now: u64) -> bool {
        let keep = match self {
            Line::Inbound(_) | Line::Delivery(_) if self.is_open() => KEEP_OPEN_MS,
            _ => KEEP_MS,
        };
        self.ts().saturating_add(keep) <= now
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outcome({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { family, key, ts, .. } = self;
        write!(f, "Record({family}:{key} at {ts}, finished: {})", self.result.is_some())
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inbound { platform, account, id, ts, .. } = self;
        write!(f, "Inbound({platform}:{account}:{id} at {ts}, open: {})", self.message.is_some())
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Delivery { id, platform, account, ts, stage, .. } = self;
        write!(f, "Delivery({id} to {platform}:{account} at {ts}, {stage:?})")
    }
}
