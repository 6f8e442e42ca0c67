//! Who is at the other end: the address, and whether the connection counts as local.
//!
//! One function over the socket's two addresses, a request's head and the configured proxies (SEC-17), asked anew for
//! each head: behind a proxy the next one may be somebody else's. "Local" means: loopback socket, not that of a listed
//! proxy, nothing that a proxy adds, loopback `Host`. A proxy that adds nothing and sends the gateway's own address as
//! `Host` looks the same; so what is silent for local clients also asks whose process it is, where the system tells.
use crate::config::ranges::Range;
use crate::door::head::Head;
use crate::owners;
use crate::owners::Holder;
use std::net::{IpAddr, SocketAddr};

/// The two addresses of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    pub own: SocketAddr,
    pub other: SocketAddr,
    /// Under TLS, of which this gateway is the end.
    pub is_tls: bool,
}

#[derive(Debug, Clone)]
pub struct Peer {
    ends: Ends,
    /// The socket's other end.
    pub socket: IpAddr,
    /// The client as far as it can be known: the socket, or what a trusted proxy names.
    pub client: IpAddr,
    pub is_local: bool,
    /// It came by a listed proxy.
    pub is_proxied: bool,
    /// It is a page, and not one that came from this very address.
    is_foreign_page: bool,
    /// A proxy that is not listed has passed it on: where the client is nobody knows.
    is_hidden: bool,
    is_page: bool,
}

impl Peer {
    pub fn of(ends: Ends, head: &Head, trusted_proxies: &[&str]) -> Peer {
        let socket = ends.other.ip().to_canonical();
        // What is none is a mistake of the configuration, told there.
        let proxies: Vec<Range> = trusted_proxies.iter().flat_map(|text| Range::of_proxy(text)).collect();
        let is_proxy = proxies.iter().any(|proxy| proxy.contains(socket));
        let forwarded = is_proxy.then(|| forwarded_for(head, &proxies)).flatten();
        let host = head.get("host").unwrap_or_default();
        // Nothing that was forwarded is local, whoever forwarded it and whatever it names.
        let is_local = socket.is_loopback() && !is_proxy && !head.is_forwarded() && is_local_host(host);
        Peer {
            ends,
            socket,
            client: forwarded.unwrap_or(socket),
            is_local,
            is_proxied: is_proxy,
            is_hidden: head.is_forwarded() && forwarded.is_none(),
            is_page: head.get("origin").is_some(),
            is_foreign_page: head.get("origin").is_some_and(|origin| !is_own_page(origin, host, ends)),
        }
    }

    /// Whether a device there that shows the shared secret may be paired without asking: it is on this host, no page
    /// but one of this very address, and a process of the gateway's own user or root. Looks at the kernel's table.
    pub fn may_pair_silently(&self) -> bool {
        let holder = || owners::holder(self.ends.own, self.ends.other);
        self.is_local && !self.is_foreign_page && matches!(holder(), h if h.is_own() || h == Holder::Unknown)
    }

    /// Whether the client is known to be in one of these ranges of addresses, and no page.
    pub fn is_within(&self, ranges: &[&str]) -> bool {
        let is_there = |text: &&str| Range::parse(text).is_some_and(|range| range.contains(self.client));
        !self.is_hidden && !self.is_page && ranges.iter().any(is_there)
    }

    /// Whether this gateway is the end of a TLS connection to it.
    pub fn is_tls(&self) -> bool {
        self.ends.is_tls
    }

    /// Whether the socket's other end is a process of root.
    pub fn is_roots(&self) -> bool {
        owners::holder(self.ends.own, self.ends.other) == Holder::User(0)
    }

    /// Who it is, for the log and for the owner: the process where it is on this host, else the address.
    pub fn describe(&self) -> String {
        match owners::describe_holder(self.ends.own, self.ends.other).filter(|_| self.is_local) {
            Some(process) => format!("{} ({process})", self.client),
            None => self.client.to_string(),
        }
    }
}

/// Whether `origin` is what a browser shows for the address that this connection came in by.
fn is_own_page(origin: &str, host: &str, ends: Ends) -> bool {
    let own = ends.own;
    let (scheme, usual) = if ends.is_tls { ("https://", 443) } else { ("http://", 80) };
    let name = host_name(host);
    let is_here = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip == own.ip().to_canonical());
    let is_port = match own.port() {
        port if port == usual => name == host.trim_matches(['[', ']']),
        port => host.ends_with(&format!(":{port}")),
    };
    is_here && is_port && origin.strip_prefix(scheme) == Some(host)
}

impl Peer {
    /// Where the client is, unless it is on this host.
    pub fn remote(&self) -> Option<String> {
        (!self.is_local && !self.client.is_loopback()).then(|| self.client.to_string())
    }
}

/// The client that the trusted proxies saw: the last address of X-Forwarded-For that is not a proxy of ours
/// (what stands before it was written by the client itself), else X-Real-IP. `None` when it cannot be read.
fn forwarded_for(head: &Head, proxies: &[Range]) -> Option<IpAddr> {
    let hops = head.all("x-forwarded-for").flat_map(|line| line.split(',')).collect::<Vec<_>>();
    let mut hops = hops.iter().rev().map(|hop| address(hop.trim()));
    match hops.find(|hop| hop.is_none_or(|ip| !proxies.iter().any(|proxy| proxy.contains(ip)))) {
        Some(hop) => hop,
        None => head.get("x-real-ip").and_then(|text| address(text.trim())),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.split(']').next()).unwrap_or(text);
    bare.parse()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|a| a.ip()))
        .ok()
        .map(|ip| ip.to_canonical())
}

