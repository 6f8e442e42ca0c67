//! The end of a log file, or what came after a cursor, by byte offsets: the work behind `logs.tail`, and
//! behind `openclaw logs` when no gateway answers.
//!
//! Runs on whichever thread asks; it reads and never writes. A cursor names its file beside the offset, so that a
//! rotation since is noticed and what the old file held behind the cursor is read from there.
use crate::error::{Error, Result};
use crate::parts::Parts;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where to read and how much.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The cursor of an earlier answer; the end of the file without one.
    pub cursor: Option<u64>,
    /// Most lines given; the newest are kept.
    pub limit: usize,
    /// Most bytes read.
    pub max_bytes: u64,
}

/// What was read. Without a file everything is empty or zero.
#[derive(Debug, Default)]
pub struct Tail {
    /// The cursor for the next time: the file's mark, and its size.
    pub cursor: u64,
    /// The file's size, bytes.
    pub size: u64,
    pub lines: Vec<String>,
    /// Whether older lines were left out.
    pub truncated: bool,
    /// Whether the lines do not simply follow the cursor.
    pub reset: bool,
}

/// Bits of a cursor that are the offset; above them is the mark of the file, zero for any. All fit into the integers
/// of JavaScript.
const OFFSET_BITS: u32 = 37;

/// Reads `path`; one that does not exist has no lines.
pub fn read(path: &Path, span: Span) -> Result<Tail> {
    let failed = |e| Error::io(format_args!("read log file {}", path.display()), e);
    let is_device = || std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_char_device());
    let file = match crate::files::open_regular(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::InvalidInput && !is_device() => return Err(failed(e)),
        // Between the two steps of a rotation: what the cursor stands before is read the next time.
        Err(_) => return Ok(Tail { cursor: span.cursor.unwrap_or(0), ..Tail::default() }),
    };
    let size = file.metadata().map_err(failed)?.len();
    let own = mark(&file);
    let newest = size.saturating_sub(span.max_bytes);
    let mut tail = Tail { cursor: own << OFFSET_BITS | size, size, truncated: newest > 0, ..Tail::default() };
    let mut start = newest;
    if let Some(cursor) = span.cursor {
        let (marked, at) = (cursor >> OFFSET_BITS, cursor & ((1 << OFFSET_BITS) - 1));
        if (marked == own || marked == 0) && at <= size {
            tail.truncated = size - at > span.max_bytes;
            tail.reset = tail.truncated;
            start = newest.max(at);
        } else {
            let rest = rest_of_earlier(path, marked, at, span.max_bytes.saturating_sub(size));
            tail.truncated |= rest.as_ref().map_or(marked > 0, |(_, is_whole)| !is_whole);
            tail.lines = rest.map(|(lines, _)| lines).unwrap_or_default();
            tail.reset = true;
        }
    }
    tail.lines.extend(lines_between(&file, start, size).map_err(failed)?);
    let surplus = tail.lines.len().saturating_sub(span.limit);
    tail.truncated |= surplus > 0 && span.cursor.is_some();
    tail.lines.drain(..surplus);
    Ok(tail)
}

/// What tells a log file from those before and after it, by its inode and first line: 16 bits, zero for an empty one.
fn mark(file: &File) -> u64 {
    let mut first = [0; 512];
    let got = file.read_at(&mut first, 0).unwrap_or(0);
    let text = first.head(got);
    let Some(line) = text.split_inclusive(|b| *b == b'\n').next() else { return 0 };
    if !line.ends_with(b"\n") && got < first.len() {
        return 0;
    }
    let inode = file.metadata().map_or(0, |meta| meta.ino()).to_le_bytes();
    // FNV-1a: nobody gains by two files that look alike.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = line.iter().chain(&inode).fold(0xcbf2_9ce4_8422_2325, mix);
    1 + hash % 0xffff
}

/// Where a full log file goes.
pub fn predecessor(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".1");
    path.with_file_name(name)
}

/// The lines that were written behind the cursor before the file was rotated, or before its day was over, at most the
/// last `room` bytes of them, and whether that is all; `None` when the file is gone.
fn rest_of_earlier(path: &Path, marked: u64, at: u64, room: u64) -> Option<(Vec<String>, bool)> {
    let files = earlier(path).into_iter().filter_map(|path| crate::files::open_regular(&path).ok());
    let mut sized = files.map(|file| (file.metadata().map_or(0, |meta| meta.len()), file));
    let (size, file) = sized.find(|(size, file)| *size >= at && (marked == 0 || mark(file) == marked))?;
    let start = at.max(size.saturating_sub(room));
    Some((lines_between(&file, start, size).ok()?, start == at))
}

