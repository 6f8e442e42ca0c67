//! The client that makes the load: small buffers, no checks, one frame at a time.
use crate::Result;
use crate::process::{Server, TOKEN};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

pub struct Client {
    pub ws: WebSocket<TcpStream>,
    next: u64,
}

impl Client {
    /// Connects as an admin; `name` is the presence key.
    pub fn connect(server: &Server, name: &str) -> Result<Client> {
        Client::with(
            server,
            &json!({
                "minProtocol": 3, "maxProtocol": 4, "role": "operator", "scopes": ["operator.admin"], "caps": [],
                "client": {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend", "instanceId": name},
                "auth": {"token": TOKEN},
            }),
        )
    }

    /// Connects as `params` say.
    pub fn with(server: &Server, params: &Value) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let config = WebSocketConfig::default().read_buffer_size(16 << 10).write_buffer_size(0);
        let url = format!("ws://127.0.0.1:{}/", server.port);
        let upgraded = tungstenite::client::client_with_config(url, stream, Some(config));
        let (ws, _) = upgraded.map_err(|e| format!("upgrade: {e}"))?;
        let mut client = Client { ws, next: 0 };
        client.call("connect", params)?;
        Ok(client)
    }

    /// Sends a request and gives its id.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<String> {
        self.next += 1;
        let id = self.next.to_string();
        let frame = json!({"type": "req", "id": id, "method": method, "params": params});
        self.ws.send(Message::text(frame.to_string()))?;
        Ok(id)
    }

    /// One request and the text of its answer.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<String> {
        let id = self.ask(method, params)?;
        self.answer(&id)
    }

    /// The text of the next answer to `id`; a refusal is an error.
    pub fn answer(&mut self, id: &str) -> Result<String> {
        let mark = format!("\"id\":\"{id}\"");
        loop {
            let text = self.text()?;
            if text.starts_with("{\"type\":\"res\"") && text.contains(&mark) {
                return if text.contains("\"ok\":true") { Ok(text) } else { Err(text.into()) };
            }
        }
    }

    /// The next text frame.
    pub fn text(&mut self) -> Result<String> {
        loop {
            match self.ws.read()? {
                Message::Text(text) => return Ok(text.to_string()),
                Message::Close(frame) => return Err(format!("closed: {frame:?}").into()),
                _ => {}
            }
        }
    }
}

/// Round trips a second of `health` with this many clients, each asking again as soon as it is answered.
pub fn round_trips(server: &Server, clients: usize, secs: f64) -> Result<f64> {
    let (start, stop) = (Barrier::new(clients + 1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for n in 0..clients {
            let mut client = Client::connect(server, &format!("load-{n}"));
            let (start, stop) = (&start, &stop);
            workers.push(std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(
                scope,
                move || -> Result<u64> {
                    start.wait();
                    let client = client.as_mut().map_err(|e| e.to_string())?;
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        client.call("health", &json!({}))?;
                        count += 1;
                    }
                    Ok(count)
                },
            )?);
        }
        start.wait();
        let began = Instant::now();
        std::thread::sleep(Duration::from_secs_f64(secs));
        stop.store(true, Ordering::Relaxed);
        let secs = began.elapsed().as_secs_f64();
        let mut sum = 0;
        for worker in workers {
            sum += worker.join().map_err(|_| "a load thread panicked")??;
        }
        Ok(sum as f64 / secs)
    })
}

pub fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
