//! Random JSON5 documents against the editor: whatever a document looks like, an edit changes what it names and
//! nothing else (R-02b). Tests only; a failing document is printed with its seed.
use super::edit::Draft;
use super::members::{Object, Scanner};
use super::patch::merge;
use super::tokens::{Token, tokens};
use super::{parse, raw, restore};
use crate::json::json;
use serde_json::{Map, Value};
use std::ops::Range;

const DOCUMENTS: u64 = 400;
const NAMES: &[&str] = &[
    "a",
    "gateway",
    "'b c'",
    "\"d.e\"",
    "token",
    "$f",
    "'apiKey'",
    "\"es\\u0063aped\"",
    "auth",
    "'0'",
    "list",
    "env",
];
const SCALARS: &[&str] = &[
    "1",
    "-2.5",
    "0x1F",
    ".5",
    "5.",
    "1e3",
    "+7",
    "true",
    "false",
    "null",
    "'it\\'s }'",
    "\"// no\"",
    "'${VAR}'",
    "''",
    "\"two\\\nlines\"",
    "'[,]'",
    "-Infinity",
    "12345678901",
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// A document while it is written; comments are numbered, so that each is told from all others.
struct Writer {
    dice: Dice,
    out: String,
    comments: usize,
}

impl Writer {
    fn document(seed: u64) -> String {
        let mut writer =
            Writer { dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)), out: String::new(), comments: 0 };
        writer.blank();
        writer.object(4);
        writer.blank();
        writer.out
    }

    fn blank(&mut self) {
        self.comments += 1;
        let n = self.comments;
        match self.dice.roll(12) {
            0 => self.out.push_str(&format!("// c{n} {{\n")),
            1 => self.out.push_str(&format!("/* c{n} ] */")),
            2 => self.out.push_str(&format!(" // token: c{n}\n  ")),
            3 | 4 => self.out.push_str("\n    "),
            5 | 6 => self.out.push(' '),
            _ => {}
        }
    }

    fn value(&mut self, depth: usize) {
        match self.dice.roll(5) {
            0 | 1 if depth > 0 => self.object(depth - 1),
            2 if depth > 0 => self.list(depth - 1),
            _ => {
                let scalar = self.dice.pick(SCALARS);
                self.out.push_str(scalar);
            }
        }
    }

    fn object(&mut self, depth: usize) {
        let mut names: Vec<&str> = NAMES.to_vec();
        self.between('{', '}', |writer| {
            let name = names.remove(writer.dice.roll(names.len()));
            writer.out.push_str(name);
            writer.blank();
            writer.out.push(':');
            writer.blank();
            writer.value(depth);
        });
    }

    fn list(&mut self, depth: usize) {
        self.between('[', ']', |writer| writer.value(depth));
    }

    fn between(&mut self, open: char, close: char, mut item: impl FnMut(&mut Writer)) {
        self.out.push(open);
        let count = self.dice.roll(5);
        for place in 0..count {
            self.blank();
            item(self);
            self.blank();
            if place + 1 < count || self.dice.roll(2) == 0 {
                self.out.push(',');
            }
        }
        self.blank();
        self.out.push(close);
    }
}

/// A patch that meets some of what is there and adds some.
fn patch(dice: &mut Dice, target: &Value, depth: usize) -> Value {
    let mut map = Map::new();
    for name in target.as_object().into_iter().flat_map(|map| map.keys()) {
        let value = match dice.roll(6) {
            0 => Value::Null,
            1 => json!({"x": [1, {"y": null}], "z": "}"}),
            2 => json!(dice.roll(1000)),
            3 if depth > 0 => patch(dice, &target[name], depth - 1),
            _ => continue,
        };
        map.insert(name.clone(), value);
    }
    for name in ["new", "a-b", "gateway"] {
        if dice.roll(4) == 0 && !map.contains_key(name) {
            map.insert(name.to_string(), json!({"deep": {"er": dice.roll(9), "no": null}}));
        }
    }
    map.into()
}

/// RFC 7396, section 2.
fn merged(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut map = target.as_object().cloned().unwrap_or_default();
    for (name, value) in patch {
        match value {
            Value::Null => drop(map.shift_remove(name)),
            value => drop(map.insert(name.clone(), merged(map.get(name).unwrap_or(&Value::Null), value))),
        }
    }
    map.into()
}

/// Where `patch` may change a text: the values it replaces, and the members it removes with their comma.
fn touched(text: &str, object: &Object, value: &Value, patch: &Value, spans: &mut Vec<Range<usize>>) {
    for member in &object.members {
        let (Some(change), old) = (patch.get(&member.name), &value[&member.name]) else { continue };
        let inner = Scanner::new(text).object_at(member.value.start).filter(|object| !object.is_list);
        match (change, inner) {
            (Value::Null, _) => {
                spans.push(member.name_start..member.comma.map_or(member.value.end, |c| c + 1))
            }
            (Value::Object(_), Some(inner)) => touched(text, &inner, old, change, spans),
            (change, _) if change == old => {}
            _ => spans.push(member.value.clone()),
        }
    }
}

