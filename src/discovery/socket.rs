//! Sockets for multicast DNS, one a network, so that each knows where what it hears came from.
use crate::error::{Error, Result};
use crate::sys::links::Link;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub const PORT: u16 = 5353;
/// As the RFC wants it, so that nobody beyond the network can have sent it.
const HOPS: u32 = 255;

/// Asks from a port of its own: answers come to it alone.
pub fn asking(link: &Link) -> Result<UdpSocket> {
    open(link, 0).map_err(|e| failed(link, e))
}

/// Hears everybody's questions on the network, beside other programs that do.
pub fn answering(link: &Link) -> Result<UdpSocket> {
    let open = || {
        let socket = open(link, PORT)?;
        sockopt::set_ip_add_membership(&socket, &GROUP, &link.address)?;
        Ok(socket)
    };
    open().map_err(|e| failed(link, e))
}

fn open(link: &Link, port: u16) -> std::io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    if port != 0 {
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    // Bound to the group, it hears no unicast that is meant for another program on this port.
    let host = if port == 0 { link.address } else { GROUP };
    rustix::net::bind(&socket, &SocketAddrV4::new(host, port))?;
    sockopt::set_ip_multicast_if(&socket, &link.address)?;
    sockopt::set_ip_multicast_ttl(&socket, HOPS)?;
    sockopt::set_ip_multicast_loop(&socket, true)?;
    Ok(socket.into())
}

fn failed(link: &Link, e: std::io::Error) -> Error {
    Error::io(format_args!("speak multicast DNS at {}", link.address), e)
}
