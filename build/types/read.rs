//! From JSON Schema to declarations. It knows the words that `schemas/` uses and refuses others, so that a new word is
//! never passed over in silence; what only narrows a value (`minLength`, `pattern`, ...) has no place in a type.
use super::{Declaration, Field, Method, Protocol, Shape, Type, pascal};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Words that change no type.
const NARROW: &[&str] = &[
    "$schema",
    "title",
    "description",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "default",
    "examples",
    "pattern",
    "uniqueItems",
    "exclusiveMinimum",
];
const KNOWN: &[&str] = &[
    "$ref",
    "$defs",
    "params",
    "result",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "if",
    "then",
];

type Object = Map<String, Value>;

/// Every method, event and frame below this folder.
pub fn protocol(schemas: &Path) -> Result<Protocol, String> {
    let mut reader = Reader { files: BTreeMap::new(), done: BTreeMap::new(), declarations: Vec::new() };
    for folder in ["methods", "events"] {
        for entry in std::fs::read_dir(schemas.join(folder)).map_err(|e| format!("{folder}: {e}"))? {
            let name = entry.map_err(|e| e.to_string())?.file_name().to_string_lossy().into_owned();
            reader.load(schemas, &format!("{folder}/{name}"))?;
        }
    }
    reader.load(schemas, "frames.json")?;
    for (at, name) in FRAMES {
        reader.declare("frames.json", at, name)?;
    }
    let (mut methods, mut events) = (Vec::new(), Vec::new());
    let files: Vec<String> = reader.files.keys().cloned().collect();
    for file in &files {
        let Some((folder, name)) = file.trim_end_matches(".json").split_once('/') else { continue };
        if folder == "events" {
            let payload = reader.reference(file, "")?;
            events.push((name.to_string(), payload));
            continue;
        }
        let about = text(&reader.files[file], "description");
        let params = reader.reference(file, "/params")?;
        let result = reader.reference(file, "/result")?;
        methods.push(Method { name: name.to_string(), about, params, result });
    }
    Ok(Protocol { declarations: reader.declarations, methods, events })
}

const FRAMES: &[(&str, &str)] = &[
    ("/$defs/req", "RequestFrame"),
    ("/$defs/res", "ResponseFrame"),
    ("/$defs/event", "EventFrame"),
    ("/$defs/error", "ErrorShape"),
    ("/$defs/stateVersion", "StateVersion"),
];

struct Reader {
    files: BTreeMap<String, Value>,
    /// Place (`file#pointer`) and name of what is declared or being declared.
    done: BTreeMap<String, String>,
    declarations: Vec<Declaration>,
}

impl Reader {
    fn load(&mut self, schemas: &Path, file: &str) -> Result<(), String> {
        let text = std::fs::read_to_string(schemas.join(file)).map_err(|e| format!("{file}: {e}"))?;
        let value = serde_json::from_str(&text).map_err(|e| format!("{file}: {e}"))?;
        self.files.insert(file.to_string(), value);
        Ok(())
    }

    /// The name of what stands at this place, which is declared if it is not yet.
    fn reference(&mut self, file: &str, pointer: &str) -> Result<String, String> {
        let name = name_of(file, pointer);
        self.declare(file, pointer, &name)
    }

    fn declare(&mut self, file: &str, pointer: &str, name: &str) -> Result<String, String> {
        let place = format!("{file}#{pointer}");
        if let Some(name) = self.done.get(&place) {
            return Ok(name.clone());
        }
        if self.done.values().any(|taken| taken == name) {
            return Err(format!("{place}: two types would be called {name}"));
        }
        self.done.insert(place.clone(), name.to_string());
        let found = self.files.get(file).and_then(|schema| schema.pointer(pointer));
        let schema = found.and_then(Value::as_object).ok_or(format!("{place}: there is no schema"))?.clone();
        // Its own place in the list is before those of its parts.
        let at = self.declarations.len();
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_string();
        let shape = match self.fields(file, pointer, name, &schema)? {
            Some(fields) => Shape::Object(fields),
            None => Shape::Alias(self.of(file, pointer, name, &schema)?),
        };
        self.declarations.insert(at, Declaration { name: name.to_string(), about, shape });
        Ok(name.to_string())
    }

