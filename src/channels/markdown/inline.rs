//! What stands in a paragraph: emphasis, code, links, escapes.
//!
//! The text becomes tokens; pairs of marks and brackets are found among those, and then they are written in order.
use super::blocks::References;
use super::pairs::{Run, pair};
use super::{Style, Writer, links};
use crate::fetch::html::decode as decode_entities;
use crate::parts::Parts;

enum Token<'t> {
    Text(&'t str),
    Decoded(String),
    Code(String),
    Address(&'t str, String),
    Run(Run),
    /// `[` or `![`, and where it leads once its end was found.
    Bracket {
        text: &'t str,
        target: Target,
    },
    End(Ended),
}

enum Target {
    None,
    Link(String),
    Image,
}

#[derive(Clone, Copy, PartialEq)]
enum Ended {
    Link,
    Image,
}

/// A bracket that waits for its end: its token, and where its text begins.
struct Waiting {
    token: usize,
    after: usize,
    is_image: bool,
}

/// Brackets that wait at one time; of more, the oldest are text.
const MAX_WAITING: usize = 32;
/// Longer runs of backticks are text.
const MAX_TICKS: usize = 32;

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Where the text begins that is no token yet.
    from: usize,
    tokens: Vec<Token<'t>>,
    brackets: Vec<Waiting>,
    /// Lengths of runs of backticks that the rest of the text does not have.
    absent: [bool; MAX_TICKS],
}

pub fn read(text: &str, references: &References, out: &mut Writer) {
    let mut reader =
        Reader { text, at: 0, from: 0, tokens: Vec::new(), brackets: Vec::new(), absent: [false; MAX_TICKS] };
    let mut before = None;
    while let Some(c) = reader.rest().chars().next() {
        let start = reader.at;
        reader.token(c, before, references);
        if reader.at == start {
            reader.at += c.len_utf8();
        }
        before = text.get(..reader.at).and_then(|read| read.chars().next_back());
    }
    reader.flush(0);
    pair(runs(&mut reader.tokens));
    write(reader.tokens, out);
}

