//! Which files of a workspace are its memory: `MEMORY.md`, `memory.md` and the Markdown files below `memory/`.
//!
//! Runs on a tool's thread. Number, size and depth are bounded, links are not followed (SEC-13).
use crate::charset;
use crate::error::Result;
use crate::tools::Context;
use crate::workspace::beneath;
use std::path::{Path, PathBuf};

/// Bytes read of one file.
pub const MAX_FILE: u64 = 1 << 20;
/// Bytes read in one search.
pub const MAX_ALL: u64 = 16 << 20;
const MAX_FILES: usize = 1000;
const MAX_DEPTH: usize = 4;

/// Whether a path of plain names is one of memory.
pub fn is_memory(path: &Path) -> bool {
    let is_markdown = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md"));
    let is_main = [Path::new("MEMORY.md"), Path::new("memory.md")].contains(&path);
    is_main || (is_markdown && path.starts_with("memory"))
}

/// The files of memory there are, the main ones first, then the newest names first: they are often dates.
pub fn files(workspace: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for (name, stat) in beneath::list(workspace, Path::new(""))? {
        if !stat.is_dir && is_memory(Path::new(&name)) {
            found.push(name.into());
        }
    }
    let mut below = Vec::new();
    gather(workspace, Path::new("memory"), MAX_DEPTH, &mut below);
    crate::order::by(&mut below, |a, b| b.cmp(a));
    found.extend(below);
    found.truncate(MAX_FILES);
    Ok(found)
}

/// What cannot be listed is left out: the rest is still worth searching.
fn gather(workspace: &Path, dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for (name, stat) in beneath::list(workspace, dir).unwrap_or_default() {
        let path = dir.join(name);
        if stat.is_dir && depth > 1 {
            gather(workspace, &path, depth - 1, found);
        } else if !stat.is_dir && is_memory(&path) {
            found.push(path);
        }
    }
}

/// The text of a file of memory, at most `MAX_FILE` bytes; in whichever character set.
pub fn read(context: &Context, path: &Path) -> Result<Option<String>> {
    let bytes = crate::tools::workspace::read(context, path, MAX_FILE)?;
    Ok(bytes.and_then(|bytes| Some(charset::decode(bytes, None, true, MAX_FILE as usize)?.text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn sec_13_memory_is_certain_files_only() {
        let dir = Dir::new();
        for name in [
            "MEMORY.md",
            "AGENTS.md",
            "memory/2026-01-01.md",
            "memory/2026-02-01.md",
            "memory/a/b.MD",
            "memory/x.txt",
        ] {
            dir.write(name, "x");
        }
        std::os::unix::fs::symlink("/etc/passwd", dir.path("memory/link.md")).unwrap();
        std::os::unix::fs::symlink("/etc", dir.path("memory/etc")).unwrap();
        let found = files(&dir.path("")).unwrap();
        let found: Vec<&str> = found.iter().filter_map(|path| path.to_str()).collect();
        assert_eq!(found, ["MEMORY.md", "memory/a/b.MD", "memory/2026-02-01.md", "memory/2026-01-01.md"]);
        for (path, want) in [
            ("memory.md", true),
            ("memory/a.md", true),
            ("memory/a.txt", false),
            ("AGENTS.md", false),
            ("memoryx/a.md", false),
        ] {
            assert_eq!(is_memory(Path::new(path)), want, "{path}");
        }
    }
}
