//! Which models begin their answers within reasoning: their servers' templates open the tag, so that an answer has only the
//! one that closes it. The first such answer of a model is known when that comes; from the second on nothing of its
//! reasoning is shown as text.
//!
//! In memory, as long as the process lives; any thread of a run.
use crate::models::adapt;
use crate::models::chat::Thinking;
use crate::models::provider::Provider;
use std::sync::{Mutex, PoisonError};

/// Models as they were asked, and how many at most.
static KNOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());
const MOST_KNOWN: usize = 256;

/// A template may open the tag only where the model is to reason.
fn name(p: &Provider, thinking: Thinking) -> String {
    adapt::name(p) + " " + thinking.name()
}

pub fn is_known(p: &Provider, thinking: Thinking) -> bool {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    !known.is_empty() && known.contains(&name(p, thinking))
}

/// What an answer showed of it, if anything.
pub fn note(p: &Provider, thinking: Thinking, began_inside: Option<bool>) {
    let Some(began_inside) = began_inside else { return };
    let name = name(p, thinking);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|other| *other != name);
    if began_inside {
        if known.len() >= MOST_KNOWN {
            known.remove(0);
        }
        known.push(name);
    }
}
