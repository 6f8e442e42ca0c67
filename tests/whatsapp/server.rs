//! A stand-in for WhatsApp's servers on loopback: one account that links to them, people who write to it and read what it
//! writes. Each connection has a thread; a test says what happens next.
use super::people::{Keys, Person};
use super::wire::{Gone, Wire};
use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use wacore::libsignal::protocol::KeyPair;
use wacore::proto_helpers::MessageExt;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};
use waproto::whatsapp as wa;
use whatsapp_rust::buffa::Message as _;

pub const NUMBER: &str = "15550001111";
pub const HIDDEN: &str = "900000000001";
pub const PHONE: &str = "15550001111@s.whatsapp.net";
pub const DEVICE: u16 = 7;
pub const ANN: &str = "15550002222@s.whatsapp.net";
pub const GROUP: &str = "120363000000000001@g.us";

/// A message that the account has written, as the one who got it reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub to: String,
    pub id: String,
    /// None: it could not be read.
    pub text: Option<String>,
}

#[derive(Default)]
pub struct State {
    pub logins: usize,
    pub connections: usize,
    pub is_linked: bool,
    pub keys: Option<Keys>,
    pub heard: Vec<Heard>,
    /// Receipts, presences and the like, by tag and what matters of each.
    pub seen: Vec<String>,
    /// Ids of messages to the account that it has acknowledged.
    pub acked: HashSet<String>,
    /// The next login is refused so.
    pub refuse: Option<Node>,
    /// Messages are taken and not acknowledged.
    pub is_mute: bool,
    people: HashMap<String, Person>,
    doors: Vec<Sender<Act>>,
    /// Brought again at each login until they are acknowledged.
    waiting: Vec<Node>,
    written: Vec<Node>,
    key: Option<KeyPair>,
    next: usize,
}

enum Act {
    Send(Vec<Node>),
    Close,
}

pub struct Server {
    pub port: u16,
    pub state: Arc<Mutex<State>>,
}

fn iq(id: &str) -> NodeBuilder {
    NodeBuilder::new("iq").attr("from", "s.whatsapp.net").attr("type", "result").attr("id", id.to_string())
}

fn attr(node: &Node, name: &str) -> String {
    node.attrs.get(name).map(|value| value.as_str().into_owned()).unwrap_or_default()
}

fn bytes(node: &Node, name: &str) -> Vec<u8> {
    match node.get_optional_child(name).and_then(|child| child.content.as_ref()) {
        Some(NodeContent::Bytes(bytes)) => bytes.to_vec(),
        _ => Vec::new(),
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte))
}

/// `stream:error` with a code, or `failure` with a reason.
pub fn stream_error(code: &str) -> Node {
    NodeBuilder::new("stream:error").attr("code", code.to_string()).build()
}

pub fn failure(reason: &str) -> Node {
    NodeBuilder::new("failure").attr("reason", reason.to_string()).build()
}

pub fn replaced() -> Node {
    let conflict = NodeBuilder::new("conflict").attr("type", "replaced").build();
    NodeBuilder::new("stream:error").children([conflict]).build()
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let people = [PHONE, ANN, "15550003333@s.whatsapp.net"];
        let people = people.map(|jid| (jid.to_string(), Person::new(jid.parse().unwrap())));
        let key = Some(KeyPair::generate(&mut rand::rng()));
        let state = State { people: people.into_iter().collect(), key, ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let own = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || drop(serve(stream, &own)));
            }
        });
        Server { port, state }
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/ws/chat", self.port)
    }

    pub fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The phone scans what is shown.
    pub fn scan(&self, qr: &str) {
        let mut state = self.lock();
        let node = state.pair(qr);
        state.say(vec![node]);
    }

    /// Somebody writes a text to the account; its id.
    pub fn text(&self, from: &str, text: &str) -> String {
        self.message(from, None, wa::Message { conversation: Some(text.into()), ..Default::default() })
    }

    /// The same of a message, from a hidden id where one is given.
    pub fn message(&self, from: &str, hidden: Option<&str>, message: wa::Message) -> String {
        let mut state = self.lock();
        state.next += 1;
        let id = format!("3A{:018X}", state.next);
        let node = state.write(from, hidden, &id, &message);
        state.waiting.push(node.clone());
        state.written.push(node.clone());
        state.say(vec![node]);
        id
    }

    /// Every connection gets this, then ends.
    pub fn end(&self, with: Vec<Node>) {
        let mut state = self.lock();
        state.say(with);
        state.doors.drain(..).for_each(|door| drop(door.send(Act::Close)));
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.lock().heard.clone()
    }
}

