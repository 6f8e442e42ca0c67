//! What goes out to Telegram: deliveries as the journal holds them, against the strict stand-in of its Bot API. Most are
//! put into the journal before the start, so that each is exactly what is meant.
use super::harness::model::texts;
use super::harness::telegram::world::now;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::*;
use super::telegram::{said, with_bot};

const ANN: i64 = 1001;
const TEAM: i64 = -1_000_000_000_042;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

fn telegram() -> Telegram {
    let telegram = Telegram::start();
    telegram.user(ANN, "Ann", "ann");
    telegram.forum(TEAM, "Team", &[42]);
    telegram
}

/// A line of the journal: something to be delivered that was accepted so many seconds ago.
fn line(id: &str, to: i64, message: &Value, ago: i64) -> String {
    let ts = (now() - ago) * 1000;
    let line = json!({"kind": "delivery", "id": id, "platform": "telegram", "account": "default", "to": to.to_string(),
        "ts": ts, "stage": "accepted", "message": message});
    format!("{line}\n")
}

/// A gateway that finds these deliveries in its journal, `d0` first.
fn deliver(telegram: &Telegram, more: Value, messages: &[(i64, Value)]) -> Gateway {
    let lines: String = messages
        .iter()
        .enumerate()
        .map(|(n, (to, message))| line(&format!("d{n}"), *to, message, 0))
        .collect();
    start(telegram, more, lines)
}

fn start(telegram: &Telegram, more: Value, lines: String) -> Gateway {
    let mut config = json!({"channels": {"telegram": {"botToken": BOT_TOKEN, "apiRoot": telegram.root(),
        "dmPolicy": "allowlist", "allowFrom": ["1001"]}}});
    merge(&mut config, &more);
    let setup = Setup::config(config).file("gateway/deliveries.jsonl", lines).file("workspace/a.png", PNG);
    Gateway::start(&setup.file("workspace/v.ogg", "OggS....voice").file("media/inbound/b.txt", "text"))
}

/// The last that the journal says of a delivery, when it is over.
fn end(gateway: &Gateway, id: &str) -> Value {
    wait_for(&format!("the end of {id}"), || {
        let text = std::fs::read_to_string(gateway.state_dir().join("gateway/deliveries.jsonl")).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let last = lines
            .filter(|line| line["kind"] == "delivery" && line["id"] == id)
            .fold(None, |_, line| Some(line))?;
        ["confirmed", "failed", "uncertain"].contains(&last["stage"].as_str()?).then_some(last)
    })
}

fn confirmed(gateway: &Gateway, id: &str) -> String {
    let end = end(gateway, id);
    assert_eq!(end["stage"], "confirmed", "{end}");
    end["platformId"].as_str().unwrap_or_default().to_string()
}

fn refused(gateway: &Gateway, id: &str) -> String {
    let end = end(gateway, id);
    assert_eq!(end["stage"], "failed", "{end}");
    end["error"].as_str().unwrap_or_default().to_string()
}

