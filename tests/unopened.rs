//! Files that cannot be opened for now, by their owner or a failing disk: they stay as they are, everybody who asks is told
//! why, and they are taken up again without a restart. Here a link that leads to itself stands in their place.
use crate::cli::{fails, json_of, out, text};
use crate::harness::model::texts;
use crate::harness::*;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Puts the file aside; gives where to.
fn shut(path: &Path) -> PathBuf {
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    symlink(path.file_name().unwrap(), path).unwrap();
    aside
}

fn entry(key: &str) -> String {
    json!({key: {"sessionId": "0b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a10", "updatedAt": 1795224708294u64}})
        .to_string()
}

#[test]
fn b_f11_an_index_that_cannot_be_opened_is_told_everywhere_and_taken_up_again_when_it_can() {
    let list = json!({"agents": {"list": [{"id": "main", "default": true}, {"id": "ops"}]}});
    let setup = Setup::config(list)
        .file("agents/main/sessions/sessions.json", entry("agent:main:main"))
        .file("agents/ops/sessions/sessions.json", entry("agent:ops:main"));
    let mut gateway = Gateway::start(&setup);
    gateway.stop();
    let index = gateway.state_dir().join("agents/ops/sessions/sessions.json");
    let aside = shut(&index);
    gateway.restart();
    let why = "links that lead in a circle";
    let told = |args: &[&str]| {
        let output = gateway.cli(args);
        let (stdout, stderr) = text(&output);
        (output.status.code().unwrap(), stdout + &stderr)
    };
    let (code, listed) = told(&["sessions"]);
    assert!(code == 1 && listed.contains("agent:main:main") && listed.contains(why), "{code} {listed}");
    let (code, status) = told(&["status"]);
    assert!(code == 0 && status.contains("those of ops cannot be read") && status.contains(why), "{status}");
    let (_, health) = told(&["health"]);
    assert!(health.contains("ops takes no work") && health.contains(why), "{health}");
    let doctor = told(&["doctor", "--only", "sessions"]).1;
    assert!(doctor.contains(why) && !doctor.contains("restart the gateway"), "{doctor}");
    for args in [
        &["agent", "--agent", "ops", "-m", "hi"][..],
        &["cron", "add", "--name", "j", "--every", "1h", "--message", "x", "--agent", "ops"],
        &["agents", "delete", "ops", "--force"],
    ] {
        let (code, refused) = fails(&gateway, args);
        assert!(code == 1 && refused.contains(why) && !refused.contains("unknown"), "{args:?}: {refused}");
    }
    let unread = Client::operator(&gateway, 4).ok("sessions.list", json!({}))["unreadAgents"].clone();
    assert_eq!(unread, json!(["ops"]));
    std::fs::rename(&aside, &index).unwrap();
    wait_for("the agent to work again", || {
        let (code, answer) = told(&["agent", "--agent", "ops", "-m", "hi"]);
        (code == 0).then_some(answer)
    });
    assert!(!out(&gateway, &["health"]).contains("takes no work"));
    let sessions = json_of(&gateway, &["sessions", "--json"]);
    assert_eq!(sessions["count"], 2, "{sessions}");
}

// N-12: the next command took the tokens for other gateways away.
#[test]
fn n_12_tokens_that_cannot_be_opened_are_not_replaced() {
    let gateway = Gateway::plain();
    out(&gateway, &["health"]);
    let tokens = gateway.state_dir().join("identity/device-auth.json");
    let aside = shut(&tokens);
    let (_, told) = fails(&gateway, &["health"]);
    assert!(told.contains("device-auth.json cannot be read, and are left as they are"), "{told}");
    assert!(tokens.is_symlink(), "it was replaced");
    // One thing fixes it, and one is told.
    std::fs::remove_file(&tokens).unwrap();
    std::fs::create_dir(&tokens).unwrap();
    let (_, told) = fails(&gateway, &["health"]);
    assert!(told.contains("not a regular file; move it away") && !told.contains("disk"), "{told}");
    std::fs::remove_dir(&tokens).unwrap();
    std::fs::rename(aside, &tokens).unwrap();
    out(&gateway, &["health"]);
}

#[test]
fn b_f11_a_file_where_a_directory_belongs_is_named() {
    let gateway = Gateway::start(&Setup::default().file("agents", ""));
    let why = "agents is a file: move it away, a directory belongs there";
    let (_, told) = fails(&gateway, &["agent", "-m", "hi"]);
    assert!(told.contains(why), "{told}");
    let (doctor, _) = text(&gateway.cli(&["doctor", "--only", "sessions"]));
    assert!(doctor.contains(why), "{doctor}");
    std::fs::remove_file(gateway.state_dir().join("agents")).unwrap();
    wait_for("an answer", || gateway.cli(&["agent", "-m", "hi"]).status.success().then_some(()));
}

/// What a chat was promised is kept: nobody else has to ask first.
#[test]
fn r_08_a_message_for_an_index_that_could_not_be_opened_is_answered_when_it_can() {
    let telegram = crate::telegram::ann();
    let replies = vec![texts(&["first"]), texts(&["second"])];
    let (_server, mut gateway) = crate::telegram::with_bot(&telegram, json!({}), replies);
    telegram.says(1001, 1001, "one");
    crate::telegram::said(&telegram, 1001, 1);
    gateway.stop();
    let index = gateway.state_dir().join("agents/main/sessions/sessions.json");
    let aside = shut(&index);
    gateway.restart();
    telegram.says(1001, 1001, "two");
    let told = crate::telegram::said(&telegram, 1001, 2);
    assert!(told[1].contains("within an hour"), "{told:?}");
    std::fs::rename(&aside, &index).unwrap();
    assert_eq!(crate::telegram::said(&telegram, 1001, 3)[2], "second");
}
