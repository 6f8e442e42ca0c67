//! The log file: the line format existing readers know, one file a day, never more than two files of
//! `logging.maxFileBytes` each (R-13a, R-13b). Errors are swallowed: logging must not stop the gateway.
use super::Line;
use super::tail::predecessor;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::{clock, files};
use log::Level;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const DEFAULT_MAX: u64 = 5 << 20;
/// Longest time a failed file is left alone before the next try, milliseconds.
const RETRY: u64 = 10_000;

pub struct LogFile {
    place: Place,
    path: PathBuf,
    file: Option<File>,
    size: u64,
    /// It is a device, such as `/dev/null`, which does not grow and is not moved away.
    is_device: bool,
    max: u64,
    retry_at: u64,
    hostname: String,
}

enum Place {
    /// A fixed file; its predecessor is `<file>.1`.
    Fixed(PathBuf),
    /// `<dir>/<prefix>-YYYY-MM-DD.log`
    Daily { dir: PathBuf, prefix: String },
}

impl Place {
    /// `None` when the config says `logging.file: "off"`.
    fn of(config: &Config, env: &Env) -> Option<Place> {
        match config.str("logging.file") {
            Some("off") => None,
            Some(path) => Some(Place::Fixed(env.expand(path))),
            None => {
                // Of a system service, where systemd keeps its logs.
                let own = |base| {
                    PathBuf::from(base).join(format!("openclaw-{}", rustix::process::getuid().as_raw()))
                };
                let dir = env.var("LOGS_DIRECTORY").map_or_else(|| env.state_dir.join("logs"), own);
                let prefix = env.profile.as_ref().map_or("openclaw".to_string(), |p| format!("openclaw-{p}"));
                Some(Place::Daily { dir, prefix })
            }
        }
    }

    fn at(&self, now: u64) -> PathBuf {
        match self {
            Place::Fixed(path) => path.clone(),
            Place::Daily { dir, prefix } => {
                dir.join(format!("{prefix}-{}.log", clock::show(&clock::zoned(now, None), "%Y-%m-%d")))
            }
        }
    }

    /// Every file of ours in the directory of daily files, oldest first.
    fn daily(&self) -> Vec<PathBuf> {
        let Place::Daily { dir, prefix } = self else { return Vec::new() };
        let is_ours = |name: &str| {
            let day = name.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('-'));
            day.is_some_and(|day| day.starts_with(|c: char| c.is_ascii_digit()) && day.contains(".log"))
        };
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter(|e| is_ours(&e.file_name().to_string_lossy()))
            .map(|e| (e.metadata().and_then(|m| m.modified()).ok(), e.path()))
            .collect();
        crate::order::sort(&mut files);
        files.into_iter().map(|(_, path)| path).collect()
    }
}

/// The file that a gateway with this config and environment writes, or wrote last; `None` when it writes
/// none. Only looks.
pub fn latest(config: &Config, env: &Env) -> Option<PathBuf> {
    let mut place = Place::of(config, env)?;
    if let (Place::Daily { dir, .. }, Some(told)) = (&mut place, told_dir(env).filter(|told| told.is_dir())) {
        *dir = told;
    }
    let today = place.at(clock::now_ms());
    if today.exists() {
        return Some(today);
    }
    let is_whole = |path: &PathBuf| path.extension().is_some_and(|end| end == "log");
    Some(place.daily().into_iter().rev().find(is_whole).unwrap_or(today))
}

/// Where a gateway of this state directory has its daily files, which is not where a command looks that systemd did not start.
fn told_dir(env: &Env) -> Option<PathBuf> {
    let bytes = files::read_start(&dir_note(env), 4096)?;
    Some(PathBuf::from(String::from_utf8(bytes).ok()?.trim_end()))
}

fn tell_dir(env: &Env, dir: &Path) {
    if told_dir(env).as_deref() != Some(dir) {
        // Commands look in the state directory then; a full disk must not cost the log.
        let _ = files::write_atomic(&dir_note(env), format!("{}\n", dir.display()).as_bytes());
    }
}

fn dir_note(env: &Env) -> PathBuf {
    env.state_dir.join("gateway").join("log-dir")
}

