//! Issue 13, sentences 1 and 6: the agent's tool `cron`, for the owner and nobody else (SEC-34, SEC-42).
use super::harness::model::texts;
use super::harness::telegram::Telegram;
use super::harness::*;
use super::telegram::{said, with_bot};

fn calls(arguments: Value) -> Reply {
    let (id, name) = ("call_1".to_string(), "cron".to_string());
    Reply::Stream(vec![Step::Call { id, name, arguments: arguments.to_string() }, Step::Done])
}

fn tools(request: &Value) -> String {
    request["body"]["tools"].to_string()
}

/// What the tool said, as the model was told.
fn result(model: &ModelServer, n: usize) -> String {
    let request = model.requests(n).remove(n - 1);
    request["body"]["messages"].as_array().unwrap().last().unwrap()["content"].to_string()
}

#[test]
fn i13_3_what_the_owner_asks_for_in_a_chat_is_done_later_and_told_there() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let job = json!({"action": "add", "job": {"name": "door", "schedule": {"kind": "every", "everyMs": 3_600_000},
        "sessionTarget": "isolated", "payload": {"kind": "agentTurn", "message": "Look at the door"}}});
    let replies = vec![calls(job), texts(&["I will"]), texts(&["It is shut"])];
    let (model, gateway) = with_bot(&telegram, json!({}), replies);
    telegram.says(1001, 1001, "look at the door every hour");
    assert_eq!(said(&telegram, 1001, 1), ["I will"]);
    assert!(tools(&model.requests(1)[0]).contains("\"name\":\"cron\""));
    let mut client = Client::operator(&gateway, 4);
    let made = client.ok("cron.list", json!({}))["jobs"][0].clone();
    assert_eq!(made["delivery"], json!({"mode": "announce", "channel": "telegram", "to": "1001"}), "{made}");
    assert_eq!((&made["agentId"], &made["wakeMode"]), (&json!("main"), &json!("now")));
    assert!(result(&model, 2).contains(made["id"].as_str().unwrap()));
    client.ok("cron.run", json!({"id": made["id"]}));
    assert_eq!(said(&telegram, 1001, 2)[1], "It is shut");
    // A job makes no jobs.
    assert!(!tools(&model.requests(3)[2]).contains("\"name\":\"cron\""));
}

#[test]
fn i13_6_guests_and_clients_that_may_only_write_make_no_jobs() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.user(1002, "Bob", "bob");
    let job = json!({"action": "add", "schedule": {"everyMs": 60_000}, "message": "m"});
    let open = json!({"channels": {"telegram": {"dmPolicy": "open", "allowFrom": ["*"]}}, "commands": {"ownerAllowFrom": ["1001"]}});
    let replies = vec![
        calls(job.clone()),
        texts(&["no"]),
        calls(job.clone()),
        texts(&["no"]),
        calls(job),
        texts(&["yes"]),
    ];
    let (model, gateway) = with_bot(&telegram, open, replies);
    telegram.says(1002, 1002, "spam me");
    assert_eq!(said(&telegram, 1002, 1), ["no"]);
    assert!(!tools(&model.requests(1)[0]).contains("\"name\":\"cron\""), "it is not even offered");
    let (mut writer, _) = Client::with(&gateway, client::scoped(&["operator.read", "operator.write"]));
    writer.ok("chat.send", json!({"sessionKey": "main", "message": "make a job", "idempotencyKey": "k1"}));
    let told = result(&model, 4);
    assert!(told.contains("scheduled jobs are the owner's"), "{told}");
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("cron.list", json!({}))["total"], json!(0));
    client.ok(
        "chat.send",
        json!({"sessionKey": "agent:main:other", "message": "make a job", "idempotencyKey": "k2"}),
    );
    model.requests(6);
    assert_eq!(client.ok("cron.list", json!({}))["total"], json!(1));
}

#[test]
fn i13_3_a_reminder_takes_the_last_messages_along() {
    let add = json!({"action": "add", "contextMessages": 2, "job": {"schedule": {"everyMs": 3_600_000}, "payload": {"kind": "systemEvent", "text": "Call back"}}});
    let model = ModelServer::start(vec![
        texts(&["Noted: Bob is at 555"]),
        calls(add),
        texts(&["ok"]),
        calls(json!({"action": "list"})),
        texts(&["one"]),
    ]);
    let gateway = Gateway::start(&Setup::config(model.config()));
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "Bob is at 555", "idempotencyKey": "k1"}));
    client.event_where("chat", |payload| payload["runId"] == "k1" && payload["state"] == "final");
    client.ok(
        "chat.send",
        json!({"sessionKey": "main", "message": "remind me to call him", "idempotencyKey": "k2"}),
    );
    client.event_where("chat", |payload| payload["runId"] == "k2" && payload["state"] == "final");
    let text = client.ok("cron.list", json!({}))["jobs"][0]["payload"]["text"].as_str().unwrap().to_string();
    assert!(text.starts_with("Call back\n\nRecent context:\n- "), "{text}");
    assert!(
        text.contains("Noted: Bob is at 555") && text.contains("- User: remind me to call him"),
        "{text}"
    );
    client.ok("chat.send", json!({"sessionKey": "main", "message": "which?", "idempotencyKey": "k3"}));
    client.event_where("chat", |payload| payload["runId"] == "k3" && payload["state"] == "final");
    assert!(result(&model, 5).contains("Call back"));
}

/// S-H3: what a misled turn arranges by its tool begins turns once a minute at most, and not for any number of jobs.
#[test]
fn s_h3_jobs_that_a_tool_makes_are_few_and_not_hasty() {
    let job = |schedule: Value| json!({"action": "add", "job": {"schedule": schedule, "payload": {"kind": "agentTurn", "message": "m"}, "delivery": {"mode": "none"}}});
    let call = |n: usize, arguments: Value| Step::Call {
        id: format!("c{n}"),
        name: "cron".to_string(),
        arguments: arguments.to_string(),
    };
    let hasty = [
        json!({"kind": "every", "everyMs": 1000}),
        json!({"kind": "every", "everyMs": 59_999}),
        json!({"kind": "cron", "expr": "*/30 * * * * *"}),
    ];
    let first = hasty.into_iter().enumerate().map(|(n, schedule)| call(n, job(schedule)));
    let many = (0..25).map(|n| call(n, job(json!({"kind": "every", "everyMs": 3_600_000 + n}))));
    let model = ModelServer::start(vec![
        Reply::Stream(first.chain([Step::Done]).collect()),
        Reply::Stream(many.chain([Step::Done]).collect()),
        texts(&["made"]),
        texts(&["m"]),
    ]);
    let gateway = Gateway::start(&Setup::config(model.config()));
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "k"}));
    client.event_where("chat", |payload| payload["runId"] == "k" && payload["state"] == "final");
    let told = model.requests(2)[1]["body"].to_string();
    assert_eq!(told.matches("once a minute at most").count(), 3, "{told}");
    let told = model.requests(3)[2]["body"].to_string();
    assert_eq!(told.matches("20 jobs that agents have made are switched on").count(), 5, "{told}");
    assert_eq!(client.ok("cron.list", json!({}))["total"], json!(20));
    // Who is no tool may have as many as he likes, as often as he likes.
    client.ok(
        "cron.add",
        json!({"schedule": {"kind": "every", "everyMs": 2000}, "enabled": true, "sessionTarget": "main",
        "wakeMode": "next-heartbeat", "payload": {"kind": "systemEvent", "text": "t"}}),
    );
}
