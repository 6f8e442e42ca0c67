//! The end of a log file, or what came after a cursor, by byte offsets: the work behind `logs.tail`, and
//! behind `openclaw logs` when no gateway answers.
//!
//! Runs on whichever thread asks; it reads and never writes. A file that was rotated since the cursor is
//! noticed by its size, and what its predecessor still held behind the cursor is read from there.
use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
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
    /// The cursor for the next time: the file's size, bytes.
    pub cursor: u64,
    pub lines: Vec<String>,
    /// Whether older lines were left out for `max_bytes`.
    pub truncated: bool,
    /// Whether the lines do not simply follow the cursor.
    pub reset: bool,
}

/// Reads `path`; one that does not exist has no lines.
pub fn read(path: &Path, span: Span) -> Result<Tail> {
    let Ok(file) = File::open(path) else { return Ok(Tail::default()) };
    let failed = |e| Error::io(format_args!("read log file {}", path.display()), e);
    let size = file.metadata().map_err(failed)?.len();
    let newest = size.saturating_sub(span.max_bytes);
    let (start, reset, truncated) = match span.cursor {
        None => (newest, false, newest > 0),
        Some(at) if at > size => (newest, true, newest > 0),
        Some(at) if size - at > span.max_bytes => (newest, true, true),
        Some(at) => (at, false, false),
    };
    let mut lines = match span.cursor {
        Some(at) if at > size => rest_of_predecessor(path, at, span.max_bytes),
        _ => Vec::new(),
    };
    lines.extend(lines_between(&file, start, size).map_err(failed)?);
    lines.drain(..lines.len().saturating_sub(span.limit));
    Ok(Tail { cursor: size, lines, truncated, reset })
}

/// Where a full log file goes.
pub fn predecessor(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".1");
    path.with_file_name(name)
}

/// The lines that were written behind the cursor before the file was rotated.
fn rest_of_predecessor(path: &Path, cursor: u64, max_bytes: u64) -> Vec<String> {
    let Ok(file) = File::open(predecessor(path)) else { return Vec::new() };
    let size = file.metadata().map_or(0, |meta| meta.len());
    if size < cursor || size - cursor > max_bytes {
        return Vec::new();
    }
    lines_between(&file, cursor, size).unwrap_or_default()
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
        assert_eq!((first.lines.len(), first.cursor, first.reset), (2, 8, false));
        // One more line reaches the old file, then a new one begins.
        std::fs::write(predecessor(&path), "one\ntwo\nthree\n").unwrap();
        std::fs::write(&path, "four\n").unwrap();
        let next = read(&path, at(Some(first.cursor))).unwrap();
        assert_eq!((next.lines, next.reset), (vec!["three".to_string(), "four".to_string()], true));
        // A predecessor that never was so long is not the file of the cursor.
        std::fs::write(predecessor(&path), "o\n").unwrap();
        assert_eq!(read(&path, at(Some(8))).unwrap().lines, ["four"]);
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
