//! Tools for the web.
pub(in crate::tools) mod browser;
pub(in crate::tools) mod search;
pub(in crate::tools) mod web_fetch;
