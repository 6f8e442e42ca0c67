//! What `config`, `setup` and `doctor` say of changes that a running gateway does not take over, cannot use or never reads.
use crate::cli::{fails, json_of, out, text};
use crate::floors::sources;
use crate::harness::*;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Both outputs of a command that must succeed, and that has waited for nothing.
fn at_once(gateway: &Gateway, args: &[&str]) -> (String, String) {
    let since = Instant::now();
    let output = gateway.cli(args);
    assert!(output.status.success(), "{args:?}: {:?}", text(&output));
    assert!(since.elapsed() < Duration::from_secs(4), "{args:?} took {:?}", since.elapsed());
    text(&output)
}

fn has_log(gateway: &Gateway, words: &str) {
    wait_for(words, || gateway.log().contains(words).then_some(()));
}

// N-15: the second half.
#[test]
fn n_15_a_key_that_nothing_reads_restarts_nothing() {
    let gateway = Gateway::plain();
    let (told, note) = at_once(&gateway, &["config", "set", "gateway.bnd", "lan", "--force"]);
    assert!(told.contains("Updated gateway.bnd.") && note.contains("not read"), "{told} {note}");
    has_log(&gateway, "not read in this version (gateway.bnd)");
    at_once(&gateway, &["config", "unset", "gateway.bnd"]);
    assert!(!gateway.log().contains("config change:"), "{}", gateway.log());
}

/// Keys of the original that this version does not read are told apart from those that are in force.
#[test]
fn i10_4_a_key_that_this_version_does_not_read_is_not_told_as_in_force() {
    let gateway = Gateway::plain();
    let (told, _) = at_once(&gateway, &["config", "set", "tools.web.fetch.cacheTtlMinutes", "3"]);
    assert!(told.ends_with(". It has no effect: nothing in this version reads it.\n"), "{told}");
    has_log(&gateway, "not read in this version (tools.web.fetch.cacheTtlMinutes)");
    assert!(!gateway.log().contains("in force at once"), "{}", gateway.log());
}

/// The table says of each key whether it is read; the sources must name those that are, by their last name at least.
#[test]
fn i10_4_the_keys_that_nothing_reads_are_those_that_the_table_says() {
    let told = json_of(&Gateway::plain(), &["config", "list", "--defaults", "--json"]);
    let src = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let aside = |file: &str| ["config/", "doctor/"].iter().any(|room| file.starts_with(room));
    let texts: Vec<String> =
        sources(src).into_iter().filter(|(file, _)| !aside(file)).map(|(_, text)| text).collect();
    let is_key = |c: char| c.is_ascii_alphanumeric() || "._-{}*".contains(c);
    let pieces = texts.iter().flat_map(|text| text.split('"'));
    let named: HashSet<&str> = pieces.filter(|piece| piece.chars().all(is_key)).collect();
    let names: HashSet<&str> = named.iter().flat_map(|path| path.split('.')).collect();
    for key in told["keys"].as_array().unwrap() {
        let path = key["path"].as_str().unwrap();
        let last = path.rsplit('.').find(|name| *name != "*").unwrap();
        match key["class"].as_str() {
            Some("none") => assert!(names.contains(last), "{path} is read by nothing: class UNREAD"),
            Some("unread") => assert!(!path.contains('.') || !named.contains(path), "{path} is read"),
            _ => {}
        }
    }
}

// N-26: what is not set and what does not exist are two things, for unset as for get.
#[test]
fn n_26_unset_tells_a_key_that_is_not_set_from_one_that_is_misspelt() {
    let gateway = Gateway::plain();
    let (code, told) = fails(&gateway, &["config", "unset", "logging.level"]);
    assert_eq!(
        (code, told.trim()),
        (1, "Error: Config key not set: logging.level; there is nothing to remove")
    );
    let (code, told) = fails(&gateway, &["config", "unset", "loging.level"]);
    assert_eq!((code, told.trim()), (1, "Error: Config path not found: loging.level; did you mean logging?"));
}

// N-16: a port that the command line names goes before that of the file; nobody waits for a restart that never comes.
#[test]
fn n_16_a_port_that_the_command_line_overrules_is_told_at_once() {
    let gateway = Gateway::plain();
    let port = gateway::free_port().to_string();
    let (told, note) = at_once(&gateway, &["config", "set", "gateway.port", &port]);
    assert_eq!(told, "Updated gateway.port.\n");
    assert!(note.contains("gateway.port has no effect while --port or OPENCLAW_GATEWAY_PORT"), "{note}");
    has_log(&gateway, "no effect while --port or OPENCLAW_GATEWAY_PORT names the port (gateway.port)");
    assert!(!gateway.log().contains("in force at once (gateway.port)"), "{}", gateway.log());
    let report = json_of(&gateway, &["config", "unset", "gateway.port", "--json"]);
    assert_eq!(report["applied"], false, "{report}");
}

