//! Tailscale Serve identity: whether a forwarded request's login header is what `tailscale whois` says.
//!
//! Runs on the connection's thread with a deadline of 5 s. Asked only when `gateway.auth.allowTailscale` is on,
//! the socket is loopback and all of Serve's headers are there (SEC-17); answers are not cached, so a login
//! that is withdrawn is withdrawn at once.
use crate::net::head::Head;
use crate::net::peer::Peer;
use serde_json::Value;
use std::io::Read;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(5);
const MAX_OUTPUT: u64 = 256 << 10;

pub fn is_identified(peer: &Peer, head: &Head) -> bool {
    let all_there =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].iter().all(|h| head.get(h).is_some());
    if !peer.socket.is_loopback() || !all_there {
        return false;
    }
    let Some(login) = head.get("tailscale-user-login").filter(|l| !l.is_empty()) else { return false };
    let first = head.get("x-forwarded-for").and_then(|v| v.split(',').next()).unwrap_or_default().trim();
    let Ok(ip) = first.parse::<IpAddr>() else { return false };
    whois(ip).is_some_and(|known| known.trim().eq_ignore_ascii_case(login.trim()))
}

/// The login name behind a tailnet address.
fn whois(ip: IpAddr) -> Option<String> {
    let mut child = Command::new("tailscale")
        .args(["whois", "--json", &ip.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                // It hangs or cannot be asked; either way there is no identity.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut output = String::new();
    child.stdout.take()?.take(MAX_OUTPUT).read_to_string(&mut output).ok()?;
    let answer: Value = serde_json::from_str(&output).ok()?;
    status.success().then(|| answer.pointer("/UserProfile/LoginName")?.as_str().map(str::to_string)).flatten()
}
