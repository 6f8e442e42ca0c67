//! `openclaw nodes canvas ...`: what a node's screen shows. Pictures of it are `media`'s.
use super::invoke::{BASE, TELL, done, gathered, number, tell_named};
use crate::cli::link::rpc;
use crate::cli::link::talk::Talk;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, Positional};
use crate::error::{Error, Result};
use crate::files;
use crate::json::{self, json};
use serde_json::Value;
use std::path::Path;

const USUAL_MS: u64 = 20_000;
/// Largest file of messages.
const MAX_FILE: u64 = 2 << 20;

pub const PRESENT: Command = Command {
    name: "nodes canvas present",
    summary: "Show the canvas on a node",
    flags: &[
        TELL,
        &[
            Flag::value("target", "<url>", "Show this page"),
            Flag::value("x", "<px>", "Place it so far from the left"),
            Flag::value("y", "<px>", "Place it so far from the top"),
            Flag::value("width", "<px>", "Make it so wide"),
            Flag::value("height", "<px>", "Make it so high"),
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes canvas present --node desk", "Show it")],
    run: present,
    ..BASE
};

pub const HIDE: Command = Command {
    name: "nodes canvas hide",
    summary: "Hide the canvas on a node",
    examples: &[("openclaw nodes canvas hide --node desk", "Hide it")],
    run: |context, args| simple(context, args, "hide", Value::Null),
    ..BASE
};

pub const NAVIGATE: Command = Command {
    name: "nodes canvas navigate",
    summary: "Show a page in the canvas of a node",
    positionals: &[Positional::required("url")],
    examples: &[("openclaw nodes canvas navigate https://example.com --node desk", "Show this page")],
    run: |context, args| {
        simple(context, args, "navigate", json!({"url": (args.positional(0).unwrap_or_default())}))
    },
    ..BASE
};

pub const EVAL: Command = Command {
    name: "nodes canvas eval",
    summary: "Run JavaScript in the canvas of a node",
    positionals: &[Positional::optional("code")],
    flags: &[
        TELL,
        &[Flag::value("js", "<code>", "The code, where it is no argument")],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes canvas eval document.title --node desk", "Show the page's title")],
    run: eval,
    ..BASE
};

pub const PUSH: Command = Command {
    name: "nodes canvas a2ui push",
    summary: "Show A2UI surfaces in the canvas of a node",
    flags: &[
        TELL,
        &[
            Flag::value("jsonl", "<path>", "Show the messages of this file, one a line"),
            Flag::value("text", "<text>", "Show this text"),
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes canvas a2ui push --node desk --text \"Dinner is ready\"", "Show a text")],
    run: push,
    ..BASE
};

pub const RESET: Command = Command {
    name: "nodes canvas a2ui reset",
    summary: "Take A2UI surfaces out of the canvas of a node",
    examples: &[("openclaw nodes canvas a2ui reset --node desk", "Begin with an empty canvas")],
    run: |context, args| simple(context, args, "a2ui.reset", Value::Null),
    ..BASE
};

fn simple(context: &Context, args: &Args, verb: &str, params: Value) -> Result<()> {
    let answer = tell_named(&mut Talk::new(context, args), &format!("canvas.{verb}"), params, USUAL_MS)?;
    done(context, args, &answer, &format!("canvas {}", verb.replace('.', " ")));
    Ok(())
}

fn present(context: &Context, args: &Args) -> Result<()> {
    let mut place = Vec::new();
    for name in ["x", "y", "width", "height"] {
        place.push((name, number(args, name)?));
    }
    let placement =
        Some(gathered(&place)).filter(|place| place.as_object().is_some_and(|map| !map.is_empty()));
    let params = gathered(&[("url", args.filled("target")?.map(Value::from)), ("placement", placement)]);
    simple(context, args, "present", params)
}

fn eval(context: &Context, args: &Args) -> Result<()> {
    let code = args.value("js").or(args.positional(0)).filter(|code| !code.trim().is_empty());
    let code = code.ok_or_else(|| Error::usage("name the code: as the argument, or with --js"))?;
    let answer =
        tell_named(&mut Talk::new(context, args), "canvas.eval", json!({"javaScript": code}), USUAL_MS)?;
    let result = answer.pointer("/payload/result").filter(|result| !result.is_null());
    match (args.has("json"), result) {
        (false, Some(Value::String(text))) => context.out.line(text),
        (false, Some(result)) => context.out.json(result),
        _ => done(context, args, &answer, "canvas eval"),
    }
    Ok(())
}

fn push(context: &Context, args: &Args) -> Result<()> {
    let jsonl = match (args.filled("jsonl")?, args.value("text")) {
        (Some(path), None) => {
            let bytes = files::read_bytes(Path::new(path), MAX_FILE)
                .map_err(|e| Error::io(format_args!("read {path}"), e))?;
            String::from_utf8(bytes).map_err(|_| Error::usage(format!("{path} is no text")))?
        }
        (None, Some(text)) => of_text(text),
        _ => return Err(Error::usage("name what is to be shown: either --jsonl or --text")),
    };
    check(&jsonl)?;
    let answer = tell_named(
        &mut Talk::new(context, args),
        "canvas.a2ui.pushJSONL",
        json!({"jsonl": jsonl}),
        USUAL_MS,
    )?;
    done(context, args, &answer, "canvas a2ui push");
    Ok(())
}

/// A surface that is nothing but this text.
fn of_text(text: &str) -> String {
    let column = json!({"id": "root", "component": {"Column": {"children": {"explicitList": ["text"]}}}});
    let words =
        json!({"id": "text", "component": {"Text": {"text": {"literalString": text}, "usageHint": "body"}}});
    let update = json!({"surfaceUpdate": {"surfaceId": "main", "components": [column, words]}});
    let begin = json!({"beginRendering": {"surfaceId": "main", "root": "root"}});
    format!("{update}\n{begin}")
}

/// Each line is one message of the form that nodes draw.
fn check(jsonl: &str) -> Result<()> {
    const KINDS: [&str; 4] = ["beginRendering", "surfaceUpdate", "dataModelUpdate", "deleteSurface"];
    let lines = jsonl.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut count = 0;
    for (at, line) in lines {
        let wrong = |why: &str| Error::usage(format!("line {} is no A2UI message: {why}", at + 1));
        let message = json::read_object(line, 100_000, json::DEEPEST).map_err(|e| wrong(&e.to_string()))?;
        if message.contains_key("createSurface") {
            return Err(wrong("it is of A2UI 0.9, and nodes draw 0.8"));
        }
        if KINDS.iter().filter(|kind| message.contains_key(**kind)).count() != 1 {
            return Err(wrong(&format!("it has not exactly one of {}", KINDS.join(", "))));
        }
        count += 1;
    }
    if count == 0 { Err(Error::usage("there is no A2UI message in it")) } else { Ok(()) }
}
