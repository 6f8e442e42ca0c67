//! The configuration file: how it is read, that it is not written, what is refused at start.
use crate::agent::turn;
use crate::harness::*;

fn refused(setup: &Setup) -> String {
    let mut gateway = Gateway::spawn(setup, gateway::free_port());
    let status = gateway.wait(Duration::from_secs(5));
    let text = gateway.stderr();
    assert_eq!(status.code(), Some(78), "{text}");
    text
}

fn with_token(more: &str) -> String {
    format!("{{gateway: {{mode: 'local', auth: {{token: '{TOKEN}'}}}}, {more}}}")
}

#[test]
fn r_02a_nothing_but_a_write_changes_the_file() {
    let text = format!(
        "// mine\n{{\n  gateway: {{ mode: 'local', auth: {{ token: '{TOKEN}' }}, }},\n  mystery: {{ a: [1, 2,] }}, /* kept */\n}}\n"
    );
    let mut gateway = Gateway::start(&Setup::text(&text));
    let path = gateway.config_path();
    let stamp = || std::fs::metadata(&path).unwrap().modified().unwrap();
    let before = stamp();
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "hello", "k").unwrap();
    client.ok("sessions.patch", json!({"key": "main", "label": "x"}));
    for args in [
        &["status"][..],
        &["health"],
        &["sessions"],
        &["devices", "list"],
        &["models", "list"],
        &["gateway", "call", "config.get"],
    ] {
        gateway.cli(args);
    }
    gateway.stop();
    gateway.restart();
    gateway.stop();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(stamp(), before, "the file was written, if only with the same bytes");
}

#[test]
fn json5_includes_and_variables_are_read() {
    let text = "{ $include: './base.json5', // a comment\n agents: { list: [ { id: 'main', name: '${BOT_NAME}', }, ] }, env: { vars: { FROM_ENV_BLOCK: 'x' } } }";
    let base = format!(
        "{{ gateway: {{ mode: 'local', auth: {{ token: '${{THE_TOKEN}}' }} }}, ui: {{ assistant: {{ name: '${{BOT_NAME}}' }} }} }} // {TOKEN:.4}"
    );
    let setup = Setup::text(text)
        .file("base.json5", base)
        .file(".env", format!("# secrets\nexport THE_TOKEN=\"{TOKEN}\"\nBOT_NAME=Ada\n"));
    let gateway = Gateway::start(&setup);
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("agent.identity.get", json!({}))["name"], "Ada");
    let agents = client.ok("agents.list", json!({}));
    assert_eq!(agents["agents"][0]["name"], "Ada", "{agents}");
}

#[test]
fn r_06d_an_unset_variable_names_itself_and_its_key() {
    let text = refused(&Setup::text("{gateway: {mode: 'local', auth: {token: '${NO_SUCH_TOKEN}'}}}"));
    assert!(text.contains("NO_SUCH_TOKEN") && text.contains("gateway.auth.token"), "{text}");
}

#[test]
fn r_06d_an_unset_variable_never_reaches_a_provider() {
    let server = ModelServer::start(vec![Reply::Drop]);
    let mut config = server.config();
    config["models"]["providers"]["test"]["apiKey"] = json!("${NO_SUCH_KEY}");
    let mut gateway = Gateway::spawn(&Setup::config(config), gateway::free_port());
    let ended = wait_for("the gateway to listen or to end", || {
        let pid = gateway.pid();
        let is_up = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).is_ok();
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.contains(") Z ") { Some(true) } else { is_up.then_some(false) }
    });
    if ended {
        assert_eq!(gateway.wait(DEADLINE).code(), Some(78));
    } else {
        let mut client = Client::operator(&gateway, 4);
        turn(&mut client, "x", "k").expect_err("a provider with an unset key cannot be used");
    }
    assert_eq!(server.count(), 0, "nothing was sent");
    let text = gateway.stderr() + &gateway.stdout();
    assert!(text.contains("NO_SUCH_KEY") && text.contains("models.providers.test.apiKey"), "{text}");
}

#[test]
fn r_06b_unreadable_json_and_wrong_gateway_keys_refuse_the_start() {
    for (text, names) in [
        ("{gateway: {mode: 'local',", "openclaw.json"),
        ("", "openclaw.json"),
        ("[]", "openclaw.json"),
        ("{gateway: {mode: 'local', port: 'many', auth: {token: 'x-long-enough-secret'}}}", "gateway.port"),
        (
            "{gateway: {mode: 'local', bind: 'everywhere', auth: {token: 'x-long-enough-secret'}}}",
            "gateway.bind",
        ),
        ("{gateway: 7}", "gateway"),
    ] {
        let told = refused(&Setup::text(text));
        assert!(told.contains(names), "{text}: {told}");
    }
    let told = refused(&Setup::text("{\n  gateway: {\n    mode: 'local' auth: {}\n  }\n}"));
    assert!(told.contains('3'), "the line is named: {told}");
}

