//! Tailscale Serve identity: whether a forwarded request's login header is what `tailscale whois` says.
//!
//! Runs on the connection's thread with a deadline of 5 s. Asked only when `gateway.auth.allowTailscale` is on,
//! the socket is loopback and all of Serve's headers are there (SEC-17); answers are not cached, so a login
//! that is withdrawn is withdrawn at once.
use crate::json;
use crate::net::head::Head;
use crate::net::peer::Peer;
use crate::threads;
use std::io::Read;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(5);
const STACK: usize = 64 << 10;
const MAX_OUTPUT: u64 = 256 << 10;
/// Most values in it: a machine's description has some hundred.
const MAX_VALUES: usize = 10_000;

/// `path` is where programs are looked for.
pub fn is_identified(peer: &Peer, head: &Head, path: &str) -> bool {
    let all_there =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].iter().all(|h| head.get(h).is_some());
    if !peer.socket.is_loopback() || !all_there {
        return false;
    }
    let Some(login) = head.get("tailscale-user-login").filter(|l| !l.is_empty()) else { return false };
    let first = head.get("x-forwarded-for").and_then(|v| v.split(',').next()).unwrap_or_default().trim();
    let Ok(ip) = first.parse::<IpAddr>() else { return false };
    whois(ip, path).is_some_and(|known| known.trim().eq_ignore_ascii_case(login.trim()))
}

/// The login name behind a tailnet address.
fn whois(ip: IpAddr, path: &str) -> Option<String> {
    let mut command = Command::new("tailscale");
    crate::sys::tie(&mut command);
    let mut child = command
        .args(["whois", "--json", &ip.to_string()])
        // The gateway's environment holds secrets that are none of its business.
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = child.stdout.take()?;
    let (said, answer) = crossbeam_channel::bounded(1);
    // Read while it runs: a child with more to say than a pipe holds would wait for ever.
    let read = move || {
        let mut text = String::new();
        let whole = output.take(MAX_OUTPUT).read_to_string(&mut text).is_ok();
        // Nobody listens any more once the deadline has passed.
        let _ = said.send(whole.then_some(text));
    };
    let text = match threads::spawn("gw-whois", STACK, read, |_| {}) {
        Ok(_) => answer.recv_timeout(DEADLINE).ok().flatten(),
        Err(_) => None,
    };
    // It has ended, or is ended now; both are over at once.
    let _ = child.kill();
    let _ = child.wait();
    let answer = json::read(text?, MAX_VALUES, 32).ok()?;
    answer.pointer("/UserProfile/LoginName")?.as_str().map(str::to_string)
}
