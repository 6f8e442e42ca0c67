//! The owner's word about commands of agents (issue 13, part 4): who is asked, who may answer, what an answer is for.
use super::agent::turn;
use super::exec::workspace;
use super::harness::client::scoped;
use super::harness::model::{last_user_text, texts};
use super::harness::telegram::Telegram;
use super::harness::*;
use super::telegram::{said, with_bot};

fn call(command: &str) -> Reply {
    let arguments = json!({"command": command}).to_string();
    Reply::Stream(vec![Step::Call { id: "c1".into(), name: "exec".into(), arguments }, Step::Done])
}

fn start(replies: Vec<Reply>, more: Value) -> (ModelServer, Gateway) {
    let server = ModelServer::start(replies);
    let mut config = server.config();
    merge(&mut config, &more);
    (server, Gateway::start(&Setup::config(config)))
}

/// The last result of a tool in the transcript.
fn result(client: &mut Client) -> String {
    let history = client.ok("chat.history", json!({"sessionKey": "main"}));
    let messages = history["messages"].as_array().unwrap();
    let last = messages.iter().rev().find(|m| m["role"] == "toolResult").unwrap();
    last["content"][0]["text"].as_str().unwrap().to_string()
}

#[test]
fn i13_4_an_allowed_command_runs_and_its_result_comes_back() {
    let (server, gateway) = start(
        vec![call("echo x > made; echo written"), texts(&["I have asked"]), texts(&["it is done"])],
        json!({}),
    );
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "do it", "k1").unwrap();
    // The turn is over, and holds nothing while the command waits.
    assert_eq!(client.ok("diagnostics.lanes", json!({}))["lanes"][0]["activeCount"], 0);
    let text = result(&mut client);
    assert!(
        text.starts_with("Approval required (id ") && text.ends_with("updates will arrive after completion."),
        "{text}"
    );
    let list = client.ok("exec.approval.list", json!({}));
    let request = &list[0]["request"];
    let cwd = workspace(&gateway).canonicalize().unwrap();
    assert_eq!(
        (&request["command"], &request["host"], &request["cwd"]),
        (&json!("echo x > made; echo written"), &json!("gateway"), &json!(cwd))
    );
    assert_eq!(
        (&request["sessionKey"], &request["agentId"], &request["sandbox"]),
        (&json!("agent:main:main"), &json!("main"), &json!("on"))
    );
    assert_eq!(list[0]["expiresAtMs"].as_u64().unwrap() - list[0]["createdAtMs"].as_u64().unwrap(), 120_000);
    assert!(!workspace(&gateway).join("made").exists());
    let id = list[0]["id"].as_str().unwrap().to_string();
    // Eight letters of it are enough.
    client.ok("exec.approval.resolve", json!({"id": &id[..8], "decision": "allow-once"}));
    let text = last_user_text(&server.requests(3)[2]["body"].clone());
    assert!(
        text.contains(&format!("Exec finished (gateway id={id}, session="))
            && text.contains("code 0)")
            && text.contains("written"),
        "{text}"
    );
    assert!(workspace(&gateway).join("made").exists());
    let error = client.fails("exec.approval.resolve", json!({"id": id, "decision": "deny"}));
    assert_eq!(error["message"], "unknown approval id");
    let history = client.ok("approval.history", json!({"limit": 50}));
    let told = &history["items"][0];
    assert_eq!(
        (&told["id"], &told["status"], &told["decision"], &told["presentation"]["commandText"]),
        (&json!(id), &json!("allowed"), &json!("allow-once"), &json!("echo x > made; echo written")),
        "{history}"
    );
}

#[test]
fn i13_4_always_is_for_that_text_and_that_place_only() {
    let line = "echo a > made";
    let replies = vec![
        call(line),
        texts(&["asked"]),
        texts(&["done"]),
        call(line),
        texts(&["again"]),
        call("echo b > made"),
        texts(&["asked"]),
    ];
    let (server, gateway) = start(replies, json!({}));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "do it", "k1").unwrap();
    let id = client.ok("exec.approval.list", json!({}))[0]["id"].clone();
    client.ok("exec.approval.resolve", json!({"id": id, "decision": "allow-always"}));
    server.requests(3);
    let grants = client.ok("exec.approval.grants.list", json!({}));
    assert_eq!(
        (&grants["grants"][0]["command"], &grants["grants"][0]["agentId"]),
        (&json!(line), &json!("main")),
        "{grants}"
    );
    wait_for("the turn to end", || {
        (client.ok("diagnostics.lanes", json!({}))["lanes"][0]["activeCount"] == 0).then_some(())
    });
    turn(&mut client, "again", "k2").unwrap();
    assert_eq!(result(&mut client), "(no output)");
    turn(&mut client, "another", "k3").unwrap();
    assert!(result(&mut client).starts_with("Approval required"), "{}", result(&mut client));
    let shown = gateway.cli(&["approvals", "get"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains(line), "{shown}");
}

