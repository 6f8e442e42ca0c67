//! The clients of model servers: which model is meant, what it is sent, how its answer is read and judged.
//!
//! One file a wire format and one for its bodies. Runs on the thread of whoever asks, a run or a command.
pub mod adapt;
pub mod anthropic;
pub mod anthropic_body;
pub mod aside;
pub mod ask;
pub mod builtin;
pub mod call_ids;
pub mod called;
pub mod catalogue;
pub mod chat;
pub mod compat;
pub mod content;
pub mod draft;
pub mod ending;
pub mod failure;
pub mod fences;
pub mod foreign;
pub mod format;
#[cfg(test)]
pub mod fuzz;
pub mod halves;
pub mod key_file;
pub mod known;
pub mod messages;
pub mod openai;
pub mod openai_body;
pub mod page;
pub mod profiles;
pub mod provider;
pub mod reply;
pub mod report;
pub mod resolve;
pub mod responses;
pub mod responses_body;
pub mod scan;
pub mod shortfall;
pub mod tags;
pub mod think;
pub mod verdict;
pub mod window;
