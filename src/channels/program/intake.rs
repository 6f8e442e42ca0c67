//! From what a program brought to a turn: who wrote it, whether he may, what he says to whom. On a thread of its own, one
//! message after the other, or several that are one (`joining`).
use super::drafts::Drafts;
use super::joining::{Together, Waiting, read};
use super::keeping::{self, Kept};
use super::media;
use super::past::Past;
use super::run::Line;
use super::wire::Message;
use crate::agents::Agents;
use crate::agents::routing::{self, Inbound as Peer, PeerKind, Route};
use crate::calls::Provenance;
use crate::channels::accounts::Account;
use crate::channels::blocks::Rules;
use crate::channels::gate::{Asking, Chat, Dropped, Kind, Verdict};
use crate::channels::house::{Accepted, Place, Turn};
use crate::channels::ids::Who;
use crate::channels::strangers;
use crate::channels::{kept, mention, patience};
use crate::config::Config;
use crate::deliveries::Inbound;
use crate::error::{Kind as Failure, Result};
use crate::json::{Put, json};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use serde_json::{Map, Value};
use std::time::Duration;

/// How long a message waits whose session takes no more.
const FULL: Duration = Duration::from_millis(500);

pub fn run(line: &Line, open: Vec<Inbound>, inbound: &Receiver<Inbound>) -> Result<()> {
    let (mut past, mut waiting, mut drafts) = (Past::default(), Waiting::default(), Drafts::default());
    let usual = || patience::of(&line.house.settings().config(), line.channel);
    open.into_iter().for_each(|message| waiting.came(message, usual(), true));
    let mut kept = Kept::default();
    while !line.is_ending() {
        drafts.show(line);
        let old = kept.due();
        let is_kept = old.is_some();
        let together = match old.map_or_else(|| waiting.due(), Ok) {
            Ok(together) => together,
            Err(left) => match inbound.recv_timeout(drafts.patience(kept.patience(left))) {
                Ok(message) => {
                    waiting.came(message, usual(), false);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            },
        };
        match handle(line, (&mut past, &mut drafts), &together) {
            Err(e) if e.retryable() => {
                waiting.back(together);
                line.house.sleep(FULL)?;
            }
            Err(_) if line.is_ending() => return Ok(()),
            Err(e) if kept::waits(&e, together.all.last()) => kept.keep(line, together, is_kept, &e)?,
            Err(e) => keeping::lost(line, &together, &e)?,
            Ok(()) => {}
        }
    }
    Ok(())
}

/// No turn answers it.
pub fn done(line: &Line, together: &Together) -> Result<()> {
    together.all.iter().try_for_each(|message| line.house.pass_over(message))
}

fn handle(line: &Line, of: (&mut Past, &mut Drafts), together: &Together) -> Result<()> {
    let text = together.text();
    match together.all.last().and_then(read) {
        Some(last) => {
            let is_mentioned = together.all.iter().filter_map(read).any(|message| message.is_mentioned);
            answer(line, of, together, &Message { text: &text, is_mentioned, ..last })
        }
        None => done(line, together),
    }
}

fn answer(
    line: &Line,
    (past, drafts): (&mut Past, &mut Drafts),
    together: &Together,
    message: &Message,
) -> Result<()> {
    let Some((inbound, also)) = together.all.split_last() else { return Ok(()) };
    let (settings, login) = (line.house.settings(), line.house.login());
    let config = settings.config();
    let account = Account::of(&config, line.channel, &login.account);
    let provenance = match judge(line, &account, message)? {
        Verdict::Admit(provenance) => provenance,
        Verdict::Pair => {
            invite(line, inbound, message)?;
            return done(line, together);
        }
        Verdict::Drop(dropped) => return pass_over(line, together, message, &dropped),
    };
    let agents = Agents::of(&config, &settings.env);
    let from = Peer {
        channel: line.channel,
        account: &login.account,
        kind: message.kind,
        peer: message.chat,
        thread: message.thread,
        ..Peer::default()
    };
    let route = routing::route(&config, &agents, &from)?;
    if message.is_edit || message.reaction.is_some() {
        line.house.note(&route.session_key, noted(line, message))?;
        return done(line, together);
    }
    if message.kind != PeerKind::Direct
        && let Some(dropped) = unmentioned(line, &account, message, &route)?
    {
        let most = account.get("historyLimit").or_else(|| config.get("messages.groupChat.historyLimit"));
        let most = most.and_then(Value::as_u64).unwrap_or(50).min(200) as usize;
        let (head, _) = envelope(line, &config, message, inbound.ts);
        past.say(&route.session_key, format!("{head}{}", message.text), most);
        return pass_over(line, together, message, &dropped);
    }
    let place = route.session_key.clone();
    let mut turn = turn(line, &config, (together, inbound, also), message, (provenance, route));
    turn.envelope.0.insert_str(0, &past.context(&place));
    turn.stream = drafts.follow(line, message);
    let Some(accepted) = ask(line, inbound, turn)? else { return done(line, together) };
    if !message.text.starts_with('/') {
        past.taken(&place);
    }
    match accepted {
        Accepted::Run => show_typing(line, message),
        Accepted::Now(_) => done(line, together)?,
    }
    // Whatever was in them is the conversation's now.
    media::names(message).for_each(|name| drop(std::fs::remove_file(line.dir.join(name))));
    Ok(())
}

/// `None` for a command that its sender may not give there, which he is told.
fn ask(line: &Line, inbound: &Inbound, turn: Turn) -> Result<Option<Accepted>> {
    let (to, is_command) = (turn.to.clone(), turn.text.starts_with('/'));
    match line.house.turn(turn) {
        Err(e) if e.kind == Failure::Forbidden && is_command => {
            strangers::say(&*line.house, inbound, "refused", &to, strangers::NOT_HIS)?;
            Ok(None)
        }
        accepted => accepted.map(Some),
    }
}

/// Where it does not get through it is no loss.
fn show_typing(line: &Line, message: &Message) {
    if line.can("typing") {
        let told = json!({"type": "typing", "to": (message.chat), "thread": (message.thread)});
        let _ = line.writer.write(&told);
    }
}

/// The gate, and for commands the gate of commands.
fn judge(line: &Line, account: &Account, message: &Message) -> Result<Verdict> {
    let chat = match message.kind {
        PeerKind::Direct => Chat::Direct,
        PeerKind::Group | PeerKind::Channel => Chat::Group { id: message.chat, topic: None },
    };
    let sender = Some(Who::Text(message.sender));
    let judge = |kind| strangers::judge(&*line.house, account, &Asking { chat, sender, kind });
    let kind = match (message.reaction, message.is_edit) {
        (Some(_), _) => Kind::Reaction,
        (None, true) => Kind::Edit,
        (None, false) => Kind::Message,
    };
    match judge(kind)? {
        Verdict::Admit(_) if kind == Kind::Message && message.text.starts_with('/') => judge(Kind::Command),
        verdict => Ok(verdict),
    }
}

/// Why a message of a group means somebody else.
fn unmentioned(line: &Line, account: &Account, message: &Message, route: &Route) -> Result<Option<Dropped>> {
    let entry = line.house.session(&route.session_key)?.unwrap_or_default();
    let activation = entry.get("groupActivation").and_then(Value::as_str);
    let own = line.house.board().row(line.house.login()).more.remove("self").unwrap_or_default();
    let own = own.get("name").and_then(Value::as_str).unwrap_or_default();
    let said =
        mention::Said { text: message.text, is_command: message.text.starts_with('/'), ..Default::default() };
    let bot = mention::Bot { id: 0, username: own, names: &[own] };
    let is_meant = || message.is_mentioned || mention::is_meant(&said, &bot, None);
    Ok(mention::judge(account, message.chat, None, activation, is_meant))
}

fn turn<'a>(
    line: &Line,
    config: &Config,
    (together, inbound, also): (&Together, &'a Inbound, &'a [Inbound]),
    message: &Message,
    (provenance, route): (Provenance, Route),
) -> Turn<'a> {
    let is_group = message.kind != PeerKind::Direct;
    let is_threaded = !message.thread.is_empty();
    let main = route.main_beside(!is_group);
    Turn {
        inbound,
        also,
        provenance,
        sender: format!("{}:{}", line.channel, message.sender),
        session: route.session_key,
        to: Place {
            peer: message.chat.to_string(),
            thread: is_threaded.then(|| message.thread.to_string()),
            reply_to: is_group.then(|| message.id.to_string()),
        },
        text: message.text.to_string(),
        envelope: envelope(line, config, message, inbound.ts),
        attachments: media::attachments(line, message),
        // Its title, which its members write, stands with each message.
        extra_system: is_group.then(|| format!("You are replying inside a group on {}.", line.label)),
        entry: entry(line, message),
        main,
        is_again: together.is_again,
        blocks: Rules::of(&Account::of(config, line.channel, &line.house.login().account))
            .filter(|_| !line.can("draft")),
        stream: None,
    }
}

