//! The configuration file changes while the gateway runs: what is put in force, what restarts, what is refused.
use crate::harness::*;
use std::io::Write;

/// A gateway with this laid over the plain configuration, and what its file holds.
fn start(over: Value) -> (Gateway, Value) {
    let gateway = Gateway::start(&Setup::config(over));
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    (gateway, serde_json::from_str(&text).unwrap())
}

fn write(gateway: &Gateway, config: &Value) {
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
}

/// The lines of the reloader so far.
fn told(gateway: &Gateway) -> Vec<String> {
    let log = gateway.log();
    log.lines().filter(|line| line.contains("gateway/reload")).map(str::to_string).collect()
}

fn wait_told(gateway: &Gateway, what: &str) -> String {
    wait_for(what, || told(gateway).into_iter().find(|line| line.contains(what)))
}

fn name(client: &mut Client) -> Value {
    client.ok("agent.identity.get", json!({}))["name"].clone()
}

fn named(config: &Value, name: &str) -> Value {
    let mut config = config.clone();
    merge(&mut config, &json!({"ui": {"assistant": {"name": name}}}));
    config
}

fn stays(client: &mut Client) {
    client.collect(Duration::from_millis(600));
    assert!(client.kept().iter().all(|f| f["event"] != "shutdown"), "it restarted");
    client.ok("health", json!({}));
}

