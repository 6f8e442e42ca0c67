//! The texts that one configuration was read from, and where in them a key stands.
//!
//! Made and dropped while a configuration is read, on the thread that loads; nothing of it stays in memory but the spots
//! of what is wrong. A key is looked for as `include.rs` merges: files in the order they are named, siblings over them.
use crate::config::excerpt::excerpt;
use crate::config::members::{self, Object, Scanner};
use crate::config::parse::{self, Failure};
use crate::config::redact::Place;
use crate::config::spot::Spot;
use crate::config::tokens::{Token, tokens};
use crate::config::{Issue, join, raw};
use crate::parts::Parts;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// More mistakes and warnings than this get no place: each is a search through the texts.
const MOST: usize = 100;
/// Includes nested deeper are an error of their own.
const MAX_DEPTH: usize = 12;

type Hidden = Vec<(Range<usize>, String)>;

/// The files' texts, the main one first.
pub struct Sources<'a> {
    files: Vec<Source<'a>>,
    secrets: &'a [String],
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
        Sources { files, secrets }
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

    /// A warning for each text in which half a character stands.
    pub fn halves(&self) -> Vec<Issue> {
        let of = |(file, source): (usize, &Source)| {
            parse::halves(&source.text).into_iter().take(MOST).map(move |at| (file, at)).collect::<Vec<_>>()
        };
        let told = self.files.iter().enumerate().flat_map(of).map(|(file, at)| {
            let message = "half a character is written here, read as \u{fffd}; write both halves, or the character itself";
            Issue { spot: Some(Box::new(self.spot(file, at))), ..Issue::new("", message) }
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

    fn start(&self, file: usize) -> usize {
        self.scanner(file).and_then(|scanner| scanner.start()).unwrap_or_default()
    }

    fn scanner(&self, file: usize) -> Option<Scanner<'_>> {
        Some(Scanner::new(&self.files.get(file)?.text))
    }

    fn object(&self, layer: Layer) -> Option<Object> {
        self.scanner(layer.file)?.object_at(layer.value)
    }

    /// The value at a dotted path, or, when only a beginning of the path is written, that of the last name that is.
    /// Includes are followed, or are themselves what is looked for.
    fn find(&self, mut layers: Vec<Layer>, path: &str, follows: bool) -> Option<Layer> {
        let mut rest = path;
        while let Some((next, after)) = self.inside(&layers, rest) {
            rest = after;
            layers = match follows {
                true => next.into_iter().flat_map(|layer| self.opened(layer, 0)).collect(),
                false => next,
            };
        }
        layers.last().copied()
    }

    /// What a path goes to first, and the rest of the path.
    fn inside<'p>(&self, layers: &[Layer], path: &'p str) -> Option<(Vec<Layer>, &'p str)> {
        if path.is_empty() {
            return None;
        }
        let objects: Vec<(Layer, Object)> =
            layers.iter().rev().map_while(|layer| Some((*layer, self.object(*layer)?))).collect();
        let is_list = objects.first()?.1.is_list;
        // What stands before another kind of value is replaced by it.
        let merged: Vec<_> =
            objects.into_iter().take_while(|(_, object)| object.is_list == is_list).collect();
        if is_list { item(&merged, path) } else { member(&merged, path) }
    }

    /// A value with the files that it includes before it.
    fn opened(&self, layer: Layer, depth: usize) -> Vec<Layer> {
        let Some(object) = self.object(layer).filter(|object| !object.is_list) else { return vec![layer] };
        let include = object.members.iter().rev().find(|member| member.name == "$include");
        let Some(include) = include.filter(|_| depth < MAX_DEPTH) else { return vec![layer] };
        let mut layers: Vec<Layer> = self
            .included(layer.file, &include.value)
            .into_iter()
            .map(|file| (file, self.start(file)))
            .flat_map(|(file, start)| self.opened(Layer { file, name: start, value: start }, depth + 1))
            .collect();
        if object.members.len() > 1 || layers.is_empty() {
            layers.push(layer);
        }
        layers
    }

    /// The files that the value of an `$include` names, those that were read.
    fn included(&self, file: usize, value: &Range<usize>) -> Vec<usize> {
        let Some(source) = self.files.get(file) else { return Vec::new() };
        let here = source.path.parent().unwrap_or(Path::new("/"));
        let text = source.text.get(value.clone()).unwrap_or_default();
        let written = tokens(text).filter(|(token, _)| *token == Token::Text);
        let path = |span: Range<usize>| json5::from_str::<String>(text.get(span)?).ok();
        let known = |path: String| {
            let path = crate::config::include::normal(&here.join(path));
            self.files.iter().position(|source| source.path == path && source.known.is_none())
        };
        written.filter_map(|(_, span)| known(path(span)?)).collect()
    }
}

/// The longest name of an object that the path begins with: names may hold dots themselves.
fn member<'p>(merged: &[(Layer, Object)], path: &'p str) -> Option<(Vec<Layer>, &'p str)> {
    let rest = |name: &str| match path.strip_prefix(name)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    };
    let members = || merged.iter().flat_map(|(_, object)| &object.members);
    let name = members().filter(|m| rest(&m.name).is_some()).max_by_key(|m| m.name.len())?.name.as_str();
    let of = |(layer, object): &(Layer, Object)| {
        let member = object.members.iter().rev().find(|member| member.name == name)?;
        Some(Layer { file: layer.file, name: member.name_start, value: member.value.start })
    };
    Some((merged.iter().rev().filter_map(of).collect(), rest(name)?))
}

/// An item of lists that are put one after the other.
fn item<'p>(merged: &[(Layer, Object)], path: &'p str) -> Option<(Vec<Layer>, &'p str)> {
    let (place, rest) = path.split_once('.').unwrap_or((path, ""));
    let mut place: usize = place.parse().ok()?;
    for (layer, list) in merged.iter().rev() {
        match list.members.get(place) {
            Some(item) => {
                let found = Layer { file: layer.file, name: item.name_start, value: item.value.start };
                return Some((vec![found], rest));
            }
            None => place -= list.members.len(),
        }
    }
    None
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
