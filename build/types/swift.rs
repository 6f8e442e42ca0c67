//! Declarations as Swift: structs and enums that are `Codable`, and a table of methods. A value of a fixed set is a
//! string with constants, so that one which a newer gateway adds is read as well.
use super::{Declaration, Field, Protocol, Shape, Type, pascal};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = r#"// The wire protocol of the OpenClaw gateway, written by `make protocol-gen` from schemas/. Do not edit.
// Newer gateways may send members and events that are not named here: what decodes these types passes them over.
import Foundation

/// Any JSON value.
public enum JSONValue: Codable, Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    public init(from decoder: Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

/// A value, or `null`, which is something else than a member that is not there: it often takes a setting away.
public enum Nullable<Value: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    case null
    case value(Value)

    public init(from decoder: Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = container.decodeNil() ? .null : .value(try container.decode(Value.self))
    }

    public func encode(to encoder: Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .value(let value): try container.encode(value)
        }
    }
}

/// A method of the gateway: its name, what it takes and what it answers.
public protocol GatewayMethod {
    associatedtype Params: Codable
    associatedtype Result: Codable
    static var name: String { get }
}
"#;

const TAIL: &str = r#"
/// A request of one method.
public struct RequestOf<M: GatewayMethod>: Encodable {
    public let type = "req"
    public var id: String
    public let method = M.name
    public var params: M.Params?

    public init(id: String, params: M.Params? = nil) {
        self.id = id
        self.params = params
    }
}

/// The answer to it.
public struct ResponseOf<M: GatewayMethod>: Decodable {
    public var id: String
    public var ok: Bool
    public var payload: M.Result?
    public var error: ErrorShape?
}
"#;

pub fn print(protocol: &Protocol) -> String {
    let mut out = String::from(HEAD);
    // Unions and sets of values have no name of their own in the schemas: they get that of where they stand.
    let mut more = BTreeMap::new();
    for declaration in &protocol.declarations {
        out.push('\n');
        comment(&mut out, "", &declaration.about);
        print_one(&mut out, declaration, &mut more);
        while let Some((name, of)) = more.pop_first() {
            print_named(&mut out, &name, &of, &mut more);
        }
    }
    out.push_str("\n/// Every method.\npublic enum Methods {\n");
    for method in &protocol.methods {
        let (name, params, result) = (pascal(&method.name), &method.params, &method.result);
        comment(&mut out, "    ", &method.about);
        let _ = writeln!(
            out,
            "    public enum {name}: GatewayMethod {{\n        public typealias Params = {params}\n        \
             public typealias Result = {result}\n        public static let name = {:?}\n    }}",
            method.name
        );
    }
    out.push_str("}\n");
    events(&mut out, protocol);
    out + TAIL
}

/// An event told by its name.
fn events(out: &mut String, protocol: &Protocol) {
    out.push_str(
        "\n/// Any event, its payload told by its name.\npublic enum GatewayEvent: Decodable, Sendable {\n",
    );
    for (event, payload) in &protocol.events {
        let _ = writeln!(out, "    case {}({payload})", camel(event));
    }
    out.push_str("    /// One that is not named here.\n    case other(String)\n\n");
    out.push_str("    private enum CodingKeys: String, CodingKey { case event, payload }\n\n");
    out.push_str("    public init(from decoder: Decoder) throws {\n");
    out.push_str("        let container = try decoder.container(keyedBy: CodingKeys.self)\n");
    out.push_str(
        "        let event = try container.decode(String.self, forKey: .event)\n        switch event {\n",
    );
    for (event, payload) in &protocol.events {
        let case = camel(event);
        let _ = writeln!(
            out,
            "        case {event:?}: self = .{case}(try container.decode({payload}.self, forKey: .payload))"
        );
    }
    out.push_str("        default: self = .other(event)\n        }\n    }\n}\n");
}

