//! A merge patch as pieces of a config's text. Pure; the text is scanned twice, however many members the patch names:
//! once for what goes, once for what is set, so that commas come out right.
use crate::config::members::{Object, Scanner};
use crate::config::splices::{self, Splice};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Whether `value` is what `before` says with the patch merged into it: null takes away, objects are merged, everything
/// else replaces. Nothing is copied for that: a patch may be long.
pub fn is_merged(value: &Value, before: &Value, patch: &Map<String, Value>) -> bool {
    let (Some(value), Some(before)) = (value.as_object(), before.as_object()) else { return value == before };
    let named = |(name, new): (&String, &Value)| match (value.get(name), before.get(name), new) {
        (now, _, Value::Null) => now.is_none(),
        (Some(now), Some(old @ Value::Object(_)), Value::Object(inner)) => is_merged(now, old, inner),
        (now, _, new) => now.is_some_and(|now| is_without_nulls(now, new)),
    };
    let stays = |(name, old): (&String, &Value)| patch.contains_key(name) || value.get(name) == Some(old);
    let is_asked_for = |name: &String| before.contains_key(name) || patch.contains_key(name);
    patch.iter().all(named) && before.iter().all(stays) && value.keys().all(is_asked_for)
}

/// Whether `value` is `new` as it is written where there was no object.
fn is_without_nulls(value: &Value, new: &Value) -> bool {
    let (Value::Object(value), Value::Object(new)) = (value, new) else { return value == new };
    let mut kept = new.iter().filter(|(_, new)| !new.is_null());
    let count = kept.clone().count();
    value.len() == count
        && kept.all(|(name, new)| value.get(name).is_some_and(|value| is_without_nulls(value, new)))
}

/// The text, which says `before`, with the patch merged into it.
pub fn spliced(text: &str, before: &Value, patch: &Map<String, Value>) -> Option<String> {
    let pass = |text: &str, takes_away: bool| {
        let scanner = Scanner::new(text);
        let mut pass = Pass { text, takes_away, splices: Vec::new() };
        pass.object(&scanner, &scanner.root()?, before, patch)?;
        splices::apply(text, pass.splices)
    };
    pass(&pass(text, true)?, false)
}

struct Pass<'t> {
    text: &'t str,
    takes_away: bool,
    splices: Vec<Splice>,
}

impl Pass<'_> {
    fn object(
        &mut self,
        scanner: &Scanner,
        object: &Object,
        before: &Value,
        patch: &Map<String, Value>,
    ) -> Option<()> {
        // JSON5 takes the last of two members of the same name.
        let places: HashMap<&str, usize> =
            object.members.iter().enumerate().map(|(at, member)| (member.name.as_str(), at)).collect();
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for (name, value) in patch {
            let place = || places.get(name.as_str()).copied();
            match (before.get(name), value) {
                (None, Value::Null) => {}
                (Some(_), Value::Null) if self.takes_away => gone.push(place()?),
                (Some(_), Value::Null) => {}
                (Some(old @ Value::Object(_)), Value::Object(inner)) => {
                    let inside = scanner.object_at(object.members.get(place()?)?.value.start)?;
                    self.object(scanner, &inside, old, inner)?;
                }
                _ if self.takes_away => {}
                (Some(old), value) if old == value => {}
                (Some(_), value) => {
                    let member = object.members.get(place()?)?;
                    self.splices.push(splices::replace(self.text, member, &without_nulls(value))?);
                }
                (None, value) => new.push((name.as_str(), without_nulls(value))),
            }
        }
        if !gone.is_empty() {
            self.splices.extend(splices::remove(self.text, object, &gone)?);
        }
        if !new.is_empty() {
            let new: Vec<(&str, &Value)> = new.iter().map(|(name, value)| (*name, &**value)).collect();
            self.splices.extend(splices::insert(self.text, object, &new)?);
        }
        Some(())
    }
}

/// What a patch says where there is no object: a null in it takes nothing away, and is nothing.
fn without_nulls(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Object(map) if has_nulls(value) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            let kept = kept.map(|(name, value)| (name.clone(), without_nulls(value).into_owned()));
            Cow::Owned(Value::Object(kept.collect()))
        }
        other => Cow::Borrowed(other),
    }
}

fn has_nulls(value: &Value) -> bool {
    let members = value.as_object().into_iter().flatten();
    members.into_iter().any(|(_, value)| value.is_null() || has_nulls(value))
}

#[cfg(test)]
mod tests {
    use crate::config::edit::Draft;
    use serde_json::{Map, Value, json};
    use std::time::{Duration, Instant};

    fn merge(text: &str, patch: Value) -> String {
        let mut draft = Draft::of(text);
        draft.merge(patch.as_object().unwrap()).unwrap();
        draft.text().to_string()
    }

    #[test]
    fn s_9_6_what_is_not_named_stays_byte_for_byte() {
        for (text, patch, want) in [
            (
                "{}",
                json!({"a": 1, "b": {"c": null, "d": 2}}),
                "{\n  \"a\": 1,\n  \"b\": {\n    \"d\": 2\n  }\n}",
            ),
            ("{a: 1, b: 2, c: 3}", json!({"b": null, "c": null}), "{a: 1}"),
            ("{a: 1, b: 2, c: 3}", json!({"a": null, "b": null, "c": null}), "{}"),
            ("{a: 1, b: 2}", json!({"b": null, "c": 3, "d": [4]}), "{a: 1, c: 3, d: [4]}"),
            ("{a: 1, a: 2, b: {c: 1}}", json!({"a": 3, "b": {"c": 2}}), "{a: 1, a: 3, b: {c: 2}}"),
            (
                "{\n  // one\n  a: 1, // of it\n  b: {\n    c: 2, // two\n    d: 3\n  },\n}\n",
                json!({"a": 9, "b": {"d": null, "e": "x", "f": 1}, "g": true}),
                "{\n  // one\n  a: 9, // of it\n  b: {\n    c: 2, // two\n    e: \"x\",\n    f: 1\n  },\n  g: true,\n}\n",
            ),
            ("{\r\n  a: 1\r\n}\r\n", json!({"b": 2}), "{\r\n  a: 1,\r\n  b: 2\r\n}\r\n"),
            ("{a: {b: 1}}", json!({"a": {"b": 1}, "z": null}), "{a: {b: 1}}"),
            ("{a: 1}", json!({"a": {"b": null, "c": 1}}), "{a: {\n  \"c\": 1\n}}"),
        ] {
            assert_eq!(merge(text, patch.clone()), want, "{text} {patch}");
        }
    }

    /// Issue 9: thousands of members in one object that is there already.
    #[test]
    fn s_9_6_many_members_cost_one_reading() {
        let members = |value: u32| -> Map<String, Value> {
            (0..2000).map(|n| (format!("name-{n}"), json!({"value": value}))).collect()
        };
        let text = merge("{vars: {\n  old: 1\n}}", json!({"vars": members(1)}));
        let started = Instant::now();
        let text = merge(&text, json!({"vars": members(2)}));
        let gone: Map<String, Value> = members(2).keys().map(|name| (name.clone(), Value::Null)).collect();
        let text = merge(&text, json!({"vars": gone}));
        assert_eq!(text, "{vars: {\n  old: 1\n}}");
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }
}
