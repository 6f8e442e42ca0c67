//! Tools for the web, and the envelope of what strangers wrote.
pub mod untrusted;
pub(in crate::tools) mod web_fetch;
