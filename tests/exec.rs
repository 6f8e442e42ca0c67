//! Commands of agents: `exec` and `process` (issue 13, part 4), in the real binary with a stand-in model server that asks
//! for them, or by `/tools/invoke`, which runs a tool for the owner without a model.
use super::agent::turn;
use super::harness::model::{last_user_text, texts};
use super::harness::*;
use std::path::PathBuf;

pub const FULL: &str = r#"{"tools": {"exec": {"security": "full", "ask": "off"}}, "gateway": {"tools": {"allow": ["exec", "process"]}}}"#;

pub fn start(more: &str) -> Gateway {
    let mut config: Value = serde_json::from_str(FULL).unwrap();
    merge(&mut config, &serde_json::from_str(more).unwrap());
    Gateway::start(&Setup::config(config))
}

/// The tool's result, and whether it is an error.
pub fn tool(gateway: &Gateway, name: &str, args: Value) -> (bool, String) {
    let body = json!({"tool": name, "args": args}).to_string();
    let head = format!(
        "POST /tools/invoke HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = http::raw(gateway.port, &head);
    let told: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    match told["result"]["content"][0]["text"].as_str() {
        Some(text) => (false, text.to_string()),
        None => (true, told["error"]["message"].as_str().unwrap_or_else(|| panic!("{told}")).to_string()),
    }
}

pub fn exec(gateway: &Gateway, command: &str) -> (bool, String) {
    tool(gateway, "exec", json!({"command": command}))
}

pub fn workspace(gateway: &Gateway) -> PathBuf {
    gateway.state_dir().join("workspace")
}

pub fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn i13_4_a_command_says_what_it_did_and_how_it_ended() {
    let gateway = start("{}");
    std::fs::create_dir_all(workspace(&gateway)).unwrap();
    let ok = |text: &str| (false, text.to_string());
    let bad = |text: &str| (true, text.to_string());
    for (command, want) in [
        ("echo hello; echo err >&2; echo last", ok("hello\nerr\nlast")),
        ("true", ok("(no output)")),
        ("echo a; exit 3", bad("a\n\nCommand exited with code 3")),
        ("exit 3", bad("Command exited with code 3")),
        ("kill -9 $$", bad("Command aborted by signal SIGKILL")),
        ("cat", ok("(no output)")),
        ("printf 'a\\377\\000b\\n'", ok("a\u{fffd}b")),
        ("nosuchprogram 2>/dev/null", bad("Command exited with code 127")),
        ("exec >&- 2>&-; sleep 0.2", ok("(no output)")),
        ("  ", bad("Provide a command to start.")),
    ] {
        let found = exec(&gateway, command);
        assert_eq!(found, want, "{command}");
    }
    let (is_error, text) = tool(&gateway, "exec", json!({"command": "sleep 30", "timeout": 1}));
    assert_eq!((is_error, text.as_str()), (true, "Command timed out after 1 seconds"));
    let (_, text) = tool(&gateway, "exec", json!({"command": "pwd", "workdir": "none"}));
    let real = workspace(&gateway).canonicalize().unwrap();
    assert_eq!(
        text,
        format!("Warning: workdir \"none\" is not there; the workspace was used.\n\n{}", real.display())
    );
    let (_, text) = tool(&gateway, "exec", json!({"command": "echo $FOO", "env": {"FOO": "a b"}}));
    assert_eq!(text, "a b");
    let (is_error, text) = tool(&gateway, "exec", json!({"command": "ls", "env": {"LD_PRELOAD": "x"}}));
    assert!(is_error && text.starts_with("Security Violation: Environment variable 'LD_PRELOAD'"), "{text}");
}

/// SEC-41, SEC-26: what the gateway knows by its environment, its commands do not.
#[test]
fn sec_41_a_command_inherits_no_secret_and_no_descriptor() {
    let setup = Setup::config(serde_json::from_str(FULL).unwrap())
        .env("OPENAI_API_KEY", "sk-SECRET")
        .env("LC_ALL", "C.UTF-8");
    let gateway = Gateway::start(&setup);
    let (_, text) = exec(&gateway, "env; ls -l /proc/self/fd");
    for secret in ["SECRET", TOKEN, "OPENCLAW_GATEWAY", "OPENCLAW_STATE_DIR"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("LC_ALL=C.UTF-8") && text.contains("PATH=/"), "{text}");
    let links = text.lines().filter(|line| line.contains(" -> ")).count();
    // Input, both outputs, and the directory that ls itself has open.
    assert_eq!(links, 4, "{text}");
    let limits = exec(&gateway, "ulimit -c; ulimit -n; nice").1;
    assert_eq!(limits, "0\n1024\n5");
}

/// 100 MB of output cost a megabyte of memory, and the model gets beginning and end.
#[test]
fn i13_4_a_flood_is_bounded() {
    let gateway = start("{}");
    exec(&gateway, "true");
    let before = gateway.peak_kib();
    let (_, text) = exec(&gateway, "echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last");
    assert!(
        text.starts_with("first\nxxx") && text.ends_with("xxx\nlast") && text.len() < 60_000,
        "{}",
        text.len()
    );
    assert!(text.contains("bytes left out here]"));
    let cost = gateway.peak_kib() - before;
    assert!(cost < 3072, "{cost} KiB");
}

/// What a command leaves behind ends with it, also when it has gone into a session of its own.
#[test]
fn i13_4_children_end_with_their_command_and_with_the_gateway() {
    let mut gateway = start("{}");
    let (_, text) = exec(&gateway, "sleep 300 & echo $!; setsid sleep 300 & echo $!; sleep 0.2");
    wait_for("what was left behind to end", || (!text.lines().any(is_alive)).then_some(()));
    // One that ignores being asked, by its time.
    let (is_error, text) = tool(
        &gateway,
        "exec",
        json!({"command": "trap '' TERM HUP INT; echo $$; while :; do sleep 0.1; done", "timeout": 0.5}),
    );
    assert!(is_error && text.contains("timed out after 0.5 seconds"), "{text}");
    assert!(!is_alive(text.lines().next().unwrap()));
    let (_, text) = tool(&gateway, "exec", json!({"command": "echo $$; sleep 300", "background": true}));
    let pid = text.split("pid ").nth(1).unwrap().split(')').next().unwrap().to_string();
    assert!(is_alive(&pid), "{text}");
    gateway.stop();
    wait_for("the background to end", || (!is_alive(&pid)).then_some(()));
    assert_eq!(std::fs::read_dir(gateway.state_dir().join("gateway/exec")).unwrap().count(), 0);
}

#[test]
fn i13_4_process_looks_after_what_goes_on() {
    let gateway = start("{}");
    let process = |args: Value| tool(&gateway, "process", args);
    assert_eq!(process(json!({"action": "list"})).1, "No running or recent sessions.");
    let (_, text) = tool(
        &gateway,
        "exec",
        json!({"command": "while read -r line; do echo \"got $line\"; done; echo end", "background": true}),
    );
    let id =
        text.strip_prefix("Command still running (session ").unwrap().split(',').next().unwrap().to_string();
    let on = |action: &str, more: Value| {
        let mut args = json!({"action": action, "sessionId": id});
        merge(&mut args, &more);
        process(args)
    };
    assert!(process(json!({"action": "list"})).1.starts_with(&format!("{id} running")));
    assert_eq!(on("poll", json!({})).1, "(no new output)\n\nProcess still running.");
    assert_eq!(on("write", json!({"data": "one\n"})).1, format!("Wrote 4 bytes to session {id}."));
    wait_for("the line", || on("log", json!({})).1.contains("got one").then_some(()));
    assert_eq!(on("poll", json!({})).1, "got one\n\nProcess still running.");
    assert_eq!(
        on("send-keys", json!({"literal": "two", "keys": ["C-j"]})).1,
        format!("Sent 4 bytes to session {id}.")
    );
    assert!(on("clear", json!({})).0);
    assert_eq!(
        on("write", json!({"data": "three\n", "eof": true})).1,
        format!("Wrote 6 bytes to session {id} (stdin closed).")
    );
    let text = wait_for("the end", || Some(on("poll", json!({})).1).filter(|text| text.contains("exited")));
    assert!(text.ends_with("end\n\nProcess exited with code 0."), "{text}");
    assert_eq!(on("log", json!({"offset": 1, "limit": 2})).1, "got two\ngot three");
    assert_eq!(on("log", json!({"limit": 1})).1, "end");
    assert_eq!(on("kill", json!({})).1, format!("No active session found for {id}"));
    assert_eq!(on("write", json!({"data": "x"})).1, format!("No active session found for {id}"));
    assert_eq!(on("bogus", json!({})).1, "Unknown action bogus");
    assert_eq!(on("clear", json!({})).1, format!("Cleared session {id}."));
    assert_eq!(on("poll", json!({})).1, format!("No session found for {id}"));
    assert_eq!(process(json!({"action": "poll"})).1, "sessionId is required for this action.");

    let (_, text) = tool(&gateway, "exec", json!({"command": "sleep 300", "yieldMs": 50}));
    let id =
        text.strip_prefix("Command still running (session ").unwrap().split(',').next().unwrap().to_string();
    assert_eq!(
        process(json!({"action": "write", "sessionId": id, "data": "x"})).1,
        format!("Session {id} stdin is not writable.")
    );
    assert_eq!(process(json!({"action": "kill", "sessionId": id})).1, format!("Killed session {id}."));
    wait_for("its end", || {
        process(json!({"action": "poll", "sessionId": id})).1.contains("signal SIGKILL").then_some(())
    });
    assert!(process(json!({"action": "list"})).1.contains("failed"));
    assert_eq!(process(json!({"action": "remove", "sessionId": id})).1, format!("Removed session {id}."));
}

#[test]
fn i13_4_a_terminal_is_one() {
    let gateway = start("{}");
    let (_, text) = tool(
        &gateway,
        "exec",
        json!({"command": "test -t 0 && test -t 1 && stty size; echo $TERM", "pty": true}),
    );
    assert_eq!(text.replace('\r', ""), "30 120\nxterm-256color");
    let (_, text) = tool(&gateway, "exec", json!({"command": "cat", "pty": true, "background": true}));
    let id = text.split("session ").nth(1).unwrap().split(',').next().unwrap().to_string();
    tool(
        &gateway,
        "process",
        json!({"action": "send-keys", "sessionId": id, "literal": "hey", "keys": ["Enter"]}),
    );
    let poll = || tool(&gateway, "process", json!({"action": "log", "sessionId": id})).1;
    wait_for("the echo", || (poll().matches("hey").count() == 2).then_some(()));
    tool(&gateway, "process", json!({"action": "send-keys", "sessionId": id, "keys": ["C-c"]}));
    let poll = || tool(&gateway, "process", json!({"action": "poll", "sessionId": id})).1;
    wait_for("the interrupt", || poll().contains("signal SIGINT").then_some(()));
}

fn calls(arguments: Value) -> Reply {
    let call = Step::Call { id: "c1".into(), name: "exec".into(), arguments: arguments.to_string() };
    Reply::Stream(vec![call, Step::Done])
}

/// A turn: the result goes back to the model, what comes meanwhile to who watches, and a stopped run ends its command.
#[test]
fn i13_4_a_turn_runs_a_command_and_tells_of_it_meanwhile() {
    let slow = calls(json!({"command": "echo early; sleep 2.5; echo late"}));
    let server = ModelServer::start(vec![
        slow,
        texts(&["done"]),
        calls(json!({"command": "echo $$ > pid; sleep 300"})),
    ]);
    let mut config = server.config();
    merge(&mut config, &serde_json::from_str(FULL).unwrap());
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::named(&gateway, json!({"caps": ["tool-events"]}));
    client.ok("sessions.patch", json!({"key": "main", "verboseLevel": "full"}));
    turn(&mut client, "run it", "k1").unwrap();
    let is_update = |f: &Value| f["event"] == "agent" && f["payload"]["data"]["phase"] == "update";
    let updates: Vec<Value> = client.kept().into_iter().filter(is_update).collect();
    assert!(!updates.is_empty());
    assert_eq!(updates[0]["payload"]["data"]["partialResult"]["content"][0]["text"], "early\n");
    let second = server.requests(2)[1].to_string();
    assert!(second.contains("early\\nlate") || second.contains("early\\\\nlate"), "{second}");
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    let result =
        history["messages"].as_array().unwrap().iter().find(|m| m["role"] == "toolResult").unwrap().clone();
    assert_eq!(
        (&result["details"]["status"], &result["details"]["exitCode"]),
        (&json!("completed"), &json!(0)),
        "{result}"
    );

    let id = client.ask("agent", json!({"message": "again", "sessionKey": "main", "idempotencyKey": "k2"}));
    client.answer(&id).unwrap();
    let file = workspace(&gateway).join("pid");
    let pid =
        wait_for("the command", || std::fs::read_to_string(&file).ok().filter(|pid| pid.ends_with('\n')));
    client.ok("chat.abort", json!({"sessionKey": "main"}));
    wait_for("the command to end", || (!is_alive(&pid)).then_some(()));
}

/// What ends in the background begins a turn, and the output comes in an envelope.
#[test]
fn i13_4_the_end_of_a_background_command_wakes_its_session() {
    let first = calls(json!({"command": "sleep 0.5; echo built", "background": true}));
    let server = ModelServer::start(vec![first, texts(&["it runs"]), texts(&["it is built"])]);
    let mut config = server.config();
    merge(&mut config, &serde_json::from_str(FULL).unwrap());
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "build it", "k1").unwrap();
    let text = last_user_text(&server.requests(3)[2]["body"].clone());
    assert!(
        text.contains("Exec completed (session=") && text.contains("code 0)") && text.contains("built"),
        "{text}"
    );
    assert!(text.contains("EXTERNAL_UNTRUSTED_CONTENT"), "{text}");
    client.event_where("chat", |p| p["state"] == "final" && p["message"].to_string().contains("it is built"));
}

