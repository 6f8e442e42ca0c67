//! Channels: the messaging platforms by which people reach the gateway. A file a piece, each complete in itself.
//!
//! Nothing here runs a thread yet: no channel is connected in this version.
mod graphemes;
mod markdown;
mod telegram;
