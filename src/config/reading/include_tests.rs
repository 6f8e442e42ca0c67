//! Files that are included: what overrules what, and which are refused.
use super::*;
use crate::config::testing::Dir;
use serde_json::json;

fn run(dir: &Dir, value: Value) -> (Value, Vec<String>) {
    let (value, done) = resolve(value, &dir.path("main.json"), &mut |_| {});
    let root = dir.path("").display().to_string();
    let told = |i: &Issue| format!("{}|{}", i.path, i.message.replace(&root, "D/"));
    let told = done.issues.iter().map(|(issue, _)| told(issue)).collect();
    (value, told)
}

#[test]
fn files_are_merged_in_order_and_siblings_win() {
    let dir = Dir::new();
    dir.write("a.json", "{x: 1, list: [1], in: {p: 1}}");
    dir.write("b.json", "{x: 2, list: [2], in: {q: 2}}");
    dir.write("sub/c.json", "{$include: '../a.json', x: 3}");
    let check = |value: Value, want: Value| assert_eq!(run(&dir, value), (want, vec![]));
    check(json!({"$include": "a.json"}), json!({"x": 1, "list": [1], "in": {"p": 1}}));
    check(
        json!({"k": {"$include": ["./a.json", "b.json"], "x": 9}}),
        json!({"k": {"x": 9, "list": [1, 2], "in": {"p": 1, "q": 2}}}),
    );
    check(json!([{"$include": "sub/c.json"}]), json!([{"x": 3, "list": [1], "in": {"p": 1}}]));
}

#[test]
fn s_l12_includes_that_multiply_have_an_end() {
    let dir = Dir::new();
    for i in 0..9 {
        let next = format!("'m{}.json'", i + 1);
        dir.write(&format!("m{i}.json"), &format!("{{$include: [{}]}}", vec![next; 12].join(", ")));
    }
    dir.write("m9.json", "{}");
    let (_, told) = run(&dir, json!({"a": {"$include": "m0.json"}}));
    assert!(!told.is_empty() && told.iter().all(|told| told.starts_with("a|Too many includes")), "{told:?}");
}

/// S-L12: one file that is included very often is bounded by its bytes and its values, and told of a few times.
#[test]
fn s_l12_one_large_file_that_is_included_often_is_bounded() {
    let dir = Dir::new();
    let values = ["1"; 20_000].join(",");
    for (text, want) in [(format!("{{k: '{values}'}}"), 20..30), (format!("{{k: [{values}]}}"), 4..5)] {
        dir.write("big.json", &text);
        let often: serde_json::Map<String, Value> =
            (0..3000).map(|n| (format!("a{n}"), json!({"$include": "big.json"}))).collect();
        let (value, told) = run(&dir, Value::Object(often));
        let is_told = told.iter().all(|told| told.contains("|Too many includes"));
        assert!(told.len() == 20 && is_told, "{}", told.len());
        let read = value.as_object().unwrap().values().filter(|value| !value.is_null()).count();
        assert!(want.contains(&read), "{read}");
    }
}

#[test]
fn failures_say_where_and_why() {
    let dir = Dir::new();
    dir.write("loop.json", "{k: {$include: './loop.json'}}");
    dir.write("list.json", "[1]");
    dir.write("bad.json", "{a: ");
    for i in 0..11 {
        dir.write(&format!("d{i}.json"), &format!("{{n: {{$include: 'd{}.json'}}}}", i + 1));
    }
    let check = |value: Value, want: &str| {
        let (_, told) = run(&dir, value);
        assert!(told.len() == 1 && told[0].starts_with(want), "{told:?} against {want}");
    };
    check(
        json!({"a": {"$include": 5}}),
        "a|Invalid $include value: expected string or array of strings, got number",
    );
    check(
        json!({"a": {"$include": "no.json"}}),
        "a|Failed to read include file: no.json (resolved: D/no.json)",
    );
    check(json!({"a": {"$include": "bad.json"}}), "a|Failed to parse include file: bad.json");
    check(
        json!({"a": {"$include": "list.json", "b": 1}}),
        "a|Sibling keys require included content to be an object",
    );
    check(json!({"a": {"$include": "/dev/zero"}}), "a|Failed to read include file: /dev/zero");
    // What a failure leaves behind is no second mistake.
    dir.write("nested.json", "{$include: 'no.json'}");
    check(json!({"a": {"$include": "nested.json", "b": 1}}), "a|Failed to read include file: no.json");
    check(
        json!({"$include": "loop.json"}),
        "k|Circular include detected: D/main.json -> D/loop.json -> D/loop.json",
    );
    check(
        json!({"$include": "d0.json"}),
        "n.n.n.n.n.n.n.n.n.n|Maximum include depth (10) exceeded at: d10.json",
    );
}
