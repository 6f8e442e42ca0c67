//! The tools `nodes` and `canvas`, and commands that run on a node, with stand-ins of nodes.
use crate::agent::turn;
use crate::exec::tool;
use crate::harness::model::texts;
use crate::harness::*;

/// The smallest PNG there is.
const DOT: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const TOOLS: &str = r#"{"gateway": {"tools": {"allow": ["nodes", "canvas", "exec"]}, "nodes": {"allowCommands": ["camera.snap", "camera.clip"]}}}"#;

fn start(more: Value) -> Gateway {
    let mut config: Value = serde_json::from_str(TOOLS).unwrap();
    merge(&mut config, &more);
    Gateway::start(&Setup::config(config))
}

/// Calls a tool while a node does what it is told; gives what the node was told beside the result.
fn with(
    gateway: &Gateway,
    node: &mut Node,
    name: &str,
    args: Value,
    gives: Value,
) -> (Value, (bool, String)) {
    std::thread::scope(|scope| {
        let called = scope.spawn(|| tool(gateway, name, args));
        let told = node.told();
        node.answer(&told, gives);
        let params: Value = serde_json::from_str(told["paramsJSON"].as_str().unwrap_or("null")).unwrap();
        (json!({"command": told["command"], "params": params}), called.join().unwrap())
    })
}

#[test]
fn i15_2_a_node_looks_says_and_does_what_the_tool_asks() {
    let gateway = start(json!({}));
    let (is_error, said) = tool(&gateway, "nodes", json!({"action": "status"}));
    assert!(is_error, "without a node there is no tool: {said}");
    let all = ["camera.snap", "camera.clip", "location.get", "system.run", "system.notify", "canvas.eval"];
    let mut node = Node::new(&gateway, 4, "macos", &all);
    let mut act = |args: Value, gives: Value| with(&gateway, &mut node, "nodes", args, gives);
    let snap = json!({"payload": {"format": "png", "base64": DOT, "width": 1, "height": 1}});
    let (told, (is_error, said)) =
        act(json!({"action": "camera_snap", "facing": "front", "maxWidth": 640}), snap);
    assert_eq!(
        told,
        json!({"command": "camera.snap", "params": {"facing": "front", "maxWidth": 640, "format": "jpg"}})
    );
    let path = said.strip_prefix("MEDIA:").unwrap_or_else(|| panic!("{said}"));
    assert!(!is_error && path.starts_with(gateway.state_dir().join("media").to_str().unwrap()), "{path}");
    assert!(std::fs::read(path).unwrap().starts_with(b"\x89PNG"));
    let clip = json!({"payload": {"format": "mp4", "base64": "AAAA"}});
    let (told, (_, said)) =
        act(json!({"action": "camera_clip", "node": "stand-in", "durationMs": 100}), clip);
    assert_eq!(told["params"], json!({"durationMs": 100, "format": "mp4"}));
    assert!(said.starts_with("FILE:") && said.ends_with(".mp4"), "{said}");
    let (told, (_, said)) = act(json!({"action": "notify", "title": "Hi"}), json!({}));
    assert_eq!(
        (told["command"].as_str(), told["params"].clone(), said.as_str()),
        (Some("system.notify"), json!({"title": "Hi"}), "{\"ok\":true}")
    );
    let (_, (_, said)) = act(json!({"action": "location_get"}), json!({"payload": {"lat": 1.5}}));
    assert!(said.contains("1.5") && said.contains("EXTERNAL_UNTRUSTED_CONTENT"), "{said}");
    let (told, _) = act(
        json!({"action": "run", "command": ["ls", "-l"], "env": ["A=b"], "cwd": "/x"}),
        json!({"payload": {"exitCode": 0}}),
    );
    assert_eq!(told["params"]["command"], json!(["ls", "-l"]));
    assert!(told["params"]["approved"].is_null() && told["params"]["env"] == json!({"A": "b"}), "{told}");
    let denied = json!({"ok": false, "error": {"code": "UNAVAILABLE", "message": "SYSTEM_RUN_DENIED: approval required"}});
    let (_, (is_error, said)) = act(json!({"action": "run", "command": ["rm", "x"]}), denied);
    assert!(is_error && said.contains("node=") && said.contains("exec with host \"node\""), "{said}");
    let (_, (is_error, said)) = act(json!({"action": "camera_snap"}), json!({"payload": {"base64": "AAAA"}}));
    assert!(is_error && said.contains("no picture"), "{said}");
    let (told, (_, said)) = act(
        json!({"action": "invoke", "invokeCommand": "canvas.eval", "invokeParamsJson": "{\"a\":1}"}),
        json!({"payload": 7}),
    );
    assert_eq!(told, json!({"command": "canvas.eval", "params": {"a": 1}}));
    assert!(said.contains("\"payload\":7"), "{said}");
    for (args, want) in [
        (json!({"action": "describe", "node": "nobody"}), "unknown node: nobody (known: Stand In)"),
        (json!({"action": "screen_record"}), "node required (known: Stand In)"),
        (json!({"action": "notify"}), "title or body required"),
        (
            json!({"action": "invoke", "invokeCommand": "canvas.eval", "invokeParamsJson": "{"}),
            "invokeParamsJson",
        ),
    ] {
        let (is_error, said) = tool(&gateway, "nodes", args.clone());
        assert!(is_error && said.contains(want), "{args}: {said}");
    }
    for args in [json!({"action": "status"}), json!({"action": "describe", "node": node.id.get(..8)})] {
        let (_, said) = tool(&gateway, "nodes", args);
        assert!(said.contains("Stand In"), "{said}");
    }
}

