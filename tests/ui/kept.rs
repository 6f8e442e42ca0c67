//! What people wrote is not lost: messages that wait, for the gateway or for their turn, and what is being edited.
use super::*;
use crate::harness::model::{Reply, Step};

/// What stands in the conversation, one after the other: messages with their outcomes, and outcomes beside them.
const THREAD: &str = "[...document.querySelectorAll('.thread > *, .thread .live > *')].filter((e) => e.matches('.message, .outcome')).map((e) => e.matches('.message') ? e.dataset.text + (e.querySelector('.outcome')?.textContent ?? '') : e.textContent)";

fn held(first: &str) -> Reply {
    Reply::Stream(vec![Step::Text(first.into()), Step::Gate, Step::Text(" and the rest".into()), Step::Done])
}

fn has_answer(page: &mut Page, text: &str) {
    page.wait(&format!(
        "[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === {}) && !document.querySelector('.message.running')",
        json!(text)
    ));
}

/// What is waited for afterwards is there anew.
pub fn reload(page: &mut Page) {
    page.eval("document.body.replaceChildren()");
    page.reload();
}

/// It says so, stays with its conversation wherever one looks meanwhile, goes out once and is shown once.
#[test]
fn i12_4_a_message_written_while_the_gateway_is_away_is_kept_and_sent_once() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["Here."]), model::texts(&["Again."])], json!({}));
    world.gateway.kill();
    world.page.wait_text("Connecting again by itself");
    world.say("are you there?");
    let waits = "document.querySelector('.message.user.waiting')?.textContent.includes('Not sent yet')";
    world.page.wait(waits);
    // Nothing else is loaded while it is away; the conversation is.
    world.go("usage");
    world.page.wait("!document.querySelector('.thread')");
    world.go("chat");
    world.page.wait(waits);
    world.page.picture("chat-not-sent-yet");
    let leaves = "(() => { const e = new Event('beforeunload', { cancelable: true }); dispatchEvent(e); return e.defaultPrevented; })()";
    assert_eq!(world.page.eval(leaves), json!(true), "the browser asks before it closes the page");
    world.gateway.restart();
    world.connected();
    has_answer(&mut world.page, "Here.");
    assert_eq!(world.page.eval(THREAD), json!(["are you there?", "Here."]));
    assert_eq!(world.page.eval(leaves), json!(false));
    world.gateway.kill();
    world.page.wait_text("Connecting again by itself");
    world.say("and now?");
    world.page.wait(waits);
    world.gateway.restart();
    has_answer(&mut world.page, "Again.");
    let want = json!(["are you there?", "Here.", "and now?", "Again."]);
    assert_eq!(world.page.eval(THREAD), want);
    reload(&mut world.page);
    world.page.wait(&format!("JSON.stringify({THREAD}) === JSON.stringify({want})"));
    assert_eq!(world.model.count(), 2, "each was sent once");
}

/// Words that were begun are there after a reload, each in its conversation, and gone once they are sent.
#[test]
fn i12_4_words_that_were_begun_outlive_a_reload() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["Here."])], json!({}));
    let begun = "document.querySelector('.composer textarea').value";
    world.page.click(".composer textarea");
    world.page.typed("are you");
    reload(&mut world.page);
    world.connected();
    world.page.wait(&format!("{begun} === 'are you'"));
    world.page.click(".composer textarea");
    world.page.typed(" there?");
    world.page.key("Enter");
    has_answer(&mut world.page, "Here.");
    assert_eq!(world.page.eval(THREAD), json!(["are you there?", "Here."]));
    reload(&mut world.page);
    world.connected();
    world.page.wait(&format!("JSON.stringify({THREAD}) === JSON.stringify([\"are you there?\",\"Here.\"])"));
    assert_eq!(world.page.eval(begun), "");
    world.quiet();
}

