//! How the owner steers commands of agents: what he is shown of those that wait, his rules from the command line, `/exec` and
//! `/elevated`, programs and keys of skills (issue 13, part 4).
use super::agent::turn;
use super::cli::{fails, json_of, out, text};
use super::exec::{exec, workspace};
use super::harness::client::scoped;
use super::harness::model::texts;
use super::harness::*;
use super::telegram::{ann, said, with_bot};
use rustix::fs::inotify;
use std::mem::MaybeUninit;

fn call(command: &str) -> Reply {
    let arguments = json!({"command": command}).to_string();
    Reply::Stream(vec![Step::Call { id: "c1".into(), name: "exec".into(), arguments }, Step::Done])
}

fn start(replies: Vec<Reply>, more: Value) -> (ModelServer, Gateway) {
    let server = ModelServer::start(replies);
    let mut config = server.config();
    merge(&mut config, &more);
    (server, Gateway::start(&Setup::config(config)))
}

fn waiting(client: &mut Client) -> usize {
    client.ok("exec.approval.list", json!({})).as_array().unwrap().len()
}

/// Issue 13, e and f: who asked at the command line, and who looks, sees what waits and how to answer.
#[test]
fn i13_e_f_a_command_that_waits_is_shown_at_the_command_line() {
    let (_server, gateway) =
        start(vec![call("echo x > made"), texts(&["I have asked"]), texts(&["done"])], json!({}));
    let (stdout, stderr) = text(&gateway.cli(&["agent", "--message", "do it"]));
    assert_eq!(stdout, "I have asked\n");
    let mut client = Client::operator(&gateway, 4);
    let id = client.ok("exec.approval.list", json!({}))[0]["id"].as_str().unwrap()[..8].to_string();
    let note = format!("note: a command waits 120 s for approval (id {id}): echo x > made\n");
    assert!(stderr.contains(&note), "{stderr}");
    assert!(stderr.contains(&format!("/approve {id} allow-once")), "{stderr}");
    let shown = out(&gateway, &["approvals", "get"]);
    assert!(
        shown.contains("Waiting for approval") && shown.contains(&id) && shown.contains("echo x > made"),
        "{shown}"
    );
    let told = json_of(&gateway, &["approvals", "get", "--json"]);
    assert_eq!(told["waiting"][0]["request"]["command"], "echo x > made");
    out(&gateway, &["agent", "--message", &format!("/approve {id} allow-once")]);
    wait_for("it to run", || workspace(&gateway).join("made").exists().then_some(()));
    assert_eq!(json_of(&gateway, &["approvals", "get", "--json"])["waiting"], json!([]));
}

/// What was decided takes no place of what waits.
#[test]
fn i13_decided_commands_take_no_place() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    for round in 0..5 {
        for n in 0..32 {
            let id = format!("round-{round}-{n}");
            client.ok("exec.approval.request", json!({"id": id, "command": "x", "twoPhase": true}));
        }
        let error =
            client.fails("exec.approval.request", json!({"id": "more", "command": "x", "twoPhase": true}));
        assert!(
            error["message"].as_str().unwrap().contains("32 commands wait for approval already"),
            "{error}"
        );
        for n in 0..32 {
            client
                .ok("exec.approval.resolve", json!({"id": format!("round-{round}-{n}"), "decision": "deny"}));
        }
    }
}

