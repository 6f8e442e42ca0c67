//! Where the kernel would send what is addressed to an address (netlink, `rtnetlink(7)`). Any thread asks; nothing waits
//! and nothing is sent to anybody.
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, send, socket_with};
use std::net::IpAddr;

/// Types of messages: the question for a route and its answer.
const ASK: u16 = 26;
const ROUTE: u16 = 24;
/// `NLM_F_REQUEST`.
const ONE: u16 = 1;
/// `RTA_DST`.
const TO: u16 = 1;
/// `RTN_LOCAL`: it ends on this machine.
const LOCAL: u8 = 2;

/// Whether it ends on this machine, be it by an interface's address or by a route alone. `None` where the kernel does
/// not tell: without a route, or in a sandbox without such sockets.
pub fn is_local(to: IpAddr) -> Option<bool> {
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    send(&kernel, &question(to), SendFlags::empty()).ok()?;
    let mut answer = [0; 1024];
    // The kernel has answered as soon as the question is sent.
    let (read, _) = recv(&kernel, &mut answer[..], RecvFlags::DONTWAIT).ok()?;
    told(answer.get(..read)?)
}

/// A message's head (length, type, flags, number, sender), `rtmsg` (family, bits of the address, eight more bytes, of
/// which none is told, and flags) and the address as its one attribute.
fn question(to: IpAddr) -> Vec<u8> {
    let (family, address) = match to {
        IpAddr::V4(ip) => (AddressFamily::INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AddressFamily::INET6, ip.octets().to_vec()),
    };
    let mut bytes = (32 + address.len() as u32).to_ne_bytes().to_vec();
    bytes.extend(ASK.to_ne_bytes());
    bytes.extend(ONE.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family.as_raw() as u8, 8 * address.len() as u8]);
    bytes.extend([0; 10]);
    bytes.extend((4 + address.len() as u16).to_ne_bytes());
    bytes.extend(TO.to_ne_bytes());
    bytes.extend(address);
    bytes
}

fn told(answer: &[u8]) -> Option<bool> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    (kind == ROUTE).then_some(*answer.get(23)? == LOCAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    /// `struct nlmsghdr`, `struct rtmsg` and `struct rtattr` of linux/rtnetlink.h, written out.
    #[test]
    fn questions_and_answers_have_the_kernels_shape() {
        let asked = question(Ipv6Addr::LOCALHOST.into());
        assert_eq!((asked.len(), asked[0], asked[4]), (48, 48, 26));
        assert_eq!(asked[16..28], [10, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((asked[28], asked[30], asked[47]), (20, 1, 1));
        assert_eq!(question([127, 0, 0, 1].into())[16..18], [2, 32]);
        let answer = |kind: u8, route: u8| [&[0; 4][..], &[kind, 0], &[0; 17], &[route, 0, 0, 0, 0]].concat();
        assert_eq!(told(&answer(24, 2)), Some(true));
        assert_eq!(told(&answer(24, 1)), Some(false));
        assert_eq!(told(&answer(2, 2)), None, "an error");
        assert_eq!(told(&answer(24, 2)[..20]), None, "cut off");
    }
}
