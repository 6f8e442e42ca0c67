//! What input costs: memory of the running gateway as a factor of what it was sent, and who has to go for it.
//!
//! Reads `VmHWM` and `VmRSS` of the process, so on Linux only.
use crate::harness::model::texts;
use crate::harness::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use tungstenite::Message;

/// policy.maxPayload of protocol 4.
const LARGEST: usize = 26_214_400;

/// How much the peak grew by, in KiB, while `act` ran.
pub fn peak_of(gateway: &Gateway, act: impl FnOnce()) -> u64 {
    // Sets the peak to what is resident now.
    std::fs::write(format!("/proc/{}/clear_refs", gateway.pid()), "5").unwrap();
    let before = gateway.peak_kib();
    act();
    gateway.peak_kib().saturating_sub(before)
}

pub fn kib(bytes: usize) -> u64 {
    bytes as u64 / 1024
}

/// A client of a device of its own, with these scopes.
pub fn with_device(gateway: &Gateway, scopes: &[&str]) -> Client {
    let mut client = Client::open(gateway);
    let mut params = client::scoped(scopes);
    let challenge = client.challenge.clone();
    Device::new().attach(&mut params, &challenge, Version::V2);
    client.connect(params).unwrap();
    client.expects_loss = true;
    client
}

/// Frames as large as they may be, each with the most of something.
fn frames() -> Vec<(&'static str, String)> {
    let zeros = format!("[{}0]", "0,".repeat(2047));
    let start = r#"{"type":"req","id":"1","method":"health""#;
    let fill = |part: &dyn Fn(usize) -> String| {
        let mut text = start.to_string();
        let mut n = 0;
        while text.len() < LARGEST - 8192 {
            text += &part(n);
            n += 1;
        }
        text + "}"
    };
    vec![
        ("members of zeros", fill(&|n| format!(r#","m{n}":{zeros}"#))),
        ("small members", fill(&|n| format!(r#","m{n}":0"#))),
        ("one name again and again", fill(&|_| format!(r#","traceparent":{zeros}"#))),
        ("params again and again", fill(&|_| format!(r#","params":{zeros}"#))),
        ("params of zeros", format!(r#"{start},"params":[{}0]}}"#, "0,".repeat(LARGEST / 2 - 100))),
        (
            "deep params",
            format!(r#"{start},"params":{}{}}}"#, "[".repeat(LARGEST / 2 - 99), "]".repeat(LARGEST / 2 - 99)),
        ),
        ("a long name", format!(r#"{start},"{}":1}}"#, "x".repeat(LARGEST - 100))),
        ("a long name with escapes", format!(r#"{start},"\n{}":1}}"#, "x".repeat(LARGEST - 100))),
        ("a long text", format!(r#"{start},"params":{{"probe":"\n{}"}}}}"#, "x".repeat(LARGEST - 100))),
        (
            "halves of pairs",
            format!(
                r#"{start},"params":{{"probe":"{}"}}}}"#,
                r"\ud83d and more text".repeat(LARGEST / 20 - 20)
            ),
        ),
        ("a long id", format!(r#"{{"type":"req","method":"health","id":"{}"}}"#, "x".repeat(LARGEST - 100))),
        ("a long method", format!(r#"{{"type":"req","id":"1","method":"{}"}}"#, "x".repeat(LARGEST - 100))),
        ("a list", format!("[{}0]", "0,".repeat(LARGEST / 2 - 10))),
    ]
}

/// Each of them costs at most so many times its size.
fn frames_cost(gateway: &Gateway, client: &mut Client, frames: &[(&str, String)], times: u64) {
    for (what, frame) in frames {
        assert!(frame.len() <= LARGEST, "{what}: {}", frame.len());
        let size = kib(frame.len());
        let grown = peak_of(gateway, || {
            client.message(Message::text(frame.clone()));
            client.find(what, |f| f["type"] == "res");
        });
        assert!(grown <= times * kib(LARGEST) + 2048, "{what}: {size} KiB cost {grown} KiB");
    }
}

#[test]
fn s_h4_a_frame_costs_at_most_three_times_its_size() {
    let gateway = Gateway::plain();
    let frames = frames();
    for scopes in [&["operator.admin"][..], &[]] {
        frames_cost(&gateway, &mut Client::with(&gateway, client::scoped(scopes)).0, &frames, 3);
    }
    Client::operator(&gateway, 4).ok("health", json!({}));
}

// SECURITY.md: a heap that was used has holes into which a large frame does not fit, and keeps what it had.
#[test]
fn s_h4_on_a_used_heap_a_frame_costs_at_most_four_times_its_size() {
    let gateway = talkative(json!({}));
    let mut clients: Vec<Client> = (0..12).map(|_| Client::operator(&gateway, 4)).collect();
    for round in 1..6usize {
        let asked: Vec<String> = clients
            .iter_mut()
            .enumerate()
            .map(|(n, client)| match n % 4 {
                0 => client.ask("health", json!({"probe": "y".repeat((n + 1) * round * 50_000)})),
                1 => client.ask("chat.history", json!({"sessionKey": "main", "limit": round * 7})),
                2 => client.ask("sessions.list", json!({})),
                _ => client
                    .ask("chat.inject", json!({"sessionKey": "main", "message": "words ".repeat(n * 1000)})),
            })
            .collect();
        for (client, id) in clients.iter_mut().zip(&asked) {
            client.res(id);
            drop(client.kept());
        }
        // Some leave, and others come.
        let half = clients.len() / 2;
        clients.truncate(half);
        clients.extend((half..12).map(|_| Client::operator(&gateway, 4)));
    }
    clients.iter_mut().for_each(|client| drop(client.ok("health", json!({}))));
    let mut frames = frames();
    frames
        .retain(|(what, _)| ["members of zeros", "params of zeros", "a long text", "a list"].contains(what));
    frames_cost(&gateway, &mut clients[0], &frames, 4);
}

/// Params that each method needs, so that it looks at the one that is tried.
fn needed(name: &str) -> Value {
    match name {
        "sessionKey" | "key" | "sessionId" => "main".into(),
        "agentId" => "main".into(),
        "name" => "NOTES.md".into(),
        "keys" => json!(["main"]),
        "raw" => "{}".into(),
        _ => "x".into(),
    }
}

/// For each member of each method's params that may hold a text, and for one it does not know: params in which that
/// holds `text`, and what is tried.
fn with_text_anywhere(text: &str) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/methods")).unwrap() {
        let path = file.unwrap().path();
        let method = path.file_stem().unwrap().to_str().unwrap().to_string();
        // Judged before anybody is let in; and one that ends the gateway.
        if method == "connect" || method == "gateway.restart.request" {
            continue;
        }
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let members = schema["params"]["properties"].as_object().cloned().unwrap_or_default();
        let unknown = ("zzUnknown".to_string(), json!({"type": "string"}));
        for (name, member) in members.iter().map(|(n, m)| (n.clone(), m.clone())).chain([unknown]) {
            let kind = &member["type"];
            if ["integer", "boolean", "number"].iter().any(|other| kind == other) {
                continue;
            }
            let long = match kind == "array" {
                true if member["items"]["type"] == "string" => json!([text]),
                true => json!([{"content": text, "fileName": "x"}]),
                false => text.into(),
            };
            let required = schema["params"]["required"].as_array().cloned().unwrap_or_default();
            let required = required.iter().map(|name| name.as_str().unwrap());
            let mut params: serde_json::Map<String, Value> =
                required.map(|name| (name.to_string(), needed(name))).collect();
            if members.contains_key("idempotencyKey") {
                params.insert("idempotencyKey".into(), format!("{method} {name}").into());
            }
            if members.contains_key("timeoutMs") {
                params.insert("timeoutMs".into(), 1.into());
            }
            params.insert(name.clone(), long);
            all.push((method.clone(), format!("{method} {name}"), params.into()));
        }
    }
    assert!(all.len() > 150, "{} places for a text", all.len());
    all
}

// S-H4: not only health, and not only what is refused: every method with every text it takes.
#[test]
fn s_h4_a_long_text_costs_at_most_three_times_its_size_wherever_it_stands() {
    const LENGTH: usize = 2 << 20;
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    begin_session(&mut client);
    let mut dear = Vec::new();
    for (method, what, params) in with_text_anywhere(&"y".repeat(LENGTH)) {
        let id = what.as_str();
        let frame = json!({"type": "req", "id": id, "method": method, "params": params}).to_string();
        let grown = peak_of(&gateway, || {
            client.message(Message::text(frame));
            client.res(id);
        });
        drop(client.kept());
        if grown > 3 * kib(LENGTH) + 1536 {
            dear.push(format!("{what}: {grown} KiB"));
        }
    }
    assert!(dear.is_empty(), "{} KiB cost: {dear:#?}", kib(LENGTH));
}

#[test]
fn s_h4_many_large_frames_at_a_time_wait_for_each_other() {
    let gateway = Gateway::plain();
    // 2.2 MB each, 33 MB of values at the worst if all were worked on at a time with nothing counted.
    let params = format!(r#"{{"x":[{}0]}}"#, "[0],".repeat(24_000));
    let frame = format!(r#"{{"type":"req","id":"1","method":"health","params":{params}}}"#);
    let mut clients: Vec<Client> = (0..24).map(|_| Client::operator(&gateway, 4)).collect();
    let grown = peak_of(&gateway, || {
        for _ in 0..3 {
            clients.iter_mut().for_each(|c| c.message(Message::text(frame.clone())));
            clients.iter_mut().for_each(|c| drop(c.find("an answer", |f| f["type"] == "res")));
        }
    });
    assert!(grown < 64 << 10, "24 frames of {} KiB cost {grown} KiB", kib(frame.len()));
}

#[test]
fn s_l8_a_stranger_costs_less_than_a_megabyte() {
    let gateway = Gateway::plain();
    let mut sockets: Vec<Client> = (0..24).map(|_| Client::open(&gateway)).collect();
    let zeros = format!("[{}0]", "0,".repeat(24_000));
    let frame = format!(r#"{{"type":"req","id":"1","method":"connect","params":{{"caps":{zeros}}}}}"#);
    let grown = peak_of(&gateway, || {
        sockets.iter_mut().for_each(|c| c.message(Message::text(frame.clone())));
        for client in &mut sockets {
            let Closed(code, reason) = client.until_closed();
            assert_eq!((code, reason.contains("more than 512 values")), (1008, true), "{reason}");
        }
    });
    assert!(grown < 16 << 10, "24 strangers cost {grown} KiB");
}

/// Sends the header of a masked text message of `claimed` bytes and the first `sent` of them.
fn begin(client: &mut Client, claimed: usize, sent: usize) {
    let stream = client.socket().get_mut();
    let header = [&[0x81, 0xff][..], &(claimed as u64).to_be_bytes(), &[0; 4]].concat();
    stream.write_all(&header).unwrap();
    stream.write_all(&vec![b' '; sent]).unwrap();
}

#[test]
fn s_m4_who_holds_most_of_what_arrives_makes_room() {
    let gateway = Gateway::plain();
    let mut honest = Client::operator(&gateway, 4);
    begin_session(&mut honest);
    // Many small shares of one device are one large share.
    let mut device: Vec<Client> = vec![with_device(&gateway, &["operator.read"])];
    let mut other = with_device(&gateway, &["operator.read"]);
    begin(&mut device[0], 17 << 20, 16 << 20);
    begin(&mut other, 17 << 20, 15 << 20);
    std::thread::sleep(Duration::from_millis(300));
    for n in 0..5 {
        let text = format!(r#"{{"type":"req","id":"long{n}","method":"health"{}}}"#, " ".repeat(2 << 20));
        honest.message(Message::text(text));
        honest.answer(&format!("long{n}")).unwrap();
    }
    let Closed(code, reason) = device.remove(0).until_closed();
    assert_eq!(code, 1013, "{reason}");
}

#[test]
fn s_m4_a_message_that_does_not_go_on_is_ended() {
    let limits = json!({"gateway": {"limits": {"messageMs": 600}}});
    let gateway = Gateway::start(&Setup::config(limits));
    let mut stops = Client::operator(&gateway, 4);
    stops.expects_loss = true;
    begin(&mut stops, 1 << 20, 100);
    let mut drips = Client::operator(&gateway, 4);
    drips.expects_loss = true;
    begin(&mut drips, 1 << 20, 100);
    let mut flows = Client::operator(&gateway, 4);
    let text = format!(r#"{{"type":"req","id":"7","method":"health"{}}}"#, " ".repeat(40 << 10));
    let bytes = text.as_bytes();
    begin(&mut flows, bytes.len(), 0);
    for piece in bytes.chunks(bytes.len() / 12) {
        flows.socket().get_mut().write_all(piece).unwrap();
        let _ = drips.socket().get_mut().write_all(b" ");
        std::thread::sleep(Duration::from_millis(150));
    }
    flows.answer("7").unwrap();
    for client in [&mut stops, &mut drips] {
        let Closed(code, reason) = client.until_closed();
        assert_eq!((code, reason.contains("not finished in time")), (1008, true), "{reason}");
    }
    // A silence between messages is none within one.
    std::thread::sleep(Duration::from_millis(900));
    flows.ok("health", json!({}));
}

fn begin_session(client: &mut Client) {
    let id = client.ask("agent", json!({"message": "go", "sessionKey": "main", "idempotencyKey": "i"}));
    client.answer(&id).unwrap();
    client.answer(&id).expect("the session exists from here on");
}

/// A gateway with a conversation of some 4 MB.
fn talkative(limits: Value) -> Gateway {
    let gateway = Gateway::start(&Setup::config(json!({"gateway": {"limits": limits}})));
    let mut client = Client::operator(&gateway, 4);
    begin_session(&mut client);
    for n in 0..40 {
        let text = format!("{n} {}", "words ".repeat(17 << 10));
        client.ok("chat.inject", json!({"sessionKey": "main", "message": text}));
    }
    gateway
}

#[test]
fn s_m5_answers_that_nobody_takes_are_in_a_budget_and_given_back() {
    let gateway = talkative(json!({"stallMs": 1500}));
    let mut clients: Vec<Client> = (0..30)
        .map(|_| {
            let mut client = with_device(&gateway, &["operator.read"]);
            rustix::net::sockopt::set_socket_recv_buffer_size(client.socket().get_ref(), 8192).unwrap();
            client
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1200));
    let before = gateway.resident_kib();
    let grown = peak_of(&gateway, || {
        for client in &mut clients {
            client.ask("chat.history", json!({"sessionKey": "main", "limit": 1000}));
        }
        let mut calm = Client::operator(&gateway, 4);
        // Each takes a little now and then, less than 16 KiB a second.
        for _ in 0..8 {
            for client in &mut clients {
                let stream: &mut TcpStream = client.socket().get_mut();
                stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                let _ = stream.read(&mut [0; 2048]);
            }
            calm.ok("health", json!({}));
            std::thread::sleep(Duration::from_millis(400));
        }
        calm.ok("chat.history", json!({"sessionKey": "main"}));
    });
    // 33.5 MB wait at the most; four answers are made at a time, each of 4 MB as values and as text.
    assert!(grown < 128 << 10, "30 answers of 4 MB cost {grown} KiB");
    drop(clients);
    // At the second tick without a request at the latest.
    wait_within(Duration::from_secs(75), "the memory to be given back", || {
        (gateway.resident_kib() < before + (16 << 10)).then_some(())
    });
}

#[test]
fn s_l7_with_little_address_space_the_next_client_is_refused() {
    // As much again as a gateway at rest takes, and a little: enough for some clients, not for many.
    let plain = Gateway::plain();
    let status = std::fs::read_to_string(format!("/proc/{}/status", plain.pid())).unwrap();
    let at_rest: u64 = status
        .lines()
        .find_map(|l| l.strip_prefix("VmSize:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(plain.pid() as i32);
    let most = (at_rest + (48 << 10)) * 1024;
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::prlimit(pid, rustix::process::Resource::As, limit).unwrap();
    let mut taken = Vec::new();
    let mut refused = 0;
    for _ in 0..150 {
        match Client::upgrade(http::tcp(plain.port), plain.port, "/", &[]) {
            Ok((mut client, _)) => {
                client.take_challenge();
                if client.connect(params(4)).is_ok() {
                    taken.push(client);
                }
            }
            Err(_) => refused += 1,
        }
        if refused >= 3 {
            break;
        }
    }
    assert!(refused >= 3 && !taken.is_empty(), "{} taken, {refused} refused", taken.len());
    for client in taken.iter_mut().take(3) {
        client.ok("health", json!({}));
    }
    drop(taken);
    wait_for("a place for the next", || {
        let (mut client, _) = Client::upgrade(http::tcp(plain.port), plain.port, "/", &[]).ok()?;
        client.take_challenge();
        client.connect(params(4)).ok()
    });
}

#[test]
fn s_l15_a_client_that_comes_and_goes_costs_watchers_little() {
    let gateway = Gateway::plain();
    let mut beacons = Client::operator(&gateway, 4);
    for n in 0..150 {
        let note = format!("Node: beacon {n} {}", "x".repeat(300));
        beacons.ok("system-event", json!({"text": note, "instanceId": format!("beacon-{n}"), "mode": "ui"}));
    }
    let mut watcher = Client::operator(&gateway, 4);
    watcher.collect(Duration::from_millis(500));
    drop(watcher.kept());
    let end = Instant::now() + Duration::from_secs(8);
    while Instant::now() < end {
        drop(Client::operator(&gateway, 4));
    }
    watcher.collect(Duration::from_millis(100));
    let told: Vec<Value> = watcher.kept().into_iter().filter(|f| f["event"] == "presence").collect();
    let bytes: usize = told.iter().map(|f| f.to_string().len()).sum();
    assert!(!told.is_empty() && bytes < 600 << 10, "{} events, {bytes} bytes in 8 s", told.len());
}

/// A tar of one entry, written by hand.
fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut head = [0u8; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    for (at, text) in [
        (100, "0000600\0"),
        (108, "0000000\0"),
        (116, "0000000\0"),
        (136, "00000000000\0"),
        (257, "ustar\x0000"),
    ] {
        head[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    head[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    head[148..156].fill(b' ');
    head[156] = b'0';
    let sum: u32 = head.iter().map(|b| u32::from(*b)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = head.to_vec();
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    tar
}

#[test]
fn s_l10_a_manifest_costs_a_few_times_its_length() {
    let dir = gateway::new_dir();
    const LENGTH: usize = 40 << 20;
    let zeros = format!("[{}0]", "0,".repeat(LENGTH / 2));
    let rows = r#"{"path":"","size":0,"sha256":""},"#.repeat(LENGTH / 33);
    let deep = format!("{}{}", "[".repeat(LENGTH / 2), "]".repeat(LENGTH / 2));
    let manifests = [
        (format!(r#"{{"schemaVersion":1,"files":{zeros}}}"#), "its manifest cannot be read"),
        (format!(r#"{{"schemaVersion":1,"files":[],"roots":{zeros}}}"#), "its manifest cannot be read"),
        (format!(r#"{{"schemaVersion":1,"files":[],"other":{zeros}}}"#), "OK: 0 files"),
        (format!(r#"{{"schemaVersion":1,"files":{deep}}}"#), "its manifest cannot be read"),
        (
            format!(r#"{{"schemaVersion":1,"files":[{}]}}"#, rows.trim_end_matches(',')),
            "its manifest names a file twice",
        ),
        ("[".repeat(LENGTH), "its manifest is not JSON"),
        (zeros.clone(), "it does not begin with a manifest"),
    ];
    for (manifest, told) in &manifests {
        let archive = dir.join("bad.tar");
        std::fs::write(&archive, tar_of("manifest.json", manifest.as_bytes())).unwrap();
        // The program itself takes some 100 MB of address space in a debug build.
        let most = (LENGTH * 7 / 1024) + (120 << 10);
        let mut child = std::process::Command::new("sh");
        child.arg("-c").arg(format!("ulimit -v {most}; exec \"$0\" backup verify \"$1\""));
        child.arg(env!("CARGO_BIN_EXE_openclaw")).arg(&archive).env("HOME", &dir);
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(told), "wanted {told:?}: {}, {said}", output.status);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn s_h4_a_text_for_the_configuration_costs_three_times_its_size_at_most() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    const LENGTH: usize = 5 << 20;
    for method in ["config.set", "config.patch", "config.apply"] {
        for raw in [
            format!("{{ui: {{seamColor: '{}'}}}}", "x".repeat(LENGTH)),
            format!("{{}} // {}", "x".repeat(LENGTH)),
            "[".repeat(LENGTH),
        ] {
            let grown = peak_of(&gateway, || {
                let error = client.fails(method, json!({"raw": raw, "baseHash": hash}));
                let told = error["message"].as_str().unwrap();
                assert!(
                    told.contains("2097152 are the most") || told.contains("20000 are the most"),
                    "{told}"
                );
            });
            assert!(grown < 3 * kib(LENGTH) + 2048, "{method}: {grown} KiB");
        }
    }
}

/// A turn to its end, in a session of its own.
fn ask(client: &mut Client, n: usize) {
    let params =
        json!({"message": "hi", "sessionKey": format!("agent:main:{n}"), "idempotencyKey": n.to_string()});
    let id = client.ask("agent", params);
    client.answer(&id).unwrap();
    client.answer(&id).unwrap();
}

// S-M2: what an answer near the largest costs, told to one client and to five: three times its size. While it comes, it
// stands in what the model has said, in what was told, and once as JSON for all events; at its end in the outcome, in the
// answer and in the journal's line. Who watches shares the frames. A machine at work leaves one more waiting.
#[test]
fn s_m2_an_answer_costs_three_times_its_size_however_many_watch() {
    let piece = "x".repeat(4096);
    let long = texts(&vec![piece.as_str(); 460]);
    let size = kib(4096 * 460);
    let server = ModelServer::start(vec![texts(&["warm"]), long.clone(), long.clone(), long]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let mut client = Client::operator(&gateway, 4);
    ask(&mut client, 0);
    for (n, watchers) in [(1, 0), (2, 0), (3, 5)] {
        let mut others: Vec<Client> = (0..watchers).map(|_| Client::operator(&gateway, 4)).collect();
        let is_end = |chat: &Value| chat["state"] == "final";
        let grown = peak_of(&gateway, || {
            std::thread::scope(|scope| {
                for other in &mut others {
                    scope.spawn(move || other.event_where("chat", is_end));
                }
                ask(&mut client, n);
            });
        });
        assert!(grown < 5 * size, "{watchers} watching: {grown} KiB for {size}");
    }
}

// S-M2: the same where it comes as one document, and for arguments of a tool that are too long to be run.
#[test]
fn s_m2_documents_and_arguments_cost_no_more_than_that() {
    const LENGTH: usize = 1_800_000;
    let text = "x".repeat(LENGTH);
    let content = json!({"path": "a.txt", "content": text}).to_string();
    let function = json!({"name": "write", "arguments": content});
    let document = |message: Value| {
        let whole = json!({"choices": [{"message": message, "finish_reason": "stop"}]});
        Reply::Status(200, vec![("Content-Type", "application/json")], whole.to_string())
    };
    let said = document(json!({"content": text}));
    let called = document(json!({"tool_calls": [{"id": "c", "type": "function", "function": function}]}));
    let streamed = Reply::Stream(vec![
        Step::Call { id: "c".into(), name: "write".into(), arguments: content },
        Step::Done,
    ]);
    let fine = || texts(&["fine"]);
    let mut replies = vec![fine()];
    for _ in 0..2 {
        replies.extend([said.clone(), called.clone(), fine(), streamed.clone(), fine()]);
    }
    let server = ModelServer::start(replies);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let mut client = Client::operator(&gateway, 4);
    ask(&mut client, 0);
    for n in 1..=6 {
        let grown = peak_of(&gateway, || ask(&mut client, n));
        let what = ["a document", "arguments in a document", "arguments in a stream"][(n - 1) % 3];
        println!("{what}: {grown} KiB, {:.1}x", grown as f64 / kib(LENGTH) as f64);
        assert!(grown < 5 * kib(LENGTH), "{what}: {grown} KiB for {}", kib(LENGTH));
    }
}
