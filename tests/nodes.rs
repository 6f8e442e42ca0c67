//! Nodes that are connected: who is listed as what, what they are told to do, and what becomes of it.
use crate::harness::node::says;
use crate::harness::*;

pub fn invoke(node: &str, command: &str, key: &str) -> Value {
    json!({"nodeId": node, "command": command, "idempotencyKey": key})
}

#[test]
fn i15_1_a_node_is_listed_with_what_it_may_be_told() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let declared = ["system.run", "canvas.eval", "foo.bar", " system.which ", "system.run", "sms.send"];
    for protocol in [3, 4] {
        let node = Node::new(&gateway, protocol, "linux", &declared);
        assert_eq!(
            (&node.hello["auth"]["role"], &node.hello["auth"]["scopes"]),
            (&json!("node"), &json!([]))
        );
        let listed = operator.ok("node.list", json!({}));
        let row = listed["nodes"].as_array().unwrap().iter().find(|row| row["nodeId"] == node.id.as_str());
        let row = row.unwrap_or_else(|| panic!("{listed}"));
        assert_eq!(row["commands"], json!(["system.run", "system.which"]));
        assert_eq!(
            (&row["displayName"], &row["platform"], &row["version"]),
            (&json!("Stand In"), &json!("linux"), &json!("7"))
        );
        assert_eq!(
            (&row["pathEnv"], &row["permissions"]),
            (&json!("/usr/bin:/bin"), &json!({"screen": true}))
        );
        assert_eq!((&row["paired"], &row["connected"]), (&json!(true), &json!(true)));
        let told = operator.ok("node.describe", json!({"nodeId": node.id}));
        assert_eq!(told["commands"], row["commands"]);
        operator.ok("node.rename", json!({"nodeId": node.id, "displayName": "Kitchen"}));
        let told = operator.ok("node.describe", json!({"nodeId": node.id}));
        assert_eq!(told["displayName"], "Kitchen");
        let id = node.id.clone();
        drop(node);
        let gone = wait_for("the node to be away", || {
            let told = operator.ok("node.describe", json!({"nodeId": id}));
            (told["connected"] == false).then_some(told)
        });
        assert_eq!(
            (&gone["commands"], &gone["paired"], &gone["displayName"]),
            (&json!([]), &json!(true), &json!("Kitchen"))
        );
    }
    assert_eq!(operator.fails("node.describe", json!({"nodeId": "x"}))["message"], "unknown nodeId");
    assert_eq!(
        operator.fails("node.rename", json!({"nodeId": "x", "displayName": "y"}))["message"],
        "unknown nodeId"
    );
}

