//! What users met and was mended: places of notes, changes to review, words that look like the gateway's.
use super::*;

/// A note covers nothing that is used: neither the bar that saves nor the line that is written in.
#[test]
fn i12_4_notes_cover_nothing_that_is_used() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    let note = "import(document.querySelector('link[href$=\"dom.js\"]').href).then((dom) => dom.toast('It is so, and that takes more than one line on a phone to be said.', 'bad'))";
    let apart = |what: &str| {
        format!(
            "(() => {{ const a = document.querySelector('.toast').getBoundingClientRect(); const b = document.querySelector('{what}').getBoundingClientRect(); \
             const apart = a.bottom <= b.top || a.top >= b.bottom || a.right <= b.left || a.left >= b.right; \
             return [apart, a.left >= 0 && a.right <= innerWidth && a.top >= 0 && a.bottom <= innerHeight]; }})()"
        )
    };
    for width in [360, 1280] {
        world.page.size(width, 700);
        world.go("chat");
        world.page.wait("document.querySelector('.composer textarea')");
        world.page.eval(note);
        world.page.wait("document.querySelector('.toast')");
        assert_eq!(world.page.eval(&apart(".composer")), json!([true, true]), "chat at {width}");
        world.go("config");
        world.page.click("#config-body input[type=search]");
        world.page.typed("logging.level");
        world.page.wait("document.getElementById('s-logging.level')");
        world.page.eval("(() => { const s = document.getElementById('s-logging.level'); s.value = '\"warn\"'; s.dispatchEvent(new Event('change', { bubbles: true })); })()");
        world.page.wait("!document.querySelector('.savebar').hidden");
        assert_eq!(world.page.eval(&apart(".savebar")), json!([true, true]), "config at {width}");
        world.page.press_button("Discard");
        world.page.wait("document.querySelector('.savebar').hidden");
        world.page.press_button("Dismiss");
        world.page.wait("!document.querySelector('.toast')");
    }
    world.quiet();
}

/// Of a long file the review shows what changes and two lines around it.
#[test]
fn i12_4_a_review_shows_what_changes_and_folds_the_rest() {
    if !is_wanted(false) {
        return;
    }
    let lines = |from: usize, to: usize| (from..to).map(|n| format!("  // line {n}\n")).collect::<String>();
    let text = format!(
        "{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n{}  logging: {{level: 'info'}},\n{}}}\n",
        lines(0, 40),
        lines(40, 80)
    );
    let gateway = Gateway::start(&Setup::text(&text));
    let browser = Browser::start(&[]);
    let mut page = browser.page();
    page.open(&format!("http://127.0.0.1:{}/#token={TOKEN}", gateway.port));
    page.wait("document.getElementById('link')");
    page.eval("location.hash = '/config'");
    page.press_button("Text");
    page.wait("document.querySelector('textarea.code')?.value.includes('line 79')");
    page.eval("(() => { const t = document.querySelector('textarea.code'); t.value = t.value.replace(\"'info'}\", \"'warn'}\"); t.dispatchEvent(new Event('input', { bubbles: true })); })()");
    page.press_button("Review and save…");
    page.wait("document.querySelector('dialog .diff')");
    let shown = page
        .eval("[...document.querySelectorAll('dialog .diff > div')].map((line) => line.textContent.trim())");
    let shown: Vec<&str> = shown.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let want = [
        "// line 38",
        "// line 39",
        "- logging: {level: 'info'},",
        "+ logging: {level: 'warn'},",
        "// line 40",
        "// line 41",
    ];
    let plain: Vec<String> =
        shown.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(plain, want);
}

/// The words that the gateway uses may be anybody's.
#[test]
fn i12_4_words_like_the_gateways_are_the_users_own() {
    if !is_wanted(false) {
        return;
    }
    let all = ["What does HEARTBEAT_OK mean?", "Job ID: 55 in Jira, what is it?", "[cron: no job] hello"];
    let replies = (0..3).map(|n| model::texts(&[["One.", "Two.", "Three."][n]])).collect();
    let mut world = World::new(replies, json!({}));
    for (words, answer) in all.iter().zip(["One.", "Two.", "Three."]) {
        world.say(words);
        world.page.wait(&format!(
            "[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === '{answer}')"
        ));
    }
    let shown = "[...document.querySelectorAll('.message.user > .words')].map((words) => words.textContent)";
    assert_eq!(world.page.eval(shown), json!(all));
    world.page.reload();
    world.connected();
    world.page.wait("document.querySelectorAll('.message.assistant').length === 3");
    assert_eq!(world.page.eval(shown), json!(all));
    world.page.wait(&format!("document.querySelector('.row-title').textContent === {}", json!(all[0])));
    world.quiet();
}

/// A new session's greeting is the agent's: what makes it greet is no bubble of the user's, and no title.
#[test]
fn i12_4_a_new_session_begins_with_no_words_of_the_user() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["Hello you."]), model::texts(&["Fine."])], json!({}));
    world.say("/new");
    world.page.wait(
        "[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'Hello you.')",
    );
    world.page.wait("!document.querySelector('.message.running')");
    {
        world.page.reload();
        world.connected();
        world.page.wait("document.querySelector('.message.assistant')");
        let told = "[...document.querySelectorAll('.message.user')].map((m) => m.querySelector(':scope > .words')?.textContent ?? m.querySelector('.thought:not([open]) summary').textContent)";
        assert_eq!(world.page.eval(told), json!(["Asked by the gateway"]));
        world.page.wait("document.querySelector('.row-title').textContent === 'Main'");
    }
    world.say("how are you?");
    world.page.wait("document.querySelector('.row-title').textContent === 'how are you?'");
    world.quiet();
}
