//! From a message to a turn: who wrote it, whether he may, what he says to whom. On the account's intake thread (`feed`).
use super::api::Bot;
use super::joining::Joined;
use super::line::Line;
use super::message::{ChatKind, Message, Sender};
use super::update::What;
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
use std::sync::Arc;

/// What is no message: nothing is made of it yet.
pub fn handle(line: &Line, _speaker: &mut Bot, inbound: &Inbound, _what: &What) -> Result<()> {
    line.house.pass_over(inbound)
}

/// Whether the message will be answered, as far as can be told before its files are fetched. Changes nothing.
pub fn is_admitted(line: &Line, message: &Message) -> bool {
    let config = line.config();
    let account = line.account(&config);
    let chat = message.chat.id.to_string();
    let sender = message.sender.id().and_then(|id| u64::try_from(id).ok());
    let at = match message.chat.kind == ChatKind::Private {
        true => Chat::Direct,
        false => Chat::Group { id: &chat, topic: message.topic.and_then(|id| u64::try_from(id).ok()) },
    };
    let pairing = Pairing::new(&line.house.settings().env.state_dir);
    let paired = pairing.allowed(line.house.login()).unwrap_or_default();
    let paired = Senders::read(&paired.into_iter().map(Into::into).collect::<Vec<_>>());
    let asking = Asking { chat: at, sender: sender.map(Who::Number), kind: Kind::Message };
    matches!(gate::judge(&account, &asking, &paired), Verdict::Admit(_))
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
        Verdict::Pair => return invite(line, joined, &pairing),
        Verdict::Drop(dropped) => {
            let title = message.chat.title.as_deref().unwrap_or_default();
            let board = line.house.board();
            if board.passed_over(line.house.login(), &chat, title, dropped.reason.name(), &dropped.key) {
                log::info!(target: "telegram", "[{}] messages of chat {chat} are passed over: {} ({})", line.name(), dropped.reason.name(), dropped.key);
            }
            return joined.pass_over(line);
        }
    };
    let account_id = line.house.login().account.as_str();
    let from = Peer { channel: "telegram", account: account_id, peer: &chat, ..Peer::default() };
    let route = routing::route(&config, &line.agents(&config), &from)?;
    let scopes = if provenance == Provenance::Owner { OWNER } else { GUEST };
    let asked = line.house.turn(Turn {
        inbound,
        also: others,
        provenance,
        scopes: scopes.iter().map(|scope| scope.to_string()).collect(),
        sender: format!("telegram:{}", sender.unwrap_or_default()),
        session: route.session_key,
        to: Place { peer: chat, thread: message.topic.map(|id| id.to_string()), reply_to: None },
        text: message.text.clone(),
        envelope: (joined.notes.iter().map(|note| format!("{note}\n")).collect(), String::new()),
        attachments: joined.attachments.clone(),
        extra_system: None,
        entry: Default::default(),
        is_again: joined.is_again,
        stream: signs(line, joined),
    })?;
    match asked {
        Accepted::Run => Ok(()),
        Accepted::Now(_) => joined.pass_over(line),
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
fn invite(line: &Line, joined: &Joined, pairing: &Pairing) -> Result<()> {
    let Sender::Person(person) = &joined.message.sender else { return joined.pass_over(line) };
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
        line.house.promise(&format!("{}/pairing", joined.run()), &id, message)?;
    }
    joined.pass_over(line)
}
