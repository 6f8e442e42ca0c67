//! Values that do not fit and plainly mean one that does: `"600"`, `"true"`, a text for a list of one.
//!
//! Pure; any thread. For readers only: whoever writes is told to write what fits. Secrets are taken as they are written
//! or not at all.
use crate::config::keys::{Key, LIMITS, Type};
use crate::config::kinds::fits;
use crate::config::{Issue, damage, lookup};
use serde_json::Value;

/// Puts in what is meant at the places of `errors` and tells of each.
pub fn mend(config: &mut Value, errors: &[Issue]) -> Vec<Issue> {
    let mut told = Vec::new();
    for Issue { path, .. } in errors {
        let names = damage::segments(config, path);
        let found = lookup::find(names.iter().map(String::as_str)).filter(|node| !node.sensitive());
        let place = names.iter().try_fold(&mut *config, |value, name| match value {
            Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?),
            value => value.get_mut(name),
        });
        let (Some(node), Some(place)) = (found, place) else { continue };
        // A number is no model's name.
        let is_model = matches!(names.last().map(String::as_str), Some("model" | "imageModel" | "primary"));
        if is_model || fits(place, node.kind()) {
            continue;
        }
        if let Some((bound, message)) = node.key().and_then(|key| limit(place, key)) {
            told.push(Issue::new(path.as_str(), message));
            *place = bound;
        } else if let Some(meant) = meant(place, node.kind()) {
            let message = match &meant {
                Value::Array(_) => "read as a list; put it in [ ], texts in quotes".to_string(),
                Value::String(text) if place.is_number() => format!("read as text; write \"{text}\""),
                meant => format!("read as {meant}; write it so"),
            };
            told.push(Issue::new(path.as_str(), message));
            *place = meant;
        }
    }
    told
}

/// The bound that a number passes for which a limit of the gateway was set, and what is said of it.
fn limit(value: &Value, key: &Key) -> Option<(Value, String)> {
    let (Type::Int { min, max }, n) = (*key.kind, value.as_i64()?) else { return None };
    let is_limit = LIMITS.iter().any(|limit| limit.path == key.path);
    let bound = n.clamp(min, max);
    is_limit.then(|| (bound.into(), format!("outside of {min} to {max}, read as {bound}; write it so")))
}

/// The value of this type that is meant, if that is plain.
fn meant(value: &Value, kind: Type) -> Option<Value> {
    let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
    let found = match kind {
        Type::Int { .. } | Type::Number { .. } => number(text?),
        Type::Bool => flag(value).map(Value::Bool),
        Type::Text { .. } => whole(value),
        Type::Enum(choices) => choice(value, choices),
        Type::Duration => match text {
            Some(text) => Some(text.split_whitespace().collect::<String>().into()),
            None => value.as_number().map(|n| n.to_string().into()),
        },
        Type::Clock => text.filter(|text| text.len() == 4).map(|text| format!("0{text}").into()),
        Type::TextList => texts(value),
        // Where several are meant by one text, it is not plain where they part.
        Type::IdList if text.is_some_and(|text| !text.contains(',')) || value.is_number() => {
            Some(Value::Array(vec![value.clone()]))
        }
        Type::Like(path) => meant(value, lookup::find(path.split('.'))?.kind()),
        Type::AnyOf(kinds) => kinds.iter().find_map(|kind| meant(value, *kind)),
        _ => None,
    };
    found.filter(|found| fits(found, kind))
}

fn number(text: &str) -> Option<Value> {
    let float = || text.parse::<f64>().ok();
    let number = text.parse::<i64>().map(serde_json::Number::from).ok();
    number.or_else(|| serde_json::Number::from_f64(float()?)).map(Value::Number)
}

