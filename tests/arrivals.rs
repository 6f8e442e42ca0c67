//! Issue 13, sentences 1 and 2: a scheduled job or a heartbeat whose words the platform refused is not told as done, and
//! nothing that was to be told is lost without a word.
use super::cli::text;
use super::harness::model::texts;
use super::harness::telegram::{Fault, Telegram};
use super::harness::*;
use super::telegram::{ann, said, with_bot};

const BLOCKED: Fault = Fault::Refuse(403, "Forbidden: bot was blocked by the user");

/// Ann's bot, who has said hello and can be told nothing from now on.
fn blocked(replies: &[&str], more: Value) -> (Telegram, ModelServer, Gateway) {
    let telegram = ann();
    telegram.user(1002, "Bob", "bob");
    let replies = [&["hello"], replies].concat().iter().map(|text| texts(&[text])).collect();
    let (model, gateway) = with_bot(&telegram, more, replies);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    telegram.always("sendMessage", Some(BLOCKED));
    (telegram, model, gateway)
}

fn soon(ms: u64) -> Value {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    json!({"kind": "at", "at": (now + ms).to_string()})
}

fn finished(client: &mut Client) -> Value {
    client.event_where("cron", |event| event["action"] == "finished")
}

fn jobs(client: &mut Client) -> Vec<Value> {
    client.ok("cron.list", json!({"includeDisabled": true}))["jobs"].as_array().unwrap().clone()
}

/// What the model was asked last.
fn asked(model: &ModelServer, n: usize) -> String {
    model.requests(n)[n - 1]["body"]["messages"].as_array().unwrap().last().unwrap()["content"].to_string()
}

#[test]
fn i13_1_a_reminder_that_was_refused_is_kept_and_told() {
    let (telegram, model, gateway) = blocked(&["Your cake!", "I see"], json!({}));
    let mut client = Client::operator(&gateway, 4);
    client.ok("cron.add", json!({"schedule": soon(200), "text": "Take the cake out"}));
    let end = finished(&mut client);
    let why = end["error"].as_str().unwrap();
    assert!(end["status"] == "error" && why.contains("not delivered to telegram (1001)"), "{end}");
    assert!(why.contains("bot was blocked"), "{end}");
    assert_eq!((&end["deliveryStatus"], &end["summary"]), (&json!("not-delivered"), &json!("Your cake!")));
    let job = jobs(&mut client).remove(0);
    assert_eq!((&job["enabled"], &job["state"]["lastStatus"]), (&json!(false), &json!("error")), "{job}");
    assert!(gateway.log().contains("its words were not delivered"), "{}", gateway.log());
    telegram.always("sendMessage", None);
    telegram.says(1001, 1001, "anything?");
    let asked = asked(&model, 3);
    assert!(
        asked.contains("System: [") && asked.contains("was not delivered") && asked.contains("Your cake!"),
        "{asked}"
    );
}

#[test]
fn i13_1_words_of_a_job_that_were_refused_fail_it_and_are_told_elsewhere() {
    let (telegram, model, gateway) = blocked(&["News", "More news", "Still more", "I see"], json!({}));
    let mut client = Client::operator(&gateway, 4);
    let mut job = json!({"name": "paper", "schedule": soon(3_600_000), "sessionTarget": "isolated", "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "What is new?"},
        "delivery": {"mode": "announce", "channel": "telegram", "to": "1002"}});
    let id = client.ok("cron.add", job.clone())["id"].clone();
    telegram.always("sendMessage", None);
    telegram.fault("sendMessage", BLOCKED);
    let (_, told) = text(&gateway.cli(&["cron", "run", id.as_str().unwrap()]));
    assert!(told.contains("the run failed: its words were not delivered to telegram (1002)"), "{told}");
    // Who waits for it hears of it where he is, not where nothing arrives.
    let alert = said(&telegram, 1001, 2)[1].clone();
    assert!(alert.contains("\"paper\" has failed") && alert.contains("blocked"), "{alert}");
    assert!(telegram.texts(1002).is_empty());
    // Who said that it does not matter has his run.
    job["delivery"]["bestEffort"] = json!(true);
    job["schedule"] = json!({"kind": "every", "everyMs": 3_600_000});
    let best = client.ok("cron.add", job)["id"].clone();
    telegram.fault("sendMessage", BLOCKED);
    client.ok("cron.run", json!({"id": best}));
    let run = client.ok("cron.runs", json!({"id": best}))["entries"][0].clone();
    assert_eq!((&run["status"], &run["deliveryStatus"]), (&json!("ok"), &json!("not-delivered")), "{run}");
    // Of what may have arrived that is told.
    telegram.fault("sendMessage", Fault::DropAfter);
    client.ok("cron.run", json!({"id": best}));
    let run = client.ok("cron.runs", json!({"id": best, "limit": 1}))["entries"][0].clone();
    assert_eq!((&run["status"], &run["deliveryStatus"]), (&json!("ok"), &json!("unknown")), "{run}");
    telegram.says(1001, 1001, "anything?");
    let asked = asked(&model, 5);
    assert!(asked.contains("Cron: paper: This message of yours was not delivered"), "{asked}");
}

