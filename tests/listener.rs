//! The listener as strangers meet it: origins, caps, slow heads, paths, health routes, refused starts.
use crate::harness::*;
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn sec_02_foreign_origins_are_refused_before_the_upgrade() {
    let listed = json!({"gateway": {"controlUi": {"allowedOrigins": ["https://ui.example.com"]}}});
    let gateway = Gateway::start(&Setup::config(listed));
    let port = gateway.port;
    let status = |origin: &str| match Client::upgrade(http::tcp(port), port, "/", &[("Origin", origin)]) {
        Ok(_) => 101,
        Err(status) => status.unwrap_or(0),
    };
    for origin in [
        "null",
        "file://",
        "https://evil.example",
        "http://localhost.evil",
        &format!("http://127.0.0.1:{}", port + 1),
        "http://127.0.0.1",
        &format!("http://127.0.0.1:{port}."),
        &format!("http://127.0.0.1.:{port}"),
        &format!("http://user@evil.example:{port}"),
        "https://ui.example.com.evil",
        "http://ui.example.com",
        "https://ui.example.com:8443",
        "",
    ] {
        assert_eq!(status(origin), 403, "Origin {origin:?}");
    }
    for origin in [format!("http://127.0.0.1:{port}"), "https://ui.example.com".into()] {
        assert_eq!(status(&origin), 101, "Origin {origin:?}");
    }
}

#[test]
fn sec_18_silent_sockets_keep_nobody_out() {
    let gateway = Gateway::plain();
    let mut held: Vec<_> = (0..200).map(|_| http::tcp(gateway.port)).collect();
    // Some send half a head, some upgrade and then stay silent.
    for stream in held.iter_mut().skip(150) {
        // A refused one is as good as a silent one here.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: x");
    }
    let start = Instant::now();
    let mut client = Client::operator(&gateway, 4);
    client.ok("health", json!({}));
    assert!(start.elapsed() < Duration::from_secs(5), "an honest client waited {:?}", start.elapsed());
}

#[test]
fn sec_18_sockets_that_upgrade_and_stop_keep_nobody_out() {
    let gateway = Gateway::plain();
    let mut early = Client::operator(&gateway, 3);
    let _held: Vec<_> = (0..60)
        .map(|_| {
            let mut stream = http::tcp(gateway.port);
            let head = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", gateway.port);
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    Client::operator(&gateway, 4).ok("health", json!({}));
    early.ok("health", json!({}));
    assert!(start.elapsed() < Duration::from_secs(5), "an honest client waited {:?}", start.elapsed());
}

#[test]
fn sec_18_a_burst_of_honest_clients_all_get_in() {
    // Honest is who goes on at once; on a busy machine 200 threads of one process do so only with some patience.
    let patience = json!({"gateway": {"limits": {"preAuthSilentMs": 16_000}}});
    let gateway = Gateway::start(&Setup::config(patience));
    std::thread::scope(|s| {
        for _ in 0..200 {
            s.spawn(|| Client::operator(&gateway, 3).ok("health", json!({})));
        }
    });
}

#[test]
fn sec_18_a_head_that_drips_is_cut_off() {
    let gateway = Gateway::start(&Setup::config(json!({"gateway": {"limits": {"handshakeMs": 1500}}})));
    let mut stream = http::tcp(gateway.port);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let start = Instant::now();
    let mut buffer = [0; 256];
    loop {
        let sent = stream.write_all(b"x").is_ok();
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock && sent => {}
            Err(_) => break,
        }
        assert!(start.elapsed() < Duration::from_secs(13), "a dripping head is still served");
    }
}

#[test]
fn heads_have_a_limit() {
    let gateway = Gateway::plain();
    let mut stream = http::tcp(gateway.port);
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(200_000));
    // The gateway may hang up before it has read all of it.
    let _ = stream.write_all(long.as_bytes());
    if let Some(answer) = http::read_answer(&mut stream) {
        assert!([400, 413, 431].contains(&answer.status), "{}", answer.head);
    }
    assert_eq!(http::request(gateway.port, "GET", "/health").status, 200, "others are served");
}

