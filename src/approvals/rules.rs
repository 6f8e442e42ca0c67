//! What holds for an agent's commands, of the configuration, the call and the file together: the strictest. Pure.
use crate::json::Put;
use serde_json::{Map, Value};

/// Which commands run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Security {
    #[default]
    Deny,
    Allowlist,
    Full,
}

/// When the owner is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    Off,
    OnMiss,
    Always,
}

const SECURITIES: [(&str, Security); 3] =
    [("deny", Security::Deny), ("allowlist", Security::Allowlist), ("full", Security::Full)];
const ASKS: [(&str, Ask); 3] = [("off", Ask::Off), ("on-miss", Ask::OnMiss), ("always", Ask::Always)];

fn parse<T: Copy>(table: &[(&str, T)], text: &str) -> Option<T> {
    table.iter().find(|(name, _)| text.trim().eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

impl Security {
    /// A word that says nothing known forbids.
    pub fn of(value: Option<&Value>) -> Option<Security> {
        value
            .filter(|value| !value.is_null())
            .map(|value| parse(&SECURITIES, value.as_str().unwrap_or("")).unwrap_or_default())
    }

    pub fn name(self) -> &'static str {
        SECURITIES.iter().find(|(_, value)| *value == self).map_or("deny", |(name, _)| name)
    }
}

impl Ask {
    /// A word that says nothing known asks always.
    pub fn of(value: Option<&Value>) -> Option<Ask> {
        value
            .filter(|value| !value.is_null())
            .map(|value| parse(&ASKS, value.as_str().unwrap_or("")).unwrap_or(Ask::Always))
    }

    pub fn name(self) -> &'static str {
        ASKS.iter().find(|(_, value)| *value == self).map_or("always", |(name, _)| name)
    }
}

#[derive(Debug, Clone)]
pub struct Rules {
    pub security: Security,
    pub ask: Ask,
    /// What holds when nobody has answered.
    pub fallback: Security,
    /// Programs by their paths, `*`, `**` and `?` among them.
    pub patterns: Vec<String>,
    /// Whether programs of skills run without asking.
    pub allows_skills: bool,
    /// Commands that the owner has allowed for good: exactly this text, in this directory, on this host.
    grants: Vec<(String, String, String)>,
}

impl Rules {
    /// `wished` are the sections that hold beside the file, the configuration first: each may only be stricter than that.
    pub fn of(file: &Value, agent: &str, wished: &[(Option<&Value>, Option<&Value>)]) -> Rules {
        let first = wished.first();
        let security = first.and_then(|(security, _)| Security::of(*security)).unwrap_or(Security::Allowlist);
        let ask = first.and_then(|(_, ask)| Ask::of(*ask)).unwrap_or(Ask::OnMiss);
        let sections = sections(file, agent);
        let said = |name: &str| {
            sections.iter().find_map(|section| section.get(name)).filter(|value| !value.is_null())
        };
        let calls = wished.iter().skip(1);
        let securities = calls.clone().filter_map(|(security, _)| Security::of(*security));
        let asks = calls.filter_map(|(_, ask)| Ask::of(*ask));
        Rules {
            security: securities.chain(Security::of(said("security"))).fold(security, Ord::min),
            ask: asks.chain(Ask::of(said("ask"))).fold(ask, Ord::max),
            allows_skills: said("autoAllowSkills") == Some(&Value::Bool(true)),
            fallback: Security::of(said("askFallback")).unwrap_or_default(),
            patterns: lists(&sections, "allowlist").filter_map(pattern).map(str::to_string).collect(),
            grants: lists(&sections, "grants").filter_map(grant).collect(),
        }
    }

    /// How many commands the owner has allowed for good.
    pub fn granted(&self) -> usize {
        self.grants.len()
    }

    /// Whether the owner has allowed exactly this for good.
    pub fn grants(&self, command: &str, cwd: &str, host: &str) -> bool {
        self.grants.iter().any(|(c, d, h)| c == command && d == cwd && h == host)
    }
}

