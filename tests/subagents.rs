//! Issue 13, sentence 3: subagents. They begin, work beside everything else, within bounds, and whoever asked is told once,
//! whatever happens to the process.
use super::harness::model::texts;
use super::harness::telegram::{self, Telegram};
use super::harness::*;
use super::telegram::{said, with_bot};
use rustix::process::Signal;

fn call(name: &str, arguments: Value) -> Step {
    let id = format!("c{}", arguments.to_string().len());
    Step::Call { id, name: name.into(), arguments: arguments.to_string() }
}

fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        content => content.as_str().unwrap_or_default().to_string(),
    }
}

/// A model that does what it is told: `spawn <json>` of a person, the task of a subagent, and it says what it was told.
fn obedient(request: &Value) -> Reply {
    let messages = request["messages"].as_array().unwrap();
    let last = messages.last().unwrap();
    let words = text_of(last);
    let is_child = text_of(&messages[0]).contains("You are a subagent");
    if words.contains("good day") {
        return texts(&["Hello"]);
    }
    if is_child && text_of(&messages[1]).contains("read on") {
        return Reply::Stream(vec![call("read", json!({"path": "AGENTS.md"})), Step::Done]);
    }
    if last["role"] == "tool" {
        let refused = messages.iter().map(text_of).rfind(|words| words.contains("one message may cause"));
        let words = refused.unwrap_or(words);
        return texts(&[if words.contains("accepted") { "On it" } else { &words }]);
    }
    if let Some(at) = words.find("[The subagent") {
        let told = words[at..].split(['\n', ']']).next().unwrap_or_default().to_string();
        return match words.contains("HANG") {
            true => Reply::Hang,
            false => {
                texts(&[&format!("Told: {told} {}", if words.contains("It is 42") { "42" } else { "" })])
            }
        };
    }
    if let Some((_, rest)) = words.split_once("spawn ") {
        let wanted: Value = serde_json::Deserializer::from_str(rest).into_iter().next().unwrap().unwrap();
        let all = wanted.as_array().cloned().unwrap_or(vec![wanted]);
        let calls = all.into_iter().enumerate().map(|(n, one)| Step::Call {
            id: format!("c{n}"),
            name: "sessions_spawn".into(),
            arguments: one.to_string(),
        });
        return Reply::Stream(calls.chain([Step::Done]).collect());
    }
    match is_child {
        true if words.contains("hang") => Reply::Hang,
        true if words.contains("nothing") => texts(&["ANNOUNCE_SKIP"]),

        true if words.contains("nest") => {
            Reply::Stream(vec![call("sessions_spawn", json!({"task": "more"})), Step::Done])
        }
        true => texts(&["It is 42"]),
        false => texts(&["Hello"]),
    }
}

fn start(telegram: &Telegram, more: Value) -> (ModelServer, Gateway) {
    telegram.user(1001, "Ann", "ann");
    with_bot(telegram, more, vec![Reply::By(obedient)])
}

fn registry(gateway: &Gateway) -> Vec<Value> {
    let text = std::fs::read_to_string(gateway.state_dir().join("subagents/runs.json")).unwrap_or_default();
    let whole: Value = serde_json::from_str(&text).unwrap_or_default();
    whole["runs"].as_object().map(|runs| runs.values().cloned().collect()).unwrap_or_default()
}

/// The only entry of the file, once it is as wanted.
fn entry_where(gateway: &Gateway, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || registry(gateway).into_iter().find(|entry| fits(entry)))
}

fn is_told(entry: &Value) -> bool {
    entry["cleanupCompletedAt"].as_u64().is_some()
}

/// The requests of subagents.
fn of_children(model: &ModelServer) -> Vec<Value> {
    let is_child = |request: &Value| text_of(&request["body"]["messages"][0]).contains("You are a subagent");
    model.requests(0).into_iter().filter(is_child).collect()
}