#[test]
fn i13_h_the_list_says_what_is_odd_and_no_other_file_empties_it() {
    let mut gateway = Gateway::plain();
    for (arguments, want) in [
        (&["/usr/bin/env"][..], "env runs or writes whatever it is told"),
        (&["/usr/bin/python3.11"], "python3.11 runs or writes"),
        (&["/no/such/program"], "/no/such/program is no program of this machine"),
        (&["/usr/bin/uptime", "--agent", "pigeon"], "there is no agent pigeon; the agents are main"),
        (&["/usr/bin/sort"], ""),
    ] {
        let (stdout, stderr) = text(&gateway.cli(&[&["approvals", "allowlist", "add"], arguments].concat()));
        assert!(stdout.contains("Added"), "{stdout}");
        assert!(
            if want.is_empty() { stderr.is_empty() } else { stderr.contains(want) },
            "{arguments:?}: {stderr}"
        );
    }
    let file = gateway.state_dir().join("exec-approvals.json");
    let before = std::fs::read_to_string(&file).unwrap();
    let other = gateway.dir.join("other.json");
    for text in ["{\"foo\":1}", "{}"] {
        std::fs::write(&other, text).unwrap();
        let (_, stderr) = fails(&gateway, &["approvals", "set", "--file", other.to_str().unwrap()]);
        assert!(stderr.contains("none of version, defaults and agents"), "{stderr}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    }
    // Without a gateway the rules are shown all the same.
    gateway.stop();
    assert!(out(&gateway, &["approvals", "get"]).contains("/usr/bin/sort"));
}

/// `/exec` and `/elevated`: for the session, or for one message; the owner's alone.
#[test]
fn i13_4_the_owner_chooses_how_commands_of_a_session_run() {
    let run = |name: &str| vec![call(&format!("echo x > {name}")), texts(&["ok"])];
    let replies = [run("one"), run("two"), run("three"), run("four"), run("five")].concat();
    let open = json!({"tools": {"elevated": {"allowFrom": {"webchat": ["*"]}}}});
    let (_server, gateway) = start(replies, open);
    let mut client = Client::operator(&gateway, 4);
    let mut n = 0;
    let mut say = |client: &mut Client, text: &str| {
        n += 1;
        turn(client, text, &format!("k{n}"))
            .map(|done| done["result"]["payloads"][0]["text"].as_str().unwrap().to_string())
    };
    let made = |name: &str| workspace(&gateway).join(name).exists();
    say(&mut client, "do it").unwrap();
    assert_eq!((made("one"), waiting(&mut client)), (false, 1));
    // For this message only.
    say(&mut client, "/exec security=full ask=off do it").unwrap();
    assert_eq!((made("two"), waiting(&mut client)), (true, 1));
    say(&mut client, "do it").unwrap();
    assert_eq!((made("three"), waiting(&mut client)), (false, 2));
    let shown = say(&mut client, "/exec").unwrap();
    assert!(shown.contains("host=gateway, security=allowlist, ask=on-miss"), "{shown}");
    for (text, want) in [
        ("/exec host=node node=a", "tools.exec.node"),
        ("/exec security=some", "Nothing was changed"),
        ("/elevated much", "Nothing was changed"),
        ("/exec security=full ask=off", "Exec is now host=gateway, security=full, ask=off"),
    ] {
        let said = say(&mut client, text).unwrap();
        assert!(said.contains(want), "{text}: {said}");
    }
    say(&mut client, "do it").unwrap();
    assert!(made("four"));
    assert!(say(&mut client, "/exec default").unwrap().contains("security=allowlist"));
    assert!(say(&mut client, "/elevated full").unwrap().contains("Elevated is now full"));
    say(&mut client, "do it").unwrap();
    assert!(made("five"));
    // Who may only write changes nothing, for no message either.
    let mut writer = Client::with(&gateway, scoped(&["operator.write"])).0;
    for text in ["/exec security=full", "/exec security=full do it", "/elevated full", "do it /elevated full"]
    {
        n += 1;
        let sent = json!({"sessionKey": "main", "message": text, "idempotencyKey": format!("w{n}")});
        let error = writer.fails("chat.send", sent);
        assert!(
            error["message"].as_str().unwrap().starts_with("missing scope: operator.admin"),
            "{text}: {error}"
        );
    }
    let (_server, gateway) = start(vec![], json!({}));
    let mut client = Client::operator(&gateway, 4);
    let said = turn(&mut client, "/elevated full", "k").unwrap();
    let said = said["result"]["payloads"][0]["text"].as_str().unwrap().to_string();
    assert!(
        said.contains("tools.elevated.allowFrom.webchat") && said.contains("Nothing was changed"),
        "{said}"
    );
}

/// Entries of `tools.elevated.allowFrom` are read as those of the channel's `allowFrom`; a name is no id there either.
#[test]
fn i13_4_who_may_raise_commands_is_named_as_senders_are() {
    for (entry, want) in [
        ("tg:1001", "Elevated is now full"),
        (" TELEGRAM: 1001", "Elevated is now full"),
        ("ann", "Nothing was changed"),
        ("", "Nothing was changed"),
        ("tg:10012", "Nothing was changed"),
    ] {
        let telegram = ann();
        let open = json!({"tools": {"elevated": {"allowFrom": {"telegram": [entry]}}}});
        let (_server, _gateway) = with_bot(&telegram, open, vec![]);
        telegram.says(1001, 1001, "/elevated full");
        let told = said(&telegram, 1001, 1);
        assert!(told[0].contains(want), "{entry:?}: {told:?}");
    }
}

/// `agents.defaults.elevatedDefault` holds for who may raise commands himself, until the session or a message says otherwise.
#[test]
fn i13_4_how_far_commands_are_raised_where_nothing_is_said() {
    let run = |name: &str| vec![call(&format!("echo x > {name}")), texts(&["ok"])];
    let replies = [run("one"), run("two"), run("three"), run("four")].concat();
    let usual = json!({"agents": {"defaults": {"elevatedDefault": "full"}}});
    let mut open = usual.clone();
    merge(&mut open, &json!({"tools": {"elevated": {"allowFrom": {"webchat": ["*"]}}}}));
    let (_server, gateway) = start(replies, open);
    let mut client = Client::operator(&gateway, 4);
    let made = |name: &str| workspace(&gateway).join(name).exists();
    let told = |client: &mut Client, text: &str, key: &str| {
        let done = turn(client, text, key).unwrap();
        done["result"]["payloads"][0]["text"].as_str().unwrap().to_string()
    };
    told(&mut client, "do it", "k1");
    assert_eq!((made("one"), waiting(&mut client)), (true, 0));
    assert!(told(&mut client, "/elevated", "k2").contains("Elevated is full"));
    told(&mut client, "/elevated off do it", "k3");
    assert_eq!((made("two"), waiting(&mut client)), (false, 1));
    assert!(told(&mut client, "/elevated off", "k4").contains("Elevated is now off"));
    told(&mut client, "do it", "k5");
    assert_eq!((made("three"), waiting(&mut client)), (false, 2));
    // Who may only write raises nothing by it.
    let mut writer = Client::with(&gateway, scoped(&["operator.write", "operator.read"])).0;
    let sent = json!({"sessionKey": "agent:main:other", "message": "do it", "idempotencyKey": "w"});
    writer.ok("chat.send", sent);
    wait_for("it to wait", || (waiting(&mut client) == 3).then_some(()));
    assert!(!made("four"));

    // Nor does anybody whom the list does not name.
    let (_server, gateway) = start(run("five"), usual);
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "do it", "k").unwrap();
    assert_eq!((workspace(&gateway).join("five").exists(), waiting(&mut client)), (false, 1));
}

const WEATHER: &str = "---\nname: weather\ndescription: Weather.\nmetadata: {\"openclaw\": {\"primaryEnv\": \"WEATHER_KEY\", \"requires\": {\"bins\": [\"forecast\"]}}}\n---\nb\n";

/// A skill's key and variables reach commands, and no log; a skill is ready by where commands find its programs.
#[test]
fn i13_7_a_skills_key_reaches_commands_only() {
    let tools = gateway::new_dir();
    std::fs::write(tools.join("forecast"), "#!/bin/sh\necho sunny\n").unwrap();
    std::fs::set_permissions(tools.join("forecast"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let config = json!({
        "tools": {"exec": {"security": "full", "ask": "off", "pathPrepend": [tools]}},
        "gateway": {"tools": {"allow": ["exec"]}},
        "skills": {"entries": {"weather": {"apiKey": "wk-SECRET", "env": {"PLACE": "Rome", "LD_PRELOAD": "/x", "PATH": "/y"}},
            "absent": {"apiKey": "ak-SECRET", "env": {"ABSENT": "1"}}}},
    });
    let gateway = Gateway::start(&Setup::config(config).file("skills/weather/SKILL.md", WEATHER));
    let said = exec(&gateway, "env; forecast").1;
    assert!(
        said.contains("WEATHER_KEY=wk-SECRET") && said.contains("PLACE=Rome") && said.contains("sunny"),
        "{said}"
    );
    for absent in ["ak-SECRET", "ABSENT", "LD_PRELOAD", "PATH=/y"] {
        assert!(!said.contains(absent), "{absent}: {said}");
    }
    assert!(!gateway.log().contains("wk-SECRET") && !gateway.stderr().contains("wk-SECRET"));
    let mut client = Client::operator(&gateway, 4);
    let row = client.ok("skills.status", json!({}))["skills"][0].clone();
    assert_eq!((&row["name"], &row["eligible"]), (&json!("weather"), &json!(true)), "{row}");

    // An agent's own folders of programs stand in place of the general ones.
    let own = json!({"tools": {"exec": {"pathPrepend": ["/nowhere"]}}, "skills": {"entries": {"weather": {"apiKey": "k"}}},
        "agents": {"list": [{"id": "main", "default": true},
            {"id": "ops", "tools": {"exec": {"pathPrepend": [tools]}}}]}});
    let gateway = Gateway::start(&Setup::config(own).file("skills/weather/SKILL.md", WEATHER));
    for (agent, want) in [("main", json!(["forecast"])), ("ops", json!([]))] {
        let row =
            Client::operator(&gateway, 4).ok("skills.status", json!({"agentId": agent}))["skills"][0].clone();
        assert_eq!((&row["missing"]["bins"], &row["eligible"]), (&want, &json!(agent == "ops")), "{row}");
    }
    std::fs::remove_dir_all(tools).unwrap();
}

/// `autoAllowSkills`: programs of skills run unasked, but not those of a skill that the agent may have written itself.
#[test]
fn i13_4_programs_of_skills_run_unasked_where_the_rules_say_so() {
    let needs = |name: &str, bin: &str| {
        format!(
            "---\nname: {name}\ndescription: d.\nmetadata: {{\"openclaw\": {{\"requires\": {{\"bins\": [\"{bin}\"]}}}}}}\n---\nb\n"
        )
    };
    let setup = Setup::config(json!({"gateway": {"tools": {"allow": ["exec"]}}}))
        .file("skills/times/SKILL.md", needs("times", "date"))
        .file("workspace/skills/own/SKILL.md", needs("own", "uname"));
    let gateway = Gateway::start(&setup);
    let asks = |command: &str| exec(&gateway, command).1.starts_with("Approval required");
    assert!(asks("date"));
    let rules = json!({"version": 1, "defaults": {"autoAllowSkills": true}});
    std::fs::write(gateway.state_dir().join("exec-approvals.json"), rules.to_string()).unwrap();
    assert!(!asks("date"));
    for command in ["uname", "/usr/bin/uptime", "date > x", "date; uname", "./date"] {
        assert!(asks(command), "{command}");
    }
}

/// One command reads the folders of skills once, be it for its variables and for its rules.
#[test]
fn i13_4_skills_are_read_once_for_a_command() {
    let head = "---\nname: times\ndescription: d.\nmetadata: {\"openclaw\": {\"requires\": {\"bins\": [\"date\"]}}}\n---\nb\n";
    let config = json!({"gateway": {"tools": {"allow": ["exec"]}},
        "skills": {"entries": {"times": {"env": {"TIMES": "canary"}}}}});
    let gateway = Gateway::start(&Setup::config(config).file("skills/times/SKILL.md", head));
    let rules = json!({"version": 1, "defaults": {"autoAllowSkills": true}});
    std::fs::write(gateway.state_dir().join("exec-approvals.json"), rules.to_string()).unwrap();
    assert!(!exec(&gateway, "date").1.starts_with("Approval required"));
    let skill = gateway.state_dir().join("skills/times/SKILL.md");
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, &skill, inotify::WatchFlags::OPEN).unwrap();
    exec(&gateway, "date");
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    let opened = std::iter::from_fn(|| events.next().ok().map(drop)).count();
    assert_eq!(opened, 1, "times that the skill's file was opened");
}
