//! `openclaw sessions show|export|search|reset|delete|abort|compact`: conversations at a terminal and in scripts.
use super::cli::{fails, json_of, out};
use super::harness::gateway::command;
use super::harness::model::texts;
use super::harness::schemas::check_output;
use super::harness::terminal::Terminal;
use super::harness::*;
use std::os::unix::fs::PermissionsExt;

const NOTES: &str = "0b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a10";
const WORK: &str = "1b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a11";

fn line(role: &str, at: u64, content: Value) -> String {
    let message = json!({"role": role, "timestamp": at, "content": content});
    format!("{}\n", json!({"type": "message", "id": format!("m{at}"), "message": message}))
}

/// Two conversations of one agent, one of another; the first with a tool that failed.
fn setup(config: Value) -> Setup {
    let mut all = json!({"agents": {"list": [{"id": "main", "default": true}, {"id": "work"}]}});
    merge(&mut all, &config);
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let call = json!([{"type": "text", "text": "I look."},
        {"type": "toolCall", "id": "c1", "name": "read", "arguments": {"path": "README.md"}}]);
    let failed = json!({"type": "message", "id": "r", "message": {"role": "toolResult", "toolCallId": "c1",
        "toolName": "read", "isError": true, "content": text("no such file")}});
    let notes = [
        line("user", 1_000, text("Where is the DENTIST?")),
        line("assistant", 2_000, call),
        format!("{failed}\n"),
        line("assistant", 3_000, text("# Found\nThe dentist is in *Elm Street*.")),
    ];
    let index = json!({
        "agent:main:main": {"updatedAt": 1, "sessionId": "2b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a12"},
        "agent:main:notes": {"updatedAt": 3_000, "sessionId": NOTES, "label": "House"},
        "agent:main:noises": {"updatedAt": 2, "sessionId": "3b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a13"},
    });
    let other = json!({"agent:work:main": {"updatedAt": 9_000, "sessionId": WORK}});
    Setup::config(all)
        .file("agents/main/sessions/sessions.json", index.to_string())
        .file(&format!("agents/main/sessions/{NOTES}.jsonl"), notes.concat())
        .file("agents/work/sessions/sessions.json", other.to_string())
        .file(&format!("agents/work/sessions/{WORK}.jsonl"), line("user", 9_000, text("A dentist at work")))
}

#[test]
fn i14_3_a_conversation_is_shown_as_text_whatever_it_is_called_by() {
    let mut gateway = Gateway::start(&setup(json!({})));
    // By key, label, a part of either, an id; the files are read, so a gateway that is down changes nothing.
    for up in [true, false] {
        for named in ["agent:main:notes", "notes", "house", "not", NOTES] {
            let shown = out(&gateway, &["sessions", "show", named]);
            for part in
                ["agent:main:notes · House", "You", "Where is the DENTIST?", "✗ read README.md", "# Found"]
            {
                assert!(shown.contains(part), "{named}: {part}: {shown}");
            }
            assert!(!shown.contains("no such file"), "results of tools are for scripts: {shown}");
        }
        let last = out(&gateway, &["sessions", "show", "notes", "--limit", "1"]);
        assert!(last.contains("Elm Street") && !last.contains("I look."), "{last}");
        if up {
            gateway.kill();
        }
    }
    let json = json_of(&gateway, &["sessions", "show", "notes", "--json"]);
    check_output("sessions-show", &json);
    assert_eq!((&json["key"], json["messages"].as_array().unwrap().len()), (&json!("agent:main:notes"), 4));
    // The default agent's goes before one of the same name.
    let main = json_of(&gateway, &["sessions", "show", "main", "--json"]);
    assert_eq!((&main["key"], &main["messages"]), (&json!("agent:main:main"), &json!([])));
    let work = json_of(&gateway, &["sessions", "show", "main", "--agent", "work", "--json"]);
    assert_eq!(work["key"], "agent:work:main");
}

