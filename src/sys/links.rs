//! The networks this machine is on, by their IPv4 addresses.
use std::net::Ipv4Addr;

/// One address of one network interface that is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub address: Ipv4Addr,
    pub mask: Ipv4Addr,
}

impl Link {
    /// Whether `other` is on this network.
    pub fn reaches(&self, other: Ipv4Addr) -> bool {
        let mask = self.mask.to_bits();
        self.address.to_bits() & mask == other.to_bits() & mask
    }
}

/// Those that carry multicast, and loopback; none when the system does not tell.
pub fn links() -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    // JUSTIFICATION: no safe crate of the house lists interfaces.
    // SAFETY: the list is the C library's until it is freed below, after the last look; each address is read as what
    // its family says it is, and only when it is not null.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
        if libc::getifaddrs(&raw mut first) != 0 {
            return links;
        }
        let mut next = first;
        while let Some(one) = next.as_ref() {
            next = one.ifa_next;
            let has = |flag: libc::c_int| one.ifa_flags & flag as libc::c_uint != 0;
            if !has(libc::IFF_UP) || !(has(libc::IFF_MULTICAST) || has(libc::IFF_LOOPBACK)) {
                continue;
            }
            if let (Some(address), Some(mask)) = (ipv4(one.ifa_addr), ipv4(one.ifa_netmask)) {
                let link = Link { address, mask };
                // An address of its own on loopback (a /32) is no network.
                if (!has(libc::IFF_LOOPBACK) || address.is_loopback()) && !links.contains(&link) {
                    links.push(link);
                }
            }
        }
        libc::freeifaddrs(first);
    }
    links
}

#[allow(unsafe_code, reason = "see `links`")]
unsafe fn ipv4(at: *const libc::sockaddr) -> Option<Ipv4Addr> {
    // SAFETY: `links` hands over what the C library made, null or a whole address of the family it names.
    unsafe {
        let family = i32::from(at.as_ref()?.sa_family);
        // Read unaligned: `sockaddr` promises less than `sockaddr_in`.
        (family == libc::AF_INET)
            .then(|| at.cast::<libc::sockaddr_in>().read_unaligned())
            .map(|whole| Ipv4Addr::from_bits(u32::from_be(whole.sin_addr.s_addr)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_a_network_of_this_machine() {
        let all = links();
        let loopback = all.iter().find(|link| link.address == Ipv4Addr::LOCALHOST).expect("loopback");
        assert!(loopback.reaches(Ipv4Addr::new(127, 3, 2, 1)));
        assert!(!loopback.reaches(Ipv4Addr::new(192, 0, 2, 1)));
    }
}
