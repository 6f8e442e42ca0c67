//! Which turns are refused, and which model servers not asked, until a mistake is corrected.
//!
//! Pure; any thread. What is taken out of the configuration for a mistake is `damage`'s.
use crate::config::damage::restricts;
use crate::config::{Config, Issue, legacy, lookup};
use crate::error::{Error, Result};
use crate::session_key::id_of;
use serde_json::Value;

impl Config {
    /// The mistake for which an agent would not be what the file says, as far as its model, its directories and what
    /// it may do are concerned. Its turns are refused.
    pub fn bars(&self, agent: &str) -> Option<&Issue> {
        let is_barred = |issue: &&Issue| self.is_barred(agent, &issue.path.split('.').collect::<Vec<_>>());
        let is_lost = |issue: &&Issue| issue.is_unread() && self.loses_model(agent, &issue.path);
        self.issues().iter().find(is_barred).or_else(|| self.warnings().iter().find(is_lost))
    }

    /// Whether a key that nothing reads, at `path`, was meant to say which model the agent has, and nothing else does.
    fn loses_model(&self, agent: &str, path: &str) -> bool {
        let names: Vec<&str> = path.split('.').collect();
        let meant = legacy::place(path).map(str::to_string).or_else(|| lookup::meant(&names));
        let meant = meant.unwrap_or_else(|| path.to_string());
        let meant: Vec<&str> = meant.split('.').collect();
        let value = self.written(&names).unwrap_or(&Value::Null);
        let own = |value: &Value| value.get("model").is_some();
        // The value itself, or what it holds by name or in a list.
        let inner = |value: &Value| match value {
            Value::Object(map) => map.values().any(own),
            Value::Array(items) => items.iter().any(own),
            _ => false,
        };
        let has_own =
            || self.listed().iter().any(|entry| own(entry) && id_of(entry).as_deref() == Some(agent));
        match meant.as_slice() {
            ["agents", "list", place, "model", ..] => {
                let place = place.parse().unwrap_or(usize::MAX);
                let is_set = self.listed().get(place).is_some_and(own);
                !is_set && self.agent_at(place).as_deref() == Some(agent)
            }
            _ if self.is_set("agents.defaults.model") || has_own() => false,
            ["agents", "defaults", "model", ..] | ["agents" | "agent" | "defaults", "model"] | ["model"] => {
                true
            }
            _ if names.last().is_some_and(|name| means_include(name)) => match names.as_slice() {
                [_] => true,
                ["agents", "list", place, ..] => {
                    let place = place.parse().unwrap_or(usize::MAX);
                    self.agent_at(place).is_none_or(|id| id == agent)
                }
                ["agents", ..] => true,
                _ => false,
            },
            ["agents"] | ["agents", _] => own(value) || inner(value),
            _ => false,
        }
    }

    fn is_barred(&self, agent: &str, mistake: &[&str]) -> bool {
        match mistake {
            ["agents" | "session"] | ["agents", "defaults" | "list"] | ["session", "store", ..] => true,
            ["agents", "defaults", "workspace", ..] | ["agents", "defaults", "model"] => true,
            ["agents", "defaults", "model", "primary", ..] => true,
            ["tools", rest @ ..] => restricts(rest),
            ["agents", "list", place] | ["agents", "list", place, "id" | "default", ..] => {
                place.parse().is_ok_and(|place| self.stands_in(agent, place))
            }
            ["agents", "list", place, rest @ ..] => {
                let decides = match rest {
                    ["tools", rest @ ..] => restricts(rest),
                    ["model"] | ["model", "primary", ..] => true,
                    ["workspace" | "agentDir" | "skills", ..] => true,
                    _ => false,
                };
                decides && place.parse().is_ok_and(|place| self.agent_at(place).as_deref() == Some(agent))
            }
            _ => false,
        }
    }

    fn listed(&self) -> &[Value] {
        self.get("agents.list").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn agent_at(&self, place: usize) -> Option<String> {
        self.listed().get(place).and_then(id_of)
    }

    /// Whether this is the default agent only for want of what cannot be read at `place` of the list.
    fn stands_in(&self, agent: &str, place: usize) -> bool {
        let marked = self.listed().iter().position(|agent| agent.get("default") == Some(&true.into()));
        let default = marked.unwrap_or(0);
        let is_default = self.agent_at(default).as_deref().unwrap_or("main") == agent;
        let has_lost_id = self.agent_at(place).is_none();
        let would_come_first = if has_lost_id { place == default } else { marked.is_none_or(|m| place < m) };
        is_default && would_come_first && (has_lost_id || place != default)
    }

    /// Refuses a turn of the agent while a mistake bars it.
    pub fn check_agent(&self, agent: &str) -> Result<()> {
        match self.bars(agent) {
            None => Ok(()),
            Some(issue) => Err(Error::config(format!(
                "agent {agent} is not answered for: {}",
                self.told_with_place(issue)
            ))),
        }
    }

    /// Why an agent that is not known may be one after all: the list, or an entry's name in it, cannot be read.
    pub fn lost_agent(&self, agent: &str) -> Option<Error> {
        let is_lost = |issue: &&Issue| {
            let names: Vec<&str> = issue.path.split('.').collect();
            matches!(
                names.as_slice(),
                ["agents"] | ["agents", "list"] | ["agents", "list", _] | ["agents", "list", _, "id", ..]
            )
        };
        let issue = self.issues().iter().find(is_lost)?;
        let told = self.told_with_place(issue);
        Some(Error::config(format!("agent {agent} is not known while the agents cannot be read: {told}")))
    }

    /// Refuses what would ask a model server for which a mistake has taken out its section or its keys.
    pub fn check_provider(&self, id: &str) -> Result<()> {
        let keys = |issue: &&Issue| {
            let mut names = issue.path.split('.');
            let section = (names.next(), names.next(), names.next());
            match section {
                (Some("auth"), None | Some("order" | "profiles"), None) => true,
                (Some("auth"), Some("order"), Some(name)) => name == id,
                (Some("auth"), Some("profiles"), Some(name)) => name.split(':').next() == Some(id),
                _ => false,
            }
        };
        let found = self.mistake(&format!("models.providers.{id}"));
        match found.or_else(|| self.issues().iter().find(keys)) {
            None => Ok(()),
            Some(issue) => Err(Error::config(format!("{id} is not asked: {}", self.told_with_place(issue)))),
        }
    }
}

/// Whether a key that is not read was meant to be `$include`: the model may stand in that file.
fn means_include(name: &str) -> bool {
    let name = name.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
    ["include", "includes", "import", "imports"].contains(&name.as_str())
}
