//! `openclaw gateway diagnostics export`: one file with what somebody needs who is to help, and no secrets.
//!
//! Works with the gateway up or down. Every text goes through the same redaction as the log; configuration values that
//! are secrets are hidden by the table of keys; contents of sessions, credentials and workspaces are never read.
use crate::backup::tar::{Entry, Writer};
use crate::cli::doctor::report;
use crate::cli::link::client::Deadline;
use crate::cli::link::connect::connect;
use crate::cli::link::rpc;
use crate::cli::link::target::Target;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON, VERSION};
use crate::doctor::{self, Ctx};
use crate::error::{Error, Result};
use crate::json::json;
use crate::logging::{self, Redactor, tail};
use crate::models::provider::key_variable;
use crate::{clock, files, service};
use serde_json::{Map, Value};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub const EXPORT: Command = Command {
    name: "gateway diagnostics export",
    summary: "Write a file for a bug report, without secrets",
    about: "Holds versions, the redacted configuration, findings of doctor, health, the end of the log, and names, \
            sizes and modes of the state directory's files. No message, credential or workspace file is read. Look \
            through it before you give it away: names of sessions and hosts are in it.",
    positionals: &[],
    flags: &[&[Flag::value("output", "<file>", "Write to this file"), JSON], rpc::TIMEOUT],
    examples: &[("openclaw gateway diagnostics export", "Write openclaw-diagnostics-<time>.tar here")],
    failure: "",
    run,
};

const LOG: tail::Span = tail::Span { cursor: None, limit: 5000, max_bytes: 1 << 20 };
/// Files of the state directory that are listed.
const MAX_LISTED: usize = 5000;
/// Directories of the state directory that are the user's own.
const NOT_LISTED: [&str; 2] = ["workspace", "trash"];

fn run(context: &Context, args: &Args) -> Result<()> {
    let time = clock::iso(clock::now_ms()).replace([':', '-'], "");
    let path = PathBuf::from(
        args.value("output").map_or(format!("openclaw-diagnostics-{time}.tar"), str::to_string),
    );
    if std::fs::symlink_metadata(&path).is_ok() {
        return Err(Error::invalid(format!("{} exists; choose another --output", path.display())));
    }
    let waiting = Waiting::begin(context.out, "gathering");
    let mut ctx = Ctx::look(&context.env, true);
    ctx.reached = crate::cli::doctor::reach(&ctx);
    ctx.service = service::inspect(&ctx.env).ok();
    let found = doctor::run(&ctx, |_| true);
    let mut clean = Redactor::EMPTY;
    clean.add(secrets(&ctx));
    let documents = [
        ("summary.json", summary(&ctx)),
        ("config.json", ctx.config.snapshot()),
        ("doctor.json", report(&found, &[], found.is_empty())),
        ("gateway.json", gateway(&ctx, args)?),
        ("service.json", ctx.service.as_ref().map_or(Value::Null, |service| service.to_json(true))),
    ];
    let mut texts: Vec<(&str, String)> = documents
        .into_iter()
        .map(|(name, value)| (name, format!("{:#}\n", cleaned(value, &clean))))
        .collect();
    texts.push(("files.txt", listing(&ctx.env.state_dir, &clean)));
    texts.push(("log.jsonl", log(&ctx, &clean)));
    let size = write(&path, &texts)?;
    drop(waiting);
    let names: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
    if args.has("json") {
        let path = std::path::absolute(&path).unwrap_or(path);
        context.out.json(&json!({"ok": true, "path": path, "bytes": size, "files": names}));
        return Ok(());
    }
    context.out.line(format!(
        "Wrote {} ({} KiB): {}",
        context.env.display(&path),
        size / 1024,
        names.join(", ")
    ));
    context.out.line("Secrets are hidden; look through it before you give it away.");
    Ok(())
}

fn write(path: &Path, texts: &[(&str, String)]) -> Result<u64> {
    let failed = |e| Error::io(format_args!("write {}", path.display()), e);
    let file = files::private_options().create_new(true).open(path).map_err(failed)?;
    let mut writer = Writer::new(file, false);
    let now = clock::now_ms() / 1000;
    for (name, text) in texts {
        let entry = Entry::file(&format!("diagnostics/{name}"), 0o600, text.len() as u64, now);
        writer.add(&entry, &mut text.as_bytes()).map_err(failed)?;
    }
    writer.finish(b"").map_err(failed)?;
    Ok(std::fs::metadata(path).map_err(failed)?.len())
}

