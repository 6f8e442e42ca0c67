//! What is to be done at a platform, as the journal of deliveries keeps it: one JSON object a delivery. Pure.
//!
//! Made by runs (`text`, `error`, `thread`, `replyTo`), by `send`, `poll` and the `message` tool; read by each channel,
//! which does what it can of it and refuses the rest in words.
use serde_json::Value;

/// What a delivery asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Send,
    Edit,
    Delete,
    React,
    Poll,
    Sticker,
}

/// A view into the message of a delivery; texts are empty and lists without items where it has none.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a>(&'a Value);

impl<'a> Outgoing<'a> {
    pub fn of(message: &'a Value) -> Outgoing<'a> {
        Outgoing(message)
    }

    /// `action`: what is to be done; without one it is a message.
    pub fn act(&self) -> Option<Act> {
        Some(match self.text_of("action") {
            "" | "send" => Act::Send,
            "edit" => Act::Edit,
            "delete" => Act::Delete,
            "react" => Act::React,
            "poll" => Act::Poll,
            "sticker" => Act::Sticker,
            _ => return None,
        })
    }

    /// `text`: Markdown; for `isPlain` ones as it is.
    pub fn text(&self) -> &'a str {
        self.text_of("text")
    }

    pub fn is_plain(&self) -> bool {
        self.is("isPlain")
    }

    /// `error`: a run failed so; the channel finds the words for those who read them there.
    pub fn error(&self) -> Option<&'a Value> {
        self.0.get("error")
    }

    /// `isBegun`: words of the answer were said before it failed.
    pub fn is_begun(&self) -> bool {
        self.is("isBegun")
    }

    /// `media`: paths and addresses of files.
    pub fn media(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.get("media").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// `thread`: the topic or thread within the peer.
    pub fn thread(&self) -> Option<&'a str> {
        Some(self.text_of("thread")).filter(|id| !id.is_empty())
    }

    /// `replyTo`: the message that it answers.
    pub fn reply_to(&self) -> Option<&'a str> {
        Some(self.text_of("replyTo")).filter(|id| !id.is_empty())
    }

    /// `session`: whose words these are; with it they are a model's, without it somebody asked for them as they are.
    pub fn session(&self) -> Option<&'a str> {
        Some(self.text_of("session")).filter(|key| !key.is_empty())
    }

    /// `isOwner`: the turn was the owner's.
    pub fn is_owner(&self) -> bool {
        self.is("isOwner")
    }

    /// Whether files of this machine may go with it: what somebody asked for, or a turn on the owner's authority (`isOwn`).
    pub fn may_name_files(&self) -> bool {
        self.session().is_none() || self.is("isOwn") || self.is_owner()
    }

    /// `isTold`: that nobody knows whether it arrived was told.
    pub fn is_told(&self) -> bool {
        self.is("isTold")
    }

    /// `lacks`: which file was not taken, and why.
    pub fn lacks(&self) -> Option<&'a str> {
        Some(self.text_of("lacks")).filter(|why| !why.is_empty())
    }

    /// `messageId`: what is edited, deleted or reacted to.
    pub fn message_id(&self) -> &'a str {
        self.text_of("messageId")
    }

    /// `emoji` of a reaction; empty takes it away.
    pub fn emoji(&self) -> &'a str {
        self.text_of("emoji")
    }

    /// `fileId` of a sticker: what the platform calls one that it has.
    pub fn file_id(&self) -> &'a str {
        self.text_of("fileId")
    }

    /// `buttons`: rows of `{text, callback_data}`.
    pub fn buttons(&self) -> Option<&'a Value> {
        self.0.get("buttons").filter(|rows| rows.as_array().is_some_and(|rows| !rows.is_empty()))
    }

    /// `poll`: `{question, options, maxSelections?, durationHours?}`.
    pub fn poll(&self) -> Option<&'a Value> {
        self.0.get("poll")
    }

    pub fn is_silent(&self) -> bool {
        self.is("isSilent")
    }

    /// A video is shown as a moving picture, a sound as a voice message.
    pub fn is_gif(&self) -> bool {
        self.is("isGif")
    }

    pub fn is_voice(&self) -> bool {
        self.is("isVoice")
    }

    /// `done`: how many parts of it the platform has already (`Became::Partly`).
    pub fn done(&self) -> usize {
        self.number("done").unwrap_or_default()
    }

    /// `limit`: the longest message as it was when the first part was sent, so that the parts stay the same.
    pub fn limit(&self) -> Option<usize> {
        self.number("limit")
    }

    /// `lastId`: the platform's name for the part before.
    pub fn last_id(&self) -> &'a str {
        self.text_of("lastId")
    }

    /// The same with further members.
    pub fn with(&self, members: &[(&str, Value)]) -> Value {
        let mut message = self.0.clone();
        if let Some(map) = message.as_object_mut() {
            map.extend(members.iter().map(|(name, value)| (name.to_string(), value.clone())));
        }
        message
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.0.get(name)?.as_u64().map(|n| n as usize)
    }

    fn text_of(&self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn a_message_of_the_journal_is_read() {
        let message = json!({"text": "a", "thread": "7", "replyTo": "", "media": ["/x", 5], "buttons": []});
        let out = Outgoing::of(&message);
        assert_eq!(
            (out.act(), out.text(), out.thread(), out.reply_to()),
            (Some(Act::Send), "a", Some("7"), None)
        );
        assert_eq!((out.media().collect::<Vec<_>>(), out.buttons(), out.done()), (vec!["/x"], None, 0));
        let rest = out.with(&[("done", 2.into())]);
        assert_eq!((Outgoing::of(&rest).done(), Outgoing::of(&rest).text()), (2, "a"));
        let odd = json!({"action": "fly"});
        assert_eq!(Outgoing::of(&odd).act(), None);
    }
}
