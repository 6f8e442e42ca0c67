//! What changes while a bot is at work: its token file, another poller, its place in chats, the configuration's rights, a
//! restart; and what is seen of its chats elsewhere.
use super::harness::model::texts;
use super::harness::telegram::world::Chat;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::*;
use super::telegram::ann;
use super::telegram::{said, with_bot};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

const OTHER: &str = "2222:AAother_CANARY_other_other_oth";
const THIRD: &str = "3333:AAthird_CANARY_third_third_thi";
const NEWS: i64 = -1_009_000_000_001;

fn row(client: &mut Client, account: &str) -> Value {
    let status = client.ok("channels.status", json!({}));
    let rows = status["channelAccounts"]["telegram"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["accountId"] == account).unwrap_or_default()
}

fn connected(client: &mut Client, account: &str, bot: &str) -> Value {
    wait_within(Duration::from_secs(30), bot, || {
        let row = row(client, account);
        (row["connected"] == true && row["bot"]["username"] == bot).then_some(row)
    })
}

#[test]
fn i11_5_what_is_no_token_is_told_once_and_not_tried_until_it_changes() {
    let telegram = ann();
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let mut config = server.config();
    merge(
        &mut config,
        &json!({"channels": {"telegram": {"apiRoot": telegram.root(), "botToken": "123456:half-canary"}}}),
    );
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let told = |client: &mut Client| row(client, "default")["lastError"].to_string();
    wait_for("the trouble", || told(&mut client).contains("(channels.telegram.botToken)").then_some(()));
    std::thread::sleep(Duration::from_millis(2500));
    let after = row(&mut client, "default");
    assert_eq!((&after["running"], &after["nextTryAt"]), (&json!(false), &Value::Null), "{after}");
    let log = gateway.log();
    assert_eq!(log.matches("does not look like one").count(), 1, "{log}");
    let status = gateway.cli(&["channels", "status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("stopped") && status.contains("copy it again from @BotFather"), "{status}");
    assert!(!format!("{log}{status}{after}").contains("half-canary") && telegram.calls("getMe").is_empty());
    let doctor = String::from_utf8_lossy(&gateway.cli(&["doctor"]).stdout).into_owned();
    assert!(doctor.contains("does not look like one"), "{doctor}");
    let set =
        gateway.cli(&["config", "set", "channels.telegram.botToken", &format!("\"{BOT_TOKEN}\""), "--json"]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    connected(&mut client, "default", "test_bot");
}

#[test]
fn r_46_r_41_a_token_file_is_followed_and_only_its_account_starts_anew() {
    let telegram = ann();
    telegram.add_bot(OTHER, "other_bot");
    telegram.add_bot(THIRD, "third_bot");
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let mut config = server.config();
    let accounts = json!({"default": {"botToken": BOT_TOKEN}, "b": {"tokenFile": "~/.openclaw/b.token"}});
    let bot = json!({"apiRoot": telegram.root(), "dmPolicy": "allowlist", "allowFrom": ["1001"], "accounts": accounts});
    merge(&mut config, &json!({"channels": {"telegram": bot}}));
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let first = connected(&mut client, "default", "test_bot")["lastStartAt"].clone();
    let file = |name: &str, token: &str| {
        std::fs::write(gateway.state_dir().join(name), format!("{token}\n")).unwrap()
    };
    // It is not there yet: told, and looked for.
    wait_for("the trouble", || {
        let told = row(&mut client, "b")["lastError"].to_string();
        (told.contains("b.token") && told.contains("put the bot's token into it")).then_some(())
    });
    file("b.token", OTHER);
    connected(&mut client, "b", "other_bot");
    // The token is revoked, which is told; the file gets another one, which is taken at once.
    telegram.world().bots.get_mut(OTHER).unwrap().is_revoked = true;
    telegram.says(1001, 1001, "hi");
    wait_for("the 401", || {
        row(&mut client, "b")["lastError"].to_string().contains("401 Unauthorized").then_some(())
    });
    let polls = telegram.calls("getUpdates").len();
    assert!(row(&mut client, "b")["nextTryAt"].as_u64().is_some());
    std::thread::sleep(Duration::from_secs(3));
    assert!(
        telegram.calls("getUpdates").len() <= polls + 2,
        "a token that is not known is not tried again and again"
    );
    file("b.token", THIRD);
    connected(&mut client, "b", "third_bot");
    // The configuration names another file.
    telegram.world().bots.get_mut(OTHER).unwrap().is_revoked = false;
    file("c.token", OTHER);
    let path = "channels.telegram.accounts.b.tokenFile";
    let set = gateway.cli(&["config", "set", path, "\"~/.openclaw/c.token\"", "--json"]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    connected(&mut client, "b", "other_bot");
    assert_eq!(connected(&mut client, "default", "test_bot")["lastStartAt"], first, "nothing of it changed");
    let told = client.ok("channels.status", json!({})).to_string() + &gateway.log() + &gateway.stderr();
    assert!(!told.contains("CANARY"), "SEC-25: {told}");
}

/// Somebody else polls with the same token, once; what he is answered.
fn poll(telegram: &Telegram, seconds: u64) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", telegram.port)).unwrap();
    let text = format!(
        "GET /bot{BOT_TOKEN}/getUpdates?timeout={seconds}&offset=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn r_07b_r_07a_another_poller_is_told_of_and_outlived() {
    let telegram = ann();
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            // One as the original is: it polls again soon after it was ended, and then somebody stops it.
            assert!(poll(&telegram, 50).contains("409"), "ours came back");
            std::thread::sleep(Duration::from_secs(2));
            poll(&telegram, 50)
        });
        wait_for("the conflict", || {
            let row = row(&mut client, "default");
            let told = row["lastError"].to_string();
            (row["connected"] == false && told.contains("other getUpdates request")).then_some(())
        });
        let ended = other.join().unwrap();
        assert!(ended.contains("409"), "{ended}");
    });
    connected(&mut client, "default", "test_bot");
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    assert_eq!(server.count(), 1);
    // Two polls of the other one, each ended by one of ours: no fight.
    let ours = telegram.calls("getUpdates").iter().filter(|call| call.params["timeout"] == 30).count();
    assert!(ours <= 6, "{ours} polls");
    assert_eq!(row(&mut client, "default")["lastError"], Value::Null);
}

