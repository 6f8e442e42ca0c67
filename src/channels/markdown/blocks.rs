//! The lines of Markdown: paragraphs, headings, lists, quotes, blocks of code, and what stands between them.
//!
//! Containers hand the lines they hold, without their own marks, to the same function again, to a bounded depth.
use super::{Style, Tables, Writer, inline, links, tables};
use crate::parts::Parts;
use std::collections::BTreeMap;

/// Quotes and lists within each other; deeper ones are text.
const MAX_DEPTH: usize = 12;

pub type References = BTreeMap<String, String>;

pub fn read(lines: &[&str], tables: Tables) -> Writer {
    let references = definitions(lines);
    let mut blocks = Blocks { out: Writer::default(), tables, references, depth: 0, lists: 0 };
    blocks.read(lines);
    blocks.out
}

/// Addresses that are told apart from the text that names them: `[name]: https://...`.
fn definitions(lines: &[&str]) -> References {
    let mut found = References::new();
    let mut within: Option<Fence> = None;
    for line in lines {
        match &within {
            Some(fence) if fence.is_closed_by(line) => within = None,
            Some(_) => {}
            None => match Fence::read(line) {
                Some(fence) => within = Some(fence),
                None => {
                    if let Some((label, address)) = links::definition(line) {
                        found.entry(label).or_insert(address);
                    }
                }
            },
        }
    }
    found
}

pub struct Blocks {
    pub out: Writer,
    pub tables: Tables,
    pub references: References,
    depth: usize,
    /// How many lists this is in.
    lists: usize,
}

impl Blocks {
    fn read(&mut self, lines: &[&str]) {
        let mut rest = lines;
        while !rest.is_empty() {
            let used = self.block(rest).max(1);
            rest = rest.tail(used.min(rest.len()));
        }
    }

    /// Writes the block that `lines` begin with; says how many of them it took.
    fn block(&mut self, lines: &[&str]) -> usize {
        let line = lines.first().copied().unwrap_or_default();
        if is_blank(line) || (self.depth == 0 && links::definition(line).is_some()) {
            return 1;
        }
        if indent(line) >= 4 {
            return self.indented_code(lines);
        }
        if let Some(fence) = Fence::read(line) {
            return self.fence(&fence, lines);
        }
        if let Some(title) = heading(line) {
            self.paragraph_of(title, 2);
            return 1;
        }
        if is_rule(line) {
            return 1;
        }
        if self.depth < MAX_DEPTH {
            if quoted(line).is_some() {
                return self.quote(lines);
            }
            if let Some(item) = Item::read(line) {
                return self.list(item, lines);
            }
        }
        if self.tables != Tables::Off
            && let Some(table) = tables::read(lines)
        {
            tables::write(&table, self);
            return table.lines;
        }
        self.paragraph(lines)
    }

    fn paragraph(&mut self, lines: &[&str]) -> usize {
        let is_end = |n: usize, line: &str| {
            let rest = lines.tail(n);
            is_blank(line) || interrupts(line) || (self.tables != Tables::Off && tables::read(rest).is_some())
        };
        let more = lines.iter().enumerate().skip(1);
        let mut used = lines.len();
        let mut is_heading = false;
        for (n, line) in more {
            is_heading = is_underline(line);
            if is_heading || is_end(n, line) {
                used = n;
                break;
            }
        }
        let trimmed: Vec<&str> = lines.iter().take(used).map(|line| line.trim()).collect();
        self.paragraph_of(&trimmed.join("\n"), 2);
        used + usize::from(is_heading)
    }

    /// Text in a paragraph of its own, with `after` line feeds behind it.
    fn paragraph_of(&mut self, text: &str, after: usize) {
        self.out.begin();
        if self.lists > 0 && self.out.is_at_line_start() {
            self.out.push(&"  ".repeat(self.lists));
        }
        inline::read(text, &self.references, &mut self.out);
        self.gap(after);
    }

    /// Within lists nothing is further apart than lines.
    pub fn gap(&mut self, lines: usize) {
        match self.lists {
            0 => self.out.gap(lines),
            _ if self.out.is_at_line_start() => {}
            _ => self.out.gap(lines.min(1)),
        }
    }

    fn fence(&mut self, fence: &Fence, lines: &[&str]) -> usize {
        let inner = lines.iter().skip(1);
        let length = inner.clone().take_while(|line| !fence.is_closed_by(line)).count();
        let code: Vec<&str> = inner.take(length).map(|line| strip(line, fence.indent)).collect();
        self.code(&code);
        length + 2
    }

    fn indented_code(&mut self, lines: &[&str]) -> usize {
        let code = lines.iter().take_while(|line| is_blank(line) || indent(line) >= 4);
        let mut code: Vec<&str> = code.map(|line| strip(line, 4)).collect();
        let used = code.len();
        while code.pop_if(|line| is_blank(line)).is_some() {}
        self.code(&code);
        used
    }

    /// A block of code, each line of it ended.
    pub fn code(&mut self, lines: &[&str]) {
        if lines.iter().all(|line| is_blank(line)) {
            return;
        }
        self.out.begin();
        if !self.out.is_at_line_start() {
            self.out.push("\n");
        }
        self.out.open(Style::Block);
        for line in lines {
            self.out.push(line);
            self.out.push("\n");
        }
        self.out.close();
        self.out.gap(usize::from(self.lists == 0));
    }