#[test]
fn a_safe_change_is_in_force_after_the_quiet_time_and_is_told_with_its_cause() {
    let (gateway, config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    let mut times = Vec::new();
    for n in 0..5 {
        let begin = Instant::now();
        write(&gateway, &named(&config, &format!("Ada {n}")));
        let changed = client.event("config.changed");
        times.push(begin.elapsed());
        assert_eq!(changed["path"].as_str(), gateway.config_path().to_str());
        // A file that is read while it is being written is told of twice.
        wait_for("the new name", || (name(&mut client) == format!("Ada {n}")).then_some(()));
        client.collect(Duration::from_millis(50));
        client.kept();
    }
    times.sort();
    println!("reload: {times:?}");
    assert!(times[0] >= Duration::from_millis(300), "{times:?}");
    let limit = if cfg!(debug_assertions) { 500 } else { 320 };
    assert!(times[1] < Duration::from_millis(limit), "quiet time plus 20 ms: {times:?}");
    assert!(wait_told(&gateway, "ui.assistant.name").contains("openclaw.json"));
    stays(&mut client);
}

#[test]
fn what_needs_a_restart_restarts_once() {
    let (gateway, mut config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    merge(&mut config, &json!({"discovery": {"mdns": {"mode": "off"}}, "canvasHost": {"liveReload": false}}));
    write(&gateway, &config);
    client.event("shutdown");
    assert_eq!(client.until_closed().0, 1012);
    wait_told(&gateway, "canvasHost.liveReload");
    stays(&mut Client::operator(&gateway, 4));
}

#[test]
fn bookkeeping_and_touching_do_nothing() {
    let (gateway, config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    std::fs::write(gateway.config_path(), &text).unwrap();
    stays(&mut client);
    assert_eq!(told(&gateway), Vec::<String>::new(), "the content is what counts");
    let mut stamped: Value = serde_json::from_str(&text).unwrap();
    merge(
        &mut stamped,
        &json!({"meta": {"lastTouchedAt": "2026-01-01T00:00:00.000Z", "lastTouchedVersion": "1"}}),
    );
    write(&gateway, &stamped);
    client.event("config.changed");
    stays(&mut client);
    drop(config);
}

#[test]
fn modes() {
    let restart = json!({"canvasHost": {"liveReload": false}});
    let hot = json!({"ui": {"assistant": {"name": "New"}}});
    for (mode, change, restarts, applies) in [
        ("off", &restart, false, false),
        ("off", &hot, false, false),
        ("hot", &restart, false, false),
        ("hot", &hot, false, true),
        ("restart", &hot, true, true),
        ("hybrid", &hot, false, true),
    ] {
        let (gateway, mut config) = start(json!({"gateway": {"reload": {"mode": mode}}}));
        let mut client = Client::operator(&gateway, 4);
        merge(&mut config, change);
        write(&gateway, &config);
        if restarts {
            client.event("shutdown");
            assert_eq!(client.until_closed().0, 1012);
            client = Client::operator(&gateway, 4);
        } else {
            wait_told(&gateway, if mode == "off" { "disabled" } else { "changed:" });
            stays(&mut client);
        }
        assert_eq!(name(&mut client) == "New", applies, "{mode} {change}");
        if mode == "off" {
            // The mode itself is honoured at once, and what was written meanwhile is applied with it.
            merge(&mut config, &json!({"gateway": {"reload": {"mode": "hybrid"}}}));
            write(&gateway, &config);
            if change == &restart {
                assert_eq!(client.until_closed().0, 1012);
                client = Client::operator(&gateway, 4);
            } else {
                wait_for("the waiting change", || (name(&mut client) == "New").then_some(()));
                stays(&mut client);
            }
            write(&gateway, &named(&config, "Later"));
            wait_for("the next change", || (name(&mut client) == "Later").then_some(()));
        }
    }
}

#[test]
fn what_waits_for_a_restart_comes_when_the_mode_allows_it() {
    let (gateway, mut config) = start(json!({"gateway": {"reload": {"mode": "hot"}}}));
    let mut client = Client::operator(&gateway, 4);
    merge(&mut config, &json!({"canvasHost": {"liveReload": false}}));
    write(&gateway, &config);
    wait_told(&gateway, "in force after a restart only");
    write(&gateway, &named(&config, "Later"));
    wait_for("the next change", || (name(&mut client) == "Later").then_some(()));
    stays(&mut client);
    merge(&mut config, &json!({"gateway": {"reload": {"mode": "hybrid"}}}));
    write(&gateway, &named(&config, "Later"));
    assert_eq!(client.until_closed().0, 1012);
    let mut client = Client::operator(&gateway, 4);
    write(&gateway, &named(&config, "Last"));
    wait_for("the last change", || (name(&mut client) == "Last").then_some(()));
    stays(&mut client);
    // Under `restart` all but bookkeeping restarts, and the log says no other.
    merge(&mut config, &json!({"gateway": {"reload": {"mode": "restart"}}}));
    write(&gateway, &config);
    assert_eq!(client.until_closed().0, 1012);
    let mut client = Client::operator(&gateway, 4);
    merge(&mut config, &json!({"meta": {"lastTouchedAt": "2026-01-01T00:00:00.000Z"}}));
    write(&gateway, &config);
    client.event("config.changed");
    stays(&mut client);
    write(&gateway, &named(&config, "Once more"));
    assert_eq!(client.until_closed().0, 1012);
    let line = wait_told(&gateway, "restart (ui.assistant.name)");
    assert!(!line.contains("at once"), "{line}");
}

/// A pipe has no end to wait for: the watcher goes on, and so does the rotation of the secret.
#[test]
fn sec_14_a_secret_in_a_refused_file_holds_and_a_pipe_blocks_nobody() {
    let (gateway, config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    let pipe = gateway.state_dir().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut bad = config.clone();
    merge(&mut bad, &json!({"ui": {"$include": "./pipe"}}));
    write(&gateway, &bad);
    wait_told(&gateway, "not a regular file");
    std::fs::remove_file(gateway.config_path()).unwrap();
    std::fs::rename(&pipe, gateway.config_path()).unwrap();
    wait_told(&gateway, "put a file in its place");
    std::fs::remove_file(gateway.config_path()).unwrap();
    merge(&mut bad, &json!({"gateway": {"auth": {"token": "another-secret-0123456789"}}}));
    bad["ui"] = 5.into();
    write(&gateway, &bad);
    assert_eq!(client.until_closed().0, 1008);
    let line = wait_told(&gateway, "ui: expected an object");
    assert!(!line.contains("disabled"), "{line}");
    let (error, _) = Client::open(&gateway).refused(params(4));
    assert_eq!(error["details"]["code"], "AUTH_TOKEN_MISMATCH");
}

#[test]
fn a_nested_include_that_fails_is_watched_until_it_is_repaired() {
    let (gateway, mut config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    let part = |name: &str, text: &str| std::fs::write(gateway.state_dir().join(name), text).unwrap();
    part("u.json5", "{$include: './n.json5'}");
    merge(&mut config, &json!({"ui": {"$include": "./u.json5"}}));
    write(&gateway, &config);
    wait_told(&gateway, "Failed to read include file: ./n.json5");
    part("n.json5", "{assistant: {name: 'Nested'");
    wait_told(&gateway, "Failed to parse include file: ./n.json5");
    part("n.json5", "{assistant: {name: 'Nested'}}");
    wait_for("the repaired file", || (name(&mut client) == "Nested").then_some(()));
}

#[test]
fn r_06a_a_bad_file_changes_nothing_and_is_told_until_it_is_fixed() {
    let (gateway, config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    for (bad, line, nearest) in [
        ("{\n  gateway: {\n    mode: 'local'\n    port: 1", Some(3), Some("gateway.mode")),
        (
            "{\n  gateway: {mode: 'local', auth: {token: 'a-good-long-token-1234'},\n\n   port: 'x'}}",
            Some(4),
            Some("gateway.port"),
        ),
        ("{\n  gateway: {mode: 'local'}}", None, None),
    ] {
        std::fs::write(gateway.config_path(), bad).unwrap();
        let seen = wait_for("configInvalid", || {
            let health = client.ok("health", json!({}));
            let is_new = health["configInvalid"]["line"].as_u64() == line;
            (health["configInvalid"].is_object() && is_new).then(|| health["configInvalid"].clone())
        });
        assert_eq!(seen["file"].as_str(), gateway.config_path().to_str());
        assert_eq!(seen["nearestKey"].as_str(), nearest, "{seen}");
        assert_eq!(seen["column"].is_u64(), line.is_some(), "{seen}");
        assert_eq!(client.ok("status", json!({}))["configInvalid"], seen);
        let mut reader = Client::with(&gateway, client::scoped(&["operator.read"])).0;
        assert!(
            reader.ok("health", json!({}))["configInvalid"].is_null(),
            "SEC-26: paths are for administrators"
        );
    }
    // N-11: at the end of the line where the comma is missing; the log has the place only.
    let line = wait_told(&gateway, ":3:18:");
    assert!(line.contains("openclaw.json:3:18:") && line.contains("gateway.mode"), "{line}");
    assert!(!gateway.log().contains("^"), "{}", gateway.log());
    write(&gateway, &config);
    wait_for("the all-clear", || client.ok("health", json!({}))["configInvalid"].is_null().then_some(()));
    assert!(client.ok("status", json!({}))["configInvalid"].is_null());
    std::fs::remove_file(gateway.config_path()).unwrap();
    wait_for("the missing file", || {
        client.ok("health", json!({}))["configInvalid"].is_object().then_some(())
    });
    stays(&mut client);
}

#[test]
fn r_06c_a_file_written_byte_by_byte_is_one_reload_and_no_error() {
    let (gateway, config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    let text = named(&config, "Slow").to_string();
    let mut file = std::fs::File::create(gateway.config_path()).unwrap();
    for (at, byte) in text.bytes().enumerate() {
        file.write_all(&[byte]).unwrap();
        // Also slower than the quiet time: half a file is not reported at once.
        std::thread::sleep(Duration::from_millis(if at % 120 == 60 { 450 } else { 4 }));
    }
    drop(file);
    client.event("config.changed");
    assert_eq!(name(&mut client), "Slow");
    stays(&mut client);
    let lines = told(&gateway);
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn renames_includes_links_and_new_directories_are_seen() {
    let text = format!(
        "{{$include: './parts/more.json', gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}, canvasHost: {{enabled: false}}}}"
    );
    let part = |name: &str| json!({"ui": {"assistant": {"name": name}}}).to_string();
    let gateway = Gateway::start(&Setup::text(&text).file("parts/more.json", part("One")));
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(name(&mut client), "One");
    let parts = gateway.state_dir().join("parts");
    let mut expect = |want: &str| wait_for(want, || (name(&mut client) == want).then_some(()));
    std::fs::write(parts.join("more.json"), part("Two")).unwrap();
    expect("Two");
    std::fs::write(parts.join("new"), part("Three")).unwrap();
    std::fs::rename(parts.join("new"), parts.join("more.json")).unwrap();
    expect("Three");
    let other = gateway.state_dir().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("more.json"), part("Four")).unwrap();
    std::fs::rename(&parts, gateway.state_dir().join("old")).unwrap();
    std::fs::rename(&other, &parts).unwrap();
    expect("Four");
    // A link to a file elsewhere, and then a change of that file.
    let elsewhere = gateway.dir.join("elsewhere.json");
    std::fs::write(
        &elsewhere,
        text.replace("$include: './parts/more.json',", "ui: {assistant: {name: 'Five'}},"),
    )
    .unwrap();
    std::fs::remove_file(gateway.config_path()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, gateway.config_path()).unwrap();
    expect("Five");
    std::fs::write(&elsewhere, std::fs::read_to_string(&elsewhere).unwrap().replace("Five", "Six")).unwrap();
    expect("Six");
}

#[test]
fn variables_of_the_env_file_and_the_env_block_come_with_a_restart() {
    let text = format!(
        "{{env: {{vars: {{NAME: 'Block'}}}}, ui: {{assistant: {{name: '${{NAME}}'}}}}, gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}, canvasHost: {{enabled: false}}}}"
    );
    let gateway = Gateway::start(&Setup::text(&text));
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(name(&mut client), "Block");
    for (file, content, want) in [
        ("openclaw.json", text.replace("Block", "Other"), "Other"),
        (".env", "NAME=File\n".to_string(), "File"),
    ] {
        std::fs::write(gateway.state_dir().join(file), content).unwrap();
        client.event("shutdown");
        assert_eq!(client.until_closed().0, 1012);
        client = Client::operator(&gateway, 4);
        assert_eq!(name(&mut client), want);
    }
}

#[test]
fn a_variable_that_comes_with_the_text_that_names_it_is_no_mistake() {
    let text = format!(
        "{{ui: {{$include: './more.json'}}, gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}, canvasHost: {{enabled: false}}}}"
    );
    let gateway = Gateway::start(&Setup::text(&text).file("more.json", "{}"));
    let mut client = Client::operator(&gateway, 4);
    std::fs::write(gateway.state_dir().join("more.json"), "{assistant: {name: '${NAME}'}}").unwrap();
    std::fs::write(gateway.state_dir().join(".env"), "NAME=File").unwrap();
    assert_eq!(client.until_closed().0, 1012);
    assert_eq!(name(&mut Client::operator(&gateway, 4)), "File");
    assert!(!gateway.log().contains("is not set"), "{}", gateway.log());
}

#[test]
fn r_22b_a_new_secret_is_kept_out_of_the_log() {
    let (gateway, mut config) = start(json!({}));
    let mut client = Client::operator(&gateway, 4);
    merge(&mut config, &json!({"gateway": {"auth": {"token": "canary-new-secret-0123456789"}}}));
    write(&gateway, &config);
    assert_eq!(client.until_closed().0, 1008);
    let mut params = params(4);
    merge(&mut params, &json!({"auth": {"token": "canary-new-secret-0123456789"}}));
    let mut client = Client::with(&gateway, params).0;
    client.call("canary-new-secret-0123456789", json!({})).unwrap_err();
    wait_for("the refusal", || gateway.log().contains("unknown method").then_some(()));
    assert!(!gateway.log().contains("canary") && !gateway.stdout().contains("canary"));
}

/// Issue 10: nothing is told of as reloaded that was not.
#[test]
fn what_is_not_in_this_version_is_not_said_to_be_reloaded() {
    let (gateway, mut config) = start(json!({}));
    merge(&mut config, &json!({"web": {"enabled": false}, "logging": {"consoleLevel": "warn"}}));
    write(&gateway, &config);
    let line = wait_told(&gateway, "changed:");
    assert!(line.contains("no effect without web, which is not in this version (web.enabled)"), "{line}");
    assert!(line.contains("reload logging (logging.consoleLevel)"), "{line}");
}

// Issue 9: thousands of keys that change at once do not fill the log.
#[test]
fn a_change_of_a_thousand_keys_is_one_short_line() {
    let (gateway, mut config) = start(json!({}));
    let provider = |n: usize| (format!("p{n:03}"), json!({"baseUrl": "http://127.0.0.1:9/v1", "models": []}));
    config["models"] = json!({"providers": (0..500).map(provider).collect::<serde_json::Map<_, _>>()});
    write(&gateway, &config);
    let line = wait_told(&gateway, "in force at once");
    assert!(line.contains("models.providers.p004") && line.contains(" and 990 more)"), "{line}");
    assert!(!line.contains("p005") && line.len() < 1000, "{line}");
}

struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// B-F32: a file that is a mount of its own, as containers have it, changes where its directory hears nothing.
#[cfg(target_os = "linux")]
#[test]
fn b_f32_a_file_that_is_mounted_is_seen_to_change() {
    let (mut gateway, config) = start(json!({}));
    gateway.kill();
    let outside = crate::harness::gateway::new_dir().join("outside.json");
    std::fs::copy(gateway.config_path(), &outside).unwrap();
    let mounted = std::process::Command::new("mount")
        .arg("--bind")
        .args([outside.as_path(), gateway.config_path().as_path()])
        .output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        eprintln!("left out: this user may not mount");
        return;
    }
    let _mounted = Mounted(gateway.config_path());
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    std::fs::write(&outside, named(&config, "Outside").to_string()).unwrap();
    wait_for("the new name", || (name(&mut client) == "Outside").then_some(()));
}
