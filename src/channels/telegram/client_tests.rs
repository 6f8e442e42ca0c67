//! The client against the strict stand-in of the Bot API.
use super::api::{Bot, CALL};
use super::form::{Content, Upload};
use super::media::{self, Media};
use super::offset::Position;
use super::outcome::Outcome;
use super::refusal::Why;
use super::send::Sending;
use super::standin::telegram::{BOT_TOKEN, Fault, Telegram};
use super::standin::wait_for;
use super::token::BotToken;
use super::update::{Update, What};
use crate::cancel::{Cancel, Reason};
use crate::json::json;
use crate::settings::Secret;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ANN: i64 = 1001;

fn start() -> (Telegram, Bot) {
    let telegram = Telegram::start();
    telegram.user(ANN, "Ann", "ann");
    let bot = Bot::new(BotToken::read(&Secret::new(BOT_TOKEN)).unwrap(), &telegram.root(), None).unwrap();
    (telegram, bot)
}

fn done<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(value) => value,
        other => panic!("{other:?}"),
    }
}

fn call(bot: &mut Bot, method: &str, params: Value) -> Outcome {
    bot.call(method, &params, CALL, &Cancel::new())
}

fn updates(bot: &mut Bot, offset: Option<i64>, seconds: u64) -> Outcome<Vec<Update>> {
    bot.updates(offset, Duration::from_secs(seconds), &Cancel::new())
}

fn send(bot: &mut Bot, method: &str, params: &Value, plain: Option<&str>, files: &[Upload]) -> Outcome {
    let params = params.as_object().unwrap().clone();
    Sending { method, params, plain, files }.send(bot, &Cancel::new())
}

fn texts(updates: &[Update]) -> Vec<&str> {
    let text = |update: &'_ Update| match &update.what {
        What::Message(message) => message.text.clone(),
        other => panic!("{other:?}"),
    };
    updates.iter().map(text).map(|text| &*text.leak()).collect()
}

fn dir(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("telegram-{name}-{}", crate::ids::uuid().unwrap()))
}

#[test]
fn updates_come_in_order_over_one_connection_and_are_confirmed_by_the_next_poll() {
    let (telegram, mut bot) = start();
    for n in 0..30 {
        telegram.says(ANN, ANN, &n.to_string());
    }
    let first = done(updates(&mut bot, None, 0));
    assert_eq!((first.len(), texts(&first)[19]), (20, "19"));
    assert_eq!(telegram.pending(BOT_TOKEN), 30);
    let rest = done(updates(&mut bot, Some(first[19].id + 1), 0));
    assert_eq!((rest.len(), texts(&rest)[0], telegram.pending(BOT_TOKEN)), (10, "20", 10));
    // A poll that waits ends with the first message.
    let last = rest[9].id + 1;
    std::thread::scope(|s| {
        let poll = s.spawn(|| done(updates(&mut bot, Some(last), 30)));
        wait_for("the poll", || telegram.world().bots[BOT_TOKEN].waiting);
        telegram.says(ANN, ANN, "now");
        assert_eq!(texts(&poll.join().unwrap()), ["now"]);
    });
    let calls = telegram.calls("getUpdates");
    assert!(calls.iter().all(|call| call.connection == calls[0].connection), "{calls:?}");
    assert!(calls[0].params["allowed_updates"].as_array().unwrap().contains(&json!("message_reaction")));
}

#[test]
fn r_32_twice_and_out_of_order_each_is_taken_once() {
    let (telegram, mut bot) = start();
    let state = dir("order");
    let now = crate::clock::now_ms();
    let (mut position, _) = Position::load(&state, "default", 100_200, now);
    let mut taken = Vec::new();
    for fault in [Fault::Twice, Fault::Backwards, Fault::Backwards] {
        for text in ["a", "b", "c"] {
            telegram.says(ANN, ANN, text);
        }
        telegram.fault("getUpdates", fault);
        // The answer's first message is the newest: nothing older is lost by it.
        for update in done(updates(&mut bot, position.next(), 0)) {
            if !position.is_taken(update.id, update.date()) {
                position.take(update.id);
                taken.push(update.id);
            }
        }
        position.save().unwrap();
    }
    let mut again = Position::load(&state, "default", 100_200, now).0;
    assert!(taken.iter().all(|id| again.is_taken(*id, None)));
    taken.sort_unstable();
    let first = taken[0];
    assert_eq!(taken, (first..first + 9).collect::<Vec<_>>());
    std::fs::remove_dir_all(state).unwrap();
}

