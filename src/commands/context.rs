//! `/context`: what a model is given besides the user's words: workspace files, tools, conversation. What the state knows
//! is taken on its thread; files are looked at on another one, also those by which it is known which tools are offered.
use super::about::{context_line, short};
use super::{At, Reply, entry, model, wrong};
use crate::agent::prompt::{self, DEFAULT_MAX_CHARS, Wanted};
use crate::agents::Agents;
use crate::error::Result;
use crate::files;
use crate::json::json;
use crate::models::provider::Provider;
use crate::sessions::Entry;
use crate::slash::levels;
use crate::state::State;
use crate::tools::{self, Tool};
use crate::workspace::PERSONA;
use serde_json::Value;
use std::path::PathBuf;

pub fn context(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let form = match args.to_ascii_lowercase().as_str() {
        "" | "list" => Form::List,
        "detail" => Form::Detail,
        "json" => Form::Json,
        _ => return Ok(wrong("context", args, "list, detail, json")),
    };
    let (config, agent) = (state.shared.config(), state.sessions.owner(&at.key)?.to_string());
    let model = model::current(state, at);
    let max = config.u64("agents.defaults.bootstrapMaxChars").unwrap_or(DEFAULT_MAX_CHARS);
    let mut about = About {
        key: at.key.clone(),
        workspace: state.shared.agents().workspace(&agent),
        max_chars: usize::try_from(max).unwrap_or(usize::MAX),
        tools: Vec::new(),
        entry: entry(state, at),
        model,
    };
    let reasons = Provider::resolve(&config, &state.shared.env, &about.model).is_ok_and(|p| p.reasoning);
    let thinking = levels::thinking(&config, &about.entry, reasons);
    let (shared, channel) = (state.shared.clone(), at.channel.clone());
    Ok(Reply::Work(Box::new(move || {
        about.tools = tools::offered(&config, &shared.env, &agent, &about.model, &about.key);
        let prompt = prompt::build(&Wanted {
            config: &config,
            agents: &Agents::of(&config, &shared.env),
            agent: &agent,
            session_key: &about.key,
            channel: Some(&channel),
            model: &about.model,
            tools: &about.tools,
            thinking,
            extra: None,
        });
        Ok(about.report(form, prompt.chars().count()))
    })))
}

#[derive(Clone, Copy)]
enum Form {
    List,
    Detail,
    Json,
}

struct About {
    key: String,
    model: String,
    workspace: PathBuf,
    max_chars: usize,
    tools: Vec<&'static Tool>,
    entry: Entry,
}

/// A workspace file as the model gets it.
struct File {
    name: &'static str,
    /// Characters given; `None` when there is no such file.
    chars: Option<usize>,
    is_cut: bool,
}

impl About {
    /// `prompt` is the size of the system prompt, characters.
    fn report(&self, form: Form, prompt: usize) -> String {
        let files: Vec<File> = PERSONA.iter().map(|name| self.file(name)).collect();
        let given: usize = files.iter().filter_map(|file| file.chars).sum();
        let of_tools: usize = self.tools.iter().copied().map(tool_chars).sum();
        match form {
            Form::Json => self.json(&files, prompt),
            Form::List => {
                let names: Vec<&str> = files.iter().filter(|f| f.chars.is_some()).map(|f| f.name).collect();
                format!(
                    "{}\nSystem prompt: {prompt} characters\nWorkspace files in it: {} characters ({})\nTools: {}, {of_tools} characters\n/context detail shows each of them.",
                    context_line(&self.entry, None),
                    given,
                    if names.is_empty() { "none".to_string() } else { names.join(", ") },
                    self.tools.len(),
                )
            }
            Form::Detail => {
                let mut text = format!(
                    "{}\nSystem prompt: {prompt} characters\nWorkspace files:",
                    context_line(&self.entry, None)
                );
                for file in &files {
                    let size = file
                        .chars
                        .map_or("missing".to_string(), |n| format!("{} characters", short(n as u64)));
                    text += &format!("\n{}: {size}{}", file.name, if file.is_cut { ", cut" } else { "" });
                }
                text += &format!("\nTools of {}:", self.model);
                for tool in &self.tools {
                    text += &format!("\n{}: {} characters", tool.name, tool_chars(tool));
                }
                if self.tools.is_empty() {
                    text += " none";
                }
                text
            }
        }
    }

    fn json(&self, files: &[File], prompt: usize) -> String {
        let files: Vec<Value> =
            files.iter().map(|f| json!({"name": f.name, "chars": f.chars, "cut": f.is_cut})).collect();
        let tools: Vec<Value> =
            self.tools.iter().map(|t| json!({"name": t.name, "chars": tool_chars(t)})).collect();
        let number = |name: &str| self.entry.get(name).cloned().unwrap_or_default();
        json!({
            "sessionKey": self.key, "model": self.model,
            "contextTokens": number("contextTokens"), "totalTokens": number("totalTokens"),
            "systemPromptChars": prompt, "files": files, "tools": tools,
        })
        .to_string()
    }

    fn file(&self, name: &'static str) -> File {
        let bytes =
            files::read_start(&self.workspace.join(name), (self.max_chars as u64).saturating_mul(4) + 1);
        let chars = bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().chars().count());
        let is_cut = chars.is_some_and(|n| n > self.max_chars);
        File { name, chars: chars.map(|n| n.min(self.max_chars)), is_cut }
    }
}

fn tool_chars(tool: &Tool) -> usize {
    tool.name.len() + tool.doc.len() + tool.parameters.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn files_are_counted_as_the_model_gets_them() {
        let dir = TestDir::new();
        std::fs::write(dir.0.join("AGENTS.md"), " grüße \n").unwrap();
        std::fs::write(dir.0.join("SOUL.md"), "x".repeat(50)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.0.join("USER.md")).unwrap();
        let about = About {
            key: "agent:main:main".into(),
            model: "a/b".into(),
            workspace: dir.0.clone(),
            max_chars: 20,
            tools: Vec::new(),
            entry: Entry::default(),
        };
        let list = about.report(Form::List, 99);
        assert!(
            list.contains(
                "System prompt: 99 characters\nWorkspace files in it: 25 characters (AGENTS.md, SOUL.md)"
            ),
            "{list}"
        );
        let detail = about.report(Form::Detail, 99);
        assert!(
            detail.contains("SOUL.md: 20 characters, cut\nIDENTITY.md: missing\nUSER.md: missing"),
            "{detail}"
        );
        let json: Value = serde_json::from_str(&about.report(Form::Json, 99)).unwrap();
        assert_eq!(json["files"][0], json!({"name": "AGENTS.md", "chars": 5, "cut": false}));
    }
}
