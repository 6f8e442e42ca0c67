//! The text of a pattern, read into what `patterns.rs` tries. Pure.
use super::{MOST_DEPTH, Part, Set};
use crate::parts::Parts;

pub struct Reader<'t> {
    pub text: &'t [char],
    pub at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn has(&mut self, text: &str) -> bool {
        let is = text.chars().eq(self.text.tail(self.at).iter().copied().take(text.len()));
        self.at += if is { text.len() } else { 0 };
        is
    }

    pub fn choices(&mut self, depth: usize) -> Option<Vec<Vec<Part>>> {
        if depth > MOST_DEPTH {
            return None;
        }
        let mut all = vec![Vec::new()];
        while let Some(c) = self.peek().filter(|c| *c != ')') {
            self.at += 1;
            if c == '|' {
                all.push(Vec::new());
                continue;
            }
            let part = self.part(c, depth)?;
            let part = self.repeated(part)?;
            all.last_mut()?.push(part);
        }
        Some(all)
    }

    fn part(&mut self, c: char, depth: usize) -> Option<Part> {
        Some(match c {
            '^' => Part::Start,
            '$' => Part::End,
            '.' => Part::One(Set(vec![('\n', '\n')], true)),
            '[' => Part::One(self.class()?),
            '(' => {
                if !self.has("?:") && self.peek() == Some('?') {
                    return None;
                }
                let all = self.choices(depth + 1)?;
                (self.next()? == ')').then_some(Part::Any(all))?
            }
            '\\' => match self.next()? {
                'b' => Part::Edge(true),
                'B' => Part::Edge(false),
                c => Part::One(Set::escaped(c)?),
            },
            '*' | '+' | '?' | '{' => return None,
            c => Part::One(Set(vec![(c, c)], false)),
        })
    }

    fn repeated(&mut self, part: Part) -> Option<Part> {
        let (least, most) = match self.peek() {
            Some('?') => (0, 1),
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('{') => {
                self.at += 1;
                let least = self.number()?;
                let most = match self.peek()? {
                    ',' => {
                        self.at += 1;
                        self.number().unwrap_or(usize::MAX)
                    }
                    _ => least,
                };
                if self.peek()? != '}' || most < least {
                    return None;
                }
                (least, most)
            }
            _ => return Some(part),
        };
        self.at += 1;
        // Whether few or many are tried first does not change whether it fits.
        self.has("?");
        Some(Part::Repeat(Box::new(part), least, most))
    }

    fn number(&mut self) -> Option<usize> {
        let digits: String = self.text.tail(self.at).iter().take_while(|c| c.is_ascii_digit()).collect();
        self.at += digits.len();
        digits.parse().ok().filter(|n| *n <= 1000)
    }

    fn class(&mut self) -> Option<Set> {
        let mut set = Set(Vec::new(), self.has("^"));
        loop {
            let from = match self.next()? {
                ']' => return Some(set),
                '\\' => match Set::escaped(self.next()?)? {
                    Set(ranges, false) => match *ranges.as_slice() {
                        [(from, to)] if from == to => from,
                        _ => {
                            set.0.extend(ranges);
                            continue;
                        }
                    },
                    Set(_, true) => return None,
                },
                c => c,
            };
            let is_range = self.peek() == Some('-') && self.text.get(self.at + 1).is_some_and(|c| *c != ']');
            let to = if is_range { self.next().and_then(|_| self.next())? } else { from };
            set.0.push((from, to));
        }
    }
}

impl Set {
    /// What stands behind a backslash.
    fn escaped(c: char) -> Option<Set> {
        let all = match c.to_ascii_lowercase() {
            'd' => vec![('0', '9')],
            's' => vec![(' ', ' '), ('\t', '\r'), ('\u{a0}', '\u{a0}')],
            'w' => vec![('a', 'z'), ('0', '9'), ('_', '_')],
            'n' => vec![('\n', '\n')],
            't' => vec![('\t', '\t')],
            c if c.is_alphanumeric() => return None,
            _ => return Some(Set(vec![(c, c)], false)),
        };
        Some(Set(all, c.is_ascii_uppercase()))
    }
}
