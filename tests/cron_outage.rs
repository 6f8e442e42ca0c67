//! Issue 13, sentence 1: what a job says while its channel is away is not lost.
use super::harness::model::texts;
use super::harness::telegram::Telegram;
use super::harness::telegram::faults::Fault;
use super::harness::*;
use super::telegram::{said, with_bot};

/// All that a bot calls.
const METHODS: [&str; 4] = ["getUpdates", "sendMessage", "sendChatAction", "getMe"];

#[test]
fn i13_1_words_of_jobs_wait_for_a_channel_that_is_away() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let replies = vec![texts(&["hello"]), texts(&["hm"]), texts(&["Your cake!"]), texts(&["It rains"])];
    let (model, gateway) = with_bot(&telegram, json!({}), replies);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    for method in METHODS {
        telegram.always(method, Some(Fault::Html(502)));
    }
    // The poll that is open ends with it.
    telegram.says(1001, 1001, "still there?");
    let mut client = Client::operator(&gateway, 4);
    wait_for("the channel to be away", || {
        let status = client.ok("channels.status", json!({}));
        status["channelAccounts"]["telegram"][0]["lastError"].is_string().then_some(())
    });
    let run = |client: &mut Client, job: Value| {
        let id = client.ok("cron.add", job)["id"].clone();
        let before = model.count();
        client.ask("cron.run", json!({"id": id}));
        wait_for("the model to be asked", || (model.count() > before).then_some(()));
    };
    let far = json!({"kind": "at", "at": "2035-01-01T00:00:00Z"});
    let reminder = json!({"name": "cake", "schedule": far, "sessionTarget": "main", "wakeMode": "now",
        "payload": {"kind": "systemEvent", "text": "The cake"}});
    run(&mut client, reminder);
    let weather = json!({"name": "weather", "schedule": far, "sessionTarget": "isolated", "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "Weather?"},
        "delivery": {"mode": "announce", "channel": "telegram", "to": "1001"}});
    run(&mut client, weather);
    assert_eq!(telegram.texts(1001).len(), 1);
    for method in METHODS {
        telegram.always(method, None);
    }
    assert_eq!(said(&telegram, 1001, 4)[1..], ["hm", "Your cake!", "It rains"]);
}

/// A reminder of Ann's for a chat that does not know the bot.
fn for_nobody(name: &str) -> Value {
    json!({"name": name, "schedule": {"kind": "at", "at": "2035-01-01T00:00:00Z"}, "sessionTarget": "isolated",
        "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "Weather?"},
        "delivery": {"mode": "announce", "channel": "telegram", "to": "4004"}})
}

/// What became of the words of a job for one moment that a channel refused for good: in the log of its runs, in the job,
/// which stays, and to the owner where he was last.
fn is_told(client: &mut Client, telegram: &Telegram, id: &Value, name: &str) {
    let error = "its words were not delivered to telegram (4004): ";
    let alert = format!("\u{26a0}\u{fe0f} The scheduled job \"{name}\" has failed: {error}");
    wait_for("the owner to hear", || {
        telegram.texts(1001).iter().any(|t| t.starts_with(&alert)).then_some(())
    });
    let run = wait_for("the run's last word", || {
        let runs = client.ok("cron.runs", json!({"id": id}));
        let mut all = runs["entries"].as_array().unwrap().iter();
        all.find(|run| run["deliveryStatus"] == "not-delivered").cloned()
    });
    assert_eq!(run["status"], "error", "{run}");
    assert!(run["error"].as_str().unwrap().starts_with(error), "{run}");
    assert!(run["deliveryError"].as_str().unwrap().contains("chat not found"), "{run}");
    let jobs = client.ok("cron.list", json!({"includeDisabled": true}));
    let job = jobs["jobs"].as_array().unwrap().iter().find(|job| job["id"] == *id).unwrap();
    let state = &job["state"];
    assert_eq!((&job["enabled"], &state["lastStatus"]), (&json!(false), &json!("error")), "{job}");
    assert!(state["lastError"].as_str().unwrap().starts_with(error), "{job}");
    assert!(state["lastDeliveryError"].as_str().unwrap().contains("chat not found"), "{job}");
}

#[test]
fn i13_1_a_refusal_for_good_is_told_to_the_owner_and_in_the_job() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let replies = ["hello", "It rains", "It snows", "It pours"].map(|text| texts(&[text])).to_vec();
    let (_model, gateway) = with_bot(&telegram, json!({}), replies);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    let mut client = Client::operator(&gateway, 4);
    let id = client.ok("cron.add", for_nobody("weather"))["id"].clone();
    client.ok("cron.run", json!({"id": id}));
    is_told(&mut client, &telegram, &id, "weather");
    // One that may fail to be heard: nobody is called, but it is said why.
    let mut best = for_nobody("best");
    best["delivery"]["bestEffort"] = json!(true);
    let id = client.ok("cron.add", best)["id"].clone();
    client.ok("cron.run", json!({"id": id}));
    let run = client.ok("cron.runs", json!({"id": id}))["entries"][0].clone();
    assert_eq!((&run["status"], &run["deliveryStatus"]), (&json!("ok"), &json!("not-delivered")));
    assert!(run["deliveryError"].as_str().unwrap().contains("chat not found"), "{run}");
    // Refused only after a time of which a run does not wait the end: it is told all the same, over a restart, too.
    let mut gateway = gateway;
    for method in METHODS {
        telegram.always(method, Some(Fault::Html(502)));
    }
    let id = client.ok("cron.add", for_nobody("late"))["id"].clone();
    client.ask("cron.run", json!({"id": id}));
    wait_within(Duration::from_secs(60), "the run to end", || {
        let runs = client.ok("cron.runs", json!({"id": id}));
        (runs["entries"][0]["deliveryStatus"] == "unknown").then_some(())
    });
    gateway.kill();
    gateway.restart();
    for method in METHODS {
        telegram.always(method, None);
    }
    let mut client = Client::operator(&gateway, 4);
    is_told(&mut client, &telegram, &id, "late");
}
