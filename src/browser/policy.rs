//! Where a page may go (SEC-30): http and https, to addresses of the public internet and to hosts that the owner names. Asked
//! before a navigation, for each document that the browser is about to fetch, redirects included, and of the address that
//! really answered.
use crate::config::Config;
use crate::error::{Error, Result};
use crate::fetch::guard::{Guard, is_public};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

const KEY: &str = "browser.ssrfPolicy.allowedHostnames";
/// How long a name that was looked up is believed.
const BELIEVED: Duration = Duration::from_secs(60);
const MAX_BELIEVED: usize = 64;

#[derive(Debug, Clone)]
pub struct Policy {
    /// Private networks too.
    pub is_open: bool,
    pub hosts: Vec<String>,
}

/// What is said of an address without a look-up.
#[derive(Debug)]
pub enum Verdict {
    Yes,
    No(Error),
    /// A name that has to be looked up first.
    Ask(String),
}

impl Policy {
    pub fn of(config: &Config) -> Policy {
        Policy {
            is_open: config.bool("browser.ssrfPolicy.dangerouslyAllowPrivateNetwork"),
            hosts: config.strings(KEY).into_iter().map(str::to_string).collect(),
        }
    }

    fn guard(&self) -> Guard {
        Guard { allow_hosts: self.hosts.clone(), deadline: Instant::now() }
    }

    pub fn judge(&self, url: &str) -> Verdict {
        if matches!(url, "about:blank" | "about:srcdoc") {
            return Verdict::Yes;
        }
        let scheme = url.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Verdict::No(blocked(&format!("unsupported protocol \"{scheme}:\"; use http or https")));
        }
        if self.is_open {
            return Verdict::Yes;
        }
        let guard = self.guard();
        match guard.check_url(url) {
            Err(_) => Verdict::No(closed(url)),
            Ok(uri) => {
                let host = uri.host().unwrap_or_default();
                let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
                if is_address || guard.opts_in(host) { Verdict::Yes } else { Verdict::Ask(host.to_string()) }
            }
        }
    }

    /// Whether all addresses of a name are public. Waits for the system's resolver.
    pub fn look_up(&self, host: &str) -> Result<()> {
        // What has no address leads nowhere; the browser says so.
        self.addresses(host, 443).map(drop).ok_or_else(|| closed(host))
    }

    /// Where the browser may connect to for a host; `None` where that may not be. Waits for the system's resolver.
    pub fn addresses(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let host = host.trim_matches(['[', ']']);
        let found: Vec<SocketAddr> = (host, port).to_socket_addrs().into_iter().flatten().collect();
        let judged = || self.guard().check(host, found.iter().map(SocketAddr::ip)).is_ok();
        (self.is_open || judged()).then_some(found)
    }

    /// Whether what answered for `url` may be read: a name may lead elsewhere by then.
    pub fn may_answer(&self, url: &str, address: &str) -> bool {
        let host = || url.parse::<ureq::http::Uri>().ok().and_then(|uri| uri.host().map(str::to_string));
        let address = address.trim_matches(['[', ']']).parse::<IpAddr>();
        self.is_open
            || address.as_ref().is_ok_and(|ip| is_public(*ip))
            || address.is_err()
            || host().is_some_and(|host| self.guard().opts_in(&host))
    }
}

fn closed(place: &str) -> Error {
    let host = place.split_once("://").map_or(place, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    blocked(&format!(
        "{host} is or leads to an address that is not public or is this machine's own; the owner can add the host to {KEY}"
    ))
}

pub fn blocked(why: &str) -> Error {
    Error::invalid(format!("Navigation blocked: {why}")).with("reason", "navigation_blocked")
}

/// Names that were found public lately.
#[derive(Default)]
pub struct Believed(Vec<(String, Instant)>);

impl Believed {
    pub fn has(&self, host: &str) -> bool {
        self.0.iter().any(|(known, at)| known == host && at.elapsed() < BELIEVED)
    }

    pub fn add(&mut self, host: &str) {
        self.0.retain(|(known, at)| known != host && at.elapsed() < BELIEVED);
        if self.0.len() >= MAX_BELIEVED {
            self.0.remove(0);
        }
        self.0.push((host.to_string(), Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_30_only_pages_of_the_public_web_and_named_hosts_are_opened() {
        let policy = Policy { is_open: false, hosts: vec!["nas.lan".into(), "127.0.0.1".into()] };
        let check = |url: &str| match policy.judge(url) {
            Verdict::Yes => "yes",
            Verdict::No(_) => "no",
            Verdict::Ask(_) => "ask",
        };
        for (url, want) in [
            ("about:blank", "yes"),
            ("https://example.com/a", "ask"),
            ("http://8.8.8.8/", "yes"),
            ("http://nas.lan/x", "yes"),
            ("http://127.0.0.1:8080/", "yes"),
            ("http://127.0.0.2/", "no"),
            ("http://[::ffff:10.0.0.1]/", "no"),
            ("http://169.254.169.254/latest", "no"),
            ("http://2130706433/", "no"),
            ("http://localhost/", "no"),
            ("https://user@example.com/", "no"),
            ("file:///etc/passwd", "no"),
            ("FILE:///etc/passwd", "no"),
            ("chrome://settings", "no"),
            ("view-source:http://8.8.8.8/", "no"),
            ("javascript:alert(1)", "no"),
            ("data:text/html,x", "no"),
            ("about:config", "no"),
            ("", "no"),
        ] {
            assert_eq!(check(url), want, "{url}");
        }
        assert!(policy.may_answer("http://example.com/", "93.184.216.34"));
        assert!(!policy.may_answer("http://example.com/", "10.0.0.1"));
        assert!(!policy.may_answer("http://example.com/", "[::1]"));
        assert!(policy.may_answer("http://nas.lan/", "10.0.0.1"));
    }
}
