//! Models by name: which the configuration offers, which one a word means, and whether a session may choose it. Pure.
use crate::config::Config;
use crate::env::Env;
use crate::models::catalogue::{allowed, permits};
use crate::models::provider::{BUILTIN, Provider};
use serde_json::Value;

/// The reference that a short name stands for, in any case.
pub fn alias(config: &Config, name: &str) -> Option<String> {
    let is = |entry: &Value| {
        let alias = entry.get("alias").and_then(Value::as_str).map(str::trim).filter(|a| !a.is_empty());
        alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name.trim()))
    };
    allowed(config)?.iter().find(|(_, entry)| is(entry)).map(|(reference, _)| reference.clone())
}

/// Every `provider/model` that the configuration names and allows, sorted.
pub fn catalogue(config: &Config) -> Vec<String> {
    let primary = config.str("agents.defaults.model.primary");
    let mut all: Vec<String> = match allowed(config) {
        Some(models) => models.keys().cloned().collect(),
        None => listed(config),
    };
    all.extend(primary.filter(|p| p.contains('/')).map(str::to_string));
    if all.is_empty() {
        all.push(BUILTIN.to_string());
    }
    crate::order::sort(&mut all);
    all.dedup();
    all
}

/// What the providers' sections list.
fn listed(config: &Config) -> Vec<String> {
    let providers = config.get("models.providers").and_then(Value::as_object).into_iter().flatten();
    let models = |(id, section): (&String, &Value)| -> Vec<String> {
        let models = section.get("models").and_then(Value::as_array).into_iter().flatten();
        models.filter_map(|m| Some(format!("{id}/{}", m.get("id")?.as_str()?))).collect()
    };
    providers.flat_map(models).collect()
}

/// The reference that `word` names: a short name, a `provider/model` of the catalogue, or a model's name that one
/// provider of it has.
pub fn named(config: &Config, word: &str) -> Option<String> {
    if word.is_empty() {
        return None;
    }
    if let Some(reference) = alias(config, word) {
        return Some(reference);
    }
    let is = |reference: &&String| match word.contains('/') {
        true => reference.eq_ignore_ascii_case(word),
        false => reference.split_once('/').is_some_and(|(_, model)| model.eq_ignore_ascii_case(word)),
    };
    let all = catalogue(config);
    let mut found = all.iter().filter(is);
    match (found.next(), found.next()) {
        (Some(reference), None) => Some(reference.clone()),
        _ => None,
    }
}

/// The `provider/model` of a word that a session of an agent with the model `own` may choose, or why it may not.
pub fn choice(config: &Config, env: &Env, word: &str, own: &str) -> Result<String, String> {
    let reference = named(config, word).unwrap_or_else(|| word.to_string());
    if reference.contains(char::is_whitespace) {
        return Err("a model is one word, such as provider/model".to_string());
    }
    let provider = Provider::resolve(config, env, &reference).map_err(|e| e.message().to_string())?;
    let reference = format!("{}/{}", provider.id, provider.model);
    permits(config, &reference, own)
        .then_some(reference)
        .ok_or_else(|| "agents.defaults.models does not list it".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::with_models as config;

    #[test]
    fn names_and_short_names_are_found_and_limited() {
        let open = config("{}");
        assert_eq!(catalogue(&open), ["a/x", "a/y", "b/y"]);
        let check = |config: &Config, word: &str, want: Option<&str>| {
            assert_eq!(named(config, word).as_deref(), want, "{word:?}");
        };
        check(&open, "A/Y", Some("a/y"));
        check(&open, "x", Some("a/x"));
        check(&open, "y", None);
        check(&open, "hello", None);
        check(&open, "a/z", None);
        check(&open, "", None);
        let limited = config("{'b/y': {alias: 'Fast'}, 'b/q.1': {}}");
        assert_eq!(catalogue(&limited), ["a/x", "b/q.1", "b/y"]);
        check(&limited, "fast", Some("b/y"));
        check(&limited, "a/y", None);
        assert_eq!(catalogue(&Config::empty()), [BUILTIN]);
    }

    #[test]
    fn t3_1_a_choice_is_refused_with_the_reason() {
        let open = config("{}");
        let limited = config("{'b/y': {alias: 'Fast'}, 'b/q.1': {}}");
        let env = Env::default();
        assert_eq!(choice(&open, &env, "a/other", "a/x"), Ok("a/other".to_string()));
        assert!(choice(&limited, &env, "a/y", "a/x").unwrap_err().contains("agents.defaults.models"));
        assert_eq!(choice(&limited, &env, "a/y", "a/y"), Ok("a/y".to_string()));
        assert_eq!(choice(&limited, &env, "FAST", "a/x"), Ok("b/y".to_string()));
        assert!(choice(&open, &env, "nope/z", "a/x").unwrap_err().contains("nope"));
    }
}
