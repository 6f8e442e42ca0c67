//! The system prompt of a turn: who the agent is, what day it is, and the workspace's own texts.
//!
//! Read on the run's thread, anew for each turn, so that an edit counts at once. Only regular files of the
//! workspace itself are read (no links, SEC-13), each up to `agents.defaults.bootstrapMaxChars`; what is cut says so.
use crate::agents::Agents;
use crate::clock;
use crate::config::Config;
use crate::files;
use serde_json::Value;
use std::path::Path;

/// The files that tell the agent about itself and its owner, in the order it reads them.
const FILES: [&str; 6] = ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "TOOLS.md", "MEMORY.md"];
const DEFAULT_MAX_CHARS: u64 = 20_000;

/// `extra` comes from the request and stands last.
pub fn build(config: &Config, agents: &Agents, agent: &str, extra: Option<&str>) -> String {
    let identity = agents.identity(agent);
    let name = identity.get("name").and_then(Value::as_str).unwrap_or("Assistant");
    let zone = config.str("agents.defaults.userTimezone");
    let today = clock::zoned(clock::now_ms(), zone).strftime("%A, %-d %B %Y, %Z").to_string();
    let max = config.u64("agents.defaults.bootstrapMaxChars").unwrap_or(DEFAULT_MAX_CHARS).max(1) as usize;
    let workspace = agents.workspace(agent);
    let mut prompt = format!("You are {name}, a personal assistant. Today is {today}.");
    for file in FILES {
        if let Some(text) = read(&workspace.join(file), max) {
            prompt += &format!("\n\n# {file}\n\n{text}");
        }
    }
    if let Some(extra) = extra.map(str::trim).filter(|s| !s.is_empty()) {
        prompt += &format!("\n\n{extra}");
    }
    prompt
}

/// The text of a regular file, at most `max` characters of it; `None` when there is nothing to read.
fn read(path: &Path, max: usize) -> Option<String> {
    // A character has at most four bytes; one more tells whether something is left.
    let bytes = files::read_start(path, (max as u64).saturating_mul(4).saturating_add(1))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    match text.char_indices().nth(max) {
        None => Some(text.to_string()).filter(|t| !t.is_empty()),
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            Some(format!("{kept}\n[cut here: the file is longer than {max} characters]"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cut_visibly_and_links_are_not_followed() {
        let dir = std::env::temp_dir().join(format!("prompt-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("A.md");
        for (content, max, want) in [
            ("  hello \n", 5, Some("hello".to_string())),
            (" \n", 5, None),
            ("héllo wörld", 5, Some("héllo\n[cut here: the file is longer than 5 characters]".to_string())),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&path, max), want, "{content:?}");
        }
        let link = dir.join("link.md");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert_eq!(read(&link, 100), None);
        assert_eq!(read(&dir, 100), None);
        assert_eq!(read(&dir.join("missing"), 100), None);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
