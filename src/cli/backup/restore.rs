//! `openclaw backup restore`: unpacking a backup, and putting it to use.
//!
//! Works on files; with `--in-place` the gateway is stopped and started, see `in_place`.
use super::{in_place, size, tell_warnings, warnings};
use crate::backup::places::{self, Place};
use crate::backup::restore;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON, Positional};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub const COMMAND: Command = Command {
    name: "backup restore",
    summary: "Unpack a backup into an empty directory",
    about: "Checks the whole archive first. The target must be missing or empty; the last lines are the commands that put \
            what was unpacked to use. With --replace that is done at once, and what was in use is kept beside it; with \
            --in-place the gateway is stopped before and started again, and all is undone if it does not come up within \
            30 s. Paths below the home or state directory of the backup become those of this one.",
    positionals: &[Positional::required("archive")],
    flags: &[&[
        Flag::value("target", "<dir>", "Unpack to this directory"),
        Flag::switch("replace", "Put it to use at once; what is in use is kept beside it"),
        Flag::switch("in-place", "The same under a gateway that runs: stop, swap, start, or undo"),
        JSON,
    ]],
    examples: &[
        ("openclaw backup restore openclaw-backup.tar.gz --target ~/restored", "Unpack it there"),
        ("openclaw backup restore openclaw-backup.tar.gz --replace", "Put it in place of what is in use"),
        ("openclaw backup restore openclaw-backup.tar.gz --in-place", "The same while the gateway runs"),
    ],
    failure: "",
    run,
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    args.filled("target")?;
    let target = unpacked_to(env, args)?;
    let waiting = Waiting::begin(context.out, "checking and unpacking the backup");
    let contents = restore::restore(env, Path::new(args.positional(0).unwrap_or_default()), &target)?;
    drop(waiting);
    let (places, rewritten) = places::settle(env, &contents.manifest, &target)?;
    let is_put = puts(args);
    let mut lines = Vec::new();
    let done = match args.has("in-place") {
        true => in_place::restore(context, &places, &target, &mut lines)?,
        false if is_put => places::put(&places)?,
        false => Vec::new(),
    };
    if is_put {
        // All that was in it has gone to its place.
        let _ = std::fs::remove_dir_all(&target);
    }
    let kept: Vec<PathBuf> = done.into_iter().filter_map(|swap| swap.old).collect();
    if args.has("json") {
        let path = |place: &Place| if is_put { place.to.clone() } else { place.here.clone() };
        let asset = |place: &Place| json!({"name": place.name, "path": path(place), "sourcePath": place.source, "belongsTo": place.to});
        context.out.json(&json!({
            "ok": true, "target": target, "files": contents.files, "bytes": contents.bytes,
            "assets": places.iter().map(asset).collect::<Vec<Value>>(), "replaced": is_put, "kept": kept,
            "started": !lines.is_empty(), "rewritten": rewritten, "warnings": warnings(contents.has_whatsapp),
        }));
        return Ok(());
    }
    let told = format!("Unpacked {} files, {}", contents.files, size(contents.bytes));
    context.out.line(if is_put { told } else { format!("{told}, to {}", env.display(&target)) });
    for place in &places {
        let path = env.display(if is_put { &place.to } else { &place.here });
        context.out.line(format!("{:<16} {path} (was {})", place.name, env.display(&place.source)));
    }
    rewritten.iter().for_each(|line| context.out.line(format!("In its config {line}")));
    kept.iter().for_each(|old| context.out.line(format!("What was there is {} now", env.display(old))));
    tell_warnings(context, contents.has_whatsapp);
    match lines.is_empty() {
        true => tell_next(context, &places, is_put),
        false => lines.iter().for_each(|line| context.out.line(line)),
    }
    Ok(())
}

/// What is left to do after a backup was unpacked.
fn tell_next(context: &Context, places: &[Place], is_put: bool) {
    let env = &context.env;
    let (doctor, start) = (env.command("doctor"), env.command("gateway start"));
    if is_put {
        return context.out.line(format!("Next: `{doctor}`, then `{start}`"));
    }
    context.out.line("Next:");
    let moves = places.iter().flat_map(|place| place.lines(env));
    let lines = [env.command("gateway stop")].into_iter().chain(moves).chain([doctor, start]);
    lines.for_each(|line| context.out.line(format!("  {line}")));
}

/// Whether what is unpacked is put to use.
fn puts(args: &Args) -> bool {
    args.has("replace") || args.has("in-place")
}

/// Where to unpack: as asked for, or, to replace what is in use, beside it.
fn unpacked_to(env: &Env, args: &Args) -> Result<PathBuf> {
    if !puts(args) {
        let target = env.expand(args.value("target").ok_or_else(|| {
            Error::usage(
                "say what to do with it: --target <dir> unpacks it there, --replace puts it in place of what is in \
                 use, --in-place does that under a gateway that runs",
            )
        })?);
        return Ok(std::path::absolute(&target).unwrap_or(target));
    }
    if args.value("target").is_some() {
        return Err(Error::usage("--target excludes --replace and --in-place: leave one of them out"));
    }
    if let Some(pid) = crate::doctor::instance(env).filter(|_| !args.has("in-place")) {
        let stop = env.command("gateway stop");
        return Err(Error::invalid(format!(
            "the gateway runs (PID {pid}); stop it first: {stop}; or have --in-place do that"
        )));
    }
    let mut name = env.state_dir.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".restored-{}", crate::ids::hex(4)?));
    Ok(env.state_dir.with_file_name(name))
}
