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
#[cfg(test)]
#[allow(dead_code, reason = "each test uses a part of it")]
mod standin;
#[cfg(test)]
use standin::telegram::html as strict;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod api;
#[cfg(test)]
mod client_tests;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod files;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod form;
pub mod media;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod message;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod offset;
pub mod outcome;
pub mod refusal;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod send;
#[cfg(test)]
mod tests;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod token;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channel"))]
pub mod update;
