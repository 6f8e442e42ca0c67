//! The connection to a browser's debugger: commands and their answers by number, events for whoever reads (`life.rs`).
//!
//! Any thread may call and waits for its answer until its deadline; one thread reads. Who writes holds the socket for that
//! message, five seconds at most: a browser that does not read is hung.
use crate::cancel::{Cancel, SLICE};
use crate::counter::AtomicU64;
use crate::error::{Error, Kind, Result};
use crate::fetch::upgrade;
use crate::ids;
use crate::json::{self, Put, json};
use crate::protocol::wire::{self, Decoder, Incoming};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Largest message that is taken: pictures and documents come whole.
const MAX_MESSAGE: usize = 64 << 20;
const WRITE: Duration = Duration::from_secs(5);
/// Values of an answer or event that are read, and how deep.
const MAX_VALUES: usize = 400_000;
const MAX_DEPTH: usize = 100;

/// Until when, and whether anybody still waits.
#[derive(Clone)]
pub struct Wait {
    pub until: Instant,
    pub cancel: Cancel,
}

impl Wait {
    /// The same, and no longer than that.
    pub fn at_most(&self, time: Duration) -> Wait {
        Wait { until: self.until.min(Instant::now() + time), cancel: self.cancel.clone() }
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until || self.cancel.reason().is_some()
    }

    /// The time left, a slice of it at most; an error when there is none.
    pub fn slice(&self, what: &str) -> Result<Duration> {
        if self.cancel.reason().is_some() {
            return Err(self.cancel.error());
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(
                Kind::AgentTimeout,
                format!("{what}: the browser did not answer in time"),
            ));
        }
        Ok(left.min(SLICE))
    }
}

/// What the browser told unasked.
pub struct Told {
    pub method: String,
    pub session: String,
    pub params: Value,
}

type Pending = BTreeMap<u64, (String, Sender<Result<String>>)>;

pub struct Cdp {
    stream: Mutex<TcpStream>,
    /// By number: whose page it is for, and who waits.
    pending: Mutex<Pending>,
    next: AtomicU64,
}

impl Cdp {
    /// The connection, and its end for reading.
    pub fn open(mut stream: TcpStream, authority: &str, path: &str, until: Instant) -> Result<(Cdp, Reader)> {
        let failed = |e: std::io::Error| Error::unavailable(format!("connect to the browser: {e}"));
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        stream
            .set_read_timeout(Some(left))
            .and_then(|()| stream.set_write_timeout(Some(WRITE)))
            .map_err(failed)?;
        // Without it small commands only wait a little longer.
        let _ = stream.set_nodelay(true);
        let rest = upgrade::ask(&mut stream, authority, path).map_err(failed)?;
        let reading = stream.try_clone().map_err(failed)?;
        let mut reader = Reader {
            stream: reading,
            decoder: Decoder::of_a_client(),
            texts: Vec::new(),
            buffer: Vec::new(),
        };
        reader.feed(&rest)?;
        let cdp = Cdp { stream: Mutex::new(stream), pending: Mutex::default(), next: AtomicU64::new(1) };
        Ok((cdp, reader))
    }

    /// One command to a page (`session`) or to the browser itself (none), and its result.
    pub fn call(&self, session: &str, method: &str, params: Value, wait: &Wait) -> Result<Value> {
        let text = self.call_raw(session, method, params, wait)?;
        json::read(&text, MAX_VALUES, MAX_DEPTH)
            .map_err(|e| Error::unavailable(format!("{method}: the browser's answer cannot be read: {e}")))
    }

