//! Where the members of the objects and lists in a JSON5 text begin and end. Pure.
//!
//! Knows strings, comments and nesting and nothing about values: what stands between them is skipped. The
//! text was parsed before, so what does not fit gives `None` instead of an explanation.
use crate::config::join;
use std::ops::Range;

/// Nesting deeper than this is not followed.
const MAX_DEPTH: usize = 128;

/// A member of an object or an item of a list; places are byte offsets.
#[derive(Debug)]
pub struct Member {
    /// An item's name is its place in the list: `0`, `1`, ...
    pub name: String,
    /// Where the member begins: at its name, an item at its value.
    pub name_start: usize,
    /// The name stands without quotes.
    pub is_bare: bool,
    pub value: Range<usize>,
    /// The comma behind the value.
    pub comma: Option<usize>,
}

/// An object or a list: its brackets and what is between them.
#[derive(Debug)]
pub struct Object {
    pub is_list: bool,
    pub open: usize,
    pub close: usize,
    pub members: Vec<Member>,
}

/// Reads over a text.
pub struct Scanner<'a> {
    text: &'a str,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text }
    }

    /// Where the value begins that the text is.
    pub fn start(&self) -> Option<usize> {
        self.skip_blank(0)
    }

    /// The object that the text is.
    pub fn root(&self) -> Option<Object> {
        self.object_at(self.start()?)
    }

    /// The object or list whose bracket stands at `at`.
    pub fn object_at(&self, at: usize) -> Option<Object> {
        let (is_list, end) = match self.at(at)? {
            '{' => (false, '}'),
            '[' => (true, ']'),
            _ => return None,
        };
        let mut here = self.skip_blank(at + 1)?;
        let mut members = Vec::new();
        loop {
            if self.at(here)? == end {
                return Some(Object { is_list, open: at, close: here, members });
            }
            let (mut member, next) =
                if is_list { self.item(here, members.len())? } else { self.member(here)? };
            here = self.skip_blank(next)?;
            if self.at(here)? == ',' {
                member.comma = Some(here);
                here = self.skip_blank(here + 1)?;
            } else if self.at(here)? != end {
                return None;
            }
            members.push(member);
        }
    }

    fn item(&self, at: usize, place: usize) -> Option<(Member, usize)> {
        let end = self.skip_value(at, 0)?;
        let name = place.to_string();
        Some((Member { name, name_start: at, is_bare: false, value: at..end, comma: None }, end))
    }

    fn member(&self, at: usize) -> Option<(Member, usize)> {
        let quoted = matches!(self.at(at)?, '"' | '\'');
        let name_end = if quoted { self.skip_string(at)? } else { self.skip_plain(at, ":")? };
        let raw = self.text.get(at..name_end)?;
        // The parser itself reads the escapes of a name; it would take long for each of thousands.
        let name: String = match (quoted, raw.contains('\\')) {
            (true, false) => raw.get(1..raw.len().checked_sub(1)?)?.to_string(),
            (false, false) => raw.to_string(),
            (true, true) => json5::from_str(raw).ok()?,
            (false, true) => json5::from_str(&format!("\"{raw}\"")).ok()?,
        };
        let colon = self.skip_blank(name_end)?;
        let start = self.skip_blank(self.expect(colon, ':')?)?;
        let end = self.skip_value(start, 0)?;
        Some((Member { name, name_start: at, is_bare: !quoted, value: start..end, comma: None }, end))
    }

    fn skip_value(&self, at: usize, depth: usize) -> Option<usize> {
        let close = match self.at(at)? {
            '"' | '\'' => return self.skip_string(at),
            '{' => '}',
            '[' => ']',
            _ => return self.skip_plain(at, ""),
        };
        if depth >= MAX_DEPTH {
            return None;
        }
        let mut here = at + 1;
        loop {
            here = self.skip_blank(here)?;
            here = match self.at(here)? {
                c if c == close => return Some(here + 1),
                ',' | ':' => here + 1,
                '}' | ']' => return None,
                _ => self.skip_value(here, depth + 1)?,
            };
        }
    }

    /// Over a name, a number or a word, to its end.
    fn skip_plain(&self, at: usize, also: &str) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let ends = |c: char| is_blank(c) || ",:{}[]/\"'".contains(c) || also.contains(c);
        let length = rest.find(ends).unwrap_or(rest.len());
        (length > 0).then_some(at + length)
    }

    fn skip_string(&self, at: usize) -> Option<usize> {
        let quote = self.at(at)?;
        let mut chars = self.text.get(at + 1..)?.char_indices();
        while let Some((place, c)) = chars.next() {
            match c {
                '\\' => {
                    chars.next()?;
                }
                c if c == quote => return Some(at + 1 + place + 1),
                _ => {}
            }
        }
        None
    }

    /// Over blanks and comments.
    fn skip_blank(&self, mut at: usize) -> Option<usize> {
        loop {
            let rest = self.text.get(at..)?;
            at += rest.len() - rest.trim_start_matches(is_blank).len();
            let rest = self.text.get(at..)?;
            if rest.starts_with("//") {
                at += rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                at += rest.get(2..)?.find("*/")? + 4;
            } else {
                return Some(at);
            }
        }
    }

    fn at(&self, at: usize) -> Option<char> {
        self.text.get(at..)?.chars().next()
    }

    fn expect(&self, at: usize, c: char) -> Option<usize> {
        (self.at(at)? == c).then_some(at + 1)
    }
}

/// Where an object of `text` names a member twice: the dotted path of the object, and the name.
pub fn repeated(text: &str) -> Option<(String, String)> {
    let scanner = Scanner::new(text);
    repeated_in(&scanner, scanner.start()?, "")
}

fn repeated_in(scanner: &Scanner, at: usize, path: &str) -> Option<(String, String)> {
    let members = scanner.object_at(at)?.members;
    let mut names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    crate::order::sort(&mut names);
    let twice = names.iter().zip(names.iter().skip(1)).find(|(name, next)| name == next);
    match twice {
        Some((name, _)) => Some((path.to_string(), name.to_string())),
        None => members
            .iter()
            .find_map(|member| repeated_in(scanner, member.value.start, &join(path, &member.name))),
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}
