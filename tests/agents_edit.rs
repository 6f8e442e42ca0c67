//! Agents made, changed and deleted while the gateway runs, their files over the wire, and `openclaw agents`.
use crate::cli::{fails, json_of, out};
use crate::harness::*;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn config(gateway: &Gateway) -> String {
    std::fs::read_to_string(gateway.config_path()).unwrap()
}

/// The text of an answer of this agent.
fn turn(client: &mut Client, agent: &str, key: &str) -> Result<String, Value> {
    let params = json!({"agentId": agent, "message": "hello", "idempotencyKey": key});
    let id = client.ask("agent", params);
    client.answer(&id)?;
    let end = client.answer(&id)?;
    Ok(end["result"]["payloads"][0]["text"].as_str().unwrap_or_default().to_string())
}

fn ids(client: &mut Client) -> Vec<String> {
    let list = client.ok("agents.list", json!({}));
    list["agents"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect()
}

/// A config with comments that an edit could lose.
const COMMENTED: &str = "{\n  // head\n  gateway: { mode: 'local', auth: { token: '$TOKEN' } }, // guard\n  canvasHost: { enabled: false },\n  agents: {\n    list: [\n      // the first\n      { id: 'main', name: 'Home' }, /* stays */\n    ],\n  },\n  bindings: [\n    // mine\n    { agentId: 'ops-bot', match: { channel: 'telegram' } },\n    { agentId: 'main', match: { channel: 'whatsapp' } },\n  ],\n}\n// end\n";

fn commented() -> Gateway {
    Gateway::start(&Setup::text(&COMMENTED.replace("$TOKEN", TOKEN)))
}

#[test]
fn an_agent_is_made_used_and_deleted_without_a_restart_and_comments_stay() {
    let gateway = commented();
    let before = config(&gateway);
    let mut client = Client::operator(&gateway, 4);
    let home = gateway.dir.join("home");
    let workspace = home.join(".openclaw/workspace-ops/deep");
    let made = client.ok(
        "agents.create",
        json!({"name": "Ops Bot!", "workspace": "~/.openclaw/workspace-ops/deep", "emoji": "🦀", "avatar": "pics/me.png"}),
    );
    assert_eq!(made, json!({"ok": true, "agentId": "ops-bot", "name": "Ops Bot!", "workspace": workspace}));
    assert_eq!(std::fs::metadata(&workspace).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(workspace.join("AGENTS.md").exists() && workspace.join("HEARTBEAT.md").exists());
    let identity = client.ok("agent.identity.get", json!({"agentId": "ops-bot"}));
    assert_eq!(
        identity,
        json!({"agentId": "ops-bot", "name": "Ops Bot!", "avatar": "/avatar/ops-bot", "emoji": "🦀"})
    );
    assert!(!turn(&mut client, "ops-bot", "one").unwrap().is_empty(), "the new agent answers at once");
    assert_eq!(ids(&mut client), ["main", "ops-bot"]);
    assert_eq!(
        client.fails("agents.create", json!({"name": "OPS bot", "workspace": "~/.openclaw/workspace-x"}))["message"],
        "agent \"ops-bot\" already exists"
    );
    assert_eq!(
        client.fails("agents.create", json!({"name": "Main", "workspace": "~/.openclaw/workspace-x"}))["message"],
        "\"main\" is reserved"
    );
    assert!(!home.join("x").exists(), "a refusal makes nothing");

    client.ok(
        "agents.update",
        json!({"agentId": "ops-bot", "name": "Ops", "model": "openclaw/builtin", "avatar": "b.png"}),
    );
    let rows = client.ok("agents.list", json!({}))["agents"].clone();
    assert_eq!(
        rows[1],
        json!({"id": "ops-bot", "name": "Ops", "identity": {"avatar": "b.png", "avatarUrl": "/avatar/ops-bot"},
            "model": {"primary": "openclaw/builtin", "fallbacks": []}})
    );
    assert_eq!(
        client.fails("agents.update", json!({"agentId": "zz", "name": "x"}))["message"],
        "agent \"zz\" not found"
    );
    client.fails("agents.update", json!({"agentId": "ops-bot", "model": "nobody/nothing"}));
    let text = config(&gateway);
    for kept in [
        "// head",
        "// guard",
        "// the first\n      { id: 'main', name: 'Home' }, /* stays */",
        "// mine",
        "// end",
    ] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    assert!(!text.contains("lastTouched"), "R-02b: no stamps: {text}");

    assert_eq!(
        client.fails("agents.delete", json!({"agentId": "main"}))["message"],
        "\"main\" cannot be deleted"
    );
    assert_eq!(client.fails("agents.delete", json!({"agentId": "zz"}))["message"], "agent \"zz\" not found");
    let deleted = client.ok("agents.delete", json!({"agentId": "ops-bot"}));
    assert_eq!((&deleted["removedBindings"], &deleted["kept"]), (&json!(1), &json!([])));
    let trash = Path::new(deleted["trash"].as_str().unwrap());
    assert!(trash.starts_with(gateway.state_dir().join("trash")), "{trash:?}");
    assert!(trash.join("workspace/AGENTS.md").exists() && trash.join("sessions/sessions.json").exists());
    assert!(!workspace.exists() && !gateway.state_dir().join("agents/ops-bot").exists());
    let binding = "    { agentId: 'ops-bot', match: { channel: 'telegram' } },\n";
    assert_eq!(
        config(&gateway),
        before.replace(binding, ""),
        "R-02b: all that is left is what was there before"
    );
    assert_eq!(ids(&mut client), ["main"]);
    assert!(turn(&mut client, "ops-bot", "two").is_err(), "it is gone");
    assert!(!turn(&mut client, "main", "three").unwrap().is_empty());
}

#[test]
fn the_first_agent_added_keeps_the_unlisted_one() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 3);
    turn(&mut client, "main", "a").unwrap();
    client.ok("agents.create", json!({"name": "two", "workspace": "~/.openclaw/workspace-two"}));
    let list = client.ok("agents.list", json!({}));
    assert_eq!(
        (&list["defaultId"], ids(&mut client)),
        (&json!("main"), vec!["main".to_string(), "two".to_string()])
    );
    assert_eq!(client.ok("sessions.list", json!({}))["count"], 1);
    turn(&mut client, "main", "b").unwrap();
}