#[test]
fn r_42_where_the_bot_is_put_in_and_out_is_told_and_asks_no_model() {
    let telegram = ann();
    telegram.group(-700, "Club\u{202e}");
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let user = json!({"id": 1001, "is_bot": false, "first_name": "Ann"});
    let member = |chat: Value, old: &str, new: &str| {
        let me = json!({"id": 100200, "is_bot": true, "first_name": "Test"});
        telegram.update(
            "my_chat_member",
            json!({"chat": chat, "from": user, "date": 1,
            "old_chat_member": {"status": old, "user": me}, "new_chat_member": {"status": new, "user": me}}),
        );
    };
    let club = json!({"id": -700, "type": "group", "title": "Club\u{202e}"});
    let person = json!({"id": 1001, "type": "private", "first_name": "Ann"});
    member(club.clone(), "left", "member");
    member(club, "member", "kicked");
    member(person.clone(), "member", "kicked");
    member(person, "kicked", "member");
    for words in ["(-700)", "removed from ", "blocked by "] {
        wait_for(words, || gateway.log().contains(words).then_some(()));
    }
    assert!(!gateway.log().contains('\u{202e}'), "names are shown as text");
    // Who blocked the bot gets nothing, and whoever sends is told; the account goes on.
    telegram.change(1001, |chat| chat.is_shut = true);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    let send = |key: &str| json!({"to": "telegram:1001", "message": "x", "idempotencyKey": key});
    let error = client.fails("send", send("k1"));
    assert!(error["message"].as_str().unwrap().contains("bot was blocked by the user"), "{error}");
    assert_eq!(telegram.calls("sendMessage").len(), 1, "a definite refusal is not tried again");
    telegram.change(1001, |chat| chat.is_shut = false);
    client.ok("send", send("k2"));
    assert_eq!(server.count(), 0);
}

