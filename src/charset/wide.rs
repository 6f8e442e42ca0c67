//! Texts of two or four bytes a character, UTF-16 and UTF-32, exactly: to be changed and written as they were.
//!
//! Pure. Where `charset` reads what it can, this refuses what would not be the same again.
use crate::charset::{Text, decode, is_written};
use crate::parts::Parts;

/// In which order and how many bytes a character is written, and whether a mark at the beginning says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wide {
    is_big: bool,
    is_four: bool,
    has_mark: bool,
}

impl Wide {
    fn name(self) -> &'static str {
        match (self.is_four, self.is_big) {
            (true, true) => "UTF-32BE",
            (true, false) => "UTF-32LE",
            (false, true) => "UTF-16BE",
            (false, false) => "UTF-16LE",
        }
    }

    /// The text in this form.
    pub fn write(self, text: &str) -> Vec<u8> {
        let mark = if self.has_mark { "\u{feff}" } else { "" };
        let mut bytes = Vec::with_capacity(text.len() * 2);
        for c in mark.chars().chain(text.chars()) {
            let (c, mut pair) = (u32::from(c), [0; 2]);
            match (self.is_four, self.is_big) {
                (true, true) => bytes.extend(c.to_be_bytes()),
                (true, false) => bytes.extend(c.to_le_bytes()),
                (false, is_big) => {
                    let units = char::from_u32(c).map(|c| c.encode_utf16(&mut pair));
                    let order = |unit: &u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
                    units.into_iter().flatten().for_each(|unit| bytes.extend(order(unit)));
                }
            }
        }
        bytes
    }
}

/// The text of a file in one of these forms, if that gives the same bytes again.
pub fn exact(bytes: &[u8]) -> Option<(String, Wide)> {
    let text = decode(bytes.to_vec(), None, false, usize::MAX)?;
    let name = text.charset?;
    let is_four = name.starts_with("UTF-32");
    let is_big = name.ends_with("BE");
    let form = Wide { is_big, is_four, has_mark: false };
    let forms = [form, Wide { has_mark: true, ..form }];
    let found = forms.into_iter().find(|form| form.name() == name && form.write(&text.text) == bytes)?;
    Some((text.text, found))
}

/// How four bytes make a character.
type Order = fn([u8; 4]) -> u32;

/// UTF-32, with its mark or known by what it says: nearly all of it is written by people.
pub fn four(bytes: &[u8], is_cut: bool) -> Option<Text> {
    let (units, rest) = bytes.as_chunks::<4>();
    if units.is_empty() || !(is_cut || rest.is_empty()) {
        return None;
    }
    let orders: [(Order, _); 2] = [(u32::from_le_bytes, "UTF-32LE"), (u32::from_be_bytes, "UTF-32BE")];
    orders.into_iter().find_map(|(order, name)| {
        let text: String = units.iter().map(|unit| char::from_u32(order(*unit))).collect::<Option<_>>()?;
        let marked = text.strip_prefix('\u{feff}');
        let odd = text.chars().filter(|c| !is_written(*c)).count();
        let is_it = marked.is_some() || (units.len() > 1 && odd * 40 <= units.len());
        is_it.then(|| Text { text: marked.unwrap_or(&text).to_string(), charset: Some(name) })
    })
}

/// A text with zeros in it, as of a log that was being written when the power failed, or of names that zeros part. Each
/// run of zeros is told by its length.
pub fn around_zeros(bytes: &[u8]) -> Option<Text> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut out = String::with_capacity(text.len().min(1 << 20));
    let (mut rest, mut runs, mut odd) = (text, 0, 0);
    while let Some(at) = rest.find('\0') {
        let zeros = rest.tail(at).len() - rest.tail(at).trim_start_matches('\0').len();
        out += rest.head(at);
        out += &format!("[{zeros} zero byte{}]", if zeros == 1 { "" } else { "s" });
        rest = rest.tail(at + zeros);
        runs += 1;
    }
    out += rest;
    odd += text.bytes().filter(|byte| *byte != 0 && super::is_odd(*byte)).count();
    let said = text.bytes().filter(|byte| *byte != 0).count();
    let is_text = runs > 0 && runs * 4 <= said && odd * 32 <= said;
    is_text.then_some(Text { text: out, charset: Some("UTF-8 with zero bytes") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms() -> impl Iterator<Item = Wide> {
        (0..8).map(|n| Wide { is_big: n & 1 == 1, is_four: n & 2 == 2, has_mark: n & 4 == 4 })
    }

    /// T2-15
    #[test]
    fn b_wide_texts_are_read_and_written_as_they_were() {
        for form in forms() {
            for said in ["First line\r\nand another, short\r\n", "one\n"] {
                let bytes = form.write(said);
                assert_eq!(exact(&bytes), Some((said.to_string(), form)), "{form:?}");
            }
            let mut odd = form.write("First line of it\n");
            odd.pop();
            assert_eq!(exact(&odd), None, "{form:?}");
        }
        assert_eq!(exact(b"plain"), None);
        assert_eq!(four(&[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], false), None, "numbers");
    }

    /// T2-15
    #[test]
    fn b_zeros_hide_no_text() {
        let log = [b"12:00 start\n".as_slice(), &[0; 40], b"12:05 go on\n"].concat();
        let read = |bytes: &[u8]| decode(bytes.to_vec(), None, false, 1 << 20);
        let text = read(&log).unwrap();
        assert_eq!(text.text, "12:00 start\n[40 zero bytes]12:05 go on\n");
        assert_eq!(text.charset, Some("UTF-8 with zero bytes"));
        assert_eq!(read(b"./src\0./main\0").unwrap().text, "./src[1 zero byte]./main[1 zero byte]");
        assert_eq!(read(b"\x01\0\x02\0\0\0\x7f\0"), None);
        assert_eq!(read(&[b"a".as_slice(), &[0, 0, 1, 0, 3], b"bc"].concat()), None);
    }
}
