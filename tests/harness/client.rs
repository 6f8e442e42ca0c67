//! A WebSocket client of the gateway: blocking, every wait with a deadline, everything received is checked.
//!
//! Frames that a call is not waiting for are kept in order and handed out later. The client fails its test
//! when an event's `seq` is not the one before plus one (R-21a), unless it is told to expect loss.
use super::{DEADLINE, Gateway, TOKEN, Value, http, json, merge, schemas};
use std::collections::{HashMap, VecDeque};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::handshake::client::Response;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, HandshakeError, Message, WebSocket, client::IntoClientRequest};

/// Why a connection ended: close code and reason, or 1006 with the socket's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed(pub u16, pub String);

pub struct Client {
    ws: WebSocket<TcpStream>,
    waiting: VecDeque<Value>,
    methods: HashMap<String, String>,
    next_id: u32,
    last_seq: Option<u64>,
    closed: Option<Closed>,
    /// Events may be missing: this client is slow on purpose.
    pub expects_loss: bool,
    pub challenge: Value,
}

/// Plain connect params: an operator with the shared token, a range of just `protocol`.
pub fn params(protocol: u32) -> Value {
    json!({
        "minProtocol": protocol, "maxProtocol": protocol,
        "client": {"id": "gateway-client", "version": "1.0", "platform": "linux", "mode": "backend"},
        "role": "operator", "scopes": ["operator.admin"], "caps": [], "auth": {"token": TOKEN},
    })
}

/// The same for a client that asks for these scopes only.
pub fn scoped(scopes: &[&str]) -> Value {
    let mut params = params(4);
    params["scopes"] = json!(scopes);
    params
}

impl Client {
    /// Opens a connection and takes the challenge; not yet a connected client.
    pub fn open(gateway: &Gateway) -> Client {
        Client::open_with(gateway, &[])
    }

    /// The same with headers on the upgrade request.
    pub fn open_with(gateway: &Gateway, headers: &[(&str, &str)]) -> Client {
        let mut client = Client::upgrade(http::tcp(gateway.port), gateway.port, "/", headers)
            .unwrap_or_else(|r| panic!("upgrade refused: {r:?}"))
            .0;
        client.take_challenge();
        client
    }

    pub fn take_challenge(&mut self) {
        let frame = self.frame().unwrap_or_else(|c| panic!("closed before the challenge: {c:?}"));
        assert_eq!(frame["event"], "connect.challenge", "{frame}");
        self.challenge = frame["payload"].clone();
    }

    /// The upgrade alone, on a given socket; `Err` is the HTTP answer instead of 101, if there was one.
    pub fn upgrade(
        tcp: TcpStream,
        port: u16,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(Client, Response), Option<u16>> {
        let mut request = format!("ws://127.0.0.1:{port}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let config =
            WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20));
        match tungstenite::client::client_with_config(request, tcp, Some(config)) {
            Ok((ws, response)) => Ok((Client::over(ws), response)),
            Err(HandshakeError::Failure(Error::Http(response))) => Err(Some(response.status().as_u16())),
            Err(_) => Err(None),
        }
    }

    fn over(ws: WebSocket<TcpStream>) -> Client {
        Client {
            ws,
            waiting: VecDeque::new(),
            methods: HashMap::new(),
            next_id: 0,
            last_seq: None,
            closed: None,
            expects_loss: false,
            challenge: Value::Null,
        }
    }

    /// An operator of this protocol, connected.
    pub fn operator(gateway: &Gateway, protocol: u32) -> Client {
        Client::with(gateway, params(protocol)).0
    }

    /// An admin of protocol 4, connected, with members of its own in the connect params.
    pub fn named(gateway: &Gateway, over: Value) -> Client {
        let mut params = params(4);
        merge(&mut params, &over);
        Client::with(gateway, params).0
    }

    /// Connects with these params and gives the hello-ok beside the client.
    pub fn with(gateway: &Gateway, params: Value) -> (Client, Value) {
        let mut client = Client::open(gateway);
        let hello = client.connect(params).unwrap_or_else(|e| panic!("connect refused: {e}"));
        (client, hello)
    }

    /// Sends `connect`; the hello-ok or the error.
    pub fn connect(&mut self, params: Value) -> Result<Value, Value> {
        self.call("connect", params)
    }

    /// Sends `connect` that must be refused; the error and how the connection was closed.
    pub fn refused(&mut self, params: Value) -> (Value, Closed) {
        let error = self.connect(params).expect_err("connect must be refused");
        (error, self.until_closed())
    }

    /// Sends a request and does not wait; gives its id.
    pub fn ask(&mut self, method: &str, params: Value) -> String {
        self.next_id += 1;
        let id = format!("r{}", self.next_id);
        self.send(&json!({"type": "req", "id": id, "method": method, "params": params}));
        id
    }

