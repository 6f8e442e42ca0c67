//! How far the rules may be widened over the wire: an administrator lists single programs and makes rules stricter; what
//! would let in commands that nobody has read is for who sits at the gateway's machine. Pure.
use super::rules::{Ask, Security, lists, pattern};
use crate::error::{Error, Result};
use crate::logging::quoted;
use serde_json::{Map, Value};

/// Refuses a change that widens more than that; what was so before may stay.
pub fn check(old: &Map<String, Value>, new: &Map<String, Value>) -> Result<()> {
    let agents = |file: &Map<String, Value>| {
        file.get("agents").and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (before, after) = (agents(old), agents(new));
    judge("defaults", None, old.get("defaults"), new.get("defaults"))?;
    for id in before.keys().filter(|id| !after.contains_key(*id)).chain(after.keys()) {
        judge(&format!("agents.{id}"), Some(id), before.get(id), after.get(id))?;
    }
    Ok(())
}

fn judge(place: &str, agent: Option<&str>, before: Option<&Value>, after: Option<&Value>) -> Result<()> {
    for name in ["security", "ask", "askFallback"] {
        if is_wider(name, before.and_then(|it| it.get(name)), after.and_then(|it| it.get(name))) {
            let what = format!("{place}.{name} would let more commands run");
            return refused(&what, "openclaw approvals set --file <file>");
        }
    }
    let (before, after) = (before.as_slice(), after.as_slice());
    let known: Vec<&str> = lists(before, "allowlist").filter_map(pattern).collect();
    let is_wide = |it: &&str| it.contains(['*', '?', '[', '{']) && !known.contains(it);
    if let Some(wide) = lists(after, "allowlist").filter_map(pattern).find(is_wide) {
        let whose = agent.map_or(String::new(), |id| format!(" --agent {id}"));
        let what = format!("{place}.allowlist: {} stands for any number of programs", quoted(wide));
        return refused(&what, &format!("openclaw approvals allowlist add '{wide}'{whose}"));
    }
    match lists(after, "grants").all(|grant| lists(before, "grants").any(|known| known == grant)) {
        true => Ok(()),
        false => refused(
            &format!("{place}.grants are made by answering a command that waits"),
            "openclaw approvals set --file <file>",
        ),
    }
}

/// The widest word is not said anew. Nor is a stricter one taken away: where the file says nothing the configuration
/// holds alone, but for commands that nobody has answered, which are refused then.
fn is_wider(name: &str, before: Option<&Value>, after: Option<&Value>) -> bool {
    let is_widest = |it: &Value| match name {
        "ask" => Ask::of(Some(it)) == Some(Ask::Off),
        _ => Security::of(Some(it)) == Some(Security::Full),
    };
    match after.filter(|it| !it.is_null()) {
        Some(after) => before != Some(after) && is_widest(after),
        None => name != "askFallback" && before.is_some_and(|it| !it.is_null() && !is_widest(it)),
    }
}

fn refused(what: &str, how: &str) -> Result<()> {
    let text = format!(
        "exec approvals: {what}, which is not done over the wire: on the machine whose rules these are, {how}"
    );
    Err(Error::invalid(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(old: Value, new: Value) -> String {
        let map = |value: Value| value.as_object().cloned().unwrap();
        check(&map(old), &map(new)).err().map(|e| e.message().to_string()).unwrap_or_default()
    }

    #[test]
    fn s_h1_rules_are_made_stricter_over_the_wire_and_single_programs_listed() {
        let agent = |section: Value| json!({"defaults": {}, "agents": {"main": section}});
        for (old, new, want) in [
            (
                json!({}),
                json!({"allowlist": [{"pattern": "/usr/bin/uptime"}], "security": "deny", "ask": "always"}),
                "",
            ),
            (
                json!({"allowlist": ["/usr/bin/**"], "security": "full", "ask": "off"}),
                json!({"allowlist": [{"pattern": "/usr/bin/**", "id": "1"}], "security": "full", "ask": "off"}),
                "",
            ),
            (json!({"grants": [{"command": "ls"}]}), json!({"grants": [{"command": "ls"}]}), ""),
            (json!({"security": "deny"}), json!({"security": "allowlist", "askFallback": "allowlist"}), ""),
            (json!({}), json!({"allowlist": [{"pattern": "/usr/bin/**"}]}), "agents.main.allowlist: "),
            (json!({}), json!({"allowlist": ["/usr/bin/ls?"]}), "agents.main.allowlist: "),
            (json!({}), json!({"security": "full"}), "agents.main.security "),
            (json!({"security": "deny"}), json!({}), "agents.main.security "),
            (json!({"ask": "always"}), json!({"ask": "off"}), "agents.main.ask "),
            (json!({}), json!({"askFallback": "full"}), "agents.main.askFallback "),
            (
                json!({}),
                json!({"grants": [{"command": "ls", "cwd": "/", "host": "gateway"}]}),
                "agents.main.grants ",
            ),
        ] {
            let told = told(agent(old.clone()), agent(new.clone()));
            let begins = format!("exec approvals: {want}");
            assert!(
                told.is_empty() == want.is_empty() && (want.is_empty() || told.starts_with(&begins)),
                "{old} {new}: {told}"
            );
        }
        // An agent or defaults that are taken away are stricter rules taken away.
        assert!(
            told(json!({"agents": {"a": {"security": "deny"}}}), json!({"agents": {}})).contains("agents.a")
        );
    }
}
