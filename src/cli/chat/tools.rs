//! The tools of a turn: which are at work, and one row for each that has ended, with its seconds.
use super::row::{DIM, PLAIN, RED, Row, Styled, text};
use crate::clean::one_line;
use crate::parts::shortened;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Rows of what a tool gave, where the session shows that.
const MOST_ROWS: usize = 6;
/// Characters of what a tool was asked.
const MOST_CHARS: usize = 200;

#[derive(Default)]
pub struct Tools(Vec<Tool>);

struct Tool {
    call: String,
    name: String,
    asked: String,
    since: Instant,
}

impl Tools {
    pub fn begin(&mut self, data: &Value) {
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let asked = data.get("args").map(brief).unwrap_or_default();
        self.0.push(Tool { call: text("toolCallId"), name: text("name"), asked, since: Instant::now() });
    }

    /// The rows about a tool that has ended.
    pub fn end(&mut self, data: &Value, width: usize) -> Vec<Row> {
        let text_of = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
        let place = self.0.iter().position(|tool| tool.call == text_of("toolCallId"));
        let Some(tool) = place.map(|place| self.0.remove(place)) else { return Vec::new() };
        let has_failed = data.get("isError") == Some(&Value::Bool(true));
        let mut line = Styled::of(DIM, "  * ");
        line.put(PLAIN, &tool.name);
        let asked = data.get("meta").and_then(Value::as_str).unwrap_or(&tool.asked);
        if !asked.is_empty() {
            line.put(DIM, &format!(" {}", shortened(&one_line(asked), MOST_CHARS)));
        }
        let seconds = format!("{:.1} s", tool.since.elapsed().as_secs_f64());
        match has_failed {
            true => line.put(RED, &format!("  failed after {seconds}")),
            false => line.put(DIM, &format!("  {seconds}")),
        }
        let mut rows = line.rows(width, 4, false);
        let given = data.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or_default();
        let mut result = text(DIM, &given.replace('\t', "    "), width.saturating_sub(6), 0);
        if result.len() > MOST_ROWS {
            result.truncate(MOST_ROWS);
            result.push(vec![(DIM, "...".to_string())]);
        }
        rows.extend(result.into_iter().map(|row| [vec![(PLAIN, " ".repeat(6))], row].concat()));
        rows
    }

    /// What is at work, once it takes a while.
    pub fn status(&self, patience: Duration) -> Option<String> {
        let tool = self.0.first()?;
        let elapsed = tool.since.elapsed();
        let more = if self.0.len() > 1 { format!(" and {} more", self.0.len() - 1) } else { String::new() };
        (elapsed >= patience)
            .then(|| format!("tool {}{more} at work ... {} s", one_line(&tool.name), elapsed.as_secs()))
    }
}

/// What a tool was asked, in a few words: its one text, or all as JSON.
fn brief(asked: &Value) -> String {
    let texts = asked.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    let texts: Vec<&str> = texts.collect();
    match (texts.as_slice(), asked.as_object().map_or(0, serde_json::Map::len)) {
        ([one], 1) => one.to_string(),
        (_, 0) => String::new(),
        _ => asked.to_string(),
    }
}