/// The agent's own section, that of all agents, the defaults. The original calls the main agent `default` in older files.
fn sections<'f>(file: &'f Value, agent: &str) -> Vec<&'f Value> {
    let agents = file.get("agents");
    let of = |name: &str| agents.and_then(|agents| agents.get(name));
    let older = of("default").filter(|_| agent == "main");
    [of(agent), older, of("*"), file.get("defaults")].into_iter().flatten().collect()
}

pub(super) fn lists<'f>(sections: &[&'f Value], name: &str) -> impl Iterator<Item = &'f Value> {
    let lists: Vec<&Value> = sections.iter().filter_map(|section| section.get(name)).collect();
    lists.into_iter().filter_map(Value::as_array).flatten()
}

/// An entry's pattern; older files have the text alone.
pub fn pattern(entry: &Value) -> Option<&str> {
    entry
        .as_str()
        .or_else(|| entry.get("pattern")?.as_str())
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty())
}

fn grant(entry: &Value) -> Option<(String, String, String)> {
    let text = |name: &str| Some(entry.get(name)?.as_str()?.to_string());
    Some((text("command")?, text("cwd")?, text("host")?))
}

/// The section of an agent, made where there is none.
pub fn section<'f>(file: &'f mut Map<String, Value>, agent: &str) -> Option<&'f mut Map<String, Value>> {
    let mut at = file;
    for name in ["agents", agent] {
        if !at.get(name).is_some_and(Value::is_object) {
            at.put(name, Map::new());
        }
        at = at.get_mut(name)?.as_object_mut()?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(file: Value, agent: &str, config: (&str, &str), call: (&str, &str), want: (&str, &str)) {
        let value = |text: &str| Some(Value::from(text)).filter(|_| !text.is_empty());
        let (a, b, c, d) = (value(config.0), value(config.1), value(call.0), value(call.1));
        let rules = Rules::of(&file, agent, &[(a.as_ref(), b.as_ref()), (c.as_ref(), d.as_ref())]);
        assert_eq!((rules.security.name(), rules.ask.name()), want, "{file} {config:?} {call:?}");
    }

    #[test]
    fn the_strictest_of_all_holds() {
        let none = || json!({"version": 1, "defaults": {}, "agents": {}});
        check(none(), "main", ("", ""), ("", ""), ("allowlist", "on-miss"));
        check(none(), "main", ("full", "off"), ("", ""), ("full", "off"));
        check(none(), "main", ("", ""), ("full", "off"), ("allowlist", "on-miss"));
        check(none(), "main", ("full", "off"), ("deny", "always"), ("deny", "always"));
        let file = || json!({"defaults": {"security": "deny"}, "agents": {"*": {"ask": "always"}, "a": {"security": "full"}}});
        check(file(), "main", ("full", "off"), ("", ""), ("deny", "always"));
        check(file(), "a", ("full", "off"), ("", ""), ("full", "always"));
        check(file(), "a", ("", "off"), ("", ""), ("allowlist", "always"));
        let older = json!({"agents": {"default": {"security": "deny"}}});
        check(older.clone(), "main", ("", ""), ("", ""), ("deny", "on-miss"));
        check(older, "b", ("", ""), ("", ""), ("allowlist", "on-miss"));
        // What says nothing known forbids.
        check(
            json!({"defaults": {"security": 7, "ask": "never"}}),
            "a",
            ("full", "off"),
            ("", ""),
            ("deny", "always"),
        );
    }

    #[test]
    fn a_grant_is_for_that_text_that_place_and_that_host() {
        let file = json!({"agents": {"main": {"grants": [{"command": "ls", "cwd": "/w", "host": "gateway"}, {"command": "x"}],
            "allowlist": ["/usr/bin/ls", {"pattern": "/bin/*", "id": "1"}, {"pattern": " "}, 5]}}});
        let rules = Rules::of(&file, "main", &[]);
        assert!(rules.grants("ls", "/w", "gateway"));
        for (command, cwd, host) in
            [("ls ", "/w", "gateway"), ("ls", "/w/", "gateway"), ("ls", "/w", "node"), ("x", "", "")]
        {
            assert!(!rules.grants(command, cwd, host), "{command} {cwd} {host}");
        }
        assert_eq!(rules.patterns, ["/usr/bin/ls", "/bin/*"]);
    }
}