fn print_one(out: &mut String, declaration: &Declaration, more: &mut BTreeMap<String, Type>) {
    let name = &declaration.name;
    match &declaration.shape {
        Shape::Object(fields) => object(out, name, fields, more),
        Shape::Alias(of @ (Type::OneOf(_) | Type::AnyOf(_))) => match in_place(of) {
            Some(text) => {
                let _ = writeln!(out, "public typealias {name} = {text}");
            }
            None => print_named(out, name, of, more),
        },
        Shape::Alias(of) => {
            let of = name_of(of, &format!("{name}Item"), more);
            let _ = writeln!(out, "public typealias {name} = {of}");
        }
    }
}

fn object(out: &mut String, name: &str, fields: &[Field], more: &mut BTreeMap<String, Type>) {
    let _ = writeln!(out, "public struct {name}: Codable, Hashable, Sendable {{");
    let typed: Vec<(String, &Field, String)> = fields
        .iter()
        .map(|field| {
            let of = name_of(&field.of, &format!("{name}{}", pascal(&field.name)), more);
            (camel(&field.name), field, if field.is_required { of } else { format!("{of}?") })
        })
        .collect();
    for (key, field, of) in &typed {
        comment(out, "    ", &field.about);
        let _ = writeln!(out, "    public var {key}: {of}");
    }
    let arguments: Vec<String> = typed
        .iter()
        .map(|(key, field, of)| format!("{key}: {of}{}", if field.is_required { "" } else { " = nil" }))
        .collect();
    let _ = writeln!(out, "\n    public init({}) {{", arguments.join(", "));
    for (key, ..) in &typed {
        let _ = writeln!(out, "        self.{} = {key}", key.trim_matches('`'));
    }
    out.push_str("    }\n");
    if typed.iter().any(|(key, field, _)| key.trim_matches('`') != field.name) {
        out.push_str("\n    private enum CodingKeys: String, CodingKey {\n");
        for (key, field, _) in &typed {
            let _ = writeln!(out, "        case {key} = {:?}", field.name);
        }
        out.push_str("    }\n");
    }
    out.push_str("}\n");
}

/// A set of strings or a union, under this name.
fn print_named(out: &mut String, name: &str, of: &Type, more: &mut BTreeMap<String, Type>) {
    if let Type::OneOf(values) = of {
        let _ = writeln!(out, "\npublic struct {name}: RawRepresentable, Codable, Hashable, Sendable {{");
        out.push_str("    public var rawValue: String\n\n");
        out.push_str("    public init(rawValue: String) { self.rawValue = rawValue }\n\n");
        for value in values.iter().filter_map(Value::as_str) {
            let _ = writeln!(out, "    public static let {} = {name}(rawValue: {value:?})", camel(value));
        }
        out.push_str("}\n");
        return;
    }
    let Type::AnyOf(types) = of else { return };
    let cases: Vec<(String, String)> = types
        .iter()
        .filter(|of| **of != Type::Null)
        .enumerate()
        .map(|(n, of)| (case_of(of), name_of(of, &format!("{name}{}", n + 1), more)))
        .collect();
    let has_null = types.contains(&Type::Null);
    let _ = writeln!(out, "\npublic enum {name}: Codable, Hashable, Sendable {{");
    cases.iter().for_each(|(case, of)| out.push_str(&format!("    case {case}({of})\n")));
    out.push_str(if has_null { "    case null\n" } else { "" });
    out.push_str("\n    public init(from decoder: Decoder) throws {\n");
    out.push_str("        let container = try decoder.singleValueContainer()\n");
    let (last, first) = cases.split_last().expect("a union of something");
    if has_null {
        out.push_str(
            "        if container.decodeNil() {\n            self = .null\n            return\n        }\n",
        );
    }
    for (case, of) in first {
        let _ = writeln!(out, "        if let value = try? container.decode({of}.self) {{");
        let _ = writeln!(out, "            self = .{case}(value)\n            return\n        }}");
    }
    let _ = writeln!(out, "        self = .{}(try container.decode({}.self))\n    }}", last.0, last.1);
    out.push_str("\n    public func encode(to encoder: Encoder) throws {\n");
    out.push_str("        var container = encoder.singleValueContainer()\n        switch self {\n");
    for (case, _) in &cases {
        let _ = writeln!(out, "        case .{case}(let value): try container.encode(value)");
    }
    out.push_str(if has_null { "        case .null: try container.encodeNil()\n" } else { "" });
    out.push_str("        }\n    }\n}\n");
}