#[test]
fn acts_are_done_and_what_telegram_has_not_is_refused_in_words() {
    let telegram = telegram();
    let message = telegram.says(ANN, ANN, "hi");
    let rows = json!([[{"text": "Yes", "callback_data": "y"}]]);
    let gateway = deliver(
        &telegram,
        json!({}),
        &[
            (ANN, json!({"text": "**one**", "buttons": rows, "isSilent": true})),
            (ANN, json!({"action": "react", "messageId": message.to_string(), "emoji": "❤\u{fe0f}"})),
            (
                TEAM,
                json!({"action": "poll", "thread": "42", "poll": {"question": "Q?", "options": ["a", "b"], "maxSelections": 2, "durationHours": 1}}),
            ),
            (TEAM, json!({"action": "react", "messageId": "x", "emoji": "👍"})),
            (TEAM, json!({"action": "fly"})),
            (TEAM, json!({"text": "x", "buttons": [[{"text": "a"}]]})),
            (TEAM, json!({"text": " \n "})),
            (999, json!({"text": "x"})),
            (TEAM, json!({"action": "edit", "messageId": "77", "text": "x"})),
            (TEAM, json!({"action": "delete", "messageId": "77"})),
            (ANN, json!({"action": "delete", "messageId": message.to_string()})),
            (TEAM, json!({"action": "react", "messageId": "1", "emoji": "🧦"})),
        ],
    );
    let id: i64 = confirmed(&gateway, "d0").parse().unwrap();
    let shown = telegram.world().message(ANN, id).cloned().unwrap();
    assert_eq!((&shown["text"], &shown["reply_markup"]["inline_keyboard"]), (&json!("one"), &rows));
    let calls = telegram.calls("sendMessage");
    let to_ann = calls.iter().find(|call| call.params["chat_id"] == "1001").unwrap();
    assert_eq!(to_ann.params["disable_notification"], true);
    assert_eq!(confirmed(&gateway, "d1"), message.to_string());
    assert_eq!(telegram.world().chats[&ANN].reactions[&message], json!([{"type": "emoji", "emoji": "❤"}]));
    let poll: i64 = confirmed(&gateway, "d2").parse().unwrap();
    let poll = telegram.world().message(TEAM, poll).cloned().unwrap();
    assert_eq!(
        (&poll["poll"]["allows_multiple_answers"], &poll["message_thread_id"]),
        (&json!(true), &json!(42))
    );
    for (id, words) in [
        ("d3", "messageId must be a number"),
        ("d4", "no such action"),
        ("d5", "buttons[0][0] requires text and callback_data"),
        ("d6", "Message must be non-empty"),
        ("d7", "Telegram send failed: chat not found (chat_id=999). Likely: bot not started in DM"),
        ("d8", "message to edit not found"),
        ("d11", "has no reaction 🧦"),
    ] {
        let text = refused(&gateway, id);
        assert!(text.contains(words), "{id}: {text}");
    }
    // What is to be gone is gone.
    assert_eq!((confirmed(&gateway, "d9"), confirmed(&gateway, "d10")), ("77".into(), message.to_string()));
    assert!(telegram.world().message(ANN, message).is_none());
}

#[test]
fn what_the_configuration_says_of_messages_holds() {
    let telegram = telegram();
    let message = telegram.says(ANN, ANN, "hi");
    let more = json!({"channels": {"telegram": {"textChunkLimit": 20, "linkPreview": false, "replyToMode": "all",
        "markdown": {"tables": "off"}, "actions": {"reactions": false, "deleteMessage": false},
        "capabilities": {"inlineButtons": "off"}}}});
    let gateway = deliver(
        &telegram,
        more,
        &[
            (ANN, json!({"text": "one two three four five six seven", "replyTo": message.to_string()})),
            (TEAM, json!({"text": "*a*", "isPlain": true})),
            (TEAM, json!({"action": "react", "messageId": "1", "emoji": "👍"})),
            (TEAM, json!({"action": "delete", "messageId": "1"})),
            (TEAM, json!({"text": "x", "buttons": [[{"text": "a", "callback_data": "b"}]]})),
        ],
    );
    let last = confirmed(&gateway, "d0");
    assert_eq!(telegram.texts(ANN), ["one two three four", "five six seven"]);
    let shown: Vec<Value> = telegram.shown(ANN).into_iter().filter(|m| m["from"]["is_bot"] == true).collect();
    assert_eq!(last, shown[1]["message_id"].to_string(), "of several parts the last");
    assert!(shown.iter().all(|m| m["reply_to_message"]["message_id"] == message), "{shown:?}");
    assert!(
        telegram.calls("sendMessage").iter().all(|c| c.params["link_preview_options"]["is_disabled"] == true)
    );
    confirmed(&gateway, "d1");
    assert_eq!(telegram.texts(TEAM), ["*a*"]);
    for (id, words) in [
        ("d2", "reactions are disabled"),
        ("d3", "deleteMessage is disabled"),
        ("d4", "inline buttons are disabled"),
    ] {
        assert!(refused(&gateway, id).contains(words), "{id}");
    }
}

