//! The commit that is checked out, read from the files of git: for the build, which runs no other program, and a test.
use std::fs;
use std::path::{Path, PathBuf};

/// The commit of the working tree at `root` and the files that say so. `None` where there is no git, as in a tarball.
pub fn commit(root: &Path) -> Option<(String, Vec<PathBuf>)> {
    let dir = folder(root)?;
    let head = dir.join("HEAD");
    let text = fs::read_to_string(&head).ok()?;
    let Some(name) = text.trim().strip_prefix("ref: ") else {
        return is_commit(text.trim()).then(|| (text.trim().to_string(), vec![head]));
    };
    // A further working tree has its branches where the first one has them.
    let common = match fs::read_to_string(dir.join("commondir")) {
        Ok(common) => dir.join(common.trim()),
        Err(_) => dir,
    };
    let (own, packed) = (common.join(name), common.join("packed-refs"));
    let loose = fs::read_to_string(&own).ok().map(|text| text.trim().to_string());
    let found = loose.or_else(|| {
        let lines = fs::read_to_string(&packed).ok()?;
        let line = lines.lines().find(|line| line.split(' ').nth(1) == Some(name))?;
        line.split(' ').next().map(str::to_string)
    });
    let files = [head, own, packed].into_iter().filter(|file| file.exists()).collect();
    found.filter(|found| is_commit(found)).map(|found| (found, files))
}

/// `.git`, or where it says that it is.
fn folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(git).ok()?;
    Some(root.join(text.trim().strip_prefix("gitdir: ")?))
}

fn is_commit(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
