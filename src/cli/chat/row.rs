//! Rows of the terminal: pieces of text in styles, and the folding of long lines into them. Pure.
//!
//! All text comes in here (`Styled::put`) and is cleaned here, so that no answer, name or error steers the terminal; the
//! colours are put around it in `screen.rs`.
use crate::clean::is_unfit;
use crate::cli::fold;
use crate::parts::Parts;

/// Pieces with the terminal's styles for them, as `print::Piece` has them.
pub type Row = Vec<(u8, String)>;

pub const PLAIN: u8 = 0;
pub const BOLD: u8 = 1;
pub const DIM: u8 = 2;
pub const RED: u8 = 31;
pub const YELLOW: u8 = 33;
pub const CYAN: u8 = 36;

/// Columns of a tab.
pub const TAB: usize = 4;

/// A line of any length, a style for each character.
#[derive(Default)]
pub struct Styled(Vec<(char, u8)>);

impl Styled {
    pub fn of(style: u8, text: &str) -> Styled {
        let mut line = Styled::default();
        line.put(style, text);
        line
    }

    pub fn put(&mut self, style: u8, text: &str) {
        for c in text.chars() {
            match c {
                '\t' => (0..TAB).for_each(|_| self.0.push((' ', style))),
                '\n' => self.0.push((' ', style)),
                c if !is_unfit(c) => self.0.push((c, style)),
                _ => {}
            }
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Rows of at most `width` columns, broken between words; further ones begin `indent` columns in. Where `is_exact`
    /// they are broken where they are full.
    pub fn rows(&self, width: usize, indent: usize, is_exact: bool) -> Vec<Row> {
        let width = width.max(8);
        let indent = indent.min(width / 2);
        let (mut rows, mut from) = (Vec::new(), 0);
        loop {
            let lead = if rows.is_empty() { 0 } else { indent };
            let end = self.fitting(from, width - lead);
            let rest = self.0.tail(from);
            if end == self.0.len() {
                rows.push(row(lead, rest));
                return rows;
            }
            let space = self.0.part(from..end + 1).iter().rposition(|(c, _)| *c == ' ');
            let (end, next) = match space.map(|at| from + at).filter(|at| *at > from && !is_exact) {
                Some(at) => (at, at + 1),
                None => (end, end),
            };
            rows.push(row(lead, self.0.part(from..end)));
            from = next;
        }
    }

    /// Where what fits into `width` columns ends; at least one character does.
    fn fitting(&self, from: usize, width: usize) -> usize {
        let mut used = 0;
        for (at, (c, _)) in self.0.tail(from).iter().enumerate() {
            used += fold::width(*c);
            if used > width && at > 0 {
                return from + at;
            }
        }
        self.0.len()
    }
}

fn row(lead: usize, chars: &[(char, u8)]) -> Row {
    let mut row: Row = Vec::new();
    if lead > 0 {
        row.push((PLAIN, " ".repeat(lead)));
    }
    for (c, style) in chars {
        match row.last_mut() {
            Some((last, text)) if last == style => text.push(*c),
            _ => row.push((*style, c.to_string())),
        }
    }
    row
}

/// A text in one style, a line each of it in rows.
pub fn text(style: u8, text: &str, width: usize, indent: usize) -> Vec<Row> {
    text.lines().flat_map(|line| Styled::of(style, line).rows(width, indent, false)).collect()
}

/// Columns that a row takes.
pub fn columns(row: &Row) -> usize {
    row.iter().map(|(_, text)| fold::columns(text)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_what_fits_and_nothing_that_steers() {
        let check = |line: &str, width: usize, want: &[&str]| {
            let rows = Styled::of(PLAIN, line).rows(width, 2, false);
            let rows: Vec<String> =
                rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect()).collect();
            assert_eq!(rows, want);
        };
        check("", 10, &[""]);
        check("one two three", 10, &["one two", "  three"]);
        check("0123456789", 10, &["0123456789"]);
        check("0123456789 a", 10, &["0123456789", "  a"]);
        check("01234567890123456789", 10, &["0123456789", "  01234567", "  89"]);
        check("日本語日本語", 9, &["日本語日", "  本語"]);
        check("e\u{301}\u{1b}[2Jx\u{9b}", 10, &["e\u{301}[2Jx"]);
    }
}