#[test]
fn sec_13_a_workspace_lies_in_the_owner_s_own_places() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let home = gateway.dir.join("home");
    symlink("/tmp", home.join("link")).unwrap();
    let before = config(&gateway);
    for path in [
        "/etc/x",
        "relative",
        "~",
        "~/../x",
        "~/link/x",
        "~/.openclaw",
        "~/.openclaw/identity",
        "~/.openclaw/agents/main/sessions",
        "/tmp/x",
        // S-H1: nor in other places of the home.
        "~/two",
        "~/.ssh",
        "~/.config/autostart",
        "~/.config/systemd/user",
        "~/.local/bin",
        "~/bin",
        "~/.aws",
        "~/.docker",
    ] {
        let error = client.fails("agents.create", json!({"name": "two", "workspace": path}));
        assert!(error["message"].as_str().unwrap().starts_with("workspace "), "{path}: {error}");
        client.fails("agents.update", json!({"agentId": "main", "workspace": path}));
    }
    assert_eq!(config(&gateway), before);
    assert!(!Path::new("/tmp/x").exists());
}

#[test]
fn sec_13_files_of_a_workspace_and_no_others() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let dir = gateway.dir.join("home/.openclaw/workspace-two");
    client.ok("agents.create", json!({"name": "two", "workspace": "~/.openclaw/workspace-two"}));
    let list = client.ok("agents.files.list", json!({"agentId": "two"}));
    let names: Vec<&str> =
        list["files"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "AGENTS.md",
            "SOUL.md",
            "TOOLS.md",
            "IDENTITY.md",
            "USER.md",
            "HEARTBEAT.md",
            "BOOTSTRAP.md",
            "MEMORY.md"
        ]
    );
    assert_eq!((&list["files"][0]["missing"], &list["files"][7]["missing"]), (&json!(false), &json!(true)));
    let set =
        client.ok("agents.files.set", json!({"agentId": "two", "name": "memory.md", "content": "# né"}));
    assert_eq!((&set["file"]["size"], &set["file"]["content"]), (&json!(5), &json!("# né")));
    let get = |client: &mut Client, name: &str| {
        client.call("agents.files.get", json!({"agentId": "two", "name": name}))
    };
    assert_eq!(get(&mut client, "memory.md").unwrap()["file"]["content"], "# né");
    assert_eq!(client.ok("agents.files.list", json!({"agentId": "two"}))["files"][7]["name"], "memory.md");
    let absent = get(&mut client, "BOOTSTRAP.md").unwrap();
    assert_eq!((&absent["file"]["missing"], absent["file"].get("content")), (&json!(true), None));

    let outside = gateway.dir.join("secret");
    std::fs::write(&outside, "canary").unwrap();
    std::fs::remove_file(dir.join("USER.md")).unwrap();
    symlink(&outside, dir.join("USER.md")).unwrap();
    let error = get(&mut client, "USER.md").unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");
    client.fails("agents.files.set", json!({"agentId": "two", "name": "USER.md", "content": "x"}));
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "canary");
    let row = client.ok("agents.files.list", json!({"agentId": "two"}))["files"][4].clone();
    assert_eq!((&row["name"], &row["missing"]), (&json!("USER.md"), &json!(true)));
    for name in ["../secret", "/etc/passwd", "USER.md/../../secret", "openclaw.json", "user.md"] {
        let error = get(&mut client, name).unwrap_err();
        assert!(error["message"].as_str().unwrap().starts_with("unsupported file \""), "{error}");
        client.fails("agents.files.set", json!({"agentId": "two", "name": name, "content": "x"}));
    }
    std::fs::create_dir(dir.join("BOOTSTRAP.md")).unwrap();
    get(&mut client, "BOOTSTRAP.md").unwrap_err();
    assert_eq!(client.fails("agents.files.list", json!({"agentId": "zz"}))["message"], "unknown agent id");
    let large = "x".repeat((1 << 20) + 1);
    client.fails("agents.files.set", json!({"agentId": "two", "name": "SOUL.md", "content": large}));
    assert!(get(&mut client, "SOUL.md").is_ok());
    std::fs::write(dir.join("TOOLS.md"), &large).unwrap();
    assert!(get(&mut client, "TOOLS.md").unwrap_err()["message"].as_str().unwrap().contains("larger than"));
}