impl State {
    /// A message once more, as it was.
    pub fn again(&self, id: &str) -> Vec<Node> {
        self.written.iter().filter(|message| attr(message, "id") == id).cloned().collect()
    }

    pub fn say(&mut self, nodes: Vec<Node>) {
        self.doors.retain(|door| door.send(Act::Send(nodes.clone())).is_ok());
    }

    fn pair(&mut self, qr: &str) -> Node {
        let (_, _, identity) = wacore::pair::PairUtils::parse_qr_code(qr).unwrap();
        let secret = base64(qr.split(',').nth(3).unwrap());
        let phone = self.people[PHONE].identity();
        let details = wa::ADVDeviceIdentity {
            raw_id: Some(1),
            timestamp: Some(1),
            key_index: Some(1),
            ..Default::default()
        };
        let details = details.encode_to_vec();
        let signed = [&[6, 0], &details[..], &identity].concat();
        let signature = phone.private_key.calculate_signature(&signed, &mut rand::rng()).unwrap();
        let account = wa::ADVSignedDeviceIdentity {
            details: Some(details),
            account_signature_key: Some(phone.public_key.public_key_bytes().to_vec()),
            account_signature: Some(signature.to_vec()),
            ..Default::default()
        };
        let account = account.encode_to_vec();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let hmac = ring::hmac::sign(&key, &account).as_ref().to_vec();
        let sealed = wa::ADVSignedDeviceIdentityHMAC {
            details: Some(account),
            hmac: Some(hmac),
            ..Default::default()
        };
        let jid = Jid::pn_device(NUMBER, DEVICE);
        let children = [
            NodeBuilder::new("device-identity").bytes(sealed.encode_to_vec()).build(),
            NodeBuilder::new("device").attr("jid", jid).attr("lid", Jid::lid_device(HIDDEN, DEVICE)).build(),
            NodeBuilder::new("platform").attr("name", "android").build(),
        ];
        let success = NodeBuilder::new("pair-success").children(children).build();
        NodeBuilder::new("iq")
            .attr("from", "s.whatsapp.net")
            .attr("type", "set")
            .attr("id", "pair-1")
            .children([success])
            .build()
    }

    fn write(&mut self, from: &str, hidden: Option<&str>, id: &str, message: &wa::Message) -> Node {
        let keys = self.keys.as_mut().expect("the account has uploaded its keys");
        let (kind, sealed) = self.people.get_mut(from).unwrap().write("account", keys, message);
        let enc = NodeBuilder::new("enc").attr("v", "2").attr("type", kind).bytes(sealed).build();
        let node = NodeBuilder::new("message")
            .attr("id", id.to_string())
            .attr("type", "text")
            .attr("t", now())
            .attr("notify", "Ann");
        let person: Jid = from.parse().unwrap();
        let node = match hidden {
            Some(lid) => {
                let lid: Jid = lid.parse().unwrap();
                node.attr("from", lid).attr("sender_pn", person).attr("addressing_mode", "lid")
            }
            None => node.attr("from", person),
        };
        node.children([enc]).build()
    }