    /// The members of an object that has some; `None` for everything else.
    fn fields(
        &mut self,
        file: &str,
        pointer: &str,
        name: &str,
        schema: &Object,
    ) -> Result<Option<Vec<Field>>, String> {
        let mut fields = Vec::new();
        for (n, part) in list(schema, "allOf").iter().enumerate() {
            if let Some(target) = part.get("$ref").and_then(Value::as_str) {
                let (file, pointer) = target_of(file, target);
                let base = self.files[&file].pointer(&pointer).and_then(Value::as_object).cloned();
                let base = base.ok_or(format!("{file}#{pointer}: there is no schema"))?;
                self.reference(&file, &pointer)?;
                fields = self.fields(&file, &pointer, &name_of(&file, &pointer), &base)?.unwrap_or_default();
            } else {
                self.choice(file, &format!("{pointer}/allOf/{n}"), name, part)?;
            }
        }
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
        for (key, member) in properties {
            let place = format!("{pointer}/properties/{key}");
            let of = self.part(file, &place, &(name.to_string() + &pascal(key)), member)?;
            let is_required = required.contains(&key.as_str());
            fields.retain(|field: &Field| field.name != *key);
            fields.push(Field { name: key.clone(), of, is_required, about: text(member, "description") });
        }
        for key in required {
            match fields.iter_mut().find(|field| field.name == key) {
                Some(field) => field.is_required = true,
                None if properties.is_empty() => {}
                None => fields.push(Field {
                    name: key.to_string(),
                    of: Type::Any,
                    is_required: true,
                    about: String::new(),
                }),
            }
        }
        Ok(Some(fields).filter(|fields| !fields.is_empty()))
    }

    /// `if` a member is a constant, `then` another one has more to it: that more is a type of its own.
    fn choice(&mut self, file: &str, pointer: &str, name: &str, part: &Value) -> Result<(), String> {
        let conditions = part.pointer("/if/properties").and_then(Value::as_object);
        let constant =
            |(key, of): (&String, &Value)| Some((key.clone(), of.get("const")?.as_str()?.to_string()));
        let found = conditions.and_then(|all| all.iter().find_map(constant));
        let (asked, value) = found.ok_or(format!("{file}#{pointer}: `if` is no constant"))?;
        let more = part.pointer("/then/properties").and_then(Value::as_object);
        for key in more.map(|all| all.keys().cloned().collect::<Vec<_>>()).unwrap_or_default() {
            let place = format!("{pointer}/then/properties/{key}");
            let own = self.declare(file, &place, &format!("{name}{}{}", pascal(&value), pascal(&key)))?;
            let declared = self.declarations.iter_mut().find(|one| one.name == own);
            declared.into_iter().for_each(|one| one.about = format!("`{key}` where `{asked}` is {value:?}."));
        }
        Ok(())
    }

    /// The type of a part of another schema: an object with members gets a declaration.
    fn part(&mut self, file: &str, pointer: &str, name: &str, schema: &Value) -> Result<Type, String> {
        let Some(schema) = schema.as_object() else { return Ok(Type::Any) };
        let has_members = schema.contains_key("properties") || schema.contains_key("allOf");
        if let Some(known) = self.done.get(&format!("{file}#{pointer}")) {
            return Ok(Type::Named(known.clone()));
        }
        let of_object = has_members.then(|| self.declare(file, pointer, name)).transpose()?;
        match of_object {
            Some(name) if is_nullable(schema) => Ok(Type::AnyOf(vec![Type::Named(name), Type::Null])),
            Some(name) => Ok(Type::Named(name)),
            None => self.of(file, pointer, name, schema),
        }
    }

