//! What a terminal shows: the escapes that this program writes, understood as xterm does.
//!
//! A row that runs over the edge is an error of the program, so it panics; narrowing the terminal breaks rows that are too
//! wide, as most terminals do.

pub struct Screen {
    pub columns: usize,
    pub rows: usize,
    /// All rows ever, the visible ones last; a cell is a character with what is drawn over it, empty behind a wide one.
    lines: Vec<Vec<String>>,
    row: usize,
    column: usize,
    /// An escape or a character that is not whole yet.
    pending: Vec<u8>,
}

impl Screen {
    pub fn new(columns: usize, rows: usize) -> Screen {
        Screen { columns, rows, lines: vec![Vec::new()], row: 0, column: 0, pending: Vec::new() }
    }

    /// The visible rows without the blanks at their ends.
    pub fn visible(&self) -> Vec<String> {
        self.lines[self.top()..].iter().map(|line| text(line)).collect()
    }

    /// All that was ever shown and has not been erased.
    pub fn all(&self) -> String {
        self.lines.iter().map(|line| text(line)).collect::<Vec<_>>().join("\n")
    }

    /// The row of the cursor, in front of it and behind.
    pub fn at_cursor(&self) -> (String, String) {
        let line = &self.lines[self.row];
        let at = self.column.min(line.len());
        (line[..at].concat(), line[at..].concat())
    }

    fn top(&self) -> usize {
        self.lines.len().saturating_sub(self.rows)
    }

    pub fn resize(&mut self, columns: usize, rows: usize) {
        let (old, old_row) = (std::mem::take(&mut self.lines), self.row);
        for (n, line) in old.into_iter().enumerate() {
            if n == old_row {
                self.row = self.lines.len() + self.column / columns;
                self.column %= columns;
            }
            match line.is_empty() {
                true => self.lines.push(line),
                false => self.lines.extend(line.chunks(columns).map(<[String]>::to_vec)),
            }
        }
        while self.lines.len() <= self.row {
            self.lines.push(Vec::new());
        }
        (self.columns, self.rows) = (columns, rows);
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        loop {
            let all = std::mem::take(&mut self.pending);
            let used = match all.first() {
                None => return,
                Some(0x1b) => self.escape(&all),
                Some(first) => {
                    let long = match first {
                        0xf0.. => 4,
                        0xe0.. => 3,
                        0xc0.. => 2,
                        _ => 1,
                    };
                    if all.len() >= long {
                        self.put(std::str::from_utf8(&all[..long]).unwrap().chars().next().unwrap());
                    }
                    long
                }
            };
            if used == 0 || used > all.len() {
                self.pending = all;
                return;
            }
            self.pending = all[used..].to_vec();
        }
    }

    /// Takes an escape; gives its length, 0 where it is not whole.
    fn escape(&mut self, all: &[u8]) -> usize {
        let Some(kind) = all.get(1) else { return 0 };
        assert_eq!(*kind, b'[', "an escape that is not known: {all:?}");
        let Some(end) = all[2..].iter().position(|byte| (0x40..=0x7e).contains(byte)) else { return 0 };
        let numbers = std::str::from_utf8(&all[2..2 + end]).unwrap();
        let number = numbers.split(';').next().unwrap().parse().unwrap_or(1);
        match all[2 + end] {
            b'm' | b'h' | b'l' => {}
            b'A' => self.row = self.row.saturating_sub(number).max(self.top()),
            b'C' => self.column = (self.column + number).min(self.columns - 1),
            b'H' => (self.row, self.column) = (self.top(), 0),
            b'J' if numbers == "2" => self.lines[self.row..].iter_mut().for_each(Vec::clear),
            b'J' => {
                self.erase_line();
                self.lines.truncate(self.row + 1);
            }
            b'K' => self.erase_line(),
            other => panic!("an escape that is not known: {numbers}{}", other as char),
        }
        2 + end + 1
    }

    fn erase_line(&mut self) {
        let column = self.column;
        self.lines[self.row].truncate(column);
    }

    fn put(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\n' => {
                self.row += 1;
                if self.row == self.lines.len() {
                    self.lines.push(Vec::new());
                }
            }
            '\u{8}' => self.column = self.column.saturating_sub(1),
            '\u{7}' => {}
            c if c.is_control() => panic!("{c:?} reached the terminal"),
            c => self.draw(c),
        }
    }

    fn draw(&mut self, c: char) {
        let line = &mut self.lines[self.row];
        while line.len() < self.column {
            line.push(" ".into());
        }
        let wide = width(c);
        if wide == 0 {
            let base = line[..self.column].iter_mut().rfind(|cell| !cell.is_empty());
            base.expect("something to draw it over").push(c);
            return;
        }
        assert!(
            self.column + wide <= self.columns,
            "a row runs over the edge of {}: {}",
            self.columns,
            text(line)
        );
        for (n, cell) in [c.to_string(), String::new()].into_iter().take(wide).enumerate() {
            match line.get_mut(self.column + n) {
                Some(old) => *old = cell,
                None => line.push(cell),
            }
        }
        self.column += wide;
    }
}

fn text(line: &[String]) -> String {
    line.concat().trim_end().to_string()
}

fn width(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200d}' | '\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{1f300}'..='\u{1faff}' => 2,
        _ => 1,
    }
}
