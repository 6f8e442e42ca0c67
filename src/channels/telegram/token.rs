//! A bot's token as the Bot API takes it: a secret that stands in every address, so it is made an address here and
//! taken out of every text (SEC-25). Where it comes from says `channels::token`.
//!
//! Pure. The bot's id stands in front of the colon, so that it is known without a call.
use crate::device::secret_eq;
use crate::error::{Error, Result};
use crate::settings::Secret;
use std::fmt;
use std::path::{Component, Path};

#[derive(Clone)]
pub struct BotToken {
    secret: Secret,
    id: i64,
}

impl BotToken {
    /// The token as BotFather gives it: `<bot id>:<secret>`.
    pub fn read(secret: &Secret) -> Result<BotToken> {
        let text = secret.reveal().trim();
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let id = text.split_once(':').and_then(|(id, rest)| {
            let fits = rest.len() >= 20 && rest.chars().all(is_letter);
            id.parse().ok().filter(|id| fits && *id > 0)
        });
        let id = id.ok_or_else(|| {
            Error::config(
                "the Telegram bot token does not look like one (<number>:<letters>): copy it again from @BotFather",
            )
        })?;
        Ok(BotToken { secret: Secret::new(text), id })
    }

    /// Whether this is the same token.
    pub fn is(&self, other: &Secret) -> bool {
        secret_eq(self.secret.reveal(), other.reveal().trim())
    }

    /// The bot's own user id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Where a method is called, or with `file/` before it where a file lies.
    pub fn address(&self, root: &str, before: &str, last: &str) -> String {
        format!("{root}/{before}bot{}/{last}", self.secret.reveal())
    }

    /// Whether a path of this machine lies where a Bot API server here keeps this bot's files: it names the bot's directory.
    pub fn is_own(&self, path: &Path) -> bool {
        let mut parts = path.components().peekable();
        let is_plain = path.components().all(|part| !matches!(part, Component::ParentDir));
        let is_its = |part: Component| secret_eq(&part.as_os_str().to_string_lossy(), self.secret.reveal());
        is_plain && parts.any(is_its) && parts.peek().is_some()
    }

    /// The text without the secret part.
    pub fn hide(&self, text: &str) -> String {
        let token = self.secret.reveal();
        text.replace(token.split_once(':').map_or(token, |(_, secret)| secret), "***")
    }
}

impl fmt::Debug for BotToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BotToken({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BotToken> {
        BotToken::read(&Secret::new(text))
    }

    #[test]
    fn sec_25_a_token_shows_its_number_only() {
        let token = read(" 123456:AAcanaryCANARYcanaryCANARY-_1\n").unwrap();
        assert_eq!((token.id(), format!("{token:?}")), (123_456, "BotToken(123456)".to_string()));
        let address = token.address("https://h", "file/", "a");
        assert_eq!(address, "https://h/file/bot123456:AAcanaryCANARYcanaryCANARY-_1/a");
        assert_eq!(token.hide(&format!("no {address}")), "no https://h/file/bot123456:***/a");
        for wrong in [
            "",
            "abc",
            "1:short",
            "x:AAcanaryCANARYcanaryCANARY",
            "1:AAcanaryCANARYcanary/CANARY",
            "-1:AAcanaryCANARYcanaryCANARY",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(!error.message().contains("CANARY"), "{wrong}");
        }
    }
}
