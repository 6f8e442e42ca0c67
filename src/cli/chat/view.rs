//! The live part of the screen, put together: the row that is being written, what is waited for, the line being typed, and
//! what completion offers. Pure.
use super::line::Line;
use super::row::{BOLD, CYAN, DIM, PLAIN, Row, Styled};
use super::screen::Live;
use crate::cli::fold;

/// Rows of what completion offers, or a hint says.
const MOST_HINTS: usize = 6;

pub struct View<'v> {
    pub open: Option<Row>,
    pub status: Option<String>,
    pub prompt: &'v str,
    pub line: &'v Line,
    pub hints: &'v [Row],
    pub width: usize,
    /// Rows of the terminal.
    pub rows: usize,
}

impl View<'_> {
    pub fn live(self) -> Live {
        let mut rows: Vec<Row> = self.open.into_iter().collect();
        rows.extend(
            self.status.and_then(|text| Styled::of(DIM, &text).rows(self.width, 0, true).into_iter().next()),
        );
        let hints = self.hints.len().min(MOST_HINTS).min(self.rows / 3);
        let most = self.rows.saturating_sub(rows.len() + hints + 1).max(1);
        let (typed, (row, column)) = typed(self.line, self.prompt, self.width);
        // Of a long message what is around the cursor.
        let from = (row + 1).saturating_sub(most);
        let cursor = (rows.len() + row - from, column);
        rows.extend(typed.into_iter().skip(from).take(most));
        rows.extend(self.hints.iter().take(hints).cloned());
        Live { rows, cursor }
    }
}

/// The rows of the line, and where the cursor is in them.
fn typed(line: &Line, prompt: &str, width: usize) -> (Vec<Row>, (usize, usize)) {
    let begin = |text: &str| vec![(CYAN, text.to_string())];
    let mut rows = vec![begin(prompt)];
    let mut used = fold::columns(prompt);
    let mut cursor = (0, used);
    let mut add = |style: u8, text: &str, used: &mut usize, is_break: bool| {
        let wide = fold::columns(text);
        if is_break || *used + wide > width {
            rows.push(begin("  "));
            *used = 2;
        }
        match rows.last_mut() {
            Some(row) if !is_break => {
                match row.last_mut() {
                    Some((last, piece)) if *last == style => piece.push_str(text),
                    _ => row.push((style, text.to_string())),
                }
                *used += wide;
            }
            _ => {}
        }
        rows.len() - 1
    };
    let (mut row, mut buffer) = (0, [0; 4]);
    for (at, c) in line.text().char_indices() {
        let shown = line.shown(c);
        let (style, text) = match &shown {
            Some(blanks) if c == '\t' => (PLAIN, blanks.as_str()),
            Some(name) => (BOLD, name.as_str()),
            None => (PLAIN, &*c.encode_utf8(&mut buffer)),
        };
        let before = (row, used);
        row = add(style, text, &mut used, c == '\n');
        if at == line.at() {
            // In front of the character, which may have begun a row.
            let is_moved = row > before.0 && c != '\n';
            cursor = if is_moved { (row, 2) } else { before };
        }
    }
    if line.at() == line.text().len() {
        cursor = (row, used);
    }
    (rows, cursor)
}

/// Words in columns, as many rows as they need.
pub fn words(list: &[String], width: usize) -> Vec<Row> {
    let widest = list.iter().map(|word| fold::columns(word)).max().unwrap_or_default() + 2;
    let across = (width / widest).max(1);
    let mut rows: Vec<Row> = Vec::new();
    for line in list.chunks(across) {
        let cells = line.iter().map(|word| format!("{word}{}", " ".repeat(widest - fold::columns(word))));
        let text = cells.collect::<String>();
        rows.extend(Styled::of(DIM, text.trim_end()).rows(width, 0, true).into_iter().take(1));
    }
    if rows.len() > MOST_HINTS {
        rows.truncate(MOST_HINTS - 1);
        rows.push(vec![(DIM, format!("... {} in all", list.len()))]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::chat::keys::Key;

    fn shown(text: &str, left: usize, width: usize) -> (Vec<String>, (usize, usize)) {
        let mut line = Line::default();
        line.insert(text);
        for _ in 0..left {
            line.take(&Key::Left);
        }
        let (rows, cursor) = typed(&line, "> ", width);
        (rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect()).collect(), cursor)
    }

    #[test]
    fn the_cursor_stands_where_the_next_character_goes() {
        let check = |text: &str, left: usize, want: &[&str], cursor: (usize, usize)| {
            let (rows, at) = shown(text, left, 8);
            assert_eq!(
                (rows.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), at),
                (want, cursor),
                "{text}"
            );
        };
        check("", 0, &["> "], (0, 2));
        check("abc", 1, &["> abc"], (0, 4));
        check("abcdefgh", 0, &["> abcdef", "  gh"], (1, 4));
        check("abcdefgh", 2, &["> abcdef", "  gh"], (1, 2));
        check("日本語語", 0, &["> 日本語", "  語"], (1, 4));
        check("a\tb", 1, &["> a    b"], (0, 7));
        check("a\nb", 0, &["> a", "  b"], (1, 3));
        check("a\nb", 2, &["> a", "  b"], (0, 3));
        check("e\u{301}x", 1, &["> e\u{301}x"], (0, 3));
    }
}