/// The least terminal: what is listed can still be named.
#[test]
fn i14_11_a_session_is_one_line_of_eighty_columns() {
    let long = "agent:main:telegram:group:-1001234567890:topic:4711";
    let key = |n: usize| if n == 0 { long.to_string() } else { format!("agent:main:telegram:direct:{n}") };
    let entry = |n: usize| {
        json!({"updatedAt": 1_795_224_978_696_u64, "sessionId": format!("{n}b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a12"), "model": "claude-opus-4-5-20251101",
            "totalTokens": 123_456, "contextTokens": 200_000, "thinkingLevel": "high"})
    };
    let index: serde_json::Map<String, Value> = (0..5).map(|n| (key(n), entry(n))).collect();
    let index = Value::Object(index).to_string();
    let setup = Setup::config(json!({})).file("agents/main/sessions/sessions.json", index);
    let gateway = Gateway::start(&setup);
    let shown = |columns: u16| {
        let mut sessions = command(&gateway.dir);
        sessions.args(["sessions"]).env("NO_COLOR", "1");
        Terminal::start(sessions, columns).end().1.replace('\r', "")
    };
    let text = shown(80);
    let rows: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("Key")).collect();
    assert!(rows.len() == 6 && rows.iter().all(|row| row.chars().count() <= 80), "{text}");
    let first = text.lines().find(|line| line.contains("4711")).unwrap();
    assert!(first.contains('…') && first.contains("(61%)") && first.contains("think:high"), "{text}");
    let other = text.lines().find(|line| line.contains("main:telegram:direct:3 ")).unwrap();
    let named = other.split(' ').next().unwrap();
    assert!(out(&gateway, &["sessions", "show", named]).contains("agent:main:telegram:direct:3"), "{text}");
    assert!(shown(200).contains(long) && shown(60).contains(long), "there is room, or no use in less");
}

#[test]
fn i14_3_several_that_fit_are_named_and_a_terminal_is_asked() {
    let gateway = Gateway::start(&setup(json!({})));
    let (code, why) = fails(&gateway, &["sessions", "show", "no"]);
    assert!(code == 1 && why.contains("2 sessions fit 'no'"), "{code} {why}");
    for key in ["agent:main:notes", "agent:main:noises", "House"] {
        assert!(why.contains(key), "{key}: {why}");
    }
    let (_, why) = fails(&gateway, &["sessions", "show", "nothing-like-it"]);
    assert!(why.contains("no session fits 'nothing-like-it': see `openclaw sessions`"), "{why}");
    let (_, why) = fails(&gateway, &["sessions", "show"]);
    assert!(why.contains("name the session") && why.contains("agent:work:main"), "{why}");

    let mut asking = command(&gateway.dir);
    asking.args(["sessions", "show", "no"]);
    let mut terminal = Terminal::start(asking, 80);
    terminal.wait_text(0, "Which session?");
    terminal.wait_text(0, "2) agent:main:noises");
    terminal.type_line("1");
    let (code, shown) = terminal.end();
    assert!(code == Some(0) && shown.contains("Elm Street"), "{code:?} {shown}");
}

