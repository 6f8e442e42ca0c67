//! Tests of choosing, paging and resolving sessions.
use super::*;
use crate::sessions::Index;
use serde_json::json;
use std::path::Path;

fn index() -> Index {
    let mut index = Index::empty(Path::new("/d/sessions.json"));
    let mut add = |key: &str, id: &str, at: u64, label: &str| {
        let mut entry = Entry::new(id, at);
        entry.set("label", label);
        index.put(key, &entry);
    };
    add("agent:main:main", "s1", 60_000, "Home");
    add("agent:work:main", "s2", 120_000, "dup");
    add("agent:work:x:group:1", "s3", 90_000, "dup");
    add("agent:main:cron:j:run:s9", "s9", 1, "");
    add("global", "s4", 5, "");
    index
}

#[test]
fn lists_are_filtered_sorted_and_cut() {
    let index = index();
    let check = |filter: Value, want: &[&str]| {
        let read: Filter = crate::params::read(filter.clone()).unwrap();
        let (found, _) = choose(index.iter(), &read, 150_000, |_| true);
        let ids: Vec<_> = found.iter().map(|kept| kept.session_id().unwrap()).collect();
        assert_eq!(ids, want, "{filter}");
    };
    check(json!({}), &["s2", "s3", "s1"]);
    check(json!({"includeGlobal": true}), &["s2", "s3", "s1", "s4"]);
    check(json!({"limit": 1}), &["s2"]);
    check(json!({"activeMinutes": 1}), &["s2", "s3"]);
    check(json!({"agentId": "Work"}), &["s2", "s3"]);
    check(json!({"label": "Home"}), &["s1"]);
    check(json!({"search": "hOM"}), &["s1"]);
    check(json!({"search": "group"}), &["s3"]);
    check(json!({"spawnedBy": "x"}), &[]);
    check(json!({"limit": 1, "offset": 1}), &["s3"]);
    check(json!({"offset": 9}), &[]);
    check(json!({"archived": "all"}), &["s2", "s3", "s1"]);
    for none in [
        json!({"archived": true}),
        json!({"ownerId": "x"}),
        json!({"hasBoard": true}),
        json!({"boardFace": "dashboard"}),
    ] {
        check(none, &[]);
    }
}

#[test]
fn a_page_says_where_the_next_one_begins() {
    let check = |filter: Value, want: Value| {
        let filter: Filter = crate::params::read(filter).unwrap();
        let mut told = Map::new();
        choose(index().iter(), &filter, 0, |_| true).1.tell(&mut told);
        assert_eq!(Value::Object(told), want);
    };
    check(json!({}), json!({"totalCount": 3, "hasMore": false, "nextOffset": null}));
    check(json!({"limit": 2}), json!({"totalCount": 3, "hasMore": true, "nextOffset": 2, "limitApplied": 2}));
    check(
        json!({"limit": 1, "offset": 2}),
        json!({"totalCount": 3, "hasMore": false, "nextOffset": null, "limitApplied": 1, "offset": 2}),
    );
}

#[test]
fn rows_show_what_clients_use() {
    let mut entry = Entry::new("s", 5);
    entry.set("skillsSnapshot", json!({"big": 1}));
    entry.set("chatType", "group");
    let want = json!({"key": "k", "kind": "group", "chatType": "group", "updatedAt": 5, "sessionId": "s",
        "derivedTitle": "T", "hasActiveRun": false, "activeRunIds": []});
    assert_eq!(row("k", &entry, Some("T".into()), None, &[]), want);
    let busy = row("k", &entry, None, None, &["r".into()]);
    assert_eq!((&busy["activeRunIds"], &busy["status"]), (&json!(["r"]), &json!("running")));
}

#[test]
fn sessions_are_resolved_by_one_name() {
    let index = index();
    let check = |wanted: Value, want: std::result::Result<&str, &str>| {
        let got = resolve(index.iter(), &crate::params::read(wanted).unwrap(), &KeyRules::default());
        assert_eq!(got.as_ref().map(|key| key.as_deref().unwrap_or("")).map_err(|e| e.message()), want);
    };
    check(json!({"key": "main"}), Ok("agent:main:main"));
    check(json!({"sessionId": "s3"}), Ok("agent:work:x:group:1"));
    check(json!({"label": "Home"}), Ok("agent:main:main"));
    check(json!({"sessionId": "s4"}), Err("No session found: s4"));
    check(json!({"sessionId": "s4", "includeGlobal": true}), Ok("global"));
    check(json!({"key": "zz"}), Err("No session found: zz"));
    check(json!({"key": "zz", "allowMissing": true}), Ok(""));
    check(json!({"label": "zz"}), Err("No session found with label: zz"));
    check(
        json!({"label": "dup"}),
        Err("Multiple sessions found with label: dup (agent:work:main, agent:work:x:group:1)"),
    );
    check(json!({}), Err("Either key, sessionId, or label is required"));
    check(json!({"key": "a", "label": "b"}), Err("Provide either key, sessionId, or label (not multiple)"));
}

#[test]
fn a_page_is_the_same_whether_it_is_picked_or_sorted() {
    let mut index = Index::empty(Path::new("/d/sessions.json"));
    // Some are equally old: the order of the index decides.
    (0..700u64).for_each(|n| index.put(&format!("agent:main:{n}"), &Entry::new("s", n * 7919 % 211)));
    let keys = |offset: usize, limit: usize| -> Vec<String> {
        let filter = Filter { offset, limit: Some(limit), ..Filter::default() };
        let (found, page) = choose(index.iter(), &filter, 0, |key| !key.ends_with('3'));
        assert_eq!(page.total, 630);
        found.iter().map(|kept| kept.key().to_string()).collect()
    };
    let sorted = keys(0, 700);
    assert_eq!(sorted.len(), 630);
    for (offset, limit) in [(0, 1), (0, 50), (450, 50), (600, 100), (629, 5), (640, 3)] {
        let end = (offset + limit).min(sorted.len());
        assert_eq!(keys(offset, limit), sorted.get(offset..end).unwrap_or_default(), "{offset} {limit}");
    }
}