#[test]
fn i13_1_a_run_that_was_killed_while_its_words_waited_is_told_by_what_became_of_them() {
    for is_refused in [false, true] {
        let (telegram, model, mut gateway) = blocked(&["Your cake!"], json!({}));
        telegram.always("sendMessage", None);
        telegram.fault("sendMessage", Fault::HalfOpen);
        let mut client = Client::operator(&gateway, 4);
        // What goes to Ann first hangs, so that what comes next waits.
        let before = telegram.calls("sendMessage").len();
        client.ask(
            "send",
            json!({"channel": "telegram", "to": "1001", "message": "first", "idempotencyKey": "f"}),
        );
        wait_for("an attempt", || (telegram.calls("sendMessage").len() > before).then_some(()));
        let job = json!({"name": "cake", "schedule": soon(200), "message": "Take the cake out", "deleteAfterRun": true});
        let id = client.ok("cron.add", job)["id"].clone();
        let journal = gateway.state_dir().join("gateway/deliveries.jsonl");
        let begin = format!("cron:{}:", id.as_str().unwrap());
        wait_for("its words to wait", || {
            let text = std::fs::read_to_string(&journal).ok()?;
            text.lines()
                .any(|line| line.contains(&begin) && line.contains("Your cake!") && line.contains("/0\""))
                .then_some(())
        });
        assert!(jobs(&mut client)[0]["state"]["runningAtMs"].is_u64(), "it is not over yet");
        gateway.kill();
        telegram.always("sendMessage", is_refused.then_some(BLOCKED));
        gateway.restart();
        let mut client = Client::operator(&gateway, 4);
        let run = wait_for("the end", || {
            let runs = client.ok("cron.runs", json!({"id": id, "scope": "all"}));
            runs["entries"].as_array().unwrap().first().cloned()
        });
        assert_eq!(model.count(), 2, "it is not done again");
        assert!(!run["error"].to_string().contains("in the middle"), "{run}");
        if is_refused {
            assert_eq!(
                (&run["status"], &run["deliveryStatus"]),
                (&json!("error"), &json!("not-delivered")),
                "{run}"
            );
            assert_eq!(jobs(&mut client)[0]["enabled"], false);
        } else {
            assert_eq!(
                (&run["status"], &run["deliveryStatus"]),
                (&json!("ok"), &json!("delivered")),
                "{run}"
            );
            assert!(jobs(&mut client).is_empty());
        }
    }
}

#[test]
fn i13_2_a_heartbeat_is_sent_when_it_was_taken() {
    let (telegram, _model, gateway) = blocked(&["It burns", "It burns"], json!({}));
    let mut client = Client::operator(&gateway, 4);
    client.ok("wake", json!({"mode": "now", "text": "Look"}));
    let told = client.event_where("heartbeat", |_| true);
    assert_eq!((&told["status"], &told["indicatorType"]), (&json!("failed"), &json!("error")), "{told}");
    assert!(told["reason"].as_str().unwrap().contains("bot was blocked"), "{told}");
    assert_eq!(client.ok("last-heartbeat", json!({})), told);
    telegram.always("sendMessage", None);
    client.ok("wake", json!({"mode": "now", "text": "Look"}));
    assert_eq!(client.event_where("heartbeat", |_| true)["status"], "sent");
    assert_eq!(said(&telegram, 1001, 2)[1], "It burns");
}