#[test]
fn r_37c_parts_come_in_order_and_a_slow_chat_holds_up_no_other() {
    let telegram = telegram();
    let text = "word ".repeat(12);
    let more = json!({"channels": {"telegram": {"textChunkLimit": 30}}});
    telegram.fault("sendPhoto", Fault::Slow(Duration::from_secs(2)));
    let began = Instant::now();
    let gateway = deliver(
        &telegram,
        more,
        &[
            (ANN, json!({"text": "see", "media": ["a.png"]})),
            (ANN, json!({"text": text})),
            (ANN, json!({"text": "then"})),
            (TEAM, json!({"text": "quick"})),
        ],
    );
    confirmed(&gateway, "d3");
    assert!(began.elapsed() < Duration::from_millis(1900), "{:?}", began.elapsed());
    confirmed(&gateway, "d2");
    let said = telegram.texts(ANN);
    assert_eq!((said.len(), said[0].as_str(), said[3].as_str()), (4, "see", "then"), "{said:?}");
    assert_eq!(said[1..3].join(" "), text.trim());
}

#[test]
fn r_31_a_flooded_chat_gets_nothing_while_others_go_on() {
    let telegram = telegram();
    telegram.fault("sendMessage", Fault::Flood(2));
    let gateway = deliver(
        &telegram,
        json!({}),
        &[(ANN, json!({"text": "a"})), (ANN, json!({"text": "b"})), (TEAM, json!({"text": "c"}))],
    );
    confirmed(&gateway, "d2");
    confirmed(&gateway, "d1");
    let calls = telegram.calls("sendMessage");
    let ann: Vec<&_> = calls.iter().filter(|call| call.params["chat_id"] == "1001").collect();
    if calls[0].params["chat_id"] == "1001" {
        assert!(ann[1].at - ann[0].at >= Duration::from_secs(2), "{:?}", ann[1].at - ann[0].at);
    }
    assert_eq!(
        (telegram.texts(ANN), telegram.texts(TEAM)),
        (vec!["a".to_string(), "b".into()], vec!["c".to_string()])
    );
}

#[test]
fn r_31_three_at_once_and_then_one_a_second() {
    let telegram = telegram();
    let all: Vec<(i64, Value)> = (0..5).map(|n| (ANN, json!({"text": n.to_string()}))).collect();
    let gateway = deliver(&telegram, json!({}), &all);
    confirmed(&gateway, "d4");
    let at: Vec<Instant> = telegram.calls("sendMessage").iter().map(|call| call.at).collect();
    assert!(at[2] - at[0] < Duration::from_millis(900), "{:?}", at[2] - at[0]);
    assert!(at[4] - at[0] >= Duration::from_millis(1900), "{:?}", at[4] - at[0]);
    assert_eq!(telegram.texts(ANN), ["0", "1", "2", "3", "4"]);
}

#[test]
fn r_30a_a_fault_that_ends_is_followed_by_the_message_once() {
    for fault in [Fault::Flood(1), Fault::Html(502), Fault::Refuse(500, "Internal Server Error")] {
        let telegram = telegram();
        telegram.fault("sendMessage", fault.clone());
        telegram.fault("sendMessage", fault.clone());
        let gateway = deliver(&telegram, json!({}), &[(ANN, json!({"text": "a"}))]);
        confirmed(&gateway, "d0");
        assert_eq!((telegram.texts(ANN).len(), telegram.calls("sendMessage").len()), (1, 3), "{fault:?}");
    }
}

#[test]
fn r_30c_what_may_have_arrived_is_told_and_not_sent_again() {
    let telegram = telegram();
    telegram.fault("sendMessage", Fault::DropAfter);
    let message = json!({"text": "precious", "session": "agent:main:main", "isOwner": true});
    let mut gateway = deliver(&telegram, json!({}), &[(ANN, message), (ANN, json!({"text": "next"}))]);
    assert_eq!(end(&gateway, "d0")["stage"], "uncertain");
    confirmed(&gateway, "d1");
    assert_eq!(telegram.texts(ANN), ["precious", "next"]);
    let log = gateway.log();
    assert!(log.contains("d0 to 1001 may have arrived"), "{log}");
    gateway.kill();
    gateway.restart();
    telegram.wait_calls("getMe", 2);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(telegram.texts(ANN).len(), 2);
}

