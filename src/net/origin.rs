//! Which browser pages may talk to the gateway: the Origin and Host rule (SEC-02, SEC-40).
//!
//! A request without `Origin` does not come from a page and is not judged here. One with it is allowed only if
//! the origin is listed, or equals the host it was sent to and that host cannot be a rebound DNS name.
use crate::door::head::Head;
use crate::net::peer::host_name;
use std::net::IpAddr;

/// `Err` is the sentence for the client; it names the setting that would allow the origin.
pub fn check(head: &Head, allowed: &[&str], own_names: &[String]) -> Result<(), String> {
    let Some(origin) = head.get("origin") else {
        // A browser says where what it sends comes from, if not by the one header then by the other.
        let is_foreign = head.get("sec-fetch-site") == Some("cross-site");
        return match head.method.as_str() {
            "GET" | "HEAD" => Ok(()),
            _ if is_foreign => Err("refused: a page from elsewhere may not send this".to_string()),
            _ => Ok(()),
        };
    };
    judge(origin, head.get("host").unwrap_or_default(), allowed, own_names)
}

/// The same for an origin by name, as pages ask before they connect.
pub fn judge(origin: &str, host: &str, allowed: &[&str], own_names: &[String]) -> Result<(), String> {
    if allowed.iter().any(|a| a.trim().trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    let same_host = ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host));
    if same_host && !host.is_empty() && is_own_host(host, own_names) {
        return Ok(());
    }
    Err("origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)"
        .to_string())
}

/// An IP literal, `localhost`, a `.ts.net` name or a name of this machine: what a hostile page's own domain
/// cannot be, even if it resolves to this address.
fn is_own_host(host: &str, own_names: &[String]) -> bool {
    let name = host_name(host);
    let lower = !name.bytes().any(|b| b.is_ascii_uppercase());
    let literal = name.parse::<IpAddr>().is_ok();
    lower
        && (literal
            || name == "localhost"
            || name.ends_with(".ts.net")
            || own_names.iter().any(|own| own == name))
}

/// Whether this machine goes by the name that a request was sent to. A page whose own name was made to lead here counts
/// as of this origin to its browser, which then says no `Origin` for what it only reads.
pub fn check_host(head: &Head, allowed: &[&str], own_names: &[String]) -> Result<(), String> {
    let host = head.get("host").unwrap_or_default().to_ascii_lowercase();
    let listed = |origin: &&str| {
        let host = origin.trim().trim_end_matches('/').split_once("://").map(|(_, host)| host);
        host.map(|host| host_name(host).to_ascii_lowercase())
    };
    if host.is_empty()
        || is_own_host(&host, own_names)
        || allowed.iter().filter_map(listed).any(|name| name == host_name(&host))
    {
        return Ok(());
    }
    Err("the gateway does not go by that name: use its address, show its secret, or add the page's origin to gateway.controlUi.allowedOrigins"
        .to_string())
}

/// Suffixes that nobody can register, which home networks give to the machines in them.
const AT_HOME: [&str; 4] = ["local", "lan", "home.arpa", "internal"];

/// The names by which pages may address this machine.
pub fn own_names() -> Vec<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    AT_HOME.iter().map(|suffix| format!("{name}.{suffix}")).chain([name.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::head;

    fn allowed(origin: &str, host: &str, listed: &[&str]) -> bool {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n\r\n").into_bytes();
        let end = bytes.len();
        check(&head::parse(bytes, end).unwrap(), listed, &["box".to_string()]).is_ok()
    }

    // SEC-40: a page that had its own name lead here reads nothing.
    #[test]
    fn sec_40_a_name_is_this_machines_or_listed() {
        let listed = ["https://ui.example:8443/", "http://[2001:db8::1]"];
        for (host, is_own) in [
            ("", true),
            ("127.0.0.1:18789", true),
            ("[::1]:18789", true),
            ("192.0.2.7", true),
            ("LocalHost:1", true),
            ("box:1", true),
            ("x.y.ts.net", true),
            ("UI.example", true),
            ("evil.example", false),
            ("box.evil.example", false),
            ("localhost.", false),
            ("localhost.evil", false),
            ("127.0.0.1.evil", false),
            ("ui.example.evil", false),
        ] {
            let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
            let end = bytes.len();
            let head = head::parse(bytes, end).unwrap();
            assert_eq!(check_host(&head, &listed, &["box".to_string()]).is_ok(), is_own, "{host}");
        }
    }

    #[test]
    fn sec_40_what_a_page_from_elsewhere_sends_is_refused_without_an_origin_too() {
        for (method, site, is_good) in [
            ("GET", "cross-site", true),
            ("POST", "cross-site", false),
            ("DELETE", "cross-site", false),
            ("POST", "same-origin", true),
            ("POST", "none", true),
        ] {
            let bytes =
                format!("{method} / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: {site}\r\n\r\n").into_bytes();
            let end = bytes.len();
            let head = head::parse(bytes, end).unwrap();
            assert_eq!(check(&head, &[], &[]).is_ok(), is_good, "{method} {site}");
        }
    }

    #[test]
    fn only_the_same_host_or_a_listed_origin_passes() {
        for origin in ["http://localhost:1", "https://localhost:1"] {
            assert!(allowed(origin, "localhost:1", &[]));
        }
        assert!(allowed("http://box:1", "box:1", &[]) && allowed("http://192.0.2.1:1", "192.0.2.1:1", &[]));
        assert!(allowed("https://ui.example", "127.0.0.1:1", &["https://ui.example/"]));
        for origin in [
            "null",
            "file://",
            "http://localhost.evil:1",
            "http://localhost:2",
            "http://localhost.:1",
            "http://LOCALHOST:1",
            "HTTP://localhost:1",
            "http://127.0.0.1:1",
            "http://evil.example:1",
            "http://localhost:1/",
            "http://a@localhost:1",
        ] {
            assert!(!allowed(origin, "localhost:1", &[]), "{origin}");
        }
        assert!(
            !allowed("http://evil.example:1", "evil.example:1", &[]),
            "a rebound name equals its own Host"
        );
    }
}
