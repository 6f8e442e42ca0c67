//! A strict stand-in of Telegram's Bot API on loopback: it refuses what the real one refuses, in the same words.
//!
//! One thread accepts, one thread serves each connection, request after request. All it knows lies in one `World`; a
//! poll waits beside it. Tests say what users do (`script`), what goes wrong (`Fault`), and read what was asked.
pub mod faults;
pub mod hook;
pub mod html;
pub mod methods;
pub mod params;
pub mod place;
pub mod script;
pub mod sending;
pub mod text;
pub mod updates;
pub mod wire;
pub mod world;

use super::{Value, json, wait_for};
pub use faults::Fault;
use params::Params;
use std::io::BufReader;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};
use wire::{Answer, Request, refuse};
use world::{Bot, World};

/// The token of the first bot, `@test_bot`.
pub const BOT_TOKEN: &str = "100200:AAtestCANARYsecretCANARYtest0123456789ab";

/// One call that came, whatever became of it.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub params: Value,
    pub at: Instant,
    /// The connection's number: calls on one connection share it.
    pub connection: usize,
    /// Whether it was done, so that its effect can be seen.
    pub is_done: bool,
}

pub struct Shared {
    world: Mutex<World>,
    pub changed: Condvar,
    stopped: AtomicBool,
    connections: AtomicUsize,
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wait<'a>(&self, world: MutexGuard<'a, World>, time: Duration) -> MutexGuard<'a, World> {
        self.changed.wait_timeout(world, time).unwrap_or_else(PoisonError::into_inner).0
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

pub struct Telegram {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Telegram {
    /// With one bot.
    pub fn start() -> Telegram {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            world: Mutex::default(),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let accepting = shared.clone();
        let accept = move || {
            for stream in listener.incoming().flatten() {
                if accepting.is_stopped() {
                    return;
                }
                let shared = accepting.clone();
                Builder::new().spawn(move || serve(stream, &shared)).unwrap();
            }
        };
        Builder::new().spawn(accept).unwrap();
        let telegram = Telegram { port, shared };
        telegram.add_bot(BOT_TOKEN, "test_bot");
        telegram
    }

    /// What `apiRoot` is set to.
    pub fn root(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn add_bot(&self, token: &str, username: &str) {
        let id = token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(0);
        let bot = Bot { id, username: username.to_string(), last_update: id * 1000, ..Bot::default() };
        self.world().bots.insert(token.to_string(), bot);
    }

    /// All it knows, to be looked at and changed.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// The next call of this method goes wrong so.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.world().faults.push_back((method.to_ascii_lowercase(), fault));
    }

    /// All calls of this method go wrong so, or none any more.
    pub fn always(&self, method: &str, fault: Option<Fault>) {
        let method = method.to_ascii_lowercase();
        let mut world = self.world();
        match fault {
            Some(fault) => world.standing.insert(method, fault),
            None => world.standing.remove(&method),
        };
    }

    /// Connections are closed before anything is read from them.
    pub fn deaf(&self, is_deaf: bool) {
        self.world().is_deaf = is_deaf;
    }

    pub fn calls(&self, method: &str) -> Vec<Call> {
        let all = self.world().calls.clone();
        all.into_iter().filter(|call| call.method.eq_ignore_ascii_case(method)).collect()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        self.world().calls.clear();
    }