    /// Answers to what the account says.
    fn answer(&mut self, node: &Node) -> Vec<Node> {
        let id = attr(node, "id");
        match &*node.tag {
            "iq" if attr(node, "type") == "result" => match node.get_optional_child("pair-device-sign") {
                Some(_) => {
                    self.is_linked = true;
                    vec![stream_error("515")]
                }
                None => Vec::new(),
            },
            "iq" => self.question(node, &id),
            "message" => {
                self.hear(node, &id);
                if self.is_mute {
                    return Vec::new();
                }
                let ack = NodeBuilder::new("ack")
                    .attr("class", "message")
                    .attr("id", id)
                    .attr("from", attr(node, "to"))
                    .attr("t", now());
                vec![ack.build()]
            }
            "receipt" => {
                let kind = attr(node, "type");
                self.seen.push(format!("receipt {kind} {id}"));
                if kind != "retry" {
                    self.waiting.retain(|message| attr(message, "id") != id);
                    self.acked.insert(id.clone());
                }
                vec![
                    NodeBuilder::new("ack")
                        .attr("class", "receipt")
                        .attr("id", id)
                        .attr("from", attr(node, "to"))
                        .build(),
                ]
            }
            "ack" => {
                self.waiting.retain(|message| attr(message, "id") != id);
                self.acked.insert(id);
                Vec::new()
            }
            tag => {
                let child = node.children().and_then(|all| all.first()).map(|child| child.tag.to_string());
                self.seen.push(format!("{tag} {} {}", attr(node, "type"), child.unwrap_or_default()));
                Vec::new()
            }
        }
    }

    fn question(&mut self, node: &Node, id: &str) -> Vec<Node> {
        let result = iq(id);
        let child = node.children().and_then(|all| all.first());
        match (&*attr(node, "xmlns"), &*attr(node, "type")) {
            ("passive", _) => vec![result.build(), offline()],
            ("encrypt", "set") if node.get_optional_child("list").is_some() => {
                self.keys = Some(uploaded(node));
                vec![result.build()]
            }
            ("encrypt", "get") => match child.map(|child| &*child.tag) {
                Some("key") => {
                    let asked = child.unwrap().get_children_by_tag("user").map(|user| attr(user, "jid"));
                    let known =
                        asked.filter_map(|jid| Some(self.people.get(&jid)?.bundle())).collect::<Vec<_>>();
                    vec![result.children([NodeBuilder::new("list").children(known).build()]).build()]
                }
                Some("count") => {
                    vec![result.children([NodeBuilder::new("count").attr("value", "30").build()]).build()]
                }
                _ => vec![result.build()],
            },
            ("usync", _) => {
                let asked = child.and_then(|usync| usync.get_optional_child("list")).unwrap();
                let users = asked.get_children_by_tag("user").map(devices).collect::<Vec<_>>();
                let list = NodeBuilder::new("list").children(users).build();
                vec![
                    result
                        .children([NodeBuilder::new("usync").attr("sid", "1").children([list]).build()])
                        .build(),
                ]
            }
            // Nothing is in any collection.
            ("w:sync:app:state", _) => {
                let asked = child.into_iter().flat_map(|sync| sync.get_children_by_tag("collection"));
                let one = |collection: &Node| {
                    let name = attr(collection, "name");
                    NodeBuilder::new("collection").attr("name", name).attr("version", "0").build()
                };
                let all: Vec<Node> = asked.map(one).collect();
                vec![result.children([NodeBuilder::new("sync").children(all).build()]).build()]
            }
            ("md", _) if child.is_some_and(|child| &*child.tag == "remove-companion-device") => {
                self.is_linked = false;
                self.seen.push("removed".into());
                vec![result.build()]
            }
            _ => vec![result.build()],
        }
    }

    /// Who gets it reads it; a copy for the account's own phone is not counted.
    fn hear(&mut self, node: &Node, id: &str) {
        let to = attr(node, "to");
        let copies = node
            .get_optional_child("participants")
            .map(|all| all.get_children_by_tag("to").collect::<Vec<_>>());
        let copies = copies
            .unwrap_or_default()
            .into_iter()
            .filter_map(|copy| Some((attr(copy, "jid"), copy.get_optional_child("enc")?)));
        let direct = node.get_optional_child("enc").map(|enc| (to.clone(), enc));
        for (who, enc) in copies.chain(direct) {
            let Some(NodeContent::Bytes(sealed)) = &enc.content else { continue };
            let Some(person) = self.people.get_mut(&who) else { continue };
            let message = person.read("account", &attr(enc, "type"), sealed);
            if who != PHONE || to == PHONE {
                let text = message.and_then(|message| {
                    let base = message.get_base_message();
                    let reaction = base.reaction_message.as_option().and_then(|r| r.text.clone());
                    base.text_content().map(str::to_string).or(reaction)
                });
                self.heard.push(Heard { to: who, id: id.to_string(), text });
            }
        }
    }
}