#[test]
fn sec_33_posts_of_a_channel_count_only_where_it_is_listed_and_open() {
    let telegram = ann();
    telegram.chat(Chat { id: NEWS, kind: "channel".into(), title: "News".into(), ..Chat::default() });
    let post = |id: i64, text: &str| {
        telegram.update(
            "channel_post",
            json!({"message_id": id, "date": 1_795_224_708, "text": text,
            "chat": {"id": NEWS, "type": "channel", "title": "News"},
            "sender_chat": {"id": NEWS, "type": "channel", "title": "News"}, "author_signature": "Ed"}),
        );
    };
    let groups = json!({"*": {"requireMention": false, "groupPolicy": "open"}});
    let everywhere = json!({"channels": {"telegram": {"groupPolicy": "open", "groups": groups}}});
    let (server, gateway) = with_bot(&telegram, everywhere, vec![texts(&["ok"])]);
    post(1, "to all");
    let mut client = Client::operator(&gateway, 4);
    let dropped = wait_for("what was passed over", || {
        let rows = row(&mut client, "default")["dropped"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["chatId"] == json!(NEWS.to_string()))
    });
    assert_eq!(
        (&dropped["chatId"], &dropped["title"]),
        (&json!(NEWS.to_string()), &json!("News")),
        "{dropped}"
    );
    assert!(dropped["reason"].is_string() && dropped.to_string().contains(&NEWS.to_string()), "{dropped}");
    assert_eq!(server.count(), 0);
    // The next one has another state directory, and gets whatever this one has not taken.
    wait_for("the post to be taken", || (telegram.pending(BOT_TOKEN) == 0).then_some(()));
    drop(gateway);
    let group = json!({NEWS.to_string(): {"requireMention": false, "groupPolicy": "open"}});
    let listed = json!({"channels": {"telegram": {"groupPolicy": "open", "groups": group}}});
    let (server, _gateway) = with_bot(&telegram, listed, vec![texts(&["noted"])]);
    post(2, "to the bot too");
    assert_eq!(said(&telegram, NEWS, 1), ["noted"]);
    let request = server.requests(1)[0]["body"].to_string();
    assert!(request.contains("to the bot too") && !request.contains("to all"), "{request}");
}

#[test]
fn r_49c_without_the_right_to_write_the_configuration_a_migration_only_tells() {
    let telegram = ann();
    telegram.group(-500, "Old");
    let more = json!({"channels": {"telegram": {"configWrites": false, "groupAllowFrom": ["1001"],
        "groups": {"-500": {"requireMention": false}}}}});
    let (_server, gateway) = with_bot(&telegram, more, vec![texts(&["before"]), texts(&["after"])]);
    telegram.says(1001, -500, "hi");
    said(&telegram, -500, 1);
    let before = std::fs::read(gateway.config_path()).unwrap();
    telegram.migrate(-500, -1_000_000_000_777);
    wait_for("the log", || {
        let log = gateway.log();
        log.lines()
            .any(|line| line.contains("configWrites is false") && line.contains("-1000000000777"))
            .then_some(())
    });
    telegram.says(1001, -1_000_000_000_777, "again");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(std::fs::read(gateway.config_path()).unwrap(), before);
    assert_eq!(telegram.texts(-1_000_000_000_777).len(), 0, "it is not in the list");
    let list = Client::operator(&gateway, 4).ok("sessions.list", json!({})).to_string();
    assert!(
        list.contains("\"key\":\"agent:main:telegram:group:-1000000000777\"")
            && !list.contains("\"key\":\"agent:main:telegram:group:-500\""),
        "its session goes along: {list}"
    );
}

/// A web server of one file; each request is answered with it.
fn web(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), bytes].concat());
        }
    };
    std::thread::Builder::new().spawn(serve).unwrap();
    port
}

#[test]
fn sec_30_a_file_of_the_web_goes_out_where_its_host_is_let_in_and_nowhere_else() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR of the web";
    let telegram = ann();
    let address = format!("http://127.0.0.1:{}/a%20cat.png?x=1", web(PNG));
    let words = format!("look\nMEDIA:{address}");
    let allow = json!({"tools": {"web": {"fetch": {"allowHosts": ["127.0.0.1"]}}}});
    let (_server, gateway) = with_bot(&telegram, allow, vec![texts(&[&words])]);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    let send = json!({"to": "telegram:1001", "message": "see", "mediaUrl": address, "idempotencyKey": "k1"});
    client.ok("send", send.clone());
    telegram.says(1001, 1001, "a cat, please");
    let texts = said(&telegram, 1001, 2);
    assert_eq!(texts, ["see", "look"], "both are captions");
    let photos: Vec<Value> =
        telegram.shown(1001).into_iter().filter(|message| message["photo"].is_array()).collect();
    assert_eq!(photos.len(), 2);
    let world = telegram.world();
    let sent = |file: &super::harness::telegram::world::File| file.bytes == PNG;
    assert!(world.files.values().filter(|file| sent(file)).count() >= 1, "it arrives whole");
    drop(world);
    assert_eq!(
        std::fs::read_dir(gateway.state_dir().join("media/outbound")).unwrap().count(),
        0,
        "nothing is left"
    );
    drop(gateway);
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![super::harness::model::texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    let error = client.fails("send", send);
    assert!(error["message"].as_str().unwrap().contains("allowHosts"), "{error}");
}

