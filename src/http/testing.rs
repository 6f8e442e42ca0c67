//! A server over real sockets for rows of a test's own. Tests only.
use crate::door::{Entry, Ticket};
use crate::http::Route;
use crate::net::connection;
use crate::state::shared::Shared;
use crate::threads;
use crate::tools::testing;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Serves `routes` until it is dropped.
pub struct Server {
    pub shared: Arc<Shared>,
    port: u16,
    is_over: Arc<AtomicBool>,
    _dir: crate::config::testing::Dir,
}

pub struct Client(pub TcpStream);

/// An answer as it came: head and all behind it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Server {
    /// With this configuration and the secret `t`.
    pub fn start(routes: &'static [Route], config: &str) -> Server {
        Server::with(routes, config, |shared| shared)
    }

    pub fn with(routes: &'static [Route], config: &str, change: impl Fn(Shared) -> Shared) -> Server {
        let (context, dir) = testing::context(config);
        let shared = crate::state::testing::shared(context.settings);
        let shared = Arc::new(change(Arc::into_inner(shared).unwrap()));
        shared.succession.serve(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, is_over) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let (over, serving) = (is_over.clone(), shared.clone());
        let accept = move || {
            for stream in
                listener.incoming().map_while(|stream| stream.ok().filter(|_| !over.load(Ordering::SeqCst)))
            {
                let (stream, shared) = (Arc::new(stream), serving.clone());
                let ticket = ticket(&stream, &shared);
                let serve = move || {
                    let http = |stream: &TcpStream, head, ends, ticket, until, shared| {
                        crate::http::connection::serve(stream, head, ends, ticket, until, shared, routes)
                    };
                    connection::serve(stream, Instant::now(), ticket, 1, shared, &http, true)
                };
                threads::bare("test-http", 256 << 10, serve).unwrap();
            }
        };
        threads::bare("test-accept", 256 << 10, accept).unwrap();
        Server { shared, port, is_over, _dir: dir }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(stream)
    }

    /// One request on a connection of its own; `head` in lines that end in `\n`, without the empty one.
    pub fn ask(&self, head: &str, body: &str) -> Answer {
        let mut client = self.connect();
        client.send(head, body);
        client.answer()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn ticket(stream: &Arc<TcpStream>, shared: &Shared) -> Ticket {
    let address = stream.peer_addr().unwrap().ip();
    match shared.door.enter(address, stream, &shared.limits, Instant::now()) {
        Entry::Place(ticket) => ticket,
        Entry::Wait => panic!("no place"),
    }
}

impl Client {
    pub fn send(&mut self, head: &str, body: &str) {
        let head = head.replace('\n', "\r\n");
        self.0.write_all(format!("{head}\r\nHost: localhost\r\n\r\n{body}").as_bytes()).unwrap();
    }

    pub fn send_as_owner(&mut self, head: &str, body: &str) {
        self.send(&format!("{head}\nAuthorization: Bearer t"), body);
    }

    /// What comes until the other end closes.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end too.
        let _ = self.0.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    /// What comes until `end` is the last of it.
    pub fn until(&mut self, end: &str) -> String {
        let (mut bytes, mut byte) = (Vec::new(), [0]);
        while !bytes.ends_with(end.as_bytes()) {
            assert_eq!(self.0.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&bytes));
            bytes.push(byte[0]);
        }
        String::from_utf8(bytes).unwrap()
    }

    /// The next answer; its body by its length, or until the last chunk.
    pub fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        answer.body = match answer.header("content-length").map(|n| n.parse().unwrap()) {
            Some(length) => {
                let mut body = vec![0; length];
                self.0.read_exact(&mut body).unwrap();
                String::from_utf8(body).unwrap()
            }
            None if answer.header("transfer-encoding") == Some("chunked") => self.until("0\r\n\r\n"),
            None => String::new(),
        };
        answer
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