    fn of(&mut self, file: &str, pointer: &str, name: &str, schema: &Object) -> Result<Type, String> {
        if let Some(word) =
            schema.keys().find(|k| !NARROW.contains(&k.as_str()) && !KNOWN.contains(&k.as_str()))
        {
            return Err(format!("{file}#{pointer}: build/types/read.rs does not know {word:?}"));
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let (file, pointer) = target_of(file, target);
            return Ok(Type::Named(self.reference(&file, &pointer)?));
        }
        if let Some(value) = schema.get("const") {
            return Ok(Type::OneOf(vec![value.clone()]));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return Ok(Type::OneOf(values.clone()));
        }
        let choices = list(schema, "anyOf");
        if !choices.is_empty() {
            return self.choices(file, pointer, name, choices);
        }
        let mut types = Vec::new();
        let words = match schema.get("type") {
            Some(Value::String(word)) => vec![word.as_str()],
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
            _ => return Ok(Type::Any),
        };
        for word in words {
            types.push(match word {
                "null" => Type::Null,
                "boolean" => Type::Bool,
                "integer" => Type::Integer,
                "number" => Type::Number,
                "string" => Type::Text,
                "array" => {
                    let items = schema.get("items").unwrap_or(&Value::Null);
                    let of = self.part(file, &format!("{pointer}/items"), &format!("{name}Item"), items)?;
                    Type::List(of.into())
                }
                "object" => {
                    let members = schema.get("additionalProperties").unwrap_or(&Value::Null);
                    let place = format!("{pointer}/additionalProperties");
                    Type::Map(self.part(file, &place, &format!("{name}Value"), members)?.into())
                }
                other => return Err(format!("{file}#{pointer}: no type {other:?}")),
            });
        }
        Ok(if types.len() == 1 { types.remove(0) } else { Type::AnyOf(types) })
    }

    fn choices(&mut self, file: &str, pointer: &str, name: &str, all: &[Value]) -> Result<Type, String> {
        let is_null = |choice: &Value| choice.get("type").is_some_and(|of| of == "null");
        let is_alone = all.iter().filter(|choice| !is_null(choice)).count() == 1;
        let mut types = Vec::new();
        for (n, choice) in all.iter().enumerate() {
            let own = if is_alone { format!("{name}Value") } else { format!("{name}{}", n + 1) };
            types.push(self.part(file, &format!("{pointer}/anyOf/{n}"), &own, choice)?);
        }
        Ok(Type::AnyOf(types))
    }
}

/// `../events/health.json#/x` as seen from `methods/health.json`: a file and a pointer in it.
fn target_of(file: &str, target: &str) -> (String, String) {
    let (path, pointer) = target.split_once('#').unwrap_or((target, ""));
    let folder = file.split_once('/').map_or("", |(folder, _)| folder);
    let path = match path.strip_prefix("../") {
        _ if path.is_empty() => file.to_string(),
        Some(path) => path.to_string(),
        None => format!("{folder}/{path}"),
    };
    (path, pointer.to_string())
}

fn name_of(file: &str, pointer: &str) -> String {
    if let Some((_, name)) = FRAMES.iter().find(|(at, _)| file == "frames.json" && *at == pointer) {
        return name.to_string();
    }
    let (folder, name) = file.trim_end_matches(".json").split_once('/').unwrap_or(("", file));
    let own = pascal(name);
    let parts: Vec<&str> =
        pointer.split('/').filter(|part| !["", "properties", "$defs"].contains(part)).collect();
    let is_event = folder == "events" && parts.is_empty();
    let parts = parts.into_iter().map(|part| if part == "items" { "Item".to_string() } else { pascal(part) });
    own + &parts.collect::<String>() + if is_event { "Event" } else { "" }
}

fn is_nullable(schema: &Object) -> bool {
    schema.get("type").and_then(Value::as_array).is_some_and(|types| types.iter().any(|of| of == "null"))
}

fn list<'s>(schema: &'s Object, word: &str) -> &'s [Value] {
    schema.get(word).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(schema: &Value, word: &str) -> String {
    schema.get(word).and_then(Value::as_str).unwrap_or_default().to_string()
}
