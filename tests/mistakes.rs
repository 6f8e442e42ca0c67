//! Values in the configuration that cannot be read: the key is left out and the rest goes on, what is plainly meant is
//! read, and no other agent, model, server or secret takes the place of what is missing.
use crate::agent::turn;
use crate::cli::text;
use crate::harness::model::texts;
use crate::harness::*;

/// A gateway whose agents' and providers' parts of the configuration are changed by `change`.
fn with(server: &ModelServer, change: impl FnOnce(&mut Value)) -> Gateway {
    let mut config = server.config();
    change(&mut config);
    Gateway::start(&Setup::config(config))
}

#[test]
fn b_f25_a_bad_key_is_left_out_and_named_with_its_place() {
    let server = ModelServer::start(vec![texts(&["from the model"])]);
    let gateway = with(&server, |config| {
        let defaults = &mut config["agents"]["defaults"];
        defaults["thinkingDefault"] = json!("adaptive");
        defaults["compaction"] = json!({"mode": "off"});
        defaults["timeoutSeconds"] = json!("600");
        defaults["heartbeat"] = json!({"every": 30});
        let model = defaults["model"].as_str().or(defaults["model"]["primary"].as_str()).unwrap().to_string();
        defaults["model"] = json!({"primary": model, "fallbacks": "a/b"});
        config["models"]["providers"]["test"]["retries"] = json!("often");
        config["agents"]["list"] = json!([{"id": "main"}, {"id": []}, {"id": "work", "default": "no"}]);
    });
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "hi", "k").unwrap();
    assert_eq!(server.count(), 1, "the model that is configured is asked");
    let agents = client.ok("agents.list", json!({})).to_string();
    assert!(agents.contains("\"work\"") && agents.contains("\"main\""), "{agents}");
    // An entry that is not known keeps its place; then what the list says is not what is there.
    let refused =
        client.call("agents.create", json!({"name": "more", "workspace": "~/.openclaw/workspace-more"}));
    assert!(refused.unwrap_err()["message"].as_str().unwrap().contains("agents.list"));
    let told = wait_for("the warnings", || {
        let text = gateway.stdout() + &gateway.stderr();
        ["thinkingDefault", "compaction.mode", "timeoutSeconds", "providers.test.retries", "list.1.id"]
            .iter()
            .all(|key| text.contains(key))
            .then_some(text)
    });
    let line = told.lines().find(|line| line.contains("thinkingDefault")).unwrap();
    assert!(line.contains("left out until") && line.contains("openclaw.json:"), "{line}");
}

#[test]
fn b_f25_a_bad_setting_of_agents_keeps_nobody_from_adding_one() {
    let server = ModelServer::start(vec![texts(&["from the model"])]);
    let gateway = with(&server, |config| config["agents"]["defaults"]["thinkingDefault"] = json!("adaptive"));
    let (done, told) = text(&gateway.cli(&[
        "agents",
        "add",
        "more",
        "--non-interactive",
        "--workspace",
        "~/.openclaw/workspace-more",
    ]));
    assert!(done.contains("more"), "{done}{told}");
    let mut client = Client::operator(&gateway, 4);
    wait_for("the agent", || {
        let agents = client.ok("agents.list", json!({})).to_string();
        agents.contains("\"more\"").then_some(())
    });
}

