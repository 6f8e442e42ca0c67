//! Declarations as TypeScript: interfaces and type aliases, and two tables that go from a name to its types.
use super::{Field, Protocol, Shape, Type};
use std::fmt::Write;

const HEAD: &str = "\
// The wire protocol of the OpenClaw gateway, written by `make protocol-gen` from schemas/. Do not edit.
// Newer gateways may send members, events and values that are not named here: ignore them.
";

const TAIL: &str = "
/** The name of a method. */
export type Method = keyof Methods;
/** What a method takes. */
export type Params<M extends Method> = Methods[M][\"params\"];
/** What a method answers. */
export type Result<M extends Method> = Methods[M][\"result\"];
/** A request of one method. */
export type RequestOf<M extends Method> = RequestFrame & { method: M; params?: Params<M> };
/** Any event, its payload told by its name. */
export type GatewayEvent = { [E in keyof Events]: EventFrame & { event: E; payload: Events[E] } }[keyof Events];
/** Any frame that a gateway sends. */
export type ServerFrame = ResponseFrame | GatewayEvent;
";

pub fn print(protocol: &Protocol) -> String {
    let mut out = String::from(HEAD);
    for declaration in &protocol.declarations {
        out.push('\n');
        comment(&mut out, "", &declaration.about);
        match &declaration.shape {
            Shape::Object(fields) => {
                let _ = writeln!(out, "export interface {} {{", declaration.name);
                fields.iter().for_each(|field| member(&mut out, field));
                out.push_str("}\n");
            }
            Shape::Alias(of) => {
                let _ = writeln!(out, "export type {} = {};", declaration.name, name(of));
            }
        }
    }
    out.push_str("\n/** Every method: what it takes and what it answers. */\nexport interface Methods {\n");
    for method in &protocol.methods {
        comment(&mut out, "  ", &method.about);
        let _ =
            writeln!(out, "  {:?}: {{ params: {}; result: {} }};", method.name, method.params, method.result);
    }
    out.push_str("}\n\n/** Every event and its payload. */\nexport interface Events {\n");
    for (event, payload) in &protocol.events {
        let _ = writeln!(out, "  {event:?}: {payload};");
    }
    out.push_str("}\n");
    out + TAIL
}

fn member(out: &mut String, field: &Field) {
    comment(out, "  ", &field.about);
    let is_plain = field.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && field.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let key = if is_plain { field.name.clone() } else { format!("{:?}", field.name) };
    let mark = if field.is_required { "" } else { "?" };
    let _ = writeln!(out, "  {key}{mark}: {};", name(&field.of));
}

fn comment(out: &mut String, indent: &str, about: &str) {
    if !about.is_empty() {
        let _ = writeln!(out, "{indent}/** {} */", about.replace("*/", "* /"));
    }
}

fn name(of: &Type) -> String {
    let all = |parts: Vec<String>| parts.join(" | ");
    match of {
        Type::Any => "unknown".into(),
        Type::Null => "null".into(),
        Type::Bool => "boolean".into(),
        Type::Integer | Type::Number => "number".into(),
        Type::Text => "string".into(),
        Type::OneOf(values) => all(values.iter().map(ToString::to_string).collect()),
        Type::List(of) if matches!(**of, Type::AnyOf(_) | Type::OneOf(_)) => format!("({})[]", name(of)),
        Type::List(of) => format!("{}[]", name(of)),
        Type::Map(of) => format!("{{ [key: string]: {} }}", name(of)),
        Type::Named(name) => name.clone(),
        Type::AnyOf(types) => all(types.iter().map(name).collect()),
    }
}
