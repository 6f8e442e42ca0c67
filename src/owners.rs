//! Who listens on a port of this host, from the kernel's tables, and on which ports a process listens.
//!
//! Linux: the kernel's own answers (`owners/table.rs`) and `/proc`, which need no other program. The owner of a socket is known for the processes of the same
//! user, or of all users to root. Elsewhere only whether the port is taken is known, by trying to bind it.
//! Also who holds the other end of a connection within this machine: addresses and headers cannot tell users apart.
#[cfg(target_os = "linux")]
mod diag;
mod port;
mod table;

pub use port::Port;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use table::{Socket, connected, listening};

/// A process that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// `None` when the process belongs to somebody else.
    pub pid: Option<u32>,
    pub address: SocketAddr,
    pub command: String,
    pub command_line: String,
    pub user: String,
}

impl Listener {
    /// For people: `pid 7 (python3)`, and whose it is where that is not this user.
    pub fn told(&self) -> String {
        let is_ours = self.user == user_name(rustix::process::geteuid().as_raw());
        match self.pid {
            Some(pid) if is_ours => format!("pid {pid} ({})", self.command),
            Some(pid) => format!("pid {pid} ({}) of user {}", self.command, self.user),
            None => format!("a process of user {}", self.user),
        }
    }
}

/// Process id and name of the listener on `port`, where the system tells.
pub fn owner_of(port: u16) -> Option<(u32, String)> {
    Port::inspect(port, &[]).listeners.into_iter().find_map(|l| Some((l.pid?, l.command)))
}

/// Who holds the other end of a connection within this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A process of this user.
    User(u32),
    /// Nobody any more, or a process that this network does not know.
    Gone,
    /// The system does not tell.
    Unknown,
}

impl Holder {
    /// Whether it is this process's own user or root, who can read all of ours anyway.
    pub fn is_own(self) -> bool {
        matches!(self, Holder::User(uid) if uid == 0 || uid == rustix::process::geteuid().as_raw())
    }
}

/// Who holds the end `other` of the connection whose end `own` is ours. One question to the kernel.
pub fn holder(own: SocketAddr, other: SocketAddr) -> Holder {
    match connected(own, other) {
        Some((_, Some(socket))) => Holder::User(socket.uid),
        Some((_, None)) => Holder::Gone,
        None => Holder::Unknown,
    }
}

/// The same for people: `pid 7 (python3), user joe`. Looks through the processes.
pub fn describe_holder(own: SocketAddr, other: SocketAddr) -> Option<String> {
    let (_, socket) = connected(own, other)?;
    let socket = socket?;
    let listener = describe(Owners::default().of(socket.inode, &[]), &socket);
    Some(match listener.pid {
        Some(pid) => format!("pid {pid} ({}), user {}", listener.command, listener.user),
        None => format!("user {}", listener.user),
    })
}

/// A listener on `port` where it is not process `own` that listens there. One that may not be looked at is taken for
/// `own` if it belongs to the same user.
pub fn stranger(port: u16, own: Option<u32>) -> Option<Listener> {
    let likely: Vec<u32> = own.into_iter().collect();
    let mut listeners = Port::inspect(port, &likely).listeners;
    let owner = own.and_then(|pid| Some(user_name(std::fs::metadata(format!("/proc/{pid}")).ok()?.uid())));
    let is_own = |l: &Listener| match l.pid {
        Some(pid) => own == Some(pid),
        None => owner.as_ref() == Some(&l.user),
    };
    if listeners.is_empty() || listeners.iter().any(is_own) { None } else { Some(listeners.swap_remove(0)) }
}

/// The user of another user's process, other than root, that listens on `port`.
pub fn foreign(port: u16) -> Option<String> {
    let sockets = listening()?;
    let mut foreign = sockets.iter().filter(|s| s.address.port() == port && !Holder::User(s.uid).is_own());
    foreign.next().map(|socket| user_name(socket.uid))
}

