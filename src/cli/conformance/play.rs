//! Plays one transcript against a gateway: one connection at a time, each answer within a limit.
//!
//! A gateway that was talked to before is not fresh: idempotency keys get an ending of their own for each play, and
//! the main session is reset before it. Runs on the command's thread.
use super::script;
use crate::cli::link::client::Deadline;
use crate::cli::link::socket::Socket;
use crate::cli::link::target::Target;
use crate::cli::link::websocket::{Lost, WebSocket};
use crate::config::address;
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::json::{self, json};
use crate::protocol::wire::Incoming;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Of one frame of a gateway that is looked at.
const MOST_VALUES: usize = 1_000_000;

/// Largest message that is taken.
const MAX_MESSAGE: usize = 25 << 20;

pub enum Outcome {
    Same,
    LeftOut(String),
    Differs(Difference),
}

/// Where a conversation went another way.
pub struct Difference {
    pub line: usize,
    /// What was sent last.
    pub sent: String,
    pub expected: String,
    pub got: String,
    pub why: String,
}

/// What came instead of what was expected: it, and why that is not it.
type Wrong = (String, String);

pub struct Player<'t> {
    target: &'t Target,
    protocol: u64,
    limit: Duration,
    socket: Option<WebSocket>,
    /// Frames that came and were not asked for yet.
    waiting: VecDeque<Value>,
    nonce: String,
    sent: String,
    state_dir: Option<String>,
}

