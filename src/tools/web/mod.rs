//! Tools for the web, and the envelope of what strangers wrote.

pub(in crate::tools) mod web_fetch;
