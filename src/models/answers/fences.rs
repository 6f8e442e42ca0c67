//! Where a text is code, as far as it has come: what looks like a mark there is text.
//!
//! Pure; used by `think`, one character at a time.

/// Whether the text is inside a block of code, between lines of backticks or tildes, or within a line.
#[derive(Default)]
pub struct Code {
    fence: usize,
    inline: usize,
    /// Whether the block is between lines of tildes.
    in_tildes: bool,
    /// Whether the block began in the present line.
    is_new: bool,
    /// Backticks or tildes in a row, and whether they began a line.
    run: usize,
    run_of_tildes: bool,
    run_begins_line: bool,
    in_line: bool,
    /// White space at the start of the present line; four make it code, too.
    indent: usize,
}

impl Code {
    pub fn see(&mut self, c: char) {
        if matches!(c, '`' | '~') {
            if self.run_of_tildes != (c == '~') {
                self.end_run();
            }
            if self.run == 0 {
                (self.run_begins_line, self.run_of_tildes) = (!self.in_line, c == '~');
            }
            self.run += 1;
            self.in_line = true;
            return;
        }
        self.end_run();
        match c {
            '\n' => (self.inline, self.in_line, self.indent, self.is_new) = (0, false, 0, false),
            '\t' if !self.in_line => self.indent += 4,
            c if c.is_whitespace() && !self.in_line => self.indent += 1,
            c => self.in_line |= !c.is_whitespace(),
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        match (run, self.fence, self.inline) {
            (0, ..) => {}
            // More of them in its line: it was code within that line.
            (_, open @ 1.., _) if self.is_new && !self.in_tildes && !self.run_of_tildes => {
                (self.fence, self.is_new, self.inline) = (0, false, if run == open { 0 } else { open });
            }
            (_, fence @ 1.., _)
                if self.run_begins_line && run >= fence && self.in_tildes == self.run_of_tildes =>
            {
                self.fence = 0;
            }
            (_, 1.., _) => {}
            (3.., 0, _) if self.run_begins_line => {
                (self.fence, self.in_tildes, self.is_new) = (run, self.run_of_tildes, true);
            }
            _ if self.run_of_tildes => {}
            (_, 0, 0) => self.inline = run,
            (_, 0, open) if open == run => self.inline = 0,
            _ => {}
        }
    }

    /// Whether nothing stands before this place in its line, and the line is no code.
    pub fn begins_line(&self) -> bool {
        !self.in_line && self.indent < 4
    }

    pub fn is_open(&mut self) -> bool {
        self.end_run();
        self.fence + self.inline > 0
    }
}
