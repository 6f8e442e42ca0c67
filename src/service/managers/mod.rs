//! The service managers: what each one's file says, what is run for it, and how its words are quoted.
//!
//! A file each and one enum, `Manager`; no trait. Only texts and command lines are made here; `act` runs them.
pub mod launchd;
pub mod openrc;
pub mod procd;
pub mod quote;
pub mod systemd;
pub mod template;
