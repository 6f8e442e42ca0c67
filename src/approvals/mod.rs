//! Which commands agents may run: the owner's rules in `exec-approvals.json` and in the configuration, and the judgement of
//! one command by them. What cannot be judged surely is not allowed by a rule; then the owner is asked.
//!
//! `file` is the file, `shape` what it must be, `rules` what holds for an agent, `words` takes a command apart, `judge` looks at its parts, `safe`
//! knows programs that do nothing but filter and `launchers` those that do anything, by whatever name of theirs (`names`), `decide` says what follows,
//! `mode` is what `/exec` says of a session, `seal` marks the buttons by which the owner answers, `left` is what waited when
//! the gateway stopped. Who is asked and answers is in `state/approvals.rs`.
pub mod afar;
pub mod decide;
pub mod file;
pub mod judge;
mod launchers;
pub mod left;
pub mod mode;
mod names;
pub mod rules;
mod safe;
pub mod seal;
mod shape;
pub mod words;

pub use decide::{Verdict, decide};
pub use rules::{Ask, Rules, Security};
