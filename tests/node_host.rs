//! Issue 15, sentence 3: `openclaw node run`, this machine as a node of a gateway: what it announces, what it runs by whose
//! rules, within which bounds, and what becomes of it when either side goes.
use crate::harness::node_gateway::{Met, NodeHost, StandIn};
use crate::harness::*;
use rustix::process::{Pid, Signal, test_kill_process};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

fn met() -> (StandIn, NodeHost, Met) {
    let gateway = StandIn::new();
    let node = NodeHost::start(gateway.port);
    let met = gateway.meet();
    (gateway, node, met)
}

fn run(met: &mut Met, params: Value) -> Result<Value, Value> {
    met.ask("system.run", params)
}

fn shell(text: &str) -> Value {
    json!({"command": ["/bin/sh", "-c", text], "rawCommand": text, "approved": true})
}

fn message(outcome: Result<Value, Value>) -> String {
    outcome.expect_err("an error").get("message").unwrap().as_str().unwrap().to_string()
}

/// The process that a command told the number of.
fn lives(dir: &std::path::Path) -> bool {
    let number = std::fs::read_to_string(dir.join("home/number")).unwrap_or_default();
    number.trim().parse().ok().and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Starts something that goes on, and waits until it does.
fn linger(node: &NodeHost, met: &mut Met) -> String {
    let id = met.invoke("system.run", shell("echo $$ > ~/number; exec sleep 600"));
    wait_for("the command", || lives(&node.dir).then_some(()));
    id
}

#[test]
fn i15_3_a_node_says_what_it_is_and_keeps_where_its_gateway_is() {
    let gateway = StandIn::new();
    let node = NodeHost::start_in(gateway::new_dir(), gateway.port, &["--display-name", "Kitchen"]);
    let mut met = gateway.meet();
    let connect = met.connect.clone();
    let client = &connect["client"];
    assert_eq!((&connect["role"], &connect["scopes"]), (&json!("node"), &json!([])));
    assert_eq!(
        (&client["id"], &client["mode"], &client["displayName"]),
        (&json!("node-host"), &json!("node"), &json!("Kitchen"))
    );
    assert_eq!(connect["auth"]["token"], gateway::TOKEN);
    assert_eq!(connect["caps"], json!(["system"]), "no browser listens, so none is announced");
    let commands =
        json!(["system.execApprovals.get", "system.execApprovals.set", "system.run", "system.which"]);
    assert_eq!(connect["commands"], commands);
    assert!(connect["pathEnv"].as_str().unwrap().starts_with("/usr/bin:/bin"));
    let stats = met.event("node.host.stats");
    assert!(stats["cpuCount"].as_u64() > Some(0), "{stats}");
    let file: Value = serde_json::from_slice(&std::fs::read(node.state("node.json")).unwrap()).unwrap();
    assert_eq!(file["gateway"], json!({"host": "127.0.0.1", "port": gateway.port, "tls": false}));
    assert_eq!((&file["displayName"], &file["nodeId"]), (&json!("Kitchen"), &client["instanceId"]));
    let mode = std::fs::metadata(node.state("node.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // One thread while nothing runs.
    let threads = std::fs::read_dir(format!("/proc/{}/task", node.child.id())).unwrap().count();
    assert_eq!(threads, 1);
}

#[test]
fn i15_3_a_command_runs_by_the_rules_of_its_own_machine() {
    let (_gateway, node, mut met) = met();
    let echo = json!({"command": ["echo", "hi"]});
    assert_eq!(message(run(&mut met, echo.clone())), "SYSTEM_RUN_DENIED: approval required");
    node.rules(json!({"version": 1, "agents": {"*": {"allowlist": [{"pattern": "/usr/bin/echo"}, {"pattern": "/bin/echo"}]}}}));
    let done = run(&mut met, echo.clone()).unwrap();
    assert_eq!(
        (&done["stdout"], &done["exitCode"], &done["success"]),
        (&json!("hi\n"), &json!(0), &json!(true))
    );
    // Each part of a line is judged, and what is not listed is asked for.
    let lines =
        [("echo a && echo b", true), ("echo a; id", false), ("echo $(id)", false), ("echo a > b", false)];
    for (line, is_allowed) in lines {
        let params = json!({"command": ["/bin/sh", "-lc", line], "rawCommand": line, "approved": false});
        assert_eq!(run(&mut met, params).is_ok(), is_allowed, "{line}");
    }
    // A shell of somebody's own is no shell.
    let own = node.dir.join("sh").display().to_string();
    std::fs::copy("/usr/bin/id", &own).unwrap();
    assert!(run(&mut met, json!({"command": [own, "-c", "echo a"]})).is_err());
    let config = json!({"tools": {"exec": {"ask": "off"}}});
    std::fs::write(node.state("openclaw.json"), config.to_string()).unwrap();
    node.rules(json!({}));
    assert_eq!(message(run(&mut met, echo.clone())), "SYSTEM_RUN_DENIED: allowlist miss");
    // Where nobody is to be asked, nobody's word counts.
    assert_eq!(message(run(&mut met, shell("echo hi"))), "SYSTEM_RUN_DENIED: allowlist miss");
    node.rules(json!({"defaults": {"security": "deny"}}));
    assert_eq!(message(run(&mut met, shell("echo hi"))), "SYSTEM_RUN_DISABLED: security=deny");
    node.rules(json!({"agents": {"main": {"security": "full"}, "b": {"security": "deny"}}}));
    assert!(message(run(&mut met, json!({"command": ["echo"], "agentId": "b"}))).contains("security=deny"));
    std::fs::write(node.state("exec-approvals.json"), "{").unwrap();
    assert!(message(run(&mut met, shell("echo hi"))).contains("no command runs"));
}

#[test]
fn i15_3_the_owner_s_word_counts_once_or_for_exactly_this_command() {
    let (_gateway, _node, mut met) = met();
    let ask = |met: &mut Met, text: &str, more: Value| {
        let mut params = json!({"command": ["/bin/sh", "-c", text], "rawCommand": text});
        merge(&mut params, &more);
        run(met, params)
    };
    assert_eq!(ask(&mut met, "echo $HOME", json!({"approved": true})).unwrap()["success"], true);
    assert!(ask(&mut met, "echo $HOME", json!({})).is_err());
    assert!(ask(&mut met, "echo $HOME", json!({"approvalDecision": "allow-always"})).is_ok());
    assert!(ask(&mut met, "echo $HOME", json!({})).is_ok());
    for other in [
        json!({"cwd": "/"}),
        json!({"env": {"A": "b"}}),
        json!({"agentId": "other"}),
        json!({"approvalDecision": "deny"}),
    ] {
        let is_same = other.get("approvalDecision").is_some();
        assert_eq!(ask(&mut met, "echo $HOME", other.clone()).is_ok(), is_same, "{other}");
    }
    assert!(ask(&mut met, "echo $HOME ", json!({"cwd": "/tmp"})).is_err());
}

#[test]
fn sec_10_sec_41_what_is_shown_is_what_runs_and_nothing_steers_it() {
    let (_gateway, node, mut met) = met();
    for (params, told) in [
        (json!({"command": ["rm", "-rf", "x"], "rawCommand": "echo hi", "approved": true}), "rawCommand"),
        (
            json!({"command": ["/bin/sh", "-c", "rm x"], "rawCommand": "echo hi", "approved": true}),
            "rawCommand",
        ),
        (json!({"command": []}), "command required"),
        (json!({"command": "ls"}), "command required"),
        (json!({"command": ["ls", 5]}), "command required"),
        (json!({"command": ["ls", "\u{0}"], "approved": true}), "NUL"),
        (json!({"command": ["x".repeat(40_000)], "approved": true}), "longer than"),
        (
            json!({"command": ["ls"], "cwd": "/nowhere/at/all", "approved": true}),
            "no directory of this machine",
        ),
        (
            json!({"command": ["ls"], "env": {"LD_PRELOAD": "/x"}, "approved": true}),
            "'LD_PRELOAD' is forbidden",
        ),
        (json!({"command": ["ls"], "env": {"PATH": "/x"}, "approved": true}), "'PATH'"),
        (json!({"command": ["ls"], "needsScreenRecording": true, "approved": true}), "screenRecording"),
        (json!("text"), "command required"),
    ] {
        let text = message(run(&mut met, params.clone()));
        assert!(text.contains(told), "{params}: {text}");
    }
    for raw in ["echo a b", "echo \"a b\"", "'echo' 'a b'"] {
        let params = json!({"command": ["echo", "a b"], "rawCommand": raw, "approved": true});
        assert_eq!(run(&mut met, params).unwrap()["stdout"], "a b\n", "{raw}");
    }
    // Neither the secret nor anything else of the host's own is handed on.
    let seen = run(&mut met, json!({"command": ["env"], "env": {"MINE": "1"}, "approved": true})).unwrap();
    let seen = seen["stdout"].as_str().unwrap();
    assert!(seen.contains("MINE=1\n") && !seen.contains("TOKEN"), "{seen}");
    let done = run(&mut met, json!({"command": ["pwd"], "approved": true})).unwrap();
    assert_eq!(done["stdout"], format!("{}\n", node.dir.join("home").display()));
    let done = run(&mut met, json!({"command": ["nosuchthing"], "approved": true})).unwrap();
    assert!(done["success"] == false && done["error"].as_str().unwrap().contains("nosuchthing"), "{done}");
    assert!(done.get("exitCode").is_none());
}

#[test]
fn i15_3_output_fits_what_the_gateway_takes() {
    let mut gateway = StandIn::new();
    gateway.max = 64 << 10;
    let _node = NodeHost::start(gateway.port);
    let mut met = gateway.meet();
    for text in [
        "yes | head -c 9000000",
        "head -c 300000 /dev/zero | tr '\\0' '\\033'",
        "yes | head -c 900000 >&2; echo out",
    ] {
        let id = met.invoke("system.run", shell(text));
        let frame = met.request("a result", |frame| frame["params"]["id"] == id.as_str());
        assert!(frame.to_string().len() <= 64 << 10, "{text}: {}", frame.to_string().len());
        let said: Value = serde_json::from_str(frame["params"]["payloadJSON"].as_str().unwrap()).unwrap();
        let told = format!("{}{}", said["stdout"], said["stderr"]);
        assert!(told.contains("left out here") && said["exitCode"] == 0, "{text}");
    }
    let done = run(&mut met, shell("echo out; echo err >&2; exit 3")).unwrap();
    let want = json!({"timedOut": false, "success": false, "stdout": "out\n", "stderr": "err\n", "error": null, "exitCode": 3});
    assert_eq!(done, want);
}

#[test]
fn i15_3_a_command_that_takes_too_long_ends_with_all_it_started() {
    let (_gateway, node, mut met) = met();
    let mut params = shell("sh -c 'echo $$ > ~/number; sleep 600' & sleep 600");
    params["timeoutMs"] = json!(700);
    let begun = Instant::now();
    let done = run(&mut met, params).unwrap();
    assert!(done["timedOut"] == true && done["success"] == false && done.get("exitCode").is_none(), "{done}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    wait_for("its child to end", || (!lives(&node.dir)).then_some(()));
    // Also one that says nothing any more and takes a moment to end, for what it holds is much.
    let took = |_| {
        let text = "rm -f ~/way; mkfifo ~/way; cat /dev/zero > ~/way & exec tail -c 200000000 ~/way >&- 2>&-";
        let mut params = shell(text);
        params["timeoutMs"] = json!(1000);
        let begun = Instant::now();
        assert_eq!(run(&mut met, params).unwrap()["timedOut"], true);
        begun.elapsed()
    };
    let took = (0..3).map(took).min().unwrap();
    assert!(took < Duration::from_millis(2700), "{took:?}");
    // More than may run at a time are told so, and those that run go on.
    let ids: Vec<String> = (0..34).map(|_| met.invoke("system.run", shell("sleep 5; echo done"))).collect();
    let ends: Vec<Value> = ids.iter().map(|id| met.result(id).unwrap()).collect();
    let done = ends.iter().filter(|end| end["stdout"] == "done\n").count();
    assert_eq!(done, 32, "{ends:?}");
    assert!(
        ends.iter().any(|end| end["error"].as_str().is_some_and(|text| text.contains("32 commands run")))
    );
}

#[test]
fn i15_3_commands_end_with_the_connection_and_the_host_comes_back() {
    let (gateway, node, mut met) = met();
    linger(&node, &mut met);
    drop(met);
    wait_for("the command to end", || (!lives(&node.dir)).then_some(()));
    let mut met = gateway.meet();
    assert_eq!(run(&mut met, shell("echo again")).unwrap()["stdout"], "again\n");
    // What no node can use changes nothing.
    for odd in [
        "null",
        "[1]",
        "{}",
        "nonsense",
        r#"{"type":"event","event":"node.invoke.request"}"#,
        r#"{"type":"event","event":"node.invoke.request","payload":{"id":"x","nodeId":"other","command":"system.which"}}"#,
    ] {
        if odd != "nonsense" {
            met.say(odd);
        }
    }
    let payload = json!({"id": "odd", "nodeId": met.node, "command": "system.which", "paramsJSON": "{"});
    met.say(&json!({"type": "event", "event": "node.invoke.request", "payload": payload}).to_string());
    assert!(met.result("odd").unwrap_err()["message"].as_str().unwrap().contains("paramsJSON"));
    assert_eq!(
        met.ask("camera.snap", json!({})).unwrap_err(),
        json!({"code": "UNAVAILABLE", "message": "command not supported"})
    );
    // A frame that is none ends the connection; then it connects again.
    met.say("nonsense");
    let mut met = gateway.meet();
    assert!(run(&mut met, shell("true")).is_ok());
    assert_eq!(met.connect["auth"]["token"], gateway::TOKEN);
}

#[test]
fn i15_3_a_killed_host_leaves_no_command_and_a_signal_ends_it_well() {
    let (gateway, mut node, mut met) = met();
    linger(&node, &mut met);
    node.child.kill().unwrap();
    node.child.wait().unwrap();
    wait_for("the command to end", || (!lives(&node.dir)).then_some(()));
    node.again();
    let mut met = gateway.meet();
    linger(&node, &mut met);
    // Two of one directory would be one node twice.
    let second = gateway::command(&node.dir).args(["node", "run"]).output().unwrap();
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && told.contains("a node host runs already"), "{told}");
    node.signal(Signal::TERM);
    let status = wait_for("its end", || node.child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    wait_for("the command to end", || (!lives(&node.dir)).then_some(()));
    assert_eq!(std::fs::read_dir(node.state("node/exec")).map_or(0, |dir| dir.count()), 0);
}

#[test]
fn i15_3_whoever_waits_for_approval_or_a_gateway_is_told_so_once() {
    let gateway = StandIn::new();
    let node = NodeHost::start(gateway.port);
    let error =
        json!({"code": "NOT_PAIRED", "message": "pairing required", "details": {"requestId": "r-77"}});
    gateway.refuse(error.clone());
    gateway.refuse(error);
    let mut met = gateway.meet();
    assert!(run(&mut met, shell("true")).is_ok());
    let said = node.said();
    assert_eq!(said.matches("openclaw devices approve r-77").count(), 1, "{said}");
    drop((met, gateway));
    wait_for("words", || node.said().contains("nothing listens there").then_some(()));
    // Not even while it dials does a signal wait.
    node.signal(Signal::INT);
    let mut node = node;
    let status = wait_within(Duration::from_secs(3), "its end", || node.child.try_wait().unwrap());
    assert!(status.success(), "{status}");
}

#[test]
fn sec_29_the_secret_of_one_gateway_is_not_told_to_another() {
    let gateway = StandIn::new();
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let config = json!({"gateway": {"mode": "local", "port": 1, "auth": {"token": "of-this-machine"},
        "remote": {"url": "ws://gw.invalid:9", "token": "of-another"}}});
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    let start = |port: &str, more: &[&str]| {
        let mut command = gateway::command(&dir);
        command.args(["node", "run", "--host", "127.0.0.1", "--port", port]).args(more);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let port = gateway.port.to_string();
    let mut child = start(&port, &[]);
    let mut met = gateway.meet();
    met.event("node.host.stats");
    assert!(!met.connect["auth"].to_string().contains("of-"), "{}", met.connect);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it was given there works without any secret, and nowhere else.
    let mut child = start(&port, &[]);
    assert_eq!(gateway.meet().connect["auth"]["token"], "node-token");
    child.kill().unwrap();
    child.wait().unwrap();
    let other = StandIn::new();
    let mut child = start(&other.port.to_string(), &["--token", "given"]);
    assert_eq!(other.meet().connect["auth"], json!({"token": "given"}));
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn i15_3_programs_are_found_and_rules_are_shown_and_made_stricter() {
    let (_gateway, node, mut met) = met();
    let found = met.ask("system.which", json!({"bins": ["ls", "nosuchthing", "/bin/ls", 5, ""]})).unwrap();
    let names: Vec<&String> = found["bins"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["ls"]);
    assert!(message(met.ask("system.which", json!({}))).contains("bins required"));
    node.rules(json!({"version": 1, "socket": {"token": "SECRET"}, "defaults": {}, "agents": {}}));
    let shown = met.ask("system.execApprovals.get", json!({})).unwrap();
    assert!(shown["exists"] == true && !shown.to_string().contains("SECRET"), "{shown}");
    let set = |met: &mut Met, file: Value, base: &Value| {
        met.ask("system.execApprovals.set", json!({"file": file, "baseHash": base}))
    };
    let strict = json!({"version": 1, "defaults": {"security": "deny"}});
    assert!(message(set(&mut met, strict.clone(), &json!("00"))).contains("changed since"));
    assert!(
        message(set(&mut met, json!({"defaults": {"security": "full"}}), &shown["hash"]))
            .contains("not done over the wire")
    );
    let told = set(&mut met, strict, &shown["hash"]).unwrap();
    assert_eq!(told["file"]["defaults"]["security"], "deny");
    assert!(message(run(&mut met, shell("true"))).contains("security=deny"));
}

#[test]
fn i15_3_the_end_of_a_command_is_an_event_only_for_who_does_not_wait() {
    let (_gateway, _node, mut met) = met();
    let mut params = shell("echo told; exit 4");
    merge(&mut params, &json!({"sessionKey": "agent:main:main", "runId": "approval-1"}));
    let id = met.invoke("system.run", params.clone());
    let event = met.event("exec.finished");
    let want = json!({"sessionKey": "agent:main:main", "runId": "approval-1", "host": "node", "command": "echo told; exit 4",
        "exitCode": 4, "timedOut": false, "success": false, "output": "told\n"});
    assert_eq!(event, want);
    met.result(&id).unwrap();
    // Without a session nobody is told, and nobody of what was denied.
    run(&mut met, shell("echo told")).unwrap();
    params["approved"] = json!(false);
    assert!(run(&mut met, params).is_err());
    met.ask("system.which", json!({"bins": []})).unwrap();
    assert!(!met.has("node.event", "exec.finished") && !met.has("node.event", "exec.denied"));
}
