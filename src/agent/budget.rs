//! What the turns that one message causes may cost together: tokens, rounds of tools, and asking for more turns than there
//! may be. Counted by their threads after each answer of a model, and by the state thread; a clone is the same purse.
use crate::counter::AtomicU64;
use crate::error::{Error, Kind, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Turns that were asked for and refused before no turn of the family goes on: it was told often enough.
const MAX_REFUSED: u64 = 50;

#[derive(Debug, Clone, Default)]
pub struct Budget {
    spent: Arc<Spent>,
    most: Most,
}

#[derive(Debug, Default)]
struct Spent {
    tokens: AtomicU64,
    rounds: AtomicU64,
    refused: AtomicU64,
}

/// 0 is without an end: what somebody sent himself has bounds of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Most {
    pub tokens: u64,
    pub rounds: u64,
}

impl Budget {
    /// The same purse, for those that the first one causes.
    pub fn of_family(&self, most: Most) -> Budget {
        Budget { spent: self.spent.clone(), most }
    }

    pub fn spend(&self, tokens: u64) {
        if self.most.tokens > 0 {
            self.spent.tokens.fetch_add(tokens, Ordering::Relaxed);
        }
    }

    /// Tools were used once more.
    pub fn spend_round(&self) {
        if self.most.rounds > 0 {
            self.spent.rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A turn was asked for that may not be.
    pub fn refused(&self) {
        self.spent.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Fails when nothing is left.
    pub fn check(&self) -> Result<()> {
        let (spent, most) = (&*self.spent, self.most);
        let is_over = |most: u64, spent: &AtomicU64| most > 0 && spent.load(Ordering::Relaxed) >= most;
        let text = match () {
            () if is_over(most.tokens, &spent.tokens) => format!(
                "what one message causes in other sessions may cost {} tokens and has: go on with what you have (gateway.limits.nestedTokens)",
                most.tokens
            ),
            () if is_over(most.rounds, &spent.rounds) => format!(
                "the turns that one message causes may use tools {} times together and have: go on with what you have (gateway.limits.toolRounds)",
                most.rounds
            ),
            () if is_over(MAX_REFUSED, &spent.refused) => format!(
                "the model asked for {MAX_REFUSED} turns of other sessions that one message may not cause; ask for less at a time"
            ),
            () => return Ok(()),
        };
        Err(Error::new(Kind::Model, text))
    }
}
