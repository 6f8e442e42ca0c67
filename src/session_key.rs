//! Session keys: the canonical form `agent:<agentId>:<rest>`, all lower-case, and what can be read from it.
//!
//! Pure text. A key is never used as a path; only the agent id in it names a directory, and that is
//! normalised to `[a-z0-9_-]` here.
use crate::error::{Error, Result};
use serde_json::Value;

/// The longest key accepted, in bytes.
const MAX_KEY: usize = 256;
const DEFAULT_AGENT: &str = "main";

/// What the configuration says about keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRules {
    /// The agent that owns keys which name none.
    pub default_agent: String,
    /// `session.mainKey`; empty counts as `main`.
    pub main_key: String,
    /// `session.scope: "global"`: every main session is the one session `global`.
    pub global: bool,
}

impl Default for KeyRules {
    fn default() -> KeyRules {
        KeyRules { default_agent: DEFAULT_AGENT.into(), main_key: "main".into(), global: false }
    }
}

impl KeyRules {
    /// The agent that owns a canonical key.
    pub fn owner<'k>(&'k self, key: &'k str) -> &'k str {
        match key {
            "global" | "unknown" => &self.default_agent,
            _ => agent_of(key),
        }
    }

    /// The canonical key for one given by a client. Fails on an empty or over-long key, one with control
    /// characters, and an `agent:` key that names no session.
    pub fn canonical(&self, raw: &str) -> Result<String> {
        let key = raw.trim().to_lowercase();
        if key.is_empty() {
            return Err(Error::invalid("session key is empty, give one such as \"main\""));
        }
        if key.len() > MAX_KEY {
            return Err(Error::invalid(format!(
                "session key is {} bytes long, at most {MAX_KEY} fit",
                key.len()
            )));
        }
        if key.chars().any(char::is_control) {
            return Err(Error::invalid("session key holds control characters, remove them"));
        }
        if key == "global" || key == "unknown" {
            return Ok(key);
        }
        let (agent, rest) = match key.strip_prefix("agent:") {
            Some(named) => match named.split_once(':') {
                Some((agent, rest)) if !agent.trim().is_empty() && !rest.trim_matches(':').is_empty() => {
                    (agent, rest)
                }
                _ => {
                    return Err(Error::invalid(
                        "session key starts with \"agent:\" but is not agent:<id>:<name>",
                    ));
                }
            },
            None => (self.default_agent.as_str(), key.as_str()),
        };
        // Nobody's conversation is not the default agent's.
        let agent = agent_id(agent).ok_or_else(|| {
            Error::invalid("session key names no agent: an id has letters or digits, as in agent:main:main")
        })?;
        if rest != "main" && rest != self.main_name() {
            return Ok(format!("agent:{agent}:{}", with_direct(rest)));
        }
        Ok(self.main_of(&agent))
    }

    /// The canonical key of the default agent's main session.
    pub fn main(&self) -> String {
        self.main_of(&self.default_agent)
    }

    /// The canonical key of an agent's main session.
    pub fn main_of(&self, agent: &str) -> String {
        if self.global {
            return "global".into();
        }
        format!("agent:{}:{}", normalise_agent_id(agent), self.main_name())
    }

    fn main_name(&self) -> String {
        let name = self.main_key.trim().to_lowercase();
        if name.is_empty() { "main".into() } else { name }
    }
}

/// Direct chats are `[<channel>:[<account>:]]direct:<peer>`; the manuals write `dm` for `direct`.
fn with_direct(rest: &str) -> String {
    const OTHERS: [&str; 7] = ["direct", "group", "channel", "cron", "hook", "subagent", "acp"];
    let mut parts: Vec<&str> = rest.splitn(4, ':').collect();
    let before = parts.len().saturating_sub(1).min(3);
    let at = parts.iter().take(before).position(|part| *part == "dm" || OTHERS.contains(part));
    if let Some(part) = at.and_then(|at| parts.get_mut(at)).filter(|part| **part == "dm") {
        *part = "direct";
    }
    parts.join(":")
}

/// The key of a conversation that a client began under an id of its own choice, as the Node program makes it.
pub fn of_chosen_id(agent: &str, id: &str) -> String {
    format!("agent:{agent}:explicit:{}", id.to_lowercase())
}

/// The same where that key is another's, whose id differs by case alone: which letters are capitals tells them apart.
pub fn apart(key: &str, id: &str) -> String {
    let capitals = id.bytes().fold(0_u128, |bits, byte| bits << 1 | u128::from(byte.is_ascii_uppercase()));
    format!("{key}~{capitals:x}")
}

/// The agent a canonical key belongs to; `main` for a key that names none, or none that may name a directory.
pub fn agent_of(key: &str) -> &str {
    let agent = key.strip_prefix("agent:").and_then(|named| named.split_once(':')).map(|(agent, _)| agent);
    agent.filter(|agent| normalise_agent_id(agent) == *agent).unwrap_or(DEFAULT_AGENT)
}