/// The user of a process that listens on `port` and may not be looked at, because it is somebody else's.
pub fn unseen(port: u16) -> Option<String> {
    let own = user_name(rustix::process::getuid().as_raw());
    let mut listeners = Port::inspect(port, &[]).listeners.into_iter();
    listeners.find(|l| l.pid.is_none() && l.user != own).map(|l| l.user)
}

/// Whether process `pid` has a listening socket on `port`; `None` where the system does not tell.
pub fn holds_listener(pid: u32, port: u16) -> Option<bool> {
    let sockets = listening()?;
    let own = inodes_of(&PathBuf::from(format!("/proc/{pid}")));
    Some(sockets.iter().any(|s| s.address.port() == port && own.contains(&s.inode)))
}

/// The ports `pid` listens on, ascending.
pub fn of_process(pid: u32) -> Vec<SocketAddr> {
    let own = inodes_of(&PathBuf::from(format!("/proc/{pid}")));
    let mut addresses: Vec<SocketAddr> = listening()
        .unwrap_or_default()
        .into_iter()
        .filter(|socket| own.contains(&socket.inode))
        .map(|socket| socket.address)
        .collect();
    crate::order::by_key(&mut addresses, |address| (address.port(), address.is_ipv6()));
    addresses
}

/// Which process has which socket, found out once.
#[derive(Default)]
struct Owners {
    known: Vec<(u32, Vec<u64>)>,
    looked_everywhere: bool,
}

impl Owners {
    fn of(&mut self, inode: u64, likely: &[u32]) -> Option<u32> {
        if self.known.is_empty() {
            let each = likely.iter().map(|pid| (*pid, inodes_of(&PathBuf::from(format!("/proc/{pid}")))));
            self.known = each.collect();
        }
        self.find(inode).or_else(|| {
            self.look_everywhere();
            self.find(inode)
        })
    }

    fn find(&self, inode: u64) -> Option<u32> {
        self.known.iter().find(|(_, inodes)| inodes.contains(&inode)).map(|(pid, _)| *pid)
    }

    fn look_everywhere(&mut self) {
        if std::mem::replace(&mut self.looked_everywhere, true) {
            return;
        }
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                self.known.push((pid, inodes_of(&entry.path())));
            }
        }
    }
}

/// The sockets a process has open; none that one may not look at.
fn inodes_of(process: &Path) -> Vec<u64> {
    let links = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let inode = |link: PathBuf| {
        let target = std::fs::read_link(link).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    links.filter_map(|link| inode(link.path())).collect()
}

fn describe(pid: Option<u32>, socket: &Socket) -> Listener {
    let file = |name: &str| {
        let bytes = pid.and_then(|pid| std::fs::read(format!("/proc/{pid}/{name}")).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim_end_matches(['\0', '\n']).to_string()
    };
    let words: Vec<String> = file("cmdline").split('\0').map(str::to_string).collect();
    let uid =
        pid.and_then(|pid| std::fs::metadata(format!("/proc/{pid}")).ok()).map_or(socket.uid, |m| m.uid());
    Listener {
        pid,
        address: socket.address,
        command: file("comm"),
        command_line: hide_secrets(&words).join(" "),
        user: user_name(uid),
    }
}

/// A command line without what follows `--token` and `--password`.
pub fn hide_secrets(words: &[String]) -> Vec<String> {
    let mut hide = false;
    let word = |word: &String| {
        let is_secret = std::mem::replace(&mut hide, matches!(word.as_str(), "--token" | "--password"));
        match word.split_once('=') {
            _ if is_secret => "***".to_string(),
            Some((name @ ("--token" | "--password"), _)) => format!("{name}=***"),
            _ => word.clone(),
        }
    };
    words.iter().map(word).collect()
}

pub fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, ..] = fields.as_slice() else { return None };
        (id.parse() == Ok(uid)).then(|| name.to_string())
    });
    name.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
#[path = "owners_tests.rs"]
mod tests;
