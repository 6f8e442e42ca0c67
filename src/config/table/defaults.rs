//! The defaults of a place: its own, or those of the keys below it.
//!
//! Pure, over the table of keys; any thread. Keys that a user names, as channels' accounts are, have none until they are
//! written, and where unset means "as in the general section" there is no default either.
use crate::config::keys::Type;
use crate::config::lookup::Node;
use serde_json::{Map, Value};

/// What holds at a place of which nothing is written.
pub fn of(node: Node) -> Option<Value> {
    if let Some(own) = node.default() {
        return Some(own.clone());
    }
    let mut below = Map::new();
    for name in members(node) {
        if let Some(value) = node.child(name).and_then(of) {
            below.insert(name.to_string(), value);
        }
    }
    (!below.is_empty()).then_some(Value::Object(below))
}

/// Puts the defaults of what is not written beside what is.
pub fn fill(value: &mut Value, node: Node) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                if let Some(child) = node.child(name) {
                    fill(value, child);
                }
            }
            for name in members(node) {
                if let Some(default) = node.child(name).filter(|_| !map.contains_key(name)).and_then(of) {
                    map.insert(name.to_string(), default);
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                if let Some(child) = node.child(&i.to_string()) {
                    fill(item, child);
                }
            }
        }
        _ => {}
    }
}

/// The names of the keys that a place always has.
fn members(node: Node) -> impl Iterator<Item = &'static str> {
    let is_fixed = matches!(node.kind(), Type::Object | Type::Limits | Type::AnyOf(_));
    node.own_names().filter(move |name| is_fixed && *name != "*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::lookup::find;
    use serde_json::json;

    #[test]
    fn n_26_a_group_has_the_defaults_of_its_keys() {
        let of = |path: &str| super::of(find(path.split('.')).unwrap());
        assert_eq!(of("gateway.port"), Some(json!(18789)));
        assert_eq!(of("session.reset").unwrap()["atHour"], 4);
        assert_eq!(of("gateway.limits").unwrap()["drainMs"], 30000);
        assert_eq!(of("logging").unwrap()["maxFileBytes"], 5_242_880);
        assert_eq!(of("session").unwrap()["reset"], of("session.reset").unwrap());
        assert_eq!((of("models.providers"), of("gateway.auth.token")), (None, None));
        let mut written = json!({"auth": {"token": "x"}, "port": 1});
        fill(&mut written, find(["gateway"]).unwrap());
        assert_eq!((&written["port"], &written["auth"]["token"]), (&json!(1), &json!("x")));
        assert_eq!(written["auth"]["rateLimit"]["windowMs"], 60000);
        let mut list = json!([{"id": "a"}]);
        fill(&mut list, find(["agents", "list"]).unwrap());
        assert_eq!(list[0]["id"], "a");
    }
}
