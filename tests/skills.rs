//! Issue 13, sentence 7: skills of the workspace, the state directory and further folders; what they need; keys of theirs.
use crate::cli::{fails, json_of, out};
use crate::harness::*;

const NEEDY: &str = "---\nname: needy\ndescription: Needs much.\nhomepage: https://example.org\nmetadata:\n  {\n    \"openclaw\":\n      {\n        \"emoji\": \"x\",\n        \"primaryEnv\": \"NEEDY_KEY\",\n        \"requires\": { \"bins\": [\"no-such-program\"], \"anyBins\": [\"sh\", \"no-such-shell\"], \"env\": [\"NEEDY_KEY\", \"NEEDY_OTHER\"], \"config\": [\"channels.discord.token\"] },\n        \"install\": [\n          { \"id\": \"brew\", \"kind\": \"brew\", \"formula\": \"such\", \"bins\": [\"no-such-program\"], \"label\": \"Install it (brew)\" },\n          { \"kind\": \"node\", \"package\": \"$(evil) x\", \"bins\": [\"other-program\"] },\n        ],\n      },\n  }\n---\nbody\n";

fn plain(name: &str, description: &str, more: &str) -> String {
    format!("---\nname: {name}\ndescription: {description}\n{more}---\nThe body of {name}.\n")
}

fn setup(more: Value) -> Setup {
    let mut config = json!({"skills": {"load": {"extraDirs": ["~/more", "relative"]}}});
    merge(&mut config, &more);
    let os = |os: &str| format!("metadata: {{\"openclaw\": {{\"os\": [\"{os}\"]}}}}\n");
    Setup::config(config)
        .file("workspace/skills/own/SKILL.md", plain("own", "Of the workspace.", ""))
        .file("skills/managed/SKILL.md", plain("managed", "Of the state directory.", ""))
        .file("skills/managed/more.md", "more of it\n")
        .file("skills/own/SKILL.md", plain("own", "Hidden by the workspace's.", ""))
        .file("skills/needy/SKILL.md", NEEDY)
        .file("skills/strange/SKILL.md", plain("strange", "Of another system.", &os("win32")))
        .file("skills/broken/SKILL.md", plain("broken", "Unread.", "metadata: {\"openclaw\": {\n"))
        .file("skills/asked/SKILL.md", plain("asked", "For people.", "disable-model-invocation: true\n"))
        .file("../more/extra/SKILL.md", plain("extra", "Of a further folder.", ""))
        .file("../more/private.txt", "SECRET")
}

fn row<'v>(status: &'v Value, name: &str) -> &'v Value {
    let rows = status["skills"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}"))
}

#[test]
fn i13_7_skills_of_all_folders_are_told_with_what_is_missing_and_how_to_get_it() {
    let gateway = Gateway::start(&setup(json!({})));
    let mut client = Client::operator(&gateway, 4);
    let status = client.ok("skills.status", json!({}));
    let state = gateway.state_dir();
    assert_eq!(status["managedSkillsDir"], json!(state.join("skills")));
    for (name, source, eligible) in [
        ("own", "openclaw-workspace", true),
        ("managed", "openclaw-managed", true),
        ("extra", "openclaw-extra", true),
        ("needy", "openclaw-managed", false),
        ("strange", "openclaw-managed", false),
        ("broken", "openclaw-managed", false),
    ] {
        let row = row(&status, name);
        assert_eq!((&row["source"], &row["eligible"]), (&json!(source), &json!(eligible)), "{row}");
    }
    assert_eq!(row(&status, "own")["description"], "Of the workspace.");
    let needy = row(&status, "needy");
    assert_eq!(
        needy["missing"],
        json!({"bins": ["no-such-program"], "anyBins": [], "env": ["NEEDY_KEY", "NEEDY_OTHER"],
               "config": ["channels.discord.token"], "os": []})
    );
    assert_eq!(needy["configChecks"], json!([{"path": "channels.discord.token", "satisfied": false}]));
    assert_eq!(
        (&needy["primaryEnv"], &needy["homepage"]),
        (&json!("NEEDY_KEY"), &json!("https://example.org"))
    );
    let told = needy["byHand"].to_string();
    for part in ["brew install such", "skills.entries.needy.apiKey", "skills.entries.needy.env.NEEDY_OTHER"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!status.to_string().contains("npm install -g $(evil)"), "no stranger's words in a command");
    assert_eq!(row(&status, "strange")["missing"]["os"], json!(["win32"]));
    let problems = status["problems"].to_string();
    for part in ["broken/SKILL.md: metadata cannot be read", "relative: give its whole path"] {
        assert!(problems.contains(part), "{problems}");
    }
    let refused = client.fails("skills.install", json!({"name": "needy", "installId": "brew"}));
    assert!(refused["message"].as_str().unwrap().contains("brew install such"), "{refused}");
    assert_eq!(client.fails("skills.status", json!({"agentId": "zz"}))["code"], "INVALID_REQUEST");
}

