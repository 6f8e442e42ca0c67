//! Processes that commands of agents are: started under bounds and in a cage, read, written to, ended, and remembered for
//! a while.
//!
//! Each has a thread of its own, `gw-exec-N`, which starts it, takes what it says into bounded memory and waits for its
//! end; everybody else looks at what that thread keeps (`running::Process`). Whether a command may run at all is decided
//! above, before it comes here.
pub mod cage;
pub mod child;
pub mod group;
pub mod keeper;
mod kept;
pub mod keys;
pub mod list;
mod living;
mod mark;
pub mod running;
#[cfg(target_os = "linux")]
mod seen;
#[cfg(target_os = "linux")]
mod settings;
mod terminal;

pub use running::{End, Plan, Process, Status};
