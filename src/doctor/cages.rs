//! Checks of what commands of agents reach beside their workspace, where the owner has named more. Only looks.
use super::{Ctx, Finding};
use rustix::process::geteuid;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More of a directory is not looked at, and no deeper.
const MOST: usize = 4096;
const LEVELS: u32 = 3;
/// What all may read, of a file or a directory.
const BY_ALL: u32 = 0o004;

/// A gateway that is root has commands that are root as well: modes keep nothing from them, only walls do, and what is named
/// has none.
pub fn private(ctx: &Ctx) -> Vec<Finding> {
    if !geteuid().is_root() {
        return Vec::new();
    }
    named(ctx).into_iter().filter_map(|(key, written)| finding(ctx, &key, &written)).collect()
}

fn finding(ctx: &Ctx, key: &str, written: &str) -> Option<Finding> {
    let dir = ctx.env.expand(written);
    let mut left = MOST;
    let inside = first(&dir.canonicalize().ok()?, LEVELS, &mut left)?;
    let what = format!(
        "{key} names {written}: commands of agents, which are root's here, reach what is for root alone in it, such as {}",
        inside.display()
    );
    Some(Finding::new(what).at(&ctx.env.config_path).remedy("name the directories that they need, below it"))
}

/// Keys and what they name.
fn named(ctx: &Ctx) -> Vec<(String, String)> {
    let agents = ctx.config.get("agents.list").and_then(Value::as_array).into_iter().flatten().enumerate();
    let agents =
        agents.map(|(n, agent)| (format!("agents.list[{n}].tools.exec"), agent.pointer("/tools/exec")));
    let all = std::iter::once(("tools.exec".to_string(), ctx.config.get("tools.exec"))).chain(agents);
    let mut found = Vec::new();
    for (place, exec) in all {
        for name in ["read", "write"] {
            let list = exec.and_then(|exec| exec.get("sandbox")?.get(name)?.as_array());
            let texts = list.into_iter().flatten().filter_map(Value::as_str);
            found.extend(texts.map(|text| (format!("{place}.sandbox.{name}"), text.to_string())));
        }
    }
    found
}

/// The first thing of root's in it that others do not read.
fn first(place: &Path, levels: u32, left: &mut usize) -> Option<PathBuf> {
    let meta = place.symlink_metadata().ok()?;
    *left = left.checked_sub(1)?;
    if meta.is_symlink() {
        return None;
    }
    if meta.uid() == 0 && meta.mode() & BY_ALL == 0 {
        return Some(place.to_path_buf());
    }
    if !meta.is_dir() || levels == 0 {
        return None;
    }
    let mut names: Vec<_> = std::fs::read_dir(place).ok()?.flatten().map(|entry| entry.path()).collect();
    crate::order::sort(&mut names);
    // Files before directories: they are named more plainly.
    crate::order::by_key(&mut names, |path| path.is_dir());
    names.iter().find_map(|path| first(path, levels - 1, left))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::Dir;
    use crate::doctor::testing::found;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn i13_4_what_is_for_root_alone_in_a_named_directory_is_told() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = Dir::new();
        for (name, mode) in [("open/a/b", 0o644), ("shut/a/b", 0o644), ("shut/a/key", 0o640)] {
            dir.write(name, "x");
            std::fs::set_permissions(dir.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
            for parent in dir.path(name).ancestors().skip(1).take(2) {
                std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let place = dir.path("open").parent().unwrap().display().to_string();
        let told = |sandbox: &str| {
            let sandbox = sandbox.replace("DIR", &place);
            dir.write("openclaw.json", &format!("{{tools: {{exec: {{sandbox: {{{sandbox}}}}}}}}}"));
            found(&dir, &[], "fs.sandbox.root_only").into_iter().map(|it| it.1).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(told("write: ['DIR/open', 'DIR/nowhere']"), "");
        let said = told("write: ['DIR/open'], read: ['DIR/shut']");
        assert!(said.contains("tools.exec.sandbox.read names") && said.contains("shut/a/key"), "{said}");
        assert!(told("write: ['/etc']").contains("tools.exec.sandbox.write names /etc: "));
    }
}
