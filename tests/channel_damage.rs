//! Mistakes in a channel's section, over the real binary: each costs its key or its account, and is told where one looks.
use super::channels_cli::ok;
use super::cli::text;
use super::harness::telegram::{BOT_TOKEN, Telegram};
use super::harness::*;

const OTHER: &str = "2222:AAother_other_other_other_other_oth";

/// B-F25: a damaged account shuts itself alone, a damaged word of how one speaks only falls back.
#[test]
fn b_f25_a_damaged_account_costs_that_account_and_a_damaged_key_that_key() {
    let telegram = Telegram::start();
    telegram.add_bot(OTHER, "other_bot");
    let gateway = Gateway::start(&Setup::text(&format!(
        "{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}, channels: {{telegram: {{apiRoot: '{}', botToken: 'x', \
         accounts: {{\n default: {{botToken: '{BOT_TOKEN}'}},\n odd: {{botToken: '{OTHER}', historyLimit: 'many'}},\n \
         none: 7,\n shut: {{dmPolicy: 5}},\n }}}}}}}}",
        telegram.root()
    )));
    let mut client = Client::operator(&gateway, 4);
    let rows = wait_for("two accounts that run", || {
        let told = client.ok("channels.status", json!({}));
        let rows = told["channelAccounts"]["telegram"].as_array().cloned().unwrap_or_default();
        (rows.iter().filter(|row| row["connected"] == true).count() == 2).then_some(rows)
    });
    let row = |id: &str| rows.iter().find(|row| row["accountId"] == id).cloned().unwrap();
    assert_eq!((&row("default")["connected"], &row("odd")["connected"]), (&json!(true), &json!(true)));
    for (id, wanted) in [
        ("none", "channels.telegram.accounts.none: expected an object, got another number"),
        ("shut", "channels.telegram.accounts.shut.dmPolicy: expected one of"),
    ] {
        let row = row(id);
        assert_eq!((&row["enabled"], &row["running"]), (&json!(false), &json!(false)), "{row}");
        let why = row["lastError"].as_str().unwrap();
        assert!(
            why.starts_with(wanted) && why.contains(&format!("accounts.{id} is disabled until")),
            "{why}"
        );
    }
    let refused = client.fails(
        "send",
        json!({"to": "5", "message": "x", "channel": "telegram", "accountId": "shut", "idempotencyKey": "k"}),
    );
    assert!(
        refused["message"].as_str().unwrap().contains("account shut is shut: channels.telegram"),
        "{refused}"
    );
    let shown = ok(&gateway.cli(&["channels", "status"]));
    assert!(
        shown.contains("- Telegram shut: disabled") && shown.contains("accounts.shut.dmPolicy"),
        "{shown}"
    );
    let judged = gateway.cli(&["config", "validate"]);
    assert!(!judged.status.success());
    let told = text(&judged).0 + &text(&judged).1;
    let doctor = text(&gateway.cli(&["doctor", "--non-interactive"]));
    for told in [told, doctor.0 + &doctor.1] {
        for place in ["accounts.none", "accounts.shut.dmPolicy", "accounts.odd.historyLimit"] {
            assert!(told.contains(place), "{place}: {told}");
        }
    }
}

/// What the gateway says of an account.
fn account(client: &mut Client, id: &str) -> Value {
    let told = client.ok("channels.status", json!({}));
    let rows = told["channelAccounts"]["telegram"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["accountId"] == id).unwrap_or_default()
}

