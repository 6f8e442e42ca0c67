//! What a running gateway can do about a changed key without a restart, by name.
//!
//! A row of the table of keys names one; `gateway/watch.rs` carries it out and has an arm for each, so that none is
//! told of and not done. Pure data; any thread.
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Browser,
    Channels,
    Cron,
    Gmail,
    Heartbeat,
    Hooks,
    Logging,
    Secret,
    /// The own connection of the original to WhatsApp.
    Web,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Browser => "browser",
            Action::Channels => "channels",
            Action::Cron => "cron",
            Action::Gmail => "gmail",
            Action::Heartbeat => "heartbeat",
            Action::Hooks => "hooks",
            Action::Logging => "logging",
            Action::Secret => "secret",
            Action::Web => "web",
        }
    }

    /// Whether the reloader itself carries it out. Else the keys are read where they are used; which workers it starts and
    /// ends for them the supervisor says.
    fn is_done_at_once(self) -> bool {
        matches!(self, Action::Logging | Action::Secret)
    }

    /// Whether this version has the part that the action is about. Without it the keys are kept and do nothing.
    pub fn is_here(self) -> bool {
        match self {
            Action::Browser | Action::Channels | Action::Cron | Action::Heartbeat | Action::Hooks => true,
            Action::Logging | Action::Secret => true,
            Action::Gmail | Action::Web => false,
        }
    }
}

impl fmt::Display for Action {
    /// What is done about the keys, for a line of the log or a cell of a table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_here() {
            true if self.is_done_at_once() => write!(f, "reload {}", self.name()),
            true => write!(f, "noted for {}", self.name()),
            false => write!(f, "no effect without {}, which is not in this version", self.name()),
        }
    }
}
