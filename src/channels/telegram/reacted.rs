//! Reactions of people: a line for the session's next turn, where `reactionNotifications` and the gate let them pass
//! (SEC-33). Telegram names no topic: it is that of the message, where that is known (D19).
use super::judge::{Doer, judge, passed_over};
use super::line::Line;
use super::memory::Fate;
use super::message::Sender;
use super::names::tame;
use super::place;
use super::update::Reaction;
use crate::channels::gate::{Kind, Verdict};
use crate::error::Result;

pub fn reacted(line: &Line, reaction: &Reaction) -> Result<()> {
    let config = line.config();
    let account = line.account(&config);
    let mode = account.str("reactionNotifications").unwrap_or("own");
    let Reaction { chat, message_id, sender, .. } = reaction;
    let known = line.memory.fate(chat.id, *message_id);
    let is_own = matches!(known, Some((Fate::Own, _)));
    let topic = known.and_then(|(_, topic)| topic);
    if mode == "off"
        || (mode == "own" && !is_own)
        || reaction.added.is_empty()
        || (chat.is_forum && topic.is_none())
    {
        return Ok(());
    }
    match judge(line, &account, &Doer { chat, topic, sender }, Kind::Reaction)? {
        Verdict::Admit(_) => {}
        Verdict::Pair => return Ok(()),
        Verdict::Drop(dropped) => {
            passed_over(line, chat, &dropped);
            return Ok(());
        }
    }
    let name = match sender {
        Sender::Person(person) => person.both(),
        other => other.name(),
    };
    let route = place::route(line, &config, chat, topic)?;
    for emoji in &reaction.added {
        let text = format!("Telegram reaction added: {} by {name} on msg {message_id}", tame(emoji));
        line.house.note(&route.session_key, text)?;
    }
    Ok(())
}
