//! Linking, refusals, ends.
use super::harness::{self, *};
use super::server::{ANN, failure, replaced, stream_error};
use super::{PROGRAM, Setting};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn send(text: &str, key: &str) -> Value {
    json!({"to": "+15550002222", "channel": "whatsapp", "message": text, "idempotencyKey": key})
}

/// R-50a, R-50e, R-53b and i17-3: before the link, the link, and what is told of it.
#[test]
fn r_50a_an_account_is_linked_when_a_phone_has_signed_it() {
    let setting = Setting::new(vec![], json!({}));
    let row = setting.status("the program", |row| row["linked"] == false);
    let why = row["lastError"].as_str().unwrap();
    assert!(why.contains("openclaw channels login --channel whatsapp"), "{row}");
    let mut client = setting.client();
    let begun = Instant::now();
    let error = client.fails("send", send("too early", "k0"));
    assert_eq!(error["code"], "NOT_LINKED", "{error}");
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert_eq!(setting.server.lock().connections, 0, "nobody asked for a login");
    let shown = client.ok("web.login.start", json!({}));
    assert!(shown["qrDataUrl"].as_str().unwrap().starts_with("data:image/png;base64,"), "{shown}");
    assert!(
        shown["expiresAtMs"].as_u64().is_some()
            && shown["terminalSmall"].as_str().unwrap().lines().count() <= 22
    );
    // Asked again while it holds, it is the same.
    assert_eq!(client.ok("web.login.start", json!({}))["qr"], shown["qr"]);
    setting.server.scan(shown["qr"].as_str().unwrap());
    assert_eq!(client.ok("web.login.wait", json!({}))["connected"], true);
    let row = setting.status("the connection", |row| row["connected"] == true);
    assert_eq!((&row["self"]["e164"], &row["linked"]), (&"+15550001111".into(), &true.into()), "{row}");
    assert!(row["authAgeMs"].as_u64().is_some_and(|age| age < 60_000) && row["lastError"].is_null(), "{row}");
    let status = client.ok("status", json!({}));
    assert_eq!(
        (&status["linkChannel"]["id"], &status["linkChannel"]["linked"]),
        (&"whatsapp".into(), &true.into())
    );
    client.ok("send", send("now", "k1"));
    assert_eq!(setting.server.heard()[0].text.as_deref(), Some("now"));
    // R-52c: a wish without force changes nothing.
    let before = setting.server.lock().connections;
    let told = client.ok("web.login.start", json!({}));
    assert!(told["message"].as_str().unwrap().contains("already linked (+15550001111)"), "{told}");
    assert_eq!(setting.server.lock().connections, before);
}

#[test]
fn i17_2_the_command_line_shows_what_is_scanned_and_ends_when_it_is() {
    let setting = Setting::new(vec![], json!({}));
    setting.status("the program", |row| row["linked"] == false && row["canLogin"] == true);
    let mut command = harness_command(&setting);
    let mut child =
        command.args(["channels", "login", "--channel", "whatsapp"]).stdout(Stdio::piped()).spawn().unwrap();
    // Scanned when it is to be seen.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let first = lines.find(|line| line.contains('\u{2588}'));
    let row = setting.status("the picture", |row| row["login"]["qr"].is_string());
    setting.server.scan(row["login"]["qr"].as_str().unwrap());
    let text = first.into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    assert!(
        child.wait().unwrap().success() && text.contains("Linked!") && text.contains('\u{2588}'),
        "{text}"
    );
    setting.status("the connection", |row| row["connected"] == true);
    let logout = setting.gateway.cli(&["channels", "logout", "--channel", "whatsapp"]);
    assert!(logout.status.success(), "{logout:?}");
    setting.status("no link", |row| row["linked"] == false);
    // R-50d: WhatsApp was told.
    assert!(setting.server.lock().seen.iter().any(|seen| seen == "removed"));
}

fn harness_command(setting: &Setting) -> Command {
    let mut command = gateway::command(&setting.gateway.dir);
    command.stdin(Stdio::null()).env("OPENCLAW_GATEWAY_PORT", setting.gateway.port.to_string());
    command.env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    command
}

/// R-50b, R-50f: what WhatsApp says when it ends a link, and that nothing is tried with it again.
#[test]
fn r_50b_a_link_that_was_taken_away_is_told_and_never_tried_again() {
    for (end, code, words) in
        [(stream_error("401"), 401, "taken the link away"), (stream_error("516"), 401, "taken the link away")]
    {
        let mut setting = Setting::linked(vec![], json!({}));
        setting.server.end(vec![end]);
        let row = setting.status("the end of the link", |row| row["linked"] == false);
        let last = &row["lastDisconnect"];
        assert_eq!((&last["status"], &last["loggedOut"]), (&code.into(), &true.into()), "{row}");
        let why = row["lastError"].as_str().unwrap();
        assert!(why.contains(words) && why.contains("openclaw channels login"), "{row}");
        assert_eq!(setting.client().fails("send", send("x", "k"))["code"], "NOT_LINKED");
        let before = setting.server.lock().connections;
        setting.gateway.stop();
        setting.gateway.restart();
        setting.status("the program", |row| row["linked"] == false && row["canLogin"] == true);
        assert_eq!(setting.server.lock().connections, before);
        let dir = setting.gateway.state_dir().join("channels/whatsapp/default");
        let names: Vec<String> =
            std::fs::read_dir(dir).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
        assert!(names.iter().any(|name| name.starts_with("openclaw-wa.store.logged-out-")), "{names:?}");
        // R-50c: a new link from fresh keys.
        setting.link();
    }
}

