//! What is wrong with a place of the configuration, and how it is told.
use super::{Spot, under};
use crate::config::reading::{check, substitute};
use crate::error::Error;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

/// Something to tell about one key; `path` is empty for the file as a whole.
#[derive(Debug, Clone)]
pub struct Issue {
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What is not in force for it, where something is not and it ended no start.
    pub cost: Option<Box<Cost>>,
    /// Where it is written, as far as that is known.
    pub spot: Option<Box<Spot>>,
}

/// What a mistake costs until it is corrected: a key, or what depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Dotted.
    pub name: String,
    pub how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    LeftOut,
    Disabled,
    /// A running gateway keeps what it had.
    Kept,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::LeftOut => "is left out",
            How::Disabled => "is disabled",
            How::Kept => "stays as it was",
        };
        write!(f, "{} {how} until this is corrected", self.name)
    }
}

/// The same mistake is the same wherever it has moved.
impl PartialEq for Issue {
    fn eq(&self, other: &Issue) -> bool {
        self.path == other.path && self.message == other.message && self.cost == other.cost
    }
}

impl Serialize for Issue {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_json().serialize(to)
    }
}

impl Issue {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Issue {
        Issue { path: path.into(), message: message.into(), cost: None, spot: None }
    }

    /// What is wrong, and what it costs.
    pub fn text(&self) -> String {
        match &self.cost {
            Some(cost) => format!("{}; {cost}", self.message),
            None => self.message.clone(),
        }
    }

    /// What scripts and methods are told.
    pub fn to_json(&self) -> Value {
        let mut members = Map::from_iter(
            [("path", &self.path), ("message", &self.text())]
                .map(|(k, v)| (k.to_string(), v.as_str().into())),
        );
        members.extend(self.spot.iter().flat_map(|spot| spot.members()));
        Value::Object(members)
    }

    /// The same read back.
    pub fn of(json: &Value) -> Issue {
        let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
        Issue { spot: Spot::of(json).map(Box::new), ..Issue::new(text("path"), text("message")) }
    }

    /// `file:line:column: path: message`, for one line.
    pub fn placed(&self) -> String {
        match &self.spot {
            Some(spot) if self.path.is_empty() => format!("{spot}: {}", self.message),
            Some(spot) => format!("{spot}: {}", self.told()),
            None => self.told(),
        }
    }

    /// `path: message (file:line:column)`, where the file is told already or what is wrong counts more.
    pub fn located(&self) -> String {
        let place = self.spot.as_ref().map_or(String::new(), |spot| format!(" ({spot})"));
        format!("{}{place}", self.told())
    }

    /// `placed` with the line itself and a caret beneath, each behind `indent`.
    pub fn shown(&self, indent: &str) -> String {
        let excerpt = self.spot.as_ref().map_or(String::new(), |spot| under(&spot.excerpt, indent));
        format!("{}{excerpt}", self.placed())
    }

    /// An error about it, which tells scripts of its place.
    pub fn blame(&self, error: Error) -> Error {
        match &self.spot {
            Some(spot) => spot.blame(error),
            None => error,
        }
    }

    /// `path: message`, as in a list of mistakes.
    pub fn told(&self) -> String {
        let path = if self.path.is_empty() { "<root>" } else { &self.path };
        format!("{path}: {}", self.text())
    }

    /// Whether it is the warning that nothing reads the key.
    pub fn is_unread(&self) -> bool {
        self.message.contains(check::UNREAD)
    }

    /// Whether it is a variable that is not set.
    pub fn is_unset(&self) -> bool {
        self.message.starts_with(substitute::UNSET)
    }

    /// Whether it stands at, above or below a dotted path.
    pub fn concerns(&self, path: &str) -> bool {
        is_within(path, &self.path) || is_within(&self.path, path)
    }
}

/// Whether `path` is the place `above` or below it.
pub(super) fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
