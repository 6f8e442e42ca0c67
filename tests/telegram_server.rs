//! The stand-in of the Bot API keeps the rules that the channel relies on (facts of its documentation and source).
use super::harness::http::{Answer, raw, read_answer, tcp};
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::{Instant, Value, json, wait_for};
use std::io::Write;
use std::thread::scope;
use std::time::Duration;

fn ask(telegram: &Telegram, token: &str, method: &str, params: &Value) -> (u16, Value) {
    let body = params.to_string();
    let answer = post(telegram, token, method, "application/json", &body);
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

fn post(telegram: &Telegram, token: &str, method: &str, kind: &str, body: &str) -> Answer {
    let length = body.len();
    raw(
        telegram.port,
        &format!(
            "POST /bot{token}/{method} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ),
    )
}

fn good(telegram: &Telegram, method: &str, params: Value) -> Value {
    let (status, body) = ask(telegram, BOT_TOKEN, method, &params);
    assert_eq!((status, &body["ok"]), (200, &json!(true)), "{method}: {body}");
    body["result"].clone()
}

fn refused(telegram: &Telegram, method: &str, params: Value, code: u16, text: &str) -> Value {
    let (status, body) = ask(telegram, BOT_TOKEN, method, &params);
    assert_eq!((status, &body["ok"], &body["error_code"]), (code, &json!(false), &json!(code)), "{body}");
    let said = body["description"].as_str().unwrap();
    assert!(said.contains(text), "{method}: {said:?} does not say {text:?}");
    body
}

fn ids(updates: &Value) -> Vec<i64> {
    updates.as_array().unwrap().iter().map(|update| update["update_id"].as_i64().unwrap()).collect()
}

#[test]
fn tokens_and_methods_are_told_apart() {
    let telegram = Telegram::start();
    let unknown = "99:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(ask(&telegram, "nonsense", "getMe", &json!({})).0, 404);
    assert_eq!(ask(&telegram, unknown, "getMe", &json!({})).0, 401);
    assert_eq!(ask(&telegram, BOT_TOKEN, "getNothing", &json!({})).0, 404);
    assert_eq!(good(&telegram, "GETME", json!({}))["username"], "test_bot");
}

#[test]
fn updates_below_the_offset_are_confirmed_and_forgotten() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let send = |n: usize| {
        for n in 0..n {
            telegram.says(1001, 1001, &n.to_string());
        }
    };
    send(5);
    let all = ids(&good(&telegram, "getUpdates", json!({})));
    assert_eq!(all.len(), 5);
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
    // Nothing is confirmed by reading, and a limit keeps the rest.
    assert_eq!(ids(&good(&telegram, "getUpdates", json!({"offset": all[0], "limit": 2}))), all[..2]);
    assert_eq!(ids(&good(&telegram, "getUpdates", json!({"offset": all[3]}))), all[3..]);
    assert_eq!(telegram.pending(BOT_TOKEN), 2);
    send(3);
    // Negative: the last so many, and all before are forgotten.
    let last = ids(&good(&telegram, "getUpdates", json!({"offset": -2})));
    assert_eq!((last.len(), telegram.pending(BOT_TOKEN)), (2, 2));
}

#[test]
fn a_poll_waits_for_the_first_update_and_repetitions_are_slowed_down() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    scope(|s| {
        let poll = s.spawn(|| good(&telegram, "getUpdates", json!({"offset": 7, "timeout": 30})));
        wait_for("the poll", || telegram.world().bots[BOT_TOKEN].waiting);
        telegram.says(1001, 1001, "hello");
        assert_eq!(poll.join().unwrap().as_array().unwrap().len(), 1);
    });
    good(&telegram, "getUpdates", json!({"offset": 900_000_000}));
    let started = Instant::now();
    good(&telegram, "getUpdates", json!({"offset": 900_000_000, "timeout": 1}));
    assert!(started.elapsed() >= Duration::from_secs(3));
}