/// The original's sandboxes are containers: a configuration that wants them is refused instead of run without.
#[test]
fn i13_4_a_sandbox_mode_without_an_engine_is_refused_at_load() {
    let write = |dir: &str| json!({"tools": {"exec": {"sandbox": {"write": [dir]}}}});
    let no_engine = ["sandbox.mode", "no container engine", "docs/exec.md"];
    for (config, want) in [
        (json!({"agents": {"defaults": {"sandbox": {"mode": "all"}}}}), no_engine),
        (json!({"agents": {"list": [{"id": "main", "sandbox": {"mode": "non-main"}}]}}), no_engine),
        (
            json!({"agents": {"defaults": {"sandbox": {"mode": "always"}}}}),
            ["agents.defaults.sandbox.mode", "off", "all"],
        ),
        (
            json!({"agents": {"list": [{"id": "main", "sandbox": {"mode": "sometimes"}}]}}),
            ["agents.list", "sandbox.mode", "off"],
        ),
        (json!({"agents": {"defaults": {"sandbox": "all"}}}), ["agents.defaults.sandbox", "", ""]),
        (write("/"), ["tools.exec.sandbox.write", "the whole machine", "tools.exec.sandbox.mode"]),
        (
            json!({"agents": {"list": [{"id": "main", "tools": {"exec": {"sandbox": {"write": ["~/x", "/"]}}}}]}}),
            ["agents.list[0].tools.exec.sandbox.write", "the whole machine", ""],
        ),
        (write("/.."), ["tools.exec.sandbox.write", "the whole machine", ""]),
        (write("/usr/../"), ["tools.exec.sandbox.write", "the whole machine", ""]),
        (write("//"), ["tools.exec.sandbox.write", "the whole machine", ""]),
    ] {
        let mut gateway = Gateway::spawn(&Setup::config(config), gateway::free_port());
        let status = gateway.wait(Duration::from_secs(10));
        let words = gateway.stderr();
        assert_eq!(status.code(), Some(78), "{words}");
        assert!(want.iter().all(|want| words.contains(want)), "{want:?}: {words}");
    }
}
