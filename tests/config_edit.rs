//! Changing the configuration: over the wire, from the command line, both at once; what is kept, what is refused.
use crate::cli::{fails, json_of, out};
use crate::harness::*;
use std::os::unix::fs::PermissionsExt;

/// A config with everything that a careless edit loses.
const COMMENTED: &str = "// head\n{\n  gateway: { mode: 'local', auth: { token: '$TOKEN' } }, // guard\n  canvasHost: { enabled: false },\n  $include: './more.json5',\n  mystery: { kept: [0x10, .5,], },\n  models: { providers: { p: { baseUrl: 'http://127.0.0.1:9', apiKey: '${SOME_KEY}', models: [ { id: 'm', maxTokens: 4096 } ] } } },\n}\n// end\n";

fn commented() -> Gateway {
    let setup = Setup::text(&COMMENTED.replace("$TOKEN", TOKEN));
    Gateway::start(
        &setup.file("more.json5", "{ui: {seamColor: '#123456'}}").file(".env", "SOME_KEY=canary-2f1b\n"),
    )
}

fn text(gateway: &Gateway) -> String {
    std::fs::read_to_string(gateway.config_path()).unwrap()
}

#[test]
fn r_02b_what_was_read_can_be_written_back_and_edited_around() {
    let gateway = commented();
    let before = text(&gateway);
    let mut client = Client::operator(&gateway, 4);
    let got = client.ok("config.get", json!({}));
    let raw = got["raw"].as_str().unwrap();
    assert!(!raw.contains(TOKEN) && !got.to_string().contains("canary-2f1b"), "{got}");
    assert_eq!(got["config"]["models"]["providers"]["p"]["models"][0]["maxTokens"], 4096);
    let same = client.ok("config.set", json!({"raw": raw, "baseHash": got["hash"]}));
    assert_eq!(same["hash"], got["hash"], "the same text is the same text");
    assert_eq!(text(&gateway), before);

    let edited = raw.replace("kept:", "kept_too:");
    let set = client.ok("config.set", json!({"raw": edited, "baseHash": got["hash"]}));
    assert_eq!(text(&gateway), before.replace("kept:", "kept_too:"), "only that changed, secrets are back");
    assert_eq!(set["config"]["gateway"]["auth"]["token"], "__OPENCLAW_REDACTED__");
    let mode = std::fs::metadata(gateway.config_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let patch = json!({"raw": "{ui: {assistant: {name: 'Ada'}}, mystery: null}", "baseHash": set["hash"],
        "restartDelayMs": 60000, "sessionKey": "main", "note": "my note"});
    let done = client.ok("config.patch", patch);
    let now = text(&gateway);
    for kept in ["// head\n", "// guard\n", "$include: './more.json5'", "'${SOME_KEY}'", "// end\n"] {
        assert!(now.contains(kept), "{kept} is lost: {now}");
    }
    assert!(now.contains("\"name\": \"Ada\"") && !now.contains("mystery"), "{now}");
    assert_eq!(done["restart"]["reason"], "config.patch");
    assert_eq!(done["restart"]["pid"], gateway.pid());
    let sentinel: Value =
        serde_json::from_slice(&std::fs::read(done["sentinel"]["path"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(sentinel, json!({"version": 1, "payload": done["sentinel"]["payload"]}));
    assert_eq!(sentinel["payload"]["message"], "my note");
}

#[test]
fn r_02d_conflicts_are_refused_with_the_present_hash() {
    let gateway = commented();
    let mut client = Client::operator(&gateway, 4);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    for (base, message) in [
        (json!({}), "config base hash required; re-run config.get and retry"),
        (json!({"baseHash": "00"}), "config changed since last load; re-run config.get and retry"),
    ] {
        let mut params = json!({"raw": "{ui: {}}"});
        merge(&mut params, &base);
        let error = client.fails("config.patch", params);
        assert_eq!(error["message"], message);
        assert_eq!(error["code"], "INVALID_REQUEST");
        assert_eq!(error["details"]["hash"], hash);
    }
    // Many writers, each with the same hash and some from the command line: one of the first wins, nothing is lost.
    let results: Vec<bool> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|n| {
                let (gateway, hash) = (&gateway, &hash);
                scope.spawn(move || {
                    let mut client = Client::operator(gateway, 4);
                    let raw = format!("{{mystery: {{by: {n}}}}}");
                    let params = json!({"raw": raw, "baseHash": hash, "restartDelayMs": 60000});
                    client.call("config.patch", params).is_ok()
                })
            })
            .collect();
        for n in 0..6 {
            out(&gateway, &["config", "set", &format!("mystery.cli{n}"), "1", "--force"]);
        }
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert!(results.iter().filter(|won| **won).count() <= 1, "{results:?}");
    let config = client.ok("config.get", json!({}))["config"].clone();
    assert_eq!((0..6).filter(|n| config["mystery"][format!("cli{n}")] == 1).count(), 6, "{config}");
    assert_eq!(config["mystery"]["by"].is_number(), results.contains(&true));
}

#[test]
fn mistakes_and_accidents_are_refused_before_anything_is_written() {
    let gateway = commented();
    let before = text(&gateway);
    let mut client = Client::operator(&gateway, 4);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    let mut refused = |method: &str, raw: &str| {
        let error = client.fails(method, json!({"raw": raw, "baseHash": hash}));
        assert_eq!(text(&gateway), before, "{raw}");
        (error["message"].as_str().unwrap().to_string(), error["details"]["issues"].clone())
    };
    let (message, issues) = refused("config.patch", "{gateway: {port: 'x'}, tools: {deny: 5}}");
    assert!(message.starts_with("invalid config: gateway.port: expected a whole number"), "{message}");
    assert_eq!(issues[0]["path"], "gateway.port");
    assert_eq!(issues[1]["path"], "tools.deny");
    assert!(refused("config.set", "{a: ").0.starts_with("SyntaxError: JSON5: "));
    assert_eq!(refused("config.patch", "[1]").0, "config.patch raw must be an object");
    let redacted = "{hooks: {token: '__OPENCLAW_REDACTED__'}}";
    assert_eq!(
        refused("config.patch", redacted).0,
        "config write rejected: \"token\" is redacted; set an explicit value instead of __OPENCLAW_REDACTED__ at hooks.token"
    );
    // R-02e
    let guarded = refused("config.set", "{ui: {}}").0;
    assert!(
        guarded.contains("gateway.mode") && guarded.ends_with("force it with \"force\": true"),
        "{guarded}"
    );
    assert!(refused("config.patch", "{gateway: {auth: null}}").0.contains("gateway.auth"));
    let short = format!("{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}}}");
    assert!(refused("config.apply", &short).0.contains("shrink"));
    client.ok("config.set", json!({"raw": short, "baseHash": hash, "force": true}));
    assert_eq!(text(&gateway), short);
    // Unknown keys are accepted, with a warning.
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    client.ok("config.set", json!({"raw": short.replacen('{', "{mystery: 1, ", 1), "baseHash": hash}));
    assert_eq!(client.ok("config.get", json!({}))["warnings"][0]["path"], "mystery");
}

#[test]
fn administrators_are_told_of_every_change_once() {
    let gateway = commented();
    let mut admin = Client::operator(&gateway, 4);
    let (mut reader, _) = Client::with(&gateway, client::scoped(&["operator.read"]));
    let hash = admin.ok("config.get", json!({}))["hash"].clone();
    let raw = "{ui: {assistant: {name: 'Ada'}}}";
    let done = admin.ok("config.patch", json!({"raw": raw, "baseHash": hash, "restartDelayMs": 60000}));
    let told = admin.event("config.changed");
    assert_eq!(told["hash"], done["hash"]);
    assert_eq!(told["path"], json!(gateway.config_path()));
    out(&gateway, &["config", "set", "ui.assistant.name", "Eve"]);
    let told = admin.event("config.changed");
    assert_eq!(told["hash"], admin.ok("config.get", json!({}))["hash"]);
    for client in [&mut admin, &mut reader] {
        client.collect(Duration::from_millis(600));
        let more = client.kept().into_iter().filter(|frame| frame["event"] == "config.changed").count();
        assert_eq!(more, 0);
    }
}

#[test]
fn one_place_of_the_schema_is_looked_up() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let found = client.ok("config.schema.lookup", json!({"path": "agents.list[0].identity"}));
    assert_eq!(found["path"], "agents.list.0.identity");
    let keys: Vec<&str> =
        found["children"].as_array().unwrap().iter().map(|child| child["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["avatar", "emoji", "name", "theme"]);
    let error = client.fails("config.schema.lookup", json!({"path": "gateway.nope"}));
    assert_eq!(error["details"]["code"], "NOT_FOUND");
}

/// The command line alone: nothing runs.
fn down() -> Gateway {
    let mut gateway = commented();
    gateway.stop();
    gateway
}

#[test]
fn the_command_line_reads_with_the_gateway_down() {
    let gateway = down();
    let get = |path: &str| out(&gateway, &["config", "get", path]);
    assert_eq!(get("gateway.mode"), "local\n");
    assert_eq!(get("gateway.port"), "18789\n");
    assert_eq!(get("ui.seamColor"), "#123456\n", "from the included file");
    assert_eq!(get("models.providers[p].models[0].maxTokens"), "4096\n");
    assert_eq!(get("models.providers.p.apiKey"), "canary-2f1b\n", "a secret asked for by its own path");
    assert!(!get("models").contains("canary-2f1b") && !get("gateway").contains(TOKEN));
    assert!(out(&gateway, &["config", "get", "models", "--reveal"]).contains("canary-2f1b"));
    assert_eq!(json_of(&gateway, &["config", "get", "gateway.mode", "--json"]), "local");
    let (code, told) = fails(&gateway, &["config", "get", "gateway.nope"]);
    assert_eq!(
        (code, told.trim()),
        (1, "Error: Config path not found: gateway.nope; did you mean gateway.mode?")
    );
    assert_eq!(out(&gateway, &["config", "file"]).trim(), gateway.config_path().display().to_string());
    let valid = json_of(&gateway, &["config", "validate", "--json"]);
    assert_eq!((&valid["valid"], &valid["warnings"][0]["path"]), (&json!(true), &json!("mystery")));
    let port = json_of(&gateway, &["config", "schema", "gateway.port"]);
    assert_eq!(port["schema"]["maximum"], 65535);
}

#[test]
fn the_command_line_writes_in_place() {
    let gateway = down();
    let before = text(&gateway);
    let set = |args: &[&str]| out(&gateway, &[&["config", "set"], args].concat());
    assert_eq!(
        set(&["gateway.port", "19000"]),
        "Updated gateway.port. A running gateway restarts in process to apply it.\n"
    );
    assert_eq!(text(&gateway), before.replace("} }, // guard", "}, port: 19000 }, // guard"));
    assert_eq!(std::fs::read_to_string(gateway.state_dir().join("openclaw.json.bak")).unwrap(), before);
    assert_eq!(set(&["gateway.port", "19000"]), "Nothing to change: gateway.port is 19000 already.\n");
    out(&gateway, &["config", "unset", "gateway.port"]);
    assert_eq!(text(&gateway), before, "back to the same bytes");
    set(&["models.providers.p.apiKey", "12345"]);
    assert!(text(&gateway).contains("apiKey: \"12345\""), "a key for text takes digits as text");
    let report = json_of(&gateway, &["config", "set", "tools.deny", "['exec']", "--json"]);
    assert_eq!((&report["changed"], &report["restart"]), (&json!(true), &json!([])));
    let now = text(&gateway);
    for (args, message) in [
        (&["gateway.port", "many"][..], "Error: Config validation failed, nothing was written: "),
        (&["tools.deny", "[", "--strict-json"], "Error: Failed to parse JSON5 value: "),
        (&["gateway.port", "-1"], "error: unknown option '-1' (a value goes behind '--', as -- -1)"),
        (&["ui.seamColor.x", "1"], "Error: "),
        (&["gateway..port", "1"], "error: path \"gateway..port\""),
    ] {
        let (code, told) = fails(&gateway, &[&["config", "set"], args].concat());
        assert!(code == 1 && told.starts_with(message), "{args:?}: {code} {told}");
        assert_eq!(text(&gateway), now, "{args:?}");
    }
    for (mode, key, value, effect) in [
        ("off", "ui.assistant.name", "Ada", "at its next start, as gateway.reload.mode is off"),
        ("hot", "gateway.port", "19001", "which gateway.reload.mode=hot leaves to you"),
        ("restart", "ui.assistant.name", "Eve", "restarts in process"),
        ("restart", "ui.seamColor", "#222222", "has no effect: nothing in this version reads it"),
        ("hybrid", "ui.seamColor", "#333333", "has no effect: nothing in this version reads it"),
    ] {
        set(&["gateway.reload.mode", mode]);
        let told = set(&[key, value]);
        assert!(told.contains(effect), "{mode}: {told}");
    }
    out(&gateway, &["config", "unset", "gateway.reload.mode"]);
    let none = crate::cli::text(&gateway.cli(&["config", "set", "gateway.auth.token", ""]));
    assert!(none.0.contains("A running gateway goes on as it is."), "{none:?}");
    assert!(none.1.starts_with("note: a gateway would not start with this: Gateway auth is set"), "{none:?}");
    set(&["gateway.auth.token", TOKEN]);
    let (code, told) = fails(&gateway, &["config", "unset", "gateway.auth"]);
    assert!(code == 1 && told.contains("force it with --force"), "{told}");
    let (code, told) = fails(&gateway, &["config", "unset", "agents.nope"]);
    assert_eq!((code, told.trim()), (1, "Error: Config path not found: agents.nope"));
}

#[test]
fn a_file_with_mistakes_is_judged_and_can_be_repaired() {
    let gateway = down();
    std::fs::write(gateway.config_path(), "{gateway: {port: 'x'}, tools: {deny: 5}}").unwrap();
    let output = gateway.cli(&["config", "validate", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["valid"], &report["issues"][0]["path"]), (&json!(false), &json!("gateway.port")));
    out(&gateway, &["config", "set", "gateway.port", "4000"]);
    out(&gateway, &["config", "unset", "tools"]);
    // B-F48, N-10: valid is what a gateway starts with.
    let (code, told) = fails(&gateway, &["config", "validate"]);
    assert!(code == 1 && told.contains("no gateway starts") && told.contains("gateway.mode=local"), "{told}");
    out(&gateway, &["config", "set", "gateway.mode", "local"]);
    out(&gateway, &["config", "validate"]);
    std::fs::write(gateway.config_path(), "{gateway: {").unwrap();
    let (code, told) = fails(&gateway, &["config", "set", "gateway.port", "1"]);
    assert!(code == 78 && told.contains("openclaw.json:1:"), "{code} {told}");
}

#[test]
fn r_06d_a_value_that_is_not_in_force_says_why() {
    let gateway = down();
    for (text, path, want) in [
        (
            "{tools: {deny: ['${NOPE}']}}",
            "tools.deny",
            "tools.deny.0: environment variable \"NOPE\" is not set",
        ),
        ("{agents: {$include: './none.json5'}}", "agents.list", "agents: Failed to read include file"),
        ("{tools: {deny: ['a'], exec: {host: 'x'}}}", "tools.deny", "tools.exec.host: expected"),
        ("{gateway: {port: 'x'}}", "gateway.port", "gateway.port: expected a whole number"),
    ] {
        std::fs::write(gateway.config_path(), text).unwrap();
        let (code, told) = fails(&gateway, &["config", "get", path]);
        let begins = format!("Error: {path} is not in force: ~/.openclaw/openclaw.json:1:");
        assert!(code == 1 && told.starts_with(&begins) && told.contains(want), "{text}: {code} {told}");
        assert_eq!(out(&gateway, &["config", "get", "session.mainKey"]), "main\n", "{text}");
    }
    assert_eq!(json_of(&gateway, &["config", "get", "agents"])["defaults"]["maxConcurrent"], 4, "N-26");
}

#[test]
fn n_15_a_key_that_nothing_reads_is_not_set() {
    let gateway = down();
    let before = std::fs::read_to_string(gateway.config_path()).unwrap();
    for (path, value, want) in [
        ("gateway.bnd", "lan", "gateway.bnd: unknown key, not read; did you mean gateway.bind?"),
        (
            "gateway.auth",
            "{mode: 'token', tokn: 'x'}",
            "gateway.auth.tokn: unknown key, not read; did you mean gateway.auth.token?",
        ),
        ("mystery.of.mine", "1", "mystery: unknown key, not read; remove it or correct its name"),
        (
            "gateway.token",
            "x",
            "gateway.token: key of an earlier version, not read; move its value to gateway.auth.token",
        ),
        (
            "agents.list[0].nme",
            "A",
            "agents.list.0.nme: unknown key, not read; did you mean agents.list.0.name?",
        ),
    ] {
        let (code, told) = fails(&gateway, &["config", "set", path, value]);
        assert_eq!(code, 1, "{told}");
        assert!(told.starts_with(&format!("Error: {want}; nothing was written; ")), "{told}");
        assert!(told.ends_with("force it with --force\n"), "{told}");
        assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), before);
        let (code, told) = fails(&gateway, &["config", "set", path, value, "--json"]);
        assert!(code == 1 && told.contains(path.split(['.', '[']).next().unwrap()), "{told}");
    }
    out(&gateway, &["config", "set", "gateway.bnd", "lan", "--force"]);
    assert!(std::fs::read_to_string(gateway.config_path()).unwrap().contains("bnd"));
    out(&gateway, &["config", "unset", "gateway.bnd"]);
    assert!(!std::fs::read_to_string(gateway.config_path()).unwrap().contains("bnd"));
    for (path, value) in [("plugins.entries.p.config.any", "1"), ("env.vars.MY_OWN", "x"), ("env.MINE", "x")]
    {
        out(&gateway, &["config", "set", path, value]);
    }
}

#[test]
fn an_unknown_key_is_told_wherever_one_looks() {
    let gateway = down();
    let both = |args: &[&str]| crate::cli::text(&gateway.cli(args));
    let (stdout, stderr) = both(&["config", "set", "gateway.prot", "1", "--force"]);
    assert!(stdout.starts_with("Updated gateway.prot."), "{stdout}");
    let note = "gateway.prot: unknown key, not read; did you mean gateway.port?\n";
    assert!(stderr.starts_with("note: ") && stderr.contains(note), "{stderr}");
    let set = json_of(&gateway, &["config", "set", "gateway.prot", "2", "--json", "--force"]);
    assert_eq!(set["warnings"][0]["path"], "gateway.prot");
    assert_eq!(
        json_of(&gateway, &["config", "set", "ui.seamColor", "'#1'", "--json"])["warnings"],
        json!([])
    );
    let file = gateway.config_path();
    let (_, stderr) = both(&["config", "diff", "--plan", file.to_str().unwrap()]);
    assert!(stderr.starts_with("warning: ~/.openclaw/openclaw.json:"), "{stderr}");
    assert!(stderr.contains(" gateway.prot: unknown key"), "{stderr}");
    std::fs::write(&file, "{gateway: {prot: 1, port: 'x'}}").unwrap();
    let (_, stderr) = both(&["config", "validate"]);
    assert!(
        stderr.contains("openclaw.json:1:12: gateway.prot: unknown")
            && stderr.contains("openclaw.json:1:27: gateway.port:"),
        "{stderr}"
    );
    let report = gateway.cli(&["config", "diff", "--json", file.to_str().unwrap()]);
    let shown: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (report.status.code(), &shown["plan"]),
        (Some(1), &Value::Null),
        "no plan for what cannot be used"
    );
}

#[test]
fn sec_25_an_address_asked_for_by_its_own_path_keeps_its_secret() {
    let gateway = down();
    let url = "https://u:canary-url@127.0.0.1/v1";
    out(&gateway, &["config", "set", "models.providers.p.baseUrl", url]);
    let get =
        |args: &[&str]| out(&gateway, &[&["config", "get", "models.providers.p.baseUrl"], args].concat());
    assert_eq!(get(&[]), "__OPENCLAW_REDACTED__\n");
    assert_eq!(get(&["--reveal"]), format!("{url}\n"));
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let gateway = down();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = crate::harness::gateway::command(&gateway.dir)
        .args(["config", "get", "gateway.port"])
        .stdout(full)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && told.starts_with("Error: write to stdout: No space"),
        "{told}"
    );
}

