//! What becomes one message, and what does not.
use super::*;
use crate::json::json;
use serde_json::Value;

/// A message of this id that came at this time, with these members.
fn part(id: i64, ts: u64, members: Value) -> Joined {
    let mut value =
        json!({"message_id": id, "date": 100, "chat": {"id": 7, "type": "private"}, "from": {"id": 7}});
    value.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let inbound = Inbound { id: id.to_string(), ts, ..Inbound::default() };
    Joined::alone(inbound, Message::read(&value).unwrap(), false)
}

fn text(id: i64, ts: u64, text: &str) -> Joined {
    part(id, ts, json!({"text": text}))
}

/// All that becomes of these: text, and the ids of what it answers.
fn joined(parts: Vec<Joined>, patience: u64) -> Vec<(String, Vec<String>)> {
    let mut joining = Joining::default();
    let mut all: Vec<Joined> = parts.into_iter().flat_map(|part| joining.add(part, patience)).collect();
    all.extend(joining.due(u64::MAX));
    let ids = |joined: &Joined| joined.inbound.iter().map(|inbound| inbound.id.clone()).collect();
    all.iter().map(|joined| (joined.message.text.clone(), ids(joined))).collect()
}

fn photo(id: i64, ts: u64, album: &str, caption: Option<&str>) -> Joined {
    part(
        id,
        ts,
        json!({"media_group_id": album, "photo": [{"file_id": format!("F{id}")}], "caption": caption}),
    )
}

#[test]
fn an_album_is_one_message_with_the_first_caption() {
    let parts =
        vec![photo(2, 0, "a", None), photo(1, 10, "a", Some("first")), photo(3, 400, "a", Some("second"))];
    let mut joining = Joining::default();
    assert!(parts.into_iter().all(|part| joining.add(part, 0).is_empty()));
    assert_eq!(joining.left(500), Some(400));
    let whole = joining.due(900).remove(0);
    assert_eq!((whole.message.text.as_str(), whole.message.id, whole.inbound.len()), ("first", 3, 3));
    let files: Vec<String> = whole.message.media.iter().map(|media| format!("{media:?}")).collect();
    assert!(
        files.iter().zip(["F1", "F2", "F3"]).all(|(file, id)| file.contains(id)),
        "in their order: {files:?}"
    );
    // Another album, or one that comes too late, is another message.
    assert_eq!(joined(vec![photo(1, 0, "a", None), photo(2, 1, "b", None)], 0).len(), 2);
    assert_eq!(joined(vec![photo(1, 0, "a", None), photo(2, 501, "a", None)], 0).len(), 2);
}

#[test]
fn a_long_text_that_came_in_pieces_is_one() {
    let (long, rest) = ("x".repeat(4000), "and so on");
    let whole = |parts| joined(parts, 0).len();
    assert_eq!(
        joined(vec![text(1, 0, &long), text(2, 1500, rest)], 0),
        [(format!("{long}{rest}"), vec!["2".to_string(), "1".to_string()])]
    );
    assert_eq!(whole(vec![text(1, 0, &long), text(3, 10, rest)]), 2, "not the next id");
    assert_eq!(whole(vec![text(1, 0, &long), text(2, 1501, rest)]), 2, "too late");
    assert_eq!(whole(vec![text(1, 0, &long), text(2, 1, "/stop")]), 2, "a command");
    assert_eq!(whole(vec![text(1, 0, &long[1..]), text(2, 1, rest)]), 2, "not long");
    assert_eq!(whole((1..=13).map(|id| text(id, 0, &long)).collect()), 2, "twelve pieces");
}

#[test]
fn quick_words_are_one_where_the_configuration_says_so() {
    let said = || {
        vec![
            text(1, 0, "a"),
            text(5, 200, "b"),
            text(6, 700, "c"),
            text(7, 701, "/status"),
            text(8, 702, "d"),
        ]
    };
    let texts = |patience| joined(said(), patience).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
    assert_eq!(texts(300), ["a\nb", "c", "/status", "d"]);
    assert_eq!(texts(0).len(), 5);
    // A picture ends it and comes behind it; others do not.
    let other = part(9, 1, json!({"text": "z", "from": {"id": 8}}));
    let all = joined(vec![text(1, 0, "a"), other, photo(2, 2, "p", None), text(3, 3, "b")], 300);
    assert_eq!(all.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), ["a", "", "z", "b"]);
}

#[test]
fn r_44_an_edit_reaches_what_still_waits() {
    let mut joining = Joining::default();
    joining.add(text(1, 0, "a"), 300);
    joining.add(text(2, 1, "b"), 300);
    let edited = text(1, 2, "better");
    assert!(joining.edit(&edited.inbound[0], &edited.message));
    assert!(!joining.edit(&edited.inbound[0], &text(9, 2, "x").message));
    let whole = joining.due(1000).remove(0);
    assert_eq!((whole.message.text.as_str(), whole.inbound.len()), ("better\nb", 3));
}

#[test]
fn entities_of_joined_texts_stay_where_they_are() {
    let link = json!({"text": "😀 x", "entities": [{"type": "code", "offset": 3, "length": 1}]});
    let mut joining = Joining::default();
    joining.add(text(1, 0, "😀"), 300);
    joining.add(part(2, 1, link), 300);
    let whole = joining.due(1000).remove(0).message;
    assert_eq!((whole.text.as_str(), whole.entities[0].offset), ("😀\n😀 x", 6));
}

/// What came when the clock went before: it was set back since, and the message waits no longer for that.
#[test]
fn i11_2_a_clock_that_was_set_back_holds_no_message_up() {
    let mut joining = Joining::default();
    assert!(joining.add(text(1, 86_400_000, "of tomorrow"), 100).is_empty());
    assert_eq!(joining.left(1000), Some(0));
    assert_eq!(joining.due(1000).remove(0).message.text, "of tomorrow");
}
