//! The texts that one configuration was read from, and where in them a key stands.
//!
//! Made and dropped while a configuration is read, on the thread that loads; nothing of it stays in memory but the spots
//! of what is wrong. A key is looked for as `include.rs` merges: files in the order they are named, siblings over them.
mod layers;

use crate::config::excerpt::excerpt;
use crate::config::members;
use crate::config::parse::{self, Failure};
use crate::config::redact::Place;
use crate::config::spot::Spot;
use crate::config::tokens::{Token, tokens};
use crate::config::{Issue, join, raw};
use crate::parts::Parts;
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// More mistakes and warnings than this get no place: each is a search through the texts.
const MOST: usize = 100;

type Hidden = Vec<(Range<usize>, String)>;
type Objects = HashMap<(usize, usize), Option<Rc<members::Object>>>;

/// The files' texts, the main one first.
pub struct Sources<'a> {
    files: Vec<Source<'a>>,
    secrets: &'a [String],
    /// The objects that were looked into, by file and place: each is read over once, however many issues it holds.
    objects: RefCell<Objects>,
}

pub struct Source<'a> {
    path: PathBuf,
    /// As whom it is told.
    shown: PathBuf,
    text: Cow<'a, str>,
    /// The dotted path of the place where it is included.
    at: String,
    /// Up to where it was understood, when it does not parse.
    known: Option<usize>,
    hidden: OnceCell<Hidden>,
}

impl<'a> Source<'a> {
    pub fn new(path: &Path, text: impl Into<Cow<'a, str>>, failure: Option<&Failure>) -> Source<'a> {
        let known = failure.map(|failure| failure.known);
        let path = crate::config::include::normal(path);
        let (text, at) = (text.into(), String::new());
        Source { shown: path.clone(), path, text, at, known, hidden: OnceCell::new() }
    }

    /// The same, included at a dotted path. What is a secret in it depends on that; one that does not parse shows none of
    /// its values.
    pub fn included_at(self, at: &str) -> Source<'a> {
        Source { at: at.to_string(), known: self.known.map(|_| 0), ..self }
    }

    /// The same, told as another file.
    pub fn told_as(self, shown: &Path) -> Source<'a> {
        Source { shown: shown.to_path_buf(), ..self }
    }
}

/// Where an include failed.
#[derive(Debug, Clone)]
pub enum Blame {
    /// In the text of this file, at this byte.
    At(PathBuf, usize),
    /// In this file, at this dotted path.
    Key(PathBuf, String),
}

/// A value in a file; the one that counts is the last of those that are merged.
#[derive(Clone, Copy)]
struct Layer {
    file: usize,
    /// Where its name begins, and itself.
    name: usize,
    value: usize,
}

impl<'a> Sources<'a> {
    pub fn new(files: Vec<Source<'a>>, secrets: &'a [String]) -> Sources<'a> {
        Sources { files, secrets, objects: RefCell::default() }
    }

    /// Gives each issue its place, if it has none yet.
    pub fn mark(&self, issues: &mut [Issue]) {
        for issue in issues.iter_mut().filter(|issue| issue.spot.is_none()).take(MOST) {
            let layers = self.opened(Layer { file: 0, name: 0, value: self.start(0) }, 0);
            let found = self.find(layers, &issue.path, true);
            let byte = |layer: Layer| if issue.is_unread() { layer.name } else { layer.value };
            issue.spot = found.map(|layer| Box::new(self.spot(layer.file, byte(layer))));
        }
    }

    /// A warning for each file in which an object names a key twice.
    pub fn repeated(&self) -> Vec<Issue> {
        let understood = self.files.iter().filter(|source| source.known.is_none());
        let told = understood.filter_map(|source| {
            let (object, name) = members::repeated(&source.text)?;
            let message = "stands twice in one object, and only the last counts; remove the other";
            Some(Issue::new(join(&source.at, &join(&object, &name)), message))
        });
        told.collect()
    }

    /// A warning for each place at which half a character stands, or bytes that are none.
    pub fn halves(&self) -> Vec<Issue> {
        const HALF: &str =
            "half a character is written here, read as \u{fffd}; write both halves, or the character itself";
        const NONE: &str = "what is written here is no character, read as \u{fffd}; write it anew, as UTF-8";
        let of = |(file, source): (usize, &Source)| {
            let halves = parse::halves(&source.text).into_iter().map(|at| (HALF, at));
            let lost = source.text.match_indices('\u{fffd}').map(|(at, _)| (NONE, at));
            halves.chain(lost).take(MOST).map(move |(what, at)| (file, what, at)).collect::<Vec<_>>()
        };
        let told = self.files.iter().enumerate().flat_map(of).map(|(file, message, at)| Issue {
            spot: Some(Box::new(self.spot(file, at))),
            ..Issue::new("", message)
        });
        told.collect()
    }

    /// The place of an include that failed.
    pub fn blamed(&self, blame: &Blame) -> Option<Box<Spot>> {
        let file = |path: &Path| self.files.iter().position(|source| source.path == path);
        let spot = match blame {
            Blame::At(path, offset) => self.spot(file(path)?, *offset),
            Blame::Key(path, key) => {
                let file = file(path)?;
                let whole = Layer { file, name: 0, value: self.start(file) };
                let layer = self.find(vec![whole], key, false)?;
                self.spot(file, layer.value)
            }
        };
        Some(Box::new(spot))
    }

    /// The place of a byte in a file.
    pub fn spot(&self, file: usize, offset: usize) -> Spot {
        let empty = Source::new(Path::new(""), "", None);
        let source = self.files.get(file).unwrap_or(&empty);
        let place = Place::of(source.at.split('.').filter(|name| !name.is_empty()));
        let hidden =
            source.hidden.get_or_init(|| raw::hidden(&source.text, place, source.known, self.secrets));
        let (line, column) = parse::place(source.text.head(offset.min(source.text.len())));
        let before = source.known.and_then(|_| key_before(&source.text, offset));
        Spot {
            file: source.shown.clone(),
            line,
            column,
            excerpt: excerpt(&source.text, offset, hidden),
            before: before.map(|key| join(&source.at, &key)),
        }
    }
}

/// The dotted path of the last name that stands before a place.
fn key_before(text: &str, offset: usize) -> Option<String> {
    let mut open: Vec<String> = Vec::new();
    let (mut last, mut found, mut in_lists) = (None, None, Vec::new());
    for (token, span) in tokens(text).take_while(|(_, span)| span.start < offset) {
        let name = text.get(span)?.trim_matches(['"', '\'']).to_string();
        match token {
            Token::Text | Token::Word => last = Some(name),
            Token::Punct(':') => {
                let mut path = open.clone();
                path.extend(last.clone());
                found = Some(path.join("."));
            }
            Token::Punct('{' | '[') => {
                in_lists.push(last.is_some());
                open.extend(last.take());
            }
            Token::Punct('}' | ']') => {
                if in_lists.pop() == Some(true) {
                    open.pop();
                }
                last = None;
            }
            Token::Punct(_) => last = None,
            Token::Comment => {}
        }
    }
    found
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