#[test]
fn a_plan_is_shown_before_a_file_is_put_in_place() {
    let gateway = down();
    let new = gateway.dir.join("new.json5");
    let text = text(&gateway).replace("canvasHost: { enabled: false },", "").replace("0x10", "0x11");
    std::fs::write(&new, text.replace("mode: 'local'", "mode: 'local', port: 5000, reload: {mode: 'hot'}"))
        .unwrap();
    let file = new.to_str().unwrap();
    let shown = out(&gateway, &["config", "diff", "--plan", file]);
    let row = |path: &str| shown.lines().find(|line| line.contains(path)).unwrap_or_default().to_string();
    assert!(row("gateway.port").starts_with("restart") && row("gateway.port").contains("5000"), "{shown}");
    assert!(row("gateway.reload.mode").starts_with("nothing  "), "{shown}");
    assert!(row("mystery.kept").starts_with("nothing: not read here"), "{shown}");
    assert!(!shown.contains(TOKEN) && !shown.contains("canary-2f1b"));
    let report = json_of(&gateway, &["config", "diff", "--plan", file, "--json"]);
    assert_eq!(report["plan"]["restart"], json!(["gateway.port", "canvasHost.enabled"]));
    assert_eq!(
        out(&gateway, &["config", "diff", gateway.config_path().to_str().unwrap()]),
        "nothing changes\n"
    );
}

