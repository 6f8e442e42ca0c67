//! Markdown as models write it, read into text with spans: what a person sees, and which parts of it are bold, code,
//! links. Spans nest and are in order, so that any channel can write them in its own marks and cut the text anywhere.
//!
//! Pure: text in, text out, in a time that grows with the length only. Not every corner of CommonMark is here: HTML is
//! text, footnotes are text, and punctuation of other scripts counts as a letter beside `*`, so that `**注意：**请` is bold.
mod blocks;
mod inline;
mod lines;
mod links;
mod pairs;
mod tables;
#[cfg(test)]
mod tests;

use crate::parts::Parts;
use std::ops::Range;

/// In the order in which they enclose each other when they cover the same text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    Link(String),
    Bold,
    Italic,
    Strike,
    Spoiler,
    Code,
    /// A block of code.
    Block,
}

/// A part of the text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub style: Style,
}

/// What `markdown.tables` may say: a table as a block of code, as lists of points, or as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    Code,
    Bullets,
    Off,
}

impl Tables {
    pub fn named(mode: &str) -> Self {
        match mode {
            "bullets" => Self::Bullets,
            "off" => Self::Off,
            _ => Self::Code,
        }
    }
}

/// INVARIANT: spans are sorted by start, the longer first; any two are apart or one holds the other.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text {
    pub plain: String,
    pub spans: Vec<Span>,
    /// The length of the longest span: none that begins further ahead reaches a place.
    longest: usize,
}

/// What `Text::walk` meets.
pub enum Part<'t> {
    Open(&'t Style),
    Text(&'t str),
    Close(&'t Style),
}

/// Spans within more others than this are not kept: nobody sees the difference, and each costs a platform an entity.
const MAX_DEPTH: usize = 16;

pub fn parse(markdown: &str, tables: Tables) -> Text {
    let markdown = markdown.replace('\r', "");
    let lines: Vec<&str> = markdown.split('\n').collect();
    let mut text = blocks::read(&lines, tables).text;
    crate::order::by(&mut text.spans, |a, b| (a.start, b.end, &a.style).cmp(&(b.start, a.end, &b.style)));
    text.longest = text.spans.iter().map(|span| span.end - span.start).max().unwrap_or(0);
    text
}

impl Text {
    /// A text that is shown as it is.
    pub fn plain(plain: String) -> Text {
        Text { plain, ..Text::default() }
    }

    /// The spans that have a part of `range`, each cut to it.
    pub fn spans_in(&self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, &Style)> {
        let before_end = self.spans.partition_point(|span| span.start < range.end);
        let from = self.spans.partition_point(|span| span.start + self.longest <= range.start);
        let spans = self.spans.part(from..before_end).iter();
        spans
            .filter(move |span| span.end > range.start)
            .map(move |span| (span.start.max(range.start)..span.end.min(range.end), &span.style))
    }

    /// Everything in `range` in the order in which it is written down.
    pub fn walk<'t>(&'t self, range: Range<usize>, mut see: impl FnMut(Part<'t>)) {
        let mut open: Vec<(usize, &Style)> = Vec::new();
        let mut at = range.start;
        let ends = range.end..range.end;
        let spans = self.spans_in(range).map(|(range, style)| (range, Some(style)));
        for (span, style) in spans.chain([(ends, None)]) {
            while let Some((end, closing)) = open.pop_if(|(end, _)| *end <= span.start) {
                see(Part::Text(self.plain.part(at..end)));
                see(Part::Close(closing));
                at = end;
            }
            see(Part::Text(self.plain.part(at..span.start)));
            at = span.start;
            if let Some(style) = style {
                see(Part::Open(style));
                open.push((span.end, style));
            }
        }
    }
}

/// Text while it is written.
#[derive(Default)]
struct Writer {
    text: Text,
    open: Vec<(usize, Style)>,
    /// Line feeds that are due before whatever comes next.
    gap: usize,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.plain.push_str(text);
    }

    /// At least `lines` line feeds before what comes next.
    fn gap(&mut self, lines: usize) {
        self.gap = self.gap.max(lines);
    }

    /// Something new begins: the line feeds that are due are written, but none before the first text.
    fn begin(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        if !self.text.plain.is_empty() {
            self.text.plain.extend(std::iter::repeat_n('\n', gap));
        }
    }

    fn is_at_line_start(&self) -> bool {
        self.text.plain.is_empty() || self.text.plain.ends_with('\n')
    }

    fn open(&mut self, style: Style) {
        self.open.push((self.text.plain.len(), style));
    }

    fn close(&mut self) {
        let Some((start, style)) = self.open.pop() else { return };
        let end = self.text.plain.len();
        if let Style::Link(address) = &style
            && start == end
        {
            // A link without words shows where it leads.
            self.text.plain.push_str(address);
        }
        let end = self.text.plain.len();
        if start < end && self.open.len() < MAX_DEPTH {
            self.text.spans.push(Span { start, end, style });
        }
    }
}