/// How a case of a union is called.
fn case_of(of: &Type) -> String {
    match of {
        Type::Bool => "bool".into(),
        Type::Integer => "integer".into(),
        Type::Number => "number".into(),
        Type::List(_) => "list".into(),
        Type::Map(_) | Type::Any => "object".into(),
        Type::Named(name) => camel(&(name[..1].to_ascii_lowercase() + &name[1..])),
        _ => "string".into(),
    }
}

/// What needs no declaration of its own: a constant, a mixed set, or something that may be null.
fn in_place(of: &Type) -> Option<String> {
    match of {
        Type::OneOf(values) if values.len() == 1 && values[0].is_string() => Some("String".into()),
        Type::OneOf(values) if values.iter().all(Value::is_string) => None,
        Type::OneOf(values) if values.iter().all(Value::is_boolean) => Some("Bool".into()),
        Type::OneOf(values) if values.iter().all(Value::is_i64) => Some("Int64".into()),
        Type::OneOf(_) => Some("JSONValue".into()),
        _ => None,
    }
}

/// A type as it stands behind a member; what needs a declaration is added under `name`.
fn name_of(of: &Type, name: &str, more: &mut BTreeMap<String, Type>) -> String {
    match of {
        Type::Any => "JSONValue".into(),
        Type::Null => "Nullable<JSONValue>".into(),
        Type::Bool => "Bool".into(),
        Type::Integer => "Int64".into(),
        Type::Number => "Double".into(),
        Type::Text => "String".into(),
        Type::Named(name) => name.clone(),
        Type::List(of) => format!("[{}]", name_of(of, &format!("{name}Item"), more)),
        Type::Map(of) => format!("[String: {}]", name_of(of, &format!("{name}Value"), more)),
        Type::AnyOf(types) if types.contains(&Type::Null) && types.len() == 2 => {
            let other = types.iter().find(|of| **of != Type::Null).expect("two types");
            format!("Nullable<{}>", name_of(other, name, more))
        }
        Type::OneOf(_) | Type::AnyOf(_) => in_place(of).unwrap_or_else(|| {
            more.insert(name.to_string(), of.clone());
            name.to_string()
        }),
    }
}

const KEYWORDS: &[&str] = &[
    "as",
    "associatedtype",
    "break",
    "case",
    "catch",
    "class",
    "continue",
    "default",
    "defer",
    "deinit",
    "do",
    "else",
    "enum",
    "extension",
    "fallthrough",
    "false",
    "fileprivate",
    "for",
    "func",
    "guard",
    "if",
    "import",
    "in",
    "init",
    "inout",
    "internal",
    "is",
    "let",
    "nil",
    "open",
    "operator",
    "private",
    "protocol",
    "public",
    "repeat",
    "rethrows",
    "return",
    "self",
    "static",
    "struct",
    "subscript",
    "super",
    "switch",
    "throw",
    "throws",
    "true",
    "try",
    "typealias",
    "var",
    "where",
    "while",
];

/// A name of a member or a case: `exec.finished` is `execFinished`, `repeat` stands between backticks.
fn camel(name: &str) -> String {
    let words = pascal(name);
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let text = match name.chars().next() {
        None => "empty".into(),
        Some(_) if is_plain && !name.starts_with(|c: char| c.is_ascii_digit()) => name.to_string(),
        Some(first) if first.is_ascii_digit() => format!("_{words}"),
        _ => words[..1].to_ascii_lowercase() + &words[1..],
    };
    if KEYWORDS.contains(&text.as_str()) { format!("`{text}`") } else { text }
}

fn comment(out: &mut String, indent: &str, about: &str) {
    if !about.is_empty() {
        let _ = writeln!(out, "{indent}/// {about}");
    }
}
