//! The other pages: devices, config, logs, agents' files, overview.
use super::*;

#[test]
fn i12_4_a_device_is_approved() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    let device = Device::new();
    crate::devices::remote_request(&world.gateway, &device, &["operator.read"]);
    world.page.wait(
        "document.querySelector('#nav [data-page=devices] .badge:not([hidden])').textContent.startsWith('1')",
    );
    world.go("devices");
    world.page.wait_text("gateway-client on linux");
    world.page.picture("devices");
    is_accessible(&mut world.page, "devices");
    world.page.press_button("Approve");
    world.page.wait_text("Approved.");
    world.page.wait("document.querySelector('#nav [data-page=devices] .badge').hidden");
    let listed = world.gateway.cli(&["devices", "list", "--json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&device.id()), "{listed:?}");
    world.page.press_button("Rename…");
    world.page.wait("document.querySelector('dialog input')");
    world.page.eval("document.querySelector('dialog input').select()");
    world.page.typed("Kitchen tablet");
    world.page.key("Enter");
    world.page.wait_text("Kitchen tablet");
    assert_eq!(world.page.eval("document.querySelectorAll('dialog').length"), 0, "one key does one thing");
    world.quiet();
}

/// By form and by text: the plan is shown before anything is written, comments are kept, mistakes are told.
#[test]
fn i12_4_the_config_is_edited() {
    if !is_wanted(false) {
        return;
    }
    let text = format!(
        "// my own words\n{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n  // quiet nights\n  logging: {{level: 'info'}}}}\n"
    );
    let gateway = Gateway::start(&Setup::text(&text));
    let browser = Browser::start(&[]);
    let mut page = browser.page();
    page.open(&format!("http://127.0.0.1:{}/#token={TOKEN}", gateway.port));
    page.wait("document.getElementById('link')");
    page.eval("location.hash = '/config'");
    page.click("#config-body input[type=search]");
    page.typed("logging.level");
    page.wait("document.getElementById('s-logging.level')");
    is_accessible(&mut page, "config");
    page.eval("(() => { const s = document.getElementById('s-logging.level'); s.value = '\"warn\"'; s.dispatchEvent(new Event('change', { bubbles: true })); })()");
    page.press_button("Review and save…");
    page.wait("document.querySelector('dialog .diff .new')?.textContent.includes('warn')");
    page.wait_text("In force at once: logging.level");
    page.picture("config-plan");
    let written = || std::fs::read_to_string(gateway.config_path()).unwrap();
    assert_eq!(written(), text);
    page.press_button("Save");
    page.wait_text("Saved.");
    let now = written();
    assert!(
        now.contains("// my own words")
            && now.contains("// quiet nights")
            && now.contains("warn")
            && now.contains(TOKEN),
        "{now}"
    );
    page.press_button("Text");
    page.wait("document.querySelector('textarea.code').value.includes('// quiet nights')");
    assert!(
        !page
            .eval("document.body.innerHTML + document.querySelector('textarea').value")
            .as_str()
            .unwrap()
            .contains(TOKEN)
    );
    page.eval("(() => { const t = document.querySelector('textarea.code'); t.value = t.value.replace('warn', 'loud'); t.dispatchEvent(new Event('input', { bubbles: true })); })()");
    page.press_button("Review and save…");
    page.wait_text("This cannot be written");
    page.wait_text("logging.level");
    page.picture("config-mistake");
    assert_eq!(written(), now);
    assert!(page.noise.is_empty(), "{:?}", page.noise);
}

/// What somebody else writes meanwhile is shown and stays; the second save is written.
#[test]
fn i12_4_the_second_save_of_the_config_goes_through() {
    if !is_wanted(false) {
        return;
    }
    let text = format!(
        "{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n  logging: {{level: 'info'}}}}\n"
    );
    let gateway = Gateway::start(&Setup::text(&text));
    let browser = Browser::start(&[]);
    let mut page = browser.page();
    page.open(&format!("http://127.0.0.1:{}/#token={TOKEN}", gateway.port));
    page.wait("document.getElementById('link')");
    let written = || std::fs::read_to_string(gateway.config_path()).unwrap();
    let elsewhere = |level: &str| {
        let done = gateway.cli(&["config", "set", "logging.consoleLevel", level]);
        assert!(done.status.success(), "{done:?}");
    };
    let save_twice = |page: &mut Page, other: &str| {
        elsewhere(other);
        page.wait_text("The file was changed elsewhere meanwhile.");
        page.press_button("Review and save…");
        page.wait_text("Look at it as it is now?");
        page.press_button("Read it again");
        page.wait("!document.querySelector('dialog')");
        page.press_button("Review and save…");
        page.wait("document.querySelector('dialog .diff .new')");
    };
    page.eval("location.hash = '/config'");
    page.click("#config-body input[type=search]");
    page.typed("logging.level");
    page.wait("document.getElementById('s-logging.level')");
    page.eval("(() => { const s = document.getElementById('s-logging.level'); s.value = '\"warn\"'; s.dispatchEvent(new Event('change', { bubbles: true })); })()");
    save_twice(&mut page, "error");
    page.press_button("Save");
    page.wait_text("Saved.");
    assert!(written().contains("warn") && written().contains("error"), "both are there: {}", written());
    // As text: the plan shows what of theirs would be undone.
    page.press_button("Text");
    page.wait("document.querySelector('textarea.code').value.includes('warn')");
    page.eval("(() => { const t = document.querySelector('textarea.code'); t.value = t.value.replace('warn', 'debug'); t.dispatchEvent(new Event('input', { bubbles: true })); })()");
    save_twice(&mut page, "trace");
    page.wait("document.querySelector('dialog .diff .old')?.parentNode.textContent.includes('trace')");
    page.press_button("Save");
    page.wait("!document.querySelector('dialog')");
    wait_for("the text", || (written().contains("debug") && written().contains("error")).then_some(()));
    assert!(page.noise.is_empty(), "{:?}", page.noise);
}

#[test]
fn i12_4_logs_files_overview_and_usage() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![model::texts(&["hi"])], json!({}));
    world.say("hello");
    world
        .page
        .wait("[...document.querySelectorAll('.message.assistant')].some((m) => m.dataset.text === 'hi')");
    for (name, sign) in [
        ("overview", "document.querySelectorAll('.tile').length === 4"),
        ("usage", "document.querySelector('svg.chart')"),
        ("channels", "document.querySelector('.page-channels .empty')"),
        ("cron", "document.querySelector('.page-cron h1')"),
        ("approvals", "document.querySelector('.page-approvals h1')"),
        ("agents", "document.querySelector('.page-agents .items')"),
        ("logs", "document.querySelector('.log .text')"),
    ] {
        world.go(name);
        world.page.wait(sign);
        is_accessible(&mut world.page, name);
        world.page.picture(name);
    }
    world.page.wait("document.querySelector('.log').textContent.includes('openclaw-control-ui')");
    world.page.click("main input[type=search]");
    world.page.typed("turn");
    world.page.wait("[...document.querySelectorAll('.log .text')].every((t) => t.parentNode.textContent.includes('turn')) && document.querySelector('.log .text')");
    world.go("agents/main/USER.md");
    world.page.wait("document.querySelector('textarea.code')");
    world.page.click("textarea.code");
    world.page.eval("document.querySelector('textarea.code').select()");
    world.page.typed("# Me\nI like short answers.");
    world.page.press_button("Save");
    world.page.wait_text("USER.md is saved");
    let file = world.gateway.state_dir().join("workspace/USER.md");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "# Me\nI like short answers.");
    world.quiet();
}