#[test]
fn polls_edits_reactions_and_deletions_are_done_for_a_client_and_answered_when_they_are() {
    let telegram = ann();
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![]);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    let asked = json!({"to": "telegram:1001", "question": "Lunch?", "options": ["soup", "salad"], "maxSelections": 2,
        "durationHours": 1, "idempotencyKey": "p1"});
    let poll = client.ok("poll", asked.clone());
    assert_eq!(
        (&poll["channel"], &poll["chatId"], &poll["runId"]),
        (&json!("telegram"), &json!("1001"), &json!("p1"))
    );
    assert_eq!(client.ok("poll", asked.clone()), poll, "R-10a: one key is one poll");
    assert_eq!(telegram.calls("sendPoll").len(), 1);
    let shown = telegram.shown(1001).into_iter().find(|message| message["poll"].is_object()).unwrap();
    assert_eq!(shown["poll"]["question"], "Lunch?");
    assert_eq!(poll["messageId"], shown["message_id"].to_string());
    let sent = client.ok("send", json!({"to": "telegram:1001", "message": "one", "idempotencyKey": "s1"}));
    let id = sent["messageId"].as_str().unwrap();
    let act = |client: &mut Client, key: &str, more: Value| {
        let mut asked = json!({"to": "telegram:1001", "messageId": id, "idempotencyKey": key});
        merge(&mut asked, &more);
        client.call("message.action", asked)
    };
    let edited = act(&mut client, "a1", json!({"action": "edit", "message": "**two**"})).unwrap();
    assert_eq!((&edited["messageId"], &edited["channel"]), (&json!(id), &json!("telegram")));
    let number: i64 = id.parse().unwrap();
    assert_eq!(telegram.world().message(1001, number).unwrap()["text"], "two");
    act(&mut client, "a2", json!({"action": "edit", "message": "**two**"}))
        .expect("B.4: nothing to change is done");
    act(&mut client, "a3", json!({"action": "react", "emoji": "👍"})).unwrap();
    assert_eq!(telegram.world().chats[&1001].reactions[&number], json!([{"type": "emoji", "emoji": "👍"}]));
    act(&mut client, "a4", json!({"action": "react", "emoji": ""})).unwrap();
    assert_eq!(telegram.world().chats[&1001].reactions.get(&number).cloned().unwrap_or(json!([])), json!([]));
    let error = act(&mut client, "a5", json!({"action": "react", "emoji": "🧦"})).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("has no reaction 🧦"), "{error}");
    act(&mut client, "a6", json!({"action": "delete"})).unwrap();
    assert!(telegram.world().message(1001, number).is_none());
    // A failure has had no effect that is kept under its key: the same again is tried again.
    telegram.fault("sendPoll", Fault::Refuse(400, "Bad Request: POLL_QUESTION_INVALID"));
    let again =
        json!({"to": "telegram:1001", "question": "Dinner?", "options": ["a", "b"], "idempotencyKey": "p2"});
    assert!(client.call("poll", again).is_err());
}

