//! Telegram: what comes with messages, and messages that are one.
use super::harness::model::texts;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::*;
use super::telegram::{said, with_bot};
use std::os::unix::fs::PermissionsExt;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

fn people() -> Telegram {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.user(1002, "Bob", "bob");
    telegram
}

/// The model of the tests, when it can see.
fn seeing() -> Value {
    json!({"models": {"providers": {"test": {
        "models": [{"id": "m", "name": "Test model", "input": ["text", "image"]}]}}}})
}

fn file(telegram: &Telegram, name: &str, bytes: &[u8]) -> String {
    telegram.world().add_file(name, bytes)
}

fn photo(telegram: &Telegram, more: Value) -> Value {
    let id = file(telegram, "a.png", PNG);
    let mut message = json!({"photo": [{"file_id": id, "file_unique_id": "u", "file_size": PNG.len()}]});
    merge(&mut message, &more);
    message
}

/// The text and the number of pictures of the last message that the model was asked about.
fn asked(request: &Value) -> (String, usize) {
    let messages = request["body"]["messages"].as_array().unwrap();
    let content = &messages.iter().rev().find(|m| m["role"] == "user").unwrap()["content"];
    match content {
        Value::String(text) => (text.clone(), 0),
        other => {
            let parts = other.as_array().unwrap();
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            (texts.join("\n"), parts.iter().filter(|part| part["type"] == "image_url").count())
        }
    }
}

