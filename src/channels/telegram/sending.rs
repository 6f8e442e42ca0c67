//! Deliveries on their way to Telegram: each told what became of it, in order for each chat (R-37c), so many
//! at a time as there are senders. A sender runs on a thread of its own with a bot of its own.
//!
//! One idle sender waits for what is to be sent, the others for its place: a slow upload holds up its own chat only.
use super::acts::{self, Call, Next};
use super::api::Bot;
use super::line::Line;
use super::outcome::Outcome;
use super::rates::Free;
use super::refusal::{Refusal, Why};
use super::send::Sending;
use super::{late, standing};
use crate::channels::doubt;
use crate::channels::house::{Became, Receipt};
use crate::channels::outgoing::{Act, Outgoing};
use crate::clock;
use crate::deliveries::Delivery;
use crate::error::Result;
use crate::json::Put;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde_json::Value;
use std::time::Duration;

pub const SENDERS: usize = 3;
/// How long nothing is looked for where nothing wakes.
const IDLE: Duration = Duration::from_secs(3600);
/// At the account's end whoever waits for work is woken, gives his place back, and so wakes the next one.
const LOOK: Duration = Duration::from_secs(60);
/// The least that a message is cut to when Telegram says that it is too long.
const LEAST: usize = 500;

/// The place of the sender that waits.
#[derive(Clone)]
pub struct Place(Sender<()>, Receiver<()>);

/// Gives the place back, whatever ends the wait.
struct Waiting<'a>(&'a Place);

impl Place {
    pub fn new() -> Place {
        let (put, take) = bounded(1);
        let place = Place(put, take);
        drop(Waiting(&place));
        place
    }

