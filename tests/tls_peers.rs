//! Issue 12, sentence 6: who is at the other end is found out in the same way under TLS as without, and what looks at a
//! connection while it waits sees the same.
use crate::harness::*;
use crate::tls::{open, setup, unwrapped};
use std::io::Write;

/// S-M10: each request of one TLS connection of a listed proxy has its own client, who answers for himself alone.
#[test]
fn s_m10_each_request_has_its_own_client_under_tls() {
    let gateway = Gateway::start(&setup(json!({"gateway": {"trustedProxies": ["127.0.0.1"],
        "auth": {"rateLimit": {"maxAttempts": 3}}}})));
    let mut proxy = open(&gateway);
    let mut ask = |client: &str, secret: &str| {
        let head = format!(
            "GET /ready HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\nAuthorization: Bearer {secret}\r\n\r\n"
        );
        proxy.write_all(head.as_bytes()).unwrap();
        http::read_answer(&mut proxy).expect("an answer on the same connection").status
    };
    let guesses: Vec<u16> = (0..4).map(|_| ask("203.0.113.2", "guess")).collect();
    assert_eq!(guesses, [401, 401, 401, 429], "the guesser is limited");
    assert_eq!(ask("203.0.113.1", "a slip"), 401, "others are not");
    assert_eq!(ask("203.0.113.2", TOKEN), 200, "and whoever is right passes");
}

/// M-8, S-L14: a page of this very address is paired silently, its scheme being that of the port; nothing else is, and a
/// wrong secret is told of with the process that showed it.
#[test]
fn m_8_a_page_of_this_very_address_is_paired_silently_under_tls() {
    let mut gateway = Gateway::start(&setup(json!({})));
    let ip = format!("127.0.0.1:{}", gateway.port);
    let mut stranger = open(&gateway);
    let guess = format!("GET /ready HTTP/1.1\r\nHost: {ip}\r\nAuthorization: Bearer guess\r\n\r\n");
    stranger.write_all(guess.as_bytes()).unwrap();
    assert_eq!(http::read_answer(&mut stranger).unwrap().status, 401);
    let pid = format!("wrong secret from HTTP at 127.0.0.1 (pid {}", std::process::id());
    wait_for("the log", || gateway.log().contains(&pid).then_some(()));
    unwrapped(&mut gateway);
    let visit = |origin: &str, more: &[(&str, &str)]| {
        let headers = [&[("Host", &*ip), ("Origin", origin)][..], more].concat();
        let mut client = Client::open_with(&gateway, &headers);
        let mut params = params(4);
        params["client"]["id"] = json!("openclaw-control-ui");
        params["client"]["mode"] = json!("webchat");
        Device::new().attach(&mut params, &client.challenge.clone(), Version::V3);
        client.connect(params).map_err(|e| e["details"]["code"].clone())
    };
    let own = format!("https://{ip}");
    assert!(visit(&own, &[]).expect("paired at once")["auth"]["deviceToken"].is_string());
    let asks = Err(json!("PAIRING_REQUIRED"));
    assert_eq!(visit(&format!("http://{ip}"), &[]), asks, "a page that came plain");
    for (name, value) in [("X-Forwarded-For", "127.0.0.1"), ("Via", "1.1 x")] {
        assert_eq!(visit(&own, &[(name, value)]), asks, "{name}");
    }
}

/// Addresses that clients are told begin with https, and a page of the canvas hears of changes and of its end.
#[test]
fn i12_3_a_page_of_the_canvas_lives_under_tls() {
    let canvas = json!({"canvasHost": {"enabled": true, "port": gateway::free_port()}});
    let setup =
        setup(canvas).env("OPENCLAW_SKIP_CANVAS_HOST", "0").file("workspace/canvas/index.html", "<p>");
    let mut gateway = Gateway::start(&setup);
    unwrapped(&mut gateway);
    let mut client = Client::operator(&gateway, 4);
    let told = client.ok("plugin.surface.refresh", json!({"surface": "canvas"}));
    let url = told["pluginSurfaceUrls"]["canvas"].as_str().unwrap();
    assert!(url.starts_with("https://"), "{url}");
    let path = format!("/{}/__openclaw__/ws", url.splitn(4, '/').nth(3).unwrap());
    let (mut page, _) = Client::upgrade(http::tcp(gateway.port), gateway.port, &path, &[]).unwrap();
    std::fs::write(gateway.state_dir().join("workspace/canvas/index.html"), "<p>more").unwrap();
    assert_eq!(page.socket().read().unwrap().to_text().unwrap(), "reload");
    client.close(1000, "");
    assert_eq!(page.until_closed().0, 1001, "it ends with the connection whose capability it showed");
}