/// What the model reads around the text.
fn envelope(line: &Line, config: &Config, message: &Message, came: u64) -> (String, String) {
    let is_group = message.kind != PeerKind::Direct;
    let (who, id) = if is_group { (&message.title, message.chat) } else { (&message.name, message.sender) };
    let mut head = format!("[{}", line.label);
    if !who.is_empty() {
        head += &format!(" {who}");
    }
    head += &format!(" id:{id}");
    head += &strangers::stamp(config, message.time.unwrap_or(came));
    head += "] ";
    if is_group {
        let name = if message.name.is_empty() { "somebody" } else { &message.name };
        head += &format!("{name} ({}): ", message.sender);
    }
    let mut tail = String::new();
    if let Some((from, text)) = &message.answers {
        let from = if from.is_empty() { "unknown sender" } else { from };
        tail += &format!("\n\n[Replying to {from}]\n{text}\n[/Replying]");
    }
    tail += &format!("\n[message_id: {}]", message.id);
    (head, tail)
}

/// What the session keeps of where it is spoken.
fn entry(line: &Line, message: &Message) -> Map<String, Value> {
    let (channel, account) = (line.channel, line.name());
    let is_group = message.kind != PeerKind::Direct;
    let to = format!("{channel}:{}", message.chat);
    let label = if is_group { &message.title } else { &message.name };
    let mut entry = Map::new();
    entry.put(
        "origin",
        json!({"label": (label.as_str()), "provider": channel, "surface": channel,
            "chatType": (if is_group { "group" } else { "direct" }), "from": (format!("{channel}:{}", message.sender)),
            "to": (to.as_str()), "accountId": account}),
    );
    entry.put("deliveryContext", json!({"channel": channel, "to": (to.as_str()), "accountId": account}));
    entry.put("lastChannel", channel);
    entry.put("lastTo", to.as_str());
    entry.put("lastAccountId", account);
    entry
}

