//! `openclaw channels` and `openclaw message`, over the real binary and the strict stand-in of Telegram.
use super::cli::text;
use super::harness::telegram::{BOT_TOKEN, Fault, Telegram};
use super::harness::terminal::Terminal;
use super::harness::*;
use super::telegram::with_bot;
use std::io::Write;
use std::process::{Output, Stdio};

/// What a command printed that did what it was to do.
pub fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{:?}", text(output));
    text(output).0
}

/// What one said that did not.
pub fn fails(output: &Output) -> String {
    assert!(!output.status.success(), "{:?}", text(output));
    text(output).1
}

/// A gateway that is up, without a channel, whose config has a comment.
fn without(telegram: &Telegram) -> Gateway {
    let gateway = Gateway::start(&Setup::text(&format!(
        "{{\n  // mine\n  gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n  channels: {{telegram: {{apiRoot: '{}', enabled: false}}}},\n}}\n",
        telegram.root()
    )));
    Client::operator(&gateway, 4);
    gateway
}

fn connected(gateway: &Gateway, account: &str) -> Value {
    wait_for("a connected account", || {
        let told: Value = serde_json::from_str(&ok(&gateway.cli(&["channels", "status", "--json"]))).unwrap();
        let rows = told["channelAccounts"]["telegram"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["accountId"] == account && row["connected"] == true)
    })
}

#[test]
fn a_bot_is_added_tried_shown_signed_out_and_removed() {
    let telegram = Telegram::start();
    telegram.add_bot("2222:AAother_other_other_other_other_oth", "other_bot");
    let gateway = without(&telegram);
    assert!(ok(&gateway.cli(&["channels", "list"])).contains("- Telegram default: disabled, not configured"));
    for (token, want) in
        [("nonsense", "does not look like one"), ("5555:AAunknown_unknown_unknown_unknown", "does not know")]
    {
        let error = fails(&gateway.cli(&["channels", "add", "--token", token]));
        assert!(error.contains(want) && !error.contains("AAunknown"), "{error}");
    }
    let error = fails(&gateway.cli(&["channels", "add", "--token", "1:nonsense", "--no-probe"]));
    assert!(error.contains("does not look like one"), "{error}");
    let mut add = gateway::command(&gateway.dir);
    add.args(["channels", "add", "--channel", "telegram", "--token", "-", "--name", "Mine"]);
    add.env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string());
    let mut child = add.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{BOT_TOKEN}\n").as_bytes()).unwrap();
    let done = ok(&child.wait_with_output().unwrap());
    assert!(
        done.contains("Added Telegram account \"default\".") && done.contains("pairing approve telegram"),
        "{done}"
    );
    assert!(done.contains("@test_bot") && !done.contains(BOT_TOKEN), "{done}");
    connected(&gateway, "default");
    let file = gateway.dir.join("work.token");
    std::fs::write(&file, "2222:AAother_other_other_other_other_oth\n").unwrap();
    ok(&gateway.cli(&["channels", "add", "--account", "Work Bot", "--token-file", file.to_str().unwrap()]));
    connected(&gateway, "work-bot");
    connected(&gateway, "default");
    let config = std::fs::read_to_string(gateway.config_path()).unwrap();
    assert!(config.contains("// mine") && config.contains("tokenFile"), "{config}");
    let twice = fails(&gateway.cli(&["channels", "add", "--account", "third", "--token", BOT_TOKEN]));
    assert!(twice.contains("account default has this token already"), "{twice}");
    let list: Value = serde_json::from_str(&ok(&gateway.cli(&["channels", "list", "--json"]))).unwrap();
    assert_eq!(list, json!({"chat": {"telegram": ["default", "work-bot"]}, "auth": []}));
    let status = ok(&gateway.cli(&["channels", "status", "--probe"]));
    assert!(
        status.contains("Gateway reachable.\n- Telegram default (Mine): enabled, configured, running"),
        "{status}"
    );
    assert!(status.contains("bot:@test_bot, token:config, works"), "{status}");
    assert!(ok(&gateway.cli(&["channels", "remove", "--account", "work-bot"])).contains("Disabled"));
    assert!(
        ok(&gateway.cli(&["channels", "remove", "--account", "work-bot", "--delete"])).contains("Deleted")
    );
    assert!(ok(&gateway.cli(&["channels", "logout"])).contains("Logged out Telegram account \"default\"."));
    let config = std::fs::read_to_string(gateway.config_path()).unwrap();
    assert!(!config.contains(BOT_TOKEN) && config.contains("// mine"), "{config}");
    for (args, want) in [
        (&["channels", "logout"][..], "has no token"),
        (&["channels", "remove", "--account", "nope"], "has no account"),
        (&["channels", "login"], "does not support login"),
        (&["channels", "list", "--bogus"], "--bogus"),
        (&["channels", "add", "--channel", "telegarm", "--token", "x"], "did you mean telegram?"),
        (&["channels", "add"], "needs a terminal"),
        (&["channels", "add", "telegarm", "--token", "x"], "did you mean telegram?"),
        (&["channels", "remove", "telegram", "--channel", "telegram"], "name the channel once"),
    ] {
        let error = fails(&gateway.cli(args));
        assert!(error.contains(want), "{args:?}: {error}");
    }
}

