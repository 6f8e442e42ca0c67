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

fn call(n: usize, arguments: Value) -> Step {
    Step::Call { id: format!("c{n}"), name: "cron".to_string(), arguments: arguments.to_string() }
}

/// One turn of the owner's in the main session, to its end.
fn turn(client: &mut Client, key: &str) {
    client.ok("chat.send", json!({"sessionKey": "main", "message": "go and spend", "idempotencyKey": key}));
    client.event_where("chat", |payload| payload["runId"] == key && payload["state"] == "final");
}

/// A job of this number as it lies in the file, due in an hour unless this says else.
fn kept(n: usize, more: Value) -> Value {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    let mut job = json!({"id": id(n), "name": format!("j{n}"), "enabled": true, "createdAtMs": now, "updatedAtMs": now,
        "schedule": {"kind": "every", "everyMs": 3_600_000, "anchorMs": now}, "sessionTarget": "isolated",
        "wakeMode": "next-heartbeat", "payload": {"kind": "agentTurn", "message": "m"}, "delivery": {"mode": "none"},
        "state": {}});
    merge(&mut job, &more);
    if job["sessionTarget"] == "main" {
        job.as_object_mut().unwrap().remove("delivery");
        job["payload"].as_object_mut().unwrap().remove("message");
    }
    job
}

fn id(n: usize) -> String {
    format!("{n:08}-1111-4111-8111-111111111111")
}

fn with_jobs(model: &ModelServer, jobs: Vec<Value>) -> Gateway {
    let file = json!({"version": 1, "jobs": jobs}).to_string();
    Gateway::start(&Setup::config(model.config()).file("cron/jobs.json", file))
}

/// S-H3: what a tool may not make it may not make of another job either, be that its own or the owner's.
#[test]
fn s_h3_jobs_that_a_tool_changes_become_neither_hasty_nor_many() {
    let update = |n: usize, patch: Value| json!({"action": "update", "jobId": id(n), "patch": patch});
    let owners = json!({"schedule": {"everyMs": 3_599_000}, "sessionTarget": "main",
        "payload": {"kind": "systemEvent", "text": "t"}});
    let changes = [
        update(1, json!({"schedule": {"kind": "every", "everyMs": 1000}})),
        update(1, json!({"schedule": {"kind": "cron", "expr": "*/30 * * * * *"}})),
        update(40, json!({"schedule": {"kind": "every", "everyMs": 59_999}})),
        update(41, json!({"payload": {"kind": "agentTurn", "message": "m"}, "sessionTarget": "isolated"})),
        update(30, json!({"enabled": true})),
        // What begins no more turns than before may be done.
        update(2, json!({"schedule": {"kind": "every", "everyMs": 7_200_000}})),
        update(3, json!({"payload": {"kind": "agentTurn", "message": "other"}})),
        update(41, json!({"enabled": false})),
    ];
    let calls = changes.into_iter().enumerate().map(|(n, arguments)| call(n, arguments));
    let model =
        ModelServer::start(vec![Reply::Stream(calls.chain([Step::Done]).collect()), texts(&["changed"])]);
    let hasty = merged(owners.clone(), json!({"schedule": {"everyMs": 30_000}}));
    let agents = json!({"madeBy": "agent"});
    let mut jobs: Vec<Value> = (0..20).map(|n| kept(n, agents.clone())).collect();
    jobs.push(kept(30, merged(agents, json!({"enabled": false}))));
    jobs.extend([kept(40, owners), kept(41, hasty)]);
    let gateway = with_jobs(&model, jobs);
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "k");
    let told = model.requests(2)[1]["body"].to_string();
    assert_eq!(told.matches("once a minute at most").count(), 4, "{told}");
    assert_eq!(told.matches("20 jobs that agents have made are switched on").count(), 1, "{told}");
    let all = client.ok("cron.list", json!({"includeDisabled": true}));
    let job = |n: usize| all["jobs"].as_array().unwrap().iter().find(|job| job["id"] == id(n)).unwrap();
    assert_eq!((&job(1)["schedule"]["everyMs"], &job(30)["enabled"]), (&json!(3_600_000), &json!(false)));
    assert_eq!((&job(41)["payload"]["kind"], &job(41)["enabled"]), (&json!("systemEvent"), &json!(false)));
    assert_eq!(
        (&job(2)["schedule"]["everyMs"], &job(3)["payload"]["message"]),
        (&json!(7_200_000), &json!("other"))
    );
}

fn merged(mut into: Value, from: Value) -> Value {
    merge(&mut into, &from);
    into
}

/// S-H3: what a tool has done at once, jobs and heartbeats, is paid by the message that its turn began with: ten turns, then
/// it is refused, in later rounds too. The next message has ten of its own.
#[test]
fn s_h3_turns_that_a_tool_begins_at_once_are_paid_by_the_message() {
    let model = ModelServer::start(vec![Reply::By(spends)]);
    let gateway = with_jobs(&model, (0..15).map(|n| kept(n, json!({}))).collect());
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "k");
    let told = model.requests(4).into_iter().map(|request| request["body"].to_string());
    let told = told.max_by_key(|body| body.matches("\"role\":\"tool\"").count()).unwrap();
    assert_eq!(told.matches("one message may cause 10 turns").count(), 6, "{told}");
    let mut ran = || client.ok("cron.runs", json!({"scope": "all"}))["entries"].as_array().unwrap().len();
    wait_for("the jobs' turns", || (ran() == 10).then_some(()));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ran(), 10);
}

/// The turn of the owner runs twelve jobs, then three more, then wants a heartbeat; those of jobs say a word.
fn spends(request: &Value) -> Reply {
    let messages = request["messages"].as_array().unwrap();
    let results = messages.iter().filter(|message| message["role"] == "tool").count();
    let runs = |from: usize, to: usize| -> Vec<Step> {
        (from..to).map(|n| call(n, json!({"action": "run", "jobId": id(n)}))).collect()
    };
    let mut steps = match results {
        _ if !messages.iter().any(|message| message["content"].to_string().contains("go and spend")) => {
            return texts(&["m"]);
        }
        0 => runs(0, 12),
        12 => runs(12, 15),
        15 => vec![call(50, json!({"action": "wake", "mode": "now", "text": "look"}))],
        _ => return texts(&["done"]),
    };
    steps.push(Step::Done);
    Reply::Stream(steps)
}