impl<'t> Player<'t> {
    /// Gets the main session ready; an error says why there is no conversation at all.
    pub fn begin(target: &'t Target, protocol: u64, limit: Duration) -> Result<Player<'t>> {
        let mut player = Player {
            target,
            protocol,
            limit,
            socket: None,
            waiting: VecDeque::new(),
            nonce: String::new(),
            sent: String::new(),
            state_dir: None,
        };
        let deadline = Deadline::after(Instant::now(), limit.as_millis() as u64);
        Socket::open(target, deadline).map_err(|e| target.explain(e, false))?;
        let refused = |(got, why): Wrong| Error::new(Kind::Unreachable, format!("{why}: {got}"));
        let hello = player.connect(&Value::Null).map_err(refused)?;
        let state_dir = hello.pointer("/payload/snapshot/stateDir").and_then(Value::as_str);
        player.state_dir = state_dir.map(str::to_string);
        let plain = json!({
            "key": "main", "label": null, "thinkingLevel": null, "verboseLevel": null, "sendPolicy": null,
        });
        for (id, method, params) in
            [("p1", "sessions.reset", json!({"key": "main"})), ("p2", "sessions.patch", plain)]
        {
            player.send(&json!({"type": "req", "id": id, "method": method, "params": params}).to_string());
            // A gateway that does not know it begins with what is there.
            let _ = player.find(|frame| frame.get("type").is_some_and(|of| of == "res"));
        }
        player.socket = None;
        player.waiting.clear();
        Ok(player)
    }

    pub fn play(&mut self, text: &str) -> Result<Outcome> {
        let mut text = fresh(text)?.replace("$P", &self.protocol.to_string());
        let token = self.target.token.as_ref().map_or("", |token| &token.value);
        text = text.replace("<TOKEN>", token);
        if text.contains("<STATE>") {
            match &self.state_dir {
                Some(dir) => text = text.replace("<STATE>", dir),
                None => return Ok(Outcome::LeftOut("the gateway does not name its state directory".into())),
            }
        }
        for (line, told) in script::instructions(&text) {
            if let Err((got, why)) = self.step(&told) {
                let sent = self.sent.clone();
                return Ok(Outcome::Differs(Difference { line, sent, expected: told, got, why }));
            }
        }
        Ok(Outcome::Same)
    }

    fn step(&mut self, told: &str) -> std::result::Result<(), Wrong> {
        let (word, rest) = told.split_once(' ').unwrap_or((told, ""));
        match word {
            "open" => self.open(if rest.is_empty() { "/" } else { rest }),
            "connect" => self.connect(&parse(rest)).map(|_| ()),
            ">" => {
                let text = rest.replace("$NONCE", &self.nonce);
                self.send(&text);
                Ok(())
            }
            ">bin" => {
                self.sent = rest.to_string();
                // One that is closed meanwhile shows itself at the next read.
                let _ = self.socket.as_mut().map(|socket| socket.send_binary(rest.as_bytes()));
                Ok(())
            }
            ">pad" => {
                let (size, frame) = rest.split_once(' ').unwrap_or_default();
                let text = script::padded(size.parse().unwrap_or_default(), &parse(frame));
                self.send(&text);
                self.sent = format!("{size} bytes: {frame}");
                Ok(())
            }
            "<" => {
                let frame = self.find(|frame| frame.get("type").is_some_and(|of| of == "res"))?;
                script::matches(&parse(rest), &frame, "").map_err(|why| (frame.to_string(), why))
            }
            "<event" => {
                let (name, pattern) = rest.split_once(' ').unwrap_or((rest, "\"<any>\""));
                let frame = self.find(|frame| frame.get("event").is_some_and(|of| of == name))?;
                let payload = frame.get("payload").unwrap_or(&Value::Null);
                script::matches(&parse(pattern), payload, "").map_err(|why| (payload.to_string(), why))
            }
            "close" => self.closed(rest),
            _ => Ok(()),
        }
    }

    fn open(&mut self, path: &str) -> std::result::Result<(), Wrong> {
        self.waiting.clear();
        let failed = |e: &dyn std::fmt::Display| (e.to_string(), "the connection failed".to_string());
        let socket = Socket::open(self.target, self.deadline()).map_err(|e| failed(&e))?;
        let (authority, _) = address::place(self.target.url.whole());
        let socket = WebSocket::open(socket, authority, path, MAX_MESSAGE).map_err(|e| failed(&e))?;
        self.socket = Some(socket);
        let challenge = self.find(|frame| frame.get("event").is_some_and(|of| of == "connect.challenge"))?;
        let nonce = challenge.pointer("/payload/nonce").and_then(Value::as_str);
        self.nonce = nonce.unwrap_or_default().to_string();
        Ok(())
    }

    /// Opens and connects with these members over the plain ones; the answer.
    fn connect(&mut self, over: &Value) -> std::result::Result<Value, Wrong> {
        self.open("/")?;
        let mut params = json!({
            "minProtocol": (self.protocol), "maxProtocol": (self.protocol),
            "client": {"id": "gateway-client", "version": "1.0", "platform": "linux", "mode": "backend"},
            "role": "operator", "scopes": ["operator.admin"], "caps": [],
            "auth": {"token": (self.target.token.as_ref().map_or("", |token| &token.value))},
        });
        merge(&mut params, over);
        self.send(&json!({"type": "req", "id": "c", "method": "connect", "params": params}).to_string());
        // Who connects by the secret has it in no report.
        self.sent = "connect".into();
        let answer = self.find(|frame| frame.get("type").is_some_and(|of| of == "res"))?;
        let is_hello = answer.pointer("/payload/type").is_some_and(|of| of == "hello-ok");
        if is_hello { Ok(answer) } else { Err((answer.to_string(), "connect is refused".to_string())) }
    }

    /// Reads to the end, which must be this one.
    fn closed(&mut self, expected: &str) -> std::result::Result<(), Wrong> {
        let (code, reason) = expected.split_once(' ').unwrap_or((expected, ""));
        loop {
            match self.read() {
                Ok(Incoming::Close(got, text)) => {
                    self.socket = None;
                    let fits = if reason == "<string>" { !text.is_empty() } else { text == reason };
                    let is_it = got.to_string() == code && fits;
                    return is_it.then_some(()).ok_or((format!("close {got} {text}"), "another end".into()));
                }
                Ok(_) => {}
                Err(wrong) => return Err(wrong),
            }
        }
    }

    /// The first frame that fits, of those that came or come.
    fn find(&mut self, fits: impl Fn(&Value) -> bool) -> std::result::Result<Value, Wrong> {
        if let Some(found) = self.waiting.iter().position(&fits).and_then(|at| self.waiting.remove(at)) {
            return Ok(found);
        }
        let until = Instant::now() + self.limit;
        loop {
            match self.read()? {
                Incoming::Text(text) => match json::read(&text, MOST_VALUES, json::DEEPEST) {
                    Ok(frame) if fits(&frame) => return Ok(frame),
                    Ok(frame) => self.waiting.push_back(frame),
                    Err(e) => return Err((text, format!("no JSON: {e}"))),
                },
                Incoming::Close(code, reason) => {
                    self.socket = None;
                    return Err((format!("close {code} {reason}"), "the connection was closed".into()));
                }
                _ => {}
            }
            if Instant::now() > until {
                return Err(self.nothing());
            }
        }
    }

    fn read(&mut self) -> std::result::Result<Incoming, Wrong> {
        let deadline = self.deadline();
        let Some(socket) = &mut self.socket else {
            return Err(("nothing".into(), "the connection is closed".into()));
        };
        socket.socket().set_deadline(deadline);
        match socket.next() {
            Ok(incoming) => Ok(incoming),
            Err(Lost::Io(_)) if deadline.has_passed() => Err(self.nothing()),
            Err(Lost::Io(e)) => Err((e.to_string(), "the connection broke".into())),
            Err(Lost::TooLarge) => Err(("a message of more than 25 MiB".into(), "too large".into())),
            Err(Lost::Broken) => Err(("no close frame".into(), "the connection ended".into())),
        }
    }

    /// What else came, when what was waited for did not.
    fn nothing(&self) -> Wrong {
        let names = self.waiting.iter().map(|frame| {
            let part = |key: &str| frame.get(key).and_then(Value::as_str).unwrap_or_default();
            format!("{} {}", part("type"), [part("event"), part("id")].concat())
        });
        let came: Vec<String> = names.collect();
        (came.join(", "), format!("nothing of this kind within {} ms", self.limit.as_millis()))
    }

    fn send(&mut self, text: &str) {
        self.sent = text.to_string();
        // One that is closed meanwhile shows itself at the next read.
        let _ = self.socket.as_mut().map(|socket| socket.send(text));
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(Instant::now(), self.limit.as_millis() as u64)
    }
}

/// The text with idempotency keys that no earlier play has used.
fn fresh(text: &str) -> Result<String> {
    let ending = ids::hex(4)?;
    let mut keys: Vec<&str> = text
        .split("\"idempotencyKey\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|key| !key.is_empty())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let renamed =
        |text: String, key: &str| text.replace(&format!("\"{key}\""), &format!("\"{key}-{ending}\""));
    Ok(keys.into_iter().fold(text.to_string(), renamed))
}

fn parse(text: &str) -> Value {
    json::read(text, MOST_VALUES, json::DEEPEST).unwrap_or_default()
}

/// Overlays `over` on `base`: objects member by member, everything else replaced.
fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, over) => *base = over.clone(),
    }
}
