//! What a received text says beyond its letters: links behind words, code, blocks of code, given back as Markdown.
//!
//! Everything else stays code point for code point: a model reads what the person typed.
use super::message::Entity;
use crate::parts::Parts;

/// Entities that fit no part of the text are left out.
pub fn markdown(text: &str, entities: &[Entity]) -> String {
    let mut marked: Vec<(usize, usize, &Entity)> = entities
        .iter()
        .filter(|entity| matches!(entity.kind.as_str(), "text_link" | "code" | "pre"))
        .filter_map(|entity| {
            let Entity { offset, length, .. } = *entity;
            Some((offset, offset.checked_add(length).filter(|_| length > 0)?, entity))
        })
        .collect();
    crate::order::by_key(&mut marked, |(start, end, _)| (*start, *end));
    let mut places = Places { chars: text.char_indices(), units: 0, len: text.len() };
    let mut out = String::with_capacity(text.len() + marked.len() * 16);
    let (mut at, mut units) = (0, 0);
    for (start, end, entity) in marked {
        if start < units {
            continue;
        }
        let (Some(from), Some(until)) = (places.at(start), places.at(end)) else { continue };
        out.push_str(text.part(at..from));
        let rest = text.tail(until);
        write(text.part(from..until), entity, rest, &mut out);
        (at, units) = (until, end);
    }
    out.push_str(text.tail(at));
    out
}

/// Bytes of UTF-16 offsets, asked for in ascending order.
struct Places<'t> {
    chars: std::str::CharIndices<'t>,
    units: usize,
    len: usize,
}

impl Places<'_> {
    /// None for the middle of a character and what is behind the text.
    fn at(&mut self, units: usize) -> Option<usize> {
        while self.units < units {
            self.units += self.chars.next()?.1.len_utf16();
        }
        (self.units == units).then(|| self.chars.clone().next().map_or(self.len, |(at, _)| at))
    }
}

fn write(shown: &str, entity: &Entity, rest: &str, out: &mut String) {
    match entity.kind.as_str() {
        "text_link" => {
            let address = entity.url.as_deref().unwrap_or_default();
            if address.is_empty() || address == shown {
                return out.push_str(shown);
            }
            let needs_angles = address.contains(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
            let (open, close) = if needs_angles { ("](<", ">)") } else { ("](", ")") };
            out.extend(["[", shown, open, address, close]);
        }
        "code" => {
            let ticks = "`".repeat(longest_ticks(shown) + 1);
            let space = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
            out.extend([&ticks, space, shown, space, &ticks]);
        }
        _ => {
            let ticks = "`".repeat((longest_ticks(shown) + 1).max(3));
            let before = if out.is_empty() || out.ends_with('\n') { "" } else { "\n" };
            let end = if shown.ends_with('\n') { "" } else { "\n" };
            let after = if rest.is_empty() || rest.starts_with('\n') { "" } else { "\n" };
            // A language that would end the fence's first line is none.
            let language =
                entity.language.as_deref().filter(|l| !l.contains(['\n', '`'])).unwrap_or_default();
            out.extend([before, &ticks, language, "\n", shown, end, &ticks, after]);
        }
    }
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