#[test]
fn i13_4_a_refused_command_does_not_run_and_the_agent_hears_of_it_with_the_next_message() {
    let (server, gateway) =
        start(vec![call("echo x > made"), texts(&["asked"]), texts(&["I see"])], json!({}));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "do it", "k1").unwrap();
    let id = client.ok("exec.approval.list", json!({}))[0]["id"].as_str().unwrap().to_string();
    client.ok("exec.approval.resolve", json!({"id": id, "decision": "deny"}));
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.count(), 2, "a refusal asks no model");
    turn(&mut client, "and?", "k2").unwrap();
    let text = last_user_text(&server.requests(3)[2]["body"].clone());
    assert!(text.contains(&format!("Exec denied (gateway id={id}, user-denied): echo x > made")), "{text}");
    assert!(!workspace(&gateway).join("made").exists());
}

/// SEC-41: what is listed runs, each part of a line is judged, and no trick of a shell gets by; `deny` and `off` are said.
#[test]
fn sec_41_listed_programs_run_and_tricks_are_asked_for() {
    let lines = [
        "uname | head -n 1",
        "uname; nosuch",
        "uname $(id)",
        "uname > made",
        "uname\nid",
        "A=1 uname",
        "env uname",
        "find . -exec id ';'",
        "head -c 5 *",
        "sort -S 1k --compress-program=sh cmds",
        "ld -o made cmds",
        "ip netns exec x id",
        "tar cf made --to-command=id cmds",
    ];
    let mut replies = Vec::new();
    for line in lines {
        replies.extend([call(line), texts(&["ok"])]);
    }
    let (_server, gateway) = start(replies, json!({}));
    for pattern in ["/usr/bin/*", "/bin/*"] {
        let output = gateway.cli(&["approvals", "allowlist", "add", pattern]);
        assert!(output.status.success(), "{output:?}");
    }
    let mut client = Client::operator(&gateway, 4);
    for (n, line) in lines.iter().enumerate() {
        turn(&mut client, line, &format!("k{n}")).unwrap();
        let text = result(&mut client);
        match n {
            0 => assert_eq!(text, "Linux"),
            _ => assert!(text.starts_with("Approval required"), "{line}: {text}"),
        }
    }
    assert_eq!(client.ok("exec.approval.list", json!({})).as_array().unwrap().len(), lines.len() - 1);
    // The verified holes of filters, with nothing listed.
    let lines = ["sort -o/tmp/x", "grep -f/etc/hostname x", "head -c 5 *", "head -c 40 $HOME/x"];
    let replies = lines.iter().flat_map(|line| [call(line), texts(&["ok"])]).collect();
    let (_server, gateway) = start(replies, json!({}));
    let mut client = Client::operator(&gateway, 4);
    for (n, line) in lines.iter().enumerate() {
        turn(&mut client, line, &format!("k{n}")).unwrap();
        assert!(result(&mut client).starts_with("Approval required"), "{line}: {}", result(&mut client));
    }
    for (config, want) in [
        (json!({"tools": {"exec": {"security": "deny"}}}), "exec denied: host=gateway security=deny"),
        (json!({"tools": {"exec": {"ask": "off"}}}), "exec denied: allowlist miss"),
    ] {
        let (_server, gateway) = start(vec![call("id"), texts(&["ok"])], config);
        let mut client = Client::operator(&gateway, 4);
        turn(&mut client, "go", "k").unwrap();
        assert_eq!(result(&mut client), want);
    }
}

