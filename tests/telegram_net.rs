//! R-07e: the ways to the Bot API that networks allow: TLS of one's own authority, a proxy, one family of addresses dead.
//! Names that mean what a test wants are in `telegram_names`.
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Fault};
use super::harness::*;
use super::remote::{tls_relay, tls_relay_as};
use super::telegram::{ann, said};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls-ca.pem");

/// A gateway whose bot is reached at this address.
pub fn setup(server: &ModelServer, root: &str, more: Value) -> Setup {
    let mut config = server.config();
    let bot = json!({"botToken": BOT_TOKEN, "apiRoot": root, "dmPolicy": "allowlist", "allowFrom": ["1001"]});
    merge(&mut config, &json!({"channels": {"telegram": bot}}));
    merge(&mut config, &more);
    Setup::config(config)
}

#[test]
fn r_07e_tls_is_spoken_with_who_is_vouched_for_and_with_nobody_else() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let root = format!("https://localhost:{}", tls_relay(telegram.port));
    let plain = setup(&server, &root, json!({}));
    let gateway = Gateway::start(&plain);
    wait_for("the log", || gateway.log().contains("UnknownIssuer").then_some(()));
    assert!(telegram.world().calls.is_empty(), "nobody is told the token");
    drop(gateway);
    for (n, variable) in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"].into_iter().enumerate() {
        let _gateway = Gateway::start(&plain.clone().env(variable, AUTHORITY));
        telegram.says(1001, 1001, "hi");
        assert_eq!(said(&telegram, 1001, n + 1).len(), n + 1, "{variable}");
    }
    // What is written in the state directory's .env counts too, and a mistake there is told.
    let gateway = Gateway::start(&plain.clone().file(".env", "NODE_EXTRA_CA_CERTS=/no/such/file.pem\n"));
    wait_for("the log", || {
        let log = gateway.log();
        log.lines().any(|line| line.contains("/no/such/file.pem") && line.contains("PEM")).then_some(())
    });
    let name = format!("https://127.0.0.2:{}", root.rsplit_once(':').unwrap().1);
    let gateway = Gateway::start(&setup(&server, &name, json!({})).env("SSL_CERT_FILE", AUTHORITY));
    wait_for("the other name to be refused", || {
        let log = gateway.log();
        (log.contains("not valid for") || log.contains("NotValidForName") || log.contains("127.0.0.2"))
            .then_some(())
    });
}

/// As `openssl req -x509` makes it, CA:TRUE: good where it is named itself, for its own name, and nowhere else.
#[test]
fn r_07e_a_self_signed_certificate_of_an_authority_is_taken_where_the_file_names_it() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let (own, key) = (include_bytes!("data/tls-self.pem"), include_bytes!("data/tls-self-key.pem"));
    let port = tls_relay_as(telegram.port, own, key);
    let at = |host: &str, file: &str| {
        setup(&server, &format!("https://{host}:{port}"), json!({})).env("NODE_EXTRA_CA_CERTS", file)
    };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls-self.pem");
    for (setup, why) in [(at("localhost", AUTHORITY), "CA:TRUE"), (at("127.0.0.1", file), "not valid for")] {
        let gateway = Gateway::start(&setup);
        let log = wait_for(why, || Some(gateway.log()).filter(|log| log.contains(why)));
        assert!(!log.contains("CaUsedAsEndEntity"), "{log}");
    }
    assert!(telegram.world().calls.is_empty(), "nobody is told the token");
    let _gateway = Gateway::start(&at("localhost", file));
    telegram.says(1001, 1001, "hi");
    assert_eq!(said(&telegram, 1001, 1).len(), 1);
}

/// A proxy that connects for whoever says `ann:pa55word`, whatever host is named, to the one server it knows; what was asked.
pub fn proxy(to: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    let accept = move || {
        for client in listener.incoming().flatten() {
            let heard = heard.clone();
            std::thread::Builder::new().spawn(move || drop(tunnel(client, to, &heard))).unwrap();
        }
    };
    std::thread::Builder::new().spawn(accept).unwrap();
    (port, asked)
}

fn tunnel(mut client: TcpStream, to: u16, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    heard.lock().unwrap().push(head.clone());
    if !head.to_ascii_lowercase().contains("proxy-authorization: basic yw5uonbhntv3b3jk") {
        return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    }
    let server = TcpStream::connect(("127.0.0.1", to))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    relay(client, server)
}

/// Carries both ways until one side ends.
pub fn relay(client: TcpStream, server: TcpStream) -> std::io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::Builder::new().spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    })?;
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = up.join();
    Ok(())
}

