//! Issue 12, sentence 5: a control page of the owner's choice and the pictures of agents, as the port serves them. What the
//! original's pages do in a browser is in tests/ui/original.rs.
use crate::harness::*;

const INDEX: &str = "<html><script>a()</script><script src=\"./assets/app.js\"></script></html>";

fn get(port: u16, path: &str, headers: &str) -> http::Answer {
    http::raw(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n"),
    )
}

/// A gateway whose page is the folder `page` of its state directory.
fn start(over: Value) -> Gateway {
    let gateway = Gateway::start(
        &Setup::config(over)
            .file("page/index.html", INDEX)
            .file("page/assets/app.js", "app()")
            .file("page/manifest.webmanifest", "{}")
            .file("page/.secret", "SECRET")
            .file("workspace/IDENTITY.md", "- Name: </script>Crab\n- Avatar: pics/crab.svg\n")
            .file("workspace/pics/crab.svg", "<svg/>")
            .file("workspace/pics/notes.md", "SECRET"),
    );
    let mut config: Value = serde_json::from_slice(&std::fs::read(gateway.config_path()).unwrap()).unwrap();
    config["gateway"]["controlUi"]["root"] = json!(gateway.state_dir().join("page"));
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    wait_for("the page of the folder", || {
        let answer = get(gateway.port, "/app/assets/app.js", "");
        (answer.status == 200).then_some(())
    });
    gateway
}

#[test]
fn i12_5_a_folder_is_served_as_an_application_of_one_page() {
    let gateway = start(json!({}));
    for path in ["/", "/index.html", "/chat", "/agents/main/files?x=1", "/a%20b"] {
        let page = get(gateway.port, path, "");
        assert_eq!((page.status, page.body.as_str()), (200, INDEX), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains(
                "script-src 'self' 'wasm-unsafe-eval' 'sha256-qVpDBgj7bpq5hMAcGp3AOc79J3Y1Z4HvySTwKrWDoy4='"
            ),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && page.header("x-frame-options") == Some("DENY"));
    }
    assert_eq!(
        get(gateway.port, "/chat/manifest.webmanifest", "").body,
        "{}",
        "as if it lay beside the address"
    );
    for path in ["/assets/app.js", "/agents/main/assets/app.js"] {
        let script = get(gateway.port, path, "");
        assert_eq!((script.status, script.body.as_str()), (200, "app()"), "{path}");
        assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
        let tag = script.header("etag").unwrap().to_string();
        assert_eq!(get(gateway.port, path, &format!("If-None-Match: {tag}\r\n")).status, 304);
    }
    assert_eq!(
        get(gateway.port, "/manifest.webmanifest", "").header("content-type"),
        Some("application/manifest+json")
    );
    for path in [
        "/none.js",
        "/assets/none.js",
        "/.secret",
        "/v1/none",
        "/api/none",
        "/tools/none",
        "/assets/../page",
        "/%2e%2e/openclaw.json",
    ] {
        let answer = get(gateway.port, path, "");
        assert!(answer.status == 404 && !answer.body.contains("SECRET"), "{path}: {answer:?}");
    }
    let below = start(json!({"gateway": {"controlUi": {"basePath": "/app/"}}}));
    assert_eq!(get(below.port, "/app/chat", "").body, INDEX);
    let moved = get(below.port, "/app?session=main", "");
    assert_eq!((moved.status, moved.header("location")), (302, Some("/app/?session=main")));
    assert_eq!(get(below.port, "/chat", "").status, 404);
    std::fs::remove_file(below.state_dir().join("page/index.html")).unwrap();
    let gone = get(below.port, "/app/", "");
    assert!(gone.status == 503 && gone.body.contains("gateway.controlUi.root"), "{gone:?}");
}

// SEC-39: what the page shows of an agent it asks for; nothing of it is put into HTML.
#[test]
fn i12_5_sec_39_what_the_page_asks_for_is_told_to_who_proves_himself() {
    let gateway = start(json!({}));
    assert!(!get(gateway.port, "/", "").body.contains("Crab"));
    let path = "/control-ui-config.json";
    assert_eq!(get(gateway.port, path, "").status, 401);
    let told = get(gateway.port, path, &format!("Authorization: Bearer {TOKEN}\r\n"));
    let told: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(
        json!([
            told["assistantName"],
            told["assistantAvatar"],
            told["assistantAgentId"],
            told["terminalEnabled"]
        ]),
        json!(["</script>Crab", "/avatar/main", "main", false])
    );
    // A device's own token does too, and is no wrong guess.
    let mut client = Client::open(&gateway);
    let (device, mut over) = (Device::new(), params(4));
    let challenge = client.challenge.clone();
    device.attach(&mut over, &challenge, Version::V3);
    let hello = client.connect(over).unwrap();
    let token = hello["auth"]["deviceToken"].as_str().unwrap();
    for _ in 0..30 {
        let since = Instant::now();
        assert_eq!(get(gateway.port, path, &format!("Authorization: Bearer {token}\r\n")).status, 200);
        assert!(since.elapsed() < Duration::from_millis(900), "it counts as a guess");
    }
    assert_eq!(
        get(gateway.port, "/__openclaw__/canvas/", &format!("Authorization: Bearer {token}\r\n")).status,
        401
    );
}