#[test]
fn n_16_a_new_secret_opens_the_gateway_when_the_command_has_ended() {
    let gateway = commented();
    let port = gateway.port.to_string();
    let vars = [("OPENCLAW_GATEWAY_PORT", port.as_str())];
    let run = |args: &[&str]| {
        let output = gateway.cli_env(args, &vars);
        assert!(output.status.success(), "{args:?}: {:?}\n{}", crate::cli::text(&output), gateway.log());
        crate::cli::text(&output).0
    };
    for n in 0..3 {
        let told = run(&["config", "set", "gateway.auth.token", &format!("another-secret-{n}")]);
        assert_eq!(told, "Updated gateway.auth.token. The running gateway has applied it.\n");
        run(&["health"]);
    }
    let set = |path: &str, value: &str| -> Value {
        serde_json::from_str(&run(&["config", "set", path, value, "--json"])).unwrap()
    };
    assert_eq!(set("gateway.auth.token", "a-third-secret")["applied"], true);
    run(&["health"]);
    assert_eq!(set("gateway.auth.token", "a-third-secret")["applied"], Value::Null, "nothing is written");
    assert_eq!(set("ui.assistant.name", "N")["applied"], true);
    // What restarts in process is waited for too.
    assert_eq!(set("gateway.auth", "{mode: 'password', password: 'a-pass-word-1'}")["applied"], true);
    run(&["health"]);
    run(&["config", "set", "gateway.reload.mode", "hot"]);
    assert_eq!(set("gateway.auth.rateLimit.maxAttempts", "9")["applied"], Value::Null, "left to the user");
    assert!(
        !gateway.log().contains("canary") && !gateway.log().contains("unauthorized"),
        "{}",
        gateway.log()
    );
}

