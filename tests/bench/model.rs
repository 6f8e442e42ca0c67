//! A model server that streams words, and remembers when the newest request came, and when its first and its last
//! piece left.
use crate::Result;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub struct Model {
    pub port: u16,
    times: Arc<Mutex<Times>>,
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
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let times = Arc::new(Mutex::new(Times::default()));
        let shared = times.clone();
        std::thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                let times = shared.clone();
                // A thread that cannot be started shows as a failed run.
                let _ = std::thread::Builder::new().spawn(move || answer(&stream, words, gap, &times));
            }
        })?;
        Ok(Model { port, times })
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

fn answer(mut stream: &TcpStream, words: usize, gap: Duration, times: &Mutex<Times>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    read_request(stream)?;
    let note = |what: fn(&mut Times)| what(&mut times.lock().unwrap_or_else(PoisonError::into_inner));
    note(|t| *t = Times { asked: Some(Instant::now()), ..Times::default() });
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")?;
    let event = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})
        )
    };
    for n in 0..words {
        let text = event(json!({"content": "word "}), Value::Null);
        if n == 0 {
            note(|t| t.first = Some(Instant::now()));
        } else {
            std::thread::sleep(gap);
        }
        stream.write_all(text.as_bytes())?;
    }
    stream.write_all(event(json!({}), json!("stop")).as_bytes())?;
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
