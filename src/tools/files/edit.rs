//! `edit`: replaces one place in a text file of the workspace. Runs on a tool's thread.
//!
//! What stands there byte for byte comes first, then what is like it (`likeness`); it must be one place in either case.
use crate::calls::Provenance;
use crate::charset::{self, Text, wide};
use crate::error::{Error, Result};
use crate::tools::change::Change;
use crate::tools::{Context, Output, Tool, likeness, text, usual_time, workspace};
use serde_json::Value;

const MAX_FILE: u64 = 4 << 20;

pub const TOOL: Tool = Tool {
    name: "edit",
    doc: "Edit a text file of the workspace: replace oldText, which must occur exactly once, by newText; or do several such edits.",
    parameters: r#"{"type": "object", "required": ["path"], "properties": {
        "path": {"type": "string", "description": "File to edit, relative to the workspace"},
        "oldText": {"type": "string", "minLength": 1, "description": "What stands there, white space included"},
        "newText": {"type": "string", "description": "What is to stand there"},
        "edits": {"type": "array", "items": {"type": "object"}, "description": "Several at once, each {oldText, newText}"}}}"#,
    aliases: &[
        ("file_path", "path"),
        ("file", "path"),
        ("filename", "path"),
        ("old_string", "oldText"),
        ("old_str", "oldText"),
        ("old", "oldText"),
        ("search", "oldText"),
        ("new_string", "newText"),
        ("new_str", "newText"),
        ("new", "newText"),
        ("replace", "newText"),
        ("replacement", "newText"),
    ],
    changes: true,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let path = workspace::to_change(context, text(arguments, "path").unwrap_or_default())?;
    let shown = path.display().to_string();
    let change = Change::begin(context)?;
    let bytes = workspace::read(context, &path, MAX_FILE + 1)?.ok_or_else(|| {
        Error::not_found(format!("there is no file {shown} in the workspace: make it with write"))
    })?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Error::invalid(format!(
            "{shown} is larger than {MAX_FILE} bytes, which is too much to edit"
        )));
    }
    let edits =
        edits(arguments).ok_or_else(|| Error::invalid("an edit needs oldText and newText, both texts"))?;
    let edited = edits
        .into_iter()
        .try_fold(bytes, |bytes, (old, new)| replaced(bytes, old, new))
        .map_err(|why| Error::invalid(format!("{shown} was not changed: {why}")))?;
    change.write(&path, &edited)?;
    Ok(Output::text(format!("Replaced the text in {shown}.")).about(shown))
}

/// The replacements that are asked for, each the old text and the new: those of the list, and the one beside it.
fn edits(arguments: &Value) -> Option<Vec<(&str, &str)>> {
    fn part<'a>(edit: &'a Value, ours: &str) -> Option<&'a str> {
        let aliases = TOOL.aliases.iter().filter(|(_, name)| *name == ours).map(|(other, _)| *other);
        std::iter::once(ours).chain(aliases).find_map(|name| edit.get(name)?.as_str())
    }
    let listed = arguments.get("edits").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_alone = listed.is_empty() || arguments.get("oldText").is_some();
    let all = listed.iter().chain(is_alone.then_some(arguments));
    all.map(|edit| Some((part(edit, "oldText")?, part(edit, "newText")?))).collect()
}

/// The same, of a file in UTF-16 or UTF-32 too, which stays in that.
fn replaced(content: Vec<u8>, old: &str, new: &str) -> std::result::Result<Vec<u8>, String> {
    match wide::exact(&content) {
        None if is_wide(&content) => Err(no_utf8(&content)),
        None => replace_once(content, old, new),
        Some((text, form)) => {
            let edited = replace_once(text.into_bytes(), old, new)?;
            Ok(form.write(&String::from_utf8_lossy(&edited)))
        }
    }
}

