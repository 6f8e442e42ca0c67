//! `write`: makes or replaces a file of the workspace. Runs on a tool's thread.
use crate::calls::Provenance;
use crate::error::Result;
use crate::tools::change::Change;
use crate::tools::{Context, Output, Tool, text, usual_time, workspace};
use serde_json::Value;

pub const TOOL: Tool = Tool {
    name: "write",
    doc: "Write a file of the workspace: make it, with the directories that lead to it, or replace it whole.",
    parameters: r#"{"type": "object", "required": ["path", "content"], "properties": {
        "path": {"type": "string", "description": "File to write, relative to the workspace"},
        "content": {"type": "string", "description": "The whole text"}}}"#,
    aliases: &[
        ("file_path", "path"),
        ("file", "path"),
        ("filename", "path"),
        ("text", "content"),
        ("contents", "content"),
        ("file_text", "content"),
        ("data", "content"),
    ],
    changes: true,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let path = workspace::to_change(context, text(arguments, "path").unwrap_or_default())?;
    let content = arguments.get("content").and_then(Value::as_str).unwrap_or_default();
    Change::begin(context)?.write(&path, content.as_bytes())?;
    let shown = path.display().to_string();
    Ok(Output::text(format!("Wrote {} bytes to {shown}.", content.len())).about(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;
    use serde_json::json;

    #[test]
    fn files_of_the_workspace_are_written() {
        let (context, dir) = context("{}");
        let said = run(&context, &json!({"path": "memory/a.md", "content": "é\n"})).unwrap();
        assert_eq!(
            (said.text.as_str(), said.meta.as_deref()),
            ("Wrote 3 bytes to memory/a.md.", Some("memory/a.md"))
        );
        assert_eq!(std::fs::read_to_string(dir.path("ws/memory/a.md")).unwrap(), "é\n");
        run(&context, &json!({"path": "memory/a.md", "content": ""})).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path("ws/memory/a.md")).unwrap(), "");
    }

    #[test]
    fn sec_13_sec_42_nothing_outside_the_workspace_is_written() {
        let (context, dir) = context("{}");
        std::os::unix::fs::symlink(dir.path("openclaw.json"), dir.path("ws/link")).unwrap();
        std::os::unix::fs::symlink(dir.path("new"), dir.path("ws/dangling")).unwrap();
        let config = dir.path("openclaw.json").display().to_string();
        for path in ["link", "dangling", "../new", &config, "~/new", "/tmp/../etc/x", "a\0b", "."] {
            assert!(run(&context, &json!({"path": path, "content": "x"})).is_err(), "{path:?}");
        }
        assert!(!dir.path("new").exists());
        assert_eq!(std::fs::read_to_string(dir.path("openclaw.json")).unwrap(), "{}");
    }
}
