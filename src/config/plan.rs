//! What a running gateway does about a changed configuration: a pure function from old and new to a plan.
//!
//! Changed paths are looked up in the table of keys; nothing is decided here beyond that. Pure; any thread. The
//! reloader carries a plan out and logs it, `openclaw config diff --plan` shows it. A plan holds paths, never values.
use super::action::Action;
use super::keys::Reload;
use super::{Config, join, lookup};
use serde_json::Value;
use std::fmt;

/// Changed paths by what they need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The actions to carry out, each once, with the paths that ask for it.
    pub hot: Vec<(Action, Vec<String>)>,
    /// Paths that take effect with an in-process restart only.
    pub restart: Vec<String>,
    /// Paths that are read where they are used: in force at once.
    pub none: Vec<String>,
    /// Paths that nothing in this version reads.
    pub unread: Vec<String>,
}

/// What changing from `old` to `new`, both as they are in force, asks for.
pub fn plan(old: &Config, new: &Config) -> Plan {
    between(&old.inner.loaded.value, &new.inner.loaded.value)
}

/// What is to do for `new`: what needs a restart is in force as it `started`, all else as it was `held` last.
pub fn pending(started: &Config, held: &Config, new: &Config) -> Plan {
    Plan { restart: plan(started, new).restart, ..plan(held, new) }
}

fn between(old: &Value, new: &Value) -> Plan {
    let mut plan = Plan::default();
    compare(Some(old), Some(new), &mut Vec::new(), "", &mut plan);
    plan
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.paths().is_empty()
    }

    /// Whether all that changes, and something does, is without effect in this version.
    pub fn is_idle(&self) -> bool {
        let is_idle = self.hot.iter().all(|(action, _)| !action.is_here());
        is_idle && self.restart.is_empty() && self.none.is_empty() && !self.is_empty()
    }

    /// All changed paths, in the order restart, hot, none, unread.
    pub fn paths(&self) -> Vec<&str> {
        self.restarts("restart").into_iter().chain(self.unread.iter().map(String::as_str)).collect()
    }

    /// The paths that ask for a restart under this `gateway.reload.mode`; what nothing reads never does, such as the
    /// bookkeeping of other programs (R-02a).
    pub fn restarts(&self, mode: &str) -> Vec<&str> {
        let hot = self.hot.iter().flat_map(|(_, paths)| paths);
        let others = hot.chain(&self.none).filter(|_| mode == "restart");
        self.restart.iter().chain(others).map(String::as_str).collect()
    }

    /// One line of what is done under this mode, for the log.
    pub fn told(&self, mode: &str) -> String {
        match mode {
            "off" if !self.is_empty() => some(&self.paths()),
            "restart" => {
                let restart = self.restarts(mode).into_iter().map(str::to_string).collect();
                Plan { restart, unread: self.unread.clone(), ..Plan::default() }.to_string()
            }
            _ => self.to_string(),
        }
    }

    fn add(&mut self, segments: &[&str], path: &str) {
        let paths = match lookup::reload(segments.iter().copied()) {
            Reload::None => &mut self.none,
            Reload::Unread => &mut self.unread,
            Reload::Restart => &mut self.restart,
            Reload::Hot(action) => {
                let at = match self.hot.iter().position(|(name, _)| *name == action) {
                    Some(at) => at,
                    None => {
                        self.hot.push((action, Vec::new()));
                        self.hot.len() - 1
                    }
                };
                match self.hot.get_mut(at) {
                    Some((_, paths)) => paths,
                    None => return,
                }
            }
        };
        paths.push(path.to_string());
    }
}

/// Most paths that are named at a time.
const MOST_NAMED: usize = 10;

