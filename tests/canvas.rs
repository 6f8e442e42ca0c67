//! Issue 12, sentence 3: the canvas on the gateway's port and on its own, who may see it, and what of a folder is shown.
use crate::harness::*;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;

const PAGE: &str = "<html><body><h1>Hello</h1></BODY></html>";

fn setup(over: Value) -> Setup {
    let mut config = json!({"canvasHost": {"enabled": true, "port": gateway::free_port()}});
    merge(&mut config, &over);
    Setup::config(config)
        .env("OPENCLAW_SKIP_CANVAS_HOST", "0")
        .file("workspace/canvas/index.html", PAGE)
        .file("workspace/canvas/sub/a b.txt", "0123456789")
        .file("workspace/canvas/.hidden", "SECRET")
        .file("workspace/SECRET.md", "SECRET")
}

fn canvas_port(gateway: &Gateway) -> u16 {
    let config: Value = serde_json::from_slice(&std::fs::read(gateway.config_path()).unwrap()).unwrap();
    u16::try_from(config["canvasHost"]["port"].as_u64().unwrap()).unwrap()
}

fn get(port: u16, path: &str, more: &str) -> http::Answer {
    http::raw(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{more}\r\n"),
    )
}

fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

/// The path of a connection's capability.
fn capability(client: &mut Client) -> String {
    let told = client.ok("plugin.surface.refresh", json!({"surface": "canvas"}));
    let url = told["pluginSurfaceUrls"]["canvas"].as_str().unwrap().to_string();
    assert!(told["expiresAtMs"].as_u64().unwrap() > 0);
    url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap()
}

#[test]
fn i12_3_pages_are_served_on_both_ports() {
    let gateway = Gateway::start(&setup(json!({})));
    for port in [gateway.port, canvas_port(&gateway)] {
        let page = get(port, "/__openclaw__/canvas/", &bearer());
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, Some("text/html; charset=utf-8")),
            "{page:?}"
        );
        assert!(page.body.starts_with("<html><body><h1>Hello</h1><script>"), "{}", page.body);
        assert!(
            page.body.ends_with("</script></BODY></html>") && page.body.contains("openclawSendUserAction")
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("sandbox allow-scripts") && !policy.contains("allow-same-origin"),
            "{policy}"
        );
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        for path in ["/__openclaw__/canvas", "/__openclaw__/canvas/sub"] {
            let answer = get(port, &format!("{path}?a=b"), &bearer());
            let want = format!("{}/?a=b", path.rsplit('/').next().unwrap());
            match path.ends_with("sub") {
                // It has no page of its own.
                true => assert_eq!(answer.status, 404),
                false => assert_eq!((answer.status, answer.header("location")), (302, Some(want.as_str()))),
            }
        }
        let missing = get(port, "/__openclaw__/canvas/sub/", &bearer());
        assert!(missing.status == 404 && missing.body.contains("index.html"), "{missing:?}");
        let surfaces = get(port, "/__openclaw__/a2ui/", &bearer());
        assert!(surfaces.status == 200 && surfaces.body.contains("openclaw-a2ui-host"), "{surfaces:?}");
        let script = get(port, "/__openclaw__/a2ui/a2ui.bundle.js", &bearer());
        assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(get(port, "/__openclaw__/a2ui/none.js", &bearer()).status, 404);
        assert_eq!(get(port, "/__openclaw__/else", &bearer()).status, 404);
    }
    let own = canvas_port(&gateway);
    assert_eq!(get(own, "/health", "").status, 404, "the canvas's port serves the canvas only");
    let upgrade = Client::upgrade(http::tcp(own), own, "/", &[]).map(|_| ()).unwrap_err();
    assert_eq!(upgrade, Some(404), "and no clients");
    let wrong = http::raw(
        own,
        &format!(
            "POST /__openclaw__/canvas/ HTTP/1.1\r\nHost: 127.0.0.1:{own}\r\nContent-Length: 0\r\nConnection: close\r\n{}\r\n",
            bearer()
        ),
    );
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn i12_3_parts_of_files_and_those_known_already() {
    let gateway = Gateway::start(&setup(json!({})));
    let path = "/__openclaw__/canvas/sub/a%20b.txt";
    let ask = |more: &str| get(gateway.port, path, &format!("{}{more}", bearer()));
    let whole = ask("");
    assert_eq!((whole.status, whole.body.as_str()), (200, "0123456789"));
    assert_eq!((whole.header("accept-ranges"), whole.header("content-length")), (Some("bytes"), Some("10")));
    let tag = whole.header("etag").unwrap().to_string();
    let known = ask(&format!("If-None-Match: \"x\", W/{tag}\r\n"));
    assert_eq!((known.status, known.body.as_str()), (304, ""));
    let part = ask("Range: bytes=2-4\r\n");
    assert_eq!(
        (part.status, part.body.as_str(), part.header("content-range")),
        (206, "234", Some("bytes 2-4/10"))
    );
    assert_eq!(ask("Range: bytes=-3\r\n").body, "789");
    assert_eq!(ask(&format!("Range: bytes=8-\r\nIf-Range: {tag}\r\n")).body, "89");
    assert_eq!(ask("Range: bytes=8-\r\nIf-Range: \"old\"\r\n").status, 200);
    let beyond = ask("Range: bytes=10-\r\n");
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    std::fs::write(gateway.state_dir().join("workspace/canvas/sub/a b.txt"), "other").unwrap();
    assert_eq!(ask(&format!("If-None-Match: {tag}\r\n")).body, "other");
    // What is put into a page is another with another version or setting, and so is the page.
    let page = get(gateway.port, "/__openclaw__/canvas/", &bearer());
    let tag = page.header("etag").unwrap_or_default().to_string();
    assert!(page.status == 200 && tag.ends_with(&format!("-{}-1\"", env!("CARGO_PKG_VERSION"))), "{tag}");
    assert_eq!(page.header("accept-ranges"), Some("none"));
}