#[test]
fn i13_7_a_skill_is_switched_and_given_keys_which_nobody_is_told() {
    let gateway = Gateway::start(&setup(json!({})));
    let mut client = Client::operator(&gateway, 4);
    let set = client.ok(
        "skills.update",
        json!({"skillKey": "needy", "apiKey": " canary-key-1234 ", "env": {"NEEDY_OTHER": "canary-env-1234"}}),
    );
    assert_eq!((&set["ok"], &set["skillKey"]), (&json!(true), &json!("needy")));
    let status = client.ok("skills.status", json!({}));
    assert_eq!(row(&status, "needy")["missing"]["env"], json!([]));
    let off = client.ok("skills.update", json!({"skillKey": "own", "enabled": false}));
    assert_eq!(off["config"], json!({"enabled": false}));
    let status = client.ok("skills.status", json!({}));
    assert_eq!(
        (&row(&status, "own")["disabled"], &row(&status, "own")["eligible"]),
        (&json!(true), &json!(false))
    );
    for told in [set.to_string(), status.to_string(), gateway.log()] {
        assert!(!told.contains("canary"), "{told}");
    }
    let file: Value = serde_json::from_slice(&std::fs::read(gateway.config_path()).unwrap()).unwrap();
    let entry = &file["skills"]["entries"]["needy"];
    assert_eq!(entry, &json!({"apiKey": "canary-key-1234", "env": {"NEEDY_OTHER": "canary-env-1234"}}));
    // What was hidden comes back unchanged, and an empty text takes away.
    client.ok(
        "skills.update",
        json!({"skillKey": "needy", "apiKey": set["config"]["apiKey"], "env": {"NEEDY_OTHER": ""}}),
    );
    let file: Value = serde_json::from_slice(&std::fs::read(gateway.config_path()).unwrap()).unwrap();
    assert_eq!(file["skills"]["entries"]["needy"]["apiKey"], "canary-key-1234");
    assert!(file["skills"]["entries"]["needy"]["env"].get("NEEDY_OTHER").is_none(), "{file}");
    for (params, part) in [
        (json!({"skillKey": " "}), "skillKey"),
        (json!({"skillKey": "x", "env": {"A B": "1"}}), "no name of a variable"),
        (json!({"skillKey": "x", "env": {"LD_PRELOAD": "/tmp/x"}}), "not changed from afar"),
        (json!({"skillKey": "x", "foo": 1}), "foo"),
    ] {
        let refused = client.fails("skills.update", params.clone());
        assert!(refused["message"].as_str().unwrap().contains(part), "{params}: {refused}");
    }
}

#[test]
fn i13_7_the_model_is_told_of_what_is_ready_and_can_read_it() {
    let call = |path: String| {
        let arguments = json!({"path": path}).to_string();
        Reply::Stream(vec![Step::Call { id: "c1".into(), name: "read".into(), arguments }, Step::Done])
    };
    let server = ModelServer::start(vec![model::texts(&["ok"])]);
    let gateway = Gateway::start(&setup(server.config()));
    let mut client = Client::operator(&gateway, 4);
    crate::agent::turn(&mut client, "hi", "k1").unwrap();
    let prompt = server.requests(1)[0].to_string();
    let managed = gateway.state_dir().join("skills/managed/SKILL.md").display().to_string();
    assert!(prompt.contains("own: Of the workspace. (skills/own/SKILL.md)"), "{prompt}");
    assert!(prompt.contains(&format!("managed: Of the state directory. ({managed})")), "{prompt}");
    assert!(prompt.contains("extra: Of a further folder."), "{prompt}");
    for name in ["needy", "strange", "broken", "asked"] {
        assert!(!prompt.contains(&format!("- {name}:")), "{name} is not ready");
    }
    drop((gateway, server));

    // The places are known before the gateway starts only by `~`.
    let reads = [
        "~/.openclaw/skills/managed/more.md",
        "~/more/private.txt",
        "~/.openclaw/skills/needy/SKILL.md",
        "~/.openclaw/skills/managed/../../openclaw.json",
    ];
    let replies = reads.iter().flat_map(|path| [call(path.to_string()), model::texts(&["done"])]).collect();
    let server = ModelServer::start(replies);
    let gateway = Gateway::start(&setup(server.config()));
    let mut client = Client::operator(&gateway, 4);
    for (n, path) in reads.iter().enumerate() {
        crate::agent::turn(&mut client, "read", &format!("k{n}")).unwrap();
        let asked = server.requests(2 * n + 2);
        let said = asked.last().unwrap()["body"]["messages"].as_array().unwrap().last().unwrap().to_string();
        assert_eq!(said.contains("more of it"), n == 0, "{path}: {said}");
        assert!(n == 0 || said.contains("is not inside"), "{path}: {said}");
    }
}