#[test]
fn r_24a_health_routes_answer_without_detail() {
    let gateway = Gateway::plain();
    for path in ["/health", "/healthz", "/ready", "/readyz", "/startup", "/startupz"] {
        let get = http::request(gateway.port, "GET", path);
        assert_eq!(get.status, 200, "GET {path}");
        let body: Value =
            serde_json::from_str(&get.body).unwrap_or_else(|e| panic!("GET {path}: {e} in {:?}", get.body));
        assert!(body.is_object(), "{path}");
        assert!(
            !get.body.contains(gateway.dir.to_str().unwrap()) && get.body.len() < 300,
            "detail in {}",
            get.body
        );
        let head = http::request(gateway.port, "HEAD", path);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "HEAD {path}");
        let post = http::request(gateway.port, "POST", path);
        assert_eq!(post.status, 405, "POST {path}");
    }
    let live: Value = serde_json::from_str(&http::request(gateway.port, "GET", "/healthz").body).unwrap();
    assert_eq!(live["ok"], true);
    let query = http::request(gateway.port, "GET", "/healthz?verbose=1");
    assert_eq!(query.status, 200);
}

#[test]
fn everything_else_is_a_json_404() {
    let gateway = Gateway::plain();
    for path in ["/nope", "/hooks/wake", "/assets/x.js", "/a/1/app.js"] {
        let answer = http::request(gateway.port, "GET", path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.header("content-type").is_some_and(|t| t.starts_with("application/json")),
            "{}",
            answer.head
        );
        assert!(
            serde_json::from_str::<Value>(&answer.body).unwrap().get("error").is_some(),
            "{}",
            answer.body
        );
        assert!(answer.header("access-control-allow-origin").is_none());
    }
}

#[test]
fn sec_28_odd_spellings_of_a_path_are_never_200() {
    let gateway = Gateway::plain();
    for path in [
        "/%2e%2e/health",
        "/x/../health",
        "/./health",
        "//health",
        "/health%00",
        "/health;x",
        "/health%2f",
        "/%2fhealth",
        "/health%5c",
        "/HEALTH",
        "/health/",
        "/health%20",
        "/..%2fhealth",
        "/health%",
        "/health%zz",
        "health",
        "*",
        "/health\\..\\x",
    ] {
        let answer = http::request(gateway.port, "GET", path);
        assert!([400, 404].contains(&answer.status), "{path:?} gave {}", answer.head);
    }
}

#[test]
fn bodies_and_framing_that_disagree_are_refused() {
    let gateway = Gateway::plain();
    let both =
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(http::raw(gateway.port, both).status, 400);
    let two = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd";
    assert_eq!(http::raw(gateway.port, two).status, 400);
    assert_eq!(http::raw(gateway.port, "\u{1}\u{2}\u{3}\r\n\r\n").status, 400);
}

#[test]
fn keep_alive_serves_several_requests_on_one_connection() {
    let gateway = Gateway::plain();
    let mut stream = http::tcp(gateway.port);
    for _ in 0..3 {
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
        assert_eq!(http::read_answer(&mut stream).unwrap().status, 200);
    }
}

#[test]
fn sec_24_client_strings_reach_the_log_escaped_and_short() {
    let gateway = Gateway::start(&Setup::default().arg("--verbose"));
    let agent = format!("evil {}", "A".repeat(4000));
    let mut client = Client::open_with(&gateway, &[("User-Agent", &agent)]);
    let mut params = params(4);
    params["client"]["displayName"] = json!("x\u{1b}[2J\r\nERROR forged line \u{202e} \" , } {");
    params["client"]["version"] = json!("9".repeat(5000));
    params["auth"]["token"] = json!("wrong");
    client.refused(params);
    let mut client = Client::operator(&gateway, 4);
    client.call("no\u{1b}[31m\nmethod", json!({})).unwrap_err();
    let tail = client.ok("logs.tail", json!({})).to_string();
    gateway.signal(rustix::process::Signal::TERM);
    client.until_closed();
    for (name, text) in [
        ("log", gateway.log()),
        ("stdout", gateway.stdout()),
        ("stderr", gateway.stderr()),
        ("logs.tail", tail),
    ] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "raw control characters in {name}");
        assert!(!text.lines().any(|l| l.starts_with("ERROR forged")), "a forged line in {name}");
        assert!(
            !text.contains(&"A".repeat(300)) && !text.contains(&"9".repeat(300)),
            "unbounded text in {name}"
        );
    }
}

