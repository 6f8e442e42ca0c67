//! Providers whose keys somebody else keeps: those that an agent's profiles name (`agents/profiles.rs`).
//!
//! Set by whoever reads the profiles' files, asked on any thread; the state thread reads none.
use std::sync::{Mutex, PoisonError};

static KEYED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The providers that some profile was of when the files were read last.
pub fn set(providers: Vec<String>) {
    *KEYED.lock().unwrap_or_else(PoisonError::into_inner) = providers;
}

pub fn has(provider: &str) -> bool {
    let keyed = KEYED.lock().unwrap_or_else(PoisonError::into_inner);
    keyed.iter().any(|name| name.eq_ignore_ascii_case(provider))
}
