//! `openclaw gateway [run]`: the gateway itself, in the foreground.
pub mod call;
pub mod dev;
pub mod diagnostics;
pub mod discover;
pub mod healthcheck;
pub mod last_error;
pub mod now;
pub mod probe;
mod probe_report;
pub mod probe_ssh;
pub mod report;
pub mod service;
pub mod status;
pub mod unit;
pub mod usage;

use super::parse::Args;
use super::{Command, Context, Flag};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::gateway::Options;
use crate::logging::Shows;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

pub const COMMAND: Command = Command {
    name: "gateway",
    summary: "Run the gateway in the foreground",
    about: "The port is --port, else OPENCLAW_GATEWAY_PORT, else gateway.port, else the profile's own:\n\
            18789 without one, 19001 for dev, a fixed one for each other name.\n\
            It stops on SIGINT, SIGTERM and SIGHUP. A wrong configuration or a taken port exits 78.\n\
            With --dev a configuration is made if there is none.",
    positionals: &[],
    flags: &[FLAGS],
    examples: &[
        ("openclaw gateway", "Run the configured gateway"),
        ("openclaw gateway --force", "End whoever listens on its port and run"),
        ("openclaw --dev gateway --verbose", "Run the dev profile's gateway and mirror its debug log"),
    ],
    failure: "",
    run,
};

pub const RUN: Command = Command {
    name: "gateway run",
    examples: &[("openclaw gateway run --verbose", "Run the gateway and mirror its debug log")],
    ..COMMAND
};

const FLAGS: &[Flag] = &[
    Flag::value("port", "<port>", "Listen on this port"),
    Flag::choice(
        "bind",
        "<mode>",
        &["loopback", "lan", "tailnet", "auto", "custom"],
        "Listen on loopback, lan, tailnet, auto or custom (gateway.customBindHost)",
    ),
    Flag::value("token", "<token>", "Require this shared token"),
    Flag::value("token-file", "<file>", "Require the token in this file"),
    Flag::value("password", "<password>", "Require this shared password"),
    Flag::value("password-file", "<file>", "Require the password in this file"),
    Flag::choice("auth", "<mode>", &["token", "password"], "Authenticate clients by token or by password"),
    Flag::choice(
        "tailscale",
        "<mode>",
        &["off", "serve", "funnel"],
        "Publish the port by Tailscale: to the tailnet (serve), to all the internet (funnel), or not (off)",
    ),
    Flag::switch("tailscale-reset-on-exit", "Take that back at the end"),
    Flag::switch("allow-unconfigured", "Start without gateway.mode=local in the config"),
    Flag::switch("force", "End whoever listens on the port first (needs lsof)"),
    Flag::switch("reset", "With --dev: start from scratch; what there was goes to the trash"),
    Flag::switch("verbose", "Mirror the debug log to the terminal"),
    Flag::choice("ws-log", "<style>", &["auto", "full", "compact"], "Accepted without effect").quiet(),
    Flag::switch("compact", "Accepted without effect").quiet(),
    Flag::switch("claude-cli-logs", "Accepted without effect").quiet(),
    Flag::switch("raw-stream", "Accepted without effect").quiet(),
    Flag::value("raw-stream-path", "<file>", "Accepted without effect").quiet(),
];

/// Options of the reference program that have nothing to act on here.
const WITHOUT_EFFECT: [(&str, &str); 5] = [
    ("ws-log", "--verbose shows the frames"),
    ("compact", "--verbose shows the frames"),
    ("claude-cli-logs", "no such program is started"),
    ("raw-stream", "--verbose shows what a model says"),
    ("raw-stream-path", "--verbose shows what a model says"),
];

/// Largest file with a secret, bytes.
const MAX_SECRET: usize = 4096;

fn run(context: &Context, args: &Args) -> Result<()> {
    for (flag, why) in WITHOUT_EFFECT {
        if args.has(flag) {
            context.out.warn(&format!("note: --{flag} has no effect; {why}"));
        }
    }
    start(context, args).map_err(|e| in_one_line(for_good(e, &context.env)))
}

fn start(context: &Context, args: &Args) -> Result<()> {
    let text = |long: &str| args.value(long).map(str::to_string);
    let port = args.value("port").map(port).transpose()?;
    let (token, password) = (secret(context, args, "token")?, secret(context, args, "password")?);
    dev::prepare(context, port, args.has("reset"), args.has("force"))?;
    crate::gateway::run(
        context.env.clone(),
        Options {
            port,
            bind: text("bind"),
            token,
            password,
            auth: text("auth"),
            tailscale: text("tailscale"),
            tailscale_reset: args.has("tailscale-reset-on-exit"),
            allow_unconfigured: args.has("allow-unconfigured"),
            shows: Shows { verbose: args.has("verbose"), color: context.out.color },
            force: args.has("force"),
        },
    )
}

pub(super) fn port(text: &str) -> Result<u16> {
    let port = text.trim().parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| Error::usage(format!("Invalid port {text:?} (use a number from 1 to 65535)")))
}