fn tool_names(request: &Value) -> Vec<String> {
    let tools = request["body"]["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_string()).collect()
}

#[test]
fn i13_3_a_subagent_does_its_task_and_its_end_is_told_in_the_chat_once() {
    let telegram = Telegram::start();
    let (model, mut gateway) = start(&telegram, json!({}));
    let workspace = gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("SOUL.md"), "the soul of it").unwrap();
    std::fs::write(workspace.join("AGENTS.md"), "the rules of it").unwrap();
    telegram.says(1001, 1001, r#"spawn {"task": "find the answer", "label": "finder", "thinking": "low"}"#);
    let told = said(&telegram, 1001, 2);
    assert_eq!(told[0], "On it");
    assert_eq!(told[1], "Told: [The subagent \"finder\" is done 42", "{told:?}");
    // Inside: its task, the rules, no soul, and not the tools that are for conversations.
    let child = of_children(&model).remove(0);
    let system = text_of(&child["body"]["messages"][0]);
    assert!(system.contains("the rules of it") && !system.contains("the soul of it"), "{system}");
    assert!(text_of(&child["body"]["messages"][1]).contains("find the answer"));
    let names = tool_names(&child);
    for denied in [
        "sessions_spawn",
        "sessions_send",
        "sessions_list",
        "session_status",
        "agents_list",
        "gateway",
        "cron",
        "memory_get",
        "exec",
    ] {
        assert!(!names.iter().any(|name| name == denied), "{denied} in {names:?}");
    }
    assert!(
        names.iter().any(|name| name == "read") && names.iter().any(|name| name == "web_fetch"),
        "{names:?}"
    );
    // The file is as the original's.
    let entry = entry_where(&gateway, "the end in the file", is_told);
    let key = entry["childSessionKey"].as_str().unwrap().to_string();
    assert!(key.strip_prefix("agent:main:subagent:").is_some_and(is_uuid), "{entry}");
    assert_eq!(entry["requesterSessionKey"], "agent:main:main", "{entry}");
    assert_eq!(
        (&entry["requesterOrigin"]["channel"], &entry["requesterOrigin"]["to"]),
        (&json!("telegram"), &json!("1001")),
        "{entry}"
    );
    assert_eq!(
        (&entry["outcome"], &entry["cleanup"], &entry["label"]),
        (&json!({"status": "ok"}), &json!("keep"), &json!("finder"))
    );
    assert!(
        entry["archiveAtMs"].as_u64().unwrap() >= entry["createdAt"].as_u64().unwrap() + 3_600_000
            && entry.get("findings").is_none()
    );
    let mut client = Client::operator(&gateway, 4);
    let list = client.ok("sessions.list", json!({"spawnedBy": "agent:main:main"}));
    assert_eq!((&list["count"], &list["sessions"][0]["label"]), (&json!(1), &json!("finder")), "{list}");
    telegram.says(1001, 1001, "/subagents");
    let list = said(&telegram, 1001, 3).remove(2);
    assert!(list.contains("done · finder · ") && list.contains(&key), "{list}");
    // Nothing is told again.
    gateway.stop();
    gateway.restart();
    telegram.says(1001, 1001, "good day");
    assert_eq!(said(&telegram, 1001, 4)[3], "Hello");
    assert_eq!(telegram.texts(1001).len(), 4);
    let announcements =
        model.requests(0).iter().filter(|r| r["body"].to_string().contains("[The subagent")).count();
    assert!(announcements >= 1 && of_children(&model).len() == 1);
}

#[test]
fn s_h3_subagents_are_bounded_in_number_and_have_places_of_their_own() {
    let telegram = Telegram::start();
    let (model, gateway) = start(
        &telegram,
        json!({"agents": {"defaults": {"maxConcurrent": 1, "subagents": {"maxConcurrent": 2}}}}),
    );
    let many: Vec<Value> = (0..12).map(|n| json!({"task": format!("hang {n}")})).collect();
    telegram.says(1001, 1001, &format!("spawn {}", json!(many)));
    let answer = said(&telegram, 1001, 1).remove(0);
    assert!(answer.contains("one message may cause 10 turns"), "{answer}");
    // They fill their own places and nobody else's.
    wait_for("two at work", || (of_children(&model).len() == 2).then_some(()));
    telegram.says(1001, 1001, "good day");
    assert_eq!(said(&telegram, 1001, 2)[1], "Hello");
    assert_eq!((of_children(&model).len(), registry(&gateway).len()), (2, 10));
    telegram.says(1001, 1001, "/subagents list");
    let list = said(&telegram, 1001, 3).remove(2);
    assert!(list.matches("running · ").count() == 2 && list.matches("waiting · ").count() == 8, "{list}");
    // One word stops all of them, and nobody is told what he did himself.
    telegram.says(1001, 1001, "/stop");
    let stopped = said(&telegram, 1001, 4).remove(3);
    assert!(stopped.contains("was aborted"), "{stopped}");
    wait_for("the ends", || registry(&gateway).iter().all(is_told).then_some(()));
    assert!(registry(&gateway).iter().all(|entry| entry["outcome"]["error"] == "killed"));
    assert_eq!((of_children(&model).len(), telegram.texts(1001).len()), (2, 4));
}

#[test]
fn s_h3_what_one_message_causes_costs_so_much_and_a_subagent_starts_none() {
    let telegram = Telegram::start();
    let (model, gateway) = start(&telegram, json!({"gateway": {"limits": {"nestedTokens": 20}}}));
    // Each answer of the model is 16 tokens.
    telegram.says(1001, 1001, r#"spawn [{"task": "read on and on"}]"#);
    let told = said(&telegram, 1001, 2).remove(1);
    assert!(
        told.contains(
            "\"read on and on\" failed: what one message causes in other sessions may cost 20 tokens"
        ),
        "{told}"
    );
    assert_eq!(of_children(&model).len(), 2);
    telegram.says(1001, 1001, r#"spawn [{"task": "nest"}]"#);
    let told = said(&telegram, 1001, 4).remove(3);
    assert!(told.contains("\"nest\" is done"), "a message of its own has its own purse: {told}");
    let child = of_children(&model).pop().unwrap();
    let result = text_of(child["body"]["messages"].as_array().unwrap().last().unwrap());
    assert!(result.contains("sessions_spawn is not allowed here"), "{result}");
    assert_eq!(registry(&gateway).len(), 2);
}

#[test]
fn i13_3_silence_a_deadline_and_bad_wishes() {
    let telegram = Telegram::start();
    let more = json!({"agents": {"list": [{"id": "main", "subagents": {"allowAgents": ["ops", "gone"]}}, {"id": "ops"}, {"id": "boss"}]}});
    let (model, gateway) = start(&telegram, more);
    telegram.says(1001, 1001, r#"spawn {"task": "do nothing", "cleanup": "delete"}"#);
    said(&telegram, 1001, 1);
    wait_for("an empty list", || {
        (of_children(&model).len() == 1 && registry(&gateway).is_empty()).then_some(())
    });
    telegram.says(
        1001,
        1001,
        r#"spawn {"task": "hang", "runTimeoutSeconds": 1, "agentId": "ops", "model": "no/such"}"#,
    );
    let told = said(&telegram, 1001, 3);
    assert!(told[2].contains("\"hang\" ran out of time"), "{told:?}");
    let entry = entry_where(&gateway, "the end", is_told);
    assert_eq!(entry["outcome"]["status"], "timeout", "{entry}");
    assert!(entry["childSessionKey"].as_str().unwrap().starts_with("agent:ops:subagent:"));
    let results: Vec<String> = [
        (r#"{"task": " "}"#, "task required"),
        (r#"{"task": "t", "thinking": "huge"}"#, "Invalid thinking level"),
        (r#"{"task": "t", "agentId": "boss"}"#, "may not be a subagent of main"),
        (r#"{"task": "t", "agentId": "gone"}"#, "there is no agent gone"),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, (arguments, want))| {
        telegram.says(1001, 1001, &format!("spawn {arguments}"));
        let told = said(&telegram, 1001, 4 + n).remove(3 + n);
        assert!(told.contains(want), "{told}");
        told
    })
    .collect();
    assert!(
        results[1].contains("\"status\":\"error\"") && results[2].contains("\"status\":\"forbidden\""),
        "{results:?}"
    );
    let asked =
        model.requests(0).iter().map(|r| r["body"].to_string()).find(|r| r.contains("modelApplied")).unwrap();
    assert!(asked.contains(r#"\"modelApplied\":false"#) && asked.contains("no/such is not used"), "{asked}");
}

#[test]
fn i13_3_the_model_of_subagents_has_fallbacks_of_its_own() {
    let refusal = json!({"error": {"message": "who are you"}}).to_string();
    let down = ModelServer::start(vec![Reply::Status(401, vec![], refusal)]);
    let models: Vec<Value> = ["m", "n"].map(|id| json!({"id": id, "name": id})).to_vec();
    let more = json!({
        "models": {"providers": {"down": down.config()["models"]["providers"]["test"], "test": {"models": models}}},
        "agents": {"defaults": {"subagents": {"model": {"primary": "down/m", "fallbacks": ["test/n"]}}}},
    });
    let telegram = Telegram::start();
    let (model, _gateway) = start(&telegram, more);
    telegram.says(1001, 1001, r#"spawn {"task": "count"}"#);
    said(&telegram, 1001, 2);
    let asked: Vec<Value> =
        of_children(&model).iter().map(|request| request["body"]["model"].clone()).collect();
    assert_eq!((down.count() > 0, asked), (true, vec![json!("n")]));
}

#[test]
fn i13_3_a_kill_in_the_middle_of_a_subagent_is_told_once() {
    let telegram = Telegram::start();
    let (model, mut gateway) = start(&telegram, json!({}));
    telegram.says(1001, 1001, r#"spawn {"task": "hang", "label": "slow"}"#);
    said(&telegram, 1001, 1);
    wait_for("the subagent", || (of_children(&model).len() == 1).then_some(()));
    entry_where(&gateway, "its entry", |entry| entry["label"] == "slow");
    gateway.signal(Signal::KILL);
    gateway.wait(DEADLINE);
    gateway.restart();
    let told = said(&telegram, 1001, 2).remove(1);
    assert!(
        told.contains("\"slow\" ended, and it is not known how: the gateway stopped in the middle"),
        "{told}"
    );
    entry_where(&gateway, "the end", is_told);
    for _ in 0..2 {
        gateway.signal(Signal::KILL);
        gateway.wait(DEADLINE);
        gateway.restart();
    }
    telegram.says(1001, 1001, "good day");
    assert_eq!(said(&telegram, 1001, 3)[2], "Hello");
    assert_eq!(
        (of_children(&model).len(), telegram.texts(1001).len()),
        (1, 3),
        "neither done nor told again"
    );
}

#[test]
fn i13_3_a_kill_in_the_middle_of_telling_tells_once() {
    let telegram = Telegram::start();
    let (model, mut gateway) = start(&telegram, json!({}));
    telegram.says(1001, 1001, r#"spawn {"task": "find it", "label": "HANG"}"#);
    said(&telegram, 1001, 1);
    let told = |model: &ModelServer| {
        let is_it = |r: &Value| {
            text_of(r["body"]["messages"].as_array().unwrap().last().unwrap()).contains("[The subagent")
        };
        model.requests(0).into_iter().filter(is_it).count()
    };
    for n in 1..3 {
        wait_for("a turn that tells", || (told(&model) == n).then_some(()));
        gateway.signal(Signal::KILL);
        gateway.wait(DEADLINE);
        gateway.restart();
    }
    wait_for("a third one", || (told(&model) == 3).then_some(()));
    let transcripts: String = std::fs::read_dir(gateway.sessions_dir())
        .unwrap()
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|e| e == "jsonl"))
        .map(|file| std::fs::read_to_string(file.path()).unwrap())
        .collect();
    assert_eq!(transcripts.matches("[The subagent").count(), 1, "it is written down once");
    assert_eq!((of_children(&model).len(), telegram.texts(1001).len()), (1, 1));
}

#[test]
fn i13_3_the_originals_file_is_continued() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let model = ModelServer::start(vec![Reply::By(obedient)]);
    let mut config = model.config();
    merge(
        &mut config,
        &json!({"channels": {"telegram": {"botToken": telegram::BOT_TOKEN, "apiRoot": telegram.root(), "dmPolicy": "allowlist", "allowFrom": ["1001"]}}}),
    );
    let origin = json!({"channel": "telegram", "to": "telegram:1001", "accountId": "default"});
    let run = |n: u32, more: Value| {
        let mut run = json!({"runId": format!("r{n}"), "childSessionKey": format!("agent:main:subagent:0000000{n}"), "requesterSessionKey": "agent:main:main",
            "requesterOrigin": origin, "requesterDisplayKey": "main", "task": format!("task {n}"), "cleanup": "keep", "createdAt": 1000, "startedAt": 1000,
            "cleanupHandled": false, "theirs": {"n": n}});
        merge(&mut run, &more);
        run
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let runs = json!({"version": 2, "runs": {
        "r1": run(1, json!({"archiveAtMs": now + 3_600_000})),
        "r2": run(2, json!({"endedAt": 2000, "outcome": {"status": "error", "error": "no key"}, "archiveAtMs": now + 3_600_000})),
        "r3": run(3, json!({"endedAt": 2000, "outcome": {"status": "ok"}, "cleanupCompletedAt": 3000, "cleanupHandled": true, "archiveAtMs": now + 3_600_000})),
        "r4": run(4, json!({"endedAt": 2000, "outcome": {"status": "ok"}, "cleanupCompletedAt": 3000, "archiveAtMs": 5000}))}});
    let gateway = Gateway::start(&Setup::config(config).file("subagents/runs.json", runs.to_string()));
    wait_for("the ends", || {
        (registry(&gateway).len() == 3 && registry(&gateway).iter().all(is_told)).then_some(())
    });
    // Both are told, together or one after the other.
    let told = wait_for("the words", || {
        Some(telegram.texts(1001).join("\n")).filter(|t| t.contains("[The subagent"))
    });
    assert!(
        told.contains("\"task 1\" ended, and it is not known how")
            || told.contains("\"task 2\" failed: no key"),
        "{told}"
    );
    let asked = model.requests(1).iter().map(|r| r["body"]["messages"].to_string()).collect::<String>();
    assert!(asked.contains("task 1") && asked.contains("task 2") && !asked.contains("task 3"), "{asked}");
    for entry in registry(&gateway) {
        assert!(entry["theirs"]["n"].is_u64() && entry["requesterOrigin"] == origin, "{entry}");
    }
}

#[test]
fn i13_3_people_look_after_subagents_by_commands() {
    let telegram = Telegram::start();
    let (model, gateway) = start(&telegram, json!({}));
    telegram.says(1001, 1001, r#"spawn [{"task": "find it", "label": "one"}]"#);
    said(&telegram, 1001, 2);
    telegram.says(1001, 1001, r#"spawn [{"task": "hang", "label": "two"}]"#);
    said(&telegram, 1001, 3);
    wait_for("the second", || (of_children(&model).len() == 2).then_some(()));
    let mut count = 3;
    let mut command = |words: &str| {
        telegram.says(1001, 1001, words);
        count += 1;
        said(&telegram, 1001, count).remove(count - 1)
    };
    let info = command("/subagents info one");
    assert!(
        info.contains("State: done")
            && info.contains("Task: find it")
            && info.contains("agent:main:subagent:"),
        "{info}"
    );
    let log = command("/subagents log one");
    assert!(log.contains("find it") && log.contains("assistant: It is 42"), "{log}");
    assert!(command("/subagents stop 1").contains("Stopped"));
    assert!(command("/subagents stop 1").contains("None of them"));
    assert!(command("/subagents info 7").contains("there is no subagent \"7\""));
    assert!(command("/subagents dance").starts_with("Usage: /subagents"));
    assert!(command("/subagents send one look again").starts_with("Sent to one"));
    let told = said(&telegram, 1001, count + 1).remove(count);
    assert!(told.contains("\"one\" is done 42"), "{told}");
    let again = of_children(&model).pop().unwrap()["body"]["messages"].to_string();
    assert!(again.contains("find it") && again.contains("look again"), "{again}");
    wait_for("the ends", || {
        (registry(&gateway).len() == 3 && registry(&gateway).iter().all(is_told)).then_some(())
    });
}

/// SEC-34, SEC-42: a guest starts none, and neither a subagent nor the turn that tells of it has the owner's authority.
#[test]
fn sec_42_subagents_are_the_owners_and_have_less_authority() {
    let telegram = Telegram::start();
    telegram.user(1002, "Bob", "bob");
    let open = json!({"channels": {"telegram": {"dmPolicy": "open", "allowFrom": ["*"]}}, "commands": {"ownerAllowFrom": ["1001"]}});
    let (model, _gateway) = start(&telegram, open);
    telegram.says(1002, 1002, r#"spawn {"task": "spam"}"#);
    let told = said(&telegram, 1002, 1).remove(0);
    assert!(told.contains("sessions_spawn is not allowed here"), "{told}");
    assert!(!tool_names(&model.requests(1)[0]).contains(&"sessions_spawn".to_string()));
    telegram.says(1001, 1001, r#"spawn {"task": "find it"}"#);
    said(&telegram, 1001, 2);
    let requests = model.requests(0);
    let telling = requests.iter().find(|r| {
        text_of(r["body"]["messages"].as_array().unwrap().last().unwrap()).contains("[The subagent")
    });
    let names = tool_names(telling.unwrap());
    for denied in ["cron", "gateway", "exec"] {
        assert!(!names.iter().any(|name| name == denied), "{denied} in {names:?}");
    }
    let owners = requests.iter().map(tool_names).find(|names| names.iter().any(|name| name == "gateway"));
    assert!(owners.is_some_and(|names| names.iter().any(|name| name == "sessions_spawn")));
}
