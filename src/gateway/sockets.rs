//! The listening sockets: which addresses are open, and moving to others.
//!
//! Used by the main thread; each socket belongs to a `gw-listen` thread that lives as long as its address is wanted,
//! over any number of generations. A new address is opened before an old one is closed.
use crate::config::bind::Plan;
use crate::error::{Error, Result};
use crate::http;
use crate::net::listener;
use crate::state::succession::Succession;
use crate::threads;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// Connections that the kernel holds while the listener's thread is busy; the system may allow fewer.
const BACKLOG: i32 = 1024;
/// How long a listener may take to close; it waits for nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const LISTEN_STACK: usize = 128 << 10;

pub struct Sockets {
    succession: Arc<Succession>,
    open: Vec<Socket>,
}

struct Socket {
    address: SocketAddr,
    /// Closing this end for writing stops the thread, which closes its own with the socket.
    stop: UnixStream,
}

impl Sockets {
    pub fn new(succession: Arc<Succession>) -> Sockets {
        Sockets { succession, open: Vec::new() }
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.open.iter().map(|socket| socket.address).collect()
    }

    /// Binds what the plan wants and is not open yet; nobody accepts there before `open`.
    pub fn bind(&self, plan: &Plan, port: u16) -> Result<Vec<TcpListener>> {
        plan.listen(port, &self.addresses())
    }

    /// Accepts connections on these from now on.
    pub fn open(&mut self, listeners: Vec<TcpListener>) -> Result<()> {
        for listener in listeners {
            let failed = |e| Error::io("set up a listening socket", e);
            let address = listener.local_addr().map_err(failed)?;
            let (stop, stopped) = UnixStream::pair().map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            // std asks for 128; whoever is dropped above it comes again after a second only. Where that is refused, it
            // stays at that.
            let _ = rustix::net::listen(&listener, BACKLOG);
            let succession = self.succession.clone();
            let work = move || listener::run(listener, stopped, &succession, http::serve);
            let died = |what| log::error!(target: "gateway/net", "a listener ended by a defect: {what}; restart the gateway");
            threads::spawn("gw-listen", LISTEN_STACK, work, died)?;
            self.open.push(Socket { address, stop });
        }
        Ok(())
    }

    /// Listens where `plan` wants it. The new addresses are opened first, unless they overlap with old ones on the same
    /// port, which the system allows only one after the other. On failure everything is as before.
    pub fn switch(&mut self, plan: &Plan, port: u16) -> Result<()> {
        let wanted = plan.addresses(port);
        let mut in_the_way = self.addresses();
        in_the_way.retain(|address| plan.overlaps(address, port) && !wanted.contains(address));
        if !in_the_way.is_empty() {
            self.close(|address| in_the_way.contains(address));
        }
        match self.bind(plan, port).and_then(|fresh| self.open(fresh)) {
            Ok(()) => {
                self.close(|address| !wanted.contains(address));
                Ok(())
            }
            Err(e) => {
                let back = in_the_way.iter().filter_map(|address| TcpListener::bind(address).ok()).collect();
                self.open(back).and(Err(e))
            }
        }
    }

    /// Closes these addresses and waits until they are. Who was accepted there is still served.
    fn close(&mut self, is_meant: impl Fn(&SocketAddr) -> bool) {
        let (gone, kept) = std::mem::take(&mut self.open).into_iter().partition(|s| is_meant(&s.address));
        self.open = kept;
        let gone: Vec<Socket> = gone;
        for Socket { address, mut stop } in gone {
            // Failures mean that the other end is closed, which is what is waited for.
            let _ = stop.shutdown(Shutdown::Write).and_then(|()| stop.set_read_timeout(Some(PATIENCE)));
            let _ = stop.read(&mut [0]);
            log::info!(target: "gateway/net", "no longer listening on ws://{address}");
        }
    }
}
