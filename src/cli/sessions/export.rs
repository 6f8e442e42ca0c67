//! `openclaw sessions export`: a whole conversation as Markdown or JSON, to stdout or into a file of one's own.
use super::AGENT;
use super::naming::{Found, find};
use super::said::Reader;
use super::show::{KEY, NAMING, document};
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::error::{Error, Result};
use crate::files;
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::Path;

pub const COMMAND: Command = Command {
    name: "sessions export",
    summary: "Write a whole conversation as Markdown or JSON",
    about: NAMING,
    positionals: KEY,
    flags: &[
        &[
            AGENT,
            Flag::choice(
                "format",
                "<format>",
                &["markdown", "json"],
                "Write in this format; default markdown",
            ),
            Flag::value("output", "<file>", "Write to this file, which only you can read"),
            Flag::switch("force", "Replace the file"),
            JSON,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw sessions export main --output main.md", "Write the main session to a file"),
        ("openclaw sessions export main --format json", "Print it as JSON, as --json does"),
    ],
    failure: "",
    run,
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let is_json = args.has("json") || args.value("format") == Some("json");
    let output = args.filled("output")?.map(|path| context.env.expand(path));
    if let Some(path) = output.as_deref().filter(|path| !args.has("force") && path.exists()) {
        return Err(exists(context, path));
    }
    let found = find(context, args)?;
    let text = if is_json {
        format!("{:#}\n", document(context, args, &found, None)?)
    } else {
        markdown(context, args, &found)?
    };
    let Some(path) = output else {
        context.out.text(&text);
        return Ok(());
    };
    write(context, &path, text.as_bytes(), args.has("force"))?;
    context.out.line(format!("{} is in {}", found.row.key, context.env.display(&path)));
    Ok(())
}

fn markdown(context: &Context, args: &Args, found: &Found) -> Result<String> {
    let (mut reader, mut said) = (Reader::default(), Vec::new());
    let is_cut = found.back(context, args, None, |message| {
        said.extend(reader.read(&message).map(|said| said.markdown()));
        ControlFlow::Continue(())
    })?;
    let label = found.row.text("label");
    let mut text = format!("# {}\n\n", if label.is_empty() { &found.row.key } else { &label });
    if is_cut {
        context.out.warn("note: a gateway elsewhere tells the last 1000 messages; its own host has all");
    }
    said.reverse();
    text += &said.join("\n");
    Ok(text)
}

/// A file that is there stays as it is, unless it is to be replaced.
fn write(context: &Context, path: &Path, bytes: &[u8], replaces: bool) -> Result<()> {
    // Devices, pipes and the like are not replaced by a file, whoever may do that.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let path = context.env.display(path);
        return Err(Error::usage(format!("{path} is no file; leave --output out to have it printed")));
    }
    if replaces {
        return files::write_atomic(path, bytes);
    }
    let written =
        files::private_options().create_new(true).open(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => exists(context, path),
        _ => Error::io(format_args!("write {}", path.display()), e),
    })
}

fn exists(context: &Context, path: &Path) -> Error {
    Error::usage(format!("{} exists; replace it with --force", context.env.display(path)))
}
