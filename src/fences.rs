//! Where fenced code begins and ends in Markdown: known here for all who must leave it as it is. Pure.
//!
//! A fence stands at most three columns from its line's start; whoever does not follow lists, within which it may stand
//! further in, hands lines over without their indent. Text that comes letter by letter has `models/answers/fences`.

/// A fence that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    mark: char,
    length: usize,
    /// The columns before it, which its code is without.
    pub indent: usize,
}

impl Fence {
    /// The fence that the line opens. Backticks that have another behind them in their line are code within the line.
    pub fn read(line: &str) -> Option<Fence> {
        let text = line.trim();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let (length, indent) = (text.len() - info.len(), indent(line));
        let is_one = length >= 3 && indent < 4 && !(mark == '`' && info.contains('`'));
        is_one.then_some(Fence { mark, length, indent })
    }

    pub fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        text.len() >= self.length && text.chars().all(|c| c == self.mark) && indent(line) < 4
    }

    /// The line that closes it.
    pub fn end(&self) -> String {
        self.mark.to_string().repeat(self.length)
    }
}

/// Lines, one after another.
#[derive(Debug, Default)]
pub struct Code {
    open: Option<Fence>,
}

impl Code {
    /// Whether the next line is code, or one of its fences.
    pub fn sees(&mut self, line: &str) -> bool {
        let was_open = self.is_open();
        self.open = match self.open {
            Some(fence) => Some(fence).filter(|fence| !fence.is_closed_by(line)),
            None => Fence::read(line),
        };
        was_open || self.is_open()
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

/// The columns of white space before the text.
pub fn indent(line: &str) -> usize {
    let white = line.bytes().take_while(|b| matches!(b, b' ' | b'\t'));
    white.fold(0, |columns, b| if b == b'\t' { columns / 4 * 4 + 4 } else { columns + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_3_a_fence_is_opened_and_closed_by_lines_of_its_own() {
        for (line, opens) in [
            ("```", true),
            ("```rust x", true),
            ("  ~~~~ a ` b", true),
            ("``", false),
            ("```ls``` lists", false),
            ("```a`", false),
            ("    ```", false),
            ("x ```", false),
            ("", false),
        ] {
            assert_eq!(Fence::read(line).is_some(), opens, "{line:?}");
        }
        let fence = Fence::read("~~~~x").unwrap();
        assert_eq!(fence.end(), "~~~~");
        for (line, closes) in
            [("~~~~", true), (" ~~~~~ \r", true), ("~~~", false), ("````", false), ("~~~~ x", false)]
        {
            assert_eq!(fence.is_closed_by(line), closes, "{line:?}");
        }
    }

    #[test]
    fn i11_3_lines_between_fences_are_code() {
        let mut code = Code::default();
        let text = "a\n```ls``` b\n```sh\n~~~\nc\n```` \nd\n~~~\n```";
        let seen: Vec<bool> = text.split('\n').map(|line| code.sees(line)).collect();
        assert_eq!(seen, [false, false, true, true, true, true, false, true, true]);
        assert!(code.is_open());
    }
}