fn flag(value: &Value) -> Option<bool> {
    let text = match value {
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    match text.as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A whole number as text, as ids are often written.
fn whole(value: &Value) -> Option<Value> {
    value.as_i64().map(|n| n.to_string().into())
}

fn choice(value: &Value, choices: &[&str]) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.trim().to_ascii_lowercase().replace('_', "-"),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "on".to_string(),
        Value::Bool(false) => "off".to_string(),
        _ => return None,
    };
    let is_meant = |choice: &&&str| choice.to_ascii_lowercase().replace('_', "-") == text;
    choices.iter().find(is_meant).map(|choice| Value::from(*choice))
}

fn texts(value: &Value) -> Option<Value> {
    let text = |item: &Value| if item.is_string() { Some(item.clone()) } else { whole(item) };
    match value {
        Value::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>().map(Value::Array),
        Value::String(text) if text.trim().is_empty() || text.contains(',') => None,
        value => text(value).map(|item| Value::Array(vec![item])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::Type::*;
    use serde_json::json;

    #[test]
    fn b_f25_what_is_plainly_meant_is_read() {
        let seconds = Int { min: 1, max: 100_000 };
        for (value, kind, want) in [
            (json!("600"), seconds, json!(600)),
            (json!(" 600 "), seconds, json!(600)),
            (json!("0"), seconds, Value::Null),
            (json!("6e"), seconds, Value::Null),
            (json!("0.5"), Number { min: 0.0, max: 1.0 }, json!(0.5)),
            (json!("nan"), Number { min: 0.0, max: 1.0 }, Value::Null),
            (json!("true"), Bool, json!(true)),
            (json!("Off"), Bool, json!(false)),
            (json!(1), Bool, json!(true)),
            (json!("perhaps"), Bool, Value::Null),
            (json!(true), Enum(&["off", "on"]), json!("on")),
            (json!("HIGH"), Enum(&["high"]), json!("high")),
            (json!(12), Enum(&["auto", "12"]), json!("12")),
            (json!("adaptive"), Enum(&["off"]), Value::Null),
            (json!(30), Duration, json!("30")),
            (json!("30 m"), Duration, json!("30m")),
            (json!("often"), Duration, Value::Null),
            (json!("8:00"), Clock, json!("08:00")),
            (json!("a/b"), TextList, json!(["a/b"])),
            (json!([1, "a"]), TextList, json!(["1", "a"])),
            (json!("exec, write"), TextList, Value::Null),
            (json!(""), TextList, Value::Null),
            (json!(7), IdList, json!([7])),
            (json!(7), Text { min: 1 }, json!("7")),
            (json!(7.5), Text { min: 1 }, Value::Null),
            (json!({}), Text { min: 0 }, Value::Null),
            (json!("false"), AnyOf(&[Bool, Enum(&["auto"])]), json!(false)),
            (json!("x"), Object, Value::Null),
        ] {
            assert_eq!(meant(&value, kind).unwrap_or_default(), want, "{value} {kind:?}");
        }
    }

    #[test]
    fn n_25_a_limit_out_of_bounds_is_the_bound() {
        let mut config =
            json!({"gateway": {"limits": {"drainMs": 9_000_000}, "auth": {"rateLimit": {"maxAttempts": 0}}}});
        let errors = crate::config::check::check(&config, &[]).errors;
        let told = mend(&mut config, &errors);
        assert_eq!(
            config,
            json!({"gateway": {"limits": {"drainMs": 3_600_000}, "auth": {"rateLimit": {"maxAttempts": 1}}}})
        );
        assert_eq!(told[0].message, "outside of 0 to 3600000, read as 3600000; write it so");
    }

    #[test]
    fn b_f25_secrets_are_not_guessed() {
        let mut config = json!({"gateway": {"auth": {"token": 12345}, "port": "1"}});
        let errors = crate::config::check::check(&config, &[]).errors;
        let told = mend(&mut config, &errors);
        assert_eq!(config, json!({"gateway": {"auth": {"token": 12345}, "port": 1}}));
        assert_eq!((told.len(), told[0].path.as_str()), (1, "gateway.port"));
    }
}