/// Paths for one line, which may be thousands.
pub fn some(paths: &[impl AsRef<str>]) -> String {
    let named: Vec<&str> = paths.iter().take(MOST_NAMED).map(AsRef::as_ref).collect();
    match paths.len().saturating_sub(MOST_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Objects are compared member by member, also where one side has none, so that each path meets its own row. A list
/// is one path: its items have no names that would say which of them changed.
fn compare<'v>(
    old: Option<&'v Value>,
    new: Option<&'v Value>,
    segments: &mut Vec<&'v str>,
    path: &str,
    plan: &mut Plan,
) {
    if old == new {
        return;
    }
    let members = |value: Option<&'v Value>| value.and_then(Value::as_object).filter(|map| !map.is_empty());
    let is_branch = |value: Option<&Value>| value.is_none_or(Value::is_object);
    let (before, after) = (members(old), members(new));
    if !is_branch(old) || !is_branch(new) || (before.is_none() && after.is_none()) {
        return plan.add(segments, path);
    }
    let names = before.into_iter().flat_map(|map| map.keys());
    let added = after.into_iter().flat_map(|map| map.keys());
    let added = added.filter(|name| before.is_none_or(|map| !map.contains_key(*name)));
    for name in names.chain(added) {
        let side = |map: Option<&'v serde_json::Map<String, Value>>| map.and_then(|map| map.get(name));
        segments.push(name);
        compare(side(before), side(after), segments, &join(path, name), plan);
        segments.pop();
    }
}

impl fmt::Display for Plan {
    /// One line for the log: `restart (gateway.port); reload logging (logging.level); in force at once (ui)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.restart.is_empty() {
            parts.push(format!("restart ({})", some(&self.restart)));
        }
        for (action, paths) in &self.hot {
            parts.push(format!("{action} ({})", some(paths)));
        }
        for (told, paths) in [("in force at once", &self.none), ("not read in this version", &self.unread)] {
            if !paths.is_empty() {
                parts.push(format!("{told} ({})", some(paths)));
            }
        }
        f.write_str(if parts.is_empty() { "nothing changed" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(old: Value, new: Value) -> String {
        between(&old, &new).to_string()
    }

    #[test]
    fn paths_meet_their_rows() {
        for (old, new, want) in [
            (json!({"a": 1}), json!({"a": 1}), "nothing changed"),
            (json!({}), json!({"gateway": {"port": 1}}), "restart (gateway.port)"),
            (json!({"gateway": {"port": 1}}), json!({}), "restart (gateway.port)"),
            (
                json!({}),
                json!({"gateway": {"auth": {"token": "x", "mode": "token"}}}),
                "restart (gateway.auth.mode); reload secret (gateway.auth.token)",
            ),
            (
                json!({"gateway": {"reload": {"mode": "off"}}, "ui": {}}),
                json!({"gateway": {"remote": {"url": "u"}}, "ui": {"seamColor": "#fff"}}),
                "in force at once (gateway.reload.mode, gateway.remote.url); not read in this version (ui.seamColor)",
            ),
            (
                json!({"agents": {"list": [1]}}),
                json!({"agents": {"list": [2]}}),
                "in force at once (agents.list)",
            ),
            (
                json!({"agents": {"defaults": {"heartbeat": {"every": "1m"}}}}),
                json!({"agents": {"defaults": {"heartbeat": {"every": "2m"}, "timeoutSeconds": 5}}}),
                "noted for heartbeat (agents.defaults.heartbeat.every); in force at once (agents.defaults.timeoutSeconds)",
            ),
            (
                json!({"channels": {"telegram": {"enabled": true}, "slack": {"x": 1}}}),
                json!({"channels": {"telegram": {"enabled": false}}}),
                "noted for channels (channels.telegram.enabled, channels.slack.x)",
            ),
            (json!({"x": 1}), json!({"x": {"y": 1}}), "not read in this version (x)"),
            (
                json!({}),
                json!({"models": {"providers": {"a.b": {}}}}),
                "in force at once (models.providers.a.b)",
            ),
        ] {
            assert_eq!(shown(old.clone(), new.clone()), want, "{old} {new}");
        }
    }

    #[test]
    fn r_02a_bookkeeping_never_restarts() {
        let stamp = json!({"meta": {"lastTouchedAt": "x", "any": {"thing": 1}}, "wizard": {"lastRunAt": "y", "z": 1}});
        for (old, new) in [(json!({}), stamp.clone()), (stamp, json!({}))] {
            let plan = between(&old, &new);
            assert!(plan.is_idle() && plan.unread.len() == 4, "{plan:?}");
        }
    }

    /// An action is listed once however many paths ask for it, and every path is listed somewhere.
    #[test]
    fn every_path_is_in_the_plan_once() {
        let plan = between(
            &json!({}),
            &json!({"cron": {"enabled": true, "maxConcurrentRuns": 2}, "env": {"A": "x"}, "ui": 1}),
        );
        assert_eq!(
            plan.hot,
            [(Action::Cron, vec!["cron.enabled".to_string(), "cron.maxConcurrentRuns".to_string()])]
        );
        assert_eq!(plan.paths(), ["env.A", "cron.enabled", "cron.maxConcurrentRuns", "ui"]);
        assert_eq!(plan.told("off"), "env.A, cron.enabled, cron.maxConcurrentRuns, ui");
        assert_eq!(plan.told("restart"), "restart (env.A, cron.enabled, cron.maxConcurrentRuns, ui)");
        assert_eq!((plan.restarts("hybrid"), plan.restarts("restart").len()), (vec!["env.A"], 4));
        let stamp = between(&json!({}), &json!({"meta": {"lastTouchedAt": "x"}}));
        assert!(stamp.restarts("restart").is_empty(), "R-02a");
    }
}
