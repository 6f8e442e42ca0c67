//! `--force`: ends whoever listens on the gateway's port, before the gateway takes it.
//!
//! Runs on the main thread, before anything is bound. `lsof` names the listeners; each is a target only if it
//! belongs to the same user (or we are root) and, where /proc tells, holds a listening socket of exactly that port
//! (SEC-35). Nothing is chosen by name or command line, and on Linux the signal goes to the process that was
//! checked, never to one that got its number afterwards.
use crate::env::Env;
use crate::error::{Error, Result};
use crate::logging::quoted;
use crate::owners::{holds_listener, unseen};
use rustix::process::{Pid, Signal, getuid, kill_process, test_kill_process};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A gateway has five seconds for its own end.
const GRACE: Duration = Duration::from_secs(6);
const AFTER_KILL: Duration = Duration::from_secs(1);
const LSOF: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);
const MAX_OUTPUT: u64 = 64 << 10;
/// Longest command line that is shown, bytes.
const SHOWN: usize = 300;

/// Frees `port` and gives the lines for the log. Fails, before anybody is signalled, when `lsof` is missing, a listener
/// belongs to somebody else, or `allow` refuses: it gets the processes that would be ended.
pub fn free_port(port: u16, env: &Env, allow: impl FnOnce(&[u32]) -> Result<()>) -> Result<Vec<String>> {
    let lsof = find(env.var("PATH").unwrap_or("/usr/bin:/bin:/usr/sbin:/sbin")).ok_or_else(|| {
        Error::config(
            "--force needs lsof, which is not on PATH: install it, or stop the old gateway and start without --force",
        )
    })?;
    let mut lines = Vec::new();
    let mut targets = Vec::new();
    for named in listeners(&lsof, port)? {
        match Target::prove(&named, port)? {
            Some(target) => targets.push(target),
            None => {
                lines.push(format!("force: left pid {} alone: it does not listen on port {port}", named.pid))
            }
        }
    }
    // `lsof` shows an ordinary user nothing of the others; the kernel's table does.
    if let Some(user) = unseen(port) {
        return Err(Error::config(format!(
            "--force: port {port} is held by a process of user {user}: stop it there, or choose another --port"
        )));
    }
    allow(&targets.iter().map(|target| target.pid() as u32).collect::<Vec<_>>())?;
    if targets.is_empty() {
        lines.push(format!("force: no listeners on port {port}"));
        return Ok(lines);
    }
    end(&targets, port, &mut lines).map_err(|e| told(e, &lines))?;
    Ok(lines)
}

/// An error that came after somebody was ended: it must not hide that.
pub fn told(e: Error, lines: &[String]) -> Error {
    if lines.is_empty() { e } else { e.context_after(&lines.join("; ")) }
}

/// Ends them all; `lines` says of each how.
fn end(targets: &[Target], port: u16, lines: &mut Vec<String>) -> Result<()> {
    for target in targets {
        target.signal(Signal::TERM)?;
    }
    wait(targets, GRACE);
    for target in targets {
        let how = if target.is_gone() {
            "with SIGTERM"
        } else {
            target.signal(Signal::KILL)?;
            "with SIGKILL, because it did not stop in 6 s"
        };
        lines.push(format!("force: ended pid {} ({}) on port {port} {how}", target.pid(), target.command));
    }
    if !wait(targets, AFTER_KILL) {
        return Err(Error::config(format!(
            "port {port} is still taken after --force; stop the process by hand, or choose another --port"
        )));
    }
    Ok(())
}

/// The first `lsof` of the search path; relative entries do not count (SEC-41).
fn find(path: &str) -> Option<PathBuf> {
    let dirs = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join("lsof")).find(|file| file.is_file())
}

/// A process as `lsof` names it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    pid: i32,
    uid: Option<u32>,
    name: String,
}

/// The processes that listen on `port`, by `lsof`'s answer.
fn listeners(lsof: &Path, port: u16) -> Result<Vec<Named>> {
    let failed = |e: std::io::Error| Error::io(format_args!("run {} for --force", lsof.display()), e);
    let mut command = Command::new(lsof);
    crate::sys::tie(&mut command);
    let mut child = command
        .args(["-nP", &format!("-iTCP:{port}"), "-sTCP:LISTEN", "-Fpuc"])
        // The port and the secrets of the gateway are none of its business (R-26b).
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let start = Instant::now();
    while child.try_wait().map_err(failed)?.is_none() {
        if start.elapsed() > LSOF {
            // It hangs in the kernel or is ended now; there is nothing else to do about it.
            let _ = child.kill();
            return Err(Error::config("--force: lsof gave no answer in 5 s; stop the old gateway by hand"));
        }
        std::thread::sleep(POLL);
    }
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_OUTPUT).read_to_string(&mut text).map_err(failed)?;
    }
    // Its status says 1 both for "nobody" and for trouble with unrelated files; the text is what counts.
    Ok(parse(&text))
}

