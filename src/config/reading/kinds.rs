//! Whether a value is of its key's type, and what both are in words. Pure.
use crate::config::fingerprint::fingerprint;
use crate::config::keys::Type;
use crate::config::lookup;
use crate::json;
use serde_json::Value;
use std::borrow::Cow;

/// Longer values are not shown, in bytes.
const MAX_SHOWN: usize = 40;

/// Whether a value is of this type.
pub fn fits(value: &Value, kind: Type) -> bool {
    match kind {
        Type::Any => true,
        Type::Bool => value.is_boolean(),
        Type::Int { min, max } => value.as_i64().is_some_and(|n| (min..=max).contains(&n)),
        Type::Number { min, max } => value.as_f64().is_some_and(|n| (min..=max).contains(&n)),
        Type::Text { min } => value.as_str().is_some_and(|text| text.chars().count() >= min),
        Type::Enum(choices) => value.as_str().is_some_and(|text| choices.contains(&text)),
        Type::Duration => value.as_str().is_some_and(is_duration),
        Type::Clock => value.as_str().is_some_and(is_clock),
        Type::Fingerprint => {
            value.as_str().is_some_and(|text| text.trim().is_empty() || fingerprint(text).is_some())
        }
        Type::TextList => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        Type::IdList => {
            value.as_array().is_some_and(|items| items.iter().all(|i| i.is_string() || i.is_number()))
        }
        Type::Object | Type::Map | Type::Limits => value.is_object(),
        Type::List => value.is_array(),
        Type::Like(path) => lookup::find(path.split('.')).is_none_or(|node| fits(value, node.kind())),
        Type::AnyOf(kinds) => kinds.iter().any(|kind| fits(value, *kind)),
    }
}

/// `30m`, `1h30m`, `500ms`, `90`.
pub fn is_duration(text: &str) -> bool {
    duration_ms(text, 1.0).is_some()
}

/// The same in milliseconds; a number alone counts as many of them as `bare`.
pub fn duration_ms(text: &str, bare: f64) -> Option<u64> {
    let whole = text.trim();
    let mut rest = whole;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number: f64 = rest.strip_suffix(unit)?.parse().ok()?;
        let after = unit.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        sum += number
            * match unit.strip_suffix(after)? {
                "ms" => 1.0,
                "s" => 1e3,
                "m" => 6e4,
                "h" => 3.6e6,
                "d" => 8.64e7,
                "" if rest == whole && after.is_empty() => bare,
                _ => return None,
            };
        rest = after;
    }
    (!whole.is_empty()).then_some(sum as u64)
}

/// `00:00` to `24:00`.
pub fn is_clock(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2) else {
        return false;
    };
    let number =
        |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten();
    number(hours).zip(number(minutes)).is_some_and(|(h, m)| (h < 24 && m < 60) || (h == 24 && m == 0))
}

/// What a value of this type is, in words.
pub fn expected(kind: Type) -> String {
    match kind {
        Type::Bool => "true or false".to_string(),
        Type::Int { min, max: i64::MAX } => format!("a whole number of at least {min}"),
        Type::Int { min, max } => format!("a whole number from {min} to {max}"),
        Type::Number { min, .. } if min == f64::MIN => "a number".to_string(),
        Type::Number { min, .. } if min == f64::MIN_POSITIVE => "a number above 0".to_string(),
        Type::Number { min, max } => format!("a number from {min} to {max}"),
        Type::Text { min: 0 } => "text".to_string(),
        Type::Text { .. } => "text that is not empty".to_string(),
        Type::Enum(choices) => {
            let quoted: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            format!("one of {}", quoted.join(", "))
        }
        Type::Duration => "a duration such as \"30m\"".to_string(),
        Type::Clock => "a time of day such as \"08:00\"".to_string(),
        Type::Fingerprint => "the 64 hexadecimal digits of a SHA-256 fingerprint".to_string(),
        Type::TextList => "a list of texts".to_string(),
        Type::IdList => "a list of texts or numbers".to_string(),
        Type::Object | Type::Map | Type::Limits => "an object".to_string(),
        Type::List => "a list".to_string(),
        Type::Any => "anything".to_string(),
        Type::Like(path) => lookup::find(path.split('.')).map_or(String::new(), |node| expected(node.kind())),
        Type::AnyOf(kinds) => kinds.iter().map(|kind| expected(*kind)).collect::<Vec<_>>().join(" or "),
    }
}

/// The value, where its type leaves no room for a secret or a long text.
pub fn shown(value: &Value, kind: Type) -> Option<String> {
    let is_plain = matches!(
        kind,
        Type::Bool | Type::Int { .. } | Type::Number { .. } | Type::Enum(_) | Type::Duration | Type::Clock
    );
    let is_scalar = matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_));
    Some(value.to_string()).filter(|text| is_plain && is_scalar && text.len() <= MAX_SHOWN)
}

pub fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "another number",
        Value::String(text) if text.is_empty() => "empty text",
        Value::String(_) => "other text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The fix, where it is plain.
pub fn hint(value: &Value, kind: Type) -> Cow<'static, str> {
    let unquoted = value.as_str().and_then(|text| json::read(text, 100, 8).ok());
    let text = match kind {
        Type::Text { .. } if value.is_object() => return reference(value),
        Type::Text { .. } if value.is_number() => "; put it in quotes",
        Type::TextList if value.is_string() => "; put it in [ ]",
        _ if unquoted.is_some_and(|value| fits(&value, kind)) => "; take off the quotes",
        _ => "",
    };
    text.into()
}

/// What to write instead of a reference to a secret, as later versions of the original have them.
fn reference(value: &Value) -> Cow<'static, str> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let is_name = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match (text("source"), text("id").filter(is_name)) {
        (Some("env"), Some(id)) => format!("; write \"${{{id}}}\"").into(),
        (Some("env"), None) => "; write the variable as \"${NAME}\"".into(),
        (Some("file"), _) => "; name the file by the key of this name with File behind it".into(),
        (Some(_), _) => "; write the secret itself, or a variable as \"${NAME}\"".into(),
        (None, _) => "".into(),
    }
}
