//! Channels: the messaging platforms by which people reach the gateway. A file a piece, each complete in itself.
//!
//! Nothing here runs a thread yet: no channel is connected in this version.
#[cfg_attr(not(test), expect(dead_code, reason = "for the channels"))]
pub mod accounts;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channels"))]
pub mod gate;
mod graphemes;
pub mod ids;
mod levels;
mod markdown;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channels"))]
pub mod mention;
pub mod pairing;
mod telegram;
#[cfg_attr(not(test), expect(dead_code, reason = "for the channels"))]
pub mod token;

/// The channels that the configuration knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    let name = |path: &'static str| path.strip_prefix("channels.").filter(|name| !name.contains('.'));
    crate::config::keys::all().filter_map(move |key| name(key.path))
}

/// What lists call a sender's id.
pub fn id_label(channel: &str) -> &'static str {
    if channel == "telegram" { "telegramUserId" } else { "userId" }
}
