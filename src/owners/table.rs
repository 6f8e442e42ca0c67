//! The TCP sockets of this host, as the kernel tells of them; any thread asks.
//!
//! The kernel is asked for the ones that are wanted (`diag.rs`). Where it does not answer, all its tables are read as
//! text from `/proc`, for which it walks over every connection there may be: some ten milliseconds a time.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A socket of whichever process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    pub address: SocketAddr,
    pub remote: SocketAddr,
    pub listens: bool,
    /// 0 for one that is closed already; its user means nothing then.
    pub inode: u64,
    pub uid: u32,
}

/// All listening sockets; `None` where the kernel has no such tables.
pub fn listening() -> Option<Vec<Socket>> {
    #[cfg(target_os = "linux")]
    if let Some(sockets) = super::diag::listening() {
        return Some(sockets);
    }
    Some(all()?.into_iter().filter(|socket| socket.listens).collect())
}

/// Both ends of a connection, the other as far as a process has it; `None` where not even ours is found.
pub fn connected(own: SocketAddr, other: SocketAddr) -> Option<(Socket, Option<Socket>)> {
    let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
    let (own, other) = (canonical(own), canonical(other));
    #[cfg(target_os = "linux")]
    // That nothing is found may also mean that the kernel does not answer such questions.
    if let Some(ours) = super::diag::connection(own, other) {
        return Some((ours, super::diag::connection(other, own).filter(|socket| socket.inode != 0)));
    }
    let (mut ours, mut theirs) = (None, None);
    for socket in all()? {
        let ends = (canonical(socket.address), canonical(socket.remote));
        if ends == (own, other) {
            ours = Some(socket);
        } else if ends == (other, own) && socket.inode != 0 {
            theirs = Some(socket);
        }
    }
    Some((ours?, theirs))
}

fn all() -> Option<Vec<Socket>> {
    let v4 = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let v6 = std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    Some(v4.lines().chain(v6.lines()).filter_map(row).collect())
}

/// One line of the kernel's table. The state `0A` is that of a listening socket.
fn row(line: &str) -> Option<Socket> {
    let mut fields = line.split_whitespace().skip(1);
    let (address, remote) = (address(fields.next()?)?, address(fields.next()?)?);
    let listens = fields.next()? == "0A";
    let (uid, inode) = (fields.nth(3)?.parse().ok()?, fields.nth(1)?.parse().ok()?);
    Some(Socket { address, remote, listens, inode, uid })
}

fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Words of 32 bits, each in the byte order of the machine.
    let words: Vec<u32> =
        (0..ip.len() / 8).filter_map(|n| u32::from_str_radix(ip.get(n * 8..n * 8 + 8)?, 16).ok()).collect();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let ip = match <[u8; 16]>::try_from(bytes.as_slice()) {
        Ok(bytes) => IpAddr::V6(Ipv6Addr::from(bytes)),
        Err(_) => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.as_slice()).ok()?)),
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernels_table() {
        let line = "  1: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4242 1 0 100 0 0 10 0";
        let found = row(line).unwrap();
        assert_eq!(
            (found.address.to_string().as_str(), found.inode, found.uid, found.listens),
            ("127.0.0.1:18789", 4242, 1000, true)
        );
        let v6 = line.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(row(&v6).unwrap().address.to_string(), "[::1]:18789");
        assert!(!row(&line.replace(" 0A ", " 01 ")).unwrap().listens);
    }

    /// Both ways of asking tell the same of the same sockets.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernels_answers_are_those_of_its_tables() {
        use crate::owners::diag;
        use std::net::{TcpListener, TcpStream};
        for bound in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(bound) else { continue };
            let here = listener.local_addr().unwrap();
            let to = if bound.starts_with("[::1]") { "::1" } else { "127.0.0.1" };
            let client = TcpStream::connect((to, here.port())).unwrap();
            let (server, _) = listener.accept().unwrap();
            let table = all().unwrap();
            // A kernel that is not asked at all is what the tables are kept for.
            let Some(listening) = diag::listening() else { return };
            let is_here = |socket: &&Socket| socket.address == here && socket.listens;
            assert_eq!(listening.iter().find(is_here), table.iter().find(is_here), "{bound}");
            for end in [client.local_addr().unwrap(), server.local_addr().unwrap()] {
                let in_table = table.iter().find(|s| s.address == end && !s.listens).unwrap();
                let (own, other) = (in_table.address, in_table.remote);
                let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
                assert_eq!(
                    diag::connection(canonical(own), canonical(other)).as_ref(),
                    Some(in_table),
                    "{bound}"
                );
            }
            let nobody = SocketAddr::new(canonical_ip(to), 1);
            assert_eq!(
                diag::connection(SocketAddr::new(canonical_ip(to), here.port()), nobody),
                None,
                "{bound}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    fn canonical_ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
}