#[test]
fn the_older_poll_gets_the_conflict_and_a_webhook_ends_polling() {
    let telegram = Telegram::start();
    scope(|s| {
        let old = s.spawn(|| {
            refused(
                &telegram,
                "getUpdates",
                json!({"timeout": 30}),
                409,
                "terminated by other getUpdates request",
            )
        });
        let first = wait_for("the poll", || telegram.world().bots[BOT_TOKEN].waiting);
        let new = s.spawn(|| {
            refused(&telegram, "getUpdates", json!({"timeout": 30}), 409, "terminated by setWebhook request")
        });
        old.join().unwrap();
        wait_for("the new poll", || telegram.world().bots[BOT_TOKEN].waiting.filter(|n| *n != first));
        let started = Instant::now();
        good(&telegram, "setWebhook", json!({"url": "https://example.com/hook", "secret_token": "abc-1"}));
        new.join().unwrap();
        // The second conflict within three seconds comes three seconds later.
        assert!(started.elapsed() >= Duration::from_secs(2));
    });
    refused(&telegram, "getUpdates", json!({}), 409, "can't use getUpdates method while webhook is active");
    assert_eq!(good(&telegram, "getWebhookInfo", json!({}))["url"], "https://example.com/hook");
    good(&telegram, "deleteWebhook", json!({}));
    good(&telegram, "getUpdates", json!({}));
    refused(&telegram, "setWebhook", json!({"url": "http://example.com"}), 400, "HTTPS");
    refused(&telegram, "setWebhook", json!({"url": "https://example.com"}), 429, "retry after 1");
}

#[test]
fn parameters_come_in_four_ways() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    good(&telegram, "sendMessage", json!({"chat_id": "1001", "text": "json"}));
    good(
        &telegram,
        "sendMessage",
        json!({"chat_id": 1001, "text": "nested", "link_preview_options": "{\"is_disabled\":true}"}),
    );
    let form = "chat_id=1001&text=f%C3%B6rm+1";
    assert_eq!(
        post(&telegram, BOT_TOKEN, "sendMessage", "application/x-www-form-urlencoded", form).status,
        200
    );
    let parts = "--B\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n1001\r\n--B\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\nattach://x\r\n--B\r\nContent-Disposition: form-data; name=\"x\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nbytes\r\n--B\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\nparts\r\n--B--\r\n";
    assert_eq!(
        post(&telegram, BOT_TOKEN, "sendDocument", "multipart/form-data; boundary=B", parts).status,
        200
    );
    assert_eq!(telegram.texts(1001), ["json", "nested", "f\u{f6}rm 1", "parts"]);
    assert_eq!(telegram.calls("sendDocument")[0].params["file:x"]["size"], 5);
    let half = r#"{"chat_id":1001,"text":"\ud83d"}"#;
    let answer = post(&telegram, BOT_TOKEN, "sendMessage", "application/json", half);
    assert!(
        answer.status == 400 && answer.body.contains("strings must be encoded in UTF-8"),
        "{}",
        answer.body
    );
}

#[test]
fn lengths_are_counted_in_code_points_after_trimming() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let text = |text: String| json!({"chat_id": 1001, "text": text});
    good(&telegram, "sendMessage", text(format!("  {}\r\n", "\u{1f600}".repeat(4096))));
    refused(&telegram, "sendMessage", text("\u{1f600}".repeat(4097)), 400, "message is too long");
    refused(&telegram, "sendMessage", text("x".repeat(32_769)), 400, "text is too long");
    refused(&telegram, "sendMessage", text(" \r\n ".into()), 400, "message text is empty");
    let file = telegram.world().add_file("a.png", b"png");
    let photo = |n: usize| json!({"chat_id": 1001, "photo": file, "caption": "c".repeat(n)});
    good(&telegram, "sendPhoto", photo(1024));
    refused(&telegram, "sendPhoto", photo(1025), 400, "message caption is too long");
    refused(
        &telegram,
        "sendMessage",
        json!({"chat_id": 1001, "text": "x", "parse_mode": "Latex"}),
        400,
        "unsupported parse_mode",
    );
}