/// Whether it is text of two or four bytes a character: then it is not exactly so, or it would have been edited as that.
fn is_wide(content: &[u8]) -> bool {
    let may_be =
        memchr::memchr(0, content).is_some() || matches!(content, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let charset = || decoded(content).and_then(|text| text.charset);
    may_be && charset().is_some_and(|name| name.starts_with("UTF-16") || name.starts_with("UTF-32"))
}

/// Whether its lines end in CR alone, as on old Macs.
fn is_cr_only(content: &[u8]) -> bool {
    memchr::memchr(b'\n', content).is_none() && memchr::memchr(b'\r', content).is_some()
}

/// The same bytes with one byte for another.
fn exchanged(mut content: Vec<u8>, from: u8, to: u8) -> Vec<u8> {
    content.iter_mut().filter(|byte| **byte == from).for_each(|byte| *byte = to);
    content
}

/// The file's bytes with the one place like `old` replaced; all others stay as they are.
fn replace_once(content: Vec<u8>, old: &str, new: &str) -> std::result::Result<Vec<u8>, String> {
    if old == new {
        return Err("oldText and newText are the same".to_string());
    }
    if is_cr_only(&content) {
        let lines = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        let edited = replace_once(exchanged(content, b'\r', b'\n'), &lines(old), &lines(new))?;
        return Ok(exchanged(edited, b'\n', b'\r'));
    }
    let old = old.trim_start_matches('\u{feff}');
    let new = new.trim_start_matches('\u{feff}');
    if old.is_empty() {
        return Err("oldText is empty".to_string());
    }
    let text = std::str::from_utf8(&content).ok();
    let mut places = memchr::memmem::find_iter(&content, old.as_bytes());
    let (range, put) = match (places.next(), places.next(), text) {
        (Some(at), None, _) => (at..at + old.len(), new),
        (Some(_), Some(_), _) => return Err(many(2 + places.count())),
        (None, _, None) => return Err(no_utf8(&content)),
        (None, _, Some(text)) => {
            let change = likeness::find(text, old, new).map_err(|places| match places {
                0 => "oldText does not occur in it; read the file and copy the text exactly".to_string(),
                n => many(n),
            })?;
            (change.range, change.text)
        }
    };
    // Half a character of two bytes may look like a letter.
    let stands_there = || decoded(&content).is_some_and(|shown| shown.text.contains(old));
    if text.is_none() && !(new.is_ascii() && old.is_ascii() && stands_there()) {
        return Err(no_utf8(&content));
    }
    let put = ended(&content, range.start, put);
    let mut edited = content;
    edited.splice(range, put.bytes());
    Ok(edited)
}

fn many(places: usize) -> String {
    format!("oldText occurs {places} times; give more of the lines around it")
}

/// In such a file a place is known by its bytes alone.
fn no_utf8(content: &[u8]) -> String {
    match decoded(content) {
        Some(Text { charset: Some(name), .. })
            if name.starts_with("UTF-16") || name.starts_with("UTF-32") =>
        {
            format!(
                "it is text in {name} that ends or stands in half a character ({} bytes), and would come out otherwise than it is; \
             to make it UTF-8 read it, then write it whole",
                content.len()
            )
        }
        Some(Text { charset, .. }) => format!(
            "it is text in {}, where only plain ASCII can be replaced by plain ASCII; to make it UTF-8 read it, then write \
             it whole",
            charset.filter(|name| *name != "UTF-8").unwrap_or("UTF-8 with bytes that are no character"),
        ),
        None => "it is no text".to_string(),
    }
}

/// The text that `read` shows, if it is one.
fn decoded(content: &[u8]) -> Option<Text> {
    charset::decode(content.to_vec(), None, false, usize::MAX)
}

/// The new text with the line ends that the file has there.
fn ended(content: &[u8], at: usize, new: &str) -> String {
    let new = new.replace("\r\n", "\n");
    let (before, after) = content.split_at(at.min(content.len()));
    let next = memchr::memchr(b'\n', after).map(|end| at + end);
    let end = next.or_else(|| memchr::memrchr(b'\n', before));
    let is_crlf = end.and_then(|end| content.get(end.checked_sub(1)?)) == Some(&b'\r');
    if is_crlf { new.replace('\n', "\r\n") } else { new }
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
            // B-F40
            (
                "\u{feff}It’s “fine” – ok\r\nkept  \r\n",
                "It's \"fine\" - ok",
                "1\n2",
                Ok("\u{feff}1\r\n2\r\nkept  \r\n"),
            ),
            ("a  \r\nb\r\nc\n", "a\nb\n", "x\n", Ok("x\r\nc\n")),
            ("a\nb", "a", "x\r\ny", Ok("x\ny\nb")),
            ("“a” \"b\"", "\"b\"", "c", Ok("“a” c")),
            ("“a” “a”", "\"a\"", "c", Err("occurs 2 times")),
        ] {
            let got = replace_once(content.into(), old, new);
            match want {
                Ok(text) => assert_eq!(got.as_deref(), Ok(text.as_bytes()), "{content:?}"),
                Err(part) => assert!(got.unwrap_err().contains(part), "{content:?} {old:?}"),
            }
        }
    }

    /// Issue 9: half a character in UTF-16, and lines that end in CR alone.
    #[test]
    fn b_f40_odd_ends_are_told_and_kept() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (mark, old, new) in [("\u{feff}", "one", "two"), ("", "one", "two"), ("\u{feff}", "o", "oooo")] {
            let mut odd = wide(&format!("{mark}one line of it\nand another\n"));
            odd.push(b'x');
            let told = replaced(odd.clone(), old, new).unwrap_err();
            assert!(told.contains("UTF-16LE") && told.contains(&format!("({} bytes)", odd.len())), "{told}");
            assert!(told.ends_with("read it, then write it whole"), "{told}");
        }
        let cr = |old: &str, new: &str| replaced(b"a\rb  \rc\r".to_vec(), old, new);
        assert_eq!(cr("a\nb", "x\ny"), Ok(b"x\ry  \rc\r".to_vec()));
        assert_eq!(cr("b\nc\n", "1\r\n2\n"), Ok(b"a\r1\r2\r".to_vec()));
        assert_eq!(cr("c\r", "d\r"), Ok(b"a\rb  \rd\r".to_vec()));
        assert!(cr("none", "x").unwrap_err().contains("does not occur"));
        assert_eq!(replaced(wide("\u{feff}a\rb\r"), "a\nb", "c"), Ok(wide("\u{feff}c\r")));
    }

    /// T2b-9: as the original's own tool is called.
    #[test]
    fn t2b_9_edits_in_a_list_are_made_together_or_not_at_all() {
        let (context, dir) = context("{}");
        let file = dir.path("ws/a.txt");
        std::fs::write(&file, "one two three").unwrap();
        let edit = |arguments: Value| {
            let fit = crate::tools::arguments::fit(&TOOL, &arguments)?;
            run(&context, &fit).map_err(|e| e.message().to_string())?;
            Ok::<String, String>(std::fs::read_to_string(&file).unwrap())
        };
        let both = json!([{"oldText": "one", "newText": "1"}, {"old_string": "two", "new_string": "2"}]);
        assert_eq!(edit(json!({"path": "a.txt", "edits": both})), Ok("1 2 three".to_string()));
        let text = r#"[{"oldText": "three", "newText": "3"}]"#;
        assert_eq!(edit(json!({"path": "a.txt", "edits": text})), Ok("1 2 3".to_string()));
        for (bad, why) in [
            (
                json!([{"oldText": "1", "newText": "x"}, {"oldText": "none", "newText": "x"}]),
                "does not occur",
            ),
            (json!([{"oldText": "1"}]), "needs oldText and newText"),
            (json!([]), "needs oldText and newText"),
        ] {
            assert!(edit(json!({"path": "a.txt", "edits": bad})).unwrap_err().contains(why));
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "1 2 3");
    }

    #[test]
    fn b_f40_one_bad_byte_or_another_set_hinders_no_plain_change() {
        let edited = |content: &[u8], old: &str, new: &str| replace_once(content.to_vec(), old, new);
        assert_eq!(edited(b"a \xff b", "b", "c").unwrap(), b"a \xff c");
        assert_eq!(edited(b"caf\xe9 au lait", "lait", "miel").unwrap(), b"caf\xe9 au miel");
        assert!(
            edited(b"caf\xe9 au lait", "lait", "m\u{e9}l")
                .unwrap_err()
                .contains("text in windows-1252, where")
        );
        assert!(
            edited(b"caf\xe9 au lait", "caf\u{e9}", "the")
                .unwrap_err()
                .contains("text in windows-1252, where")
        );
        let japanese = "表示する文字列と表".as_bytes();
        let shifted = encoding_rs::SHIFT_JIS.encode("表示する文字列を並べる。").0.into_owned();
        assert!(shifted.contains(&b'\\') && !japanese.contains(&b'\\'), "its second half looks like one");
        assert!(edited(&shifted, "\\", "/").unwrap_err().contains("text in Shift_JIS, where"));
        assert!(edited("ok \u{e9} é".as_bytes(), "ok", "no").is_ok());
        assert!(
            edited(b"ok \xc3\xa9 \xff \xc3\xa9 x", "x", "é")
                .unwrap_err()
                .contains("with bytes that are no character")
        );
        assert!(edited(&[0, 255, 1, 2], "x", "y").unwrap_err().contains("no text"));
    }

    /// T2-15
    #[test]
    fn b_f40_a_file_in_utf_16_is_edited_and_stays_so() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let file = wide("\u{feff}name=\u{e9}ric\r\nage=4\r\n");
        let want = wide("\u{feff}name=\u{e9}ric\r\nage=\u{f6}\r\nb\r\n");
        assert_eq!(replaced(file.clone(), "age=4\n", "age=\u{f6}\nb\n").unwrap(), want);
        assert!(replaced(file, "none", "x").unwrap_err().contains("does not occur"));
        assert_eq!(replaced(b"wait\xe2\x80\xa6 now".to_vec(), "wait... now", "go").unwrap(), b"go");
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
