//! Calls with an effect, and what each falls back to when Telegram refuses its form: marks, target, buttons, kind (R-30b).
//!
//! Runs on the thread of the bot's owner. A definite refusal did nothing, so the same content goes at once in another
//! form; what may have arrived is never sent again here. Waiting and giving up are the owner's.
use super::api::{Bot, CALL};
use super::form::Upload;
use super::outcome::Outcome;
use super::refusal::Why;
use crate::cancel::Cancel;
use serde_json::{Map, Value};

/// What a kind of file is sent as where it is refused as itself.
pub const OTHER_KINDS: &[(&str, &str, &str, &str)] = &[
    ("sendPhoto", "photo", "sendDocument", "document"),
    ("sendAnimation", "animation", "sendDocument", "document"),
    ("sendVideo", "video", "sendDocument", "document"),
    ("sendSticker", "sticker", "sendDocument", "document"),
    ("sendVoice", "voice", "sendAudio", "audio"),
];

/// A call that is being sent. After it, `params` say in which form it went, and to which chat.
pub struct Sending<'a> {
    pub method: &'a str,
    pub params: Map<String, Value>,
    /// The text or caption without marks, where it has some.
    pub plain: Option<&'a str>,
    pub files: &'a [Upload],
}

impl Sending<'_> {
    /// Sends it in the first form that is not refused.
    pub fn send(&mut self, bot: &mut Bot, cancel: &Cancel) -> Outcome {
        loop {
            let outcome = match self.files {
                [] => bot.call(self.method, &Value::Object(self.params.clone()), CALL, cancel),
                files => bot.upload(self.method, &self.params, files, cancel),
            };
            match &outcome {
                Outcome::Refused(refusal) if refusal.why == Why::NotModified => {
                    return Outcome::Done(Value::Null);
                }
                Outcome::Refused(refusal) if self.fall_back(refusal.why) => {}
                _ => return outcome,
            }
        }
    }

    /// Takes away what was refused; false where there is nothing left to take. Each form is tried once.
    fn fall_back(&mut self, why: Why) -> bool {
        match why {
            Why::CannotParse => self.without_marks(),
            Why::ReplyGone => self.params.remove("reply_parameters").is_some(),
            Why::Buttons => self.params.remove("reply_markup").is_some(),
            Why::Media | Why::NoVoice => self.as_other_kind(),
            Why::Migrated(id) => self.params.insert("chat_id".into(), id.into()) != Some(id.into()),
            _ => false,
        }
    }

    fn without_marks(&mut self) -> bool {
        let Some(plain) = self.plain.take() else { return false };
        self.params.remove("parse_mode");
        let name = if self.params.contains_key("text") { "text" } else { "caption" };
        self.params.insert(name.into(), plain.into());
        true
    }

    fn as_other_kind(&mut self) -> bool {
        let found = OTHER_KINDS.iter().find(|(method, ..)| *method == self.method);
        let Some((_, name, other, other_name)) = found else { return false };
        let Some(file) = self.params.remove(*name) else { return false };
        self.method = other;
        self.params.insert(other_name.to_string(), file);
        true
    }
}
