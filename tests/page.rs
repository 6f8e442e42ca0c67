//! Issue 12, sentence 4: the control page as the port serves it. What it does in a browser is in tests/ui/.
use crate::harness::*;

fn get(port: u16, path: &str, headers: &str) -> http::Answer {
    http::raw(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n"),
    )
}

/// The names that `index.html` gives, from its own place.
fn named(index: &str) -> Vec<&str> {
    let parts = index.split(['"']).filter(|part| part.starts_with("a/") || part.ends_with(".webmanifest"));
    parts.collect()
}

/// SEC-39: nothing inline, nothing of another host, framed by nobody; the answer is the same for all and may be kept.
#[test]
fn i12_4_the_page_and_its_parts_are_served_with_a_strict_policy() {
    let gateway = Gateway::plain();
    let index = get(gateway.port, "/", "");
    assert_eq!(index.status, 200, "{}", index.head);
    assert_eq!(index.header("cache-control"), Some("no-cache"));
    let policy = index.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"]
    {
        assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
    }
    let scripts = index.body.matches("<script").count();
    assert!(
        scripts == 1 && !index.body.contains("<style") && !index.body.contains(" style="),
        "{}",
        index.body
    );
    assert!(!index.body.contains(TOKEN) && named(&index.body).len() > 4, "{}", index.body);
    for name in named(&index.body) {
        let part = get(gateway.port, &format!("/{name}"), "");
        assert_eq!(part.status, 200, "{name}: {}", part.head);
        let is_versioned = name.starts_with("a/");
        assert_eq!(part.header("cache-control").unwrap().contains("immutable"), is_versioned, "{name}");
        let kind = part.header("content-type").unwrap();
        assert!(
            ["text/javascript", "text/css", "image/svg", "application/manifest"]
                .iter()
                .any(|k| kind.starts_with(k))
        );
        assert_eq!(part.header("x-content-type-options"), Some("nosniff"));
    }
    let etag = index.header("etag").unwrap();
    let again = get(gateway.port, "/", &format!("If-None-Match: W/{etag}\r\n"));
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let packed = get(gateway.port, "/", "Accept-Encoding: br, gzip\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let length = |answer: &http::Answer| answer.header("content-length").unwrap().parse::<usize>().unwrap();
    assert!(length(&packed) < length(&index) && packed.header("vary") == Some("Accept-Encoding"));
    let head = http::request(gateway.port, "HEAD", "/");
    assert_eq!((head.status, head.body.as_str(), length(&head)), (200, "", length(&index)));
    let post = http::request(gateway.port, "POST", "/");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn i12_4_the_page_lies_below_the_configured_path_or_nowhere() {
    let below = Gateway::start(&Setup::config(json!({"gateway": {"controlUi": {"basePath": "my/ui/"}}})));
    for path in ["/", "/my/ui", "/my/ui?x=1"] {
        let answer = get(below.port, path, "");
        let query = path.split_once('?').map_or("", |_| "?x=1");
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some(format!("/my/ui/{query}").as_str()))
        );
    }
    let index = get(below.port, "/my/ui/", "");
    assert_eq!(index.status, 200);
    assert!(
        named(&index.body).iter().all(|name| get(below.port, &format!("/my/ui/{name}"), "").status == 200)
    );
    assert_eq!(get(below.port, "/my/uix/", "").status, 404);
    assert_eq!(get(below.port, "/app.js", "").status, 404);
    let none = Gateway::start(&Setup::config(json!({"gateway": {"controlUi": {"enabled": false}}})));
    for path in ["/", "/index.html", "/door.json"] {
        assert_eq!(get(none.port, path, "").status, 404, "{path}");
    }
}

/// The picture in README.md is small.
#[test]
fn i12_4_the_picture_of_the_page_is_small() {
    let picture = std::fs::metadata(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/control-page.png")).unwrap();
    assert!(picture.len() < 150_000, "{} bytes", picture.len());
}

/// What a page asks before it connects tells whether its origin may, and no secret, path or version of the gateway.
#[test]
fn i12_4_the_door_says_who_may_connect_and_nothing_else() {
    let config = json!({"gateway": {"controlUi": {"allowedOrigins": ["https://gw.example"]}}});
    let gateway = Gateway::start(&Setup::config(config));
    for (origin, is_allowed) in [
        (format!("http://127.0.0.1:{}", gateway.port), true),
        ("https://gw.example".to_string(), true),
        ("https://evil.example".to_string(), false),
    ] {
        let answer = get(gateway.port, &format!("/door.json?origin={origin}"), "");
        let door: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&door["isOriginAllowed"], &door["mode"]),
            (&json!(is_allowed), &json!("token")),
            "{origin}"
        );
        assert_eq!(door.as_object().unwrap().len(), 4, "{door}");
        assert!(!answer.body.contains(TOKEN));
    }
    assert_eq!(get(gateway.port, "/control-ui-config.json", "").status, 401);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let about = get(gateway.port, "/control-ui-config.json", &bearer);
    let about: Value = serde_json::from_str(&about.body).unwrap();
    assert_eq!(about["assistantAgentId"], "main", "{about}");
}

