//! The chat: streaming, stopping, waiting messages, tools, pictures, commands, a reload in the middle.
use super::*;
use crate::harness::model::{Reply, Step};

fn text(words: &str) -> Step {
    Step::Text(words.to_string())
}

/// SEC-39: what a model writes is shown as text and links, never as HTML.
const MARKED: &str = "# Title\n\nSome **bold** and `code`.\n\n```rust\nfn main() {}\n```\n\n- one\n- two\n\n<img src=x onerror=\"window.hacked=1\"> [bad](javascript:alert(1)) [good](https://example.com/)\n\n| a | b |\n|---|---|\n| 1 | 2 |";

#[test]
fn i12_4_answers_stream_are_marked_up_and_can_be_stopped() {
    if !is_wanted(true) {
        return;
    }
    let slow = Reply::Stream(vec![text("The first half"), Step::Gate, text(" and the rest"), Step::Done]);
    let mut world = World::new(vec![slow.clone(), slow, model::texts(&[MARKED])], json!({}));
    world.say("hello");
    world.page.wait("document.querySelector('.message.running').textContent.includes('The first half')");
    world.page.picture("chat-streaming");
    world.model.release();
    world.page.wait("[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'The first half and the rest')");
    world.page.wait("!document.querySelector('.message.running')");
    world.say("again");
    world.page.wait("document.querySelector('.message.running').textContent.includes('The first half')");
    world.page.press_button("Stop the answer (Escape)");
    world.page.wait_text("Stopped.");
    world.page.wait("!document.querySelector('.message.running')");
    world.say("with marks");
    world.page.wait("document.querySelector('.message .code code')?.textContent === 'fn main() {}'");
    world.page.wait("!document.querySelector('.message.running')");
    let said = world.page.eval(
        "[window.hacked, document.querySelectorAll('.message img').length, [...document.querySelectorAll('.message a')].map((a) => a.href), document.querySelectorAll('.message strong, .message table, .message li').length, document.querySelector('.message h3').textContent]",
    );
    assert_eq!(said, json!([null, 0, ["https://example.com/"], 4, "Title"]));
    assert_eq!(world.page.eval("document.querySelectorAll('.message.user').length"), 3, "each once");
    is_accessible(&mut world.page, "chat");
    world.page.picture("chat");
    world.quiet();
}

#[test]
fn i12_4_tools_are_folded_and_messages_wait_their_turn() {
    if !is_wanted(false) {
        return;
    }
    let call = Step::Call { id: "c1".into(), name: "read".into(), arguments: r#"{"path":"nope.md"}"#.into() };
    let tool = Reply::Stream(vec![text("Let me look."), call, Step::Done]);
    let held = Reply::Stream(vec![text("Found"), Step::Gate, text(" it."), Step::Done]);
    let mut world = World::new(vec![tool, held, model::texts(&["And the second."])], json!({}));
    world.say("use a tool");
    world.page.wait("document.querySelector('details.tool:not([open])').textContent.includes('failed')");
    world.page.click("details.tool summary");
    world.page.wait("document.querySelector('details.tool[open] pre').textContent.includes('nope.md')");
    world.page.wait("document.querySelector('.message.running').textContent.includes('Found')");
    world.say("one more thing");
    world.page.wait("document.querySelector('.message.user.waiting')");
    world.page.picture("chat-tool-and-queue");
    world.model.release();
    world.page.wait("[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'And the second.')");
    world.page.wait("!document.querySelector('.message.waiting, .message.running')");
    let order = world.page.eval("[...document.querySelectorAll('.message')].map((m) => m.dataset.text)");
    assert_eq!(
        order,
        json!(["use a tool", "Let me look.", "Found it.", "one more thing", "And the second."])
    );
    world.quiet();
}

#[test]
fn i12_4_a_reload_in_the_middle_loses_nothing() {
    if !is_wanted(false) {
        return;
    }
    let slow = Reply::Stream(vec![text("One"), Step::Gate, text(" two"), Step::Done]);
    let mut world = World::new(vec![slow], json!({}));
    world.say("count");
    world.page.wait("document.querySelector('.message.running').textContent.includes('One')");
    world.page.reload();
    world.page.wait("document.querySelector('.message.user')?.dataset.text === 'count' && document.querySelector('.message.running')");
    world.model.release();
    world.page.wait(
        "[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'One two')",
    );
    world.page.wait("!document.querySelector('.message.running')");
    let order = world.page.eval("[...document.querySelectorAll('.message')].map((m) => m.dataset.text)");
    assert_eq!(order, json!(["count", "One two"]));
    world.quiet();
}

#[test]
fn i12_4_pictures_commands_and_sessions() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["A dot."])], json!({}));
    // Dropped, as a file would be.
    world.page.click(".composer textarea");
    world.page.eval(
        "(async () => { const c = new OffscreenCanvas(4, 4); c.getContext('2d').fillRect(0, 0, 4, 4); const f = new File([await c.convertToBlob()], 'dot.png', { type: 'image/png' }); const d = new DataTransfer(); d.items.add(f); document.querySelector('.composer').dispatchEvent(new DragEvent('drop', { dataTransfer: d, bubbles: true, cancelable: true })); })()",
    );
    world.page.wait("document.querySelector('.shelf img')");
    world.say("what is this?");
    world.page.wait(
        "[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'A dot.')",
    );
    assert!(world.model.requests(1)[0].to_string().contains("data:image/png;base64,"));
    world.page.click(".composer textarea");
    world.page.typed("/sta");
    world
        .page
        .wait("document.querySelector('#slash [aria-selected=true]').textContent.startsWith('/status')");
    world.page.picture("chat-commands");
    world.page.key("Tab");
    world.page.wait("document.querySelector('.composer textarea').value.trim() === '/status'");
    world.page.key("Enter");
    world.page.wait("document.querySelector('.thread').textContent.includes('Model: test/m')");
    world.page.press_button("New conversation");
    world.page.wait("document.querySelector('.hello')");
    world.say("other things");
    world.page.wait("document.querySelectorAll('.rows li').length === 2");
    world.page.eval("document.querySelector('.rows li .bare').click()");
    world.page.press_button("Rename…");
    world.page.wait("document.querySelector('dialog input')");
    world.page.typed("Garden plans");
    world.page.key("Enter");
    world.page.wait("document.querySelector('.chat-head h1').textContent === 'Garden plans'");
    world.page.click(".sessions input");
    world.page.typed("garden");
    world.page.wait("document.querySelectorAll('.rows li').length === 1 && document.querySelector('.row-title').textContent === 'Garden plans'");
    world.quiet();
}

