//! `openclaw backup create|verify|restore`: keeping the configuration, state and workspaces in one file.
//!
//! Works on files only, with the gateway running or not; an invalid config hinders none of it. What goes into an
//! archive and how it is checked stands in `crate::backup`.
mod in_place;
pub mod restore;

use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::backup::plan::{Options, Plan, Skipped};
use crate::backup::{WHATSAPP, archive, create, keep};
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
            It is a tar with a manifest of checksums, compressed unless --output names a file that does not end in .gz; \
            nothing is ever written over. With --keep, once the new archive is checked, older ones that this command \
            made of the same things in the same directory are removed.",
    positionals: &[],
    flags: &[&[
        Flag::value("output", "<path>", "Write to this file, or into this directory"),
        Flag::switch("only-config", "Keep the config file alone"),
        Flag::switch("no-include-workspace", "Leave the agents' workspaces out"),
        Flag::switch("verify", "Read the archive again and check it"),
        Flag::value("keep", "<n>", "Check it, then remove all but the newest <n> there"),
        Flag::switch("dry-run", "Say what would be kept and write nothing"),
        JSON,
    ]],
    examples: &[
        ("openclaw backup create", "Write openclaw-backup-<time>.tar.gz here"),
        ("openclaw backup create --output /mnt/usb --verify", "Write it elsewhere and check it"),
        ("openclaw backup create --output /mnt/usb --keep 7", "The same, and keep seven of them"),
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
    examples: &[("openclaw backup verify openclaw-backup.tar.gz", "Check every file in it")],
    failure: "",
    run: run_verify,
};

fn run_create(context: &Context, args: &Args) -> Result<()> {
    let output = args.filled("output")?;
    let most = args.positive("keep")?;
    if most.is_some() && output.is_some_and(|path| !Path::new(path).is_dir()) {
        return Err(Error::usage("--keep goes with a directory: have --output name one that exists"));
    }
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    far::note(&context.out, &env, &config, "these are the files");
    let options =
        Options { only_config: args.has("only-config"), workspaces: !args.has("no-include-workspace") };
    let plan = Plan::make(&env, &config, options)?;
    let archive = destination(&env.home, &plan, output)?;
    let older = most.map_or_else(Vec::new, |most| keep::older(&plan, options, &archive, most));
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
        "removed": older,
    });
    let mut told = Vec::new();
    if args.has("dry-run") {
        let files = plan.items.iter().filter(|item| !item.is_dir).count();
        put(&mut report, "files", files);
        told.push(format!("Would write {files} files to {}", env.display(&archive)));
        told.extend(older.iter().map(|path| format!("Would remove the older {}", env.display(path))));
    } else {
        let waiting = Waiting::begin(context.out, "writing the backup");
        let created = create::create(&env, &plan, options, &archive)?;
        put(&mut report, "files", created.files);
        put(&mut report, "bytes", created.bytes);
        put(&mut report, "vanished", created.vanished);
        let (files, bytes) = (created.files, size(created.bytes));
        told.push(format!("Wrote {} ({files} files, {bytes})", env.display(&archive)));
        if args.has("verify") || most.is_some() {
            waiting.say("reading it again");
            archive::verify(&archive)?;
            put(&mut report, "verified", true);
            told.push("Verified: every file is as it was written".into());
        }
        for path in &older {
            let doing = || format!("remove the older {}; the new one is good", env.display(path));
            std::fs::remove_file(path).map_err(|e| Error::io(doing(), e))?;
        }
        told.extend(older.iter().map(|path| format!("Removed the older {}", env.display(path))));
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

/// Where the archive goes: the file or directory named, else the current directory, else home.
fn destination(home: &Path, plan: &Plan, output: Option<&str>) -> Result<PathBuf> {
    let time = clock::iso(clock::now_ms()).replace([':', '-'], "");
    let name = format!("{}{time}.tar.gz", keep::NAME);
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
