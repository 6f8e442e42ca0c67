//! Tailscale Serve identity: whether a forwarded request's login header is what `tailscale whois` says.
//!
//! Runs on the connection's thread with a deadline of 5 s. Asked only when `gateway.auth.allowTailscale` is on, the
//! socket is loopback, no listed proxy's, and a process of root's is at its other end, as tailscaled is, and Serve's headers
//! are there, each once and as Serve writes it: one address of a tailnet, by TLS. Whatever else proxies add is of another
//! proxy, in front of Serve or in its place (SEC-17). Where the system does not tell whose a socket is, nobody is
//! identified. Answers are not cached, so a login that is withdrawn is so at once.
use crate::config::ranges::Range;
use crate::door::head::Head;
use crate::json;
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

/// Of what proxies add, what Serve does; a request from the public internet (`Tailscale-Funnel-Request`) is nobody's.
const OF_SERVE: [&str; 8] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "tailscale-user-login",
    "tailscale-user-name",
    "tailscale-user-profile-pic",
    "tailscale-headers-info",
    "tailscale-app-capabilities",
];
/// Addresses of machines in a tailnet.
const TAILNETS: [&str; 2] = ["100.64.0.0/10", "fd7a:115c:a1e0::/48"];

/// `path` is where programs are looked for.
pub fn is_identified(peer: &Peer, head: &Head, path: &str) -> bool {
    let Some((ip, login)) = claimed(head) else { return false };
    if !peer.socket.is_loopback() || peer.is_proxied || !peer.is_roots() {
        return false;
    }
    whois(ip, path).is_some_and(|known| known.trim().eq_ignore_ascii_case(login.trim()))
}

/// The address and the login that Serve's headers name, if they are all there and as Serve writes them.
fn claimed(head: &Head) -> Option<(IpAddr, &str)> {
    let single = |name: &'static str| {
        let mut values = head.all(name);
        values.next().filter(|value| !value.is_empty() && values.next().is_none())
    };
    if head.forwarders().any(|name| !OF_SERVE.contains(&name)) {
        return None;
    }
    single("x-forwarded-host")?;
    single("x-forwarded-proto").filter(|proto| *proto == "https")?;
    // The only hop: a list does not parse as an address.
    let ip: IpAddr = single("x-forwarded-for")?.trim().parse().ok()?;
    let is_of = |range: &str| Range::parse(range).is_some_and(|range| range.contains(ip));
    if !TAILNETS.iter().any(|range| is_of(range)) {
        return None;
    }
    Some((ip, single("tailscale-user-login")?))
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

#[cfg(test)]
mod tests {
    use super::claimed;
    use crate::door::head;

    #[test]
    fn s_m1_serve_names_exactly_one_hop_and_each_header_once() {
        let serve = "X-Forwarded-For: 100.64.0.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: box.ts.net\nTailscale-User-Login: o@x";
        let is_claimed = |headers: &str| {
            let text = format!("GET / HTTP/1.1\nHost: box\n{headers}\n\n").replace('\n', "\r\n");
            claimed(&head::parse(text.clone().into_bytes(), text.len()).unwrap()).is_some()
        };
        assert!(is_claimed(serve));
        assert!(is_claimed(&serve.replace("100.64.0.9", "fd7a:115c:a1e0::9")));
        let more = "Tailscale-User-Name: O\nTailscale-User-Profile-Pic: http://x\nTailscale-Headers-Info: http://y\nUser-Agent: z\nCookie: a=b";
        assert!(is_claimed(&format!("{serve}\n{more}")));
        for name in "CF-Connecting-IP True-Client-IP X-Forwarded-Server X-Envoy-External-Address Fly-Client-IP X-Forwarded-Port \
            X-Original-Forwarded-For Forwarded-For Client-IP X-ProxyUser-Ip X-Cluster-Client-IP X-Forwarded-User X-Forwarded \
            X-Appengine-User-IP X-Forwarded-Prefix X-Amzn-Trace-Id X-Azure-ClientIP X-Forwarded-Scheme X-Forwarded-Ssl \
            X-Original-URL Proxy-Connection X-Remote-Addr Fastly-Client-IP Akamai-Origin-Hop X_REAL_IP Remote_Addr X-Real-Port X-Scheme X-Varnish \
            Surrogate-Capability X-Cloud-Trace-Context traceparent X-B3-TraceId SSL-Client-Cert X-Client-Cert \
            X-Auth-Request-User X-Webauth-User X-Vercel-Id X-NginX-Proxy Front-End-Https X-Haproxy-Server-State"
            .split_whitespace()
        {
            assert!(!is_claimed(&format!("{serve}\n{name}: 9.9.9.9")), "{name}");
        }
        for (old, new) in [
            ("100.64.0.9", "100.64.0.9, 203.0.113.5"),
            ("100.64.0.9", "100.64.0.9,"),
            ("100.64.0.9", "100.64.0.9\nX-Forwarded-For: 203.0.113.5"),
            ("100.64.0.9", "100.64.0.9\nX-Forwarded-For:"),
            ("100.64.0.9", "100.64.0.9\nVia: 1.1 proxy"),
            ("100.64.0.9", "100.64.0.9\nForwarded: for=203.0.113.5"),
            ("100.64.0.9", "100.64.0.9\nX-Real-IP: 203.0.113.5"),
            ("100.64.0.9", ""),
            ("100.64.0.9", "100.64.0.9:80"),
            ("X-Forwarded-Proto: https\n", ""),
            ("X-Forwarded-Host: box.ts.net\n", ""),
            ("100.64.0.9", "100.128.0.9"),
            ("100.64.0.9", "127.0.0.1"),
            ("100.64.0.9", "fd7a:115c:a1e1::9"),
            ("Proto: https", "Proto: http"),
            ("Proto: https", "Proto: https, http"),
            ("o@x", "o@x\nTailscale-User-Login: evil@x"),
            ("o@x", "o@x\nTailscale-Funnel-Request: ?1"),
            ("o@x", ""),
        ] {
            assert!(!is_claimed(&serve.replace(old, new)), "{old:?} -> {new:?}");
        }
    }
}
