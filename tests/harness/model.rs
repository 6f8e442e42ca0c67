//! A model server on loopback that speaks the wire format of the path it is asked at, scripted per test.
//!
//! Requests are answered in order by the replies given; the last reply repeats. Everything asked is recorded.
//! One thread accepts, one thread per connection answers; dropping the server closes its listener.
use super::model_rules::Rule;
use super::model_wire::Speech;
pub use super::model_wire::{delta, last_user_text};
use super::{Value, json, wait_for};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

/// One answer to one request.
#[derive(Clone)]
pub enum Reply {
    /// Status 200 and an event stream of these steps.
    Stream(Vec<Step>),
    /// Another status, with headers and a body.
    Status(u16, Vec<(&'static str, &'static str)>, String),
    /// Exactly these bytes, head and all.
    Raw(Vec<u8>),
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes.
    Drop,
    /// What the request deserves, where several are under way at once.
    By(fn(&Value) -> Reply),
}

#[derive(Clone)]
pub enum Step {
    /// A chunk with this text.
    Text(String),
    /// A piece of reasoning.
    Think(String),
    /// A tool call; `arguments` is JSON text, sent in two pieces.
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// The last user message, as text.
    Echo,
    /// Exactly these bytes, in an HTTP chunk of their own.
    Raw(Vec<u8>),
    Pause(Duration),
    /// Waits until the test calls `release`.
    Gate,
    /// Finish reason (tool use if a tool was called), usage and the end mark.
    Done,
    /// Closes the connection in the middle.
    Cut,
}

/// A reply that streams these texts and ends well.
pub fn texts(parts: &[&str]) -> Reply {
    Reply::Stream(parts.iter().map(|t| Step::Text(t.to_string())).chain([Step::Done]).collect())
}

pub struct ModelServer {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    rule: Option<Rule>,
    replies: Vec<Reply>,
    requests: Mutex<Vec<Value>>,
    taken: AtomicUsize,
    released: AtomicUsize,
    gates: AtomicUsize,
    stopped: AtomicBool,
    sent: Mutex<Vec<Instant>>,
}

impl ModelServer {
    pub fn start(replies: Vec<Reply>) -> ModelServer {
        ModelServer::start_at(0, None, replies)
    }

    /// Refuses what the rule refuses; the replies are for the other requests.
    pub fn strict(rule: Rule, replies: Vec<Reply>) -> ModelServer {
        ModelServer::start_at(0, Some(rule), replies)
    }

