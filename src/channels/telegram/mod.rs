//! Telegram's pieces: the client of its Bot API, texts as it takes them, and what it sends read back.
//!
//! Only `api` talks to Telegram, on its caller's thread; the others take values and give values.
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
#[allow(dead_code, reason = "the channel that calls it is not there yet")]
pub mod api;
#[allow(dead_code, reason = "the channel that calls it is not there yet")]
pub mod form;
#[allow(dead_code, reason = "the channel that reads it is not there yet")]
pub mod media;
#[allow(dead_code, reason = "the channel that reads it is not there yet")]
pub mod message;
#[allow(dead_code, reason = "the channel that keeps it is not there yet")]
pub mod offset;
#[allow(dead_code, reason = "the channel that decides by it is not there yet")]
pub mod outcome;
#[allow(dead_code, reason = "the channel that decides by it is not there yet")]
pub mod refusal;
#[allow(dead_code, reason = "the channel that has one is not there yet")]
pub mod token;
#[allow(dead_code, reason = "the channel that reads it is not there yet")]
pub mod update;
