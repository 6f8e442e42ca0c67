//! Which addresses an agent may make this machine talk to (SEC-30): public ones, and hosts the owner opted in.
//!
//! Pure, but that the kernel is asked which addresses are this machine's own. `dial` asks for every address a name
//! resolved to, and for each again right before it connects; `outbound` asks for the URL of every hop. What the configuration itself names (a model server) is not judged here.
use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Instant;
use ureq::http::Uri;

/// What one guarded call may reach, and until when.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Host names and addresses (`tools.web.fetch.allowHosts`) that may be anywhere.
    pub allow_hosts: Vec<String>,
    /// The end of everything: look-up, handshake, body, redirects.
    pub deadline: Instant,
}

impl Guard {
    /// Whether the owner opted this host in.
    pub fn opts_in(&self, host: &str) -> bool {
        self.allow_hosts.iter().any(|allowed| bare(allowed) == bare(host))
    }

    /// Refuses when any one of the addresses is not public: what a name resolves to is chosen by whoever owns it.
    pub fn check(&self, host: &str, addresses: impl Iterator<Item = IpAddr>) -> Result<()> {
        if self.opts_in(host) {
            return Ok(());
        }
        match addresses.into_iter().find(|ip| is_closed(*ip)) {
            None => Ok(()),
            Some(_) => Err(not_public(host)),
        }
    }

    /// The URL taken apart, if it may be asked for: http or https, no user, a host of a usual form.
    pub fn check_url(&self, url: &str) -> Result<Uri> {
        let fail = |why: &str| Error::invalid(format!("cannot fetch this address: {why}"));
        let shown = url.split('#').next().unwrap_or_default().trim();
        let uri: Uri = shown.parse().map_err(|_| fail("it is not a complete http:// or https:// URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(fail("only http:// and https:// URLs can be fetched"));
        }
        let host = uri.host().unwrap_or_default();
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(fail("it holds a user name or password; leave them out"));
        }
        if host.is_empty() {
            return Err(fail("it names no host"));
        }
        if self.opts_in(host) {
            return Ok(uri);
        }
        match bare(host).parse::<IpAddr>() {
            Ok(ip) if is_closed(ip) => Err(not_public(host)),
            Ok(_) => Ok(uri),
            Err(_) if is_odd_number(&bare(host)) => Err(fail("its host is a number in an unusual form")),
            Err(_) if is_local_name(&bare(host)) => Err(not_public(host)),
            Err(_) => Ok(uri),
        }
    }
}

fn not_public(host: &str) -> Error {
    Error::invalid(format!(
        "{host} is or leads to an address that is not public or is this machine's own, which the web tool does not visit; the owner can add the host to tools.web.fetch.allowHosts"
    ))
}

/// A host without brackets and final dot, in lower case.
fn bare(host: &str) -> String {
    host.trim().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// Names that mean this machine or its network whatever a resolver says.
fn is_local_name(host: &str) -> bool {
    let ends = |name: &str| host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    ["localhost", "local", "internal", "home.arpa", "lan"].iter().any(|name| ends(name))
}

/// `0x7f.1`, `2130706433`, `0177.0.0.1`: what C resolvers take for IPv4 addresses though nobody writes them so.
fn is_odd_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hex = |hex: &str| hex.bytes().all(|b| b.is_ascii_hexdigit());
    (!last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
        || last.strip_prefix("0x").is_some_and(is_hex)
}

/// Networks of IPv4 that are not the public internet: first address and prefix length.
const CLOSED_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The same within 2000::/3, outside of which nothing of IPv6 is public: Teredo and its neighbours, documentation,
/// 6to4. IPv4-mapped, IPv4-compatible and NAT64 addresses lie outside already.
const CLOSED_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !CLOSED_V4.iter().any(|(net, bits)| (ip.to_bits() ^ net.to_bits()) >> (32 - bits) == 0)
        }
        IpAddr::V6(ip) => {
            let is_global = ip.to_bits() >> 125 == 1;
            is_global
                && !CLOSED_V6.iter().any(|(net, bits)| (ip.to_bits() ^ net.to_bits()) >> (128 - bits) == 0)
        }
    }
}

/// Whether an agent is kept from an address.
fn is_closed(ip: IpAddr) -> bool {
    !is_public(ip) || is_own(ip)
}

/// Whether an address is one of this machine's own at this moment: what goes there would stay here, or a socket can be
/// bound to it. Where the system lets sockets have any address (`ip_nonlocal_bind`), the one it would send from tells
/// instead. Nothing is sent.
pub fn is_own(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    #[cfg(target_os = "linux")]
    if super::route::is_local(ip) == Some(true) {
        return true;
    }
    // Addresses of documentation, which nobody has.
    let nobodys: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    match (UdpSocket::bind((ip, 0)), UdpSocket::bind((nobodys, 0))) {
        (Err(e), _) => {
            !matches!(
                e.kind(),
                ErrorKind::AddrNotAvailable | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) && is_source(ip)
        }
        (Ok(_), Err(_)) => true,
        (Ok(_), Ok(_)) => is_source(ip),
    }
}

