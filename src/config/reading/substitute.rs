//! `${NAME}` in the configuration's texts, and the `env` block that can supply names.
//!
//! Runs on the thread that loads; reads variables through `Env` only. A name that is not set is an error at
//! its key, never literal text (R-06d).
use crate::config::{Issue, join, redact};
use crate::env::Env;
use crate::parts::Parts;
use serde_json::Value;

/// How the mistake is told that a variable is not set.
pub const UNSET: &str = "environment variable ";

/// Puts the variables of the `env` block where the environment lacks them. A value may itself name variables;
/// one that cannot be filled in is left out here and reported by `resolve`.
pub fn export_env(config: &Value, env: &mut Env) {
    let Some(block) = config.get("env").and_then(Value::as_object) else { return };
    let vars = block.get("vars").and_then(Value::as_object).into_iter().flatten();
    let direct = block.iter().filter(|(name, _)| *name != "vars" && *name != "shellEnv");
    for (name, value) in vars.chain(direct) {
        let Some(text) = value.as_str() else { continue };
        let mut used = Vec::new();
        if let Ok(text) = fill(text, env, &mut used) {
            env.add_missing([(name.clone(), text)]);
        }
    }
}

/// Fills in all texts of `value`. Values of variables whose names look like secrets are added to `secrets`, so
/// that they stay hidden whatever key they were used in.
pub fn resolve(value: &mut Value, at: &str, env: &Env, secrets: &mut Vec<String>, issues: &mut Vec<Issue>) {
    match value {
        Value::String(text) if text.contains("${") => match fill(text, env, secrets) {
            Ok(filled) => *text = filled,
            Err(name) => issues.push(Issue::new(
                at,
                format!("{UNSET}\"{name}\" is not set; set it, or write the value in place of ${{{name}}}"),
            )),
        },
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                resolve(item, &join(at, &i.to_string()), env, secrets, issues);
            }
        }
        Value::Object(map) => {
            for (key, item) in map.iter_mut() {
                resolve(item, &join(at, key), env, secrets, issues);
            }
        }
        _ => {}
    }
}

/// The text with its variables filled in, or the first name that is not set.
fn fill(text: &str, env: &Env, secrets: &mut Vec<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        let Some(name) = name_of(from) else {
            out.push_str(before);
            out.push_str("${");
            rest = from.tail(2);
            continue;
        };
        match before.strip_suffix('$') {
            // `$${NAME}` is how a literal `${NAME}` is written.
            Some(before) => {
                out.push_str(before);
                out.push_str(&format!("${{{name}}}"));
            }
            None => {
                let value = env.var(name).ok_or_else(|| name.to_string())?;
                if redact::is_secret_name(name) {
                    secrets.push(value.to_string());
                }
                out.push_str(before);
                out.push_str(value);
            }
        }
        rest = from.tail(name.len() + 3);
    }
    out.push_str(rest);
    Ok(out)
}

/// The names that `fill` would fill in.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    let places = text.match_indices("${");
    places
        .filter(|(at, _)| !text.get(..*at).is_some_and(|before| before.ends_with('$')))
        .filter_map(|(at, _)| name_of(text.get(at..)?))
}

/// `NAME` of a text that starts with `${NAME}`.
fn name_of(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.split_once('}')?.0;
    let starts = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    let fits = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    (starts && fits).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn env() -> Env {
        let vars = [("HOME", "/h"), ("A", "1"), ("B_2", "two"), ("BLANK", ""), ("MY_TOKEN", "hush")];
        Env::from_vars(vars.map(|(k, v)| (k.to_string(), v.to_string())), None).unwrap()
    }

    #[test]
    fn texts_are_filled_in() {
        for (text, want) in [
            ("${A}", Ok("1")),
            ("x${A}-${B_2}y", Ok("x1-twoy")),
            ("$${A} ${A}", Ok("${A} 1")),
            ("${lower} $A ${} ${A", Ok("${lower} $A ${} ${A")),
            ("${${A}", Ok("${1")),
            ("${NOPE}", Err("NOPE")),
            ("${BLANK}", Err("BLANK")),
        ] {
            let got = fill(text, &env(), &mut Vec::new());
            assert_eq!(got, want.map(str::to_string).map_err(str::to_string), "{text}");
        }
    }

    #[test]
    fn r_06d_an_unset_variable_names_itself_and_its_key() {
        let mut value = json!({"gateway": {"auth": {"token": "${NOPE}"}}, "l": ["${MY_TOKEN}"]});
        let (mut secrets, mut issues) = (Vec::new(), Vec::new());
        resolve(&mut value, "", &env(), &mut secrets, &mut issues);
        assert_eq!(issues.len(), 1);
        assert_eq!(issues[0].path, "gateway.auth.token");
        assert!(issues[0].message.contains("\"NOPE\""), "{}", issues[0].message);
        assert_eq!(value["l"][0], "hush");
        assert_eq!(secrets, ["hush"]);
    }

    #[test]
    fn the_env_block_supplies_names_and_never_overrides() {
        let mut env = env();
        export_env(
            &json!({"env": {"vars": {"A": "9", "C": "${A}c"}, "D": "d", "E": "${NOPE}", "shellEnv": {}}}),
            &mut env,
        );
        let got = ["A", "C", "D", "E"].map(|name| env.var(name).map(str::to_string));
        assert_eq!(got, [Some("1".into()), Some("1c".into()), Some("d".into()), None]);
    }
}