/// What nobody touched in a job stays as it was; what is refused is not lost; a run that failed is no success.
#[test]
fn i13_1_jobs_are_made_and_changed_on_the_page() {
    if !is_wanted(false) {
        return;
    }
    let config = json!({"agents": {"list": [{"id": "ops"}, {"id": "main", "default": true}]}});
    let wrong = model::Reply::Status(400, vec![], r#"{"error":{"message":"no such model"}}"#.into());
    let mut world = World::new(vec![wrong], config);
    let job = json!({"name": "old", "schedule": {"kind": "cron", "expr": "0 9 * * *"}, "sessionTarget": "isolated",
        "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "look", "timeoutSeconds": 77}});
    let mut client = Client::operator(&world.gateway, 4);
    let id = client.ok("cron.add", job)["id"].clone();
    let mut kept = |name: &str| {
        let all = client.ok("cron.list", json!({"includeDisabled": true}));
        all["jobs"].as_array().unwrap().iter().find(|job| job["name"] == name).cloned().unwrap_or_default()
    };
    let before = kept("old");
    world.go("cron");
    world.page.wait_text("0 9 * * *");
    is_accessible(&mut world.page, "cron");
    world.page.press_button("Edit…");
    world.page.wait("document.querySelector('dialog textarea')");
    world.page.press_button("Save");
    world.page.wait_text("Saved.");
    let after = kept("old");
    for member in ["schedule", "agentId", "payload", "sessionTarget"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    world.page.press_button("Run");
    world.page.wait_text("It failed: ");
    world.page.press_button("New job…");
    world.page.wait("document.querySelector('dialog textarea')");
    world.page.click("dialog input");
    world.page.typed("new");
    world.page.click("dialog textarea");
    world.page.typed("say it");
    world.page.eval("document.querySelector('dialog .grid input').value = '61 * * * *'");
    world.page.press_button("Save");
    world.page.wait("document.querySelector('dialog .outcome.bad')");
    world.page.eval("document.querySelector('dialog .grid input').value = '1 * * * *'");
    world.page.press_button("Save");
    world.page.wait("!document.querySelector('dialog')");
    let new = kept("new");
    assert_eq!((&new["payload"]["message"], &new["agentId"]), (&json!("say it"), &json!("main")), "{new}");
    assert!(id.is_string());
    world.quiet();
}

/// How often agents look after things, what came of the last time, and the switch for all; times are said whole.
#[test]
fn i13_2_heartbeats_are_shown_and_switched_on_the_page() {
    if !is_wanted(false) {
        return;
    }
    let config = json!({"agents": {"defaults": {"heartbeat": {"every": "90m"}}}});
    let mut world = World::new(vec![model::texts(&["The cellar is wet"])], config);
    let place = world.gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("HEARTBEAT.md"), "# Heartbeat\n\n- look at the cellar\n").unwrap();
    let mut client = Client::operator(&world.gateway, 4);
    let job = json!({"name": "often", "schedule": {"kind": "every", "everyMs": 3_690_000}, "enabled": false,
        "sessionTarget": "isolated", "payload": {"kind": "agentTurn", "message": "look"}});
    client.ok("cron.add", job);
    world.go("cron");
    world.page.wait_text("main every 1 h 30 min");
    world.page.wait_text("None has come yet.");
    world.page.wait_text("every 1 h 1 min 30 s");
    client.ok("wake", json!({"mode": "now", "text": "Look at the cellar"}));
    world.page.wait_text("The cellar is wet");
    is_accessible(&mut world.page, "heartbeats");
    world.page.picture("heartbeats");
    let mut is_on = || client.ok("health", json!({}))["agents"][0]["heartbeat"]["enabled"].clone();
    world.page.press_button("Switch off");
    world
        .page
        .wait("[...document.querySelectorAll('main button')].some((b) => b.textContent === 'Switch on')");
    assert_eq!(is_on(), false);
    world.page.press_button("Switch on");
    world
        .page
        .wait("[...document.querySelectorAll('main button')].some((b) => b.textContent === 'Switch off')");
    assert_eq!(is_on(), true);
    world.quiet();
}

/// A command that waits is shown whole, and runs when it is allowed there.
#[test]
fn i13_4_a_command_is_allowed_on_the_page() {
    if !is_wanted(false) {
        return;
    }
    let arguments = json!({"command": "echo x > made; echo written"}).to_string();
    let call = model::Step::Call { id: "c1".into(), name: "exec".into(), arguments };
    let ask = model::Reply::Stream(vec![call, model::Step::Done]);
    let replies = vec![ask, model::texts(&["I have asked"]), model::texts(&["it is done"])];
    let mut world = World::new(replies, json!({}));
    world.say("do it");
    world.page.wait(
        "document.querySelector('#nav a[data-page=approvals] .badge:not([hidden])')?.textContent.startsWith('1')",
    );
    world.go("approvals");
    world.page.wait("document.querySelector('.page-approvals pre.code.whole')?.textContent === 'echo x > made; echo written'");
    is_accessible(&mut world.page, "approvals");
    world.page.picture("approvals-waiting");
    world.page.press_button("Allow once");
    world.page.wait_text("Nothing waits for your word.");
    world.page.wait_text("allowed once");
    let made = world.gateway.state_dir().join("workspace/made");
    wait_for("the command's file", || made.exists().then_some(()));
    world.quiet();
}

/// What an agent can do by skills, what one lacks, and the switch of each.
#[test]
fn i13_3_skills_are_shown_and_switched_on_the_page() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(vec![], json!({}));
    for (name, meta) in [
        ("weather", ""),
        ("deploy", "metadata: {\"openclaw\": {\"requires\": {\"bins\": [\"no-such-program\"]}}}\n"),
    ] {
        let dir = world.gateway.state_dir().join("workspace/skills").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(
            dir.join("SKILL.md"),
            format!("---\nname: {name}\ndescription: About {name}\n{meta}---\nDo.\n"),
        )
        .unwrap();
    }
    world.go("agents/main");
    world.page.wait_text("About weather");
    world.page.wait_text("bins: no-such-program");
    is_accessible(&mut world.page, "skills");
    world.page.picture("skills");
    world.page.eval("document.querySelector('[aria-label=\"Switch off weather\"]').click()");
    world.page.wait("document.querySelector('[aria-label=\"Switch on weather\"]')");
    world.quiet();
}
