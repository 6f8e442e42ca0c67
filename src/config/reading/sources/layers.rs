//! The way from a dotted path to a value, through the files that are merged.
use super::{Layer, Sources};
use crate::config::members::{Object, Scanner};
use crate::config::tokens::{Token, tokens};
use crate::parts::Parts;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

/// Includes nested deeper are an error of their own.
const MAX_DEPTH: usize = 12;

impl Sources<'_> {
    pub(super) fn start(&self, file: usize) -> usize {
        self.scanner(file).and_then(|scanner| scanner.start()).unwrap_or_default()
    }

    fn scanner(&self, file: usize) -> Option<Scanner<'_>> {
        Some(Scanner::new(&self.files.get(file)?.text))
    }

    fn object(&self, layer: Layer) -> Option<Rc<Object>> {
        let read = || self.scanner(layer.file)?.object_at(layer.value).map(Rc::new);
        self.objects.borrow_mut().entry((layer.file, layer.value)).or_insert_with(read).clone()
    }

    /// The value at a dotted path, or, when only a beginning of the path is written, that of the last name that is.
    /// Includes are followed, or are themselves what is looked for.
    pub(super) fn find(&self, mut layers: Vec<Layer>, path: &str, follows: bool) -> Option<Layer> {
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
        let objects: Vec<(Layer, Rc<Object>)> =
            layers.iter().rev().map_while(|layer| Some((*layer, self.object(*layer)?))).collect();
        let is_list = objects.first()?.1.is_list;
        // What stands before another kind of value is replaced by it.
        let merged: Vec<_> =
            objects.into_iter().take_while(|(_, object)| object.is_list == is_list).collect();
        if is_list { item(&merged, path) } else { member(&merged, path) }
    }

    /// A value with the files that it includes before it.
    pub(super) fn opened(&self, layer: Layer, depth: usize) -> Vec<Layer> {
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
        let text = source.text.part(value.clone());
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
fn member<'p>(merged: &[(Layer, Rc<Object>)], path: &'p str) -> Option<(Vec<Layer>, &'p str)> {
    let rest = |name: &str| match path.strip_prefix(name)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    };
    let members = || merged.iter().flat_map(|(_, object)| &object.members);
    let name = members().filter(|m| rest(&m.name).is_some()).max_by_key(|m| m.name.len())?.name.as_str();
    let of = |(layer, object): &(Layer, Rc<Object>)| {
        let member = object.members.iter().rev().find(|member| member.name == name)?;
        Some(Layer { file: layer.file, name: member.name_start, value: member.value.start })
    };
    Some((merged.iter().rev().filter_map(of).collect(), rest(name)?))
}

/// An item of lists that are put one after the other.
fn item<'p>(merged: &[(Layer, Rc<Object>)], path: &'p str) -> Option<(Vec<Layer>, &'p str)> {
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