#[test]
fn every_kind_that_a_user_makes_is_read() {
    let (telegram, mut bot) = start();
    done(updates(&mut bot, None, 0));
    telegram.forum(-1_001_000_000_000_001, "F", &[42]);
    let id = telegram.says(ANN, ANN, "one");
    telegram.edits(ANN, id, "two");
    telegram.presses(ANN, ANN, id, "go");
    telegram.reacts(ANN, ANN, id, "🔥");
    telegram.update(
        "channel_post",
        json!({"message_id": 1, "date": 1, "chat": {"id": -1009, "type": "channel", "title": "C"},
            "sender_chat": {"id": -1009, "type": "channel", "title": "C"}, "text": "post"}),
    );
    telegram.update("my_chat_member", json!({"no": "chat"}));
    let got = done(updates(&mut bot, Some(1), 0));
    let kinds: Vec<&str> = got.iter().map(|update| kind(&update.what)).collect();
    assert_eq!(kinds, ["message", "edited", "press", "reaction", "message", "skipped"]);
    assert!(matches!(&got[1].what, What::Edited(message) if message.text == "two" && message.id == id));
    assert!(matches!(&got[2].what, What::Press(press) if press.data == "go" && press.message_id == Some(id)));
    assert!(matches!(&got[3].what, What::Reaction(reaction) if reaction.added == ["🔥"]));
    assert!(matches!(&got[4].what, What::Message(post) if post.sender.id() == Some(-1009)));
    // What cannot be read moves the offset like any other.
    assert_eq!(got[5].id, got[4].id + 1);
}

