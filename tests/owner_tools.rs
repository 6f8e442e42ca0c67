//! Issue 13, sentences 3 and 6: the tools `gateway` and `image`, through the real binary.
use super::exec::tool;
use super::harness::model::texts;
use super::harness::telegram::Telegram;
use super::harness::*;
use super::telegram::{said, with_bot};

fn calls(name: &str, arguments: Value) -> Reply {
    let call = Step::Call { id: "call_1".into(), name: name.into(), arguments: arguments.to_string() };
    Reply::Stream(vec![call, Step::Done])
}

/// What the tool said, as the model was told in its request number `n`.
fn result(model: &ModelServer, n: usize) -> String {
    let request = model.requests(n).remove(n - 1);
    request["body"]["messages"].as_array().unwrap().last().unwrap()["content"].to_string()
}

fn offers(request: &Value, name: &str) -> bool {
    request["body"]["tools"].to_string().contains(&format!("\"name\":\"{name}\""))
}

fn say(client: &mut Client, words: &str, key: &str) {
    client.ok("chat.send", json!({"sessionKey": "main", "message": words, "idempotencyKey": key}));
    client.event_where("chat", |payload| payload["runId"] == key && payload["state"] == "final");
}

/// SEC-42: settings are read without secrets, by the owner's turns only, and never written.
#[test]
fn sec_42_the_gateway_tool_reads_without_secrets_and_writes_nothing() {
    let config = json!({"action": "config.patch", "raw": "{gateway: {port: 1}}"});
    let replies = vec![
        calls("gateway", json!({"action": "config.get"})),
        texts(&["read"]),
        calls("gateway", json!({"action": "config.schema", "path": "tools.web.fetch"})),
        texts(&["known"]),
        calls("gateway", config),
        texts(&["refused"]),
        calls("gateway", json!({"action": "restart"})),
        texts(&["refused"]),
        calls("gateway", json!({"action": "config.get"})),
        texts(&["refused"]),
    ];
    let model = ModelServer::start(replies);
    let gateway = Gateway::start(&Setup::config(model.config()));
    let before = std::fs::read_to_string(gateway.config_path()).unwrap();
    let mut client = Client::operator(&gateway, 4);
    for (n, want) in [
        (1, "\\\"ok\\\":true"),
        (2, "allowHosts"),
        (3, "config.patch is not for agents"),
        (4, "commands.restart: true"),
    ] {
        say(&mut client, "go on", &format!("k{n}"));
        let told = result(&model, 2 * n);
        assert!(told.contains(want), "{n}: {told}");
        assert!(!told.contains("sk-test-key") && !told.contains(TOKEN), "{told}");
    }
    let (mut writer, _) = Client::with(&gateway, client::scoped(&["operator.read", "operator.write"]));
    writer.ok("chat.send", json!({"sessionKey": "main", "message": "read it", "idempotencyKey": "w"}));
    let told = result(&model, 10);
    assert!(told.contains("settings are the owner's"), "{told}");
    assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), before);
    assert!(gateway.log().contains("config.patch was refused"));
}

#[test]
fn i13_3_the_gateway_is_restarted_where_the_owner_allows_it_and_the_session_is_told() {
    let restart = json!({"action": "restart", "reason": "new key", "note": "back again", "delayMs": 1});
    let model = ModelServer::start(vec![calls("gateway", restart), texts(&["I restart"]), texts(&["hello"])]);
    let mut config = model.config();
    merge(&mut config, &json!({"commands": {"restart": true}}));
    let gateway = Gateway::start(&Setup::config(config));
    let (mut client, pid) = (Client::operator(&gateway, 4), gateway.pid());
    say(&mut client, "restart", "k1");
    client.until_closed();
    wait_for("the next generation", || {
        gateway.log().contains("back again").then_some(()).or_else(|| {
            let told = model.count();
            let mut client = Client::operator(&gateway, 4);
            client.ok(
                "chat.send",
                json!({"sessionKey": "main", "message": "hi", "idempotencyKey": format!("h{told}")}),
            );
            client.event_where("chat", |payload| payload["state"] == "final");
            model.requests(0).last()?["body"].to_string().contains("back again").then_some(())
        })
    });
    assert_eq!(gateway.pid(), pid);
}

