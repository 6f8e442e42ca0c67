//! Asking the kernel for sockets by their addresses or their state (netlink, `sock_diag(7)`): some microseconds instead
//! of a walk over all its tables. Any thread asks; nothing waits. `None` wherever it does not answer: in a sandbox
//! without such sockets, or without the kernel's module for them.
use super::table::Socket;
use crate::parts::Parts;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{netlink, recv, send, socket_with};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `SOCK_DIAG_BY_FAMILY`, the type of questions and answers; the types that tell an error and that end a list.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST`, and with `NLM_F_DUMP` for a list.
const ONE: u16 = 1;
const LIST: u16 = 0x301;
const INET: u8 = 2;
const INET6: u8 = 10;
const TCP: u8 = 6;
/// `TCP_LISTEN`.
const LISTENS: u8 = 10;
/// Size of a message's head, of a question with it, and of an answer without.
const HEAD: usize = 16;
const QUESTION: u32 = 72;
const ANSWER: usize = 72;
/// The kernel gives at most that much at a time.
const BUFFER: usize = 32 << 10;

/// The socket whose own end is `own` and whose other end is `other`, neither written as a mapped address.
pub fn connection(own: SocketAddr, other: SocketAddr) -> Option<Socket> {
    let family = if own.is_ipv4() { INET } else { INET6 };
    let found = ask(&question(ONE, family, u32::MAX, own, other))?.pop()?;
    let is = |a: SocketAddr, b: SocketAddr| (a.ip().to_canonical(), a.port()) == (b.ip(), b.port());
    // Where no connection has these ends the kernel names who listens there.
    (is(found.address, own) && is(found.remote, other)).then_some(found)
}

/// All sockets that listen.
pub fn listening() -> Option<Vec<Socket>> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let list = |family| ask(&question(LIST, family, 1 << LISTENS, any, any));
    let mut sockets = list(INET)?;
    sockets.extend(list(INET6).unwrap_or_default());
    Some(sockets)
}

/// A message's head (length, type, flags, number, sender) and `inet_diag_req_v2`.
fn question(flags: u16, family: u8, states: u32, own: SocketAddr, other: SocketAddr) -> Vec<u8> {
    let mut bytes = QUESTION.to_ne_bytes().to_vec();
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([family, TCP, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(own.port().to_be_bytes());
    bytes.extend(other.port().to_be_bytes());
    for end in [own, other] {
        match end.ip() {
            IpAddr::V4(ip) => bytes.extend([&ip.octets()[..], &[0; 12]].concat()),
            IpAddr::V6(ip) => bytes.extend(ip.octets()),
        }
    }
    // Any interface, and a cookie that is not asked for.
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes
}

/// What the kernel answers: one socket, or all of a list.
fn ask(question: &[u8]) -> Option<Vec<Socket>> {
    let (netlink, raw) = (AddressFamily::NETLINK, Some(netlink::SOCK_DIAG));
    let kernel = socket_with(netlink, SocketType::DGRAM, SocketFlags::CLOEXEC, raw).ok()?;
    send(&kernel, question, SendFlags::empty()).ok()?;
    let (mut buffer, mut sockets) = (vec![0; BUFFER], Vec::new());
    loop {
        // The kernel has answered as soon as the question is sent, or the part before is taken.
        let (read, _) = recv(&kernel, buffer.as_mut_slice(), RecvFlags::DONTWAIT).ok()?;
        let mut rest = buffer.get(..read)?;
        while !rest.is_empty() {
            match (u16::from_ne_bytes(array(rest, 4)?), u16::from_ne_bytes(array(rest, 6)?)) {
                (DONE, _) => return Some(sockets),
                (ERROR, _) => return None,
                (_, flags) => {
                    sockets.push(answer(rest.get(HEAD..)?)?);
                    if flags & MULTI == 0 {
                        return Some(sockets);
                    }
                }
            }
            let length = u32::from_ne_bytes(array(rest, 0)?) as usize;
            rest = rest.tail(length.next_multiple_of(4).max(HEAD).min(rest.len()));
        }
    }
}

/// `NLM_F_MULTI`: more of the list follows.
const MULTI: u16 = 2;

/// `inet_diag_msg`: family, state and two bytes; ports, addresses, interface, cookie; a time, queues, user, inode.
fn answer(bytes: &[u8]) -> Option<Socket> {
    let bytes = bytes.get(..ANSWER)?;
    let [family, state] = array(bytes, 0)?;
    let end = |port: usize, ip: usize| {
        let ip = match family {
            INET => IpAddr::V4(Ipv4Addr::from(array::<4>(bytes, ip)?)),
            _ => IpAddr::V6(Ipv6Addr::from(array::<16>(bytes, ip)?)),
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes(array(bytes, port)?)))
    };
    Some(Socket {
        address: end(4, 8)?,
        remote: end(6, 24)?,
        listens: state == LISTENS,
        uid: u32::from_ne_bytes(array(bytes, 64)?),
        inode: u32::from_ne_bytes(array(bytes, 68)?).into(),
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct inet_diag_req_v2` and `struct inet_diag_msg` of linux/inet_diag.h, written out.
    #[test]
    fn questions_and_answers_have_the_kernels_shape() {
        let own = SocketAddr::from(([127, 0, 0, 1], 0x1234));
        let other = SocketAddr::from(([10, 0, 0, 2], 0x5678));
        let asked = question(ONE, INET, 1, own, other);
        assert_eq!(asked.len(), QUESTION as usize);
        assert_eq!(asked[16..20], [2, 6, 0, 0]);
        assert_eq!(asked[24..32], [0x12, 0x34, 0x56, 0x78, 127, 0, 0, 1]);
        assert_eq!(asked[44..48], [10, 0, 0, 2]);
        let numbers = [1000u32.to_ne_bytes(), 4242u32.to_ne_bytes()].concat();
        let told = [&[2, 10, 0, 0], &asked[24..72], &[0; 12], &numbers].concat();
        let want = Socket { address: own, remote: other, listens: true, inode: 4242, uid: 1000 };
        assert_eq!(answer(&told), Some(want));
        assert_eq!(answer(&told[..71]), None, "an answer that is cut off");
    }
}
