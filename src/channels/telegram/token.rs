//! A bot's token: the one secret of a Telegram account. It never appears in a text (SEC-25).
//!
//! Pure. The bot's id stands in front of the colon, so that it is known without a call.
use crate::error::{Error, Result};
use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token as BotFather gives it: `<bot id>:<secret>`.
    pub fn read(text: &str) -> Result<Token> {
        let text = text.trim();
        let is_secret = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let fits = text.split_once(':').is_some_and(|(id, secret)| {
            id.parse::<i64>().is_ok_and(|id| id > 0) && secret.len() >= 20 && secret.chars().all(is_secret)
        });
        if fits {
            return Ok(Token(text.to_string()));
        }
        Err(Error::config(
            "the Telegram bot token does not look like one (<number>:<letters>): copy it again from @BotFather",
        ))
    }

    /// The bot's own user id.
    pub fn bot_id(&self) -> i64 {
        self.0.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(0)
    }

    /// For the address of a call, and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The text without the token or its secret part.
    pub fn hide(&self, text: &str) -> String {
        let secret = self.0.split_once(':').map_or(self.0.as_str(), |(_, secret)| secret);
        text.replace(secret, "***")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.bot_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_25_a_token_shows_its_number_only() {
        let token = Token::read(" 123456:AAcanaryCANARYcanaryCANARY-_1\n").unwrap();
        assert_eq!((token.bot_id(), format!("{token:?}")), (123_456, "Token(123456)".to_string()));
        let text = format!("no https://h/bot{}/getMe", token.reveal());
        assert_eq!(token.hide(&text), "no https://h/bot123456:***/getMe");
        for wrong in [
            "",
            "abc",
            "1:short",
            "x:AAcanaryCANARYcanaryCANARY",
            "1:AAcanaryCANARYcanary/CANARY",
            "-1:AAcanaryCANARYcanaryCANARY",
        ] {
            let error = Token::read(wrong).unwrap_err();
            assert!(!error.message().contains("CANARY"), "{wrong}");
        }
    }
}
