//! The types of the wire protocol, read out of `schemas/` for languages that clients are written in. It is no part of
//! the program: `make protocol-gen` writes what stands in `generated/`, and a test says when that is out of date.
pub mod read;
pub mod swift;
pub mod typescript;

/// A value's type. Objects are never part of another type: each has a declaration of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Any,
    Null,
    Bool,
    Integer,
    Number,
    Text,
    /// Exactly these values, as JSON.
    OneOf(Vec<serde_json::Value>),
    List(Box<Type>),
    /// An object with any members, each of this type.
    Map(Box<Type>),
    Named(String),
    AnyOf(Vec<Type>),
}

pub struct Field {
    pub name: String,
    pub of: Type,
    pub is_required: bool,
    pub about: String,
}

/// A declaration: an object with these members, or another name for a type.
pub enum Shape {
    Object(Vec<Field>),
    Alias(Type),
}

pub struct Declaration {
    pub name: String,
    pub about: String,
    pub shape: Shape,
}

/// All that is declared, and under which names methods and events go.
pub struct Protocol {
    pub declarations: Vec<Declaration>,
    pub methods: Vec<Method>,
    /// Event, and the type of its payload.
    pub events: Vec<(String, String)>,
}

pub struct Method {
    pub name: String,
    pub about: String,
    pub params: String,
    pub result: String,
}

/// `chat.send` as a name of a type: `ChatSend`.
pub fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    words.map(capital).collect()
}

/// The files there are, each with what it holds now.
pub fn all(schemas: &std::path::Path) -> Result<[(&'static str, String); 2], String> {
    let protocol = read::protocol(schemas)?;
    Ok([("openclaw.ts", typescript::print(&protocol)), ("OpenClaw.swift", swift::print(&protocol))])
}
