//! The course of one session: usage over time, and its last messages as plain texts. Runs on the connection's
//! thread; what is kept is bounded however long the transcript is.
use crate::config::Config;
use crate::error::Result;
use crate::json::{Put, json};
use crate::parts::shortened;
use crate::sessions::Transcript;
use crate::sessions::usage::{Cost, Tokens, Totals};
use crate::sessions::usage_scan::{Budget, Message, Role, scan, time};
use serde_json::{Map, Value};
use std::ops::ControlFlow;

/// The most points of a time series; an even number.
const MAX_POINTS: usize = 200;
/// The longest text of a log row, in characters.
const MAX_TEXT: usize = 2000;
/// All log rows together, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// One answer, or several that follow each other.
#[derive(Default)]
struct Point {
    /// When the last of them was given, epoch milliseconds.
    at: u64,
    own: Totals,
    answers: usize,
}

/// `points` of `sessions.usage.timeseries`. Of more answers than points, neighbours share one, so that the
/// points always add up to the whole.
pub fn points(transcript: &Transcript, config: &Config, budget: &mut Budget) -> Result<Vec<Value>> {
    let mut points: Vec<Point> = Vec::new();
    let mut each = 1;
    scan(transcript.path(), config, budget, &mut |message| {
        let (Some(at), Some((tokens, cost))) = (message.at, &message.usage) else { return };
        if points.last().is_none_or(|last| last.answers >= each) {
            if points.len() == MAX_POINTS {
                halve(&mut points);
                each *= 2;
            }
            points.push(Point::default());
        }
        if let Some(last) = points.last_mut() {
            last.add(at, tokens, cost.as_ref());
        }
    })?;
    crate::order::by_key(&mut points, |point| point.at);
    let mut sum = Totals::default();
    Ok(points.iter().map(|point| point.to_value(&mut sum)).collect())
}

fn halve(points: &mut Vec<Point>) {
    let mut halved: Vec<Point> = Vec::with_capacity(MAX_POINTS);
    for (n, point) in std::mem::take(points).into_iter().enumerate() {
        match halved.last_mut().filter(|_| n % 2 == 1) {
            Some(last) => {
                last.at = last.at.max(point.at);
                last.own.merge(&point.own);
                last.answers += point.answers;
            }
            None => halved.push(point),
        }
    }
    *points = halved;
}

impl Point {
    fn add(&mut self, at: u64, tokens: &Tokens, cost: Option<&Cost>) {
        self.at = self.at.max(at);
        self.own.add(tokens, cost);
        self.answers += 1;
    }

    fn to_value(&self, sum: &mut Totals) -> Value {
        sum.merge(&self.own);
        let (tokens, cost) = (&self.own.tokens, self.own.cost.total);
        json!({
            "timestamp": self.at, "input": tokens.input, "output": tokens.output, "cacheRead": tokens.cache_read,
            "cacheWrite": tokens.cache_write, "totalTokens": tokens.total, "cost": cost,
            "cumulativeTokens": sum.tokens.total, "cumulativeCost": sum.cost.total,
        })
    }
}

