//! What the answer of `status` says of the process and of today, in words. Pure.
use super::usage::{money, short};
use crate::cli::print::age;
use serde_json::Value;

/// `up 3h, 12.4 MB of memory`
pub fn process(status: &Value) -> Option<String> {
    let up = status.pointer("/gateway/uptimeMs")?.as_u64()?;
    let memory = status.pointer("/gateway/rssBytes").and_then(Value::as_f64);
    let memory = memory.map_or(String::new(), |bytes| format!(", {:.1} MB of memory", bytes / 1e6));
    Some(format!("up {}{memory}", age(up)))
}

/// `12 turns (1 failed, 2 stopped), 64k tokens in, 3k out, $0.12`
pub fn today(status: &Value) -> Option<String> {
    let today = status.get("today")?;
    let number = |name: &str| today.get(name).and_then(Value::as_u64).unwrap_or_default();
    let turns = number("turns");
    let all = format!("{turns} turn{}", if turns == 1 { "" } else { "s" });
    let turns = match (number("failed"), number("stopped")) {
        (0, 0) => all,
        (failed, 0) => format!("{all} ({failed} failed)"),
        (0, stopped) => format!("{all} ({stopped} stopped)"),
        (failed, stopped) => format!("{all} ({failed} failed, {stopped} stopped)"),
    };
    let tokens = format!("{} tokens in, {} out", short(number("tokensIn")), short(number("tokensOut")));
    let cost = today.get("cost").and_then(Value::as_f64).filter(|cost| *cost > 0.0);
    let cost = cost.map_or(String::new(), |cost| format!(", {}", money(cost)));
    Some(format!("{turns}, {tokens}{cost}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn process_and_day_in_words() {
        let today_of = json!({"turns": 2, "failed": 1, "tokensIn": 64_000, "tokensOut": 12, "cost": 0.5});
        let status = json!({"gateway": {"uptimeMs": 7_200_000, "rssBytes": 12_400_000}, "today": today_of});
        assert_eq!(process(&status).unwrap(), "up 2h, 12.4 MB of memory");
        assert_eq!(today(&status).unwrap(), "2 turns (1 failed), 64k tokens in, 12 out, $0.50");
        let stopped = json!({"today": {"turns": 1, "failed": 0, "stopped": 1}});
        assert_eq!(today(&stopped).unwrap(), "1 turn (1 stopped), 0 tokens in, 0 out");
        assert!(process(&json!({})).is_none() && today(&json!({})).is_none());
    }
}
