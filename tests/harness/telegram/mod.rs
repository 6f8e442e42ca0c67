//! A strict stand-in of Telegram's Bot API on loopback.