#[test]
fn a_busy_agent_is_not_deleted() {
    let server =
        ModelServer::start(vec![Reply::Stream(vec![Step::Gate, Step::Text("late".into()), Step::Done])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let mut client = Client::operator(&gateway, 4);
    client.ok("agents.create", json!({"name": "two", "workspace": "~/.openclaw/workspace-two"}));
    let id = client.ask("agent", json!({"agentId": "two", "message": "hello", "idempotencyKey": "k"}));
    client.answer(&id).unwrap();
    server.requests(1);
    let error = client.fails("agents.delete", json!({"agentId": "two"}));
    assert_eq!(error["retryable"], true, "{error}");
    assert!(error["message"].as_str().unwrap().contains("1 of its turns"), "{error}");
    server.release();
    let _ends_either_way = client.answer(&id);
    wait_for("the agent to be free", || client.call("agents.delete", json!({"agentId": "two"})).ok());
}

#[test]
fn agents_from_the_command_line_with_and_without_a_gateway() {
    let mut gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let added = json_of(
        &gateway,
        &[
            "agents",
            "add",
            "Ops Bot",
            "--workspace",
            "~/ops",
            "--model",
            "openclaw/builtin",
            "--bind",
            "telegram",
            "--bind",
            "telegram:work",
            "--json",
        ],
    );
    assert_eq!((&added["agentId"], &added["model"]), (&json!("ops-bot"), &json!("openclaw/builtin")));
    assert_eq!(
        added["bindings"],
        json!({"added": ["telegram", "telegram accountId=work"], "skipped": [], "conflicts": []})
    );
    assert!(!turn(&mut client, "ops-bot", "one").unwrap().is_empty(), "the running gateway knows it");
    let rows = json_of(&gateway, &["agents", "list", "--json", "--bindings"]);
    assert_eq!((&rows[0]["id"], &rows[0]["isDefault"]), (&json!("main"), &json!(true)));
    assert_eq!(
        (&rows[1]["identityName"], &rows[1]["identitySource"], &rows[1]["bindings"]),
        (&json!("Ops Bot"), &json!("identity"), &json!(2))
    );
    out(&gateway, &["agents", "set-identity", "--agent", "ops-bot", "--name", "Zed", "--theme", "calm"]);
    assert!(out(&gateway, &["agents"]).contains("- ops-bot (Zed)"));
    assert_eq!(client.ok("agent.identity.get", json!({"agentId": "ops-bot"}))["name"], "Zed");
    let (code, stderr) = fails(&gateway, &["agents", "delete", "ops-bot"]);
    assert!(code == 1 && stderr.contains("--force"), "{stderr}");
    let deleted = json_of(&gateway, &["agents", "delete", "ops-bot", "--force", "--json"]);
    assert_eq!((&deleted["removedBindings"], deleted["trash"].is_string()), (&json!(2), true));
    assert!(turn(&mut client, "ops-bot", "two").is_err());

    gateway.stop();
    out(&gateway, &["agents", "add", "three", "--workspace", "~/three", "--non-interactive"]);
    out(&gateway, &["agents", "add", "four"]);
    for (args, text) in [
        (&["agents", "add", "main"][..], "\"main\" is reserved"),
        (&["agents", "add", "three"], "already exists"),
        (&["agents", "add", "x", "--non-interactive"], "--workspace"),
        (&["agents", "add", "x", "--workspace", "~"], "holds the gateway's own files"),
        (&["agents", "add", "x", "--workspace", "/"], "holds the gateway's own files"),
        (&["agents", "delete", "zz", "--force"], "agent \"zz\" not found"),
        (&["agents", "delete", "main", "--force"], "\"main\" cannot be deleted"),
        (&["agents", "set-identity", "--agent", "zz", "--name", "x"], "not found"),
        (&["agents", "set-identity"], "nothing to set"),
    ] {
        let (_, stderr) = fails(&gateway, args);
        assert!(stderr.contains(text), "{args:?}: {stderr}");
    }
    out(&gateway, &["agents", "delete", "four", "--force"]);
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(ids(&mut client), ["main", "three"]);
    assert!(!turn(&mut client, "three", "three").unwrap().is_empty());
}

#[test]
fn an_agent_written_into_the_file_by_hand_comes_and_goes() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let before = config(&gateway);
    let after = before.replacen('{', "{\"agents\": {\"list\": [{\"id\": \"main\"}, {\"id\": \"hand\"}]},", 1);
    std::fs::write(gateway.config_path(), after).unwrap();
    let mut n = 0;
    wait_for("the new agent to answer", || {
        n += 1;
        turn(&mut client, "hand", &format!("h{n}")).ok()
    });
    std::fs::write(gateway.config_path(), before).unwrap();
    // Without a list every directory of an agent is one, as at the start.
    wait_for("the list to be gone", || (ids(&mut client) == ["main", "hand"]).then_some(()));
    assert!(gateway.state_dir().join("agents/hand/sessions/sessions.json").exists());
}

#[test]
fn setup_fills_the_workspace_it_is_given() {
    let dir = gateway::new_dir();
    let run = |args: &[&str]| gateway::command(&dir).args(args).output().unwrap();
    let workspace = dir.join("home/mine");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("SOUL.md"), "mine").unwrap();
    assert!(run(&["setup", "--workspace", "~/mine"]).status.success());
    assert!(workspace.join("AGENTS.md").exists());
    assert_eq!(std::fs::read_to_string(workspace.join("SOUL.md")).unwrap(), "mine");
    let bare = gateway::new_dir();
    std::fs::create_dir_all(bare.join("home/.openclaw")).unwrap();
    std::fs::write(bare.join("home/.openclaw/openclaw.json"), "{agents: {defaults: {skipBootstrap: true}}}")
        .unwrap();
    assert!(gateway::command(&bare).args(["setup"]).output().unwrap().status.success());
    assert_eq!(std::fs::read_dir(bare.join("home/.openclaw/workspace")).unwrap().count(), 0);
}

