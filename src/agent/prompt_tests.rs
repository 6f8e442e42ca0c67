//! Tests of the system prompt.
use super::*;
use crate::config::testing::Dir;
use crate::tools::TOOLS;

fn tool(name: &str) -> &'static Tool {
    TOOLS.iter().find(|tool| tool.name == name).unwrap()
}

/// The prompt of agent `main` whose workspace is `w` of `dir`.
fn prompt(dir: &Dir, session_key: &str, tools: &[&'static Tool], config: Value) -> String {
    let mut whole = serde_json::json!({"agents": {"defaults": {"workspace": dir.path("w"), "userTimezone": "Europe/Paris"}}});
    if let (Some(defaults), Value::Object(over)) = (whole.pointer_mut("/agents/defaults"), config) {
        defaults.as_object_mut().unwrap().extend(over);
    }
    dir.write("openclaw.json", &whole.to_string());
    let mut env = dir.env(&[]);
    let config = Config::load(&mut env).unwrap();
    let agents = Agents::of(&config, &env);
    build(&Wanted {
        config: &config,
        agents: &agents,
        agent: "main",
        session_key,
        channel: Some("webchat"),
        model: "p/m",
        tools,
        thinking: Thinking::High,
        extra: Some(" last words "),
    })
}

#[test]
fn it_tells_who_when_where_and_with_what() {
    let dir = Dir::new();
    dir.write("w/IDENTITY.md", "- Name: Zed\n");
    dir.write("w/memory/2026.md", "x");
    let text = prompt(&dir, "agent:main:main", &[tool("read"), tool("memory_search")], Value::Null);
    let workspace = format!("- Workspace: {}", dir.path("w").display());
    for part in [
        "You are Zed, a personal assistant.",
        "time zone Europe/Paris",
        "- Host: ",
        "- Agent: main, session agent:main:main",
        "- Channel: webchat",
        "- Model: p/m, thinking high",
        &workspace,
        "- Tools: read, memory_search",
        "memory tools",
        "# IDENTITY.md\n\n- Name: Zed",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(text.ends_with("\n\nlast words"));
    let bare = prompt(&dir, "agent:main:main", &[], Value::Null);
    assert!(!bare.contains("Tools") && !bare.contains("memory tools"), "{bare}");
}

#[test]
fn files_are_cut_visibly_and_links_are_named_not_followed() {
    let dir = Dir::new();
    dir.write("secret", "canary");
    dir.write("w/AGENTS.md", "héllo wörld");
    std::fs::write(dir.path("w/USER.md"), b"b\xffd").unwrap();
    std::os::unix::fs::symlink(dir.path("secret"), dir.path("w/SOUL.md")).unwrap();
    std::fs::create_dir(dir.path("w/TOOLS.md")).unwrap();
    dir.write("w/MEMORY.md", "private");
    let text = prompt(&dir, "agent:main:main", &[], serde_json::json!({"bootstrapMaxChars": 5}));
    assert!(
        text.contains("# AGENTS.md\n\nhéllo\n[cut here: only 5 characters of the file are shown]"),
        "{text}"
    );
    assert!(text.contains("# USER.md\n\nb\u{fffd}d"), "{text}");
    assert!(text.contains("# SOUL.md\n\n[not shown: ") && !text.contains("canary"), "{text}");
    assert!(text.contains("# TOOLS.md\n\n[not shown: ") && !text.contains("# HEARTBEAT.md"), "{text}");
    assert!(text.contains("# MEMORY.md\n\npriva"), "{text}");
    let group = prompt(&dir, "agent:main:telegram:group:5", &[], Value::Null);
    assert!(!group.contains("private"), "{group}");
}

#[test]
fn all_files_together_are_bounded() {
    let dir = Dir::new();
    for file in PERSONA {
        dir.write(&format!("w/{file}"), &"x".repeat(100_000));
    }
    let text = prompt(&dir, "agent:main:main", &[], serde_json::json!({"bootstrapMaxChars": 90_000}));
    assert!(text.len() < MAX_TOTAL + 3000, "{}", text.len());
    assert!(text.contains("only 90000 characters") && text.contains("only 0 characters"));
}

#[test]
fn a_missing_workspace_is_a_note() {
    let dir = Dir::new();
    let text = prompt(&dir, "agent:main:main", &[tool("read")], Value::Null);
    assert!(text.contains("[the workspace cannot be read: "), "{text}");
}