/// B-F25 while the gateway runs: the account with the mistake stays as it was, and all else of the file is taken.
#[test]
fn b_f25_a_mistake_that_comes_later_leaves_its_account_as_it_was_and_the_file_is_taken() {
    let telegram = Telegram::start();
    telegram.add_bot(OTHER, "other_bot");
    let write = |gateway: Option<&Gateway>, name: &str, default: &str, other: &str| {
        let text = format!(
            "{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}, ui: {{assistant: {{name: '{name}'}}}},\n \
             channels: {{telegram: {{apiRoot: '{}', accounts: {{\n default: {{botToken: '{BOT_TOKEN}', {default}}},\n \
             {other}}}}}}}}}",
            telegram.root()
        );
        match gateway {
            Some(gateway) => std::fs::write(gateway.config_path(), &text).unwrap(),
            None => return Some(Setup::text(&text)),
        }
        None
    };
    let odd = |more: &str| format!("odd: {{botToken: '{OTHER}', historyLimit: 7, {more}}}");
    let gateway = Gateway::start(&write(None, "One", "", &odd("dmPolicy: 'disabled'")).unwrap());
    let mut client = Client::operator(&gateway, 4);
    let named = |client: &mut Client, name: &str| {
        wait_for(name, || (client.ok("agent.identity.get", json!({}))["name"] == name).then_some(()));
    };
    let is_up = |client: &mut Client, id: &str| {
        wait_for(id, || Some(account(client, id)).filter(|row| row["connected"] == true))
    };
    let before = ["default", "odd"].map(|id| is_up(&mut client, id));
    let none = "new: {botToken: 5}";
    write(
        Some(&gateway),
        "Two",
        "dmPolicy: 'open', allowFrom: ['*']",
        &format!("{}, {none}", odd("dmPolicy: 5")),
    );
    named(&mut client, "Two");
    let after = ["default", "odd"].map(|id| is_up(&mut client, id));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["lastStartAt"], after["lastStartAt"], "{after}");
    }
    assert_eq!((&after[0]["dmPolicy"], &after[1]["dmPolicy"]), (&json!("open"), &json!("disabled")));
    assert!(after[0].get("configProblem").is_none(), "{}", after[0]);
    let why = after[1]["configProblem"].as_str().unwrap();
    assert!(
        why.starts_with("channels.telegram.accounts.odd.dmPolicy: expected one of")
            && why.contains("; channels.telegram.accounts.odd stays as it was until this is corrected")
            && why.contains("openclaw.json:4:"),
        "{why}"
    );
    let new = account(&mut client, "new");
    let shut = new["lastError"].as_str().unwrap();
    assert!(shut.contains("accounts.new is disabled until") && new["running"] == false, "{new}");
    let log = gateway.stdout();
    assert!(log.contains(why) && log.contains("accounts.new is disabled until"), "{log}");
    let invalid = client.ok("health", json!({}))["configInvalid"].clone();
    assert_eq!((&invalid["partly"], &invalid["line"]), (&json!(true), &json!(4)), "{invalid}");
    let shown = ok(&gateway.cli(&["channels", "status"]));
    assert!(shown.contains("A change of it is not in force: channels.telegram.accounts.odd"), "{shown}");
    let shown = ok(&gateway.cli(&["health"]));
    assert!(shown.contains("only what it concerns is not in force"), "{shown}");
    // Commands that read the file say what the gateway made of it.
    for command in ["status", "doctor"] {
        let (shown, _) = text(&gateway.cli(&[command]));
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            shown.contains("accounts.odd stays as it was until") && !shown.contains("odd is disabled"),
            "{shown}"
        );
    }
    // The next change, with the mistake still there, and one in the channel's own keys, and then none.
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    let text = text.replace("'Two'", "'Three'").replace("telegram: {api", "telegram: {groupPolicy: 7, api");
    std::fs::write(gateway.config_path(), text).unwrap();
    named(&mut client, "Three");
    let row = is_up(&mut client, "default");
    assert!(row["configProblem"].as_str().unwrap().starts_with("channels.telegram.groupPolicy: "), "{row}");
    assert_eq!((&row["lastStartAt"], &row["dmPolicy"]), (&before[0]["lastStartAt"], &json!("open")), "{row}");
    write(Some(&gateway), "Four", "", &odd("dmPolicy: 'allowlist'"));
    named(&mut client, "Four");
    let row = is_up(&mut client, "odd");
    assert_eq!((&row["dmPolicy"], row.get("configProblem")), (&json!("allowlist"), None), "{row}");
    wait_for("the mistake to be forgotten", || {
        client.ok("health", json!({}))["configInvalid"].is_null().then_some(())
    });
}
