//! Text becomes values in `src/json` only, under bounds: no other source may parse JSON.
use crate::floors::sources;
use std::path::Path;

/// What parses: by serde_json itself, or by a trait that it implements.
const WAYS: &[&str] = &[
    "serde_json::from_",
    "serde_json::de::",
    "serde_json::Deserializer",
    "StreamDeserializer",
    "use serde_json::from",
    "serde_json::{from_",
    "from_str::<Value>",
    "parse::<Value>",
    " Value::from_str",
    "(Value::from_str",
    "Box<RawValue>",
];
/// Where JSON5 is read: people's own configuration and jobs, and an index that an old program wrote, each after a check of
/// depth and size of its own.
const JSON5: &[&str] = &["config/", "sessions/indexes/index.rs", "cli/config/edit.rs", "cron/store.rs"];

/// The lines that are in the program, with their numbers: no comments, and nothing that `#[cfg(test)]` stands before.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let code = line.trim_start();
        if code == "#[cfg(test)]" {
            let indent = &line[..line.len() - code.len()];
            let is_end = |l: &str| {
                let rest = l.strip_prefix(indent);
                rest.is_some_and(|rest| {
                    !rest.starts_with(' ') && (rest.ends_with('}') || rest.ends_with(';'))
                })
            };
            lines.by_ref().find(|(_, l)| is_end(l));
        } else if !code.starts_with("//") {
            found.push((number + 1, line));
        }
    }
    found
}

#[test]
fn s_h4_text_becomes_values_in_one_place() {
    let files = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    assert!(files.len() > 200, "the sources were found");
    let mut wrong = Vec::new();
    let is_aside = |name: &str| {
        name.starts_with("json/") || ["random.rs", "schema/judge.rs"].iter().any(|end| name.ends_with(end))
    };
    for (name, text) in files.into_iter().filter(|(name, _)| !is_aside(name)) {
        for (number, line) in lines(&text) {
            let parses = WAYS.iter().any(|way| line.contains(way)) && !line.contains("json5::");
            let parses_5 =
                line.contains("json5::from_") && !JSON5.iter().any(|place| name.starts_with(place));
            if !(parses || parses_5) {
                continue;
            }
            wrong.push(format!("src/{name}:{number}: {}", line.trim()));
        }
    }
    assert!(wrong.is_empty(), "use json::read or json::read_as, with bounds:\n{}", wrong.join("\n"));
}
