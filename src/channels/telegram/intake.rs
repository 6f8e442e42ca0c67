//! From an update to a turn: who wrote it, whether he may, what he says to whom. On the account's intake thread (`feed`).
use super::envelope::Envelope;
use super::joining::Joined;
use super::judge::{Doer, invite, judge, passed_over, refuse, say};
use super::line::Line;
use super::memory::{Fate, spot};
use super::message::{Message, Service};
use super::presses::Presses;
use super::typed::{self, Typed};
use super::update::What;
use super::{drafts, edits, envelope, meant, migrating, place, reacted};
use crate::agents::routing::Route;
use crate::approvals::seal;
use crate::calls::Provenance;
use crate::calls::stream::Stream;
use crate::channels::accounts::Account;
use crate::channels::blocks::Rules;
use crate::channels::gate::{Kind, Verdict};
use crate::channels::house::{Accepted, Place, Turn};
use crate::channels::strangers;
use crate::deliveries::Inbound;
use crate::error::{Kind as Failure, Result};
use serde_json::Value;
use std::sync::Arc;

/// What who presses a button is told that gives a command and that the gateway has not made.
const NOT_OURS: &str = "This button does nothing: it gives a command, and was not made by this gateway, or before its last start. Type the command yourself if you want it.";

/// What is no message. Gives what is to be answered all the same: what a pressed button says, an edit that means the bot.
pub fn handle(
    line: &Line,
    presses: &mut Presses,
    inbound: &Inbound,
    what: What,
    is_again: bool,
) -> Result<Option<Joined>> {
    let answered = match what {
        What::Message(message) => {
            serve(line, &message)?;
            None
        }
        What::Edited(message) => edits::edited(line, inbound, *message)?,
        What::Press(press) => presses.pressed(inbound, &press, is_again),
        What::Reaction(reaction) => {
            reacted::reacted(line, &reaction)?;
            None
        }
        What::Member(member) => {
            migrating::joined(line, &member);
            None
        }
        What::PollAnswer(_) | What::Skipped(_) => None,
    };
    if answered.is_none() {
        line.house.pass_over(inbound)?;
    }
    Ok(answered)
}

/// What Telegram says itself. What comes by somebody's business account was not written to the bot.
fn serve(line: &Line, message: &Message) -> Result<()> {
    match message.service {
        Some(Service::MigratedTo(new)) => migrating::migrate(line, &message.chat, message.chat.id, new),
        Some(Service::MigratedFrom(old)) => migrating::migrate(line, &message.chat, old, message.chat.id),
        _ => Ok(()),
    }
}

/// Whether the message will be answered, as far as can be told before its files are fetched. Changes nothing.
pub fn is_admitted(line: &Line, message: &Message) -> bool {
    let config = line.config();
    let account = line.account(&config);
    let is_let_in = matches!(judge(line, &account, &Doer::of(message), Kind::Message), Ok(Verdict::Admit(_)));
    is_let_in
        && (message.chat.is_direct()
            || place::of(line, &config, message).is_ok_and(|place| {
                let typed = typed::read(&config, &line.me().username, message);
                meant::judge(line, &account, &place, message, &typed).is_none()
            }))
}

/// What becomes of a message. An error that says `retryable` is a session that takes no more now: ask again later.
pub fn answer(line: &Line, joined: &Joined) -> Result<()> {
    let (message, Some(first)) = (&joined.message, joined.inbound.first()) else { return Ok(()) };
    let config = line.config();
    let account = line.account(&config);
    let typed = typed::read(&config, &line.me().username, message);
    let doer = Doer::of(message);
    let may = |kind| judge(line, &account, &doer, kind);
    let verdict = match (&joined.press, typed.is_command) {
        (None, false) => may(Kind::Message)?,
        (None, true) => may(Kind::Command)?,
        (Some(_), is_command) => match may(Kind::Callback)? {
            Verdict::Admit(_) if is_command => may(Kind::Command)?,
            verdict => verdict,
        },
    };
    match verdict {
        // Who made the button wrote what it says; the one that pressed it did not.
        Verdict::Admit(_) if joined.press.is_some() && !joined.is_sealed => {
            if typed.is_command || seal::is_command(&message.text) {
                say(line, first, "refused", message, NOT_OURS)?;
                return joined.pass_over(line);
            }
            ask(line, joined, &account, &typed, Provenance::Guest)
        }
        Verdict::Admit(provenance) => ask(line, joined, &account, &typed, provenance),
        Verdict::Pair => {
            invite(line, first, message)?;
            joined.pass_over(line)
        }
        Verdict::Drop(dropped) => {
            passed_over(line, &message.chat, &dropped);
            if typed.is_command && joined.press.is_none() {
                refuse(line, first, message, &dropped)?;
            }
            joined.pass_over(line)
        }
    }
}

