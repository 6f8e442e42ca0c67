//! `read`: the text of a file of the workspace, by lines.
//!
//! Runs on a tool's thread. Text in any usual character set is given as UTF-8; pictures and what is
//! no text are described.
use crate::calls::Provenance;
use crate::charset::{self, Text};
use crate::error::{Error, Result};
use crate::sessions::attachments::image_type;
use crate::tools::{Context, Output, Tool, count, text, usual_time, workspace};
use serde_json::Value;

const MAX_LINES: usize = 2000;
const MAX_BYTES: usize = 50 * 1024;
/// Bytes of a file that are looked at.
const MAX_FILE: u64 = 16 << 20;

pub const TOOL: Tool = Tool {
    name: "read",
    doc: "Read a text file of the workspace. At most 2000 lines or 50 KB come at once: go on with offset. Pictures and other files are only described.",
    parameters: r#"{"type": "object", "required": ["path"], "properties": {
        "path": {"type": "string", "description": "File to read, relative to the workspace"},
        "offset": {"type": "integer", "minimum": 0, "description": "First line, counted from 1"},
        "limit": {"type": "integer", "minimum": 1, "description": "Most lines"}}}"#,
    aliases: &[
        ("file_path", "path"),
        ("file", "path"),
        ("filename", "path"),
        ("start", "offset"),
        ("from", "offset"),
        ("start_line", "offset"),
        ("lines", "limit"),
        ("max_lines", "limit"),
        ("num_lines", "limit"),
    ],
    changes: false,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let (dir, path) = workspace::to_read(context, text(arguments, "path").unwrap_or_default())?;
    let shown = match dir == context.workspace {
        true => path.display().to_string(),
        false => dir.join(&path).display().to_string(),
    };
    let bytes = workspace::read_in(context, &dir, &path, MAX_FILE + 1)?
        .ok_or_else(|| Error::not_found(format!("there is no file {shown} in the workspace")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Error::invalid(format!(
            "{shown} is larger than {MAX_FILE} bytes, which is too much to read"
        )));
    }
    let size = bytes.len();
    if let Some(kind) = image_type(&bytes) {
        let said = format!("[{shown} is a picture ({kind}, {size} bytes); its content is not shown here]");
        return Ok(Output::text(said).about(shown));
    }
    let Some(Text { text, charset }) = charset::decode(bytes, None, false, MAX_FILE as usize) else {
        let said = format!("[{shown} is no text ({size} bytes); its content is not shown]");
        return Ok(Output::text(said).about(shown));
    };
    // Lines as on old Macs; `edit` finds them by the same line ends.
    let is_cr_only = text.contains('\r') && !text.contains('\n');
    let text = if is_cr_only { text.replace('\r', "\n") } else { text };
    let mut said = lines(&text, count(arguments, "offset").unwrap_or(1), count(arguments, "limit"))?;
    if let Some(charset) = charset {
        said += &format!("\n[read as {charset}]");
    }
    Ok(Output::text(said).about(shown))
}

/// Lines from `offset` (counted from 1) on, and a note about what is left.
fn lines(text: &str, offset: usize, limit: Option<usize>) -> Result<String> {
    let total = text.lines().count();
    let skip = offset.max(1) - 1;
    if skip > 0 && skip >= total {
        return Err(Error::invalid(format!("offset {offset} is behind the last line: the file has {total}")));
    }
    let (mut out, mut taken) = (String::new(), 0);
    for line in text.lines().skip(skip).take(limit.unwrap_or(MAX_LINES).min(MAX_LINES)) {
        if out.len() + line.len() > MAX_BYTES {
            break;
        }
        out += line;
        out.push('\n');
        taken += 1;
    }
    let next = skip + taken + 1;
    if taken == 0 && total > 0 {
        let line: String = text.lines().nth(skip).unwrap_or_default().chars().take(MAX_BYTES / 4).collect();
        return Ok(format!("{line}\n\n[line {next} is cut here: it is longer than is shown]"));
    }
    if next <= total {
        out += &format!("\n[lines {} to {} of {total}; go on with offset {next}]", skip + 1, next - 1);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;
    use serde_json::json;

    /// Issue 9.
    #[test]
    fn b_f41_lines_that_end_in_cr_alone_are_lines() {
        let (context, dir) = context("{}");
        std::fs::write(dir.path("ws/mac.txt"), "one\rtwo\rthree\r").unwrap();
        let said = run(&context, &json!({"path": "mac.txt", "offset": 2, "limit": 1})).unwrap().text;
        assert_eq!(said, "two\n\n[lines 2 to 2 of 3; go on with offset 3]");
    }

    #[test]
    fn lines_come_in_portions() {
        assert_eq!(lines("a\nb\nc\n", 1, None).unwrap(), "a\nb\nc\n");
        assert_eq!(lines("a\nb\nc", 2, Some(1)).unwrap(), "b\n\n[lines 2 to 2 of 3; go on with offset 3]");
        assert_eq!(lines("", 1, None).unwrap(), "");
        assert!(lines("a", 2, None).unwrap_err().message().contains("has 1"));
        let many = "x\n".repeat(2500);
        assert!(
            lines(&many, 1, Some(9999))
                .unwrap()
                .contains("[lines 1 to 2000 of 2500; go on with offset 2001]")
        );
        let wide = format!("{}\n", "y".repeat(30_000)).repeat(3);
        assert!(lines(&wide, 1, None).unwrap().contains("[lines 1 to 1 of 3; go on with offset 2]"));
        assert!(lines(&"z".repeat(90_000), 1, None).unwrap().contains("[line 1 is cut here"));
    }

    #[test]
    fn pictures_and_other_bytes_are_described() {
        let (context, dir) = context("{}");
        std::fs::write(dir.path("ws/p.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
        std::fs::write(dir.path("ws/b.bin"), b"\xff\x00\x01").unwrap();
        let said = |path: &str| run(&context, &json!({"path": path}));
        assert!(said("p.png").unwrap().text.contains("image/png, 12 bytes"));
        assert!(said("b.bin").unwrap().text.contains("no text (3 bytes)"));
        // B-F41
        std::fs::write(dir.path("ws/latin.log"), b"caf\xe9\n").unwrap();
        assert_eq!(said("latin.log").unwrap().text, "café\n\n[read as windows-1252]");
        std::fs::write(dir.path("ws/wide.txt"), b"\xff\xfea\0\n\0").unwrap();
        assert_eq!(said("wide.txt").unwrap().text, "a\n\n[read as UTF-16LE]");
        assert_eq!(said("AGENTS.md").unwrap().text, "rules\n");
        assert!(said("none.md").unwrap_err().message().contains("no file none.md"));
    }

    #[test]
    fn sec_13_files_outside_the_workspace_are_not_read() {
        let (context, dir) = context("{}");
        std::os::unix::fs::symlink(dir.path("openclaw.json"), dir.path("ws/link")).unwrap();
        let config = dir.path("openclaw.json").display().to_string();
        for path in ["link", "../openclaw.json", &config, "~/x", "/proc/self/environ"] {
            assert!(run(&context, &json!({"path": path})).is_err(), "{path}");
        }
    }
}
