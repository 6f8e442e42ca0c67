//! What threads share, without the threads. Tests only.
use crate::door::Door;
use crate::settings::Settings;
use crate::state::shared::{Published, Shared};
use std::sync::Arc;

/// A generation without threads: nobody is at the other end of the state thread's channel.
pub fn shared(settings: Arc<Settings>) -> Arc<Shared> {
    Arc::new(Shared {
        problem: Box::new(|| None),
        settings,
        door: Door::new(),
        budget: Arc::default(),
        succession: Arc::default(),
        state: crossbeam_channel::bounded(1).0,
        published: Published::default(),
        ask: crate::methods::local::ask,
        method_names: Vec::new(),
    })
}
