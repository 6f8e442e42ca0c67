//! The messages a model gets to see, from what was read of a [`Branch`]: whole turns, every tool call answered,
//! a compaction's summary in front. Pure; the run's thread calls it.
//!
//! A turn is a user's message and all that follows up to the next one. A group is a message with the results of
//! its tool calls; it is never split.
use crate::parts::Parts;
use crate::sessions::branch::{Branch, Item};
use crate::sessions::line::summary_message;
use crate::sessions::repair::{LOST_RESULT, is_incomplete, tool_calls};
use crate::sessions::{estimate, message};
use serde_json::Value;

/// A tool's result is not cut shorter than this many tokens.
const MIN_RESULT: u64 = 200;

/// Where the newest part begins that takes at most `budget` estimated tokens: at a turn, or inside the newest
/// turn if that alone is too large. The newest group is in it whatever its size.
pub fn newest(branch: &Branch, budget: u64) -> usize {
    let (mut sum, mut start, mut turn) = (0u64, None, None);
    for (at, item) in branch.items.iter().enumerate().rev() {
        sum = sum.saturating_add(item.tokens);
        if start.is_some() && sum > budget {
            return turn.or(start).unwrap_or(at);
        }
        if message::role(&item.message) == "toolResult" {
            continue;
        }
        start = Some(at);
        if sum <= budget && starts_turn(item) {
            turn = Some(at);
        }
    }
    // The oldest messages are there and fit, or what is before them was not read.
    if branch.is_whole { 0 } else { turn.or(start).unwrap_or(0) }
}

pub fn starts_turn(item: &Item) -> bool {
    message::role(&item.message) == "user"
}

/// The messages from the item `start` on, with the summary before them. The first one is a user's.
pub fn into_messages(mut branch: Branch, start: usize) -> Vec<Value> {
    let items = branch.items.drain(..).skip(start).map(|item| item.message);
    with_front(answered(items), branch.summary.as_deref())
}

/// Shortens the results of tools so that the messages from `start` on take about `budget` estimated tokens, when
/// they alone are too large. What is left out is named in them.
pub fn shorten_results(branch: &mut Branch, start: usize, budget: u64) {
    let rest = branch.items.iter_mut().skip(start);
    let (results, others): (Vec<&mut Item>, Vec<&mut Item>) =
        rest.partition(|item| message::role(&item.message) == "toolResult");
    let taken = others.iter().map(|item| item.tokens).sum::<u64>();
    if taken + results.iter().map(|item| item.tokens).sum::<u64>() <= budget {
        return;
    }
    let each = (budget.saturating_sub(taken) / (results.len() as u64).max(1)).max(MIN_RESULT);
    for item in results {
        let bytes = usize::try_from(each * estimate::BYTES_PER_TOKEN).unwrap_or(usize::MAX);
        for block in item.message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(Value::String(text)) = block.get_mut("text") {
                *text = cut_middle(text, bytes);
            }
        }
        item.tokens = estimate::of_message(&item.message);
    }
}

/// The start and the end of a text, about `max` bytes, with a note of what was between them.
pub fn cut_middle(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_string();
    }
    let boundary =
        |from: usize| (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let head = text.head(boundary(max - max / 4));
    let tail = text.tail(boundary(text.len() - max / 4));
    format!("{head}\n[… {} bytes left out …]\n{tail}", text.len() - head.len() - tail.len())
}

fn with_front(mut messages: Vec<Value>, summary: Option<&str>) -> Vec<Value> {
    let front = match summary.filter(|s| !s.is_empty()) {
        Some(summary) => summary_message("The conversation so far, in summary", summary),
        None if messages.first().is_some_and(|m| message::role(m) != "user") => summary_message(
            "A note of the gateway",
            "What was said before is left out: it does not fit into your context window.",
        ),
        None => return messages,
    };
    messages.insert(0, front);
    messages
}

/// The messages with every tool call answered right after it and no result without its call; answers that
/// broke off or say nothing are left out. What the gateway said stands before the user's next message, since it
/// may have been written while a tool ran.
fn answered(messages: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut out = Vec::new();
    let mut open: Vec<(String, String)> = Vec::new();
    let mut asides = Vec::new();
    for message in messages {
        match message::role(&message) {
            "toolResult" => {
                let id = message.get("toolCallId").and_then(Value::as_str).unwrap_or_default();
                if let Some(at) = open.iter().position(|(call, _)| call == id) {
                    open.remove(at);
                    out.push(message);
                }
            }
            "assistant" if is_incomplete(&message) || is_blank(&message) => {}
            "assistant" if message::is_injected(&message) => asides.push(message),
            role => {
                close(&mut open, &mut out);
                if role == "user" {
                    out.append(&mut asides);
                }
                open = tool_calls(&message);
                out.push(message);
            }
        }
    }
    close(&mut open, &mut out);
    out
}

fn close(open: &mut Vec<(String, String)>, out: &mut Vec<Value>) {
    for (id, name) in open.drain(..) {
        let mut entry = message::tool_result(&id, &name, LOST_RESULT, true, 0);
        out.extend(entry.get_mut("message").map(Value::take));
    }
}

fn is_blank(message: &Value) -> bool {
    message::blocks(message).is_empty() && message::text_of(message).is_empty()
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