#[test]
fn i15_2_a_canvas_shows_what_is_checked_before() {
    let gateway = start(json!({}));
    let all = ["present", "hide", "navigate", "eval", "snapshot", "a2ui.pushJSONL", "a2ui.reset"]
        .map(|name| format!("canvas.{name}"));
    let mut node = Node::new(&gateway, 3, "ios", &all.each_ref().map(String::as_str));
    let surface = "{\"surfaceUpdate\":{\"surfaceId\":\"main\",\"components\":[{\"id\":\"t\",\"component\":{\"Text\":{\"text\":{\"literalString\":\"hi\"}}}}]}}\n{\"beginRendering\":{\"surfaceId\":\"main\",\"root\":\"t\"}}";
    for (args, command, params) in [
        (
            json!({"action": "present", "target": "/x", "x": 1}),
            "canvas.present",
            json!({"url": "/x", "placement": {"x": 1}}),
        ),
        (json!({"action": "present"}), "canvas.present", json!({})),
        (json!({"action": "hide"}), "canvas.hide", json!(null)),
        (json!({"action": "navigate", "url": "/y"}), "canvas.navigate", json!({"url": "/y"})),
        (
            json!({"action": "a2ui_push", "jsonl": surface}),
            "canvas.a2ui.pushJSONL",
            json!({"jsonl": surface}),
        ),
        (json!({"action": "a2ui_reset"}), "canvas.a2ui.reset", json!(null)),
    ] {
        let (told, (is_error, said)) = with(&gateway, &mut node, "canvas", args.clone(), json!({}));
        assert_eq!((told["command"].as_str(), &told["params"]), (Some(command), &params), "{args}");
        assert_eq!((is_error, said.as_str()), (false, "{\"ok\":true}"));
    }
    let (told, (_, said)) = with(
        &gateway,
        &mut node,
        "canvas",
        json!({"action": "eval", "javaScript": "1+1"}),
        json!({"payload": {"result": "2"}}),
    );
    assert_eq!(told["params"], json!({"javaScript": "1+1"}));
    assert!(said.contains("\n2\n"), "{said}");
    let picture = json!({"payload": {"format": "png", "base64": DOT}});
    let (told, (_, said)) = with(
        &gateway,
        &mut node,
        "canvas",
        json!({"action": "snapshot", "maxWidth": 300, "outputFormat": "jpg"}),
        picture,
    );
    assert_eq!(told["params"], json!({"maxWidth": 300, "format": "jpeg"}));
    assert!(said.starts_with("MEDIA:"), "{said}");
    let wrong = format!(
        "{surface}\n{{\"surfaceUpdate\":{{\"surfaceId\":\"m\",\"components\":[{{\"id\":\"b\",\"component\":{{\"Button\":{{}}}}}}]}}}}"
    );
    let (is_error, said) = tool(&gateway, "canvas", json!({"action": "a2ui_push", "jsonl": wrong}));
    assert!(
        is_error
            && said.contains("A2UI line 3: surfaceUpdate.components.0.component.Button.child: is missing"),
        "{said}"
    );
}