#[test]
fn m_5_without_templates_a_new_agent_still_says_who_it_is() {
    let gateway = Gateway::start(&Setup::config(json!({"agents": {"defaults": {"skipBootstrap": true}}})));
    let mut client = Client::operator(&gateway, 4);
    let made = json!({"name": "Ops", "workspace": gateway.state_dir().join("workspace-ops"), "emoji": "🦀", "avatar": "me.png"});
    client.ok("agents.create", made);
    let workspace = gateway.state_dir().join("workspace-ops");
    let text = std::fs::read_to_string(workspace.join("IDENTITY.md")).unwrap();
    assert_eq!(text, "- Name: Ops\n- Emoji: 🦀\n- Avatar: me.png\n");
    assert_eq!(std::fs::read_dir(&workspace).unwrap().count(), 1, "no template was written");
    let identity = client.ok("agent.identity.get", json!({"agentId": "ops"}));
    assert_eq!((&identity["name"], &identity["emoji"]), (&json!("Ops"), &json!("🦀")));
    // What stands there is kept, what is asked for comes after it and counts.
    let other = gateway.state_dir().join("workspace-two");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("IDENTITY.md"), "# Mine\n- Name: Old\n- Emoji: 🦀\n").unwrap();
    client.ok("agents.create", json!({"name": "Two", "workspace": other, "emoji": "🦀"}));
    let text = std::fs::read_to_string(other.join("IDENTITY.md")).unwrap();
    assert_eq!(text, "# Mine\n- Name: Old\n- Emoji: 🦀\n- Name: Two\n");
    let listed = out(&gateway, &["agents", "list"]);
    assert!(listed.contains("Two") && !listed.contains("Old"), "{listed}");
}

