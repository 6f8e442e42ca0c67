//! What shows that an answer is on its way: the reaction that acknowledges a message, and that the bot is typing.
//!
//! One thread with a bot of its own follows the turns. It is told and never waited for, so that a call that fails or hangs
//! delays no answer; what it cannot follow goes without signs.
use super::api::Bot;
use super::drafts::Draft;
use super::joining::Joined;
use super::line::Line;
use super::message::{ChatKind, Message};
use super::outcome::Outcome;
use super::reactions;
use super::refusal::Why;
use crate::calls::stream::{Piece, Stream};
use crate::channels::accounts::Account;
use crate::channels::levels::Levels;
use crate::config::Config;
use crate::error::Result;
use crate::json::{Put, json};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A chat action lasts for five seconds.
const REFRESH: Duration = Duration::from_secs(4);
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// Somebody types for so long at most.
const LONGEST: Duration = Duration::from_secs(10 * 60);
const CALL: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(200);
/// Nothing is followed; the account's end wakes it.
const LOOK: Duration = Duration::from_secs(60);
/// Turns that are followed at a time.
const MOST: usize = 64;
/// Bytes of an answer's beginning, which says that it has begun.
const BEGINNING: usize = 256;
/// Bytes of an answer that is shown as it is written.
const WHOLE: usize = 64 << 10;

pub struct Signs(Sender<Option<Sign>>);

/// A turn that is followed.
pub struct Sign {
    chat: i64,
    topic: Option<i64>,
    message: i64,
    stream: Arc<Stream>,
    /// The reaction, and whether it goes when the answer is there.
    reaction: Option<(&'static str, bool)>,
    /// When the next call is due; `None` until the answer begins, or for good.
    next: Option<Instant>,
    begun: Instant,
    is_given_up: bool,
    /// The answer as it is written, where it is shown.
    draft: Option<Draft>,
}

impl Signs {
    pub fn new() -> (Signs, Receiver<Option<Sign>>) {
        let (told, signs) = bounded(MOST);
        (Signs(told), signs)
    }

    /// Nothing more is to be shown.
    pub fn end(&self) {
        // Full: who has so much to do looks himself soon.
        let _ = self.0.try_send(None);
    }