#[test]
fn r_34_pictures_are_seen_texts_are_read_and_files_are_named() {
    let telegram = people();
    let (server, gateway) = with_bot(&telegram, seeing(), vec![texts(&["ok"])]);
    telegram.sends(1001, 1001, photo(&telegram, json!({"caption": "what is it?"})));
    let (text, pictures) = asked(&server.requests(1)[0]);
    assert!(pictures == 1 && text.contains("what is it?") && text.contains("[media attached: "), "{text}");

    let notes = file(&telegram, "notes.txt", "milk and bread".as_bytes());
    let document =
        json!({"document": {"file_id": notes, "file_name": "notes.txt", "mime_type": "text/plain"}});
    telegram.sends(1001, 1001, document);
    let (text, _) = asked(&server.requests(2)[1]);
    assert!(text.contains("milk and bread") && text.contains("<media:document>"), "{text}");

    let voice = file(&telegram, "v.oga", &[0xff, 0xfb, 0, 1, 2, 3]);
    telegram.sends(1001, 1001, json!({"voice": {"file_id": voice, "mime_type": "audio/ogg", "duration": 2}}));
    let (text, _) = asked(&server.requests(3)[2]);
    assert!(text.contains("<media:audio>") && text.contains("(audio/ogg)"), "{text}");
    let path = text.split("[media attached: ").nth(1).unwrap().split(" (audio").next().unwrap().to_string();
    assert!(path.starts_with(gateway.state_dir().join("media/inbound").to_str().unwrap()), "{path}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(&path).unwrap(), [0xff, 0xfb, 0, 1, 2, 3]);

    telegram.sends(
        1001,
        1001,
        json!({"sticker": {"file_id": "S", "is_animated": true, "emoji": "😀", "set_name": "Cats"}}),
    );
    let (text, _) = asked(&server.requests(4)[3]);
    assert!(text.contains("[Sticker 😀 from \"Cats\"]"), "{text}");
    assert!(!gateway.log().contains("CANARY"));
}

#[test]
fn r_34_an_album_is_one_turn_and_a_bad_part_leaves_the_others() {
    let telegram = people();
    let (server, _gateway) = with_bot(&telegram, seeing(), vec![texts(&["nice"])]);
    let album = |more| merge_of(photo(&telegram, json!({"media_group_id": "77"})), more);
    let (first, second) = (album(json!({})), album(json!({"caption": "my cats"})));
    let gone = json!({"photo": [{"file_id": "GONE"}], "media_group_id": "77"});
    for part in [first, gone, second] {
        telegram.sends(1001, 1001, part);
    }
    said(&telegram, 1001, 1);
    let (text, pictures) = asked(&server.requests(1)[0]);
    assert!(pictures == 2 && text.contains("my cats") && text.contains("[media not available: "), "{text}");
    assert_eq!(server.count(), 1, "one turn");
}

fn merge_of(mut one: Value, more: Value) -> Value {
    merge(&mut one, &more);
    one
}

#[test]
fn r_34_too_large_is_answered_once_and_the_caption_is_kept() {
    let telegram = people();
    let small = json!({"channels": {"telegram": {"mediaMaxMb": 0.001}}});
    let (server, _gateway) = with_bot(&telegram, small, vec![texts(&["I see"])]);
    let id = file(&telegram, "big.png", &[1; 5000]);
    telegram.sends(1001, 1001, json!({"photo": [{"file_id": id}]}));
    assert_eq!(said(&telegram, 1001, 1), ["⚠️ File too large. Maximum size is 0.001MB."]);
    assert_eq!(server.count(), 0, "there was nothing to be answered");
    telegram.sends(
        1001,
        1001,
        json!({"photo": [{"file_id": id, "file_size": 5000}], "caption": "and this?"}),
    );
    let (text, _) = asked(&server.requests(1)[0]);
    assert!(
        text.contains("and this?") && text.contains("[media not available: larger than 0.001MB]"),
        "{text}"
    );
    let texts = said(&telegram, 1001, 3);
    assert_eq!(texts.iter().filter(|text| text.contains("0.001MB")).count(), 2, "{texts:?}");
}

#[test]
fn sec_33_nothing_is_fetched_for_a_stranger() {
    let telegram = people();
    let (server, _gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.sends(1002, 1002, photo(&telegram, json!({"caption": "look"})));
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    assert_eq!((telegram.calls("getFile").len(), server.count()), (0, 1));
}

#[test]
fn r_34_a_download_that_hangs_holds_up_nobody_else_and_what_follows_it_waits() {
    let telegram = people();
    let both = json!({"channels": {"telegram": {"allowFrom": ["1001", "1002"]}}, "session": {"dmScope": "per-peer"}});
    let (server, _gateway) = with_bot(&telegram, both, vec![texts(&["ok"])]);
    telegram.always("getFile", Some(Fault::HalfOpen));
    telegram.sends(1001, 1001, photo(&telegram, json!({"caption": "slow"})));
    telegram.says(1001, 1001, "after it");
    telegram.wait_calls("getFile", 1);
    let since = Instant::now();
    telegram.says(1002, 1002, "quick");
    said(&telegram, 1002, 1);
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    wait_within(Duration::from_secs(25), "the others", || (server.count() == 3).then_some(()));
    let requests = server.requests(3);
    let (slow, after) = (asked(&requests[1]).0, asked(&requests[2]).0);
    assert!(
        slow.contains("slow") && slow.contains("[media not available: ") && after.contains("after it"),
        "{slow}"
    );
}

#[test]
fn r_34_what_passes_is_tried_again() {
    let telegram = people();
    let (server, _gateway) = with_bot(&telegram, seeing(), vec![texts(&["ok"])]);
    telegram.fault("getFile", Fault::Refuse(400, "wrong file_id or the file is temporarily unavailable"));
    telegram.fault("file", Fault::Html(502));
    telegram.sends(1001, 1001, photo(&telegram, json!({"caption": "third time"})));
    let (text, pictures) = asked(&server.requests(1)[0]);
    assert_eq!((pictures, telegram.calls("getFile").len()), (1, 3), "{text}");
}

#[test]
fn r_34_a_download_that_says_nothing_is_tried_three_times() {
    let telegram = people();
    let (server, _gateway) = with_bot(&telegram, seeing(), vec![texts(&["ok"])]);
    (0..2).for_each(|_| telegram.fault("file", Fault::HalfOpen));
    let mut message = photo(&telegram, json!({"caption": "in the end"}));
    message["photo"][0].as_object_mut().unwrap().remove("file_size");
    let since = Instant::now();
    telegram.sends(1001, 1001, message);
    wait_within(Duration::from_secs(15), "the question", || (server.count() == 1).then_some(()));
    let (text, pictures) = asked(&server.requests(1)[0]);
    assert_eq!((pictures, telegram.calls("file").len()), (1, 3), "{text} after {:?}", since.elapsed());
}

#[test]
fn a_long_text_and_quick_words_are_one_turn() {
    let telegram = people();
    let quick = json!({"messages": {"inbound": {"debounceMs": 400}}});
    let (server, _gateway) = with_bot(&telegram, quick, vec![texts(&["ok"])]);
    let long = "x".repeat(4096);
    telegram.says(1001, 1001, &long);
    telegram.says(1001, 1001, "the rest");
    let (text, _) = asked(&server.requests(1)[0]);
    assert!(text.contains(&format!("{long}the rest")), "{text}");
    said(&telegram, 1001, 1);
    telegram.says(1001, 1001, "one");
    telegram.says(1001, 1001, "two");
    let (text, _) = asked(&server.requests(2)[1]);
    assert!(text.contains("one\ntwo"), "{text}");
    said(&telegram, 1001, 2);
    assert_eq!(server.count(), 2);
}

#[test]
fn r_07d_what_waited_to_be_joined_is_joined_after_a_crash() {
    let telegram = people();
    let (server, mut gateway) = with_bot(&telegram, json!({}), vec![texts(&["ok"])]);
    telegram.wait_calls("getUpdates", 1);
    let long = "x".repeat(4096);
    telegram.says(1001, 1001, &long);
    telegram.says(1001, 1001, "the rest");
    wait_for("both to be taken", || (telegram.pending(BOT_TOKEN) == 0).then_some(()));
    gateway.kill();
    assert_eq!(server.count(), 0, "it was waited for more");
    gateway.restart();
    let (text, _) = asked(&server.requests(1)[0]);
    assert!(text.contains(&format!("{long}the rest")), "{text}");
    said(&telegram, 1001, 1);
    gateway.kill();
    gateway.restart();
    telegram.says(1001, 1001, "and?");
    said(&telegram, 1001, 2);
    assert_eq!(server.count(), 2, "nothing is answered twice");
}
