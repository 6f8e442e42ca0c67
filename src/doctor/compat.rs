//! What would be in the way of going back to the original program. Only looks.
use super::{Ctx, Finding};
use crate::config::{Issue, legacy_place};
use serde_json::Value;

/// Keys that are new here, with all below them; `*` is any name or place of a list.
pub const NEW_KEYS: [&str; 11] = [
    "gateway.auth.passwordFile",
    "gateway.auth.rateLimit",
    "gateway.auth.tokenFile",
    "gateway.limits",
    "logging.maxFileBytes",
    "models.providers.*.apiKeyFile",
    "models.providers.*.models.*.compat.supportsTools",
    "models.providers.*.retries",
    "models.providers.*.timeouts",
    "session.maintenance",
    "tools.web.fetch.allowHosts",
];

/// Keys that the original refuses to start with: those that are new here, and those that nobody knows.
pub fn keys(ctx: &Ctx) -> Vec<Finding> {
    let mut found = Vec::new();
    for key in NEW_KEYS {
        let parts: Vec<&str> = key.split('.').collect();
        written(ctx.config.whole(), &parts, String::new(), &mut found);
    }
    let is_unknown = |issue: &&Issue| issue.is_unread() && legacy_place(&issue.path).is_none();
    found.extend(ctx.config.warnings().iter().filter(is_unknown).map(|issue| issue.path.clone()));
    let finding = |path: String| {
        Finding::new(format!("{path}: the original program does not start with it"))
            .at(&ctx.env.config_path)
            .remedy(format!("before you go back to it: {}", ctx.env.command(&format!("config unset {path}"))))
    };
    found.into_iter().map(finding).collect()
}

/// What the original wants of a provider and of each of its models, and this program can do without.
pub fn models(ctx: &Ctx) -> Vec<Finding> {
    let providers = ctx.config.whole().pointer("/models/providers").and_then(Value::as_object);
    let mut missing = Vec::new();
    for (name, provider) in providers.into_iter().flatten() {
        let at = crate::config::join("models.providers", name);
        if provider.get("baseUrl").is_none() {
            missing.push((format!("{at}.baseUrl"), "<address>"));
        }
        let models = provider.get("models").and_then(Value::as_array);
        if models.is_none() {
            missing.push((format!("{at}.models"), "'[]'"));
        }
        let unnamed =
            models.into_iter().flatten().enumerate().filter(|(_, model)| model.get("name").is_none());
        missing.extend(unnamed.map(|(n, _)| (format!("{at}.models.{n}.name"), "<name>")));
    }
    let finding = |(path, value): (String, &str)| {
        Finding::new(format!("{path} is not set: the original program does not start without it"))
            .at(&ctx.env.config_path)
            .remedy(format!(
                "before you go back to it: {}",
                ctx.env.command(&format!("config set {path} {value}"))
            ))
    };
    missing.into_iter().map(finding).collect()
}

/// The places that are set of those that `parts` name below `value`.
fn written(value: &Value, parts: &[&str], at: String, found: &mut Vec<String>) {
    let Some((part, rest)) = parts.split_first() else { return found.push(at) };
    let mut go = |name: &str, value: &Value| {
        let at = if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
        written(value, rest, at, found);
    };
    match value {
        Value::Object(map) if *part == "*" => map.iter().for_each(|(name, value)| go(name, value)),
        Value::Array(items) if *part == "*" => {
            items.iter().enumerate().for_each(|(n, value)| go(&n.to_string(), value));
        }
        value => {
            if let Some(value) = value.get(part) {
                go(part, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use crate::doctor::testing;

    #[test]
    fn what_only_the_original_wants_of_models_is_named() {
        let dir = Dir::new();
        dir.write("openclaw.json",
            r#"{"models": {"providers": {"a": {"baseUrl": "http://127.0.0.1:1/v1", "models": [{"id": "x", "name": "X"}, {"id": "y"}]}, "b": {}}}}"#,
        );
        let found: Vec<String> =
            testing::found(&dir, &[], "compat.models").into_iter().map(|(_, detail)| detail).collect();
        let named = |path: &str| found.iter().any(|detail| detail.starts_with(path));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            ["a.models.1.name", "b.baseUrl", "b.models"]
                .iter()
                .all(|p| named(&format!("models.providers.{p} ")))
        );
    }

    /// COMPATIBILITY.md says it to people.
    #[test]
    fn the_document_names_the_same_keys() {
        let text = include_str!("../../COMPATIBILITY.md");
        let (_, list) = text.split_once("\nKeys that are new here: ").unwrap();
        let list = list.split_once("The original program refuses").unwrap().0;
        for key in NEW_KEYS {
            let end = key.rsplit('.').next().unwrap();
            assert!(list.contains(end), "{key}");
        }
        let named = list.split('`').skip(1).step_by(2).map(|name| name.split('.').next_back().unwrap());
        let is_known = |name: &str| NEW_KEYS.iter().any(|key| key.contains(name));
        for name in named.filter(|name| name.chars().all(char::is_alphanumeric) && *name != "toolRounds") {
            assert!(is_known(name), "{name}");
        }
    }
}