    /// Shows that this message is being answered, by this agent, until the stream that is given back ends.
    pub fn follow(&self, line: &Line, joined: &Joined, agent: &str) -> Option<Arc<Stream>> {
        let (message, now, config) = (&joined.message, Instant::now(), line.config());
        let is_direct = message.chat.kind == ChatKind::Private;
        // Where it is required the bot was mentioned, or the message would not be answered.
        let is_required = !is_direct && requires_mention(&line.account(&config), message);
        let draft = Draft::new(line, message.chat.id, message.topic.filter(|_| is_direct), message.id);
        let stream = Stream::bounded(if draft.is_some() { WHOLE } else { BEGINNING });
        let sign = Sign {
            chat: message.chat.id,
            topic: message.topic,
            message: message.id,
            stream: stream.clone(),
            // A button that is pressed is no message that could bear one.
            reaction: reaction(line, &config, agent, is_direct, is_required).filter(|_| message.id != 0),
            next: (is_direct || is_required).then_some(now),
            begun: now,
            is_given_up: false,
            draft,
        };
        self.0.try_send(Some(sign)).is_ok().then_some(stream)
    }
}

fn requires_mention(account: &Account, message: &Message) -> bool {
    let (chat, topic) = (message.chat.id.to_string(), message.topic.and_then(|id| u64::try_from(id).ok()));
    let levels = Levels::of(account, &chat, topic);
    levels.first("requireMention").is_none_or(|(value, _)| *value != Value::Bool(false))
}

/// What acknowledges a message, if it is to be.
fn reaction(
    line: &Line,
    config: &Config,
    agent: &str,
    is_direct: bool,
    is_required: bool,
) -> Option<(&'static str, bool)> {
    let wanted = match config.str("messages.ackReactionScope").unwrap_or("group-mentions") {
        "all" => true,
        "direct" => is_direct,
        "group-all" => !is_direct,
        "group-mentions" => !is_direct && is_required,
        _ => false,
    };
    if !wanted {
        return None;
    }
    let agents = line.agents(config);
    let identity = || agents.identity(agent).get("emoji").and_then(Value::as_str).map(str::to_string);
    let emoji = match config.str("messages.ackReaction") {
        Some(emoji) => emoji.to_string(),
        None => identity().unwrap_or("👀".to_string()),
    };
    let removes = config.get("messages.removeAckAfterReply") == Some(&Value::Bool(true));
    Some((reactions::known(&emoji)?, removes))
}

pub fn run(line: &Line, bot: &mut Bot, signs: &Receiver<Option<Sign>>) -> Result<()> {
    let mut followed: Vec<Sign> = Vec::new();
    while !line.is_ending() {
        match signs.recv_timeout(if followed.is_empty() { LOOK } else { TICK }) {
            Ok(None) => return Ok(()),
            Ok(Some(sign)) => {
                if let Some((emoji, _)) = sign.reaction {
                    sign.react(line, bot, Some(emoji));
                }
                if followed.len() < MOST {
                    followed.push(sign);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        followed.retain_mut(|sign| {
            if sign.goes_on() {
                sign.show(line, bot);
                sign.draft.iter_mut().for_each(|draft| draft.show(line, bot));
                return true;
            }
            if sign.reaction.is_some_and(|(_, removes)| removes) {
                sign.react(line, bot, None);
            }
            false
        });
    }
    Ok(())
}

impl Sign {
    /// Takes what the turn said. False when it has ended, or is none.
    fn goes_on(&mut self) -> bool {
        while let Some(piece) = self.stream.next(Duration::ZERO) {
            match (&piece, &mut self.draft) {
                (Piece::Text(more), Some(draft)) => draft.text(more),
                (Piece::NextMessage | Piece::Unsaid, Some(draft)) => draft.next_message(),
                _ => {}
            }
            match piece {
                Piece::End { .. } => return false,
                Piece::Text(_) if self.next.is_none() && !self.is_given_up => {
                    self.next = Some(Instant::now())
                }
                _ => {}
            }
        }
        Arc::strong_count(&self.stream) > 1 && self.begun.elapsed() < LONGEST
    }

    /// Says that the bot is typing, if that is due.
    fn show(&mut self, line: &Line, bot: &mut Bot) {
        if self.next.is_none_or(|next| Instant::now() < next)
            || !line.rates.takes_signs(&self.chat.to_string())
        {
            return;
        }
        let mut params = json!({"chat_id": self.chat, "action": "typing"});
        if let (Some(topic), Some(params)) = (self.topic, params.as_object_mut()) {
            params.put("message_thread_id", topic);
        }
        let wait = match bot.call("sendChatAction", &params, CALL, line.house.cancel()) {
            Outcome::Done(_) => Some(REFRESH),
            Outcome::Refused(refusal) => match refusal.why {
                Why::Unauthorized | Why::NotFound | Why::ChatGone | Why::NoPermission => None,
                Why::RetryAfter(time) => Some(time.max(AFTER_FAILURE)),
                _ => Some(AFTER_FAILURE),
            },
            Outcome::NotSent(_) | Outcome::Unknown(_) => Some(AFTER_FAILURE),
        };
        self.next = wait.map(|wait| Instant::now() + wait);
        self.is_given_up = wait.is_none();
    }

    fn react(&self, line: &Line, bot: &mut Bot, emoji: Option<&str>) {
        let list: Vec<Value> = emoji.iter().map(|emoji| json!({"type": "emoji", "emoji": *emoji})).collect();
        let params = json!({"chat_id": self.chat, "message_id": self.message, "reaction": list});
        match bot.call("setMessageReaction", &params, CALL, line.house.cancel()) {
            Outcome::Done(_) => {}
            Outcome::Refused(refusal) => {
                crate::logging::debug!(target: "channels/telegram", "[{}] {}", line.name(), refusal.text)
            }
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => {
                crate::logging::debug!(target: "channels/telegram", "[{}] {}", line.name(), trouble.text);
            }
        }
    }
}
