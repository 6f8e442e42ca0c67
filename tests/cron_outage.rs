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