/// A picture reaches a model that sees, in the shape of each format; one that does not is told so.
#[test]
fn i15_2_a_picture_of_a_node_reaches_a_model_that_sees() {
    for (api, sees) in [
        ("openai-completions", true),
        ("openai-completions", false),
        ("openai-responses", true),
        ("anthropic-messages", true),
    ] {
        let call = Step::Call {
            id: "c1".into(),
            name: "nodes".into(),
            arguments: r#"{"action":"camera_snap"}"#.into(),
        };
        let server = ModelServer::start(vec![Reply::Stream(vec![call, Step::Done]), texts(&["a cat"])]);
        let mut config = server.config_for(api);
        if sees {
            config["models"]["providers"]["test"]["models"][0]["input"] = json!(["text", "image"]);
        }
        let gateway = start(config);
        let mut node = Node::new(&gateway, 4, "ios", &["camera.snap"]);
        let mut client = Client::operator(&gateway, 4);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let told = node.told();
                node.answer(&told, json!({"payload": {"format": "png", "base64": DOT}}));
            });
            turn(&mut client, "what do you see", "k").unwrap();
        });
        let asked = server.requests(2)[1].to_string();
        assert_eq!(asked.contains(DOT), sees, "{api}: {asked}");
        assert!(asked.contains("MEDIA:"), "{api}");
        assert_eq!(asked.contains("a picture was left out"), !sees, "{api}: {asked}");
    }
}

#[test]
fn i15_2_who_is_not_the_owner_reaches_no_node() {
    let call =
        Step::Call { id: "c1".into(), name: "nodes".into(), arguments: r#"{"action":"status"}"#.into() };
    let server = ModelServer::start(vec![Reply::Stream(vec![call, Step::Done]), texts(&["done"])]);
    let gateway = start(server.config());
    let mut node = Node::new(&gateway, 4, "ios", &["camera.snap"]);
    let mut client = Client::operator(&gateway, 4);
    node.event("agent.request", json!({"message": "list", "sessionKey": "main"}));
    client.event_where("chat", |said| said["state"] == "final");
    let asked = server.requests(2)[1].to_string();
    assert!(asked.contains("tool nodes is not allowed here"), "{asked}");
}

#[test]
fn i15_1_a_command_runs_on_a_node_by_the_owners_word() {
    let gateway = start(json!({"tools": {"exec": {"host": "node"}}}));
    let mut client = Client::operator(&gateway, 4);
    let mut node = Node::new(&gateway, 4, "linux", &["system.run"]);
    let ask = |node: &mut Node, client: &mut Client, decision: &str| -> (String, Option<Value>) {
        let (is_error, said) = tool(&gateway, "exec", json!({"command": "uname -a", "workdir": "/srv"}));
        assert!(!is_error && said.starts_with("Approval required"), "{said}");
        let asked = client.event("exec.approval.requested");
        let request = &asked["request"];
        assert_eq!(
            (&request["host"], &request["nodeId"], &request["cwd"]),
            (&json!("node"), &json!(node.id), &json!("/srv"))
        );
        assert_eq!(request["commandArgv"], json!(["/bin/sh", "-lc", "uname -a"]));
        let id = asked["id"].as_str().unwrap().to_string();
        client.ok("exec.approval.resolve", json!({"id": id, "decision": decision}));
        if decision == "deny" {
            return (id, None);
        }
        let told = node.told();
        node.answer(&told, json!({"payload": {"exitCode": 0, "stdout": "Linux far"}}));
        (id, Some(serde_json::from_str(told["paramsJSON"].as_str().unwrap()).unwrap()))
    };
    let (id, told) = ask(&mut node, &mut client, "allow-once");
    let told = told.unwrap();
    assert_eq!((&told["command"], &told["cwd"]), (&json!(["/bin/sh", "-lc", "uname -a"]), &json!("/srv")));
    assert_eq!(
        (&told["approved"], &told["approvalDecision"], &told["runId"]),
        (&json!(true), &json!("allow-once"), &json!(id))
    );
    ask(&mut node, &mut client, "deny");
    node.client.collect(Duration::from_millis(100));
    assert!(
        node.client.kept().iter().all(|frame| frame["event"] != "node.invoke.request"),
        "denied is denied"
    );
    ask(&mut node, &mut client, "allow-always");
    // Allowed for good: the node is told at once, and that somebody has approved it is its own matter.
    let args = json!({"command": "uname -a", "workdir": "/srv"});
    let (told, said) =
        with(&gateway, &mut node, "exec", args, json!({"payload": {"exitCode": 3, "stderr": "no"}}));
    assert!(told["params"]["approved"].is_null(), "{told}");
    assert_eq!(said, (true, "no\n\nCommand exited with code 3".to_string()));
    let (is_error, said) = tool(&gateway, "exec", json!({"command": "ls", "host": "gateway"}));
    assert!(is_error && said.contains("exec host not allowed (requested gateway"), "{said}");
}
