//! Reasoning that a model writes into its text between tags, as many local servers leave it there.
//!
//! Pure. Takes text in pieces cut anywhere, also inside a tag, and holds back no more than what may be one. Knows the
//! marks of `tags` in any spelling, blocks at the start, in a row and behind text, templates that open the tag
//! themselves, and `<final>` around the answer. In code a tag is text. A closing tag that nothing opened, behind text,
//! makes that text reasoning only where nothing else could stand there: alone on its line, at the end of all text, or
//! anywhere with a model that is known to reason; and never once its reasoning has come already. What stands between
//! tags in the middle of a sentence is the sentence's: `aside` tells such tags from reasoning.
use crate::models::aside::{self, Aside};
use crate::models::fences::Code;
use crate::models::tags::{Kind, Tag, begins, tag};
use crate::parts::Parts;

/// What became clear.
#[derive(Debug, PartialEq)]
pub enum Step {
    Text(String),
    Thought(String),
    /// The text since the last reasoning was reasoning itself: it ended in a closing tag that nothing had opened.
    Unsay,
    /// The last reasoning was text, and began with this.
    Resay(String),
}

/// What a tag behind text is.
#[derive(PartialEq)]
pub enum Stray {
    /// The end of reasoning that stands before it.
    End,
    /// Nothing that anybody wants to see.
    Noise,
    /// A tag that is only spoken of.
    Mention,
    /// It depends on what follows.
    Unclear,
}

#[derive(Default)]
pub struct Think {
    /// Whether the model is known to reason.
    pub reasons: bool,
    /// Whether reasoning was there already, by whatever way.
    pub reasoned: bool,
    inside: bool,
    /// The tag that opened the present block, where it stands behind text, with the white space behind it.
    opened: String,
    /// What the present block holds, as long as its tags may only be spoken of.
    aside: Option<Aside>,
    /// Tags were spoken of.
    is_about_tags: bool,
    /// Blocks that were opened within a block and not closed yet.
    nested: usize,
    /// Everything said was taken back, and nothing came since.
    took_back: bool,
    in_final: bool,
    /// The answer comes in channels.
    in_channels: bool,
    /// Something other than white space was said.
    said: bool,
    /// White space is skipped until something else comes: the line ends around the tags are no text.
    skips_space: bool,
    /// White space at the start, which is no text if a tag follows.
    space: String,
    /// What may be the beginning of a tag, or a tag whose meaning what follows tells.
    held: String,
    last: char,
    /// The last character that is no white space.
    visible: char,
    code: Code,
}

impl Think {
    /// Takes a piece of text and gives what is clear by now.
    pub fn push(&mut self, piece: &str) -> Vec<Step> {
        if piece.is_empty() {
            return Vec::new();
        }
        let text = std::mem::take(&mut self.held) + piece;
        self.walk(&text, false)
    }

    /// Gives what was held back: no more text comes for now.
    pub fn flush(&mut self) -> Vec<Step> {
        let held = std::mem::take(&mut self.held);
        self.walk(&held, true)
    }

    /// Nothing more comes; `is_cut` when the answer was cut at its length.
    pub fn end(&mut self, is_cut: bool) -> Vec<Step> {
        let mut steps = self.flush();
        let opened = std::mem::take(&mut self.opened);
        let is_spoken_of = self.aside.take().is_some_and(|aside| aside.is_midway);
        let is_open = self.inside && !opened.is_empty();
        if std::mem::take(&mut self.took_back) || (is_open && (!is_cut || is_spoken_of)) {
            self.inside = false;
            steps.push(Step::Resay(opened));
        }
        steps
    }

    fn walk(&mut self, text: &str, is_end: bool) -> Vec<Step> {
        let (mut steps, mut rest) = (Vec::new(), text);
        while let Some(c) = rest.chars().next() {
            if begins(c) && self.counts_here(rest) {
                match tag(rest) {
                    Tag::Cut if !is_end => {
                        self.held = rest.to_string();
                        return steps;
                    }
                    Tag::Whole(kind, written) => {
                        let after = rest.tail(written.len());
                        let stray = self.stray(kind, after, is_end);
                        if stray == Some(Stray::Unclear) {
                            self.held = rest.to_string();
                            return steps;
                        }
                        if self.take(kind, written, stray, &mut steps) {
                            rest = after;
                            continue;
                        }
                    }
                    Tag::Cut | Tag::None => {}
                }
            }
            self.say(c, &mut steps);
            rest = rest.tail(c.len_utf8());
        }
        steps
    }

    /// Whether a tag means something at this place. A model that writes channels cannot write their marks as text.
    fn counts_here(&mut self, rest: &str) -> bool {
        let is_mark = self.in_channels && rest.starts_with("<|");
        // Reasoning quotes tags between backticks, and its code may never be closed.
        is_mark || if self.inside { self.last != '`' } else { !self.code.is_open() }
    }

