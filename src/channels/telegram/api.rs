//! The client of the Bot API: one bot over one kept connection.
//!
//! Runs on the thread of its owner, one call at a time; the poll has a bot of its own beside the one that sends, and so
//! has whatever may hang. Nothing is tried again here: what became of a call is told (`Outcome`), the owner decides.
use super::form::{Form, Upload, form};
use super::outcome::{Outcome, host_of};
use super::token::BotToken;
use super::update::{AT_ONCE, KINDS, Update};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::fetch::dial::Timeouts;
use crate::fetch::http::Answer;
use crate::fetch::kept::{Body, Failed, Kept, Request, is_address};
use crate::json::{self, json};
use serde_json::{Map, Value};
use std::io::Cursor;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Where the Bot API is unless `channels.telegram.apiRoot` says otherwise.
pub const ROOT: &str = "https://api.telegram.org";
const CONNECT: Duration = Duration::from_secs(10);
/// For a call that needs no time of its own.
pub const CALL: Duration = Duration::from_secs(30);
/// How much longer than its own time a poll may take before its connection counts as dead (R-07c).
const POLL_SLACK: Duration = Duration::from_secs(10);
/// Answers are 4 MiB at most.
const MAX_ANSWER: usize = 8 << 20;

/// One bot, the way to its API, and a connection there.
pub struct Bot {
    pub(super) token: BotToken,
    pub(super) root: String,
    proxy: Option<String>,
    pub(super) kept: Kept,
    /// Whether the log was told of updates without an id.
    has_told: bool,
}

/// What came, as it came.
pub(super) struct Raw {
    status: u16,
    after: Option<Duration>,
    body: Vec<u8>,
}

impl Bot {
    pub fn new(token: BotToken, root: &str, proxy: Option<&str>) -> Result<Bot> {
        let root = root.trim().trim_end_matches('/').to_string();
        if !is_address(&root) {
            return Err(Error::config(
                "channels.telegram.apiRoot is no http:// or https:// address: write it as https://host[:port]",
            ));
        }
        let kept = Kept::new(proxy)?;
        Ok(Bot { token, root, proxy: proxy.map(str::to_string), kept, has_told: false })
    }

    pub fn token(&self) -> &BotToken {
        &self.token
    }

    /// The same bot over a connection of its own.
    pub fn another(&self) -> Result<Bot> {
        Bot::new(self.token.clone(), &self.root, self.proxy.as_deref())
    }

    /// What becomes readable when the account is to end: a long poll waits for that and for its answer, and for nothing else.
    pub fn listen(&self, bells: Vec<OwnedFd>) {
        self.kept.listen(bells);
    }

    /// Calls a method with these parameters, an object, and waits for its answer.
    pub fn call(&mut self, method: &str, params: &Value, time: Duration, cancel: &Cancel) -> Outcome {
        match self.post(method, params, time, cancel) {
            Ok(raw) => self.judge(&raw, method),
            Err(failed) => self.failed(&failed, method),
        }
    }

    /// The same with files.
    pub fn upload(
        &mut self,
        method: &str,
        params: &Map<String, Value>,
        files: &[Upload],
        cancel: &Cancel,
    ) -> Outcome {
        let Form { content_type, length, mut body } = match form(params, files) {
            Ok(form) => form,
            Err(e) => return Outcome::not_sent(format!("{method}: {e}")),
        };
        // A slow line of 32 KiB a second is given its time.
        let time = CALL + Duration::from_secs(length >> 15);
        let body = Body { content_type: &content_type, length, read: &mut *body };
        match self.ask(method, body, time, cancel) {
            Ok(raw) => self.judge(&raw, method),
            Err(failed) => self.failed(&failed, method),
        }
    }

