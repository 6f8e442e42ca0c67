//! What the turns that one message causes in other sessions may cost together, in tokens. Counted by their threads after each
//! answer of a model; a clone is the same purse.
use crate::error::{Error, Kind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Clone, Default)]
pub struct Budget {
    spent: Arc<AtomicU64>,
    /// 0 is without an end: what somebody sent himself.
    most: u64,
}

impl Budget {
    /// The same purse, for those that the first one causes.
    pub fn of_family(&self, most: u64) -> Budget {
        Budget { spent: self.spent.clone(), most }
    }

    pub fn spend(&self, tokens: u64) {
        if self.most > 0 {
            self.spent.fetch_add(tokens, Ordering::Relaxed);
        }
    }

    /// Fails when nothing is left.
    pub fn check(&self) -> Result<()> {
        if self.most == 0 || self.spent.load(Ordering::Relaxed) < self.most {
            return Ok(());
        }
        let text = format!(
            "what one message causes in other sessions may cost {} tokens and has: go on with what you have (gateway.limits.nestedTokens)",
            self.most
        );
        Err(Error::new(Kind::Model, text))
    }
}