#[test]
fn r_01b_a_taken_port_ends_the_start_at_once() {
    let port = gateway::free_port();
    let _owner = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let start = Instant::now();
    let mut gateway = Gateway::spawn(&Setup::default(), port);
    let status = gateway.wait(Duration::from_secs(5));
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
    assert_eq!(status.code(), Some(78));
    let text = gateway.stderr();
    assert!(text.contains(&port.to_string()), "the port is named: {text}");
    assert!(text.contains(&std::process::id().to_string()), "the owner is named: {text}");
}

#[test]
fn r_26c_a_second_gateway_on_the_same_state_is_refused() {
    let first = Gateway::plain();
    let port = gateway::free_port().to_string();
    let start = Instant::now();
    let second = first.cli_env(&["gateway", "--port", &port], &[]);
    assert_eq!(second.status.code(), Some(78), "{second:?}");
    assert!(start.elapsed() < Duration::from_secs(8), "took {:?}", start.elapsed());
    assert!(
        String::from_utf8_lossy(&second.stderr).contains(&first.pid().to_string()),
        "the owner is named: {second:?}"
    );
}

#[test]
fn r_16a_no_secret_no_start() {
    let none = json!({"gateway": {"mode": "local"}}).to_string();
    for args in [&[][..], &["--bind", "lan"], &["--bind", "auto"], &["--auth", "password"]] {
        let mut setup = Setup::text(&none);
        setup.args = args.iter().map(|a| a.to_string()).collect();
        let mut gateway = Gateway::spawn(&setup, gateway::free_port());
        assert_eq!(gateway.wait(Duration::from_secs(5)).code(), Some(78), "{args:?}: {}", gateway.stderr());
        let text = gateway.stderr();
        assert!(
            text.contains("OPENCLAW_GATEWAY_") || text.contains("gateway.auth."),
            "names the fix: {text}"
        );
    }
}

#[test]
fn r_16e_a_weak_token_is_refused_beyond_loopback() {
    let mut gateway = Gateway::spawn(
        &Setup::default().arg("--bind").arg("lan").arg("--token").arg("short"),
        gateway::free_port(),
    );
    assert_eq!(gateway.wait(Duration::from_secs(5)).code(), Some(78), "{}", gateway.stderr());
}

#[test]
fn loopback_is_both_families_and_lan_is_all() {
    let gateway = Gateway::plain();
    if TcpListener::bind("[::1]:0").is_ok() {
        std::net::TcpStream::connect(("::1", gateway.port)).expect("listens on ::1 too");
    }
    let lan = Gateway::start(&Setup::default().arg("--bind").arg("lan"));
    let tcp = std::net::TcpStream::connect(("127.0.0.3", lan.port));
    tcp.expect("lan listens on every address");
    assert!(std::net::TcpStream::connect(("127.0.0.3", gateway.port)).is_err(), "loopback is 127.0.0.1 only");
}

#[test]
fn a_start_without_config_says_what_to_do() {
    let dir = gateway::new_dir();
    let port = gateway::free_port().to_string();
    let output = gateway::command(&dir).args(["gateway", "--port", &port]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(0));
    assert!(text.contains("openclaw setup") && text.contains("--allow-unconfigured"), "{text}");
    std::fs::remove_dir_all(dir).unwrap();
}
