//! What `sessions.patch` does to an entry: which members may be set to what, and what clears them. Pure; the
//! parameters have passed the method's schema. `model` is not handled here, because resolving it needs the
//! catalogue: the caller sets `providerOverride` and `modelOverride`.
use crate::error::{Error, Result};
use crate::sessions::entry::Entry;
use crate::sessions::index::Index;
use serde_json::{Map, Value};

/// A member with a closed set of values. `deletes` is the value that clears it as `null` does.
struct Toggle {
    name: &'static str,
    values: &'static [&'static str],
    deletes: &'static str,
    hint: &'static str,
}

const fn toggle(
    name: &'static str,
    values: &'static [&'static str],
    deletes: &'static str,
    hint: &'static str,
) -> Toggle {
    Toggle { name, values, deletes, hint }
}

const TOGGLES: [Toggle; 10] = [
    toggle(
        "thinkingLevel",
        &["off", "minimal", "low", "medium", "high", "xhigh"],
        "off",
        "use off|minimal|low|medium|high",
    ),
    toggle("verboseLevel", &["on", "off", "full"], "", r#"use "on"|"off""#),
    toggle("reasoningLevel", &["on", "off", "stream"], "off", r#"use "on"|"off"|"stream""#),
    toggle("responseUsage", &["off", "tokens", "full", "on"], "off", r#"use "off"|"tokens"|"full""#),
    toggle("elevatedLevel", &["on", "off", "ask", "full"], "", r#"use "on"|"off"|"ask"|"full""#),
    toggle("execHost", &["sandbox", "gateway", "node"], "", r#"use "sandbox"|"gateway"|"node""#),
    toggle("execSecurity", &["deny", "allowlist", "full"], "", r#"use "deny"|"allowlist"|"full""#),
    toggle("execAsk", &["off", "on-miss", "always"], "", r#"use "off"|"on-miss"|"always""#),
    toggle("sendPolicy", &["allow", "deny"], "", r#"use "allow"|"deny""#),
    toggle("groupActivation", &["mention", "always"], "", r#"use "mention"|"always""#),
];

/// The entry of `key` (canonical) after the patch, with `updatedAt` set to `now`; a session that is missing is
/// made with `new_session_id`. Refuses the whole patch when one member does not fit.
pub fn apply(
    index: &Index,
    key: &str,
    params: &Map<String, Value>,
    new_session_id: &str,
    now: u64,
) -> Result<Entry> {
    let mut entry = index.get(key).map_or_else(|| Entry::new(new_session_id, now), |kept| kept.open());
    if entry.session_id().is_none() {
        entry.set("sessionId", new_session_id);
    }
    entry.set("updatedAt", entry.updated_at().max(now));
    for toggle in &TOGGLES {
        if let Some(value) = params.get(toggle.name) {
            set_toggle(&mut entry, toggle, value)?;
        }
    }
    if let Some(label) = params.get("label") {
        set_label(index, key, &mut entry, label)?;
    }
    if let Some(node) = params.get("execNode") {
        set_or_clear(&mut entry, "execNode", node)
            .ok_or_else(|| Error::invalid("invalid execNode: empty"))?;
    }
    if let Some(parent) = params.get("spawnedBy") {
        set_spawned_by(key, &mut entry, parent)?;
    }
    Ok(entry)
}

fn set_toggle(entry: &mut Entry, toggle: &Toggle, value: &Value) -> Result<()> {
    let text = value.as_str().map(|text| text.trim().to_lowercase());
    match text.as_deref() {
        None if value.is_null() => drop(entry.remove(toggle.name)),
        Some(text) if text == toggle.deletes => drop(entry.remove(toggle.name)),
        Some("on") if toggle.name == "responseUsage" => entry.set(toggle.name, "tokens"),
        Some(text) if toggle.values.contains(&text) => entry.set(toggle.name, text),
        _ => return Err(Error::invalid(format!("invalid {} ({})", toggle.name, toggle.hint))),
    }
    Ok(())
}

fn set_label(index: &Index, key: &str, entry: &mut Entry, value: &Value) -> Result<()> {
    let label = value.as_str().map(str::trim);
    if let Some(label) =
        label.filter(|l| index.iter().any(|kept| kept.key() != key && kept.label() == Some(*l)))
    {
        return Err(Error::invalid(format!("label already in use: {label}")));
    }
    let fits = label.is_none_or(|l| l.chars().count() <= 64);
    let set = if fits { set_or_clear(entry, "label", value) } else { None };
    set.ok_or_else(|| Error::invalid("invalid label: use 1 to 64 characters"))
}

/// Sets the trimmed text, or clears the member for `null`; `None` for anything else.
fn set_or_clear(entry: &mut Entry, name: &str, value: &Value) -> Option<()> {
    if value.is_null() {
        entry.remove(name);
        return Some(());
    }
    entry.set(name, value.as_str().map(str::trim).filter(|text| !text.is_empty())?);
    Some(())
}

fn set_spawned_by(key: &str, entry: &mut Entry, value: &Value) -> Result<()> {
    let present = entry.str("spawnedBy").map(str::to_string);
    let wanted = value.as_str().map(str::trim);
    let refused = match (&present, wanted) {
        (Some(_), None) => "spawnedBy cannot be cleared once set",
        (None, None) => return Ok(()),
        _ if !key.contains(":subagent:") => "spawnedBy is only supported for subagent:* sessions",
        (Some(present), Some(wanted)) if present != wanted => "spawnedBy cannot be changed once set",
        (_, Some("")) => "invalid spawnedBy: empty",
        (_, Some(wanted)) => {
            entry.set("spawnedBy", wanted);
            return Ok(());
        }
    };
    Err(Error::invalid(refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn patched(index: &Index, key: &str, patch: Value) -> std::result::Result<Value, String> {
        let entry = apply(index, key, patch.as_object().unwrap(), "new-id", 9)
            .map_err(|e| e.message().to_string())?;
        Ok(entry.to_value())
    }

    #[test]
    fn members_are_set_cleared_and_refused() {
        let mut index = Index::empty(Path::new("/d/sessions.json"));
        let mut entry = Entry::new("id", 1);
        entry.set("label", "taken");
        index.put("agent:main:a", &entry);
        let key = "agent:main:main";
        let check = |patch: Value, want: Value| {
            let mut got = patched(&index, key, patch).unwrap();
            got.as_object_mut().unwrap().retain(|name, _| name != "sessionId" && name != "updatedAt");
            assert_eq!(got, want);
        };
        check(
            json!({"thinkingLevel": "HIGH", "verboseLevel": "off"}),
            json!({"thinkingLevel": "high", "verboseLevel": "off"}),
        );
        check(json!({"thinkingLevel": "off", "reasoningLevel": null}), json!({}));
        check(
            json!({"responseUsage": "on", "label": " x "}),
            json!({"responseUsage": "tokens", "label": "x"}),
        );
        let refused =
            |key: &str, patch: Value, want: &str| assert_eq!(patched(&index, key, patch).unwrap_err(), want);
        refused(
            key,
            json!({"thinkingLevel": "max"}),
            "invalid thinkingLevel (use off|minimal|low|medium|high)",
        );
        refused(key, json!({"label": "taken"}), "label already in use: taken");
        refused(key, json!({"execNode": " "}), "invalid execNode: empty");
        refused(key, json!({"spawnedBy": "x"}), "spawnedBy is only supported for subagent:* sessions");
        assert!(patched(&index, "agent:main:a", json!({"label": "taken"})).is_ok());
        let child =
            patched(&index, "agent:main:subagent:1", json!({"spawnedBy": "agent:main:main"})).unwrap();
        assert_eq!((&child["spawnedBy"], &child["sessionId"]), (&json!("agent:main:main"), &json!("new-id")));
    }
}
