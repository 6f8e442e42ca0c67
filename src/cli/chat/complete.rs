//! What Tab makes of the word before the cursor: slash commands and their arguments, sessions, files.
//!
//! The commands are the gateway's own list where it tells one, and what they take is read out of how they describe it
//! (`[off|on]`), so a command that it gains later is completed too.
use super::named;
use crate::clean;
use crate::parts::{Parts, within};
use crate::slash;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Commands of the chat itself: name, arguments, what it does.
pub const LOCAL: &[(&str, &str, &str)] = &[
    ("exit", "", "End the chat; Ctrl-D does too"),
    ("help", "", "Show this"),
    ("image", "path [text]", "Send a picture or a text file, and words with it"),
    ("quit", "", "The same as /exit"),
    ("session", "[key]", "Go to another session, or name this one"),
];

/// Most that is offered.
const MOST: usize = 200;

#[derive(Default)]
pub struct Words {
    pub models: Vec<String>,
    pub sessions: Vec<String>,
    /// Names and arguments of the gateway's commands.
    commands: Vec<(String, String)>,
    /// Where `~` leads.
    pub home: PathBuf,
}

impl Words {
    pub fn new(home: PathBuf) -> Words {
        let own = slash::COMMANDS.iter().filter(|command| !command.doc.is_empty());
        let commands = own.map(|command| (command.name.to_string(), command.args.to_string())).collect();
        Words { commands, home, ..Words::default() }
    }

    /// What the gateway tells of itself (`chat.metadata`).
    pub fn learn(&mut self, metadata: &Value) {
        let list = |name: &str| metadata.get(name).and_then(Value::as_array).into_iter().flatten();
        let text =
            |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        self.models = list("models")
            .map(|model| format!("{}/{}", text(model, "provider"), text(model, "id")))
            .collect();
        self.models
            .extend(list("models").map(|model| text(model, "alias")).filter(|alias| !alias.is_empty()));
        let commands: Vec<_> = list("commands").map(|row| (text(row, "name"), text(row, "args"))).collect();
        if !commands.is_empty() {
            self.commands = commands;
        }
    }

    pub fn names(&self) -> Vec<String> {
        self.commands.iter().map(|(name, _)| format!("/{name}")).collect()
    }

    /// Where the word before the cursor begins, and what it may become. `waiting` are commands that wait for a word.
    pub fn offer(&self, before: &str, waiting: &[String]) -> (usize, Vec<String>) {
        let from = named::last_word(before);
        let word = before.tail(from);
        let mut offered = match before.strip_prefix('/') {
            _ if word.starts_with('@') => {
                self.files(word.tail(1)).iter().map(|path| format!("@{path}")).collect()
            }
            _ if is_path(word, from == 0) && !before.starts_with("/image ") => {
                let mut paths = self.files(word);
                paths.retain(|path| path.ends_with('/') || named::is_picture(Path::new(path)));
                paths
            }
            Some(_) if from == 0 => {
                let local = LOCAL.iter().map(|(name, ..)| format!("/{name}"));
                local.chain(self.names()).collect()
            }
            Some(command) => {
                let mut words = command.split_whitespace();
                let name = words.next().unwrap_or_default();
                let place = words.count() - usize::from(!word.is_empty());
                self.arguments(name, place, word, waiting)
            }
            None => Vec::new(),
        };
        // Names are others' words, and the line shows itself as it is.
        offered.retain(|other: &String| other.starts_with(word) && !other.chars().any(clean::is_unfit));
        crate::order::sort(&mut offered);
        offered.dedup();
        offered.truncate(MOST);
        (from, offered)
    }

    fn arguments(&self, name: &str, place: usize, word: &str, waiting: &[String]) -> Vec<String> {
        let known = self.commands.iter().find(|(known, _)| known == name);
        let spec = known.and_then(|(_, args)| args.split_whitespace().nth(place)).unwrap_or_default();
        let fixed = spec.trim_matches(['[', ']']).split('|').filter(|_| spec.contains('|'));
        let mut offered: Vec<String> = fixed.map(str::to_string).collect();
        offered.retain(|choice| !choice.contains("...") && !matches!(choice.as_str(), "ref" | "number"));
        match (name, place) {
            ("image", _) => offered.extend(self.files(word)),
            ("session", 0) => offered.extend(self.sessions.iter().cloned()),
            ("approve", 0) => offered.extend(waiting.iter().cloned()),
            ("model" | "new" | "reset", 0) => offered.extend(self.models.iter().cloned()),
            _ => {}
        }
        offered
    }

    /// The paths that begin so, those of folders with a slash.
    fn files(&self, begun: &str) -> Vec<String> {
        let (dir, name) = match begun.rfind('/') {
            Some(at) => (begun.head(at + 1), begun.tail(at + 1)),
            None => ("", begun),
        };
        let place = if dir.is_empty() { PathBuf::from(".") } else { named::path(dir, &self.home) };
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        let found =
            entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())));
        let fits = |file: &str| file.starts_with(name) && (!file.starts_with('.') || name.starts_with('.'));
        let typed = found.map(|(file, is_dir)| (named::escaped(&file), is_dir));
        let fitting = typed.filter(|(file, _)| fits(file));
        fitting.map(|(file, is_dir)| format!("{dir}{file}{}", if is_dir { "/" } else { "" })).collect()
    }
}

/// Whether a word is a path, which at the beginning of a line may be a command.
fn is_path(word: &str, is_first: bool) -> bool {
    ["~/", "./", "../"].iter().any(|begin| word.starts_with(begin))
        || word.starts_with('/') && (!is_first || word.tail(1).contains('/'))
}

/// What all of them begin with.
pub fn common(words: &[String]) -> String {
    let Some(first) = words.first() else { return String::new() };
    let shared = words.iter().skip(1).fold(first.len(), |most, word| {
        let equal = first.bytes().zip(word.bytes()).take_while(|(one, other)| one == other).count();
        most.min(equal)
    });
    within(first, shared).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn words_become_commands_their_arguments_and_files() {
        let mut words = Words::new("/home/x".into());
        words.learn(&json!({"models": [{"provider": "p", "id": "m1", "alias": "fast"}, {"provider": "p", "id": "m2"}]}));
        words.sessions = vec!["agent:main:main".into()];
        let check = |before: &str, from: usize, want: &[&str]| {
            let (at, offered) = words.offer(before, &["12345678".to_string()]);
            assert_eq!(
                (at, offered.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
                (from, want),
                "{before}"
            );
        };
        check("/mo", 0, &["/model", "/models"]);
        check("/ex", 0, &["/exec", "/exit"]);
        check("/model p/", 7, &["p/m1", "p/m2"]);
        check("/model f", 7, &["fast"]);
        check("/think h", 7, &["high"]);
        check("/approve ", 9, &["12345678"]);
        check("/approve 12345678 allow-", 18, &["allow-always", "allow-once"]);
        check("/session a", 9, &["agent:main:main"]);
        check("hello /mo", 6, &[]);
        assert_eq!(common(&["/model".into(), "/models".into()]), "/model");
        assert!(is_path("/usr/s", true) && is_path("/usr", false) && !is_path("/model", true));
    }
}
