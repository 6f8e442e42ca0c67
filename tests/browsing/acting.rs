//! What is done on pages, and what is kept from being done.
use super::*;

#[test]
fn i15_4_elements_are_clicked_typed_into_dragged_and_waited_for() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(json!({}));
    world.open("/");
    let out = |world: &mut World| world.value("document.getElementById('out').textContent");
    let inner = world.reference("button \"inner\"");
    world.act(json!({"kind": "click", "ref": inner}));
    assert!(world.snapshot().contains("button \"done\""));
    let over = world.reference("button \"Over\"");
    world.act(json!({"kind": "hover", "ref": over}));
    assert_eq!(out(&mut world), "over");
    let (from, to) = (world.reference(": drag"), world.reference(": drop"));
    world.act(json!({"kind": "drag", "startRef": from, "endRef": to}));
    assert_eq!(out(&mut world), "dropped x");
    let later = world.reference("button \"Later\"");
    world.act(json!({"kind": "click", "ref": later}));
    world.act(json!({"kind": "wait", "text": "later", "timeoutMs": 5000}));
    let key = world.reference("textbox \"Key\"");
    world.act(json!({"kind": "type", "ref": key, "text": "né 漢"}));
    assert_eq!(world.act(json!({"kind": "evaluate", "ref": key, "fn": "(e) => e.value"}))["result"], "né 漢");
    world.act(json!({"kind": "press", "key": "Control+a"}));
    assert_eq!(out(&mut world), "atrue");
    world.act(json!({"kind": "type", "ref": key, "text": "", "timeoutMs": 3000}));
    assert_eq!(world.act(json!({"kind": "evaluate", "ref": key, "fn": "(e) => e.value"}))["result"], "");
    world.act(json!({"kind": "type", "ref": key, "text": "ab", "slowly": true}));
    assert_eq!(world.act(json!({"kind": "evaluate", "ref": key, "fn": "(e) => e.value"}))["result"], "ab");
    let low = world.reference("button \"Low\"");
    world.act(json!({"kind": "scrollIntoView", "ref": low}));
    assert!(world.value("scrollY").as_f64().unwrap() > 1000.0);
    world.act(json!({"kind": "resize", "width": 640, "height": 480}));
    assert_eq!(world.value("innerWidth"), 640);
    let (off, under, pick) =
        (world.reference("button \"Off\""), world.reference("button \"Under\""), world.reference("combobox"));
    for (body, want) in [
        (json!({"kind": "click", "ref": off, "timeoutMs": 3000}), "it is disabled"),
        (json!({"kind": "click", "ref": under, "timeoutMs": 3000}), "it is covered by <div id=lid>"),
        (json!({"kind": "click", "ref": "e999"}), "Unknown ref \"e999\""),
        (json!({"kind": "select", "ref": pick, "values": ["Nine"]}), "use one of \"One\", \"Two\""),
        (json!({"kind": "wait", "text": "never", "timeoutMs": 3000}), "did not"),
        (json!({"kind": "evaluate", "fn": "() => { throw new Error('mine') }"}), "mine"),
        (json!({"kind": "press", "key": "Hyper+x"}), "Unknown key"),
        (json!({"kind": "click"}), "ref is required"),
        (json!({"kind": "click", "selector": "a"}), "selector is not taken"),
        (json!({}), "kind is required"),
    ] {
        let why = world.refused("POST", "/act", body.clone());
        assert!(why.contains(want), "{body}: {why}");
    }
}

#[test]
fn i15_4_dialogs_files_downloads_and_tabs() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(json!({}));
    let home = world.open("/");
    let ask = world.reference("button \"Ask\"");
    world.post("/hooks/dialog", json!({"accept": true, "promptText": "Ann"}));
    let told = world.act(json!({"kind": "click", "ref": ask}));
    assert_eq!(
        (&told["dialogs"][0]["message"], world.value("document.title")),
        (&json!("who?"), json!("Ann"))
    );
    // Nobody said anything: it is dismissed, and the page goes on.
    world.act(json!({"kind": "click", "ref": ask}));
    assert_eq!(world.value("document.title"), "null");
    let workspace = world.gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("photo.txt"), "x").unwrap();
    let field = world.reference("button \"File\"");
    let file = workspace.join("photo.txt");
    world.post("/hooks/file-chooser", json!({"inputRef": field, "paths": [file]}));
    assert_eq!(world.value("document.getElementById('out').textContent"), "photo.txt");
    world.post("/hooks/file-chooser", json!({"ref": field, "paths": [file]}));
    for path in ["/etc/passwd", "../../etc/passwd"] {
        let why = world.refused("POST", "/hooks/file-chooser", json!({"inputRef": field, "paths": [path]}));
        assert!(why.starts_with("upload "), "{why}");
    }
    let get = world.reference("link \"Get\"");
    let told = world.post("/download", json!({"ref": get, "path": "kept.bin"}));
    let path = told["download"]["path"].as_str().unwrap();
    assert!(path.ends_with("/media/browser/kept.bin"), "{told}");
    assert_eq!(std::fs::read(path).unwrap(), b"data");
    assert!(told["download"]["suggestedFilename"].as_str().unwrap().ends_with("a b.bin"), "{told}");
    let why = world.refused("POST", "/download", json!({"ref": get, "path": "/tmp/out.bin"}));
    assert!(why.contains("downloads lie in"), "{why}");
    let beside = world.reference("link \"Beside\"");
    world.act(json!({"kind": "click", "ref": beside}));
    let tabs = wait_for("a second tab", || {
        let told = world.get("/tabs", json!({}));
        told["tabs"].as_array().unwrap().iter().any(|tab| tab["title"] == "Two").then_some(told)
    });
    assert!(tabs["tabs"].as_array().unwrap().iter().all(|tab| tab["type"] == "page"));
    world.post("/tabs/focus", json!({"targetId": home[..8]}));
    assert_eq!(world.get("/tabs", json!({}))["tabs"][0]["targetId"], json!(home));
    world.ask("DELETE", &format!("/tabs/{home}"), json!({})).unwrap();
    let why = world.refused("POST", "/tabs/focus", json!({"targetId": home}));
    assert!(why.contains("tab not found"), "{why}");
}

