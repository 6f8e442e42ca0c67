//! How far the updates of one account were taken: `<state>/telegram/update-offset-<account>.json`, as the original
//! keeps it, so that either program can follow the other (R-32, R-33).
//!
//! Runs on the polling thread. What was taken is kept an update at a time; the original's one number is the highest of
//! them, and what it says is believed of the same bot and for a week only, after which Telegram's ids begin anew. The
//! caller writes it after its journal: what stands here was taken for good.
use crate::error::Result;
use crate::files::{self, Lock};
use crate::json::{self, json};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After a week of silence the next id may be any.
const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Telegram gives so many updates at once: of what was taken no more can wait to be confirmed.
const BATCH: i64 = 100;
/// How far the clocks of Telegram and this machine may differ.
const CLOCKS_MS: u64 = 2 * 60 * 1000;
/// Ids that are kept one by one.
const MOST: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    path: PathBuf,
    bot: i64,
    /// Up to this id everything was taken, as far as a file says, and when that was written.
    floor: Option<(i64, u64)>,
    taken: BTreeSet<i64>,
    /// The highest id that this process got from Telegram.
    newest: Option<i64>,
    /// Something was taken that the file does not say.
    is_new: bool,
}

impl Position {
    /// What the file says; and, where it is set aside, one sentence that tells why.
    pub fn load(state: &Path, account: &str, bot: i64, now_ms: u64) -> (Position, Option<String>) {
        let path = path(state, account);
        let mut position =
            Position { path, bot, floor: None, taken: BTreeSet::new(), newest: None, is_new: false };
        let shown = position.path.display().to_string();
        let text = match files::read_text(&position.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (position, None),
            Err(e) => {
                return (
                    position,
                    Some(format!("{shown} cannot be read ({e}): updates are taken from the first")),
                );
            }
        };
        let value: Value = json::read(&text, 10_000, 8).unwrap_or(Value::Null);
        let number = |name: &str| value.get(name).and_then(Value::as_i64);
        let (version, last) = (number("version"), number("lastUpdateId"));
        let Some(last) = last.filter(|_| version.is_some_and(|version| (1..=3).contains(&version))) else {
            return (
                position,
                Some(format!("{shown} says nothing that is known: updates are taken from the first")),
            );
        };
        // Later versions of the original write the bot's id as a text.
        let owner = value.get("botId").and_then(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()));
        if owner.is_some_and(|owner| owner != bot) {
            return (position, Some(format!("{shown} is another bot's: updates are taken from the first")));
        }
        let written_ms = written_ms(&position.path).unwrap_or(0);
        if now_ms.saturating_sub(written_ms) > WEEK_MS {
            return (
                position,
                Some(format!("{shown} is older than a week: updates are taken from the first")),
            );
        }
        // Ours says which were taken above a floor; the original, or a file it wrote since, says the highest only.
        let listed = value.get("taken").and_then(Value::as_array);
        let floor = match (listed, number("floor")) {
            (Some(list), floor) => {
                position.taken = list.iter().filter_map(Value::as_i64).collect();
                floor
            }
            (None, _) => Some(last),
        };
        // Of a file that says whose it is there is no doubt.
        position.floor = floor.map(|floor| (floor, if owner.is_some() { u64::MAX } else { written_ms }));
        (position, None)
    }

    /// What the next poll asks for: all that Telegram has at first, then what comes after the newest. A number of
    /// another bot would make Telegram forget what waits.
    pub fn next(&self) -> Option<i64> {
        self.newest.map(|id| id.saturating_add(1))
    }

    /// Whether this update was taken already. `date` is when it happened, in seconds: what happened after the file was
    /// written cannot stand in it, and what lies far below its number would be confirmed long ago; so the file is of
    /// another bot.
    pub fn is_taken(&mut self, id: i64, date: Option<i64>) -> bool {
        if self.taken.contains(&id) {
            return true;
        }
        let Some((floor, at_ms)) = self.floor else { return false };
        let date_ms = date.and_then(|date| u64::try_from(date).ok()).map(|date| date.saturating_mul(1000));
        let is_newer = date_ms.is_some_and(|date_ms| date_ms > at_ms.saturating_add(CLOCKS_MS));
        let is_far = at_ms != u64::MAX && id.saturating_add(BATCH) <= floor;
        if id <= floor && (is_newer || is_far) {
            log::info!(target: "channels/telegram", "{} is another bot's, as what comes is not in it: updates are taken from the first", self.path.display());
            self.floor = None;
        }
        self.floor.is_some_and(|(floor, _)| id <= floor)
    }

    /// This update came, and was taken or needs no taking.
    pub fn take(&mut self, id: i64) {
        self.is_new = true;
        self.newest = Some(self.newest.map_or(id, |newest| newest.max(id)));
        self.taken.insert(id);
        while self.taken.len() > MOST {
            let Some(lowest) = self.taken.pop_first() else { return };
            let floor = self.floor.map_or(lowest, |(floor, _)| floor.max(lowest));
            self.floor = Some((floor, u64::MAX));
        }
    }

    /// Writes it, if there is anything new: the members of the original, and ours beside them, which it passes over.
    pub fn save(&mut self) -> Result<()> {
        if !self.is_new {
            return Ok(());
        }
        let highest = self.taken.last().copied().max(self.floor.map(|(floor, _)| floor));
        let Some(highest) = highest else { return Ok(()) };
        let taken: Vec<i64> = self.taken.iter().copied().collect();
        let mut value = json!({"version": 1, "lastUpdateId": highest, "botId": self.bot, "taken": taken});
        if let (Some((floor, _)), Some(members)) = (self.floor, value.as_object_mut()) {
            members.insert("floor".into(), floor.into());
        }
        if let Some(dir) = self.path.parent() {
            files::private_dir(dir)?;
        }
        let text = serde_json::to_string(&value).unwrap_or_default();
        files::write_atomic(&self.path, format!("{text}\n").as_bytes())?;
        self.is_new = false;
        Ok(())
    }
}

