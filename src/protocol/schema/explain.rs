//! Says in words why a value does not fit a schema, in the shapes and the order clients know.
//!
//! Runs only after a compiled validator has refused the value, or where a text is so long that its schema has to allow it;
//! the latter it decides, else it only says. It knows the few keywords that params use; a test keeps the schemas to them.
//! Parts and names are bounded, so that a hostile value makes a short answer.
use crate::json;
use crate::parts::shortened;
use serde_json::{Map, Value};

/// Parts in one answer; what follows is summed up.
const MAX_PARTS: usize = 32;
/// Most values in a schema, which is ours or a tool's.
const MAX_VALUES: usize = 20_000;
/// Characters of a client's own property name that are repeated to it.
const MAX_NAME: usize = 64;

const NO_UNION: &str = "must match a schema in anyOf";
const NOT_CONSTANT: &str = "must be equal to constant";

/// The keywords that the schemas of params may use. `title` and the like only describe.
#[cfg(test)]
pub(crate) const KEYWORDS: &[&str] = &[
    "$ref",
    "additionalProperties",
    "const",
    "description",
    "enum",
    "examples",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "properties",
    "required",
    "type",
];

/// What is wrong with `value`, in parts without duplicates: for each object first what is missing, then
/// what is unknown, then its properties in the order of the schema. Texts have at most `most` characters where the schema
/// says nothing of it. Empty when it finds nothing to say.
pub(super) fn explain(schema: &str, value: &Value, most: usize) -> Vec<String> {
    let root = json::read(schema, MAX_VALUES, 64).unwrap_or(Value::Null);
    let mut walk = Walk { root: &root, most: &most.into(), parts: Vec::new() };
    walk.visit(&root, value, "");
    if walk.full() {
        walk.parts.push("and more".to_string());
    }
    walk.parts
}

struct Walk<'a> {
    root: &'a Value,
    most: &'a Value,
    parts: Vec<String>,
}

impl<'a> Walk<'a> {
    fn full(&self) -> bool {
        self.parts.len() >= MAX_PARTS
    }

    /// Adds a part about the value at `path`; the root has no `at`.
    fn say(&mut self, path: &str, what: &str) {
        let part = if path.is_empty() { what.to_string() } else { format!("at {path}: {what}") };
        if !self.full() && !self.parts.contains(&part) {
            self.parts.push(part);
        }
    }

    fn visit(&mut self, schema: &'a Value, value: &Value, path: &str) {
        if self.full() {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#')) {
            if let Some(target) = self.root.pointer(target) {
                self.visit(target, value, path);
            }
            return;
        }
        if schema.get("const").is_some_and(|c| c != value) {
            self.say(path, NOT_CONSTANT);
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            self.check_enum(options, value, path);
        }
        match schema.get("type") {
            Some(Value::String(name)) => self.check_type(schema, name, value, path),
            Some(Value::Array(names)) => self.check_union(schema, names, value, path),
            _ => self.check_content(schema, value, path),
        }
    }

    /// A list of literals, which clients know as a union of constants.
    fn check_enum(&mut self, options: &[Value], value: &Value, path: &str) {
        if options.contains(value) {
            return;
        }
        self.say(path, NOT_CONSTANT);
        if options.contains(&Value::Null) {
            self.say(path, "must be null");
        }
        self.say(path, NO_UNION);
    }

    fn check_type(&mut self, schema: &'a Value, name: &str, value: &Value, path: &str) {
        if is_type(name, value) {
            self.check_content(schema, value, path);
        } else {
            self.say(path, &format!("must be {name}"));
        }
    }

    /// A union of types such as string or null: what keeps the value out of each, then that none fits.
    fn check_union(&mut self, schema: &'a Value, names: &[Value], value: &Value, path: &str) {
        let names = || names.iter().filter_map(Value::as_str);
        let before = self.parts.len();
        if let Some(fitting) = names().find(|name| is_type(name, value)) {
            self.check_type(schema, fitting, value, path);
            if self.parts.len() == before {
                return;
            }
        }
        for name in names() {
            if !is_type(name, value) {
                self.say(path, &format!("must be {name}"));
            }
        }
        self.say(path, NO_UNION);
    }

    fn check_content(&mut self, schema: &'a Value, value: &Value, path: &str) {
        let limit = |keyword: &str| schema.get(keyword).filter(|limit| limit.is_number());
        match value {
            Value::String(text) => {
                let length = text.chars().count() as f64;
                let most = limit("maxLength").unwrap_or(self.most);
                self.check_bounds(length, limit("minLength"), Some(most), "characters", path);
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                if let Some(min) = limit("minimum").filter(|min| min.as_f64().is_some_and(|min| number < min))
                {
                    self.say(path, &format!("must be >= {min}"));
                }
                if let Some(max) = limit("maximum").filter(|max| max.as_f64().is_some_and(|max| number > max))
                {
                    self.say(path, &format!("must be <= {max}"));
                }
            }
            Value::Array(items) => {
                self.check_bounds(items.len() as f64, limit("minItems"), limit("maxItems"), "items", path);
                if let Some(schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        if self.full() {
                            break;
                        }
                        self.visit(schema, item, &format!("{path}/{index}"));
                    }
                }
            }
            Value::Object(members) => self.check_object(schema, members, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_bounds(&mut self, size: f64, min: Option<&Value>, max: Option<&Value>, unit: &str, path: &str) {
        if let Some(min) = min.filter(|min| min.as_f64().is_some_and(|min| size < min)) {
            self.say(path, &format!("must NOT have fewer than {min} {unit}"));
        }
        if let Some(max) = max.filter(|max| max.as_f64().is_some_and(|max| size > max)) {
            self.say(path, &format!("must NOT have more than {max} {unit}"));
        }
    }

    fn check_object(&mut self, schema: &'a Value, members: &Map<String, Value>, path: &str) {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !members.contains_key(*name)) {
            self.say(path, &format!("must have required property '{name}'"));
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let unknown = || members.iter().filter(|(name, _)| properties.is_none_or(|p| !p.contains_key(*name)));
        let rest = schema.get("additionalProperties");
        if rest == Some(&Value::Bool(false)) {
            let place = if path.is_empty() { "root" } else { path };
            for (name, _) in unknown().take(MAX_PARTS) {
                self.say(place, &format!("unexpected property '{}'", shortened(name, MAX_NAME)));
            }
        }
        for (name, schema) in properties.into_iter().flatten() {
            if let Some(value) = members.get(name) {
                self.visit(schema, value, &format!("{path}/{name}"));
            }
        }
        if let Some(rest) = rest.filter(|rest| rest.is_object()) {
            for (name, value) in unknown() {
                if self.full() {
                    break;
                }
                self.visit(rest, value, &format!("{path}/{}", escaped(name)));
            }
        }
    }
}

/// Whether `value` is of the JSON Schema type `name`; 1.0 is an integer.
fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => false,
    }
}

/// A client's own name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    shortened(name, MAX_NAME).replace('~', "~0").replace('/', "~1")
}
