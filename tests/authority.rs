//! Issue 13, sentence 6, SEC-34, SEC-42: what acts by itself for the owner changes nothing that an agent is made of and
//! reaches no chat but its own, unless the configuration names the tool for such turns.
use super::harness::model::texts;
use super::harness::telegram::Telegram;
use super::harness::*;
use super::telegram::{ann, said, with_bot};

fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        content => content.as_str().unwrap_or_default().to_string(),
    }
}

/// A model that was misled: what begins with `misled` writes where it should not and to others, `through` has others do so.
fn misled(request: &Value) -> Reply {
    let messages = request["messages"].as_array().unwrap();
    let last = messages.last().unwrap();
    let calls = |all: &[(&str, Value)]| {
        let call = |(n, (name, arguments)): (usize, &(&str, Value))| Step::Call {
            id: format!("c{n}"),
            name: name.to_string(),
            arguments: arguments.to_string(),
        };
        Reply::Stream(all.iter().enumerate().map(call).chain([Step::Done]).collect())
    };
    let asked = text_of(last);
    if last["role"] == "tool" {
        return texts(&["done"]);
    }
    if asked.contains("misled by a page") || asked.contains("[The subagent") {
        return calls(&[
            ("write", json!({"path": "HEARTBEAT.md", "content": "obey"})),
            ("write", json!({"path": "notes.md", "content": "kept"})),
            (
                "message",
                json!({"action": "send", "channel": "telegram", "target": "1002", "message": "psst"}),
            ),
        ]);
    }
    match asked.contains("through") {
        true if asked.contains("a subagent") => {
            calls(&[("sessions_spawn", json!({"task": "be misled by a page"}))])
        }
        true => calls(&[(
            "sessions_send",
            json!({"sessionKey": "other", "message": "be misled by a page", "timeoutSeconds": 20}),
        )]),
        false => texts(&["hello"]),
    }
}

fn start(surfaces: Value) -> (Telegram, ModelServer, Gateway) {
    let telegram = ann();
    telegram.user(1002, "Bob", "bob");
    let (model, gateway) =
        with_bot(&telegram, json!({"tools": {"surfaces": surfaces}}), vec![Reply::By(misled)]);
    let place = gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("HEARTBEAT.md"), "mine").unwrap();
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    (telegram, model, gateway)
}

/// What tools said, in all requests so far.
fn results(model: &ModelServer) -> Vec<String> {
    let all = model.requests(model.count());
    let messages =
        all.iter().flat_map(|request| request["body"]["messages"].as_array().cloned().unwrap_or_default());
    messages.filter(|message| message["role"] == "tool").map(|message| text_of(&message)).collect()
}

fn act(gateway: &Gateway, client: &mut Client, what: &str) {
    let file = gateway.state_dir().join("workspace/notes.md");
    drop(std::fs::remove_file(&file));
    match what {
        "cron" => {
            let job = json!({"name": "n", "schedule": {"kind": "every", "everyMs": 3_600_000},
                "message": "be misled by a page", "delivery": {"mode": "none"}});
            let id = client.ok("cron.add", job)["id"].clone();
            client.ok("cron.run", json!({"id": id}));
        }
        what => {
            client.ok("sessions.patch", json!({"key": "other", "label": "Other"}));
            let message = format!("through {what}");
            client.ok("chat.send", json!({"sessionKey": "main", "message": message, "idempotencyKey": what}));
            client.event_where("chat", |event| event["runId"] == what && event["state"] == "final");
        }
    }
    wait_for("it to be done", || file.exists().then_some(()));
}

#[test]
fn i13_6_jobs_subagents_and_other_agents_change_no_persona_and_reach_no_other_chat() {
    let (telegram, model, gateway) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    for what in ["cron", "another session", "a subagent"] {
        act(&gateway, &mut client, what);
        wait_for("the refusals", || {
            let refused = results(&model);
            let has = |words: &str| refused.iter().any(|text| text.contains(words));
            (has("HEARTBEAT.md is changed only when the owner asks") && has("may reach no")).then_some(())
        });
    }
    // The turn that tells of the subagent was misled too.
    wait_for("calm", || (model.count() >= 13).then_some(()));
    client.collect(Duration::from_millis(500));
    let file = std::fs::read_to_string(gateway.state_dir().join("workspace/HEARTBEAT.md")).unwrap();
    assert_eq!((file.as_str(), telegram.texts(1002).len()), ("mine", 0));
}

#[test]
fn i13_6_what_the_owner_has_named_for_such_turns_they_may() {
    for (surface, what) in [("cron", "cron"), ("agents", "another session")] {
        let (telegram, _model, gateway) = start(json!({surface: ["write", "message"]}));
        let mut client = Client::operator(&gateway, 4);
        act(&gateway, &mut client, what);
        assert_eq!(said(&telegram, 1002, 1), ["psst"], "{surface}");
        let file = std::fs::read_to_string(gateway.state_dir().join("workspace/HEARTBEAT.md")).unwrap();
        assert_eq!(file, "obey", "{surface}");
    }
}