    /// A request and its first answer: the payload or the error.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.ask(method, params);
        self.answer(&id)
    }

    /// The same for a request that must succeed.
    pub fn ok(&mut self, method: &str, params: Value) -> Value {
        self.call(method, params).unwrap_or_else(|e| panic!("{method} failed: {e}"))
    }

    /// The same for a request that must fail; the error.
    pub fn fails(&mut self, method: &str, params: Value) -> Value {
        match self.call(method, params) {
            Ok(payload) => panic!("{method} must fail, it answered {payload}"),
            Err(error) => error,
        }
    }

    /// The next answer to this id.
    pub fn answer(&mut self, id: &str) -> Result<Value, Value> {
        let res = self.res(id);
        if res["ok"] == true { Ok(res["payload"].clone()) } else { Err(res["error"].clone()) }
    }

    /// The next answer to this id, the whole frame.
    pub fn res(&mut self, id: &str) -> Value {
        self.find(&format!("an answer to {id}"), |f| f["type"] == "res" && f["id"] == id)
    }

    /// The next event of this name: its payload.
    pub fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true)
    }

    /// The next event of this name whose payload fits.
    pub fn event_where(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let frame = self.find(&format!("event {name}"), |f| f["event"] == name && fits(&f["payload"]));
        frame["payload"].clone()
    }

    /// The first kept or arriving frame that fits; frames before it stay kept.
    pub fn find(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at).unwrap();
        }
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < DEADLINE, "no {what} within {DEADLINE:?}; kept: {:?}", self.names());
            match self.receive(DEADLINE) {
                Ok(frame) if fits(&frame) => return frame,
                Ok(frame) => self.waiting.push_back(frame),
                Err(closed) => panic!("no {what}: {closed:?}; kept: {:?}", self.names()),
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.waiting.iter().map(|f| f.to_string().chars().take(160).collect()).collect()
    }

    /// The next frame, kept ones first.
    pub fn frame(&mut self) -> Result<Value, Closed> {
        match self.waiting.pop_front() {
            Some(frame) => Ok(frame),
            None => self.receive(DEADLINE),
        }
    }

    /// Reads whatever arrives within this time and keeps it.
    pub fn collect(&mut self, time: Duration) {
        let start = Instant::now();
        while let Some(left) = time.checked_sub(start.elapsed()).filter(|d| !d.is_zero()) {
            match self.receive(left) {
                Ok(frame) => self.waiting.push_back(frame),
                Err(_) => return,
            }
        }
    }

    /// Whether nothing can come any more.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Takes all kept frames.
    pub fn kept(&mut self) -> Vec<Value> {
        self.waiting.drain(..).collect()
    }

    /// Reads, keeping frames, until the connection is closed.
    pub fn until_closed(&mut self) -> Closed {
        self.until_closed_within(DEADLINE)
    }

    pub fn until_closed_within(&mut self, limit: Duration) -> Closed {
        let start = Instant::now();
        loop {
            match self.receive(limit) {
                Ok(frame) => self.waiting.push_back(frame),
                Err(closed) => return closed,
            }
            assert!(start.elapsed() < limit, "not closed within {limit:?}");
        }
    }

    /// One frame from the socket, checked.
    fn receive(&mut self, limit: Duration) -> Result<Value, Closed> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone());
        }
        self.ws.get_ref().set_read_timeout(Some(limit.max(Duration::from_millis(1)))).unwrap();
        loop {
            match self.ws.read() {
                Ok(Message::Text(text)) => {
                    let frame: Value =
                        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in {text}"));
                    self.check(&frame);
                    return Ok(frame);
                }
                Ok(Message::Close(frame)) => return Err(self.ended(close_of(frame))),
                Ok(Message::Binary(_)) => panic!("the gateway sent a binary frame"),
                Ok(_) => {}
                Err(e) => {
                    let timed_out = matches!(&e, Error::Io(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut));
                    let closed = Closed(1006, format!("no close frame: {e}"));
                    return Err(if timed_out { closed } else { self.ended(closed) });
                }
            }
        }
    }

    /// The close answer must leave the socket before it is dropped.
    fn ended(&mut self, closed: Closed) -> Closed {
        // The peer may have gone already; what counts is the close frame that was read.
        let _ = self.ws.flush();
        self.closed = Some(closed.clone());
        closed
    }

    fn check(&mut self, frame: &Value) {
        schemas::check_frame(frame);
        if frame["type"] == "event" {
            schemas::check_event(frame["event"].as_str().unwrap(), &frame["payload"]);
            if let Some(seq) = frame["seq"].as_u64() {
                let fits = self.expects_loss || seq == self.last_seq.map_or(1, |last| last + 1);
                assert!(fits, "seq {seq} after {:?}: {frame}", self.last_seq);
                self.last_seq = Some(seq);
            }
        } else if frame["ok"] == true
            && let Some(method) = self.methods.get(frame["id"].as_str().unwrap())
            && method != "connect"
        {
            schemas::check_result(method, &frame["payload"]);
        }
    }

    pub fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string());
    }

    /// Sends text as it is; a request in it is remembered, so that its answer can be checked.
    pub fn send_text(&mut self, text: &str) {
        if let Ok(frame) = serde_json::from_str::<Value>(text)
            && let (Some(id), Some(method)) = (frame["id"].as_str(), frame["method"].as_str())
        {
            self.methods.insert(id.to_string(), method.to_string());
        }
        self.message(Message::text(text));
    }

    /// Sends a message; a connection that is closed meanwhile shows itself at the next read.
    pub fn message(&mut self, message: Message) {
        match self.ws.send(message) {
            Ok(()) | Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => {}
            Err(e) => panic!("send: {e}"),
        }
    }

    /// Whether a request could be written within this time: a full socket says no.
    pub fn try_send(&mut self, frame: &Value, limit: Duration) -> bool {
        self.ws.get_ref().set_write_timeout(Some(limit)).unwrap();
        self.ws.send(Message::text(frame.to_string())).is_ok()
    }

    /// Closes from this side.
    pub fn close(&mut self, code: u16, reason: &str) {
        self.ws.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).unwrap();
    }

    pub fn socket(&mut self) -> &mut WebSocket<TcpStream> {
        &mut self.ws
    }
}

fn close_of(frame: Option<CloseFrame>) -> Closed {
    frame.map_or(Closed(1005, String::new()), |f| Closed(f.code.into(), f.reason.to_string()))
}
