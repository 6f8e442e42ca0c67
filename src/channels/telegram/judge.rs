//! Who may: the account's one gate before everything that comes (SEC-33), what those are told whom it does not let pass,
//! and what is told of them.
use super::line::Line;
use super::message::{Chat, ChatKind, Message, Sender};
use super::place::at;
use crate::channels::accounts::Account;
use crate::channels::gate::{self, Asking, Dropped, Kind, Reason, Verdict};
use crate::channels::ids::Who;
use crate::channels::strangers;
use crate::deliveries::Inbound;
use crate::error::Result;

/// Somebody who did something in a chat.
pub struct Doer<'a> {
    pub chat: &'a Chat,
    pub topic: Option<i64>,
    pub sender: &'a Sender,
}

impl<'a> Doer<'a> {
    pub fn of(message: &'a Message) -> Doer<'a> {
        Doer { chat: &message.chat, topic: message.topic, sender: &message.sender }
    }
}

/// The verdict of the gate. Who hides behind a chat is known by its id, whatever user Telegram names for him.
pub fn judge(line: &Line, account: &Account, doer: &Doer, kind: Kind) -> Result<Verdict> {
    let id = doer.chat.id.to_string();
    // A channel is no group that the bot was asked into: only one that is listed by its id counts.
    if doer.chat.kind == ChatKind::Channel
        && account.get("groups").is_none_or(|groups| groups.get(&id).is_none())
    {
        let key = format!("{}.{id}", account.place("groups"));
        return Ok(Verdict::Drop(Dropped { reason: Reason::ChatNotListed, key }));
    }
    let chat = match doer.chat.is_direct() {
        true => gate::Chat::Direct,
        false => gate::Chat::Group { id: &id, topic: doer.topic.and_then(|id| u64::try_from(id).ok()) },
    };
    let sender = match doer.sender {
        Sender::Chat(hidden) => Some(Who::Chat(hidden.id)),
        sender => sender.user().map(Who::Number),
    };
    let asking = Asking { chat, sender, kind };
    strangers::judge(&*line.house, account, &asking)
}

/// Says once for each chat and reason that nothing is done there, and what would change it.
pub fn passed_over(line: &Line, chat: &Chat, dropped: &Dropped) {
    line.house.board().tell_passed_over(line.house.login(), &chat.id.to_string(), &chat.name(), dropped);
}

/// A command of the menu by somebody who may not: he is told so, where he gave it.
pub fn refuse(line: &Line, inbound: &Inbound, message: &Message, dropped: &Dropped) -> Result<()> {
    match answer(dropped.reason) {
        Some(text) => say(line, inbound, "refused", message, text),
        None => Ok(()),
    }
}

/// What the sender of a command of the menu is told; others are told nothing.
fn answer(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::NotAllowed => Some("You are not authorized to use this command."),
        Reason::ChatNotListed => Some("This group is not allowed."),
        Reason::GroupDisabled => Some("This group is disabled."),
        Reason::TopicDisabled => Some("This topic is disabled."),
        Reason::GroupsDisabled => Some("Telegram group commands are disabled."),
        Reason::Mistake | Reason::DirectDisabled | Reason::ButtonsOff | Reason::NoMention => None,
    }
}

/// Words of the gateway's own, to where the message came from.
pub fn say(line: &Line, inbound: &Inbound, about: &str, message: &Message, text: &str) -> Result<()> {
    strangers::say(&*line.house, inbound, about, &at(message.chat.id, message.topic), text)
}

/// A stranger gets a code, once.
pub fn invite(line: &Line, inbound: &Inbound, message: &Message) -> Result<()> {
    let Sender::Person(person) = &message.sender else { return Ok(()) };
    let names = [
        ("username", person.username.as_deref().unwrap_or_default()),
        ("firstName", person.first_name.as_str()),
        ("lastName", person.last_name.as_deref().unwrap_or_default()),
    ];
    let to = at(message.chat.id, message.topic);
    strangers::invite(&*line.house, inbound, "Telegram", &person.id.to_string(), &names, &to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_the_menu_are_answered_in_the_originals_words() {
        for (reason, want) in [
            (Reason::NotAllowed, Some("You are not authorized to use this command.")),
            (Reason::ChatNotListed, Some("This group is not allowed.")),
            (Reason::GroupDisabled, Some("This group is disabled.")),
            (Reason::TopicDisabled, Some("This topic is disabled.")),
            (Reason::GroupsDisabled, Some("Telegram group commands are disabled.")),
            (Reason::DirectDisabled, None),
            (Reason::Mistake, None),
        ] {
            assert_eq!(answer(reason), want, "{reason:?}");
        }
    }
}
