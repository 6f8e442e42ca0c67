//! What the service manager's watchdog goes by: whether the state thread still answers.
//!
//! Runs on the thread `gw-watchdog`, which may wait for ever; then the manager restarts the gateway. Outlives the
//! in-process restarts: between two generations it waits for the next one.
use crate::calls::Whom;
use crate::cancel::Cancel;
use crate::env::Env;
use crate::error::Result;
use crate::json::json;
use crate::service::notify::{Watch, watch};
use crate::state::succession::Succession;
use std::sync::Arc;

/// Begins to tell the manager that the gateway lives, if it wants to hear that.
pub fn tell(env: &Env, succession: &Arc<Succession>) -> Result<Watch> {
    let succession = succession.clone();
    watch(env, move || {
        // None: the process is ending, which has its own time limit.
        let Some(shared) = succession.current() else { return false };
        // A refusal is an answer too; what counts is that one comes.
        let whom = Whom { name: "watchdog", scopes: &["operator.read"], run: None };
        let _ = (shared.ask)(&shared, &whom, "gateway.restart.preflight", json!({}), &Cancel::default());
        true
    })
}
