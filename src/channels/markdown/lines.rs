//! What a line of Markdown begins: a heading, a rule, a quotation, a fence, an item of a list. Pure.
use crate::fences::{Code, Fence, indent};

pub(super) fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The line without its first `columns` columns of white space; a tab that reaches beyond them goes as a whole.
pub(super) fn strip(line: &str, columns: usize) -> &str {
    let mut at = 0;
    let mut rest = line;
    while at < columns
        && let Some(after) = rest.strip_prefix([' ', '\t'])
    {
        at = if rest.starts_with('\t') { at / 4 * 4 + 4 } else { at + 1 };
        rest = after;
    }
    rest
}

/// A line that may stand in a paragraph, and begins nothing else.
pub(super) fn is_text(line: &str) -> bool {
    !is_blank(line) && !interrupts(line)
}

/// Whether the line ends the paragraph before it.
pub(super) fn interrupts(line: &str) -> bool {
    let begins_list = |item: Item| !item.is_empty(line) && item.number.is_none_or(|number| number == 1);
    indent(line) < 4
        && (Fence::read(line).is_some()
            || heading(line).is_some()
            || is_rule(line)
            || quoted(line).is_some()
            || Item::read(line).is_some_and(begins_list))
}

pub(super) fn heading(line: &str) -> Option<&str> {
    let text = line.trim();
    let rest = text.trim_start_matches('#');
    let is_one =
        (1..=6).contains(&(text.len() - rest.len())) && (rest.is_empty() || rest.starts_with([' ', '\t']));
    let title = rest.trim_end_matches('#');
    // Closing marks stand apart from the title.
    let title = if title.ends_with([' ', '\t']) || title.is_empty() { title } else { rest };
    is_one.then(|| title.trim())
}

/// The line below a heading.
pub(super) fn is_underline(line: &str) -> bool {
    let text = line.trim_end();
    let mark = text.trim_start();
    indent(line) < 4
        && !mark.is_empty()
        && (mark.bytes().all(|b| b == b'=') || mark.bytes().all(|b| b == b'-'))
}

pub(super) fn is_rule(line: &str) -> bool {
    let mut marks = line.bytes().filter(|b| !matches!(b, b' ' | b'\t'));
    let Some(mark @ (b'-' | b'*' | b'_')) = marks.next() else { return false };
    let is_same = marks.clone().all(|b| b == mark);
    is_same && marks.count() >= 2
}

/// The line without the mark of a quote.
pub(super) fn quoted(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ').strip_prefix('>').filter(|_| indent(line) < 4)?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

/// Text of a paragraph, perhaps the first line of an item.
pub(super) fn is_text_in(line: &str) -> bool {
    let text = line.trim_start();
    let of_item = |item: Item| text.split_at_checked(item.width).map_or("", |(_, inner)| inner);
    is_text(Item::read(text).map_or(text, of_item))
}

/// The mark of a list's item.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) mark: char,
    pub(super) number: Option<u64>,
    pub(super) indent: usize,
    /// From the start of the line to the item's text, in columns.
    pub(super) width: usize,
}

impl Item {
    pub(super) fn read(line: &str) -> Option<Self> {
        let indent = indent(line);
        let text = line.trim_start();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let mark = text.get(digits..)?.chars().next()?;
        let number = match mark {
            '-' | '*' | '+' if digits == 0 => None,
            '.' | ')' if (1..=9).contains(&digits) => text.get(..digits)?.parse().ok(),
            _ => return None,
        };
        let rest = text.get(digits + 1..)?;
        if indent >= 4 || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
            return None;
        }
        let space = rest.len() - rest.trim_start().len();
        let space =
            if rest.starts_with('\t') || (1..=4).contains(&space) && !is_blank(rest) { space } else { 1 };
        Some(Self { mark, number, indent, width: indent + digits + 1 + space })
    }

    pub(super) fn is_empty(&self, line: &str) -> bool {
        line.trim().len() < self.width - self.indent
    }

    /// The lines of the item that `lines` begin with, without its mark and indent.
    pub(super) fn lines<'l>(&self, lines: &[&'l str]) -> Vec<&'l str> {
        let first = lines.first().copied().unwrap_or_default();
        // An empty item is shorter than its mark with the blank behind it.
        let text = first.trim_start().split_at_checked(self.width - self.indent).map_or("", |(_, text)| text);
        let mut inner = vec![text];
        let mut code = Code::default();
        code.sees(text);
        for line in lines.iter().skip(1) {
            let after_blank = inner.last().is_some_and(|last| is_blank(last));
            let line_indent = indent(line);
            // Models often indent by two what a numbered item holds.
            let is_nested = line_indent >= self.indent + 2 && Item::read(line.trim_start()).is_some();
            let is_inside = line_indent >= self.width || is_nested;
            let is_lazy = !after_blank && !code.is_open() && is_text(line) && Item::read(line).is_none();
            if !(is_blank(line) || is_inside || is_lazy && inner.last().is_some_and(|last| is_text_in(last)))
            {
                break;
            }
            let line = strip(line, self.width.min(line_indent));
            code.sees(line);
            inner.push(line);
        }
        inner
    }
}
