//! Updates of every kind, and what is wrong with some.
use super::super::media::{FileKind, Media};
use super::super::message::{ChatKind, Sender, Service};
use super::*;
use crate::json::json;

fn read(kind: &str, value: Value) -> What {
    Update::read(json!({"update_id": 7, kind: value})).unwrap().what
}

fn message(members: Value) -> super::super::message::Message {
    let mut value = json!({"message_id": 5, "date": 100, "chat": {"id": 1001, "type": "private", "first_name": "Ann"},
        "from": {"id": 1001, "is_bot": false, "first_name": "Ann", "username": "ann"}});
    let given = members.as_object().unwrap();
    value.as_object_mut().unwrap().extend(given.clone());
    match read("message", value) {
        What::Message(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_and_entities_are_taken_as_they_are() {
    let got = message(json!({"text": " a\n\tb \u{1f600}", "entities": [
        {"type": "text_link", "offset": 1, "length": 2, "url": "https://x"}, {"type": "bold", "offset": -1, "length": 2}, 5]}));
    assert_eq!((got.text.as_str(), got.entities.len(), got.is_caption), (" a\n\tb \u{1f600}", 1, false));
    assert_eq!(got.entities[0].url.as_deref(), Some("https://x"));
    assert_eq!((got.id, got.date, got.chat.kind, got.sender.id()), (5, 100, ChatKind::Private, Some(1001)));
    let got = message(json!({"caption": "c", "media_group_id": "77", "photo": [
        {"file_id": "small", "file_size": 1}, {"file_id": "large", "file_unique_id": "u"}]}));
    assert_eq!((got.text.as_str(), got.is_caption, got.album.as_deref()), ("c", true, Some("77")));
    let Media::File(photo) = &got.media[0] else { panic!() };
    assert_eq!((photo.id.as_str(), photo.size, photo.kind), ("large", None, FileKind::Photo));
}

#[test]
fn a_topics_root_is_no_reply_and_threads_of_replies_are_no_topics() {
    let forum = json!({"id": -1_001_234_567_890_i64, "type": "supergroup", "title": "F", "is_forum": true});
    let root = json!({"message_id": 42, "date": 1, "chat": forum, "forum_topic_created": {"name": "T"}});
    let got = message(
        json!({"chat": forum, "message_thread_id": 42, "is_topic_message": true, "reply_to_message": root, "text": "x"}),
    );
    assert_eq!((got.topic, got.reply, got.chat.id), (Some(42), None, -1_001_234_567_890));
    let general = message(json!({"chat": forum, "message_thread_id": 9, "text": "x"}));
    assert_eq!(general.topic, Some(1));
    let group = json!({"id": -1005, "type": "supergroup", "title": "G"});
    let target = json!({"message_id": 6, "date": 1, "chat": group, "from": {"id": 9, "is_bot": true}, "text": "what was said"});
    let got = message(
        json!({"chat": group, "message_thread_id": 6, "reply_to_message": target, "quote": {"text": "was"}}),
    );
    let reply = got.reply.unwrap();
    assert_eq!(
        (got.topic, reply.id, reply.text.as_str(), reply.quote.as_deref()),
        (None, Some(6), "what was said", Some("was"))
    );
}

#[test]
fn sec_33_anonymous_senders_are_their_chats() {
    let group = json!({"id": -1005, "type": "supergroup", "title": "G"});
    let admin = json!({"id": 1_087_968_824, "is_bot": true, "first_name": "Group"});
    let got = message(json!({"chat": group, "from": admin, "sender_chat": group}));
    assert_eq!(got.sender.id(), Some(-1005));
    let channel = json!({"id": -1009, "type": "channel", "title": "C"});
    let got =
        message(json!({"chat": group, "from": {"id": 136_817_688, "is_bot": true}, "sender_chat": channel}));
    assert!(matches!(got.sender, Sender::Chat(chat) if chat.id == -1009));
    let What::Reaction(react) = read(
        "message_reaction",
        json!({"chat": group, "message_id": 3, "date": 9, "actor_chat": group,
        "old_reaction": [{"type": "emoji", "emoji": "a"}], "new_reaction": [{"type": "emoji", "emoji": "b"}]}),
    ) else {
        panic!()
    };
    assert_eq!(
        (react.sender.id(), react.added, react.removed),
        (Some(-1005), vec!["b".to_string()], vec!["a".to_string()])
    );
}

#[test]
fn other_kinds_are_read_or_named() {
    let chat = json!({"id": 1001, "type": "private", "first_name": "Ann"});
    let ann = json!({"id": 1001, "first_name": "Ann"});
    // A message that is out of reach has a chat and an id only.
    let press = read(
        "callback_query",
        json!({"id": "q", "from": ann, "data": "d", "message": {"chat": chat, "message_id": 4, "date": 0}}),
    );
    let What::Press(press) = press else { panic!() };
    assert_eq!((press.data.as_str(), press.message_id, press.sender.id()), ("d", Some(4), Some(1001)));
    assert_eq!(press.chat.map(|chat| chat.id), Some(1001));
    let member = read(
        "my_chat_member",
        json!({"chat": chat, "from": ann, "old_chat_member": {"status": "member"}, "new_chat_member": {"status": "kicked"}}),
    );
    let What::Member(member) = member else { panic!() };
    assert_eq!((member.old.as_str(), member.new.as_str()), ("member", "kicked"));
    let answer = read("poll_answer", json!({"poll_id": "p", "user": ann, "option_ids": [0, 2]}));
    assert!(matches!(answer, What::PollAnswer(answer) if answer.options == [0, 2]));
    assert_eq!(read("guest_message", json!({})), What::Skipped("guest_message".into()));
    assert_eq!(read("message", json!({"text": "no chat"})), What::Skipped("message".into()));
    assert_eq!(Update::read(json!({"update_id": 7})).unwrap().what, What::Skipped("nothing".into()));
    for wrong in [json!(null), json!([]), json!({"update_id": "x"}), json!({"message": {}})] {
        assert_eq!(Update::read(wrong.clone()), None, "{wrong}");
    }
}

#[test]
fn services_forwards_files_and_places() {
    assert_eq!(message(json!({"migrate_to_chat_id": -1007})).service, Some(Service::MigratedTo(-1007)));
    assert_eq!(
        message(json!({"new_chat_members": []})).service,
        Some(Service::Other("new_chat_members".into()))
    );
    let got =
        message(json!({"forward_origin": {"type": "hidden_user", "sender_user_name": "Zed", "date": 9}}));
    let forward = got.forward.unwrap();
    assert_eq!(
        (forward.hidden_name.as_deref(), forward.date, forward.sender),
        (Some("Zed"), 9, Sender::Nobody)
    );
    let twin = json!({"file_id": "a", "mime_type": "video/mp4", "file_size": 3, "file_name": "a.mp4"});
    assert_eq!(message(json!({"animation": twin, "document": twin})).media.len(), 1);
    let sticker =
        message(json!({"sticker": {"file_id": "s", "emoji": "e", "set_name": "S", "is_video": true}}));
    assert!(
        matches!(&sticker.media[0], Media::File(file) if file.is_moving && file.set.as_deref() == Some("S"))
    );
    let place = message(
        json!({"venue": {"title": "Cafe", "address": "Main St", "location": {"latitude": 48.2, "longitude": 16.0}}}),
    );
    assert!(
        matches!(&place.media[0], Media::Place { name: Some(name), is_live: false, .. } if name == "Cafe")
    );
    let contact = message(json!({"contact": {"first_name": "Bob", "phone_number": "+43 1"}}));
    assert_eq!(contact.media, [Media::Contact { name: "Bob".into(), phone: "+43 1".into() }]);
    assert_eq!(message(json!({"dice": {"value": 3}})).media, [Media::Other("dice")]);
    assert!(message(json!({"business_connection_id": "b"})).is_business);
}
