//! Which port an address names. Pure, on any thread.
//!
//! The parser of addresses takes any text behind the host and then gives no port; the usual one in its place would be
//! another server.
use ureq::http::Uri;

/// What is wrong with an address that names a port which is none, as the end of a sentence about it.
pub const WRONG: &str = "has a port that is no number from 1 to 65535";

/// The port of an address, the usual one where it names none; nothing where what stands there is no port.
pub fn of(uri: &Uri) -> Option<u16> {
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let Some(authority) = uri.authority() else { return Some(usual) };
    let whole = authority.as_str();
    let place = whole.rsplit_once('@').map_or(whole, |(_, place)| place);
    let rest = place.strip_prefix(authority.host())?;
    match rest.strip_prefix(':') {
        None | Some("") => rest.trim_matches(':').is_empty().then_some(usual),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port > 0)
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T2b-1: what is no port is not the usual one.
    #[test]
    fn t2b_1_a_damaged_port_is_none() {
        for (url, want) in [
            ("http://h/v1", Some(80)),
            ("https://h", Some(443)),
            ("http://h:/v1", Some(80)),
            ("http://u:7@h:8080/v1", Some(8080)),
            ("http://[::1]/v1", Some(80)),
            ("http://[::1]:81/v1", Some(81)),
            ("http://h:00081/v1", Some(81)),
            ("http://h:114345/v1", None),
            ("http://h:41721v1", None),
            ("http://h:99999", None),
            ("http://h:abc/v1", None),
            ("http://h:-1/v1", None),
            ("http://h:+80/v1", None),
            ("http://h:0/v1", None),
            ("http://[::1]:65536/v1", None),
        ] {
            // What is no address at all is refused before.
            let found = url.parse::<Uri>().ok().and_then(|uri| of(&uri));
            assert_eq!(found, want, "{url}");
        }
    }
}
