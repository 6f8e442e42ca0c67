//! A port: whether it is taken, by whom, and what to do about that.
use super::table::{Socket, listening};
use super::{Listener, Owners, describe};
use crate::json::json;
use serde_json::Value;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

/// A port and who has it.
#[derive(Debug, Clone)]
pub struct Port {
    pub port: u16,
    /// `None` when that cannot be found out.
    pub is_busy: Option<bool>,
    pub listeners: Vec<Listener>,
}

impl Port {
    /// Looks; the processes `likely` are asked first, which is quicker than all of them.
    pub fn inspect(port: u16, likely: &[u32]) -> Port {
        let Some(sockets) = listening() else {
            return Port { port, is_busy: try_bind(port), listeners: Vec::new() };
        };
        let sockets: Vec<Socket> = sockets.into_iter().filter(|s| s.address.port() == port).collect();
        let mut listeners: Vec<Listener> = Vec::new();
        let mut owners = Owners::default();
        for socket in &sockets {
            let pid = owners.of(socket.inode, likely);
            if pid.is_none() || !listeners.iter().any(|known| known.pid == pid) {
                listeners.push(describe(pid, socket));
            }
        }
        Port { port, is_busy: Some(!sockets.is_empty()), listeners }
    }

    pub fn status(&self) -> &'static str {
        match self.is_busy {
            Some(true) => "busy",
            Some(false) => "free",
            None => "unknown",
        }
    }

    pub fn to_json(&self) -> Value {
        let listeners = self.listeners.iter().map(|listener| {
            json!({
                "pid": listener.pid, "command": listener.command, "address": listener.address.to_string(),
                "commandLine": listener.command_line, "user": listener.user,
            })
        });
        json!({
            "port": self.port, "status": self.status(), "listeners": listeners.collect::<Vec<_>>(),
            "hints": self.hints(),
        })
    }

    /// What to do about a port that somebody has.
    pub fn hints(&self) -> Vec<String> {
        if self.is_busy != Some(true) {
            return Vec::new();
        }
        let names: Vec<String> = self
            .listeners
            .iter()
            .map(|l| format!("{} {}", l.command, l.command_line).to_lowercase())
            .collect();
        let has = |what: &str| names.iter().any(|name| name.contains(what));
        let mut hints = Vec::new();
        if has("openclaw") {
            hints.push("Another gateway runs here: stop it, or use another port.".into());
        } else if has("ssh") {
            hints.push("An SSH tunnel has this port: close it, or forward another local port.".to_string());
        } else if self.listeners.iter().any(|l| l.pid.is_some()) {
            hints.push("Another process listens on this port.".to_string());
        } else {
            hints.push("The process that has this port belongs to another user: look as root.".to_string());
        }
        if self.listeners.iter().filter(|l| l.pid.is_some()).count() > 1 {
            hints.push(
                "Several processes listen on this port: keep one gateway, or give each its own port.".into(),
            );
        }
        hints
    }
}

fn try_bind(port: u16) -> Option<bool> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Some(false),
        Err(e) if e.kind() == ErrorKind::AddrInUse => Some(true),
        Err(_) => None,
    }
}
