//! How browsers come and go: found, started, used by all ways in, ended by whatever happens.
use super::*;
use std::os::unix::fs::PermissionsExt;

/// Processes that have this directory on their command line.
fn of(dir: &std::path::Path) -> usize {
    let wanted = dir.to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&wanted))
    })
    .count()
}

#[test]
fn i15_4_without_a_browser_one_sentence_says_what_to_install() {
    let gateway = Gateway::start(&Setup::config(
        json!({"browser": {"executablePath": "/nowhere/chromium", "noSandbox": true}}),
    ));
    let mut client = Client::operator(&gateway, 4);
    let status = client.ok("browser.request", json!({"method": "GET", "path": "/"}));
    assert_eq!((&status["running"], &status["detectedBrowser"]), (&json!(false), &Value::Null));
    for (params, want) in [
        (json!({"method": "POST", "path": "/start"}), "browser.executablePath not found: /nowhere/chromium"),
        (json!({"method": "PUT", "path": "/start"}), "method must be GET, POST, or DELETE"),
        (json!({"method": "GET"}), "method and path are required"),
        (json!({"method": "GET", "path": "/nosuch"}), "Not Found"),
        (json!({"method": "POST", "path": "/trace/start"}), "not supported: trace/start"),
        (json!({"method": "POST", "path": "/tabs/focus", "body": {"targetId": "x"}}), "browser not running"),
        (json!({"method": "POST", "path": "/navigate", "body": {}}), "url is required"),
        (json!({"method": "GET", "path": "/tabs", "query": {"profile": "x"}}), "Profile \"x\" not found"),
    ] {
        let error = client.fails("browser.request", params.clone());
        assert!(error["message"].as_str().unwrap().contains(want), "{params}: {error}");
        // What the service says stands beside, as its port says it.
        let is_asked = params["path"].is_string() && params["method"] != "PUT";
        assert_eq!(error["details"]["error"] == error["message"], is_asked, "{error}");
    }
}

#[test]
fn i15_4_one_that_ends_at_its_start_or_cannot_be_executed_is_an_answer() {
    let dir = gateway::new_dir();
    let (dies, plain) = (dir.join("dies"), dir.join("plain"));
    std::fs::write(&dies, "#!/bin/sh\necho 'ERROR: no usable display' >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&dies, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(&plain, "").unwrap();
    for (program, want) in [(dies, "no usable display"), (plain, "cannot be executed")] {
        let gateway = Gateway::start(&Setup::config(
            json!({"browser": {"executablePath": program, "noSandbox": true}}),
        ));
        let mut client = Client::operator(&gateway, 4);
        let error = client.fails("browser.request", json!({"method": "POST", "path": "/start"}));
        assert!(error["message"].as_str().unwrap().contains(want), "{error}");
        client.ok("health", json!({}));
    }
}

#[test]
fn i15_4_the_control_port_takes_the_secret_alone_and_nobody_is_forged() {
    let gateway = Gateway::start(&Setup::config(json!({"browser": {"enabled": true, "noSandbox": true}})));
    let port = gateway.port + 2;
    wait_for("the control port", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let ask = |head: &str, body: &str| {
        http::raw(port, &format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()))
    };
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let host = format!("Host: 127.0.0.1:{port}\r\n");
    let status = ask(&format!("GET / HTTP/1.1\r\n{host}{bearer}"), "");
    assert!(status.status == 200 && status.body.contains("\"running\":false"), "{status:?}");
    assert_eq!(ask(&format!("GET / HTTP/1.1\r\n{host}"), "").status, 401);
    assert_eq!(ask(&format!("GET / HTTP/1.1\r\n{host}Authorization: Bearer wrong\r\n"), "").status, 401);
    assert_eq!(
        ask(&format!("POST /stop HTTP/1.1\r\n{host}{bearer}Origin: https://evil.example\r\n"), "").status,
        403
    );
    let text = ask(&format!("POST /stop HTTP/1.1\r\n{host}{bearer}Content-Type: text/plain\r\n"), "{}");
    assert!(text.status == 400 && text.body.contains("application/json"), "{text:?}");
    let put = ask(&format!("PUT /start HTTP/1.1\r\n{host}{bearer}"), "");
    assert!(put.status == 405 && put.body.contains("use GET or POST or DELETE"), "{put:?}");
    let foreign = ask(&format!("GET / HTTP/1.1\r\n{host}{bearer}Sec-Fetch-Site: cross-site\r\n"), "");
    assert_eq!(foreign.status, 403, "{foreign:?}");
    let missing = ask(&format!("GET /nosuch HTTP/1.1\r\n{host}{bearer}"), "");
    assert!(missing.status == 404 && missing.body.trim() == "{\"error\":\"Not Found\"}", "{missing:?}");
    let none = Gateway::start(&Setup::config(json!({})));
    assert!(std::net::TcpStream::connect(("127.0.0.1", none.port + 2)).is_err(), "nobody asked for it");
}

#[test]
fn i15_4_nothing_is_left_whichever_is_killed() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(json!({}));
    world.open("/");
    let profile = world.gateway.state_dir().join("browser/openclaw/user-data");
    let pid = world.get("/", json!({}))["pid"].as_u64().unwrap();
    // The browser first: it is started again when it is needed, over the locks that it has left.
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_for("its end", || (world.get("/", json!({}))["running"] == json!(false)).then_some(()));
    world.open("/");
    assert!(of(&profile) > 0);
    // Then the gateway.
    world.gateway.kill();
    wait_within(2 * DEADLINE, "the end of the browser", || (of(&profile) == 0).then_some(()));
}