/// `logs` of `sessions.usage.logs`: the last messages that have a text, oldest first.
pub fn logs(transcript: &Transcript, config: &Config, limit: usize) -> Result<Vec<Value>> {
    let mut rows: Vec<(u64, Value)> = Vec::new();
    let mut bytes = 0;
    transcript.walk_back(|entry, _| {
        if let Some((at, row, size)) = row(&entry, config) {
            bytes += size;
            if bytes > MAX_BYTES {
                return ControlFlow::Break(());
            }
            rows.push((at, row));
        }
        if rows.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    rows.reverse();
    crate::order::by_key(&mut rows, |(at, _)| *at);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// A log row with its time and the bytes of its text; `None` for entries that have nothing to show.
fn row(entry: &Value, config: &Config) -> Option<(u64, Value, usize)> {
    let read = Message::of(entry, config)?;
    let message = entry.get("message")?;
    let text = text_of(message, read.role == Role::Tool);
    if text.is_empty() {
        return None;
    }
    let at = time(entry).unwrap_or(0);
    let mut row = Map::new();
    row.put("timestamp", at);
    row.put("role", message.get("role").cloned().unwrap_or_default());
    let size = text.len();
    row.put("content", text);
    if let Some((tokens, cost)) = read.usage.filter(|_| read.role == Role::Assistant) {
        row.put("tokens", tokens.total);
        if let Some(cost) = cost {
            row.put("cost", cost.total);
        }
    }
    Some((at, Value::Object(row), size))
}

fn text_of(message: &Value, is_result: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    let name = |value: &Value, member: &str, other: &str| {
        format!("[Tool: {}]", value.get(member).and_then(Value::as_str).unwrap_or(other))
    };
    if is_result {
        parts.push(name(message, "toolName", "tool"));
        parts.push("[Tool Result]".to_string());
    }
    match message.get("content") {
        Some(Value::String(text)) => parts.push(text.clone()),
        Some(Value::Array(blocks)) => {
            parts.extend(blocks.iter().filter_map(|block| match block.get("type").and_then(Value::as_str)? {
                "text" => block.get("text").and_then(Value::as_str).map(str::to_string),
                "toolCall" | "toolcall" | "tool_use" | "tool_call" => Some(name(block, "name", "unknown")),
                "tool_result" => Some("[Tool Result]".to_string()),
                _ => None,
            }))
        }
        _ => {}
    }
    let text = parts.join("\n");
    shortened(text.trim(), MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::{TestDir, message};

    fn transcript(lines: &[Value]) -> (TestDir, Transcript) {
        let dir = TestDir::new();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(dir.0.join("s.jsonl"), text).unwrap();
        let transcript = Transcript::at(&dir.0, "s").unwrap();
        (dir, transcript)
    }

    fn answer(n: u64) -> Value {
        let usage = json!({"input": 10, "output": 1, "totalTokens": 11, "cost": {"total": 0.5}});
        json!({"message": {"role": "assistant", "timestamp": 1000 + n, "usage": usage, "content": [message::text("x")]}})
    }

    #[test]
    fn points_add_up_however_many_answers_there_are() {
        for (answers, want) in [(0, 0), (1, 1), (200, 200), (201, 101), (1000, 125)] {
            let lines: Vec<Value> = (0..answers).map(answer).collect();
            let (_dir, transcript) = transcript(&lines);
            let points = points(&transcript, &Config::empty(), &mut Budget::new(1 << 20)).unwrap();
            assert_eq!(points.len(), want, "{answers}");
            let sum: u64 = points.iter().map(|p| p["totalTokens"].as_u64().unwrap()).sum();
            assert_eq!(sum, answers * 11);
            if let Some(last) = points.last() {
                let total = (answers * 11, answers as f64 * 0.5, 999 + answers);
                let got = (&last["cumulativeTokens"], &last["cumulativeCost"], &last["timestamp"]);
                assert_eq!(got, (&json!(total.0), &json!(total.1), &json!(total.2)));
            }
        }
    }

    #[test]
    fn logs_show_the_last_messages_as_text() {
        let long = "ä".repeat(MAX_TEXT + 5);
        let (_dir, transcript) = transcript(&[
            message::user_text("first", 1),
            message::user_text("second", 2),
            json!({"message": {"role": "assistant", "timestamp": 3, "content": [{"type": "toolCall", "name": "read"}], "usage": {"input": 4, "cost": {"total": 0.25}}}}),
            message::tool_result("c", "read", "the file", false, 4),
            json!({"message": {"role": "assistant", "timestamp": 5, "content": []}}),
            message::user_text(&long, 6),
        ]);
        let rows = logs(&transcript, &Config::empty(), 4).unwrap();
        let texts: Vec<&str> = rows.iter().map(|row| row["content"].as_str().unwrap()).collect();
        assert_eq!(texts[..3], ["second", "[Tool: read]", "[Tool: read]\n[Tool Result]\nthe file"]);
        assert_eq!(texts[3].chars().count(), MAX_TEXT + 1);
        assert_eq!((&rows[1]["tokens"], &rows[1]["cost"]), (&json!(4), &json!(0.25)));
        assert_eq!((&rows[2]["role"], rows[2].get("tokens")), (&json!("toolResult"), None));
        assert_eq!(logs(&transcript, &Config::empty(), 100).unwrap().len(), 5);
    }
}
