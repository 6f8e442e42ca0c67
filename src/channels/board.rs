//! What the accounts of the channels say of themselves: written by their threads, read by `channels.status`, `health` and
//! whoever asks whether something can be sent. In memory, for the life of a generation.
use crate::channels::gate;
use crate::clock;
use crate::counter::AtomicU64;
use crate::deliveries::Login;
use crate::json::{Put, json};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Chats of an account of which it is told that messages were passed over.
const MAX_DROPPED: usize = 50;

#[derive(Debug, Default)]
pub struct Board {
    rows: Mutex<HashMap<Login, Row>>,
    revision: AtomicU64,
    /// Accounts for which something waits that nobody will carry, and why not.
    gone: Mutex<Vec<(Login, &'static str)>>,
}

/// Times are epoch milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub is_running: bool,
    /// The platform has answered since the start, and nothing has failed since.
    pub is_connected: bool,
    pub last_start: Option<u64>,
    pub last_stop: Option<u64>,
    pub last_error: Option<String>,
    /// Since when there has been one.
    pub failing_since: Option<u64>,
    pub last_inbound: Option<u64>,
    pub last_outbound: Option<u64>,
    /// When it is tried again, after a failure.
    pub next_try: Option<u64>,
    /// What the channel has to say besides: `mode`, `bot`, `linked`.
    pub more: Map<String, Value>,
    dropped: Vec<Dropped>,
    /// What its owner last said to its program: that a link is to be made, or to end.
    wish: Option<Value>,
}

/// Messages that were passed over.
#[derive(Debug, Clone)]
struct Dropped {
    chat: String,
    title: String,
    reason: &'static str,
    /// What would change it.
    key: String,
    count: u64,
    last: u64,
}

impl Board {
    /// Changes what is known of a login.
    pub fn set(&self, login: &Login, change: impl FnOnce(&mut Row)) {
        self.note(login, change);
        self.revision.fetch_add(1, Ordering::Relaxed);
    }

    /// The same for what happens with every message, of which nobody is told at once.
    fn note(&self, login: &Login, change: impl FnOnce(&mut Row)) {
        let mut rows = self.lock();
        let row = rows.entry(login.clone()).or_default();
        change(row);
        let since = row.last_error.as_ref().map(|_| row.failing_since.unwrap_or_else(clock::now_ms));
        row.failing_since = since;
    }

    pub fn row(&self, login: &Login) -> Row {
        self.lock().get(login).cloned().unwrap_or_default()
    }

