//! What users met and was mended: places of notes, changes to review, words that look like the gateway's.
use super::kept::reload;
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

/// What is no value of a setting is kept as it was typed, asked about, and not passed over by a review.
#[test]
fn i12_4_what_is_no_json_in_a_setting_is_not_lost() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![], json!({"agents": {"list": [{"id": "main"}]}}));
    let page = &mut world.page;
    let find = |page: &mut Page| {
        page.click("#config-body input[type=search]");
        page.eval("document.querySelector('#config-body input[type=search]').select()");
        page.typed("agents.list");
        page.wait("document.getElementById('s-agents.list')");
    };
    let types = |page: &mut Page, text: &str| {
        page.eval(&format!(
            "(() => {{ const t = document.getElementById('s-agents.list'); t.value = {}; t.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()",
            json!(text)
        ));
    };
    let half = r#"[{"id": "main"}, {"id": "oops""#;
    page.eval("location.hash = '/config'");
    find(page);
    types(page, r#"[{"id": "main"}, {"id": "other"}]"#);
    types(page, half);
    page.wait_text("1 setting changed.");
    page.press_button("Review and save…");
    page.wait("document.querySelector('dialog')?.textContent.includes('agents.list is no JSON')");
    page.press_button("Back");
    page.wait("!document.querySelector('dialog')");
    page.click("#nav a[data-page=logs]");
    page.wait("document.querySelector('dialog')?.textContent.includes('1 setting is changed.')");
    page.press_button("Cancel");
    page.wait("!document.querySelector('dialog')");
    // It is there after a look at another section.
    page.press_button("channels");
    page.wait("!document.getElementById('s-agents.list')");
    find(page);
    let stands = "(() => { const t = document.getElementById('s-agents.list'); return [t.value, t.getAttribute('aria-invalid')]; })()";
    assert_eq!(page.eval(stands), json!([half, "true"]));
    types(page, r#"[{"id": "main"}, {"id": "oops"}]"#);
    assert_eq!(page.eval(stands)[1], "false");
    page.press_button("Review and save…");
    page.wait("document.querySelector('dialog .diff .new')");
    page.wait("document.querySelector('dialog .diff').textContent.includes('oops') && !document.querySelector('dialog .diff').textContent.includes('other')");
    page.press_button("Back");
    types(page, half);
    page.press_button("Discard");
    page.wait("document.querySelector('.savebar').hidden");
    world.quiet();
}

/// A number that was only begun is asked about as well.
#[test]
fn i12_4_what_is_no_number_in_a_setting_is_asked_about() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(vec![], json!({}));
    let page = &mut world.page;
    page.eval("location.hash = '/config'");
    page.click("#config-body input[type=search]");
    page.typed("gateway.port");
    page.wait("document.getElementById('s-gateway.port')");
    page.click("#s-gateway\\.port");
    page.eval("document.getElementById('s-gateway.port').select()");
    page.typed("1e");
    page.wait_text("1 setting changed.");
    page.press_button("Review and save…");
    page.wait("document.querySelector('dialog')?.textContent.includes('gateway.port is no number.')");
    page.press_button("Back");
    page.press_button("Discard");
    page.wait("document.querySelector('.savebar').hidden");
    world.quiet();
}

/// The name of who answers is told from the first moment, also before the conversation is there.
#[test]
fn i12_4_who_works_is_named_after_a_reload() {
    if !is_wanted(true) {
        return;
    }
    let text = |words: &str| model::Step::Text(words.into());
    let slow = model::Reply::Stream(vec![
        text("One"),
        model::Step::Gate,
        text(" two"),
        model::Step::Gate,
        model::Step::Done,
    ]);
    let mut world = World::new(vec![slow], json!({"agents": {"list": [{"id": "main", "name": "Nova"}]}}));
    world.say("count");
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('One')");
    // The answer goes on while the conversation is still asked for.
    let slowly = "window.told = []; new MutationObserver(() => { const line = document.querySelector('.working')?.textContent; if (line && !window.told.includes(line)) window.told.push(line); }).observe(document, { childList: true, subtree: true, characterData: true }); \
        const send = WebSocket.prototype.send; window.held = []; WebSocket.prototype.send = function (text) { if (String(text).includes('\"chat.startup\"')) window.held.push(() => send.call(this, text)); else send.call(this, text); };";
    world.page.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": slowly}));
    reload(&mut world.page);
    world.page.wait("window.held?.length === 1");
    world.model.release();
    world.page.wait("document.querySelector('.message.running')?.textContent.includes('One two')");
    world.page.eval("window.held[0]()");
    world.page.wait("document.querySelector('.message.running') && document.querySelector('.message.user')");
    assert_eq!(world.page.eval("window.told"), json!(["main is working", "Nova is working"]));
    world.model.release();
    world.page.wait("!document.querySelector('.message.running')");
    world.quiet();
}

