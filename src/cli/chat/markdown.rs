//! The text of an answer as rows, while it is written: headings bold, code set in, markers of bold and code taken away.
//! Pure.
//!
//! The line that is being written is laid out anew with each piece; its rows stay when the next one begins, so what is
//! drawn anew is one row, however long the answer is. Where there are no colours the markers stay, for they are all
//! there is to see.
use super::row::{BOLD, CYAN, DIM, PLAIN, Row, Styled};
use crate::parts::Parts;

pub struct Flow {
    width: usize,
    has_color: bool,
    /// What is written is not the answer itself.
    pub is_aside: bool,
    line: String,
    /// Rows of the line that stay already.
    stay: usize,
    is_code: bool,
}

impl Flow {
    pub fn new(width: usize, has_color: bool) -> Flow {
        Flow { width, has_color, is_aside: false, line: String::new(), stay: 0, is_code: false }
    }

    /// Rows of another width from here on; what stands of a line in the old one ends with it.
    pub fn set_width(&mut self, width: usize) -> Vec<Row> {
        let is_split = self.width != width && self.stay > 0;
        let rest = if is_split { self.end_line() } else { Vec::new() };
        self.width = width;
        rest
    }

    /// Takes more of the text; gives the rows that are whole.
    pub fn add(&mut self, text: &str) -> Vec<Row> {
        let mut whole = Vec::new();
        for piece in text.split_inclusive('\n') {
            self.line.push_str(piece.trim_end_matches('\n'));
            if piece.ends_with('\n') {
                whole.extend(self.end_line());
            }
        }
        if !self.line.is_empty() {
            let mut rows = self.rows(self.width);
            rows.pop();
            let stay = rows.len().max(self.stay);
            whole.extend(rows.into_iter().skip(self.stay));
            self.stay = stay;
        }
        whole
    }

    /// The row that may still change.
    pub fn open(&self) -> Option<Row> {
        if self.line.is_empty() {
            return None;
        }
        self.rows(self.width).pop()
    }

    /// The text ends: the rest of its rows.
    pub fn end(&mut self) -> Vec<Row> {
        let rest = if self.line.is_empty() { Vec::new() } else { self.end_line() };
        self.is_code = false;
        rest
    }

    fn end_line(&mut self) -> Vec<Row> {
        let rows = self.rows(self.width);
        if is_fence(&self.line) && !self.is_aside {
            self.is_code = !self.is_code;
        }
        self.line.clear();
        let stay = std::mem::take(&mut self.stay);
        rows.into_iter().skip(stay).collect()
    }

    fn rows(&self, width: usize) -> Vec<Row> {
        let text = self.line.as_str();
        if self.is_aside {
            return Styled::of(DIM, text).rows(width, 2, false);
        }
        if is_fence(text) && !self.has_color {
            return Styled::of(PLAIN, text).rows(width, 0, true);
        }
        if is_fence(text) {
            // What stands behind it is the language.
            let name = text.trim().trim_start_matches(['`', '~']);
            return if name.is_empty() {
                Vec::new()
            } else {
                Styled::of(DIM, &format!("    {name}")).rows(width, 4, true)
            };
        }
        if self.is_code {
            return Styled::of(CYAN, &format!("    {text}")).rows(width, 4, true);
        }
        let lead = text.len() - text.trim_start().len();
        let body = text.tail(lead);
        let marks = body.len() - body.trim_start_matches('#').len();
        if (1..=6).contains(&marks) && body.tail(marks).starts_with(' ') {
            let shown = if self.has_color { body.tail(marks).trim_start() } else { body };
            return self.inline(shown, BOLD).rows(width, 0, false);
        }
        let mut line = self.inline(text, if body.starts_with("> ") { DIM } else { PLAIN });
        if line.len() == 0 && !text.is_empty() {
            line = Styled::of(PLAIN, text);
        }
        line.rows(width, lead + marker(body), false)
    }

    /// A line with what is bold and what is code in it.
    fn inline(&self, text: &str, style: u8) -> Styled {
        let mut line = Styled::default();
        if !self.has_color {
            line.put(style, text);
            return line;
        }
        let (mut is_bold, mut is_code, mut rest) = (false, false, text);
        while let Some(c) = rest.chars().next() {
            // Whatever follows later, a mark is one at once, so that rows that stay need no change.
            let opens = |after: &&str| after.chars().next().is_none_or(|c| !c.is_whitespace());
            let bold = rest.strip_prefix("**").filter(|after| !is_code && (is_bold || opens(after)));
            let code = rest.strip_prefix('`').filter(|after| is_code || opens(after));
            if let Some(after) = bold.or(code) {
                is_bold ^= bold.is_some();
                is_code ^= bold.is_none();
                rest = after;
                continue;
            }
            let own = if is_code {
                CYAN
            } else if is_bold {
                BOLD
            } else {
                style
            };
            line.put(own, rest.head(c.len_utf8()));
            rest = rest.tail(c.len_utf8());
        }
        line
    }
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~")
}

/// Columns of a list's mark, below which its further rows begin.
fn marker(body: &str) -> usize {
    let digits = body.len() - body.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mark = if digits > 0 { digits + 1 } else { 1 };
    let is_mark = match digits {
        0 => body.starts_with(['-', '*', '+', '>']),
        _ => body.tail(digits).starts_with(['.', ')']),
    };
    if is_mark && body.tail(mark).starts_with(' ') { mark + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| row.iter().map(|(style, text)| format!("{style}:{text}|")).collect()).collect()
    }

    /// The rows of a text that comes in pieces of `size` bytes or so.
    fn flow(text: &str, size: usize, has_color: bool) -> Vec<String> {
        let mut flow = Flow::new(20, has_color);
        let chars: Vec<char> = text.chars().collect();
        let mut rows: Vec<Row> =
            chars.chunks(size).flat_map(|part| flow.add(&part.iter().collect::<String>())).collect();
        rows.extend(flow.end());
        shown(&rows)
    }

    #[test]
    fn rows_are_the_same_however_the_text_comes() {
        let text = "# Head\nplain **bold words** and `code`\n\n- item one that is long\n```rs\nlet a = 1;\n```\n> quote\n2 ** 3";
        let want = flow(text, 1000, true);
        assert_eq!(
            want,
            [
                "1:Head|",
                "0:plain |1:bold words|0: and|",
                "36:code|",
                "",
                "0:- item one that is|",
                "0:  long|",
                "2:    rs|",
                "36:    let a = 1;|",
                "2:> quote|",
                "0:2 ** 3|"
            ]
        );
        for size in [1, 2, 3, 7] {
            assert_eq!(flow(text, size, true), want, "{size}");
        }
        assert_eq!(flow("# A `b` **c**\n```\nd", 1, false), ["1:# A `b` **c**|", "0:```|", "36:    d|"]);
    }

    #[test]
    fn a_long_line_keeps_one_row_open() {
        let mut flow = Flow::new(10, true);
        let whole = flow.add(&"word ".repeat(9));
        assert_eq!((whole.len(), shown(&[flow.open().unwrap()]).concat()), (4, "0:word |".to_string()));
    }
}
