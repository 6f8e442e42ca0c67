//! `/usage`: the usage line below replies, and what a session has cost. The setting on the state thread; the sum
//! reads the transcript on another one.
use super::about::short;
use super::{At, Reply, entry, set_member, wrong};
use crate::error::Result;
use crate::sessions::Transcript;
use crate::state::State;
use serde_json::Value;
use std::ops::ControlFlow;

const CHOICES: &str = "off, tokens, full, cost";
const DAY: u64 = 24 * 60 * 60 * 1000;

/// Without a value it goes on to the next one.
pub fn usage(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let now = entry(state, at).str("responseUsage").map(str::to_string);
    let next = match args.to_ascii_lowercase().as_str() {
        "" => match now.as_deref() {
            Some("full") => "off",
            Some("tokens" | "on") => "full",
            _ => "tokens",
        },
        "off" | "no" | "false" | "0" | "disable" | "disabled" => "off",
        "on" | "yes" | "true" | "1" | "tokens" | "token" | "tok" | "min" | "minimal" | "enable"
        | "enabled" => "tokens",
        "full" | "session" => "full",
        "cost" => return cost(state, at),
        _ => return Ok(wrong("usage", args, CHOICES)),
    };
    set_member(state, at, "responseUsage", next)?;
    Ok(Reply::Text(format!("Usage line is now {next}. Choices: {CHOICES}.")))
}

fn cost(state: &mut State, at: &At) -> Result<Reply> {
    let entry = entry(state, at);
    if entry.session_id().is_none() {
        return Ok(Reply::Text("Nothing was asked in this session yet.".to_string()));
    }
    let (transcript, now) = (state.sessions.transcript(&at.key, &entry)?, state.now);
    Ok(Reply::Work(Box::new(move || report(&transcript, now))))
}

#[derive(Default)]
struct Sum {
    answers: u64,
    input: u64,
    output: u64,
    cost: f64,
}

impl Sum {
    fn add(&mut self, usage: &Value) {
        let number = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.answers += 1;
        self.input = self.input.saturating_add(number("input") + number("cacheRead") + number("cacheWrite"));
        self.output = self.output.saturating_add(number("output"));
        self.cost += usage.pointer("/cost/total").and_then(Value::as_f64).unwrap_or(0.0);
    }

    fn line(&self, what: &str) -> String {
        let Sum { answers, input, output, cost } = self;
        format!("{what}: ${cost:.4}, {answers} answers, {} tokens in, {} out", short(*input), short(*output))
    }
}

fn report(transcript: &Transcript, now: u64) -> Result<String> {
    let (mut all, mut day) = (Sum::default(), Sum::default());
    if transcript.path().exists() {
        transcript.walk_back(|entry, _| {
            if let Some(message) = entry.get("message")
                && let Some(usage) = message.get("usage")
                && message.get("provider").and_then(Value::as_str) != Some("openclaw")
            {
                all.add(usage);
                let at = message.get("timestamp").and_then(Value::as_u64).unwrap_or(0);
                if at.saturating_add(DAY) >= now {
                    day.add(usage);
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    let mut text = format!("{}\n{}", all.line("This session"), day.line("Its last 24 hours"));
    if all.cost == 0.0 && all.answers > 0 {
        text += "\nNo prices are known; they are set as cost below models.providers.<id>.models.";
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::{TestDir, message};
    use serde_json::json;

    #[test]
    fn answers_of_models_are_summed_and_own_ones_are_not() {
        let dir = TestDir::new();
        let transcript = Transcript::at(&dir.0, "s").unwrap();
        assert!(report(&transcript, 0).unwrap().starts_with("This session: $0.0000, 0 answers"));
        let answer = |at: u64, cost: f64| {
            json!({"type": "message", "message": {"role": "assistant", "provider": "p", "model": "m", "timestamp": at,
                "content": [], "usage": {"input": 900, "output": 50, "cacheRead": 100, "cost": {"total": cost}}}})
        };
        let own = message::injected("x", None, 5 * DAY);
        transcript.append(&[answer(DAY, 0.25), own, answer(5 * DAY, 0.5)]).unwrap();
        let want = "This session: $0.7500, 2 answers, 2.0k tokens in, 100 out\nIts last 24 hours: $0.5000, 1 answers, 1.0k tokens in, 50 out";
        assert_eq!(report(&transcript, 5 * DAY).unwrap(), want);
    }
}