/// The gateway tells who opens the conversation what waits for its turn.
#[test]
fn i12_4_messages_that_wait_their_turn_are_there_after_a_look_elsewhere_and_a_reload() {
    if !is_wanted(true) {
        return;
    }
    let config = json!({"messages": {"queue": {"mode": "followup"}}});
    let replies = vec![held("One"), model::texts(&["Two"]), model::texts(&["Three"])];
    let mut world = World::new(replies, config);
    world.say("first");
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('One')");
    world.say("q1");
    world.say("q2");
    let waiting = "JSON.stringify([...document.querySelectorAll('.message.user.waiting')].map((m) => m.dataset.text)) === '[\"q1\",\"q2\"]' && document.querySelectorAll('.message.running').length === 1";
    world.page.wait(waiting);
    world.page.press_button("New conversation");
    world.page.wait("document.querySelector('.hello')");
    world.go("chat/main");
    world.page.wait(waiting);
    reload(&mut world.page);
    world.page.wait(waiting);
    world.page.picture("chat-waiting");
    world.model.release();
    has_answer(&mut world.page, "Three");
    let want = json!(["first", "One and the rest", "q1", "Two", "q2", "Three"]);
    world.page.wait(&format!("JSON.stringify({THREAD}) === JSON.stringify({want})"));
    world.quiet();
}

/// What was dropped stands above what is said after it, and nothing is at work when all is over.
#[test]
fn i12_4_what_was_dropped_stands_above_what_is_said_later() {
    if !is_wanted(true) {
        return;
    }
    let config = json!({"messages": {"queue": {"mode": "followup"}}});
    let mut world = World::new(vec![held("One"), model::texts(&["Two"]), held("Three")], config);
    let waiting = |texts: &str| {
        format!(
            "JSON.stringify([...document.querySelectorAll('.message.user.waiting')].map((m) => m.dataset.text)) === '{texts}'"
        )
    };
    world.say("first");
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('One')");
    world.say("q1");
    world.say("q2");
    world.page.wait(&waiting("[\"q1\",\"q2\"]"));
    let mut client = Client::operator(&world.gateway, 4);
    let start = client.ok("chat.startup", json!({"sessionKey": "main"}));
    let dropped = &start["pendingInputs"]["items"][0]["runId"];
    client.ok("chat.abort", json!({"sessionKey": "main", "runId": dropped}));
    world.page.wait("document.querySelector('.message.dropped')");
    world.model.release();
    has_answer(&mut world.page, "Two");
    let said = "Stopped before its turn came: it is no part of the conversation.";
    let want = json!(["first", "One and the rest", format!("q1{said}"), "q2", "Two"]);
    world.page.wait(&format!("JSON.stringify({THREAD}) === JSON.stringify({want})"));
    // Two that wait, and a word that stops all.
    world.say("third");
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('Three')");
    world.say("q3");
    world.say("q4");
    world.page.wait(&waiting("[\"q3\",\"q4\"]"));
    world.say("/stop");
    world.page.wait("document.querySelectorAll('.message.user:not(.waiting) .outcome').length >= 3 && !document.querySelector('.message.running')");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(world.page.eval("document.querySelectorAll('.message.running, .working').length"), 0);
    world.quiet();
}

/// A stop ends what waits, too: that is said at the message, and what was said before stands where it was.
#[test]
fn i12_4_a_stop_says_what_it_dropped() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![held("The first half")], json!({}));
    world.say("SLOW a");
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('The first half')");
    world.say("SLOW b");
    world.page.wait("document.querySelector('.message.waiting')");
    world.say("/stop");
    let want = json!([
        "SLOW a",
        "The first halfStopped.",
        "SLOW bStopped before its turn came: it is no part of the conversation.",
        "/stop"
    ]);
    world.page.wait(&format!("JSON.stringify({THREAD}) === JSON.stringify({want})"));
    assert_eq!(world.page.eval("document.querySelectorAll('.message.running, .message.waiting').length"), 0);
    world.quiet();
}

/// Messages that are answered together have one answer under way, whichever of them it is told by.
#[test]
fn i12_4_messages_that_are_answered_together_have_one_line() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![held("One"), held("Both")], json!({}));
    world.say("first");
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('One')");
    world.say("q1");
    world.say("q2");
    world.page.wait("document.querySelectorAll('.message.user.waiting').length === 2");
    world.page.eval("[...document.querySelectorAll('button')].find((b) => b.getAttribute('aria-label')?.startsWith('Stop the answer')).click()");
    let alone = "(() => { const all = [...document.querySelectorAll('.message.running')]; return all.length === 1 && all[0].textContent.includes('Both'); })()";
    world.page.wait(alone);
    // What the gateway tells at most once a second has come by then.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.page.eval(alone), true);
    reload(&mut world.page);
    world.page.wait("document.querySelector('.message.user')");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.page.eval("document.querySelectorAll('.message.running').length"), 1);
    world.model.release();
    world.model.release();
    has_answer(&mut world.page, "Both and the rest");
    assert_eq!(world.model.count(), 2, "both were answered by one turn");
    world.quiet();
}

