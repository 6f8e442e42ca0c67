//! The head of a SKILL.md: members between two `---` lines, and what of them is meant for this program. Pure.
use crate::config::parse;
use serde_json::Value;

/// A text member of the head; its value may go on in indented lines.
pub fn member(text: &str, name: &str) -> Option<String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    lines.next().filter(|line| line.trim_end() == "---")?;
    let mut head = lines.take_while(|line| line.trim_end() != "---");
    let first = head.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim();
    let first = if matches!(first, ">" | "|" | ">-" | "|-") { "" } else { first };
    let further = head.take_while(|line| line.starts_with([' ', '\t']) || line.trim().is_empty());
    let whole = further.fold(first.to_string(), |whole, line| whole + " " + line.trim());
    let whole = whole.trim();
    let bare = ['"', '\''].iter().find_map(|q| whole.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(whole);
    Some(bare.to_string()).filter(|value| !value.is_empty())
}

/// `metadata.openclaw`, null where there is none. What cannot be read may hold a requirement, so it is an error; words
/// to other programs are not ours to judge.
pub fn metadata(text: &str) -> Result<Value, String> {
    let Some(said) = member(text, "metadata") else { return Ok(Value::Null) };
    let fix = "write it as JSON, as {\"openclaw\": {\"requires\": {\"bins\": [\"gh\"]}}}";
    if !said.starts_with('{') {
        return match said.contains("openclaw:") {
            true => Err(format!("metadata is no JSON: {fix}")),
            false => Ok(Value::Null),
        };
    }
    match parse::json5(&said) {
        Ok(mut value) => Ok(value.get_mut("openclaw").map(Value::take).unwrap_or_default()),
        Err(failure) => Err(format!("metadata cannot be read ({}): {fix}", failure.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        for (text, name, want) in [
            ("---\nname: a\ndescription: \"Do it: now\"\n---\nbody", "description", Some("Do it: now")),
            ("---\r\nname: a\r\n---\r\n", "name", Some("a")),
            ("---\ndescription: >\n  one\n  two\nname: x\n---\n", "description", Some("one two")),
            ("---\nname: a\n---\ndescription: body", "description", None),
            ("description: x", "description", None),
            ("---\ndescription:\n---\n", "description", None),
        ] {
            assert_eq!(member(text, name).as_deref(), want, "{text:?}");
        }
    }

    /// Issue 13, sentence 7: over one line and over many, with the commas that people leave behind.
    #[test]
    fn i13_7_metadata_is_read_or_told() {
        for (said, want) in [
            (" {\"openclaw\": {\"emoji\": \"x\"}}", Ok("x")),
            ("\n  {\n    \"openclaw\":\n      {\n        \"emoji\": \"x\",\n      },\n  }", Ok("x")),
            (" {\"other\": {\"emoji\": \"x\"}}", Ok("")),
            ("\n  author: me\n  version: 1", Ok("")),
            (" {\"openclaw\": {\"requires\": ", Err("metadata cannot be read")),
            ("\n  openclaw:\n    requires:\n      bins: [gh]", Err("metadata is no JSON")),
        ] {
            let text = format!("---\nname: a\nmetadata:{said}\n---\nbody");
            match (metadata(&text), want) {
                (Ok(value), Ok(want)) => {
                    assert_eq!(
                        value.get("emoji").and_then(Value::as_str).unwrap_or_default(),
                        want,
                        "{said}"
                    );
                }
                (Err(told), Err(want)) => assert!(told.starts_with(want), "{told}"),
                (got, want) => panic!("{said}: {got:?}, not {want:?}"),
            }
        }
    }
}
