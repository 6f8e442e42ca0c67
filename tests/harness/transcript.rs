//! Runs a transcript: a text file that says what a client sends and what it must get, in order.
//! What stands in it: `src/cli/conformance/script.rs`, by which `openclaw conformance` reads the same files.
use super::{Client, Closed, Gateway, Setup, TOKEN, Value, merge, params};
pub use script::{instructions, is_uuid, matches, padded, told};
use tungstenite::Message;

#[path = "../../src/cli/conformance/script.rs"]
mod script;

/// Runs one file; panics with file and line at the first difference.
pub fn run(name: &str, text: &str) {
    let lines = instructions(text);
    let protocols = told(&lines, "protocols").unwrap_or("3 4");
    for protocol in protocols.split_whitespace() {
        let fill = |l: &str| l.replace("$P", protocol).replace("<TOKEN>", TOKEN);
        let config = told(&lines, "config").map(|l| parse(&fill(l)));
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

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"))
}