    /// Waits for so many calls of a method.
    pub fn wait_calls(&self, method: &str, n: usize) -> Vec<Call> {
        wait_for(&format!("{n} calls of {method}"), || {
            Some(self.calls(method)).filter(|calls| calls.len() >= n)
        })
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.shared.changed.notify_all();
        // Wakes the accepting thread so that it sees the flag; nothing to do if that fails.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let number = shared.connections.fetch_add(1, Ordering::AcqRel);
    let reading = stream.try_clone().and_then(|clone| stream.set_nodelay(true).map(|()| clone));
    if let Ok(reading) = reading.map(BufReader::new)
        && !shared.lock().is_deaf
    {
        let mut reading = reading;
        // A client that hangs up in the middle is part of several tests.
        while let Ok(Some(request)) = wire::read(&mut reading) {
            let goes_on = answer(&mut stream, shared, &request, number).unwrap_or(false);
            if !goes_on || request.wants_close || shared.is_stopped() {
                break;
            }
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Answers one request; whether the connection goes on.
fn answer(
    stream: &mut TcpStream,
    shared: &Shared,
    request: &Request,
    number: usize,
) -> std::io::Result<bool> {
    let path = request.target.split('?').next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/file/bot") {
        return download(stream, shared, rest, number);
    }
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return wire::write(stream, &Err(refuse(404, "Not Found"))).map(|()| true);
    };
    let is_shaped = token.split_once(':').is_some_and(|(id, secret)| {
        id.parse::<u64>().is_ok() && secret.len() >= 30 && !secret.contains(['/', '%'])
    });
    let params = Params::read(request);
    let fault = record(shared, method, params.as_ref().map(Params::record).unwrap_or_default(), number);
    let act = |is_done: bool| -> Answer {
        if !is_shaped || !["GET", "POST"].contains(&request.verb.as_str()) {
            return Err(refuse(404, "Not Found"));
        }
        let answer = methods::call(shared, token, method, params.as_ref().map_err(Clone::clone)?);
        if is_done && answer.is_ok() {
            done(shared, method, number);
        }
        answer
    };
    match fault {
        None => wire::write(stream, &act(true))?,
        Some(Fault::Flood(seconds)) => wire::write(stream, &Err(wire::flood(seconds)))?,
        Some(Fault::Refuse(code, text)) => wire::write(stream, &Err(refuse(code, text)))?,
        Some(Fault::Html(status)) => html(stream, status)?,
        Some(Fault::Body(body)) => {
            // Whether it could be done does not matter here.
            let _ = act(true);
            wire::raw(stream, 200, "Content-Type: application/json\r\n", body.as_bytes())?;
        }
        Some(Fault::DropBefore) => return Ok(false),
        Some(Fault::DropAfter) => return act(true).map_or(Ok(false), |_| Ok(false)),
        Some(Fault::Cut) => {
            let _ = act(true);
            std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"ok\":tr")?;
            return Ok(false);
        }
        Some(Fault::HalfOpen) => {
            while !shared.is_stopped() {
                sleep(Duration::from_millis(20));
            }
            return Ok(false);
        }
        Some(Fault::Slow(time)) => {
            let answer = act(true);
            sleep(time);
            wire::write(stream, &answer)?;
        }
        Some(fault @ (Fault::Twice | Fault::Backwards)) => {
            wire::write(stream, &disordered(act(true), &fault))?
        }
    }
    Ok(true)
}

fn html(stream: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let page = format!("<html>\r\n<head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
    wire::raw(stream, status, "Content-Type: text/html\r\n", page.as_bytes())
}

fn disordered(answer: Answer, fault: &Fault) -> Answer {
    let mut all = answer?.as_array().cloned().unwrap_or_default();
    if *fault == Fault::Backwards {
        all.reverse();
    } else {
        all = all.into_iter().flat_map(|update| [update.clone(), update]).collect();
    }
    Ok(json!(all))
}

/// Notes a call, and takes the fault that is meant for it.
fn record(shared: &Shared, method: &str, params: Value, connection: usize) -> Option<Fault> {
    let mut world = shared.lock();
    let call = Call { method: method.to_string(), params, at: Instant::now(), connection, is_done: false };
    world.calls.push(call);
    let name = method.to_ascii_lowercase();
    let at = world.faults.iter().position(|(meant, _)| *meant == name);
    let once = at.and_then(|at| world.faults.remove(at)).map(|(_, fault)| fault);
    once.or_else(|| world.standing.get(&name).cloned())
}

fn done(shared: &Shared, method: &str, connection: usize) {
    let mut world = shared.lock();
    let mut mine = world.calls.iter_mut().rev();
    if let Some(call) = mine.find(|call| call.connection == connection && call.method == method) {
        call.is_done = true;
    }
}

/// `<token>/<path>`; faults of the method `file` act here.
fn download(stream: &mut TcpStream, shared: &Shared, rest: &str, number: usize) -> std::io::Result<bool> {
    let (token, path) = rest.split_once('/').unwrap_or((rest, ""));
    let fault = record(shared, "file", json!({"path": path}), number);
    let found = {
        let world = shared.lock();
        let file = world.files.values().find(|file| file.path == path);
        file.filter(|_| world.bots.contains_key(token)).map(|file| file.bytes.clone())
    };
    match (fault, found) {
        (Some(Fault::Html(status)), _) => html(stream, status)?,
        (Some(Fault::DropBefore | Fault::DropAfter), _) => return Ok(false),
        (Some(Fault::Cut), Some(bytes)) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
            let half = &bytes[..bytes.len() / 2];
            std::io::Write::write_all(stream, &[head.as_bytes(), half].concat())?;
            return Ok(false);
        }
        (Some(Fault::HalfOpen), _) => {
            while !shared.is_stopped() {
                sleep(Duration::from_millis(20));
            }
            return Ok(false);
        }
        (_, Some(bytes)) => wire::raw(stream, 200, "Content-Type: application/octet-stream\r\n", &bytes)?,
        (_, None) => wire::write(stream, &Err(refuse(404, "Not Found")))?,
    }
    Ok(true)
}