/// Who stops what was answered together is told so once.
#[test]
fn i12_4_messages_that_are_answered_together_are_stopped_once() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![held("One"), held("Both")], json!({}));
    let stop = "[...document.querySelectorAll('button')].find((b) => b.getAttribute('aria-label')?.startsWith('Stop the answer')).click()";
    world.say("first");
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('One')");
    world.say("q1");
    world.say("q2");
    world.page.wait("document.querySelectorAll('.message.user.waiting').length === 2");
    world.page.eval(stop);
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('Both')");
    world.page.eval(stop);
    world.page.wait("document.querySelector('.thread').textContent.includes('BothStopped.')");
    world.page.wait("!document.querySelector('.message.running')");
    // What is told of the second one comes by then.
    std::thread::sleep(Duration::from_millis(700));
    let told = "[...document.querySelectorAll('.thread .outcome')].map((e) => e.textContent)";
    assert_eq!(world.page.eval(told), json!(["Stopped.", "Stopped."]));
    let thread = world.page.eval(THREAD);
    reload(&mut world.page);
    world.page.wait(&format!("JSON.stringify({THREAD}) === JSON.stringify({thread})"));
    world.quiet();
}

/// Every editor: by links, by its own tabs, by leaving the page.
#[test]
fn i12_4_unsaved_work_is_not_left_without_a_question() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![], json!({}));
    let page = &mut world.page;
    let asks = "document.querySelector('dialog')?.textContent.includes('Leave without saving?')";
    let leaves = "(() => { const e = new Event('beforeunload', { cancelable: true }); dispatchEvent(e); return e.defaultPrevented; })()";
    let answers = |page: &mut Page, name: &str| {
        page.wait(asks);
        page.press_button(name);
        page.wait("!document.querySelector('dialog')");
    };
    let types = "(() => { const t = document.querySelector('textarea.code'); t.value += '\\n// mine'; t.dispatchEvent(new Event('input', { bubbles: true })); })()";
    let has = "document.querySelector('textarea.code').value.includes('// mine')";
    for (place, sign) in
        [("config/text", "#config-body textarea.code"), ("agents/main/SOUL.md", ".page-agents textarea.code")]
    {
        page.eval(&format!("location.hash = '/{place}'"));
        page.wait(&format!("document.querySelector({})", json!(sign)));
        assert_eq!(page.eval(leaves), json!(false), "{place}: nothing was changed");
        page.eval(types);
        assert_eq!(page.eval(leaves), json!(true), "{place}");
        page.click("#nav a[data-page=logs]");
        answers(page, "Cancel");
        assert_eq!((page.eval("location.hash"), page.eval(has)), (json!(format!("#/{place}")), json!(true)));
        page.click("#nav a[data-page=logs]");
        answers(page, "Leave");
        page.wait("document.querySelector('.page-logs') && location.hash === '#/logs'");
        page.eval(&format!("location.hash = '/{place}'"));
        page.wait(&format!("document.querySelector({})", json!(sign)));
        assert_eq!(page.eval(has), json!(false), "{place}");
    }
    page.eval("location.hash = '/config'");
    page.click("#config-body input[type=search]");
    page.typed("logging.level");
    page.wait("document.getElementById('s-logging.level')");
    page.eval("(() => { const s = document.getElementById('s-logging.level'); s.value = '\"warn\"'; s.dispatchEvent(new Event('change', { bubbles: true })); })()");
    page.wait_text("1 setting changed.");
    page.press_button("Text");
    answers(page, "Cancel");
    page.wait_text("1 setting changed.");
    page.press_button("Text");
    answers(page, "Leave");
    page.wait(
        "document.querySelector('#config-body textarea.code') && document.querySelector('.savebar').hidden",
    );
    page.eval("location.hash = '/cron'");
    page.press_button("New job…");
    page.click("dialog input");
    page.key("Escape");
    page.wait("!document.querySelector('dialog')");
    page.press_button("New job…");
    page.click("dialog input");
    page.typed("water the plants");
    assert_eq!(page.eval(leaves), json!(true), "a dialog with words in it");
    for _ in 0..2 {
        page.key("Escape");
        page.wait("document.querySelectorAll('dialog').length === 2");
        page.press_button("Cancel");
        page.wait("document.querySelectorAll('dialog').length === 1 && document.querySelector('dialog input').value === 'water the plants'");
    }
    page.key("Escape");
    page.press_button("Leave");
    page.wait("!document.querySelector('dialog')");
    page.eval("location.hash = '/chat'");
    page.click(".composer textarea");
    page.typed("half a thought");
    page.eval("location.hash = '/logs'");
    page.wait("document.querySelector('.page-logs')");
    page.eval("location.hash = '/chat'");
    page.wait("document.querySelector('.composer textarea')?.value === 'half a thought'");
    world.quiet();
}