#[test]
fn r_30b_a_refused_form_is_followed_by_the_next_at_once() {
    let telegram = telegram();
    telegram
        .fault("sendMessage", Fault::Refuse(400, "Bad Request: can't parse entities: Unclosed start tag"));
    let message = telegram.says(ANN, ANN, "hi");
    let rows = json!([[{"text": "a", "callback_data": "b"}]]);
    let gateway = deliver(
        &telegram,
        json!({}),
        &[(ANN, json!({"text": "**a** <b>", "replyTo": message.to_string(), "buttons": rows}))],
    );
    confirmed(&gateway, "d0");
    assert_eq!(telegram.texts(ANN), ["a <b>"]);
    telegram.change(TEAM, |chat| chat.is_shut = true);
}

#[test]
fn r_38_topics_are_kept_and_a_deleted_one_is_told() {
    let telegram = telegram();
    let gateway = deliver(
        &telegram,
        json!({}),
        &[
            (TEAM, json!({"text": "general", "thread": "1"})),
            (TEAM, json!({"text": "here", "thread": "42"})),
            (TEAM, json!({"text": "gone", "thread": "43"})),
        ],
    );
    let text = refused(&gateway, "d2");
    assert!(text.contains("topic 43 of chat -1000000000042"), "{text}");
    confirmed(&gateway, "d1");
    assert_eq!(telegram.texts(TEAM), ["general", "here"]);
    let threads: Vec<Value> = telegram.shown(TEAM).iter().map(|m| m["message_thread_id"].clone()).collect();
    assert_eq!(threads, [Value::Null, 42.into()]);
}

#[test]
fn r_48_a_reply_target_that_is_gone_or_no_number_is_left_out() {
    let telegram = telegram();
    let about =
        |text: &str| json!({"text": text, "session": "agent:main:main", "replyTo": "5555", "isOwner": true});
    let gateway = deliver(
        &telegram,
        json!({}),
        &[
            (ANN, json!({"text": "a", "replyTo": "777"})),
            (ANN, json!({"text": "b", "replyTo": "abc"})),
            (ANN, about("[[reply_to:zz]] c")),
            (TEAM, about("[[reply_to_current]] d")),
        ],
    );
    ["d0", "d1", "d2", "d3"].iter().for_each(|id| drop(confirmed(&gateway, id)));
    assert_eq!(
        (telegram.texts(ANN), telegram.texts(TEAM)),
        (vec!["a".to_string(), "b".into(), "c".into()], vec!["d".to_string()])
    );
    let replies = telegram.calls("sendMessage");
    let of = |text: &str| {
        replies.iter().find(|c| c.params["text"] == text).unwrap().params["reply_parameters"].clone()
    };
    assert_eq!((&of("d")["message_id"], &of("c"), &of("b")), (&json!(5555), &Value::Null, &Value::Null));
}

#[test]
fn sec_13_r_49a_r_49b_files_go_out_with_their_words() {
    let telegram = telegram();
    let ours = |text: &str| json!({"text": text, "session": "agent:main:main", "isOwner": true});
    let guest = json!({"text": "look\nMEDIA:a.png", "session": "agent:main:main"});
    let long = format!("{}\nMEDIA:a.png", "x".repeat(1500));
    let mut long = ours(&long);
    long["buttons"] = json!([[{"text": "a", "callback_data": "b"}]]);
    long["thread"] = "42".into();
    telegram.change(ANN, |chat| chat.refuses_voice = true);
    let gateway = deliver(
        &telegram,
        json!({}),
        &[
            (ANN, ours("see\nMEDIA:a.png")),
            (TEAM, long),
            (ANN, ours("[[audio_as_voice]]\nMEDIA:./v.ogg")),
            (TEAM, guest),
            (TEAM, json!({"text": "x", "media": ["/etc/passwd"]})),
            (TEAM, json!({"text": "x", "media": ["../openclaw.json"]})),
            (TEAM, json!({"text": "x", "media": ["http://127.0.0.1:1/x.png"]})),
        ],
    );
    confirmed(&gateway, "d0");
    let shown = telegram.shown(ANN);
    assert!(shown[0]["photo"].is_array() && shown[0]["caption"] == "see", "{shown:?}");
    confirmed(&gateway, "d2");
    assert!(telegram.shown(ANN)[1]["audio"].is_object(), "R-49a: as audio");
    assert_eq!(telegram.shown(ANN).len(), 2);
    confirmed(&gateway, "d3");
    let team = telegram.shown(TEAM);
    assert!(team[0]["photo"].is_array() && team[0]["caption"].is_null() && team[0]["reply_markup"].is_null());
    assert!(team[1]["text"].as_str().unwrap().len() == 1500 && team[1]["reply_markup"].is_object(), "R-49b");
    assert!(team[..2].iter().all(|m| m["message_thread_id"] == 42));
    assert_eq!(team[2]["text"], "look", "no file of the workspace for a guest");
    for id in ["d4", "d5", "d6"] {
        let text = refused(&gateway, id);
        assert!(text.starts_with("the file is not sent"), "{id}: {text}");
    }
    assert_eq!(telegram.shown(TEAM).len(), 3);
}