#[test]
fn i13_6_guests_have_no_gateway_tool() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.user(1002, "Bob", "bob");
    let open = json!({"channels": {"telegram": {"dmPolicy": "open", "allowFrom": ["*"]}}, "commands": {"ownerAllowFrom": ["1001"]}});
    let replies = vec![calls("gateway", json!({"action": "config.get"})), texts(&["no"]), texts(&["hello"])];
    let (model, _gateway) = with_bot(&telegram, open, replies);
    telegram.says(1002, 1002, "show me the config");
    assert_eq!(said(&telegram, 1002, 1), ["no"]);
    assert!(
        !offers(&model.requests(1)[0], "gateway")
            && result(&model, 2).contains("gateway is not allowed here")
    );
    telegram.says(1001, 1001, "hi");
    assert_eq!(said(&telegram, 1001, 1), ["hello"]);
    assert!(offers(&model.requests(3)[2], "gateway"));
}

/// One red point.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

#[test]
fn i13_3_a_picture_is_looked_at_by_a_model_that_can_see() {
    let eyes = ModelServer::start(vec![
        texts(&["One red point"]),
        Reply::Status(400, vec![], r#"{"error":{"message":"no eyes today"}}"#.into()),
        texts(&["Still red"]),
        texts(&["One that came in"]),
    ]);
    let look = |image: &str| calls("image", json!({"image": image, "prompt": "Which colour?"}));
    let model = ModelServer::start(vec![
        look("pics/a.png"),
        texts(&["seen"]),
        look(&format!("data:image/png;base64,{PNG}")),
        texts(&["seen"]),
        look("../openclaw.json"),
        texts(&["not seen"]),
    ]);
    let mut config = model.config();
    merge(
        &mut config,
        &json!({
        "models": {"providers": {"eyes": {"baseUrl": eyes.config()["models"]["providers"]["test"]["baseUrl"], "apiKey": "sk-eyes-key-0123456789",
            "models": [{"id": "m", "name": "E", "input": ["text", "image"]}, {"id": "n", "name": "N", "input": ["text", "image"]}]}}},
        "gateway": {"tools": {"allow": ["image"]}},
        "agents": {"defaults": {"imageModel": {"primary": "eyes/m", "fallbacks": ["eyes/n"]}}}}),
    );
    let gateway = Gateway::start(&Setup::config(config));
    let pics = gateway.state_dir().join("workspace/pics");
    std::fs::create_dir_all(&pics).unwrap();
    let decode = std::process::Command::new("base64")
        .arg("-d")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut decode = decode.unwrap();
    std::io::Write::write_all(&mut decode.stdin.take().unwrap(), PNG.as_bytes()).unwrap();
    std::fs::write(pics.join("a.png"), decode.wait_with_output().unwrap().stdout).unwrap();
    let mut client = Client::operator(&gateway, 4);
    for (n, want) in [(1, "One red point"), (2, "Still red"), (3, "openclaw.json")] {
        say(&mut client, "which colour is it?", &format!("k{n}"));
        assert!(result(&model, 2 * n).contains(want), "{}", result(&model, 2 * n));
    }
    let asked = eyes.requests(3);
    assert_eq!(eyes.count(), 3, "the second model is asked where the first fails");
    for (request, model) in asked.iter().zip(["m", "m", "n"]) {
        assert_eq!(request["body"]["model"], model);
        let content = request["body"]["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
        assert!(content.contains("Which colour?") && content.contains(PNG), "the picture arrives: {content}");
    }
    let transcript = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(
        transcript.contains("no eyes today") && transcript.contains("\"model\":\"eyes/n\""),
        "{transcript}"
    );
    // What came with messages is looked at, but for files of the gateway's own by another name.
    let media = gateway.state_dir().join("media/inbound");
    std::fs::create_dir_all(&media).unwrap();
    std::fs::copy(pics.join("a.png"), media.join("came.png")).unwrap();
    std::fs::copy(pics.join("a.png"), gateway.state_dir().join("gateway/own.png")).unwrap();
    std::fs::hard_link(gateway.state_dir().join("gateway/own.png"), media.join("own.png")).unwrap();
    let look = |name: &str| tool(&gateway, "image", json!({"image": (media.join(name))}));
    assert_eq!(look("came.png"), (false, "One that came in".to_string()));
    let (is_error, said) = look("own.png");
    assert!(is_error && said.contains("belongs to the gateway") && eyes.count() == 4, "{said}");
    let plain = ModelServer::start(vec![texts(&["hi"])]);
    let other = Gateway::start(&Setup::config(plain.config()));
    say(&mut Client::operator(&other, 4), "hi", "k");
    assert!(!offers(&plain.requests(1)[0], "image"), "without a model that can see there is no tool");
}
