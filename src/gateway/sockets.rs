//! The listening sockets: which addresses are open, and moving to others.
//!
//! Used by the main thread; each socket belongs to a `gw-listen` thread that lives as long as its address is wanted,
//! over any number of generations. A new address is opened before an old one is closed.
use crate::config::bind::{PORT, Plan};
use crate::error::{Error, Result};
use crate::http;
use crate::net::connection::Service;
use crate::net::listener;
use crate::state::succession::Succession;
use crate::threads;
use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener};
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

/// What is served at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Gateway,
    /// The canvas and nothing else.
    Canvas,
    /// The control of browsers and nothing else.
    Control,
}

struct Socket {
    address: SocketAddr,
    part: Part,
    /// Closing this end for writing stops the thread, which closes its own with the socket.
    stop: UnixStream,
}

impl Sockets {
    pub fn new(succession: Arc<Succession>) -> Sockets {
        Sockets { succession, open: Vec::new() }
    }

    /// Where the gateway listens, ports of its parts aside.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.those(Part::Gateway)
    }

    fn those(&self, part: Part) -> Vec<SocketAddr> {
        self.open.iter().filter(|socket| socket.part == part).map(|socket| socket.address).collect()
    }

    /// Binds what the plan wants and is not open yet; nobody accepts there before `open`.
    pub fn bind(&self, plan: &Plan, port: u16) -> Result<Vec<TcpListener>> {
        plan.listen(port, &self.addresses(), PORT)
    }

    /// Accepts connections on these from now on.
    pub fn open(&mut self, listeners: Vec<TcpListener>) -> Result<()> {
        self.open_for(listeners, Part::Gateway)
    }

    /// Serves the canvas on this port from now on, and on none that it had before. Without that port it is served on the
    /// gateway's all the same.
    pub fn serve_canvas(&mut self, plan: &Plan, port: Option<u16>, scheme: &str) {
        match self.serve(Part::Canvas, plan, port, "canvasHost.port") {
            Some(Ok(port)) => {
                log::info!(target: "canvas", "pages at {scheme}://{}/__openclaw__/canvas/; the control page has a link to them", SocketAddr::new(plan.host, port))
            }
            Some(Err(e)) => {
                log::warn!(target: "canvas", "the canvas is served on the gateway's port alone: {e}")
            }
            None => {}
        }
    }

    /// The same for the control of browsers, on loopback whatever the gateway listens on.
    pub fn serve_control(&mut self, port: Option<u16>) {
        let plan = Plan { mode: "loopback".into(), host: Ipv4Addr::LOCALHOST.into(), twin: None };
        match self.serve(Part::Control, &plan, port, "gateway.port, plus 2") {
            Some(Ok(port)) => log::info!(target: "browser", "browser control at http://127.0.0.1:{port}"),
            Some(Err(e)) => {
                log::warn!(target: "browser", "browsers are controlled by the gateway's own port alone: {e}")
            }
            None => {}
        }
    }

    /// A part on this port of its own, and on none that it had before; nothing where that is no news.
    fn serve(&mut self, part: Part, plan: &Plan, port: Option<u16>, named_by: &str) -> Option<Result<u16>> {
        let wanted = port.map(|port| plan.addresses(port)).unwrap_or_default();
        self.close(|socket| socket.part == part && !wanted.contains(&socket.address));
        let port = port?;
        let held = self.those(part);
        let opened = plan.listen(port, &held, named_by).and_then(|fresh| self.open_for(fresh, part));
        Some(opened.map(|()| port))
    }

    fn open_for(&mut self, listeners: Vec<TcpListener>, part: Part) -> Result<()> {
        for listener in listeners {
            let failed = |e| Error::io("set up a listening socket", e);
            let address = listener.local_addr().map_err(failed)?;
            let (stop, stopped) = UnixStream::pair().map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            // std asks for 128; whoever is dropped above it comes again after a second only. Where that is refused, it
            // stays at that.
            let _ = rustix::net::listen(&listener, BACKLOG);
            let succession = self.succession.clone();
            let http = match part {
                Part::Gateway => http::serve,
                Part::Canvas => http::serve_canvas,
                Part::Control => http::serve_control,
            };
            let service = Service { http, takes_clients: part == Part::Gateway };
            let work = move || listener::run(listener, stopped, &succession, service);
            let died = |what| log::error!(target: "gateway/net", "a listener ended by a defect: {what}; restart the gateway");
            threads::spawn("gw-listen", LISTEN_STACK, work, died)?;
            self.open.push(Socket { address, part, stop });
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
            self.close(|socket| socket.part == Part::Gateway && in_the_way.contains(&socket.address));
        }
        // What its parts have had is the gateway's first.
        self.close(|socket| socket.part != Part::Gateway && wanted.contains(&socket.address));
        match self.bind(plan, port).and_then(|fresh| self.open(fresh)) {
            Ok(()) => {
                self.close(|socket| socket.part == Part::Gateway && !wanted.contains(&socket.address));
                Ok(())
            }
            Err(e) => {
                let back = in_the_way.iter().filter_map(|address| TcpListener::bind(address).ok()).collect();
                self.open(back).and(Err(e))
            }
        }
    }

    /// Closes these addresses and waits until they are. Who was accepted there is still served.
    fn close(&mut self, is_meant: impl Fn(&Socket) -> bool) {
        let (gone, kept) = std::mem::take(&mut self.open).into_iter().partition(is_meant);
        self.open = kept;
        let gone: Vec<Socket> = gone;
        for Socket { address, part, mut stop } in gone {
            // Failures mean that the other end is closed, which is what is waited for.
            let _ = stop.shutdown(Shutdown::Write).and_then(|()| stop.set_read_timeout(Some(PATIENCE)));
            let _ = stop.read(&mut [0]);
            let scheme = if part == Part::Gateway { "ws" } else { "http" };
            log::info!(target: "gateway/net", "no longer listening on {scheme}://{address}");
        }
    }
}