/// What the next turn is told of an edit or a reaction.
fn noted(line: &Line, message: &Message) -> String {
    let who = if message.name.is_empty() { message.sender } else { &message.name };
    match message.reaction {
        Some("") => format!("{} reaction removed by {who} on msg {}", line.label, message.id),
        Some(emoji) => {
            let emoji: String = emoji.chars().filter(|c| !crate::clean::is_unfit(*c)).take(32).collect();
            format!("{} reaction added: {emoji} by {who} on msg {}", line.label, message.id)
        }
        None => {
            let text = crate::logging::quoted(message.text);
            format!("{} message {} was edited by {who}; it says now: {text}", line.label, message.id)
        }
    }
}

fn pass_over(line: &Line, together: &Together, message: &Message, dropped: &Dropped) -> Result<()> {
    let house = &line.house;
    house.board().tell_passed_over(house.login(), message.chat, &message.title, dropped);
    media::names(message).for_each(|name| drop(std::fs::remove_file(line.dir.join(name))));
    done(line, together)
}

/// A stranger gets a code, once.
fn invite(line: &Line, inbound: &Inbound, message: &Message) -> Result<()> {
    let to = Place { peer: message.chat.to_string(), ..Place::default() };
    let names = [("name", message.name.as_str())];
    strangers::invite(&*line.house, inbound, line.label, message.sender, &names, &to)
}
