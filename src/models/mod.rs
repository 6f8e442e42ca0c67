//! The clients of model servers: which model is meant, what it is sent, how its answer is read and judged.
//!
//! One file a wire format and one for its bodies. Runs on the thread of whoever asks, a run or a command.
pub mod adapt;
mod answers;
pub mod ask;
pub mod builtin;
pub mod chat;
mod choosing;
mod faults;
mod formats;
#[cfg(test)]
pub mod fuzz;
pub mod provider;

pub use answers::{aside, called, content, draft, ending, fences, habit, halves, pace, reply, tags, think};
pub use choosing::{catalogue, compat, key_file, keyed, known, resolve, scan, section, window};
pub use faults::{failure, foreign, page, report, shortfall, verdict};
pub use formats::{
    anthropic, anthropic_body, call_ids, format, messages, openai, openai_body, responses, responses_body,
    wanted,
};
