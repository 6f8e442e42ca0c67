//! `memory_get`: lines of one file of memory. Runs on a tool's thread.
use crate::calls::Provenance;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::tools::{Context, Output, Tool, count, memory, text, usual_time};
use crate::workspace::beneath;
use serde_json::Value;

/// Characters of one answer.
const MAX_CHARS: usize = 40_000;

pub const TOOL: Tool = Tool {
    name: "memory_get",
    doc: "Read lines of MEMORY.md or memory/*.md: path, and from and lines where only a part is needed. Use it after memory_search.",
    parameters: r#"{"type": "object", "required": ["path"], "properties": {
        "path": {"type": "string", "description": "As memory_search gives it"},
        "from": {"type": "integer", "minimum": 0, "description": "First line, counted from 1"},
        "lines": {"type": "integer", "minimum": 1, "description": "Most lines"}}}"#,
    aliases: &[
        ("file_path", "path"),
        ("file", "path"),
        ("start", "from"),
        ("offset", "from"),
        ("start_line", "from"),
        ("limit", "lines"),
        ("count", "lines"),
        ("num_lines", "lines"),
    ],
    changes: false,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let given = text(arguments, "path").unwrap_or_default();
    let path = beneath::relative(&context.workspace, given)?;
    let shown = path.display().to_string();
    if !memory::is_memory(&path) {
        return Err(Error::invalid(format!("{shown} is not memory: name MEMORY.md or a file memory/*.md")));
    }
    let content = memory::read(context, &path)?.ok_or_else(|| {
        Error::not_found(format!("there is no file {shown}: memory_search shows the files there are"))
    })?;
    let skip = count(arguments, "from").unwrap_or(1).max(1) - 1;
    let most = count(arguments, "lines").unwrap_or(usize::MAX);
    let lines: Vec<&str> = content.lines().skip(skip).take(most).collect();
    let chosen = lines.join("\n");
    let answer: String = chosen.chars().take(MAX_CHARS).collect();
    let mut said = json!({"path": shown, "text": answer});
    if answer.len() < chosen.len()
        && let Some(map) = said.as_object_mut()
    {
        map.put("note", "cut here: use from and lines to read on");
    }
    Ok(Output::json(&said).about(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn sec_13_lines_of_memory_and_of_nothing_else() {
        let (context, dir) = context("{}");
        dir.write("ws/memory/a.md", "one\ntwo\nthree\n");
        std::os::unix::fs::symlink(dir.path("openclaw.json"), dir.path("ws/memory/link.md")).unwrap();
        let get = |arguments: Value| {
            run(&context, &arguments).map(|o| serde_json::from_str::<Value>(&o.text).unwrap())
        };
        assert_eq!(
            get(json!({"path": "memory/a.md", "from": 2, "lines": 1})).unwrap(),
            json!({"path": "memory/a.md", "text": "two"})
        );
        assert_eq!(get(json!({"path": "memory/a.md"})).unwrap()["text"], "one\ntwo\nthree");
        assert_eq!(get(json!({"path": "memory/a.md", "from": 9})).unwrap()["text"], "");
        for path in ["AGENTS.md", "memory/../AGENTS.md", "memory/link.md", "memory/none.md", "/etc/x.md"] {
            assert!(get(json!({"path": path})).is_err(), "{path}");
        }
    }
}
