//! One message made shorter than it is, where it would take the place of all others: the middle of its texts is left
//! out, named by a note in its place. Pure.
use crate::sessions::context::cut_middle;
use crate::sessions::estimate::BYTES_PER_TOKEN;
use serde_json::Value;

/// The shortest that a text is cut to, in bytes.
const LEAST: u64 = 400;

/// Cuts a message to about this many tokens; its pictures and what it is are left alone.
pub fn message(message: &mut Value, tokens: u64) {
    let Some(content) = message.get_mut("content") else { return };
    let count = texts(content, &mut |_| {}).max(1);
    let each = (tokens * BYTES_PER_TOKEN / count).max(LEAST);
    let each = usize::try_from(each).unwrap_or(usize::MAX);
    texts(content, &mut |text| *text = cut_middle(text, each));
}

/// Calls `each` with every text that is longer than what is left of any, and gives their number: what is said, and
/// what a call of a tool brings along.
fn texts(value: &mut Value, each: &mut dyn FnMut(&mut String)) -> u64 {
    match value {
        Value::String(text) if text.len() as u64 > LEAST => {
            each(text);
            1
        }
        Value::Array(items) => items.iter_mut().map(|item| texts(item, each)).sum(),
        Value::Object(members) => {
            // Reasoning is proven by its signature as it is, pictures and what servers want back too.
            let kept =
                ["thinking", "thinkingSignature", "data", "extra", "reasoningDetails", "id", "name", "type"];
            let is_text = |name: &str| !kept.contains(&name);
            members.iter_mut().filter(|(name, _)| is_text(name)).map(|(_, member)| texts(member, each)).sum()
        }
        _ => 0,
    }
}