#[test]
fn i12_3_off_by_config_and_by_environment_and_a_taken_port_stops_nothing() {
    let off = Gateway::start(&setup(json!({"canvasHost": {"enabled": false}})));
    let skipped = Gateway::start(&setup(json!({})).env("OPENCLAW_SKIP_CANVAS_HOST", "1"));
    for gateway in [&off, &skipped] {
        let answer = get(gateway.port, "/__openclaw__/canvas/", &bearer());
        assert!(answer.status == 404 && answer.body.contains("canvasHost.enabled"), "{answer:?}");
        assert!(std::net::TcpStream::connect(("127.0.0.1", canvas_port(gateway))).is_err());
        let refused = Client::operator(gateway, 4).fails("plugin.surface.refresh", json!({}));
        assert!(refused["message"].as_str().unwrap().contains("canvasHost.enabled"), "{refused}");
    }
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let gateway = Gateway::start(&setup(json!({"canvasHost": {"port": port}})));
    assert_eq!(get(gateway.port, "/__openclaw__/canvas/", &bearer()).status, 200);
    wait_for("a line about it", || {
        gateway.log().contains(&format!("port {port} is already in use")).then_some(())
    });
    drop(held);
    // Another folder, and the port that is free now, from the next generation on.
    std::fs::create_dir_all(gateway.dir.join("pages")).unwrap();
    std::fs::write(gateway.dir.join("pages/index.html"), "elsewhere").unwrap();
    let mut config: Value = serde_json::from_slice(&std::fs::read(gateway.config_path()).unwrap()).unwrap();
    config["canvasHost"]["root"] = json!(gateway.dir.join("pages"));
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    wait_for("the other folder on the canvas's port", || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        let request = format!(
            "GET /__openclaw__/canvas/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{}\r\n",
            bearer()
        );
        stream.write_all(request.as_bytes()).ok()?;
        http::read_answer(&mut stream)?.body.starts_with("elsewhere").then_some(())
    });
}

