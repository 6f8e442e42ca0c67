//! Telegram: typing, the reaction that acknowledges, the menu of commands; and that nobody waits for them.
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Fault};
use super::harness::*;
use super::telegram::{ann, said, with_bot};

fn gated() -> Reply {
    Reply::Stream(vec![Step::Gate, Step::Text("ok".into()), Step::Done])
}

#[test]
fn r_39_typing_begins_at_once_is_refreshed_and_ends_with_the_turn() {
    let telegram = ann();
    let (server, _gateway) = with_bot(&telegram, json!({}), vec![gated()]);
    telegram.says(1001, 1001, "hi");
    server.requests(1);
    let calls = telegram.wait_calls("sendChatAction", 3);
    let pause = |n: usize| calls[n + 1].at.duration_since(calls[n].at).as_secs_f64();
    assert!((3.5..5.0).contains(&pause(0)) && (3.5..5.0).contains(&pause(1)), "{} {}", pause(0), pause(1));
    server.release();
    said(&telegram, 1001, 1);
    std::thread::sleep(Duration::from_millis(500));
    let n = telegram.calls("sendChatAction").len();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(telegram.calls("sendChatAction").len(), n);
}

#[test]
fn r_39_after_a_failed_call_there_is_a_pause() {
    let telegram = ann();
    telegram.always("sendChatAction", Some(Fault::Refuse(500, "Internal Server Error")));
    let (server, _gateway) = with_bot(&telegram, json!({}), vec![gated()]);
    telegram.says(1001, 1001, "hi");
    server.requests(1);
    telegram.wait_calls("sendChatAction", 1);
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(telegram.calls("sendChatAction").len(), 1);
    server.release();
    said(&telegram, 1001, 1);
}

#[test]
fn a_message_is_acknowledged_and_the_reaction_goes_with_the_answer() {
    let telegram = ann();
    let ack =
        json!({"messages": {"ackReaction": "👍🏽", "ackReactionScope": "all", "removeAckAfterReply": true}});
    let (server, _gateway) = with_bot(&telegram, ack, vec![gated()]);
    let id = telegram.says(1001, 1001, "hi");
    server.requests(1);
    let calls = telegram.wait_calls("setMessageReaction", 1);
    assert_eq!(
        (&calls[0].params["message_id"], &calls[0].params["reaction"][0]["emoji"]),
        (&json!(id), &json!("👍"))
    );
    server.release();
    let calls = telegram.wait_calls("setMessageReaction", 2);
    assert_eq!(calls[1].params["reaction"], json!([]));
    // By default only where a mention is required.
    let telegram = ann();
    let (_server, _gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    assert!(telegram.calls("setMessageReaction").is_empty());
}

#[test]
fn r_48_no_answer_waits_for_what_only_looks_nice() {
    for fault in [Fault::HalfOpen, Fault::Flood(30), Fault::Refuse(400, "REACTION_INVALID"), Fault::Html(502)]
    {
        let telegram = ann();
        for method in
            ["sendChatAction", "setMessageReaction", "setMyCommands", "answerCallbackQuery", "getChat"]
        {
            telegram.always(method, Some(fault.clone()));
        }
        let ack = json!({"messages": {"ackReactionScope": "all"}});
        let (server, _gateway) = with_bot(&telegram, ack, vec![texts(&["ok"])]);
        telegram.wait_calls("getUpdates", 1);
        let since = Instant::now();
        for n in 1..=3 {
            telegram.says(1001, 1001, "hi");
            said(&telegram, 1001, n);
        }
        assert!(since.elapsed() < Duration::from_secs(4), "{fault:?}: {:?}", since.elapsed());
        assert_eq!(server.count(), 3);
    }
}

#[test]
fn r_40_the_menu_is_told_once_and_its_failure_stops_nothing() {
    let telegram = ann();
    telegram.fault("setMyCommands", Fault::Refuse(400, "BOT_COMMANDS_TOO_MUCH"));
    let (server, mut gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.wait_calls("setMyCommands", 1);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    wait_for("the log", || gateway.log().contains("menu of commands is not set").then_some(()));
    gateway.stop();
    gateway.restart();
    let set = telegram.wait_calls("setMyCommands", 2);
    assert!(set[1].params["commands"].as_array().unwrap().len() > 5);
    let menu = gateway.state_dir().join("telegram/menu-default");
    wait_for("the mark", || menu.is_file().then_some(()));
    gateway.stop();
    gateway.restart();
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 2);
    assert_eq!((telegram.calls("setMyCommands").len(), server.count()), (2, 2));
    assert!(!telegram.world().bots[BOT_TOKEN].commands.is_empty());
}