impl LogFile {
    /// `None` when the config says `logging.file: "off"`.
    pub fn open(config: &Config, env: &Env) -> Result<Option<LogFile>> {
        let Some(place) = Place::of(config, env) else { return Ok(None) };
        if let Place::Daily { dir, .. } = &place {
            private(dir)?;
            tell_dir(env, dir);
        }
        let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let max = config.u64("logging.maxFileBytes").unwrap_or(DEFAULT_MAX).max(4096);
        let mut log = LogFile {
            place,
            path: PathBuf::new(),
            file: None,
            size: 0,
            is_device: false,
            max,
            retry_at: 0,
            hostname,
        };
        log.reopen(clock::now_ms())?;
        Ok(Some(log))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn write(&mut self, line: &Line) {
        let text = self.format(line);
        let is_full = !self.is_device && self.size + text.len() as u64 > self.max;
        let due = self.path_at(line.at) != self.path || is_full;
        if due && self.size > 0 && self.path_at(line.at) == self.path {
            // The rename fails only with a disk in trouble; then the file is cut instead of growing on.
            if std::fs::rename(&self.path, predecessor(&self.path)).is_err() {
                let _ = self.file.as_ref().map(|f| f.set_len(0));
            }
            self.file = None;
        }
        if (self.file.is_none() || due) && line.at >= self.retry_at && self.reopen(line.at).is_err() {
            self.retry_at = line.at + RETRY;
        }
        let Some(file) = &mut self.file else { return };
        match file.write_all(text.as_bytes()) {
            Ok(()) => self.size += text.len() as u64,
            Err(_) => {
                self.file = None;
                self.retry_at = line.at + RETRY;
            }
        }
    }

    fn format(&self, line: &Line) -> String {
        let name = json!({"subsystem": line.target}).to_string();
        let time = clock::iso(line.at);
        let (id, level) = match line.level {
            Level::Trace => (1, "TRACE"),
            Level::Debug => (2, "DEBUG"),
            Level::Info => (3, "INFO"),
            Level::Warn => (4, "WARN"),
            Level::Error => (5, "ERROR"),
        };
        let meta = json!({"runtime": "rust", "runtimeVersion": crate::version::VERSION, "hostname": self.hostname,
            "name": name, "parentNames": ["openclaw"], "date": time, "logLevelId": id, "logLevelName": level});
        let text = json!({"0": name, "1": line.text, "_meta": meta, "time": time}).to_string();
        // Files are shown on terminals too; what steers one is escaped and means the same.
        format!("{}\n", crate::clean::escape(&text))
    }

    fn path_at(&self, now: u64) -> PathBuf {
        self.place.at(now)
    }

    fn reopen(&mut self, now: u64) -> Result<()> {
        self.file = None;
        self.path = self.path_at(now);
        if let (Place::Fixed(_), Some(dir)) = (&self.place, self.path.parent()) {
            files::private_dir(dir)?;
        }
        let failed = |e| Error::io(format_args!("open log file {}", self.path.display()), e);
        let file = open(&self.path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        (self.size, self.is_device) = (meta.len(), !meta.is_file());
        self.file = Some(file);
        self.prune();
        Ok(())
    }

    /// Keeps this file and the newest other one of ours.
    fn prune(&self) {
        let mut others = self.place.daily();
        others.retain(|path| *path != self.path);
        others.pop();
        for path in others {
            // What cannot be removed now is tried again at the next rotation.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Opens a log file to write at its end. Whoever may write in its directory may have put something else there: no link is
/// followed, and nothing that would have us wait for a reader is opened.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let other = || std::io::Error::new(ErrorKind::InvalidInput, "not a regular file; move it away");
    let file = match files::private_options().append(true).create(true).custom_flags(flags).open(path) {
        // A pipe that nobody reads.
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => return Err(other()),
        opened => opened?,
    };
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(other());
    }
    rustix::fs::fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file)
}

/// A directory of ours with mode 0700; refused when it is a link or belongs to somebody else (R-13f).
fn private(dir: &Path) -> Result<()> {
    files::private_dir(dir)?;
    let meta = std::fs::symlink_metadata(dir)
        .map_err(|e| Error::io(format_args!("look at {}", dir.display()), e))?;
    if !meta.is_dir() || meta.uid() != rustix::process::getuid().as_raw() {
        return Err(Error::unavailable(format!(
            "{} is not a directory of this user; remove it or set logging.file",
            dir.display()
        )));
    }
    if meta.mode() & 0o077 != 0 {
        std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .map_err(|e| Error::io(format_args!("make {} private", dir.display()), e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(place: Place, max: u64) -> LogFile {
        let (path, hostname) = (PathBuf::new(), "h".into());
        LogFile { place, path, file: None, size: 0, is_device: false, max, retry_at: 0, hostname }
    }

    fn line(at: u64) -> Line {
        Line { at, level: Level::Info, target: "gateway".into(), text: format!("line {at}") }
    }

    /// Names and total size of the files in `dir`.
    fn files_in(dir: &Path) -> (Vec<String>, u64) {
        let files = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap());
        let (names, sizes): (Vec<_>, Vec<_>) =
            files.map(|e| (e.file_name().into_string().unwrap(), e.metadata().unwrap().len())).unzip();
        (names, sizes.iter().sum())
    }

    #[test]
    fn r_13b_however_many_days_pass_and_restarts_happen_two_files_stay() {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        let dir = std::env::temp_dir().join(format!("logfile-days-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("openclaw-rescue-2026-01-01.log"), "another profile's").unwrap();
        let place = || Place::Daily { dir: dir.clone(), prefix: "openclaw".into() };
        for start in 0..10 {
            let mut log = log(place(), 4096);
            log.reopen(start * 40 * DAY).unwrap();
            for n in 0..40 {
                for m in 0..1 + 40 * (n % 2) {
                    log.write(&line((start * 40 + n) * DAY + m));
                }
                let (mut names, total) = files_in(&dir);
                names.retain(|name| !name.contains("rescue"));
                assert!(names.len() <= 2 && total <= 2 * 4096 + 100, "day {n}: {total} in {names:?}");
                assert!(std::fs::metadata(log.path()).unwrap().len() > 0, "the newest line is there");
            }
        }
        assert!(dir.join("openclaw-rescue-2026-01-01.log").exists());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn n_41_a_state_directory_has_its_own_log_wherever_the_service_keeps_it() {
        let home = crate::sessions::TestDir::new();
        let env = |name: &str| {
            let dir = home.0.join(name);
            std::fs::create_dir_all(&dir).unwrap();
            let vars =
                [("HOME", home.0.display().to_string()), ("LOGS_DIRECTORY", dir.display().to_string())];
            Env::from_vars(vars.map(|(name, value)| (name.to_string(), value)), None).unwrap()
        };
        let (service, command, config) = (env("service"), env("command"), Config::empty());
        let log = LogFile::open(&config, &service).unwrap().unwrap();
        assert!(log.path().starts_with(home.0.join("service")), "{}", log.path().display());
        assert_eq!(latest(&config, &command).as_deref(), Some(log.path()));
        std::fs::remove_dir_all(home.0.join("service")).unwrap();
        let own = latest(&config, &command).unwrap();
        assert!(own.starts_with(home.0.join("command")), "{}", own.display());
        for state in ["one", "two"] {
            let dir = home.0.join(state);
            let vars = [("HOME", home.0.as_path()), ("OPENCLAW_STATE_DIR", dir.as_path())];
            let vars = vars.map(|(name, path)| (name.to_string(), path.display().to_string()));
            let env = Env::from_vars(vars, None).unwrap();
            let log = LogFile::open(&config, &env).unwrap().unwrap();
            assert!(log.path().starts_with(dir.join("logs")), "{}", log.path().display());
            assert_eq!(latest(&config, &env).as_deref(), Some(log.path()));
            let mode = std::fs::metadata(dir.join("logs")).unwrap().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn r_13a_the_cap_holds_whatever_is_logged() {
        let dir = std::env::temp_dir().join(format!("logfile-{}", std::process::id()));
        let mut log = log(Place::Fixed(dir.join("x.log")), 5000);
        log.reopen(0).unwrap();
        for n in 0..200u64 {
            log.write(&Line {
                at: n,
                level: Level::Info,
                target: "gateway".into(),
                text: format!("line {n}"),
            });
            let total: u64 =
                std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
            assert!(total <= 10_000, "{total} after {n}");
        }
        let text = std::fs::read_to_string(dir.join("x.log")).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["1"], "line 199", "at the cap it rotates and goes on");
        assert_eq!(last["_meta"]["logLevelName"], "INFO");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