// SEC-15: whoever shares an address with a client gets nothing; a capability is one connection's and ends with it.
#[test]
fn sec_15_only_the_secret_or_a_capability_opens_the_canvas() {
    let gateway = Gateway::start(&setup(json!({})));
    let (mut client, _) = Client::with(&gateway, params(4));
    let mut other = Client::operator(&gateway, 4);
    let (own, others) = (capability(&mut client), capability(&mut other));
    assert_ne!(own, others);
    assert_eq!(capability(&mut client), own);
    let paths = [
        "/__openclaw__/canvas/",
        "/__openclaw__/a2ui/",
        "/__openclaw__/ws",
        "/__openclaw__/canvas/sub/a%20b.txt",
    ];
    for port in [gateway.port, canvas_port(&gateway)] {
        for path in paths {
            let last = if own.ends_with('0') { '1' } else { '0' };
            let wrong = format!("{}{last}{path}", &own[..own.len() - 1]);
            for (path, more) in [
                (path.to_string(), ""),
                (path.to_string(), "Authorization: Bearer wrong\r\n"),
                (wrong, ""),
                (format!("/__openclaw__/cap/1-/{path}"), ""),
            ] {
                let status = get(port, &path, more).status;
                assert!(
                    status == 401 || (status == 404 && path.contains("//")),
                    "{port} {path} {more}: {status}"
                );
            }
            // Other upgrades on the gateway's port are clients, who prove themselves there.
            if port != gateway.port || path.ends_with("/ws") {
                let upgrade = Client::upgrade(http::tcp(port), port, path, &[]).map(|_| ()).unwrap_err();
                assert_eq!(upgrade, Some(401), "{port} {path}");
            }
        }
        assert_eq!(get(port, &format!("{own}/__openclaw__/canvas/"), "").status, 200);
        assert_eq!(get(port, &format!("{own}/__openclaw__/a2ui/"), "Origin: null\r\n").status, 200);
        let data = get(port, &format!("{own}/__openclaw__/canvas/sub/a%20b.txt"), "Origin: null\r\n");
        assert_eq!((data.status, data.header("access-control-allow-origin")), (200, Some("*")));
    }
    let data = get(gateway.port, "/__openclaw__/canvas/sub/a%20b.txt", &bearer());
    assert_eq!(data.header("access-control-allow-origin"), None, "what the secret opened");
    // SEC-40: what the secret opens is no other page's, not even one's that knows it.
    for port in [gateway.port, canvas_port(&gateway)] {
        for (path, status) in [("canvas/", 403), ("canvas/sub/a%20b.txt", 403), ("a2ui/", 403)] {
            let path = format!("/__openclaw__/{path}");
            for origin in ["http://evil", "null"] {
                let foreign = format!("{}Origin: {origin}\r\n", bearer());
                assert_eq!(get(port, &path, &foreign).status, status, "{port} {path} {origin}");
            }
            let own = format!("{}Origin: http://127.0.0.1:{port}\r\n", bearer());
            assert_eq!(get(port, &path, &own).status, 200, "{port} {path}");
        }
    }
    for path in ["/", "/health", "/tools/invoke"] {
        assert_eq!(get(gateway.port, &format!("{own}{path}"), "").status, 404, "a capability opens {path}");
    }
    client.close(1000, "");
    wait_for("the end of the capability", || {
        (get(gateway.port, &format!("{own}/__openclaw__/canvas/"), "").status == 401).then_some(())
    });
    assert_eq!(get(gateway.port, &format!("{others}/__openclaw__/canvas/"), "").status, 200);
    assert!(!gateway.log().contains(others.rsplit('/').next().unwrap()), "no capability is in the log");
}

#[test]
fn i12_3_nodes_are_told_where_the_canvas_is() {
    let gateway = Gateway::start(&setup(json!({})));
    for protocol in [3, 4] {
        let mut over = params(protocol);
        merge(
            &mut over,
            &json!({"role": "node", "scopes": [], "client": {"id": "node-host", "mode": "node"}}),
        );
        let mut client = Client::open(&gateway);
        let challenge = client.challenge.clone();
        Device::new().attach(&mut over, &challenge, Version::V2);
        let hello = client.connect(over).unwrap();
        let url = match protocol {
            3 => &hello["canvasHostUrl"],
            _ => &hello["pluginSurfaceUrls"]["canvas"],
        };
        let base = format!("http://127.0.0.1:{}", gateway.port);
        let path = url.as_str().and_then(|url| url.strip_prefix(&base)).unwrap_or_else(|| panic!("{hello}"));
        assert_eq!(get(gateway.port, &format!("{path}/__openclaw__/a2ui/?platform=ios"), "").status, 200);
    }
    let (_, hello) = Client::with(&gateway, params(4));
    assert!(hello["canvasHostUrl"].is_null() && hello["pluginSurfaceUrls"].is_null(), "others ask");
}

#[test]
fn i12_3_a_page_hears_of_changes_and_says_nothing() {
    let gateway = Gateway::start(&setup(json!({})));
    let mut client = Client::operator(&gateway, 4);
    let own = capability(&mut client);
    let path = format!("{own}/__openclaw__/ws");
    assert_eq!(get(gateway.port, &path, "").status, 426);
    let files = gateway.state_dir().join("workspace/canvas");
    for port in [gateway.port, canvas_port(&gateway)] {
        // As a page that belongs to no origin does.
        let (mut page, _) = Client::upgrade(http::tcp(port), port, &path, &[("Origin", "null")]).unwrap();
        std::fs::write(files.join("index.html"), format!("{PAGE}<!-- {port} -->")).unwrap();
        assert_eq!(page.socket().read().unwrap().to_text().unwrap(), "reload");
        let new = files.join(format!("new-{port}"));
        std::fs::create_dir_all(&new).unwrap();
        assert_eq!(page.socket().read().unwrap().to_text().unwrap(), "reload");
        std::fs::write(new.join("style.css"), "p {}").unwrap();
        assert_eq!(page.socket().read().unwrap().to_text().unwrap(), "reload");
        page.send_text("{\"userAction\":{\"name\":\"steal\"}}");
        assert_eq!(page.until_closed().0, 1001);
    }
    let (mut page, _) = Client::upgrade(http::tcp(gateway.port), gateway.port, &path, &[]).unwrap();
    client.close(1000, "");
    assert_eq!(page.until_closed().0, 1001, "it ends with the connection whose capability it showed");
    let still = Gateway::start(&setup(json!({"canvasHost": {"liveReload": false}})));
    assert_eq!(get(still.port, "/__openclaw__/ws", &bearer()).status, 404);
    assert!(!get(still.port, "/__openclaw__/canvas/", &bearer()).body.contains("__openclaw__/ws"));
}