/// What a change of the configuration would come to is told, with the text as it would be, and nothing is written.
#[test]
fn i12_4_a_plan_tells_what_a_change_would_do_and_writes_nothing() {
    let text = "// mine\n{gateway: {mode: 'local', auth: {token: 'secret-0123456789'}},\n // quiet\n logging: {level: 'info'}}\n";
    let gateway = Gateway::start(&Setup::text(text));
    let mut params = params(4);
    params["auth"] = json!({"token": "secret-0123456789"});
    let (mut client, _) = Client::with(&gateway, params);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    let patch = "{logging: {level: 'warn'}, gateway: {port: 4321}, agents: {defaults: {nosuchkey: 9}}}";
    let plan = client.ok("config.plan", json!({"patch": patch, "baseHash": hash}));
    assert_eq!(
        (&plan["restart"], &plan["live"], &plan["unread"]),
        (&json!(["gateway.port"]), &json!(["logging.level"]), &json!(["agents.defaults.nosuchkey"])),
        "{plan}"
    );
    let patch = json!({"patch": "{logging: {level: 'warn'}, gateway: {port: 4321}}", "baseHash": hash});
    let plan = client.ok("config.plan", patch);
    let raw = plan["raw"].as_str().unwrap();
    assert!(raw.contains("// quiet") && raw.contains("4321") && !raw.contains("secret-0123456789"), "{raw}");
    for (bad, why) in [
        (json!({"patch": "{logging: {level: 7}}", "baseHash": hash}), "logging.level"),
        (json!({"patch": "{}", "raw": "{}", "baseHash": hash}), "either raw or patch"),
        (json!({"patch": "{}", "baseHash": "0"}), "changed since last load"),
        (json!({"raw": "{}", "baseHash": hash}), "gateway.mode"),
    ] {
        let error = client.call("config.plan", bad).unwrap_err();
        assert!(error["message"].as_str().unwrap().contains(why), "{error}");
    }
    assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), text);
    let saved = client.ok("config.set", json!({"raw": raw, "baseHash": hash}));
    assert_ne!(saved["hash"], hash);
    let now = std::fs::read_to_string(gateway.config_path()).unwrap();
    assert!(now.contains("secret-0123456789") && now.contains("// quiet"), "{now}");
}

/// Strangers who wait at a bot are listed, and let in by the code they were told.
#[test]
fn i12_4_strangers_are_listed_and_let_in() {
    let now = jiff::Timestamp::now().as_second() / 60 * 60;
    let at = jiff::Timestamp::from_second(now).unwrap().to_string();
    let waiting = json!({"version": 1, "requests": [
        {"id": "4711", "code": "ABCDEFGH", "createdAt": at, "lastSeenAt": at, "meta": {"username": "ann"}},
    ]});
    let file = "credentials/telegram-pairing.json";
    let gateway = Gateway::start(&Setup::default().file(file, waiting.to_string()));
    let mut client = Client::operator(&gateway, 4);
    let listed = client.ok("channels.pairing.list", json!({}));
    let row = &listed["requests"][0];
    let shown = [&row["channel"], &row["accountId"], &row["id"], &row["code"], &row["meta"]["username"]];
    assert_eq!(
        shown.map(|v| v.as_str().unwrap_or_default()),
        ["telegram", "default", "4711", "ABCDEFGH", "ann"]
    );
    for (channel, code) in [("telegram", "ZZZZZZZZ"), ("nothing", "ABCDEFGH")] {
        client.fails("channels.pairing.approve", json!({"channel": channel, "code": code}));
    }
    let approved = client.ok("channels.pairing.approve", json!({"channel": "telegram", "code": "abcdefgh"}));
    assert_eq!(approved, json!({"channel": "telegram", "accountId": "default", "id": "4711"}));
    assert_eq!(client.ok("channels.pairing.list", json!({}))["requests"], json!([]));
    let allowed = gateway.state_dir().join("credentials/telegram-allowFrom.json");
    assert!(std::fs::read_to_string(allowed).unwrap().contains("4711"));
}