#[test]
fn r_06b_unknown_keys_are_warnings() {
    let gateway = Gateway::start(&Setup::text(&with_token("gatewey: {}, session: {nonsense: 1}")));
    let told = wait_for("a warning", || {
        let text = gateway.stdout() + &gateway.stderr();
        text.contains("gatewey").then_some(text)
    });
    assert!(told.contains("gateway"), "the nearest valid key is named: {told}");
    Client::operator(&gateway, 4).ok("health", json!({}));
}

#[test]
fn r_06b_a_wrong_section_elsewhere_disables_that_section_only() {
    let gateway = Gateway::start(&Setup::text(&with_token(
        "channels: {telegram: {enabled: 'perhaps'}}, agents: {defaults: {maxConcurrent: 'x'}}",
    )));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "hello", "k").unwrap();
    let got = client.ok("config.get", json!({}));
    assert_eq!(got["valid"], false, "config.get says so");
    assert!(!got["issues"].as_array().unwrap().is_empty(), "{got}");
}

#[test]
fn a_config_for_another_mode_does_not_start_a_gateway() {
    let told = refused(&Setup::text(
        "{gateway: {mode: 'remote', remote: {url: 'ws://127.0.0.1:1'}, auth: {token: 'x-long-enough-secret'}}}",
    ));
    assert!(told.contains("gateway.mode"), "{told}");
    let mut gateway = Gateway::spawn(
        &Setup::text("{}").arg("--token").arg(TOKEN).arg("--allow-unconfigured"),
        gateway::free_port(),
    );
    wait_for("the gateway", || std::net::TcpStream::connect(("127.0.0.1", gateway.port)).ok());
    assert_eq!(gateway.stop().0, 0);
}

#[test]
fn r_22b_config_get_hides_secrets_and_nothing_else() {
    let server = ModelServer::start(vec![Reply::Drop]);
    let mut config = server.config();
    config["models"]["providers"]["test"]["models"][0]["maxTokens"] = json!(4096);
    config["channels"] = json!({"telegram": {"botToken": "123456:canary-bot-token-000000000000000"}});
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let got = client.ok("config.get", json!({}));
    let text = got.to_string();
    for secret in [TOKEN, "sk-test-key-0123456789", "canary-bot-token"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("__OPENCLAW_REDACTED__"), "{text}");
    assert_eq!(
        got["parsed"]["models"]["providers"]["test"]["models"][0]["maxTokens"], 4096,
        "a number is no secret"
    );
    assert_eq!(got["path"], gateway.config_path().to_str().unwrap());
    assert_eq!(got["hash"].as_str().unwrap().len(), 64);
    let schema = client.ok("config.schema", json!({}));
    assert!(schema["schema"]["properties"]["gateway"].is_object());
}

/// Pages of the original draw an object where a model may be a text too.
#[test]
fn i12_5_a_model_that_is_a_text_is_shown_as_forms_draw_it() {
    let written = json!({"agents": {
        "defaults": {"model": "a/b", "subagents": {"model": "a/c"}},
        "list": [{"id": "x", "model": "a/d", "subagents": {"model": {"primary": "a/e"}}}],
    }});
    let gateway = Gateway::start(&Setup::config(written.clone()));
    let got = Client::operator(&gateway, 4).ok("config.get", json!({}));
    for (place, model) in [
        ("/defaults", "a/b"),
        ("/defaults/subagents", "a/c"),
        ("/list/0", "a/d"),
        ("/list/0/subagents", "a/e"),
    ] {
        let shown = &got["config"]["agents"].pointer(place).unwrap()["model"];
        assert_eq!(shown, &json!({"primary": model}), "{place}");
    }
    assert_eq!(got["parsed"]["agents"], written["agents"]);
}

#[test]
fn the_port_follows_flag_then_environment_then_config() {
    let (a, b, c) = (gateway::free_port(), gateway::free_port(), gateway::free_port());
    let dir = gateway::new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(
        state.join("openclaw.json"),
        with_token(&format!("x: 1, gateway: {{mode: 'local', port: {c}, auth: {{token: '{TOKEN}'}}}}")),
    )
    .unwrap();
    let env = b.to_string();
    let flag = a.to_string();
    for (args, vars, port) in [
        (vec!["gateway", "--port", &flag], vec![("OPENCLAW_GATEWAY_PORT", &env)], a),
        (vec!["gateway"], vec![("OPENCLAW_GATEWAY_PORT", &env)], b),
        (vec!["gateway"], vec![], c),
    ] {
        let mut child =
            gateway::command(&dir).args(args).envs(vars).stdout(std::process::Stdio::null()).spawn().unwrap();
        let up = wait_for("the port", || {
            assert!(child.try_wait().unwrap().is_none(), "the gateway ended");
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        drop(up);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    std::fs::remove_dir_all(dir).unwrap();
}
