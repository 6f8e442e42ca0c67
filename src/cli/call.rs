//! `openclaw gateway call`: any method of the gateway, for scripts and for finding out.
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional, rpc};
use crate::error::{Error, Result};
use crate::json::{self, json};
use crate::protocol::frame;
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "gateway call",
    summary: "Call a method of the gateway and print its answer",
    about: "With --expect-final the answer of a run (methods such as agent) is waited for.\n\
            A call that may change something and is not answered exits 75 and prints its idempotency key.",
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
    Flag::value("params", "<json>", "Send these parameters, a JSON object; default {}"),
    Flag::switch("expect-final", "Wait for the final answer of a run"),
    JSON,
];

fn run(context: &Context, args: &Args) -> Result<()> {
    let method = args.positional(0).unwrap_or_default();
    let params = params(args.value("params"))?;
    let payload = rpc::call(context, args, method, &params)?;
    if !args.has("json") {
        context.out.line(format!("Gateway call: {method}"));
    }
    context.out.json(&payload);
    Ok(())
}

/// The parameters as an object; anything else is refused before the gateway is asked.
fn params(text: Option<&str>) -> Result<Value> {
    let value: Value = match text {
        Some(text) => json::read(text, frame::MAX_VALUES, frame::MAX_DEPTH).map_err(|e| {
            Error::usage(format!("--params is not JSON: {e}; quote it for the shell: '{{\"key\":1}}'"))
        })?,
        None => json!({}),
    };
    if value.is_object() { Ok(value) } else { Err(Error::usage("--params must be a JSON object")) }
}

#[cfg(test)]
mod tests {
    use super::params;

    #[test]
    fn parameters_are_an_object() {
        for (text, fits) in
            [(None, true), (Some("{\"a\":1}"), true), (Some("[1]"), false), (Some("{a"), false)]
        {
            assert_eq!(params(text).is_ok(), fits, "{text:?}");
        }
    }
}
