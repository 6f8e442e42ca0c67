//! Where in which file a mistake stands, and the line that shows it without a secret.
//!
//! Pure data, made by `sources.rs` while a configuration is read; told by the command line, the log and the methods.
use crate::error::Error;
use crate::json::json;
use serde_json::{Map, Value};
use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file. It shows as `file:line:column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    pub file: PathBuf,
    /// Both counted from 1, columns in characters.
    pub line: usize,
    pub column: usize,
    /// The line and, in a line of its own, the caret beneath it.
    pub excerpt: String,
    /// In a text that does not parse, the dotted path of the last name before the place.
    pub before: Option<String>,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl Spot {
    /// What scripts and methods are told of it.
    pub fn members(&self) -> Map<String, Value> {
        let members = json!({
            "file": self.file, "line": self.line, "column": self.column, "excerpt": self.excerpt,
        });
        if let Value::Object(members) = members { members } else { Map::new() }
    }

    /// The same read back.
    pub fn of(members: &Value) -> Option<Spot> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let number = |name: &str| members.get(name)?.as_u64().map(|n| n as usize);
        Some(Spot {
            file: Path::new(text("file")?).to_path_buf(),
            line: number("line")?,
            column: number("column")?,
            excerpt: text("excerpt")?.to_string(),
            before: None,
        })
    }

    /// An error that tells of it: its message names the place, its details hold the rest.
    pub fn blame(&self, error: Error) -> Error {
        self.members().into_iter().fold(error, |error, (name, value)| error.with(&name, value))
    }
}

/// The excerpt in lines of their own behind a text, each indented.
pub fn under(excerpt: &str, indent: &str) -> String {
    excerpt.lines().map(|line| format!("\n{indent}{line}")).collect()
}
