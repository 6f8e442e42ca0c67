//! Keeping what is left over in the state directory bounded, whatever its kind (R-28a): interrupted writes, copies of
//! configs, the trash of deleted agents, files that came with messages or were sent with some, output that a service
//! manager keeps. Session directories have rules of their own in `sessions::sweep`, which is asked here too; log files
//! are bounded by `logging`.
//!
//! Runs on the store thread once at the start and once a day, and for `doctor --fix`. Only removes, oldest first.
use super::edits;
use crate::agents::Agents;
use crate::clock;
use crate::config::{Config, channels};
use crate::env::Env;
use crate::sessions::sessions_dir;
use crate::sessions::sweep::{self, Class};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const DAY: u64 = 24 * 60 * 60 * 1000;
/// Interrupted writes; another program may just be writing one.
const TEMPORARY: Class = Class::new("*.tmp", 0, 0, 10 * 60 * 1000);
/// The page that `dashboard` leads a browser with; it holds the token.
const PAGE: Class = Class::new("dashboard.html", 0, 0, 60 * 1000);
/// Beside the config: copies by us (five), by hand and by other programs.
const COPIES: [Class; 3] = [
    Class::new(".bak", 10, 64 << 20, DAY),
    Class::new(".clobbered.", 5, 64 << 20, DAY),
    Class::new(".rejected.", 5, 64 << 20, DAY),
];
/// Directories below the state directory whose files we replace atomically, beside those of channels.
const OURS: [&str; 7] = ["", "gateway", "identity", "devices", "credentials", "cron", "subagents"];
/// What a service manager wrote for us into `logs`; each file is cut when it is longer than this.
const MAX_LOG: u64 = 16 << 20;
const LOGS: Class = Class::new(".log", 10, 64 << 20, DAY);
/// Files that came with messages; a turn may still look at the young ones.
const MEDIA: Class = Class::new("", 2000, 1 << 30, DAY);
const MEDIA_AGE: u64 = 30 * DAY;
/// Pictures, documents and downloads of browsers.
const BROWSER_AGE: u64 = 7 * DAY;
/// What the trash may hold, however young but for an hour, and how long.
const TRASH: Class = Class::new("", 20, 1 << 30, 60 * 60 * 1000);
const TRASH_AGE: u64 = 30 * DAY;
/// Copies of files that were to be sent, a directory each: a day is longer than any message waits.
const OUTBOUND: Class = Class::new("", 200, 1 << 30, 60 * 60 * 1000);
const OUTBOUND_AGE: u64 = DAY;

/// Where something may be left over.
pub struct Places {
    state_dir: PathBuf,
    config_dir: PathBuf,
    config_name: String,
    sessions: Vec<PathBuf>,
}

pub fn places(env: &Env, config: &Config) -> Places {
    let path = crate::files::real(&env.config_path);
    Places {
        state_dir: env.state_dir.clone(),
        config_dir: path.parent().unwrap_or(Path::new(".")).to_path_buf(),
        config_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sessions: Agents::of(config, env).ids().iter().map(|id| sessions_dir(&env.state_dir, id)).collect(),
    }
}

/// Removes what is beyond its bounds; gives notes for the log.
pub fn sweep(places: &Places) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(old_files(places).iter().map(|(path, _)| sweep::remove(path)));
    for path in long_logs(&places.state_dir) {
        // Its writer appends, so it goes on at the new end.
        notes.push(match File::options().write(true).open(&path).and_then(|file| file.set_len(0)) {
            Ok(()) => format!("emptied {}, which had grown beyond {} MiB", path.display(), MAX_LOG >> 20),
            Err(e) => format!("empty {}: {e}", path.display()),
        });
    }
    for (path, _) in old_dirs(&places.state_dir) {
        notes.push(match crate::files::remove_tree(&path) {
            Ok(()) => format!("removed: {}", path.display()),
            Err(e) => format!("remove {}: {e}", path.display()),
        });
    }
    notes
}

/// The daily round, for the store thread; says in the log what it did.
pub fn sweep_work(env: Env, config: Config) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        for note in sweep(&places(&env, &config)) {
            log::info!(target: "gateway/store", "{note}");
        }
    })
}

