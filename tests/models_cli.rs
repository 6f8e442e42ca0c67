//! The models commands of the real command line, `models.list`, fallbacks as `agent`, `status` and `sessions` tell
//! them, and `gateway usage-cost`.
use crate::agent::turn;
use crate::cli::{fails, json_of, out, text};
use crate::harness::model::texts;
use crate::harness::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;

const KEY: &str = "sk-test-key-0123456789";

/// A home with this configuration, where no gateway runs.
struct Home(PathBuf);

impl Home {
    fn new(config: &str) -> Home {
        let dir = gateway::new_dir();
        std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
        let home = Home(dir);
        std::fs::write(home.config(), config).unwrap();
        home
    }

    fn config(&self) -> PathBuf {
        self.0.join("home/.openclaw/openclaw.json")
    }

    fn read(&self) -> String {
        std::fs::read_to_string(self.config()).unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        gateway::command(&self.0).args(args).env("VAR_KEY", "sk-canary-0123").output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {:?}", text(&output));
        text(&output).0
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// Exit code and standard error.
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?}: {:?}", text(&output));
        (output.status.code().unwrap(), text(&output).1)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What stays behind is litter in the temporary directory, not a failed test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const CONFIG: &str = r#"// mine
{
  gateway: { mode: 'local' }, // keep
  agents: { defaults: { model: { primary: 'near/a', fallbacks: ['far/b'] }, imageModel: 'near/c' } },
  models: { providers: {
    near: { baseUrl: 'http://127.0.0.1:9/v1', models: [{ id: 'a', name: 'The A', contextWindow: 64000 }, { id: 'c', name: 'C', input: ['text', 'image'] }] },
    far: { baseUrl: 'https://far.example/v1', apiKey: '${VAR_KEY}', models: [{ id: 'b', name: 'B' }] },
  } },
}
"#;

#[test]
fn models_are_listed_with_what_they_are_used_for() {
    let home = Home::new(CONFIG);
    let list = home.json(&["models", "list", "--json"]);
    let rows = json!([
        {"key": "near/a", "name": "The A", "input": "text", "contextWindow": 64000, "local": true, "available": true,
         "tags": ["default", "configured"], "missing": false},
        {"key": "far/b", "name": "B", "input": "text", "contextWindow": 200000, "local": false, "available": true,
         "tags": ["fallback#1", "configured"], "missing": false},
        {"key": "near/c", "name": "C", "input": "text+image", "contextWindow": 200000, "local": true,
         "available": true, "tags": ["image", "configured"], "missing": false},
    ]);
    assert_eq!(list, json!({"count": 3, "models": rows}));
    assert_eq!(home.ok(&["models", "list", "--plain", "--local"]), "near/a\nnear/c\n");
    assert_eq!(home.ok(&["models", "list", "--plain", "--provider", "far"]), "far/b\n");
    assert!(home.ok(&["models", "list"]).contains("default,configured"));
}

#[test]
fn the_status_names_keys_by_their_place_and_what_is_amiss() {
    let home = Home::new(CONFIG);
    let status = home.json(&["models", "status", "--json"]);
    assert_eq!(status["defaultModel"], "near/a");
    assert_eq!(status["fallbacks"], json!(["far/b"]));
    assert_eq!(status["imageModel"], "near/c");
    let far = json!({"provider": "far", "effective": {"kind": "env", "detail": "VAR_KEY"},
        "baseUrl": "https://far.example/v1", "api": "openai-completions"});
    assert!(status["auth"]["providers"].as_array().unwrap().contains(&far), "{status}");
    assert_eq!(status["problems"], json!([]));
    home.ok(&["models", "status", "--check"]);
    assert_eq!(home.ok(&["models", "status", "--plain"]), "near/a\n");
    assert_eq!(home.ok(&["models"]), home.ok(&["models", "status"]));

    let home = Home::new(&CONFIG.replace("apiKey: '${VAR_KEY}', ", ""));
    let human = home.ok(&["models", "status"]);
    assert!(human.contains("set FAR_API_KEY or models.providers.far.apiKey"), "{human}");
    let (code, stderr) = home.fails(&["models", "status", "--check"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("FAR_API_KEY"), "{stderr}");
    let output = home.run(&["models", "status", "--check", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["error"]["details"]["status"]["auth"]["missingProvidersInUse"], json!(["far"]));
    assert!(home.fails(&["models", "status", "--agent", "nobody"]).1.contains("agents list"));
}

#[test]
fn r_02b_choosing_a_model_changes_nothing_else() {
    let home = Home::new(CONFIG);
    home.ok(&["models", "set", "b"]);
    assert_eq!(home.read(), CONFIG.replace("primary: 'near/a'", "primary: \"far/b\""));
    let before = home.read();
    for (word, words) in
        [("nope/x", "models.providers.nope.baseUrl"), ("nothing", "names no provider"), ("near/", "provider")]
    {
        let (code, stderr) = home.fails(&["models", "set", word]);
        assert!(code == 1 && stderr.contains(words), "{word}: {code} {stderr}");
    }
    assert_eq!(home.read(), before, "a refused choice writes nothing");
    // Issue 14: a part of a name is enough where one model has it.
    let (code, stderr) = home.fails(&["models", "set", "ar"]);
    assert!(code == 1 && stderr.contains("models fit 'ar'") && stderr.contains("near/a"), "{code} {stderr}");
    home.ok(&["models", "set", "near/a"]);
    home.ok(&["models", "set", "fa"]);
    assert!(home.read().contains("primary: \"far/b\""), "a model by the beginning of its name");
    let output = home.run(&["models", "set", "openrouter/some/model"]);
    assert!(output.status.success() && text(&output).1.contains("OPENROUTER_API_KEY"), "{:?}", text(&output));
    // No server is asked what it can only refuse.
    let (code, stderr) = home.fails(&["models", "test"]);
    assert!(code == 1 && stderr.contains("no key for openrouter: set OPENROUTER_API_KEY"), "{stderr}");
}

#[test]
fn fallbacks_and_aliases_are_edited_in_place() {
    let home = Home::new(CONFIG);
    assert_eq!(home.ok(&["models", "fallbacks", "list"]), "Fallbacks (1):\n- far/b\n");
    home.ok(&["models", "fallbacks", "add", "near/c"]);
    home.ok(&["models", "fallbacks", "add", "near/c"]);
    let list = || home.json(&["models", "fallbacks", "list", "--json"]);
    assert_eq!(list(), json!({"fallbacks": ["far/b", "near/c"]}));
    assert!(
        home.read().starts_with("// mine\n{\n  gateway: { mode: 'local' }, // keep\n"),
        "{}",
        home.read()
    );
    assert!(home.fails(&["models", "fallbacks", "add", "near/a"]).1.contains("is the model that answers"));
    assert!(home.fails(&["models", "fallbacks", "remove", "q/q"]).1.contains("Fallback not found: q/q"));
    home.ok(&["models", "fallbacks", "remove", "b"]);
    assert_eq!(list(), json!({"fallbacks": ["near/c"]}));
    home.ok(&["models", "fallbacks", "clear"]);
    assert_eq!(list(), json!({"fallbacks": []}));

    let output = home.run(&["models", "aliases", "add", "Quick", "near/c"]);
    assert!(
        output.status.success() && text(&output).1.contains("may choose only among"),
        "{:?}",
        text(&output)
    );
    assert_eq!(home.json(&["models", "aliases", "list", "--json"]), json!({"aliases": {"Quick": "near/c"}}));
    assert!(home.fails(&["models", "aliases", "add", "quick", "near/a"]).1.contains("already"));
    assert!(home.fails(&["models", "aliases", "add", "a b", "near/a"]).1.contains("letters"));
    home.ok(&["models", "set", "quick"]);
    assert_eq!(home.ok(&["models", "status", "--plain"]), "near/c\n");
    home.ok(&["models", "aliases", "remove", "quick"]);
    assert_eq!(home.json(&["models", "aliases", "--json"]), json!({"aliases": {}}));
    // A model that stands alone becomes one with fallbacks.
    let home = Home::new("{agents: {defaults: {model: 'openclaw/builtin'}}}");
    home.ok(&["models", "fallbacks", "add", "ollama/x"]);
    assert_eq!(home.json(&["models", "fallbacks", "list", "--json"])["fallbacks"], json!(["ollama/x"]));
    assert_eq!(home.ok(&["models", "status", "--plain"]), "openclaw/builtin\n");
}

#[test]
fn a_model_is_tested_without_a_gateway() {
    let refusal = Reply::Status(401, vec![], r#"{"error":{"message":"no"}}"#.into());
    let server = ModelServer::start(vec![texts(&["O", "K"]), texts(&["fine"]), refusal]);
    let home = Home::new(&server.config().to_string());
    let told = home.json(&["models", "test", "--json"]);
    assert_eq!(
        (&told["ok"], &told["model"], &told["answer"]),
        (&json!(true), &json!("test/m"), &json!("OK"))
    );
    assert!(told["firstTokenMs"].as_u64() <= told["totalMs"].as_u64(), "{told}");
    assert_eq!(told["usage"], json!({"input": 11, "output": 5, "total": 16}));
    let asked = server.requests(1)[0]["body"]["messages"].to_string();
    assert!(asked.contains("\"role\":\"user\""), "a question is asked: {asked}");
    let human = home.ok(&["models", "test", "m"]);
    assert!(human.starts_with("test/m answers (http://127.0.0.1:"), "{human}");
    assert!(
        human.contains("First token") && human.contains("11 in, 5 out") && human.contains("fine"),
        "{human}"
    );
    let output = home.run(&["models", "test", "--json"]);
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["ok"], false);
    assert!(stderr.contains("does not accept the API key"), "{stderr}");
    assert!(!(stdout + &stderr).contains(KEY));
    home.ok(&["models", "test", "openclaw/builtin"]);
}

#[test]
fn what_a_scan_finds_is_added_on_request_only() {
    let home = Home::new(CONFIG);
    let before = home.read();
    // Whether one is found depends on the machine.
    let _ = home.run(&["models", "scan", "--timeout", "200"]);
    assert_eq!(home.read(), before);
    let told = home.json(&["models", "scan", "--add", "--json", "--timeout", "200"]);
    let found = told["servers"].as_array().unwrap().iter().any(|s| s["models"] != json!([]));
    assert_eq!(told["added"], found, "{told}");
    assert_eq!(home.read() != before, found);
}

#[test]
fn protocol_4_clients_list_models_with_their_parameters() {
    let config: Value = json!({
        "models": {"providers": {
            "near": {"baseUrl": "http://127.0.0.1:9/v1", "models": [{"id": "a", "name": "The A", "contextWindow": 64000}]},
            "far": {"baseUrl": "https://far.example/v1", "models": [{"id": "b", "name": "B"}]},
        }},
        "agents": {"defaults": {"model": {"primary": "near/a"}, "models": {"near/a": {"alias": "A"}}}},
    });
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    let plain = client.ok("models.list", json!({}));
    let row = |id: &str, name: &str, provider: &str| json!({"id": id, "name": name, "provider": provider, "reasoning": false, "input": ["text"]});
    // A window that nobody said is not told.
    let (b, mut a) = (row("b", "B", "far"), row("a", "The A", "near"));
    merge(&mut a, &json!({"contextWindow": 64_000}));
    assert_eq!(plain, json!({"models": [b, a]}));
    let all =
        client.ok("models.list", json!({"view": "configured", "preparedOnly": true, "agentId": "main"}));
    assert_eq!(all, plain);
    let told = client.ok("models.list", json!({"view": "default", "includeDetails": true}));
    let details = json!({"available": true, "supportsTools": true, "alias": "A", "tags": ["default", "configured", "alias:A"]});
    merge(&mut a, &details);
    assert_eq!(told, json!({"models": [a]}), "what sessions may not choose is left out");
    let all = client.ok("models.list", json!({"view": "all", "includeDetails": true}));
    assert_eq!(all["models"][0]["unavailableReason"], "missing-auth");
}

/// A gateway whose chosen model has no credit and whose fallback answers.
fn falling_back(servers: &[&ModelServer; 2]) -> Gateway {
    let [first, second] = servers.map(|server| server.config()["models"]["providers"]["test"].clone());
    let mut config = json!({
        "models": {"providers": {"first": first, "second": second}},
        "agents": {"defaults": {"model": {"primary": "first/m", "fallbacks": ["second/m"]}}},
    });
    config["models"]["providers"]["second"]["models"][0]["cost"] =
        json!({"input": 100_000, "output": 0, "cacheRead": 0, "cacheWrite": 0});
    Gateway::start(&Setup::config(config))
}

#[test]
fn a_fallback_is_told_by_agent_status_and_sessions() {
    let refusal = Reply::Status(402, vec![], r#"{"error":{"message":"no"}}"#.into());
    let servers =
        [ModelServer::start(vec![refusal]), ModelServer::start(vec![texts(&["the second speaks"])])];
    let gateway = falling_back(&[&servers[0], &servers[1]]);
    let output = gateway.cli(&["agent", "-m", "hi", "--thinking", "low", "--idempotency-key", "k1"]);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stdout, "the second speaks\n");
    assert!(stderr.starts_with("note: second/m answered, since first/m failed (billing): "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let again =
        json_of(&gateway, &["agent", "-m", "hi", "--thinking", "low", "--idempotency-key", "k1", "--json"]);
    assert_eq!(again["result"]["payloads"][0]["text"], "the second speaks", "R-10b: {again}");
    assert_eq!(servers[1].count(), 1, "R-10b: one key, one turn");

    let status = wait_for("the notice on disk", || {
        Some(out(&gateway, &["status"])).filter(|status| status.contains("Fallback"))
    });
    assert!(status.contains("second/m answers instead of first/m (billing)"), "{status}");
    assert!(status.contains("first/m, then second/m"), "{status}");
    let sessions = json_of(&gateway, &["sessions", "--json", "--active", "5"]);
    let row = &sessions["sessions"][0];
    assert_eq!((&row["inputTokens"], &row["outputTokens"]), (&json!(11), &json!(5)), "{row}");
    assert_eq!((&row["totalTokens"], &row["percentUsed"]), (&json!(11), &json!(0)), "{row}");
    let table = out(&gateway, &["sessions"]);
    assert!(table.contains("Tokens (ctx %)") && table.contains("11/200k (0%)"), "{table}");
    assert!(table.contains("fallback:billing"), "{table}");

    let cost = out(&gateway, &["gateway", "usage-cost", "--days", "2"]);
    assert!(cost.starts_with("Usage cost (2 days)\nTotal: $1.10 · 16 tokens\n"), "{cost}");
    let cost = json_of(&gateway, &["gateway", "usage-cost", "--json"]);
    assert_eq!((&cost["days"], &cost["totals"]["totalTokens"]), (&json!(30), &json!(16)), "{cost}");
    let (code, stderr) = fails(&gateway, &["gateway", "usage-cost", "--days", "x"]);
    assert!(code == 1 && stderr.contains("Gateway usage cost failed: "), "{stderr}");
}

#[test]
fn delivering_is_refused_and_unknown_levels_are_named() {
    let gateway = Gateway::plain();
    let (_, stderr) = fails(&gateway, &["agent", "-m", "hi", "--deliver"]);
    assert!(stderr.contains("nowhere to deliver to"), "{stderr}");
    let (_, stderr) = fails(&gateway, &["agent", "-m", "hi", "--thinking", "lots"]);
    assert!(stderr.contains("xhigh"), "{stderr}");
    let (_, stderr) = fails(&gateway, &["agent", "-m", "hi", "--agent", "nobody"]);
    assert!(stderr.contains("nobody"), "{stderr}");
}

// N-29: a key in the state directory's file is not one of the environment.
#[test]
fn n_29_a_key_of_the_env_file_is_said_to_stand_there() {
    let home = Home::new("{agents: {defaults: {model: 'mistral/large'}}}");
    std::fs::write(home.0.join("home/.openclaw/.env"), format!("MISTRAL_API_KEY={KEY}\n")).unwrap();
    let told = home.ok(&["models", "status"]);
    assert!(told.contains("MISTRAL_API_KEY in ~/.openclaw/.env") && !told.contains(KEY), "{told}");
}

/// A server that answers whatever it is asked with this; gives its port.
fn answering(status: u16, body: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    };
    std::thread::Builder::new().spawn(serve).unwrap();
    port
}

// N-17: a server that answers with something else than its list is not said to answer.
#[test]
fn n_17_a_server_that_refuses_or_fails_is_told_when_its_model_is_chosen() {
    for (status, body, why) in [
        (401, "{}", "refuses the key (401)"),
        (503, "{}", "answers with an error (503)"),
        (200, "<html>", "does not speak as a model server does"),
        (200, "", "does not speak as a model server does"),
    ] {
        let port = answering(status, body);
        let config = json!({"gateway": {"mode": "local"}, "models": {"providers": {"test": {
            "baseUrl": format!("http://127.0.0.1:{port}/v1"), "apiKey": KEY, "models": [{"id": "m", "name": "M"}]}}}});
        let home = Home::new(&config.to_string());
        let (stdout, stderr) = text(&home.run(&["models", "set", "test/m"]));
        assert!(stderr.contains(why), "{why}: {stderr}");
        assert!(!stdout.contains("answers now") && stdout.contains("test/m is set"), "{stdout}");
    }
}

// Issue 9: another name of a usual provider names the section that is written under it, and the other way round.
#[test]
fn b_f28_a_section_under_another_name_of_its_provider_is_found() {
    for (section, asked) in [("z.ai", "zai/m"), ("kimi-code", "kimi-coding/m"), ("zai", "z-ai/m")] {
        let server = ModelServer::start(vec![texts(&["fine"])]);
        let mut config = server.config();
        let own = config["models"]["providers"]["test"].take();
        config["models"]["providers"] = json!({section: own});
        config["agents"]["defaults"]["model"] = json!({"primary": asked});
        let gateway = Gateway::start(&Setup::config(config));
        let answer = turn(&mut Client::operator(&gateway, 4), "hi", "k").unwrap();
        assert_eq!(answer["result"]["payloads"][0]["text"], "fine", "{section} {asked}: {answer}");
        let head = server.requests(1)[0]["head"].to_string();
        assert!(head.contains(&format!("Bearer {KEY}")), "{section} {asked}: {head}");
    }
}
