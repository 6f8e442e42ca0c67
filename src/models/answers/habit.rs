//! Which models begin their answers within reasoning: their servers' templates open the tag, so that an answer has only the
//! one that closes it. Some are known by name; of others the first such answer is known when that tag comes, and from the
//! second on nothing of its reasoning is shown as text.
//!
//! In memory, as long as the process lives; any thread of a run.
use crate::models::adapt;
use crate::models::chat::Thinking;
use crate::models::known;
use crate::models::provider::Provider;
use std::sync::{Mutex, PoisonError};

/// Models as they were asked, whether the last answer began so, and how many at most.
static KNOWN: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());
const MOST_KNOWN: usize = 256;

/// A template may open the tag only where the model is to reason.
fn name(p: &Provider, thinking: Thinking) -> String {
    adapt::name(p) + " " + thinking.name()
}

pub fn is_known(p: &Provider, thinking: Thinking) -> bool {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let name = name(p, thinking);
    let seen = known.iter().find(|(other, _)| *other == name);
    seen.map_or_else(|| known::begins_inside(p), |(_, began_inside)| *began_inside)
}

/// What an answer showed of it, if anything.
pub fn note(p: &Provider, thinking: Thinking, began_inside: Option<bool>) {
    let Some(began_inside) = began_inside else { return };
    let name = name(p, thinking);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|(other, _)| *other != name);
    // What is so by its name, or is not like most, need not be remembered.
    if began_inside != known::begins_inside(p) {
        if known.len() >= MOST_KNOWN {
            known.remove(0);
        }
        known.push((name, began_inside));
    }
}
