//! An answer that is being written, shown as a draft in private chats with topics (`streamMode`, R-36): what it shows
//! vanishes by itself, and the answer is a message of its own, whatever became of the draft.
//!
//! On the thread that follows the run, with a bot of its own. A draft never delays a message and never fails a turn.
use super::api::Bot;
use super::line::Line;
use super::message::{ChatKind, Message};
use super::outcome::Outcome;
use super::refusal::Why;
use super::split::MAX_MESSAGE;
use crate::channels::said::{Said, may_be_silent};
use crate::json::json;
use std::time::{Duration, Instant};

/// At most one a second goes to a chat.
const PAUSE: Duration = Duration::from_secs(1);
const CALL: Duration = Duration::from_secs(5);

pub struct Draft {
    chat: i64,
    thread: i64,
    id: i64,
    /// A message may be longer; then there is no draft of it.
    most: usize,
    /// Characters by which it grows at least (`block`).
    step: usize,
    text: String,
    shown: usize,
    next: Option<Instant>,
    is_over: bool,
}

/// Whether the answer to this message is shown so; then it does not go out in blocks.
pub fn shows(line: &Line, message: &Message) -> bool {
    let topic = message.topic.filter(|_| message.chat.kind == ChatKind::Private);
    Draft::new(line, message.chat.id, topic, message.id).is_some()
}

impl Draft {
    /// Of the answer to this message; `None` where none is shown.
    pub fn new(line: &Line, chat: i64, thread: Option<i64>, message: i64) -> Option<Draft> {
        let config = line.config();
        let account = line.account(&config);
        let number = |name: &str| account.get(name).and_then(serde_json::Value::as_u64).map(|n| n as usize);
        let step = match account.str("streamMode").unwrap_or("partial") {
            "off" => return None,
            "block" => {
                account.part("draftChunk", "minChars").and_then(serde_json::Value::as_u64).unwrap_or(200)
            }
            _ => 1,
        };
        let thread = thread.filter(|_| line.me().has_topics && chat > 0 && message != 0)?;
        Some(Draft {
            chat,
            thread,
            id: message,
            most: number("textChunkLimit").unwrap_or(4000).min(MAX_MESSAGE),
            step: step as usize,
            text: String::new(),
            shown: 0,
            next: None,
            is_over: false,
        })
    }

    /// More of the message that is being written.
    pub fn text(&mut self, more: &str) {
        self.text.push_str(more);
    }

    /// The message is whole, or does not count: the next one is another draft.
    pub fn next_message(&mut self) {
        self.text.clear();
        self.shown = 0;
        // The one before vanishes when its message comes.
        self.id = self.id.wrapping_add(1 << 40);
    }

    /// Shows what is new, if it is time; to be called again while there is something.
    pub fn show(&mut self, line: &Line, bot: &mut Bot) {
        let now = Instant::now();
        let said = Said::read(&self.text).text;
        let said = said.trim();
        let length = said.chars().count();
        let is_silent = may_be_silent(said);
        if length > self.most {
            self.is_over = true;
        }
        let is_early = self.next.is_some_and(|at| at > now) || length < self.shown + self.step;
        if self.is_over || is_early || is_silent || !line.rates.takes_signs(&self.chat.to_string()) {
            return;
        }
        (self.shown, self.next) = (length, Some(now + PAUSE));
        let params = json!({"chat_id": (self.chat), "message_thread_id": (self.thread), "draft_id": (self.id), "text": said});
        let outcome = bot.call("sendMessageDraft", &params, CALL, line.house.cancel());
        if let Outcome::Refused(refusal) = &outcome
            && let Why::RetryAfter(time) = refusal.why
        {
            line.rates.flooded(&self.chat.to_string(), time);
        }
        self.is_over = !matches!(outcome, Outcome::Done(_));
    }
}
