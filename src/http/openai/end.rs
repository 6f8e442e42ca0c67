//! What a turn came to, read from the outcome that all who wait for one get. Pure.
use super::talk::member;
use serde_json::Value;

/// A call that is left to the program.
pub struct Call {
    pub id: String,
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

#[derive(Default)]
pub struct End {
    /// All that was said.
    pub text: String,
    /// Not all of it was told on the way.
    pub is_behind: bool,
    pub calls: Vec<Call>,
    /// It ended at the longest length.
    pub is_cut_short: bool,
    /// Tokens of the prompt, those from a cache among them.
    pub input: u64,
    pub cached: u64,
    pub output: u64,
    /// Tokens of the output that were reasoning, as far as the model's server says it.
    pub reasoning: u64,
}

impl End {
    /// The words are taken out of it: they may be long.
    pub fn of(mut outcome: Value) -> End {
        let payloads = outcome.pointer_mut("/result/payloads").and_then(Value::as_array_mut);
        let texts =
            payloads.into_iter().flatten().map(|payload| match payload.get_mut("text").map(Value::take) {
                Some(Value::String(text)) => text,
                _ => String::new(),
            });
        let text = texts.reduce(|all, text| all + "\n\n" + &text).unwrap_or_default();
        let meta = outcome.pointer("/result/meta").unwrap_or(&Value::Null);
        let usage = meta.pointer("/agentMeta/usage").unwrap_or(&Value::Null);
        let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
        let calls = list(meta.get("pendingToolCalls")).iter().map(|call| Call {
            id: member(call, "id").to_string(),
            name: member(call, "name").to_string(),
            arguments: match call.get("arguments") {
                // The model's own words, which were no JSON.
                Some(Value::String(text)) => text.clone(),
                Some(Value::Object(map)) => Value::Object(map.clone()).to_string(),
                _ => "{}".to_string(),
            },
        });
        End {
            text,
            is_behind: false,
            calls: calls.collect(),
            is_cut_short: member(meta, "stopReason") == "length",
            input: count("input") + count("cacheRead") + count("cacheWrite"),
            cached: count("cacheRead"),
            output: count("output"),
            reasoning: count("reasoning"),
        }
    }

    pub fn total(&self) -> u64 {
        self.input + self.output
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