fn ask(line: &Line, joined: &Joined, account: &Account, typed: &Typed, provenance: Provenance) -> Result<()> {
    let (message, config) = (&joined.message, account.config);
    let Some((first, others)) = joined.inbound.split_first() else { return Ok(()) };
    let place = place::of(line, config, message)?;
    if !message.chat.is_direct()
        && joined.press.is_none()
        && let Some(dropped) = meant::judge(line, account, &place, message, typed)
    {
        passed_over(line, &message.chat, &dropped);
        remember(line, account, message);
        return joined.pass_over(line);
    }
    let last = place.entry.get("updatedAt").and_then(Value::as_u64);
    let envelope = Envelope { name: joined.press.as_deref(), ..Envelope::of(config, message, last) };
    let notes: String = joined.notes.iter().map(|note| format!("{note}\n")).collect();
    let before = notes + &line.memory.context(spot(message)) + &envelope.before();
    let reads_all = meant::reads_all(account, &place, message);
    if reads_all && joined.press.is_none() {
        meant::learn(line, account, &place, message, typed);
    }
    let is_typed = typed.is_command || typed.text != message.text;
    let text = if is_typed { typed.text.to_string() } else { envelope::text(message) };
    let asked = line.house.turn(Turn {
        inbound: first,
        also: others,
        provenance,
        sender: format!("telegram:{}", message.sender.id().unwrap_or_default()),
        session: place.route.session_key.clone(),
        to: Place { reply_to: reply_to(message), ..place::at(message.chat.id, message.topic) },
        text,
        envelope: (before, envelope.behind()),
        attachments: joined.attachments.clone(),
        extra_system: place::system(account, message, reads_all),
        entry: place::entry(line, &place.route, message),
        main: place.route.main_beside(message.chat.is_direct()),
        is_again: joined.is_again,
        blocks: Rules::of(account).filter(|_| !drafts::shows(line, message)),
        stream: signs(line, joined, &place.route),
    });
    let asked = match asked {
        Err(e) if e.kind == Failure::Forbidden && typed.is_command => {
            say(line, first, "refused", message, strangers::NOT_HIS)?;
            return joined.pass_over(line);
        }
        asked => asked?,
    };
    if !typed.is_command {
        line.memory.taken(spot(message));
        // Of what was joined no part has words of its own any more.
        let run = if others.is_empty() { first.run() } else { String::new() };
        line.memory.know(message, Fate::Asked(run));
    }
    let Accepted::Now(told) = asked else { return Ok(()) };
    if let Some(text) = stopped(&told) {
        say(line, first, "now", message, text)?;
    }
    joined.pass_over(line)
}

/// What the answer may be an answer to; a button's words are no message.
fn reply_to(message: &Message) -> Option<String> {
    (message.id != 0).then(|| message.id.to_string())
}

/// What is said to who stopped what went on.
fn stopped(told: &Value) -> Option<&'static str> {
    Some(match told.get("aborted")?.as_bool()? {
        true => "⚙️ Agent was aborted.",
        false => "Nothing is running.",
    })
}

/// A message that means nobody here is context for the next one that does.
fn remember(line: &Line, account: &Account, message: &Message) {
    let limit = account.get("historyLimit").or_else(|| account.config.get("messages.groupChat.historyLimit"));
    let limit = limit.and_then(Value::as_u64).unwrap_or(50) as usize;
    if limit > 0 {
        line.memory.say(message, Envelope::of(account.config, message, None).past(), limit);
    }
}

/// Who follows the turn to show that it is being written.
fn signs(line: &Line, joined: &Joined, route: &Route) -> Option<Arc<Stream>> {
    line.signs.follow(line, joined, &route.agent)
}