#[test]
fn chats_threads_and_replies_are_refused_in_telegrams_words() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.forum(-1001, "Forum", &[42]);
    telegram.group(-500, "Old");
    let say = |chat: i64| json!({"chat_id": chat, "text": "x"});
    let over = |chat: i64, name: &str, value: Value| {
        let mut params = say(chat);
        params[name] = value;
        params
    };
    refused(&telegram, "sendMessage", say(5), 400, "chat not found");
    refused(&telegram, "sendMessage", json!({"text": "x"}), 400, "chat_id is empty");
    assert_eq!(
        good(&telegram, "sendMessage", over(-1001, "message_thread_id", json!(42)))["message_thread_id"],
        42
    );
    refused(
        &telegram,
        "sendMessage",
        over(-1001, "message_thread_id", json!(1)),
        400,
        "message thread not found",
    );
    refused(
        &telegram,
        "sendMessage",
        over(-1001, "message_thread_id", json!(7)),
        400,
        "message thread not found",
    );
    good(&telegram, "sendChatAction", json!({"chat_id": -1001, "message_thread_id": 1, "action": "typing"}));
    telegram.change(-1001, |chat| *chat.topics.get_mut(&42).unwrap() = true);
    refused(&telegram, "sendMessage", over(-1001, "message_thread_id", json!(42)), 400, "TOPIC_CLOSED");
    let gone = json!({"message_id": 999});
    refused(
        &telegram,
        "sendMessage",
        over(1001, "reply_parameters", gone),
        400,
        "message to be replied not found",
    );
    good(
        &telegram,
        "sendMessage",
        over(1001, "reply_parameters", json!({"message_id": 999, "allow_sending_without_reply": true})),
    );
    let id = telegram.says(1001, 1001, "what was said");
    let quote = json!({"message_id": id, "quote": "never"});
    refused(&telegram, "sendMessage", over(1001, "reply_parameters", quote), 400, "QUOTE_TEXT_INVALID");
    let button = json!({"inline_keyboard": [[{"text": "b", "callback_data": "d".repeat(65)}]]});
    refused(&telegram, "sendMessage", over(1001, "reply_markup", button), 400, "BUTTON_DATA_INVALID");
    telegram.migrate(-500, -100_777);
    let moved = refused(&telegram, "sendMessage", say(-500), 400, "upgraded to a supergroup");
    assert_eq!(moved["parameters"]["migrate_to_chat_id"], -100_777);
    telegram.change(1001, |chat| chat.is_shut = true);
    refused(&telegram, "sendMessage", say(1001), 403, "bot was blocked by the user");
    telegram.change(-1001, |chat| chat.is_muted = true);
    refused(&telegram, "sendMessage", say(-1001), 400, "not enough rights to send text messages to the chat");
}

#[test]
fn edits_deletions_and_reactions() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let theirs = telegram.says(1001, 1001, "mine");
    let id = good(&telegram, "sendMessage", json!({"chat_id": 1001, "text": "x"}))["message_id"].clone();
    let edit = |id: &Value, text: &str| json!({"chat_id": 1001, "message_id": id, "text": text});
    refused(&telegram, "editMessageText", edit(&id, " x "), 400, "message is not modified");
    good(&telegram, "editMessageText", edit(&id, "y"));
    refused(&telegram, "editMessageText", edit(&json!(theirs), "z"), 400, "message can't be edited");
    refused(&telegram, "editMessageText", edit(&json!(999), "z"), 400, "message to edit not found");
    let react = |emoji: &str| json!({"chat_id": 1001, "message_id": theirs, "reaction": [{"type": "emoji", "emoji": emoji}]});
    good(&telegram, "setMessageReaction", react("\u{2764}"));
    refused(&telegram, "setMessageReaction", react("\u{2764}\u{fe0f}"), 400, "REACTION_INVALID");
    good(&telegram, "deleteMessage", json!({"chat_id": 1001, "message_id": id}));
    refused(
        &telegram,
        "deleteMessage",
        json!({"chat_id": 1001, "message_id": id}),
        400,
        "message to delete not found",
    );
    let query = telegram.presses(1001, 1001, theirs, "data");
    good(&telegram, "answerCallbackQuery", json!({"callback_query_id": query}));
    refused(&telegram, "answerCallbackQuery", json!({"callback_query_id": "old"}), 400, "query is too old");
    let many: Vec<Value> =
        (0..101).map(|n| json!({"command": format!("c{n}"), "description": "d"})).collect();
    refused(&telegram, "setMyCommands", json!({"commands": many}), 400, "BOT_COMMANDS_TOO_MUCH");
}