#[test]
fn i12_4_what_broke_off_says_so_in_its_place_and_titles_are_found() {
    if !is_wanted(true) {
        return;
    }
    let slow = Reply::Stream(vec![text("The first half"), Step::Gate, Step::Done]);
    let fails = Reply::Status(400, vec![], json!({"error": {"message": "out of paint"}}).to_string());
    let mut world = World::new(vec![slow, model::texts(&["Second."]), fails], json!({}));
    world.say("MARKDOWN show");
    world.page.wait("document.querySelector('.message.running').textContent.includes('The first half')");
    world.say("and then");
    world.page.wait("document.querySelector('.message.waiting')");
    world.page.press_button("Stop the answer (Escape)");
    world.page.wait("[...document.querySelectorAll('.message')].some((m) => m.dataset.text === 'Second.')");
    world.page.wait("!document.querySelector('.message.running')");
    let order = "[...document.querySelectorAll('.message')].map((m) => m.dataset.text + (m.querySelector('.outcome')?.textContent ?? ''))";
    let want = json!(["MARKDOWN show", "The first halfStopped.", "and then", "Second."]);
    assert_eq!(world.page.eval(order), want);
    assert_eq!(world.page.eval("document.querySelectorAll('.outcome').length"), 1);
    world.page.eval("document.querySelector('.thread').replaceChildren()");
    world.page.reload();
    world.page.wait(&format!("JSON.stringify({order}) === JSON.stringify({want})"));
    world.say("fail");
    world.page.wait("document.querySelector('.outcome.bad')");
    world.page.wait("!document.querySelector('.message.running')");
    let told = "document.querySelector('.thread').textContent.split('out of paint').length - 1";
    assert_eq!(world.page.eval(told), 1, "once");
    world.page.click(".sessions input");
    world.page.typed("markdown");
    world.page.wait("document.querySelectorAll('.rows a').length === 1");
    world.page.wait("document.querySelector('.row-title').textContent === 'MARKDOWN show'");
    world.page.typed("xx");
    world.page.wait_text("Nothing found.");
    world.quiet();
}

/// What the gateway wrote into a conversation is told apart from what its user did.
#[test]
fn i12_4_prompts_of_the_gateway_are_no_words_of_the_user() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["HEARTBEAT_OK"]), model::texts(&["Hello."])], json!({}));
    let mut client = Client::operator(&world.gateway, 4);
    client.ok("wake", json!({"text": "The oven is hot", "mode": "next-heartbeat"}));
    world.say("hello there");
    world.page.wait("document.querySelector('.message.user .thought')");
    let own = world.page.eval("document.querySelector('.message.user > .words').textContent");
    assert_eq!(own, json!("hello there"));
    world.page.wait("document.querySelector('.row-title').textContent === 'hello there'");
    world.quiet();
}
