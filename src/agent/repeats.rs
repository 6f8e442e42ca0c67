//! A model that makes the same calls again and again: first it is told so, then the turn ends. Pure.
use crate::error::{Error, Kind, Result};
use crate::models::provider::ToolCall;
use crate::tools::Outcome;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The same calls in a row before the model is told, and before the turn ends.
const TOLD: u32 = 4;
const ENDED: u32 = 8;

#[derive(Default)]
pub struct Repeats {
    /// The calls of the last round, each as what it comes to: their arguments may be long.
    last: Vec<u64>,
    times: u32,
}

impl Repeats {
    /// Looks at one round of calls; may add a word to their results. Fails when it is enough.
    pub fn judge(&mut self, calls: &[ToolCall], outcomes: &mut [Outcome]) -> Result<()> {
        let now: Vec<u64> = calls.iter().map(hash).collect();
        self.times = if self.last == now { self.times + 1 } else { 1 };
        self.last = now;
        if self.times >= TOLD {
            for outcome in outcomes {
                outcome.text += &format!(
                    "\n[this call was made {} times in a row; do something else, or answer]",
                    self.times
                );
            }
        }
        if self.times >= ENDED {
            let name = calls.first().map_or("a tool", |call| call.name.as_str());
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let text = format!(
                "the model called {name} {ENDED} times in a row with the same arguments; ask in other words or choose another model"
            );
            return Err(Error::new(Kind::Model, text));
        }
        Ok(())
    }
}

fn hash(call: &ToolCall) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&call.name, &call.arguments).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_calls_in_a_row_are_named_and_then_ended() {
        let mut repeats = Repeats::default();
        let call =
            |n: u32| ToolCall { id: format!("c{n}"), name: "read".into(), arguments: json!({"path": "x"}) };
        let mut judge = |call: ToolCall| {
            let mut outcomes = [Outcome {
                text: "r".into(),
                is_error: false,
                meta: None,
                details: None,
                pictures: Vec::new(),
            }];
            repeats.judge(&[call], &mut outcomes).map(|()| outcomes[0].text.contains("times in a row"))
        };
        assert_eq!((1..8).map(|n| judge(call(n)).unwrap()).filter(|told| *told).count(), 4);
        assert!(judge(call(8)).unwrap_err().message().contains("called read 8 times"));
        let other = ToolCall { arguments: json!({"path": "y"}), ..call(9) };
        assert!(!judge(other).unwrap());
    }
}