    /// The same as the text that came.
    pub fn call_raw(&self, session: &str, method: &str, params: Value, wait: &Wait) -> Result<String> {
        let (sender, answer) = bounded(1);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.pending().insert(id, (session.to_string(), sender));
        let forget = || self.pending().remove(&id);
        self.write(&message(id, session, method, params)).inspect_err(|_| drop(forget()))?;
        loop {
            let slice = wait.slice(method).inspect_err(|_| drop(forget()))?;
            match answer.recv_timeout(slice) {
                Ok(said) => return said.map_err(|e| e.context(method)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
    }

    /// One whose answer nobody waits for.
    pub fn tell(&self, session: &str, method: &str, params: Value) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        // A browser that is gone is seen by who reads.
        let _ = self.write(&message(id, session, method, params));
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, text: &str) -> Result<()> {
        self.frame(&wire::masked_text(text.as_bytes(), ids::random()?))
    }

    fn frame(&self, frame: &[u8]) -> Result<()> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(frame).map_err(|e| {
            // Half a message cannot be taken back.
            let _ = stream.shutdown(Shutdown::Both);
            Error::unavailable(format!("the browser takes no commands: {e}"))
        })
    }

    /// Gives an answer to who waits for it; what is none is the event that it is.
    pub fn hear(&self, text: &str) -> Option<Told> {
        let members =
            json::members(text, &["id", "method", "sessionId", "params", "result", "error"]).ok()??;
        let [id, method, session, params, result, error] = members.texts;
        if let Some(id) = id.and_then(|id| id.parse::<u64>().ok()) {
            let (_, waiting) = self.pending().remove(&id)?;
            let said = match (result, error) {
                (Some(result), _) => Ok(result.to_string()),
                (None, error) => Err(Error::unavailable(words(error.unwrap_or_default()))),
            };
            // Who waited may have gone.
            let _ = waiting.try_send(said);
            return None;
        }
        let name =
            |text: Option<&str>| text.map(|text| text.trim_matches('"').to_string()).unwrap_or_default();
        let params = json::read(params.unwrap_or("{}"), MAX_VALUES, MAX_DEPTH).unwrap_or_default();
        Some(Told { method: name(method), session: name(session), params })
    }

    /// A page is gone: what it was asked has no answer.
    pub fn fail(&self, session: &str, why: &Error) {
        let mut pending = self.pending();
        let of_it: Vec<u64> =
            pending.iter().filter(|(_, (own, _))| own == session).map(|(id, _)| *id).collect();
        for (_, waiting) in of_it.iter().filter_map(|id| pending.remove(id)) {
            // Who waited may have gone.
            let _ = waiting.try_send(Err(why.clone()));
        }
    }

    /// Nobody answers any more.
    pub fn end(&self) {
        self.pending().clear();
    }

    /// Breaks the connection, which ends who reads.
    pub fn break_off(&self) {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // It may be broken already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

pub fn ended() -> Error {
    Error::unavailable("the browser has ended; start it again, its profile is kept")
}

fn message(id: u64, session: &str, method: &str, params: Value) -> String {
    let mut message = Map::new();
    message.put("id", id);
    message.put("method", method);
    message.put("params", params);
    if !session.is_empty() {
        message.put("sessionId", session);
    }
    Value::Object(message).to_string()
}

/// What an error of the debugger says.
fn words(error: &str) -> String {
    let error = json::read(error, 1000, 20).unwrap_or_default();
    error.get("message").and_then(Value::as_str).unwrap_or("the browser refused it").to_string()
}

pub struct Reader {
    stream: TcpStream,
    decoder: Decoder,
    texts: Vec<Incoming>,
    buffer: Vec<u8>,
}

impl Reader {
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let texts = &mut self.texts;
        let fed = self.decoder.feed(bytes, MAX_MESSAGE, &mut |item| {
            texts.push(item);
            true
        });
        fed.map_err(|why| Error::unavailable(format!("the browser's debugger is not understood: {why:?}")))
    }

    /// What has come whole, after one look at the socket; `None` at its end.
    pub fn read(&mut self, cdp: &Cdp) -> Option<Vec<String>> {
        self.buffer.resize(64 << 10, 0);
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.stream.read(&mut buffer);
        let fed = match read {
            Ok(0) => None,
            Ok(n) => self.feed(crate::parts::first(&buffer, n)).ok(),
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
                ) =>
            {
                Some(())
            }
            Err(_) => None,
        };
        self.buffer = buffer;
        fed?;
        let mut texts = Vec::new();
        for item in self.texts.drain(..) {
            match item {
                Incoming::Text(text) => texts.push(text),
                Incoming::Ping(payload) => {
                    let pong = ids::random().map(|mask| wire::masked_pong(&payload, mask));
                    // What went wrong shows in the next look.
                    let _ = pong.and_then(|pong| cdp.frame(&pong));
                }
                Incoming::Pong => {}
                Incoming::Close(..) => return None,
            }
        }
        Some(texts)
    }

    /// Gives back what one large message took.
    pub fn rest(&mut self) {
        self.buffer = Vec::new();
    }
}

/// Params of none.
pub fn none() -> Value {
    json!({})
}
