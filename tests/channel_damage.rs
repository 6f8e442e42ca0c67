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