#[test]
fn r_07e_sec_25_all_goes_through_the_proxy_which_alone_knows_the_host() {
    for scheme in ["http", "https"] {
        let telegram = ann();
        let target = if scheme == "https" { tls_relay(telegram.port) } else { telegram.port };
        let (port, asked) = proxy(target);
        let server = ModelServer::start(vec![texts(&["ok"])]);
        // The certificate is for this name; without TLS the name exists nowhere but at the proxy.
        let host = if scheme == "https" { "localhost:9" } else { "bot-api.invalid:81" };
        let root = format!("{scheme}://{host}");
        let with = |user: &str| json!({"channels": {"telegram": {"proxy": format!("http://{user}@127.0.0.1:{port}")}}});
        let start = |user| Gateway::start(&setup(&server, &root, with(user)).env("SSL_CERT_FILE", AUTHORITY));
        let mut gateway = start("ann:pa55word");
        let file = telegram.world().add_file("note.txt", b"forty-two");
        telegram.sends(
            1001,
            1001,
            json!({"caption": "read", "document": {"file_id": file, "file_unique_id": "u",
            "file_name": "note.txt", "mime_type": "text/plain", "file_size": 9}}),
        );
        said(&telegram, 1001, 1);
        assert!(server.requests(1)[0]["body"].to_string().contains("forty-two"), "{scheme}");
        let asked = asked.lock().unwrap().clone();
        let first = format!("CONNECT {host} HTTP/1.1\r\n");
        assert!(asked.len() >= 3 && asked.iter().all(|head| head.starts_with(&first)), "{asked:?}");
        assert!(asked.iter().all(|head| !head.contains(BOT_TOKEN)), "the proxy learns no token");
        // It may hold a password, which nobody is shown; one that refuses is told.
        let (_, log) = (gateway.stop(), gateway.log() + &gateway.stderr());
        assert!(!log.contains("pa55word") && !log.contains("CANARY"), "{log}");
        let gateway = start("ann:wr0ng");
        wait_for("the log", || gateway.log().contains("getMe").then_some(()));
        assert!(!gateway.log().contains("wr0ng"), "{}", gateway.log());
        let mut client = Client::operator(&gateway, 4);
        let status = client.ok("channels.status", json!({})).to_string()
            + &client.ok("config.get", json!({})).to_string();
        assert!(!status.contains("wr0ng"), "{status}");
    }
}

#[test]
fn r_07c_a_connection_that_dies_silently_is_replaced_by_each_kind_of_call() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    // A relay that goes deaf in both directions, as where a cable is pulled: nothing is closed.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let is_cut = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (cut, target) = (is_cut.clone(), telegram.port);
    let accept = move || {
        for client in listener.incoming().flatten() {
            let cut = cut.clone();
            let carry = move || drop(silenced(client, target, &cut));
            std::thread::Builder::new().spawn(carry).unwrap();
        }
    };
    std::thread::Builder::new().spawn(accept).unwrap();
    let short = json!({"channels": {"telegram": {"timeoutSeconds": 1}}});
    let _gateway = Gateway::start(&setup(&server, &root, short));
    telegram.wait_calls("getUpdates", 1);
    // The connections of now are dead; new ones are not.
    is_cut.store(true, std::sync::atomic::Ordering::Release);
    std::thread::sleep(Duration::from_millis(1500));
    is_cut.store(false, std::sync::atomic::Ordering::Release);
    telegram.says(1001, 1001, "hi");
    wait_within(Duration::from_secs(45), "an answer", || (telegram.texts(1001).len() == 1).then_some(()));
}

/// Carries both ways; while `cut` says so everything it carries falls silent for ever.
fn silenced(client: TcpStream, target: u16, cut: &std::sync::atomic::AtomicBool) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", target))?;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    }
    let (mut buffer, mut is_dead) = (vec![0; 64 << 10], false);
    loop {
        is_dead |= cut.load(std::sync::atomic::Ordering::Acquire);
        for (mut from, mut to) in [(&client, &server), (&server, &client)] {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) if !is_dead => to.write_all(&buffer[..n])?,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
    }
}

#[test]
fn sec_25_a_server_that_echoes_the_token_does_not_bring_it_into_the_log() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let echo = "no such thing: /bot100200:AAtestCANARYsecretCANARYtest0123456789ab/getUpdates";
    telegram.fault("getUpdates", Fault::Refuse(400, echo));
    telegram.fault("getMe", Fault::Refuse(500, echo));
    let gateway = Gateway::start(&setup(&server, &telegram.root(), json!({})));
    wait_for("the log", || (gateway.log().matches("no such thing").count() >= 2).then_some(()));
    let mut client = Client::operator(&gateway, 4);
    let told = client.ok("channels.status", json!({})).to_string()
        + &gateway.log()
        + &gateway.stderr()
        + &gateway.stdout();
    assert!(!told.contains("CANARY"), "{told}");
}