/// Whether what goes to an address also comes from it.
fn is_source(ip: IpAddr) -> bool {
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    from().is_ok_and(|from| from.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(hosts: &[&str]) -> Guard {
        Guard { allow_hosts: hosts.iter().map(|h| h.to_string()).collect(), deadline: Instant::now() }
    }

    #[test]
    fn sec_30_only_public_addresses_pass() {
        for ip in [
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "1.1.1.1",
            "2606:4700::1111",
        ] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "0:0:0:0:0:ffff:7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn s_m6_own_addresses_are_refused_whatever_they_are() {
        let own = |text: &str| is_own(text.parse().unwrap());
        assert!(own("127.0.0.1") && own("127.5.5.5") && own("::ffff:127.0.0.1"));
        assert!(is_source(Ipv4Addr::LOCALHOST.into()));
        for other in ["8.8.8.8", "1.1.1.1", "198.51.100.1", "2606:4700::1111"] {
            assert!(!own(other), "{other}");
        }
        // The address this machine would reach the internet from, where it has one.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("8.8.8.8:9").is_ok() {
            let ip = socket.local_addr().unwrap().ip();
            assert!(is_own(ip) && is_closed(ip), "{ip}");
        }
    }

    /// S-M6: a network whose addresses no interface has, but a route brings here: nothing is connected to.
    #[test]
    #[cfg(target_os = "linux")]
    fn s_m6_addresses_of_a_local_route_are_own() {
        const WITHIN: &str = "OPENCLAW_TEST_LOCAL_ROUTE";
        let routed = ["2606:4700::5", "198.252.206.5"].map(|ip| ip.parse().unwrap());
        #[allow(clippy::disallowed_methods, reason = "the test runs itself again in a network of its own")]
        let is_within = std::env::var_os(WITHIN).is_some();
        if is_within {
            assert!(routed.into_iter().all(|ip: IpAddr| is_public(ip) && is_own(ip) && is_closed(ip)));
            assert!(guard(&[]).check_url("http://[2606:4700::5]/").is_err());
            assert!(!is_own("2606:4701::5".parse().unwrap()), "another network");
            return;
        }
        let script = "ip link set lo up && ip -6 route add local 2606:4700::/64 dev lo \
            && ip route add local 198.252.206.0/24 dev lo && echo routed \
            && exec \"$0\" --exact fetch::guard::tests::s_m6_addresses_of_a_local_route_are_own";
        let own = std::env::current_exe().unwrap();
        let run = std::process::Command::new("unshare")
            .args(["-rn", "sh", "-c", script])
            .arg(own)
            .env(WITHIN, "1")
            .output();
        let told = run.as_ref().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
        match (&run, told) {
            (Ok(out), Ok(told)) if told.starts_with("routed") => {
                assert!(out.status.success() && told.contains("1 passed"), "{told}");
            }
            _ => eprintln!("skipped: no network of its own here (unshare, ip): {run:?}"),
        }
    }

    #[test]
    fn sec_29_odd_hosts_users_and_schemes_pass_or_fail_by_table() {
        let guard = guard(&[]);
        for (url, passes) in [
            ("https://example.com/a?b=c#d", true),
            ("http://example.com:8080", true),
            ("http://127.evil.com/", true),
            ("http://8.8.8.8/", true),
            ("http://[2606:4700::1111]/", true),
            ("http://localhost/", false),
            ("http://localhost./", false),
            ("http://LocalHost:80/", false),
            ("http://x.localhost/", false),
            ("http://printer.local/", false),
            ("http://metadata.google.internal/", false),
            ("http://127.0.0.1/", false),
            ("http://127.0.0.1./", false),
            ("http://0x7f.1/", false),
            ("http://0x7f000001/", false),
            ("http://127.1/", false),
            ("http://2130706433/", false),
            ("http://017700000001/", false),
            ("http://0177.0.0.1/", false),
            ("http://[::1]/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("http://[0:0:0:0:0:ffff:7f00:1]/", false),
            ("http://169.254.169.254/latest/", false),
            ("http://user@example.com/", false),
            ("http://user:pw@example.com/", false),
            ("http://example.com@127.0.0.1/", false),
            ("ftp://example.com/", false),
            ("file:///etc/passwd", false),
            ("//example.com/", false),
            ("example.com", false),
            ("http:///x", false),
            ("", false),
        ] {
            assert_eq!(guard.check_url(url).is_ok(), passes, "{url}");
        }
    }

    #[test]
    fn sec_30_every_address_counts_and_hosts_are_opted_in_by_name() {
        let ips =
            |list: &[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>().into_iter();
        assert!(guard(&[]).check("a.com", ips(&["8.8.8.8", "1.1.1.1"])).is_ok());
        assert!(guard(&[]).check("a.com", ips(&["8.8.8.8", "10.0.0.1"])).is_err());
        let lan = guard(&["NAS.local", "192.168.1.9", "::1"]);
        assert!(lan.check("nas.local.", ips(&["192.168.1.2"])).is_ok());
        assert!(lan.check("b.com", ips(&["192.168.1.9"])).is_err());
        for (url, passes) in [
            ("http://nas.local/", true),
            ("http://192.168.1.9:81/", true),
            ("http://[::1]/", true),
            ("http://nas2.local/", false),
        ] {
            assert_eq!(lan.check_url(url).is_ok(), passes, "{url}");
        }
    }
}
