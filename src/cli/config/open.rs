//! `openclaw config edit`: the configuration in the owner's editor, judged when it is closed.
//!
//! The editor works upon a private copy below the state directory, which goes at the end. The file itself is written
//! once, as by `config set`, and only if it is still the one that was copied.
use super::copy::Copy;
use super::diff::show;
use super::edit::{effect, explain, terms};
use super::{invalid, warn};
use crate::cli::applied::{Outcome, Running};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag};
use crate::config::Config;
use crate::config::plan::plan;
use crate::config::write::{self, Base, Change, Terms};
use crate::env::Env;
use crate::error::{Cause, Error, Kind, Result};
use crate::files;
use rustix::termios::isatty;
use std::io::{stdin, stdout};
use std::path::Path;
use std::process::{Command as Process, Stdio};

pub const COMMAND: Command = Command {
    summary: "Open the configuration in your editor and check it when that is closed",
    about: "The editor is VISUAL, else EDITOR, else vi or nano. It gets a private copy; what is saved is judged as a start\n\
            would judge it, and after a mistake the editor is opened again at its line. A file that\n\
            somebody else changed meanwhile is not written over unseen.",
    flags: &[&[Flag::switch(
        "force",
        "Write it although most of the file, gateway.mode or gateway.auth is lost",
    )]],
    examples: &[("openclaw config edit", "Edit the configuration")],
    ..Command::of("config edit", run)
};

/// Editors that open a file at the line that `+N` names.
const KNOW_LINES: [&str; 12] =
    ["vi", "vim", "nvim", "view", "nano", "pico", "emacs", "emacsclient", "micro", "joe", "mcedit", "mg"];

/// Editors that would wait for keys for ever without one.
const NEED_TERMINALS: [&str; 10] =
    ["vi", "vim", "nvim", "view", "nano", "pico", "micro", "joe", "mcedit", "mg"];

/// What is to be done with a text that cannot be written.
enum Next {
    Edit,
    Force,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let editor = editor(env)?;
    let mut base = Config::inspect(&mut env.clone());
    let before = match files::read_text(&env.config_path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "{\n}\n".to_string(),
        read => read.map_err(|e| Error::io(format_args!("read {}", env.display(&env.config_path)), e))?,
    };
    let copy = Copy::make(&env.state_dir, &before)?;
    let (mut line, mut force) = (None, args.has("force"));
    loop {
        open(env, &editor, &copy, line)?;
        let text = files::read_text(copy.file()).map_err(|e| Error::io("read what the editor saved", e))?;
        if text == before {
            context.out.line("Nothing changed.");
            return Ok(());
        }
        let written = loop {
            match put(context, args, &base, &text, force) {
                Err(error) => match ask(context, error, &mut base)? {
                    (Next::Force, _) => force = true,
                    (Next::Edit, at) => break Err(at),
                },
                Ok(()) => break Ok(()),
            }
        };
        match written {
            Ok(()) => return Ok(()),
            Err(at) => line = at,
        }
    }
}

/// The words of the owner's editor, for a shell.
fn editor(env: &Env) -> Result<String> {
    let dirs = env.program_dirs(&[]);
    let is_here = |name: &&str| dirs.iter().any(|dir| dir.join(name).is_file());
    let named = env.var("VISUAL").or_else(|| env.var("EDITOR")).map(str::to_string);
    let editor = named.or_else(|| ["vi", "nano"].into_iter().find(is_here).map(str::to_string));
    let editor = editor.ok_or_else(|| Error::usage("no editor: set VISUAL or EDITOR to one that is here"))?;
    let name = name(&editor);
    if NEED_TERMINALS.contains(&name) && !(isatty(stdin()) && isatty(stdout())) {
        return Err(Error::usage(format!(
            "{name} needs a terminal, and this is none; from a script: {}, or set EDITOR to a program that needs none",
            env.command("config set <key> <value>")
        )));
    }
    Ok(editor)
}

/// The program of these words, without its directory.
fn name(editor: &str) -> &str {
    let program = editor.split_whitespace().next().unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default()
}

fn open(env: &Env, editor: &str, copy: &Copy, line: Option<u64>) -> Result<()> {
    let name = name(editor);
    let mut process = Process::new("/bin/sh");
    process.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor);
    process.args(line.filter(|_| KNOW_LINES.contains(&name)).map(|line| format!("+{line}"))).arg(copy.file());
    env.hide_own(&mut process);
    let status = copy.edit(process.stdin(Stdio::inherit()))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::new(Kind::Aborted, format!("{name} ended with {status}; nothing was changed"))),
    }
}

/// Judges the text and writes it.
fn put(context: &Context, args: &Args, base: &Config, text: &str, force: bool) -> Result<()> {
    let env = &context.env;
    let (new, issues) = write::judge(env, text, &env.config_path);
    if !issues.is_empty() {
        return Err(
            invalid(&env.display(&env.config_path), &issues).with("issues", crate::json::json!(issues))
        );
    }
    let hash = Some(base.hash()).filter(|_| base.exists());
    let running = Running::open(env);
    let terms = Terms { base: Base::Hash(hash), ..terms(force) };
    let written = write::write(env, Change::Replace(text), terms).map_err(|error| match error.cause() {
        Some(Cause::NeedsForce) => error,
        _ if error.kind == Kind::Conflict => {
            Error::new(Kind::Conflict, "somebody else has changed the file meanwhile: nothing was written")
        }
        _ => explain(error),
    })?;
    if !written.written {
        context.out.line("Nothing to save: somebody else has saved the same meanwhile.");
        return Ok(());
    }
    warn(context, args, &new);
    let applied = running.and_then(|running| running.wait(context));
    show(context, &plan(base, &new), base, &new, true);
    context.out.line(format!("Saved{}", effect(&written, false, applied)));
    if let Some(note) = applied.and_then(Outcome::note) {
        context.out.warn(note);
    }
    Ok(())
}

/// Tells why it was not written, and asks what next, with the line of the mistake. Without a terminal the mistake is
/// the end.
fn ask(context: &Context, error: Error, base: &mut Config) -> Result<(Next, Option<u64>)> {
    let env = &context.env;
    let is_forced = error.cause() == Some(Cause::NeedsForce);
    if !isatty(stdin()) || !context.out.interactive {
        return Err(if is_forced { explain(error) } else { error });
    }
    context.out.line(env.display_all(error.message()));
    if error.kind == Kind::Conflict {
        let present = Config::inspect(&mut env.clone());
        context.out.line("What has changed, and is undone if you save again without it:");
        show(context, &plan(base, &present), base, &present, false);
        *base = present;
    }
    let force = if is_forced { ", f to force" } else { "" };
    for _ in 0..5 {
        context.out.prompt(&format!("e to edit again, d to discard{force}? [e]"));
        let mut answer = String::new();
        let read = stdin().read_line(&mut answer).map_err(|e| Error::io("read an answer", e))?;
        match answer.trim() {
            "f" | "force" if is_forced => return Ok((Next::Force, None)),
            "" | "e" | "edit" if read > 0 => return Ok((Next::Edit, place(&error, env))),
            "d" | "discard" => break,
            _ if read == 0 => break,
            _ => {}
        }
    }
    Err(Error::new(Kind::Aborted, "nothing was changed"))
}

/// The line of the first mistake, where it is one of this file.
fn place(error: &Error, env: &Env) -> Option<u64> {
    let first = error.details()?.get("issues")?.get(0)?;
    let is_here = first.get("file")?.as_str().map(Path::new) == Some(&env.config_path);
    first.get("line")?.as_u64().filter(|_| is_here)
}
