//! `openclaw backup create|verify|restore`: keeping the configuration, state and workspaces in one file.
//!
//! Works on files only, with the gateway running or not; an invalid config hinders none of it. What goes into an
//! archive and how it is checked stands in `crate::backup`.
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::backup::places::{self, Place};
use crate::backup::plan::{Options, Plan, Skipped};
use crate::backup::{WHATSAPP, archive, create, restore};
use crate::cli::waiting::Waiting;
use crate::clock;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub const CREATE: Command = Command {
    name: "backup create",
    summary: "Write configuration, state and workspaces to one archive",
    about: "Can be run while the gateway runs. The archive holds secrets, so keep it as safe as the state directory. \
            It is a plain tar with a manifest of checksums; nothing is ever written over.",
    positionals: &[],
    flags: &[&[
        Flag::value("output", "<path>", "Write to this file, or into this directory"),
        Flag::switch("only-config", "Keep the config file alone"),
        Flag::switch("no-include-workspace", "Leave the agents' workspaces out"),
        Flag::switch("verify", "Read the archive again and check it"),
        Flag::switch("dry-run", "Say what would be kept and write nothing"),
        JSON,
    ]],
    examples: &[
        ("openclaw backup create", "Write openclaw-backup-<time>.tar here"),
        ("openclaw backup create --output /mnt/usb --verify", "Write it elsewhere and check it"),
    ],
    failure: "",
    run: run_create,
};

pub const VERIFY: Command = Command {
    name: "backup verify",
    summary: "Check that a backup is whole",
    about: "Reads all of it and compares every file with the manifest.",
    positionals: &[Positional::required("archive")],
    flags: &[&[JSON]],
    examples: &[("openclaw backup verify openclaw-backup.tar", "Check every file in it")],
    failure: "",
    run: run_verify,
};

pub const RESTORE: Command = Command {
    name: "backup restore",
    summary: "Unpack a backup into an empty directory",
    about: "Checks the whole archive first. The target must be missing or empty; the last lines are the commands that put \
            what was unpacked to use. With --replace that is done at once, and what was in use is kept beside it. Paths \
            below the home or state directory of the backup become those of this one.",
    positionals: &[Positional::required("archive")],
    flags: &[&[
        Flag::value("target", "<dir>", "Unpack to this directory"),
        Flag::switch("replace", "Put it to use at once; what is in use is kept beside it"),
        JSON,
    ]],
    examples: &[
        ("openclaw backup restore openclaw-backup.tar --target ~/restored", "Unpack it there"),
        ("openclaw backup restore openclaw-backup.tar --replace", "Put it in place of what is in use"),
    ],
    failure: "",
    run: run_restore,
};

fn run_create(context: &Context, args: &Args) -> Result<()> {
    let output = args.filled("output")?;
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    far::note(&context.out, &env, &config, "these are the files");
    let options =
        Options { only_config: args.has("only-config"), workspaces: !args.has("no-include-workspace") };
    let plan = Plan::make(&env, &config, options)?;
    let archive = destination(&env.home, &plan, output)?;
    let mut report = json!({
        "ok": true,
        "archivePath": archive,
        "dryRun": args.has("dry-run"),
        "includeWorkspace": options.workspaces && !options.only_config,
        "onlyConfig": options.only_config,
        "assets": plan.roots,
        "skipped": plan.skipped,
        "warnings": warnings(plan.has_whatsapp()),
        "verified": false,
    });
    let mut told = Vec::new();
    if args.has("dry-run") {
        let files = plan.items.iter().filter(|item| !item.is_dir).count();
        put(&mut report, "files", files);
        told.push(format!("Would write {files} files to {}", env.display(&archive)));
    } else {
        let waiting = Waiting::begin(context.out, "writing the backup");
        let created = create::create(&env, &plan, options, &archive)?;
        put(&mut report, "files", created.files);
        put(&mut report, "bytes", created.bytes);
        put(&mut report, "vanished", created.vanished);
        let (files, bytes) = (created.files, size(created.bytes));
        told.push(format!("Wrote {} ({files} files, {bytes})", env.display(&archive)));
        if args.has("verify") {
            waiting.say("reading it again");
            archive::verify(&archive)?;
            put(&mut report, "verified", true);
            told.push("Verified: every file is as it was written".into());
        }
    }
    if args.has("json") {
        context.out.json(&report);
    } else {
        show_created(context, &env, &plan, &told);
    }
    Ok(())
}

fn show_created(context: &Context, env: &Env, plan: &Plan, told: &[String]) {
    for root in &plan.roots {
        context.out.line(format!("{:<16} {}", root.name, env.display(&root.source_path)));
    }
    let worth_telling =
        |skipped: &&Skipped| !matches!(skipped.reason, "a lock or an interrupted write" | "not asked for");
    for skipped in plan.skipped.iter().filter(worth_telling) {
        let line = format!("left out: {} ({})", env.display(&skipped.path), skipped.reason);
        context.out.line(&line);
    }
    told.iter().for_each(|line| context.out.line(line));
    tell_warnings(context, plan.has_whatsapp());
}

