//! Issue 12, sentence 6: TLS on the gateway's own port, for WebSocket and HTTP, with a certificate of its own or a given
//! one, renewed while it runs; and who speaks something else there.
use crate::cli::{out, text};
use crate::harness::*;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tungstenite::{Message, WebSocket};

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// The certificate of tests/data, as openssl prints it.
const PIN: &str = "sha256:d000b6dda1011271 5e6b955c4dc5f4d2 1a31022e99d34339 affa13bf4de5395f";

pub fn setup(more: Value) -> Setup {
    let mut config = json!({"gateway": {"tls": {"enabled": true}}});
    merge(&mut config, &more);
    Setup::config(config)
}

fn start() -> Gateway {
    Gateway::start(&setup(json!({})))
}

fn cert_path(gateway: &Gateway) -> PathBuf {
    gateway.state_dir().join("gateway/tls/gateway-cert.pem")
}

/// What the gateway shows at the moment: its own file is the only authority.
fn config(gateway: &Gateway) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(cert_path(gateway)).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    // Who signed those of tests/data.
    roots.add(CertificateDer::from_pem_slice(include_bytes!("data/tls-ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

pub fn open(gateway: &Gateway) -> Tls {
    open_with(gateway, config(gateway))
}

fn open_with(gateway: &Gateway, config: Arc<ClientConfig>) -> Tls {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(config, name).unwrap();
    let mut tcp = http::tcp(gateway.port);
    connection.complete_io(&mut tcp).unwrap();
    StreamOwned::new(connection, tcp)
}

/// Plain on this side, TLS on the gateway's: gives the gateway a port at which the harness's clients find it.
pub fn unwrapped(gateway: &mut Gateway) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, config) = (gateway.port, config(gateway));
    gateway.port = listener.local_addr().unwrap().port();
    background(move || {
        for plain in listener.incoming().map_while(Result::ok) {
            let config = config.clone();
            background(move || drop(pass(plain, config, port)));
        }
    });
}

/// Runs `work` beside the test until the process ends.
fn background(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().spawn(work).unwrap();
}

fn pass(mut plain: TcpStream, config: Arc<ClientConfig>, port: u16) -> std::io::Result<()> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = StreamOwned::new(
        ClientConnection::new(config, name).unwrap(),
        TcpStream::connect(("127.0.0.1", port))?,
    );
    // Whole, before anything waits for a moment only.
    tls.conn.complete_io(&mut tls.sock)?;
    for stream in [&plain, &tls.sock] {
        stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        stream.set_nodelay(true)?;
    }
    let mut buffer = [0; 16 << 10];
    loop {
        match tls.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => plain.write_all(&buffer[..n])?,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        match plain.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                tls.write_all(&buffer[..n])?;
                tls.flush()?;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

fn get(stream: &mut impl ReadWrite, port: u16, path: &str) -> (u16, String) {
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string());
            }
        }
        match stream.read(&mut buffer).unwrap() {
            0 => panic!("it ended: {text}"),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// Whoever finds the port open finds the certificate too.
#[test]
fn i12_6_a_first_start_makes_the_certificate_before_it_listens() {
    let gateway = Gateway::spawn(&setup(json!({})), gateway::free_port());
    let since = Instant::now();
    while TcpStream::connect(("127.0.0.1", gateway.port)).is_err() {
        assert!(since.elapsed() < DEADLINE);
    }
    assert!(cert_path(&gateway).exists());
    out(&gateway, &["gateway", "call", "health"]);
}

#[test]
fn i12_6_a_certificate_is_made_and_every_command_finds_it() {
    let gateway = start();
    let mut stream = open(&gateway);
    for name in ["gateway-cert.pem", "gateway-key.pem"] {
        let file = gateway.state_dir().join("gateway/tls").join(name);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    for _ in 0..3 {
        let (status, body) = get(&mut stream, gateway.port, "/health");
        assert_eq!((status, body.trim()), (200, r#"{"ok":true,"status":"live"}"#));
    }
    wait_for("the log", || gateway.log().contains("listening on wss://127.0.0.1").then_some(()));
    for line in [
        "health",
        "status",
        "gateway call health",
        "devices list",
        "gateway probe",
        "gateway healthcheck --ready",
    ] {
        out(&gateway, &line.split(' ').collect::<Vec<_>>());
    }
    let status = out(&gateway, &["gateway", "status"]);
    let told = status.lines().find(|line| line.starts_with("TLS: ")).unwrap_or_else(|| panic!("{status}"));
    assert!(told.starts_with("TLS: sha256:") && told.contains(", good until 20"), "{told}");
    assert!(status.contains(&format!("Probe target: wss://127.0.0.1:{}", gateway.port)), "{status}");
    assert!(out(&gateway, &["status"]).contains(&told[5..]), "{told}");
    // By address, with the pin that was told, and with another.
    let (url, pin) = (format!("wss://127.0.0.1:{}", gateway.port), told[5..].split(',').next().unwrap());
    let by = |pin: &str| {
        gateway.cli(&["gateway", "call", "health", "--url", &url, "--token", TOKEN, "--tls-fingerprint", pin])
    };
    assert!(by(pin).status.success(), "{:?}", text(&by(pin)));
    let (_, error) = text(&by(&PIN.replace(' ', "")));
    assert!(error.contains("gateway tls fingerprint mismatch") && error.contains(pin), "{error}");
    out(&gateway, &["gateway", "probe", "--url", &url, "--token", TOKEN, "--tls-fingerprint", pin]);
}

#[test]
fn i12_6_who_speaks_plain_on_a_tls_port_is_told() {
    let gateway = start();
    let port = gateway.port;
    let host = format!("Host: localhost:{port}\r\n");
    let plain = http::raw(port, &format!("GET /health HTTP/1.1\r\n{host}\r\n"));
    assert_eq!((plain.status, plain.body.as_str()), (400, "this port speaks TLS: use https:// or wss://"));
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
    let page = http::raw(port, &format!("GET /a?b=1 HTTP/1.1\r\n{host}Accept: text/html,*/*;q=0.1\r\n\r\n"));
    assert_eq!(
        (page.status, page.header("location")),
        (307, Some(&*format!("https://localhost:{port}/a?b=1")))
    );
    let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = format!("Accept: text/html\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}");
    for (method, more) in [
        ("GET", "Accept: text/html\r\nAuthorization: Bearer x\r\n"),
        ("GET", &upgrade),
        ("POST", "Accept: text/html\r\nContent-Length: 0\r\n"),
    ] {
        let answer = http::raw(port, &format!("{method} / HTTP/1.1\r\n{host}{more}\r\n"));
        assert_eq!((answer.status, answer.header("location")), (400, None), "{method} {more}");
    }
    let url = format!("ws://127.0.0.1:{port}");
    let plainly = gateway.cli(&["gateway", "call", "health", "--url", &url, "--token", "t"]);
    let said = text(&plainly).1;
    assert!(!plainly.status.success() && said.contains("it speaks TLS: use wss://"), "{said}");
    let odd = http::raw(port, "\u{1}\u{2}\r\n\r\n");
    assert_eq!(odd.status, 400, "{odd:?}");
}

/// Answers and events to one client while it sends, and more than a socket holds in both directions at once.
#[test]
fn i12_6_both_directions_go_on_at_once() {
    let model = ModelServer::start(vec![Reply::Stream(many_words())]);
    let mut gateway = Gateway::start(&setup(model.config()));
    let own = gateway.port;
    unwrapped(&mut gateway);
    let mut client = Client::operator(&gateway, 4);
    let run = client.ok("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "k1"}));
    assert_eq!(run["runId"], "k1");
    let big = "x".repeat(200_000);
    let since = Instant::now();
    for n in 0..20 {
        let file = json!({"agentId": "main", "name": "TOOLS.md", "content": format!("{n}{big}")});
        client.ok("agents.files.set", file);
        let got = client.ok("agents.files.get", json!({"agentId": "main", "name": "TOOLS.md"}));
        assert!(got["file"]["content"].as_str().unwrap().len() > 200_000);
    }
    // The relay of this test takes its time; what would show a standstill is far above that.
    assert!(since.elapsed() < Duration::from_secs(60), "{:?}", since.elapsed());
    client.event_where("chat", |payload| payload["state"] == "final");
    gateway.port = own;
    let direct = open(&gateway);
    // Nothing is held back: small questions are answered at once, also by hundreds behind each other.
    let request = tungstenite::client::IntoClientRequest::into_client_request("wss://localhost/").unwrap();
    let mut ws: WebSocket<Tls> = tungstenite::client(request, direct).unwrap().0;
    let connect = json!({"type": "req", "id": "c", "method": "connect", "params": params(4)});
    ws.send(Message::text(connect.to_string())).unwrap();
    while !ws.read().unwrap().into_text().unwrap().contains("\"id\":\"c\"") {}
    let mut slowest = Duration::ZERO;
    for n in 0..300 {
        let asked = Instant::now();
        let ask = json!({"type": "req", "id": n.to_string(), "method": "health", "params": {}});
        ws.send(Message::text(ask.to_string())).unwrap();
        while !ws.read().unwrap().into_text().unwrap().contains(&format!("\"id\":\"{n}\"")) {}
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

fn many_words() -> Vec<Step> {
    (0..200).map(|n| Step::Text(format!("word {n} "))).chain([Step::Done]).collect()
}

#[test]
fn i12_6_a_renewed_certificate_is_shown_without_a_restart() {
    let gateway = start();
    let mut old = open(&gateway);
    let shown = |stream: &Tls| stream.conn.peer_certificates().unwrap()[0].as_ref().to_vec();
    let first = shown(&old);
    // Half of a renewal, with the key of another certificate and later the other way round: commands still find it.
    let key = gateway.state_dir().join("gateway/tls/gateway-key.pem");
    let own_config = config(&gateway);
    let old_key = std::fs::read(&key).unwrap();
    std::fs::write(&key, include_bytes!("data/tls-key.pem")).unwrap();
    assert_eq!(shown(&open(&gateway)), first);
    wait_for("the log", || gateway.log().contains("is not the key of").then_some(()));
    assert_eq!(shown(&open(&gateway)), first);
    assert_eq!(gateway.log().matches("is not the key of").count(), 1, "told once");
    out(&gateway, &["gateway", "call", "health"]);
    std::fs::write(&key, old_key).unwrap();
    std::fs::write(cert_path(&gateway), include_bytes!("data/tls-cert.pem")).unwrap();
    assert_eq!(shown(&open_with(&gateway, own_config.clone())), first);
    out(&gateway, &["gateway", "call", "health"]);
    let told = gateway.state_dir().join("gateway/tls/shown");
    assert_eq!(std::fs::metadata(&told).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&key, include_bytes!("data/tls-key.pem")).unwrap();
    // The first to come after it: the gateway has not said yet that it shows another one.
    out(&gateway, &["gateway", "call", "health"]);
    assert!(std::fs::read_to_string(&told).unwrap().starts_with("sha256:d000b6dd"));
    let second = shown(&open(&gateway));
    assert_ne!(second, first);
    wait_for("the log", || gateway.log().contains("shows the certificate sha256:d000b6dd").then_some(()));
    // Who is here stays.
    assert_eq!(get(&mut old, gateway.port, "/health").0, 200);
    out(&gateway, &["gateway", "call", "health"]);
    std::fs::write(cert_path(&gateway), "no certificate").unwrap();
    let doctor = gateway.cli(&["doctor", "--only", "gateway"]);
    let (stdout, _) = text(&doctor);
    assert!(stdout.contains("gateway.tls.certPath"), "{stdout}");
}

#[test]
fn i12_6_files_that_cannot_be_used_stop_the_start_with_one_sentence() {
    let missing = json!({"gateway": {"tls": {"autoGenerate": false}}});
    let more = json!({"gateway": {"tls": {"caPath": "~/.openclaw/more.pem"}}});
    for (config, files, want) in [
        (missing, vec![], "cannot be read"),
        (json!({}), vec![("gateway/tls/gateway-cert.pem", "x")], "holds no certificate"),
        (
            json!({}),
            vec![("gateway/tls/gateway-cert.pem", include_str!("data/tls-cert.pem"))],
            "gateway-key.pem cannot be read",
        ),
        (
            json!({}),
            vec![
                ("gateway/tls/gateway-cert.pem", include_str!("data/tls-ca.pem")),
                ("gateway/tls/gateway-key.pem", include_str!("data/tls-key.pem")),
            ],
            "is not the key of",
        ),
        (more, vec![("more.pem", include_str!("data/tls-key.pem"))], "more.pem holds no certificate"),
    ] {
        let mut setup = setup(config);
        for (path, text) in files {
            setup = setup.file(path, text);
        }
        let mut gateway = Gateway::spawn(&setup, gateway::free_port());
        let status = gateway.wait(DEADLINE);
        let error = gateway.stderr();
        assert_eq!(status.code(), Some(78), "{error}");
        assert!(error.contains(want) && error.contains("Fix: "), "{want}: {error}");
    }
}

/// As a crash leaves it that came between the two files, or an owner who brings only his key.
#[test]
fn i12_6_a_key_without_its_certificate_gets_one_or_is_explained() {
    let key = "gateway/tls/gateway-key.pem";
    let gateway = Gateway::start(&setup(json!({})).file(key, include_str!("data/tls-key.pem")));
    wait_for("the certificate", || gateway.state_dir().join("gateway/tls/shown").exists().then_some(()));
    out(&gateway, &["gateway", "call", "health"]);
    let kept = std::fs::read_to_string(gateway.state_dir().join(key)).unwrap();
    assert_eq!(kept, include_str!("data/tls-key.pem"), "the key is the owner's");
    let odd = setup(json!({})).file(key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let mut gateway = Gateway::spawn(&odd, gateway::free_port());
    assert_eq!(gateway.wait(DEADLINE).code(), Some(78));
    let error = gateway.stderr();
    for part in ["there is no certificate", "gateway-cert.pem", "Fix: ", "move the key away"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn i12_6_slow_and_hostile_handshakes_are_strangers_under_their_deadline() {
    let limits = json!({"gateway": {"limits": {"handshakeMs": 1500}}});
    let gateway = Gateway::start(&setup(limits));
    // The head of a record that never ends; one that ends in nonsense; bytes one by one.
    let since = Instant::now();
    let mut silent: Vec<TcpStream> = (0..60).map(|_| http::tcp(gateway.port)).collect();
    silent.iter_mut().for_each(|stream| stream.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap());
    let mut stream = open(&gateway);
    assert_eq!(get(&mut stream, gateway.port, "/health").0, 200);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    for mut stream in silent {
        // An end, or an error, but never silence.
        let _ = stream.read(&mut [0; 64]);
    }
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    let mut odd = http::tcp(gateway.port);
    odd.write_all(&[0x16, 3, 1, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff]).unwrap();
    let mut told = Vec::new();
    let _ = odd.read_to_end(&mut told);
    assert!(matches!(told.first(), None | Some(0x15)), "an end, or an alert before it: {told:?}");
    // A head that trickles in behind the handshake has the same deadline.
    let (mut slow, since) = (open(&gateway), Instant::now());
    slow.write_all(b"GET /health HTTP/1.1\r\nX: ").unwrap();
    let mut answer = String::new();
    let _ = slow.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408 ") && since.elapsed() < Duration::from_secs(5), "{answer}");
    // All of their threads are gone.
    wait_for("the threads to end", || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
        let names = threads.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        let left = names.filter(|name| name.starts_with("gw-tls") || name.starts_with("gw-conn")).count();
        (left <= 2).then_some(())
    });
}

#[test]
fn i12_6_a_restart_and_a_stop_say_goodbye_under_tls() {
    let mut gateway = Gateway::start(&setup(json!({"commands": {"restart": true}})));
    let own = gateway.port;
    unwrapped(&mut gateway);
    let mut client = Client::operator(&gateway, 4);
    gateway.signal(rustix::process::Signal::USR1);
    assert_eq!(client.until_closed().0, 1012);
    let mut client = wait_for("the next generation", || {
        let mut client = Client::upgrade(http::tcp(gateway.port), gateway.port, "/", &[]).ok()?.0;
        client.take_challenge();
        client.connect(params(4)).ok()?;
        Some(client)
    });
    gateway.port = own;
    gateway.signal(rustix::process::Signal::TERM);
    assert_eq!(client.until_closed().0, 1012);
    assert_eq!(gateway.wait(DEADLINE).code(), Some(0));
}

/// Who does not read is closed as on a plain port, and nobody else notices.
#[test]
fn i12_6_a_slow_reader_costs_only_itself() {
    let config = json!({"gateway": {"limits": {"stallMs": 1500}}});
    let gateway = Gateway::start(&setup(config));
    let mut deaf = open(&gateway);
    let head = format!("Host: localhost:{}\r\n\r\n", gateway.port);
    let many = format!("GET /nothing-of-the-kind HTTP/1.1\r\n{head}").repeat(200);
    // It asks and asks and never reads, until its place is taken.
    let since = Instant::now();
    deaf.sock.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while since.elapsed() < Duration::from_secs(12) && deaf.write_all(many.as_bytes()).is_ok() {}
    let mut other = open(&gateway);
    assert_eq!(get(&mut other, gateway.port, "/health").0, 200);
    assert!(gateway.resident_kib() < 64 << 10, "{}", gateway.resident_kib());
}
