//! Issue 10: whatever a command, a method or a check does for the channel that is built in it does for one that a program
//! speaks for.
use super::channel_programs::{Platform, config};
use super::channels_cli::{fails, ok};
use super::harness::gateway::new_dir;
use super::harness::*;
use std::os::unix::fs::PermissionsExt;

fn linked(client: &mut Client, channel: &str) {
    wait_for("a linked account", || {
        let status = client.ok("channels.status", json!({}));
        (status["channelAccounts"][channel][0]["connected"] == true).then_some(())
    });
}

#[test]
fn i10_an_agents_answer_is_delivered_by_a_program() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![model::texts(&["one"]), model::texts(&["two"])]);
    let channels = json!({"echo": platform.section(), "telegram": {"enabled": false}});
    let gateway = Gateway::start(&Setup::config(config(&server, channels)));
    let mut client = Client::operator(&gateway, 4);
    linked(&mut client, "echo");
    let asked = json!({"message": "hi", "replyChannel": "Echo", "replyTo": "ann", "deliver": true,
        "sessionKey": "main", "idempotencyKey": "k1"});
    client.ok("agent", asked);
    wait_for("the answer", || (platform.heard().get("ann")? == &["one"]).then_some(()));
    ok(&gateway.cli(&["agent", "--message", "hi", "--channel", "echo", "--to", "bob", "--deliver"]));
    wait_for("the other answer", || (platform.heard().get("bob")? == &["two"]).then_some(()));
    let wrong = json!({"message": "hi", "channel": "ecko", "sessionKey": "main", "idempotencyKey": "k2"});
    let e = client.call("agent", wrong).unwrap_err();
    assert!(e["message"].as_str().unwrap().contains("unknown channel: ecko"), "{e}");
}

#[test]
fn i10_strangers_of_a_program_are_listed_and_let_in() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![model::texts(&["welcome"])]);
    let mut section = platform.section();
    merge(&mut section, &json!({"dmPolicy": "pairing", "allowFrom": ["ann"]}));
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    let none = ok(&gateway.cli(&["pairing", "list", "echo"]));
    assert!(none.contains("No pending echo pairing requests"), "{none}");
    assert!(fails(&gateway.cli(&["pairing", "list", "ecko"])).contains("does not support pairing"));
    platform.says("bob", 1, "let me in");
    wait_for("the code", || platform.heard().contains_key("bob").then_some(()));
    let mut client = Client::operator(&gateway, 4);
    let list = client.ok("channels.pairing.list", json!({}));
    let request = &list["requests"][0];
    assert_eq!((&request["channel"], &request["id"]), (&json!("echo"), &json!("bob")), "{list}");
    assert!(
        list["accounts"].as_array().unwrap().contains(&json!({"channel": "echo", "accountId": "default"}))
    );
    let approved = json!({"channel": "echo", "code": request["code"]});
    assert_eq!(client.ok("channels.pairing.approve", approved)["id"], "bob");
    platform.says("bob", 2, "hello");
    wait_for("the answer", || (platform.heard()["bob"].last()? == "welcome").then_some(()));
}

