//! Where to listen: bind modes to addresses, sockets, and who holds a port that is taken.
//!
//! Runs once at start, before anything else is set up. A bind mode never widens: what the reference program
//! answers with 0.0.0.0 when loopback cannot be bound is an error here (COMPATIBILITY.md).
use crate::config::Config;
use crate::error::{Error, Result};
use crate::owners;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

/// What names the gateway's port.
pub const PORT: &str = "--port, gateway.port";
/// Ports below this are root's on many machines.
const RESERVED: u16 = 1024;

/// The address to bind and, for loopback, its IPv6 twin, which may be missing on the machine but not be another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub mode: String,
    pub host: IpAddr,
    pub twin: Option<IpAddr>,
}

impl Plan {
    pub fn resolve(flag: Option<&str>, config: &Config) -> Result<Plan> {
        let mode = flag.or_else(|| config.str("gateway.bind")).unwrap_or("loopback");
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let host = match mode {
            "loopback" | "auto" => loopback,
            "lan" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            "tailnet" => tailnet_address().unwrap_or(loopback),
            "custom" => custom_host(config)?,
            _ => {
                let text = "Invalid --bind (use \"loopback\", \"lan\", \"tailnet\", \"auto\", or \"custom\")";
                return Err(Error::config(text));
            }
        };
        let twin = (host == loopback).then_some(IpAddr::V6(Ipv6Addr::LOCALHOST));
        Ok(Plan { mode: mode.to_string(), host, twin })
    }

    /// Refuses an address that this machine does not have, whoever listens there.
    pub fn check_host(&self) -> Result<()> {
        UdpSocket::bind((self.host, 0)).map(drop).map_err(|e| {
            let key = if self.mode == "custom" { "gateway.customBindHost" } else { "gateway.bind" };
            Error::config(format!(
                "{key}: nothing can listen at {} on this machine: {e}; choose another address",
                self.host
            ))
        })
    }

    /// The same, and a port that the system keeps from this user.
    pub fn check(&self, port: u16) -> Result<()> {
        self.check_host()?;
        // Asking for one takes it for a moment, so others, which are everybody's, are not asked for.
        let asked = (port < RESERVED).then(|| TcpListener::bind((self.host, port)));
        match asked {
            Some(Err(e)) if e.kind() == ErrorKind::PermissionDenied => Err(Error::config(format!(
                "port {port} is kept for root on this machine: choose one from {RESERVED} on (--port, gateway.port)"
            ))),
            _ => Ok(()),
        }
    }

    pub fn is_loopback(&self) -> bool {
        self.host.is_loopback()
    }

    /// What `listen` opens, the twin if that works.
    pub fn addresses(&self, port: u16) -> Vec<SocketAddr> {
        std::iter::once(self.host).chain(self.twin).map(|host| SocketAddr::new(host, port)).collect()
    }

    /// Whether the system lets the plan have `port` only after `held`, which is open, is closed.
    pub fn overlaps(&self, held: &SocketAddr, port: u16) -> bool {
        held.port() == port && (held.ip().is_unspecified() || self.host.is_unspecified())
    }

    /// Binds what is not `held` already: the plan's host, and its twin where there is IPv6. A twin that another program
    /// has is a taken port: who says `localhost` would hand that program the secret. `named_by` is what names the port.
    pub fn listen(&self, port: u16, held: &[SocketAddr], named_by: &str) -> Result<Vec<TcpListener>> {
        let mut listeners = Vec::new();
        for address in self.addresses(port).into_iter().filter(|address| !held.contains(address)) {
            match TcpListener::bind(address) {
                Ok(listener) => listeners.push(listener),
                Err(e) if address.ip() == self.host || e.kind() == ErrorKind::AddrInUse => {
                    return Err(explain(address, e, named_by));
                }
                Err(_) => {}
            }
        }
        Ok(listeners)
    }
}

fn custom_host(config: &Config) -> Result<IpAddr> {
    let text = config.str("gateway.customBindHost").unwrap_or_default();
    text.parse().map_err(|_| {
        Error::config(format!("bind=custom needs an IP address in gateway.customBindHost (found \"{text}\")"))
    })
}

fn explain(address: SocketAddr, e: std::io::Error, named_by: &str) -> Error {
    match e.kind() {
        ErrorKind::AddrInUse => {
            let port = address.port();
            let owner = match (owners::owner_of(port), owners::unseen(port)) {
                (Some((pid, name)), _) => format!("pid {pid} ({name})"),
                (None, Some(user)) => format!("a program of user {user}"),
                (None, None) => "another program".to_string(),
            };
            Error::config(format!(
                "port {port} is already in use: {owner} is listening there; stop it or choose another port ({named_by})"
            ))
        }
        _ => Error::config(format!(
            "failed to bind gateway socket on ws://{address}: {e}; check gateway.bind and the port ({named_by})"
        )),
    }
}

/// This machine's tailnet IPv4 address (100.64.0.0/10), if it has one.
pub fn tailnet_address() -> Option<IpAddr> {
    // 100.100.100.100 is Tailscale's own resolver; choosing a route sends nothing.
    source_address("100.100.100.100:53").filter(|ip| match ip {
        IpAddr::V4(v4) => matches!(v4.octets(), [100, b, _, _] if b & 0xc0 == 64),
        IpAddr::V6(_) => false,
    })
}

/// This machine's address towards its default route.
pub fn lan_address() -> Option<IpAddr> {
    source_address("192.0.2.1:9").filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

fn source_address(towards: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect(towards).ok()?;
    socket.local_addr().ok().map(|a| a.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_for_good_and_names_its_owner() {
        let plan = Plan::resolve(Some("loopback"), &Config::empty()).unwrap();
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = plan.listen(held.local_addr().unwrap().port(), &[], PORT).unwrap_err();
        assert_eq!(error.exit_code(), 78);
        assert!(error.message().contains(&format!("pid {}", std::process::id())), "{error}");
    }

    #[test]
    fn a_taken_twin_is_a_taken_port() {
        let plan = Plan::resolve(Some("loopback"), &Config::empty()).unwrap();
        // Without IPv6 there is no twin to take.
        let Ok(held) = TcpListener::bind("[::1]:0") else { return };
        let port = held.local_addr().unwrap().port();
        let error = plan.listen(port, &[], PORT).unwrap_err();
        assert!(error.message().starts_with(&format!("port {port} is already in use: pid ")), "{error}");
        drop(held);
        assert_eq!(plan.listen(port, &[], PORT).unwrap().len(), 2);
    }

    #[test]
    fn modes_resolve_and_never_widen() {
        let host = |mode| Plan::resolve(Some(mode), &Config::empty()).map(|p| p.host.to_string());
        assert_eq!(host("auto").unwrap(), "127.0.0.1");
        assert_eq!(host("lan").unwrap(), "0.0.0.0");
        assert_eq!(host("nonsense").unwrap_err().exit_code(), 78);
        let foreign = Plan { mode: "custom".into(), host: "192.0.2.7".parse().unwrap(), twin: None };
        assert!(foreign.check_host().unwrap_err().message().starts_with("gateway.customBindHost"), "N-10");
        assert!(Plan::resolve(Some("lan"), &Config::empty()).unwrap().check_host().is_ok());
        assert!(host("custom").unwrap_err().message().contains("gateway.customBindHost"));
    }
}
