//! A gateway that a node host meets: as much of one as a node sees, and as odd as a test wants it.
use super::*;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

pub struct StandIn {
    listener: TcpListener,
    pub port: u16,
    /// What it says that a frame may hold.
    pub max: u64,
}

/// One connection of a node.
pub struct Met {
    pub socket: WebSocket<TcpStream>,
    /// The params of its `connect`.
    pub connect: Value,
    pub node: String,
    /// Requests that were not asked for yet.
    kept: Vec<Value>,
    next: u32,
}

impl StandIn {
    pub fn new() -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        StandIn { port: listener.local_addr().unwrap().port(), listener, max: 512 << 10 }
    }

    fn open(&self) -> (WebSocket<TcpStream>, Value) {
        let (tcp, _) = wait_within(Duration::from_secs(20), "a node", || self.listener.accept().ok());
        tcp.set_nonblocking(false).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut socket = tungstenite::accept(tcp).unwrap();
        let challenge =
            json!({"type": "event", "event": "connect.challenge", "payload": {"nonce": "n-1", "ts": 1}});
        socket.send(Message::text(challenge.to_string())).unwrap();
        let frame: Value = serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(frame["method"], "connect", "{frame}");
        (socket, frame)
    }

    /// Lets the next node in.
    pub fn meet(&self) -> Met {
        let (mut socket, frame) = self.open();
        let hello = json!({"type": "hello-ok", "protocol": 3, "server": {"version": "t"}, "features": {"methods": [], "events": []},
            "auth": {"deviceToken": "node-token", "role": "node", "scopes": []},
            "policy": {"maxPayload": self.max, "maxBufferedBytes": 1 << 20, "tickIntervalMs": 30_000}});
        let answer = json!({"type": "res", "id": frame["id"], "ok": true, "payload": hello});
        socket.send(Message::text(answer.to_string())).unwrap();
        let connect = frame["params"].clone();
        let node = connect["device"]["id"].as_str().unwrap_or("?").to_string();
        Met { socket, connect, node, kept: Vec::new(), next: 0 }
    }

    /// Sends the next node away with this error.
    pub fn refuse(&self, error: Value) {
        let (mut socket, frame) = self.open();
        let answer = json!({"type": "res", "id": frame["id"], "ok": false, "error": error});
        socket.send(Message::text(answer.to_string())).unwrap();
        let _ = socket.close(None);
    }
}

impl Met {
    pub fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text.to_string())).unwrap();
    }

    /// Asks the node for something and gives the id of the call.
    pub fn invoke(&mut self, command: &str, params: Value) -> String {
        self.next += 1;
        let id = format!("call-{}", self.next);
        let payload = json!({"id": id, "nodeId": self.node, "command": command, "paramsJSON": params.to_string(),
            "timeoutMs": 20_000, "idempotencyKey": id});
        self.say(&json!({"type": "event", "event": "node.invoke.request", "payload": payload}).to_string());
        id
    }

    /// The next request that fits.
    pub fn request(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.kept.iter().position(&fits) {
                return self.kept.remove(at);
            }
            assert!(Instant::now() < until, "{what} did not come; there are {:?}", self.kept);
            let message =
                self.socket.read().unwrap_or_else(|e| panic!("{what}: {e}; there are {:?}", self.kept));
            let Ok(text) = message.to_text() else { continue };
            let Ok(frame) = serde_json::from_str::<Value>(text) else { continue };
            let answer = json!({"type": "res", "id": frame["id"], "ok": true, "payload": {"ok": true}});
            self.say(&answer.to_string());
            self.kept.push(frame);
        }
    }

    pub fn event(&mut self, name: &str) -> Value {
        let fits = |frame: &Value| frame["method"] == "node.event" && frame["params"]["event"] == name;
        let frame = self.request(name, fits);
        serde_json::from_str(frame["params"]["payloadJSON"].as_str().unwrap()).unwrap()
    }

    /// What became of a call: its payload, or its error.
    pub fn result(&mut self, id: &str) -> Result<Value, Value> {
        let fits = |frame: &Value| frame["method"] == "node.invoke.result" && frame["params"]["id"] == id;
        let params = self.request(id, fits)["params"].take();
        assert_eq!(params["nodeId"], self.node.as_str());
        match params["ok"] == true {
            true => Ok(serde_json::from_str(params["payloadJSON"].as_str().unwrap()).unwrap()),
            false => Err(params["error"].clone()),
        }
    }

    pub fn ask(&mut self, command: &str, params: Value) -> Result<Value, Value> {
        let id = self.invoke(command, params);
        self.result(&id)
    }

    /// Whether a request of this kind has come meanwhile.
    pub fn has(&self, method: &str, event: &str) -> bool {
        self.kept.iter().any(|frame| frame["method"] == method && frame["params"]["event"] == event)
    }
}

/// A node host with a home of its own.
pub struct NodeHost {
    pub child: Child,
    pub dir: PathBuf,
    port: u16,
}

impl NodeHost {
    pub fn start(port: u16) -> NodeHost {
        NodeHost::start_in(gateway::new_dir(), port, &[])
    }

    pub fn start_in(dir: PathBuf, port: u16, more: &[&str]) -> NodeHost {
        let child = NodeHost::spawn(&dir, port, more);
        NodeHost { child, dir, port }
    }

    fn spawn(dir: &Path, port: u16, more: &[&str]) -> Child {
        let file =
            |name: &str| std::fs::File::options().create(true).append(true).open(dir.join(name)).unwrap();
        gateway::command(dir)
            .args(["node", "run", "--host", "127.0.0.1", "--port", &port.to_string()])
            .args(more)
            .env("OPENCLAW_GATEWAY_TOKEN", gateway::TOKEN)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap()
    }

    /// The same once more, on what the last one left.
    pub fn again(&mut self) {
        self.child = NodeHost::spawn(&self.dir, self.port, &[]);
    }

    pub fn state(&self, file: &str) -> PathBuf {
        self.dir.join("home/.openclaw").join(file)
    }

    pub fn rules(&self, rules: Value) {
        std::fs::create_dir_all(self.state("")).unwrap();
        std::fs::write(self.state("exec-approvals.json"), rules.to_string()).unwrap();
    }

    pub fn said(&self) -> String {
        ["stdout", "stderr"]
            .map(|name| std::fs::read_to_string(self.dir.join(name)).unwrap_or_default())
            .concat()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for NodeHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the node host said: {}", self.said());
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