// N-16: no gateway changes its mode while it runs.
#[test]
fn n_16_a_mode_that_no_gateway_starts_with_is_told_at_once() {
    let gateway = Gateway::plain();
    let (told, note) = at_once(&gateway, &["config", "set", "gateway.mode", "remote"]);
    assert_eq!(told, "Updated gateway.mode. A running gateway goes on as it is.\n");
    assert!(note.contains("a gateway would not start with this: Gateway start blocked"), "{note}");
    assert!(!note.contains("has not applied"), "{note}");
}

// N-16: the token that doctor makes lets the next command in.
#[test]
fn n_16_a_token_of_doctor_is_in_force_when_the_command_has_ended() {
    let gateway = Gateway::plain();
    let port = gateway.port.to_string();
    let vars = [("OPENCLAW_GATEWAY_PORT", port.as_str())];
    let only = ["doctor", "--generate-gateway-token", "--only", "gateway.loopback_no_auth"];
    let made = gateway.cli_env(&only, &vars);
    assert!(text(&made).0.contains("new random token"), "{:?}", text(&made));
    let health = gateway.cli_env(&["health"], &vars);
    assert!(health.status.success(), "{:?}", text(&health));
}

// N-10: validate judges as the start does.
#[test]
fn n_10_an_address_of_another_machine_is_told_by_validate_and_set() {
    let gateway = Gateway::plain();
    out(&gateway, &["config", "set", "gateway.customBindHost", "192.0.2.7"]);
    let (code, told) = fails(&gateway, &["config", "set", "gateway.bind", "custom"]);
    assert!(code == 1 && told.contains("gateway.customBindHost: nothing can listen at 192.0.2.7"), "{told}");
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["gateway"]["bind"] = json!("custom");
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    let (code, told) = fails(&gateway, &["config", "validate"]);
    assert!(code == 1 && told.contains("no gateway starts with it") && told.contains("192.0.2.7"), "{told}");
}

// N-11: of two members of one name only one counts, in an included file too.
#[test]
fn n_11_a_key_that_stands_twice_is_told_with_its_place() {
    let config = format!(
        "{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}},\n ui: {{seamColor: '#111', 'seam\\u0043olor': '#222'}},\n logging: {{$include: './more.json5'}}}}"
    );
    let setup = Setup::text(&config).file("more.json5", "{level: 'info',\n level: 'warn'}");
    let gateway = Gateway::start(&setup);
    let report = json_of(&gateway, &["config", "validate", "--json"]);
    let told = report["warnings"].to_string();
    for words in ["ui.seamColor", "logging.level", "stands twice in one object", "more.json5"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(2), "{told}");
}

// N-4: a workspace of another profile, or one in it, is not taken without a word.
#[test]
fn n_4_the_workspace_of_another_profile_is_told() {
    let dir = gateway::new_dir();
    let run = |args: &[&str]| {
        let output = gateway::command(&dir).args(args).output().unwrap();
        let (stdout, stderr) = text(&output);
        (output.status.success(), format!("{stdout}{stderr}"))
    };
    assert!(run(&["--profile", "work", "setup", "--workspace", "~/work"]).0);
    assert!(run(&["setup"]).0);
    // The other way round: where a profile would work by default, an agent works already.
    assert!(run(&["agents", "add", "ops"]).0);
    for args in [
        &["--profile", "ops", "setup"][..],
        &["--profile", "ops", "onboard", "--non-interactive", "--accept-risk"],
    ] {
        let (is_done, told) = run(args);
        assert!(!is_done && told.contains("workspace-ops is that of profile default"), "{args:?}: {told}");
    }
    assert!(run(&["--profile", "ops", "setup", "--workspace", "~/other"]).0);
    for args in [
        &["setup", "--workspace", "~/work"][..],
        &["setup", "--workspace", "~/work/inner"],
        &["agents", "add", "two", "--non-interactive", "--workspace", "~/work/inner"],
    ] {
        let (is_done, told) = run(args);
        assert!(!is_done && told.contains("is that of profile work"), "{args:?}: {told}");
    }
    assert!(!dir.join("home/work/inner").exists());
    let (is_done, told) = run(&["config", "set", "agents.defaults.workspace", "~/work"]);
    assert!(is_done && told.contains("note: workspace ~/work is that of profile work"), "{told}");
    std::fs::remove_dir_all(dir).unwrap();
}