    fn take(&self, line: &Line) -> Option<Waiting<'_>> {
        while !line.is_ending() {
            match self.1.recv_timeout(LOOK) {
                Ok(()) => return Some(Waiting(self)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // There is room for the one that was taken.
        let _ = self.0.0.try_send(());
    }
}

pub fn run(line: &Line, bot: &mut Bot, place: &Place) -> Result<()> {
    loop {
        while let Ok(delivery) = next(line)? {
            carry(line, bot, &delivery)?;
        }
        let Some(waiting) = place.take(line) else { return Ok(()) };
        let found = loop {
            match next(line)? {
                Ok(delivery) => break delivery,
                Err(time) if line.house.await_deliveries(time)? => {}
                Err(_) => return Ok(()),
            }
        };
        drop(waiting);
        carry(line, bot, &found)?;
    }
}

/// The next delivery that may be sent now, or for how long there is none unless something wakes.
fn next(line: &Line) -> Result<std::result::Result<Delivery, Duration>> {
    let (held, first) = match line.rates.free() {
        Free::But(held, first) => (held, first),
        Free::None(time) => return Ok(Err(time)),
    };
    Ok(line.house.next(&held)?.ok_or(first.unwrap_or(IDLE)))
}

fn carry(line: &Line, bot: &mut Bot, delivery: &Delivery) -> Result<()> {
    let out = Outgoing::of(delivery.message.as_ref().unwrap_or(&Value::Null));
    let became = send(line, bot, delivery, &out);
    match &became {
        Became::Confirmed(_) | Became::Partly(_) => got_through(line),
        Became::Refused(why) => doubt::tell_refused(&*line.house, delivery, why)?,
        Became::NotTaken | Became::NotNow(_) | Became::Uncertain(_) | Became::Left => {}
    }
    line.house.became(delivery, became)
}

pub(super) fn got_through(line: &Line) {
    let (board, login) = (line.house.board(), line.house.login());
    board.went(login);
    if board.row(login).more.contains_key("lastSendError") {
        line.rates.is_believed();
        board.set(login, |row| {
            row.more.remove("lastSendError");
            row.next_try = None;
        });
    }
}

/// Sends what is next of a delivery.
fn send(line: &Line, bot: &mut Bot, delivery: &Delivery, out: &Outgoing) -> Became {
    if let Some(why) = standing::answers_another(line, delivery) {
        return Became::Refused(why);
    }
    // Nothing is sent by a bot that Telegram did not know until it does.
    if line.rates.was_unknown()
        && let Some(why) = standing::unknown(line, bot)
    {
        return Became::NotNow(why);
    }
    let waited = {
        let config = line.config();
        let is_whole = out.act() == Some(Act::Send) && out.done() == 0;
        is_whole.then(|| late::waited(&line.account(&config), delivery)).flatten()
    };
    if let Some(waited) = waited {
        return late::drop(line, bot, delivery, out, waited);
    }
    match acts::next(line, delivery, out, None) {
        Ok(Next::Call(call)) => {
            line.rates.spend(&delivery.to);
            call_it(line, bot, delivery, out, *call)
        }
        Ok(Next::Skip(parts)) => after(out, parts, 0, String::new()),
        Err(e) if e.retryable() => not_taken(line, delivery, e.message()),
        Err(e) => Became::Refused(e.message().to_string()),
    }
}

/// One part is done, of so many.
fn after(out: &Outgoing, parts: usize, limit: usize, id: String) -> Became {
    let done = out.done() + 1;
    let id = if id.is_empty() { out.last_id().to_string() } else { id };
    if done >= parts {
        if id.is_empty() {
            return Became::Refused(out.lacks().unwrap_or("none of its files could be sent").to_string());
        }
        let lacks = out.lacks().map(str::to_string);
        return Became::Confirmed(Receipt { id, lacks, moved_to: None });
    }
    let mut members = vec![("done", done.into()), ("lastId", id.into())];
    if limit > 0 {
        members.push(("limit", limit.into()));
    }
    Became::Partly(out.with(&members))
}

fn call_it(line: &Line, bot: &mut Bot, delivery: &Delivery, out: &Outgoing, mut call: Call) -> Became {
    let outcome = sent(line, bot, &mut call);
    let (parts, limit) = (call.parts, call.limit);
    match outcome {
        Outcome::Done(sent) => {
            line.rates.went(&delivery.to);
            let new = sent.get("message_id").and_then(Value::as_i64).unwrap_or_default();
            // The group is a supergroup by now, and its id another one.
            let moved_to = call.params.get("chat_id").and_then(Value::as_i64).map(|id| id.to_string());
            moved_to.iter().for_each(|now| line.moved(&delivery.to, now));
            if call.id.is_none() {
                line.sent(moved_to.as_ref().unwrap_or(&delivery.to), out.thread(), new);
            }
            let new = || new.to_string();
            match after(out, parts, limit, call.id.clone().unwrap_or_else(new)) {
                Became::Confirmed(receipt) => Became::Confirmed(Receipt { moved_to, ..receipt }),
                became => became,
            }
        }
        Outcome::Refused(refusal) => refused(line, bot, delivery, out, call, &refusal),
        Outcome::NotSent(trouble) => not_taken(line, delivery, &trouble.text),
        Outcome::Unknown(trouble) if trouble.is_cancelled => Became::Left,
        Outcome::Unknown(trouble) => {
            if let Err(e) = doubt::tell_uncertain(&*line.house, delivery, &trouble.text) {
                log::warn!(target: "channels/telegram", "[{}] the session of {} is not told: {e}", line.name(), delivery.id);
            }
            Became::Uncertain(trouble.text)
        }
    }
}

pub(super) fn sent(line: &Line, bot: &mut Bot, call: &mut Call) -> Outcome {
    let mut sending = Sending {
        method: call.method,
        params: std::mem::take(&mut call.params),
        plain: call.plain.as_deref(),
        files: &call.files,
    };
    let outcome = sending.send(bot, line.house.cancel());
    call.params = sending.params;
    outcome
}

pub(super) fn not_taken(line: &Line, delivery: &Delivery, why: &str) -> Became {
    line.rates.failed(&delivery.to);
    trouble(line, &format!("{} is not sent yet: {why}", delivery.id), None);
    Became::NotTaken
}

/// Something waits that could not be sent: told at once with when all is tried again, and shown until a message gets
/// through (R-08c).
fn trouble(line: &Line, text: &str, next_try: Option<u64>) {
    log::warn!(target: "channels/telegram", "[{}] {text}", line.name());
    line.house.board().set(line.house.login(), |row| {
        row.more.put("lastSendError", text);
        row.next_try = next_try.or(row.next_try);
    });
}

/// What follows when every form of a part was refused.
pub(super) fn refused(
    line: &Line,
    bot: &mut Bot,
    delivery: &Delivery,
    out: &Outgoing,
    mut call: Call,
    refusal: &Refusal,
) -> Became {
    match refusal.why {
        Why::RetryAfter(time) => {
            let (chat, seconds) = (&delivery.to, time.as_secs());
            trouble(line, &format!("chat {chat} takes nothing for {seconds} s"), None);
            line.rates.flooded(&delivery.to, time);
            return Became::NotTaken;
        }
        Why::Unauthorized => {
            if let Some(why) = standing::unknown(line, bot) {
                return Became::NotNow(why);
            }
            let time = line.rates.refused();
            let next = clock::now_ms() + time.as_millis() as u64;
            trouble(line, &format!("{}; tried again in {} s", refusal.text, time.as_secs()), Some(next));
            return Became::NotTaken;
        }
        Why::TooLong if call.limit > LEAST && out.done() == 0 && call.files.is_empty() => {
            return Became::Partly(out.with(&[("limit", (call.limit / 2).into())]));
        }
        Why::MessageGone if call.method == "deleteMessage" && refusal.text.contains("not found") => {
            return Became::Confirmed(call.id.unwrap_or_default().into());
        }
        _ => {}
    }
    // The words of a file that is not taken are said all the same, and those behind it.
    let is_file = !call.files.is_empty() && !matches!(refusal.why, Why::ChatGone | Why::ThreadGone);
    let is_last = out.done() + 1 >= call.parts;
    let is_lone = call.instead.is_none() && is_last && out.last_id().is_empty();
    if is_file && !is_lone {
        let refused = told(delivery, out, refusal);
        if let Err(e) = doubt::tell_lacking(&*line.house, delivery, &refused) {
            log::warn!(target: "channels/telegram", "[{}] the session of {} is not told: {e}", line.name(), delivery.id);
        }
        let lacking = out.with(&[("lacks", refused.into())]);
        let out = Outgoing::of(&lacking);
        let Some(chunk) = call.instead.take() else {
            return after(&out, call.parts, call.limit, String::new());
        };
        acts::text(&mut call, &line.account(&line.config()), &chunk);
        return call_it(line, bot, delivery, &out, call);
    }
    Became::Refused(told(delivery, out, refusal))
}

/// The refusal in words for whoever asked.
fn told(delivery: &Delivery, out: &Outgoing, refusal: &Refusal) -> String {
    let chat = &delivery.to;
    match (refusal.why, out.thread()) {
        (Why::ChatGone, _) if refusal.text.to_lowercase().contains("chat not found") => format!(
            "Telegram send failed: chat not found (chat_id={chat}). Likely: bot not started in DM, bot removed from group/channel, group migrated (new -100… id), or wrong bot token. Input was: \"{chat}\"."
        ),
        (Why::ThreadGone, Some(topic)) => format!(
            "Telegram send failed: topic {topic} of chat {chat} is closed or gone, and nothing is sent to the main chat instead: open it again, or name another thread ({})",
            refusal.text
        ),
        _ => format!("Telegram send failed: {}", refusal.text),
    }
}