/// The right to poll for a bot, for as long as it is held: two polls of one token end each other (R-07a). `None` where
/// another account or gateway with this state directory has it.
pub fn claim(state: &Path, bot: i64) -> Result<Option<Lock>> {
    Lock::try_now(&state.join("telegram").join(format!("poll-{bot}.lock")))
}

fn path(state: &Path, account: &str) -> PathBuf {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let name: String = account.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    state.join("telegram").join(format!("update-offset-{name}.json"))
}

fn written_ms(path: &Path) -> Option<u64> {
    let since = path.metadata().ok()?.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok();
    since.map(|since: Duration| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: i64 = 100_200;

    /// A directory of its own, and the position that a file of this content gives.
    fn load(name: &str, content: Option<&str>) -> (PathBuf, Position, Option<String>) {
        let state = std::env::temp_dir().join(format!("offset-{name}-{}", crate::ids::uuid().unwrap()));
        if let Some(content) = content {
            std::fs::create_dir_all(state.join("telegram")).unwrap();
            std::fs::write(path(&state, "default"), content).unwrap();
        }
        let (position, note) = Position::load(&state, "default", BOT, crate::clock::now_ms());
        (state, position, note)
    }

    fn now_s() -> i64 {
        i64::try_from(crate::clock::now_ms() / 1000).unwrap()
    }

    #[test]
    fn r_32_what_was_taken_is_known_one_by_one() {
        let (state, mut position, note) = load("one", None);
        assert_eq!((note, position.next()), (None, None));
        // 12 is there before 11: 11 is not taken by that.
        for id in [10, 12] {
            assert!(!position.is_taken(id, Some(now_s())));
            position.take(id);
        }
        assert!(position.is_taken(10, None) && position.is_taken(12, None) && !position.is_taken(11, None));
        assert_eq!(position.next(), Some(13));
        position.save().unwrap();
        let (mut again, note) = Position::load(&state, "default", BOT, crate::clock::now_ms());
        assert_eq!((note, again.next()), (None, None), "a poll of a new process asks for all that waits");
        assert!(again.is_taken(12, Some(now_s())) && !again.is_taken(11, Some(now_s())));
        (0..2000).for_each(|n| again.take(100 + n));
        assert!(again.is_taken(100, None) && again.is_taken(2099, None) && !again.is_taken(2100, None));
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn r_33_the_originals_file_is_read_and_written() {
        let (state, mut position, note) =
            load("original", Some("{\n  \"version\": 1,\n  \"lastUpdateId\": 458\n}\n"));
        assert_eq!((note, position.next()), (None, None));
        assert!(position.is_taken(458, Some(now_s() - 10)) && !position.is_taken(459, Some(now_s())));
        position.take(459);
        position.save().unwrap();
        let text = std::fs::read_to_string(path(&state, "default")).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["version"], &value["lastUpdateId"]), (&1.into(), &459.into()));
        let (mut again, _) = Position::load(&state, "default", BOT, crate::clock::now_ms());
        assert!(again.is_taken(400, None) && again.is_taken(459, None) && !again.is_taken(460, None));
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn r_33_another_bots_file_is_set_aside() {
        for content in [
            r#"{"version":2,"lastUpdateId":900000,"botId":"777"}"#,
            r#"{"version":3,"lastUpdateId":900000,"botId":777,"tokenFingerprint":"00"}"#,
            r#"{"version":9,"lastUpdateId":900000}"#,
            "not JSON",
        ] {
            let (state, mut position, note) = load("other", Some(content));
            assert!(note.is_some() && !position.is_taken(5, None), "{content}");
            std::fs::remove_dir_all(state).unwrap();
        }
        // Nothing says whose it is, but what comes is newer than the file, or far from it.
        let (state, mut position, _) = load("swapped", Some(r#"{"version":1,"lastUpdateId":50}"#));
        assert!(position.is_taken(5, Some(now_s() - 600)));
        assert!(!position.is_taken(6, Some(now_s() + 600)) && !position.is_taken(7, None));
        let (_, mut position, _) = load("far", Some(r#"{"version":1,"lastUpdateId":900000}"#));
        assert!(position.is_taken(899_901, None) && !position.is_taken(899_900, Some(now_s() - 600)));
        assert!(!position.is_taken(899_901, None));
        let (_, note) = Position::load(&state, "default", BOT, crate::clock::now_ms() + WEEK_MS + 60_000);
        assert!(note.unwrap().contains("older than a week"));
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn r_32_what_a_thousand_later_ones_pushed_out_stays_taken() {
        let (state, mut position, _) = load("pushed", Some(r#"{"version":1,"lastUpdateId":50}"#));
        (60..2000).for_each(|id| position.take(id));
        // A redelivery of a message that is newer than the original's file.
        assert!(position.is_taken(70, Some(now_s() + 3600)));
        position.save().unwrap();
        let (mut again, _) = Position::load(&state, "default", BOT, crate::clock::now_ms());
        assert!(again.is_taken(70, Some(now_s() + 3600)) && !again.is_taken(2000, None));
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn r_07a_one_poller_a_token() {
        let (state, _, _) = load("claim", None);
        let held = claim(&state, BOT).unwrap();
        assert!(held.is_some() && claim(&state, BOT).unwrap().is_none());
        assert!(claim(&state, BOT + 1).unwrap().is_some(), "another bot's is another");
        drop(held);
        assert!(claim(&state, BOT).unwrap().is_some());
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn names_of_accounts_are_made_file_names() {
        let path = path(Path::new("/s"), "Work Bot/../x");
        assert_eq!(path, Path::new("/s/telegram/update-offset-_ork__ot_.._x.json"));
    }
}