/// The `p`, `u` and `c` lines of `lsof -F`.
fn parse(text: &str) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    for line in text.lines() {
        let Some((kind, value)) = line.split_at_checked(1) else { continue };
        match (kind, found.last_mut()) {
            ("p", _) => found.extend(value.parse().ok().map(|pid| Named { pid, ..Named::default() })),
            ("u", Some(last)) => last.uid = value.parse().ok(),
            ("c", Some(last)) => last.name = value.to_string(),
            _ => {}
        }
    }
    found.dedup_by_key(|named| named.pid);
    found
}

/// A process that was proven to be a listener of ours.
struct Target {
    pid: Pid,
    command: String,
    #[cfg(target_os = "linux")]
    handle: Option<std::os::fd::OwnedFd>,
}

impl Target {
    /// `None` for what is no listener; an error for what belongs to another user.
    fn prove(named: &Named, port: u16) -> Result<Option<Target>> {
        let own = getuid();
        let Some(pid) = Pid::from_raw(named.pid).filter(|_| named.pid > 1) else { return Ok(None) };
        if named.pid as u32 == std::process::id() {
            return Ok(None);
        }
        if named.uid.is_some_and(|uid| uid != own.as_raw()) {
            return Err(Error::config(format!(
                "--force: port {port} is held by pid {} ({}) of another user: stop it there, or choose another --port",
                named.pid,
                quoted(&named.name)
            )));
        }
        // Opened first and checked afterwards: the handle cannot come to mean another process.
        #[cfg(target_os = "linux")]
        let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok();
        if holds_listener(named.pid as u32, port) == Some(false) {
            return Ok(None);
        }
        Ok(Some(Target {
            pid,
            command: quoted(&command_line(named)).to_string(),
            #[cfg(target_os = "linux")]
            handle,
        }))
    }

    fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        #[cfg(target_os = "linux")]
        let sent = match &self.handle {
            Some(handle) => rustix::process::pidfd_send_signal(handle, signal),
            None => kill_process(self.pid, signal),
        };
        #[cfg(not(target_os = "linux"))]
        let sent = kill_process(self.pid, signal);
        match sent {
            // Gone by itself, which is what was wanted.
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => {
                Err(Error::io(format_args!("--force: stop pid {} ({})", self.pid(), self.command), e.into()))
            }
        }
    }

    fn is_gone(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(handle) = &self.handle {
            use rustix::event::{PollFd, PollFlags};
            let mut fds = [PollFd::new(handle, PollFlags::IN)];
            return crate::sys::poll(&mut fds, Some(Duration::ZERO)).is_ok_and(|ready| ready > 0);
        }
        test_kill_process(self.pid).is_err()
    }
}

/// Whether all ended in time.
fn wait(targets: &[Target], limit: Duration) -> bool {
    let start = Instant::now();
    while !targets.iter().all(Target::is_gone) {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}

/// How the process was started, without secrets; its name where the system does not tell.
fn command_line(named: &Named) -> String {
    let words = std::fs::read(format!("/proc/{}/cmdline", named.pid)).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    let shown = masked(words.split('\0').filter(|word| !word.is_empty()));
    let shown = if shown.is_empty() { named.name.clone() } else { shown };
    crate::parts::within(&shown, SHOWN).to_string()
}

/// The words of a command line; what follows an option that takes a secret is left out.
fn masked<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let is_secret = |option: &str| {
        option.starts_with('-')
            && ["token", "password", "secret", "key"]
                .iter()
                .any(|name| option.to_ascii_lowercase().ends_with(name))
    };
    let mut hide = false;
    let shown = words.map(|word| {
        let was_hidden = std::mem::replace(&mut hide, is_secret(word));
        match word.split_once('=') {
            _ if was_hidden => "***".to_string(),
            Some((option, _)) if is_secret(option) => format!("{option}=***"),
            _ => word.to_string(),
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_lsof() {
        let named = |pid, uid, name: &str| Named { pid, uid, name: name.into() };
        let text = "p12\ncopenclaw\nu1000\nf7\np13\ncnode\nf1\nf2\npx\nz\n\n";
        assert_eq!(parse(text), [named(12, Some(1000), "openclaw"), named(13, None, "node")]);
        assert_eq!(parse(""), []);
    }

    #[test]
    fn secrets_of_a_command_line_are_not_shown() {
        let shown = |line: &str| masked(line.split(' '));
        assert_eq!(
            shown("openclaw gateway --token abc --port 1 --password=x --verbose"),
            "openclaw gateway --token *** --port 1 --password=*** --verbose"
        );
        assert_eq!(shown("node --api-key k --token"), "node --api-key *** --token");
    }

    #[test]
    fn sec_35_who_does_not_listen_is_no_target() {
        let uid = Some(getuid().as_raw());
        let mut decoy = Command::new("sleep").arg("30").spawn().unwrap();
        let named = |pid| Named { pid, uid, name: "openclaw".into() };
        assert!(Target::prove(&named(decoy.id() as i32), 18789).unwrap().is_none());
        assert!(Target::prove(&named(std::process::id() as i32), 18789).unwrap().is_none(), "never itself");
        assert!(Target::prove(&named(1), 18789).unwrap().is_none());
        decoy.kill().unwrap();
        decoy.wait().unwrap();
    }
}
