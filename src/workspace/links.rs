//! Links in the folders of a workspace that an agent reads by itself, where none is followed (SEC-13). Whoever put one
//! there is to hear of it: the agent goes without. For the thread that makes a prompt, and for the doctor; never the
//! state thread.
use std::path::{Path, PathBuf};

/// Most that are told of, and entries looked at in one folder.
const MOST: usize = 20;
const MOST_ENTRIES: usize = 2000;
/// Folders with how deep they are read.
const FOLDERS: [(&str, usize); 2] = [("memory", 4), ("skills", 2)];

/// Why one is left out, for log and doctor.
pub const WHY: &str = "it is a link, which is not followed here; put the folder or file itself there";

/// The links that are left out, relative to the workspace.
pub fn left_out(workspace: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (folder, depth) in FOLDERS {
        let is_link = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink());
        match is_link(&workspace.join(folder)) {
            true => found.push(folder.into()),
            false => gather(workspace, Path::new(folder), depth, &mut found),
        }
    }
    found
}

fn gather(workspace: &Path, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(workspace.join(folder)).into_iter().flatten().flatten().take(MOST_ENTRIES)
    {
        let Ok(kind) = entry.file_type() else { continue };
        let path = folder.join(entry.file_name());
        // Beside its SKILL.md a skill may hold what it likes.
        let is_of_skill = folder.parent() == Some(Path::new("skills"));
        let is_read = !is_of_skill || entry.file_name() == "SKILL.md";
        if kind.is_symlink() && is_read && found.len() < MOST {
            found.push(path);
        } else if kind.is_dir() && depth > 1 {
            gather(workspace, &path, depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use std::os::unix::fs::symlink;

    #[test]
    fn b_f37_links_that_are_left_out_are_found() {
        let dir = Dir::new();
        for name in ["w/memory/a/b.md", "w/skills/own/SKILL.md", "out/SKILL.md", "out/x.md"] {
            dir.write(name, "x");
        }
        assert_eq!(left_out(&dir.path("w")), Vec::<PathBuf>::new());
        std::fs::create_dir_all(dir.path("w/skills/half")).unwrap();
        for (to, at) in [
            ("out", "w/skills/linked"),
            ("out/SKILL.md", "w/skills/half/SKILL.md"),
            ("out/x.md", "w/skills/own/asset"),
            ("out/x.md", "w/memory/a/link.md"),
        ] {
            symlink(dir.path(to), dir.path(at)).unwrap();
        }
        let mut found = left_out(&dir.path("w"));
        found.sort();
        let want = ["memory/a/link.md", "skills/half/SKILL.md", "skills/linked"];
        assert_eq!(found, want.map(PathBuf::from));
        std::fs::rename(dir.path("w/memory"), dir.path("out/memory")).unwrap();
        symlink(dir.path("out/memory"), dir.path("w/memory")).unwrap();
        assert!(left_out(&dir.path("w")).contains(&PathBuf::from("memory")));
    }
}
