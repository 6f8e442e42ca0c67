//! JSON texts without the white space between their parts, made so at build time: a third of a schema's file is
//! indentation, which the program need not carry. Pure.

/// How long the text is without it, bytes.
pub const fn len(text: &str) -> usize {
    let mut kept = 0;
    let mut reader = Reader { rest: text.as_bytes(), quoted: false, escaped: false };
    while reader.next().is_some() {
        kept += 1;
    }
    kept
}

/// The text without it; `N` is its `len`.
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let mut all = [0; N];
    let mut space: &mut [u8] = &mut all;
    let mut reader = Reader { rest: text.as_bytes(), quoted: false, escaped: false };
    while let Some(byte) = reader.next() {
        if let [place, more @ ..] = space {
            *place = byte;
            space = more;
        }
    }
    all
}

/// What `bytes` made, as text again.
pub const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    quoted: bool,
    escaped: bool,
}

impl Reader<'_> {
    /// The next byte to keep.
    const fn next(&mut self) -> Option<u8> {
        while let Some((byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            if self.escaped {
                self.escaped = false;
            } else if *byte == b'\\' {
                self.escaped = true;
            } else if *byte == b'"' {
                self.quoted = !self.quoted;
            } else if !self.quoted && byte.is_ascii_whitespace() {
                continue;
            }
            return Some(*byte);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn keeps_all_but_the_space_between_the_parts() {
        const TEXT: &str = "{\n  \"a b\": [1, \"\\\" \\\\\", \"\\\\\"],\t\"ü  ß\": { }\r\n}\n";
        const BYTES: [u8; super::len(TEXT)] = super::bytes(TEXT);
        assert_eq!(super::text(&BYTES), "{\"a b\":[1,\"\\\" \\\\\",\"\\\\\"],\"ü  ß\":{}}");
    }
}
