//! Structs read from the members of a JSON object: a method's params, a record of a file.
//!
//! `#[derive(Deserialize)]` writes out a reader for each struct, which for twenty members takes as much code as five
//! handlers. Here each member is one call. Pure; runs on any thread. It does not judge what a schema judges: members
//! that the struct does not have are passed over.
use crate::error::{Error, Result};
use crate::parts::Parts;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Declares a struct that [`read`] reads, each member by its own name in camel case. A member that is not there is
/// its type's default.
macro_rules! params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$note:meta])* $shown:vis $member:ident: $type:ty,)+
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$note])* $shown $member: $type,)+
        }

        impl $crate::params::Params for $name {
            fn take(from: &mut $crate::params::Source) -> $name {
                $name { $($member: from.take(stringify!($member)),)+ }
            }
        }
    };
}
pub(crate) use params;

/// A struct whose members come from an object.
pub trait Params {
    fn take(from: &mut Source) -> Self;
}

/// Two structs from one object, of members of their own each.
impl<A: Params, B: Params> Params for (A, B) {
    fn take(from: &mut Source) -> (A, B) {
        (A::take(from), B::take(from))
    }
}

/// Reads a struct from params. An error if they are no object or a member is of another type.
pub fn read<T: Params>(params: Value) -> Result<T> {
    let mut from = Source::new(params)?;
    let read = T::take(&mut from);
    match from.wrong {
        None => Ok(read),
        Some(member) => Err(Error::invalid(format!("invalid params: {member} is of another type"))),
    }
}

/// What is left of an object, and the last member that was of another type.
pub struct Source {
    rest: Map<String, Value>,
    wrong: Option<&'static str>,
}

impl Source {
    #[inline(never)]
    fn new(value: Value) -> Result<Source> {
        match value {
            Value::Object(rest) => Ok(Source { rest, wrong: None }),
            _ => Err(Error::invalid("invalid params: not an object")),
        }
    }

    /// Takes a member out, by its name in snake case.
    #[inline(never)]
    pub fn take<T: Member>(&mut self, member: &'static str) -> T {
        let Some(value) = self.remove(member) else { return T::default() };
        T::of(value).unwrap_or_else(|| {
            self.wrong = Some(member);
            T::default()
        })
    }

    /// Takes what no member was made of.
    pub fn rest(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.rest)
    }

    #[inline(never)]
    fn remove(&mut self, member: &str) -> Option<Value> {
        let mut name = String::with_capacity(member.len());
        for word in member.split('_') {
            match word.get(..1) {
                Some(first) if !name.is_empty() => {
                    name.push_str(&first.to_ascii_uppercase());
                    name.push_str(word.tail(1));
                }
                _ => name.push_str(word),
            }
        }
        self.rest.shift_remove(&name)
    }
}

/// What a member may be.
pub trait Member: Default {
    fn of(value: Value) -> Option<Self>;
}

impl<T: Params + Default> Member for T {
    fn of(value: Value) -> Option<T> {
        read(value).ok()
    }
}

impl<T: Member> Member for Option<T> {
    fn of(value: Value) -> Option<Option<T>> {
        if value.is_null() { Some(None) } else { T::of(value).map(Some) }
    }
}

impl<T: Member> Member for Vec<T> {
    fn of(value: Value) -> Option<Vec<T>> {
        match value {
            Value::Array(items) => items.into_iter().map(T::of).collect(),
            _ => None,
        }
    }
}

impl<T: Member> Member for BTreeMap<String, T> {
    fn of(value: Value) -> Option<BTreeMap<String, T>> {
        let Value::Object(map) = value else { return None };
        let mut all = BTreeMap::new();
        for (name, value) in map {
            all.insert(name, T::of(value)?);
        }
        Some(all)
    }
}

impl Member for Value {
    fn of(value: Value) -> Option<Value> {
        Some(value)
    }
}

impl Member for String {
    fn of(value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl Member for bool {
    fn of(value: Value) -> Option<bool> {
        value.as_bool()
    }
}

impl Member for u64 {
    fn of(value: Value) -> Option<u64> {
        value.as_u64()
    }
}

impl Member for usize {
    fn of(value: Value) -> Option<usize> {
        value.as_u64().and_then(|n| n.try_into().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    params! {
        #[derive(Debug, Default, PartialEq)]
        struct Inner {
            id: String,
        }
    }

    params! {
        #[derive(Debug, PartialEq)]
        struct Outer {
            /// Documented as elsewhere.
            session_key: String,
            is_a_b: bool,
            max_chars: Option<u64>,
            texts: Vec<String>,
            any: Value,
            inner: Inner,
            other: Option<Inner>,
        }
    }

    #[test]
    fn reads_each_type_and_passes_over_the_rest() {
        let text = "x".to_string();
        let full = json!({"sessionKey": "x", "isAB": true, "maxChars": 7, "texts": ["x"], "any": [null],
            "inner": {"id": "x"}, "other": {}, "more": 1});
        let inner = Inner { id: text.clone() };
        let any = json!([null]);
        let (texts, other) = (vec![text.clone()], Some(Inner::default()));
        let want = Outer { session_key: text, is_a_b: true, max_chars: Some(7), texts, any, inner, other };
        assert_eq!(read::<Outer>(full).unwrap(), want);
        let none: Outer = read(json!({"maxChars": null, "other": null})).unwrap();
        assert!(
            none.session_key.is_empty() && !none.is_a_b && none.max_chars.is_none() && none.other.is_none()
        );
    }

    #[test]
    fn keeps_what_no_member_was_made_of_in_its_order() {
        let mut from = Source::new(json!({"z": 1, "byId": {"a": {"id": "x"}}, "y": 2, "b": 3})).unwrap();
        let by_id: BTreeMap<String, Inner> = from.take("by_id");
        assert_eq!(by_id.get("a"), Some(&Inner { id: "x".to_string() }));
        assert_eq!(json!(from.rest()).to_string(), r#"{"z":1,"y":2,"b":3}"#);
        let mut from = Source::new(json!({"byId": {"a": 1}})).unwrap();
        assert!(from.take::<BTreeMap<String, Inner>>("by_id").is_empty() && from.wrong == Some("by_id"));
    }

    #[test]
    fn other_types_are_errors() {
        for wrong in [
            json!([]),
            json!({"sessionKey": 1}),
            json!({"sessionKey": null}),
            json!({"isAB": "true"}),
            json!({"maxChars": -1}),
            json!({"maxChars": 1.5}),
            json!({"texts": ["x", 1]}),
            json!({"inner": []}),
            json!({"other": {"id": 1}}),
        ] {
            assert!(read::<Outer>(wrong.clone()).is_err(), "{wrong}");
        }
        let error = read::<Outer>(json!({"isAB": "true"})).unwrap_err();
        assert_eq!(error.message(), "invalid params: is_a_b is of another type");
    }
}