fn runs<'r, 't>(tokens: &'r mut [Token<'t>]) -> impl Iterator<Item = &'r mut Run> {
    tokens.iter_mut().filter_map(|token| match token {
        Token::Run(run) => Some(run),
        _ => None,
    })
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.tail(self.at)
    }

    /// What was read so far is a token; the next `length` bytes are something else.
    fn flush(&mut self, length: usize) {
        let text = self.text.part(self.from..self.at);
        if !text.is_empty() {
            self.tokens.push(Token::Text(text));
        }
        self.at += length;
        self.from = self.at;
    }

    fn add(&mut self, length: usize, token: Token<'t>) {
        self.flush(length);
        self.tokens.push(token);
    }

    /// Reads a token, or nothing when `c` is only a character.
    fn token(&mut self, c: char, before: Option<char>, references: &References) {
        let rest = self.rest();
        match c {
            '\\' => {
                let is_escape = |next: &char| next.is_ascii_punctuation() || *next == '\n';
                if let Some(next) = rest.chars().nth(1).filter(is_escape) {
                    self.flush(1);
                    self.at += next.len_utf8();
                }
            }
            '`' => self.code(),
            '*' | '_' | '~' | '|' => {
                let after = rest.trim_start_matches(c);
                let length = rest.len() - after.len();
                self.add(length, Token::Run(Run::new(c, length, before, after.chars().next())));
            }
            '!' if rest.starts_with("![") => self.open(true),
            '[' => self.open(false),
            ']' => self.close(references),
            '&' => {
                let end = rest.bytes().take(32).position(|b| b == b';');
                let entity = end.and_then(|end| rest.get(..=end)).unwrap_or_default();
                let decoded = decode_entities(entity);
                if decoded != entity {
                    self.add(entity.len(), Token::Decoded(decoded));
                }
            }
            '<' => {
                if let Some((shown, address, length)) = links::in_angles(rest) {
                    self.add(length, Token::Address(shown, address));
                }
            }
            _ if c.is_ascii_alphanumeric() && !before.is_some_and(char::is_alphanumeric) => {
                match links::bare(rest) {
                    Some((length, Some(address))) => {
                        let shown = rest.head(length);
                        self.add(length, Token::Address(shown, address));
                    }
                    Some((length, None)) => self.at += length,
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn code(&mut self) {
        let rest = self.rest();
        let inner = rest.trim_start_matches('`');
        let length = rest.len() - inner.len();
        let known = self.absent.get(length).copied().unwrap_or(true);
        let Some(end) = (!known).then(|| closing_ticks(inner, length)).flatten() else {
            if let Some(absent) = self.absent.get_mut(length) {
                *absent = true;
            }
            self.at += length;
            return;
        };
        let code = inner.head(end).replace('\n', " ");
        // A space at both ends is there for the sake of backticks.
        let trimmed = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '));
        let code = trimmed.filter(|code| !code.trim().is_empty()).map(str::to_string).unwrap_or(code);
        self.add(length * 2 + end, Token::Code(code));
    }

    fn open(&mut self, is_image: bool) {
        let text = if is_image { "![" } else { "[" };
        self.add(text.len(), Token::Bracket { text, target: Target::None });
        if self.brackets.len() == MAX_WAITING {
            self.brackets.remove(0);
        }
        self.brackets.push(Waiting { token: self.tokens.len() - 1, after: self.at, is_image });
    }

    fn close(&mut self, references: &References) {
        let Some(waiting) = self.brackets.pop() else { return };
        let rest = self.rest().tail(1);
        let shown = self.text.part(waiting.after..self.at);
        let by_name = || {
            let (name, length) = links::label(rest).unwrap_or_default();
            let name = if name.is_empty() && shown.len() <= 256 { links::normal(shown) } else { name };
            references.get(&name).map(|address| (address.clone(), length))
        };
        let found = links::inline(rest).or_else(by_name);
        let Some((address, length)) = found else { return };
        self.flush(1 + length);
        // Marks within a link belong to each other only.
        let within = self.tokens.tail_mut(waiting.token + 1);
        pair(runs(within));
        runs(within).for_each(Run::settle);
        if let Some(Token::Bracket { target, .. }) = self.tokens.get_mut(waiting.token) {
            *target = if waiting.is_image { Target::Image } else { Target::Link(address) };
        }
        self.tokens.push(Token::End(if waiting.is_image { Ended::Image } else { Ended::Link }));
        if !waiting.is_image {
            // A link holds no other.
            self.brackets.retain(|bracket| bracket.is_image);
        }
    }
}

/// Where exactly `length` backticks stand.
fn closing_ticks(text: &str, length: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('`') {
        let rest = text.get(at + found..)?;
        let run = rest.len() - rest.trim_start_matches('`').len();
        if run == length {
            return Some(at + found);
        }
        at += found + run;
    }
    None
}

fn write(tokens: Vec<Token>, out: &mut Writer) {
    let mut is_in_link = false;
    for token in tokens {
        match token {
            Token::Text(text) => out.push(text),
            Token::Decoded(text) => out.push(&text),
            Token::Code(code) => {
                out.open(Style::Code);
                out.push(&code);
                out.close();
            }
            Token::Address(shown, _) if is_in_link => out.push(shown),
            Token::Address(shown, address) => {
                out.open(Style::Link(address));
                out.push(shown);
                out.close();
            }
            Token::Run(run) => {
                (0..run.ended).for_each(|_| out.close());
                (0..run.left).for_each(|_| out.push(run.mark.encode_utf8(&mut [0; 4])));
                run.begun.into_iter().rev().for_each(|style| out.open(style));
            }
            Token::Bracket { target: Target::Link(address), .. } => {
                out.open(Style::Link(address));
                is_in_link = true;
            }
            Token::Bracket { target: Target::None, text } => out.push(text),
            Token::Bracket { target: Target::Image, .. } | Token::End(Ended::Image) => {}
            Token::End(Ended::Link) => {
                out.close();
                is_in_link = false;
            }
        }
    }
}
