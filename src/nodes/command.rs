//! A command for a node's shell, made anew from what it may consist of (SEC-10). Pure.
//!
//! Whether somebody has approved it is not for a client to say: such members are left out here, and set by the gateway when
//! it finds its own record of a decision about exactly this.
use crate::error::{Error, Result};
use crate::json::Put;
use crate::shell;
use serde_json::{Map, Value};

/// Whether params of this command are made anew.
pub fn is_run(command: &str) -> bool {
    command == "system.run"
}

/// The words by which a node of this platform has its shell run a text.
pub fn by_shell(platform: &str, text: &str) -> Vec<String> {
    let words: &[&str] = match platform.get(..3) {
        Some(start) if start.eq_ignore_ascii_case("win") => &["cmd.exe", "/d", "/s", "/c", text],
        _ => &["/bin/sh", "-lc", text],
    };
    words.iter().map(|word| word.to_string()).collect()
}

const LONGEST: usize = 64 << 10;
const TEXTS: [&str; 5] = ["cwd", "agentId", "sessionKey", "runId", "rawCommand"];

/// A command as the node is told it, without anything that says it was approved.
pub fn rebuilt(params: &Value) -> Result<Map<String, Value>> {
    let mut built = Map::new();
    let argv = params.get("command").and_then(Value::as_array).filter(|argv| !argv.is_empty());
    let texts = argv.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    if argv.is_none_or(|argv| argv.len() != texts.len()) {
        return Err(Error::invalid("system.run: command must be a list of texts, the program first"));
    }
    if texts.iter().map(|text| text.len()).sum::<usize>() > LONGEST {
        return Err(Error::invalid(format!("system.run: command is longer than {LONGEST} bytes")));
    }
    built.put("command", texts.clone());
    for name in TEXTS {
        match params.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => built.put(name, text.as_str()),
            Some(_) => return Err(Error::invalid(format!("system.run: {name} must be a text"))),
        }
    }
    if let Some(raw) = built.get("rawCommand").and_then(Value::as_str)
        && !is_same(&texts, raw)
    {
        return Err(Error::invalid("system.run: rawCommand is not what command runs; leave it out"));
    }
    if let Some(env) = params.get("env").filter(|env| !env.is_null()) {
        let is_plain = env.as_object().is_some_and(|env| env.values().all(Value::is_string));
        if !is_plain {
            return Err(Error::invalid("system.run: env must hold texts by name"));
        }
        built.put("env", env.clone());
    }
    if let Some(time) = params.get("timeoutMs").and_then(Value::as_u64) {
        built.put("timeoutMs", time);
    }
    if params.get("needsScreenRecording") == Some(&Value::Bool(true)) {
        built.put("needsScreenRecording", true);
    }
    Ok(built)
}

/// Whether the text is what these words run: by a shell, or as they stand.
fn is_same(argv: &[&str], raw: &str) -> bool {
    let by_shell = match argv {
        [shell, "-c" | "-lc", text] => {
            let name = shell.rsplit('/').next().unwrap_or_default();
            ["sh", "bash", "zsh", "dash"].contains(&name) && *text == raw
        }
        ["cmd.exe", .., text] => *text == raw,
        _ => false,
    };
    by_shell || shell::line(argv.iter().copied()) == raw || argv.join(" ") == raw
}

/// Words as one line for people, as the original's nodes show them: in double quotes where there are blanks.
pub fn quoted(words: &[String]) -> String {
    let is_odd = |word: &str| word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '"');
    let one = |word: &String| match is_odd(word) {
        true => format!("\"{}\"", word.replace('"', "\\\"")),
        false => word.clone(),
    };
    words.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What somebody was asked to allow: node, words, place and variables, all of which must be the same when it runs.
pub fn is_allowed_by(request: &Value, node: &str, run: &Map<String, Value>) -> bool {
    let same = |asked: &str, runs: Option<&Value>| {
        let asked = request.get(asked).filter(|value| !value.is_null());
        asked == runs.filter(|value| !value.is_null())
    };
    let is_node = request.get("host").and_then(Value::as_str) == Some("node")
        && request.get("nodeId").and_then(Value::as_str) == Some(node);
    is_node
        && same("commandArgv", run.get("command"))
        && same("cwd", run.get("cwd"))
        && same("env", run.get("env"))
        && ["agentId", "sessionKey"].iter().all(|name| same(name, run.get(*name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn sec_10_a_command_is_made_anew_and_says_nothing_of_approval() {
        let asked = json!({"command": ["ls", "-l"], "cwd": "/", "env": {"A": "b"}, "timeoutMs": 5, "agentId": "main",
            "sessionKey": "s", "runId": "r", "needsScreenRecording": true, "rawCommand": "ls -l", "approved": true,
            "approvalDecision": "allow-always", "systemRunPlan": {}, "x": 1});
        let built = Value::Object(rebuilt(&asked).unwrap());
        let mut want = asked.clone();
        for name in ["approved", "approvalDecision", "systemRunPlan", "x"] {
            want.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(built, want);
        for wrong in [
            json!({}),
            json!({"command": []}),
            json!({"command": "ls"}),
            json!({"command": ["ls", 1]}),
            json!({"command": ["ls"], "cwd": 1}),
            json!({"command": ["ls"], "env": ["A=b"]}),
            json!({"command": ["ls"], "env": {"A": 1}}),
            json!({"command": ["rm", "x"], "rawCommand": "echo hi"}),
            json!({"command": ["sh", "-c", "rm x"], "rawCommand": "echo hi"}),
            json!({"command": ["x".repeat(LONGEST + 1)]}),
        ] {
            assert!(rebuilt(&wrong).is_err(), "{wrong}");
        }
        assert!(rebuilt(&json!({"command": ["/bin/sh", "-lc", "rm x"], "rawCommand": "rm x"})).is_ok());
    }

    #[test]
    fn sec_10_a_decision_is_about_one_command_on_one_node() {
        let run = json!({"command": ["ls"], "cwd": "/", "env": {"A": "b"}, "agentId": "main"});
        let request = json!({"host": "node", "nodeId": "n", "commandArgv": ["ls"], "cwd": "/", "env": {"A": "b"},
            "agentId": "main", "sessionKey": null});
        let fits = |request: &Value| is_allowed_by(request, "n", run.as_object().unwrap());
        assert!(fits(&request));
        for (name, other) in [
            ("host", json!("gateway")),
            ("nodeId", json!("m")),
            ("nodeId", json!(null)),
            ("commandArgv", json!(["ls", "-l"])),
            ("commandArgv", json!(null)),
            ("cwd", json!(null)),
            ("env", json!({})),
            ("env", json!(null)),
            ("agentId", json!("other")),
            ("sessionKey", json!("s")),
        ] {
            let mut request = request.clone();
            request[name] = other.clone();
            assert!(!fits(&request), "{name} {other}");
        }
    }
}