/// The same where a name that names nobody stands for the default agent: never empty.
pub fn normalise_agent_id(raw: &str) -> String {
    agent_id(raw).unwrap_or_else(|| DEFAULT_AGENT.into())
}

/// Lower-case `[a-z0-9_-]`, anything else as `-`, no `-` at either end, at most 64 long; `None` when nothing is left.
pub fn agent_id(raw: &str) -> Option<String> {
    let lower = raw.trim().to_lowercase();
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' };
    let mapped: String = lower.chars().map(plain).collect();
    let cut: String = mapped.trim_matches('-').chars().take(64).collect();
    let id = cut.trim_end_matches('-');
    (!id.is_empty()).then(|| id.into())
}

/// `direct`, `group`, `global` or `unknown`, as far as the key alone tells.
pub fn kind_of(key: &str) -> &'static str {
    match key {
        "global" => "global",
        "unknown" => "unknown",
        _ if key.contains(":group:") || key.contains(":channel:") || key.starts_with("group:") => "group",
        _ => "direct",
    }
}

/// The normalised id of an entry of `agents.list`.
pub fn id_of(agent: &Value) -> Option<String> {
    agent.get("id").and_then(Value::as_str).map(normalise_agent_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_canonical() {
        let check = |rules: &KeyRules, raw: &str, want: &str| {
            assert_eq!(rules.canonical(raw).unwrap(), want, "{raw}")
        };
        let plain = KeyRules::default();
        check(&plain, "main", "agent:main:main");
        check(&plain, " NewOne ", "agent:main:newone");
        check(&plain, "global", "global");
        check(&plain, "Agent:Work:Telegram:group:-5", "agent:work:telegram:group:-5");
        check(&plain, "agent:../../etc:x", "agent:etc:x");
        for (dm, direct) in [
            ("dm:5", "direct:5"),
            ("telegram:dm:5", "telegram:direct:5"),
            ("telegram:work:dm:5:thread:1", "telegram:work:direct:5:thread:1"),
            ("telegram:direct:dm:5", "telegram:direct:dm:5"),
            ("telegram:group:dm:5", "telegram:group:dm:5"),
            ("a:b:c:dm:5", "a:b:c:dm:5"),
            ("cron:dm:run:x", "cron:dm:run:x"),
            ("dm", "dm"),
        ] {
            check(&plain, dm, &format!("agent:main:{direct}"));
        }
        let home = KeyRules { default_agent: "Ops".into(), main_key: "Home".into(), global: false };
        check(&home, "main", "agent:ops:home");
        check(&home, "home", "agent:ops:home");
        check(&home, "agent:b:main", "agent:b:home");
        assert_eq!(home.main(), "agent:ops:home");
        let global = KeyRules { global: true, ..KeyRules::default() };
        check(&global, "agent:x:main", "global");
        check(&global, "other", "agent:main:other");
        // Canonical keys stay as they are.
        for rules in [&plain, &home, &global] {
            for raw in ["main", "x", "agent:q:r:s", "unknown", "dm:dm:5", "a:dm:dm:5"] {
                let once = rules.canonical(raw).unwrap();
                assert_eq!(rules.canonical(&once).unwrap(), once);
            }
        }
    }

    #[test]
    fn hostile_keys_are_refused() {
        let long = "x".repeat(257);
        for raw in [
            "",
            "  ",
            "a\0b",
            "a\u{7f}",
            "agent:",
            "agent:x",
            "agent::x",
            "agent:x:",
            "agent:!!:main",
            "agent:日本:x",
            &long,
        ] {
            let error = KeyRules::default().canonical(raw).unwrap_err();
            assert!(error.message().contains("session key"), "{raw:?}: {error}");
        }
        assert!(KeyRules::default().canonical(&"x".repeat(256)).is_ok());
    }

    /// SEC-22: a name of which nothing is left is nobody's, though it stands for the default agent where one is needed.
    #[test]
    fn sec_22_names_that_name_nobody_are_none() {
        for nobody in ["", " ", "*", "!!", "/", "日本", "--"] {
            assert_eq!(
                (agent_id(nobody), normalise_agent_id(nobody)),
                (None, DEFAULT_AGENT.to_string()),
                "{nobody}"
            );
        }
        assert_eq!(agent_id(" Ops Team! ").as_deref(), Some("ops-team"));
    }

    #[test]
    fn agents_and_kinds() {
        assert_eq!(agent_of("agent:work:main"), "work");
        assert_eq!(agent_of("agent:..:main"), "main");
        assert_eq!(agent_of("global"), "main");
        assert_eq!(normalise_agent_id("../Ä b/"), "b");
        assert_eq!(normalise_agent_id("--"), "main");
        assert_eq!(normalise_agent_id(&format!("{}-x", "a".repeat(63))), "a".repeat(63));
        assert_eq!(kind_of("agent:main:telegram:group:1"), "group");
        assert_eq!(kind_of("agent:main:main"), "direct");
    }
}