/// The file before this one, and those of other days.
fn earlier(path: &Path) -> Vec<PathBuf> {
    let mut files = vec![predecessor(path)];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let stem = name.strip_suffix(".log").and_then(|stem| stem.split_at_checked(stem.len().checked_sub(10)?));
    if let (Some((prefix, _)), Some(dir)) = (stem.filter(|(_, day)| is_digit(day)), path.parent()) {
        let names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let of_a_day = names.filter(|name| name.to_string_lossy().strip_prefix(prefix).is_some_and(is_digit));
        files.extend(of_a_day.map(|name| dir.join(name)).filter(|other| other != path));
    }
    files
}

/// Whole lines only: a first line that began before `start` is left out.
fn lines_between(file: &File, start: u64, end: u64) -> std::io::Result<Vec<String>> {
    let mut bytes = vec![0; end.saturating_sub(start) as usize];
    let mut got = 0;
    while let Some(rest) = bytes.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, start + got as u64)? {
            0 => break,
            n => got += n,
        }
    }
    bytes.truncate(got);
    let mut before = [0u8];
    let mid_line =
        start > 0 && file.read_at(&mut before, start - 1).is_ok_and(|n| n == 1) && before != *b"\n";
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.split('\n').skip(usize::from(mid_line)).filter(|line| !line.is_empty());
    Ok(whole.map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cursor: Option<u64>) -> Span {
        Span { cursor, limit: 100, max_bytes: 100 }
    }

    #[test]
    fn a_cursor_survives_rotation() {
        let dir = std::env::temp_dir().join(format!("tail-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("x.log");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let first = read(&path, at(None)).unwrap();
        assert_eq!((first.lines.len(), first.size, first.reset), (2, 8, false));
        // One more line reaches the old file, then a new one begins and grows longer than the old one was.
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        std::fs::rename(&path, predecessor(&path)).unwrap();
        std::fs::write(&path, "one\ntwo\nfour\nfive\n").unwrap();
        let next = read(&path, at(Some(first.cursor))).unwrap();
        assert_eq!(next.lines, ["three", "one", "two", "four", "five"]);
        assert_eq!((next.reset, next.truncated, next.size), (true, false, 18));
        // What does not fit, or is gone, is told.
        let tight = read(&path, Span { max_bytes: 20, ..at(Some(first.cursor)) }).unwrap();
        assert_eq!((tight.lines.len(), tight.truncated), (4, true));
        let few = read(&path, Span { limit: 3, ..at(Some(first.cursor)) }).unwrap();
        assert_eq!((few.lines, few.truncated), (vec!["two".into(), "four".into(), "five".into()], true));
        std::fs::rename(&path, predecessor(&path)).unwrap();
        assert_eq!(read(&path, at(Some(next.cursor))).unwrap().cursor, next.cursor, "in the middle of it");
        std::fs::write(&path, "six\n").unwrap();
        let last = read(&path, at(Some(next.cursor))).unwrap();
        assert_eq!((last.lines, last.truncated), (vec!["six".to_string()], false));
        let gone = read(&path, at(Some(first.cursor))).unwrap();
        assert_eq!((gone.lines, gone.truncated), (vec!["six".to_string()], true));
        // A bare offset is one of the present file.
        assert_eq!(read(&path, at(Some(0))).unwrap().lines, ["six"]);
        assert!(read(&path, at(Some(99))).unwrap().reset);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_cursor_survives_midnight() {
        let dir = std::env::temp_dir().join(format!("tail-days-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let day = |n: u8| dir.join(format!("openclaw-work-2026-11-2{n}.log"));
        std::fs::write(day(1), "one\n").unwrap();
        let first = read(&day(1), at(None)).unwrap();
        std::fs::write(day(1), "one\ntwo\n").unwrap();
        std::fs::write(day(2), "three\nfour\n").unwrap();
        let next = read(&day(2), at(Some(first.cursor))).unwrap();
        assert_eq!((next.lines.join(" "), next.reset), ("two three four".to_string(), true));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn only_whole_lines_and_only_the_newest() {
        let path = std::env::temp_dir().join(format!("tail-lines-{}", std::process::id()));
        std::fs::write(&path, "first\nsecond\nthird\n").unwrap();
        let check = |span: Span, want: &[&str], flags: (bool, bool)| {
            let tail = read(&path, span).unwrap();
            assert_eq!(
                (tail.lines, (tail.truncated, tail.reset)),
                (want.iter().map(|s| s.to_string()).collect(), flags)
            );
        };
        check(Span { cursor: None, limit: 9, max_bytes: 10 }, &["third"], (true, false));
        check(Span { cursor: None, limit: 1, max_bytes: 99 }, &["third"], (false, false));
        check(Span { cursor: Some(6), limit: 9, max_bytes: 99 }, &["second", "third"], (false, false));
        check(Span { cursor: Some(0), limit: 9, max_bytes: 13 }, &["second", "third"], (true, true));
        std::fs::remove_file(&path).unwrap();
        assert!(read(&path, at(Some(3))).unwrap().lines.is_empty());
    }
}