/// The token or the password, given as such or in a file.
fn secret(context: &Context, args: &Args, name: &str) -> Result<Option<String>> {
    match (args.value(name), args.value(&format!("{name}-file"))) {
        (Some(_), Some(_)) => Err(Error::usage(format!("Use either --{name} or --{name}-file."))),
        (None, Some(file)) => secret_of(context, name, file).map(Some),
        (Some(text), None) => {
            let upper = name.to_ascii_uppercase();
            context.out.warn(&format!(
                "warning: others on this machine can read the {name} in the list of processes; use --{name}-file or \
                 OPENCLAW_GATEWAY_{upper}"
            ));
            Ok(Some(text.to_string()))
        }
        (None, None) => Ok(None),
    }
}

/// The secret in a file; the line break at its end is not part of it.
fn secret_of(context: &Context, name: &str, file: &str) -> Result<String> {
    let path = context.env.expand(file);
    let failed = |why: String| {
        let path = path.display();
        Error::config(format!(
            "read --{name}-file {path}: {why}; name a readable file that holds the {name} alone"
        ))
    };
    let mut bytes = Vec::new();
    // A device or pipe may never end; a line break is let through to be taken off.
    let opened = std::fs::File::open(&path);
    opened
        .and_then(|file| file.take(MAX_SECRET as u64 + 2).read_to_end(&mut bytes))
        .map_err(|e| failed(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8 text".to_string()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() || secret.len() > MAX_SECRET {
        return Err(failed(format!("it is empty or longer than {MAX_SECRET} bytes")));
    }
    let mode = std::fs::metadata(&path).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        let file = path.display();
        context.out.warn(&format!("warning: others can read {file}; protect it with: chmod 600 {file}"));
    }
    Ok(secret.to_string())
}

/// A file that this user may not write keeps every later start from succeeding too, so the status says so. What is
/// refused without naming a file, such as a thread, tells its own way out.
fn for_good(error: Error, env: &Env) -> Error {
    use rustix::io::Errno;
    let lasting = [Errno::ACCESS, Errno::PERM, Errno::ROFS].map(|why| std::io::Error::from(why).to_string());
    if error.kind != Kind::Io || !lasting.iter().any(|why| error.message().ends_with(why)) {
        return error;
    }
    let is_read_only = error.message().ends_with(&std::io::Error::from(Errno::ROFS).to_string());
    let is_of_state = error.message().contains(&*env.state_dir.to_string_lossy());
    let user = rustix::process::getuid().as_raw();
    let dir = env.display(&env.state_dir);
    let fix = if is_read_only {
        "its file system is read-only: mount it writable, or set OPENCLAW_STATE_DIR to another place"
            .to_string()
    } else if !is_of_state {
        "let this user do that, or name another place".to_string()
    } else if env.state_dir.exists() {
        format!("make it writable for this user: sudo chown -R {user} {dir}")
    } else {
        "set OPENCLAW_STATE_DIR to a directory that this user may write".to_string()
    };
    Error::config(format!("{}; {fix}", error.message()))
}

/// What refuses a start is one line, for the journal of the supervisor.
fn in_one_line(error: Error) -> Error {
    if error.kind != Kind::Config || !error.message().contains('\n') {
        return error;
    }
    let lines: Vec<&str> = error.message().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Error::config(lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{for_good, in_one_line, port};
    use crate::env::Env;
    use crate::error::Error;

    #[test]
    fn ports() {
        for (text, want) in
            [("1", Some(1)), ("65535", Some(65535)), ("0", None), ("65536", None), ("x", None)]
        {
            assert_eq!(port(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn what_may_not_be_written_is_no_case_for_a_supervisor() {
        let failed = |why: rustix::io::Errno| {
            let mut env = Env::default();
            env.state_dir = "/x".into();
            for_good(Error::io("open lock file /x/gateway.lock", why.into()), &env)
        };
        let denied = failed(rustix::io::Errno::ACCESS);
        assert_eq!(denied.exit_code(), 78);
        assert!(denied.message().starts_with("open lock file /x/gateway.lock: "), "{denied}");
        assert!(denied.message().contains("OPENCLAW_STATE_DIR"), "{denied}");
        assert_eq!(failed(rustix::io::Errno::NOSPC).exit_code(), 1);
        // Kind H: the way out is one for what was refused.
        assert!(failed(rustix::io::Errno::ROFS).message().contains("read-only: mount it writable"));
        let mut env = Env::default();
        env.state_dir = std::env::temp_dir();
        let elsewhere = for_good(Error::io("open /var/log/x", rustix::io::Errno::ACCESS.into()), &env);
        assert!(!elsewhere.message().contains("chown"), "{elsewhere}");
    }

    #[test]
    fn a_refused_start_is_one_line() {
        let error = in_one_line(Error::config("no token.\n\n  Set gateway.auth.token\n"));
        assert_eq!((error.message(), error.exit_code()), ("no token. Set gateway.auth.token", 78));
    }
}
