//! Pairing: a stranger who writes to a bot gets a code, the owner approves it, and from then on he is let in.
//!
//! All of it is in files (`store`) under the original program's lock as well as our own (`lock`); the gateway and the
//! command line need each other for nothing, and what was approved counts at the next message. Called by channels and by
//! the command line, never by the state thread.
mod forgetting;
mod lock;
mod store;

pub use crate::deliveries::Login;

use crate::clock;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{Put, json};
use lock::Held;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use store::{ALLOWED, Kept, REQUESTS};

/// How long a code counts.
pub const LIFE_MS: u64 = 60 * 60 * 1000;
/// Strangers of one login who may wait at a time; others get no answer.
pub const MOST: usize = 3;
/// Somebody who waits and writes on is noted once in this time, however much he writes.
const AGAIN_MS: u64 = 60_000;
/// Without the letters and digits that look alike.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const LENGTH: usize = 8;
/// Longest name of a stranger that is kept, characters.
const MAX_NAME: usize = 128;

/// The files of all logins.
pub struct Pairing {
    dir: PathBuf,
}

/// What becomes of a stranger who wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// He is told this code.
    Code(String),
    /// He was told already.
    Known,
    /// Too many wait: no answer.
    Full,
}

/// Somebody who waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub account: String,
    pub id: String,
    pub code: String,
    pub created_ms: u64,
    /// As it is in the file.
    pub value: Map<String, Value>,
}

/// Who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    pub account: String,
    pub id: String,
}

impl Pairing {
    pub fn new(state_dir: &Path) -> Pairing {
        Pairing { dir: state_dir.join("credentials") }
    }

    /// A stranger wrote to this login; `names` are what the platform says of him. The notes tell what the owner should
    /// know of the files.
    pub fn ask(
        &self,
        login: &Login,
        id: &str,
        names: &[(&str, &str)],
        now: u64,
        notes: &mut Vec<String>,
    ) -> Result<Asked> {
        let mut held = Held::begin(&self.dir)?;
        let path = REQUESTS.path(&self.dir, login);
        held.take(&path)?;
        let mut kept = REQUESTS.read_to_write(&path, notes)?;
        let mut all = alive(&kept, &login.account, now);
        if let Some(known) = all.iter_mut().find(|request| request.id == id) {
            if now.abs_diff(known.seen_ms()) < AGAIN_MS {
                return Ok(Asked::Known);
            }
            known.value.put("lastSeenAt", clock::iso(now));
            known.value.put("meta", meta(login, names));
            kept.list = all.into_iter().map(|request| request.value.into()).collect();
            return kept.write(&REQUESTS).map(|()| Asked::Known);
        }
        if all.len() >= MOST {
            return Ok(Asked::Full);
        }
        // The owner names no account when he approves.
        let others = self.pending(&login.platform, None, now).unwrap_or_default();
        let code = fresh_code(|code| all.iter().chain(&others).any(|request| request.code == code))?;
        let at = clock::iso(now);
        let new =
            json!({"id": id, "code": code, "createdAt": at, "lastSeenAt": at, "meta": meta(login, names)});
        kept.list = all.into_iter().map(|request| request.value.into()).chain([new]).collect();
        kept.write(&REQUESTS)?;
        Ok(Asked::Code(code))
    }

    /// Who waits at a channel, or at one account of it. Writes nothing.
    pub fn pending(&self, channel: &str, account: Option<&str>, now: u64) -> Result<Vec<Request>> {
        let mut all = Vec::new();
        for login in self.logins(channel, account) {
            if let Some(kept) = REQUESTS.read(&REQUESTS.path(&self.dir, &login))? {
                all.extend(alive(&kept, &login.account, now));
            }
        }
        Ok(all)
    }

    /// Whether anything is known of a channel of this name.
    pub fn is_known(&self, channel: &str) -> bool {
        [REQUESTS, ALLOWED].iter().any(|kind| !kind.accounts(&self.dir, channel).is_empty())
    }

    /// Adds the channels of which there are files, and of which none of these names is the beginning. What stands between
    /// a channel's name and the end of a file's is an account.
    pub fn add_others(&self, known: &mut Vec<String>) {
        for kind in [REQUESTS, ALLOWED] {
            for name in kind.names(&self.dir) {
                let is_its =
                    |channel: &String| name.strip_prefix(&**channel).is_some_and(|r| r.starts_with('-'));
                if !known.iter().any(is_its) {
                    known.extend(name.split('-').next().map(str::to_string));
                }
            }
        }
    }