#[test]
fn i12_5_pictures_of_agents() {
    let gateway = start(json!({"agents": {"list": [
        {"id": "main"},
        {"id": "far", "identity": {"avatar": "https://pics.example/a.png"}},
        {"id": "sly", "workspace": "~/.openclaw/workspace/pics", "identity": {"avatar": "notes.md"}},
        {"id": "out", "identity": {"avatar": "../page/x.png"}},
    ]}}));
    let meta = |id: &str| -> Value {
        let answer = get(gateway.port, &format!("/avatar/{id}?meta=1"), "");
        serde_json::from_str::<Value>(&answer.body).unwrap()["avatarUrl"].take()
    };
    assert_eq!(meta("main"), "/avatar/main");
    assert_eq!(meta("far"), "https://pics.example/a.png");
    for id in ["sly-no", "out", "none", "x%20y"] {
        assert_eq!(meta(id), Value::Null, "{id}");
    }
    let picture = get(gateway.port, "/avatar/main", "");
    assert_eq!(
        (picture.status, picture.body.as_str(), picture.header("content-type")),
        (200, "<svg/>", Some("image/svg+xml"))
    );
    assert!(picture.header("content-security-policy").unwrap().contains("sandbox"));
    for id in ["far", "sly", "out", "none", "main/x"] {
        let answer = get(gateway.port, &format!("/avatar/{id}"), "");
        assert!(answer.status == 404 && !answer.body.contains("SECRET"), "{id}: {answer:?}");
    }
}

/// S-L13: another name of a file of the gateway's own is no picture, also when the file itself has been written anew.
#[test]
fn s_l13_what_does_not_begin_like_a_picture_is_not_shown() {
    let gateway = start(json!({}));
    let pics = gateway.state_dir().join("workspace/pics");
    let (picture, link) = (pics.join("crab.svg"), pics.join("h.png"));
    std::fs::hard_link(gateway.config_path(), &link).unwrap();
    let shown = || get(gateway.port, "/avatar/main", "");
    std::fs::write(gateway.state_dir().join("workspace/IDENTITY.md"), "- Avatar: pics/h.png\n").unwrap();
    assert_eq!(shown().status, 404);
    let done = gateway.cli(&["config", "set", "logging.level", "info"]);
    assert!(done.status.success(), "{done:?}");
    assert!(std::fs::read_to_string(&link).unwrap().contains("root"), "the old file");
    let answer = shown();
    assert!(answer.status == 404 && !answer.body.contains("gateway"), "{answer:?}");
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, b"\x89PNG\r\n\x1a\nrest").unwrap();
    assert_eq!((shown().status, shown().header("content-type")), (200, Some("image/png")));
    std::fs::write(gateway.state_dir().join("workspace/IDENTITY.md"), "- Avatar: pics/crab.svg\n").unwrap();
    for (drawing, status) in
        [("\u{feff} <?xml version='1.0'?><svg/>", 200), ("<html>", 404), ("{}", 404), ("", 404)]
    {
        std::fs::write(&picture, drawing).unwrap();
        assert_eq!(shown().status, status, "{drawing}");
    }
}

/// Issue 12, speed: the kernel sends a large file, whole and to slow readers too; nothing of it is read by the gateway.
#[cfg(target_os = "linux")]
#[test]
fn i12_5_files_are_sent_by_the_kernel() {
    use std::io::{Read, Write};
    let gateway = start(json!({}));
    let large: Vec<u8> = (0..20_000_000u32).map(|n| (n / 7) as u8).collect();
    std::fs::write(gateway.state_dir().join("page/assets/large.bin"), &large).unwrap();
    let reads = || {
        let text = std::fs::read_to_string(format!("/proc/{}/io", gateway.pid())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    let before = reads();
    let mut stream = http::tcp(gateway.port);
    stream
        .write_all(b"GET /assets/large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    let head = got.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(got[head..] == large, "{} of {} bytes", got.len() - head, large.len());
    let reads = reads() - before;
    assert!(reads < 1000, "{reads} calls");
}