/// A file of rules that cannot be read forbids, and says where it is.
#[test]
fn i13_4_rules_that_cannot_be_read_forbid() {
    let server = ModelServer::start(vec![call("uname"), texts(&["ok"])]);
    let mut config = server.config();
    merge(&mut config, &json!({"tools": {"exec": {"security": "full", "ask": "off"}}}));
    let gateway = Gateway::start(&Setup::config(config));
    std::fs::write(gateway.state_dir().join("exec-approvals.json"), "{\"agents\": ").unwrap();
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "go", "k").unwrap();
    let text = result(&mut client);
    assert!(
        text.contains("exec-approvals.json cannot be read") && text.contains("no command runs"),
        "{text}"
    );
}

#[test]
fn i13_4_requests_events_and_scopes() {
    let gateway = Gateway::plain();
    let mut judge = Client::with(&gateway, scoped(&["operator.approvals"])).0;
    let mut reader = Client::with(&gateway, scoped(&["operator.read", "operator.write"])).0;
    let mut asking = Client::with(&gateway, scoped(&["operator.approvals"])).0;
    let id = asking.ask(
        "exec.approval.request",
        json!({"id": "ap1-first", "command": "rm -rf x", "cwd": "/tmp", "host": "gateway"}),
    );
    let event = judge.event("exec.approval.requested");
    assert_eq!(
        (&event["id"], &event["request"]["command"], &event["request"]["resolvedPath"]),
        (&json!("ap1-first"), &json!("rm -rf x"), &Value::Null)
    );
    let error = judge.fails("exec.approval.request", json!({"id": "ap1-first", "command": "x"}));
    assert_eq!(error["message"], "approval id already pending");
    assert_eq!(
        judge.fails("exec.approval.resolve", json!({"id": "ap1-first", "decision": "maybe"}))["message"],
        "invalid decision"
    );
    assert_eq!(
        judge.fails("exec.approval.resolve", json!({"id": "none", "decision": "deny"}))["message"],
        "unknown approval id"
    );
    assert!(
        reader.fails("exec.approval.resolve", json!({"id": "ap1-first", "decision": "deny"}))["message"]
            .as_str()
            .unwrap()
            .contains("operator.approvals")
    );
    judge.ok("exec.approval.request", json!({"id": "ap1-second", "command": "x", "twoPhase": true}));
    let error = judge.fails("exec.approval.resolve", json!({"id": "ap1-", "decision": "deny"}));
    assert!(error["message"].as_str().unwrap().contains("more than one"), "{error}");
    judge.ok("exec.approval.resolve", json!({"id": "ap1-f", "decision": "allow-once"}));
    let answer = asking.answer(&id).unwrap();
    assert_eq!((&answer["id"], &answer["decision"]), (&json!("ap1-first"), &json!("allow-once")));
    let event = judge.event("exec.approval.resolved");
    assert_eq!((&event["id"], &event["decision"]), (&json!("ap1-first"), &json!("allow-once")));
    // Nobody answers: null, and nothing is told.
    let answer = asking.ok("exec.approval.request", json!({"command": "x", "timeoutMs": 50}));
    assert_eq!(answer["decision"], Value::Null);
    // Who asked is gone: the next ones are asked all the same.
    reader.collect(Duration::from_millis(200));
    assert!(!reader.kept().iter().any(|f| f["event"].as_str().is_some_and(|name| name.starts_with("exec."))));
}

/// Of many who answer at once one is heard.
#[test]
fn i13_4_of_two_answers_one_counts() {
    let gateway = Gateway::plain();
    let mut asking = Client::with(&gateway, scoped(&["operator.approvals"])).0;
    let mut judges: Vec<Client> =
        (0..4).map(|_| Client::with(&gateway, scoped(&["operator.approvals"])).0).collect();
    for round in 0..20 {
        let id = format!("race-{round:04}");
        let asked = asking.ask("exec.approval.request", json!({"id": id, "command": "x"}));
        judges[0].event_where("exec.approval.requested", |p| p["id"] == id.as_str());
        let told: Vec<String> = judges
            .iter_mut()
            .enumerate()
            .map(|(n, judge)| {
                let decision = ["allow-once", "deny"][(n + round) % 2];
                judge.ask("exec.approval.resolve", json!({"id": id, "decision": decision}))
            })
            .collect();
        let won: Vec<usize> = (0..4).filter(|n| judges[*n].answer(&told[*n]).is_ok()).collect();
        assert_eq!(won.len(), 1, "{won:?}");
        let decision = asking.answer(&asked).unwrap()["decision"].clone();
        assert_eq!(decision, ["allow-once", "deny"][(won[0] + round) % 2]);
    }
}

