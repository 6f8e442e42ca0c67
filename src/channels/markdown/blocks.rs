//! The lines of Markdown: paragraphs, headings, lists, quotes, blocks of code, and what stands between them.
//!
//! Containers hand the lines they hold, without their own marks, to the same function again, to a bounded depth.
use super::lines::{Item, heading, interrupts, is_blank, is_rule, is_text, is_underline, quoted, strip};
use super::{Style, Tables, Writer, inline, links, tables};
use crate::fences::{Code, Fence, indent};
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
    let mut code = Code::default();
    for line in lines {
        if !code.sees(line)
            && let Some((label, address)) = links::definition(line)
        {
            found.entry(label).or_insert(address);
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
