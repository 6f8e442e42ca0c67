//! What stands around a message when a model reads it: who, where and when; what it answers and where it comes from
//! (A.7). Pure. What the person wrote stands in the middle, untouched.
use super::entities::markdown;
use super::incoming_media::named;
use super::message::{Forward, Message, Reply, Sender};
use super::names::tame;
use crate::channels::strangers;
use crate::clock;
use crate::config::Config;

/// Around one message.
pub struct Envelope<'a> {
    pub config: &'a Config,
    pub message: &'a Message,
    /// What the model calls it, where that is not its own id.
    pub name: Option<&'a str>,
    /// When the session was last used, milliseconds.
    pub last: Option<u64>,
}

impl<'a> Envelope<'a> {
    pub fn of(config: &'a Config, message: &'a Message, last: Option<u64>) -> Envelope<'a> {
        Envelope { config, message, name: None, last }
    }

    /// `[Telegram Ann Lee (@ann) id:1001 +13s Sun 2026-11-29 10:04 UTC] `, in groups with who writes; and where the
    /// message was forwarded from.
    pub fn before(&self) -> String {
        let message = self.message;
        let sender = match message.chat.is_direct() {
            true => String::new(),
            false => {
                let id = message.sender.id().map(|id| format!(" ({id})")).unwrap_or_default();
                // Behind a name in brackets its owner's id is the last one.
                format!("{}{id}: ", message.sender.name())
            }
        };
        let from = message.forward.as_ref().map(forwarded).unwrap_or_default();
        format!("{}{}{from}", self.head(true), sender.trim_start())
    }

    /// What it answers, and the line that names it.
    pub fn behind(&self) -> String {
        let reply = self.message.reply.as_ref().and_then(answered).unwrap_or_default();
        let id = self.name.map_or_else(|| self.message.id.to_string(), tame);
        format!("{reply}\n[message_id: {id}]")
    }

    /// As a line of what was said before.
    pub fn past(&self) -> String {
        let Message { id, chat, sender, .. } = self.message;
        let said = indented(&text(self.message));
        format!("{}{}: {said} [id:{id} chat:{}]", self.head(false), sender.label(), chat.id)
    }

    fn head(&self, with_elapsed: bool) -> String {
        let message = self.message;
        let place = match message.chat.is_direct() {
            true => message.sender.label(),
            false => group(message),
        };
        let elapsed = self.elapsed().filter(|_| with_elapsed).unwrap_or_default();
        format!("[Telegram {place}{elapsed}{}] ", self.time())
    }

    /// ` +13s`: since the session was last used.
    fn elapsed(&self) -> Option<String> {
        if self.config.str("agents.defaults.envelopeElapsed") == Some("off") {
            return None;
        }
        // Telegram tells whole seconds.
        let since = (self.message.date as u64).checked_sub(self.last? / 1000)?.saturating_mul(1000);
        let rounded = |n: u64, unit: u64| (n + unit / 2) / unit;
        let minutes = rounded(since, 60_000);
        let hours = rounded(minutes, 60);
        Some(match (minutes, hours) {
            (0, _) => format!(" +{}s", rounded(since, 1000)),
            (..60, _) => format!(" +{minutes}m"),
            (_, ..48) => format!(" +{hours}h"),
            _ => format!(" +{}d", rounded(hours, 24)),
        })
    }

    fn time(&self) -> String {
        strangers::stamp(self.config, (self.message.date as u64).saturating_mul(1000))
    }
}

/// `Team Chat id:-100 topic:42`.
pub fn group(message: &Message) -> String {
    let (name, id) = (message.chat.name(), message.chat.id);
    let topic = message.topic.map(|topic| format!(" topic:{topic}")).unwrap_or_default();
    match name.is_empty() {
        true => format!("group:{id}{topic}"),
        false => format!("{name} id:{id}{topic}"),
    }
}

/// What a message says: its words, links and code as Markdown; without words, what goes with it.
pub fn text(message: &Message) -> String {
    let said = markdown(&message.text, &message.entities);
    if said.is_empty() { named(&message.media) } else { said }
}

fn forwarded(from: &Forward) -> String {
    let signature = from.signature.as_deref().map(tame).filter(|name| !name.is_empty());
    let name = match (&from.sender, &from.hidden_name) {
        (Sender::Person(person), _) => Some(person.both()).filter(|name| !name.is_empty()),
        (Sender::Chat(chat), _) if !chat.name().is_empty() => {
            Some(chat.name() + &signature.map(|who| format!(" ({who})")).unwrap_or_default())
        }
        (_, Some(name)) => Some(tame(name)),
        _ => None,
    };
    let kind = if matches!(from.sender, Sender::Person(_)) { "user" } else { "channel" };
    let name = name.unwrap_or_else(|| format!("{kind}:{}", from.sender.id().unwrap_or_default()));
    let at = clock::iso((from.date as u64).saturating_mul(1000));
    format!("[Forwarded from {name} at {at}]\n")
}

fn answered(reply: &Reply) -> Option<String> {
    let name = Some(reply.sender.name()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "unknown sender".into());
    let id = reply.id.map(|id| format!(" id:{id}")).unwrap_or_default();
    if let Some(quote) = &reply.quote {
        return Some(format!("\n\n[Quoting {name}{id}]\n\"{}\"\n[/Quoting]", closed(quote)));
    }
    let said = markdown(&reply.text, &reply.entities);
    let said = if said.is_empty() { named(&reply.media) } else { said };
    (!said.is_empty()).then(|| format!("\n\n[Replying to {name}{id}]\n{}\n[/Replying]", closed(&said)))
}

/// Words of others within an envelope: none of their lines begins as one of the envelope's own.
fn closed(text: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with("System:") || line.starts_with("[/") {
        true => format!(" {line}"),
        false => line.to_string(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The same on one line of a list.
pub fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
