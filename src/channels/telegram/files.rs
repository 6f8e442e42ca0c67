//! Files that came with messages: `getFile`, then the download into a directory for media.
//!
//! Runs on the thread of the bot's owner, who gives it a connection that neither polls nor sends. A file is private, its
//! name is ours, and it is gone again unless its owner keeps it.
use super::api::Bot;
use super::download::Pace;
use super::media::File;
use super::outcome::Outcome;
use super::refusal::{Refusal, Why};
use crate::cancel::Cancel;
use crate::files;
use crate::json::json;
use crate::parts::within;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Telegram gives no more to a bot.
pub const MAX_DOWNLOAD: u64 = 20 << 20;
/// For each try: how long silence is waited for, and the pause before the next one, if what failed may pass. They begin
/// within ten seconds.
const TRIES: [(Duration, Option<Duration>); 3] = [
    (Duration::from_secs(3), Some(Duration::from_secs(1))),
    (Duration::from_secs(3), Some(Duration::from_secs(3))),
    (Duration::from_secs(6), None),
];
const PATIENCE: Duration = Duration::from_secs(10);
/// For all of a download, with what its bytes are given beside it.
const START: Duration = Duration::from_secs(15);

/// A file that was fetched; removed when dropped, unless it was kept.
#[derive(Debug, PartialEq)]
pub struct Fetched {
    path: PathBuf,
    pub length: u64,
    is_kept: bool,
}

impl Fetched {
    #[cfg_attr(not(test), expect(dead_code, reason = "whoever takes it keeps it"))]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It stays.
    pub fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        std::mem::take(&mut self.path)
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nothing may have been made.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Bot {
    /// Fetches a message's file, at most `most` bytes of it, into `dir`.
    pub fn fetch(&mut self, file: &File, most: u64, dir: &Path, cancel: &Cancel) -> Outcome<Fetched> {
        let most = most.min(MAX_DOWNLOAD);
        if file.size.is_some_and(|size| size > most) {
            return Outcome::Refused(Refusal::too_big(most));
        }
        let (mut tries, since) = (TRIES.into_iter(), Instant::now());
        loop {
            let (silence, pause) = tries.next().unwrap_or((START, None));
            let got = self.fetch_once(file, most, dir, silence, cancel);
            let may_pass = match &got {
                Outcome::Done(_) => false,
                Outcome::Refused(refusal) => refusal.why == Why::FileUnavailable,
                Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => !trouble.is_cancelled,
            };
            match pause.filter(|_| may_pass && since.elapsed() < PATIENCE) {
                Some(pause) if cancel.sleep(pause) => {}
                _ => return got,
            }
        }
    }

    fn fetch_once(
        &mut self,
        file: &File,
        most: u64,
        dir: &Path,
        silence: Duration,
        cancel: &Cancel,
    ) -> Outcome<Fetched> {
        let place = self.call("getFile", &json!({"file_id": file.id}), silence, cancel);
        place.map(|place| {
            let size = place.get("file_size").and_then(Value::as_u64).or(file.size);
            if size.is_some_and(|size| size > most) {
                return Outcome::Refused(Refusal::too_big(most));
            }
            // A slow line of 64 KiB a second is waited for.
            let pace = Pace { silence, all: START + Duration::from_secs(size.unwrap_or(most) >> 16) };
            let at = place.get("file_path").and_then(Value::as_str).unwrap_or_default();
            match create(file, at, dir) {
                Ok((mut fetched, mut out)) => self.download(at, most, &mut out, pace, cancel).map(|length| {
                    fetched.length = length;
                    Outcome::Done(fetched)
                }),
                Err(e) => Outcome::not_sent(format!("file: it cannot be kept: {e}")),
            }
        })
    }
}

/// `<name>---<uuid><ext>`, as the original names them.
fn create(file: &File, at: &str, dir: &Path) -> crate::error::Result<(Fetched, std::fs::File)> {
    files::private_dir(dir)?;
    let base = at.rsplit('/').next().unwrap_or_default();
    let (stem, end) = file.name.as_deref().unwrap_or(base).rsplit_once('.').unwrap_or((base, ""));
    let end: String = end.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    let is_safe = |c: &char| c.is_alphanumeric() || "._- ".contains(*c);
    let stem: String = stem.chars().filter(is_safe).take(60).collect();
    let (stem, dot) = (stem.trim_matches(['.', ' ']), if end.is_empty() { "" } else { "." });
    // A name of letters that take four bytes each still fits.
    let stem = within(stem, 180);
    let path = dir.join(format!("{stem}---{}{dot}{end}", crate::ids::uuid()?));
    let out = files::private_options().create_new(true).open(&path);
    let out = out.map_err(|e| crate::error::Error::io(format_args!("write {}", path.display()), e))?;
    Ok((Fetched { path, length: 0, is_kept: false }, out))
}
