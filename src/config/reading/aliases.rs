//! Short names that two models bear. Pure; any thread.
use crate::config::{Issue, join};
use serde_json::Value;

/// Warnings: an alias stands for another model already, which is the one that is taken.
pub fn doubled(whole: &Value) -> Vec<Issue> {
    let at = "agents.defaults.models";
    let models = whole.pointer("/agents/defaults/models").and_then(Value::as_object).into_iter().flatten();
    let named = models.filter_map(|(model, entry)| {
        let alias = entry.get("alias").and_then(Value::as_str).map(str::trim);
        Some((model, alias.filter(|alias| !alias.is_empty())?))
    });
    let (mut known, mut found) = (Vec::<(&String, &str)>::new(), Vec::new());
    for (model, alias) in named {
        match known.iter().find(|(_, other)| other.eq_ignore_ascii_case(alias)) {
            None => known.push((model, alias)),
            Some((first, _)) => {
                let path = join(&join(at, model), "alias");
                let what =
                    format!("{alias:?} stands for {first} already, which is taken; choose another name");
                found.push(Issue::new(path, what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn n_11_an_alias_of_two_models_is_told() {
        let models =
            json!({"a/x": {"alias": "fast"}, "a/y": {"alias": "Fast"}, "a/z": {}, "a/w": {"alias": ""}});
        let found = doubled(&json!({"agents": {"defaults": {"models": models}}}));
        let told: Vec<String> =
            found.iter().map(|issue| format!("{} {}", issue.path, issue.message)).collect();
        let want = "agents.defaults.models.a/y.alias \"Fast\" stands for a/x already, which is taken; choose another name";
        assert_eq!(told, [want]);
    }
}