/// What became of a command that waited is told at the call, at once and after a reload.
#[test]
fn i12_4_a_call_tells_what_was_decided_about_it() {
    if !is_wanted(true) {
        return;
    }
    let ask = |id: &str, command: &str| {
        let arguments = json!({"command": command}).to_string();
        Reply::Stream(vec![Step::Call { id: id.into(), name: "exec".into(), arguments }, Step::Done])
    };
    let replies = vec![
        ask("c1", "echo x > made"),
        model::texts(&["I have asked"]),
        model::texts(&["It is made"]),
        ask("c2", "echo y > other"),
        model::texts(&["Asked again"]),
    ];
    let mut world = World::new(replies, json!({}));
    let mut client = Client::operator(&world.gateway, 4);
    let mut decide = |decision: &str| {
        let waiting = client.ok("exec.approval.list", json!({}));
        client.ok("exec.approval.resolve", json!({"id": waiting[0]["id"], "decision": decision}));
    };
    let states = |page: &mut Page, want: Value| {
        page.wait(&format!(
            "JSON.stringify([...document.querySelectorAll('.tool-state')].map((s) => s.textContent)) === JSON.stringify({want})"
        ));
    };
    world.say("make it");
    states(&mut world.page, json!(["waits for your approval"]));
    has_answer(&mut world.page, "I have asked");
    decide("allow-once");
    states(&mut world.page, json!(["allowed"]));
    has_answer(&mut world.page, "It is made");
    world.say("one more");
    has_answer(&mut world.page, "Asked again");
    states(&mut world.page, json!(["allowed", "waits for your approval"]));
    decide("deny");
    states(&mut world.page, json!(["allowed", "denied"]));
    reload(&mut world.page);
    states(&mut world.page, json!(["allowed", "denied"]));
    world.page.picture("chat-decided");
    // Of what was asked before its start the gateway does not know what came of it.
    world.gateway.kill();
    world.gateway.restart();
    reload(&mut world.page);
    states(&mut world.page, json!(["asked for approval", "asked for approval"]));
    world.quiet();
}

/// A model that is chosen by a command is the one that is shown, before anything is answered by it.
#[test]
fn i12_4_the_model_that_a_command_chose_is_shown() {
    if !is_wanted(true) {
        return;
    }
    let models = json!([{"id": "m", "name": "Test model"}, {"id": "other", "name": "Other model"}]);
    let config = json!({"models": {"providers": {"test": {"models": models}}}});
    let mut world = World::new(vec![model::texts(&["Hello."])], config);
    world.say("hello");
    has_answer(&mut world.page, "Hello.");
    let chosen = |page: &mut Page, want: &str| {
        page.wait(&format!("document.querySelector('select[aria-label=Model]')?.value === {}", json!(want)));
    };
    chosen(&mut world.page, "test/m");
    world.say("/model test/other");
    world.page.wait_text("Model is now test/other.");
    chosen(&mut world.page, "test/other");
    reload(&mut world.page);
    chosen(&mut world.page, "test/other");
    world.say("/model default");
    world.page.wait_text("Model is now the agent's own");
    chosen(&mut world.page, "test/m");
    world.quiet();
}
