//! The address of a gateway, as `ws://host:port` or `wss://host`: taken apart, and refused where it would give
//! the credentials away. Pure.
use crate::error::{Error, Result};
use crate::parts::Parts;
use std::net::IpAddr;

/// Scheme (whether TLS), host and port of a WebSocket URL. Credentials inside of a URL are refused, because
/// they end up in histories and logs, and so is plain text over the open internet.
pub fn split(url: &str) -> Result<(bool, String, u16)> {
    let bad = |why: &str| Error::usage(format!("gateway url {why}: use ws://host:port or wss://host:port"));
    let (tls, rest) = match (url.strip_prefix("ws://"), url.strip_prefix("wss://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(bad("has no ws:// or wss:// scheme")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(bad("must not hold credentials (pass --token)"));
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        // Whatever else stands behind the bracket is a port that is none.
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or("?"))),
        None => authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| bad("has a port that is no number"))?,
        None if tls => 443,
        None => 80,
    };
    if host.is_empty() {
        return Err(bad("has no host"));
    }
    if !tls && !is_private(host) {
        return Err(bad(
            "would send the credentials as plain text over the internet (use a tunnel: ssh -N -L 18789:127.0.0.1:18789 user@host, then ws://127.0.0.1:18789)",
        ));
    }
    Ok((tls, host.to_string(), port))
}

/// The address of a gateway as texts may hold it: what may be a password before an `@`, and its query and fragment, where
/// a `?token=` may be, are not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    pub fn new(url: impl Into<String>) -> Url {
        Url(url.into())
    }

    /// All of it, to connect with.
    pub fn whole(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.0.find(['?', '#']);
        let shown = at.map_or(self.0.as_str(), |at| self.0.head(at + 1));
        let start = shown.find("://").map_or(0, |at| at + 3);
        // Passwords may hold any of the signs that end an address.
        let is_cut = at.is_some_and(|at| self.0.tail(at).contains('@')) && split(shown).is_err();
        let user = match is_cut {
            true => Some(shown.len()),
            false => shown.tail(start).rfind('@').map(|at| start + at),
        };
        match user {
            Some(user) => write!(f, "{}***{}", shown.head(start), shown.tail(user))?,
            None => f.write_str(shown)?,
        }
        if at.is_some() && !is_cut { f.write_str("***") } else { Ok(()) }
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What a request to the URL names: the authority, as it is written, and path and query.
pub fn place(url: &str) -> (&str, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
    let slash = if path.starts_with('/') { "" } else { "/" };
    (authority, format!("{slash}{path}"))
}

/// Whether plain text to `host` stays on this machine, the local network or a tailnet. Only parsed addresses
/// count, so `127.evil.com` or `0x7f.1` do not pass for loopback (SEC-29).
fn is_private(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => {
            let shared = ip.octets().starts_with(&[100]) && (64..128).contains(&ip.octets()[1]);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        // A name without a dot cannot be one of the public internet's.
        Err(_) => name.ends_with(".local") || name.ends_with(".ts.net") || is_plain_name(&name),
    }
}

fn is_plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether `host` is this machine.
pub fn is_loopback(host: &str) -> bool {
    let ip = host.parse::<IpAddr>().map(|ip| ip.to_canonical());
    ip.map_or(host.eq_ignore_ascii_case("localhost"), |ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        for (url, want) in [
            ("ws://a:1", ("a:1", "/")),
            ("wss://[::1]:2/x/y?z#w", ("[::1]:2", "/x/y?z")),
            ("ws://a?z", ("a", "/?z")),
            ("ws://a/", ("a", "/")),
        ] {
            let (authority, path) = place(url);
            assert_eq!((authority, path.as_str()), want, "{url}");
        }
    }

    #[test]
    fn s_l5_an_address_is_shown_without_its_secrets() {
        for (url, want) in [
            ("ws://a:1", "ws://a:1"),
            ("wss://h/x?token=canary", "wss://h/x?***"),
            ("wss://h?canary", "wss://h?***"),
            ("wss://h/x#token=canary?y", "wss://h/x#***"),
            ("wss://h/x?to=a@canary", "wss://h/x?***"),
            ("ws://user:canary@h:1", "ws://***@h:1"),
            ("ws://canary@h:1/x?canary", "ws://***@h:1/x?***"),
            ("ws://user:can/ary@h:1", "ws://***@h:1"),
            ("ws://user:can@ary@h:1", "ws://***@h:1"),
            ("ws://user:can?ary@h:1", "ws://***"),
            ("ws://user:can#ary@h:1", "ws://***"),
            ("user:canary@h:1", "***@h:1"),
            ("user:can?ary@h:1", "***"),
            ("http://user:canary@h", "http://***@h"),
            ("h:1", "h:1"),
        ] {
            let found = Url::new(url);
            assert_eq!((found.to_string(), format!("{found:?}")), (want.to_string(), want.to_string()));
            assert_eq!(found.whole(), url);
        }
    }

    /// SEC-29: plain text only to addresses that are parsed as near ones.
    #[test]
    fn urls_that_may_carry_credentials() {
        let fits = [
            "ws://127.0.0.1:1",
            "ws://[::1]:1",
            "ws://[::ffff:127.0.0.1]:1",
            "ws://localhost:1",
            "ws://192.168.1.4:1",
            "ws://100.100.1.2:1",
            "ws://box.tail.ts.net:1",
            "ws://pi.local",
            "wss://gw.example.com",
            "wss://gw.example.com:1/x",
        ];
        let refused = [
            "ws://127.evil.com:1",
            "ws://localhost.:1",
            "ws://0x7f.1:1",
            "ws://2130706433:1",
            "ws://8.8.8.8:1",
            "ws://100.128.0.1:1",
            "ws://u:p@127.0.0.1:1",
            "wss://127.0.0.1@evil.com",
            "http://127.0.0.1:1",
            "127.0.0.1:1",
            "ws://:1",
            "ws://127.0.0.1:x",
            "ws://127.0.0.1:99999",
            "ws://gw.example.com",
        ];
        fits.iter().for_each(|url| assert!(split(url).is_ok(), "{url}"));
        refused.iter().for_each(|url| assert!(split(url).is_err(), "{url}"));
    }
}
