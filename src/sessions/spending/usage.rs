//! Tokens and costs: the figures that usage reports are made of, prices of models, and spans of UTC days.
//! Pure values; transcripts are read by [`crate::sessions::usage_scan`].
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::{Map, Value};

const DAY: u64 = 24 * 60 * 60 * 1000;
const DEFAULT_DAYS: u64 = 30;
/// A hundred years.
const MAX_DAYS: u64 = 36_500;

/// Whole UTC days, bounds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub last: u64,
}

impl Span {
    /// From `start` to `end` (`YYYY-MM-DD`); without `end` until today, without `start` the `days` (30) that
    /// end then. `now` in epoch milliseconds.
    pub fn of(start: Option<&str>, end: Option<&str>, days: Option<u64>, now: u64) -> Result<Span> {
        let days = days.unwrap_or(DEFAULT_DAYS).clamp(1, MAX_DAYS);
        let last = end.map(|text| read_day("endDate", text)).transpose()?.unwrap_or(day_of(now));
        let first = start.map(|text| read_day("startDate", text)).transpose()?;
        let first = first.unwrap_or(last.saturating_sub(days - 1));
        if first > last {
            return Err(Error::invalid("startDate is after endDate, swap them"));
        }
        Ok(Span { first, last })
    }

    pub fn days(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The first moment, epoch milliseconds.
    pub fn start(&self) -> u64 {
        self.first * DAY
    }

    pub fn contains(&self, ms: u64) -> bool {
        (self.first..=self.last).contains(&day_of(ms))
    }
}

/// The UTC day of a time, counted from the epoch.
pub fn day_of(ms: u64) -> u64 {
    ms / DAY
}

/// `YYYY-MM-DD`
pub fn day_name(day: u64) -> String {
    clock::iso(day.saturating_mul(DAY)).chars().take(10).collect()
}

fn read_day(name: &str, text: &str) -> Result<u64> {
    let text = text.trim();
    let ms = clock::parse_iso(&format!("{text}T00:00:00Z")).filter(|_| text.len() == 10);
    ms.map(day_of).ok_or_else(|| Error::invalid(format!("{name} is not a day, write it as 2026-01-31")))
}

/// Tokens of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub total: u64,
}

impl Tokens {
    /// Of a message's `usage`, under the names that model servers and earlier versions use too.
    pub fn of(usage: &Value) -> Option<Tokens> {
        let number = |names: &[&str]| {
            let found = names.iter().find_map(|name| usage.get(name)?.as_f64());
            found.map(|n| n.max(0.0) as u64)
        };
        let input = number(&["input", "inputTokens", "input_tokens", "promptTokens", "prompt_tokens"]);
        let output =
            number(&["output", "outputTokens", "output_tokens", "completionTokens", "completion_tokens"]);
        let cache_read = number(&["cacheRead", "cache_read", "cache_read_input_tokens"]);
        let cache_write = number(&["cacheWrite", "cache_write", "cache_creation_input_tokens"]);
        let total = number(&["total", "totalTokens", "total_tokens"]);
        let parts = [input, output, cache_read, cache_write].map(Option::unwrap_or_default);
        [input, output, cache_read, cache_write, total].iter().any(Option::is_some).then_some(())?;
        let [input, output, cache_read, cache_write] = parts;
        let total = total.unwrap_or_else(|| parts.iter().fold(0, |sum, part| sum.saturating_add(*part)));
        Some(Tokens { input, output, cache_read, cache_write, total })
    }
}

/// What one answer cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
    pub total: f64,
}

impl Cost {
    /// What the transcript says: `usage.cost` with a total.
    pub fn of(usage: &Value) -> Option<Cost> {
        let cost = usage.get("cost")?;
        let number = |name: &str| cost.get(name).and_then(Value::as_f64);
        let part = |name: &str| number(name).unwrap_or(0.0);
        let total = number("total").filter(|total| *total >= 0.0)?;
        let (cache_read, cache_write) = (part("cacheRead"), part("cacheWrite"));
        Some(Cost { input: part("input"), output: part("output"), cache_read, cache_write, total })
    }

    /// What the configured prices of the model (of a million tokens) make of it; `None` without prices.
    pub fn by_price(config: &Config, provider: &str, model: &str, tokens: &Tokens) -> Option<Cost> {
        let models = config.get_in(&["models", "providers", provider.trim(), "models"])?.as_array()?;
        let row = models.iter().find(|row| row.get("id").and_then(Value::as_str) == Some(model.trim()))?;
        let prices = row.get("cost")?;
        let cost = |name: &str, tokens: u64| {
            prices.get(name).and_then(Value::as_f64).unwrap_or(0.0) * tokens as f64 / 1e6
        };
        let (input, output) = (cost("input", tokens.input), cost("output", tokens.output));
        let cache_read = cost("cacheRead", tokens.cache_read);
        let cache_write = cost("cacheWrite", tokens.cache_write);
        Some(Cost {
            input,
            output,
            cache_read,
            cache_write,
            total: input + output + cache_read + cache_write,
        })
    }
}

/// Sums over many answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    pub tokens: Tokens,
    pub cost: Cost,
    /// Answers whose cost is not known.
    pub missing: u64,
}

impl Totals {
    pub fn add(&mut self, tokens: &Tokens, cost: Option<&Cost>) {
        let missing = u64::from(cost.is_none());
        self.merge(&Totals { tokens: *tokens, cost: cost.copied().unwrap_or_default(), missing });
    }