/// Where a level of thinking comes to nothing, that is said when it is chosen.
#[test]
fn i12_4_a_level_that_no_server_is_told_says_so() {
    if !is_wanted(true) {
        return;
    }
    let models = json!([{"id": "m", "name": "M"}, {"id": "r", "name": "R", "reasoning": true},
        {"id": "t", "name": "T", "reasoning": true, "compat": {"supportsReasoningEffort": true}}]);
    let mut world = World::new(vec![], json!({"models": {"providers": {"test": {"models": models}}}}));
    let chooses = |page: &mut Page, what: &str, value: &str| {
        page.wait(&format!("document.querySelector('select[aria-label={what}]')"));
        page.eval(&format!("(() => {{ const s = document.querySelector('select[aria-label={what}]'); s.value = '{value}'; s.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"));
    };
    let chosen = |page: &mut Page, model: &str| {
        chooses(page, "Model", model);
        page.wait(&format!("document.querySelector('select[aria-label=Model]').value === '{model}'"));
    };
    let told = "[...document.querySelectorAll('.toast')].map((t) => t.textContent)";
    chooses(&mut world.page, "Thinking", "low");
    world.page.wait_text("test/m is not marked as a model that reasons");
    world.page.press_button("Dismiss");
    chosen(&mut world.page, "test/r");
    chooses(&mut world.page, "Thinking", "high");
    world.page.wait_text("set compat.supportsReasoningEffort of the model to true");
    world.page.press_button("Dismiss");
    chosen(&mut world.page, "test/t");
    chooses(&mut world.page, "Thinking", "medium");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(world.page.eval(told), json!([]));
    world.quiet();
}

/// Requests of programs that name no conversation are in no list of conversations; what they cost is told together.
#[test]
fn i12_4_requests_without_a_name_are_no_conversations() {
    if !is_wanted(true) {
        return;
    }
    let on = json!({"gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": true}}}}});
    let mut world = World::new(vec![model::texts(&["hi"])], on);
    world.say("hello");
    world
        .page
        .wait("[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'hi')");
    let asked = json!({"model": "openclaw", "messages": [{"role": "user", "content": "quick"}]});
    for _ in 0..2 {
        let (status, ..) = crate::http_openai::post(&world.gateway, crate::http_openai::CHAT, "", &asked);
        assert_eq!(status, 200);
    }
    let status = Client::operator(&world.gateway, 4).ok("status", json!({}));
    let keys =
        |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["key"].clone()).collect::<Vec<_>>();
    assert_eq!(keys(&status["sessions"]["recent"]), ["agent:main:main"]);
    assert_eq!(keys(&status["sessions"]["byAgent"][0]["recent"]), ["agent:main:main"]);
    assert_eq!(status["sessions"]["count"], 3);
    world.go("overview");
    world.page.wait("document.querySelector('section[aria-label=Lately] li')");
    let lately =
        "[...document.querySelectorAll('section[aria-label=Lately] li a')].map((a) => a.textContent)";
    assert_eq!(world.page.eval(lately), json!(["main:main"]));
    world.go("usage");
    world.page.wait_text("Requests by HTTP (2)");
    assert_eq!(world.page.eval("document.querySelector('main').textContent.includes('openai:')"), false);
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