    fn quote(&mut self, lines: &[&str]) -> usize {
        let mut inner: Vec<&str> = Vec::new();
        for line in lines {
            match quoted(line) {
                Some(rest) => inner.push(rest),
                // A paragraph may go on without the mark.
                None if inner.last().is_some_and(|last| is_text(last)) && is_text(line) => inner.push(line),
                None => break,
            }
        }
        self.within(|blocks| blocks.read(&inner));
        self.gap(3);
        inner.len()
    }

    fn list(&mut self, first: Item, lines: &[&str]) -> usize {
        let (mut used, mut number) = (0, first.number);
        self.lists += 1;
        while let Some(rest) = lines.get(used..)
            && let Some(line) = rest.first()
            && let Some(item) = Item::read(line)
            && item.mark == first.mark
            && !is_rule(line)
        {
            self.out.begin();
            if self.out.is_at_line_start() {
                self.out.push(&"  ".repeat(self.lists - 1));
            }
            match &mut number {
                Some(number) => {
                    self.out.push(&format!("{number}. "));
                    *number += 1;
                }
                None => self.out.push("• "),
            }
            let inner = item.lines(rest);
            used += inner.len();
            self.within(|blocks| blocks.read(&inner));
            self.gap(1);
        }
        self.lists -= 1;
        self.gap(1);
        used
    }

    fn within(&mut self, read: impl FnOnce(&mut Self)) {
        self.depth += 1;
        read(self);
        self.depth -= 1;
    }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The columns of white space before the text.
fn indent(line: &str) -> usize {
    let white = line.bytes().take_while(|b| matches!(b, b' ' | b'\t'));
    white.fold(0, |columns, b| if b == b'\t' { columns / 4 * 4 + 4 } else { columns + 1 })
}

/// The line without its first `columns` columns of white space; a tab that reaches beyond them goes as a whole.
fn strip(line: &str, columns: usize) -> &str {
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
fn is_text(line: &str) -> bool {
    !is_blank(line) && !interrupts(line)
}

/// Whether the line ends the paragraph before it.
fn interrupts(line: &str) -> bool {
    let begins_list = |item: Item| !item.is_empty(line) && item.number.is_none_or(|number| number == 1);
    indent(line) < 4
        && (Fence::read(line).is_some()
            || heading(line).is_some()
            || is_rule(line)
            || quoted(line).is_some()
            || Item::read(line).is_some_and(begins_list))
}

fn heading(line: &str) -> Option<&str> {
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
fn is_underline(line: &str) -> bool {
    let text = line.trim_end();
    let mark = text.trim_start();
    indent(line) < 4
        && !mark.is_empty()
        && (mark.bytes().all(|b| b == b'=') || mark.bytes().all(|b| b == b'-'))
}

fn is_rule(line: &str) -> bool {
    let mut marks = line.bytes().filter(|b| !matches!(b, b' ' | b'\t'));
    let Some(mark @ (b'-' | b'*' | b'_')) = marks.next() else { return false };
    let is_same = marks.clone().all(|b| b == mark);
    is_same && marks.count() >= 2
}

/// The line without the mark of a quote.
fn quoted(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ').strip_prefix('>').filter(|_| indent(line) < 4)?;
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}

struct Fence {
    mark: char,
    length: usize,
    indent: usize,
}

impl Fence {
    fn read(line: &str) -> Option<Self> {
        let text = line.trim();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        let indent = indent(line);
        let is_one = length >= 3 && indent < 4 && !(mark == '`' && info.contains('`'));
        is_one.then_some(Self { mark, length, indent })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        text.len() >= self.length && text.chars().all(|c| c == self.mark) && indent(line) < 4
    }
}

/// The mark of a list's item.
#[derive(Clone, Copy)]
struct Item {
    mark: char,
    number: Option<u64>,
    indent: usize,
    /// From the start of the line to the item's text, in columns.
    width: usize,
}

impl Item {
    fn read(line: &str) -> Option<Self> {
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

    fn is_empty(&self, line: &str) -> bool {
        line.trim().len() < self.width - self.indent
    }

    /// The lines of the item that `lines` begin with, without its mark and indent.
    fn lines<'l>(&self, lines: &[&'l str]) -> Vec<&'l str> {
        let first = lines.first().copied().unwrap_or_default();
        // An empty item is shorter than its mark with the blank behind it.
        let text = first.trim_start().split_at_checked(self.width - self.indent).map_or("", |(_, text)| text);
        let mut inner = vec![text];
        let mut fence = Fence::read(inner.first().copied().unwrap_or_default());
        for line in lines.iter().skip(1) {
            let after_blank = inner.last().is_some_and(|last| is_blank(last));
            let line_indent = indent(line);
            // Models often indent by two what a numbered item holds.
            let is_nested = line_indent >= self.indent + 2 && Item::read(line.trim_start()).is_some();
            let is_inside = line_indent >= self.width || is_nested;
            let is_lazy = !after_blank && fence.is_none() && is_text(line) && Item::read(line).is_none();
            if !(is_blank(line) || is_inside || is_lazy && inner.last().is_some_and(|last| is_text_in(last)))
            {
                break;
            }
            let line = strip(line, self.width.min(line_indent));
            fence = match fence {
                Some(fence) if fence.is_closed_by(line) => None,
                Some(fence) => Some(fence),
                None => Fence::read(line),
            };
            inner.push(line);
        }
        inner
    }
}

/// Text of a paragraph, perhaps the first line of an item.
fn is_text_in(line: &str) -> bool {
    let text = line.trim_start();
    let of_item = |item: Item| text.split_at_checked(item.width).map_or("", |(_, inner)| inner);
    is_text(Item::read(text).map_or(text, of_item))
}