#[test]
fn n_4_a_workspace_of_another_agent_or_profile_is_refused_and_never_goes_to_the_trash() {
    let gateway = Gateway::plain();
    let home = gateway.dir.join("home");
    let refused = |args: &[&str], why: &str| {
        let output = gateway.cli(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{args:?}: {said}");
    };
    // Another profile of this home, with its own texts.
    let theirs = home.join(".openclaw/workspace-work");
    std::fs::create_dir_all(home.join(".openclaw-work")).unwrap();
    std::fs::create_dir_all(&theirs).unwrap();
    std::fs::write(theirs.join("MEMORY.md"), "theirs").unwrap();
    std::fs::write(home.join(".openclaw-work/openclaw.json"), "{gateway: {mode: 'local'}}").unwrap();
    refused(&["agents", "add", "work"], "is that of profile work");
    refused(
        &["agents", "add", "ops", "--workspace", "~/.openclaw/workspace-work"],
        "is that of profile work",
    );
    refused(&["agents", "add", "ops", "--workspace", "~/.openclaw/workspace"], "is that of agent \"main\"");
    std::os::unix::fs::symlink(&theirs, home.join("link")).unwrap();
    refused(&["agents", "add", "ops", "--workspace", "~/link"], "is that of profile work");
    // One that was there before this rule, or was written by hand.
    out(&gateway, &["config", "set", "agents.list", "[{id: 'main'}, {id: 'work'}]"]);
    let doctor = out(&gateway, &["doctor", "--only", "workspace"]);
    assert!(doctor.contains("config set agents.list[1].workspace"), "{doctor}");
    // The gateway sees the file change a moment later.
    let output = wait_for("the agent to be deleted", || {
        Some(gateway.cli(&["agents", "delete", "work", "--force"])).filter(|output| output.status.success())
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("profile work works there"), "{said}");
    assert_eq!(std::fs::read_to_string(theirs.join("MEMORY.md")).unwrap(), "theirs");
}

/// Whoever follows what a refusal says is not refused again.
#[test]
fn n_28_a_refusal_from_afar_names_what_may_be_chosen_from_afar() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let allowed = gateway.state_dir().join("workspace-NAME").display().to_string();
    for workspace in ["/srv/y", "~/foo", "relative", "/srv/../y", "~/.openclaw/identity"] {
        let refused = client.fails("agents.create", json!({"name": "Ops", "workspace": workspace}));
        let said = refused["message"].as_str().unwrap();
        assert!(
            said.contains(&format!("name one below {allowed}"))
                && said.contains("agents add NAME --workspace"),
            "{said}"
        );
        assert!(!said.contains("a directory of its own below"), "{said}");
    }
    client.ok("agents.create", json!({"name": "Ops", "workspace": allowed}));
}

/// An agent's texts are not written among files of somebody else.
#[test]
fn n_28_a_directory_of_other_things_is_no_workspace_until_somebody_says_so() {
    let gateway = Gateway::plain();
    let etc = gateway.dir.join("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::write(etc.join("passwd"), "x").unwrap();
    let named = etc.to_str().unwrap();
    for args in [
        &["agents", "add", "ops", "--workspace", named][..],
        &["setup", "--workspace", named],
        &["onboard", "--non-interactive", "--accept-risk", "--workspace", named],
        &["config", "set", "agents.defaults.workspace", named],
        &["config", "set", "agents.list", "[{id: 'main', workspace: '/nowhere'}]"],
        &["config", "set", "agents.list[0].workspace", named],
    ] {
        if args.last().unwrap().contains("nowhere") {
            out(&gateway, args);
            continue;
        }
        let output = gateway.cli(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("holds other files"), "{args:?}: {said}");
        assert!(said.contains(&format!("touch {named}/AGENTS.md")), "{args:?}: {said}");
        assert_eq!(std::fs::read_dir(&etc).unwrap().count(), 1, "{args:?}");
    }
    std::fs::write(etc.join("AGENTS.md"), "").unwrap();
    out(&gateway, &["agents", "add", "ops", "--workspace", named]);
    // Below the home a directory that is there is nobody else's.
    std::fs::create_dir(gateway.dir.join("home/x")).unwrap();
    std::fs::write(gateway.dir.join("home/x/notes"), "x").unwrap();
    out(&gateway, &["agents", "add", "two", "--workspace", "~/x"]);
    assert!(gateway.dir.join("home/x/AGENTS.md").is_file() && !gateway.dir.join("~").exists());
}

#[test]
fn n_28_a_person_at_the_shell_may_choose_any_directory() {
    let gateway = Gateway::plain();
    let outside = gateway.dir.join("srv/agent");
    out(&gateway, &["agents", "add", "ops", "--workspace", outside.to_str().unwrap()]);
    assert!(outside.join("AGENTS.md").exists());
    out(&gateway, &["agents", "delete", "ops", "--force"]);
    assert!(outside.join("AGENTS.md").exists(), "it lies outside of the home");
    let up = gateway.dir.join("srv/../x");
    let output = gateway.cli(&["agents", "add", "ops", "--workspace", up.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("has .. in it"), "{said}");
}

/// One that is deleted and made again at once takes turns, and knows nothing of its namesake's.
#[test]
fn an_agent_that_comes_again_takes_turns() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let workspace = gateway.state_dir().join("workspace-ops");
    for round in 0..4 {
        client.ok("agents.create", json!({"name": "ops", "workspace": workspace}));
        let rows = client.ok("sessions.list", json!({"agentId": "ops"}));
        assert_eq!(rows["sessions"], json!([]), "round {round}");
        let asked = json!({"agentId": "ops", "message": "hello", "idempotencyKey": format!("again-{round}")});
        let id = client.ask("agent", asked);
        assert_eq!(client.answer(&id).unwrap()["status"], "accepted", "round {round}");
        assert_eq!(client.answer(&id).unwrap()["status"], "ok", "round {round}");
        client.ok("agents.delete", json!({"agentId": "ops"}));
    }
}
