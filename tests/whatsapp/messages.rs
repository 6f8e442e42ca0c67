//! Texts both ways through the gateway.
use super::Setting;
use super::harness::*;
use super::server::{ANN, HIDDEN, Heard};
use waproto::whatsapp as wa;
use whatsapp_rust::buffa::MessageField;

fn texts(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(|one| one.text.clone().unwrap_or_else(|| "?".into())).collect()
}

#[test]
fn i17_4_a_text_is_answered_in_whatsapps_own_marks_and_read_by_then() {
    let setting = Setting::linked(vec![model::texts(&["hello **Ann**"])], json!({}));
    let id = setting.server.text(ANN, "hi there");
    let heard = wait_for("the answer", || Some(setting.server.heard()).filter(|heard| !heard.is_empty()));
    assert_eq!(texts(&heard), ["hello *Ann*"]);
    assert_eq!(heard[0].to, ANN);
    let asked = model::last_user_text(&setting.model.requests(1)[0]["body"]);
    assert!(
        asked.starts_with("[WhatsApp Ann id:+15550002222 ") && asked.contains("] hi there\n[message_id: "),
        "{asked}"
    );
    wait_for("the receipts", || {
        let state = setting.server.lock();
        let has = |what: &str| state.seen.iter().any(|seen| seen == what);
        (state.acked.contains(&id) && has(&format!("receipt read {id}")) && has("chatstate  composing"))
            .then_some(())
    });
}

/// R-54a, R-54e: brought again and again until it is acknowledged, answered once; the same words again are another message.
#[test]
fn r_54a_what_is_brought_twice_is_answered_once() {
    let replies = vec![model::texts(&["one"]), model::texts(&["two"])];
    let setting = Setting::linked(replies, json!({}));
    let first = setting.server.text(ANN, "hi");
    wait_for("the first answer", || (setting.server.heard().len() == 1).then_some(()));
    let again = setting.server.lock().again(&first);
    setting.server.lock().say(again);
    setting.server.text(ANN, "hi");
    let heard =
        wait_for("the second answer", || Some(setting.server.heard()).filter(|heard| heard.len() == 2));
    assert_eq!(texts(&heard), ["one", "two"]);
    assert_eq!(setting.model.count(), 2);
}

/// R-54c: somebody is the same person by his number and by his hidden id.
#[test]
fn r_54c_a_hidden_id_is_the_number_that_comes_with_it() {
    let setting = Setting::linked(vec![model::texts(&["one"]), model::texts(&["two"])], json!({}));
    setting.server.text(ANN, "by number");
    wait_for("the first answer", || (setting.server.heard().len() == 1).then_some(()));
    let text = wa::Message { conversation: Some("by hidden id".into()), ..Default::default() };
    setting.server.message(ANN, Some("900000000002@lid"), text);
    let asked = &setting.model.requests(2)[1]["body"];
    let asked = asked["messages"].to_string();
    assert!(asked.contains("by number") && asked.contains("by hidden id"), "two sessions: {asked}");
    assert_ne!(HIDDEN, "900000000002");
}

/// R-53a, R-53c: a message that WhatsApp has not acknowledged goes again under the same id.
#[test]
fn r_53a_what_was_not_acknowledged_goes_again_as_the_same_message() {
    let setting = Setting::linked(vec![], json!({}));
    setting.server.lock().is_mute = true;
    let mut client = setting.client();
    let params =
        json!({"to": "+15550002222", "channel": "whatsapp", "message": "once", "idempotencyKey": "key-1"});
    let asked = client.ask("send", params.clone());
    wait_for("the message", || (setting.server.heard().len() == 1).then_some(()));
    setting.server.lock().is_mute = false;
    setting.server.end(vec![]);
    let told = client.answer(&asked).unwrap();
    let heard = setting.server.heard();
    assert!(heard.len() >= 2 && heard.iter().all(|one| one.id == heard[0].id), "{heard:?}");
    assert_eq!(told["messageId"], heard[0].id.as_str(), "{told}");
    assert_eq!(client.ok("send", params)["messageId"], heard[0].id.as_str());
    assert_eq!(setting.server.heard().len(), heard.len());
}

#[test]
fn i17_4_reactions_quotes_and_edits_are_told() {
    let setting = Setting::linked(vec![model::texts(&["first"]), model::texts(&["second"])], json!({}));
    setting.server.text(ANN, "hi");
    let heard = wait_for("the answer", || setting.server.heard().pop());
    let key = wa::MessageKey {
        id: Some(heard.id.clone()),
        from_me: Some(true),
        remote_jid: Some(ANN.into()),
        ..Default::default()
    };
    let reaction = wa::message::ReactionMessage {
        key: MessageField::some(key),
        text: Some("\u{1f44d}".into()),
        ..Default::default()
    };
    setting.server.message(
        ANN,
        None,
        wa::Message { reaction_message: MessageField::some(reaction), ..Default::default() },
    );
    let context = wa::ContextInfo {
        stanza_id: Some(heard.id),
        participant: Some("15550001111@s.whatsapp.net".into()),
        quoted_message: MessageField::some(wa::Message {
            conversation: Some("first".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let text = wa::message::ExtendedTextMessage {
        text: Some("what do you mean".into()),
        context_info: MessageField::some(context),
        ..Default::default()
    };
    setting.server.message(
        ANN,
        None,
        wa::Message { extended_text_message: MessageField::some(text), ..Default::default() },
    );
    let asked = model::last_user_text(&setting.model.requests(2)[1]["body"]);
    assert!(asked.contains("WhatsApp reaction added: \u{1f44d} by Ann"), "{asked}");
    assert!(asked.contains("[Replying to you]\nfirst\n[/Replying]"), "{asked}");
}

#[test]
fn i17_4_the_owner_reacts_and_sends_long_texts_in_order() {
    let setting = Setting::linked(vec![], json!({"textChunkLimit": 100}));
    let mut client = setting.client();
    let words = (0..60).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
    client.ok(
        "send",
        json!({"to": "+15550002222", "channel": "whatsapp", "message": words, "idempotencyKey": "long"}),
    );
    let heard = setting.server.heard();
    assert!(heard.len() >= 4 && texts(&heard).join(" ") == words, "{heard:?}");
    let bad = json!({"to": "x@nowhere", "channel": "whatsapp", "message": "m", "idempotencyKey": "bad"});
    let error = client.fails("send", bad);
    assert!(error["message"].as_str().unwrap().contains("no place of WhatsApp"), "{error}");
}