/// `/approve` from a chat, with the scopes of who writes it.
#[test]
fn i13_4_approve_is_a_command_with_the_senders_rights() {
    let (server, gateway) =
        start(vec![call("echo x > made"), texts(&["asked"]), texts(&["done"])], json!({}));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "do it", "k1").unwrap();
    let id = client.ok("exec.approval.list", json!({}))[0]["id"].as_str().unwrap().to_string();
    let mut writer = Client::with(&gateway, scoped(&["operator.write"])).0;
    let send = |client: &mut Client, key: &str| {
        let text = format!("/approve {} once", &id[..8]);
        client.call("chat.send", json!({"sessionKey": "main", "message": text, "idempotencyKey": key}))
    };
    let refusal = match send(&mut writer, "w") {
        Err(error) => error["message"].clone(),
        Ok(_) => writer.event_where("chat", |p| p["runId"] == "w")["errorMessage"].clone(),
    };
    assert!(refusal.as_str().unwrap().contains("missing scope: operator.approvals"), "{refusal}");
    send(&mut client, "o").unwrap();
    client.event_where("chat", |p| p["message"].to_string().contains("Exec approval allow-once submitted"));
    server.requests(3);
    assert!(workspace(&gateway).join("made").exists());
}

/// The owner on Telegram sees the whole command from the gateway itself, presses a button, and gets the result there; what a
/// guest presses or writes allows nothing.
#[test]
fn i13_4_the_owner_allows_on_the_phone() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.user(1002, "Bob", "bob");
    let command = format!("echo {} > made; echo ready", "y".repeat(300));
    let (server, gateway) = with_bot(
        &telegram,
        json!({}),
        vec![call(&command), texts(&["I have asked you"]), texts(&["it is ready"])],
    );
    telegram.says(1001, 1001, "do it");
    let words = wait_for("the question", || {
        telegram.texts(1001).into_iter().find(|text| text.contains("Exec approval required"))
    });
    assert!(
        words.contains(&command) && words.contains("Agent: main") && words.contains("Expires in: 120s"),
        "{words}"
    );
    let slug = words.split("ID: ").nth(1).unwrap()[..8].to_string();
    let sent = telegram.calls("sendMessage");
    let asked =
        sent.iter().find(|call| call.params["text"].to_string().contains("Exec approval required")).unwrap();
    let keyboard = asked.params["reply_markup"].to_string();
    assert!(keyboard.contains(&format!("/approve {slug} allow-once")), "{keyboard}");
    // Somebody else's press is nobody's word.
    telegram.presses(1002, 1001, 1, &format!("/approve {slug} allow-once"));
    std::thread::sleep(Duration::from_millis(500));
    assert!(!workspace(&gateway).join("made").exists());
    let begin = format!("/approve {slug} allow-once ");
    let seal = &keyboard[keyboard.find(&begin).unwrap() + begin.len()..][..32];
    telegram.presses(1001, 1001, 1, &format!("{begin}{seal}"));
    server.requests(3);
    wait_for("the result", || {
        said(&telegram, 1001, 1).iter().any(|text| text.contains("it is ready")).then_some(())
    });
    assert!(workspace(&gateway).join("made").exists());
}

/// SEC-34, SEC-42: whose words are not the owner's gets no commands, unless the configuration names them for it.
#[test]
fn sec_42_guests_get_no_commands_unless_they_are_named() {
    for (surfaces, want) in [(json!({}), false), (json!({"tools": {"surfaces": {"guests": ["exec"]}}}), true)]
    {
        let telegram = Telegram::start();
        telegram.user(1001, "Ann", "ann");
        telegram.user(1002, "Bob", "bob");
        telegram.group(-100, "Team");
        let mut more = json!({"channels": {"telegram": {"groupPolicy": "open", "groups": {"*": {"requireMention": false}}}}});
        merge(&mut more, &surfaces);
        let (server, _gateway) = with_bot(&telegram, more, vec![texts(&["hello"])]);
        telegram.says(1002, -100, "hi");
        let request = server.requests(1)[0]["body"]["tools"].to_string();
        assert_eq!(request.contains("\"exec\""), want, "{request}");
        assert!(!request.contains("\"process\""), "{request}");
        telegram.says(1001, 1001, "hi");
        let request = server.requests(2)[1]["body"]["tools"].to_string();
        assert!(request.contains("\"exec\"") && request.contains("\"process\""), "{request}");
    }
}

