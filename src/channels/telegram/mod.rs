//! Telegram's pieces: texts as its Bot API takes them, and what it sends read back.
//!
//! Nothing here talks to Telegram: values in, values out.
mod buttons;
mod entities;
mod format;
#[cfg(test)]
mod property_tests;
mod reactions;
mod split;
/// Telegram's own rules, shared with the stand-in of its servers.
#[cfg(test)]
#[path = "../../../tests/harness/telegram/html.rs"]
mod strict;
#[cfg(test)]
mod tests;
