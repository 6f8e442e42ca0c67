//! Commands of nodes' shells whose callers have stopped waiting: what becomes of them is told to the session that asked, by
//! the node's own event. Of no others is an end believed, for any node could make one up (SEC-41). Part of `Nodes`.
use std::collections::VecDeque;

const MOST: usize = 64;

pub struct Gone {
    pub node: String,
    pub run: String,
    /// The session that asked, if one did.
    pub session: Option<String>,
}

#[derive(Default)]
pub(super) struct Left(VecDeque<Gone>);

impl Left {
    pub(super) fn add(&mut self, gone: Gone) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(gone);
    }

    /// Takes the command of this node out, if it is one.
    pub(super) fn take(&mut self, node: &str, run: &str) -> Option<Gone> {
        let at = self.0.iter().position(|gone| gone.node == node && gone.run == run)?;
        self.0.remove(at)
    }

    pub(super) fn find(&self, node: &str, run: &str) -> Option<&Gone> {
        self.0.iter().find(|gone| gone.node == node && gone.run == run)
    }
}
