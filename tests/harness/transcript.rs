//! Runs a transcript: a text file that says what a client sends and what it must get, in order.
//!
//! One instruction a line; `#` starts a comment line; a line that begins with a space continues the one before.
//!
//! ```text
//! protocols 3 4        run the file once for each; `$P` stands for the protocol in what follows
//! config {..}          overlaid on the plain configuration (before the first other instruction)
//! open [path]          a new connection; the challenge is taken and its nonce is `$NONCE`
//! connect {..}         open, connect with these members over the plain params, expect hello-ok
//! > text               send a text frame exactly as written
//! >bin text            send it as a binary frame
//! >pad N {..}          send the request with `params.pad` filled up to N bytes in all
//! < pattern            the next answer (`res`) must match
//! <event NAME pattern  the next event of that name must have a payload that matches
//! close CODE reason    the server must close with this code and exactly this reason; `<string>` = any, not empty
//! ```
//! In a pattern `"<any>"`, `"<string>"`, `"<int>"`, `"<uuid>"`, `"<hex>"` stand for such values, a string
//! `"text..."` matches by its beginning, a member `"...": 0` allows members not named, and an array may end
//! in `"..."`. `<TOKEN>` is the shared token, `<STATE>` the state directory. Everything else must be equal.
use super::{Client, Closed, Gateway, Setup, TOKEN, Value, is_uuid, json, merge, params};
use tungstenite::Message;

/// Runs one file; panics with file and line at the first difference.
pub fn run(name: &str, text: &str) {
    let lines = instructions(text);
    let protocols = lines.iter().find_map(|(_, l)| l.strip_prefix("protocols ")).unwrap_or("3 4");
    for protocol in protocols.split_whitespace() {
        let fill = |l: &str| l.replace("$P", protocol).replace("<TOKEN>", TOKEN);
        let config = lines.iter().find_map(|(_, l)| l.strip_prefix("config ")).map(|l| parse(&fill(l)));
        let gateway = Gateway::start(&Setup::config(config.unwrap_or(Value::Null)));
        let mut player = Player { gateway: &gateway, client: None, protocol: protocol.parse().unwrap() };
        for (number, line) in &lines {
            let place = format!("{name}:{number} (protocol {protocol})");
            let state = gateway.state_dir().to_string_lossy().into_owned();
            player.play(&place, &fill(line).replace("<STATE>", &state));
        }
    }
}

struct Player<'a> {
    gateway: &'a Gateway,
    client: Option<Client>,
    protocol: u32,
}

impl Player<'_> {
    fn play(&mut self, place: &str, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "protocols" | "config" => {}
            "open" => self.open(rest),
            "connect" => self.connect(place, rest),
            ">" => {
                let nonce = self.client().challenge["nonce"].as_str().unwrap_or_default().to_string();
                self.client().send_text(&rest.replace("$NONCE", &nonce));
            }
            ">bin" => self.client().message(Message::binary(rest.as_bytes().to_vec())),
            ">pad" => {
                let (size, frame) = rest.split_once(' ').expect("a size and a frame");
                self.client().send_text(&padded(size.parse().unwrap(), &parse(frame)));
            }
            "<" => {
                let frame = self.client().find(&format!("answer at {place}"), |f| f["type"] == "res");
                matches(&parse(rest), &frame, "").unwrap_or_else(|e| panic!("{place}: {e}\n{frame}"));
            }
            "<event" => {
                let (name, pattern) = rest.split_once(' ').unwrap_or((rest, "\"<any>\""));
                let payload = self.client().event(name);
                matches(&parse(pattern), &payload, "").unwrap_or_else(|e| panic!("{place}: {e}\n{payload}"));
            }
            "close" => {
                let (code, reason) = rest.split_once(' ').expect("a code and a reason");
                let Closed(got, text) = self.client().until_closed();
                let fits = if reason == "<string>" { !text.is_empty() } else { text == reason };
                assert!(got.to_string() == code && fits, "{place}: closed with {got} {text:?}");
                self.client = None;
            }
            _ => panic!("{place}: no instruction {word:?}"),
        }
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("an open connection")
    }

    fn open(&mut self, path: &str) {
        let path = if path.is_empty() { "/" } else { path };
        let tcp = super::http::tcp(self.gateway.port);
        let (mut client, _) =
            Client::upgrade(tcp, self.gateway.port, path, &[]).unwrap_or_else(|e| panic!("upgrade: {e:?}"));
        client.take_challenge();
        self.client = Some(client);
    }

    fn connect(&mut self, place: &str, over: &str) {
        self.open("/");
        let mut params = params(self.protocol);
        if !over.is_empty() {
            merge(&mut params, &parse(over));
        }
        let hello = self.client().connect(params).unwrap_or_else(|e| panic!("{place}: connect refused: {e}"));
        assert_eq!(hello["type"], "hello-ok", "{place}");
    }
}

fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    for (number, line) in
        text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'))
    {
        match out.last_mut() {
            Some((_, last)) if line.starts_with(' ') => last.push_str(line.trim_start()),
            _ => out.push((number + 1, line.to_string())),
        }
    }
    out
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"))
}

/// The frame with `params.pad` of such a length that its text has `size` bytes.
pub fn padded(size: usize, frame: &Value) -> String {
    let mut frame = frame.clone();
    frame["params"] = json!({"pad": ""});
    let bare = frame.to_string().len();
    frame["params"]["pad"] = "x".repeat(size - bare).into();
    frame.to_string()
}

/// Whether `value` matches `pattern`; the error says where not.
pub fn matches(pattern: &Value, value: &Value, at: &str) -> Result<(), String> {
    let differs = || Err(format!("at {at}/: expected {pattern}, got {value}"));
    match (pattern, value) {
        (Value::String(p), _) => {
            if matches_text(p, value) {
                Ok(())
            } else {
                differs()
            }
        }
        (Value::Object(p), Value::Object(v)) => {
            let open = p.contains_key("...");
            if let Some(extra) = v.keys().find(|k| !open && !p.contains_key(*k)) {
                return Err(format!("at {at}/: unexpected member {extra:?}"));
            }
            p.iter().filter(|(k, _)| *k != "...").try_for_each(|(k, p)| match v.get(k) {
                Some(v) => matches(p, v, &format!("{at}/{k}")),
                None => Err(format!("at {at}/: no member {k:?}")),
            })
        }
        (Value::Array(p), Value::Array(v)) => {
            let open = p.last().is_some_and(|l| l == "...");
            let fixed = p.len() - usize::from(open);
            if v.len() < fixed || (!open && v.len() != fixed) {
                return differs();
            }
            (0..fixed).try_for_each(|i| matches(&p[i], &v[i], &format!("{at}/{i}")))
        }
        _ => {
            if pattern == value {
                Ok(())
            } else {
                differs()
            }
        }
    }
}

fn matches_text(pattern: &str, value: &Value) -> bool {
    match (pattern, value) {
        ("<any>", _) => true,
        ("<int>", v) => v.is_u64() || v.is_i64(),
        ("<string>", v) => v.as_str().is_some_and(|t| !t.is_empty()),
        ("<uuid>", v) => v.as_str().is_some_and(is_uuid),
        ("<hex>", v) => v.as_str().is_some_and(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit())),
        (p, Value::String(t)) => p.strip_suffix("...").map_or(p == t, |start| t.starts_with(start)),
        _ => false,
    }
}