#[test]
fn i13_4_the_command_line_keeps_the_rules() {
    let gateway = Gateway::plain();
    let file = gateway.state_dir().join("exec-approvals.json");
    std::fs::write(&file, r#"{"version": 1, "socket": {"path": "/s", "token": "SECRET"}, "defaults": {}, "agents": {"main": {"allowlist": ["/usr/bin/ls"], "mood": 1}}}"#).unwrap();
    let run = |args: &[&str]| {
        let output = gateway.cli(args);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    };
    assert_eq!(
        run(&["approvals", "allowlist", "add", "/usr/bin/uptime", "--agent", "main"]),
        (0, "Added /usr/bin/uptime.\n".to_string())
    );
    assert_eq!(
        run(&["approvals", "allowlist", "add", "/usr/bin/uptime", "--agent", "main"]).1,
        "/usr/bin/uptime is listed already.\n"
    );
    assert!(run(&["approvals", "allowlist", "add", "uptime"]).1.contains("is no path"));
    assert_eq!(
        run(&["approvals", "allowlist", "remove", "/usr/bin/ls", "--agent", "main", "--gateway"]).0,
        0
    );
    assert_eq!(run(&["approvals", "allowlist", "remove", "/usr/bin/ls"]).0, 1);
    let (status, text) = run(&["approvals", "get", "--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &told["file"]["agents"]["main"]["mood"]), (0, &json!(1)));
    assert!(!text.contains("SECRET") && std::fs::read_to_string(&file).unwrap().contains("SECRET"));
    let rules = gateway.dir.join("rules.json");
    std::fs::write(&rules, r#"{"version": 1, "defaults": {"ask": "sometimes"}}"#).unwrap();
    let (status, text) = run(&["approvals", "set", "--file", rules.to_str().unwrap()]);
    assert!(status == 1 && text.contains("defaults.ask must be one of off, on-miss, always"), "{text}");
    std::fs::write(&rules, r#"{"version": 1, "defaults": {"ask": "always"}}"#).unwrap();
    assert_eq!(run(&["approvals", "set", "--file", rules.to_str().unwrap()]).0, 0);
    assert!(run(&["approvals", "get"]).1.contains("always"));
}

/// S-H1: over the wire rules are made stricter and single programs listed; what lets in any number of commands is done on the
/// gateway's machine.
#[test]
fn s_h1_rules_are_not_widened_over_the_wire() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let mut set = |agent: Value| {
        let hash = client.ok("exec.approvals.get", json!({}))["hash"].clone();
        let file = json!({"version": 1, "defaults": {}, "agents": {"main": agent}});
        client.call("exec.approvals.set", json!({"file": file, "baseHash": hash}))
    };
    set(json!({"allowlist": [{"pattern": "/usr/bin/uptime"}], "ask": "always"})).unwrap();
    for (agent, want) in [
        (
            json!({"allowlist": [{"pattern": "/usr/bin/**"}], "ask": "always"}),
            "openclaw approvals allowlist add '/usr/bin/**' --agent main",
        ),
        (json!({"security": "full", "ask": "always"}), "agents.main.security"),
        (json!({"ask": "off"}), "agents.main.ask"),
        (json!({}), "agents.main.ask"),
        (json!({"ask": "always", "askFallback": "full"}), "agents.main.askFallback"),
        (
            json!({"ask": "always", "grants": [{"command": "id", "cwd": "/", "host": "gateway"}]}),
            "agents.main.grants",
        ),
    ] {
        let error = set(agent.clone()).expect_err("a refusal");
        let told = error["message"].as_str().unwrap();
        assert!(
            error["code"] == "INVALID_REQUEST"
                && told.contains(want)
                && told.contains("on the machine whose rules these are"),
            "{agent}: {error}"
        );
    }
    let add = ["approvals", "allowlist", "add", "/usr/bin/**", "--agent", "main"];
    assert!(gateway.cli(&add).status.success());
    // What is so already may stay.
    set(json!({"allowlist": [{"pattern": "/usr/bin/**"}], "ask": "always", "security": "deny"})).unwrap();
}