#[test]
fn a_picture_that_telegram_refuses_goes_as_a_file_and_other_files_leave_their_words() {
    let telegram = telegram();
    telegram.fault("sendPhoto", Fault::Refuse(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"));
    telegram.fault("sendDocument", Fault::Slow(Duration::ZERO));
    telegram.fault("sendDocument", Fault::Refuse(400, "Bad Request: file is too big"));
    let inbound = "MEDIA:STATE/media/inbound/b.txt";
    let gateway = deliver(&telegram, json!({}), &[(ANN, json!({"text": "see", "media": ["a.png"]}))]);
    confirmed(&gateway, "d0");
    assert!(telegram.shown(ANN)[0]["document"].is_object() && telegram.texts(ANN) == ["see"]);
    let path = gateway.state_dir().join("media/inbound/b.txt");
    assert!(path.exists(), "{inbound}");
}

#[test]
fn r_49c_what_is_under_way_to_a_group_that_moved_goes_to_its_new_id_once() {
    let telegram = telegram();
    telegram.group(-500, "Old");
    telegram.change(-500, |chat| chat.migrated_to = Some(TEAM));
    let text = "word ".repeat(12);
    let more = json!({"channels": {"telegram": {"textChunkLimit": 30}}});
    let gateway = deliver(&telegram, more, &[(-500, json!({"text": text}))]);
    confirmed(&gateway, "d0");
    assert_eq!(telegram.texts(TEAM).join(" "), text.trim());
    assert!(telegram.texts(-500).is_empty());
}

#[test]
fn r_10c_what_waited_too_long_is_dropped_with_one_notice() {
    let telegram = telegram();
    let lines = [
        line("old1", ANN, &json!({"text": "stale"}), 3600),
        line("old2", ANN, &json!({"text": "stale too"}), 3000),
        line("half", TEAM, &json!({"text": "a b", "done": 1, "limit": 1}), 3600),
        line("new", ANN, &json!({"text": "fresh"}), 10),
    ];
    // The notice is tried until it is there.
    (0..2).for_each(|_| telegram.fault("sendMessage", Fault::Html(500)));
    let gateway = start(&telegram, json!({}), lines.concat());
    confirmed(&gateway, "new");
    confirmed(&gateway, "half");
    assert!(refused(&gateway, "old2").contains("waited for 50 minutes"));
    assert!(
        refused(&gateway, "old1").contains("waited for 60 minutes"),
        "the notice is not what was to be said"
    );
    let texts = telegram.texts(ANN);
    assert!(
        texts.len() == 2 && texts[0].contains("60 minutes and was dropped") && texts[1] == "fresh",
        "{texts:?}"
    );
    assert_eq!(telegram.texts(TEAM), ["b"], "what was begun is ended");
}

#[test]
fn r_47_what_a_server_says_stays_out_of_chats() {
    let canary = "CANARYsk-secret";
    let fail = Reply::Status(400, vec![], format!("{{\"error\":{{\"message\":\"boom {canary}\"}}}}"));
    let telegram = telegram();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![fail]);
    telegram.says(ANN, ANN, "hi");
    let texts = said(&telegram, ANN, 1);
    assert!(texts[0].starts_with("⚠️ There is no answer: ") && !texts[0].contains('\n'), "{texts:?}");
    let run = texts[0].rsplit_once("run ").unwrap().1.to_string();
    wait_for("the log's line", || gateway.log().contains(&run).then_some(()));
    assert!(!telegram.world().calls.iter().any(|call| call.params.to_string().contains(canary)));
}

#[test]
fn r_47_others_than_the_owner_read_that_it_failed_and_no_more() {
    let telegram = telegram();
    let error = json!({"code": "UNAVAILABLE", "message": "boom CANARY", "details": {"code": "MODEL_FAILED", "failoverReason": "rate_limit"}});
    let about = |is_owner: bool| json!({"error": error, "session": "agent:main:main", "isOwner": is_owner});
    let run = |policy: &str| {
        let gateway = deliver(
            &telegram,
            json!({"channels": {"telegram": {"errors": policy}}}),
            &[(ANN, about(true)), (TEAM, about(true)), (ANN, about(false))],
        );
        ["d0", "d1", "d2"].iter().for_each(|id| drop(end(&gateway, id)));
        let said = [telegram.texts(ANN), telegram.texts(TEAM)];
        [ANN, TEAM].iter().for_each(|chat| telegram.change(*chat, |chat| chat.messages.clear()));
        said
    };
    let [dm, group] = run("owner");
    assert!(
        dm[0].contains("rate_limit") && !dm[1].contains("rate_limit") && !group[0].contains("rate_limit"),
        "{dm:?} {group:?}"
    );
    let [dm, group] = run("all");
    assert!(dm.iter().chain(&group).all(|text| text.contains("rate_limit")));
    assert_eq!(run("none"), [Vec::<String>::new(), Vec::new()]);
}

#[test]
fn r_31_an_answer_leaves_at_once_with_its_prefix() {
    let telegram = telegram();
    let more = json!({"channels": {"telegram": {"responsePrefix": "[{model}]"}}});
    let (server, _gateway) = with_bot(&telegram, more, vec![texts(&["hello"])]);
    telegram.says(ANN, ANN, "hi");
    assert_eq!(said(&telegram, ANN, 1), ["[m] hello"]);
    let sent = server.sent().last().copied().unwrap();
    let left = telegram.calls("sendMessage")[0].at;
    // The target is 20 ms; a busy machine is given more.
    assert!(left.saturating_duration_since(sent) < Duration::from_millis(500), "{:?}", left - sent);
}

#[test]
fn r_36_an_answer_that_is_written_shows_as_a_draft_and_then_once() {
    for fault in
        [None, Some(Fault::Refuse(400, "Bad Request: TEXTDRAFT_PEER_INVALID")), Some(Fault::HalfOpen)]
    {
        let telegram = telegram();
        telegram.world().bots.get_mut(BOT_TOKEN).unwrap().has_topics = true;
        telegram.change(ANN, |chat| {
            chat.topics.insert(7, false);
        });
        if let Some(fault) = &fault {
            telegram.fault("sendMessageDraft", fault.clone());
        }
        let words = |text: &str| Step::Text(text.to_string());
        let pause = || Step::Pause(Duration::from_millis(700));
        let reply = vec![words("one "), pause(), words("two "), pause(), words("three"), pause(), Step::Done];
        let (_server, _gateway) = with_bot(&telegram, json!({}), vec![Reply::Stream(reply)]);
        telegram.sends(ANN, ANN, json!({"text": "hi", "message_thread_id": 7, "is_topic_message": true}));
        assert_eq!(said(&telegram, ANN, 1), ["one two three"], "{fault:?}");
        let drafts = telegram.calls("sendMessageDraft");
        assert!(
            !drafts.is_empty() && drafts[0].params["text"].as_str().unwrap().starts_with("one"),
            "{drafts:?}"
        );
        assert!(fault.is_none() || drafts.len() == 1, "{fault:?}: {}", drafts.len());
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(telegram.texts(ANN).len(), 1, "{fault:?}");
        assert_eq!(telegram.shown(ANN).last().unwrap()["message_thread_id"], 7);
    }
}
