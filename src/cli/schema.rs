//! `openclaw protocol schema`: the JSON Schemas of the wire protocol, as they are compiled in.
use super::parse::Args;
use super::{Command, Context, Positional};
use crate::error::{Error, Result};
use crate::json::indented;
use crate::methods;
use crate::protocol::schema;
use serde_json::Value;

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
        context.out.json(&methods::schemas().map(|path| Value::from(name(path))).collect());
        return Ok(());
    }
    if args.has("list") {
        methods::schemas().for_each(|path| context.out.line(name(path)));
        return Ok(());
    }
    if let Some(wanted) = args.positional(0) {
        let is_wanted = |path: &&str| {
            let name = name(path);
            name == wanted || name.split_once('/').is_some_and(|(_, short)| short == wanted)
        };
        let unknown =
            || Error::not_found(format!("no schema named {wanted:?}; see openclaw protocol schema --list"));
        let path = methods::schemas().find(is_wanted).ok_or_else(unknown)?;
        schema::documents([path].into_iter()).for_each(|(_, document)| context.out.json(&document));
        return Ok(());
    }
    context.out.json_text(&all());
    Ok(())
}

/// All of them in one object. They lie in the program as they are to be read but for the spaces, so none is taken apart.
fn all() -> String {
    let mut text = String::from("{");
    for (n, (path, document)) in schema::originals(methods::schemas()).enumerate() {
        text.push_str(if n == 0 { "\n  " } else { ",\n  " });
        // Names are plain words.
        text.push_str(&format!("\"{}\": ", name(path)));
        indented::put(&document, 1, &mut text);
    }
    text.push_str("\n}");
    text
}

/// What people call a schema (`frames`, `methods/health`, `events/chat`): its file without `schemas/` and `.json`.
pub fn name(path: &str) -> &str {
    let file = path.strip_prefix("schemas/").unwrap_or(path);
    file.strip_suffix(".json").unwrap_or(file)
}