// N-16: of every kind of change: read where it is used, restarted for, made by other commands.
#[test]
fn n_16_every_change_is_in_force_when_the_command_has_ended() {
    let gateway = Gateway::plain();
    let run = |args: &[&str]| {
        let output = gateway.cli(args);
        let (stdout, stderr) = crate::cli::text(&output);
        assert!(
            output.status.success() && !stderr.contains("has not applied"),
            "{args:?}: {stdout} {stderr}"
        );
        stdout
    };
    let agents = || {
        let told = Client::operator(&gateway, 4).ok("agents.list", json!({}));
        let list = told["agents"].as_array().unwrap().iter();
        list.map(|agent| agent["id"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let applied = "The running gateway has applied it.";
    assert!(run(&["config", "set", "agents.list", "[{id: 'main'}, {id: 'ops'}]"]).contains(applied));
    assert_eq!(agents(), ["main", "ops"]);
    run(&[
        "agents",
        "add",
        "third",
        "--non-interactive",
        "--workspace",
        gateway.dir.join("w").to_str().unwrap(),
    ]);
    assert!(agents().contains(&"third".to_string()));
    run(&["agents", "delete", "third", "--force"]);
    assert_eq!(agents(), ["main", "ops"]);
    let provider = "{baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'k', models: [{id: 'm', name: 'M'}]}";
    assert!(run(&["config", "set", "models.providers.p", provider]).contains(applied));
    let models = Client::operator(&gateway, 4).ok("models.list", json!({}));
    assert_eq!(models["models"][0]["provider"], "p", "{models}");
    run(&["models", "set", "p/m"]);
    let told = Client::operator(&gateway, 4).ok("status", json!({}));
    assert_eq!(told["sessions"]["defaults"]["model"], "p/m", "{told}");
    // One that restarts in process.
    assert!(run(&["config", "set", "gateway.auth.rateLimit.maxAttempts", "9"]).contains(applied));
    assert!(gateway.log().contains("config change: gateway.auth.rateLimit"), "{}", gateway.log());
    run(&["health"]);
    // A gateway that waits long itself is not waited for, and that is said.
    run(&["config", "set", "gateway.reload.debounceMs", "20000"]);
    let late = crate::cli::text(&gateway.cli(&["config", "unset", "models.providers.p"]));
    assert!(late.1.contains("the running gateway has not applied it yet"), "{late:?}");
    assert!(late.0.contains("Removed models.providers.p.") && !late.0.contains("applied"), "{late:?}");
}

#[test]
fn n_16_without_a_gateway_nothing_is_waited_for() {
    let gateway = down();
    let before = std::time::Instant::now();
    let output = gateway.cli_env(&["config", "set", "gateway.auth.token", "another", "--json"], &[]);
    let (told, _) = crate::cli::text(&output);
    assert!(told.contains("\"applied\": null"), "{told}");
    assert!(before.elapsed() < std::time::Duration::from_millis(1500), "{:?}", before.elapsed());
}

// S-H1: who administers from afar sends no key of the host elsewhere, by none of the three methods.
#[test]
fn s_h1_keys_of_the_host_stay_where_the_host_sends_them() {
    let gateway = commented();
    let before = text(&gateway);
    let mut client = Client::operator(&gateway, 4);
    let got = client.ok("config.get", json!({}));
    let elsewhere = got["raw"].as_str().unwrap().replace("http://127.0.0.1:9", "http://127.0.0.1:10");
    let host_only = |client: &mut Client, method: &str, raw: &str| {
        let error = client.fails(method, json!({"raw": raw, "baseHash": got["hash"]}));
        assert_eq!(error["details"]["code"], "HOST_ONLY", "{method} {raw}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("change it on the host: openclaw") && !message.contains("canary"),
            "{message}"
        );
    };
    host_only(&mut client, "config.set", &elsewhere);
    host_only(&mut client, "config.apply", &elsewhere);
    let provider = |rest: &str| format!("{{models: {{providers: {{p: {{{rest}}}}}}}}}");
    for patch in [
        provider("baseUrl: 'http://127.0.0.1:10'"),
        provider("apiKey: {source: 'env', id: 'SOME_KEY'}"),
        "{gateway: {mode: 'remote'}}".to_string(),
        "{gateway: {tools: {allow: ['exec', 'gateway', 'cron']}}}".to_string(),
        "{env: {shellEnv: {enabled: true}, vars: {X: '${SOME_KEY}'}}}".to_string(),
    ] {
        host_only(&mut client, "config.patch", &patch);
    }
    assert_eq!(text(&gateway), before);
    let patch = provider("baseUrl: 'http://127.0.0.1:10', apiKey: 'a key of mine'");
    client.ok("config.patch", json!({"raw": patch, "baseHash": got["hash"], "restartDelayMs": 60000}));
    assert!(text(&gateway).contains("http://127.0.0.1:10"));
}

// an earlier version is put back by a command, shown first, and taken back by the same command.
#[test]
fn config_rollback_puts_an_earlier_version_back() {
    let gateway = commented();
    let refused = |args: &[&str]| fails(&gateway, &[&["config", "rollback"], args].concat()).1;
    let back = |args: &[&str]| out(&gateway, &[&["config", "rollback"], args].concat());
    assert!(refused(&[]).contains("no earlier version is kept yet"));
    let first = text(&gateway);
    for name in ["One", "Two"] {
        out(&gateway, &["config", "set", "ui.assistant.name", name]);
    }
    let last = text(&gateway);
    let shown = back(&["2", "--dry-run"]);
    assert!(
        shown.contains("ui.assistant.name") && shown.contains("Two") && shown.contains("nothing was"),
        "{shown}"
    );
    assert_eq!(text(&gateway), last);
    for (asked, part) in
        [("0", "from 1 to 5"), ("x", "from 1 to 5"), ("4", "no version 4 is kept; there is 1, 2")]
    {
        assert!(refused(&[asked]).contains(part), "{asked}");
    }
    let told = back(&["2"]);
    assert!(told.contains("Put back ") && told.contains(".bak.1"), "{told}");
    assert_eq!(text(&gateway), first, "byte for byte");
    let done = json_of(&gateway, &["config", "rollback", "--json"]);
    assert_eq!((&done["changed"], text(&gateway)), (&json!(true), last), "the last deed is undone");
    std::fs::write(gateway.config_path(), "{ broken").unwrap();
    back(&[]);
    assert_eq!(text(&gateway), first, "a broken file hinders nothing");
}

/// S-L5: headers wherever they stand, and what plugins and skills keep, are hidden, and come back as they were.
#[test]
fn s_l5_headers_and_settings_of_others_are_hidden_and_kept() {
    let mut config = json!({});
    merge(
        &mut config,
        &json!({
            "plugins": {"entries": {"p": {"config": {"sk": "canary-a", "pin": 99_887_766, "list": [{"key": "canary-b", "also": ["canary-c"]}]}}}},
            "skills": {"entries": {"s": {"config": {"pw": "canary-d"}}}},
            "agents": {"defaults": {"memorySearch": {"remote": {"headers": {"A": "canary-e"}}}}},
            "diagnostics": {"otel": {"headers": {"A": "canary-f"}}},
        }),
    );
    let gateway = Gateway::start(&Setup::config(config));
    let before: Value = serde_json::from_str(&text(&gateway)).unwrap();
    let mut client = Client::operator(&gateway, 4);
    let got = client.ok("config.get", json!({}));
    assert!(!got.to_string().contains("canary-") && !got.to_string().contains("99887766"), "{got}");
    let mut shown = got["config"].clone();
    shown["ui"] = json!({"assistant": {"name": "Bo"}});
    client.ok("config.set", json!({"raw": shown.to_string(), "baseHash": got["hash"]}));
    let after: Value = serde_json::from_str(&text(&gateway)).unwrap();
    for part in ["/plugins", "/skills", "/agents/defaults/memorySearch", "/diagnostics"] {
        assert_eq!(after.pointer(part), before.pointer(part), "{part}");
    }
    assert_eq!(after["ui"]["assistant"]["name"], "Bo");
}

/// An editor keeps no version of what it writes over; the gateway does, of what it ran with.
#[test]
fn i14_6_what_the_gateway_ran_with_last_can_be_put_back() {
    let mut gateway = Gateway::plain();
    let good = gateway.config_path().with_extension("json.last-good");
    let file = || std::fs::read_to_string(gateway.config_path()).unwrap();
    let kept = || std::fs::read_to_string(&good).unwrap_or_default();
    let first = file();
    wait_for("the copy of the start", || (kept() == first).then_some(()));
    assert_eq!(std::fs::metadata(&good).unwrap().permissions().mode() & 0o777, 0o600);
    // Taken while it runs, by an editor.
    let second = first.replacen('{', "{\n  // mine\n  ui: { assistant: { name: \"Otto\" } },", 1);
    std::fs::write(gateway.config_path(), &second).unwrap();
    wait_for("the copy of the change", || (kept() == second).then_some(()));
    // Broken by an editor: the copy stays, and whoever reads the file names it.
    std::fs::write(gateway.config_path(), second.replacen("Otto\"", "Otto", 1)).unwrap();
    wait_for("the mistake", || gateway.log().contains("config reload skipped").then_some(()));
    assert_eq!(kept(), second);
    for command in [&["status"][..], &["gateway", "status"], &["health"]] {
        let told = out(&gateway, command);
        let fix = "openclaw config edit (or go back: openclaw config rollback last-good)";
        assert!(told.contains(fix), "{command:?}: {told}");
    }
    gateway.stop();
    let (_, told) = fails(&gateway, &["gateway"]);
    assert!(told.contains("config rollback last-good"), "{told}");
    let done = out(&gateway, &["config", "rollback", "last-good"]);
    assert!(done.contains("Put back ~/.openclaw/openclaw.json.last-good"), "{done}");
    assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), second);
    let again = out(&gateway, &["config", "rollback", "last-good"]);
    let want = "Nothing to put back: the configuration is as in ~/.openclaw/openclaw.json.last-good.\n";
    assert_eq!(again, want);
    std::fs::remove_file(&good).unwrap();
    let (code, told) = fails(&gateway, &["config", "rollback", "last-good"]);
    assert!(code == 1 && told.contains("a gateway writes it when it has started"), "{told}");
}

/// Options and variables of the gateway go before the file, so that a file that says so already is not the whole answer.
#[test]
fn i14_6_what_is_set_already_is_told_with_what_is_in_force() {
    let gateway = Gateway::plain();
    let set = |args: &[&str]| out(&gateway, &[&["config", "set"], args].concat());
    assert_eq!(
        set(&["gateway.auth.mode", "token"]),
        "Nothing to change: gateway.auth.mode is \"token\" already; the running gateway goes by \"token\".\n"
    );
    // A wrong value that stands there already is wrong, and no reason to say that all is well.
    let right = std::fs::read_to_string(gateway.config_path()).unwrap();
    let wrong = right.replacen("\"mode\": \"token\"", "\"mode\": \"none\"", 1);
    assert_ne!(wrong, right);
    std::fs::write(gateway.config_path(), wrong).unwrap();
    let (code, told) = fails(&gateway, &["config", "set", "gateway.auth.mode", "none"]);
    assert!(code != 0 && told.contains("gateway.auth.mode") && told.contains("\"token\""), "{told}");
    set(&["gateway.auth.mode", "token"]);
    set(&["ui.assistant.name", "Ada"]);
    assert_eq!(
        set(&["ui.assistant.name", "Ada"]),
        "Nothing to change: ui.assistant.name is \"Ada\" already.\n"
    );
}
