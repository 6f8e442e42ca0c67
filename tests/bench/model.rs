//! A model server that streams words, and remembers when the newest request came, and when its first and its last
//! piece left.
use crate::Result;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub struct Model {
    pub port: u16,
    times: Arc<Mutex<Times>>,
    asked: Arc<AtomicUsize>,
}

/// Of the newest request.
#[derive(Clone, Copy, Default)]
pub struct Times {
    pub asked: Option<Instant>,
    pub first: Option<Instant>,
    pub done: Option<Instant>,
}

impl Model {
    /// Each request is answered with `words` words, `gap` apart.
    pub fn start(words: usize, gap: Duration) -> Result<Model> {
        Model::answering(move |stream, times| speak(stream, words, gap, times))
    }

    /// Each request is answered with calls of `sessions_send` to `s0`, `s1` and so on, waiting for none.
    pub fn misled(sessions: usize) -> Result<Model> {
        Model::answering(move |stream, times| send(stream, sessions, times))
    }

    fn answering(
        answer: impl Fn(&TcpStream, &Mutex<Times>) -> std::io::Result<()> + Copy + Send + 'static,
    ) -> Result<Model> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let times = Arc::new(Mutex::new(Times::default()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, count) = (times.clone(), asked.clone());
        std::thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                let times = shared.clone();
                count.fetch_add(1, Ordering::Relaxed);
                // A thread that cannot be started shows as a failed run.
                let _ = std::thread::Builder::new().spawn(move || answer(&stream, &times));
            }
        })?;
        Ok(Model { port, times, asked })
    }

    /// Requests so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    pub fn times(&self) -> Times {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration that makes this the gateway's model, for eight runs at a time.
    pub fn config(&self) -> Value {
        json!({
            "models": {"providers": {"bench": {
                "baseUrl": format!("http://127.0.0.1:{}/v1", self.port), "apiKey": "sk-bench-0123456789",
                "api": "openai-completions", "models": [{"id": "m", "name": "Bench"}],
            }}},
            "agents": {"defaults": {"model": {"primary": "bench/m"}, "maxConcurrent": 8}},
        })
    }
}

/// Reads the request and begins the answer.
fn begin(mut stream: &TcpStream, times: &Mutex<Times>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    read_request(stream)?;
    *times.lock().unwrap_or_else(PoisonError::into_inner) =
        Times { asked: Some(Instant::now()), ..Times::default() };
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
}

fn event(delta: &Value, finish: &Value) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

fn send(mut stream: &TcpStream, sessions: usize, times: &Mutex<Times>) -> std::io::Result<()> {
    begin(stream, times)?;
    for n in 0..sessions {
        let arguments = json!({"sessionKey": format!("s{n}"), "message": "on and on", "timeoutSeconds": 0});
        let function = json!({"name": "sessions_send", "arguments": arguments.to_string()});
        let call = json!({"index": n, "id": format!("c{n}"), "type": "function", "function": function});
        stream.write_all(event(&json!({"tool_calls": [call]}), &Value::Null).as_bytes())?;
    }
    stream.write_all(event(&json!({}), &json!("tool_calls")).as_bytes())?;
    stream.write_all(b"data: [DONE]\n\n")
}

fn speak(mut stream: &TcpStream, words: usize, gap: Duration, times: &Mutex<Times>) -> std::io::Result<()> {
    begin(stream, times)?;
    let note = |what: fn(&mut Times)| what(&mut times.lock().unwrap_or_else(PoisonError::into_inner));
    for n in 0..words {
        let text = event(&json!({"content": "word "}), &Value::Null);
        if n == 0 {
            note(|t| t.first = Some(Instant::now()));
        } else {
            std::thread::sleep(gap);
        }
        stream.write_all(text.as_bytes())?;
    }
    stream.write_all(event(&json!({}), &json!("stop")).as_bytes())?;
    note(|t| t.done = Some(Instant::now()));
    stream.write_all(b"data: [DONE]\n\n")
}

fn read_request(stream: &TcpStream) -> std::io::Result<()> {
    let (mut reader, mut length) = (BufReader::new(stream), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])
}
