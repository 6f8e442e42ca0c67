//! `edit`: replaces one place in a text file of the workspace. Runs on a tool's thread.
use super::change::Change;
use super::{Context, Output, Tool, text, usual_time, workspace};
use crate::beneath;
use crate::error::{Error, Result};
use serde_json::Value;

const MAX_FILE: u64 = 4 << 20;

pub const TOOL: Tool = Tool {
    name: "edit",
    doc: "Edit a text file of the workspace: replace oldText, which must occur exactly once, by newText.",
    parameters: r#"{"type": "object", "required": ["path", "oldText", "newText"], "properties": {
        "path": {"type": "string", "description": "File to edit, relative to the workspace"},
        "oldText": {"type": "string", "minLength": 1, "description": "Exactly what stands there, white space included"},
        "newText": {"type": "string", "description": "What is to stand there"}}}"#,
    aliases: &[
        ("file_path", "path"),
        ("filePath", "path"),
        ("old_string", "oldText"),
        ("oldString", "oldText"),
        ("new_string", "newText"),
        ("newString", "newText"),
    ],
    changes: true,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let path = workspace::relative(context, text(arguments, "path").unwrap_or_default())?;
    let shown = path.display().to_string();
    let part = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let change = Change::begin(context)?;
    let bytes = beneath::read(&context.workspace, &path, MAX_FILE + 1)?.ok_or_else(|| {
        Error::not_found(format!("there is no file {shown} in the workspace: make it with write"))
    })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Error::invalid(format!(
            "{shown} is larger than {MAX_FILE} bytes, which is too much to edit"
        )));
    }
    let content = String::from_utf8(bytes)
        .map_err(|_| Error::invalid(format!("{shown} is no UTF-8 text and cannot be edited")))?;
    let edited = replace_once(&content, part("oldText"), part("newText"))
        .map_err(|why| Error::invalid(format!("{shown} was not changed: {why}")))?;
    change.write(&path, edited.as_bytes())?;
    Ok(Output::text(format!("Replaced the text in {shown}.")).about(shown))
}

/// `content` with the one occurrence of `old` replaced. A file with CRLF line ends is searched with them too.
fn replace_once(content: &str, old: &str, new: &str) -> std::result::Result<String, String> {
    let crlf = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
    let has_crlf = content.contains("\r\n") && !content.contains(old);
    let (old, new) = if has_crlf { (crlf(old), crlf(new)) } else { (old.to_string(), new.to_string()) };
    if old == new {
        return Err("oldText and newText are the same".to_string());
    }
    match content.match_indices(&old).count() {
        _ if old.is_empty() => Err("oldText is empty".to_string()),
        1 => Ok(content.replacen(&old, &new, 1)),
        0 => Err("oldText does not occur in it; read the file and copy the text exactly".to_string()),
        n => Err(format!("oldText occurs {n} times; give more of the lines around it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;
    use serde_json::json;

    #[test]
    fn exactly_one_place_is_replaced() {
        for (content, old, new, want) in [
            ("a b c", "b", "x", Ok("a x c")),
            ("a\r\nb\r\n", "a\nb", "x\ny", Ok("x\r\ny\r\n")),
            ("a b b", "b", "x", Err("occurs 2 times")),
            ("a", "b", "x", Err("does not occur")),
            ("a", "a", "a", Err("the same")),
            ("a", "", "x", Err("empty")),
        ] {
            let got = replace_once(content, old, new);
            match want {
                Ok(text) => assert_eq!(got.as_deref(), Ok(text)),
                Err(part) => assert!(got.unwrap_err().contains(part), "{content:?} {old:?}"),
            }
        }
    }

    #[test]
    fn the_agents_own_rules_may_be_edited_but_no_link() {
        let (context, dir) = context("{}");
        run(&context, &json!({"path": "AGENTS.md", "oldText": "rules", "newText": "laws"})).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path("ws/AGENTS.md")).unwrap(), "laws\n");
        std::os::unix::fs::symlink(dir.path("openclaw.json"), dir.path("ws/link")).unwrap();
        for path in ["link", "none.md"] {
            assert!(run(&context, &json!({"path": path, "oldText": "{", "newText": "["})).is_err(), "{path}");
        }
    }
}
