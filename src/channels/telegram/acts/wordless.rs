//! Acts that are no text: a sticker, a reaction, a poll, and what Telegram takes of them. Pure.
use crate::channels::outgoing::Outgoing;
use crate::channels::telegram::reactions;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// A poll is open so long at most.
const MAX_OPEN: u64 = 2_628_000;

/// Only what Telegram has already: a file or an address would come as a document.
pub fn sticker(params: &mut Map<String, Value>, out: &Outgoing) -> Result<()> {
    let id = out.file_id();
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        let text =
            "a sticker is named by its file_id at Telegram, letters, digits, - and _: no file, no address";
        return Err(Error::invalid(text));
    }
    params.put("sticker", id);
    if let Some(id) = out.reply_to().and_then(|id| id.parse::<i64>().ok()) {
        params.put("reply_parameters", json!({"message_id": id, "allow_sending_without_reply": true}));
    }
    Ok(())
}

pub fn reaction(emoji: &str) -> Result<Value> {
    if emoji.trim().is_empty() {
        return Ok(json!([]));
    }
    let known = reactions::known(emoji).ok_or_else(|| {
        let shown: String = emoji.chars().filter(|c| !c.is_control()).take(20).collect();
        Error::invalid(format!(
            "Telegram has no reaction {shown} for bots (REACTION_INVALID): take one such as 👍 or ❤"
        ))
    })?;
    Ok(json!([{"type": "emoji", "emoji": known}]))
}

pub fn poll(params: &mut Map<String, Value>, out: &Outgoing) -> Result<()> {
    let get = |name: &str| out.poll().and_then(|poll| poll.get(name));
    let question = get("question").and_then(Value::as_str).unwrap_or_default().trim();
    let options = get("options").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let options: Vec<&str> = options.map(str::trim).collect();
    let fits = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    if !fits(question, 300) {
        return Err(Error::invalid("the question of a poll has 1 to 300 characters at Telegram"));
    }
    if !(2..=12).contains(&options.len()) || !options.iter().all(|option| fits(option, 100)) {
        return Err(Error::invalid("a poll has 2 to 12 options of 1 to 100 characters at Telegram"));
    }
    params.put("question", question);
    params.put("options", options.iter().map(|option| json!({"text": *option})).collect::<Vec<_>>());
    params.put("allows_multiple_answers", get("maxSelections").and_then(Value::as_u64).unwrap_or(1) > 1);
    if let Some(hours) = get("durationHours").and_then(Value::as_u64) {
        params.put("open_period", hours.saturating_mul(3600).clamp(5, MAX_OPEN));
    }
    Ok(())
}
