//! Deliveries on their way to Telegram: one at a time, each told what became of it. On a thread of its own
//! with a bot of its own.
use super::api::Bot;
use super::line::Line;
use super::outcome::Outcome;
use super::refusal::Why;
use super::send::Sending;
use super::split::{Chunk, Limits, MAX_MESSAGE, chunks};
use crate::channels::house::Became;
use crate::channels::markdown::{self, Tables};
use crate::channels::outgoing::Outgoing;
use crate::deliveries::Delivery;
use crate::error::Result;
use crate::json::{Put, json};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long nothing is looked for where nothing wakes.
const IDLE: Duration = Duration::from_secs(3600);
/// Before a message is tried again that did not get through.
const AGAIN: Duration = Duration::from_secs(2);

pub fn run(line: &Line, bot: &mut Bot) -> Result<()> {
    // Chats to which nothing goes before this.
    let mut held: HashMap<String, Instant> = HashMap::new();
    loop {
        let now = Instant::now();
        held.retain(|_, until| *until > now);
        let names: Vec<String> = held.keys().cloned().collect();
        while let Some(delivery) = line.house.next(&names)? {
            let (became, hold) = send(line, bot, &delivery);
            if matches!(became, Became::Confirmed(_)) {
                line.house.board().went(line.house.login());
            }
            line.house.became(&delivery, became)?;
            if let Some(time) = hold {
                held.insert(delivery.to, Instant::now() + time);
                break;
            }
        }
        let next = held.values().min().map_or(IDLE, |until| until.saturating_duration_since(Instant::now()));
        if !line.house.await_deliveries(next)? {
            return Ok(());
        }
    }
}

/// Sends what is next of a delivery; and for how long its chat is left alone, if it is.
fn send(line: &Line, bot: &mut Bot, delivery: &Delivery) -> (Became, Option<Duration>) {
    let nothing = Value::Null;
    let out = Outgoing::of(delivery.message.as_ref().unwrap_or(&nothing));
    let text = markdown::parse(out.text(), Tables::Code);
    let all = chunks(&text, Limits { length: MAX_MESSAGE, is_by_paragraph: false });
    let Some(chunk) = all.get(out.done()) else {
        return (Became::Refused("there is nothing in it to send".into()), None);
    };
    let mut sending = Sending {
        method: "sendMessage",
        params: params(delivery, &out, chunk),
        plain: Some(&chunk.plain),
        files: &[],
    };
    match sending.send(bot, line.house.cancel()) {
        Outcome::Done(sent) => {
            let id = sent.get("message_id").and_then(Value::as_i64).unwrap_or_default();
            line.sent(&delivery.to, out.thread(), id);
            let id = id.to_string();
            match all.len() > out.done() + 1 {
                true => (Became::Partly(out.with_done(out.done() + 1)), None),
                false => (Became::Confirmed(id), None),
            }
        }
        Outcome::Refused(refusal) => match refusal.why {
            Why::RetryAfter(time) => (Became::NotTaken, Some(time)),
            _ => {
                log::error!(target: "telegram", "[{}] {} is refused: {}", line.name(), delivery.id, refusal.text);
                (Became::Refused(refusal.text), None)
            }
        },
        Outcome::NotSent(trouble) => {
            log::warn!(target: "telegram", "[{}] {} is not sent yet: {}", line.name(), delivery.id, trouble.text);
            (Became::NotTaken, Some(AGAIN))
        }
        Outcome::Unknown(trouble) => {
            log::error!(target: "telegram", "[{}] {} may have arrived, and is not sent again: {}", line.name(), delivery.id, trouble.text);
            (Became::Uncertain, None)
        }
    }
}

fn params(delivery: &Delivery, out: &Outgoing, chunk: &Chunk) -> Map<String, Value> {
    let mut params = Map::new();
    params.put("chat_id", delivery.to.as_str());
    params.put("text", chunk.html.as_str());
    params.put("parse_mode", "HTML");
    // The General topic of a forum has no thread of its own on sends.
    if let Some(thread) = out.thread().filter(|id| *id != "1").and_then(|id| id.parse::<i64>().ok()) {
        params.put("message_thread_id", thread);
    }
    if let Some(id) = out.reply_to().and_then(|id| id.parse::<i64>().ok()) {
        params.put("reply_parameters", json!({"message_id": id, "allow_sending_without_reply": true}));
    }
    params
}
