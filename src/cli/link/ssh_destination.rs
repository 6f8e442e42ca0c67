//! `user@host:port` as people give it to `--ssh`, taken apart. Only names that cannot be taken for options or
//! commands pass (SEC-36). Pure.
use crate::error::{Error, Result};

/// `[user@]host[:port]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub user: Option<String>,
    pub host: String,
    pub port: Option<u16>,
}

impl Destination {
    /// `source` is the option or key it comes from.
    pub fn parse(text: &str, source: &str) -> Result<Destination> {
        let bad = |why: &str| Error::usage(format!("{source} {why}: use user@host or user@host:port"));
        let text = text.trim();
        let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
        let (host, port) = match rest.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, ""))) => (host, None),
            Some(Some((host, port))) => {
                (host, Some(port.strip_prefix(':').ok_or_else(|| bad("has no host"))?))
            }
            Some(None) => return Err(bad("has no host")),
            // Several colons are an IPv6 address.
            None => match rest.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (rest, None),
            },
        };
        let port = port.map(str::parse).transpose().ok().filter(|port| *port != Some(0));
        let port = port.ok_or_else(|| bad("has a port that is no number"))?;
        if !is_plain(host, "-._:%") || user.is_some_and(|user| !is_plain(user, "-._+@")) {
            return Err(bad("is no plain name of a user and a host"));
        }
        Ok(Destination { user: user.map(str::to_string), host: host.to_string(), port })
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Letters, digits and `more`, beginning with neither `-` nor nothing: no option for `ssh`, and nothing that a
/// `ProxyCommand` of the user's settings could hand to a shell.
fn is_plain(name: &str, more: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_as_people_write_them() {
        let cases = [
            ("box", None, "box", None),
            ("me@box", Some("me"), "box", None),
            (" me@box.example:2222 ", Some("me"), "box.example", Some(2222)),
            ("me@corp.example@10.0.0.4:22", Some("me@corp.example"), "10.0.0.4", Some(22)),
            ("fe80::1%eth0", None, "fe80::1%eth0", None),
            ("me@[::1]:2200", Some("me"), "::1", Some(2200)),
        ];
        for (text, user, host, port) in cases {
            let got = Destination::parse(text, "--ssh").unwrap();
            let want = Destination { user: user.map(str::to_string), host: host.into(), port };
            assert_eq!(got, want, "{text}");
            assert_eq!(Destination::parse(&got.to_string(), "").unwrap(), want, "{text}");
        }
    }

    /// SEC-36: nothing that `ssh`, its settings or a shell could take for more than a name.
    #[test]
    fn names_that_are_more_than_names_are_refused() {
        let hosts = [
            "",
            "@",
            "me@",
            "-oProxyCommand=id",
            "me@-oProxyCommand=id",
            "-l@box",
            "me@[-x]:22",
            "box;id",
            "$(id)",
            "`id`",
            "me@box name",
            "me@box\n",
            "box\0",
            "bo'x",
            "me@box:",
            "me@box:0",
            "me@box:65536",
            "me@box:22:-x y",
            "me@[::1",
            "me@[::1]22",
            "@box",
            "a|b@box",
            "me@bóx",
        ];
        for text in hosts {
            let fits = Destination::parse(text, "--ssh");
            // Space around it is cut off before.
            assert!(fits.is_err() || text.ends_with('\n'), "{text:?}: {fits:?}");
        }
    }
}
