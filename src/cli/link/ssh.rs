//! A tunnel to a gateway on another host: one `ssh -N -L` child for as long as it is needed.
//!
//! The child runs with the caller's own SSH settings and keys, asks nothing, and ends with the `Tunnel`. Nothing
//! passes through a shell, and only names that cannot be taken for options or commands are given to it (SEC-36).
use super::socket::Deadline;
use super::ssh_destination::Destination;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::owners;
use crate::sys;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often the child is looked at while it connects.
const PAUSE: Duration = Duration::from_millis(20);
/// How long it has to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(1500);
/// How long it is waited for when the caller sets no limit.
const LONGEST: Duration = Duration::from_secs(30);
/// Most of its complaint that is shown, bytes.
const MAX_COMPLAINT: u64 = 4096;

/// Where to forward to, and how.
pub struct Way {
    pub destination: Destination,
    /// The gateway's port on the far host's loopback interface.
    pub remote_port: u16,
    /// Key file; without it `ssh` chooses.
    pub identity: Option<PathBuf>,
}

/// A tunnel that stands; it ends when this is dropped.
#[derive(Debug)]
pub struct Tunnel {
    child: Child,
    pub local_port: u16,
    pub remote_port: u16,
}

impl Tunnel {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Starts `ssh` and waits until it forwards.
pub fn forward(way: &Way, env: &Env, deadline: Deadline) -> Result<Tunnel> {
    if let Some(file) = way.identity.as_ref().filter(|file| !file.is_file()) {
        let text = format!("ssh tunnel to {}: there is no key file {}", way.destination, env.display(file));
        return Err(fault(&text, "correct --ssh-identity or gateway.remote.sshIdentity"));
    }
    let failed = |e: std::io::Error| Error::io("start ssh", e);
    let local_port = free_port().map_err(failed)?;
    let mut command = Command::new("ssh");
    command.args(arguments(way, local_port));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    env.hide_own(&mut command);
    sys::tie(&mut command);
    let child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => fault("ssh is not on PATH", "install the OpenSSH client"),
        _ => failed(e),
    })?;
    let mut tunnel = Tunnel { child, local_port, remote_port: way.remote_port };
    let give_up = Instant::now() + deadline.left(LONGEST).map_err(|_| deadline.error())?;
    loop {
        if let Some(status) = tunnel.child.try_wait().map_err(failed)? {
            return Err(refused(&mut tunnel.child, status, way));
        }
        if listens(tunnel.pid(), local_port) {
            return Ok(tunnel);
        }
        if Instant::now() >= give_up {
            let text = format!("ssh tunnel to {}: no connection in time", way.destination);
            return Err(fault(&text, "check the address, or give it more time with --timeout"));
        }
        std::thread::sleep(PAUSE);
    }
}

fn arguments(way: &Way, local_port: u16) -> Vec<String> {
    let mut words: Vec<String> = ["-N", "-T", "-a", "-x"].map(String::from).to_vec();
    // A shared connection would outlive this child.
    words.extend(["-S", "none"].map(String::from));
    for option in ["BatchMode=yes", "ExitOnForwardFailure=yes", "ConnectTimeout=5", "ServerAliveInterval=15"]
    {
        words.extend(["-o".to_string(), option.to_string()]);
    }
    words.extend(["-L".to_string(), format!("127.0.0.1:{local_port}:127.0.0.1:{}", way.remote_port)]);
    if let Some(identity) = &way.identity {
        words.extend(["-i".to_string(), identity.to_string_lossy().into_owned()]);
    }
    // Without a port the user's settings may name one.
    words.extend(way.destination.port.iter().flat_map(|port| ["-p".to_string(), port.to_string()]));
    words.extend(way.destination.user.iter().flat_map(|user| ["-l".to_string(), user.clone()]));
    words.extend(["--".to_string(), way.destination.host.clone()]);
    words
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether the child itself listens: somebody else's listener on that port must get no credentials. Where the
/// system does not tell owners, any listener must do.
fn listens(pid: u32, port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if cfg!(target_os = "linux") {
        return owners::of_process(pid).contains(&address);
    }
    TcpStream::connect_timeout(&address, PAUSE).is_ok()
}

fn fault(text: &str, fix: &str) -> Error {
    Error::new(Kind::Unreachable, format!("{text}\nFix: {fix}"))
}

/// What `ssh` said before it ended, and what to do about the usual causes.
fn refused(child: &mut Child, status: ExitStatus, way: &Way) -> Error {
    let said = complaint(child);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it gave no reason");
    let code = status.code().map_or("a signal".to_string(), |code| format!("status {code}"));
    let has = |text: &str| said.contains(text);
    let again = match way.destination.port {
        Some(port) => format!("`ssh -p {port} {}`", Destination { port: None, ..way.destination.clone() }),
        None => format!("`ssh {}`", way.destination),
    };
    let fix = match () {
        _ if has("IDENTIFICATION HAS CHANGED") => {
            "the host has another key than before; find out why before you connect".to_string()
        }
        _ if has("Host key verification failed") => format!("run {again} once and accept the host's key"),
        _ if has("Permission denied") => {
            format!("load a key that {again} takes without a password, or name it with --ssh-identity")
        }
        _ if has("administratively prohibited") => "allow TCP forwarding in the host's sshd".to_string(),
        _ => format!("check that {again} works"),
    };
    fault(&format!("ssh tunnel to {} failed ({code}): {last}", way.destination), &fix)
}

/// What is in the pipe; children of the child may hold it open, so the end is not waited for.
fn complaint(child: &mut Child) -> String {
    let Some(stderr) = child.stderr.take() else { return String::new() };
    let flags = fcntl_getfl(&stderr).unwrap_or(OFlags::empty());
    let mut bytes = Vec::new();
    if fcntl_setfl(&stderr, flags | OFlags::NONBLOCK).is_ok() {
        // Ends with "would block" when the pipe is empty; what came before is kept.
        let _ = stderr.take(MAX_COMPLAINT).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// SIGTERM, and after its grace the end.
fn stop(child: &mut Child) {
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Gone already.
        let _ = kill_process(pid, Signal::TERM);
    }
    let start = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if start.elapsed() > GRACE {
            // Gone meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_is_given() {
        let way = Way {
            destination: Destination::parse("me@box:2222", "").unwrap(),
            remote_port: 18789,
            identity: Some("/k/id -x".into()),
        };
        let words = arguments(&way, 4000).join("|");
        assert!(words.starts_with("-N|-T|-a|-x|-S|none|-o|BatchMode=yes|-o|ExitOnForwardFailure=yes|"));
        assert!(
            words.ends_with("|-L|127.0.0.1:4000:127.0.0.1:18789|-i|/k/id -x|-p|2222|-l|me|--|box"),
            "{words}"
        );
    }
}