#[test]
fn i13_7_nodes_get_the_programs_of_skills_and_operators_do_not() {
    let gateway = Gateway::start(&setup(json!({"skills": {"entries": {"strange": {"enabled": false}}}})));
    let mut node = Client::open(&gateway);
    let mut params = params(3);
    (params["role"], params["scopes"]) = (json!("node"), json!([]));
    (params["client"]["id"], params["client"]["mode"]) = (json!("node-host"), json!("node"));
    Device::new().attach(&mut params, &node.challenge.clone(), Version::V2);
    node.connect(params).unwrap();
    let told = node.ok("skills.bins", json!({}));
    assert_eq!(told, json!({"bins": ["no-such-program", "no-such-shell", "other-program", "sh"]}));
    let refused = Client::operator(&gateway, 4).fails("skills.bins", json!({}));
    assert_eq!(refused["message"], "unauthorized role: operator");
}

#[test]
fn i13_7_the_command_line_lists_shows_and_checks() {
    let gateway = Gateway::start(&setup(json!({"skills": {"entries": {"extra": {"enabled": false}}}})));
    let list = json_of(&gateway, &["skills", "list", "--json"]);
    assert_eq!(list["skills"].as_array().unwrap().len(), 7, "{list}");
    let ready = json_of(&gateway, &["skills", "list", "--eligible", "--json"]);
    let names: Vec<&str> =
        ready["skills"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["asked", "managed", "own"]);
    let text = out(&gateway, &["skills", "-v"]);
    assert!(text.contains("Skills (3/7 ready)") && text.contains("no-such-program"), "{text}");
    let info = out(&gateway, &["skills", "info", "needy"]);
    for part in ["no-such-program (missing)", "sh (ok)", "brew install such", "NEEDY_KEY"] {
        assert!(info.contains(part), "{info}");
    }
    let check = json_of(&gateway, &["skills", "check", "--json"]);
    assert_eq!(
        check["summary"],
        json!({"total": 7, "eligible": 3, "disabled": 1, "blocked": 0, "missingRequirements": 3})
    );
    assert_eq!(check["disabled"], json!(["extra"]));
    let text = out(&gateway, &["skills", "check"]);
    assert!(text.contains("needy (bins: no-such-program") && text.contains("it is for win32 only"), "{text}");
    let (code, told) = fails(&gateway, &["skills", "info", "nope"]);
    assert!(code != 0 && told.contains("there is no skill \"nope\""), "{told}");
    for words in [["skills", "install"], ["skills", "search"]] {
        let (_, told) = fails(&gateway, &words);
        assert!(told.contains("yourself"), "{told}");
    }
}

/// A SKILL.md that does not say what it is for is told of; a long name of a value has a blank behind it.
#[test]
fn i13_7_a_skill_without_a_description_is_a_problem_and_not_silence() {
    let setup = setup(json!({}))
        .file("skills/bare/SKILL.md", "Only a body.\n")
        .file("skills/mute/SKILL.md", "---\nname: mute\n---\nA body.\n")
        .file("skills/empty/notes.md", "no skill\n");
    let gateway = Gateway::start(&setup);
    let status = Client::operator(&gateway, 4).ok("skills.status", json!({}));
    let problems = status["problems"].to_string();
    for name in ["bare", "mute"] {
        let want = format!("skills/{name}/SKILL.md: it must begin with a line ---, then description: ");
        assert!(problems.contains(&want), "{problems}");
    }
    assert!(!problems.contains("/empty"), "{problems}");
    let info = out(&gateway, &["skills", "info", "needy"]);
    assert!(info.contains("Primary env NEEDY_KEY"), "{info}");
    assert!(info.contains("Any binaries sh (ok)") && info.contains("Source     openclaw"), "{info}");
}