/// A program that nobody named is found, and is then told of nowhere as missing.
#[test]
fn i10_a_channel_whose_program_is_found_is_not_called_absent() {
    let (platform, dir) = (Platform::new(), new_dir());
    let file = dir.join("openclaw-slack");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/channel_echo.py");
    std::fs::write(&file, format!("#!/bin/sh\nexec python3 {example}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = ModelServer::start(vec![]);
    let mut section = platform.section();
    section.as_object_mut().unwrap().remove("command");
    let path = "/usr/local/bin:/usr/bin:/bin";
    let with = format!("{}:{path}", dir.display());
    let setup = Setup::config(config(&server, json!({"slack": section}))).env("PATH", &with);
    let gateway = Gateway::start(&setup);
    linked(&mut Client::operator(&gateway, 4), "slack");
    assert!(!gateway.log().contains("slack)"), "{}", gateway.log());
    let port = gateway.port.to_string();
    let told = |path: &str| {
        let vars = [("OPENCLAW_GATEWAY_PORT", &*port), ("OPENCLAW_GATEWAY_TOKEN", TOKEN), ("PATH", path)];
        let run = |args: &[&str]| String::from_utf8(gateway.cli_env(args, &vars).stdout).unwrap();
        [&["doctor", "--only", "unsupported"][..], &["status"], &["channels", "list"]].map(run)
    };
    let [doctor, status, list] = told(&with);
    assert!(!doctor.contains("slack") && !status.contains("(slack)"), "{doctor}\n{status}");
    assert!(list.contains("- Slack default: "), "{list}");
    let [doctor, status, list] = told(path);
    assert!(
        doctor.contains("1 channel (slack)") && status.contains("1 channel (slack)"),
        "{doctor}\n{status}"
    );
    assert!(list.contains("- none"), "{list}");
    std::fs::remove_dir_all(dir).unwrap();
}

const FORGETS: &str = "import sys,json\n\
    say=lambda **l:print(json.dumps(l),flush=True)\n\
    sys.stdin.readline()\n\
    say(type='hello',version=1)\n\
    say(type='status',connected=True,linked=True)\n\
    for line in sys.stdin:\n \
    if json.loads(line)['type']=='logout': say(type='logged_out')\n";

#[test]
fn i10_the_commands_of_channels_know_programs() {
    let section = json!({"command": ["python3", "-c", FORGETS], "dmPolicy": "open", "allowFrom": ["*"]});
    let gateway = Gateway::start(&Setup::config(json!({"channels": {"mychat": section}})));
    let mut client = Client::operator(&gateway, 4);
    linked(&mut client, "mychat");
    let list: Value = serde_json::from_str(&ok(&gateway.cli(&["channels", "list", "--json"]))).unwrap();
    assert_eq!(list["chat"], json!({"mychat": ["default"]}));
    let told = ok(&gateway.cli(&["channels"]));
    assert!(told.contains("- Mychat default: enabled"), "{told}");
    let told = fails(&gateway.cli(&["channels", "add", "--channel", "mychat"]));
    assert!(told.contains("Channel mychat takes no token here. Its program signs in by itself"), "{told}");
    let told = ok(&gateway.cli(&["channels", "login", "--channel", "mychat"]));
    assert_eq!(told, "Mychat account \"default\" is linked.\n");
    let told = fails(&gateway.cli(&["channels", "logout", "--channel", "mychatt"]));
    assert!(told.contains("Unknown channel: \"mychatt\"; did you mean mychat?"), "{told}");
    let doctor = gateway.cli(&["doctor", "--only", "channels"]);
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.contains("channels.mychat.dmPolicy is open"), "{doctor}");
    // The only one that is set up is meant.
    let told = ok(&gateway.cli(&["channels", "logout"]));
    assert!(told.contains("Logged out Mychat account \"default\""), "{told}");
    let row = &client.ok("channels.status", json!({}))["channelAccounts"]["mychat"][0];
    assert_eq!(row["linked"], false, "{row}");
    ok(&gateway.cli(&["channels", "remove", "--channel", "mychat"]));
    let whole = || -> Value {
        serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap()
    };
    assert_eq!(whole()["channels"]["mychat"]["enabled"], false);
    ok(&gateway.cli(&["channels", "remove", "--channel", "mychat", "--delete"]));
    assert_eq!(whole()["channels"].get("mychat"), None);
}

/// Issue 10.4: nothing is logged as reloaded that was not; what is started and ended is.
#[test]
fn i10_4_a_reload_says_what_was_done() {
    let mut all = json!({"channels": {"discord": {"enabled": false, "token": "a"}, "slack": {"botToken": "a"},
        "telegram": {"enabled": false}, "mychat": {"command": ["python3", "-c", FORGETS], "x": 1}}});
    let gateway = Gateway::start(&Setup::config(all.clone()));
    linked(&mut Client::operator(&gateway, 4), "mychat");
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    merge(&mut all, &serde_json::from_str(&text).unwrap());
    let lines = || -> Vec<String> {
        let log = gateway.log();
        let mine = log.lines().filter(|l| l.contains("gateway/workers") || l.contains(" changed: "));
        mine.map(str::to_string).collect()
    };
    let mut change = |over: Value, want: &[&str]| {
        let before = lines().len();
        merge(&mut all, &over);
        std::fs::write(gateway.config_path(), all.to_string()).unwrap();
        let told = wait_for(want[want.len() - 1], || {
            let told = lines().split_off(before);
            (told.len() >= want.len()).then_some(told)
        });
        for want in want {
            assert!(told.iter().any(|line| line.contains(want)), "{want}: {told:#?}");
        }
        assert!(told.iter().all(|line| !line.contains("reload channels")));
    };
    change(
        json!({"channels": {"discord": {"token": "b"}}}),
        &["noted for channels (channels.discord.token)"],
    );
    change(
        json!({"channels": {"telegram": {"historyLimit": 5}}}),
        &["noted for channels (channels.telegram.historyLimit)"],
    );
    change(
        json!({"channels": {"mychat": {"allowFrom": ["ann"]}}}),
        &["noted for channels (channels.mychat.allowFrom)"],
    );
    change(json!({"channels": {"slack": {"botToken": "b"}}}), &["noted for channels", "is tried again"]);
    change(json!({"channels": {"mychat": {"x": 2}}}), &["noted for channels", "is started anew"]);
    change(json!({"channels": {"mychat": {"enabled": false}}}), &["noted for channels", "is ended"]);
    change(json!({"channels": {"mychat": {"enabled": true}}}), &["noted for channels", "is started"]);
}