    /// Lets in whom this code was told, as it is written in any case. `None` when nobody waits for it.
    pub fn approve(
        &self,
        channel: &str,
        account: Option<&str>,
        code: &str,
        now: u64,
        notes: &mut Vec<String>,
    ) -> Result<Option<Approved>> {
        let code = code.trim().to_ascii_uppercase();
        for login in self.logins(channel, account) {
            let path = REQUESTS.path(&self.dir, &login);
            let mut held = Held::begin(&self.dir)?;
            held.take(&path)?;
            let mut kept = match REQUESTS.read(&path) {
                Ok(Some(kept)) => kept,
                Ok(None) => continue,
                // The code may be another account's.
                Err(error) => {
                    notes.push(error.message().to_string());
                    continue;
                }
            };
            let mut waiting = alive(&kept, &login.account, now);
            let Some(place) = waiting.iter().position(|request| request.code == code) else { continue };
            let request = waiting.remove(place);
            // First the grant: after a crash between the two a request is left whose approval changes nothing.
            self.allow(&mut held, &login, &request.id, notes)?;
            kept.list = waiting.into_iter().map(|request| request.value.into()).collect();
            kept.write(&REQUESTS)?;
            return Ok(Some(Approved { account: login.account, id: request.id }));
        }
        Ok(None)
    }

    /// Who was let in at this login, the first first.
    pub fn allowed(&self, login: &Login) -> Result<Vec<String>> {
        let own = ALLOWED.read(&ALLOWED.path(&self.dir, login))?;
        let kept = match own {
            Some(own) => Some(own),
            None => ALLOWED.read(&ALLOWED.path(&self.dir, &default(&login.platform)))?,
        };
        Ok(kept
            .map(|kept| kept.list.iter().filter_map(|id| entry(&login.platform, id)).collect())
            .unwrap_or_default())
    }

    /// The first who is let in by an account of its own takes those along whom the original let in for all accounts:
    /// nobody loses by it.
    fn allow(&self, held: &mut Held, login: &Login, id: &str, notes: &mut Vec<String>) -> Result<()> {
        let path = ALLOWED.path(&self.dir, login);
        held.take(&path)?;
        let is_new = !path.exists();
        let mut kept = ALLOWED.read_to_write(&path, notes)?;
        if is_new {
            match self.allowed(login) {
                Ok(before) => kept.list = before.into_iter().map(Value::from).collect(),
                Err(error) => notes.push(error.message().to_string()),
            }
        }
        if !kept.list.iter().any(|known| entry(&login.platform, known).as_deref() == Some(id)) {
            kept.list.push(id.into());
        }
        kept.write(&ALLOWED)
    }

    fn logins(&self, channel: &str, account: Option<&str>) -> Vec<Login> {
        let accounts = match account {
            Some(account) => vec![account.to_string()],
            None => REQUESTS.accounts(&self.dir, channel),
        };
        accounts.into_iter().map(|account| Login { platform: channel.to_string(), account }).collect()
    }
}

impl Request {
    /// One that has what it needs and still counts.
    fn of(value: &Value, account: &str, now: u64) -> Option<Request> {
        let text = |key: &str| value.get(key)?.as_str().filter(|text| !text.is_empty());
        let created_ms = clock::parse_iso(text("createdAt")?)?;
        let (id, code) = (text("id")?.to_string(), text("code")?.to_string());
        let value = value.as_object()?.clone();
        let is_alive = now.abs_diff(created_ms) < LIFE_MS;
        is_alive.then(|| Request { account: account.to_string(), id, code, created_ms, value })
    }

    fn seen_ms(&self) -> u64 {
        let seen = self.value.get("lastSeenAt").and_then(Value::as_str);
        seen.and_then(clock::parse_iso).unwrap_or(self.created_ms)
    }
}

/// What a stranger is told, in plain text.
pub fn invitation(env: &Env, channel: &str, whose: &str, id: &str, code: &str) -> String {
    let command = env.command(&format!("pairing approve {channel} {code}"));
    format!(
        "OpenClaw: access not configured.\n\n{whose}: {id}\n\nPairing code: {code}\n\n\
         Ask the bot owner to approve with:\n{command}"
    )
}

fn alive(kept: &Kept, account: &str, now: u64) -> Vec<Request> {
    kept.list.iter().filter_map(|value| Request::of(value, account, now)).collect()
}

fn default(channel: &str) -> Login {
    Login { platform: channel.to_string(), account: "default".to_string() }
}

/// An entry of the allow list as an id. Only ids let somebody in: `*` does not stand for all here.
fn entry(channel: &str, value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_string(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let id = super::ids::bare(channel, &text);
    (!id.is_empty() && id != "*").then(|| id.to_string())
}

fn meta(login: &Login, names: &[(&str, &str)]) -> Value {
    let mut meta = Map::new();
    for (key, name) in names.iter().filter(|(_, name)| !name.is_empty()) {
        meta.put(key, name.chars().take(MAX_NAME).collect::<String>());
    }
    if login.account != "default" {
        meta.put("accountId", login.account.as_str());
    }
    meta.into()
}

fn fresh_code(is_taken: impl Fn(&str) -> bool) -> Result<String> {
    for _ in 0..100 {
        let letters = ids::random::<LENGTH>()?.map(|byte| LETTERS.get(usize::from(byte) % LETTERS.len()));
        let code: String = letters.into_iter().flatten().map(|letter| char::from(*letter)).collect();
        if !is_taken(&code) {
            return Ok(code);
        }
    }
    Err(Error::unavailable("the system's random source repeats itself"))
}

#[cfg(test)]
mod tests;
