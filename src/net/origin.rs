//! Which browser pages may talk to the gateway: the Origin and Host rule (SEC-02, SEC-40).
//!
//! A request without `Origin` does not come from a page and is not judged here. One with it is allowed only if
//! the origin is listed, or equals the host it was sent to and that host cannot be a rebound DNS name.
use crate::door::head::Head;
use crate::net::peer::host_name;
use std::net::IpAddr;

/// `Err` is the sentence for the client; it names the setting that would allow the origin.
pub fn check(head: &Head, allowed: &[&str], own_names: &[String]) -> Result<(), String> {
    let Some(origin) = head.get("origin") else { return Ok(()) };
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

/// The names by which pages may address this machine.
pub fn own_names() -> Vec<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    vec![format!("{name}.local"), name]
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
