//! `openclaw config rollback`: an earlier version of the configuration file takes its place again.
//!
//! The versions are those that every writer keeps (`config::edit`). What stands in the file becomes one of them, so that
//! going back can be taken back. Judged and written like any other change; a file that is broken hinders nothing.
use super::diff::show;
use super::edit::{FORCE, effect, explain, terms};
use super::{invalid, warn};
use crate::cli::applied::{Outcome, Running};
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional};
use crate::config::Config;
use crate::config::edit::{KEPT, kept, not_text};
use crate::config::good;
use crate::config::plan::plan;
use crate::config::write::{self, Change};
use crate::error::{Error, Result};
use crate::files;
use crate::json::json;
use std::path::PathBuf;

pub const COMMAND: Command = Command {
    name: "config rollback",
    summary: "Go back to an earlier version of the configuration",
    about: "Prints what changes and puts back the file as it was n changes ago: 1, which is .bak, to 5, which is .bak.4.\n\
            last-good is what a gateway ran with last, also before a change by an editor. The present file becomes the newest version, so that\n\
            going back once more undoes it.",
    positionals: &[Positional::optional("n")],
    flags: &[&[Flag::switch("dry-run", "Print what would change and write nothing"), FORCE, JSON]],
    examples: &[
        ("openclaw config rollback --dry-run", "See what the last change was"),
        ("openclaw config rollback", "Take the last change back"),
        ("openclaw config rollback last-good", "Put back what the gateway ran with last"),
    ],
    failure: "",
    run,
};

const GOOD: &str = "last-good";

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    let from = version(context, args.positional(0).unwrap_or("1"))?;
    let shown = env.display(&from);
    let text = files::read_text(&from).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => not_text(&from),
        _ => Error::io(format_args!("read {shown}"), e),
    })?;
    let old = Config::inspect(&mut env.clone());
    let (new, issues) = write::judge(env, text.as_str(), &from);
    warn(context, args, &new);
    if !issues.is_empty() {
        return Err(invalid(&shown, &issues).with("issues", json!(issues)));
    }
    let changes = plan(&old, &new);
    let is_same = old.text() == Some(&text);
    let is_dry = args.has("dry-run");
    if !args.has("json") && !is_same {
        show(context, &changes, &old, &new, true);
    }
    let running = Running::open(env).filter(|_| !is_dry);
    let put = || write::write(env, Change::Replace(&text), terms(args.has("force")));
    let written = if is_dry { None } else { Some(put().map_err(explain)?) };
    let applied = running.and_then(|running| running.wait(context));
    if args.has("json") {
        context.out.json(&json!({
            "ok": true, "from": from, "config": old.path(), "plan": super::diff::as_json(&changes),
            "changed": written.as_ref().is_some_and(|written| written.written),
        }));
        return Ok(());
    }
    match &written {
        _ if is_same => context.out.line(format!("Nothing to put back: the configuration is as in {shown}.")),
        Some(written) => context.out.line(format!("Put back {shown}{}", effect(written, false, applied))),
        None => context.out.line("nothing was written"),
    }
    if let Some(note) = applied.and_then(Outcome::note) {
        context.out.warn(note);
    }
    Ok(())
}

/// The file with the version that was asked for.
fn version(context: &Context, asked: &str) -> Result<PathBuf> {
    let path = &context.env.config_path;
    if asked == GOOD {
        return match good::path(path) {
            good if !files::is_missing(&good) => Ok(good),
            good => Err(Error::not_found(format!(
                "{} is not there; a gateway writes it when it has started",
                context.env.display(&good)
            ))),
        };
    }
    let n = asked.parse().ok().filter(|n| (1..=KEPT).contains(n));
    let n = n.ok_or_else(|| {
        Error::usage(format!("Invalid version {asked:?} (use a number from 1 to {KEPT}, or {GOOD})"))
    })?;
    if !files::is_missing(&kept(path, n)) {
        return Ok(kept(path, n));
    }
    let there: Vec<String> =
        (1..=KEPT).filter(|n| !files::is_missing(&kept(path, *n))).map(|n| n.to_string()).collect();
    Err(Error::not_found(match there.is_empty() {
        true => {
            "no earlier version is kept yet; a command that changes the configuration keeps the one before"
                .into()
        }
        false => format!("no version {n} is kept; there is {}", there.join(", ")),
    }))
}
