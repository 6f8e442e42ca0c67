//! `openclaw protocol schema`: the JSON Schemas of the wire protocol, as they are compiled in.
use super::parse::Args;
use super::{Command, Context, Positional};
use crate::error::{Error, Result};
use crate::json;
use crate::methods;
use serde_json::{Map, Value};

pub const COMMAND: Command = Command {
    name: "protocol schema",
    summary: "Print the JSON Schema of a method, an event or all of them",
    about: "Names are methods (health), events (events/chat) and frames; without a name all are printed.",
    positionals: &[Positional::optional("name")],
    flags: &[&[super::Flag::switch("list", "List the names only"), super::JSON]],
    examples: &[
        ("openclaw protocol schema health", "Print the schema of the health method"),
        ("openclaw protocol schema --list", "List all names"),
    ],
    failure: "",
    run,
};

fn run(context: &Context, args: &Args) -> Result<()> {
    if args.has("list") && args.has("json") {
        context.out.json(&methods::schemas().map(|(name, _)| Value::from(name)).collect());
        return Ok(());
    }
    if args.has("list") {
        methods::schemas().for_each(|(name, _)| context.out.line(name));
        return Ok(());
    }
    if let Some(wanted) = args.positional(0) {
        let named = |(name, text): (&str, &'static str)| {
            let short = name.split_once('/').map_or(name, |(_, short)| short);
            (name == wanted || short == wanted).then_some(text)
        };
        let unknown =
            || Error::not_found(format!("no schema named {wanted:?}; see openclaw protocol schema --list"));
        let text = methods::schemas().find_map(named).ok_or_else(unknown)?;
        context.out.json(&read(wanted, text)?);
        return Ok(());
    }
    let mut all = Map::new();
    for (name, text) in methods::schemas() {
        all.insert(name.to_string(), read(name, text)?);
    }
    context.out.json(&all.into());
    Ok(())
}

fn read(name: &str, text: &str) -> Result<Value> {
    // Our own texts, the largest of some thousand values.
    json::read(text, 100_000, 64).map_err(|e| Error::unavailable(format!("schema {name}: {e}")))
}
