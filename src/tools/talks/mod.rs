//! Tools for other conversations and agents.
pub(in crate::tools) mod agents_list;
pub(in crate::tools) mod cron;
pub(in crate::tools) mod gateway;
pub(in crate::tools) mod message;
pub(in crate::tools) mod reach;
pub(in crate::tools) mod session_status;
pub(in crate::tools) mod sessions_history;
pub(in crate::tools) mod sessions_list;
pub(in crate::tools) mod sessions_send;
pub(in crate::tools) mod sessions_spawn;
