//! Addresses and ranges of addresses as the configuration writes them: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`. Pure.
use std::net::IpAddr;

/// One address, or all whose leading bits are the same.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    base: IpAddr,
    bits: u32,
}

impl Range {
    /// A proxy as `gateway.trustedProxies` names it: `localhost` is every address of this host's own.
    pub fn of_proxy(text: &str) -> Vec<Range> {
        match text.trim().eq_ignore_ascii_case("localhost") {
            true => ["127.0.0.0/8", "::1"].into_iter().filter_map(Range::parse).collect(),
            false => Range::parse(text).into_iter().collect(),
        }
    }

    /// Blanks around it do not matter.
    pub fn parse(text: &str) -> Option<Range> {
        let (base, bits) =
            text.trim().split_once('/').map_or((text.trim(), None), |(base, n)| (base, Some(n)));
        let base: IpAddr = base.parse().ok()?;
        let most: u32 = if base.is_ipv4() { 32 } else { 128 };
        let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(n) => n.parse().ok().filter(|bits| is_number(n) && *bits <= most)?,
        };
        match base.to_canonical() {
            // Written as one of version 6 it has 96 bits more.
            canonical if canonical.is_ipv4() && base.is_ipv6() => {
                bits.checked_sub(96).map(|bits| Range { base: canonical, bits })
            }
            base => Some(Range { base, bits }),
        }
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                (base.to_bits() ^ ip.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                (base.to_bits() ^ ip.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_range() {
        for (range, ip, want) in [
            ("127.0.0.1", "127.0.0.1", true),
            (" 127.0.0.1 ", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.0/8", "127.9.9.9", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("10.0.0.5/32", "10.0.0.4", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "fd00::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::1", "::1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("::ffff:127.0.0.0/104", "127.1.1.1", true),
            ("127.0.0.0/8", "::ffff:127.1.1.1", true),
        ] {
            assert_eq!(Range::parse(range).unwrap().contains(ip.parse().unwrap()), want, "{range} {ip}");
        }
        for text in [
            "",
            "localhost",
            "127.0.0.1/33",
            "127.0.0.1/",
            "127.0.0.1/+8",
            "::1/129",
            "10.0.0.*",
            "1.2.3.4:80",
        ] {
            assert!(Range::parse(text).is_none(), "{text}");
        }
    }
}