    pub fn merge(&mut self, other: &Totals) {
        let (tokens, cost) = (&mut self.tokens, &mut self.cost);
        for (sum, part) in [
            (&mut tokens.input, other.tokens.input),
            (&mut tokens.output, other.tokens.output),
            (&mut tokens.cache_read, other.tokens.cache_read),
            (&mut tokens.cache_write, other.tokens.cache_write),
            (&mut tokens.total, other.tokens.total),
            (&mut self.missing, other.missing),
        ] {
            *sum = sum.saturating_add(part);
        }
        cost.input += other.cost.input;
        cost.output += other.cost.output;
        cost.cache_read += other.cost.cache_read;
        cost.cache_write += other.cost.cache_write;
        cost.total += other.cost.total;
    }

    pub fn to_value(&self) -> Value {
        let (tokens, cost) = (&self.tokens, &self.cost);
        json!({
            "input": tokens.input, "output": tokens.output, "cacheRead": tokens.cache_read,
            "cacheWrite": tokens.cache_write, "totalTokens": tokens.total,
            "totalCost": cost.total, "inputCost": cost.input, "outputCost": cost.output,
            "cacheReadCost": cost.cache_read, "cacheWriteCost": cost.cache_write,
            "missingCostEntries": self.missing,
        })
    }

    /// Adds the members to an object.
    pub fn put_into(&self, map: &mut Map<String, Value>) {
        if let Value::Object(own) = self.to_value() {
            map.extend(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn spans_have_as_many_days_as_asked_for() {
        let now = clock::parse_iso("2026-11-21T23:59:59Z").unwrap();
        let check = |start: Option<&str>, end: Option<&str>, days: Option<u64>, want: (&str, &str, u64)| {
            let span = Span::of(start, end, days, now).unwrap();
            assert_eq!((day_name(span.first).as_str(), day_name(span.last).as_str(), span.days()), want);
        };
        check(None, None, None, ("2026-10-23", "2026-11-21", 30));
        check(None, None, Some(1), ("2026-11-21", "2026-11-21", 1));
        check(None, None, Some(0), ("2026-11-21", "2026-11-21", 1));
        check(Some("2026-02-27"), Some("2026-03-01"), None, ("2026-02-27", "2026-03-01", 3));
        check(Some("2026-11-20"), None, Some(9), ("2026-11-20", "2026-11-21", 2));
        check(None, Some("2026-01-02"), Some(3), ("2025-12-31", "2026-01-02", 3));
        for (start, end) in [
            ("2026-02-30", "2026-03-01"),
            ("x", "2026-03-01"),
            ("2026-1-1", "2026-03-01"),
            ("2026-03-02", "2026-03-01"),
        ] {
            assert!(Span::of(Some(start), Some(end), None, now).is_err(), "{start} {end}");
        }
        let span = Span::of(Some("2026-11-20"), Some("2026-11-20"), None, now).unwrap();
        assert!(span.contains(span.start()) && span.contains(span.start() + DAY - 1));
        assert!(!span.contains(span.start() - 1) && !span.contains(span.start() + DAY));
    }

    #[test]
    fn tokens_are_read_under_all_names() {
        let check = |usage: Value, want: Option<(u64, u64, u64, u64, u64)>| {
            let got = Tokens::of(&usage).map(|t| (t.input, t.output, t.cache_read, t.cache_write, t.total));
            assert_eq!(got, want, "{usage}");
        };
        check(json!({"input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4}), Some((1, 2, 3, 4, 10)));
        check(
            json!({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 12}),
            Some((5, 6, 0, 0, 12)),
        );
        check(json!({"input": -5, "output": 1.9}), Some((0, 1, 0, 0, 1)));
        check(json!({"input": u64::MAX, "output": u64::MAX}), Some((u64::MAX, u64::MAX, 0, 0, u64::MAX)));
        check(json!({"cost": {"total": 1}}), None);
        check(json!("x"), None);
    }

    #[test]
    fn costs_come_from_the_transcript_or_from_prices() {
        let usage = json!({"cost": {"input": 0.5, "total": 0.75}});
        assert_eq!(Cost::of(&usage).map(|c| (c.input, c.output, c.total)), Some((0.5, 0.0, 0.75)));
        assert!(Cost::of(&json!({"cost": {"total": -1}})).is_none() && Cost::of(&json!({})).is_none());
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            "{models: {providers: {p: {baseUrl: 'http://h', models: [{id: 'm', cost: {input: 2, output: 8, cacheRead: 1}}, {id: 'free'}]}}}}",
        );
        let config = Config::load(&mut dir.env(&[])).unwrap();
        let tokens =
            Tokens { input: 500_000, output: 250_000, cache_read: 1_000_000, cache_write: 9, total: 0 };
        let cost = Cost::by_price(&config, "p", "m", &tokens).unwrap();
        assert_eq!(
            (cost.input, cost.output, cost.cache_read, cost.cache_write, cost.total),
            (1.0, 2.0, 1.0, 0.0, 4.0)
        );
        for (provider, model) in [("p", "free"), ("p", "none"), ("q", "m"), ("", "")] {
            assert!(Cost::by_price(&config, provider, model, &tokens).is_none(), "{provider}/{model}");
        }
        let mut totals = Totals::default();
        totals.add(&tokens, Some(&cost));
        totals.add(&tokens, None);
        let value = totals.to_value();
        assert_eq!(
            (&value["input"], &value["totalCost"], &value["missingCostEntries"]),
            (&json!(1_000_000), &json!(4.0), &json!(1))
        );
    }
}