#[test]
fn messages_go_out_by_the_gateway() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let (_server, gateway) = with_bot(&telegram, json!({}), vec![]);
    connected(&gateway, "default");
    telegram.says(1001, 1001, "/start");
    let sent = ok(&gateway.cli(&["message", "send", "--target", "1001", "-m", "hello **you**"]));
    assert!(sent.starts_with("✅ Sent via Telegram. Message ID: "), "{sent}");
    let told = ok(&gateway.cli(&[
        "message",
        "send",
        "-t",
        "telegram:1001",
        "-m",
        "two",
        "--json",
        "--channel",
        "telegram",
    ]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["action"], &told["dryRun"], &told["payload"]["ok"]),
        (&json!("send"), &json!(false), &json!(true)),
        "{told}"
    );
    assert_eq!(told["payload"]["chatId"], "1001");
    let texts = telegram.texts(1001);
    assert!(texts.contains(&"hello you".to_string()) && texts.contains(&"two".to_string()), "{texts:?}");
    let dry = ok(&gateway.cli(&["message", "send", "-t", "1001", "-m", "three", "--dry-run", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&dry).unwrap()["payload"]["to"], "telegram:1001");
    let dry = ok(&gateway.cli(&["message", "read", "-t", "1001", "--dry-run"]));
    assert_eq!(dry, "[dry-run] would run read via telegram\n");
    for (args, want) in [
        (&["message", "send", "-m", "x"][..], "required option '--target' not specified"),
        (&["message", "send", "-t", "ann", "-m", "x"], "Unknown target"),
        (&["message", "send", "-t", "1001", "--media", "/no/such/file"], "there is no such file"),
        (&["message", "send", "-t", "1001", "-m", " "], "give a text"),
        (
            &["message", "send", "-t", "1001", "-m", "x", "--buttons", "{}"],
            "buttons must be an array of button rows",
        ),
        (
            &["message", "send", "-t", "1001", "-m", "x", "--buttons", "[[{}]]"],
            "buttons[0][0] requires text and callback_data",
        ),
        (&["message", "poll", "-t", "1001", "--poll-question", "?", "--poll-option", "a"], "2 to 12 times"),
        (&["message", "edit", "-t", "1001", "-m", "x"], "required option '--message-id' not specified"),
        (&["message", "send", "-t", "1001", "-m", "x", "--channel", "irc"], "unsupported channel"),
    ] {
        let error = fails(&gateway.cli(args));
        assert!(error.contains(want), "{args:?}: {error}");
    }
}

