//! `openclaw gateway call`: any method of the gateway, for scripts and for finding out.
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional, typed};
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{self, Put, json};
use crate::methods;
use crate::protocol::schema;
use serde_json::{Map, Value};

pub const COMMAND: Command = Command {
    name: "gateway call",
    summary: "Call a method of the gateway and print its answer",
    about: "With --expect-final the answer of a run (methods such as agent) is waited for.\n\
            A method that needs an idempotencyKey gets a new one unless --params holds one.\n\
            A call that may change something and is not answered exits 75 and prints its key.",
    positionals: &[Positional::optional("method")],
    flags: &[FLAGS, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw gateway call health", "Ask for the health snapshot"),
        ("openclaw gateway call --list", "List the methods, and what each is for"),
        (
            "openclaw gateway call chat.history --params '{\"sessionKey\":\"main\"}' --json",
            "Print a session as JSON",
        ),
    ],
    failure: "Gateway call failed: ",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::value(
        "params",
        "<json>",
        "Send these parameters, a JSON object, - for standard input, @file for a file; default {}",
    ),
    Flag::switch(
        "list",
        "List the methods instead, or those with this in their names: scope, what each is for",
    ),
    Flag::switch("expect-final", "Wait for the final answer of a run"),
    JSON,
];

fn run(context: &Context, args: &Args) -> Result<()> {
    if args.has("list") {
        return list(context, args);
    }
    let missing = || Error::usage("missing required argument 'method'; --list names them all");
    let method = args.positional(0).ok_or_else(missing)?;
    let mut params = params(typed::text_or_file("params", args.value("params"))?.as_deref())?;
    let makes_key = needs_key(method) && params.get("idempotencyKey").is_none();
    if makes_key {
        params.put("idempotencyKey", ids::uuid()?);
    }
    let payload = rpc::call(context, args, method, &params.into()).map_err(explain);
    let payload = payload.map_err(|e| if makes_key { e.reworded(rpc::NEW_KEY, "") } else { e })?;
    if !args.has("json") {
        context.out.warn(&format!("Gateway call: {method}"));
    }
    context.out.json(&payload);
    Ok(())
}

/// The methods of this version, each with the first sentence of what its schema says.
fn list(context: &Context, args: &Args) -> Result<()> {
    let wanted = args.positional(0).unwrap_or_default();
    let names = methods::names().into_iter().filter(|name| name.contains(wanted));
    let paths: Vec<String> = names.map(|name| format!("schemas/methods/{name}.json")).collect();
    if paths.is_empty() {
        return Err(Error::not_found(format!(
            "no method has {wanted:?} in its name; `openclaw gateway call --list` names them all"
        )));
    }
    let about =
        |text: &str| text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.').to_string();
    let rows = schema::descriptions(paths.iter().map(String::as_str)).filter_map(|(path, text)| {
        let name = path.strip_prefix("schemas/methods/")?.strip_suffix(".json")?;
        Some((methods::named(name)?, about(&text)))
    });
    if args.has("json") {
        let row = |(method, about): (&methods::Method, String)| {
            let scope = scope(method);
            json!({"method": method.name, "scope": scope, "changes": changes(method), "about": about})
        };
        context.out.json(&rows.map(row).collect());
        return Ok(());
    }
    for (method, about) in rows {
        let marks = if changes(method) { "changes" } else { "reads" };
        context.out.styled(&[(1, method.name), (2, &format!("  {}, {marks}", scope(method)))]);
        if !about.is_empty() {
            context.out.line(format!("    {about}"));
        }
    }
    Ok(())
}

fn changes(method: &methods::Method) -> bool {
    method.effect == methods::Effect::Changes
}

fn scope(method: &methods::Method) -> String {
    format!("{:?}", method.access).to_ascii_lowercase()
}

/// Who misspelt a method is told where they stand.
fn explain(error: Error) -> Error {
    match error.message().starts_with("unknown method") {
        true => error.advising("`openclaw gateway call --list` names the methods"),
        false => error,
    }
}

/// Whether the method's schema asks for an idempotency key: each call is then a new one unless one is given.
fn needs_key(method: &str) -> bool {
    fn asks(schema: &Value) -> bool {
        let required = schema.get("required").and_then(Value::as_array);
        required.into_iter().flatten().any(|name| name == "idempotencyKey")
            || schema.as_object().into_iter().flatten().any(|(_, value)| asks(value))
            || schema.as_array().into_iter().flatten().any(asks)
    }
    let path = format!("schemas/methods/{method}.json");
    schema::documents([path.as_str()].into_iter()).any(|(_, document)| asks(&document))
}

/// The parameters as an object; anything else is refused before the gateway is asked.
fn params(text: Option<&str>) -> Result<Map<String, Value>> {
    let value: Value = match text {
        // What is no JSON may be JSON5, as `config set` takes it.
        Some(text) => match json::read(text, json::REQUEST_VALUES, json::DEEPEST) {
            Ok(value) => value,
            Err(_) => crate::config::parse::json5(text).map_err(|e| {
                let (place, why) = (e.place(), e.message);
                Error::usage(format!(
                    "--params is neither JSON nor JSON5: {why}{place}; quote it for the shell: '{{\"key\":1}}'"
                ))
            })?,
        },
        None => json!({}),
    };
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Error::usage("--params must be a JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::{needs_key, params};

    #[test]
    fn n_14_a_key_is_made_where_one_is_asked_for() {
        for (method, needs) in [("agent", true), ("chat.send", true), ("health", false), ("nope", false)] {
            assert_eq!(needs_key(method), needs, "{method}");
        }
    }

    #[test]
    fn parameters_are_an_object() {
        for (text, fits) in
            [(None, true), (Some("{\"a\":1}"), true), (Some("[1]"), false), (Some("{a"), false)]
        {
            assert_eq!(params(text).is_ok(), fits, "{text:?}");
        }
    }
}
