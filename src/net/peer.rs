//! Who is at the other end: the address, and whether the connection counts as local.
//!
//! Pure functions over the socket's address, the request head and the configured proxies (SEC-17). "Local"
//! means: loopback socket, no forwarding header from anybody but a listed proxy, loopback `Host`.
use crate::net::head::Head;
use std::net::IpAddr;

#[derive(Debug, Clone)]
pub struct Peer {
    /// The socket's other end.
    pub socket: IpAddr,
    /// The client as far as it can be known: the socket, or what a trusted proxy names.
    pub client: IpAddr,
    pub is_local: bool,
    pub has_origin: bool,
}

impl Peer {
    pub fn of(socket: IpAddr, head: &Head, trusted_proxies: &[&str]) -> Peer {
        let socket = socket.to_canonical();
        let proxies: Vec<IpAddr> = trusted_proxies
            .iter()
            .filter_map(|p| p.parse::<IpAddr>().ok())
            .map(|ip| ip.to_canonical())
            .collect();
        let forwarded = proxies.contains(&socket).then(|| forwarded_for(head, &proxies)).flatten();
        let host_is_local = head.get("host").is_some_and(is_local_host);
        // Nothing that was forwarded is local, whoever forwarded it and whatever it names.
        let is_local = socket.is_loopback() && !head.is_forwarded() && host_is_local;
        Peer {
            socket,
            client: forwarded.unwrap_or(socket),
            is_local,
            has_origin: head.get("origin").is_some(),
        }
    }
}

/// The client that the trusted proxies saw: the last address of X-Forwarded-For that is not a proxy of ours
/// (what stands before it was written by the client itself), else X-Real-IP. `None` when it cannot be read.
fn forwarded_for(head: &Head, proxies: &[IpAddr]) -> Option<IpAddr> {
    let hops = head.all("x-forwarded-for").flat_map(|line| line.split(',')).collect::<Vec<_>>();
    let mut hops = hops.iter().rev().map(|hop| address(hop.trim()));
    match hops.find(|hop| hop.is_none_or(|ip| !proxies.contains(&ip))) {
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
    use crate::net::head;

    fn peer(socket: &str, headers: &str, proxies: &[&str]) -> Peer {
        let bytes = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", headers.replace('\n', "\r\n")).into_bytes();
        let end = bytes.len();
        Peer::of(socket.parse().unwrap(), &head::parse(bytes, end).unwrap(), proxies)
    }

    #[test]
    fn locality_truth_table() {
        let proxy = ["127.0.0.1"].as_slice();
        for (socket, headers, proxies, local, client) in [
            ("127.0.0.1", "Host: localhost:1", &[][..], true, "127.0.0.1"),
            ("::1", "Host: [::1]:1", &[], true, "::1"),
            ("::ffff:127.0.0.1", "Host: 127.0.0.1", &[], true, "127.0.0.1"),
            ("127.0.0.1", "Host: evil.example", &[], false, "127.0.0.1"),
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