#[test]
fn a_chat_is_seen_live_by_webchat_and_webchat_has_its_answers_to_itself() {
    let telegram = ann();
    let pause = || Step::Pause(Duration::from_millis(300));
    let words = vec![Step::Text("one ".into()), pause(), Step::Text("two".into()), pause(), Step::Done];
    let (server, gateway) =
        with_bot(&telegram, json!({}), vec![Reply::Stream(words), texts(&["to the web"])]);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    telegram.says(1001, 1001, "from the phone");
    let delta = client.event_where("chat", |event| event["state"] == "delta");
    assert_eq!(delta["sessionKey"], "agent:main:main", "{delta}");
    let last = client.event_where("chat", |event| event["state"] == "final");
    assert!(last.to_string().contains("one two"), "{last}");
    said(&telegram, 1001, 1);
    // What is written in WebChat is in the same conversation, and answered there, as the original does it.
    client.ok("chat.send", json!({"sessionKey": "main", "message": "from the web", "idempotencyKey": "w1"}));
    let last = client.event_where("chat", |event| event["state"] == "final" && event["runId"] == "w1");
    assert!(last.to_string().contains("to the web"), "{last}");
    assert!(server.requests(2)[1]["body"].to_string().contains("from the phone"), "one conversation");
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    for text in ["from the phone", "one two", "from the web", "to the web"] {
        assert!(history.contains(text), "{text}: {history}");
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(telegram.texts(1001), ["one two"], "nobody on Telegram is told what was asked elsewhere");
    // The next message from there is answered there.
    telegram.says(1001, 1001, "and now");
    assert_eq!(said(&telegram, 1001, 2), ["one two", "to the web"]);
}

#[test]
fn r_08b_while_a_restart_waits_messages_are_kept_and_answered_by_the_next_life() {
    let telegram = ann();
    telegram.user(1002, "Bob", "bob");
    let gated = Reply::Stream(vec![Step::Gate, Step::Text("first".into()), Step::Done]);
    let more = json!({"commands": {"restart": true}, "session": {"dmScope": "per-channel-peer"},
        "channels": {"telegram": {"allowFrom": ["1001", "1002"]}}});
    let (server, gateway) = with_bot(&telegram, more, vec![gated, texts(&["second"])]);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    telegram.says(1001, 1001, "one");
    server.requests(1);
    client.ok("gateway.restart.request", json!({}));
    wait_for("the restart", || gateway.log().contains("restarting when the turns under way").then_some(()));
    let asked = json!({"sessionKey": "other", "message": "x", "idempotencyKey": "k"});
    let error = client.call("chat.send", asked).expect_err("no new turns");
    assert_eq!((&error["code"], &error["retryable"]), (&json!("UNAVAILABLE"), &json!(true)), "{error}");
    assert!(error["retryAfterMs"].as_u64().is_some(), "{error}");
    telegram.says(1002, 1002, "two");
    wait_for("it to be taken", || (telegram.pending(BOT_TOKEN) == 0).then_some(()));
    server.release();
    assert_eq!(said(&telegram, 1001, 1), ["first"]);
    assert_eq!(said(&telegram, 1002, 1), ["second"]);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((telegram.texts(1001).len(), telegram.texts(1002).len(), server.count()), (1, 1, 2));
}

#[test]
fn r_08c_what_cannot_be_delivered_is_counted_with_its_age_and_its_cause() {
    let telegram = ann();
    telegram.always("sendMessage", Some(Fault::Flood(60)));
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    telegram.says(1001, 1001, "hi");
    wait_for("a delivery that waits", || {
        (row(&mut client, "default")["deliveriesWaiting"] == 1).then_some(())
    });
    std::thread::sleep(Duration::from_millis(1200));
    let status = client.ok("status", json!({})).to_string() + &client.ok("health", json!({})).to_string();
    assert!(status.contains("deliveriesOldestMs"), "{status}");
    let told = gateway.cli(&["channels", "status"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("1 waiting"), "{told}");
    assert!(told.contains("not sent: ") && told.contains("takes nothing for"), "{told}");
    wait_for("the log's line", || gateway.log().contains("chat 1001 takes nothing for ").then_some(()));
    assert!(row(&mut client, "default")["lastSendError"].as_str().unwrap().contains("chat 1001"));
}

#[test]
fn r_07a_messages_are_fetched_before_telegram_has_said_who_the_bot_is() {
    for fault in [Fault::Html(502), Fault::HalfOpen, Fault::Flood(600)] {
        let telegram = ann();
        telegram.always("getMe", Some(fault.clone()));
        telegram.always("setMyCommands", Some(fault.clone()));
        let (_server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
        telegram.says(1001, 1001, "hi");
        said(&telegram, 1001, 1);
        let mut client = Client::operator(&gateway, 4);
        assert_eq!(row(&mut client, "default")["connected"], true);
        telegram.always("getMe", None);
        // A question that hangs is given its half minute.
        if fault != Fault::HalfOpen {
            connected(&mut client, "default", "test_bot");
        }
    }
}

#[test]
fn r_10b_a_key_makes_a_command_once_and_without_one_each_is_its_own() {
    let telegram = ann();
    let (server, gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    let mut client = Client::operator(&gateway, 4);
    connected(&mut client, "default", "test_bot");
    let run = |words: &[&str]| {
        let done = gateway.cli(words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let send = ["message", "send", "--target", "telegram:1001", "--message", "dinner", "--json"];
    let keyed = [&send[..], &["--idempotency-key", "k1"]].concat();
    assert_eq!(run(&keyed), run(&keyed));
    assert_eq!(telegram.texts(1001), ["dinner"]);
    run(&send);
    run(&send);
    assert_eq!(telegram.texts(1001).len(), 3);
    let ask = ["agent", "--message", "go", "--agent", "main", "--idempotency-key", "k2"];
    run(&ask);
    run(&ask);
    assert_eq!(server.count(), 1);
}

#[test]
fn r_12a_a_bot_that_nobody_writes_to_wakes_the_gateway_for_nothing() {
    let telegram = ann();
    let (_server, mut gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    // What follows an answer is over then: the index of sessions is written, the menu is told.
    std::thread::sleep(Duration::from_secs(3));
    let before = gateway.sleeps("");
    std::thread::sleep(Duration::from_secs(5));
    let times = gateway.sleeps("") - before;
    assert!(times <= 10, "{times} times in 5 s");
    let (code, took) = gateway.stop();
    assert!(code == 0 && took < Duration::from_secs(3), "{code} {took:?}");
}
