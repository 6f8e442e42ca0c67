//! `openclaw gateway call`: any method of the gateway, for scripts and for finding out.
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional, typed};
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{self, Put, json};
use crate::protocol::schema;
use serde_json::{Map, Value};

pub const COMMAND: Command = Command {
    name: "gateway call",
    summary: "Call a method of the gateway and print its answer",
    about: "With --expect-final the answer of a run (methods such as agent) is waited for.\n\
            A method that needs an idempotencyKey gets a new one unless --params holds one.\n\
            A call that may change something and is not answered exits 75 and prints its key.",
    positionals: &[Positional::required("method")],
    flags: &[FLAGS, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw gateway call health", "Ask for the health snapshot"),
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
    Flag::switch("expect-final", "Wait for the final answer of a run"),
    JSON,
];

fn run(context: &Context, args: &Args) -> Result<()> {
    let method = args.positional(0).unwrap_or_default();
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

/// Who misspelt a method is told where they stand.
fn explain(error: Error) -> Error {
    match error.message().starts_with("unknown method") {
        true => error.advising("`openclaw protocol schema --list` names the methods"),
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
            Err(e) => crate::config::parse::json5(text).map_err(|_| {
                Error::usage(format!("--params is not JSON: {e}; quote it for the shell: '{{\"key\":1}}'"))
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
