//! `openclaw pairing`: strangers who wait, by the files of the gateway's host, as the original program writes them.
use crate::harness::gateway::{command, new_dir};
use crate::harness::*;
use std::path::{Path, PathBuf};
use std::process::Output;

fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir).args(args).output().unwrap()
}

fn out(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn fails(dir: &Path, args: &[&str]) -> String {
    let output = run(dir, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A home with a stranger whom the original program told `Z86UMBHV`, and when that was.
fn with_a_stranger() -> (PathBuf, String) {
    let dir = new_dir();
    let at = jiff::Timestamp::now().to_string();
    let request = json!({
        "id": "1001", "code": "Z86UMBHV", "createdAt": at, "lastSeenAt": at,
        "meta": {"username": "ann", "firstName": "Ann", "lastName": "Lee"},
    });
    let old =
        json!({"id": "9", "code": "OLDOLDOL", "createdAt": "2026-01-01T00:00:00.000Z", "lastSeenAt": at});
    write(&dir, "telegram-pairing.json", &json!({"version": 1, "requests": [old, request]}).to_string());
    write(&dir, "telegram-allowFrom.json", "{\"version\":1,\"allowFrom\":[\"7\"]}");
    (dir, at)
}

fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join("home/.openclaw/credentials").join(name)
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = file(dir, name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn read(dir: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(file(dir, name)).unwrap()).unwrap()
}

#[test]
fn strangers_of_the_original_are_listed_and_let_in() {
    let (dir, at) = with_a_stranger();
    let list = out(&dir, &["pairing", "list", "telegram"]);
    assert!(list.starts_with("Pairing requests (1)\n"), "{list}");
    for word in ["Code", "telegramUserId", "Meta", "Requested", "Z86UMBHV", "1001", "\"username\":\"ann\""] {
        assert!(list.contains(word), "{word}: {list}");
    }
    let json = out(&dir, &["pairing", "list", "--channel", "Telegram", "--json"]);
    let meta = json!({"username": "ann", "firstName": "Ann", "lastName": "Lee"});
    let request = json!({"id": "1001", "code": "Z86UMBHV", "createdAt": at, "lastSeenAt": at, "meta": meta});
    let want = json!({"channel": "telegram", "requests": [request]});
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), want);

    let output = run(&dir, &["pairing", "approve", "telegram", "z86umbhv", "--notify"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Approved telegram sender 1001.\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("Failed to notify requester: "), "{stderr}");
    // As the original reads and writes them.
    assert_eq!(read(&dir, "telegram-allowFrom.json"), json!({"version": 1, "allowFrom": ["7", "1001"]}));
    assert_eq!(read(&dir, "telegram-pairing.json"), json!({"version": 1, "requests": []}));
    assert_eq!(out(&dir, &["pairing", "list", "telegram"]), "No pending telegram pairing requests.\n");
    assert_eq!(
        fails(&dir, &["pairing", "approve", "--channel", "telegram", "z86umbhv"]),
        "Error: No pending pairing request found for code: Z86UMBHV\n"
    );
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn r_41_an_account_has_files_of_its_own() {
    let (dir, at) = with_a_stranger();
    let request = json!({"id": "5", "code": "WORKWORK", "createdAt": at, "lastSeenAt": at, "meta": {"accountId": "work"}});
    write(&dir, "telegram-work-pairing.json", &json!({"version": 1, "requests": [request]}).to_string());
    assert!(out(&dir, &["pairing", "list", "telegram"]).starts_with("Pairing requests (2)"));
    let work = out(&dir, &["pairing", "list", "telegram", "--account", "work"]);
    assert!(work.contains("WORKWORK") && !work.contains("Z86UMBHV"), "{work}");
    assert!(
        fails(&dir, &["pairing", "approve", "telegram", "Z86UMBHV", "--account", "work"])
            .contains("No pending")
    );
    let done = out(&dir, &["pairing", "approve", "telegram", "WORKWORK"]);
    assert_eq!(done, "Approved telegram sender 5 (account work).\n");
    assert_eq!(read(&dir, "telegram-work-allowFrom.json")["allowFrom"], json!(["7", "5"]));
    assert_eq!(read(&dir, "telegram-allowFrom.json")["allowFrom"], json!(["7"]));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn mistakes_are_told_in_the_originals_words() {
    let (dir, _) = with_a_stranger();
    for (args, want) in [
        (
            &["pairing", "list"][..],
            "Channel required. Use --channel <channel> or pass it as the first argument.",
        ),
        (&["pairing", "list", "te le"], "Invalid channel: \"te le\""),
        (&["pairing", "list", "../x"], "Invalid channel: \"../x\""),
        (
            &["pairing", "list", "telegarm"],
            "Channel telegarm does not support pairing; did you mean telegram?",
        ),
        (&["pairing", "approve", "telegram"], "Usage: openclaw pairing approve <channel> <code>"),
        (
            &["pairing", "approve", "--channel", "telegram"],
            "Usage: openclaw pairing approve <channel> <code>",
        ),
        (
            &["pairing", "approve", "--channel", "telegram", "a", "b"],
            "Too many arguments. Use: openclaw pairing",
        ),
        (&["pairing", "approve", "telegram", "x"], "No pending pairing request found for code: X"),
        (
            &["pairing", "approve", "telegram", "OLDOLDOL"],
            "No pending pairing request found for code: OLDOLDOL",
        ),
    ] {
        let stderr = fails(&dir, args);
        assert!(stderr.contains(want), "{args:?}: {stderr}");
    }
    // What is elsewhere is not this machine's.
    let remote = json!({"gateway": {"mode": "remote", "remote": {"url": "ws://127.0.0.1:9"}}});
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), remote.to_string()).unwrap();
    assert!(fails(&dir, &["pairing", "list", "telegram"]).contains("the gateway is elsewhere"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn d16_a_damaged_file_is_told_and_kept() {
    let (dir, _) = with_a_stranger();
    write(&dir, "telegram-allowFrom.json", "{\"allowFrom\": [\"7\"");
    let output = run(&dir, &["pairing", "approve", "telegram", "Z86UMBHV"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && stderr.contains("It was moved to") && stderr.contains(".corrupt."),
        "{stderr}"
    );
    assert_eq!(read(&dir, "telegram-allowFrom.json")["allowFrom"], json!(["1001"]));
    write(&dir, "telegram-pairing.json", "nothing");
    let stderr = fails(&dir, &["pairing", "list", "telegram"]);
    assert!(stderr.contains("telegram-pairing.json: no JSON object with a list \"requests\""), "{stderr}");
    assert_eq!(std::fs::read_to_string(file(&dir, "telegram-pairing.json")).unwrap(), "nothing");
    std::fs::remove_dir_all(dir).unwrap();
}