/// Every token outside of `spans` must be in `after`, in its order; only commas may come and go.
fn survives(before: &str, after: &str, spans: &[Range<usize>]) -> Result<(), String> {
    let mut left = tokens(after).map(|(_, span)| &after[span]);
    for (token, span) in tokens(before) {
        let is_touched = spans.iter().any(|s| s.start <= span.start && span.end <= s.end);
        let source = &before[span];
        if !is_touched && token != Token::Punct(',') && !left.any(|other| other == source) {
            return Err(source.to_string());
        }
    }
    Ok(())
}

#[test]
fn r_02b_a_patch_changes_what_it_names_in_any_document() {
    let mut changed = 0;
    for seed in 1..=DOCUMENTS {
        let text = Writer::document(seed);
        let value = parse::json5(&text).unwrap_or_else(|e| panic!("seed {seed}: {e:?}\n{text}"));
        let patch = patch(&mut Dice(seed * 77 + 5), &value, 3);
        let mut draft = Draft::of(&text);
        let done = merge(&mut draft, patch.as_object().unwrap(), &super::Config::empty());
        done.unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}\n{patch}"));
        let after = draft.text();
        changed += u64::from(after != text);
        assert_eq!(draft.value().unwrap(), merged(&value, &patch), "seed {seed}\n{text}\n{patch}\n{after}");
        let mut spans = Vec::new();
        touched(&text, &Scanner::new(&text).root().unwrap(), &value, &patch, &mut spans);
        if let Err(lost) = survives(&text, after, &spans) {
            panic!("seed {seed}: {lost} is lost\n{text}\n--- {patch}\n{after}");
        }
    }
    assert!(changed > DOCUMENTS / 2, "{changed} documents were changed");
}

#[test]
fn r_02b_a_value_is_set_or_removed_at_any_place_of_any_document() {
    for seed in 1..=DOCUMENTS {
        let text = Writer::document(seed);
        let value = parse::json5(&text).unwrap();
        let mut dice = Dice(seed * 31 + 7);
        let mut path: Vec<String> = Vec::new();
        let (mut object, mut here) = (Scanner::new(&text).root().unwrap(), &value);
        let span = loop {
            if object.members.is_empty() {
                break None;
            }
            let member = &object.members[dice.roll(object.members.len())];
            path.push(member.name.clone());
            here = if object.is_list {
                &here[path.last().unwrap().parse::<usize>().unwrap()]
            } else {
                &here[&member.name]
            };
            match Scanner::new(&text).object_at(member.value.start) {
                Some(inner) if dice.roll(3) > 0 && !inner.members.is_empty() => object = inner,
                _ => {
                    break Some((
                        member.name_start..member.comma.map_or(member.value.end, |c| c + 1),
                        member.value.clone(),
                    ));
                }
            }
        };
        let Some((whole, inner)) = span else { continue };
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let pointer: String = names.iter().map(|name| format!("/{name}")).collect();
        let mut draft = Draft::of(&text);
        let mut want = value.clone();
        let touched = if dice.roll(2) == 0 {
            draft.set(&names, json!({"new": [1, "}"]})).unwrap();
            *want.pointer_mut(&pointer).unwrap() = json!({"new": [1, "}"]});
            inner
        } else {
            draft.remove(&names).unwrap();
            let (last, parents) = names.split_last().unwrap();
            let parent: String = parents.iter().map(|name| format!("/{name}")).collect();
            match want.pointer_mut(&parent).unwrap() {
                Value::Array(items) => drop(items.remove(last.parse().unwrap())),
                Value::Object(map) => drop(map.shift_remove(*last)),
                _ => panic!("seed {seed}"),
            }
            whole
        };
        assert_eq!(draft.value().unwrap(), want, "seed {seed} {path:?}\n{text}\n{}", draft.text());
        if let Err(lost) = survives(&text, draft.text(), &[touched]) {
            panic!("seed {seed} {path:?}: {lost} is lost\n{text}\n---\n{}", draft.text());
        }
    }
}

#[test]
fn what_is_shown_of_any_document_can_be_written_back() {
    let mut hidden = 0;
    for seed in 1..=DOCUMENTS {
        let text = Writer::document(seed);
        let shown = raw::redact(&text, true, &[]);
        hidden += usize::from(shown != text);
        let back =
            restore::restore(&shown, &text, &[]).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{shown}"));
        assert_eq!(back, text, "seed {seed}\n{shown}");
    }
    assert!(hidden > 50, "{hidden} documents had something to hide");
}