#[test]
fn i15_4_pages_that_fight_cost_themselves_only() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(json!({}));
    let nagging = world.open("/alerts");
    let nag = world.reference("button \"Nag\"");
    let _ = world.ask("POST", "/act", json!({"kind": "click", "ref": nag, "timeoutMs": 5000}));
    wait_for("the end of the page that nags", || {
        let told = world.get("/tabs", json!({}));
        (!told["tabs"].as_array().unwrap().iter().any(|tab| tab["targetId"] == json!(nagging))).then_some(())
    });
    world.open("/endless");
    world.get("/tabs", json!({}));
    world.open("/");
    assert!(world.snapshot().contains("Hello"));
    let why = world.refused(
        "POST",
        "/act",
        json!({"kind": "evaluate", "fn": "new Promise(() => {})", "timeoutMs": 1000}),
    );
    assert!(why.contains("did not answer in time"), "{why}");
    assert_eq!(world.value("1 + 1"), 2);
}

/// The ref behind what a snapshot shows with these words.
fn reference(shown: &str, words: &str) -> String {
    let line =
        shown.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words}: {shown}"));
    line.split("[ref=").nth(1).unwrap().split(']').next().unwrap().to_string()
}

/// Each switch does what it says.
fn switches(cli: impl Fn(&[&str]) -> (Option<i32>, String)) {
    let whole = cli(&["snapshot"]).1;
    assert!(whole.contains("heading \"Hello\""), "{whole}");
    for short in ["--interactive", "--efficient"] {
        let shown = cli(&["snapshot", short]).1;
        assert!(shown.contains("button \"Change\"") && !shown.contains("heading"), "{short}: {shown}");
    }
    let value = |code: &str| cli(&["evaluate", code]).1.trim().to_string();
    value("() => { document.ondblclick = () => { document.title = 'Home twice' } }");
    let click = reference(&whole, "button \"Change\"");
    assert_eq!(cli(&["click", &click]).0, Some(0));
    assert_eq!(value("document.title"), "Home");
    assert_eq!(cli(&["click", &click, "--double"]).0, Some(0));
    assert_eq!(value("document.title"), "Home twice");
    let field = "document.querySelector('[aria-label=Key]')";
    value(&format!("() => {{ const field = {field}; field.n = 0; field.oninput = () => {{ field.n++ }} }}"));
    let key = reference(&whole, "textbox \"Key\"");
    cli(&["type", &key, "abc"]);
    assert_eq!(value(&format!("{field}.n")), "1", "at once");
    cli(&["type", &key, "def", "--slowly"]);
    assert_eq!(value(&format!("{field}.n")), "4", "key by key");
    cli(&["type", &key, "ghi", "--submit"]);
    assert_eq!(value("document.getElementById('out').textContent"), "Enterfalse");
    let height = |more: &[&str]| {
        let told = cli(&[&["screenshot", "--json"], more].concat()).1;
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told}"));
        let picture = std::fs::read(told["path"].as_str().unwrap()).unwrap();
        assert_eq!(picture[..4], *b"\x89PNG");
        u32::from_be_bytes(picture[20..24].try_into().unwrap())
    };
    // The longer side is 2000 at most.
    assert!(height(&[]) < 1500 && height(&["--full-page"]) > 1900);
}

#[test]
fn i15_4_the_command_line_drives_it_too_and_stop_ends_it() {
    if !is_wanted(true) {
        return;
    }
    let world = World::new(json!({}));
    let cli = |args: &[&str]| {
        let out = world.gateway.cli(&[&["browser"], args].concat());
        (
            out.status.code(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    };
    let (code, said) = cli(&["open", &world.site.url("/")]);
    assert_eq!(code, Some(0), "{said}");
    let (_, shown) = cli(&["snapshot"]);
    let change = reference(&shown, "button \"Change\"");
    assert_eq!(cli(&["click", &change]).0, Some(0));
    assert_eq!(cli(&["evaluate", "document.getElementById('out').textContent"]).1.trim(), "clicked");
    switches(cli);
    let (code, said) = cli(&["click", "e999", "--json"]);
    assert!(code != Some(0) && said.contains("Unknown ref"), "{said}");
    assert!(cli(&["tabs"]).1.contains("Home"));
    // Without a name each file has its own.
    let get = reference(&cli(&["snapshot"]).1, "link \"Get\"");
    let kept = |_| {
        let told: Value = serde_json::from_str(&cli(&["download", &get, "--json"]).1).unwrap();
        let path = told["download"]["path"].as_str().unwrap_or_else(|| panic!("{told}")).to_string();
        assert!(path.contains("/media/browser/") && path.ends_with("a b.bin"), "{path}");
        path
    };
    let [first, second] = [(), ()].map(kept);
    assert_ne!(first, second);
    assert!([first, second].iter().all(|path| std::fs::read(path).unwrap() == b"data"));
    let told: Value = serde_json::from_str(&cli(&["stop", "--json"]).1).unwrap();
    assert_eq!(told["stopped"], json!(true));
    assert!(cli(&["status"]).1.contains("running: false"));
    let profile = world.gateway.state_dir().join("browser/openclaw/user-data");
    wait_for("the end of the browser", || (of(&profile) == 0).then_some(()));
}