/// SEC-30: nothing but the public web and named hosts, by whatever way a page is led there.
#[test]
fn sec_30_a_page_is_led_to_no_file_and_no_private_network() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(json!({}));
    world.open("/local");
    for (url, want) in [
        ("file:///etc/passwd".to_string(), "unsupported protocol"),
        ("chrome://version".to_string(), "unsupported protocol"),
        ("http://127.0.0.2/".to_string(), "not public"),
        ("http://localhost/".to_string(), "not public"),
        ("http://[::1]/".to_string(), "not public"),
        ("http://169.254.169.254/latest/meta-data".to_string(), "not public"),
        (world.site.url("/away"), "127.0.0.2:1 is or leads to"),
    ] {
        let why = world.refused("POST", "/navigate", json!({"url": url}));
        assert!(why.starts_with("Navigation blocked") && why.contains(want), "{url}: {why}");
    }
    let why = world.refused("POST", "/tabs/open", json!({"url": "http://nosuch.invalid/"}));
    assert!(why.contains("its name has no address, or nothing answers there"), "{why}");
    world.open("/local");
    world.value("location.href = 'http://127.0.0.2:1/x'");
    let fetched = world.value("fetch('http://127.0.0.2:1/y').then(() => 'there', () => 'refused')");
    assert_eq!(fetched, "refused");
    let asked = world.get("/requests", json!({"filter": "127.0.0.2"}));
    let all = asked["requests"].as_array().unwrap();
    let is_blocked = |r: &Value| {
        let why = r["failureText"].as_str().unwrap_or_default();
        // A document's before it is sent, what is fetched beside by the way out.
        ["net::ERR_BLOCKED_BY_CLIENT", "net::ERR_SOCKS_CONNECTION_FAILED", "net::ERR_UNSAFE_PORT"]
            .iter()
            .any(|known| why.starts_with(known))
    };
    assert!(!all.is_empty() && all.iter().all(is_blocked), "{asked}");
}

/// Whatever a page uses to get there: workers and sockets are told of by no event that could be waited for.
#[test]
fn sec_30_nothing_that_a_page_has_reaches_a_private_address() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(json!({}));
    let canary = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let there = format!("127.0.0.2:{}", canary.local_addr().unwrap().port());
    let own = world.site.url("/two");
    world.post("/tabs/open", json!({"url": world.site.url("/frame")}));
    let mut ask = |kind: &str, url: &str| {
        world.value(&format!(
            "new Promise(tell => {{ const w = new {kind}('/worker.js?{url}'); const port = w.port || w; port.onmessage = e => tell(e.data); w.onerror = e => tell('error ' + e.message); setTimeout(() => tell('nothing'), 3000) }})"
        ))
    };
    for kind in ["Worker", "SharedWorker"] {
        assert_eq!(ask(kind, &own), "there", "{kind}");
        assert_eq!(ask(kind, &format!("http://{there}/")), "refused", "{kind}");
    }
    for url in [format!("ws://{there}/"), own.replace("http://127.0.0.1", "ws://localhost")] {
        let said = world.value(&format!(
            "new Promise(tell => {{ const s = new WebSocket('{url}'); s.onopen = () => tell('there'); s.onerror = () => tell('refused') }})"
        ));
        assert_eq!(said, "refused", "{url}");
    }
    world.value(&format!(
        "() => {{ document.head.append(Object.assign(document.createElement('script'), {{type: 'speculationrules', textContent: JSON.stringify({{prefetch: [{{source: 'list', urls: ['http://{there}/p']}}]}})}})); return new Promise(tell => setTimeout(tell, 700)) }}"
    ));
    assert!(canary.accept().is_err(), "somebody came");
}
