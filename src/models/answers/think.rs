//! Reasoning that a model writes into its text between tags, as many local servers leave it there.
//!
//! Pure. Takes text in pieces cut anywhere, also inside a tag, and holds back no more than what may be one. Knows the
//! marks of `tags` in any spelling, blocks at the start, in a row and behind text, templates that open the tag
//! themselves, and `<final>` around the answer. In code a tag is text. A closing tag that nothing opened, behind text,
//! makes that text reasoning only where nothing else could stand there: alone on its line, at the end of all text, or
//! anywhere with a model that is known to reason; and never once its reasoning has come already. What stands between
//! tags in the middle of a sentence is the sentence's: `aside` tells such tags from reasoning.
use crate::models::aside::{Aside, Stray};
use crate::models::fences::Code;
use crate::models::tags::{Tag, begins, tag};
use crate::parts::Parts;

#[path = "marks.rs"]
mod marks;

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

#[derive(Default)]
pub struct Think {
    /// Whether the model is known to reason.
    pub reasons: bool,
    /// Whether reasoning was there already, by whatever way.
    pub reasoned: bool,
    inside: bool,
    /// The block was open from the first word, as this model's answers were before; nothing shows yet that this one is so.
    assumed: bool,
    /// Whether the answer began within reasoning that nothing had opened, as far as it shows.
    pub began_inside: Option<bool>,
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
    /// The first words are taken for reasoning, until the tag that ends it comes, or the end without one.
    pub fn begin_inside(&mut self) {
        (self.inside, self.assumed) = (true, true);
    }

    /// Reasoning comes by another way.
    pub fn reasons_elsewhere(&mut self) {
        self.reasoned = true;
        if self.is_untouched() {
            (self.inside, self.assumed, self.began_inside) = (false, false, Some(false));
        }
    }

    /// Whether the block that is taken for open is empty yet.
    fn is_untouched(&self) -> bool {
        self.assumed && self.visible == char::default()
    }

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
        // No tag ended it, so that it was the answer.
        if std::mem::take(&mut self.assumed) && self.inside && !is_cut {
            (self.inside, self.began_inside) = (false, Some(false));
            steps.push(Step::Resay(String::new()));
        }
        if self.took_back {
            self.began_inside = None;
        }
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
