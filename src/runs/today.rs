//! What was answered today, by the host's days. Counted at the end of each turn on the state thread, and kept in a file
//! (`state/today.rs`), so that a restart forgets nothing; nothing decides by it. Pure.
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
    /// Turns that this process has counted.
    pub changes: u64,
}

impl Today {
    /// What an earlier process told of a day; of another day than today it counts for nothing.
    pub fn known(told: &Value) -> Today {
        let number = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or_default();
        Today {
            day: told.get("date").and_then(Value::as_str).unwrap_or_default().to_string(),
            turns: number("turns"),
            failed: number("failed"),
            stopped: number("stopped"),
            tokens_in: number("tokensIn"),
            tokens_out: number("tokensOut"),
            cost: told.get("cost").and_then(Value::as_f64).unwrap_or_default(),
            changes: 0,
        }
    }

    pub(super) fn note(&mut self, now: u64, finished: &Finished, is_stopped: bool) {
        self.turn_to(now);
        let usage = &finished.usage;
        self.turns += 1;
        self.changes += 1;
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
            *self = Today { day, changes: self.changes, ..Today::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_its_own_turns_whatever_process_had_them() {
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
        let mut again = Today::known(&told);
        assert_eq!(again.told(noon + 3), told);
        again.note(noon + 4, &finished, false);
        assert_eq!(again.told(noon + 5)["turns"], 3);
        assert_eq!(again.told(noon + 86_400_000)["turns"], 0);
        assert_eq!(Today::known(&json!({"date": 7, "turns": "x"})).told(noon)["turns"], 0);
    }
}
