//! The way to WhatsApp: a WebSocket on a thread of its own, which waits for the network and for what is to be sent, and
//! for nothing else. The crate sees bytes; whether a connection lives is told by its own pings.
use crate::account::Account;
use crate::exec::on_thread;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};
use wacore::net::{
    DisconnectReason, Transport, TransportEvent, TransportFactory, WHATSAPP_WEB_ORIGIN, WHATSAPP_WEB_WS_URL,
};
use whatsapp_rust::anyhow::{Result, anyhow};
use whatsapp_rust::async_channel::{Receiver, Sender, bounded};
use whatsapp_rust::async_trait;
use whatsapp_rust::bytes::Bytes;
use whatsapp_rust::store::persistence_manager::PersistenceManager;

/// For each address, and for each answer until the WebSocket stands.
const CONNECT: Duration = Duration::from_secs(15);
/// What waits to be sent, bytes: more is no conversation.
const MAX_QUEUE: usize = 64 << 20;
const STACK: usize = 256 << 10;
/// The variable names another server, on this machine alone: the stand-in of the tests.
pub const VARIABLE: &str = "OPENCLAW_WHATSAPP_WEB_SOCKET_URL";

/// Where WhatsApp is; another place only for tests.
pub fn url() -> Result<String> {
    let Ok(url) = std::env::var(VARIABLE) else { return Ok(WHATSAPP_WEB_WS_URL.to_string()) };
    let host = url.strip_prefix("ws://").and_then(|rest| rest.split(['/', ':']).next());
    match host.and_then(|host| host.parse::<IpAddr>().ok()).is_some_and(|ip| ip.is_loopback()) {
        true => Ok(url),
        false => Err(anyhow!("{VARIABLE} is for tests: give ws://127.0.0.1:<port>/, or unset it")),
    }
}

pub struct Factory {
    pub url: String,
    /// Its device record is on disk before a connection opens (R-51b).
    pub keeper: OnceLock<Weak<PersistenceManager>>,
    /// Is told what is in the way.
    pub account: Weak<Account>,
}

#[async_trait]
impl TransportFactory for Factory {
    async fn create_transport(&self) -> Result<(Arc<dyn Transport>, Receiver<TransportEvent>)> {
        if let Some(keeper) = self.keeper.get().and_then(Weak::upgrade) {
            keeper.flush().await?;
        }
        let slot: Arc<Mutex<Option<Result<Socket>>>> = Arc::default();
        let (own, url) = (slot.clone(), self.url.clone());
        let connect = move || *own.lock().unwrap_or_else(PoisonError::into_inner) = Some(connect(&url));
        on_thread(Box::new(connect)).await;
        let connected = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let socket = connected.unwrap_or_else(|| Err(anyhow!("no thread for the connection")));
        let account = self.account.upgrade();
        let socket = socket.inspect_err(|e| {
            account.iter().for_each(|account| {
                account.is_down(None, &format!("{e:#}; it is tried again by itself"), false)
            });
        })?;
        let shared = Arc::new(Line {
            queue: Mutex::default(),
            bell: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            is_over: AtomicBool::new(false),
        });
        let (events, heard) = bounded(256);
        let line = shared.clone();
        let run = move || {
            let reason = carry(socket, &line, &events);
            line.is_over.store(true, Ordering::Release);
            let _ = events.send_blocking(TransportEvent::Disconnected(reason));
        };
        std::thread::Builder::new().name("wa-socket".into()).stack_size(STACK).spawn(run)?;
        Ok((shared, heard))
    }
}

/// What the executor and the socket's thread share.
struct Line {
    queue: Mutex<(VecDeque<Bytes>, usize)>,
    bell: OwnedFd,
    is_over: AtomicBool,
}