fn devices(user: &Node) -> Node {
    let jid = attr(user, "jid");
    let mut all = vec![NodeBuilder::new("device").attr("id", "0").build()];
    if jid == PHONE {
        all.push(NodeBuilder::new("device").attr("id", DEVICE.to_string()).attr("key-index", "1").build());
    }
    let list = NodeBuilder::new("device-list").children(all).build();
    let devices = NodeBuilder::new("devices").children([list]).build();
    NodeBuilder::new("user").attr("jid", jid.parse::<Jid>().unwrap()).children([devices]).build()
}

fn uploaded(node: &Node) -> Keys {
    let signed = node.get_optional_child("skey").unwrap();
    let list = node.get_optional_child("list").unwrap();
    let once = list.get_children_by_tag("key").map(|key| (number(&bytes(key, "id")), bytes(key, "value")));
    Keys {
        registration: number(&bytes(node, "registration")),
        identity: bytes(node, "identity"),
        signed: (number(&bytes(signed, "id")), bytes(signed, "value"), bytes(signed, "signature")),
        once: once.collect(),
    }
}

fn offline() -> Node {
    NodeBuilder::new("ib")
        .attr("from", "s.whatsapp.net")
        .children([NodeBuilder::new("offline").attr("count", "0").build()])
        .build()
}

fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs().to_string()
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for value in text.bytes().filter_map(|byte| LETTERS.bytes().position(|letter| letter == byte)) {
        (bits, count) = (bits << 6 | value as u32, count + 6);
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

fn serve(stream: std::net::TcpStream, state: &Mutex<State>) -> Result<(), Gone> {
    let key = state.lock().unwrap().key.clone().unwrap();
    let (mut wire, payload) = Wire::accept(stream, &key)?;
    let (door, acts) = channel();
    let first = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        let mut first = Vec::new();
        if let Some(refusal) = state.refuse.take() {
            first.push(refusal);
            first.iter().try_for_each(|node| wire.send(node))?;
            wire.close();
            return Ok(());
        }
        match payload.username {
            None => {
                let refs = (0..6)
                    .map(|n| NodeBuilder::new("ref").bytes(format!("2@ref{n}{}", "r".repeat(80))).build());
                let pair = NodeBuilder::new("pair-device").children(refs.collect::<Vec<_>>()).build();
                let node = NodeBuilder::new("iq")
                    .attr("from", "s.whatsapp.net")
                    .attr("type", "set")
                    .attr("id", "qr-1")
                    .attr("xmlns", "md");
                first.push(node.children([pair]).build());
            }
            Some(_) if !state.is_linked => first.push(failure("401")),
            Some(_) => {
                state.logins += 1;
                let success = NodeBuilder::new("success")
                    .attr("t", now())
                    .attr("lid", Jid::lid_device(HIDDEN, DEVICE))
                    .attr("props", "1");
                first.push(success.attr("location", "x").build());
                first.extend(state.waiting.clone());
            }
        }
        state.doors.push(door);
        first
    };
    first.iter().try_for_each(|node| wire.send(node))?;
    let is_refused = first.iter().any(|node| &*node.tag == "failure");
    talk(&mut wire, &acts, state, is_refused)
}

fn talk(wire: &mut Wire, acts: &Receiver<Act>, state: &Mutex<State>, is_refused: bool) -> Result<(), Gone> {
    if is_refused {
        wire.close();
        return Ok(());
    }
    loop {
        for act in acts.try_iter() {
            match act {
                Act::Send(nodes) => nodes.iter().try_for_each(|node| wire.send(node))?,
                Act::Close => {
                    wire.close();
                    return Ok(());
                }
            }
        }
        let Some(node) = wire.receive()? else { continue };
        let answers = state.lock().unwrap().answer(&node);
        answers.iter().try_for_each(|node| wire.send(node))?;
        if answers.iter().any(|node| &*node.tag == "stream:error") {
            wire.close();
            return Ok(());
        }
    }
}