fn is_local_host(host: &str) -> bool {
    let name = host_name(host);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The name part of a `Host` header: no port, no brackets.
pub fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').filter(|(name, _)| !name.contains(':')).map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::head;
    use crate::door::network;

    fn peer(socket: &str, headers: &str, proxies: &[&str]) -> Peer {
        let bytes = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", headers.replace('\n', "\r\n")).into_bytes();
        let end = bytes.len();
        let other = SocketAddr::new(socket.parse().unwrap(), 40_000);
        let own = SocketAddr::from(([127, 0, 0, 1], 18789));
        Peer::of(Ends { own, other, is_tls: false }, &head::parse(bytes, end).unwrap(), proxies)
    }

    #[test]
    fn m_8_only_a_page_of_this_very_address_is_no_foreign_page() {
        for (origin, host, own) in [
            ("http://localhost:18789", "localhost:18789", true),
            ("http://127.0.0.1:18789", "127.0.0.1:18789", true),
            ("http://127.0.0.2:18789", "127.0.0.2:18789", false),
            ("http://[::1]:18789", "[::1]:18789", false),
            ("https://localhost:18789", "localhost:18789", false),
            ("http://localhost:18790", "localhost:18790", false),
            ("http://localhost:18790", "localhost:18789", false),
            ("http://127.0.0.1:18789", "localhost:18789", false),
            ("http://localhost", "localhost", false),
            ("http://box:18789", "box:18789", false),
            ("http://localhost.:18789", "localhost.:18789", false),
            ("http://localhost:18789/", "localhost:18789", false),
            ("null", "localhost:18789", false),
            ("", "localhost:18789", false),
        ] {
            let headers = format!("Host: {host}\nOrigin: {origin}");
            assert_eq!(peer("127.0.0.1", &headers, &[]).is_foreign_page, !own, "{origin} {host}");
        }
        assert!(!peer("127.0.0.1", "Host: localhost:18789", &[]).is_foreign_page, "no page at all");
    }

    #[test]
    fn s_m3_an_address_of_version_6_counts_by_its_64_leading_bits() {
        for (ip, want) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("::1", "::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(network(ip.parse().unwrap()).to_string(), want);
        }
    }

    #[test]
    fn locality_truth_table() {
        let proxy = ["127.0.0.1"].as_slice();
        for (socket, headers, proxies, local, client) in [
            ("127.0.0.1", "Host: localhost:1", &[][..], true, "127.0.0.1"),
            ("::1", "Host: [::1]:1", &[], true, "::1"),
            ("::ffff:127.0.0.1", "Host: 127.0.0.1", &[], true, "127.0.0.1"),
            ("127.0.0.1", "Host: evil.example", &[], false, "127.0.0.1"),
            // S-L14: a listed proxy is nobody's client of this host, even if it adds nothing.
            ("127.0.0.1", "Host: 127.0.0.1:18789", proxy, false, "127.0.0.1"),
            ("::ffff:127.0.0.1", "Host: localhost", proxy, false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost", &["127.0.0.0/8"], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost", &[" 127.0.0.1 "], false, "127.0.0.1"),
            (
                "10.0.0.9",
                "Host: localhost\nX-Forwarded-For: 203.0.113.5, 10.0.0.7",
                &["10.0.0.0/24"],
                false,
                "203.0.113.5",
            ),
            ("127.0.0.1", "Host: localhost\nVia: 1.1 squid", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost\nCF-Connecting-IP: 127.0.0.1", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost\nX-Forwarded: for=::1", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost\nTailscale-User-Login: a@b", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: 127.0.0.1.evil", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost.", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost\nX-Forwarded-For: 127.0.0.1", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost\nForwarded: for=127.0.0.1", &[], false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost\nX-Forwarded-Proto: https", proxy, false, "127.0.0.1"),
            (
                "127.0.0.1",
                "Host: localhost\nX-Forwarded-For: 192.0.2.7, 127.0.0.1",
                proxy,
                false,
                "192.0.2.7",
            ),
            ("127.0.0.1", "Host: localhost\nX-Forwarded-For: junk", proxy, false, "127.0.0.1"),
            ("127.0.0.1", "Host: localhost\nX-Forwarded-For: [2001:db8::1]:99", proxy, false, "2001:db8::1"),
            ("192.0.2.9", "Host: localhost", &[], false, "192.0.2.9"),
            ("192.0.2.9", "Host: localhost\nX-Forwarded-For: 127.0.0.1", &["192.0.2.9"], false, "127.0.0.1"),
            // What stands before the proxy's own entry was written by the client.
            (
                "127.0.0.1",
                "Host: localhost\nX-Forwarded-For: 127.0.0.1, 203.0.113.5",
                proxy,
                false,
                "203.0.113.5",
            ),
            (
                "127.0.0.1",
                "Host: localhost\nX-Forwarded-For: 10.9.9.9\nX-Forwarded-For: 203.0.113.5",
                proxy,
                false,
                "203.0.113.5",
            ),
            ("127.0.0.1", "Host: localhost\nX-Forwarded-For: 1.2.3.4, junk", proxy, false, "127.0.0.1"),
        ] {
            let got = peer(socket, headers, proxies);
            assert_eq!(
                (got.is_local, got.client.to_string().as_str()),
                (local, client),
                "{socket} {headers:?} {proxies:?}"
            );
        }
    }
}