#[test]
fn i14_3_an_export_is_private_and_replaces_nothing_unasked() {
    let gateway = Gateway::start(&setup(json!({})));
    let path = gateway.dir.join("notes.md");
    let file = path.display().to_string();
    out(&gateway, &["sessions", "export", "notes", "--output", &file]);
    let text = std::fs::read_to_string(&path).unwrap();
    for part in [
        "# House\n",
        "\n## You · 1970-01-01 00:00\n\nWhere is",
        "- `read` README.md (failed)\n",
        "*Elm Street*",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&path, "mine").unwrap();
    let (code, why) = fails(&gateway, &["sessions", "export", "notes", "--output", &file]);
    assert!(code == 1 && why.contains("exists; replace it with --force"), "{code} {why}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    // S-9: what is no file is not replaced by one.
    let pipe = gateway.dir.join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    let (_, told) =
        fails(&gateway, &["sessions", "export", "notes", "--force", "--output", &pipe.to_string_lossy()]);
    assert!(told.contains("is no file") && !pipe.is_file(), "{told}");
    out(&gateway, &["sessions", "export", "notes", "--output", &file, "--force", "--format", "json"]);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    check_output("sessions-show", &json);
    assert_eq!(json, json_of(&gateway, &["sessions", "export", "notes", "--json"]));
    assert!(out(&gateway, &["sessions", "export", "notes"]).starts_with("# House\n"));
}

#[test]
fn i14_3_words_are_found_the_newest_first_by_command_and_by_method() {
    let gateway = Gateway::start(&setup(json!({})));
    let told = json_of(&gateway, &["sessions", "search", "dentist", "--json"]);
    check_output("sessions-search", &told);
    let keys = |told: &Value| {
        let all = told["results"].as_array().unwrap().iter();
        all.map(|hit| (hit["sessionKey"].clone(), hit["timestamp"].clone())).collect::<Vec<_>>()
    };
    let (notes, work) = (json!("agent:main:notes"), json!("agent:work:main"));
    let all = [(work, json!(9_000)), (notes.clone(), json!(3_000)), (notes.clone(), json!(1_000))];
    assert_eq!(keys(&told), all);
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(keys(&client.ok("sessions.search", json!({"query": "Dentist"}))), all);
    let limited = client.ok("sessions.search", json!({"query": "dentist", "agentId": "main", "limit": 1}));
    assert_eq!(keys(&limited), [(notes.clone(), json!(3_000))]);
    let of_key = json!({"query": "dentist", "sessionKeys": ["agent:main:main"]});
    assert_eq!(client.ok("sessions.search", of_key)["results"], json!([]));
    let shown = out(&gateway, &["sessions", "search", "elm dentist"]);
    assert!(shown.contains("agent:main:notes") && shown.contains("in *Elm Street*."), "{shown}");
    assert!(!shown.contains("agent:work:main"), "{shown}");
    let none = out(&gateway, &["sessions", "search", "README.md"]);
    assert!(none.contains("No message holds these words."), "tools are not searched: {none}");
}

#[test]
fn i14_3_sessions_are_reset_cut_and_deleted_by_a_part_of_their_names() {
    let gateway = Gateway::start(&setup(json!({})));
    let cut = out(&gateway, &["sessions", "compact", "notes", "--keep", "2"]);
    // A result goes with its call.
    assert!(cut.contains("agent:main:notes goes on with its last 3 lines; the whole is ~/"), "{cut}");
    let short = json_of(&gateway, &["sessions", "compact", "notes", "--json"]);
    check_output("sessions-compact", &short);
    assert_eq!(short["compacted"], false);
    let reset = json_of(&gateway, &["sessions", "reset", "house", "--json"]);
    check_output("sessions-reset", &reset);
    assert!(reset["key"] == "agent:main:notes" && reset["entry"]["sessionId"] != NOTES, "{reset}");

    let (code, why) = fails(&gateway, &["sessions", "delete", "noises"]);
    assert!(code == 1 && why.contains("repeat it with --yes to delete agent:main:noises"), "{code} {why}");
    let mut asking = command(&gateway.dir);
    asking.args(["sessions", "delete", "noises"]);
    asking.env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string()).env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    let mut terminal = Terminal::start(asking, 80);
    terminal.wait_text(0, "Delete agent:main:noises?");
    terminal.type_line("n");
    let (code, _) = terminal.end();
    assert_ne!(code, Some(0), "nothing was done");
    assert!(out(&gateway, &["sessions"]).contains("agent:main:noises"));
    let told = out(&gateway, &["sessions", "delete", "noises", "--yes"]);
    assert!(told.contains("Deleted agent:main:noises"), "{told}");
    assert!(!out(&gateway, &["sessions"]).contains("agent:main:noises"));
    let (_, why) = fails(&gateway, &["sessions", "--all-agents", "--agent", "main"]);
    assert!(why.contains("exclude each other"), "{why}");
}

#[test]
fn i14_3_what_runs_in_a_session_is_stopped() {
    let server =
        ModelServer::start(vec![Reply::Stream(vec![model::Step::Gate, model::Step::Done]), texts(&["x"])]);
    let gateway = Gateway::start(&setup(server.config()));
    let nothing = out(&gateway, &["sessions", "abort", "notes"]);
    assert!(nothing.contains("Nothing runs in agent:main:notes"), "{nothing}");
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "agent:main:notes", "message": "hi", "idempotencyKey": "k"}));
    server.requests(1);
    let told = out(&gateway, &["sessions", "abort", "notes"]);
    assert!(told.contains("Stopped a turn of agent:main:notes"), "{told}");
    server.release();
}