#[test]
fn allowed_updates_act_on_later_updates_and_are_remembered() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let id = telegram.says(1001, 1001, "x");
    telegram.reacts(1001, 1001, id, "\u{1f44d}");
    assert_eq!(telegram.pending(BOT_TOKEN), 1, "reactions come only where they are asked for");
    let all = good(&telegram, "getUpdates", json!({"allowed_updates": ["message_reaction"]}));
    assert_eq!(all[0]["message"]["text"], "x", "what was queued stays");
    telegram.says(1001, 1001, "y");
    telegram.edits(1001, id, "z");
    telegram.reacts(1001, 1001, id, "\u{1f44d}");
    assert_eq!(telegram.pending(BOT_TOKEN), 2);
    assert_eq!(telegram.update("message", json!({})), 0, "nothing but what is asked for");
}

#[test]
fn faults_come_once_or_until_they_are_taken_back() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let say = || ask(&telegram, BOT_TOKEN, "sendMessage", &json!({"chat_id": 1001, "text": "x"}));
    telegram.fault("sendMessage", Fault::Flood(7));
    let (status, body) = say();
    assert_eq!((status, &body["parameters"]["retry_after"]), (429, &json!(7)));
    telegram.always("sendMessage", Some(Fault::Refuse(500, "Internal Server Error")));
    assert_eq!((say().0, say().0), (500, 500));
    telegram.always("sendMessage", None);
    assert!(telegram.texts(1001).is_empty());
    assert_eq!(say().0, 200);
    let done: Vec<bool> = telegram.calls("sendMessage").iter().map(|call| call.is_done).collect();
    assert_eq!(done, [false, false, false, true]);
    telegram.says(1001, 1001, "a");
    telegram.says(1001, 1001, "b");
    telegram.fault("getUpdates", Fault::Twice);
    telegram.fault("getUpdates", Fault::Backwards);
    let twice = ids(&good(&telegram, "getUpdates", json!({"offset": 1})));
    assert!(twice.len() == 4 && twice[0] == twice[1]);
    let backwards = ids(&good(&telegram, "getUpdates", json!({"offset": 2})));
    assert!(backwards[0] > backwards[1]);
}

/// One request on a connection of its own: what came back, if anything did.
fn once(telegram: &Telegram) -> Option<Answer> {
    let mut stream = tcp(telegram.port);
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let target = format!("{}/bot{BOT_TOKEN}/sendMessage?chat_id=1001&text=x", telegram.root());
    let target = target.split_once(&format!(":{}", telegram.port)).unwrap().1.to_string();
    // A connection that is closed at once may refuse this already.
    let _ = write!(stream, "GET {target} HTTP/1.1\r\n\r\n");
    read_answer(&mut stream)
}

#[test]
fn what_goes_wrong_on_the_wire_goes_wrong_before_or_after_the_effect() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let slow = Duration::from_millis(200);
    // The fault, the status that comes back, whether the message can be seen.
    for (fault, status, is_done) in [
        (Fault::Html(502), Some(502), false),
        (Fault::Body("{\"ok\":tr"), Some(200), true),
        (Fault::DropBefore, None, false),
        (Fault::DropAfter, None, true),
        (Fault::Cut, Some(200), true),
        (Fault::HalfOpen, None, false),
        (Fault::Slow(slow), Some(200), true),
    ] {
        telegram.fault("sendMessage", fault.clone());
        let (started, before) = (Instant::now(), telegram.texts(1001).len());
        assert_eq!(once(&telegram).map(|answer| answer.status), status, "{fault:?}");
        assert_eq!(telegram.texts(1001).len() - before, usize::from(is_done), "{fault:?}");
        assert!(!matches!(fault, Fault::Slow(_)) || started.elapsed() >= slow);
    }
    telegram.deaf(true);
    assert!(once(&telegram).is_none());
    telegram.deaf(false);
    assert_eq!(once(&telegram).unwrap().status, 200);
    let calls = telegram.wait_calls("sendMessage", 8);
    assert!(
        calls.windows(2).all(|pair| pair[0].at <= pair[1].at && pair[0].connection != pair[1].connection)
    );
}

