//! Incremental parser for `text/event-stream`: bytes in, the data of whole events out.
//!
//! Pure. Any chunk boundary is fine: inside a UTF-8 character, between CR and LF, inside the byte order
//! mark, which may stand before any line. A line is bounded; its bytes are handed on as they are. Of an event's name only
//! that it is an error is kept, whether the server calls the event so or writes a field `error`; ids and retry hints are
//! skipped. A line that is JSON, a mark or words is data too: some servers leave out the field's name, above all for
//! their errors. So is what follows where a line ends inside a JSON string or object: some servers write the line ends of
//! the answer as they are, or break the lines of an object.
use crate::json::Standing;

/// The longest line, and the longest event, accepted.
pub const MAX_LINE: usize = 1 << 20;
pub const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The fields of an event; a comment has an empty one.
const FIELDS: [&[u8]; 6] = [b"data", b"event", b"id", b"retry", b"error", b""];

/// What is wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// A line or an event is longer than `MAX_LINE`.
    TooLong,
}

/// One event: its data, and whether the server calls it an error.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub data: &'a [u8],
    pub is_error: bool,
}

#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    /// Where the data stands as JSON.
    standing: Standing,
    has_data: bool,
    is_error: bool,
    after_cr: bool,
}

impl Parser {
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Takes the next bytes and hands the data of every event they complete to `on`, which answers
    /// whether to go on. Stops at the first error, with all events before it handed on.
    pub fn push(&mut self, bytes: &[u8], on: &mut dyn FnMut(Event) -> bool) -> Result<(), Bad> {
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
    pub fn finish(&mut self, on: &mut dyn FnMut(Event) -> bool) -> Result<(), Bad> {
        if self.line.is_empty() || self.end_line(on)? {
            self.end_event(on);
        }
        Ok(())
    }

    fn end_line(&mut self, on: &mut dyn FnMut(Event) -> bool) -> Result<bool, Bad> {
        let line = std::mem::take(&mut self.line);
        let is_in_string = self.is_object() && self.standing.is_in_string();
        let text = if is_in_string { &line } else { line.strip_prefix(BOM).unwrap_or(&line) };
        if !text.starts_with(b"data:") && is_in_string {
            self.add(text)?;
            return Ok(true);
        }
        if text.is_empty() {
            return Ok(self.end_event(on));
        }
        let colon = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
        let (field, value) = text.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let is_field = FIELDS.contains(&field);
        if !is_field && !text.starts_with(b"{") && self.is_object() && self.standing.is_open() {
            self.add(text)?;
            return Ok(true);
        }
        if !is_field && is_said(text, field) {
            let go_on = self.end_event(on);
            self.add(text)?;
            return Ok(go_on && ((self.is_object() && self.standing.is_open()) || self.end_event(on)));
        }
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.add(value)?,
            b"event" => self.is_error = value == b"error" || value.ends_with(b".error"),
            b"error" => {
                self.is_error = true;
                self.add(value)?;
            }
            _ => {}
        }
        Ok(true)
    }

    fn is_object(&self) -> bool {
        self.data.trim_ascii_start().starts_with(b"{")
    }

    fn add(&mut self, value: &[u8]) -> Result<(), Bad> {
        if self.data.len() + value.len() > MAX_LINE {
            return Err(Bad::TooLong);
        }
        if self.has_data {
            self.data.push(b'\n');
            self.standing.push(b"\n");
        }
        self.data.extend_from_slice(value);
        self.standing.push(value);
        self.has_data = true;
        Ok(())
    }

    fn end_event(&mut self, on: &mut dyn FnMut(Event) -> bool) -> bool {
        let go_on = !self.has_data || on(Event { data: &self.data, is_error: self.is_error });
        self.data.clear();
        self.standing = Standing::default();
        (self.has_data, self.is_error) = (false, false);
        go_on
    }
}

/// Whether a line without a field's name says something: JSON, a mark, a page, or words.
fn is_said(text: &[u8], field: &[u8]) -> bool {
    text.starts_with(b"{")
        || matches!(text.first(), Some(b'<' | b'[' | b'"'))
        || field.eq_ignore_ascii_case(b"error")
        || field.trim_ascii().contains(&b' ')
        // A word alone; a number of bytes is none.
        || (field == text && text.iter().any(|byte| byte.is_ascii_alphabetic() && !byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(chunks: &[&[u8]]) -> Result<Vec<String>, Bad> {
        let (mut parser, mut events) = (Parser::new(), Vec::new());
        let mut on = |event: Event| {
            let name = if event.is_error { "error " } else { "" };
            events.push(format!("{name}{}", String::from_utf8_lossy(event.data)));
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
    fn errors_are_told_by_name_field_or_bare_object() {
        let stream = b"event: error\ndata: a\n\nerror: {\"x\":1}\n\ndata: b\n{\"error\":2}\ndata: c\n\n";
        assert_eq!(parse(&[stream]).unwrap(), ["error a", "error {\"x\":1}", "b", "{\"error\":2}", "c"]);
    }

    #[test]
    fn b_f09_line_ends_inside_a_string_are_part_of_it() {
        let stream =
            b"data: {\"a\":\"b\n\n: c\nevent: d\"}\n\n{\"e\":\"\\\"\nf\"}\n\ndata: {\"g\"\n\ndata: h\n\n";
        let want = ["{\"a\":\"b\n\n: c\nevent: d\"}", "{\"e\":\"\\\"\nf\"}", "{\"g\"", "h"];
        assert_eq!(parse(&[stream]).unwrap(), want);
    }

    #[test]
    fn b_f17_what_servers_say_without_a_field_is_data() {
        let stream = "data: a\n\n\u{feff}data: b\n\nInternal Server Error\nError: c\n\n{\n  \"error\": {\n    \"message\": \"d\"\n  }\n}\n\n<p>e</p>\n[DONE]\nfoo\nfoo: bar\n";
        let want = [
            "a",
            "b",
            "Internal Server Error",
            "Error: c",
            "{\n  \"error\": {\n    \"message\": \"d\"\n  }\n}",
            "<p>e</p>",
            "[DONE]",
            // T2b-6
            "foo",
        ];
        assert_eq!(parse(&[stream.as_bytes()]).unwrap(), want);
    }

    #[test]
    fn endless_lines_are_errors_and_bad_bytes_are_not() {
        assert_eq!(parse(&[b"data: x\xff"]).unwrap(), ["x\u{fffd}"]);
        assert_eq!(parse(&[b"data: ", &vec![b'a'; MAX_LINE]]), Err(Bad::TooLong));
        let many = b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(MAX_LINE / 30 + 1);
        assert_eq!(parse(&[&many]), Err(Bad::TooLong));
    }
}
