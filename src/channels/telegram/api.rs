//! The client of the Bot API: one bot over one kept connection.
//!
//! Runs on the thread of its owner, one call at a time; the poll has a bot of its own beside the one that sends, and so
//! has whatever may hang. Nothing is tried again here: what became of a call is told (`Outcome`), the owner decides.
use super::form::{Form, Upload, form};
use super::outcome::Outcome;
use super::token::Token;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::fetch::dial::Timeouts;
use crate::fetch::http::Answer;
use crate::fetch::kept::{Body, Kept, Request, is_address};
use crate::json::json;
use crate::parts::Parts;
use serde_json::{Map, Value};
use std::io::{Cursor, Write};
use std::time::Duration;

/// Where the Bot API is unless `channels.telegram.apiRoot` says otherwise.
pub const ROOT: &str = "https://api.telegram.org";
const CONNECT: Duration = Duration::from_secs(10);
/// For a call that needs no time of its own.
pub const CALL: Duration = Duration::from_secs(30);
/// How much longer than its own time a poll may take before its connection counts as dead.
const POLL_SLACK: Duration = Duration::from_secs(10);
/// Answers are 4 MiB at most.
const MAX_ANSWER: usize = 8 << 20;

/// Which bot, and the way to it. A clone is another bot's beginning.
#[derive(Clone)]
pub struct Account {
    token: Token,
    root: String,
    proxy: Option<String>,
}

impl Account {
    pub fn new(token: Token, root: Option<&str>, proxy: Option<&str>) -> Result<Account> {
        let root = root.unwrap_or(ROOT).trim().trim_end_matches('/');
        if !is_address(root) {
            return Err(Error::config(
                "channels.telegram.apiRoot is no http:// or https:// address: write it as https://host[:port]",
            ));
        }
        Ok(Account { token, root: root.to_string(), proxy: proxy.map(str::to_string) })
    }

    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The host, for sentences.
    fn host(&self) -> &str {
        let rest = self.root.split_once("://").map_or(self.root.as_str(), |(_, rest)| rest);
        let host = rest.split('/').next().unwrap_or_default();
        host.rsplit('@').next().unwrap_or_default()
    }
}

/// A connection to the Bot API.
pub struct Bot {
    account: Account,
    kept: Kept,
}

impl Bot {
    pub fn new(account: Account) -> Result<Bot> {
        let kept = Kept::new(account.proxy.as_deref())?;
        Ok(Bot { account, kept })
    }

    /// The same bot over a connection of its own.
    pub fn another(&self) -> Result<Bot> {
        Bot::new(self.account.clone())
    }

    /// Calls a method with these parameters, an object, and waits for its answer.
    pub fn call(&mut self, method: &str, params: &Value, cancel: &Cancel) -> Outcome {
        self.call_within(method, params, cancel, CALL)
    }

    /// The newest updates from this id on; waits up to `wait` for the first.
    pub fn updates(
        &mut self,
        offset: Option<i64>,
        wait: Duration,
        kinds: &[&str],
        cancel: &Cancel,
    ) -> Outcome {
        let mut params = json!({"timeout": wait.as_secs(), "limit": 100, "allowed_updates": kinds});
        if let (Some(offset), Some(members)) = (offset, params.as_object_mut()) {
            members.insert("offset".into(), offset.into());
        }
        self.call_within("getUpdates", &params, cancel, wait + POLL_SLACK)
    }

    fn call_within(&mut self, method: &str, params: &Value, cancel: &Cancel, time: Duration) -> Outcome {
        let text = params.to_string();
        let (length, mut read) = (text.len() as u64, Cursor::new(text));
        self.ask(method, Body { content_type: "application/json", length, read: &mut read }, cancel, time)
    }

    /// The same with files.
    pub fn upload(
        &mut self,
        method: &str,
        params: &Map<String, Value>,
        files: Vec<Upload>,
        cancel: &Cancel,
    ) -> Outcome {
        let Form { content_type, length, mut body } = match form(params, files) {
            Ok(form) => form,
            Err(e) => return Outcome::not_sent(format!("{method}: {e}")),
        };
        // A slow line of 32 KiB a second is given its time.
        let time = CALL + Duration::from_secs(length >> 15);
        self.ask(method, Body { content_type: &content_type, length, read: &mut *body }, cancel, time)
    }

    fn ask(&mut self, method: &str, body: Body, cancel: &Cancel, time: Duration) -> Outcome {
        let Bot { account, kept } = self;
        let url = format!("{}/bot{}/{method}", account.root, account.token.reveal());
        let request = Request { url: &url, body: Some(body) };
        let failed = |failed| Outcome::failed(&failed, method, account.host(), &account.token);
        let mut answer = match kept.send(request, cancel, times(time)) {
            Ok(answer) => answer,
            Err(e) => return failed(e),
        };
        match answer.read_all(MAX_ANSWER) {
            Ok(body) => Outcome::answered(answer.status, answer.retry_after, &body, method, &account.token),
            Err(fault) => failed(crate::fetch::kept::Failed { fault, may_have_arrived: true }),
        }
    }

    /// Fetches a file by the path that `getFile` gave, at most `max` bytes of it; how many there were.
    pub fn download(&mut self, path: &str, max: u64, out: &mut dyn Write, cancel: &Cancel) -> Outcome<u64> {
        let Bot { account, kept } = self;
        if path.starts_with('/') {
            return Outcome::not_sent(
                "file: the Bot API server gives a path on its own disk; start it without --local",
            );
        }
        let url = format!("{}/file/bot{}/{}", account.root, account.token.reveal(), escaped(path));
        let time = CALL + Duration::from_secs(max >> 15);
        let failed = |failed| Outcome::failed(&failed, "file", account.host(), &account.token);
        let mut answer = match kept.send(Request { url: &url, body: None }, cancel, times(time)) {
            Ok(answer) => answer,
            Err(e) => return failed(e),
        };
        let lost = |fault| failed(crate::fetch::kept::Failed { fault, may_have_arrived: true });
        if answer.status != 200 {
            return match answer.read_all(MAX_ANSWER) {
                Ok(body) => {
                    Outcome::answered(answer.status, answer.retry_after, &body, "file", &account.token)
                        .map(|_| Outcome::unknown("file: the answer is none"))
                }
                Err(fault) => lost(fault),
            };
        }
        match copy(&mut answer, max, out) {
            Ok(n) => Outcome::Done(n),
            Err(Copy::Fault(fault)) => lost(fault),
            Err(Copy::Disk(e)) => Outcome::not_sent(format!("file: it cannot be kept: {e}")),
        }
    }
}

/// From the connection's beginning to the answer's end there is one time, so that no dripping answer holds a thread.
fn times(time: Duration) -> Timeouts {
    Timeouts { connect: CONNECT.min(time), first_token: time, idle: time }
}

enum Copy {
    Fault(crate::fetch::http::Fault),
    Disk(std::io::Error),
}

fn copy(answer: &mut Answer, max: u64, out: &mut dyn Write) -> std::result::Result<u64, Copy> {
    let (mut sum, mut buf) = (0, [0; 8192]);
    loop {
        let n = answer.read(&mut buf).map_err(Copy::Fault)?;
        sum += n as u64;
        if sum > max {
            return Err(Copy::Fault(crate::fetch::http::Fault::TooLong));
        }
        if n == 0 {
            return Ok(sum);
        }
        out.write_all(buf.head(n)).map_err(Copy::Disk)?;
    }
}

/// A path as part of an address.
fn escaped(path: &str) -> String {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-~".contains(b);
    path.bytes().map(|b| if is_plain(&b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod api_tests;
