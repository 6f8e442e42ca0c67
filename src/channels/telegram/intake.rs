//! From an update to a turn: who wrote it, whether he may, what he says to whom. On a thread of its own, one update after
//! the other; what takes time (files) is done elsewhere.
use super::api::Bot;
use super::line::Line;
use super::message::{ChatKind, Message, Sender};
use super::update::{Update, What};
use crate::agents::routing::{self, Inbound as Peer};
use crate::calls::Provenance;
use crate::calls::stream::Stream;
use crate::channels::gate::{self, Asking, Chat, Kind, Verdict};
use crate::channels::house::{Accepted, Place, Turn};
use crate::channels::ids::{Senders, Who};
use crate::channels::pairing::{self, Asked, Pairing};
use crate::clock;
use crate::deliveries::Inbound;
use crate::error::Result;
use crate::json::json;
use crate::sessions::attachments::Attachments;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long a message waits whose session takes no more.
const FULL: Duration = Duration::from_millis(500);

/// What a person said at a time: one message, or several that were joined.
pub struct Joined {
    /// All that it is made of; the first is answered, the others are passed over.
    pub inbound: Vec<Inbound>,
    /// As one message.
    pub message: Message,
    /// What of its files the model is shown.
    pub attachments: Attachments,
    /// Lines that stand before its envelope: `[media attached: ...]`.
    pub notes: Vec<String>,
    /// It was asked about before, and the gateway stopped.
    pub is_again: bool,
}

pub fn run(line: &Line, _speaker: Bot, open: Vec<Inbound>, inbound: &Receiver<Inbound>) -> Result<()> {
    let mut waiting: VecDeque<(Inbound, bool)> = open.into_iter().map(|message| (message, true)).collect();
    while !line.is_ending() {
        if waiting.is_empty() {
            match inbound.recv_timeout(Duration::from_millis(500)) {
                Ok(message) => waiting.push_back((message, false)),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        waiting.extend(inbound.try_iter().map(|message| (message, false)));
        let Some((message, is_again)) = waiting.pop_front() else { continue };
        match handle(line, &message, is_again) {
            Err(e) if e.retryable() => {
                waiting.push_front((message, is_again));
                line.house.sleep(FULL)?;
            }
            Err(e) => {
                log::error!(target: "telegram", "[{}] update {} is passed over: {e}", line.name(), message.id);
                line.house.pass_over(&message)?;
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

fn handle(line: &Line, inbound: &Inbound, is_again: bool) -> Result<()> {
    let update = inbound.message.as_ref().and_then(Update::read);
    match update.map(|update| update.what) {
        Some(What::Message(message)) => {
            let (attachments, notes) = Default::default();
            answer(
                line,
                &Joined { inbound: vec![inbound.clone()], message: *message, attachments, notes, is_again },
            )
        }
        _ => line.house.pass_over(inbound),
    }
}

/// What becomes of a message. An error that says `retryable` is a session that takes no more now: ask again later.
pub fn answer(line: &Line, joined: &Joined) -> Result<()> {
    let Some((inbound, others)) = joined.inbound.split_first() else { return Ok(()) };
    let message = &joined.message;
    let config = line.config();
    let account = line.account(&config);
    let chat = message.chat.id.to_string();
    let sender = message.sender.id().and_then(|id| u64::try_from(id).ok());
    let is_direct = message.chat.kind == ChatKind::Private;
    let at = match is_direct {
        true => Chat::Direct,
        false => Chat::Group { id: &chat, topic: message.topic.and_then(|id| u64::try_from(id).ok()) },
    };
    let pairing = Pairing::new(&line.house.settings().env.state_dir);
    let paired = pairing.allowed(line.house.login()).unwrap_or_default();
    let paired = Senders::read(&paired.into_iter().map(Into::into).collect::<Vec<_>>());
    let asking = Asking { chat: at, sender: sender.map(Who::Number), kind: Kind::Message };
    let provenance = match gate::judge(&account, &asking, &paired) {
        Verdict::Admit(provenance) => provenance,
        Verdict::Pair => return invite(line, inbound, message, &pairing),
        Verdict::Drop(dropped) => {
            let title = message.chat.title.as_deref().unwrap_or_default();
            let board = line.house.board();
            if board.passed_over(line.house.login(), &chat, title, dropped.reason.name(), &dropped.key) {
                log::info!(target: "telegram", "[{}] messages of chat {chat} are passed over: {} ({})", line.name(), dropped.reason.name(), dropped.key);
            }
            return line.house.pass_over(inbound);
        }
    };
    let account_id = line.house.login().account.as_str();
    let from = Peer { channel: "telegram", account: account_id, peer: &chat, ..Peer::default() };
    let route = routing::route(&config, &line.agents(&config), &from)?;
    let scopes = if provenance == Provenance::Owner { OWNER } else { GUEST };
    let asked = line.house.turn(Turn {
        inbound,
        provenance,
        scopes: scopes.iter().map(|scope| scope.to_string()).collect(),
        sender: format!("telegram:{}", sender.unwrap_or_default()),
        session: route.session_key,
        to: Place { peer: chat, thread: message.topic.map(|id| id.to_string()), reply_to: None },
        text: message.text.clone(),
        envelope: Default::default(),
        attachments: joined.attachments.clone(),
        extra_system: None,
        entry: Default::default(),
        is_again: joined.is_again,
        stream: signs(line, joined),
    })?;
    others.iter().try_for_each(|other| line.house.pass_over(other))?;
    match asked {
        Accepted::Run => Ok(()),
        Accepted::Now(_) => line.house.pass_over(inbound),
    }
}

/// Who follows the turn to show that it is being written.
fn signs(_line: &Line, _joined: &Joined) -> Option<Arc<Stream>> {
    None
}

/// What the owner may on a channel, and what a guest.
const OWNER: &[&str] = &["operator.read", "operator.write", "operator.admin"];
const GUEST: &[&str] = &["operator.read", "operator.write"];

/// A stranger gets a code, once.
fn invite(line: &Line, inbound: &Inbound, message: &Message, pairing: &Pairing) -> Result<()> {
    let Sender::Person(person) = &message.sender else { return line.house.pass_over(inbound) };
    let (id, mut notes) = (person.id.to_string(), Vec::new());
    let names = [
        ("username", person.username.as_deref().unwrap_or_default()),
        ("firstName", person.first_name.as_str()),
        ("lastName", person.last_name.as_deref().unwrap_or_default()),
    ];
    let asked = pairing.ask(line.house.login(), &id, &names, clock::now_ms(), &mut notes);
    notes.iter().for_each(|note| log::warn!(target: "telegram", "{note}"));
    if let Asked::Code(code) = asked? {
        let env = &line.house.settings().env;
        let text = pairing::invitation(env, "telegram", "Telegram user", &id, &code);
        let message = json!({"text": text, "isPlain": true});
        line.house.promise(&format!("{}/pairing", inbound.run()), &id, message)?;
    }
    line.house.pass_over(inbound)
}