    /// What a tag behind text is that may only be spoken of; `None` for every other tag.
    fn stray(&mut self, kind: Kind, after: &str, is_end: bool) -> Option<Stray> {
        if !self.said || !matches!(kind, Kind::Close | Kind::Open) {
            return None;
        }
        if self.inside {
            let aside = self.aside.as_ref().filter(|_| kind == Kind::Close)?;
            return aside.is_spoken_of(&self.opened, after, is_end);
        }
        let is_quoted = aside::is_quoted(self.last, after);
        if kind == Kind::Open {
            let is_unclear = after.is_empty() && !is_end && aside::is_quoted(self.last, "\"");
            return if is_unclear { Some(Stray::Unclear) } else { is_quoted.then_some(Stray::Mention) };
        }
        let text = after.trim_start();
        let space = after.head(after.len() - text.len());
        let is_alone = self.code.begins_line() && (space.contains('\n') || text.is_empty());
        let is_midway = self.last.is_whitespace() && after.starts_with([' ', ',', '.']);
        Some(match (text.is_empty(), self.reasoned) {
            (true, _) if !is_end => Stray::Unclear,
            _ if is_quoted => Stray::Mention,
            _ if self.nested > 0 && !is_midway => Stray::End,
            _ if self.is_about_tags && !is_alone => Stray::Mention,
            (_, true) if is_alone || text.is_empty() => Stray::Noise,
            (_, true) => Stray::Mention,
            (_, false) if is_alone || text.is_empty() || self.reasons => Stray::End,
            (_, false) => Stray::Mention,
        })
    }

    /// Whether a tag counts at this place.
    fn take(&mut self, kind: Kind, written: &str, stray: Option<Stray>, steps: &mut Vec<Step>) -> bool {
        match (self.inside, kind) {
            (_, Kind::Channel { is_thought }) if self.in_channels || !(self.said || self.inside) => {
                self.in_channels = true;
                self.inside = is_thought;
                self.opened.clear();
                self.space.clear();
            }
            (_, Kind::MessageEnd) if self.in_channels => self.inside = false,
            (true, Kind::Open) if !matches!(self.last, '"' | '\'' | '“' | '‘') => {
                self.nested += 1;
                return false;
            }
            (true, Kind::Close) if stray == Some(Stray::Mention) => {
                steps.push(Step::Resay(std::mem::take(&mut self.opened)));
                (self.inside, self.skips_space, self.is_about_tags) = (false, false, true);
                (self.aside, self.nested) = (None, 0);
                return false;
            }
            (true, Kind::Close) => {
                self.inside = false;
                self.reasoned = true;
                self.opened.clear();
            }
            (false, Kind::Open) if stray == Some(Stray::Mention) => {
                self.is_about_tags = true;
                return false;
            }
            (false, Kind::Open) => {
                self.inside = true;
                self.opened = if self.said { written.to_string() } else { String::new() };
                let is_midway = !self.code.begins_line() && aside::is_midway(self.last, self.visible);
                self.aside = self.said.then(|| Aside::new(is_midway));
                self.space.clear();
            }
            (false, Kind::Close) => match stray {
                Some(Stray::Mention) => return false,
                Some(Stray::Noise) => {}
                _ => {
                    if self.said {
                        steps.push(Step::Unsay);
                        self.took_back = true;
                    }
                    (self.said, self.in_final, self.reasoned) = (false, false, true);
                    self.nested = self.nested.saturating_sub(1);
                    self.space.clear();
                }
            },
            (false, Kind::FinalOpen) if !self.said => {
                self.in_final = true;
                self.space.clear();
            }
            (false, Kind::FinalClose) if self.in_final => self.in_final = false,
            (false, Kind::Empty) if !(self.said && aside::is_midway(self.last, self.visible)) => {}
            _ => return false,
        }
        self.skips_space = true;
        self.code = Code::default();
        self.last = '>';
        true
    }

    fn say(&mut self, c: char, steps: &mut Vec<Step>) {
        if self.skips_space && c.is_whitespace() {
            // Where nothing comes of the block, it belongs to the text.
            if self.inside && !self.opened.is_empty() {
                self.opened.push(c);
            }
            return;
        }
        self.skips_space = false;
        self.last = c;
        if !c.is_whitespace() {
            self.visible = c;
        }
        if self.inside {
            if self.aside.as_mut().is_some_and(|aside| !aside.push(c)) {
                self.aside = None;
            }
            match steps.last_mut() {
                Some(Step::Thought(text)) => text.push(c),
                _ => steps.push(Step::Thought(c.to_string())),
            }
            return;
        }
        self.code.see(c);
        if !self.said && c.is_whitespace() {
            self.space.push(c);
            return;
        }
        (self.said, self.took_back) = (true, false);
        let space = std::mem::take(&mut self.space);
        match steps.last_mut() {
            Some(Step::Text(text)) => text.push(c),
            _ => steps.push(Step::Text(space + c.encode_utf8(&mut [0; 4]))),
        }
    }
}

#[cfg(test)]
#[path = "think_tests.rs"]
mod tests;
