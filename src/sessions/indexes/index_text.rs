//! The text of an index, read and written entry by entry, so that neither takes more memory than the entries do.
//!
//! Reading is for files as both programs write them; whatever is unusual in one is left to the slow and lenient way
//! of [`crate::sessions::index`]. Runs where the index is read and saved.
use crate::json::{self, DEEPEST};
use crate::sessions::index::MAX_VALUES;
use crate::sessions::kept::Kept;
use std::io::{self, Read, Write};
use std::sync::Arc;

const CHUNK: usize = 64 << 10;
/// A longer entry is not what this way is for.
const LONGEST: usize = 16 << 20;

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Before,
    First,
    Within,
    After,
}

/// Hands each member of the object in `file` over, as name and text, which is mended. `None` when the file is not
/// plainly such an object, or when `take` says so.
pub fn read(mut file: impl Read, mut take: impl FnMut(&str, &str) -> Option<()>) -> Option<()> {
    let (mut text, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    let (mut place, mut split) = (Place::Before, Split::default());
    loop {
        let n = file.read(&mut chunk).ok()?;
        if n == 0 {
            return (place == Place::After).then_some(());
        }
        text.extend_from_slice(chunk.get(..n)?);
        let mut done = 0;
        if place == Place::Before {
            done = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            match text.get(done) {
                None => continue,
                Some(b'{') => (done, place) = (done + 1, Place::First),
                Some(_) => return None,
            }
        }
        while place != Place::After
            && let Some(len) = split.end_of(text.get(done..)?)?
        {
            let end = done + len;
            let is_last = text.get(end) == Some(&b'}');
            let member = text.get(done..end)?.trim_ascii();
            if !(member.is_empty() && is_last && place == Place::First) {
                let (name, value) = named(member)?;
                take(&name, &value)?;
            }
            place = if is_last { Place::After } else { Place::Within };
            done = end + 1;
        }
        text.drain(..done);
        let is_strange = place == Place::After && !text.trim_ascii().is_empty();
        if is_strange || text.len() > LONGEST {
            return None;
        }
    }
}

/// `"name": value`, apart.
fn named(member: &[u8]) -> Option<(String, String)> {
    let text = json::mend(String::from_utf8_lossy(member).into_owned());
    let mut bytes = text.bytes().enumerate().skip(1);
    let end = loop {
        match bytes.next()? {
            (at, b'"') => break at + 1,
            (_, b'\\') => drop(bytes.next()),
            _ => {}
        }
    };
    let (name, value) = text.split_at_checked(end)?;
    let value = value.trim_start().strip_prefix(':')?.trim_start();
    Some((json::read_as(name, 1, 0).ok()?, value.to_string()))
}

/// Finds where a member ends, in however many pieces its text comes.
#[derive(Default)]
struct Split {
    /// What was looked through already.
    at: usize,
    depth: usize,
    values: usize,
    in_string: bool,
}

impl Split {
    /// Where the comma or bracket stands that ends the member which `text` begins with; inside, `None` when it has
    /// not come yet. `None` for what is no member, or no entry of reasonable size.
    fn end_of(&mut self, text: &[u8]) -> Option<Option<usize>> {
        while let Some(byte) = text.get(self.at) {
            if self.in_string {
                let rest = text.get(self.at..)?;
                match memchr::memchr2(b'"', b'\\', rest) {
                    None => self.at = text.len(),
                    Some(found) if rest.get(found) == Some(&b'"') => {
                        self.in_string = false;
                        self.at += found + 1;
                    }
                    // What is escaped may be in the next piece.
                    Some(found) if found + 1 < rest.len() => self.at += found + 2,
                    Some(found) => {
                        self.at += found;
                        break;
                    }
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b',' | b'}' if self.depth == 0 => return Some(Some(std::mem::take(self).at)),
                b'}' | b']' => self.depth = self.depth.checked_sub(1)?,
                b'{' | b'[' => {
                    self.depth += 1;
                    self.values += 1;
                }
                b',' => self.values += 1,
                _ => {}
            }
            if self.depth >= DEEPEST || self.values >= MAX_VALUES {
                return None;
            }
            self.at += 1;
        }
        Some(None)
    }
}

/// Writes the entries as both programs do: an object with one member a session, two spaces in.
pub fn write<'a>(entries: impl Iterator<Item = &'a Arc<Kept>>, file: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(CHUNK, file);
    let mut is_empty = true;
    out.write_all(b"{")?;
    for entry in entries {
        out.write_all(if is_empty { b"\n  " } else { b",\n  " })?;
        is_empty = false;
        serde_json::to_writer(&mut out, entry.key())?;
        out.write_all(b": ")?;
        out.write_all(entry.text().as_bytes())?;
    }
    out.write_all(if is_empty { b"}\n" } else { b"\n}\n" })?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives `0` bytes a time.
    struct Pieces<'a>(usize, &'a [u8]);

    impl Read for Pieces<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.0.min(self.1.len());
            buf[..n].copy_from_slice(&self.1[..n]);
            self.1 = &self.1[n..];
            Ok(n)
        }
    }

    fn split(text: &str, piece: usize) -> Option<Vec<(String, String)>> {
        let mut found = Vec::new();
        let taken = read(Pieces(piece, text.as_bytes()), |name, value| {
            found.push((name.to_string(), value.to_string()));
            Some(())
        });
        taken.map(|()| found)
    }

    #[test]
    fn members_come_out_whole_in_whatever_pieces_the_text_comes() {
        let text = " {\n \"a\\\"}\": {\"x\": [1, \"},{\\\\\"]} ,\"b\":7,\n\"c\" : \"\\ud83d, }\" } \n";
        let want = [("a\"}", "{\"x\": [1, \"},{\\\\\"]}"), ("b", "7"), ("c", "\"\\ufffd, }\"")];
        for piece in 1..=text.len() {
            let found = split(text, piece).unwrap();
            let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(found, want, "{piece}");
        }
        assert_eq!(split("{ }", 1), Some(Vec::new()));
    }

    #[test]
    fn what_is_unusual_is_left_to_others() {
        let deep = format!("{{\"a\":{}", "[".repeat(200));
        for text in [
            "",
            "[]",
            "{",
            "{} x",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":1",
            "{\"a\":1]}",
            "\u{feff}{}",
            &deep,
        ] {
            assert_eq!(split(text, 3), None, "{text}");
        }
    }
}
