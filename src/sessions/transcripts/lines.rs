//! Reading a file's lines from its end, block by block, so that the newest part of a large transcript costs
//! no more than its own size. A line that is too long to be one costs time, not memory. No parsing here.
use crate::parts::Parts;
use std::fs::File;
use std::io::{BufRead, Result};
use std::os::unix::fs::FileExt;

const BLOCK: u64 = 32 * 1024;
const LARGEST_BLOCK: u64 = 8 << 20;
/// Of a line that is longer, in bytes, only the place is found.
const LONGEST: usize = 32 << 20;

/// One line without its line end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Offset of its first byte.
    pub start: u64,
    /// Empty when the line is longer than 32 MiB.
    pub bytes: Vec<u8>,
    pub size: u64,
    /// Whether a line end follows; false only for a torn last line.
    pub whole: bool,
}

/// The lines of a file, last one first, empty ones left out.
#[derive(Debug)]
pub struct Backwards<'a> {
    file: &'a File,
    /// Offset of the first byte in `unread`.
    start: u64,
    /// What was read but not handed out, from `start` on.
    unread: Vec<u8>,
    /// The line ends in `unread`.
    ends: Vec<usize>,
    block: u64,
    whole: bool,
    /// Bytes of the line now looked for that were let go, because it is too long.
    passed: u64,
}

impl<'a> Backwards<'a> {
    /// Starts at the present end of `file`; lines appended later are not seen.
    pub fn new(file: &'a File) -> Result<Backwards<'a>> {
        let start = file.metadata()?.len();
        Ok(Backwards {
            file,
            start,
            unread: Vec::new(),
            ends: Vec::new(),
            block: BLOCK,
            whole: false,
            passed: 0,
        })
    }

    fn next_line(&mut self) -> Result<Option<Line>> {
        loop {
            if let Some(end) = self.ends.pop() {
                let bytes = self.cut(end);
                return Ok(Some(self.line(self.start + end as u64 + 1, bytes)));
            }
            if self.start == 0 {
                let bytes = std::mem::take(&mut self.unread);
                let is_over = bytes.is_empty() && self.passed == 0;
                return Ok(if is_over { None } else { Some(self.line(0, bytes)) });
            }
            self.read_block()?;
        }
    }

    /// Takes off what stands behind the line end at `end`, and that too; the longer part, which may be large, is not copied.
    fn cut(&mut self, end: usize) -> Vec<u8> {
        if end + 1 >= self.unread.len() / 2 {
            let bytes = self.unread.split_off(end + 1);
            self.unread.truncate(end);
            return bytes;
        }
        let before = self.unread.head(end).to_vec();
        let mut bytes = std::mem::replace(&mut self.unread, before);
        bytes.drain(..end + 1);
        bytes
    }

    /// Every line but the first handed out is followed by the line end that was found before it.
    fn line(&mut self, start: u64, bytes: Vec<u8>) -> Line {
        let whole = std::mem::replace(&mut self.whole, true);
        let passed = std::mem::take(&mut self.passed);
        let size = passed + bytes.len() as u64;
        Line { start, bytes: if passed == 0 { bytes } else { Vec::new() }, size, whole }
    }

    fn read_block(&mut self) -> Result<()> {
        if self.passed > 0 || self.unread.len() > LONGEST {
            self.passed += std::mem::take(&mut self.unread).len() as u64;
        }
        let size = self.block.min(self.start);
        let mut bytes = vec![0; size as usize];
        self.file.read_exact_at(&mut bytes, self.start - size)?;
        // All line ends of `unread` have been handed out. This search is many times faster than one by bytes.
        let (mut rest, mut at) = (bytes.as_slice(), 0);
        while let Ok(skipped @ 1..) = rest.skip_until(b'\n') {
            at += skipped;
            if bytes.get(at - 1) == Some(&b'\n') {
                self.ends.push(at - 1);
            }
        }
        // A line longer than a block makes the next one larger, so that the copying stays linear.
        self.block = if self.ends.is_empty() { (self.block * 2).min(LARGEST_BLOCK) } else { BLOCK };
        bytes.append(&mut self.unread);
        self.unread = bytes;
        self.start -= size;
        Ok(())
    }
}

impl Iterator for Backwards<'_> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Result<Line>> {
        loop {
            match self.next_line() {
                Ok(Some(line)) if line.size == 0 => continue,
                other => return other.transpose(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn lines_come_last_first_with_their_offsets() {
        let dir = TestDir::new();
        let path = dir.0.join("f");
        let check = |content: &[u8], want: &[(u64, usize, bool)]| {
            std::fs::write(&path, content).unwrap();
            let file = File::open(&path).unwrap();
            let got: Vec<_> = Backwards::new(&file).unwrap().map(Result::unwrap).collect();
            for line in &got {
                let start = line.start as usize;
                assert_eq!(line.bytes, &content[start..start + line.bytes.len()]);
            }
            assert_eq!(got.iter().map(|l| (l.start, l.bytes.len(), l.whole)).collect::<Vec<_>>(), want);
        };
        check(b"", &[]);
        check(b"\n\n", &[]);
        check(b"a\nbb\n", &[(2, 2, true), (0, 1, true)]);
        check(b"a\n\nbb", &[(3, 2, false), (0, 1, true)]);
        let mut long = vec![b'x'; 1_000_000];
        long.extend_from_slice(b"\nyy\n");
        check(&long, &[(1_000_001, 2, true), (0, 1_000_000, true)]);
    }

    #[test]
    fn b2_8_a_line_without_end_takes_time_and_no_memory() {
        let dir = TestDir::new();
        let path = dir.0.join("f");
        const HOLE: u64 = 300 << 20;
        for end in ["", "\nbb\n"] {
            let file =
                File::options().create(true).write(true).read(true).truncate(true).open(&path).unwrap();
            file.write_all_at(b"a\n", 0).unwrap();
            file.set_len(HOLE).unwrap();
            file.write_all_at(end.as_bytes(), HOLE).unwrap();
            let mut lines = Backwards::new(&file).unwrap();
            let mut got = Vec::new();
            while let Some(line) = lines.next() {
                let line = line.unwrap();
                assert!(line.bytes.len() < 3 && lines.unread.capacity() < 64 << 20);
                got.push((line.start, line.size, line.whole));
            }
            let last: &[_] = if end.is_empty() { &[] } else { &[(HOLE + 1, 2, true)] };
            let want = [last, &[(2, HOLE - 2, !end.is_empty()), (0, 1, true)]].concat();
            assert_eq!(got, want);
        }
    }
}