#[test]
fn files_are_fetched_by_their_path() {
    let telegram = Telegram::start();
    let file = telegram.world().add_file("a.txt", b"what is in it");
    let path =
        good(&telegram, "getFile", json!({"file_id": file}))["file_path"].as_str().unwrap().to_string();
    let get = |token: &str, path: &str| {
        raw(telegram.port, &format!("GET /file/bot{token}/{path} HTTP/1.1\r\n\r\n"))
    };
    assert_eq!(get(BOT_TOKEN, &path).body, "what is in it");
    assert_eq!((get("1:x", &path).status, get(BOT_TOKEN, "no").status), (404, 404));
    telegram.world().files.get_mut(&file).unwrap().claimed = Some((20 << 20) + 1);
    refused(&telegram, "getFile", json!({"file_id": file}), 400, "file is too big");
    refused(&telegram, "getFile", json!({"file_id": "none"}), 400, "temporarily unavailable");
}

#[test]
fn albums_and_polls_keep_their_limits() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let file = telegram.world().add_file("a.png", b"png");
    let item = |kind: &str| json!({"type": kind, "media": file});
    let album = |items: Vec<Value>| json!({"chat_id": 1001, "media": items});
    assert_eq!(
        good(&telegram, "sendMediaGroup", album(vec![item("photo"), item("video")]))
            .as_array()
            .unwrap()
            .len(),
        2
    );
    refused(&telegram, "sendMediaGroup", album(vec![item("photo")]), 400, "from 2 to 10");
    refused(&telegram, "sendMediaGroup", album(vec![item("photo"), item("document")]), 400, "can't be mixed");
    let poll = |question: &str, options: usize| json!({"chat_id": 1001, "question": question, "options": vec![json!({"text": "o"}); options]});
    good(&telegram, "sendPoll", poll("q", 12));
    refused(&telegram, "sendPoll", poll("q", 13), 400, "at most 12");
    refused(&telegram, "sendPoll", poll(&"q".repeat(301), 2), 400, "at most 300");
    telegram.change(1001, |chat| chat.refuses_voice = true);
    refused(&telegram, "sendVoice", json!({"chat_id": 1001, "voice": file}), 400, "VOICE_MESSAGES_FORBIDDEN");
}

#[test]
fn html_is_read_or_refused_in_telegrams_words() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let html = |text: &str| json!({"chat_id": 1001, "parse_mode": "HTML", "text": text});
    let message = good(&telegram, "sendMessage", html("\n😀 <b>x</b> &lt;<a href=\"https://x.org\">y</a>"));
    assert_eq!(message["text"], "😀 x <y");
    let bold = json!({"type": "bold", "offset": 3, "length": 1});
    let link = json!({"type": "text_link", "offset": 6, "length": 1, "url": "https://x.org"});
    assert_eq!(message["entities"], json!([bold, link]));
    let words = "can't parse entities: Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\"";
    refused(&telegram, "sendMessage", html("<b>x</i>"), 400, words);
}

#[test]
fn a_webhook_is_posted_to_until_each_update_is_taken() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let hook = json!({"url": "https://example.com/telegram/hook", "secret_token": "abc-1"});
    good(&telegram, "setWebhook", hook);
    for text in ["a", "b", "c"] {
        telegram.says(1001, 1001, text);
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, statuses) = scope(|s| {
        let server = s.spawn(|| {
            let answer = |status: u16| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    std::io::BufRead::read_line(&mut reader, &mut head).unwrap();
                }
                write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").unwrap();
                head
            };
            [200, 500, 200, 204].map(answer)
        });
        let statuses = [telegram.post_updates(BOT_TOKEN, port), telegram.post_updates(BOT_TOKEN, port)];
        (server.join().unwrap(), statuses)
    });
    // The second one came again after its 500.
    assert_eq!(statuses, [vec![200, 500], vec![200, 204]]);
    assert!(asked[0].starts_with("POST /telegram/hook HTTP/1.1"));
    assert!(asked.iter().all(|head| head.contains("X-Telegram-Bot-Api-Secret-Token: abc-1")));
    assert_eq!(telegram.pending(BOT_TOKEN), 0);
}

#[test]
fn calls_and_answers_have_their_largest_size() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let large = json!({"chat_id": 1001, "text": "x", "note": "y".repeat(1 << 20)});
    refused(&telegram, "sendMessage", large, 413, "Request Entity Too Large");
    for _ in 0..50 {
        telegram.says(1001, 1001, &"z".repeat(100_000));
    }
    let some = ids(&good(&telegram, "getUpdates", json!({"offset": 1}))).len();
    assert!((40..50).contains(&some), "{some} of 50 are about 4 MiB");
}