    /// Changes with every word of `set`.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    pub fn started(&self, login: &Login) {
        let now = clock::now_ms();
        self.set(login, |row| {
            *row = Row { is_running: true, last_start: Some(now), next_try: None, ..std::mem::take(row) };
        });
    }

    /// `why` when it could not go on.
    pub fn stopped(&self, login: &Login, why: Option<String>) {
        let now = clock::now_ms();
        self.set(login, |row| {
            (row.is_running, row.is_connected, row.last_stop) = (false, false, Some(now));
            row.last_error = why.or(row.last_error.take());
        });
    }

    /// The last one counts.
    pub fn wish(&self, login: &Login, line: Value) {
        self.note(login, |row| row.wish = Some(line));
    }

    /// What is wished, which is there no more then.
    pub fn take_wish(&self, login: &Login) -> Option<Value> {
        self.lock().get_mut(login)?.wish.take()
    }

    pub fn came(&self, login: &Login) {
        self.note(login, |row| row.last_inbound = Some(clock::now_ms()));
    }

    /// When it looks again for what it lacks.
    pub fn tries(&self, login: &Login, at: Option<u64>) {
        self.note(login, |row| row.next_try = at);
    }

    pub fn went(&self, login: &Login) {
        self.note(login, |row| row.last_outbound = Some(clock::now_ms()));
    }

    /// Whose deliveries nobody will carry now; gives those of whom that is new.
    pub fn set_gone(&self, gone: Vec<(Login, &'static str)>) -> Vec<(Login, &'static str)> {
        let mut known = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == gone {
            return Vec::new();
        }
        let before = std::mem::replace(&mut *known, gone);
        self.revision.fetch_add(1, Ordering::Relaxed);
        known.iter().filter(|gone| !before.contains(gone)).cloned().collect()
    }

    pub fn gone(&self) -> Vec<(Login, &'static str)> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A message of this chat was passed over. The log is told once for each reason, with the key that would change it.
    pub fn tell_passed_over(&self, login: &Login, chat: &str, title: &str, dropped: &gate::Dropped) {
        let (reason, key) = (dropped.reason.name(), &dropped.key);
        if self.passed_over(login, chat, title, reason, key) {
            let (chat, title) = (crate::logging::quoted(chat), crate::logging::quoted(title));
            log::info!(target: "channels", "{login}: messages of chat {chat} {title} are passed over: {reason} ({key})");
        }
    }

    /// What is said in this chat may not reach the account: told with the key, and no message is counted.
    pub fn may_miss(&self, login: &Login, chat: &str, reason: &'static str, key: &str) {
        self.passed_over(login, chat, "", reason, key);
        let is_it = |d: &&mut Dropped| d.chat == chat && d.reason == reason;
        self.note(login, |row| row.dropped.iter_mut().filter(is_it).for_each(|d| d.count = 0));
    }

    /// It does reach it.
    pub fn misses_nothing(&self, login: &Login, chat: &str, reason: &str) {
        self.note(login, |row| row.dropped.retain(|d| d.chat != chat || d.reason != reason));
    }

    /// True the first time.
    pub fn passed_over(
        &self,
        login: &Login,
        chat: &str,
        title: &str,
        reason: &'static str,
        key: &str,
    ) -> bool {
        let now = clock::now_ms();
        let mut is_first = false;
        self.note(login, |row| {
            let known = row.dropped.iter_mut().find(|d| d.chat == chat && d.reason == reason);
            if let Some(dropped) = known {
                (dropped.count, dropped.last) = (dropped.count + 1, now);
                return;
            }
            is_first = true;
            if row.dropped.len() >= MAX_DROPPED {
                let oldest = row.dropped.iter().enumerate().min_by_key(|(_, d)| d.last).map(|(at, _)| at);
                oldest.map(|at| row.dropped.swap_remove(at));
            }
            let (chat, title, key) = (chat.to_string(), title.to_string(), key.to_string());
            row.dropped.push(Dropped { chat, title, reason, key, count: 1, last: now });
        });
        is_first
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Login, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    /// Whether something came or went since it was started last.
    pub fn has_worked(&self) -> bool {
        self.last_inbound.max(self.last_outbound) >= self.last_start.max(Some(1))
    }

    /// As a row of `channelAccounts` tells it; what the configuration says is added by its reader.
    pub fn told(&self) -> Map<String, Value> {
        let mut told = self.more.clone();
        told.put("running", self.is_running);
        told.put("connected", self.is_connected);
        for (name, at) in [
            ("lastStartAt", self.last_start),
            ("lastStopAt", self.last_stop),
            ("lastInboundAt", self.last_inbound),
            ("lastOutboundAt", self.last_outbound),
        ] {
            told.put(name, at);
        }
        told.put("lastError", self.last_error.clone());
        if let Some(at) = self.failing_since {
            told.put("failingSince", at);
        }
        if let Some(at) = self.next_try {
            told.put("nextTryAt", at);
        }
        if !self.dropped.is_empty() {
            let row = |d: &Dropped| {
                json!({"chatId": (d.chat.as_str()), "title": (d.title.as_str()), "reason": (d.reason),
                    "key": (d.key.as_str()), "count": (d.count), "lastAt": (d.last)})
            };
            told.put("dropped", self.dropped.iter().map(row).collect::<Vec<_>>());
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_42_passed_over_is_told_once_counted_and_bounded() {
        let (board, login) = (Board::default(), Login { platform: "telegram".into(), account: "a".into() });
        assert!(board.passed_over(
            &login,
            "-1",
            "Team",
            "no-mention",
            "channels.telegram.groups.-1.requireMention"
        ));
        assert!(!board.passed_over(&login, "-1", "Team", "no-mention", "k"));
        assert!(board.passed_over(&login, "-1", "Team", "not-allowed", "k"));
        (2..100)
            .for_each(|chat| assert!(board.passed_over(&login, &format!("-{chat}"), "", "no-mention", "k")));
        let told = Value::from(board.row(&login).told());
        let rows = told["dropped"].as_array().unwrap();
        assert_eq!(rows.len(), MAX_DROPPED);
        assert_eq!(board.row(&Login::default()).told()["running"], false);
    }

    #[test]
    fn r_46_an_account_that_stopped_says_since_when_and_why() {
        let (board, login) = (Board::default(), Login::default());
        board.started(&login);
        board.set(&login, |row| row.is_connected = true);
        assert_eq!(board.row(&login).told()["running"], true);
        board.stopped(&login, Some("401 Unauthorized".into()));
        let told = board.row(&login).told();
        assert_eq!((&told["running"], &told["connected"]), (&false.into(), &false.into()));
        assert_eq!(told["lastError"], "401 Unauthorized");
        assert!(told["lastStopAt"].is_u64() && told["lastStartAt"].is_u64());
        let since = &told["failingSince"];
        board.set(&login, |row| row.last_error = Some("409 Conflict".into()));
        assert!(since.is_u64() && board.row(&login).told().get("failingSince") == Some(since));
        board.set(&login, |row| row.last_error = None);
        assert!(!board.row(&login).told().contains_key("failingSince"));
    }
}
