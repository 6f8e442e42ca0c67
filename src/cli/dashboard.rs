//! `openclaw dashboard`: the address of the control page with a code in its fragment, and a browser on it.
//!
//! The gateway makes the code, which lets one browser in, once, within minutes; the shared token stands in no address and
//! no file. The code does not stand in an argument of another program either, where every user of the machine could read
//! it: the browser is given a private file that leads to the address, and the file is gone half a minute later.
use super::link::rpc;
use super::link::target::Target;
use super::parse::Args;
use super::{Command, Context, Flag, JSON};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::json::json;
use crate::owners;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

/// How long a browser may take to read the page, seconds.
const PAGE_S: u64 = 30;
/// How long the code is good for a browser that opens at once, and for one on another computer, milliseconds.
const LIFE_MS: (u64, u64) = (60_000, 600_000);

pub const COMMAND: Command = Command {
    name: "dashboard",
    summary: "Print the control page's address and open it",
    about: "The address carries a code behind the #, which a browser does not send.\n\
            The code lets one browser in, once: within a minute, or ten where none is opened.",
    positionals: &[],
    flags: &[&[Flag::switch("no-open", "Only print it"), JSON]],
    examples: &[
        ("openclaw dashboard", "Open the control page"),
        ("openclaw dashboard --no-open", "Print its address"),
    ],
    failure: "",
    run,
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut env = context.env.clone();
    let config = Config::load(&mut env)?;
    let target = Target::resolve(&env, &config, args)?;
    check(&target, &config)?;
    let opens = !args.has("no-open") && has_display(&env);
    let life = if opens { LIFE_MS.0 } else { LIFE_MS.1 };
    let code = rpc::call(context, args, "device.pair.code", &json!({"lifeMs": life}));
    let url = address(&target, &config, code.as_ref().ok().and_then(|code| code.get("code")?.as_str()));
    let opened = opens && code.is_ok() && open(&env, &url);
    if args.has("json") {
        let error = code.as_ref().err().map(|e| env.display_all(e.message()));
        context.out.json(&json!({"ok": code.is_ok(), "url": url, "opened": opened, "error": error}));
        return Ok(());
    }
    if let Err(e) = &code
        && e.kind == Kind::Unreachable
    {
        return Err(e.clone().context("nothing serves the control page"));
    }
    context.out.whole(format!("Dashboard URL: {url}"));
    if let Err(e) = code {
        // The page explains itself too, once something serves it.
        context.out.warn(&format!("no code for this address: {}", env.display_all(e.message())));
        return Ok(());
    }
    context.out.line(format!("It lets one browser in, once, within {} min.", life / 60_000));
    if opened {
        context.out.line("Opened in your browser.");
    } else if !args.has("no-open") && target.bind.is_some() {
        let (port, host) = (target.port, rustix::system::uname().nodename().to_string_lossy().into_owned());
        let user = env.var("USER").unwrap_or("user");
        context.out.line("No display here. On your own computer run:");
        context.out.whole(format!("  ssh -N -L {port}:127.0.0.1:{port} {user}@{host}"));
        context.out.line("and open the address above.");
    }
    Ok(())
}

/// The page is there, and it is this user's gateway that has the port.
fn check(target: &Target, config: &Config) -> Result<()> {
    if target.bind.is_some() && !config.bool("gateway.controlUi.enabled") {
        return Err(Error::unavailable(
            "the control page is off (gateway.controlUi.enabled=false)\n\
             Fix: openclaw config set gateway.controlUi.enabled true",
        ));
    }
    if let Some(user) = owners::foreign(target.port).filter(|_| target.bind.is_some()) {
        // A page of his could read the token out of its own address.
        return Err(Error::new(
            Kind::Unreachable,
            format!(
                "port {} belongs to a process of user {user}: the address with the token is not shown\n\
                 Fix: end that process, or use another port (OPENCLAW_GATEWAY_PORT, gateway.port)",
                target.port
            ),
        ));
    }
    Ok(())
}

/// `http://host:port/base/#code=...`
fn address(target: &Target, config: &Config, code: Option<&str>) -> String {
    let scheme = if target.tls { "https" } else { "http" };
    let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let base = config.str("gateway.controlUi.basePath").unwrap_or_default().trim_matches('/');
    let base = if base.is_empty() { String::new() } else { format!("{base}/") };
    let code = code.map_or(String::new(), |code| format!("#code={code}"));
    format!("{scheme}://{host}:{}/{base}{code}", target.port)
}

fn has_display(env: &Env) -> bool {
    let display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env.var(name).is_some());
    display || (cfg!(target_os = "macos") && env.var("SSH_CONNECTION").is_none())
}

/// Whether a browser was asked to open `url`.
fn open(env: &Env, url: &str) -> bool {
    let Ok(page) = leading_to(env, url) else { return false };
    let mut command = Process::new(if cfg!(target_os = "macos") { "open" } else { "xdg-open" });
    env.hide_own(&mut command);
    command.arg(&page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It returns as soon as the browser has been told, which reads the page when it gets to it.
    let opened = command.status().is_ok_and(|status| status.success());
    if !opened || !removed_later(env, &page) {
        // Refused, it is removed by the gateway's daily round and replaced by the next call.
        let _ = std::fs::remove_file(&page);
    }
    opened
}

/// Whether somebody was left behind to remove the page when the browser must have read it.
fn removed_later(env: &Env, page: &Path) -> bool {
    let mut command = Process::new("/bin/sh");
    command.args(["-c", &format!("sleep {PAGE_S}; rm -f -- \"$1\""), "sh"]).arg(page);
    command.env_clear().env("PATH", env.var("PATH").unwrap_or("/usr/bin:/bin")).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
}

/// A page, readable by this user only, that leads to `url`.
fn leading_to(env: &Env, url: &str) -> Result<PathBuf> {
    let path = env.state_dir.join("gateway").join("dashboard.html");
    let url = url.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n"
    );
    files::write_atomic(&path, page.as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn shown(config: &str) -> String {
        let dir = Dir::new();
        dir.write("openclaw.json", config);
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        address(&Target::resolve(&env, &config, &Args::default()).unwrap(), &config, Some("c0de"))
    }

    #[test]
    fn addresses() {
        for (config, want) in [
            ("{}", "http://127.0.0.1:18789/#code=c0de"),
            ("{gateway: {port: 5, auth: {token: 'a b#&'}}}", "http://127.0.0.1:5/#code=c0de"),
            (
                "{gateway: {tls: {enabled: true}, controlUi: {basePath: '/ui/'}, auth: {token: 't'}}}",
                "https://127.0.0.1:18789/ui/#code=c0de",
            ),
            (
                "{gateway: {mode: 'remote', remote: {url: 'wss://box.example:444', token: 'r'}}}",
                "https://box.example:444/#code=c0de",
            ),
        ] {
            assert_eq!(shown(config), want, "{config}");
        }
    }
}
