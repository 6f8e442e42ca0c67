//! What was answered today, by the host's days, as far as this process answered it. Counted at the end of each turn on the
//! state thread; nothing decides by it.
use crate::agent::finished::Finished;
use crate::clock;
use crate::json::json;
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Today {
    day: String,
    turns: u64,
    failed: u64,
    stopped: u64,
    tokens_in: u64,
    tokens_out: u64,
    cost: f64,
}

impl Today {
    pub(super) fn note(&mut self, now: u64, finished: &Finished, is_stopped: bool) {
        self.turn_to(now);
        let usage = &finished.usage;
        self.turns += 1;
        let failed = u64::from(finished.result.is_err());
        match is_stopped {
            true => self.stopped += failed,
            false => self.failed += failed,
        }
        self.tokens_in += usage.input + usage.cache_read + usage.cache_write;
        self.tokens_out += usage.output;
        self.cost += finished.cost;
    }

    pub fn told(&mut self, now: u64) -> Value {
        self.turn_to(now);
        json!({
            "date": self.day, "turns": self.turns, "failed": self.failed, "stopped": self.stopped,
            "tokensIn": self.tokens_in, "tokensOut": self.tokens_out, "cost": self.cost,
        })
    }

    /// Another day begins with nothing.
    fn turn_to(&mut self, now: u64) {
        let day = clock::show(&clock::zoned_as_known(now), "%Y-%m-%d");
        if day != self.day {
            *self = Today { day, ..Today::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_its_own_turns() {
        let mut today = Today::default();
        let mut finished = Finished::new();
        (finished.cost, finished.usage.input, finished.usage.cache_read, finished.usage.output) =
            (0.5, 3, 4, 2);
        let noon = 1_764_504_000_000;
        today.note(noon, &finished, false);
        today.note(noon + 1, &finished, false);
        let told = today.told(noon + 2);
        assert_eq!(
            (&told["turns"], &told["tokensIn"], &told["tokensOut"]),
            (&json!(2), &json!(14), &json!(4))
        );
        assert_eq!((&told["cost"], &told["failed"]), (&json!(1.0), &json!(0)));
        assert_eq!(today.told(noon + 86_400_000)["turns"], 0);
    }
}
