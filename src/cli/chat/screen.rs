//! The terminal of a chat: rows that stay and scroll away, and below them the live part, which is drawn anew.
//!
//! The only place besides `cli/print.rs` that writes to the terminal, since it has to know where the cursor is. What it is
//! given was cleaned where it became rows (`row.rs`); it puts colours around it and moves the cursor. A terminal that cannot
//! move it (TERM=dumb) gets the rows that stay, and a plain prompt.
use super::row::{self, Row};
use std::fmt::Write as _;
use std::io::{Write as _, stdout};

pub struct Screen {
    pub columns: usize,
    pub rows: usize,
    pub has_color: bool,
    /// It cannot move the cursor.
    pub is_plain: bool,
    /// Columns of the rows of the live part as they stand there, and the one with the cursor.
    live: Vec<usize>,
    at: usize,
    column: usize,
    text: String,
    /// A plain prompt stands there.
    is_asking: bool,
}

/// The live part: its rows, and where the cursor is in them.
#[derive(Default, PartialEq)]
pub struct Live {
    pub rows: Vec<Row>,
    pub cursor: (usize, usize),
}

impl Screen {
    pub fn new(has_color: bool, is_plain: bool) -> Screen {
        let (columns, rows) = (80, 24);
        Screen {
            columns,
            rows,
            has_color,
            is_plain,
            live: Vec::new(),
            at: 0,
            column: 0,
            text: String::new(),
            is_asking: false,
        }
    }

    /// Columns of a row: the last one stays free, since terminals differ in what they do behind it.
    pub fn width(&self) -> usize {
        self.columns.saturating_sub(1).max(8)
    }

    /// Rows that stay.
    pub fn put(&mut self, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        self.erase();
        for row in rows {
            self.row(row);
            self.text.push_str(if self.is_plain { "\n" } else { "\r\n" });
        }
    }

    pub fn draw(&mut self, live: &Live) {
        if self.is_plain {
            return;
        }
        self.erase();
        for (n, row) in live.rows.iter().enumerate() {
            if n > 0 {
                self.text.push_str("\r\n");
            }
            self.row(row);
        }
        self.live = live.rows.iter().map(row::columns).collect();
        let (row, column) = live.cursor;
        self.column = column;
        self.at = row.min(self.live.len().saturating_sub(1));
        self.up((self.live.len().saturating_sub(1)) - self.at);
        self.text.push('\r');
        if column > 0 {
            let _infallible = write!(self.text, "\x1b[{column}C");
        }
    }

    /// Where nothing is drawn: asks for the next line.
    pub fn ask(&mut self, prompt: &str) {
        if self.is_plain && !std::mem::replace(&mut self.is_asking, true) {
            self.text.push_str(prompt);
        }
    }

    /// The line that was asked for has come.
    pub fn answered(&mut self) {
        self.is_asking = false;
    }

    /// Takes the live part away.
    pub fn erase(&mut self) {
        if std::mem::take(&mut self.is_asking) {
            self.text.push('\n');
        }
        if self.live.is_empty() {
            return;
        }
        self.up(self.at);
        self.text.push_str("\r\x1b[J");
        self.forget();
    }

    /// Somebody else has written to the terminal: what follows begins in the row of the cursor.
    pub fn begin_anew(&mut self) {
        self.forget();
        if !self.is_plain {
            self.text.push_str("\r\x1b[J");
        }
    }

    fn forget(&mut self) {
        self.live.clear();
        self.at = 0;
    }

    /// All of the screen is free.
    pub fn clear(&mut self) {
        if !self.is_plain {
            self.text.push_str("\x1b[H\x1b[2J");
            self.forget();
        }
    }

    /// The terminal has another size: rows that are too wide now take several.
    pub fn resize(&mut self, columns: usize, rows: usize) {
        let (columns, rows) = (if columns == 0 { 80 } else { columns }, if rows == 0 { 24 } else { rows });
        let above: usize =
            self.live.iter().take(self.at).map(|used| used.saturating_sub(1) / columns + 1).sum();
        if !self.live.is_empty() {
            self.at = (above + self.column / columns).min(rows.saturating_sub(1));
        }
        (self.columns, self.rows) = (columns, rows);
    }

    /// Writes what has been put together; whether the terminal is still there.
    pub fn flush(&mut self) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let text = std::mem::take(&mut self.text);
        let mut out = stdout().lock();
        // Without the cursor while it moves, so that nothing flickers.
        let (hide, show) = if self.is_plain { ("", "") } else { ("\x1b[?25l", "\x1b[?25h") };
        write!(out, "{hide}{text}{show}").and_then(|()| out.flush()).is_ok()
    }

    fn up(&mut self, rows: usize) {
        if rows > 0 {
            let _infallible = write!(self.text, "\x1b[{rows}A");
        }
    }

    fn row(&mut self, row: &Row) {
        for (style, text) in row {
            let _infallible = match (self.has_color, style) {
                (true, 1..) => write!(self.text, "\x1b[{style}m{text}\x1b[0m"),
                _ => write!(self.text, "{text}"),
            };
        }
    }
}