#[test]
fn without_a_gateway_messages_fail_fast_and_status_shows_the_config() {
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let config = json!({"gateway": {"mode": "local"}, "channels": {"telegram": {"botToken": BOT_TOKEN}}});
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    let port = gateway::free_port().to_string();
    let run = |args: &[&str]| {
        let mut command = gateway::command(&dir);
        command.args(args).env("OPENCLAW_GATEWAY_PORT", &port).stdin(Stdio::null()).output().unwrap()
    };
    let start = std::time::Instant::now();
    let error = fails(&run(&["message", "send", "-t", "1001", "-m", "x"]));
    assert!(error.contains("Fix: ") && start.elapsed() < Duration::from_secs(3), "{error}");
    let status = run(&["channels", "status"]);
    let shown = ok(&status);
    assert!(
        shown.contains("showing config-only status")
            && shown.contains("- Telegram default: enabled, configured"),
        "{shown}"
    );
    // Once (issue 13, l).
    let told = text(&status).1;
    assert_eq!(told.to_lowercase().matches("gateway not reachable").count(), 1, "{told}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn who_is_let_in_is_told_when_asked() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.user(1002, "Bob", "bob");
    let (_server, gateway) =
        with_bot(&telegram, json!({"channels": {"telegram": {"dmPolicy": "pairing"}}}), vec![]);
    connected(&gateway, "default");
    telegram.says(1002, 1002, "let me in");
    let code = wait_for("the code", || {
        let list: Value =
            serde_json::from_str(&ok(&gateway.cli(&["pairing", "list", "telegram", "--json"]))).unwrap();
        list["requests"][0]["code"].as_str().map(str::to_string)
    });
    let done = ok(&gateway.cli(&["pairing", "approve", "telegram", &code, "--notify"]));
    assert!(done.contains("Approved telegram sender 1002."), "{done}");
    assert!(
        telegram.texts(1002).iter().any(|text| text.contains("access approved")),
        "{:?}",
        telegram.texts(1002)
    );
}

/// The token is asked for without being shown, tried, and asked for again when it is no good.
#[test]
fn sec_25_what_is_typed_as_a_token_is_tried_and_not_shown() {
    let telegram = Telegram::start();
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    let path = dir.join("home/.openclaw/openclaw.json");
    let text = format!(
        "{{\n  // mine\n  gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n  channels: {{telegram: {{apiRoot: '{}', enabled: false}}}},\n}}\n",
        telegram.root()
    );
    let typed = |args: &[&str], answers: &[(&str, &str)]| {
        std::fs::write(&path, &text).unwrap();
        let mut command = gateway::command(&dir);
        command.args(args);
        let mut terminal = Terminal::start(command, 80);
        let mut at = 0;
        for (question, answer) in answers {
            at = terminal.wait_text(at, question);
            wait_for("the end of the question", || terminal.text().ends_with(": ").then_some(()));
            terminal.type_line(answer);
        }
        let (status, shown) = terminal.end();
        assert_eq!(status, Some(0), "{shown}");
        assert!(!shown.contains("CANARY") && !shown.contains("AAunknown"), "{shown}");
        let config = std::fs::read_to_string(&path).unwrap();
        assert!(config.contains("// mine") && config.contains(BOT_TOKEN), "{config}");
        (shown, config)
    };
    let question = "Token of the Telegram bot";
    let (shown, _) = typed(
        &["channels", "add"],
        &[(question, "5555:AAunknown_unknown_unknown_unknown"), ("does not know", BOT_TOKEN)],
    );
    assert!(shown.contains("Added Telegram account") && shown.contains("@test_bot"), "{shown}");
    let (shown, config) = typed(
        &["configure", "--section", "channels"],
        &[
            ("Connect a Telegram bot?", "y"),
            (question, BOT_TOKEN),
            ("numeric Telegram id", "@ann"),
            ("names can change hands", "1001"),
        ],
    );
    assert!(shown.contains("it knows you") && config.contains("\"1001\""), "{shown} {config}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// A token that stands at the channel is the account `default`'s, and goes with it, as whom it let in does: the other account,
/// which went by that, keeps them in a file of its own.
#[test]
fn i11_5_an_account_that_is_deleted_leaves_nothing_of_itself() {
    let telegram = Telegram::start();
    telegram.add_bot("2222:AAother_other_other_other_other_oth", "other_bot");
    let section = json!({"apiRoot": telegram.root(), "botToken": BOT_TOKEN,
        "accounts": {"default": {}, "work": {"botToken": "2222:AAother_other_other_other_other_oth"}}});
    let allowed = json!({"version": 1, "allowFrom": ["1002"]}).to_string();
    let gateway = Gateway::start(
        &Setup::config(json!({"channels": {"telegram": section}}))
            .file("credentials/telegram-allowFrom.json", allowed),
    );
    connected(&gateway, "default");
    let of =
        |account: &str| gateway.state_dir().join(format!("credentials/telegram{account}-allowFrom.json"));
    let delete = |account: &str| ok(&gateway.cli(&["channels", "remove", "--account", account, "--delete"]));
    assert!(delete("default").contains("Deleted"));
    let config = std::fs::read_to_string(gateway.config_path()).unwrap();
    assert!(!config.contains(BOT_TOKEN) && config.contains("2222:AA") && !of("").exists(), "{config}");
    assert!(std::fs::read_to_string(of("-work")).unwrap().contains("\"1002\""));
    assert!(delete("work").contains("Deleted"));
    let config = std::fs::read_to_string(gateway.config_path()).unwrap();
    assert!(!config.contains("2222:AA") && !of("").exists() && !of("-work").exists(), "{config}");
    wait_for("no bot", || {
        let told = ok(&gateway.cli(&["channels", "status"]));
        (!told.contains("running")).then_some(())
    });
}

/// What was promised by an account that is removed then stands in `channels status`.
#[test]
fn i11_5_what_waits_for_an_account_that_is_gone_is_told() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    telegram.add_bot("2222:AAother_other_other_other_other_oth", "other_bot");
    let section = json!({"apiRoot": telegram.root(), "accounts": {"default": {"botToken": BOT_TOKEN},
        "two": {"botToken": "2222:AAother_other_other_other_other_oth"}}});
    let gateway = Gateway::start(&Setup::config(json!({"channels": {"telegram": section}})));
    connected(&gateway, "two");
    telegram.always("sendMessage", Some(Fault::Html(500)));
    let mut client = Client::operator(&gateway, 4);
    client.ask("send", json!({"channel": "telegram", "accountId": "two", "to": "1001", "message": "x", "idempotencyKey": "k"}));
    telegram.wait_calls("sendMessage", 1);
    ok(&gateway.cli(&["channels", "remove", "--account", "two", "--delete"]));
    let told = wait_for("the row", || {
        let told = ok(&gateway.cli(&["channels", "status"]));
        told.contains("not in the configuration").then_some(told)
    });
    assert!(told.contains("- Telegram two"), "{told}");
}
