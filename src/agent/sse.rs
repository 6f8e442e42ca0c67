//! Incremental parser for `text/event-stream`: bytes in, the data of whole events out.
//!
//! Pure. Any chunk boundary is fine: inside a UTF-8 character, between CR and LF, inside the byte order
//! mark. A line is bounded; text that is not UTF-8 is an error, never replaced. Event names, ids and
//! retry hints are skipped: model servers put everything into `data`.

/// The longest line, and the longest event, accepted.
pub const MAX_LINE: usize = 1 << 20;

/// What is wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// A line or an event is longer than `MAX_LINE`.
    TooLong,
    /// Not UTF-8.
    NotUtf8,
}

#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    data: String,
    has_data: bool,
    after_cr: bool,
    past_start: bool,
}

impl Parser {
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Takes the next bytes and hands the data of every event they complete to `on`, which answers
    /// whether to go on. Stops at the first error, with all events before it handed on.
    pub fn push(&mut self, bytes: &[u8], on: &mut dyn FnMut(&str) -> bool) -> Result<(), Bad> {
        let mut rest = bytes;
        while let Some((&first, tail)) = rest.split_first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                rest = tail;
                continue;
            }
            let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line.len() + part.len() > MAX_LINE {
                return Err(Bad::TooLong);
            }
            self.line.extend_from_slice(part);
            let Some((&end, after)) = after.split_first() else { return Ok(()) };
            self.after_cr = end == b'\r';
            rest = after;
            if !self.end_line(on)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The stream ended: some servers leave out the last line's end, or the blank line after it.
    pub fn finish(&mut self, on: &mut dyn FnMut(&str) -> bool) -> Result<(), Bad> {
        if self.line.is_empty() || self.end_line(on)? {
            self.end_event(on);
        }
        Ok(())
    }

    fn end_line(&mut self, on: &mut dyn FnMut(&str) -> bool) -> Result<bool, Bad> {
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line).map_err(|_| Bad::NotUtf8)?;
        let first = !std::mem::replace(&mut self.past_start, true);
        let text = if first { text.trim_start_matches('\u{feff}') } else { text };
        if text.is_empty() {
            return Ok(self.end_event(on));
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            if self.data.len() + value.len() > MAX_LINE {
                return Err(Bad::TooLong);
            }
            if self.has_data {
                self.data.push('\n');
            }
            self.data.push_str(value);
            self.has_data = true;
        }
        Ok(true)
    }

    fn end_event(&mut self, on: &mut dyn FnMut(&str) -> bool) -> bool {
        let go_on = !self.has_data || on(&self.data);
        self.data.clear();
        self.has_data = false;
        go_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(chunks: &[&[u8]]) -> Result<Vec<String>, Bad> {
        let (mut parser, mut events) = (Parser::new(), Vec::new());
        let mut on = |data: &str| {
            events.push(data.to_string());
            true
        };
        for chunk in chunks {
            parser.push(chunk, &mut on)?;
        }
        parser.finish(&mut on)?;
        Ok(events)
    }

    #[test]
    fn every_chunk_boundary_gives_the_same_events() {
        let stream = "\u{feff}: hello\r\ndata: gr\u{fc}\u{df} \u{1f600}\r\n\r\nevent: x\ndata:a\ndata:  b\n\nid\rdata\r\rdata: [DONE]";
        let want = ["gr\u{fc}\u{df} \u{1f600}", "a\n b", "", "[DONE]"];
        let bytes = stream.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(parse(&chunks).unwrap(), want, "{first} {second}");
            }
        }
    }

    #[test]
    fn an_event_is_handed_on_with_its_last_byte() {
        let mut parser = Parser::new();
        let mut seen = 0;
        parser
            .push(b"data: x\n\n", &mut |_| {
                seen += 1;
                true
            })
            .unwrap();
        assert_eq!(seen, 1);
        parser
            .push(b"data: y\r\n\r", &mut |_| {
                seen += 1;
                true
            })
            .unwrap();
        assert_eq!(seen, 2);
    }

    #[test]
    fn stops_when_told() {
        let mut seen = 0;
        Parser::new()
            .push(b"data: 1\n\ndata: 2\n\n", &mut |_| {
                seen += 1;
                false
            })
            .unwrap();
        assert_eq!(seen, 1);
    }

    #[test]
    fn bad_bytes_and_endless_lines_are_errors() {
        assert_eq!(parse(&[b"data: \xff\n\n"]), Err(Bad::NotUtf8));
        assert_eq!(parse(&[b"data: \xe2\x82"]), Err(Bad::NotUtf8));
        assert_eq!(parse(&[b"data: ", &vec![b'a'; MAX_LINE]]), Err(Bad::TooLong));
        let many = b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(MAX_LINE / 30 + 1);
        assert_eq!(parse(&[&many]), Err(Bad::TooLong));
    }
}