fn run_verify(context: &Context, args: &Args) -> Result<()> {
    let archive = PathBuf::from(args.positional(0).unwrap_or_default());
    let waiting = Waiting::begin(context.out, "reading the backup");
    let contents = archive::verify(&archive)?;
    drop(waiting);
    let of = |name: &str| contents.manifest.get(name).cloned().unwrap_or_default();
    if args.has("json") {
        context.out.json(&json!({
            "ok": true, "archivePath": archive, "files": contents.files, "bytes": contents.bytes,
            "createdAt": of("createdAt"), "runtimeVersion": of("runtimeVersion"), "assets": of("roots"),
            "options": of("options"), "warnings": warnings(contents.has_whatsapp),
        }));
        return Ok(());
    }
    context.out.line(format!(
        "OK: {} files, {}, made {} by version {}",
        contents.files,
        size(contents.bytes),
        of("createdAt").as_str().unwrap_or("at an unknown time"),
        of("runtimeVersion").as_str().unwrap_or("unknown"),
    ));
    tell_warnings(context, contents.has_whatsapp);
    Ok(())
}

fn run_restore(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    args.filled("target")?;
    let target = unpacked_to(env, args)?;
    let waiting = Waiting::begin(context.out, "checking and unpacking the backup");
    let contents = restore::restore(env, Path::new(args.positional(0).unwrap_or_default()), &target)?;
    drop(waiting);
    let (places, rewritten) = places::settle(env, &contents.manifest, &target)?;
    let is_put = args.has("replace");
    let mut kept = Vec::new();
    if is_put {
        for place in &places {
            kept.extend(place.put().map_err(|e| e.context(format_args!("put {} in its place", place.name)))?);
        }
        // All that was in it has gone to its place.
        let _ = std::fs::remove_dir_all(&target);
    }
    if args.has("json") {
        let path = |place: &Place| if is_put { place.to.clone() } else { place.here.clone() };
        let asset = |place: &Place| json!({"name": place.name, "path": path(place), "sourcePath": place.source, "belongsTo": place.to});
        context.out.json(&json!({
            "ok": true, "target": target, "files": contents.files, "bytes": contents.bytes,
            "assets": places.iter().map(asset).collect::<Vec<Value>>(), "replaced": is_put, "kept": kept,
            "rewritten": rewritten, "warnings": warnings(contents.has_whatsapp),
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
    tell_next(context, &places, is_put);
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

/// Where to unpack: as asked for, or, to replace what is in use, beside it.
fn unpacked_to(env: &Env, args: &Args) -> Result<PathBuf> {
    if !args.has("replace") {
        let target = env.expand(args.required("target")?);
        return Ok(std::path::absolute(&target).unwrap_or(target));
    }
    if args.value("target").is_some() {
        return Err(Error::usage("--target and --replace exclude each other: leave one of them out"));
    }
    if let Some(pid) = crate::doctor::instance(env) {
        let stop = env.command("gateway stop");
        return Err(Error::invalid(format!("the gateway runs (PID {pid}); stop it first: {stop}")));
    }
    let mut name = env.state_dir.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".restored-{}", crate::ids::hex(4)?));
    Ok(env.state_dir.with_file_name(name))
}

/// Where the archive goes: the file or directory named, else the current directory, else home.
fn destination(home: &Path, plan: &Plan, output: Option<&str>) -> Result<PathBuf> {
    let time = clock::iso(clock::now_ms()).replace([':', '-'], "");
    let name = format!("openclaw-backup-{time}.tar");
    let here = |path: &Path| {
        std::path::absolute(path).map_err(|e| Error::io(format_args!("find {}", path.display()), e))
    };
    let archive = match output {
        Some(path) if Path::new(path).is_dir() => here(Path::new(path))?.join(name),
        Some(path) => here(Path::new(path))?,
        None => {
            let archive = here(Path::new(&name))?;
            if plan.holds(&archive) { home.join(name) } else { archive }
        }
    };
    if plan.holds(&archive) {
        return Err(Error::invalid(format!(
            "{} lies in what is backed up and would hold itself; choose another --output",
            archive.display()
        )));
    }
    Ok(archive)
}

fn put(report: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(report) = report.as_object_mut() {
        report.insert(name.to_string(), value.into());
    }
}

fn warnings(has_whatsapp: bool) -> Vec<&'static str> {
    has_whatsapp.then_some(WHATSAPP).into_iter().collect()
}

fn tell_warnings(context: &Context, has_whatsapp: bool) {
    warnings(has_whatsapp).iter().for_each(|warning| context.out.warn(&format!("Warning: {warning}")));
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
