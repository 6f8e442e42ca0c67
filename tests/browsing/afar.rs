//! A browser on a node: the gateway has that machine drive it, and keeps the files that come of it.
use super::*;
use crate::harness::node_gateway::NodeHost;

/// A node host on the machine of `far`, at `gateway`.
fn host(far: &Gateway, gateway: &Gateway) -> NodeHost {
    let dir = gateway::new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("openclaw.json"), json!({"gateway": {"port": far.port}}).to_string()).unwrap();
    let node = NodeHost::start_in(dir, gateway.port, &["--display-name", "Desk"]);
    let mut client = Client::operator(gateway, 4);
    wait_within(2 * DEADLINE, "a node with a browser", || {
        let nodes = client.ok("node.list", json!({}));
        let offered = nodes["nodes"][0]["commands"].as_array().cloned().unwrap_or_default();
        offered.contains(&json!("browser.proxy")).then_some(())
    });
    node
}

#[test]
fn i15_4_the_browser_of_the_only_node_that_has_one_is_meant() {
    let config = json!({"browser": {"executablePath": "/nowhere/chromium", "noSandbox": true}});
    let far = Gateway::start(&Setup::config(config));
    wait_for("the control port", || std::net::TcpStream::connect(("127.0.0.1", far.port + 2)).ok());
    let gateway = Gateway::start(&Setup::config(json!({})));
    let node = host(&far, &gateway);
    let mut client = Client::operator(&gateway, 4);
    let status = client.ok("browser.request", json!({"method": "GET", "path": "/"}));
    assert_eq!((&status["executablePath"], &status["running"]), (&json!("/nowhere/chromium"), &json!(false)));
    let error = client.fails("browser.request", json!({"method": "POST", "path": "/start"}));
    assert!(error["message"].as_str().unwrap().starts_with("browser.executablePath not found"), "{error}");
    let error = client.fails(
        "browser.request",
        json!({"method": "POST", "path": "/tabs/focus", "body": {"targetId": "x"}}),
    );
    assert!(error["code"] == "INVALID_REQUEST" && error["message"] == "browser not running", "{error}");
    drop(node);
    wait_for("the node's end", || {
        (client.ok("node.list", json!({}))["nodes"][0]["connected"] != true).then_some(())
    });
    let status = client.ok("browser.request", json!({"method": "GET", "path": "/"}));
    assert_eq!(status["executablePath"], Value::Null, "this machine's again");
}

#[test]
fn i15_4_a_page_is_opened_and_pictured_on_a_node() {
    if !is_wanted(false) {
        return;
    }
    let mut far = World::new(json!({}));
    far.open("/two");
    let gateway = Gateway::start(&Setup::config(json!({})));
    let _node = host(&far.gateway, &gateway);
    let cli = |args: &[&str]| {
        let out = gateway.cli(&[&["browser"], args, &["--json"]].concat());
        assert!(out.status.success(), "{args:?}: {out:?}");
        serde_json::from_slice::<Value>(&out.stdout).unwrap()
    };
    assert_eq!(cli(&["open", &far.site.url("/")])["title"], "Home");
    assert!(cli(&["snapshot"])["snapshot"].as_str().unwrap().contains("Hello"));
    let picture = cli(&["screenshot"]);
    let path = std::path::Path::new(picture["path"].as_str().unwrap());
    assert!(path.starts_with(gateway.state_dir().join("media/browser")), "{picture}");
    assert!(std::fs::read(path).unwrap().starts_with(b"\x89PNG"), "{picture}");
}