#[test]
fn i15_1_an_invoke_goes_to_the_node_and_comes_back() {
    let gateway = Gateway::plain();
    for (protocol, node_speaks) in [(3, 3), (3, 4), (4, 3), (4, 4)] {
        let mut operator = Client::operator(&gateway, protocol);
        let mut node = Node::new(&gateway, node_speaks, "linux", &["system.which"]);
        let key = |n: u32| format!("k{protocol}{node_speaks}{n}");
        let mut ask = invoke(&node.id, "system.which", &key(0));
        merge(&mut ask, &json!({"params": {"bins": ["ls"]}, "timeoutMs": 5000}));
        let id = operator.ask("node.invoke", ask);
        let told = node.told();
        assert_eq!((&told["nodeId"], &told["command"]), (&json!(node.id), &json!("system.which")));
        assert_eq!((&told["paramsJSON"], &told["timeoutMs"]), (&json!(r#"{"bins":["ls"]}"#), &json!(5000)));
        assert_eq!(node.answer(&told, json!({"payloadJSON": "{\"a\": 1}"})), json!({"ok": true}));
        let want = json!({"ok": true, "nodeId": node.id, "command": "system.which", "payload": {"a": 1}, "payloadJSON": "{\"a\": 1}"});
        assert_eq!(operator.answer(&id).unwrap(), want);
        // Without params; a payload as it is, one that is no JSON, null, an object where a text belongs.
        for (n, (said, payload, text)) in [
            (json!({"payload": [1]}), json!([1]), json!(null)),
            (json!({"payloadJSON": "no"}), json!({"payloadJSON": "no"}), json!("no")),
            (json!({"payloadJSON": null, "error": null}), json!(null), json!(null)),
            (json!({"payloadJSON": {"b": 2}}), json!({"b": 2}), json!(null)),
            (json!({}), json!(null), json!(null)),
        ]
        .into_iter()
        .enumerate()
        {
            let id = operator.ask("node.invoke", invoke(&node.id, "system.which", &key(n as u32 + 1)));
            let told = node.told();
            assert!(told["paramsJSON"].is_null() && told.get("timeoutMs").is_none(), "{told}");
            node.answer(&told, said.clone());
            let answer = operator.answer(&id).unwrap();
            assert_eq!((&answer["payload"], &answer["payloadJSON"]), (&payload, &text), "{said}");
        }
    }
}

#[test]
fn i15_1_a_large_result_arrives_whole() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let mut node = Node::new(&gateway, 4, "macos", &["canvas.snapshot"]);
    let id = operator.ask("node.invoke", invoke(&node.id, "canvas.snapshot", "k"));
    let told = node.told();
    let picture = json!({"format": "png", "base64": "A".repeat(5_000_000)});
    node.answer(&told, json!({"payloadJSON": picture.to_string()}));
    assert_eq!(operator.answer(&id).unwrap()["payload"], picture);
    // One that no frame holds ends the connection, and with it the call.
    let id = operator.ask("node.invoke", invoke(&node.id, "canvas.snapshot", "l"));
    let told = node.told();
    let text =
        json!({"id": told["id"], "nodeId": node.id, "ok": true, "payloadJSON": "A".repeat(27_000_000)});
    node.client.ask("node.invoke.result", text);
    assert_eq!(node.client.until_closed().0, 1009);
    assert_eq!(operator.answer(&id).unwrap_err()["message"], "node disconnected (canvas.snapshot)");
}

#[test]
fn i15_1_what_goes_wrong_is_told() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let mut node = Node::new(&gateway, 4, "linux", &["system.which"]);
    let mute = Node::new(&gateway, 4, "linux", &[]);
    for (asked, reason) in [
        (invoke(&node.id, "canvas.eval", "1"), "command not allowlisted"),
        (invoke(&node.id, "camera.snap", "2"), "command not allowlisted"),
        (invoke(&node.id, "system.notify", "3"), "command not declared by node"),
        (invoke(&mute.id, "system.notify", "4"), "node did not declare commands"),
    ] {
        let error = operator.fails("node.invoke", asked.clone());
        assert_eq!(
            (&error["code"], &error["details"]["reason"]),
            (&json!("INVALID_REQUEST"), &json!(reason)),
            "{error}"
        );
        assert_eq!(error["details"]["command"], asked["command"]);
        assert!(error["message"].as_str().unwrap().starts_with("node command not allowed"), "{error}");
    }
    let error = operator.fails("node.invoke", invoke("nobody", "system.which", "5"));
    assert_eq!(
        (&error["message"], &error["details"]["code"]),
        (&json!("node not connected"), &json!("NOT_CONNECTED"))
    );
    assert_eq!(
        operator.fails("node.invoke", invoke(" ", "x", "6"))["message"],
        "nodeId and command required"
    );

    let id = operator.ask("node.invoke", invoke(&node.id, "system.which", "7"));
    let told = node.told();
    node.answer(&told, json!({"ok": false, "error": {"code": "BROKEN", "message": "it broke"}}));
    let error = operator.answer(&id).unwrap_err();
    assert_eq!((&error["code"], &error["message"]), (&json!("UNAVAILABLE"), &json!("it broke")));
    assert_eq!(error["details"]["nodeError"], json!({"code": "BROKEN", "message": "it broke"}));
    let id = operator.ask("node.invoke", invoke(&node.id, "system.which", "8"));
    let told = node.told();
    node.answer(&told, json!({"ok": false}));
    assert_eq!(operator.answer(&id).unwrap_err()["message"], "node invoke failed");

    let mut late = invoke(&node.id, "system.which", "9");
    late["timeoutMs"] = json!(100);
    let error = operator.fails("node.invoke", late);
    assert_eq!(
        (&error["message"], &error["details"]["nodeError"]["code"]),
        (&json!("node invoke timed out"), &json!("TIMEOUT"))
    );
    let told = node.told();
    assert_eq!(node.answer(&told, json!({})), json!({"ok": true, "ignored": true}), "too late");

    let id = operator.ask("node.invoke", invoke(&node.id, "system.which", "10"));
    node.told();
    drop(node);
    assert_eq!(operator.answer(&id).unwrap_err()["message"], "node disconnected (system.which)");
}

#[test]
fn i15_1_only_the_node_that_was_told_answers_and_once() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let mut node = Node::new(&gateway, 4, "linux", &["system.which"]);
    let mut other = Node::new(&gateway, 4, "linux", &["system.which"]);
    let id = operator.ask("node.invoke", invoke(&node.id, "system.which", "1"));
    let told = node.told();
    // In its own name, and in the other's.
    assert_eq!(
        other.answer(&told, json!({"payloadJSON": "\"forged\""})),
        json!({"ok": true, "ignored": true})
    );
    let lie = json!({"id": told["id"], "nodeId": node.id, "ok": true, "payloadJSON": "\"forged\""});
    assert_eq!(other.client.fails("node.invoke.result", lie)["message"], "nodeId mismatch");
    assert_eq!(node.answer(&told, json!({"payloadJSON": "\"true\""})), json!({"ok": true}));
    assert_eq!(
        node.answer(&told, json!({"payloadJSON": "\"doubled\""})),
        json!({"ok": true, "ignored": true})
    );
    assert_eq!(operator.answer(&id).unwrap()["payload"], "true");
    let unknown = json!({"id": "x", "nodeId": node.id, "ok": true});
    assert_eq!(node.client.ok("node.invoke.result", unknown), json!({"ok": true, "ignored": true}));
}

