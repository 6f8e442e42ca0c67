//! The wire formats of model servers: a file each for what is sent and one for its bodies, and what they have in common.
pub mod anthropic;
pub mod anthropic_body;
pub mod call_ids;
pub mod format;
pub mod messages;
pub mod openai;
pub mod openai_body;
pub mod responses;
pub mod responses_body;
pub mod wanted;
