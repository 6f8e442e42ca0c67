//! A `sessions.json` as a gateway of the original has it after a year: thousands of entries of about 2.8 kB, most of it
//! in `skillsSnapshot` and `systemPromptReport`, with members that nobody here knows. For tests and benchmarks.
use serde_json::{Value, json};
use std::path::Path;

/// A time that entries count from, epoch milliseconds.
pub const BEGAN: u64 = 1_790_000_000_000;

pub fn key(n: usize) -> String {
    match n {
        0 => "agent:main:main".to_string(),
        n if n.is_multiple_of(3) => format!("agent:main:telegram:group:-100{n:07}"),
        n => format!("agent:main:telegram:direct:4915{n:07}"),
    }
}

pub fn id(n: usize) -> String {
    format!("{n:08x}-0b7e-4a55-9d2e-b2a3a5f0c001")
}

/// The text of an index with `count` entries; in `dir` their transcripts would lie.
pub fn text(count: usize, dir: Option<&Path>) -> String {
    let all: serde_json::Map<String, Value> = (0..count).map(|n| (key(n), entry(n, dir))).collect();
    serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
}

fn entry(n: usize, dir: Option<&Path>) -> Value {
    let (id, key, peer) = (id(n), key(n), format!("telegram:4915{n:07}"));
    let chat = if n > 0 && n.is_multiple_of(3) { "group" } else { "direct" };
    let skill = |name: &str| json!({"name": name, "description": format!("What {name} is for, in one sentence."), "filePath": format!("/home/owner/.openclaw/skills/{name}/SKILL.md"), "source": "openclaw-managed"});
    let tool = |name: &str, chars: usize| json!({"name": name, "summaryChars": chars % 90, "schemaChars": chars, "propertiesCount": chars % 7});
    let file = |name: &str| json!({"name": name, "path": format!("/home/owner/clawd/{name}"), "missing": false, "rawChars": 1200 + n % 300, "injectedChars": 1200, "truncated": !n.is_multiple_of(300)});
    let mut entry = json!({
        "sessionId": id, "updatedAt": BEGAN + n as u64 * 1000, "systemSent": true, "abortedLastRun": false,
        "chatType": chat, "deliveryContext": {"channel": "telegram", "to": peer, "accountId": "default"},
        "lastChannel": "telegram", "lastTo": peer, "lastAccountId": "default",
        "origin": {"label": format!("Ada \u{1f980} {n}"), "provider": "telegram", "surface": "telegram", "chatType": chat, "from": peer, "to": peer, "accountId": "default"},
        "label": format!("label-{n}"), "compactionCount": n % 4,
        "skillsSnapshot": {
            "prompt": "<available_skills>\n  <skill><name>weather</name><location>~/skills/weather</location></skill>\n</available_skills>",
            "skills": [{"name": "weather"}, {"name": "github", "primaryEnv": "GITHUB_TOKEN"}],
            "resolvedSkills": [skill("weather")], "version": 1,
        },
        "modelProvider": "anthropic", "model": "claude-opus-4-6", "contextTokens": 200_000,
        "inputTokens": 10 + n, "outputTokens": 200 + n, "totalTokens": 20_000 + n, "totalTokensFresh": true,
        "systemPromptReport": {
            "source": "run", "generatedAt": BEGAN, "sessionId": id, "sessionKey": key,
            "provider": "anthropic", "model": "claude-opus-4-6", "workspaceDir": "/home/owner/clawd",
            "systemPrompt": {"chars": 24_000 + n, "projectContextChars": 9000, "nonProjectContextChars": 15_000},
            "injectedWorkspaceFiles": [file("AGENTS.md")],
            "skills": {"promptChars": 900, "entries": [{"name": "weather", "blockChars": 310}]},
            "tools": {"listChars": 2100, "schemaChars": 9000, "entries": [tool("exec", 1100)]},
        },
        "ofALaterRelease": {"n": n, "list": [1, 2.5, null]},
    });
    if let (Some(members), Some(dir)) = (entry.as_object_mut(), dir) {
        members.insert("sessionFile".to_string(), json!(dir.join(format!("{id}.jsonl"))));
    }
    entry
}