impl Line {
    fn ring(&self) {
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, data: Bytes) -> Result<()> {
        if self.is_over.load(Ordering::Acquire) {
            return Err(anyhow!("the connection is closed"));
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.1 + data.len() > MAX_QUEUE {
            return Err(anyhow!("the connection takes nothing more"));
        }
        queue.1 += data.len();
        queue.0.push_back(data);
        drop(queue);
        self.ring();
        Ok(())
    }

    async fn disconnect(&self) {
        self.is_over.store(true, Ordering::Release);
        self.ring();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.ring();
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.read(to),
            Stream::Tls(tls) => tls.read(to),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Plain(tcp) => tcp.write(from),
            Stream::Tls(tls) => tls.write(from),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Stream::Plain(tcp) => tcp.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}

type Socket = WebSocket<Stream>;

fn connect(url: &str) -> Result<Socket> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("Origin", WHATSAPP_WEB_ORIGIN.parse()?);
    let uri = request.uri().clone();
    let is_secure = uri.scheme_str() == Some("wss");
    let host = uri.host().unwrap_or_default().to_string();
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let tcp = reach(&host, port)?;
    let stream = if is_secure {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from(host)?;
        Stream::Tls(Box::new(rustls::StreamOwned::new(
            rustls::ClientConnection::new(config.into(), name)?,
            tcp,
        )))
    } else {
        Stream::Plain(tcp)
    };
    let failed = |e: &dyn std::fmt::Display| {
        anyhow!("{} does not open a WebSocket: {e}", uri.host().unwrap_or_default())
    };
    let (socket, _) = tungstenite::client::client(request, stream).map_err(|e| failed(&e))?;
    let tcp = socket.get_ref().tcp();
    tcp.set_read_timeout(None)?;
    tcp.set_write_timeout(None)?;
    tcp.set_nonblocking(true)?;
    Ok(socket)
}

fn reach(host: &str, port: u16) -> Result<TcpStream> {
    let failed = |e: &dyn std::fmt::Display| anyhow!("{host} cannot be reached: {e}");
    let mut last = anyhow!("{host} has no address");
    for address in (host, port).to_socket_addrs().map_err(|e| failed(&e))? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                tcp.set_read_timeout(Some(CONNECT))?;
                tcp.set_write_timeout(Some(CONNECT))?;
                return Ok(tcp);
            }
            Err(e) => last = failed(&e),
        }
    }
    Err(last)
}

/// Carries bytes both ways until one side ends; why it did.
fn carry(mut socket: Socket, line: &Line, events: &Sender<TransportEvent>) -> DisconnectReason {
    if events.send_blocking(TransportEvent::Connected).is_err() {
        return DisconnectReason::Unknown;
    }
    loop {
        let is_behind = match write(&mut socket, line) {
            Ok(is_behind) => is_behind,
            Err(e) => return reason(e),
        };
        if line.is_over.load(Ordering::Acquire) {
            let _ = socket.close(None);
            let _ = socket.flush();
            return DisconnectReason::Unknown;
        }
        let flags = if is_behind { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut fds = [PollFd::new(socket.get_ref().tcp(), flags), PollFd::new(&line.bell, PollFlags::IN)];
        // What went wrong shows in the next read.
        let _ = poll(&mut fds, None);
        let mut count = [0; 8];
        let _ = rustix::io::read(&line.bell, &mut count);
        loop {
            match socket.read() {
                Ok(Message::Binary(data)) => {
                    if events.send_blocking(TransportEvent::DataReceived(data)).is_err() {
                        return DisconnectReason::Unknown;
                    }
                }
                Ok(Message::Close(frame)) => {
                    let _ = socket.flush();
                    let reason = frame.as_ref().map_or(String::new(), |frame| frame.reason.to_string());
                    return DisconnectReason::ServerClose {
                        code: frame.map(|frame| frame.code.into()),
                        reason,
                    };
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return reason(e),
            }
        }
    }
}

/// Sends what waits; whether something is left.
fn write(socket: &mut Socket, line: &Line) -> std::result::Result<bool, tungstenite::Error> {
    let waiting = std::mem::take(&mut *line.queue.lock().unwrap_or_else(PoisonError::into_inner)).0;
    let done =
        waiting.into_iter().try_for_each(|data| blocked(socket.write(Message::Binary(data))).map(|_| ()));
    done.and_then(|()| blocked(socket.flush()))
}

/// What the kernel does not take now stays in the WebSocket's buffer.
fn blocked(
    done: std::result::Result<(), tungstenite::Error>,
) -> std::result::Result<bool, tungstenite::Error> {
    match done {
        Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => Ok(true),
        done => done.map(|()| false),
    }
}

fn reason(e: tungstenite::Error) -> DisconnectReason {
    use tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    match e {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            DisconnectReason::StreamEnded
        }
        tungstenite::Error::Protocol(ResetWithoutClosingHandshake) => DisconnectReason::StreamEnded,
        e => DisconnectReason::ReadError(Error::other(e).to_string()),
    }
}