#[test]
fn an_unreadable_update_is_no_wall() {
    let (telegram, mut bot) = start();
    telegram.update(
        "message",
        serde_json::from_str(&format!("{}1{}", "[".repeat(115), "]".repeat(115))).unwrap(),
    );
    telegram.says(ANN, ANN, "after it");
    // Nested by a few levels more in an answer, it is deeper than what is read.
    let deep = serde_json::from_str(&format!("{}1{}", "[".repeat(126), "]".repeat(126))).unwrap();
    let id = telegram.update("message", deep);
    telegram.says(ANN, ANN, "after that");
    let mut seen = Vec::new();
    let mut offset = None;
    for _ in 0..4 {
        for update in done(updates(&mut bot, offset, 0)) {
            offset = Some(update.id + 1);
            seen.push(update);
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(matches!(&seen[2].what, What::Skipped(_)) && seen[2].id == id);
    assert_eq!(texts(&[seen[1].clone(), seen[3].clone()]), ["after it", "after that"]);
    // Halves of characters are mended; broken text is a failure, after which all is asked again.
    telegram.fault("getUpdates", Fault::Body(r#"{"ok":true,"result":[{"update_id":7,"message":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"},"text":"a\ud83d"}}]}"#));
    assert_eq!(texts(&done(updates(&mut bot, offset, 0))), ["a\u{fffd}"]);
    for broken in [
        r#"{"ok":true,"result":[{"update_id":7"#,
        "",
        "[]",
        r#"{"ok":true,"result":{}}"#,
        r#"{"ok":true,"result":[{}]}"#,
    ] {
        telegram.fault("getUpdates", Fault::Body(broken));
        let got = updates(&mut bot, offset, 0);
        assert!(matches!(got, Outcome::Unknown(_)), "{broken}: {got:?}");
    }
}

#[test]
fn answers_and_calls_of_the_largest_size_pass() {
    let (telegram, mut bot) = start();
    for n in 0..50 {
        telegram.says(ANN, ANN, &format!("{n} {}", "z".repeat(100_000)));
    }
    let (mut offset, mut seen) = (Some(1), 0);
    while seen < 50 {
        let got = done(updates(&mut bot, offset, 0));
        assert!(!got.is_empty() && got.len() < 50, "an answer holds 4 MiB");
        (offset, seen) = (got.last().map(|update| update.id + 1), seen + got.len());
    }
    // More than 1 MiB of parameters is a definite no.
    let large = call(&mut bot, "sendMessage", json!({"chat_id": ANN, "text": "y".repeat(1 << 20)}));
    assert!(matches!(&large, Outcome::Refused(refusal) if refusal.code == 413), "{large:?}");
    assert!(telegram.texts(ANN).is_empty());
}

#[test]
fn r_07d_nothing_is_confirmed_before_the_next_poll_however_this_one_ended() {
    let (telegram, mut bot) = start();
    telegram.says(ANN, ANN, "one");
    for fault in [Fault::Cut, Fault::DropAfter, Fault::Body("{\"ok\":tr"), Fault::Html(502)] {
        telegram.fault("getUpdates", fault.clone());
        let got = bot.another().unwrap().updates(Some(1), Duration::ZERO, &Cancel::new());
        assert!(matches!(got, Outcome::Unknown(_) | Outcome::NotSent(_)), "{fault:?}: {got:?}");
        assert_eq!(telegram.pending(BOT_TOKEN), 1, "{fault:?}");
    }
    assert_eq!(texts(&done(updates(&mut bot, Some(1), 0))), ["one"]);
    assert_eq!(telegram.pending(BOT_TOKEN), 1);
}

#[test]
fn r_07b_conflicts_say_who_else_polls() {
    let (telegram, mut old) = start();
    let mut new = old.another().unwrap();
    std::thread::scope(|s| {
        let poll = s.spawn(|| updates(&mut old, None, 30));
        wait_for("the poll", || telegram.world().bots[BOT_TOKEN].waiting);
        done(updates(&mut new, Some(5), 0));
        assert!(matches!(poll.join().unwrap(), Outcome::Refused(refusal) if refusal.why == Why::OtherPoller));
    });
    done(call(&mut new, "setWebhook", json!({"url": "https://example.com/hook"})));
    let got = updates(&mut new, None, 0);
    assert!(matches!(&got, Outcome::Refused(refusal) if refusal.why == Why::WebhookSet), "{got:?}");
    done(call(&mut new, "deleteWebhook", json!({})));
    done(updates(&mut new, None, 0));
}

#[test]
fn r_07c_a_half_open_poll_ends_by_its_deadline_and_a_stop_ends_it_at_once() {
    let (telegram, mut bot) = start();
    let cancel = Cancel::new();
    telegram.always("getUpdates", Some(Fault::HalfOpen));
    std::thread::scope(|s| {
        let poll = s.spawn(|| bot.updates(None, Duration::from_secs(30), &cancel));
        telegram.wait_calls("getUpdates", 1);
        let stopped = Instant::now();
        cancel.cancel(Reason::Shutdown);
        assert!(matches!(poll.join().unwrap(), Outcome::Unknown(trouble) if trouble.is_cancelled));
        assert!(stopped.elapsed() < Duration::from_millis(500));
    });
    let started = Instant::now();
    let late = bot.call("getMe", &json!({}), Duration::from_millis(300), &Cancel::new());
    assert!(matches!(late, Outcome::Done(_)), "the next call has a connection of its own");
    telegram.always("getMe", Some(Fault::HalfOpen));
    for _ in 0..5 {
        let late = bot.call("getMe", &json!({}), Duration::from_millis(100), &Cancel::new());
        assert!(matches!(&late, Outcome::Unknown(trouble) if !trouble.is_cancelled), "{late:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn r_30c_a_message_that_may_be_there_is_never_called_unsent() {
    let (telegram, mut bot) = start();
    let message = json!({"chat_id": ANN, "text": "x"});
    for (fault, there) in
        [(Fault::DropAfter, 1), (Fault::DropBefore, 1), (Fault::Cut, 2), (Fault::Html(504), 2)]
    {
        telegram.fault("sendMessage", fault.clone());
        let got = call(&mut bot, "sendMessage", message.clone());
        assert!(matches!(got, Outcome::Unknown(_)), "{fault:?}: {got:?}");
        assert_eq!(telegram.texts(ANN).len(), there, "{fault:?}");
    }
    // R-30a: a server that says that it failed has not carried it out.
    for fault in [Fault::Html(502), Fault::Refuse(500, "Internal Server Error")] {
        telegram.fault("sendMessage", fault.clone());
        let got = call(&mut bot, "sendMessage", message.clone());
        assert!(matches!(got, Outcome::NotSent(_)), "{fault:?}: {got:?}");
    }
    telegram.fault("sendMessage", Fault::Flood(7));
    let flood = call(&mut bot, "sendMessage", message.clone());
    assert!(
        matches!(&flood, Outcome::Refused(no) if no.why == Why::RetryAfter(Duration::from_secs(7)) && no.code == 429)
    );
    // Nobody listens to a connection that was closed: what never left is told as such.
    telegram.deaf(true);
    let mut fresh = bot.another().unwrap();
    assert!(!matches!(call(&mut fresh, "sendMessage", message.clone()), Outcome::Done(_)));
    telegram.deaf(false);
    done(call(&mut fresh, "sendMessage", message));
    assert_eq!(telegram.texts(ANN).len(), 3);
}

#[test]
fn r_30b_a_refused_form_is_followed_by_a_plainer_one_at_once() {
    let (telegram, mut bot) = start();
    let buttons = json!({"inline_keyboard": [[{"text": "a", "callback_data": "x".repeat(65)}]]});
    for (params, plain) in [
        (json!({"chat_id": ANN, "text": "<b>a", "parse_mode": "HTML"}), Some("a")),
        (json!({"chat_id": ANN, "text": "a", "reply_parameters": {"message_id": 999}}), None),
        (json!({"chat_id": ANN, "text": "a", "reply_markup": buttons}), None),
        (
            json!({"chat_id": ANN, "text": "<i>a", "parse_mode": "HTML", "reply_markup": buttons,
                "reply_parameters": {"message_id": 999}}),
            Some("a"),
        ),
    ] {
        done(send(&mut bot, "sendMessage", &params, plain, &[]));
        assert_eq!(telegram.texts(ANN).last().unwrap(), "a", "{params}");
    }
    let got = done(send(&mut bot, "sendMessage", &json!({"chat_id": ANN, "text": "b"}), None, &[]));
    let edit = json!({"chat_id": ANN, "message_id": got["message_id"], "text": "b"});
    assert_eq!(send(&mut bot, "editMessageText", &edit, None, &[]), Outcome::Done(Value::Null));
    // A group that moved: the same to its new id, which is told.
    telegram.group(-500, "G");
    telegram.migrate(-500, -1_000_000_000_777);
    let params = json!({"chat_id": -500, "text": "c"}).as_object().unwrap().clone();
    let mut moved = Sending { method: "sendMessage", params, plain: None, files: &[] };
    done(moved.send(&mut bot, &Cancel::new()));
    assert_eq!(moved.params["chat_id"], -1_000_000_000_777_i64);
    // A final refusal is one call.
    telegram.change(ANN, |chat| chat.is_shut = true);
    let before = telegram.calls("sendMessage").len();
    let no = send(&mut bot, "sendMessage", &json!({"chat_id": ANN, "text": "x"}), Some("x"), &[]);
    assert!(matches!(no, Outcome::Refused(refusal) if refusal.why == Why::ChatGone));
    assert_eq!(telegram.calls("sendMessage").len(), before + 1);
}

#[test]
fn files_are_sent_from_disk_and_again_as_another_kind() {
    let (telegram, mut bot) = start();
    let dir = dir("upload");
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("a.ogg");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::write(&path, &bytes).unwrap();
    let file = |part: &str| {
        let open = std::fs::File::open(&path).unwrap();
        [Upload { part: part.into(), file_name: "a.ogg".into(), content: Content::Open(open, 3_000_000) }]
    };
    telegram.change(ANN, |chat| chat.refuses_voice = true);
    let params = json!({"chat_id": ANN, "voice": "attach://f", "caption": "hear"});
    done(send(&mut bot, "sendVoice", &params, Some("hear"), &file("f")));
    let sent = telegram.calls("sendAudio");
    assert_eq!((sent.len(), &sent[0].params["file:f"]["size"]), (1, &3_000_000.into()));
    // And back: what a user sends is fetched, in parts.
    let id = telegram.world().add_file("voice.ogg", &bytes);
    telegram.sends(
        ANN,
        ANN,
        json!({"voice": {"file_id": id, "file_unique_id": "u", "duration": 1}, "caption": "c"}),
    );
    let got = done(updates(&mut bot, None, 0));
    let What::Message(message) = &got[0].what else { panic!() };
    let Media::File(voice) = &message.media[0] else { panic!() };
    let mut fetching = bot.another().unwrap();
    let fetched = done(fetching.fetch(voice, 5 << 20, &dir.join("in"), &Cancel::new()));
    assert_eq!((fetched.length, std::fs::read(fetched.path()).unwrap() == bytes), (3_000_000, true));
    let kept = fetched.keep();
    assert!(kept.exists() && kept.to_str().unwrap().ends_with(".ogg"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn r_34_files_that_do_not_come_say_why_and_leave_nothing() {
    let (telegram, mut bot) = start();
    let dir = dir("media");
    let id = telegram.world().add_file("../p\u{e9} q?.jpeg", &[7; 5000]);
    let file = |id: &str, size: Option<u64>| media::File::named(media::FileKind::Document, id, size);
    let fetch = |bot: &mut Bot, file: &media::File, most| bot.fetch(file, most, &dir, &Cancel::new());
    // Too large by what the message says, by what getFile says, by what comes.
    let no = |got: Outcome<_>| matches!(got, Outcome::Refused(refusal) if refusal.why == Why::FileTooBig);
    assert!(no(fetch(&mut bot, &file(&id, Some(6000)), 5999)));
    assert!(telegram.calls("getFile").is_empty());
    telegram.world().files.get_mut(&id).unwrap().claimed = Some(30 << 20);
    assert!(no(fetch(&mut bot, &file(&id, None), 5999)));
    telegram.world().files.get_mut(&id).unwrap().claimed = None;
    assert!(no(fetch(&mut bot, &file(&id, None), 4999)));
    // What may pass is tried again.
    telegram.fault("getFile", Fault::Refuse(400, "wrong file_id or the file is temporarily unavailable"));
    telegram.fault("file", Fault::Cut);
    let got = done(fetch(&mut bot, &file(&id, None), 5000));
    assert_eq!((got.length, std::fs::read_dir(&dir).unwrap().count()), (5000, 1));
    drop(got);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "nothing is left");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn sec_25_no_outcome_of_the_stand_in_shows_the_token() {
    let (telegram, mut bot) = start();
    for fault in [
        Fault::Html(404),
        Fault::Html(502),
        Fault::DropBefore,
        Fault::Cut,
        Fault::Refuse(401, "Unauthorized"),
    ] {
        telegram.fault("getMe", fault);
        let got = format!("{:?}", call(&mut bot, "getMe", json!({})));
        assert!(!got.contains("CANARY") && !got.contains("Done"), "{got}");
    }
    telegram.world().bots.get_mut(BOT_TOKEN).unwrap().is_revoked = true;
    let got = call(&mut bot, "getMe", json!({}));
    assert!(matches!(got, Outcome::Refused(refusal) if refusal.why == Why::Unauthorized));
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Message(_) => "message",
        What::Edited(_) => "edited",
        What::Press(_) => "press",
        What::Reaction(_) => "reaction",
        What::Member(_) => "member",
        What::PollAnswer(_) => "answer",
        What::Skipped(_) => "skipped",
    }
}
