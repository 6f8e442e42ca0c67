//! Which earlier archives are too many.
//!
//! Runs on the command line's thread and only looks. One counts when its name is of the kind that `backup create` gives
//! by itself, and its manifest says that it was made of the same things: those of other profiles, those with other parts
//! left out and those that cannot be read are somebody else's.
use super::archive;
use super::plan::{Options, Plan};
use std::path::{Path, PathBuf};

/// What such a name begins with; the time follows.
pub const NAME: &str = "openclaw-backup-";
/// The shape of the time: digits are zeros here.
const TIME: &str = "00000000T000000.000Z";

/// The archives beside `archive` that are older than it and not among the newest `most`, it included.
pub fn older(plan: &Plan, options: Options, archive: &Path, most: u64) -> Vec<PathBuf> {
    let Some(dir) = archive.parent() else { return Vec::new() };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_older = |path: &PathBuf| time(path).is_some_and(|there| Some(there) < time(archive));
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_older).collect();
    crate::order::by_key(&mut found, |path| std::cmp::Reverse(time(path).map(str::to_string)));
    found.retain(|path| is_of(path, plan, options));
    found.split_off(found.len().min(usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(1)))
}

/// The time in the name of an archive of ours.
fn time(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?.strip_prefix(NAME)?;
    let time = name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".tar"))?;
    let shape = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    shape.eq(TIME.chars()).then_some(time)
}

/// Whether it was made of the same things.
fn is_of(path: &Path, plan: &Plan, options: Options) -> bool {
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let Some(manifest) = is_file.then(|| archive::about(path).ok()).flatten() else { return false };
    let from = |roots: &serde_json::Value| {
        let path = roots.get(0)?.get("sourcePath")?.as_str()?;
        Some(PathBuf::from(path))
    };
    manifest.get("options") == Some(&options.to_json())
        && manifest.get("roots").and_then(from).as_ref() == plan.roots.first().map(|root| &root.source_path)
}