/// Every secret known here, to be looked for in all texts.
fn secrets(ctx: &Ctx) -> Vec<String> {
    let mut secrets = ctx.config.secrets();
    let providers = ctx.config.get("models.providers").and_then(Value::as_object);
    let keys = providers.into_iter().flatten().map(|(id, _)| key_variable(id));
    let own = ["TOKEN", "PASSWORD"].map(|name| format!("OPENCLAW_GATEWAY_{name}"));
    let known =
        keys.chain(own).filter_map(|name| ctx.env.var_or_legacy(&name).map(|value| value.trim().to_string()));
    secrets.extend(known);
    if let Some(service) = &ctx.service {
        let is_secret = |name: &&(String, String)| crate::config::is_secret_name(&name.0);
        secrets.extend(service.environment.iter().filter(is_secret).map(|(_, value)| value.clone()));
    }
    secrets
}

/// The value with every text in it redacted.
fn cleaned(value: Value, clean: &Redactor) -> Value {
    match value {
        Value::String(text) => {
            let lines: Vec<String> = text.split('\n').map(|line| clean.clean(line)).collect();
            Value::String(lines.join("\n"))
        }
        Value::Array(items) => items.into_iter().map(|item| cleaned(item, clean)).collect::<Vec<_>>().into(),
        Value::Object(map) => {
            let members = map.into_iter().map(|(name, value)| (clean.clean(&name), cleaned(value, clean)));
            members.collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

fn summary(ctx: &Ctx) -> Value {
    let host = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    json!({
        "createdAt": clock::iso(ctx.now),
        "version": VERSION,
        "system": text(host.sysname()),
        "release": text(host.release()),
        "machine": text(host.machine()),
        "profile": ctx.env.profile,
        "stateDir": ctx.env.state_dir,
        "configPath": ctx.env.config_path,
        "gatewayPid": ctx.instance,
        "port": crate::config::ports::configured(&ctx.env, &ctx.config),
    })
}

/// What the gateway says of itself, or why it does not.
fn gateway(ctx: &Ctx, args: &Args) -> Result<Value> {
    let failed = |error: &Error| json!({"reachable": false, "error": error.message()});
    if let Some(Err(error)) = ctx.reached.as_ref().map(|reached| &reached.outcome) {
        return Ok(failed(error));
    }
    let timeout = args.millis("timeout", 1)?.unwrap_or(5000);
    let ask = || {
        let target = Target::resolve(&ctx.env, &ctx.config, &Args::default())?;
        let deadline = Deadline::after(std::time::Instant::now(), timeout);
        let mut session = connect(&target, &ctx.env.state_dir, &[], deadline)?;
        let mut told = json!({"reachable": true, "server": session.hello.get("server")});
        for method in ["health", "status"] {
            let answer = rpc::request(&mut session, &target, method, &json!({}), false);
            let answer = answer.unwrap_or_else(|error| json!({"error": error.message()}));
            if let Some(told) = told.as_object_mut() {
                told.insert(method.into(), answer);
            }
        }
        session.client.close();
        Ok::<Value, Error>(told)
    };
    Ok(ask().unwrap_or_else(|error| failed(&error)))
}

/// Mode, size, time and name of what lies in the state directory.
fn listing(state_dir: &Path, clean: &Redactor) -> String {
    let mut lines = Vec::new();
    let mut waiting = vec![state_dir.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        crate::order::sort(&mut entries);
        for path in entries {
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            let name = path.strip_prefix(state_dir).unwrap_or(&path).to_string_lossy().into_owned();
            let is_own = dir == state_dir && NOT_LISTED.iter().any(|own| name.starts_with(own));
            let time = clock::iso(u64::try_from(meta.mtime()).unwrap_or(0) * 1000);
            lines.push(format!("{:06o} {:>12} {time} {}", meta.mode(), meta.len(), clean.clean(&name)));
            if meta.is_dir() && !is_own {
                waiting.push(path);
            }
        }
        if lines.len() > MAX_LISTED {
            lines.truncate(MAX_LISTED);
            lines.push("...".into());
            break;
        }
    }
    lines.join("\n") + "\n"
}

fn log(ctx: &Ctx, clean: &Redactor) -> String {
    let read = logging::latest(&ctx.config, &ctx.env).map(|path| tail::read(&path, LOG));
    match read {
        Some(Ok(tail)) => tail.lines.iter().map(|line| clean.clean(line) + "\n").collect(),
        Some(Err(error)) => format!("{}\n", error.message()),
        None => "logging.file is off\n".to_string(),
    }
}