    /// At a port of its own, 0 for any.
    pub fn start_at(port: u16, rule: Option<Rule>, replies: Vec<Reply>) -> ModelServer {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            rule,
            replies,
            requests: Mutex::default(),
            taken: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            gates: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            sent: Mutex::default(),
        });
        let accepting = shared.clone();
        Builder::new()
            .spawn(move || {
                for stream in listener.incoming().flatten() {
                    if accepting.stopped.load(Ordering::Acquire) {
                        return;
                    }
                    let shared = accepting.clone();
                    Builder::new().spawn(move || serve(stream, &shared)).unwrap();
                }
            })
            .unwrap();
        ModelServer { port, shared }
    }

    /// The configuration that makes this the gateway's model.
    pub fn config(&self) -> Value {
        self.config_for("openai-completions")
    }

    /// The same with another wire format.
    pub fn config_for(&self, api: &str) -> Value {
        json!({
            "models": {"providers": {"test": {
                "baseUrl": format!("http://127.0.0.1:{}/v1", self.port), "apiKey": "sk-test-key-0123456789",
                "api": api, "models": [{"id": "m", "name": "Test model"}],
            }}},
            "agents": {"defaults": {"model": {"primary": "test/m"}}},
        })
    }

    /// Lets one `Gate` pass.
    pub fn release(&self) {
        self.shared.released.fetch_add(1, Ordering::AcqRel);
    }

    /// Waits until this many requests have come, and gives their bodies.
    pub fn requests(&self, n: usize) -> Vec<Value> {
        wait_for(&format!("{n} requests at the model server"), || {
            let requests = lock(&self.shared.requests);
            (requests.len() >= n).then(|| requests.clone())
        })
    }

    /// Forgets what was asked so far, but not how often.
    pub fn forget(&self) {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn count(&self) -> usize {
        lock(&self.shared.requests).len()
    }

    /// When each text chunk left the server.
    pub fn sent(&self) -> Vec<Instant> {
        lock(&self.shared.sent).clone()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // Wakes the accepting thread so that it sees the flag; nothing to do if that fails.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, shared: &Shared) {
    // A gateway that hangs up in the middle is part of several tests.
    let _ = answer(&stream, shared);
    let _ = stream.shutdown(Shutdown::Both);
}

fn answer(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let Some((head, body)) = read_request(stream)? else { return Ok(()) };
    if !head.starts_with("POST ") {
        let list = r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;
        return write!(
            &*stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{list}",
            list.len()
        );
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let refusal =
        shared.rule.and_then(|rule| rule(&request)).map(|(status, body)| Reply::Status(status, vec![], body));
    let n = if refusal.is_some() { 0 } else { shared.taken.fetch_add(1, Ordering::AcqRel) };
    lock(&shared.requests).push(json!({"head": head, "body": request}));
    let scripted = shared.replies.get(n).or(shared.replies.last());
    let Some(reply) = refusal.as_ref().or(scripted) else { return Ok(()) };
    let fitting = if let Reply::By(rule) = reply { rule(&request) } else { reply.clone() };
    let reply = &fitting;
    match reply {
        Reply::Drop | Reply::By(_) => Ok(()),
        Reply::Raw(bytes) => (&*stream).write_all(bytes),
        Reply::Hang => {
            // Until the gateway hangs up.
            (&*stream).read_to_end(&mut Vec::new()).map(|_| ())
        }
        Reply::Status(status, headers, body) => {
            let headers: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
            write!(
                &*stream,
                "HTTP/1.1 {status} X\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        Reply::Stream(steps) => {
            write!(
                &*stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            )?;
            play(stream, steps, Speech::at(&head), &request, shared)
        }
    }
}

fn play(
    stream: &TcpStream,
    steps: &[Step],
    mut speech: Speech,
    request: &Value,
    shared: &Shared,
) -> std::io::Result<()> {
    for step in steps {
        match step {
            Step::Text(text) => {
                lock(&shared.sent).push(Instant::now());
                chunk(stream, speech.text(text).as_bytes())?;
            }
            Step::Think(text) => chunk(stream, speech.think(text).as_bytes())?,
            Step::Call { id, name, arguments } => {
                for piece in speech.call(id, name, arguments) {
                    chunk(stream, piece.as_bytes())?;
                }
            }
            Step::Echo => chunk(stream, speech.text(&last_user_text(request)).as_bytes())?,
            Step::Raw(bytes) => chunk(stream, bytes)?,
            Step::Pause(time) => sleep(*time),
            Step::Gate => {
                let mine = shared.gates.fetch_add(1, Ordering::AcqRel);
                while shared.released.load(Ordering::Acquire) <= mine
                    && !shared.stopped.load(Ordering::Acquire)
                {
                    sleep(Duration::from_millis(2));
                }
            }
            Step::Done => chunk(stream, speech.done().as_bytes())?,
            Step::Cut => return Ok(()),
        }
    }
    write!(&*stream, "0\r\n\r\n")
}

fn chunk(mut stream: &TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    stream.write_all(&out)
}

fn read_request(stream: &TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        if head.get(before..) == Some("\r\n") {
            break;
        }
    }
    let lower = head.to_ascii_lowercase();
    let length =
        lower.lines().find_map(|l| l.strip_prefix("content-length:")).and_then(|v| v.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    if length.is_none() && lower.contains("transfer-encoding: chunked") {
        body = read_chunked(&mut reader)?;
    }
    Ok(Some((head, body)))
}

pub fn read_chunked(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        let mut part = vec![0; size + 2];
        reader.read_exact(&mut part)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&part[..size]);
    }
}