    /// The updates from this id on; waits up to `wait` for the first. Those before it are forgotten by Telegram.
    pub fn updates(&mut self, offset: Option<i64>, wait: Duration, cancel: &Cancel) -> Outcome<Vec<Update>> {
        let raw = match self.poll(offset, wait, AT_ONCE, cancel) {
            // Good JSON that is too much to be read: the one that makes it so is no wall before the others.
            Ok(raw) if is_too_much(&raw) => match self.poll(offset, Duration::ZERO, 1, cancel) {
                Ok(raw) if is_too_much(&raw) => return Update::unread(&raw.body),
                other => other,
            },
            other => other,
        };
        let judged = match raw {
            Ok(raw) => self.judge(&raw, "getUpdates"),
            Err(failed) => self.failed(&failed, "getUpdates"),
        };
        judged.map(|list| self.read_updates(list))
    }

    fn read_updates(&mut self, list: Value) -> Outcome<Vec<Update>> {
        let Value::Array(list) = list else {
            return Outcome::unknown("getUpdates: the answer is no list");
        };
        let came = list.len();
        let read: Vec<Update> = list.into_iter().filter_map(Update::read).collect();
        if read.len() < came && !std::mem::replace(&mut self.has_told, true) {
            log::warn!(target: "channels/telegram", "getUpdates: what has no update_id is passed over");
        }
        if read.is_empty() && came > 0 {
            // They would come again at once, for ever.
            return Outcome::unknown("getUpdates: nothing in the answer has an update_id");
        }
        Outcome::Done(read)
    }

    fn poll(
        &mut self,
        offset: Option<i64>,
        wait: Duration,
        most: usize,
        cancel: &Cancel,
    ) -> std::result::Result<Raw, Failed> {
        let mut params = json!({"timeout": wait.as_secs(), "limit": most, "allowed_updates": KINDS});
        if let (Some(offset), Some(members)) = (offset, params.as_object_mut()) {
            members.insert("offset".into(), offset.into());
        }
        self.post("getUpdates", &params, wait + POLL_SLACK, cancel)
    }

    fn post(
        &mut self,
        method: &str,
        params: &Value,
        time: Duration,
        cancel: &Cancel,
    ) -> std::result::Result<Raw, Failed> {
        let text = params.to_string();
        let (length, mut read) = (text.len() as u64, Cursor::new(text));
        self.ask(method, Body { content_type: "application/json", length, read: &mut read }, time, cancel)
    }

    fn ask(
        &mut self,
        method: &str,
        body: Body,
        time: Duration,
        cancel: &Cancel,
    ) -> std::result::Result<Raw, Failed> {
        let url = self.token.address(&self.root, "", method);
        let answer = self.kept.send(Request { url: &url, body: Some(body) }, cancel, times(time))?;
        whole(answer)
    }

    pub(super) fn judge(&self, raw: &Raw, method: &str) -> Outcome {
        Outcome::answered(raw.status, raw.after, &raw.body, method, &self.token)
    }

    pub(super) fn failed<T>(&self, failed: &Failed, method: &str) -> Outcome<T> {
        let hosts = (host_of(&self.root), self.proxy.as_deref().map(host_of));
        Outcome::failed(failed, method, hosts, &self.token)
    }
}

/// From the connection's beginning to the answer's end there is one time, so that no dripping answer holds a thread.
pub(super) fn times(time: Duration) -> Timeouts {
    Timeouts { connect: CONNECT.min(time), first_token: time, idle: time }
}

pub(super) fn whole(mut answer: Answer) -> std::result::Result<Raw, Failed> {
    let body = answer.read_all(MAX_ANSWER).map_err(|fault| Failed { fault, may_have_arrived: true })?;
    Ok(Raw { status: answer.status, after: answer.retry_after, body })
}

fn is_too_much(raw: &Raw) -> bool {
    let is_object = raw.status == 200 && raw.body.trim_ascii_start().starts_with(b"{");
    is_object && super::outcome::read(&raw.body).is_none() && json::is_whole(&raw.body)
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod api_tests;
