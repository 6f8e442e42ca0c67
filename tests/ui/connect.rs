//! Coming in: by fragment, by hand, by a code, by approval; what is said where one does not; coming back.
use super::*;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// The token is out of the address at once and kept nowhere; the browser's own key and token are enough from then on.
#[test]
fn i12_4_a_token_in_the_fragment_is_taken_and_forgotten() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    let page = &mut world.page;
    assert!(!page.eval("location.href").as_str().unwrap().contains("token"));
    let kept = page.eval("JSON.stringify([{...localStorage}, {...sessionStorage}, document.documentElement.outerHTML, history.length])");
    assert!(!kept.as_str().unwrap().contains(TOKEN), "{kept}");
    page.reload();
    world.connected();
    wait_for("the browser's own token", || world.gateway.log().contains("auth=device-token").then_some(()));
    // The key cannot be taken out of the browser.
    let exported = world.page.eval(
        "new Promise((ok) => { const r = indexedDB.open('openclaw'); r.onsuccess = () => { const g = r.result.transaction('keys').objectStore('keys').get('device'); g.onsuccess = () => crypto.subtle.exportKey('pkcs8', g.result.privateKey).then(() => ok('exported'), (e) => ok(e.name)); }; })",
    );
    assert_eq!(exported, "InvalidAccessError");
    world.quiet();
}

#[test]
fn i12_4_a_wrong_token_is_explained_and_a_right_one_helps() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::apart(vec![model::texts(&["hi"])], json!({}));
    world.page.open(&format!("{}#token=wrong", world.url()));
    world.page.wait_text("That is not the gateway’s token");
    world.page.wait_text("openclaw dashboard");
    is_accessible(&mut world.page, "login");
    world.page.picture("login-wrong-token");
    world.page.click(".login input");
    world.page.typed(TOKEN);
    world.page.key("Enter");
    world.connected();
    world.page.picture("chat-empty");
    world.quiet();
}

/// `openclaw dashboard`: its code opens one browser, and no second one.
#[test]
fn i12_4_a_code_opens_one_browser() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::apart(vec![model::texts(&["hi"])], json!({}));
    let told = world.gateway.cli(&["dashboard", "--no-open", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let url = told["url"].as_str().unwrap().to_string();
    world.page.open(&url);
    world.connected();
    assert_eq!(world.page.eval("location.hash"), "");
    let other = Browser::start(&[]);
    let mut late = other.page();
    late.open(&url);
    late.wait_text("This link was used already");
    late.picture("login-used-code");
    world.quiet();
}

/// From elsewhere, here through a proxy that puts the gateway at a path of its own, somebody must say yes; the page tells
/// how, and goes on by itself.
#[test]
fn i12_4_a_browser_from_elsewhere_waits_for_approval() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::apart(vec![model::texts(&["hi"])], json!({}));
    let port = forward(world.gateway.port, b"GET /claw/");
    world.page.open(&format!("http://127.0.0.1:{port}/claw/#token={TOKEN}"));
    world.page.wait_text("Approve this browser");
    world.page.wait_text("openclaw devices approve");
    is_accessible(&mut world.page, "login, pairing");
    world.page.picture("login-pairing");
    let approved = world.gateway.cli(&["devices", "approve"]);
    assert!(approved.status.success(), "{approved:?}");
    world.connected();
    world.quiet();
}

/// TLS on the gateway's own port, with the certificate that it made itself: the address that the command prints works.
#[test]
fn i12_6_the_page_works_under_tls() {
    if !is_wanted(false) {
        return;
    }
    let mut config = ModelServer::start(vec![model::texts(&["hi"])]).config();
    merge(&mut config, &json!({"gateway": {"tls": {"enabled": true}}}));
    let gateway = Gateway::start(&Setup::config(config));
    wait_for("the certificate", || gateway.state_dir().join("gateway/tls/shown").exists().then_some(()));
    let told = gateway.cli(&["dashboard", "--no-open"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let url = told.split_whitespace().find(|word| word.starts_with("https://")).expect(&told);
    let browser = Browser::start(&["--ignore-certificate-errors"]);
    let mut page = browser.page();
    page.open(url);
    page.wait("document.getElementById('link').textContent.startsWith('Connected')");
    page.reload();
    page.wait("document.getElementById('link').textContent.startsWith('Connected')");
    page.picture("under-tls");
    assert!(page.noise.is_empty(), "{:#?}", page.noise);
}

/// A name that the gateway does not know as its own: the page says which setting would allow it.
#[test]
fn i12_4_an_origin_that_is_not_allowed_is_explained() {
    if !is_wanted(false) {
        return;
    }
    let gateway = Gateway::plain();
    let browser = Browser::start(&["--host-resolver-rules=MAP gw.example 127.0.0.1"]);
    let mut page = browser.page();
    let origin = format!("http://gw.example:{}", gateway.port);
    page.open(&format!("{origin}/#token={TOKEN}"));
    page.wait_text("This address is not allowed");
    page.wait_text(&format!("openclaw config set gateway.controlUi.allowedOrigins '[\"{origin}\"]'"));
    page.picture("login-origin");
    let allow =
        gateway.cli(&["config", "set", "gateway.controlUi.allowedOrigins", &format!("[\"{origin}\"]")]);
    assert!(allow.status.success(), "{allow:?}");
    // The restart that this needs is seen through; then the browser itself stands in the way.
    page.wait_text("This needs a safe connection");
}

/// A path prefix, as behind a proxy: all parts, the connection and the way back stay below it.
#[test]
fn i12_4_a_path_prefix_is_kept() {
    if !is_wanted(false) {
        return;
    }
    let mut world =
        World::apart(vec![model::texts(&["hi"])], json!({"gateway": {"controlUi": {"basePath": "/my/ui"}}}));
    world.page.open(&format!("{}my/ui#token={TOKEN}", world.url()));
    world.connected();
    assert_eq!(world.page.eval("location.pathname"), "/my/ui/");
    world.go("overview");
    world.page.wait("document.querySelector('.tile')");
    let asked = world.page.eval("performance.getEntriesByType('resource').map((e) => new URL(e.name).pathname).filter((p) => !p.startsWith('/my/ui/'))");
    assert_eq!(asked, json!([]));
    world.quiet();
}

/// A restart is told, and over by itself; so is a stop and a start.
#[test]
fn i12_4_the_page_comes_back_by_itself() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    world.gateway.stop();
    world.page.wait_text("Connecting again by itself");
    world.page.picture("reconnecting");
    world.gateway.restart();
    world.page.wait("document.getElementById('banner').hidden");
    world.connected();
    world.say("after the restart");
    world
        .page
        .wait("[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'hi')");
}

/// A port that leads to another one, as a proxy does: requests that begin so go to `/`.
#[expect(clippy::disallowed_methods, reason = "threads of a test")]
fn forward(to: u16, begin: &'static [u8]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { return };
            let (near_in, far_in) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || pass(near_in, far, begin));
            std::thread::spawn(move || pass(far_in, near, b""));
        }
    });
    port
}

/// Hands on what is read, until either end has closed.
fn pass(mut from: TcpStream, mut into: TcpStream, begin: &[u8]) {
    let mut bytes = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        let read = &bytes[..n];
        let done = match read.strip_prefix(begin).filter(|_| !begin.is_empty()) {
            Some(rest) => into.write_all(b"GET /").and_then(|()| into.write_all(rest)),
            None => into.write_all(read),
        };
        if done.is_err() {
            break;
        }
    }
    // It may be closed already.
    let _ = into.shutdown(Shutdown::Write);
}