#[test]
fn i15_1_a_repeated_request_is_done_once() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let mut other = Client::operator(&gateway, 3);
    let mut node = Node::new(&gateway, 4, "linux", &["system.which"]);
    let ask = invoke(&node.id, "system.which", "once");
    let ids = [operator.ask("node.invoke", ask.clone()), operator.ask("node.invoke", ask.clone())];
    let told = node.told();
    node.answer(&told, json!({"payload": 1}));
    let answers = ids.map(|id| operator.answer(&id).unwrap());
    let again = other.ok("node.invoke", ask);
    assert!(answers.iter().all(|answer| *answer == again) && again["payload"] == 1);
    let mut changed = invoke(&node.id, "system.which", "once");
    changed["params"] = json!({"bins": []});
    assert_eq!(operator.fails("node.invoke", changed)["details"]["code"], "CONFLICT");
    node.client.collect(Duration::from_millis(100));
    assert!(node.client.kept().iter().all(|frame| frame["event"] != "node.invoke.request"), "told once");
}

#[test]
fn i15_1_a_node_with_several_connections_is_one_node() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let device = Device::new();
    let with = |commands: &[&str]| Node::of(&gateway, &device, says(4, "linux", commands)).unwrap();
    let mut old = with(&["system.which", "system.notify"]);
    let mut new = with(&["system.which"]);
    assert_eq!(operator.ok("node.list", json!({}))["nodes"].as_array().unwrap().len(), 1);
    let id = operator.ask("node.invoke", invoke(&old.id, "system.which", "1"));
    let told = new.told();
    assert_eq!(old.answer(&told, json!({})), json!({"ok": true, "ignored": true}), "the newest was asked");
    new.answer(&told, json!({"payload": 1}));
    operator.answer(&id).unwrap();
    let id = operator.ask("node.invoke", invoke(&old.id, "system.notify", "2"));
    let told = old.told();
    old.answer(&told, json!({"payload": 2}));
    assert_eq!(operator.answer(&id).unwrap()["payload"], 2, "the one that can");
    drop(new);
    let node = old.id.clone();
    wait_for("the newest to be gone", || {
        let told = operator.ok("node.describe", json!({"nodeId": node}));
        (told["commands"] == json!(["system.notify", "system.which"])).then_some(())
    });
    let id = operator.ask("node.invoke", invoke(&node, "system.which", "3"));
    let told = old.told();
    old.answer(&told, json!({"payload": 3}));
    assert_eq!(operator.answer(&id).unwrap()["payload"], 3);
}

