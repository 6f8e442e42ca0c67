//! Long texts in messages that Telegram takes: cut where it shows least, counted as Telegram counts.
//!
//! The text with its spans is cut, not its HTML, so every part is well formed, blocks of code are closed and opened
//! again, and all parts together say what the text said but for white space where it was cut.
use super::format::{cost_of, cost_of_tags, html};
use crate::channels::graphemes::is_boundary;
use crate::channels::markdown::{Style, Text};
use crate::clean::is_unfit;
use crate::parts::Parts;
use std::ops::Range;

/// Code points of a message and of a caption, after parsing.
pub const MAX_MESSAGE: usize = 4096;
pub const MAX_CAPTION: usize = 1024;
/// Telegram forgets further spans without a word.
const MAX_ENTITIES: usize = 100;
/// Bytes before parsing.
const MAX_RAW: usize = 32_768;

/// One message: as HTML, and plain for when Telegram refuses the HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub html: String,
    pub plain: String,
}

/// `channels.telegram.textChunkLimit` and `chunkMode`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Code points of a message; what is over Telegram's own limit counts as that.
    pub length: usize,
    /// `chunkMode: "newline"`: each paragraph is a message.
    pub is_by_paragraph: bool,
}

pub fn chunks(text: &Text, limits: Limits) -> Vec<Chunk> {
    let length = limits.length.clamp(1, MAX_MESSAGE);
    let whole = 0..text.plain.len();
    let ranges = if limits.is_by_paragraph { paragraphs(text) } else { vec![whole] };
    let mut chunks = Vec::new();
    for range in ranges {
        let mut at = skip_space(text, range.start, range.end);
        while at < range.end {
            let end = cut(text, at..range.end, length);
            chunks.extend(chunk(text, at..end));
            at = skip_space(text, end, range.end);
        }
    }
    chunks
}

/// The text as a caption, if it fits in one; else it goes as messages behind the media (R-49b).
pub fn caption(text: &Text) -> Option<Chunk> {
    let end = text.plain.trim_end().len();
    let start = skip_space(text, 0, end);
    (reach(text, start..end, MAX_CAPTION) == end).then(|| chunk(text, start..end)).flatten()
}

/// None for what shows nothing: Telegram refuses it.
fn chunk(text: &Text, range: Range<usize>) -> Option<Chunk> {
    let part = text.plain.get(range.clone())?;
    let plain = part.trim_end_matches(is_space);
    let is_empty =
        plain.chars().all(|c| c.is_whitespace() || is_unfit(c) || matches!(c, '\u{2800}' | '\u{3164}'));
    let end = range.start + plain.len();
    // A block of code keeps the line feed that ends it.
    let is_block = |(span, style): (Range<usize>, &Style)| *style == Style::Block && span.end == end + 1;
    let end = end + usize::from(end < range.end && text.spans_in(end..range.end).any(is_block));
    let range = range.start..end;
    (!is_empty).then(|| Chunk { html: html(text, range), plain: plain.to_string() })
}

/// White space at which a text may be cut, and which is dropped there; Telegram drops the same.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace()
}

fn skip_space(text: &Text, from: usize, until: usize) -> usize {
    let rest = text.plain.part(from..until);
    until - rest.trim_start_matches(is_space).len()
}

/// How far one message can reach from the start of `range`: by code points, spans and bytes.
fn reach(text: &Text, range: Range<usize>, length: usize) -> usize {
    let (mut entities, mut bytes) = (0, 0);
    let mut spans = text.spans_in(range.clone()).peekable();
    for (n, (offset, c)) in text.plain.part(range.clone()).char_indices().enumerate() {
        let at = range.start + offset;
        while let Some((_, style)) = spans.next_if(|(span, _)| span.start <= at) {
            entities += 1;
            bytes += cost_of_tags(style);
        }
        bytes += cost_of(c);
        if n == length || entities > MAX_ENTITIES || bytes > MAX_RAW {
            return at;
        }
    }
    range.end
}

/// Where the message that begins with `range` ends.
fn cut(text: &Text, range: Range<usize>, length: usize) -> usize {
    let end = reach(text, range.clone(), length);
    // Text whose white space at the end is all that is too much is whole.
    if skip_space(text, end, range.end) == range.end {
        return range.end;
    }
    let spans: Vec<(Range<usize>, &Style)> = text.spans_in(range.start..end + 1).collect();
    let is_within = |at: usize, is_kind: fn(&Style) -> bool| {
        spans.iter().any(|(span, style)| is_kind(style) && span.start < at && at < span.end)
    };
    let is_in_link = |at| is_within(at, |style| matches!(style, Style::Link(_)));
    let half = range.start + (end - range.start) / 2;
    let after = |at: usize| text.plain.tail(at);
    let is_place = |at: usize| is_boundary(text.plain.head(at), after(at));

    let space = |may_be_in_link: bool| {
        let chars = text.plain.tail(range.start).char_indices();
        let chars = chars.map(|(offset, c)| (range.start + offset, c)).take_while(|(at, _)| *at <= end);
        let is_fit = |at: usize| at > range.start && is_place(at + 1) && (may_be_in_link || !is_in_link(at));
        let places = chars.filter(|(at, c)| is_space(*c) && is_fit(*at)).map(|(at, c)| {
            let is_line = c == '\n' && at >= half;
            let is_between_blocks = is_line && !is_within(at, |style| *style == Style::Block);
            (u8::from(is_line) + u8::from(is_between_blocks), at)
        });
        places.max().map(|(_, at)| at)
    };
    let places =
        || (range.start + 1..=end).rev().filter(|at| text.plain.is_char_boundary(*at) && is_place(*at));
    // A link is cut only if it is longer than a message, and a character too.
    let outside_links = space(false).or_else(|| places().find(|at| !is_in_link(*at)));
    outside_links.or_else(|| space(true)).or_else(|| places().next()).unwrap_or(end)
}

/// The paragraphs: what blank lines part, but not within code.
fn paragraphs(text: &Text) -> Vec<Range<usize>> {
    let mut blocks = text.spans.iter().filter(|span| span.style == Style::Block).peekable();
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in text.plain.match_indices("\n\n") {
        while blocks.next_if(|block| block.end <= at + 1).is_some() {}
        // The line feed that ends a block of code is its last.
        if blocks.peek().is_none_or(|block| at < block.start) {
            found.push(start..at + 1);
            start = at + 1;
        }
    }
    found.push(start..text.plain.len());
    found
}