/// R-50f, R-52a: refusals that leave the link, each as its own state.
#[test]
fn r_50f_each_refusal_is_told_with_its_cause() {
    for (node, code, words) in [
        (replaced(), 440, "another program uses this link"),
        (failure("402"), 402, "banned this number"),
        (failure("405"), 405, "too old"),
        (failure("503"), 503, "not available"),
    ] {
        let setting = Setting::linked(vec![], json!({}));
        match code {
            440 => setting.server.end(vec![node]),
            _ => {
                setting.server.lock().refuse = Some(node);
                setting.server.end(vec![]);
            }
        }
        let row =
            setting.status(words, |row| row["lastError"].as_str().is_some_and(|why| why.contains(words)));
        assert_eq!((&row["linked"], &row["connected"]), (&true.into(), &false.into()), "{row}");
        assert_eq!(row["lastDisconnect"]["status"], code, "{row}");
    }
    let setting = Setting::linked(vec![], json!({}));
    setting.server.lock().refuse = Some(failure("403"));
    setting.server.end(vec![]);
    let row = setting.status("the lock", |row| row["linked"] == false);
    assert!(row["lastError"].as_str().unwrap().contains("locked this account (403)"), "{row}");
}

/// R-52b: what drops comes back by itself, also when it never stood.
#[test]
fn r_52b_a_connection_that_drops_comes_back() {
    let setting = Setting::linked(vec![model::texts(&["still here"])], json!({}));
    let before = setting.server.lock().logins;
    setting.server.end(vec![]);
    setting.status("the next login", |row| row["connected"] == true && setting.server.lock().logins > before);
    setting.server.text(ANN, "are you there");
    let heard = wait_for("the answer", || setting.server.heard().pop());
    assert_eq!(heard.text.as_deref(), Some("still here"));
}

/// R-51c: after ends at any moment within bursts of messages the link stands, and all that is said can be read.
#[test]
fn r_51c_a_kill_at_any_moment_loses_no_link_and_uses_no_key_twice() {
    let setting = Setting::linked(vec![], json!({}));
    let kills = harness::setting("OPENCLAW_KILLS", 5);
    let mut random = Random(harness::setting("OPENCLAW_SEED", 0x5eed_cafe));
    for round in 0..kills {
        let mut client = setting.client();
        let asked: Vec<String> = (0..4)
            .map(|n| client.ask("send", send(&format!("{round}-{n}"), &format!("k{round}-{n}"))))
            .collect();
        std::thread::sleep(Duration::from_millis(random.below(120) as u64));
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_raw(setting.program()).unwrap(),
            rustix::process::Signal::KILL,
        );
        drop(asked);
        setting.status("the program again", |row| row["connected"] == true && row["linked"] == true);
    }
    let mut client = setting.client();
    let told = wait_within(Duration::from_secs(60), "the last word", || {
        client.call("send", send("last", "last")).ok()
    });
    let heard = setting.server.heard();
    let unread: Vec<_> = heard.iter().filter(|one| one.text.is_none()).collect();
    assert!(unread.is_empty(), "{} of {} cannot be read: {unread:?}", unread.len(), heard.len());
    assert!(
        heard.iter().any(|one| one.text.as_deref() == Some("last") && told["messageId"] == one.id.as_str())
    );
    // Whatever came twice is the same message.
    for one in &heard {
        let others = heard.iter().filter(|other| other.text == one.text);
        assert!(others.into_iter().all(|other| other.id == one.id), "{one:?}");
    }
}

#[test]
fn i17_1_the_program_says_what_it_is_and_under_which_licence() {
    let out = Command::new(PROGRAM).arg("--version").output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        text.contains("openclaw-whatsapp ") && text.contains("AGPL-3.0") && text.contains("for tests"),
        "{text}"
    );
    let out = Command::new(PROGRAM).arg("--what").output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}

/// R-51e: of two programs on one store the second says who has it.
#[test]
fn r_51e_a_second_program_on_the_same_store_names_the_first() {
    use std::io::Write;
    let setting = Setting::new(vec![], json!({}));
    setting.status("the program", |row| row["linked"] == false);
    let dir = setting.gateway.state_dir().join("channels/whatsapp/default");
    let mut child = Command::new(PROGRAM).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let hello = json!({"type": "hello", "version": 1, "channel": "whatsapp", "account": "default", "dir": dir, "config": {}});
    writeln!(child.stdin.take().unwrap(), "{hello}").unwrap();
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains(&format!("another process (pid {})", setting.program())), "{text}");
}
