//! JSON values: read from text under bounds (`read`, `loose`, `members`), and written as literals, `json!` in the syntax of
//! `serde_json::json!`.
//!
//! That macro spells out every member's conversion, insertion and clean-up where it stands; ours makes each a
//! call, which takes a fifth off the size of the program's own code; one that never unwinds (`extern "C"`), so that no
//! caller needs to clean up after it: a `Serialize` that panics ends the process. Pure; runs on any thread.
#![allow(improper_ctypes_definitions, reason = "called from Rust alone")]
mod bounded;
pub mod indented;
mod loose;
mod members;
pub mod raw;
mod read;
mod words;

pub use bounded::bounded;
pub use loose::{Standing, is_whole, loosely, read_loose};
pub use members::members;
pub use read::{Unread, count, is_crowded, mend, read, read_as, read_object};
use serde::ser::Serialize;
use serde_json::{Map, Value};

/// The deepest nesting that is read of what programs write: the parser ends there.
pub const DEEPEST: usize = 127;
/// Most values in what one request brings, and so in what is kept of it: a line of accepted work, a message of a
/// transcript. They cost up to 15 MB, however short the text is.
pub const REQUEST_VALUES: usize = 50_000;

/// A JSON value: `null`, `[..]`, `{key: value, ..}` or any expression that serializes, taken by reference. A key
/// is a literal, a name or an expression in parentheses.
macro_rules! json {
    (@members $map:ident) => {};
    (@members $map:ident $key:tt : null $(, $($rest:tt)*)?) => {
        $crate::json::put(&mut $map, AsRef::<str>::as_ref(&$key), serde_json::Value::Null);
        $crate::json::json!(@members $map $($($rest)*)?);
    };
    (@members $map:ident $key:tt : [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $crate::json::put(&mut $map, AsRef::<str>::as_ref(&$key), $crate::json::json!([$($inner)*]));
        $crate::json::json!(@members $map $($($rest)*)?);
    };
    (@members $map:ident $key:tt : {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $crate::json::put(&mut $map, AsRef::<str>::as_ref(&$key), $crate::json::json!({$($inner)*}));
        $crate::json::json!(@members $map $($($rest)*)?);
    };
    (@members $map:ident $key:tt : $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::member(&mut $map, AsRef::<str>::as_ref(&$key), &$value);
        $crate::json::json!(@members $map $($($rest)*)?);
    };
    (@items $list:ident) => {};
    (@items $list:ident null $(, $($rest:tt)*)?) => {
        $crate::json::push(&mut $list, serde_json::Value::Null);
        $crate::json::json!(@items $list $($($rest)*)?);
    };
    (@items $list:ident [$($inner:tt)*] $(, $($rest:tt)*)?) => {
        $crate::json::push(&mut $list, $crate::json::json!([$($inner)*]));
        $crate::json::json!(@items $list $($($rest)*)?);
    };
    (@items $list:ident {$($inner:tt)*} $(, $($rest:tt)*)?) => {
        $crate::json::push(&mut $list, $crate::json::json!({$($inner)*}));
        $crate::json::json!(@items $list $($($rest)*)?);
    };
    (@items $list:ident $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::push(&mut $list, $crate::json::value(&$value));
        $crate::json::json!(@items $list $($($rest)*)?);
    };
    (null) => {
        serde_json::Value::Null
    };
    ([]) => {
        serde_json::Value::Array(Vec::new())
    };
    ([$($items:tt)+]) => {{
        let mut list = Vec::new();
        $crate::json::json!(@items list $($items)+);
        serde_json::Value::Array(list)
    }};
    ({}) => {
        serde_json::Value::Object($crate::json::empty())
    };
    ({$($members:tt)+}) => {{
        let mut map = $crate::json::empty();
        $crate::json::json!(@members map $($members)+);
        serde_json::Value::Object(map)
    }};
    ($value:expr) => {
        $crate::json::value(&$value)
    };
}
pub(crate) use json;

/// A value as JSON; null where it cannot be, such as a map whose keys are no text.
#[inline(never)]
pub extern "C" fn value<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[inline(never)]
pub extern "C" fn member<T: Serialize + ?Sized>(map: &mut Map<String, Value>, key: &str, value: &T) {
    put(map, key, self::value(value));
}

#[inline(never)]
pub extern "C" fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    map.insert(key.to_string(), value);
}

/// Setting the members of an object one by one.
pub trait Put {
    fn put(&mut self, key: &str, value: impl Into<Value>);
}

impl Put for Map<String, Value> {
    #[inline(never)]
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        put(self, key, value.into());
    }
}

/// An object with one more member, which is moved there and not copied: it may be large.
pub fn holding(mut object: Value, key: &str, value: impl Into<Value>) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.put(key, value);
    }
    object
}

/// The text of an object with one more member at its end, whose value is JSON text already.
pub fn with(object: &str, name: &str, value: &str) -> String {
    let members = object.strip_suffix('}').unwrap_or(object);
    let comma = if members.len() > 1 { "," } else { "" };
    format!("{members}{comma}{}:{value}}}", Value::from(name))
}

#[inline(never)]
pub extern "C" fn push(list: &mut Vec<Value>, value: Value) {
    list.push(value);
}

#[inline(never)]
pub extern "C" fn empty() -> Map<String, Value> {
    Map::new()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_gets_a_member_that_is_text() {
        let one = super::with("{}", "a\"", "[1]");
        assert_eq!(one, r#"{"a\"":[1]}"#);
        assert_eq!(super::with(&one, "b", "{}"), r#"{"a\"":[1],"b":{}}"#);
    }

    #[test]
    fn writes_what_the_wellknown_macro_writes() {
        let (name, none) = ("name", None::<u8>);
        let ours = json!({
            "null": null, "yes": true, (name): [1, -2, 0.5, null, "x", [], {}, [[name]], {"a": none}],
            "nested": {"deep": {"er": name.len()}, "text": format!("{name}!")}, name: f64::NAN,
        });
        let theirs = serde_json::json!({
            "null": null, "yes": true, (name): [1, -2, 0.5, null, "x", [], {}, [[name]], {"a": none}],
            "nested": {"deep": {"er": name.len()}, "text": format!("{name}!")}, name: f64::NAN,
        });
        assert_eq!(ours.to_string(), theirs.to_string());
        assert_eq!(json!(null), serde_json::json!(null));
        assert_eq!(json!([]), serde_json::json!([]));
        assert_eq!(json!(Some(name)), serde_json::json!(Some(name)));
    }
}