/// How many files are beyond their bounds, and their bytes. Only looks.
pub fn excess(places: &Places) -> (usize, u64) {
    let sizes = old_files(places).into_iter().chain(old_dirs(&places.state_dir)).map(|(_, size)| size);
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}

fn old_files(places: &Places) -> Vec<(PathBuf, u64)> {
    let mut found: Vec<(PathBuf, u64)> = places.sessions.iter().flat_map(|dir| sweep::excess(dir)).collect();
    let ours = OURS.into_iter().chain(channels::folders()).map(|name| places.state_dir.join(name));
    for dir in ours {
        found.extend(sweep::excess_of(&dir, &TEMPORARY));
    }
    found.extend(sweep::excess_of(&places.state_dir.join("gateway"), &PAGE));
    found.extend(sweep::excess_of(&places.state_dir.join("subagents"), &sweep::CORRUPT));
    found.extend(sweep::excess_of(&places.state_dir.join("logs"), &LOGS));
    found.extend(old_media(&places.state_dir));
    // A config that lies elsewhere has neighbours that are none of our business.
    let is_of_config = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&places.config_name))
    };
    for class in COPIES.iter().chain([&TEMPORARY]) {
        let copies =
            sweep::matching(&places.config_dir, class).into_iter().filter(|(_, _, path)| is_of_config(path));
        found.extend(class.beyond(copies.collect(), clock::now_ms()));
    }
    crate::order::sort(&mut found);
    found.dedup();
    found
}

fn old_media(state_dir: &Path) -> Vec<(PathBuf, u64)> {
    let now = clock::now_ms();
    let of = |name: &str, age: u64| {
        let all = sweep::matching(&state_dir.join("media").join(name), &MEDIA);
        let (old, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|(changed, ..)| changed + age <= now);
        let old = old.into_iter().map(|(_, size, path)| (path, size));
        old.chain(MEDIA.beyond(rest, now)).collect::<Vec<_>>()
    };
    [of("inbound", MEDIA_AGE), of("browser", BROWSER_AGE)].concat()
}

fn long_logs(state_dir: &Path) -> Vec<PathBuf> {
    let logs = sweep::matching(&state_dir.join("logs"), &LOGS).into_iter();
    // The gateway's own, `openclaw-<date>.log`, have a limit of their own.
    let is_own =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("openclaw"));
    let long = logs.filter(|(_, size, path)| *size > MAX_LOG && !is_own(path));
    long.map(|(_, _, path)| path).collect()
}

/// What deleted agents left, copies that were sent, and those of the configuration that a killed `config edit` left.
fn old_dirs(state_dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = old_in(&state_dir.join("trash"), TRASH_AGE, &TRASH);
    found.extend(old_in(&state_dir.join("media").join("outbound"), OUTBOUND_AGE, &OUTBOUND));
    found.extend(edits::left(state_dir).into_iter().map(|dir| (dir.clone(), weight(&dir))));
    found
}

/// Directories in `dir` that are old or too many, each with the bytes in it.
fn old_in(dir: &Path, age: u64, class: &Class) -> Vec<(PathBuf, u64)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let found: Vec<_> = dirs
        .filter_map(|entry| {
            let changed = entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some((changed.as_millis() as u64, weight(&entry.path()), entry.path()))
        })
        .collect();
    let now = clock::now_ms();
    let (old, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|(changed, ..)| changed + age <= now);
    let old = old.into_iter().map(|(_, size, path)| (path, size));
    old.chain(class.beyond(rest, now)).collect()
}