/// SEC-10: the approval of a command is a decision in the gateway's own record, about exactly that, once.
#[test]
fn sec_10_nobody_says_that_a_command_was_approved() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let mut node = Node::new(&gateway, 4, "linux", &["system.run"]);
    let mut other = Node::new(&gateway, 4, "linux", &["system.run"]);
    let run = json!({"command": ["rm", "x"], "cwd": "/tmp", "approved": true, "approvalDecision": "allow-always", "runId": "a1", "x": 1});
    let mut key = 0;
    let mut told = |operator: &mut Client, node: &mut Node, run: &Value| -> Value {
        key += 1;
        let mut ask = invoke(&node.id, "system.run", &format!("k{key}"));
        ask["params"] = run.clone();
        let id = operator.ask("node.invoke", ask);
        let told = node.told();
        node.answer(&told, json!({"payload": {}}));
        operator.answer(&id).unwrap();
        serde_json::from_str(told["paramsJSON"].as_str().unwrap()).unwrap()
    };
    let plain = json!({"command": ["rm", "x"], "cwd": "/tmp", "runId": "a1"});
    assert_eq!(told(&mut operator, &mut node, &run), plain, "nobody was asked");
    let request = json!({"id": "a1", "command": "rm x", "commandArgv": ["rm", "x"], "cwd": "/tmp", "host": "node",
        "nodeId": node.id, "twoPhase": true});
    operator.ok("exec.approval.request", request);
    assert_eq!(told(&mut operator, &mut node, &run), plain, "nobody has decided");
    operator.ok("exec.approval.resolve", json!({"id": "a1", "decision": "allow-once"}));
    let mut changed = run.clone();
    changed["command"] = json!(["rm", "y"]);
    assert!(told(&mut operator, &mut node, &changed).get("approved").is_none(), "another command");
    assert!(told(&mut operator, &mut other, &run).get("approved").is_none(), "another node");
    let mut approved = plain.clone();
    merge(&mut approved, &json!({"approved": true, "approvalDecision": "allow-once"}));
    assert_eq!(told(&mut operator, &mut node, &run), approved);
    assert_eq!(told(&mut operator, &mut node, &run), plain, "it serves once");
    let mut wrong = invoke(&node.id, "system.run", "w");
    wrong["params"] = json!({"command": ["rm", "x"], "rawCommand": "echo hi"});
    assert!(operator.fails("node.invoke", wrong)["message"].as_str().unwrap().contains("rawCommand"));
}

#[test]
fn i15_1_the_rules_of_a_nodes_shell_are_read_and_set_there() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let all = ["system.execApprovals.get", "system.execApprovals.set"];
    let mut node = Node::new(&gateway, 3, "linux", &all);
    let file = json!({"path": "/x", "exists": true, "hash": "h", "file": {"version": 1}});
    let id = operator.ask("exec.approvals.node.get", json!({"nodeId": node.id}));
    let told = node.told();
    assert_eq!(told["command"], "system.execApprovals.get");
    node.answer(&told, json!({"payloadJSON": file.to_string()}));
    assert_eq!(operator.answer(&id).unwrap(), file);
    let set = json!({"nodeId": node.id, "file": {"version": 1}, "baseHash": "h"});
    let id = operator.ask("exec.approvals.node.set", set);
    let told = node.told();
    let given: Value = serde_json::from_str(told["paramsJSON"].as_str().unwrap()).unwrap();
    assert_eq!(given, json!({"file": {"version": 1}, "baseHash": "h"}));
    node.answer(&told, json!({"ok": false, "error": {"code": "INVALID_REQUEST", "message": "changed"}}));
    assert_eq!(operator.answer(&id).unwrap_err()["message"], "changed");
    let error = operator.fails("exec.approvals.node.get", json!({"nodeId": "x"}));
    assert_eq!(error["message"], "node not connected");
}