#[test]
fn b_f25_nothing_else_takes_the_place_of_what_cannot_be_read() {
    for (pointer, value, key) in [
        ("/agents", json!(5), "agents"),
        ("/agents/defaults/model", json!([]), "agents.defaults.model"),
        ("/agents/defaults/model", json!(7), "agents.defaults.model"),
        ("/agents/defaults/model", json!({}), "agents.defaults.model"),
        ("/agents/defaults/model", json!(""), "agents.defaults.model"),
        ("/agents/defaults/model", json!({"primery": "test/m"}), "agents.defaults.model"),
        ("/agents/defaults/model", json!({"primary": ""}), "agents.defaults.model.primary"),
        ("/agents/defaults/model", json!({"primary": 7}), "agents.defaults.model.primary"),
        ("/agents/defaults", json!({"modle": "test/m"}), "agents.defaults.modle"),
        ("/agents", json!({"default": {"model": "test/m"}}), "agents.default"),
        ("/agents", json!({"model": "test/m"}), "agents.model"),
        ("/agents", json!({"list": [{"id": "main", "model": {"primery": "test/m"}}]}), "agents.list.0.model"),
        (
            "/agents",
            json!({"defaults": {"model": "test/m"}, "list": [{"id": "main", "modle": "test/m"}]}),
            "list.0.modle",
        ),
        ("/agents/defaults/workspace", json!({}), "agents.defaults.workspace"),
        ("/models/providers/test/baseUrl", json!([]), "models.providers.test.baseUrl"),
        ("/models/providers/test/api", json!("smoke-signals"), "models.providers.test.api"),
        ("/models/providers/test/apiKey", json!(12345), "models.providers.test.apiKey"),
        ("/models/providers", json!("x"), "models.providers"),
        ("/tools", json!({"deny": "exec, write"}), "tools.deny"),
        ("/auth", json!({"order": {"test": 5.5}}), "auth.order.test"),
    ] {
        let server = ModelServer::start(vec![Reply::Drop]);
        let gateway = with(&server, |config| {
            let (above, name) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(above).unwrap()[name] = value.clone();
        });
        let mut client = Client::operator(&gateway, 4);
        let told = turn(&mut client, "hi", "k").expect_err(pointer);
        assert!(
            format!("{told:?}").contains(key) && format!("{told:?}").contains("openclaw.json"),
            "{key}: {told:?}"
        );
        assert_eq!(server.count(), 0, "{key}");
    }
}

/// B-F25: what cannot be read chooses no model where another one is chosen, and fallbacks alone choose the first.
#[test]
fn b_f25_a_model_that_is_chosen_elsewhere_answers() {
    for change in [
        (|config, model| config["agents"]["defaults"]["modle"] = model) as fn(&mut Value, Value),
        |config, model| config["agent"] = json!({"model": model}),
        |config, model| config["agents"]["defaults"]["model"] = json!({"fallbacks": [model]}),
        |config, model| config["agents"] = json!({"modle": "a/b", "list": [{"id": "main", "model": model}]}),
        |config, _| config["agents"]["list"] = json!([{"id": "main", "model": {}}]),
    ] {
        let server = ModelServer::start(vec![texts(&["from the model"])]);
        let gateway = with(&server, |config| {
            let chosen = config["agents"]["defaults"]["model"].clone();
            change(config, chosen.get("primary").cloned().unwrap_or(chosen));
        });
        turn(&mut Client::operator(&gateway, 4), "hi", "k").unwrap();
        assert_eq!(server.count(), 1);
    }
}

// Issue 9: a slip in a binding has the default agent answer a channel, and nobody would notice.
#[test]
fn b_f25_a_binding_to_an_agent_that_is_not_there_is_told() {
    let server = ModelServer::start(vec![texts(&["fine"])]);
    let gateway = with(&server, |config| {
        config["agents"]["list"] = json!([{"id": "main", "default": true}, {"id": "ops"}]);
        config["bindings"] = json!([{"agentId": "ops", "match": {"channel": "telegram"}},
            {"agentId": "opps", "match": {"channel": "telegram", "accountId": "b"}}]);
    });
    let (stdout, stderr) = text(&gateway.cli(&["config", "validate"]));
    let (doctor, _) = text(&gateway.cli(&["doctor", "--only", "config"]));
    for told in [stdout + &stderr, doctor, gateway.log()] {
        assert!(told.contains("bindings.1.agentId") || told.contains("bindings[1].agentId"), "{told}");
        assert!(told.contains("main answers instead; did you mean ops?"), "{told}");
        assert!(!told.contains("bindings.0") && !told.contains("bindings[0]"), "{told}");
    }
}

// Issue 9: a reference to a secret, as an object, is told with what to write.
#[test]
fn b_f25_a_reference_to_a_variable_is_told_with_what_to_write() {
    let server = ModelServer::start(vec![texts(&["fine"])]);
    let gateway = with(&server, |config| {
        config["models"]["providers"]["test"]["apiKey"] =
            json!({"source": "env", "provider": "default", "id": "MY_KEY"});
    });
    let (stdout, stderr) = text(&gateway.cli(&["config", "validate"]));
    let told = stdout + &stderr;
    assert!(told.contains("expected text, got an object; write \"${MY_KEY}\""), "{told}");
}