/// The bytes of all files below `dir`; links are not followed.
fn weight(dir: &Path) -> u64 {
    let mut waiting = vec![dir.to_path_buf()];
    let mut bytes = 0;
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => waiting.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use std::time::{Duration, SystemTime};

    fn age(path: &Path, days: u64) {
        let then = SystemTime::UNIX_EPOCH + Duration::from_millis(clock::now_ms() - days * DAY);
        std::fs::File::open(path).unwrap().set_modified(then).unwrap();
    }

    /// Issue 10, "How to add": where we write, no agent has its workspace.
    #[test]
    fn i10_each_folder_of_ours_is_no_workspace() {
        for name in OURS.iter().filter(|name| !name.is_empty()) {
            let is_reserved = crate::workspace::reserved().any(|reserved| reserved == *name);
            assert!(is_reserved, "{name}: in workspace/mod.rs RESERVED too");
        }
    }

    #[test]
    fn r_28a_every_class_of_left_over_files_is_bounded_and_nothing_else_goes() {
        let dir = Dir::new();
        let file = |name: &str, days: u64| {
            dir.write(name, "x");
            age(&dir.path(name), days);
        };
        for n in 0..14 {
            file(&format!("openclaw.json.bak.{n}"), 3 + n);
            file(&format!("openclaw.json.clobbered.{n}"), 3 + n);
            file(&format!("subagents/runs.json.corrupt.{n}"), n);
        }
        for name in
            ["openclaw.json", "notes.bak", "credentials/creds.json", "workspace/a.tmp", "gateway/ports.json"]
        {
            file(name, 400);
        }
        for name in [
            "openclaw.json.7.0.tmp",
            "gateway/x.1.1.tmp",
            "devices/paired.json.1.1.tmp",
            "telegram/o.1.1.tmp",
        ] {
            file(name, 1);
        }
        file("media/inbound/old---1.png", 40);
        file("media/inbound/new---1.png", 3);
        file("gateway/young.1.1.tmp", 0);
        file("agents/main/sessions/old.json.1.1.tmp", 1);
        for n in 0..35 {
            file(&format!("trash/a-{n}/sessions/s.jsonl"), 1);
            age(&dir.path(&format!("trash/a-{n}")), if n < 25 { n } else { 40 });
        }
        for (name, days) in [("u1", 2), ("u2", 0)] {
            file(&format!("media/outbound/{name}/a.png"), 400);
            age(&dir.path(&format!("media/outbound/{name}")), days);
        }
        dir.write("logs/gateway.log", "");
        File::options().write(true).open(dir.path("logs/gateway.log")).unwrap().set_len(MAX_LOG + 1).unwrap();
        let env = dir.env(&[]);
        let places = places(&env, &Config::empty());
        let (count, _) = excess(&places);
        let notes = sweep(&places);
        assert_eq!((count, notes.len()), (44, 45), "{notes:#?}");
        assert!((0..14).all(|n| dir.path(&format!("subagents/runs.json.corrupt.{n}")).exists() == (n < 5)));
        assert_eq!(excess(&places), (0, 0));
        assert_eq!(std::fs::metadata(dir.path("logs/gateway.log")).unwrap().len(), 0);
        let there = |name: &str| dir.path(name).exists();
        assert!(there("media/inbound/new---1.png") && !there("media/inbound/old---1.png"));
        assert!(there("media/outbound/u2/a.png") && !there("media/outbound/u1"));
        assert!(there("openclaw.json.bak.0") && !there("openclaw.json.bak.13"));
        assert!(there("gateway/young.1.1.tmp") && !there("gateway/x.1.1.tmp"));
        assert!(there("workspace/a.tmp") && there("notes.bak") && there("credentials/creds.json"));
        assert!((0..35).all(|n| there(&format!("trash/a-{n}")) == (n < 20)));
    }

    #[test]
    fn r_28a_the_trash_is_bounded_however_young_or_few_its_places_are() {
        let dir = Dir::new();
        let names: Vec<String> = (0..46).map(|n| format!("trash/a-{n:02}")).collect();
        let left = |hours: &dyn Fn(u64) -> u64| {
            for (n, name) in (0..).zip(&names) {
                dir.write(&format!("{name}/x"), "x");
                let then = clock::now_ms() - hours(n) * 60 * 60 * 1000;
                let then = SystemTime::UNIX_EPOCH + Duration::from_millis(then);
                File::open(dir.path(name)).unwrap().set_modified(then).unwrap();
            }
            sweep(&places(&dir.env(&[]), &Config::empty()));
            names.iter().filter(|name| dir.path(name).exists()).count()
        };
        assert_eq!(left(&|_| 2), 20);
        assert_eq!(left(&|_| 0), 46, "perhaps still being filled");
        assert_eq!(left(&|n| if n < 3 { 2 } else { 40 * 24 }), 3, "a month is enough");
    }
}