#[test]
fn sec_13_no_link_leads_out_of_the_canvas() {
    let gateway = Gateway::start(&setup(json!({})));
    let canvas = gateway.state_dir().join("workspace/canvas");
    symlink("../SECRET.md", canvas.join("link.md")).unwrap();
    symlink("..", canvas.join("up")).unwrap();
    std::fs::hard_link(gateway.config_path(), canvas.join("config.json")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        canvas.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    for name in ["link.md", "up/SECRET.md", "up/", "config.json", "pipe", ".hidden", "sub/../.hidden", "none"]
    {
        let answer = get(gateway.port, &format!("/__openclaw__/canvas/{name}"), &bearer());
        assert!(
            answer.status == 404 && !answer.body.contains("SECRET") && !answer.body.contains(TOKEN),
            "{name}: {answer:?}"
        );
    }
}

// SEC-28: 50,000 paths, each a protected one made odd; none shows anything to who shows nothing, and none leads out of
// the folder for who may look.
#[test]
fn sec_28_no_odd_path_opens_the_canvas_or_leads_out_of_it() {
    let gateway = Gateway::start(&setup(json!({})));
    let canvas = canvas_port(&gateway);
    std::thread::scope(|scope| {
        for part in 0..4u64 {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut random = Random(part + 1);
                let ports = [gateway.port, canvas];
                for round in 0..125 {
                    let port = ports[round % 2];
                    let is_owner = round % 5 == 0;
                    hundred(&mut random, port, is_owner);
                }
            });
        }
    });
    assert_eq!(get(gateway.port, "/__openclaw__/canvas/", &bearer()).status, 200);
}

/// A hundred requests on few connections.
fn hundred(random: &mut Random, port: u16, is_owner: bool) {
    const PARTS: [&str; 22] = [
        "/",
        "//",
        "/./",
        "/../",
        "/%2e%2e/",
        "/..%2f",
        "%2f",
        "%5c",
        "\\",
        ";",
        ";x=1",
        "%00",
        "/%2E/",
        "%252e%252e/",
        "..",
        "...",
        "/.hidden",
        "/SECRET.md",
        "/workspace",
        "%c0%af",
        "/__openclaw__/canvas",
        "%ff",
    ];
    const BASES: [&str; 6] = [
        "/__openclaw__/canvas/",
        "/__openclaw__/a2ui/",
        "/__openclaw__/cap/1-a/__openclaw__/canvas/",
        "/__OPENCLAW__/canvas/",
        "/__openclaw__/ws",
        "/%5f_openclaw__/canvas/index.html",
    ];
    let secret = if is_owner { bearer() } else { String::new() };
    let mut stream = http::tcp(port);
    for _ in 0..100 {
        let mut path = BASES[random.below(BASES.len())].to_string();
        for _ in 0..=random.below(4) {
            let at = random.below(path.len() + 1);
            path.insert_str(at, PARTS[random.below(PARTS.len())]);
        }
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{secret}\r\n");
        let answer = stream.write_all(request.as_bytes()).ok().and_then(|()| http::read_answer(&mut stream));
        let Some(answer) = answer else {
            stream = http::tcp(port);
            continue;
        };
        assert!(!answer.body.contains("SECRET") && !answer.body.contains(TOKEN), "{path}: {answer:?}");
        if !is_owner {
            // Outside of the protected paths there may be the control page, which is the same for everybody.
            let is_page =
                answer.status == 200 && !answer.body.contains("Hello") && !answer.body.contains("a2ui-host");
            assert!(matches!(answer.status, 400 | 401 | 404) || is_page, "{path}: {answer:?}");
        }
        if answer.header("connection") == Some("close") {
            stream = http::tcp(port);
        }
    }
    // Its end is read, so that the place is free again.
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read(&mut [0]);
}

// Issue 9: the port that is taken is the canvas's own, and so is the key that names another.
#[test]
fn a_taken_port_of_the_canvas_names_the_key_of_the_canvas() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let gateway = Gateway::start(&setup(json!({"canvasHost": {"port": port}})));
    let said = "the canvas is served on the gateway's port alone";
    let log = wait_for(said, || Some(gateway.stdout()).filter(|log| log.contains(said)));
    let line = log.lines().find(|line| line.contains(said)).unwrap();
    assert!(line.contains(&format!("port {port} is already in use")), "{line}");
    assert!(
        line.contains("choose another port (canvasHost.port)") && !line.contains("gateway.port"),
        "{line}"
    );
}
